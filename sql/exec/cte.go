package exec

import (
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// cteState is a WITH query during an execution: run as far as its readers want, its rows kept for all of them.
type cteState struct {
	r     *run
	n     *plan.PCTE
	store *rowStore
	// op is what is being read: the query, or the non-recursive and then the recursive term.
	op      operator
	started bool
	done    bool
	// work and next are the last round and the one being made of a recursive query, seen the rows of UNION.
	work, next *rowStore
	seen       *hashTable
	rec        operator
	hashes     []uint64
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

// fill runs the query to its end.
func (s *cteState) fill() error {
	for {
		more, err := s.advance()
		if !more || err != nil {
			return err
		}
	}
}

// advance runs the query until it has another batch of rows in its store; false means that it has ended. A
// recursive query without an end is fine for a reader that stops.
func (s *cteState) advance() (bool, error) {
	if s.done {
		return false, nil
	}
	// A WITH query sees no rows of the queries around its readers.
	ec := s.r.ec
	outer := ec.Outer
	ec.Outer = nil
	defer func() { ec.Outer = outer }()
	if !s.started {
		if err := s.start(); err != nil {
			return false, err
		}
	}
	for {
		if err := s.r.canceled(); err != nil {
			return false, err
		}
		b, err := s.op.Next()
		if err != nil {
			return false, err
		}
		if b != nil {
			kept, err := s.keep(b)
			if err != nil {
				return false, err
			}
			if kept {
				return true, nil
			}
			continue
		}
		if more, err := s.nextRound(); !more || err != nil {
			s.done = true
			return false, err
		}
	}
}

func (s *cteState) start() error {
	s.started = true
	s.store = newRowStore(s.n.Types, s.r.c.Mem)
	if s.n.Rec != nil {
		s.next = newRowStore(s.n.Types, s.r.c.Mem)
		if !s.n.UnionAll {
			keys := make([]int, len(s.n.Types))
			for i := range keys {
				keys[i] = i
			}
			s.seen = newHashTable(newRowStore(s.n.Types, s.r.c.Mem), keys)
			s.hashes = make([]uint64, types.BatchSize)
		}
	}
	var err error
	if s.op, err = s.r.build(s.n.Plan); err != nil {
		return err
	}
	if err := s.op.Open(); err != nil {
		return err
	}
	if d, ok := s.op.(dmlOperator); ok {
		return d.execute()
	}
	return nil
}

// keep adds a batch to the rows of the query and, of a recursive one, to the next round. False means that all of
// its rows were there before.
func (s *cteState) keep(b *types.Batch) (bool, error) {
	if s.seen != nil {
		kept, err := s.unseen(b)
		if err != nil || kept == nil {
			return false, err
		}
		b = kept
	}
	if err := s.store.add(b); err != nil {
		return false, err
	}
	if s.next != nil {
		return true, s.next.add(b)
	}
	return true, nil
}

// unseen returns the rows of a batch that UNION has not seen yet, nil if there are none.
func (s *cteState) unseen(b *types.Batch) (*types.Batch, error) {
	hashVecs(b.Cols, b, s.hashes)
	sel := make([]uint16, 0, b.Len())
	for k, n := 0, b.Len(); k < n; k++ {
		i := b.RowAt(k)
		if s.seen.find(s.hashes[i], b.Cols, i) >= 0 {
			continue
		}
		one := types.Batch{N: b.N, Sel: []uint16{uint16(i)}}
		if err := s.seen.store.addVecs(b.Cols, &one); err != nil {
			return nil, err
		}
		if err := s.seen.link(s.hashes[i]); err != nil {
			return nil, err
		}
		sel = append(sel, uint16(i))
	}
	if len(sel) == 0 {
		return nil, nil
	}
	return &types.Batch{Cols: b.Cols, N: b.N, Sel: sel}, nil
}

// nextRound evaluates the recursive term over the rows of the round before; false means that there were none.
func (s *cteState) nextRound() (bool, error) {
	if s.next == nil || s.next.len() == 0 {
		return false, nil
	}
	if s.rec == nil {
		rec, err := s.r.build(s.n.Rec)
		if err != nil {
			return false, err
		}
		s.rec = rec
		s.op.Close()
		s.op = rec
	}
	if s.work != nil {
		s.work.reset()
	}
	s.work, s.next = s.next, newRowStore(s.n.Types, s.r.c.Mem)
	return true, s.rec.Open()
}

func (s *cteState) close() {
	if s.op != nil {
		s.op.Close()
	}
	for _, store := range []*rowStore{s.store, s.work, s.next} {
		if store != nil {
			store.reset()
		}
	}
	if s.seen != nil {
		s.seen.store.reset()
	}
}

// cteScanOp reads a WITH query.
type cteScanOp struct {
	s    *cteState
	next int // row
	b    types.Batch
}

func (c *cteScanOp) Open() error {
	c.next = 0
	return nil
}

func (c *cteScanOp) Close() {}

func (c *cteScanOp) Next() (*types.Batch, error) {
	for c.s.store == nil || c.next >= c.s.store.len() {
		more, err := c.s.advance()
		if !more || err != nil {
			return nil, err
		}
	}
	// The store's last chunk may still grow: rows beyond those read are not looked at.
	chunk, first := c.s.store.at(c.next)
	c.b.Cols, c.b.N, c.b.Sel = chunk.Cols, chunk.N, nil
	if first > 0 {
		c.b.Sel = c.b.SelBuffer()
		for i := first; i < chunk.N; i++ {
			c.b.Sel = append(c.b.Sel, uint16(i))
		}
	}
	c.next += chunk.N - first
	return &c.b, nil
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
