package sql

import (
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/catalog/system"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// This file has the functions over access control lists in the form in which clients
// see them, arrays of aclitem: grantee=privileges/grantor, with a letter a privilege.

// defaultACLs are the privileges of objects that nobody has granted anything on, by
// pg_default_acl's letters of kinds: those of everybody and those of the owner.
var defaultACLs = map[byte][2]string{
	'c': {"", ""}, 'r': {"", "arwdDxt"}, 's': {"", "rwU"}, 'd': {"Tc", "CTc"}, 'f': {"X", "X"}, 'l': {"U", "U"},
	'L': {"", "rw"}, 'n': {"", "UC"}, 't': {"", "C"}, 'F': {"", "U"}, 'S': {"", "U"}, 'T': {"U", "U"}, 'p': {"", "sA"},
}

// aclDefault is acldefault(kind, owner).
func aclDefault(coll *catalog.Collection, kind byte, owner catalog.ID) (types.Datum, error) {
	acl, ok := defaultACLs[kind]
	if !ok {
		return null, sqlstate.New(sqlstate.InvalidParameterValue, "unrecognized object type abbreviation: %c", kind)
	}
	name := roleNameOf(coll, owner)
	var items []types.Datum
	if acl[0] != "" {
		items = append(items, textDatum("="+acl[0]+"/"+name))
	}
	if acl[1] != "" {
		items = append(items, textDatum(name+"="+acl[1]+"/"+name))
	}
	return types.NewArrayDatum(types.NewArray(types.Aclitem, items)), nil
}

// roleNameOf returns a role's name as aclitem has it.
func roleNameOf(coll *catalog.Collection, id catalog.ID) string {
	if id == system.RoleDatabaseOwner {
		return system.DatabaseOwnerName
	}
	if r, ok := coll.ByID(id).(*catalog.Role); ok {
		return types.QuoteIdent(r.Name)
	}
	return strconv.FormatUint(uint64(id), 10)
}

var privilegeOfLetter = map[byte]string{
	'a': "INSERT", 'r': "SELECT", 'w': "UPDATE", 'd': "DELETE", 'D': "TRUNCATE", 'x': "REFERENCES", 't': "TRIGGER",
	'X': "EXECUTE", 'U': "USAGE", 'C': "CREATE", 'T': "TEMPORARY", 'c': "CONNECT", 's': "SET", 'A': "ALTER SYSTEM",
}

// aclExplode is aclexplode(acl): a row (grantor, grantee, privilege_type, is_grantable)
// for every privilege.
func aclExplode(coll *catalog.Collection, acl types.Datum) expr.SetIter {
	it := &rowSet{}
	if acl.IsNull() {
		return it
	}
	byName := func(name string) types.Datum {
		if strings.HasPrefix(name, `"`) {
			name = strings.ReplaceAll(strings.Trim(name, `"`), `""`, `"`)
		}
		if name == system.DatabaseOwnerName {
			return types.NewOID(types.OID(system.RoleDatabaseOwner))
		}
		id := catalog.ID(0)
		coll.All(func(d catalog.Descriptor) bool {
			if r, ok := d.(*catalog.Role); ok && r.Name == name {
				id = r.ID
			}
			return id == 0
		})
		return types.NewOID(types.OID(id))
	}
	for _, e := range acl.Array().Elems {
		grantee, rest, _ := strings.Cut(e.Str(), "=")
		letters, grantor, _ := strings.Cut(rest, "/")
		for i := 0; i < len(letters); i++ {
			grantable := i+1 < len(letters) && letters[i+1] == '*'
			it.rows = append(it.rows, types.Row{byName(grantor), byName(grantee), textDatum(privilegeOfLetter[letters[i]]), types.NewBool(grantable)})
			if grantable {
				i++
			}
		}
	}
	return it
}

// rowSet is a set that is there at once.
type rowSet struct{ rows []types.Row }

// Next implements expr.SetIter.
func (s *rowSet) Next() (types.Row, bool, error) {
	if len(s.rows) == 0 {
		return nil, false, nil
	}
	row := s.rows[0]
	s.rows = s.rows[1:]
	return row, true, nil
}
