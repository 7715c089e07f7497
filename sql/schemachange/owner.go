package schemachange

import (
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
	d.Head().Owner = role.ID
	return x.coll.Put(x.ctx, d)
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
