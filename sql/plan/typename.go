package plan

import (
	"context"
	"strconv"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// TypeLookup finds user-defined types.
type TypeLookup interface {
	LookupType(ctx context.Context, name catalog.Name) (*types.T, error)
}

// ResolveType returns the type that a type name stands for, with modifiers and
// array bounds applied.
func ResolveType(ctx context.Context, cat TypeLookup, n *ast.TypeName) (*types.T, error) {
	name := n.Name
	var t *types.T
	if name.Schema == "" || name.Schema == "pg_catalog" {
		t = types.ByName(name.Name)
	}
	if t == nil && cat != nil {
		var err error
		t, err = cat.LookupType(ctx, catalog.Name{Database: name.Catalog, Schema: name.Schema, Name: name.Name, Offset: int(n.Pos)})
		if err != nil {
			return nil, err
		}
	}
	if t == nil {
		full := name.Name
		if name.Schema != "" {
			full = name.Schema + "." + full
			if rel, ok := cat.(Catalog); ok {
				_, err := rel.ResolveRelation(ctx, catalog.Name{Schema: name.Schema, Name: name.Name})
				if sqlstate.CodeOf(err) == sqlstate.InvalidSchemaName {
					return nil, at(err, n.Pos)
				}
			}
		}
		return nil, errorf(sqlstate.UndefinedObject, n.Pos, "type %q does not exist", full)
	}
	t, err := applyMods(t, n)
	if err != nil {
		return nil, at(err, n.Pos)
	}
	if len(n.ArrayBounds) > 0 {
		a := types.ArrayOf(t)
		if a == nil {
			return nil, errorf(sqlstate.UndefinedObject, n.Pos, "type \"%s[]\" does not exist", t)
		}
		t = a
	}
	return t, nil
}

func applyMods(t *types.T, n *ast.TypeName) (*types.T, error) {
	mods := make([]int, len(n.Mods))
	for i, m := range n.Mods {
		num, ok := m.(*ast.Number)
		v, err := 0, error(nil)
		if ok {
			v, err = strconv.Atoi(num.Text)
		}
		if !ok || err != nil {
			return nil, sqlstate.New(sqlstate.SyntaxError, "type modifiers must be simple constants or identifiers")
		}
		mods[i] = v
	}
	base := t
	if t.IsArray() {
		base = t.Elem
	}
	if n.Fields != "" || base.OID == types.OIDInterval && len(mods) > 0 {
		prec := -1
		if len(mods) > 0 {
			prec = min(mods[0], 6)
		}
		return t.WithTypmod(types.IntervalTypmod(types.IntervalFields[n.Fields], prec)), nil
	}
	if len(mods) == 0 {
		return t, nil
	}
	one := func() error {
		if len(mods) != 1 {
			return sqlstate.New(sqlstate.InvalidParameterValue, "invalid type modifier")
		}
		return nil
	}
	switch base.OID {
	case types.OIDVarchar, types.OIDBpchar:
		if err := one(); err != nil {
			return nil, err
		}
		name := map[types.OID]string{types.OIDVarchar: "varchar", types.OIDBpchar: "char"}[base.OID]
		if mods[0] < 1 {
			return nil, sqlstate.New(sqlstate.InvalidParameterValue, "length for type %s must be at least 1", name)
		}
		if mods[0] > 10485760 {
			return nil, sqlstate.New(sqlstate.InvalidParameterValue, "length for type %s cannot exceed 10485760", name)
		}
		return t.WithTypmod(int32(mods[0]) + 4), nil
	case types.OIDNumeric:
		if len(mods) > 2 {
			return nil, sqlstate.New(sqlstate.InvalidParameterValue, "invalid NUMERIC type modifier")
		}
		scale := 0
		if len(mods) == 2 {
			scale = mods[1]
		}
		if mods[0] < 1 || mods[0] > 1000 {
			return nil, sqlstate.New(sqlstate.InvalidParameterValue, "NUMERIC precision %d must be between 1 and 1000", mods[0])
		}
		if scale < -1000 || scale > 1000 {
			return nil, sqlstate.New(sqlstate.InvalidParameterValue, "NUMERIC scale %d must be between -1000 and 1000", scale)
		}
		return t.WithTypmod(types.NumericPS(mods[0], scale).Typmod), nil
	case types.OIDTime, types.OIDTimeTZ, types.OIDTimestamp, types.OIDTimestampTZ:
		if err := one(); err != nil {
			return nil, err
		}
		if mods[0] < 0 {
			return nil, sqlstate.New(sqlstate.InvalidParameterValue, "%s(%d) precision must not be negative", types.FormatType(base, -1, false), mods[0])
		}
		return t.WithTypmod(int32(min(mods[0], 6))), nil
	}
	return nil, sqlstate.New(sqlstate.SyntaxError, "type modifier is not allowed for type %q", types.FormatType(base, -1, false))
}
