package exec

import (
	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// returning evaluates RETURNING and keeps the rows.
type returning struct {
	r      *run
	exprs  []expr.Expr
	store  *rowStore
	reader storeReader
	row    types.Row
}

func newReturning(r *run, exprs []expr.Expr, ts []*types.T) *returning {
	if exprs == nil {
		return nil
	}
	return &returning{r: r, exprs: exprs, store: newRowStore(ts, r.c.Mem)}
}

// add evaluates the list over a table row followed by the rest of the input row.
func (t *returning) add(row types.Row) error {
	if t == nil {
		return nil
	}
	t.row = t.row[:0]
	for _, e := range t.exprs {
		d, err := e.Eval(t.r.ec, row)
		if err != nil {
			return err
		}
		t.row = append(t.row, d)
	}
	return t.store.addRow(t.row)
}

func (t *returning) next() (*types.Batch, error) {
	if t == nil {
		return nil, nil
	}
	t.reader.s = t.store
	return t.reader.Next(), nil
}

func (t *returning) close() {
	if t != nil {
		t.store.reset()
	}
}

// insertChunk is the number of rows whose keys are checked in one round.
const insertChunk = 256

// insertOp inserts the rows of its input.
type insertOp struct {
	r        *run
	n        *plan.PInsert
	in       operator
	w        *writer
	ret      *returning
	affected int64
	rows     []types.Row
	// touched are the rows this command has inserted or updated, for ON CONFLICT DO UPDATE.
	touched map[string]bool
	keys    []uniqueKey
}

func newInsert(r *run, in operator, n *plan.PInsert) (*insertOp, error) {
	return &insertOp{r: r, n: n, in: in, w: r.writer(&n.TableWrite), ret: newReturning(r, n.Returning, n.Types())}, nil
}

func (o *insertOp) Open() error                 { return o.in.Open() }
func (o *insertOp) Next() (*types.Batch, error) { return o.ret.next() }
func (o *insertOp) count() int64                { return o.affected }

func (o *insertOp) Close() {
	o.ret.close()
	o.in.Close()
}

func (o *insertOp) execute() error {
	if _, values := o.n.Input.(*plan.PValues); values {
		return o.each(o.in.Next)
	}
	// The input may read the table that is written: read it all first.
	store := newRowStore(o.n.Input.Phys().Types(), o.r.c.Mem)
	defer store.reset()
	for {
		b, err := o.in.Next()
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := store.add(b); err != nil {
			return err
		}
		if err := o.r.canceled(); err != nil {
			return err
		}
	}
	reader := storeReader{s: store}
	return o.each(func() (*types.Batch, error) { return reader.Next(), nil })
}

func (o *insertOp) each(next func() (*types.Batch, error)) error {
	for {
		b, err := next()
		if b == nil || err != nil {
			return err
		}
		for k, n := 0, b.Len(); k < n; {
			m := min(n-k, insertChunk)
			if err := o.chunk(b, k, m); err != nil {
				return err
			}
			k += m
		}
		if err := o.r.canceled(); err != nil {
			return err
		}
	}
}

// chunk inserts rows k..k+m-1 of the batch.
func (o *insertOp) chunk(b *types.Batch, k, m int) error {
	width := len(o.w.t.Columns)
	for len(o.rows) < m {
		o.rows = append(o.rows, make(types.Row, width))
	}
	o.keys = o.keys[:0]
	for j := range m {
		row := o.rows[j]
		i := b.RowAt(k + j)
		for ord, c := range o.n.From {
			row[ord] = types.Null
			if c >= 0 {
				row[ord] = b.Cols[c].Get(i)
			}
		}
		if o.w.t.HasRowID() {
			id, err := o.r.c.RowID(o.r.ctx, o.w.t)
			if err != nil {
				return err
			}
			row[width-1] = types.NewInt(id)
		}
		if err := o.w.complete(row); err != nil {
			return err
		}
		if o.n.Conflict != nil {
			if err := o.upsert(row); err != nil {
				return err
			}
			continue
		}
		var err error
		if o.keys, err = o.w.uniqueKeys(o.keys, j, row, nil); err != nil {
			return err
		}
	}
	if o.n.Conflict != nil {
		return nil
	}
	if err := o.w.checkAbsent(o.keys, func(i int) types.Row { return o.rows[i] }); err != nil {
		return err
	}
	for j := range m {
		if err := o.insert(o.rows[j]); err != nil {
			return err
		}
	}
	return nil
}

func (o *insertOp) insert(row types.Row) error {
	if err := o.w.insert(row); err != nil {
		return err
	}
	o.affected++
	return o.ret.add(row)
}

// upsert inserts one row under ON CONFLICT.
func (o *insertOp) upsert(row types.Row) error {
	c := o.n.Conflict
	var err error
	if o.keys, err = o.w.uniqueKeys(o.keys[:0], 0, row, nil); err != nil {
		return err
	}
	var hit *uniqueKey
	var hitValue []byte
	for i := range o.keys {
		k := &o.keys[i]
		value, ok, err := o.get(k.key)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if !o.isArbiter(k.index) {
			if hit != nil {
				continue
			}
			// Another constraint is violated; an arbiter may still be hit by a later key.
			later := false
			for j := i + 1; j < len(o.keys); j++ {
				if o.isArbiter(o.keys[j].index) {
					_, present, err := o.get(o.keys[j].key)
					if err != nil {
						return err
					}
					later = later || present
				}
			}
			if !later {
				return o.w.duplicate(k.index, row)
			}
			continue
		}
		if hit == nil {
			hit, hitValue = k, append([]byte(nil), value...)
		}
	}
	if hit == nil {
		if c.DoUpdate {
			o.touch(row)
		}
		return o.insert(row)
	}
	if !c.DoUpdate {
		return nil
	}
	return o.conflict(hit, hitValue, row)
}

func (o *insertOp) get(key []byte) ([]byte, bool, error) {
	value, ok, err := o.r.c.Txn.Get(o.r.ctx, key, txn.Locking{Strength: kv.LockUpdate})
	if err != nil {
		return nil, false, err
	}
	if held, is := o.r.writes.overlay(key); is {
		return held, held != nil, nil
	}
	return value, ok, nil
}

func (o *insertOp) isArbiter(x *catalog.Index) bool {
	if o.n.Conflict.Arbiters == nil {
		return true
	}
	for _, a := range o.n.Conflict.Arbiters {
		if a.ID == x.ID {
			return true
		}
	}
	return false
}

func (o *insertOp) touch(row types.Row) {
	if o.touched == nil {
		o.touched = make(map[string]bool)
	}
	if k, err := o.w.codec.appendRowKey(nil, row); err == nil {
		o.touched[string(k)] = true
	}
}

// conflict updates the row that is in the way.
func (o *insertOp) conflict(hit *uniqueKey, value []byte, row types.Row) error {
	rowKey := hit.key
	if hit.index != &o.w.t.Primary {
		var err error
		if rowKey, err = o.w.codec.rowKeyOfEntry(nil, hit.index, hit.key, value); err != nil {
			return err
		}
		v, ok, err := o.get(rowKey)
		if err != nil {
			return err
		}
		if !ok {
			return internalError("index %q points to a missing row", hit.index.Name)
		}
		value = append([]byte(nil), v...)
	}
	if o.touched[string(rowKey)] {
		return sqlstate.New(sqlstate.CardinalityViolation, "ON CONFLICT DO UPDATE command cannot affect row a second time").
			WithHint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
	}
	width := len(o.w.t.Columns)
	both := make(types.Row, 2*width)
	if err := o.w.codec.decodeRow(both[:width], rowKey, value); err != nil {
		return err
	}
	old := append(types.Row(nil), both[:width]...)
	copy(both[width:], row)
	if o.n.Conflict.Where != nil {
		d, err := o.n.Conflict.Where.Eval(o.r.ec, both)
		if err != nil || !d.Bool() {
			return err
		}
	}
	next := append(types.Row(nil), old...)
	for _, s := range o.n.Conflict.Set {
		d, err := s.Expr.Eval(o.r.ec, both)
		if err != nil {
			return err
		}
		next[s.Ord] = d
	}
	if err := o.w.complete(next); err != nil {
		return err
	}
	ks, err := o.w.uniqueKeys(nil, 0, next, old)
	if err != nil {
		return err
	}
	if err := o.w.checkAbsent(ks, func(int) types.Row { return next }); err != nil {
		return err
	}
	if err := o.w.update(old, next, rowKey); err != nil {
		return err
	}
	o.touch(next)
	o.affected++
	return o.ret.add(next)
}
