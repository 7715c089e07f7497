package system

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// definition is a line of columns_gen.go.
type definition struct {
	schema, name string
	oid          catalog.ID
	kind         byte
	rowType      catalog.ID
	columns      string
}

// relation is one virtual relation with the means to make its rows.
type relation struct {
	virtual catalog.Virtual
	ord     map[string]int
	// zero holds what a column is if nothing is said: the empty value of its type
	// if it is not null, else NULL.
	zero types.Row
}

// rowsFunc makes the rows of a relation: for each it fills in r.row by set and
// calls emit.
type rowsFunc func(r *reader) error

// source says how a relation's rows are made and by which columns it can be
// looked up.
type source struct {
	rows rowsFunc
	keys []string
}

// newRelation makes a relation from its definition; src.rows is nil for one
// that is always empty.
func newRelation(d *definition, src source) *relation {
	rel := &relation{ord: map[string]int{}}
	v := &rel.virtual
	v.ID, v.Name, v.Kind = d.oid, d.name, d.kind
	v.Schema = catalog.SchemaPgCatalog
	if d.schema == catalog.InformationSchemaName {
		v.Schema = catalog.SchemaInformationSchema
	}
	v.Owner = catalog.RoleRoot
	for i, item := range strings.Split(d.columns, ",") {
		parts := strings.Fields(item)
		oid, err := strconv.ParseUint(parts[1], 10, 32)
		if err != nil {
			panic("system: bad definition of " + d.name + ": " + item)
		}
		col := catalog.Column{Num: catalog.AttNum(i + 1), Name: parts[0], Type: columnType(types.OID(oid)), NotNull: len(parts) > 2}
		v.Columns = append(v.Columns, col)
		rel.ord[col.Name] = i
		rel.zero = append(rel.zero, zeroOf(col))
	}
	for _, k := range src.keys {
		v.Keys = append(v.Keys, rel.ord[k])
	}
	v.Scan = func(ctx context.Context, env *catalog.VirtualEnv, look catalog.Lookup, emit func(types.Row) error) error {
		if src.rows == nil {
			return nil
		}
		r := &reader{ctx: ctx, env: env, cat: env.Catalog, look: look, out: emit, rel: rel, row: make(types.Row, len(rel.zero))}
		copy(r.row, rel.zero)
		return src.rows(r)
	}
	return rel
}

// informationDomains are the domains of information_schema and what they are
// based on.
var informationDomains = map[types.OID]*types.T{
	13221: types.Int4,        // cardinal_number
	13224: types.Varchar,     // character_data
	13226: types.Name,        // sql_identifier
	13232: types.TimestampTZ, // time_stamp
	13234: types.Varchar,     // yes_or_no
}

// columnType returns the type of a system column. Types that Spanlite does not
// have (anyarray, pg_ndistinct ...) are served as text, which is how clients see them anyway.
func columnType(oid types.OID) *types.T {
	if t := informationDomains[oid]; t != nil {
		return t
	}
	t := types.ByOID(oid)
	if t == nil || t.Kind == 'p' {
		return types.Text
	}
	return t
}

func zeroOf(c catalog.Column) types.Datum {
	if !c.NotNull {
		return types.Null
	}
	switch c.Type.Family {
	case types.FamBool:
		return types.NewBool(false)
	case types.FamInt:
		return types.NewInt(0)
	case types.FamFloat:
		return types.NewFloat(0)
	case types.FamString, types.FamBpchar:
		return types.NewString("")
	case types.FamArray:
		return types.NewArrayDatum(types.NewArray(c.Type.Elem, nil))
	}
	return types.Null
}

// reader is one scan of a relation.
type reader struct {
	ctx  context.Context
	env  *catalog.VirtualEnv
	cat  *catalog.Collection
	look catalog.Lookup
	out  func(types.Row) error
	rel  *relation
	row  types.Row
}

// set fills in a column of the row under way.
func (r *reader) set(column string, d types.Datum) {
	i, ok := r.rel.ord[column]
	if !ok {
		panic("system: " + r.rel.virtual.Name + " has no column " + column)
	}
	r.row[i] = d
}

// emit delivers the row under way and begins the next one.
func (r *reader) emit() error {
	err := r.out(r.row)
	copy(r.row, r.rel.zero)
	return err
}

// wants returns the values that the look-up fixes a column to; ok is false if it
// does not fix that column.
func (r *reader) wants(column string) (values []types.Datum, ok bool) {
	if !r.look.Active || r.look.Column != r.rel.ord[column] {
		return nil, false
	}
	return r.look.Values, true
}

