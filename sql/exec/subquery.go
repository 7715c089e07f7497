package exec

import (
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// subState is a subquery of an expression during an execution.
type subState struct {
	op operator
	// store has the rows of a query that does not depend on rows around it.
	store *rowStore
	// set answers x = ANY (query) for such a query by hashing.
	busy bool
}

func (s *subState) close() {
	if s.op != nil {
		s.op.Close()
		s.op = nil
	}
	if s.store != nil {
		s.store.reset()
	}
}

// RunSubquery implements expr.SubqueryRunner. The result of a query that is not correlated is kept.
func (r *run) RunSubquery(ec *expr.EvalContext, sq *expr.Subquery, outer types.Row, row func(types.Row) (bool, error)) error {
	s := r.subs[sq.ID]
	if s == nil {
		s = &subState{}
		r.subs[sq.ID] = s
	}
	n := sq.Plan.(*plan.Subplan).Phys
	if sq.Correlated {
		return r.runCorrelated(ec, s, n, outer, row)
	}
	if s.store == nil {
		store := newRowStore(n.Phys().Types(), r.c.Mem)
		limit := -1
		switch sq.Kind {
		case expr.SubExists:
			limit = 1
		case expr.SubScalar, expr.SubRow:
			limit = 2
		}
		saved := ec.Outer
		ec.Outer = append(ec.Outer[:len(ec.Outer):len(ec.Outer)], outer)
		err := r.eachBatch(n, func(b *types.Batch) (bool, error) {
			err := store.add(b)
			return limit < 0 || store.len() < limit, err
		})
		ec.Outer = saved
		if err != nil {
			return err
		}
		s.store = store
	}
	var buf types.Row
	for i := range s.store.len() {
		buf = s.store.row(buf[:0], i)
		more, err := row(buf)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// eachBatch runs a plan once.
func (r *run) eachBatch(n plan.PhysNode, fn func(*types.Batch) (bool, error)) error {
	op, err := r.build(n)
	if err != nil {
		return err
	}
	defer op.Close()
	if err := op.Open(); err != nil {
		return err
	}
	for {
		b, err := op.Next()
		if b == nil || err != nil {
			return err
		}
		more, err := fn(b)
		if err != nil || !more {
			return err
		}
		if err := r.canceled(); err != nil {
			return err
		}
	}
}

// runCorrelated runs a query for one outer row. Its operators are kept for the next one, unless
// the query is running already (a recursion through the same expression).
func (r *run) runCorrelated(ec *expr.EvalContext, s *subState, n plan.PhysNode, outer types.Row, row func(types.Row) (bool, error)) error {
	op := s.op
	if s.busy || op == nil {
		var err error
		if op, err = r.build(n); err != nil {
			return err
		}
		if s.busy {
			defer op.Close()
		} else {
			s.op = op
		}
	}
	wasBusy := s.busy
	s.busy = true
	// The row is scratch memory of the caller, which evaluates further expressions meanwhile.
	ec.Outer = append(ec.Outer, outer)
	depth := len(ec.Outer)
	defer func() {
		ec.Outer = ec.Outer[:depth-1]
		s.busy = wasBusy
	}()
	if err := op.Open(); err != nil {
		return err
	}
	var buf types.Row
	for {
		b, err := op.Next()
		if b == nil || err != nil {
			return err
		}
		for k, cnt := 0, b.Len(); k < cnt; k++ {
			buf = b.ReadRow(buf[:0], b.RowAt(k))
			more, err := row(buf)
			if err != nil || !more {
				return err
			}
		}
		if err := r.canceled(); err != nil {
			return err
		}
	}
}
