package schemachange

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// roleSpec resolves a role in a statement; PUBLIC is 0.
func (x *statement) roleSpec(r ast.RoleSpec) (catalog.ID, error) {
	switch r.Keyword {
	case "public":
		return 0, nil
	case "":
		role, err := x.coll.Role(x.ctx, r.Name)
		if err != nil {
			return 0, err
		}
		return role.ID, nil
	}
	return x.s.UserID(), nil
}

// requireRoleAdmin is the rule for changing roles, until privileges are enforced in full.
func (x *statement) requireRoleAdmin(verb string) error {
	me, ok := x.coll.ByID(x.s.UserID()).(*catalog.Role)
	if ok && (me.Superuser || me.CreateRole) {
		return nil
	}
	return sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied to %s role", verb)
}

func (x *statement) createRole(stmt *ast.CreateRole) error {
	if err := x.requireRoleAdmin("create"); err != nil {
		return err
	}
	name := stmt.Name.Name
	if strings.HasPrefix(name, "pg_") {
		return sqlstate.New(sqlstate.ReservedName, "role name %q is reserved", name).
			WithDetail("Role names starting with \"pg_\" are reserved.")
	}
	id, err := x.coll.RoleTaken(x.ctx, name)
	if err != nil {
		return err
	}
	if id != 0 {
		if stmt.IfNotExists {
			x.notice(sqlstate.DuplicateObject, "role %q already exists, skipping", name)
			return nil
		}
		return sqlstate.New(sqlstate.DuplicateObject, "role %q already exists", name)
	}
	r := &catalog.Role{Header: catalog.Header{Name: name}, Inherit: true, ConnLimit: -1, Login: strings.EqualFold(stmt.Keyword, "user")}
	if r.ID, err = x.newID(); err != nil {
		return err
	}
	return x.roleOptions(r, stmt.Options)
}

// roleOptions applies the options and writes the role, and those it becomes connected with.
func (x *statement) roleOptions(r *catalog.Role, opts []ast.Option) error {
	var members []ast.Expr
	admin := map[ast.Expr]bool{}
	me, _ := x.coll.ByID(x.s.UserID()).(*catalog.Role)
	for _, o := range opts {
		b, _ := o.Value.(*ast.Bool)
		on := b != nil && b.Value
		row, _ := o.Value.(*ast.Row)
		if (o.Name == "superuser" || o.Name == "replication" || o.Name == "bypassrls") && on && (me == nil || !me.Superuser) {
			return sqlstate.New(sqlstate.InsufficientPrivilege, "must be superuser to give a role the attribute %s", strings.ToUpper(o.Name))
		}
		switch o.Name {
		case "superuser":
			r.Superuser = on
		case "createdb":
			r.CreateDB = on
		case "createrole":
			r.CreateRole = on
		case "inherit":
			r.Inherit = on
		case "login":
			r.Login = on
		case "replication":
			r.Replication = on
		case "bypassrls":
			r.BypassRLS = on
		case "password":
			s, ok := o.Value.(*ast.String)
			if r.Password = ""; !ok {
				continue
			}
			var err error
			if r.Password, err = scramVerifier(s.Value); err != nil {
				return err
			}
		case "connection_limit":
			n, err := strconv.ParseInt(optionText(o.Value), 10, 32)
			if err != nil || n < -1 {
				return sqlstate.New(sqlstate.InvalidParameterValue, "invalid connection limit: %s", optionText(o.Value))
			}
			r.ConnLimit = int32(n)
		case "valid_until":
			d, err := types.ParseText(types.TimestampTZ, optionText(o.Value), x.s.EvalContext().Settings)
			if err != nil {
				return err
			}
			if r.ValidUntil = d.Int(); r.ValidUntil == math.MaxInt64 {
				r.ValidUntil = 0
			}
		case "in_role":
			for _, e := range row.Elems {
				group, err := x.role(optionText(e))
				if err != nil {
					return err
				}
				r.MemberOf = append(r.MemberOf, catalog.Membership{Role: group.ID, Grantor: x.s.UserID()})
			}
		case "role", "admin":
			for _, e := range row.Elems {
				members = append(members, e)
				admin[e] = o.Name == "admin"
			}
		case "sysid":
			x.notice("00000", "SYSID can no longer be specified")
		default:
			return unsupportedAt(o.Pos, "role option %q", o.Name)
		}
	}
	if err := x.coll.Put(x.ctx, r); err != nil {
		return err
	}
	for _, e := range members {
		role, err := x.role(optionText(e))
		if err != nil {
			return err
		}
		if err := x.addMember(r.ID, role.ID, admin[e]); err != nil {
			return err
		}
	}
	return nil
}

