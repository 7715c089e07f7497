package parser

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// roleSpec reads a role by name or keyword.
func (p *parser) roleSpec() ast.RoleSpec {
	r := ast.RoleSpec{Pos: p.pos()}
	switch t := p.peek(); {
	case t.kw == kwCurrentUser, t.kw == kwCurrentRole, t.kw == kwSessionUser:
		r.Keyword = t.text
		p.i++
	case (t.kind == tIdent || t.kind == tQuoted) && t.text == "public":
		r.Keyword = "public"
		p.i++
	case t.kw == kwNone:
		p.errorAt(r.Pos, sqlstate.ReservedName, "role name \"%s\" is reserved", "none")
	default:
		r.Name = p.nonReserved().Text
	}
	return r
}

// roleName reads a role and gives the keywords back as names.
func (p *parser) roleName() string {
	r := p.roleSpec()
	if r.Keyword != "" {
		return r.Keyword
	}
	return r.Name
}

func (p *parser) roleList() []ast.RoleSpec {
	roles := []ast.RoleSpec{p.roleSpec()}
	for p.acceptPunct(',') {
		roles = append(roles, p.roleSpec())
	}
	return roles
}

func (p *parser) createRole(pos ast.Pos) ast.Statement {
	s := &ast.CreateRole{Pos: pos, Keyword: upper(p.peek().text)}
	p.i++
	s.IfNotExists = p.ifNotExists()
	s.Name = p.roleSpec()
	if s.Name.Keyword != "" {
		p.errorAt(s.Name.Pos, sqlstate.ReservedName, "role name \"%s\" is reserved", s.Name.Keyword)
	}
	p.accept(kwWith)
	s.Options = p.roleOptions(true)
	return s
}

func (p *parser) roleOptions(create bool) []ast.Option {
	var opts []ast.Option
	for {
		o := ast.Option{Pos: p.pos()}
		t := p.peek()
		flag := func(name string, v bool) {
			p.i++
			o.Name, o.Value = name, &ast.Bool{Pos: o.Pos, Value: v}
		}
		roles := func(name string) {
			row := &ast.Row{Pos: p.pos()}
			for _, r := range p.roleList() {
				n := r.Name
				if n == "" {
					n = r.Keyword
				}
				row.Elems = append(row.Elems, &ast.String{Pos: r.Pos, Value: n})
			}
			o.Name, o.Value = name, row
		}
		switch {
		case t.kind == tIdent && t.kw == noKeyword:
			switch t.text {
			case "superuser", "createdb", "createrole", "login", "replication", "bypassrls":
				flag(t.text, true)
			case "nosuperuser", "nocreatedb", "nocreaterole", "nologin", "noreplication", "nobypassrls":
				flag(t.text[2:], false)
			case "noinherit":
				flag("inherit", false)
			default:
				p.errorAt(o.Pos, sqlstate.SyntaxError, "unrecognized role option \"%s\"", t.text)
			}
		case t.kw == kwInherit:
			flag("inherit", true)
		case t.kw == kwEncrypted || t.kw == kwPassword:
			p.accept(kwEncrypted)
			p.expect(kwPassword)
			o.Name = "password"
			if n := p.pos(); p.accept(kwNull) {
				o.Value = &ast.Null{Pos: n}
			} else {
				o.Value = &ast.String{Pos: n, Value: p.stringConst()}
			}
		case p.accept2(kwConnection, kwLimit):
			o.Name, o.Value = "connection_limit", p.number()
		case p.accept2(kwValid, kwUntil):
			o.Name, o.Value = "valid_until", &ast.String{Pos: p.pos(), Value: p.stringConst()}
		case create && t.kw == kwSysid:
			p.i++
			o.Name, o.Value = "sysid", p.number()
		case create && t.kw == kwAdmin:
			p.i++
			roles("admin")
		case t.kw == kwRole && create, t.kw == kwUser:
			p.i++
			roles("role")
		case create && t.kw == kwIn:
			p.i++
			if !p.accept(kwRole) {
				p.expect(kwGroup)
			}
			roles("in_role")
		default:
			return opts
		}
		opts = append(opts, o)
	}
}

