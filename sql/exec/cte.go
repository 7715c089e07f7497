package exec

import (
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// cteState is a WITH query during an execution: run on first use, its rows kept for all
// readers.
type cteState struct {
	r     *run
	n     *plan.PCTE
	store *rowStore
	done  bool
	// work and produced are the last round and the one being made of a recursive query.
	work *rowStore
}

// cte returns the state of a WITH query.
func (r *run) cte(n *plan.PCTE) *cteState {
	s := r.ctes[n]
	if s == nil {
		s = &cteState{r: r, n: n}
		r.ctes[n] = s
	}
	return s
}

// modifyingCTEs runs the WITH queries that write, in their order.
func (r *run) modifyingCTEs() error {
	for _, n := range r.plan.CTEs {
		if n.Modifies {
			if err := r.cte(n).fill(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *cteState) fill() error {
	if s.done {
		return nil
	}
	s.done = true
	// A WITH query sees no rows of the queries around its readers.
	ec := s.r.ec
	outer := ec.Outer
	ec.Outer = nil
	defer func() { ec.Outer = outer }()
	s.store = newRowStore(s.n.Types, s.r.c.Mem)
	if s.n.Rec != nil {
		return s.recurse()
	}
	op, err := s.r.build(s.n.Plan)
	if err != nil {
		return err
	}
	defer op.Close()
	if err := op.Open(); err != nil {
		return err
	}
	if d, ok := op.(dmlOperator); ok {
		if err := d.execute(); err != nil {
			return err
		}
	}
	return s.drain(op, func(b *types.Batch) error { return s.store.add(b) })
}

func (s *cteState) drain(op operator, add func(*types.Batch) error) error {
	for {
		b, err := op.Next()
		if b == nil || err != nil {
			return err
		}
		if err := add(b); err != nil {
			return err
		}
		if err := s.r.canceled(); err != nil {
			return err
		}
	}
}

// recurse evaluates a recursive query: the recursive term over the rows of the round before, until there are no
// new ones.
func (s *cteState) recurse() error {
	keys := make([]int, len(s.n.Types))
	for i := range keys {
		keys[i] = i
	}
	var seen *hashTable
	if !s.n.UnionAll {
		seen = newHashTable(newRowStore(s.n.Types, s.r.c.Mem), keys)
		defer seen.store.reset()
	}
	var hashes [types.BatchSize]uint64
	next := newRowStore(s.n.Types, s.r.c.Mem)
	add := func(b *types.Batch) error {
		if seen != nil {
			hashVecs(b.Cols, b, hashes[:])
			sel := make([]uint16, 0, b.Len())
			for k, n := 0, b.Len(); k < n; k++ {
				i := b.RowAt(k)
				if seen.find(hashes[i], b.Cols, i) >= 0 {
					continue
				}
				one := types.Batch{N: b.N, Sel: []uint16{uint16(i)}}
				if err := seen.store.addVecs(b.Cols, &one); err != nil {
					return err
				}
				if err := seen.link(hashes[i]); err != nil {
					return err
				}
				sel = append(sel, uint16(i))
			}
			kept := types.Batch{Cols: b.Cols, N: b.N, Sel: sel}
			if len(sel) == 0 {
				return nil
			}
			if err := s.store.add(&kept); err != nil {
				return err
			}
			return next.add(&kept)
		}
		if err := s.store.add(b); err != nil {
			return err
		}
		return next.add(b)
	}
	base, err := s.r.build(s.n.Plan)
	if err != nil {
		return err
	}
	defer base.Close()
	if err := base.Open(); err != nil {
		return err
	}
	if err := s.drain(base, add); err != nil {
		return err
	}
	rec, err := s.r.build(s.n.Rec)
	if err != nil {
		return err
	}
	defer rec.Close()
	for next.len() > 0 {
		if s.work != nil {
			s.work.reset()
		}
		s.work, next = next, newRowStore(s.n.Types, s.r.c.Mem)
		if err := rec.Open(); err != nil {
			return err
		}
		if err := s.drain(rec, add); err != nil {
			return err
		}
	}
	if s.work != nil {
		s.work.reset()
	}
	return nil
}

func (s *cteState) close() {
	if s.store != nil {
		s.store.reset()
	}
	if s.work != nil {
		s.work.reset()
	}
}

// cteScanOp reads a WITH query.
type cteScanOp struct {
	s      *cteState
	reader storeReader
}

func (c *cteScanOp) Open() error {
	c.reader = storeReader{}
	return nil
}

func (c *cteScanOp) Close() {}

func (c *cteScanOp) Next() (*types.Batch, error) {
	if c.reader.s == nil {
		if err := c.s.fill(); err != nil {
			return nil, err
		}
		c.reader.s = c.s.store
	}
	return c.reader.Next(), nil
}

// workTableOp reads the last round of a recursive query.
type workTableOp struct {
	s      *cteState
	reader storeReader
}

func (w *workTableOp) Open() error {
	w.reader = storeReader{s: w.s.work}
	return nil
}

func (w *workTableOp) Close() {}

func (w *workTableOp) Next() (*types.Batch, error) { return w.reader.Next(), nil }
