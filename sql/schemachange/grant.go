package schemachange

import (
	"slices"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

var privilegeBits = map[string]uint32{"insert": catalog.PrivInsert, "select": catalog.PrivSelect, "update": catalog.PrivUpdate,
	"delete": catalog.PrivDelete, "truncate": catalog.PrivTruncate, "references": catalog.PrivReferences, "trigger": catalog.PrivTrigger,
	"execute": catalog.PrivExecute, "usage": catalog.PrivUsage, "create": catalog.PrivCreate, "temporary": catalog.PrivTemporary,
	"temp": catalog.PrivTemporary, "connect": catalog.PrivConnect}

// allPrivileges are those that an object of the kind can have.
func allPrivileges(d catalog.Descriptor) uint32 {
	switch d.(type) {
	case *catalog.Table, *catalog.View:
		return catalog.PrivInsert | catalog.PrivSelect | catalog.PrivUpdate | catalog.PrivDelete | catalog.PrivTruncate | catalog.PrivReferences | catalog.PrivTrigger
	case *catalog.Sequence:
		return catalog.PrivSelect | catalog.PrivUpdate | catalog.PrivUsage
	case *catalog.Schema:
		return catalog.PrivUsage | catalog.PrivCreate
	case *catalog.Database:
		return catalog.PrivCreate | catalog.PrivTemporary | catalog.PrivConnect
	case *catalog.Type:
		return catalog.PrivUsage
	}
	return 0
}

// grant is GRANT and REVOKE of privileges on objects. The privileges are kept and shown;
// what enforces them is the session.
func (x *statement) grant(stmt *ast.Grant) error {
	var targets []catalog.ID
	for _, n := range stmt.On.Names {
		if !stmt.On.AllInSchema {
			id, err := x.objectID(stmt.On.Kind, n)
			if err != nil {
				return err
			}
			targets = append(targets, id)
			continue
		}
		sc, err := x.coll.Schema(x.ctx, n.Name)
		if err != nil {
			return err
		}
		for d := range x.coll.All {
			if d.Head().Schema != sc.ID {
				continue
			}
			switch d.(type) {
			case *catalog.Table, *catalog.View:
				if stmt.On.Kind == ast.ObjectTable {
					targets = append(targets, d.Head().ID)
				}
			case *catalog.Sequence:
				if stmt.On.Kind == ast.ObjectSequence {
					targets = append(targets, d.Head().ID)
				}
			}
		}
	}
	for _, id := range targets {
		if err := x.grantOn(id, stmt); err != nil {
			return err
		}
	}
	return nil
}

func (x *statement) grantOn(id catalog.ID, stmt *ast.Grant) error {
	d, err := x.lock(id)
	if err != nil {
		return err
	}
	h, me := d.Head(), x.s.UserID()
	if role, ok := x.coll.ByID(me).(*catalog.Role); ok && !role.Superuser && !x.isMember(me, h.Owner) && (stmt.Revoke || !x.mayGrant(me, h)) {
		return sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied for %s %s", d.DescKind(), h.Name)
	}
	all := allPrivileges(d)
	owner := h.Owner
	if owner == 0 {
		owner = catalog.RoleRoot
	}
	if len(h.Grants) == 0 {
		// An absent list means the built-in privileges, which from here on are written out.
		h.Grants = defaultGrants(d, owner, all)
	}
	type want struct {
		bits uint32
		cols []catalog.AttNum
	}
	wants := []want{{bits: all}}
	if len(stmt.Privileges) > 0 {
		wants = nil
	}
	for _, p := range stmt.Privileges {
		w := want{bits: privilegeBits[p.Name]}
		if p.Name == "all" {
			w.bits = all
		}
		if w.bits == 0 || w.bits&^all != 0 {
			return sqlstate.New("0LP01", "invalid privilege type %s for %s", p.Name, d.DescKind()).At(int(p.Pos))
		}
		if len(p.Columns) > 0 {
			rel, ok := d.(catalog.Relation)
			if !ok {
				return sqlstate.New("0LP01", "column privileges are only valid for relations")
			}
			cols := rel.Cols()
			for _, n := range p.Columns {
				i := slices.IndexFunc(cols, func(c catalog.Column) bool { return c.Name == n.Text && !c.Dropped && !c.Hidden })
				if i < 0 {
					return sqlstate.New(sqlstate.UndefinedColumn, "column %q of relation %q does not exist", n.Text, h.Name).At(int(n.Pos))
				}
				w.cols = append(w.cols, cols[i].Num)
			}
		}
		wants = append(wants, w)
	}
	for _, r := range stmt.Roles {
		grantee, err := x.roleSpec(r)
		if err != nil {
			return err
		}
		for _, w := range wants {
			cols := w.cols
			if cols == nil {
				cols = []catalog.AttNum{0}
			}
			for _, c := range cols {
				setGrant(h, catalog.Grant{Grantee: grantee, Grantor: owner, Column: c}, w.bits, stmt.Revoke, stmt.GrantOption)
			}
		}
	}
	return x.coll.Put(x.ctx, d)
}

// mayGrant reports whether a role that is not the owner has a privilege WITH GRANT
// OPTION. Which ones it may grant is checked by the session.
func (x *statement) mayGrant(role catalog.ID, h *catalog.Header) bool {
	return slices.ContainsFunc(h.Grants, func(g catalog.Grant) bool {
		return g.GrantOption != 0 && (g.Grantee == 0 || x.isMember(role, g.Grantee))
	})
}

// setGrant adds or removes privileges in a list.
func setGrant(h *catalog.Header, g catalog.Grant, bits uint32, revoke, option bool) {
	i := slices.IndexFunc(h.Grants, func(o catalog.Grant) bool {
		return o.Grantee == g.Grantee && o.Grantor == g.Grantor && o.Column == g.Column
	})
	if i < 0 {
		if revoke {
			return
		}
		h.Grants = append(h.Grants, g)
		i = len(h.Grants) - 1
	}
	e := &h.Grants[i]
	switch {
	case !revoke:
		e.Privileges |= bits
		if option {
			e.GrantOption |= bits
		}
		return
	case option:
		e.GrantOption &^= bits
	default:
		e.Privileges &^= bits
		e.GrantOption &^= bits
	}
	if e.Privileges == 0 {
		h.Grants = slices.Delete(h.Grants, i, i+1)
	}
}

// defaultGrants are the privileges of an object whose list is empty (PostgreSQL's acldefault).
func defaultGrants(d catalog.Descriptor, owner catalog.ID, all uint32) []catalog.Grant {
	out := []catalog.Grant{{Grantee: owner, Grantor: owner, Privileges: all}}
	switch d.(type) {
	case *catalog.Database:
		out = append(out, catalog.Grant{Grantor: owner, Privileges: catalog.PrivTemporary | catalog.PrivConnect})
	case *catalog.Type:
		out = append(out, catalog.Grant{Grantor: owner, Privileges: catalog.PrivUsage})
	}
	return out
}
