package exec

import (
	"bytes"
	"strings"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// dmlOperator is an operator that writes: execute does all of it, Next returns what
// RETURNING asked for.
type dmlOperator interface {
	operator
	execute() error
	count() int64
}

// writeSet is the effects of a statement's DML nodes. With one node they go to the transaction
// at once. With several (WITH queries that write) they are held back until all have run, as none
// may see the effects of another; the uniqueness checks look at what is held back.
type writeSet struct {
	r       *run
	hold    bool
	held    []heldWrite
	byKey   map[string]int
	fk      fkQueue
	writers map[catalog.ID]*writer
}

type heldWrite struct{ key, value []byte }

func (s *writeSet) init(r *run) {
	s.r = r
	n := 0
	if r.plan.Kind != plan.KindSelect {
		n++
	}
	for _, c := range r.plan.CTEs {
		if c.Modifies {
			n++
		}
	}
	// A SELECT around a WITH query that writes does not see the writes either.
	// What a statement that may start over has written must not be there then.
	s.hold = n > 1 || n == 1 && r.plan.Kind == plan.KindSelect || n == 1 && r.restartable()
	s.fk.r = r
}

func (s *writeSet) put(key, value []byte) error {
	if !s.hold {
		return s.r.c.Txn.Put(s.r.ctx, key, value)
	}
	s.keep(key, append([]byte{}, value...))
	return nil
}

func (s *writeSet) delete(key []byte) error {
	if !s.hold {
		return s.r.c.Txn.Delete(s.r.ctx, key)
	}
	s.keep(key, nil)
	return nil
}

func (s *writeSet) keep(key, value []byte) {
	if s.byKey == nil {
		s.byKey = make(map[string]int)
	}
	if i, ok := s.byKey[string(key)]; ok {
		s.held[i].value = value
		return
	}
	s.byKey[string(key)] = len(s.held)
	s.held = append(s.held, heldWrite{bytes.Clone(key), value})
}

// overlay returns what is held back for a key.
func (s *writeSet) overlay(key []byte) (value []byte, ok bool) {
	if !s.hold {
		return nil, false
	}
	i, ok := s.byKey[string(key)]
	if !ok {
		return nil, false
	}
	return s.held[i].value, true
}

// finish applies what was held back, and checks foreign keys.
func (s *writeSet) finish() error {
	if s.hold {
		s.hold = false
		for _, w := range s.held {
			var err error
			if w.value == nil {
				err = s.r.c.Txn.Delete(s.r.ctx, w.key)
			} else {
				err = s.r.c.Txn.Put(s.r.ctx, w.key, w.value)
			}
			if err != nil {
				return err
			}
		}
		s.held, s.byKey = nil, nil
	}
	return s.fk.run()
}

// writer writes rows of one table with all of its indexes. A row is by table ordinal.
type writer struct {
	r     *run
	w     *plan.TableWrite
	t     *catalog.Table
	codec *tableCodec
	key   []byte
	value []byte
	// indexOrds are the table ordinals that the entries of Table.Indexes[i] depend on, the primary
	// key's included; nil if expressions have to be evaluated to know.
	indexOrds [][]int
	// deferrable: a unique constraint of the table is.
	deferrable bool
}

// dependencies fills in indexOrds.
func (w *writer) dependencies() {
	w.indexOrds = make([][]int, len(w.t.Indexes))
indexes:
	for i := range w.t.Indexes {
		x := &w.t.Indexes[i]
		w.deferrable = w.deferrable || x.Deferrable
		if x.Predicate != nil {
			continue
		}
		var ords []int
		for _, c := range x.Columns {
			if c.Expr != nil {
				continue indexes
			}
			ords = append(ords, w.t.MustOrdinal(c.Num))
		}
		for _, n := range x.Include {
			ords = append(ords, w.t.MustOrdinal(n))
		}
		for _, c := range w.t.Primary.Columns {
			ords = append(ords, w.t.MustOrdinal(c.Num))
		}
		w.indexOrds[i] = ords
	}
}

// unaffected reports whether the entry of index i is the same for both rows.
func (w *writer) unaffected(i int, old, row types.Row) bool {
	if w.indexOrds[i] == nil {
		return false
	}
	for _, ord := range w.indexOrds[i] {
		if differ(old[ord], row[ord]) {
			return false
		}
		// Equal is not identical: 1.0 and 1.00, or char(n) with other blanks.
		switch old[ord].Family() {
		case types.FamInt, types.FamBool, types.FamString, types.FamNull:
		default:
			return false
		}
	}
	return true
}

// writer returns the statement's writer of a table.
func (r *run) writer(w *plan.TableWrite) *writer {
	if r.writes.writers == nil {
		r.writes.writers = make(map[catalog.ID]*writer)
	}
	x := r.writes.writers[w.Table.ID]
	if x == nil {
		x = &writer{r: r, w: w, t: w.Table, codec: codecOf(w.Table)}
		x.dependencies()
		r.writes.writers[w.Table.ID] = x
	}
	return x
}

// complete computes generated columns and checks the constraints on a single row.
func (w *writer) complete(row types.Row) error {
	for _, g := range w.w.Generated {
		d, err := g.Expr.Eval(w.r.ec, row)
		if err != nil {
			return err
		}
		row[g.Ord] = d
	}
	for i := range w.t.Columns {
		if c := &w.t.Columns[i]; c.NotNull && !c.Dropped && row[i].IsNull() {
			return w.tableError(sqlstate.New(sqlstate.NotNullViolation,
				"null value in column %q of relation %q violates not-null constraint", c.Name, w.t.Name).
				WithDetail("Failing row contains (%s).", w.rowText(row)), c.Name, "")
		}
	}
	for _, k := range w.w.Checks {
		d, err := k.Expr.Eval(w.r.ec, row)
		if err != nil {
			return err
		}
		if !d.IsNull() && !d.Bool() {
			return w.tableError(sqlstate.New(sqlstate.CheckViolation,
				"new row for relation %q violates check constraint %q", w.t.Name, k.Name).
				WithDetail("Failing row contains (%s).", w.rowText(row)), "", k.Name)
		}
	}
	return nil
}

// rowText prints a row as in "Failing row contains (...)".
func (w *writer) rowText(row types.Row) string {
	var b strings.Builder
	first := true
	for i := range w.t.Columns {
		c := &w.t.Columns[i]
		if c.Dropped || c.Hidden {
			continue
		}
		if !first {
			b.WriteString(", ")
		}
		first = false
		if row[i].IsNull() {
			b.WriteString("null")
			continue
		}
		text := types.AppendText(nil, c.Type, row[i], w.r.ec.Settings)
		if len(text) > maxDetailBytes {
			b.Write(text[:maxDetailBytes])
			b.WriteString("...")
			continue
		}
		b.Write(text)
	}
	return b.String()
}

// maxDetailBytes bounds a value in a detail line, as PostgreSQL does.
const maxDetailBytes = 64

// tableError fills in the fields that name the objects.
func (w *writer) tableError(e *sqlstate.Error, column, constraint string) error {
	return tableError(w.r, w.t, e, column, constraint)
}

func tableError(r *run, t *catalog.Table, e *sqlstate.Error, column, constraint string) error {
	e.Table, e.Column, e.Constraint = t.Name, column, constraint
	if r.c.SchemaName != nil {
		e.Schema = r.c.SchemaName(t.Schema)
	}
	return e
}

// entryWanted reports whether a partial index holds a row.
func (w *writer) entryWanted(i int, row types.Row) (bool, error) {
	if i >= len(w.w.PartialPredicates) || w.w.PartialPredicates[i] == nil {
		return true, nil
	}
	d, err := w.w.PartialPredicates[i].Eval(w.r.ec, row)
	return d.Bool(), err
}

// keyValues evaluates the key columns of secondary index i.
func (w *writer) keyValues(i int, row types.Row, dst []types.Datum) ([]types.Datum, error) {
	x := &w.t.Indexes[i]
	for j, c := range x.Columns {
		if c.Expr == nil {
			dst = append(dst, row[w.t.MustOrdinal(c.Num)])
			continue
		}
		d, err := w.w.IndexExprs[i][j].Eval(w.r.ec, row)
		if err != nil {
			return nil, err
		}
		dst = append(dst, d)
	}
	return dst, nil
}

// entry builds the entry of secondary index i for a row; ok is false if the index does not hold it.
// exclusive says that another row with an entry of the same key violates uniqueness.
func (w *writer) entry(i int, row types.Row) (key, value []byte, exclusive, ok bool, err error) {
	if ok, err = w.entryWanted(i, row); !ok || err != nil {
		return nil, nil, false, false, err
	}
	var buf [8]types.Datum
	vals, err := w.keyValues(i, row, buf[:0])
	if err != nil {
		return nil, nil, false, false, err
	}
	key, value, exclusive, err = w.codec.entry(&w.t.Indexes[i], vals, row)
	return key, value, exclusive, true, err
}

// uniqueKey is a key that must be absent, and which constraint says so.
type uniqueKey struct {
	key   []byte
	index *catalog.Index
	row   int
}

// uniqueKeys appends the keys that must be absent before the row is inserted. With old, the row replaces another:
// only keys that change count.
func (w *writer) uniqueKeys(dst []uniqueKey, n int, row, old types.Row) ([]uniqueKey, error) {
	key, err := w.codec.appendRowKey(nil, row)
	if err != nil {
		return nil, err
	}
	if old != nil {
		oldKey, err := w.codec.appendRowKey(nil, old)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(key, oldKey) {
			key = nil
		}
	}
	if key != nil && !w.t.HasRowID() {
		dst = append(dst, uniqueKey{key, &w.t.Primary, n})
	}
	for i := range w.t.Indexes {
		x := &w.t.Indexes[i]
		if !x.Unique || !x.State.WritesInserts() {
			continue
		}
		key, _, exclusive, ok, err := w.entry(i, row)
		if err != nil {
			return nil, err
		}
		if !ok || !exclusive {
			continue
		}
		if old != nil {
			oldKey, _, oldExcl, oldOK, err := w.entry(i, old)
			if err != nil {
				return nil, err
			}
			if oldOK && oldExcl && bytes.Equal(key, oldKey) {
				continue
			}
		}
		dst = append(dst, uniqueKey{key, x, n})
	}
	return dst, nil
}

// checkAbsent verifies that none of the keys exists, locking them, and that no two are equal.
// rows gives the row of a uniqueKey for the message.
func (w *writer) checkAbsent(ks []uniqueKey, rows func(i int) types.Row) error {
	if len(ks) == 0 {
		return nil
	}
	list := make([][]byte, len(ks))
	var seen map[string]bool
	if len(ks) > 1 {
		seen = make(map[string]bool, len(ks))
	}
	for i, k := range ks {
		list[i] = k.key
	}
	return w.r.c.Txn.GetMany(w.r.ctx, list, txn.ForUpdate, func(i int, value []byte) error {
		exists := value != nil
		if held, ok := w.r.writes.overlay(list[i]); ok {
			exists = held != nil
		}
		if seen != nil {
			exists = exists || seen[string(list[i])]
			seen[string(list[i])] = true
		}
		if exists {
			return w.duplicate(ks[i].index, rows(ks[i].row))
		}
		return nil
	})
}

// duplicate is the error 23505 for a row.
func (w *writer) duplicate(x *catalog.Index, row types.Row) error {
	vals := make([]types.Datum, 0, len(x.Columns))
	if x == &w.t.Primary {
		for _, c := range x.Columns {
			vals = append(vals, row[w.t.MustOrdinal(c.Num)])
		}
	} else {
		for i := range w.t.Indexes {
			if &w.t.Indexes[i] == x {
				var err error
				if vals, err = w.keyValues(i, row, vals); err != nil {
					return err
				}
			}
		}
	}
	return w.tableError(sqlstate.New(sqlstate.UniqueViolation, "duplicate key value violates unique constraint %q", x.Name).
		WithDetail("Key (%s)=(%s) already exists.", w.indexColumns(x), w.valuesText(x, vals)), "", x.Name)
}

func (w *writer) indexColumns(x *catalog.Index) string {
	var b strings.Builder
	for i, c := range x.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		if c.Expr != nil {
			b.WriteString(c.Expr.SQL)
		} else {
			b.WriteString(types.QuoteIdent(w.t.Column(c.Num).Name))
		}
	}
	return b.String()
}

