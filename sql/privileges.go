package sql

import (
	"bytes"
	"context"
	"slices"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// This file is what roles may do: privileges of relations (checked when a
// statement is bound), ownership (checked on the descriptors that DDL has
// changed) and SET ROLE. Superusers may do everything.
//
// A role has the privileges granted to it, to PUBLIC and, unless it is NOINHERIT, to
// every role it is a member of; the owner of an object has all of them. The relations
// of a view are checked when it is made, with the rights of its maker, and again for
// each user if it is a security_invoker view. Some rules are stricter than
// PostgreSQL's: privileges on single columns do not count for statements, and a GRANT
// of more than the role may grant fails instead of granting the rest.

// memberOf reports whether role is group, or a member of it by any number of
// steps. Membership has no cycles (GRANT refuses them).
func memberOf(coll *catalog.Collection, role, group catalog.ID) bool {
	if role == group {
		return true
	}
	r, _ := coll.ByID(role).(*catalog.Role)
	return r != nil && slices.ContainsFunc(r.MemberOf, func(m catalog.Membership) bool { return memberOf(coll, m.Role, group) })
}

// inherits reports whether role has the rights of group without SET ROLE: memberships
// of a NOINHERIT role give none.
func inherits(coll *catalog.Collection, role, group catalog.ID) bool {
	if role == group {
		return true
	}
	r, _ := coll.ByID(role).(*catalog.Role)
	return r != nil && r.Inherit && slices.ContainsFunc(r.MemberOf, func(m catalog.Membership) bool { return inherits(coll, m.Role, group) })
}

// isSuperuser reports whether a role is a superuser.
func isSuperuser(coll *catalog.Collection, role catalog.ID) bool {
	r, _ := coll.ByID(role).(*catalog.Role)
	return r != nil && r.Superuser
}

// owns reports whether a role has the rights of an object's owner.
func owns(coll *catalog.Collection, role catalog.ID, h *catalog.Header) bool {
	return isSuperuser(coll, role) || h.Owner != 0 && inherits(coll, role, h.Owner)
}

// privilegesOf returns the privileges that a role has on an object, and of those
// the ones that it may grant.
func privilegesOf(coll *catalog.Collection, role catalog.ID, d catalog.Descriptor) (have, grantable uint32) {
	h := d.Head()
	if owns(coll, role, h) {
		return ^uint32(0), ^uint32(0)
	}
	if len(h.Grants) == 0 {
		switch d.(type) {
		case *catalog.Database:
			return catalog.PrivConnect | catalog.PrivTemporary, 0
		case *catalog.Type:
			return catalog.PrivUsage, 0
		}
		return 0, 0
	}
	for _, g := range h.Grants {
		if g.Column == 0 && (g.Grantee == 0 || inherits(coll, role, g.Grantee)) {
			have |= g.Privileges
			grantable |= g.GrantOption
		}
	}
	return have, grantable
}

// permissionDenied is PostgreSQL's aclcheck_error.
func permissionDenied(d catalog.Descriptor) error {
	return sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied for %s %s", d.DescKind(), d.Head().Name)
}

// mustOwn is the error of a change by somebody who is not the owner.
func mustOwn(d catalog.Descriptor) error {
	return sqlstate.New(sqlstate.InsufficientPrivilege, "must be owner of %s %s", d.DescKind(), d.Head().Name)
}

// secretRelations are the system relations that only superusers read.
var secretRelations = []string{"pg_authid", "pg_shadow", "pg_statistic", "pg_user_mapping", "pg_subscription", "pg_hba_file_rules", "pg_file_settings"}

// checkPrivileges is called by the binder for each relation of a statement.
func (s *Session) checkPrivileges(rel catalog.Relation, privileges uint32, _ []catalog.AttNum) error {
	if s.superuser {
		return nil
	}
	h := rel.Head()
	if rel.DescKind() == catalog.KindVirtual {
		if slices.Contains(secretRelations, h.Name) {
			return permissionDenied(rel)
		}
		return nil
	}
	coll := s.collection()
	if sc := coll.ByID(h.Schema); sc != nil {
		if have, _ := privilegesOf(coll, s.userID, sc); have&catalog.PrivUsage == 0 {
			return permissionDenied(sc)
		}
	}
	if have, _ := privilegesOf(coll, s.userID, rel); have&privileges != privileges {
		return permissionDenied(rel)
	}
	return nil
}

// checkSequence refuses a function of a sequence to those who have none of the
// privileges.
func (s *Session) checkSequence(id types.OID, privileges uint32) error {
	if s.superuser {
		return nil
	}
	coll := s.collection()
	seq, ok := coll.ByID(catalog.ID(id)).(*catalog.Sequence)
	if !ok || seq.Identity {
		return nil // the right to insert into the table includes its identity column
	}
	if have, _ := privilegesOf(coll, s.userID, seq); have&privileges == 0 {
		return permissionDenied(seq)
	}
	return nil
}

// executeSchemaChange runs a DDL statement and then checks that the role was
// allowed to change what it has changed. An error undoes the statement along with
// its transaction or savepoint, so checking afterwards misses nothing: whatever
// way a statement takes, it ends in changed descriptors.
func (s *Session) executeSchemaChange(st ast.Statement) (Tag, error) {
	tag := Tag{Name: st.Tag()}
	s.filled = nil
	if err := s.checkNoPending(st); err != nil {
		return tag, err
	}
	if v, ok := st.(*ast.CreateView); ok && v.Query.AsOf != nil {
		return tag, sqlstate.Unsupported("AS OF SYSTEM TIME in a view")
	}
	if s.superuser {
		if err := s.srv.cfg.Schema.Execute(&s.ctx, (*schemaSession)(s), st); err != nil {
			return tag, err
		}
	} else if err := s.executeChecked(st); err != nil {
		return tag, err
	}
	if _, ok := st.(*ast.CreateTableAs); ok && s.filled != nil {
		tag = Tag{Name: "SELECT", Count: *s.filled, HasCount: true}
	}
	return tag, nil
}

func (s *Session) executeChecked(st ast.Statement) error {
	coll := s.txn.coll
	var earlier map[catalog.ID]bool
	if isSuperuser(coll, s.sessionUserID) {
		// What the session has changed in its other role was allowed to that.
		earlier = map[catalog.ID]bool{}
		for _, ch := range coll.Changes() {
			earlier[ch.ID] = true
		}
	}
	if err := s.srv.cfg.Schema.Execute(&s.ctx, (*schemaSession)(s), st); err != nil {
		return err
	}
	for _, ch := range coll.Changes() {
		if earlier[ch.ID] {
			continue
		}
		if err := s.checkChange(coll, st, ch); err != nil {
			return err
		}
	}
	return nil
}

// checkChange checks one changed descriptor.
func (s *Session) checkChange(coll *catalog.Collection, st ast.Statement, ch catalog.Change) error {
	original := coll.Original(ch.ID)
	if original == nil {
		return s.checkCreated(coll, ch.Desc)
	}
	if original.DescKind() == catalog.KindRole {
		return nil // CREATEROLE is checked by the statement itself
	}
	if owns(coll, s.userID, original.Head()) {
		return nil
	}
	have, grantable := privilegesOf(coll, s.userID, original)
	if g, ok := st.(*ast.Grant); ok && ch.Desc != nil && sameBut(original, ch.Desc, func(d catalog.Descriptor) { d.Head().Grants = nil }) {
		if !g.Revoke && grantedBeyond(original.Head(), ch.Desc.Head())&^grantable == 0 {
			return nil
		}
		return permissionDenied(original)
	}
	before, isTable := original.(*catalog.Table)
	after, _ := ch.Desc.(*catalog.Table)
	if isTable && after != nil {
		if _, ok := st.(*ast.Truncate); ok && have&catalog.PrivTruncate != 0 {
			return nil
		}
		if onlyInboundKeys(before, after) {
			if have&catalog.PrivReferences == 0 {
				return permissionDenied(original)
			}
			return nil
		}
	}
	// A schema, say, that holds the object may carry traces of it.
	if ch.Desc != nil && sameBut(original, ch.Desc, func(catalog.Descriptor) {}) {
		return nil
	}
	return mustOwn(original)
}

// grantedBeyond returns the privileges that have been granted to somebody between two
// versions of an object.
func grantedBeyond(before, after *catalog.Header) (added uint32) {
	for _, g := range after.Grants {
		had, option := uint32(0), uint32(0)
		for _, b := range before.Grants {
			if b.Grantee == g.Grantee && b.Grantor == g.Grantor && b.Column == g.Column {
				had, option = b.Privileges, b.GrantOption
			}
		}
		added |= g.Privileges&^had | g.GrantOption&^option
	}
	return added
}

// checkCreated checks the right to create an object where it was created.
func (s *Session) checkCreated(coll *catalog.Collection, d catalog.Descriptor) error {
	h := d.Head()
	switch d.(type) {
	case *catalog.Role:
		return nil
	case *catalog.Database:
		if r, _ := coll.ByID(s.userID).(*catalog.Role); r == nil || !r.CreateDB {
			return sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied to create database")
		}
		return nil
	}
	container := coll.ByID(h.Schema)
	if d.DescKind() == catalog.KindSchema {
		if db, ok := coll.ByID(h.Database).(*catalog.Database); !ok || coll.Original(db.ID) == nil {
			return nil // the schema public of a new database
		}
		container = coll.ByID(h.Database)
	}
	if container == nil {
		return nil
	}
	if have, _ := privilegesOf(coll, s.userID, container); have&catalog.PrivCreate == 0 {
		return permissionDenied(container)
	}
	return nil
}

// onlyInboundKeys reports whether two versions of a table differ only in the
// foreign keys that reference it.
func onlyInboundKeys(a, b *catalog.Table) bool {
	return sameBut(a, b, func(d catalog.Descriptor) { d.(*catalog.Table).Inbound = nil })
}

// sameBut reports whether two descriptors are the same apart from their versions
// and what ignore removes.
func sameBut(a, b catalog.Descriptor, ignore func(catalog.Descriptor)) bool {
	plain := func(d catalog.Descriptor) []byte {
		d = d.Clone()
		d.Head().Version = 0
		ignore(d)
		return catalog.EncodeDescriptor(d)
	}
	return bytes.Equal(plain(a), plain(b))
}

// setRole executes SET ROLE and SET SESSION AUTHORIZATION. The role is a setting,
// so that it follows transactions and savepoints; useRole puts it into effect.
func (s *Session) setRole(st *ast.Set) error {
	name := "none"
	if !st.Default {
		var err error
		if name, err = settingText(st); err != nil {
			return err
		}
	}
	if st.Name == "session_authorization" {
		if st.Default {
			name = s.args.User
		}
		return s.assignSessionUser(name, st.Local)
	}
	return s.assignRole(name, st.Local)
}

// assignRole sets the current role; "none" is the session's user.
func (s *Session) assignRole(name string, local bool) error {
	if name != "none" {
		r, err := s.collection().Role(&s.ctx, name)
		if err != nil {
			return sqlstate.New(sqlstate.InvalidParameterValue, "role \"%s\" does not exist", name)
		}
		coll := s.collection()
		if !isSuperuser(coll, s.sessionUserID) && !memberOf(coll, s.sessionUserID, r.ID) {
			return sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied to set role \"%s\"", name)
		}
	}
	if err := s.vars.Assign("role", name, local, s.inBlock() || local); err != nil {
		return err
	}
	s.useRole()
	return nil
}

