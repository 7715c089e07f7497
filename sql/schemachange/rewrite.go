package schemachange

import (
	"slices"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/rowenc"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// validation is what rows have to be checked for.
type validation struct {
	notNull []catalog.AttNum
	checks  []boundCheck
}

type boundCheck struct {
	name string
	cond expr.Expr
}

// row checks a row of t.
func (v *validation) row(x *statement, t *catalog.Table, row types.Row) error {
	for _, n := range v.notNull {
		if row[t.MustOrdinal(n)].IsNull() {
			e := sqlstate.New(sqlstate.NotNullViolation, "column %q of relation %q contains null values", t.Column(n).Name, t.Name)
			e.Schema, e.Table, e.Column = x.schemaName(t.Schema), t.Name, t.Column(n).Name
			return e
		}
	}
	for _, c := range v.checks {
		d, err := c.cond.Eval(x.s.EvalContext(), row)
		if err != nil {
			return err
		}
		if !d.IsNull() && !d.Bool() {
			e := sqlstate.New(sqlstate.CheckViolation, "check constraint %q of relation %q is violated by some row", c.name, t.Name)
			e.Schema, e.Table, e.Constraint = x.schemaName(t.Schema), t.Name, c.name
			return e
		}
	}
	return nil
}

// scanValidate checks all rows.
func (x *statement) scanValidate(t *catalog.Table, v *validation) error {
	if len(v.notNull) == 0 && len(v.checks) == 0 {
		return nil
	}
	return x.eachRow(t, func(row types.Row, _, _ []byte) error { return v.row(x, t, row) })
}

// rewrite writes all rows of old anew as rows of t, whose indexes get fresh IDs. compute
// gives the values of columns by number: conversions are over the old row, other
// expressions too. Generated columns are over the new row.
func (x *statement) rewrite(old, t *catalog.Table, compute map[catalog.AttNum]expr.Expr, generated map[catalog.AttNum]expr.Expr, v *validation) error {
	if err := x.renumber(t); err != nil {
		return err
	}
	for i := range t.Columns {
		t.Columns[i].Missing = nil
	}
	codec := rowenc.Of(t)
	var writers []*indexWriter
	for i := range t.Indexes {
		w, err := x.newIndexWriter(t, codec, &t.Indexes[i])
		if err != nil {
			return err
		}
		writers = append(writers, w)
	}
	from := make([]int, len(t.Columns)) // ordinal in old, -1: computed or NULL
	for i := range t.Columns {
		c := &t.Columns[i]
		ord, ok := old.Ordinal(c.Num)
		if from[i] = ord; !ok || c.Dropped || compute[c.Num] != nil {
			from[i] = -1
		}
	}
	newRowID := t.HasRowID() && !old.HasRowID()
	ec := x.s.EvalContext()
	f := x.newFiller(t, slices.Collect(t.AllIndexes)...)
	row := make(types.Row, len(t.Columns))
	var key, value []byte
	var unique uniqueKeys
	err := x.eachRow(old, func(was types.Row, _, _ []byte) error {
		for i := range row {
			switch e := compute[t.Columns[i].Num]; {
			case from[i] >= 0:
				row[i] = was[from[i]]
			case e != nil:
				d, err := e.Eval(ec, was)
				if err != nil {
					return err
				}
				row[i] = d
			default:
				row[i] = types.Null
			}
		}
		for n, e := range generated {
			d, err := e.Eval(ec, row)
			if err != nil {
				return err
			}
			row[t.MustOrdinal(n)] = d
		}
		if newRowID {
			id, err := x.e.RowID(x.ctx, t)
			if err != nil {
				return err
			}
			row[len(row)-1] = types.NewInt(id)
		}
		if err := v.row(x, t, row); err != nil {
			return err
		}
		var err error
		if key, err = codec.AppendRowKey(key[:0], row); err != nil {
			return err
		}
		value = codec.AppendRow(value[:0], row)
		if !unique.add(key) {
			values := make([]types.Datum, len(t.Primary.Columns))
			for i, c := range t.Primary.Columns {
				values[i] = row[t.MustOrdinal(c.Num)]
			}
			return duplicateKey(x, t, &t.Primary, values)
		}
		if err := f.put(key, value); err != nil {
			return err
		}
		for _, w := range writers {
			if err := w.add(f, row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		f.abandon()
		return err
	}
	if err := f.finish(t); err != nil {
		return err
	}
	if err := x.verify(t, &t.Primary, &unique); err != nil {
		return err
	}
	for _, w := range writers {
		if err := x.verify(t, w.ix, &w.unique); err != nil {
			return err
		}
	}
	return nil
}

// maxKnownKeys bounds the keys remembered while a foreign key is validated.
const maxKnownKeys = 1 << 20

// validateForeignKey looks every row's key up in the referenced table.
func (x *statement) validateForeignKey(t *catalog.Table, fk *catalog.ForeignKey) error {
	ref := t
	if fk.RefTable != t.ID {
		if ref = x.coll.Table(fk.RefTable); ref == nil {
			return sqlstate.New(sqlstate.InternalError, "foreign key %q refers to a missing table", fk.Name)
		}
	}
	ix := ref.IndexByOID(fk.RefIndex)
	codec := rowenc.Of(ref)
	type part struct {
		ord      int
		from, to *types.T
		cast     bool
	}
	parts := make([]part, len(ix.Columns))
	for i, c := range ix.Columns {
		j := slices.Index(fk.RefColumns, c.Num)
		col := t.Column(fk.Columns[j])
		parts[i] = part{ord: t.MustOrdinal(fk.Columns[j]), from: col.Type, to: ref.Column(c.Num).Type}
		parts[i].cast = parts[i].from.Family != parts[i].to.Family
	}
	s := x.s.EvalContext().Settings
	known := map[string]struct{}{}
	var key keys.Key
	return x.eachRow(t, func(row types.Row, _, _ []byte) error {
		nulls := 0
		key = codec.AppendPrefix(key[:0], ix)
		for i, p := range parts {
			d := row[p.ord]
			if d.IsNull() {
				nulls++
				continue
			}
			var err error
			if p.cast {
				if d, err = types.Cast(s, d, p.from, p.to); err != nil {
					return err
				}
			}
			if key, err = codec.AppendKeyColumn(key, ix, i, d); err != nil {
				return err
			}
		}
		if nulls > 0 && (!fk.MatchFull || nulls == len(parts)) {
			return nil
		}
		if nulls == 0 {
			if _, ok := known[string(key)]; ok {
				return nil
			}
			_, found, err := x.coll.Txn().Get(x.ctx, slices.Clone(key), 0)
			if err != nil {
				return err
			}
			if found {
				if len(known) >= maxKnownKeys {
					clear(known)
				}
				known[string(key)] = struct{}{}
				return nil
			}
		}
		var names, vals []byte
		for i, n := range fk.Columns {
			if i > 0 {
				names, vals = append(names, ", "...), append(vals, ", "...)
			}
			c := t.Column(n)
			names = append(names, types.QuoteIdent(c.Name)...)
			if d := row[t.MustOrdinal(n)]; d.IsNull() {
				vals = append(vals, "null"...)
			} else {
				vals = types.AppendText(vals, c.Type, d, s)
			}
		}
		e := sqlstate.New(sqlstate.ForeignKeyViolation, "insert or update on table %q violates foreign key constraint %q", t.Name, fk.Name).
			WithDetail("Key (%s)=(%s) is not present in table %q.", names, vals, ref.Name)
		e.Schema, e.Table, e.Constraint = x.schemaName(t.Schema), t.Name, fk.Name
		return e
	})
}
