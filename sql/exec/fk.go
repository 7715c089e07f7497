package exec

import (
	"bytes"
	"strings"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// Foreign keys are looked at when the statement has made all of its changes, as
// PostgreSQL's triggers do: first the actions of changed referenced rows, which may change
// more rows, then the existence of what new values refer to.

// fkQueue is what foreign keys ask for at the end of a statement.
type fkQueue struct {
	r       *run
	checks  []fkCheck
	actions []fkAction
	uniques []uniqueCheck
	seen    map[string]bool
}

// fkCheck says that a row with values refers to another table.
type fkCheck struct {
	related map[catalog.ID]*plan.TableWrite
	table   *catalog.Table
	fk      *catalog.ForeignKey
	values  []types.Datum
	// rowKey is the row's, if the check is deferred.
	rowKey []byte
}

// fkAction says that a referenced row has lost its key old. now is the new row, nil if it was deleted.
type fkAction struct {
	w        *plan.TableWrite
	in       catalog.InboundKey
	old, now types.Row
}

func (q *fkQueue) inserted(w *writer, row types.Row) error {
	if w.t.TriggersOff {
		return nil
	}
	for i := range w.t.ForeignKeys {
		if err := q.check(w, &w.t.ForeignKeys[i], row); err != nil {
			return err
		}
	}
	if w.deferrable {
		return q.written(w, nil, row)
	}
	return nil
}

func (q *fkQueue) check(w *writer, fk *catalog.ForeignKey, row types.Row) error {
	values := make([]types.Datum, len(fk.Columns))
	nulls := 0
	for i, n := range fk.Columns {
		values[i] = row[w.t.MustOrdinal(n)]
		if values[i].IsNull() {
			nulls++
		}
	}
	if nulls == len(values) || nulls > 0 && !fk.MatchFull {
		return nil
	}
	if q.r.c.Deferred.defers(fk.OID, fk.Deferrable, fk.Deferred) {
		rowKey, err := w.codec.appendRowKey(nil, row)
		if err != nil {
			return err
		}
		for i := range values {
			values[i] = values[i].Clone()
		}
		d := q.r.c.Deferred
		d.checks = append(d.checks, fkCheck{related: w.w.Related, table: w.t, fk: fk, values: values, rowKey: rowKey})
		return nil
	}
	// The same value many times is checked once.
	var k []byte
	k = append(k, byte(fk.OID), byte(fk.OID>>8), byte(fk.OID>>16), byte(fk.OID>>24))
	for i, d := range values {
		if !d.IsNull() {
			k = types.AppendBinary(k, w.t.Column(fk.Columns[i]).Type, d)
		}
		k = append(k, 0)
		values[i] = d.Clone()
	}
	if q.seen == nil {
		q.seen = make(map[string]bool)
	}
	if q.seen[string(k)] {
		return nil
	}
	q.seen[string(k)] = true
	q.checks = append(q.checks, fkCheck{related: w.w.Related, table: w.t, fk: fk, values: values})
	return nil
}

func (q *fkQueue) deleted(w *writer, row types.Row) {
	if w.t.TriggersOff {
		return
	}
	for _, in := range w.t.Inbound {
		q.actions = append(q.actions, fkAction{w: w.w, in: in, old: cloneRow(row)})
	}
}

func (q *fkQueue) updated(w *writer, old, row types.Row) error {
	if w.t.TriggersOff {
		return nil
	}
	for i := range w.t.ForeignKeys {
		fk := &w.t.ForeignKeys[i]
		changed := changes(w.t, fk.Columns, old, row)
		// A deferred check finds its row by the primary key.
		for j := 0; j < len(w.t.Primary.Columns) && !changed && fk.Deferrable; j++ {
			ord := w.t.MustOrdinal(w.t.Primary.Columns[j].Num)
			changed = differ(old[ord], row[ord])
		}
		if changed {
			if err := q.check(w, fk, row); err != nil {
				return err
			}
		}
	}
	if w.deferrable {
		if err := q.written(w, old, row); err != nil {
			return err
		}
	}
	for _, in := range w.t.Inbound {
		child := w.w.Related[in.Table]
		if child == nil {
			continue
		}
		fk := child.Table.ForeignKeyByOID(in.Constraint)
		if fk == nil {
			continue
		}
		if changes(w.t, fk.RefColumns, old, row) {
			q.actions = append(q.actions, fkAction{w: w.w, in: in, old: cloneRow(old), now: cloneRow(row)})
		}
	}
	return nil
}

// changes reports whether two versions of a row differ in one of the columns.
func changes(t *catalog.Table, columns []catalog.AttNum, old, row types.Row) bool {
	for _, n := range columns {
		if ord := t.MustOrdinal(n); differ(old[ord], row[ord]) {
			return true
		}
	}
	return false
}

func differ(a, b types.Datum) bool {
	return a.IsNull() != b.IsNull() || !a.IsNull() && !types.Equal(a, b)
}

// run takes all actions and then makes all checks.
func (q *fkQueue) run() error {
	for len(q.actions) > 0 {
		a := q.actions[0]
		q.actions = q.actions[1:]
		if err := q.act(a); err != nil {
			return err
		}
		if err := q.r.canceled(); err != nil {
			return err
		}
	}
	checks := q.checks
	q.checks, q.seen = nil, nil
	for _, c := range checks {
		if c.rowKey != nil {
			if ok, err := q.stands(&c); err != nil {
				return err
			} else if !ok {
				continue
			}
		}
		if err := q.exists(c); err != nil {
			return err
		}
		if err := q.r.canceled(); err != nil {
			return err
		}
	}
	uniques := q.uniques
	q.uniques = nil
	for _, u := range uniques {
		if x := u.of(); q.r.c.Deferred.defers(x.ConstraintOID, x.Deferrable, x.Deferred) {
			q.r.c.Deferred.uniques = append(q.r.c.Deferred.uniques, u)
		} else if err := q.alone(u); err != nil {
			return err
		}
	}
	return nil
}

// exists verifies that the referenced row is there, and holds it.
func (q *fkQueue) exists(c fkCheck) error {
	ref := c.related[c.fk.RefTable]
	if ref == nil {
		return internalError("no description of table %d, which %q references", c.fk.RefTable, c.fk.Name)
	}
	for i, d := range c.values {
		if d.IsNull() { // MATCH FULL
			return tableError(q.r, c.table, sqlstate.New(sqlstate.ForeignKeyViolation,
				"insert or update on table %q violates foreign key constraint %q", c.table.Name, c.fk.Name).
				WithDetail("MATCH FULL does not allow mixing of null and nonnull key values."), "", c.fk.Name)
		}
		_ = i
	}
	found, err := q.hasKey(ref.Table, c.fk, c.values)
	if err != nil || found {
		return err
	}
	return tableError(q.r, c.table, sqlstate.New(sqlstate.ForeignKeyViolation,
		"insert or update on table %q violates foreign key constraint %q", c.table.Name, c.fk.Name).
		WithDetail("Key (%s)=(%s) is not present in table %q.", columnNames(c.table, c.fk.Columns),
			q.valuesText(c.table, c.fk.Columns, c.values), ref.Table.Name), "", c.fk.Name)
}

// hasKey looks a key up in the referenced index and locks it FOR KEY SHARE.
func (q *fkQueue) hasKey(ref *catalog.Table, fk *catalog.ForeignKey, values []types.Datum) (bool, error) {
	x := ref.IndexByOID(fk.RefIndex)
	if x == nil {
		return false, internalError("foreign key %q refers to a missing index", fk.Name)
	}
	codec := codecOf(ref)
	key := keys.IndexPrefix(nil, uint32(ref.ID), x.ID)
	var k []byte = key
	for i, ic := range x.Columns {
		for j, n := range fk.RefColumns {
			if n == ic.Num {
				if outOfRange(ic.Type, ref, ic.Num, values[j]) != 0 {
					return false, nil
				}
				k = codec.appendKey(k, x, i, values[j])
			}
		}
	}
	lock := txn.Locking{Strength: kv.LockKeyShare}
	value, ok, err := q.r.c.Txn.Get(q.r.ctx, k, lock)
	if err != nil || !ok || x == &ref.Primary {
		return ok, err
	}
	// The row is what others lock to delete it.
	rowKey, err := codec.rowKeyOfEntry(nil, x, k, bytes.Clone(value))
	if err != nil {
		return false, err
	}
	_, ok, err = q.r.c.Txn.Get(q.r.ctx, rowKey, lock)
	return ok, err
}

func columnNames(t *catalog.Table, cols []catalog.AttNum) string {
	names := make([]string, len(cols))
	for i, n := range cols {
		names[i] = t.Column(n).Name
	}
	return strings.Join(names, ", ")
}

func (q *fkQueue) valuesText(t *catalog.Table, cols []catalog.AttNum, values []types.Datum) string {
	out := make([]string, len(values))
	for i, d := range values {
		if d.IsNull() {
			out[i] = "null"
			continue
		}
		out[i] = types.TextOf(t.Column(cols[i]).Type, d, q.r.ec.Settings)
	}
	return strings.Join(out, ", ")
}

// act does what the referencing tables' constraints say about a key that is gone.
func (q *fkQueue) act(a fkAction) error {
	child := a.w.Related[a.in.Table]
	if child == nil {
		return internalError("no description of table %d, which references %q", a.in.Table, a.w.Table.Name)
	}
	fk := child.Table.ForeignKeyByOID(a.in.Constraint)
	if fk == nil {
		return nil // dropped in this very version of the schema
	}
	parent := a.w.Table
	values := make([]types.Datum, len(fk.RefColumns))
	for i, n := range fk.RefColumns {
		if values[i] = a.old[parent.MustOrdinal(n)]; values[i].IsNull() {
			return nil
		}
	}
	action := fk.OnDelete
	if a.now != nil {
		action = fk.OnUpdate
	}
	switch action {
	case catalog.FKNoAction:
		if q.r.c.Deferred.defers(fk.OID, fk.Deferrable, fk.Deferred) {
			q.r.c.Deferred.actions = append(q.r.c.Deferred.actions, a)
			return nil
		}
		// Another row may have taken the key meanwhile.
		if found, err := q.hasKey(parent, fk, values); found || err != nil {
			return err
		}
		fallthrough
	case catalog.FKRestrict:
		return q.references(child.Table, fk, values, kv.LockKeyShare, 1, func(types.Row, []byte) error {
			return tableError(q.r, child.Table, sqlstate.New(sqlstate.ForeignKeyViolation,
				"update or delete on table %q violates foreign key constraint %q on table %q", parent.Name, fk.Name, child.Table.Name).
				WithDetail("Key (%s)=(%s) is still referenced from table %q.", columnNames(parent, fk.RefColumns),
					q.valuesText(parent, fk.RefColumns, values), child.Table.Name), "", fk.Name)
		})
	}
	w := q.r.writer(child)
	type hit struct {
		row types.Row
		key []byte
	}
	var hits []hit
	err := q.references(child.Table, fk, values, kv.LockUpdate, 0, func(row types.Row, key []byte) error {
		hits = append(hits, hit{cloneRow(row), bytes.Clone(key)})
		return q.r.c.Mem.Grow(rowSize(row))
	})
	if err != nil {
		return err
	}
	for _, h := range hits {
		if action == catalog.FKCascade && a.now == nil {
			if err := w.remove(h.row, h.key); err != nil {
				return err
			}
			continue
		}
		row := append(types.Row(nil), h.row...)
		if err := q.newValues(a, child, fk, action, row); err != nil {
			return err
		}
		if err := w.complete(row); err != nil {
			return err
		}
		ks, err := w.uniqueKeys(nil, 0, row, h.row)
		if err != nil {
			return err
		}
		if err := w.checkAbsent(ks, func(int) types.Row { return row }); err != nil {
			return err
		}
		if err := w.update(h.row, row, h.key); err != nil {
			return err
		}
	}
	return nil
}

// newValues sets the referencing columns of a row as the action says.
func (q *fkQueue) newValues(a fkAction, child *plan.TableWrite, fk *catalog.ForeignKey, action catalog.FKAction, row types.Row) error {
	for i, n := range fk.Columns {
		ord := child.Table.MustOrdinal(n)
		if action == catalog.FKCascade {
			row[ord] = a.now[a.w.Table.MustOrdinal(fk.RefColumns[i])]
			continue
		}
		if len(fk.SetColumns) > 0 && a.now == nil {
			in := false
			for _, s := range fk.SetColumns {
				in = in || s == n
			}
			if !in {
				continue
			}
		}
		row[ord] = types.Null
		if action == catalog.FKSetDefault {
			for _, d := range child.Defaults {
				if d.Ord == ord {
					v, err := d.Expr.Eval(q.r.ec, nil)
					if err != nil {
						return err
					}
					row[ord] = v
				}
			}
		}
	}
	return nil
}

// references calls fn for each row of child whose foreign key has the values, at most limit of them
// (0: all). It reads an index that begins with the columns if there is one.
func (q *fkQueue) references(child *catalog.Table, fk *catalog.ForeignKey, values []types.Datum, strength kv.LockStrength, limit int, fn func(types.Row, []byte) error) error {
	codec := codecOf(child)
	x, prefix := q.indexFor(child, fk, values)
	lock := txn.Locking{Strength: strength}
	scan := txn.ScanOptions{MaxBytes: pageBytesMax}
	if limit > 0 && x != nil {
		scan.MaxRows = int64(limit)
	}
	primary := x == nil || x == &child.Primary
	if x != nil && primary {
		scan.Lock = lock
	}
	if x == nil {
		prefix = keys.IndexPrefix(nil, uint32(child.ID), child.Primary.ID)
	}
	start, end := prefix, []byte(keys.PrefixEnd(prefix))
	row := make(types.Row, len(child.Columns))
	match := func(row types.Row) bool {
		for i, n := range fk.Columns {
			d := row[child.MustOrdinal(n)]
			if d.IsNull() || !types.Equal(d, values[i]) {
				return false
			}
		}
		return true
	}
	var page kv.Rows
	count := 0
	for start != nil {
		page.Reset()
		resume, err := q.r.c.Txn.Scan(q.r.ctx, start, end, scan, &page)
		if err != nil {
			return err
		}
		var rowKeys [][]byte
		for pos := 0; ; {
			key, value, _, next, ok := page.Next(pos)
			if !ok {
				break
			}
			pos = next
			if !primary {
				k, err := codec.rowKeyOfEntry(nil, x, key, value)
				if err != nil {
					return err
				}
				rowKeys = append(rowKeys, k)
				continue
			}
			if err := codec.decodeRow(row, key, value); err != nil {
				return err
			}
			if !match(row) {
				continue
			}
			if x == nil {
				rowKeys = append(rowKeys, key) // found without a lock
				continue
			}
			if err := fn(row, key); err != nil {
				return err
			}
			if count++; limit > 0 && count >= limit {
				return nil
			}
		}
		if len(rowKeys) > 0 {
			err := q.r.c.Txn.GetMany(q.r.ctx, rowKeys, lock, func(i int, value []byte) error {
				if value == nil {
					return nil
				}
				if err := codec.decodeRow(row, rowKeys[i], value); err != nil {
					return err
				}
				if !match(row) {
					return nil
				}
				count++
				return fn(row, rowKeys[i])
			})
			if err != nil || limit > 0 && count >= limit {
				return err
			}
		}
		if resume == nil {
			return nil
		}
		start = append([]byte(nil), resume...)
	}
	return nil
}

// indexFor finds an index of child that begins with the foreign key's columns, and the prefix of the
// values in it.
func (q *fkQueue) indexFor(child *catalog.Table, fk *catalog.ForeignKey, values []types.Datum) (*catalog.Index, []byte) {
	codec := codecOf(child)
	for x := range child.AllIndexes {
		if !x.State.Readable() || x.Predicate != nil || len(x.Columns) < len(fk.Columns) {
			continue
		}
		prefix := []byte(keys.IndexPrefix(nil, uint32(child.ID), x.ID))
		ok := true
		for i := range fk.Columns {
			at := -1
			for j, n := range fk.Columns {
				if x.Columns[i].Expr == nil && x.Columns[i].Num == n {
					at = j
				}
			}
			if at < 0 {
				ok = false
				break
			}
			if outOfRange(x.Columns[i].Type, child, x.Columns[i].Num, values[at]) != 0 {
				// No row can have the value: an empty prefix range of the index.
				return x, append(prefix, 0xff)
			}
			prefix = codec.appendKey(prefix, x, i, values[at])
		}
		if ok {
			return x, prefix
		}
	}
	return nil, nil
}