func (p *parser) reassign() ast.Statement {
	s := &ast.ReassignOwned{Pos: p.pos()}
	p.expect(kwReassign, kwOwned, kwBy)
	s.From = p.roleList()
	p.expect(kwTo)
	s.To = p.roleSpec()
	return s
}

func (p *parser) grantOrRevoke() ast.Statement {
	pos := p.pos()
	revoke := p.accept(kwRevoke)
	if !revoke {
		p.expect(kwGrant)
	}
	s := p.privileges(pos, revoke)
	if !p.is(kwOn) {
		return p.grantRole(s)
	}
	p.i++
	s.On = p.grantTarget()
	p.grantees(s)
	return s
}

// privileges reads [GRANT OPTION FOR] and the list of privileges.
func (p *parser) privileges(pos ast.Pos, revoke bool) *ast.Grant {
	s := &ast.Grant{Pos: pos, Revoke: revoke}
	if revoke && p.is(kwGrant) && p.peekAt(1).kw == kwOption {
		p.i += 2
		p.expect(kwFor)
		s.GrantOption = true
	}
	if revoke && p.is(kwAdmin) && p.peekAt(1).kw == kwOption {
		p.i += 2
		p.expect(kwFor)
		s.GrantOption = true
	}
	if p.is(kwAll) {
		p.i++
		p.accept(kwPrivileges)
		if p.isPunct('(') {
			s.Privileges = []ast.Privilege{{Pos: pos, Name: "all", Columns: p.nameList()}}
		}
		return s
	}
	for {
		t := p.peek()
		pr := ast.Privilege{Pos: ast.Pos(t.pos), Name: t.text}
		switch t.kw {
		case kwSelect, kwReferences, kwCreate:
			p.i++
		case kwAlter:
			p.i++
			p.expect(kwSystem)
			pr.Name = "alter system"
		default:
			p.colID()
		}
		if p.isPunct('(') {
			pr.Columns = p.nameList()
		}
		s.Privileges = append(s.Privileges, pr)
		if !p.acceptPunct(',') {
			return s
		}
	}
}

func (p *parser) grantTarget() ast.GrantTarget {
	var g ast.GrantTarget
	if p.accept(kwAll) {
		g.AllInSchema = true
		switch {
		case p.accept(kwTables):
		case p.accept(kwSequences):
			g.Kind = ast.ObjectSequence
		case p.accept(kwFunctions):
			g.Kind = ast.ObjectFunction
		case p.accept(kwProcedures):
			g.Kind = ast.ObjectProcedure
		default:
			p.expect(kwRoutines)
			g.Kind = ast.ObjectRoutine
		}
		p.expect(kwIn, kwSchema)
		for _, n := range p.names() {
			g.Names = append(g.Names, ast.ObjectName{Pos: n.Pos, Name: n.Text})
		}
		return g
	}
	switch {
	case p.accept(kwTable):
	case p.accept(kwSequence):
		g.Kind = ast.ObjectSequence
	case p.accept(kwFunction):
		g.Kind = ast.ObjectFunction
	case p.accept(kwProcedure):
		g.Kind = ast.ObjectProcedure
	case p.accept(kwRoutine):
		g.Kind = ast.ObjectRoutine
	case p.accept(kwDatabase):
		g.Kind = ast.ObjectDatabase
	case p.accept(kwDomain):
		g.Kind = ast.ObjectDomain
	case p.accept(kwLanguage):
		g.Kind = ast.ObjectLanguage
	case p.accept(kwSchema):
		g.Kind = ast.ObjectSchema
	case p.accept(kwTablespace):
		g.Kind = ast.ObjectTablespace
	case p.accept(kwType):
		g.Kind = ast.ObjectType
	case p.accept2(kwLarge, kwObject):
		g.Kind = ast.ObjectLargeObject
		for {
			g.Names = append(g.Names, ast.ObjectName{Pos: p.pos(), Name: p.number().Text})
			if !p.acceptPunct(',') {
				return g
			}
		}
	case p.accept(kwForeign):
		p.unsupported(p.tokPos(p.i-1), "GRANT ON FOREIGN DATA WRAPPER or SERVER")
	}
	for {
		if isRoutine(g.Kind) {
			g.Names = append(g.Names, p.functionName())
			g.Args = append(g.Args, p.optFuncArgs())
		} else {
			g.Names = append(g.Names, p.objectName())
		}
		if !p.acceptPunct(',') {
			return g
		}
	}
}

