package exec

import (
	"math"

	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// spilledJoin is a hash join whose right side is larger than work_mem: a Grace hash join (Kitsuregawa et al., 1983).
// Both sides are divided into files by the hash of the keys, and the files are joined pair by pair.
//
// A hash join keeps the order of its left side, on which the plan may rely. So left rows are numbered, what comes of
// a pair of files is written to a third one with the numbers, and the results are merged by them.
type spilledJoin struct {
	h     *hashJoinOp
	right parts
	left  parts
	out   []*spillRun
	heads []*types.Batch // the next row of each result
	batch *types.Batch
	done  bool
	// lastSeq are the numbers of the rows returned last.
	lastSeq []int64
	// seqs are the numbers of the left rows that the join of a pair reads at present.
	seqs []int64
}

// spill turns the rows read so far over to files.
func (h *hashJoinOp) spill(width int) error {
	h.spilled = &spilledJoin{h: h}
	for i, hash := range h.table.hashes {
		c, k := h.right.at(i)
		if err := h.spilled.right.write(h.r, hash, h.level, c.Cols[:width], k); err != nil {
			return err
		}
	}
	h.right.reset()
	h.table = nil
	return nil
}

// addRight writes a batch of the right side.
func (s *spilledJoin) addRight(cols []*types.Vec, b *types.Batch, hashes []uint64) error {
	for k, n := 0, b.Len(); k < n; k++ {
		i := b.RowAt(k)
		if err := s.right.write(s.h.r, hashes[i], s.h.level, cols, i); err != nil {
			return err
		}
	}
	return nil
}

// join divides the left side and joins the parts.
func (s *spilledJoin) join() error {
	if err := s.divideLeft(); err != nil {
		return err
	}
	outTypes := []*types.T{types.Int8}
	for _, v := range s.h.batch.Cols {
		outTypes = append(outTypes, v.T)
	}
	for p := range spillParts {
		if err := s.joinPart(p, outTypes); err != nil {
			return err
		}
	}
	s.batch = newBatch(outTypes[1:])
	for _, run := range s.out {
		if err := run.rewind(); err != nil {
			return err
		}
		head := newBatch(outTypes)
		if _, err := run.read(head, s.h.r.ec.Settings); err != nil {
			return err
		}
		s.heads = append(s.heads, head)
	}
	return nil
}

func (s *spilledJoin) divideLeft() error {
	h := s.h
	seq := types.NewVec(types.Int8)
	seq.Resize(types.BatchSize)
	next := int64(0)
	outer, _ := h.leftOp.(*numberedReader) // a part that is divided again: its rows have numbers
	for {
		b, err := h.leftOp.Next()
		if b == nil || err != nil {
			return err
		}
		if err := h.begin(b); err != nil {
			return err
		}
		cols := append([]*types.Vec{seq}, b.Cols...)
		for k, n := 0, b.Len(); k < n && err == nil; k++ {
			i := b.RowAt(k)
			seq.Ints[i] = next
			next++
			if outer != nil {
				seq.Ints[i] = outer.s.seqs[i]
			}
			err = s.left.write(h.r, h.hashes[i], h.level, cols, i)
		}
		h.releaseKeys()
		h.left = nil
		if err != nil {
			return err
		}
		if err := h.r.canceled(); err != nil {
			return err
		}
	}
}

// joinPart joins a pair of files.
func (s *spilledJoin) joinPart(p int, outTypes []*types.T) error {
	h := s.h
	for _, side := range []*parts{&s.left, &s.right} {
		if side[p] == nil {
			run, err := h.r.newSpillRun(0)
			if err != nil {
				return err
			}
			side[p] = run
		}
	}
	if s.left[p].rows == 0 && (s.right[p].rows == 0 || h.kind != plan.FullJoin) {
		return nil
	}
	left := &numberedReader{s: s, spillReader: spillReader{r: h.r, run: s.left[p], b: newBatch(append([]*types.T{types.Int8}, h.n.Left.Phys().Types()...))}}
	right := &spillReader{r: h.r, run: s.right[p], b: newBatch(h.n.Right.Phys().Types())}
	sub := newHashJoin(h.r, h.n, left, right)
	sub.level = h.level + 1
	defer sub.Close()
	if err := sub.Open(); err != nil {
		return err
	}
	out, err := h.r.newSpillRun(partBufferBytes)
	if err != nil {
		return err
	}
	s.out = append(s.out, out)
	seq := types.NewVec(types.Int8)
	seq.Resize(types.BatchSize)
	for {
		b, err := sub.Next()
		if b == nil || err != nil {
			return err
		}
		cols := append([]*types.Vec{seq}, b.Cols...)
		for k, n := 0, b.Len(); k < n; k++ {
			i := b.RowAt(k)
			switch {
			case sub.spilled != nil:
				seq.Ints[i] = sub.spilled.lastSeq[k]
			case sub.lastL == nil:
				seq.Ints[i] = math.MaxInt64 // the unmatched right rows of a full join come last
			default:
				seq.Ints[i] = s.seqs[sub.lastL[i]]
			}
			if err := out.write(cols, i); err != nil {
				return err
			}
		}
		if err := h.r.canceled(); err != nil {
			return err
		}
	}
}

// numberedReader reads left rows without their numbers, which it leaves with the join.
type numberedReader struct {
	spillReader
	s    *spilledJoin
	rows types.Batch
}

func (r *numberedReader) Next() (*types.Batch, error) {
	b, err := r.spillReader.Next()
	if b == nil || err != nil {
		return nil, err
	}
	r.s.seqs = b.Cols[0].Ints
	r.rows.Cols, r.rows.N, r.rows.Sel = b.Cols[1:], b.N, nil
	return &r.rows, nil
}

// Next merges the results by the numbers of the left rows.
func (s *spilledJoin) Next() (*types.Batch, error) {
	if !s.done {
		s.done = true
		if err := s.join(); err != nil {
			return nil, err
		}
	}
	s.batch.Reset()
	s.lastSeq = s.lastSeq[:0]
	for s.batch.N < types.BatchSize {
		best := -1
		for i, head := range s.heads {
			if head.N > 0 && (best < 0 || head.Cols[0].Ints[0] < s.heads[best].Cols[0].Ints[0]) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		head := s.heads[best]
		s.lastSeq = append(s.lastSeq, head.Cols[0].Ints[0])
		for c, v := range s.batch.Cols {
			v.AppendCopy(head.Cols[c+1].Get(0))
		}
		s.batch.N++
		if _, err := s.out[best].read(head, s.h.r.ec.Settings); err != nil {
			return nil, err
		}
	}
	if s.batch.N == 0 {
		return nil, nil
	}
	return s.batch, nil
}

func (s *spilledJoin) close() {
	s.left.close()
	s.right.close()
	for _, run := range s.out {
		run.close()
	}
}
