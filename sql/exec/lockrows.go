package exec

import (
	"bytes"
	"errors"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// lockRowsOp locks the rows of its input by their keys and drops those that are gone, or that
// others have locked if it is to skip them.
//
// A row may have changed between the snapshot and the lock. At READ COMMITTED PostgreSQL puts the new version through
// the query's conditions again (EvalPlanQual). Here the statement starts over with a new snapshot, in which the
// locked row cannot change any more; so conditions, joins and the order are those of the rows returned. At the other
// levels the transaction layer refuses the lock (40001).
type lockRowsOp struct {
	r    *run
	in   operator
	n    *plan.PLockRows
	b    *types.Batch // the input batch in progress
	rows []uint16     // its selection
	part types.Batch
}

// errRowChanged says that a row to be locked is not what the snapshot has.
var errRowChanged = errors.New("row has changed since the snapshot")

// maxRestarts bounds how often a statement starts over. Each time it holds more locks, so it gets further.
const maxRestarts = 100

// snapshotTxn is a transaction that can take a new snapshot in the middle of a statement.
type snapshotTxn interface {
	Isolation() kv.Isolation
	// StepStatement takes a new snapshot.
	StepStatement()
}

// restartable reports whether the statement locks rows and may start over: at READ COMMITTED, unless a WITH query
// writes.
func (r *run) restartable() bool {
	if !r.plan.LocksRows {
		return false
	}
	if t, ok := r.c.Txn.(snapshotTxn); !ok || t.Isolation() != kv.ReadCommitted {
		return false
	}
	for _, c := range r.plan.CTEs {
		if c.Modifies {
			return false
		}
	}
	return true
}

func newLockRows(r *run, in operator, n *plan.PLockRows) *lockRowsOp {
	return &lockRowsOp{r: r, in: in, n: n}
}

func (l *lockRowsOp) Open() error {
	l.b = nil
	return l.in.Open()
}

func (l *lockRowsOp) Close() { l.in.Close() }

func (l *lockRowsOp) Next() (*types.Batch, error) {
	for {
		if l.b == nil || len(l.rows) == 0 {
			b, err := l.in.Next()
			if b == nil || err != nil {
				return nil, err
			}
			l.b, l.rows = b, l.rows[:0]
			for k, n := 0, b.Len(); k < n; k++ {
				l.rows = append(l.rows, uint16(b.RowAt(k)))
			}
		}
		// Locking more than is wanted would hold others up: SKIP LOCKED LIMIT 1 takes one job.
		n := len(l.rows)
		if l.n.Limit > 0 {
			n = int(min(int64(n), l.n.Limit))
		}
		b := &l.part
		b.Cols, b.N, b.Sel = l.b.Cols, l.b.N, append(b.SelBuffer(), l.rows[:n]...)
		l.rows = l.rows[n:]
		for _, t := range l.n.Targets {
			if err := l.lock(b, t); err != nil {
				return nil, err
			}
			if b.Len() == 0 {
				break
			}
		}
		if b.Len() > 0 {
			return b, nil
		}
		if err := l.r.canceled(); err != nil {
			return nil, err
		}
	}
}

func (l *lockRowsOp) lock(b *types.Batch, t plan.PLockTarget) error {
	var ks [][]byte
	var at []uint16
	v := b.Cols[t.KeyOrd]
	sel := make([]uint16, 0, b.Len())
	for k, n := 0, b.Len(); k < n; k++ {
		i := b.RowAt(k)
		if v.IsNull(i) {
			sel = append(sel, uint16(i)) // the missing side of an outer join
			continue
		}
		ks = append(ks, bytes.Clone(v.Bytes[i]))
		at = append(at, uint16(i))
	}
	present := make([]bool, types.BatchSize)
	restartable := l.r.restartable()
	var locked [][]byte
	err := l.r.c.Txn.GetMany(l.r.ctx, ks, txn.Locking{Strength: t.Strength, Wait: t.Wait}, func(i int, value []byte) error {
		present[at[i]] = value != nil
		if restartable {
			locked = append(locked, bytes.Clone(value))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if restartable {
		err := l.r.c.Txn.GetMany(l.r.ctx, ks, txn.Locking{}, func(i int, value []byte) error {
			if present[at[i]] && !bytes.Equal(locked[i], value) {
				return errRowChanged
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	sel = sel[:0]
	for k, n := 0, b.Len(); k < n; k++ {
		i := b.RowAt(k)
		if v.IsNull(i) || present[i] {
			sel = append(sel, uint16(i))
		}
	}
	b.Sel = append(b.SelBuffer(), sel...)
	return nil
}
