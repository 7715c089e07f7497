package exec

import (
	"bytes"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// targetRows reads all rows that a statement is going to change, and locks them.
type targetRows struct {
	r       *run
	in      operator
	store   *rowStore
	codec   *tableCodec
	old     []int
	rowKey  int
	locked  bool
	lock    txn.Locking
	recheck []expr.Expr
}

// lockChunk is the number of rows that are locked in one round.
const lockChunk = 512

// each calls fn for every row to be changed: its input row, its table row and its key. Each row of the table
// comes once, even if it was joined with several others.
func (t *targetRows) each(fn func(in, old types.Row, key []byte) error) error {
	defer t.store.reset()
	for {
		b, err := t.in.Next()
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := t.store.add(b); err != nil {
			return err
		}
		if err := t.r.canceled(); err != nil {
			return err
		}
	}
	var seen map[string]bool
	if !t.locked {
		seen = make(map[string]bool, t.store.len())
	}
	var in types.Row
	old := make(types.Row, len(t.old))
	one := func(i int) ([]byte, bool) {
		in = t.store.row(in[:0], i)
		if in[t.rowKey].IsNull() {
			return nil, false
		}
		for ord, c := range t.old {
			old[ord] = types.Null
			if c >= 0 {
				old[ord] = in[c]
			}
		}
		return in[t.rowKey].Bytes(), true
	}
	if t.locked {
		for i := range t.store.len() {
			if key, ok := one(i); ok {
				if err := fn(in, old, key); err != nil {
					return err
				}
			}
			if i&1023 == 1023 {
				if err := t.r.canceled(); err != nil {
					return err
				}
			}
		}
		return nil
	}
	fresh := make(types.Row, len(t.old))
	for from := 0; from < t.store.len(); from += lockChunk {
		var ks [][]byte
		var rows []int
		for i := from; i < min(from+lockChunk, t.store.len()); i++ {
			key, ok := one(i)
			if !ok || seen[string(key)] {
				continue
			}
			seen[string(key)] = true
			ks = append(ks, key)
			rows = append(rows, i)
		}
		values := make([][]byte, len(ks))
		err := t.r.c.Txn.GetMany(t.r.ctx, ks, t.lock, func(j int, value []byte) error {
			if value != nil {
				values[j] = bytes.Clone(value)
				if values[j] == nil {
					values[j] = []byte{}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for j, i := range rows {
			if values[j] == nil {
				continue // deleted meanwhile
			}
			one(i)
			if err := t.codec.decodeRow(fresh, ks[j], values[j]); err != nil {
				return err
			}
			if t.changed(old, fresh) {
				// The row has changed between reading and locking: look at it again.
				for ord, c := range t.old {
					if c >= 0 {
						in[c], old[ord] = fresh[ord], fresh[ord]
					}
				}
				ok, err := allTrue(t.r.ec, t.recheck, in)
				if err != nil {
					return err
				}
				if !ok {
					continue
				}
			}
			if err := fn(in, old, ks[j]); err != nil {
				return err
			}
		}
		if err := t.r.canceled(); err != nil {
			return err
		}
	}
	return nil
}

func (t *targetRows) changed(a, b types.Row) bool {
	for ord, c := range t.old {
		if c < 0 {
			continue
		}
		x, y := a[ord], b[ord]
		if x.IsNull() != y.IsNull() || !x.IsNull() && !types.Equal(x, y) {
			return true
		}
	}
	return false
}

func allTrue(ec *expr.EvalContext, conds []expr.Expr, row types.Row) (bool, error) {
	for _, c := range conds {
		d, err := c.Eval(ec, row)
		if err != nil || !d.Bool() {
			return false, err
		}
	}
	return true, nil
}

// updateOp updates the rows of its input.
type updateOp struct {
	r        *run
	n        *plan.PUpdate
	in       operator
	w        *writer
	ret      *returning
	affected int64
}

func newUpdate(r *run, in operator, n *plan.PUpdate) (*updateOp, error) {
	return &updateOp{r: r, n: n, in: in, w: r.writer(&n.TableWrite), ret: newReturning(r, n.Returning, n.Types())}, nil
}

func (o *updateOp) Open() error                 { return o.in.Open() }
func (o *updateOp) Next() (*types.Batch, error) { return o.ret.next() }
func (o *updateOp) count() int64                { return o.affected }

func (o *updateOp) Close() {
	o.ret.close()
	o.in.Close()
}

// pendingUpdate is a row whose new keys have to be checked before it is written.
type pendingUpdate struct {
	old, row types.Row
	key      []byte
}

func (o *updateOp) execute() error {
	t := &targetRows{r: o.r, in: o.in, store: newRowStore(o.n.Input.Phys().Types(), o.r.c.Mem), codec: o.w.codec,
		old: o.n.Old, rowKey: o.n.RowKey, locked: o.n.Locked, lock: lockFor(o.n.KeyChanged), recheck: o.n.Recheck}
	var full types.Row
	var moving []pendingUpdate
	row := make(types.Row, len(o.n.Old))
	err := t.each(func(in, old types.Row, key []byte) error {
		copy(row, old)
		for _, s := range o.n.Set {
			d, err := s.Expr.Eval(o.r.ec, in)
			if err != nil {
				return err
			}
			row[s.Ord] = d
		}
		if err := o.w.complete(row); err != nil {
			return err
		}
		o.affected++
		if o.ret != nil {
			full = append(append(full[:0], row...), in...)
			if err := o.ret.add(full); err != nil {
				return err
			}
		}
		if o.n.KeyChanged {
			// All rows leave their old keys before any takes a new one.
			p := pendingUpdate{old: cloneRow(old), row: cloneRow(row), key: bytes.Clone(key)}
			moving = append(moving, p)
			return o.r.c.Mem.Grow(rowSize(p.old) + rowSize(p.row))
		}
		return o.w.update(old, row, key)
	})
	if err != nil || len(moving) == 0 {
		return err
	}
	return o.move(moving)
}

func cloneRow(r types.Row) types.Row {
	c := make(types.Row, len(r))
	for i, d := range r {
		c[i] = d.Clone()
	}
	return c
}

func rowSize(r types.Row) int64 {
	var n int64
	for _, d := range r {
		n += d.Size()
	}
	return n
}

// move writes rows some of whose unique keys change. Uniqueness is judged by the outcome of the whole statement: a
// key that another row of the statement gives up is free.
func (o *updateOp) move(rows []pendingUpdate) error {
	freed := make(map[string]bool)
	var ks []uniqueKey
	for i, p := range rows {
		olds, err := o.w.uniqueKeys(nil, i, p.old, p.row)
		if err != nil {
			return err
		}
		for _, k := range olds {
			freed[string(k.key)] = true
		}
		if ks, err = o.w.uniqueKeys(ks, i, p.row, p.old); err != nil {
			return err
		}
	}
	rowOf := func(i int) types.Row { return rows[i].row }
	var check []uniqueKey
	seen := make(map[string]bool)
	for _, k := range ks {
		if seen[string(k.key)] {
			return o.w.duplicate(k.index, rowOf(k.row))
		}
		seen[string(k.key)] = true
		if !freed[string(k.key)] {
			check = append(check, k)
		}
	}
	if err := o.w.checkAbsent(check, rowOf); err != nil {
		return err
	}
	for _, p := range rows {
		if err := o.w.deleteRow(p.old, p.key); err != nil {
			return err
		}
	}
	for _, p := range rows {
		if err := o.w.putRow(p.row); err != nil {
			return err
		}
		if err := o.r.writes.fk.updated(o.w, p.old, p.row); err != nil {
			return err
		}
	}
	return nil
}

// deleteOp deletes the rows of its input.
type deleteOp struct {
	r        *run
	n        *plan.PDelete
	in       operator
	w        *writer
	ret      *returning
	affected int64
}

func newDelete(r *run, in operator, n *plan.PDelete) (*deleteOp, error) {
	return &deleteOp{r: r, n: n, in: in, w: r.writer(&n.TableWrite), ret: newReturning(r, n.Returning, n.Types())}, nil
}

func (o *deleteOp) Open() error                 { return o.in.Open() }
func (o *deleteOp) Next() (*types.Batch, error) { return o.ret.next() }
func (o *deleteOp) count() int64                { return o.affected }

func (o *deleteOp) Close() {
	o.ret.close()
	o.in.Close()
}

func (o *deleteOp) execute() error {
	t := &targetRows{r: o.r, in: o.in, store: newRowStore(o.n.Input.Phys().Types(), o.r.c.Mem), codec: o.w.codec,
		old: o.n.Old, rowKey: o.n.RowKey, locked: o.n.Locked, lock: lockFor(true), recheck: o.n.Recheck}
	var full types.Row
	return t.each(func(in, old types.Row, key []byte) error {
		if err := o.w.remove(old, key); err != nil {
			return err
		}
		o.affected++
		if o.ret == nil {
			return nil
		}
		full = append(append(full[:0], old...), in...)
		return o.ret.add(full)
	})
}
