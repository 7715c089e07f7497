package exec

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// sortOp sorts its input. With a limit it keeps only the rows that can still be among
// the first; without, it writes sorted runs to disk beyond work_mem (spill.go).
type sortOp struct {
	r      *run
	in     operator
	n      *plan.PSort
	store  *rowStore
	order  []sortEntry
	next   int
	out    *types.Batch
	cols   []int
	limit  int // rows that matter, -1 for all
	sorted bool
	runs   []*spillRun
	merge  *merger
	idx    []uint32
}

// sortEntry is a row with the head of its first key in a form that compares as an integer.
type sortEntry struct {
	head uint64
	row  uint32
}

// workMem is the default bound on a sort's memory.
const workMem = 64 << 20

func newSort(r *run, in operator, n *plan.PSort) *sortOp {
	s := &sortOp{r: r, in: in, n: n, out: newBatch(n.Types())}
	s.cols = make([]int, len(n.Cols))
	for i := range s.cols {
		s.cols[i] = i
	}
	return s
}

func (s *sortOp) Open() error {
	s.reset()
	s.sorted, s.next, s.limit = false, 0, -1
	if s.n.LimitCount != nil {
		count, err := s.n.LimitCount.Eval(s.r.ec, nil)
		if err != nil {
			return err
		}
		var offset types.Datum
		if s.n.LimitOffset != nil {
			if offset, err = s.n.LimitOffset.Eval(s.r.ec, nil); err != nil {
				return err
			}
		}
		if !count.IsNull() && count.Int() >= 0 {
			total := count.Int()
			if !offset.IsNull() && offset.Int() > 0 {
				total += offset.Int()
			}
			if total >= 0 && total <= topNMax {
				s.limit = int(total)
			}
		}
	}
	return s.in.Open()
}

// topNMax is the largest limit for which keeping the best rows beats sorting all.
const topNMax = 1 << 16

func (s *sortOp) reset() {
	if s.store != nil {
		s.store.reset()
	}
	s.order = nil
	for _, r := range s.runs {
		r.close()
	}
	s.runs, s.merge = nil, nil
}

func (s *sortOp) Close() {
	s.reset()
	s.in.Close()
}