// assignSessionUser sets the session's user, which ends SET ROLE. Only a superuser can
// become another; who has logged in counts, not who the session is now.
func (s *Session) assignSessionUser(name string, local bool) error {
	coll := s.collection()
	if _, err := coll.Role(&s.ctx, name); err != nil {
		return sqlstate.New(sqlstate.InvalidParameterValue, "role \"%s\" does not exist", name)
	}
	if name != s.args.User && !isSuperuser(coll, s.loginUserID) {
		return sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied to set session authorization")
	}
	for _, v := range []Setting{{"session_authorization", name}, {"role", "none"}} {
		if err := s.vars.Assign(v.Name, v.Value, local, s.inBlock() || local); err != nil {
			return err
		}
	}
	s.useRole()
	return nil
}

// useRole makes the settings "session_authorization" and "role" the users of the
// session if they are not yet.
func (s *Session) useRole() {
	if user := s.vars.SessionUser; user != s.eval.ec.SessionUser {
		s.eval.ec.SessionUser, s.sessionUserID = user, 0
		if r, err := s.collection().Role(context.WithoutCancel(&s.ctx), user); err == nil {
			s.sessionUserID = r.ID
		}
	}
	name := s.vars.Role
	if name == "" || name == "none" {
		name = s.vars.SessionUser
	}
	if name == s.user {
		return
	}
	s.user, s.userID, s.superuser = name, 0, false
	if r, err := s.collection().Role(context.WithoutCancel(&s.ctx), name); err == nil {
		s.userID, s.superuser = r.ID, r.Superuser
	}
	s.eval.ec.User = name
	s.vars.AssignInternal("is_superuser", onOff(s.superuser))
}

// privilegeNames are the names that the has_..._privilege functions know.
var privilegeNames = map[string]uint32{
	"select": catalog.PrivSelect, "insert": catalog.PrivInsert, "update": catalog.PrivUpdate, "delete": catalog.PrivDelete,
	"truncate": catalog.PrivTruncate, "references": catalog.PrivReferences, "trigger": catalog.PrivTrigger,
	"execute": catalog.PrivExecute, "usage": catalog.PrivUsage, "create": catalog.PrivCreate,
	"temporary": catalog.PrivTemporary, "temp": catalog.PrivTemporary, "connect": catalog.PrivConnect,
}