// wantsIDs is wants for an OID column.
func (r *reader) wantsIDs(column string) (ids []catalog.ID, ok bool) {
	values, ok := r.wants(column)
	for _, d := range values {
		if !d.IsNull() {
			ids = append(ids, catalog.ID(d.OID()))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), ok
}

// wantsNames is wants for a name column.
func (r *reader) wantsNames(column string) (names []string, ok bool) {
	values, ok := r.wants(column)
	for _, d := range values {
		if !d.IsNull() {
			names = append(names, d.Str())
		}
	}
	slices.Sort(names)
	return slices.Compact(names), ok
}

// database is the session's database.
func (r *reader) database() catalog.ID { return r.cat.Path.Database }

// here reports whether an object belongs to the session's database or to all.
func (r *reader) here(d catalog.Descriptor) bool {
	db := d.Head().Database
	return db == 0 || db == r.database()
}

// relations calls f for the relations that the look-up may mean: those with the
// OIDs that idColumn is fixed to, or those with the names that nameColumn is
// fixed to, or all. A descriptor that contains a wanted part (an index) counts.
func (r *reader) relations(idColumn, nameColumn string, f func(catalog.Relation) error) error {
	visit := func(d catalog.Descriptor) error {
		rel, ok := d.(catalog.Relation)
		if !ok || !r.here(d) {
			return nil
		}
		return f(rel)
	}
	if idColumn != "" {
		if ids, ok := r.wantsIDs(idColumn); ok {
			seen := map[catalog.ID]bool{}
			for _, id := range ids {
				d := r.cat.ByID(id)
				if _, isRelation := d.(catalog.Relation); !isRelation {
					d = r.cat.Owner(id)
				}
				if d == nil || seen[d.Head().ID] {
					continue
				}
				seen[d.Head().ID] = true
				if err := visit(d); err != nil {
					return err
				}
			}
			return nil
		}
	}
	if nameColumn != "" {
		if names, ok := r.wantsNames(nameColumn); ok {
			return r.named(names, visit)
		}
	}
	var err error
	r.cat.All(func(d catalog.Descriptor) bool {
		err = visit(d)
		return err == nil
	})
	if err != nil {
		return err
	}
	r.cat.Source().Virtual().All(func(v *catalog.Virtual) bool {
		err = visit(v)
		return err == nil
	})
	return err
}

// named calls f for the relations (and owners of indexes) with one of the names,
// in whatever schema.
func (r *reader) named(names []string, f func(catalog.Descriptor) error) error {
	seen := map[catalog.ID]bool{}
	for _, sc := range r.schemas() {
		for _, name := range names {
			id, err := r.cat.LookupOID(r.ctx, catalog.Name{Schema: sc.Name, Name: name, Offset: -1})
			if err != nil || id == 0 {
				continue
			}
			d := r.cat.ByID(id)
			if d == nil {
				d = r.cat.Owner(id)
			}
			if d == nil || seen[d.Head().ID] {
				continue
			}
			seen[d.Head().ID] = true
			if err := f(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// schemas returns the schemas of the session's database, the built-in ones
// first.
func (r *reader) schemas() []*catalog.Schema {
	all := slices.Clone(catalog.BuiltinSchemas())
	r.cat.All(func(d catalog.Descriptor) bool {
		if sc, ok := d.(*catalog.Schema); ok && r.here(d) {
			all = append(all, sc)
		}
		return true
	})
	return all
}

// tables calls f for the tables that the look-up may mean.
func (r *reader) tables(idColumn string, f func(*catalog.Table) error) error {
	return r.relations(idColumn, "", func(rel catalog.Relation) error {
		if t, ok := rel.(*catalog.Table); ok {
			return f(t)
		}
		return nil
	})
}

// Short forms of datums.

func oid(id catalog.ID) types.Datum { return types.NewOID(types.OID(id)) }
func text(s string) types.Datum     { return types.NewString(s) }
func number(n int64) types.Datum    { return types.NewInt(n) }
func boolean(b bool) types.Datum    { return types.NewBool(b) }
func char(c byte) types.Datum       { return types.NewInt(int64(c)) }
func float(f float64) types.Datum   { return types.NewFloat(f) }
func textOrNull(s string) types.Datum {
	if s == "" {
		return types.Null
	}
	return text(s)
}

// int2s returns an int2[] of column numbers.
func int2s(nums []catalog.AttNum) types.Datum {
	elems := make([]types.Datum, len(nums))
	for i, n := range nums {
		elems[i] = number(int64(n))
	}
	return types.NewArrayDatum(types.NewArray(types.Int2, elems))
}

// vectorOf returns an int2vector or oidvector, whose subscripts begin at 0.
func vectorOf(elem *types.T, elems []types.Datum) types.Datum {
	a := types.NewArray(elem, elems)
	for i := range a.Dims {
		a.Dims[i].Lower = 0
	}
	return types.NewArrayDatum(a)
}

func texts(elem *types.T, ss []string) types.Datum {
	elems := make([]types.Datum, len(ss))
	for i, s := range ss {
		elems[i] = text(s)
	}
	return types.NewArrayDatum(types.NewArray(elem, elems))
}

// optionsOf returns reloptions: name=value texts, NULL if there are none.
func optionsOf(params []catalog.Param) types.Datum {
	if len(params) == 0 {
		return types.Null
	}
	out := make([]string, len(params))
	for i, p := range params {
		out[i] = p.Name + "=" + p.Value
	}
	return texts(types.Text, out)
}