func (s *sortOp) Next() (*types.Batch, error) {
	if !s.sorted {
		s.sorted = true
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	if s.merge != nil {
		return s.merge.next()
	}
	if s.next >= len(s.order) {
		return nil, nil
	}
	n := min(types.BatchSize, len(s.order)-s.next)
	s.idx = s.idx[:0]
	for _, e := range s.order[s.next : s.next+n] {
		s.idx = append(s.idx, e.row)
	}
	s.next += n
	s.out.Sel, s.out.N = nil, n
	s.store.gather(s.out.Cols, s.cols, s.idx)
	return s.out, nil
}

func (s *sortOp) fill() error {
	s.store = newRowStore(s.n.Types(), s.r.c.Mem)
	memLimit := s.r.workMemBytes()
	if s.limit == 0 {
		return nil
	}
	var worst uint64
	haveWorst := false
	for {
		b, err := s.in.Next()
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if haveWorst {
			s.dropWorse(b, worst)
			if b.Len() == 0 {
				continue
			}
		}
		base := s.store.len()
		if err := s.store.add(b); err != nil {
			return err
		}
		s.entries(base)
		if s.limit > 0 && len(s.order) >= 4*s.limit+8*types.BatchSize {
			s.sortEntries()
			s.order = s.order[:s.limit]
			if err := s.compact(); err != nil {
				return err
			}
			worst, haveWorst = s.order[s.limit-1].head, true
		}
		if s.limit < 0 && s.store.held > memLimit {
			s.sortEntries()
			run, err := s.spill()
			if err != nil {
				return err
			}
			s.runs = append(s.runs, run)
			s.store.reset()
			s.order = s.order[:0]
		}
		if err := s.r.canceled(); err != nil {
			return err
		}
	}
	s.sortEntries()
	if s.limit > 0 && len(s.order) > s.limit {
		s.order = s.order[:s.limit]
	}
	if len(s.runs) > 0 {
		if len(s.order) > 0 {
			run, err := s.spill()
			if err != nil {
				return err
			}
			s.runs = append(s.runs, run)
			s.store.reset()
			s.order = nil
		}
		var err error
		s.merge, err = newMerger(s, s.runs)
		return err
	}
	return nil
}

// dropWorse deselects the rows of b that sort after the worst row that counts.
func (s *sortOp) dropWorse(b *types.Batch, worst uint64) {
	k := s.n.Keys[0]
	v := b.Cols[k.Ord]
	sel := b.SelBuffer()
	for x, n := 0, b.Len(); x < n; x++ {
		i := b.RowAt(x)
		if headOf(v, i, k) <= worst {
			sel = append(sel, uint16(i))
		}
	}
	b.Sel = sel
}

// entries adds the rows from base on to order.
func (s *sortOp) entries(base int) {
	k := s.n.Keys[0]
	s.order = slices.Grow(s.order, s.store.len()-base)
	for i := base; i < s.store.len(); i++ {
		c, at := s.store.at(i)
		s.order = append(s.order, sortEntry{head: headOf(c.Cols[k.Ord], at, k), row: uint32(i)})
	}
}

// headOf is the first eight bytes of a key's order: if two differ, they order the rows;
// if they are equal, the keys have to be compared.
func headOf(v *types.Vec, i int, k plan.POrder) uint64 {
	if v.IsNull(i) {
		if k.NullsFirst {
			return 0
		}
		return math.MaxUint64
	}
	var h uint64
	switch v.T.Family {
	case types.FamInt, types.FamBool:
		h = uint64(v.Ints[i]) ^ 1<<63
	case types.FamFloat:
		f := v.Floats[i]
		switch {
		case f != f:
			h = math.MaxUint64
		case f == 0:
			h = 1 << 63
		default:
			h = math.Float64bits(f)
			if h&(1<<63) != 0 {
				h = ^h
			} else {
				h |= 1 << 63
			}
		}
	case types.FamString:
		h = bytesHead(v.Bytes[i])
	case types.FamBpchar:
		h = bytesHead(bytes.TrimRight(v.Bytes[i], " "))
	default:
		h = 1 << 63
	}
	if k.Desc {
		h = ^h
	}
	return h
}

func bytesHead(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var buf [8]byte
	copy(buf[:], b)
	return binary.BigEndian.Uint64(buf[:])
}

func (s *sortOp) sortEntries() {
	slices.SortFunc(s.order, func(a, b sortEntry) int {
		if a.head != b.head {
			if a.head < b.head {
				return -1
			}
			return 1
		}
		ca, ia := s.store.at(int(a.row))
		cb, ib := s.store.at(int(b.row))
		if c := compareRows(ca.Cols, ia, cb.Cols, ib, s.n.Keys); c != 0 {
			return c
		}
		// Stable, as the order of equal rows had better not change from run to run.
		return int(a.row) - int(b.row)
	})
}

// compareRows orders two rows by keys.
func compareRows(a []*types.Vec, i int, b []*types.Vec, j int, keys []plan.POrder) int {
	for _, k := range keys {
		va, vb := a[k.Ord], b[k.Ord]
		an, bn := va.IsNull(i), vb.IsNull(j)
		if an || bn {
			if an == bn {
				continue
			}
			if an == k.NullsFirst {
				return -1
			}
			return 1
		}
		c := vecCompare(va, i, vb, j)
		if c == 0 {
			continue
		}
		if k.Desc {
			return -c
		}
		return c
	}
	return 0
}

// compact keeps only the rows in order.
func (s *sortOp) compact() error {
	kept := newRowStore(s.store.ts, s.r.c.Mem)
	tmp := newBatch(s.store.ts)
	for at := 0; at < len(s.order); at += types.BatchSize {
		part := s.order[at:min(at+types.BatchSize, len(s.order))]
		s.idx = s.idx[:0]
		for _, e := range part {
			s.idx = append(s.idx, e.row)
		}
		s.store.gather(tmp.Cols, s.cols, s.idx)
		tmp.N, tmp.Sel = len(part), nil
		if err := kept.add(tmp); err != nil {
			return err
		}
	}
	s.store.reset()
	s.store = kept
	for i := range s.order {
		s.order[i].row = uint32(i)
	}
	return nil
}
