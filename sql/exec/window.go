package exec

import (
	"sort"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// windowOp computes window functions over input sorted by partition and order. It keeps one partition
// at a time.
type windowOp struct {
	r     *run
	in    operator
	n     *plan.PWindow
	funcs []*windowFunc
	part  *rowStore
	b     *types.Batch // the input batch in progress
	k     int
	eof   bool
	next  int // next row of the partition to return
	out   *types.Batch
	idx   []uint32
	cols  []int
	inTs  []*types.T

	// Peers of the current row, and per row the number of its peer group.
	peerStart, peerEnd int
	groups             []int // first rows of the peer groups, for GROUPS frames
}

// windowFunc is one function with its frame in the current partition.
type windowFunc struct {
	w      *windowOp
	n      *plan.PWindowFunc
	eval   expr.WindowEval
	state  expr.AggState
	args   *rowStore // evaluated arguments of the partition
	argT   []*types.T
	row    int
	offset [2]types.Datum
	// The frame is [start, end) less the exclusion.
	start, end         int
	exclStart, exclEnd int
	tieRow             int // with EXCLUDE TIES, the current row inside of the excluded peers; -1
	// Incremental aggregation: the rows [aggStart, aggEnd) have been added.
	aggStart, aggEnd int
	filter           []bool
	inRange          *rangeFrame
}

func newWindow(r *run, in operator, n *plan.PWindow) *windowOp {
	w := &windowOp{r: r, in: in, n: n, out: newBatch(n.Types()), inTs: n.Input.Phys().Types()}
	for i := range w.inTs {
		w.cols = append(w.cols, i)
	}
	for i := range n.Funcs {
		f := &windowFunc{w: w, n: &n.Funcs[i]}
		for _, a := range f.n.Call.Call.Args {
			f.argT = append(f.argT, a.Type())
		}
		w.funcs = append(w.funcs, f)
	}
	return w
}

func (w *windowOp) Open() error {
	w.reset()
	w.b, w.eof, w.next = nil, false, 0
	for _, f := range w.funcs {
		for i, e := range f.n.Offset {
			if e == nil {
				continue
			}
			d, err := e.Eval(w.r.ec, nil)
			if err != nil {
				return err
			}
			which := [...]string{"starting", "ending"}[i]
			if d.IsNull() {
				return sqlstate.New(sqlstate.NullValueNotAllowed, "frame %s offset must not be null", which)
			}
			if f.n.Frame.Mode != uint8(ast.FrameRange) && d.Int() < 0 {
				return sqlstate.New(sqlstate.InvalidPrecedingFollowing, "frame %s offset must not be negative", which)
			}
			f.offset[i] = d
		}
		if f.n.Frame.Mode == uint8(ast.FrameRange) && (f.n.Offset[0] != nil || f.n.Offset[1] != nil) {
			var err error
			if f.inRange, err = newRangeFrame(w, f); err != nil {
				return err
			}
		}
	}
	return w.in.Open()
}

func (w *windowOp) reset() {
	if w.part != nil {
		w.part.reset()
	}
	for _, f := range w.funcs {
		if f.args != nil {
			f.args.reset()
		}
	}
}

func (w *windowOp) Close() {
	w.reset()
	w.in.Close()
}

func (w *windowOp) Next() (*types.Batch, error) {
	for w.part == nil || w.next >= w.part.len() {
		ok, err := w.partition()
		if !ok || err != nil {
			return nil, err
		}
	}
	n := min(types.BatchSize, w.part.len()-w.next)
	w.idx = w.idx[:0]
	for i := range n {
		w.idx = append(w.idx, uint32(w.next+i))
	}
	w.out.Reset()
	w.part.gather(w.out.Cols[:len(w.cols)], w.cols, w.idx)
	for i := range n {
		w.peers(w.next + i)
		for x, f := range w.funcs {
			d, err := f.value(w.next + i)
			if err != nil {
				return nil, err
			}
			w.out.Cols[len(w.cols)+x].AppendCopy(d)
		}
		if i&255 == 255 {
			if err := w.r.canceled(); err != nil {
				return nil, err
			}
		}
	}
	w.next += n
	w.out.N, w.out.Sel = n, nil
	return w.out, nil
}

// partition reads the next partition.
func (w *windowOp) partition() (bool, error) {
	w.reset()
	w.part, w.next = newRowStore(w.inTs, w.r.c.Mem), 0
	for {
		if w.b == nil {
			if w.eof {
				break
			}
			b, err := w.in.Next()
			if err != nil {
				return false, err
			}
			if b == nil {
				w.eof = true
				break
			}
			w.b, w.k = b, 0
		}
		from := w.k
		for w.k < w.b.Len() && w.samePartition(from) {
			w.k++
		}
		if w.k > from {
			one := types.Batch{Cols: w.b.Cols, N: w.b.N, Sel: w.b.Sel}
			sliceBatch(&one, from, w.k)
			if err := w.part.add(&one); err != nil {
				return false, err
			}
		}
		if w.k < w.b.Len() {
			break
		}
		w.b = nil
	}
	if w.part.len() == 0 {
		return false, nil
	}
	w.peerStart, w.peerEnd = 0, 0
	w.groups = nil
	for _, f := range w.funcs {
		if err := f.begin(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// samePartition reports whether row w.k of the batch belongs to the partition being read, whose first
// row is in the store or is row from of the batch.
func (w *windowOp) samePartition(from int) bool {
	i := w.b.RowAt(w.k)
	cols, j := w.b.Cols, w.b.RowAt(from)
	if w.part.len() > 0 {
		c, k := w.part.at(0)
		cols, j = c.Cols, k
	}
	for _, p := range w.n.Partition {
		if !vecEqual(w.b.Cols[p], i, cols[p], j) {
			return false
		}
	}
	return true
}

func (w *windowOp) samePeer(i, j int) bool {
	a, x := w.part.at(i)
	b, y := w.part.at(j)
	for _, k := range w.n.OrderBy {
		if !vecEqual(a.Cols[k.Ord], x, b.Cols[k.Ord], y) {
			return false
		}
	}
	return true
}

// peers sets the peer group of a row; rows come in order.
func (w *windowOp) peers(i int) {
	if i < w.peerEnd && i >= w.peerStart && w.peerEnd > 0 {
		return
	}
	w.peerStart = i
	w.peerEnd = i + 1
	for w.peerEnd < w.part.len() && w.samePeer(i, w.peerEnd) {
		w.peerEnd++
	}
}

// groupStarts lists where peer groups begin, the end of the partition last.
func (w *windowOp) groupStarts() []int {
	if w.groups == nil {
		for i := range w.part.len() {
			if i == 0 || !w.samePeer(i-1, i) {
				w.groups = append(w.groups, i)
			}
		}
		w.groups = append(w.groups, w.part.len())
	}
	return w.groups
}

// begin starts a partition: evaluates the arguments of all its rows.
func (f *windowFunc) begin() error {
	ec := f.w.r.ec
	call := f.n.Call.Call
	f.args = newRowStore(f.argT, f.w.r.c.Mem)
	f.filter = f.filter[:0]
	reader := storeReader{s: f.w.part}
	vecs := make([]*types.Vec, len(call.Args))
	for b := reader.Next(); b != nil; b = reader.Next() {
		if len(vecs) > 0 {
			owned, err := evalAll(ec, call.Args, b, vecs)
			if err != nil {
				return err
			}
			err = f.args.addVecs(vecs, b)
			returnAll(ec, vecs, owned)
			if err != nil {
				return err
			}
		}
		if f.n.Call.Filter != nil {
			v, owned, err := expr.EvalVec(ec, f.n.Call.Filter, b)
			if err != nil {
				return err
			}
			for i := range b.N {
				f.filter = append(f.filter, !v.IsNull(i) && v.Ints[i] != 0)
			}
			if owned {
				ec.ReturnVec(v)
			}
		}
	}
	f.aggStart, f.aggEnd = 0, 0
	if call.Fn.Kind == expr.WindowFunction {
		f.eval = call.Fn.Window(call)
		f.eval.Begin()
		return nil
	}
	f.state = call.Fn.Agg(call)
	f.state.Grow(1)
	return nil
}

// value computes the function for a row.
func (f *windowFunc) value(row int) (types.Datum, error) {
	f.row = row
	if err := f.setFrame(); err != nil {
		return types.Null, err
	}
	if f.eval != nil {
		return f.eval.Eval(f.w.r.ec, f)
	}
	return f.aggregate()
}

// aggregate computes an aggregate over the frame, going on from the previous row's frame if it only grew.
func (f *windowFunc) aggregate() (types.Datum, error) {
	if f.start != f.aggStart || f.end < f.aggEnd || f.exclStart < f.exclEnd {
		f.state.Reset(0)
		f.aggStart, f.aggEnd = f.start, f.start
	}
	args := make([]types.Datum, len(f.argT))
	for i := f.aggEnd; i < f.end; i++ {
		if f.excluded(i) || f.n.Call.Filter != nil && !f.filter[i] {
			continue
		}
		for a := range args {
			args[a] = f.args.get(i, a)
		}
		if err := f.state.Add(f.w.r.ec, 0, args); err != nil {
			return types.Null, err
		}
	}
	f.aggEnd = max(f.aggEnd, f.end)
	if f.exclStart < f.exclEnd {
		f.aggStart = -1 // start anew for the next row
	}
	return f.state.Result(f.w.r.ec, 0)
}

func (f *windowFunc) excluded(i int) bool {
	return i >= f.exclStart && i < f.exclEnd && i != f.tieRow
}

// setFrame computes the frame of the current row.
func (f *windowFunc) setFrame() error {
	w := f.w
	n := w.part.len()
	fr := f.n.Frame
	var err error
	switch ast.BoundKind(fr.Start) {
	case ast.UnboundedPreceding:
		f.start = 0
	case ast.CurrentRow:
		f.start = f.row
		if fr.Mode != uint8(ast.FrameRows) {
			f.start = w.peerStart
		}
	default:
		if f.start, err = f.bound(0, ast.BoundKind(fr.Start) == ast.OffsetPreceding, true); err != nil {
			return err
		}
	}
	switch ast.BoundKind(fr.End) {
	case ast.UnboundedFollowing:
		f.end = n
	case ast.CurrentRow:
		f.end = f.row + 1
		if fr.Mode != uint8(ast.FrameRows) {
			f.end = w.peerEnd
		}
	default:
		if f.end, err = f.bound(1, ast.BoundKind(fr.End) == ast.OffsetPreceding, false); err != nil {
			return err
		}
	}
	f.start = min(max(f.start, 0), n)
	f.end = min(max(f.end, f.start), n)
	f.exclStart, f.exclEnd, f.tieRow = 0, 0, -1
	switch ast.FrameExclusion(fr.Exclude) {
	case ast.ExcludeCurrentRow:
		f.exclStart, f.exclEnd = f.row, f.row+1
	case ast.ExcludeGroup:
		f.exclStart, f.exclEnd = w.peerStart, w.peerEnd
	case ast.ExcludeTies:
		f.exclStart, f.exclEnd, f.tieRow = w.peerStart, w.peerEnd, f.row
	}
	return nil
}

// bound is a frame end at an offset: for the start the first row of the frame, for the end the row after the last.
func (f *windowFunc) bound(which int, preceding, start bool) (int, error) {
	switch ast.FrameMode(f.n.Frame.Mode) {
	case ast.FrameRows:
		off := f.offset[which].Int()
		if preceding {
			off = -off
		}
		pos := int64(f.row) + off
		if !start {
			pos++
		}
		return int(min(max(pos, 0), int64(f.w.part.len()))), nil
	case ast.FrameGroups:
		starts := f.w.groupStarts()
		g := sort.SearchInts(starts, f.row+1) - 1
		off := int(min(f.offset[which].Int(), int64(len(starts))))
		if preceding {
			g -= off
		} else {
			g += off
		}
		if !start {
			g++
		}
		return starts[min(max(g, 0), len(starts)-1)], nil
	}
	return f.inRange.bound(f, which, preceding, start)
}

// Rows implements expr.WindowFrame.
func (f *windowFunc) Rows() int { return f.w.part.len() }

// Row implements expr.WindowFrame.
func (f *windowFunc) Row() int { return f.row }

// Arg implements expr.WindowFrame.
func (f *windowFunc) Arg(_ *expr.EvalContext, arg, row int) (types.Datum, error) {
	return f.args.get(row, arg), nil
}

// Peers implements expr.WindowFrame.
func (f *windowFunc) Peers() (start, end int) { return f.w.peerStart, f.w.peerEnd }

// FrameLen implements expr.WindowFrame.
func (f *windowFunc) FrameLen() int {
	n := f.end - f.start
	lo, hi := max(f.start, f.exclStart), min(f.end, f.exclEnd)
	if lo < hi {
		n -= hi - lo
		if f.tieRow >= lo && f.tieRow < hi {
			n++
		}
	}
	return n
}

// FrameRow implements expr.WindowFrame.
func (f *windowFunc) FrameRow(i int) int {
	if f.exclStart >= f.exclEnd {
		return f.start + i
	}
	for r := f.start; r < f.end; r++ {
		if f.excluded(r) {
			continue
		}
		if i == 0 {
			return r
		}
		i--
	}
	return -1
}

// rangeFrame finds the ends of RANGE frames with an offset: the rows whose key is within the offset
// of the current row's.
type rangeFrame struct {
	key  plan.POrder
	plus [2]expr.Expr // current key + or - offset, over (key, offset)
}

func newRangeFrame(w *windowOp, f *windowFunc) (*rangeFrame, error) {
	if len(w.n.OrderBy) != 1 {
		return nil, internalError("RANGE frame without a single sort key")
	}
	rf := &rangeFrame{key: w.n.OrderBy[0]}
	for i, e := range f.n.Offset {
		if e == nil {
			continue
		}
		kt := w.inTs[rf.key.Ord]
		switch kt.Family {
		case types.FamInt:
			if e.Type().Family == types.FamInt {
				continue
			}
		case types.FamFloat:
			continue
		}
		if w.n.RangeArith == nil {
			return nil, sqlstate.Unsupported("RANGE with an offset for type %s", kt)
		}
		preceding := i == 0 && ast.BoundKind(f.n.Frame.Start) == ast.OffsetPreceding || i == 1 && ast.BoundKind(f.n.Frame.End) == ast.OffsetPreceding
		if preceding != rf.key.Desc {
			rf.plus[i] = w.n.RangeArith[0]
		} else {
			rf.plus[i] = w.n.RangeArith[1]
		}
	}
	return rf, nil
}

func (rf *rangeFrame) bound(f *windowFunc, which int, preceding, start bool) (int, error) {
	w := f.w
	n := w.part.len()
	cur := w.part.get(f.row, rf.key.Ord)
	if cur.IsNull() {
		// NULLs are each other's peers and nothing else is in range.
		if start {
			return w.peerStart, nil
		}
		return w.peerEnd, nil
	}
	limit, err := rf.limit(f, cur, which, preceding)
	if err != nil {
		return 0, err
	}
	// The rows that are not NULL are one block in order; find the first with key >= limit (start) or > limit (end).
	lo, hi := 0, n
	for lo < hi && w.part.get(lo, rf.key.Ord).IsNull() {
		lo++
	}
	for hi > lo && w.part.get(hi-1, rf.key.Ord).IsNull() {
		hi--
	}
	return lo + sort.Search(hi-lo, func(i int) bool {
		c := types.Compare(w.part.get(lo+i, rf.key.Ord), limit)
		if rf.key.Desc {
			c = -c
		}
		if start {
			return c >= 0
		}
		return c > 0
	}), nil
}

// limit is the key of the current row moved by the offset.
func (rf *rangeFrame) limit(f *windowFunc, cur types.Datum, which int, preceding bool) (types.Datum, error) {
	off := f.offset[which]
	minus := preceding != rf.key.Desc
	negative := func() error {
		return sqlstate.New(sqlstate.InvalidPrecedingFollowing, "invalid preceding or following size in window function")
	}
	if rf.plus[which] != nil {
		return rf.plus[which].Eval(f.w.r.ec, types.Row{cur, off})
	}
	switch cur.Family() {
	case types.FamInt:
		if off.Int() < 0 {
			return types.Null, negative()
		}
		x, d := cur.Int(), off.Int()
		if minus {
			if x < -1<<63+d {
				return types.NewInt(-1 << 63), nil
			}
			return types.NewInt(x - d), nil
		}
		if x > 1<<63-1-d {
			return types.NewInt(1<<63 - 1), nil
		}
		return types.NewInt(x + d), nil
	}
	if off.Float() < 0 {
		return types.Null, negative()
	}
	if minus {
		return types.NewFloat(cur.Float() - off.Float()), nil
	}
	return types.NewFloat(cur.Float() + off.Float()), nil
}
