package exec

import (
	"math"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// joinOutput assembles the rows of a join: pairs of a left row (a position in the current left
// batch) and a right row (a number in the right store), either of which may be missing.
type joinOutput struct {
	r      *run
	kind   plan.JoinKind
	on     []expr.Expr
	out    []int
	nLeft  int
	ts     []*types.T // left then right
	batch  *types.Batch
	pairs  *types.Batch // all columns of both sides, for On
	lIdx   []uint16
	rIdx   []uint32
	onCols []bool // columns that On refers to
	// lastL are the positions in the left batch that the rows returned last come from, nil for right rows alone.
	lastL []uint16
}

func newJoinOutput(r *run, kind plan.JoinKind, left, right []*types.T, on []expr.Expr, out []int) *joinOutput {
	j := &joinOutput{r: r, kind: kind, on: on, out: out, nLeft: len(left)}
	j.ts = append(append(j.ts, left...), right...)
	ts := make([]*types.T, len(out))
	for i, c := range out {
		ts[i] = j.ts[c]
	}
	j.batch = newBatch(ts)
	if len(on) > 0 {
		j.pairs = newBatch(j.ts)
		j.onCols = columnsOf(on, len(j.ts))
	}
	return j
}

// columnsOf marks the columns that expressions refer to; subqueries may refer to all.
func columnsOf(es []expr.Expr, n int) []bool {
	cols := make([]bool, n)
	for _, e := range es {
		expr.Walk(e, func(e expr.Expr) bool {
			switch e := e.(type) {
			case *expr.ColumnRef:
				cols[e.Ordinal] = true
			case *expr.Subquery:
				for i := range cols {
					cols[i] = true
				}
			}
			return true
		})
	}
	return cols
}

// gatherLeft fills dst with column c of the left batch at the positions in idx.
func gatherLeft(dst, src *types.Vec, idx []uint16) {
	dst.Init(src.T)
	dst.Resize(len(idx))
	switch src.T.Family {
	case types.FamInt, types.FamBool:
		for i, k := range idx {
			dst.Ints[i] = src.Ints[k]
		}
		if src.HasNulls {
			for i, k := range idx {
				if src.Nulls.Get(int(k)) {
					dst.SetNull(i)
				}
			}
		}
	default:
		for i, k := range idx {
			dst.CopyFrom(i, src, int(k))
		}
	}
}

func fillNull(dst *types.Vec, t *types.T, n int) {
	dst.Init(t)
	dst.Resize(n)
	for i := range n {
		dst.SetNull(i)
	}
}

// test evaluates On on the pairs collected and keeps those for which it is true: it returns their positions
// among the pairs.
func (j *joinOutput) test(left *types.Batch, right *rowStore) ([]uint16, error) {
	p := j.pairs
	p.N, p.Sel = len(j.lIdx), nil
	for c := range j.ts {
		if !j.onCols[c] {
			continue
		}
		if c < j.nLeft {
			gatherLeft(p.Cols[c], left.Cols[c], j.lIdx)
		} else {
			right.gather(p.Cols[c:c+1], []int{c - j.nLeft}, j.rIdx)
		}
	}
	if err := filterBatch(j.r.ec, j.on, p); err != nil {
		return nil, err
	}
	if p.Sel == nil {
		p.Sel = p.SelBuffer()
		for i := range p.N {
			p.Sel = append(p.Sel, uint16(i))
		}
	}
	return p.Sel, nil
}

// emit makes the output batch of the pairs (lIdx, rIdx).
func (j *joinOutput) emit(left *types.Batch, right *rowStore, lIdx []uint16, rIdx []uint32) *types.Batch {
	b := j.batch
	b.N, b.Sel, j.lastL = len(lIdx), nil, lIdx
	for o, c := range j.out {
		if c < j.nLeft {
			gatherLeft(b.Cols[o], left.Cols[c], lIdx)
		} else {
			right.gather(b.Cols[o:o+1], []int{c - j.nLeft}, rIdx)
		}
	}
	return b
}

// emitLeft makes a batch of left rows without a partner.
func (j *joinOutput) emitLeft(left *types.Batch, lIdx []uint16) *types.Batch {
	b := j.batch
	b.N, b.Sel, j.lastL = len(lIdx), nil, lIdx
	for o, c := range j.out {
		if c < j.nLeft {
			gatherLeft(b.Cols[o], left.Cols[c], lIdx)
		} else {
			fillNull(b.Cols[o], j.ts[c], len(lIdx))
		}
	}
	return b
}

// emitRight makes a batch of right rows without a partner.
func (j *joinOutput) emitRight(right *rowStore, rIdx []uint32) *types.Batch {
	b := j.batch
	b.N, b.Sel, j.lastL = len(rIdx), nil, nil
	for o, c := range j.out {
		if c < j.nLeft {
			fillNull(b.Cols[o], j.ts[c], len(rIdx))
		} else {
			right.gather(b.Cols[o:o+1], []int{c - j.nLeft}, rIdx)
		}
	}
	return b
}

// joinState drives a join over left batches against a store of right rows: candidates come from a
// callback, and the state applies On and the kind of the join.
type joinState struct {
	*joinOutput
	right *rowStore
	left  *types.Batch
	// matched has a bit per position of the left batch.
	matched types.Bitmap
	// used tells the right rows that found a partner (full joins).
	used []bool
	// k is the next selected left row, cand the next candidate of row k.
	k     int
	keepL []uint16
	keepR []uint32
	// Outer joins keep the order of the left side: a row without a partner comes out in its place. settled
	// counts the selected left rows that are done with, and queue holds what is still to be returned.
	settled int
	queueL  []uint16
	queueR  []uint32
}

// noPartner stands for the missing right row of an outer join.
const noPartner = math.MaxUint32

// begin starts on a left batch.
func (s *joinState) begin(b *types.Batch) {
	s.left, s.k, s.settled = b, 0, 0
	s.matched = types.Bitmap{}
}

// outer reports whether left rows without a partner are part of the result.
func (s *joinState) outer() bool { return s.kind == plan.LeftJoin || s.kind == plan.FullJoin }

// drain returns what is queued, a batch at a time; nil if nothing is.
func (s *joinState) drain() *types.Batch {
	n := min(len(s.queueL), types.BatchSize)
	if n == 0 {
		return nil
	}
	b := s.emit(s.left, s.right, s.queueL[:n], s.queueR[:n])
	s.queueL, s.queueR = s.queueL[n:], s.queueR[n:]
	return b
}

// settle queues the pairs of an outer join in the order of the left rows, and the left rows without partner among
// the first done.
func (s *joinState) settle(lIdx []uint16, rIdx []uint32, done int) {
	s.queueL, s.queueR = s.queueL[:0], s.queueR[:0]
	p := 0
	for ; s.settled < done; s.settled++ {
		i := uint16(s.left.RowAt(s.settled))
		if p == len(lIdx) || lIdx[p] != i {
			if !s.matched.Get(int(i)) {
				s.queueL, s.queueR = append(s.queueL, i), append(s.queueR, noPartner)
			}
			continue
		}
		for p < len(lIdx) && lIdx[p] == i {
			s.queueL, s.queueR = append(s.queueL, i), append(s.queueR, rIdx[p])
			p++
		}
	}
	s.queueL, s.queueR = append(s.queueL, lIdx[p:]...), append(s.queueR, rIdx[p:]...)
}

// flush turns the collected pairs into an output batch; nil if none is due. All candidates of the first done
// left rows have been seen.
func (s *joinState) flush(done int) (*types.Batch, error) {
	if len(s.lIdx) == 0 && !s.outer() {
		return nil, nil
	}
	if err := s.r.canceled(); err != nil {
		return nil, err // pairs may fail the condition for a long time
	}
	lIdx, rIdx := s.lIdx, s.rIdx
	if len(s.on) > 0 && len(lIdx) > 0 {
		sel, err := s.test(s.left, s.right)
		if err != nil {
			return nil, err
		}
		s.keepL, s.keepR = s.keepL[:0], s.keepR[:0]
		for _, p := range sel {
			s.keepL = append(s.keepL, lIdx[p])
			s.keepR = append(s.keepR, rIdx[p])
		}
		lIdx, rIdx = s.keepL, s.keepR
	}
	for _, l := range lIdx {
		s.matched.Set(int(l))
	}
	if s.used != nil {
		for _, r := range rIdx {
			s.used[r] = true
		}
	}
	if s.outer() {
		s.settle(lIdx, rIdx, done)
		s.lIdx, s.rIdx = s.lIdx[:0], s.rIdx[:0]
		return s.drain(), nil
	}
	s.lIdx, s.rIdx = s.lIdx[:0], s.rIdx[:0]
	if len(lIdx) == 0 || s.kind == plan.SemiJoin || s.kind == plan.AntiJoin {
		return nil, nil
	}
	return s.emit(s.left, s.right, lIdx, rIdx), nil
}

// leftovers returns the left rows of a semi join with a partner, of an anti join without one, after all
// candidates were seen.
func (s *joinState) leftovers() *types.Batch {
	if s.kind != plan.SemiJoin && s.kind != plan.AntiJoin {
		return nil
	}
	want := s.kind == plan.SemiJoin
	s.keepL = s.keepL[:0]
	for k, n := 0, s.left.Len(); k < n; k++ {
		i := s.left.RowAt(k)
		if s.matched.Get(i) == want {
			s.keepL = append(s.keepL, uint16(i))
		}
	}
	if len(s.keepL) == 0 {
		return nil
	}
	return s.emitLeft(s.left, s.keepL)
}

// hashJoinOp builds a table of the right side and probes it with the left.
type hashJoinOp struct {
	joinState
	n         *plan.PHashJoin
	leftOp    operator
	rightOp   operator
	table     *hashTable
	built     bool
	rightNull bool // a right key is NULL (NOT IN)
	hashes    [types.BatchSize]uint64
	keys      []*types.Vec
	owned     uint64
	chain     uint32 // next candidate of the current left row
	inRow     bool
	tail      int // next right row of a full join's end
	phase     int
	anyRight  bool
	// level is how often the input was divided already; spilled runs the join when the right side does not fit.
	level   int
	spilled *spilledJoin
}

func newHashJoin(r *run, n *plan.PHashJoin, left, right operator) *hashJoinOp {
	h := &hashJoinOp{n: n, leftOp: left, rightOp: right}
	h.joinState.joinOutput = newJoinOutput(r, n.Kind, n.Left.Phys().Types(), n.Right.Phys().Types(), n.On, n.Out)
	h.keys = make([]*types.Vec, len(n.LeftKeys))
	return h
}

func (h *hashJoinOp) Open() error {
	h.reset()
	h.built, h.phase, h.tail, h.left = false, 0, 0, nil
	h.lIdx, h.rIdx, h.queueL, h.queueR = h.lIdx[:0], h.rIdx[:0], nil, nil
	return h.leftOp.Open()
}

func (h *hashJoinOp) reset() {
	if h.left != nil {
		h.releaseKeys()
	}
	if h.right != nil {
		h.right.reset()
		h.right = nil
	}
	if h.spilled != nil {
		h.spilled.close()
		h.spilled = nil
	}
	h.table, h.used = nil, nil
	h.rightNull, h.anyRight = false, false
}

func (h *hashJoinOp) releaseKeys() {
	returnAll(h.r.ec, h.keys, h.owned)
	h.owned = 0
}

func (h *hashJoinOp) Close() {
	h.reset()
	h.leftOp.Close()
	h.rightOp.Close()
}

// build reads the right side. Key expressions that are not columns are stored behind the row.
func (h *hashJoinOp) build() error {
	if err := h.rightOp.Open(); err != nil {
		return err
	}
	ts := h.n.Right.Phys().Types()
	width := len(ts)
	var extra []expr.Expr
	keyCols := make([]int, len(h.n.RightKeys))
	for i, k := range h.n.RightKeys {
		if ref, ok := k.(*expr.ColumnRef); ok {
			keyCols[i] = ref.Ordinal
			continue
		}
		keyCols[i] = width + len(extra)
		extra = append(extra, k)
		ts = append(ts[:len(ts):len(ts)], k.Type())
	}
	h.right = newRowStore(ts, h.r.c.Mem)
	h.table = newHashTable(h.right, keyCols)
	cols := make([]*types.Vec, len(ts))
	keys := make([]*types.Vec, len(keyCols))
	keepNull := h.kind == plan.FullJoin
	for {
		b, err := h.rightOp.Next()
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		h.anyRight = true
		copy(cols, b.Cols)
		owned, err := evalAll(h.r.ec, extra, b, cols[width:])
		if err != nil {
			return err
		}
		for i, c := range keyCols {
			keys[i] = cols[c]
		}
		if !keepNull && dropNullKeys(b, keys) {
			h.rightNull = true
		}
		hashVecs(keys, b, h.hashes[:])
		if h.spilled != nil {
			err = h.spilled.addRight(cols[:width], b, h.hashes[:])
		} else {
			err = h.right.addVecs(cols, b)
		}
		if err == nil && h.spilled == nil {
			for k, n := 0, b.Len(); k < n && err == nil; k++ {
				err = h.table.link(h.hashes[b.RowAt(k)])
			}
		}
		returnAll(h.r.ec, cols[width:], owned)
		if err == nil && h.spilled == nil && h.right.held > h.r.workMemBytes() && h.level < maxSpillLevel {
			err = h.spill(width)
		}
		if err != nil {
			return err
		}
		if err := h.r.canceled(); err != nil {
			return err
		}
	}
	if h.kind == plan.FullJoin {
		h.used = make([]bool, h.right.len())
	}
	return nil
}

// dropNullKeys deselects rows with a NULL key, which match nothing, and reports whether there are any.
func dropNullKeys(b *types.Batch, keys []*types.Vec) bool {
	has := false
	for _, v := range keys {
		has = has || v.HasNulls
	}
	if !has {
		return false
	}
	found := false
	sel := b.SelBuffer()
rows:
	for k, n := 0, b.Len(); k < n; k++ {
		i := b.RowAt(k)
		for _, v := range keys {
			if v.IsNull(i) {
				found = true
				continue rows
			}
		}
		sel = append(sel, uint16(i))
	}
	b.Sel = sel
	return found
}

func (h *hashJoinOp) Next() (*types.Batch, error) {
	if !h.built {
		h.built = true
		if err := h.build(); err != nil {
			return nil, err
		}
	}
	if h.n.NullAware && h.rightNull {
		return nil, nil // x NOT IN (..., NULL, ...) is never true
	}
	if h.spilled != nil {
		return h.spilled.Next()
	}
	for h.phase == 0 {
		if h.left == nil {
			b, err := h.leftOp.Next()
			if err != nil {
				return nil, err
			}
			if b == nil {
				h.phase = 1
				break
			}
			if h.right.len() == 0 && (h.kind == plan.InnerJoin || h.kind == plan.SemiJoin) {
				return nil, nil
			}
			if err := h.begin(b); err != nil {
				return nil, err
			}
		}
		out, err := h.probe()
		if out != nil || err != nil {
			return out, err
		}
		if err := h.r.canceled(); err != nil {
			return nil, err
		}
	}
	if h.kind != plan.FullJoin {
		return nil, nil
	}
	h.rIdx = h.rIdx[:0]
	for h.tail < len(h.used) && len(h.rIdx) < types.BatchSize {
		if !h.used[h.tail] {
			h.rIdx = append(h.rIdx, uint32(h.tail))
		}
		h.tail++
	}
	if len(h.rIdx) == 0 {
		return nil, nil
	}
	return h.emitRight(h.right, h.rIdx), nil
}

// begin starts on a left batch.
func (h *hashJoinOp) begin(b *types.Batch) error {
	owned, err := evalAll(h.r.ec, h.n.LeftKeys, b, h.keys)
	if err != nil {
		return err
	}
	h.owned = owned
	if h.n.NullAware && h.anyRight {
		// A NULL on the left is neither in nor not in a list that has something.
		dropNullKeys(b, h.keys)
	}
	hashVecs(h.keys, b, h.hashes[:])
	h.joinState.begin(b)
	h.inRow = false
	return nil
}

// probe goes on with the current left batch until there is something to return.
func (h *hashJoinOp) probe() (*types.Batch, error) {
	if b := h.drain(); b != nil {
		return b, nil
	}
	n := h.left.Len()
	first := h.kind == plan.SemiJoin || h.kind == plan.AntiJoin
	single := first && len(h.on) == 0
	for h.k < n {
		i := h.left.RowAt(h.k)
		if !h.inRow {
			h.chain, h.inRow = h.table.first(h.hashes[i]), true
			for _, v := range h.keys {
				if v.HasNulls && v.Nulls.Get(i) {
					h.chain = noRow
				}
			}
		}
		for h.chain != noRow {
			r := h.chain - 1
			h.chain = h.table.next[r]
			if !h.table.match(r, h.hashes[i], h.keys, i) {
				continue
			}
			if single {
				h.matched.Set(i)
				h.chain = noRow
				break
			}
			h.lIdx, h.rIdx = append(h.lIdx, uint16(i)), append(h.rIdx, r)
			if len(h.lIdx) == types.BatchSize {
				out, err := h.flush(h.k)
				if out != nil || err != nil {
					return out, err
				}
				if first && h.matched.Get(i) {
					h.chain = noRow
				}
			}
		}
		h.k++
		h.inRow = false
	}
	if h.settled < n || len(h.lIdx) > 0 {
		out, err := h.flush(n)
		if out != nil || err != nil {
			return out, err
		}
	}
	out := h.leftovers()
	h.releaseKeys()
	h.left = nil
	return out, nil
}

// nestLoopOp joins each left row with all right rows.
type nestLoopOp struct {
	joinState
	n               *plan.PNestLoop
	leftOp, rightOp operator
	built           bool
	rNext           int
	tail            int
	phase           int
	row             types.Row
	// Lateral: rows of the right side for the current left row.
	running bool
}

func newNestLoop(r *run, n *plan.PNestLoop, left, right operator) *nestLoopOp {
	l := &nestLoopOp{n: n, leftOp: left, rightOp: right}
	l.joinState.joinOutput = newJoinOutput(r, n.Kind, n.Left.Phys().Types(), n.Right.Phys().Types(), n.On, n.Out)
	return l
}

func (l *nestLoopOp) Open() error {
	if l.right != nil {
		l.right.reset()
		l.right = nil
	}
	l.built, l.phase, l.tail, l.left, l.used, l.running = false, 0, 0, nil, nil, false
	l.lIdx, l.rIdx, l.queueL, l.queueR = l.lIdx[:0], l.rIdx[:0], nil, nil
	return l.leftOp.Open()
}

func (l *nestLoopOp) Close() {
	if l.right != nil {
		l.right.reset()
	}
	l.leftOp.Close()
	l.rightOp.Close()
}

// fill reads the right side into the store.
func (l *nestLoopOp) fill() error {
	if l.right == nil {
		l.right = newRowStore(l.n.Right.Phys().Types(), l.r.c.Mem)
	} else {
		l.right.reset()
	}
	if err := l.rightOp.Open(); err != nil {
		return err
	}
	for {
		b, err := l.rightOp.Next()
		if b == nil || err != nil {
			return err
		}
		if err := l.right.add(b); err != nil {
			return err
		}
		if err := l.r.canceled(); err != nil {
			return err
		}
	}
}

// fillFor runs a lateral right side for the left row at position i.
func (l *nestLoopOp) fillFor(i int) error {
	l.row = l.left.ReadRow(l.row[:0], i)
	ec := l.r.ec
	ec.Outer = append(ec.Outer, l.row)
	err := l.fill()
	ec.Outer = ec.Outer[:len(ec.Outer)-1]
	return err
}

func (l *nestLoopOp) Next() (*types.Batch, error) {
	if !l.built && !l.n.Lateral {
		if err := l.fill(); err != nil {
			return nil, err
		}
		if l.kind == plan.FullJoin {
			l.used = make([]bool, l.right.len())
		}
	}
	l.built = true
	for l.phase == 0 {
		if l.left == nil {
			b, err := l.leftOp.Next()
			if err != nil {
				return nil, err
			}
			if b == nil {
				l.phase = 1
				break
			}
			l.begin(b)
			l.rNext, l.running = 0, false
		}
		out, err := l.step()
		if out != nil || err != nil {
			return out, err
		}
	}
	if l.kind != plan.FullJoin {
		return nil, nil
	}
	l.rIdx = l.rIdx[:0]
	for l.tail < len(l.used) && len(l.rIdx) < types.BatchSize {
		if !l.used[l.tail] {
			l.rIdx = append(l.rIdx, uint32(l.tail))
		}
		l.tail++
	}
	if len(l.rIdx) == 0 {
		return nil, nil
	}
	return l.emitRight(l.right, l.rIdx), nil
}

func (l *nestLoopOp) step() (*types.Batch, error) {
	if b := l.drain(); b != nil {
		return b, nil
	}
	n := l.left.Len()
	first := l.kind == plan.SemiJoin || l.kind == plan.AntiJoin
	for l.k < n {
		i := l.left.RowAt(l.k)
		if l.n.Lateral && !l.running {
			if err := l.fillFor(i); err != nil {
				return nil, err
			}
			l.running, l.rNext = true, 0
		}
		for l.rNext < l.right.len() {
			l.lIdx, l.rIdx = append(l.lIdx, uint16(i)), append(l.rIdx, uint32(l.rNext))
			l.rNext++
			if len(l.lIdx) == types.BatchSize {
				out, err := l.flush(l.k)
				if err == nil {
					err = l.r.canceled()
				}
				if out != nil || err != nil {
					return out, err
				}
				if first && l.matched.Get(i) {
					l.rNext = l.right.len()
				}
			}
		}
		l.k++
		l.rNext, l.running = 0, false
		if l.n.Lateral || first {
			// The store changes with the next row, or the row may be decided. What is queued must be
			// out before.
			out, err := l.flush(l.k)
			if out != nil || err != nil {
				return out, err
			}
		}
	}
	if l.settled < n || len(l.lIdx) > 0 {
		out, err := l.flush(n)
		if out != nil || err != nil {
			return out, err
		}
	}
	out := l.leftovers()
	l.left = nil
	return out, nil
}