func isRoutine(k ast.ObjectKind) bool {
	switch k {
	case ast.ObjectFunction, ast.ObjectProcedure, ast.ObjectRoutine, ast.ObjectAggregate:
		return true
	}
	return false
}

// optFuncArgs reads an argument list in parentheses, if there is one.
func (p *parser) optFuncArgs() ast.FuncArgs {
	if !p.isPunct('(') {
		return ast.FuncArgs{}
	}
	if n := p.peekAt(1); n.kind == tOp && n.text == "*" { // of an aggregate
		p.i += 2
		p.expectPunct(')')
		return ast.FuncArgs{Given: true}
	}
	return ast.FuncArgs{Given: true, Args: p.funcArgs(false)}
}

// grantees reads TO or FROM and what follows.
func (p *parser) grantees(s *ast.Grant) {
	if s.Revoke {
		p.expect(kwFrom)
	} else {
		p.expect(kwTo)
	}
	p.accept(kwGroup)
	s.Roles = p.roleList()
	if !s.Revoke && p.is(kwWith) && p.peekAt(1).kw == kwGrant {
		p.i += 2
		p.expect(kwOption)
		s.GrantOption = true
	}
	s.GrantedBy = p.grantedBy()
	if s.Revoke {
		s.Cascade = p.dropBehavior()
	}
}

func (p *parser) grantedBy() *ast.RoleSpec {
	if !p.accept2(kwGranted, kwBy) {
		return nil
	}
	r := p.roleSpec()
	return &r
}

// grantRole goes on with GRANT role TO role, whose roles privileges has read.
func (p *parser) grantRole(g *ast.Grant) ast.Statement {
	s := &ast.GrantRole{Pos: g.Pos, Revoke: g.Revoke, AdminOption: g.GrantOption}
	if g.Privileges == nil {
		p.fail()
	}
	for _, pr := range g.Privileges {
		if pr.Columns != nil {
			p.fail()
		}
		s.Granted = append(s.Granted, ast.Name{Pos: pr.Pos, Text: pr.Name})
	}
	if s.Revoke {
		p.expect(kwFrom)
	} else {
		p.expect(kwTo)
	}
	s.Roles = p.roleList()
	if !s.Revoke && p.is(kwWith) {
		p.i++
		p.expect(kwAdmin, kwOption)
		s.AdminOption = true
	}
	s.GrantedBy = p.grantedBy()
	if s.Revoke {
		s.Cascade = p.dropBehavior()
	}
	return s
}

// alterDefaultPrivileges reads what follows ALTER.
func (p *parser) alterDefaultPrivileges(pos ast.Pos) ast.Statement {
	s := &ast.AlterDefaultPrivileges{Pos: pos}
	p.expect(kwDefault, kwPrivileges)
	for {
		switch {
		case p.accept2(kwIn, kwSchema):
			s.Schemas = append(s.Schemas, p.names()...)
		case p.accept2(kwFor, kwRole), p.accept2(kwFor, kwUser):
			s.ForRoles = append(s.ForRoles, p.roleList()...)
		default:
			at := p.pos()
			revoke := p.accept(kwRevoke)
			if !revoke {
				p.expect(kwGrant)
			}
			s.Grant = p.privileges(at, revoke)
			p.expect(kwOn)
			switch {
			case p.accept(kwTables):
			case p.accept(kwSequences):
				s.Grant.On.Kind = ast.ObjectSequence
			case p.accept(kwFunctions), p.accept(kwRoutines):
				s.Grant.On.Kind = ast.ObjectFunction
			case p.accept(kwTypes):
				s.Grant.On.Kind = ast.ObjectType
			default:
				p.expect(kwSchemas)
				s.Grant.On.Kind = ast.ObjectSchema
			}
			p.grantees(s.Grant)
			return s
		}
	}
}