// addMember makes member a member of group.
func (x *statement) addMember(group, member catalog.ID, admin bool) error {
	if x.isMember(group, member) {
		return sqlstate.New("0LP01", "role %q is a member of role %q", x.schemaName(group), x.schemaName(member))
	}
	d, err := x.mutable(member)
	if err != nil {
		return err
	}
	r := d.(*catalog.Role)
	i := slices.IndexFunc(r.MemberOf, func(m catalog.Membership) bool { return m.Role == group })
	switch {
	case i < 0:
		r.MemberOf = append(r.MemberOf, catalog.Membership{Role: group, Admin: admin, Grantor: x.s.UserID()})
	case admin && !r.MemberOf[i].Admin:
		r.MemberOf[i].Admin = true
	default:
		x.notice("00000", "role %q has already been granted membership in role %q by role %q", r.Name, x.schemaName(group), x.schemaName(x.s.UserID()))
		return nil
	}
	return x.coll.Put(x.ctx, r)
}

// isMember reports whether role is group or, directly or not, a member of it.
func (x *statement) isMember(role, group catalog.ID) bool {
	if role == group {
		return true
	}
	r, _ := x.coll.ByID(role).(*catalog.Role)
	return r != nil && slices.ContainsFunc(r.MemberOf, func(m catalog.Membership) bool { return x.isMember(m.Role, group) })
}

func (x *statement) alterRole(stmt *ast.AlterRole) error {
	id, err := x.roleSpec(stmt.Name)
	if err != nil {
		return err
	}
	own := id == x.s.UserID() && !slices.ContainsFunc(stmt.Options, func(o ast.Option) bool { return o.Name != "password" })
	if !own || len(stmt.Add)+len(stmt.Drop) > 0 {
		if err := x.requireRoleAdmin("alter"); err != nil {
			return err
		}
	}
	for _, m := range stmt.Add {
		member, err := x.roleSpec(m)
		if err != nil {
			return err
		}
		if err := x.addMember(id, member, false); err != nil {
			return err
		}
	}
	for _, m := range stmt.Drop {
		member, err := x.roleSpec(m)
		if err != nil {
			return err
		}
		if err := x.removeMember(id, member, false); err != nil {
			return err
		}
	}
	if len(stmt.Options) == 0 {
		return nil
	}
	d, err := x.mutable(id)
	if err != nil {
		return err
	}
	return x.roleOptions(d.(*catalog.Role), stmt.Options)
}

func (x *statement) removeMember(group, member catalog.ID, adminOnly bool) error {
	d, err := x.mutable(member)
	if err != nil {
		return err
	}
	r, ok := d.(*catalog.Role)
	if !ok {
		return sqlstate.New(sqlstate.UndefinedObject, "role does not exist")
	}
	i := slices.IndexFunc(r.MemberOf, func(m catalog.Membership) bool { return m.Role == group })
	if i < 0 {
		e := sqlstate.New(sqlstate.Warning, "role %q has not been granted membership in role %q by role %q", r.Name, x.schemaName(group), x.schemaName(x.s.UserID()))
		e.Severity = "WARNING"
		x.s.Notice(e)
		return nil
	}
	if adminOnly {
		r.MemberOf[i].Admin = false
	} else {
		r.MemberOf = slices.Delete(r.MemberOf, i, i+1)
	}
	return x.coll.Put(x.ctx, r)
}

