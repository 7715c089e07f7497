package exec

import (
	"context"
	"maps"
	"slices"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// Deferred is the checks of deferred constraints that a transaction still has to make, and
// what SET CONSTRAINTS has said about which constraints those are. The zero value belongs to
// a new transaction.
//
// A check remembers a row and what it was written with. When it is made it looks at what
// there is then: a row that has been deleted, changed again or rolled back to a savepoint
// meanwhile is no concern of it, as with PostgreSQL's queue of trigger events.
type Deferred struct {
	checks  []fkCheck
	actions []fkAction
	uniques []uniqueCheck
	// all is what SET CONSTRAINTS ALL has said, named what was said of constraints by OID
	// since then.
	all   deferral
	named map[catalog.ID]deferral
}

// deferral is when a deferrable constraint is checked.
type deferral uint8

const (
	asDeclared deferral = iota
	deferred
	immediate
)

// uniqueCheck says that a row was written whose key must be the only one of its kind at the
// end. The entries of a deferrable constraint hold the primary key, so that there may be
// two of them until then.
type uniqueCheck struct {
	w     *plan.TableWrite
	index int // in Table.Indexes
	key   []byte
	row   types.Row
}

// Pending reports whether there is anything to check at commit.
func (d *Deferred) Pending() bool { return len(d.checks)+len(d.actions)+len(d.uniques) > 0 }

// PendingOn reports whether there is anything to check of a table.
func (d *Deferred) PendingOn(table catalog.ID) bool {
	return slices.ContainsFunc(d.checks, func(c fkCheck) bool { return c.table.ID == table }) ||
		slices.ContainsFunc(d.actions, func(a fkAction) bool { return a.w.Table.ID == table }) ||
		slices.ContainsFunc(d.uniques, func(u uniqueCheck) bool { return u.w.Table.ID == table })
}

// Reset forgets everything, at the end of the transaction.
func (d *Deferred) Reset() {
	if d.Pending() || d.all != asDeclared || d.named != nil {
		*d = Deferred{}
	}
}

// Mark returns the present state for a savepoint; going back to it is to assign it.
func (d *Deferred) Mark() Deferred {
	m := *d
	m.checks, m.actions, m.uniques = slices.Clip(m.checks), slices.Clip(m.actions), slices.Clip(m.uniques)
	m.named = maps.Clone(m.named)
	return m
}

// Set is SET CONSTRAINTS: oids is nil for ALL.
func (d *Deferred) Set(oids []catalog.ID, isDeferred bool) {
	to := immediate
	if isDeferred {
		to = deferred
	}
	if oids == nil {
		d.all, d.named = to, nil
		return
	}
	if d.named == nil {
		d.named = make(map[catalog.ID]deferral)
	}
	for _, oid := range oids {
		d.named[oid] = to
	}
}

// defers reports whether a constraint is checked at the end of the transaction.
func (d *Deferred) defers(oid catalog.ID, deferrable, initially bool) bool {
	if d == nil || !deferrable {
		return false
	}
	to := d.named[oid]
	if to == asDeclared {
		to = d.all
	}
	return to == deferred || to == asDeclared && initially
}

// Check makes all checks, at commit.
func (d *Deferred) Check(ctx context.Context, c *Context) error {
	q := fkQueue{checks: d.checks, actions: d.actions, uniques: d.uniques}
	d.checks, d.actions, d.uniques = nil, nil, nil
	return q.late(ctx, c)
}

// CheckImmediate makes the checks of constraints that are not deferred any more.
func (d *Deferred) CheckImmediate(ctx context.Context, c *Context) error {
	var q fkQueue
	var left Deferred
	for _, k := range d.checks {
		if d.defers(k.fk.OID, k.fk.Deferrable, k.fk.Deferred) {
			left.checks = append(left.checks, k)
		} else {
			q.checks = append(q.checks, k)
		}
	}
	for _, a := range d.actions {
		if fk := a.key(); fk != nil && d.defers(fk.OID, fk.Deferrable, fk.Deferred) {
			left.actions = append(left.actions, a)
		} else {
			q.actions = append(q.actions, a)
		}
	}
	for _, u := range d.uniques {
		if x := u.of(); d.defers(x.ConstraintOID, x.Deferrable, x.Deferred) {
			left.uniques = append(left.uniques, u)
		} else {
			q.uniques = append(q.uniques, u)
		}
	}
	d.checks, d.actions, d.uniques = left.checks, left.actions, left.uniques
	return q.late(ctx, c)
}

// late makes checks that were put off.
func (q *fkQueue) late(ctx context.Context, c *Context) error {
	if len(q.checks)+len(q.actions)+len(q.uniques) == 0 {
		return nil
	}
	now := *c
	now.Deferred = nil
	r := &run{ctx: ctx, c: &now, ec: c.Eval, plan: &plan.Physical{}}
	r.ec.Ctx = ctx
	r.writes.init(r)
	q.r = r
	r.writes.fk = *q
	return r.writes.fk.run()
}

// key returns the foreign key of an action, nil if there is none any more.
func (a *fkAction) key() *catalog.ForeignKey {
	if child := a.w.Related[a.in.Table]; child != nil {
		return child.Table.ForeignKeyByOID(a.in.Constraint)
	}
	return nil
}

func (u *uniqueCheck) of() *catalog.Index { return &u.w.Table.Indexes[u.index] }

// stands reports whether the row of a check is still there with the values that it was
// queued for.
func (q *fkQueue) stands(c *fkCheck) (bool, error) {
	value, ok, err := q.r.c.Txn.Get(q.r.ctx, c.rowKey, txn.Locking{})
	if !ok || err != nil {
		return false, err
	}
	row := make(types.Row, len(c.table.Columns))
	if err := codecOf(c.table).decodeRow(row, c.rowKey, value); err != nil {
		return false, err
	}
	for i, n := range c.fk.Columns {
		if differ(row[c.table.MustOrdinal(n)], c.values[i]) {
			return false, nil
		}
	}
	return true, nil
}

// written queues the checks of the deferrable unique constraints of a row, which has taken
// the place of old, if that is not nil.
func (q *fkQueue) written(w *writer, old, row types.Row) error {
	for i := range w.t.Indexes {
		x := &w.t.Indexes[i]
		if !x.Deferrable || x.Constraint != 'u' || !x.State.WritesInserts() {
			continue
		}
		key, ok, err := w.constraintKey(x, row)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if old != nil {
			was, ok, err := w.constraintKey(x, old)
			if err != nil {
				return err
			}
			if ok && slices.Equal(was, key) {
				continue
			}
		}
		q.uniques = append(q.uniques, uniqueCheck{w: w.w, index: i, key: key, row: cloneRow(row)})
	}
	return nil
}

// constraintKey returns the part of an index entry's key that the constraint is about; ok is
// false if the row cannot violate it.
func (w *writer) constraintKey(x *catalog.Index, row types.Row) (key []byte, ok bool, err error) {
	key = keys.IndexPrefix(nil, uint32(w.t.ID), x.ID)
	for i, c := range x.Columns {
		d := row[w.t.MustOrdinal(c.Num)]
		if d.IsNull() && !x.NullsNotDistinct {
			return nil, false, nil
		}
		key = w.codec.appendKey(key, x, i, d)
	}
	return key, true, nil
}

// alone verifies that a row with the key of a check is the only one. The key itself, at
// which nothing is stored, is what transactions lock that write such rows.
func (q *fkQueue) alone(u uniqueCheck) error {
	if _, _, err := q.r.c.Txn.Get(q.r.ctx, u.key, txn.ForUpdate); err != nil {
		return err
	}
	var page kv.Rows
	n := 0
	for start, end := u.key, keys.PrefixEnd(u.key); start != nil && n < 2; {
		page.Reset()
		resume, err := q.r.c.Txn.Scan(q.r.ctx, start, end, txn.ScanOptions{MaxRows: 2, Lock: txn.ForUpdate}, &page)
		if err != nil {
			return err
		}
		n += page.Count
		start = slices.Clone(resume)
	}
	if n < 2 {
		return nil
	}
	return q.r.writer(u.w).duplicate(u.of(), u.row)
}
