package exec

import (
	"bytes"

	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// lockRowsOp locks the rows of its input by their keys and drops those that are gone, or that
// others have locked if it is to skip them.
type lockRowsOp struct {
	r  *run
	in operator
	n  *plan.PLockRows
}

func newLockRows(r *run, in operator, n *plan.PLockRows) *lockRowsOp {
	return &lockRowsOp{r: r, in: in, n: n}
}

func (l *lockRowsOp) Open() error { return l.in.Open() }
func (l *lockRowsOp) Close()      { l.in.Close() }

func (l *lockRowsOp) Next() (*types.Batch, error) {
	for {
		b, err := l.in.Next()
		if b == nil || err != nil {
			return nil, err
		}
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
	err := l.r.c.Txn.GetMany(l.r.ctx, ks, txn.Locking{Strength: t.Strength, Wait: t.Wait}, func(i int, value []byte) error {
		present[at[i]] = value != nil
		return nil
	})
	if err != nil {
		return lockError(err, t.Table.Name)
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

// lockError passes control errors on; the session knows their SQLSTATEs.
func lockError(err error, _ string) error { return err }