func (x *statement) dropRole(stmt *ast.DropRole) error {
	if err := x.requireRoleAdmin("drop"); err != nil {
		return err
	}
	for _, spec := range stmt.Roles {
		if spec.Keyword != "" {
			return sqlstate.New(sqlstate.InvalidParameterValue, "cannot use special role specifier in DROP ROLE")
		}
		id, err := x.coll.RoleTaken(x.ctx, spec.Name)
		if err != nil {
			return err
		}
		if id == 0 {
			if stmt.IfExists {
				x.notice("00000", "role %q does not exist, skipping", spec.Name)
				continue
			}
			return sqlstate.New(sqlstate.UndefinedObject, "role %q does not exist", spec.Name)
		}
		if id == x.s.UserID() {
			return sqlstate.New(sqlstate.ObjectInUse, "current user cannot be dropped")
		}
		if id < catalog.FirstUserID {
			return sqlstate.New(sqlstate.DependentObjectsStillExist, "cannot drop role %s because it is required by the database system", spec.Name)
		}
		var details []string
		var members []catalog.ID
		for d := range x.coll.All {
			h := d.Head()
			switch {
			case h.Owner == id:
				details = append(details, "owner of "+describe(d))
			case slices.ContainsFunc(h.Grants, func(g catalog.Grant) bool { return g.Grantee == id }):
				details = append(details, "privileges for "+describe(d))
			}
			if r, ok := d.(*catalog.Role); ok && slices.ContainsFunc(r.MemberOf, func(m catalog.Membership) bool { return m.Role == id }) {
				members = append(members, r.ID)
			}
		}
		if len(details) > 0 {
			return sqlstate.New(sqlstate.DependentObjectsStillExist, "role %q cannot be dropped because some objects depend on it", spec.Name).
				WithDetail("%s", strings.Join(details, "\n"))
		}
		for _, m := range members {
			if err := x.removeMember(id, m, false); err != nil {
				return err
			}
		}
		d, err := x.mutable(id)
		if err != nil {
			return err
		}
		if err := x.coll.Remove(x.ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (x *statement) grantRole(stmt *ast.GrantRole) error {
	if err := x.requireRoleAdmin("grant"); err != nil {
		return err
	}
	for _, g := range stmt.Granted {
		group, err := x.coll.Role(x.ctx, g.Text)
		if err != nil {
			return err
		}
		for _, r := range stmt.Roles {
			member, err := x.roleSpec(r)
			if err != nil {
				return err
			}
			if member == 0 {
				return sqlstate.New(sqlstate.UndefinedObject, "role \"public\" does not exist")
			}
			if stmt.Revoke {
				err = x.removeMember(group.ID, member, stmt.AdminOption)
			} else {
				err = x.addMember(group.ID, member, stmt.AdminOption)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// scramIterations is PostgreSQL's default of scram_iterations.
const scramIterations = 4096

// scramVerifier returns what is stored of a password: a SCRAM-SHA-256 verifier in
// PostgreSQL's form (RFC 5803, RFC 7677). A string that is one already is kept.
func scramVerifier(password string) (string, error) {
	if password == "" {
		return "", nil
	}
	if isVerifier(password) {
		return password, nil
	}
	var salt [16]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return "", err
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt[:], scramIterations, sha256.Size)
	if err != nil {
		return "", err
	}
	mac := func(text string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(mac("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, b64(salt[:]), b64(stored[:]), b64(mac("Server Key"))), nil
}

func isVerifier(s string) bool {
	rest, ok := strings.CutPrefix(s, "SCRAM-SHA-256$")
	if !ok {
		return false
	}
	params, keys, ok := strings.Cut(rest, "$")
	if !ok || !strings.Contains(params, ":") {
		return false
	}
	for k := range strings.SplitSeq(keys, ":") {
		if b, err := base64.StdEncoding.DecodeString(k); err != nil || len(b) != sha256.Size {
			return false
		}
	}
	return strings.Count(keys, ":") == 1
}