func (w *writer) valuesText(x *catalog.Index, vals []types.Datum) string {
	var b strings.Builder
	for i, d := range vals {
		if i > 0 {
			b.WriteString(", ")
		}
		if d.IsNull() {
			b.WriteString("null")
			continue
		}
		t := x.Columns[i].Type
		if t == nil {
			t = w.t.Column(x.Columns[i].Num).Type
		}
		b.Write(types.AppendText(nil, t, d, w.r.ec.Settings))
	}
	return b.String()
}

// insert writes a row whose keys are known to be absent.
func (w *writer) insert(row types.Row) error {
	if err := w.putRow(row); err != nil {
		return err
	}
	return w.r.writes.fk.inserted(w, row)
}

// putRow writes a row and its entries.
func (w *writer) putRow(row types.Row) error {
	var err error
	if w.key, err = w.codec.appendRowKey(w.key[:0], row); err != nil {
		return err
	}
	if w.value, err = w.codec.appendRow(w.value[:0], row); err != nil {
		return err
	}
	if err := w.r.writes.put(w.key, w.value); err != nil {
		return err
	}
	for i := range w.t.Indexes {
		if !w.t.Indexes[i].State.WritesInserts() {
			continue
		}
		key, value, exclusive, ok, err := w.entry(i, row)
		if err != nil {
			return err
		}
		if ok && exclusive && !w.t.Indexes[i].State.Readable() {
			held, err := w.heldEntry(key)
			if err != nil {
				return err
			}
			if held != nil {
				return w.duplicate(&w.t.Indexes[i], row)
			}
		}
		if ok {
			if err := w.r.writes.put(key, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove deletes a row and its entries.
func (w *writer) remove(row types.Row, rowKey []byte) error {
	if err := w.deleteRow(row, rowKey); err != nil {
		return err
	}
	w.r.writes.fk.deleted(w, row)
	return nil
}

func (w *writer) deleteRow(row types.Row, rowKey []byte) error {
	if err := w.r.writes.delete(rowKey); err != nil {
		return err
	}
	for i := range w.t.Indexes {
		key, value, exclusive, ok, err := w.entry(i, row)
		if err != nil {
			return err
		}
		if ok && exclusive && !w.t.Indexes[i].State.Readable() {
			if ok, err = w.ownsEntry(i, key, value); err != nil {
				return err
			}
		}
		if ok {
			if err := w.r.writes.delete(key); err != nil {
				return err
			}
		}
	}
	return nil
}

// update replaces old by row; new keys are known to be absent.
func (w *writer) update(old, row types.Row, oldKey []byte) error {
	var err error
	if w.key, err = w.codec.appendRowKey(w.key[:0], row); err != nil {
		return err
	}
	if w.value, err = w.codec.appendRow(w.value[:0], row); err != nil {
		return err
	}
	if !bytes.Equal(w.key, oldKey) {
		if err := w.r.writes.delete(oldKey); err != nil {
			return err
		}
	}
	if err := w.r.writes.put(w.key, w.value); err != nil {
		return err
	}
	for i := range w.t.Indexes {
		if w.unaffected(i, old, row) {
			continue
		}
		if err := w.updateEntry(i, old, row); err != nil {
			return err
		}
	}
	return w.r.writes.fk.updated(w, old, row)
}

func (w *writer) updateEntry(i int, old, row types.Row) error {
	oldKey, oldValue, exclusive, oldOK, err := w.entry(i, old)
	if err != nil {
		return err
	}
	key, value, _, ok, err := w.entry(i, row)
	if err != nil {
		return err
	}
	same := oldOK && ok && bytes.Equal(oldKey, key)
	if same && bytes.Equal(oldValue, value) {
		return nil
	}
	if oldOK && exclusive && !w.t.Indexes[i].State.Readable() {
		if oldOK, err = w.ownsEntry(i, oldKey, oldValue); err != nil {
			return err
		}
		if same && !oldOK {
			return nil // who builds the index enters the row as it will be then
		}
	}
	inserts := w.t.Indexes[i].State.WritesInserts()
	if oldOK && !(same && inserts) {
		if err := w.r.writes.delete(oldKey); err != nil {
			return err
		}
	}
	if ok && inserts {
		return w.r.writes.put(key, value)
	}
	return nil
}

// ownsEntry reports whether the entry at a key belongs to the row whose entry it would
// be. While a unique index is being built, a row may have none yet, and another row with
// the same values may: its entry must stay, because the index would miss that row. The key
// is locked, so that it stays as it is found.
func (w *writer) ownsEntry(i int, key, value []byte) (bool, error) {
	held, err := w.heldEntry(key)
	if held == nil || err != nil {
		return false, err
	}
	x := &w.t.Indexes[i]
	has, err := w.codec.rowKeyOfEntry(nil, x, key, held)
	if err != nil {
		return false, err
	}
	own, err := w.codec.rowKeyOfEntry(nil, x, key, value)
	return bytes.Equal(has, own), err
}

// heldEntry returns the value at a key as this transaction sees it, nil if there is none,
// after locking the key.
func (w *writer) heldEntry(key []byte) ([]byte, error) {
	value, ok, err := w.r.c.Txn.Get(w.r.ctx, key, txn.ForUpdate)
	if err != nil || !ok {
		value = nil
	}
	if held, is := w.r.writes.overlay(key); is {
		value = held
	}
	return value, err
}

// lockStrength of rows that are deleted or whose keys change, and of other updates.
func lockFor(keyChanged bool) txn.Locking {
	if keyChanged {
		return txn.Locking{Strength: kv.LockUpdate}
	}
	return txn.Locking{Strength: kv.LockNoKeyUpdate}
}
