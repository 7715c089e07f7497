package schemachange

import (
	"slices"
	"strconv"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

func itoa(n int) string { return strconv.Itoa(n) }

// role resolves the name of a role, or one of the keywords for the present user.
func (x *statement) role(name string) (*catalog.Role, error) {
	switch name {
	case "current_user", "current_role", "session_user":
		if r, ok := x.coll.ByID(x.s.UserID()).(*catalog.Role); ok {
			return r, nil
		}
	}
	return x.coll.Role(x.ctx, name)
}

// setOwner changes the owner of an object.
func (x *statement) setOwner(id catalog.ID, owner string) error {
	role, err := x.role(owner)
	if err != nil {
		return err
	}
	d, err := x.lock(id)
	if err != nil {
		return err
	}
	passOn(d.Head(), role.ID)
	return x.coll.Put(x.ctx, d)
}

// passOn gives an object to another owner: what the old one had or has granted is the
// new one's now.
func passOn(h *catalog.Header, owner catalog.ID) {
	old := h.Owner
	if old == 0 {
		old = catalog.RoleRoot
	}
	h.Owner = owner
	if old == owner || len(h.Grants) == 0 {
		return
	}
	replace := func(id catalog.ID) catalog.ID {
		if id == old {
			return owner
		}
		return id
	}
	var merged []catalog.Grant
	for _, g := range h.Grants {
		g.Grantee, g.Grantor = replace(g.Grantee), replace(g.Grantor)
		i := slices.IndexFunc(merged, func(m catalog.Grant) bool {
			return m.Grantee == g.Grantee && m.Grantor == g.Grantor && m.Column == g.Column
		})
		if i < 0 {
			merged = append(merged, g)
			continue
		}
		merged[i].Privileges |= g.Privileges
		merged[i].GrantOption |= g.GrantOption
	}
	h.Grants = merged
}

// passOnSequences gives the sequences of a table's columns to its new owner.
func (x *statement) passOnSequences(table, owner catalog.ID) error {
	var owned []catalog.ID
	x.coll.All(func(d catalog.Descriptor) bool {
		if q, ok := d.(*catalog.Sequence); ok && q.OwnedBy.Table == table {
			owned = append(owned, q.ID)
		}
		return true
	})
	for _, id := range owned {
		d, err := x.lock(id)
		if err != nil {
			return err
		}
		passOn(d.Head(), owner)
		if err := x.coll.Put(x.ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// mutable is Collection.Mutable, with the fence for tables and an error for what is gone.
func (x *statement) mutable(id catalog.ID) (catalog.Descriptor, error) {
	if _, ok := x.coll.ByID(id).(*catalog.Table); ok {
		return x.mutableTable(id)
	}
	return x.lock(id)
}

// lock is mutable without the fence: for what transactions that use the object need not
// agree on, such as comments and privileges.
func (x *statement) lock(id catalog.ID) (catalog.Descriptor, error) {
	d, err := x.coll.Mutable(x.ctx, id)
	if err == nil && d == nil {
		return nil, sqlstate.New(sqlstate.UndefinedObject, "object with OID %d does not exist", id)
	}
	return d, err
}
