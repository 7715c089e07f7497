package ast

import "strings"

// role writes the statements about roles and privileges; false for any other.
func (f *formatter) role(s Statement) bool {
	switch s := s.(type) {
	case *CreateRole:
		f.w("CREATE ", s.Keyword, " ")
		f.wIf(s.IfNotExists, "IF NOT EXISTS ")
		f.roleSpec(s.Name)
		f.roleOptions(s.Options)
	case *AlterRole:
		if s.Add != nil || s.Drop != nil {
			f.w("ALTER GROUP ")
			f.roleSpec(s.Name)
			f.wIf(s.Add != nil, " ADD USER ")
			f.wIf(s.Drop != nil, " DROP USER ")
			f.roles(s.Add)
			f.roles(s.Drop)
			break
		}
		f.w("ALTER ROLE ")
		f.roleSpec(s.Name)
		f.roleOptions(s.Options)
	case *AlterSetting:
		switch {
		case s.System:
			f.w("ALTER SYSTEM")
		case s.AllRoles:
			f.w("ALTER ROLE ALL")
		case s.Role != nil:
			f.w("ALTER ROLE ")
			f.roleSpec(*s.Role)
		default:
			f.w("ALTER DATABASE ")
			f.ident(s.Database)
		}
		if s.Database != "" && (s.AllRoles || s.Role != nil) {
			f.w(" IN DATABASE ")
			f.ident(s.Database)
		}
		f.w(" ")
		if s.Set != nil {
			f.w("SET ")
			f.set(s.Set)
		} else {
			f.reset(s.Reset)
		}
	case *DropRole:
		f.w("DROP ROLE ")
		f.wIf(s.IfExists, "IF EXISTS ")
		f.roles(s.Roles)
	case *ReassignOwned:
		f.w("REASSIGN OWNED BY ")
		f.roles(s.From)
		f.w(" TO ")
		f.roleSpec(s.To)
	case *DropOwned:
		f.w("DROP OWNED BY ")
		f.roles(s.Roles)
		f.wIf(s.Cascade, " CASCADE")
	case *Grant:
		f.grantHead(s)
		f.w(" ON ")
		f.grantTarget(s.On)
		f.grantTail(s)
	case *GrantRole:
		f.wIf(s.Revoke, "REVOKE ")
		f.wIf(!s.Revoke, "GRANT ")
		f.wIf(s.Revoke && s.AdminOption, "ADMIN OPTION FOR ")
		f.names(s.Granted)
		f.wIf(s.Revoke, " FROM ")
		f.wIf(!s.Revoke, " TO ")
		f.roles(s.Roles)
		f.wIf(!s.Revoke && s.AdminOption, " WITH ADMIN OPTION")
		f.grantedBy(s.GrantedBy)
		f.wIf(s.Cascade, " CASCADE")
	case *AlterDefaultPrivileges:
		f.w("ALTER DEFAULT PRIVILEGES ")
		if s.ForRoles != nil {
			f.w("FOR ROLE ")
			f.roles(s.ForRoles)
			f.w(" ")
		}
		if s.Schemas != nil {
			f.w("IN SCHEMA ")
			f.names(s.Schemas)
			f.w(" ")
		}
		f.grantHead(s.Grant)
		f.w(" ON ", s.Grant.On.Kind.String(), "S")
		f.grantTail(s.Grant)
	default:
		return false
	}
	return true
}

func (f *formatter) grantHead(s *Grant) {
	f.wIf(s.Revoke, "REVOKE ")
	f.wIf(!s.Revoke, "GRANT ")
	f.wIf(s.Revoke && s.GrantOption, "GRANT OPTION FOR ")
	f.wIf(s.Privileges == nil, "ALL PRIVILEGES")
	f.list(len(s.Privileges), func(i int) {
		f.w(strings.ToUpper(s.Privileges[i].Name))
		f.nameList(s.Privileges[i].Columns)
	})
}

func (f *formatter) grantTail(s *Grant) {
	f.wIf(s.Revoke, " FROM ")
	f.wIf(!s.Revoke, " TO ")
	f.roles(s.Roles)
	f.wIf(!s.Revoke && s.GrantOption, " WITH GRANT OPTION")
	f.grantedBy(s.GrantedBy)
	f.wIf(s.Cascade, " CASCADE")
}

func (f *formatter) grantedBy(r *RoleSpec) {
	if r != nil {
		f.w(" GRANTED BY ")
		f.roleSpec(*r)
	}
}

func (f *formatter) grantTarget(g GrantTarget) {
	if g.AllInSchema {
		f.w("ALL ", g.Kind.String(), "S IN SCHEMA ")
		f.objectNames(g.Names)
		return
	}
	f.w(g.Kind.String(), " ")
	if g.Kind == ObjectLargeObject {
		f.list(len(g.Names), func(i int) { f.w(g.Names[i].Name) })
		return
	}
	f.namesArgs(g.Names, g.Args)
}

func (f *formatter) roles(list []RoleSpec) {
	f.list(len(list), func(i int) { f.roleSpec(list[i]) })
}

func (f *formatter) roleSpec(r RoleSpec) {
	if r.Keyword != "" {
		f.w(strings.ToUpper(r.Keyword))
		return
	}
	f.ident(r.Name)
}

// roleName writes a role that is kept as a mere name.
func (f *formatter) roleName(name string) {
	switch name {
	case "current_user", "current_role", "session_user":
		f.w(strings.ToUpper(name))
		return
	}
	f.ident(name)
}

func (f *formatter) roleOptions(opts []Option) {
	for _, o := range opts {
		switch v := o.Value.(type) {
		case *Bool:
			f.wIf(v.Value, " ")
			f.wIf(!v.Value, " NO")
			f.w(strings.ToUpper(o.Name))
			continue
		case *Row:
			f.w(" ", map[string]string{"role": "ROLE", "in_role": "IN ROLE", "admin": "ADMIN"}[o.Name], " ")
			f.list(len(v.Elems), func(i int) { f.roleName(v.Elems[i].(*String).Value) })
			continue
		}
		f.w(" ", strings.ToUpper(strings.ReplaceAll(o.Name, "_", " ")), " ")
		f.expr(o.Value, lvAny)
	}
}
