package exec

import (
	"slices"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// aggOp groups and aggregates. Plain and hashed aggregation read everything first; sorted
// aggregation emits a group when the next one begins.
type aggOp struct {
	r    *run
	in   operator
	n    *plan.PAggregate
	aggs []*aggregator

	keyTs    []*types.T
	outKeys  int // how many of the keys are part of the output
	table    *hashTable
	setID    *types.Vec // the grouping set's mask of keys left out, for GROUPING
	setNo    *types.Vec // the grouping set's number as a key: a set may be there twice
	nullKeys []*types.Vec
	groups   [types.BatchSize]uint32
	hashes   [types.BatchSize]uint64
	out      *types.Batch
	n1       int // groups
	next     int
	done     bool
	sel      []uint16

	// Hashed aggregation beyond work_mem (spill_aggregate.go).
	spill   *aggSpill
	waiting []aggPart

	// Sorted aggregation.
	cur     int // group number of the group in progress, -1 if none
	pending []uint32
	curKey  *rowStore
	eof     bool
}

// aggregator is one aggregate with its states.
type aggregator struct {
	n     *plan.PAgg
	state expr.AggState
	args  []*types.Vec
	// seen has the argument rows of each group for DISTINCT.
	seen *hashTable
	// rows are the buffered inputs of an aggregate with ORDER BY: group, order keys, arguments.
	rows *rowStore
	size int64
}

func newAgg(r *run, in operator, n *plan.PAggregate) *aggOp {
	a := &aggOp{r: r, in: in, n: n, out: newBatch(n.Types())}
	for _, k := range n.Keys {
		a.keyTs = append(a.keyTs, k.Type())
	}
	if n.GroupingID {
		a.keyTs = append(a.keyTs, types.Int8)
	}
	a.outKeys = len(a.keyTs)
	if n.Sets != nil {
		a.keyTs = append(a.keyTs, types.Int8)
	}
	for i := range n.Aggs {
		a.aggs = append(a.aggs, &aggregator{n: &n.Aggs[i]})
	}
	return a
}

func (a *aggOp) Open() error {
	a.reset()
	a.closeParts()
	a.begin()
	return a.in.Open()
}

// begin makes empty states.
func (a *aggOp) begin() {
	a.n1, a.next, a.done, a.cur, a.eof, a.curKey = 0, 0, false, -1, false, nil
	for _, g := range a.aggs {
		g.state = g.n.Call.Fn.Agg(g.n.Call)
		if g.n.Distinct {
			ts := []*types.T{types.Int8}
			keys := []int{0}
			for i, x := range g.n.Call.Args {
				ts = append(ts, x.Type())
				keys = append(keys, i+1)
			}
			g.seen = newHashTable(newRowStore(ts, a.r.c.Mem), keys)
		}
		if len(g.n.OrderBy) > 0 {
			ts := []*types.T{types.Int8}
			for _, o := range g.n.OrderBy {
				ts = append(ts, o.Expr.Type())
			}
			for _, x := range g.n.Call.Args {
				ts = append(ts, x.Type())
			}
			g.rows = newRowStore(ts, a.r.c.Mem)
		}
	}
}

func (a *aggOp) reset() {
	if a.table != nil {
		a.table.store.reset()
		a.table = nil
	}
	for _, g := range a.aggs {
		if g.seen != nil {
			g.seen.store.reset()
			g.seen = nil
		}
		if g.rows != nil {
			g.rows.reset()
			g.rows = nil
		}
		a.r.c.Mem.Shrink(g.size)
		g.size = 0
		g.state = nil
	}
}

func (a *aggOp) Close() {
	a.reset()
	a.closeParts()
	a.in.Close()
}

func (a *aggOp) Next() (*types.Batch, error) {
	for {
		b, err := a.emit()
		if b == nil || err != nil {
			return nil, err
		}
		if err := filterBatch(a.r.ec, a.n.Having, b); err != nil {
			return nil, err
		}
		if b.Len() > 0 {
			return b, nil
		}
	}
}

func (a *aggOp) emit() (*types.Batch, error) {
	if a.n.Strategy == plan.AggSorted {
		return a.emitSorted()
	}
	if !a.done {
		a.done = true
		if err := a.consume(a.in); err != nil {
			return nil, err
		}
		for _, g := range a.aggs {
			if err := a.finishOrdered(g); err != nil {
				return nil, err
			}
		}
	}
	n := min(a.n1-a.next, types.BatchSize)
	if n <= 0 {
		if more, err := a.nextPart(); !more || err != nil {
			return nil, err
		}
		return a.emit()
	}
	a.out.Reset()
	for c := range a.outKeys {
		dst := a.out.Cols[a.keyColumn(c)]
		dst.Resize(n)
		for i := range n {
			chunk, k := a.table.store.at(a.next + i)
			dst.CopyFrom(i, chunk.Cols[c], k)
		}
	}
	if err := a.results(a.next, n); err != nil {
		return nil, err
	}
	a.out.N = n
	a.next += n
	return a.out, nil
}

// keyColumn is the output position of key c; the grouping id comes last.
func (a *aggOp) keyColumn(c int) int {
	if c < len(a.n.Keys) {
		return c
	}
	return len(a.n.Keys) + len(a.aggs)
}

// results fills the aggregates' columns for groups from on.
func (a *aggOp) results(from, n int) error {
	for x, g := range a.aggs {
		dst := a.out.Cols[len(a.n.Keys)+x]
		dst.Resize(n)
		for i := range n {
			d, err := g.state.Result(a.r.ec, from+i)
			if err != nil {
				return err
			}
			dst.Set(i, d)
		}
	}
	return nil
}

// consume reads the whole input.
func (a *aggOp) consume(in operator) error {
	plain := len(a.n.Keys) == 0 && a.n.Sets == nil
	if plain {
		a.n1 = 1
		for _, g := range a.aggs {
			g.state.Grow(1)
		}
	} else {
		keys := make([]int, len(a.keyTs))
		for i := range keys {
			keys[i] = i
		}
		a.table = newHashTable(newRowStore(a.keyTs, a.r.c.Mem), keys)
		if a.spill == nil {
			if err := a.emptySets(); err != nil {
				return err
			}
		}
	}
	vecs := make([]*types.Vec, len(a.n.Keys))
	for {
		b, err := in.Next()
		if err != nil {
			return err
		}
		if b == nil {
			return nil
		}
		if plain {
			if err := a.accumulate(b, nil); err != nil {
				return err
			}
			continue
		}
		owned, err := evalAll(a.r.ec, a.n.Keys, b, vecs)
		if err != nil {
			return err
		}
		if a.n.Sets == nil {
			err = a.groupAndAccumulate(vecs, b, 0)
		} else {
			err = a.groupSets(vecs, b)
		}
		returnAll(a.r.ec, vecs, owned)
		if err != nil {
			return err
		}
		a.checkMemory()
		if err := a.r.canceled(); err != nil {
			return err
		}
	}
}

// emptySets makes the group of each empty grouping set, which exists even without input.
func (a *aggOp) emptySets() error {
	if a.n.Sets == nil {
		return nil
	}
	for no, s := range a.n.Sets {
		if len(s) > 0 {
			continue
		}
		one := &types.Batch{N: 1}
		vecs := a.setVecs(nil, no, one)
		if err := a.group(vecs, one); err != nil {
			return err
		}
	}
	return nil
}

// setVecs are the keys of a grouping set: those outside of it are NULL, and the set's number is a key of its own.
func (a *aggOp) setVecs(vecs []*types.Vec, no int, b *types.Batch) []*types.Vec {
	set := a.n.Sets[no]
	if a.nullKeys == nil {
		a.nullKeys = make([]*types.Vec, len(a.n.Keys))
		for i, k := range a.n.Keys {
			v := types.NewVec(k.Type())
			v.Resize(types.BatchSize)
			for j := range types.BatchSize {
				v.SetNull(j)
			}
			a.nullKeys[i] = v
		}
		a.setID = types.NewVec(types.Int8)
		a.setID.Resize(types.BatchSize)
		a.setNo = types.NewVec(types.Int8)
		a.setNo.Resize(types.BatchSize)
	}
	id := int64(0)
	out := make([]*types.Vec, 0, len(a.keyTs))
	for i := range a.n.Keys {
		if slices.Contains(set, i) {
			out = append(out, vecs[i])
		} else {
			out = append(out, a.nullKeys[i])
			id |= 1 << i
		}
	}
	if a.n.GroupingID {
		for i := range b.N {
			a.setID.Ints[i] = id
		}
		out = append(out, a.setID)
	}
	for i := range b.N {
		a.setNo.Ints[i] = int64(no)
	}
	return append(out, a.setNo)
}

func (a *aggOp) groupSets(vecs []*types.Vec, b *types.Batch) error {
	for no := range a.n.Sets {
		if a.spill != nil && a.spill.only >= 0 && no != a.spill.only {
			continue
		}
		if err := a.groupAndAccumulate(a.setVecs(vecs, no, b), b, no); err != nil {
			return err
		}
	}
	return nil
}

// groupAndAccumulate feeds the rows of a batch to their groups in one grouping set.
func (a *aggOp) groupAndAccumulate(vecs []*types.Vec, b *types.Batch, set int) error {
	if a.spill != nil && a.spill.on {
		rest, err := a.spillNew(vecs, b, set)
		if err != nil || rest.Len() == 0 {
			return err
		}
		b = rest
	}
	if err := a.group(vecs, b); err != nil {
		return err
	}
	return a.accumulate(b, a.groups[:])
}

// group finds or makes the group of each row.
func (a *aggOp) group(vecs []*types.Vec, b *types.Batch) error {
	hashVecs(vecs, b, a.hashes[:])
	t := a.table
	if len(vecs) == 1 && vecs[0].T.Family == types.FamInt && !vecs[0].HasNulls {
		return a.groupInts(vecs, b)
	}
	for k, n := 0, b.Len(); k < n; k++ {
		i := b.RowAt(k)
		g := t.find(a.hashes[i], vecs, i)
		if g < 0 {
			var err error
			if g, err = a.newGroup(vecs, b, i); err != nil {
				return err
			}
		}
		a.groups[i] = uint32(g)
	}
	return a.grow()
}

// groupInts is group for a single integer key without NULLs.
func (a *aggOp) groupInts(vecs []*types.Vec, b *types.Batch) error {
	t := a.table
	keys := vecs[0].Ints
rows:
	for k, n := 0, b.Len(); k < n; k++ {
		i := b.RowAt(k)
		h, x := a.hashes[i], keys[i]
		for r := t.first(h); r != noRow; r = t.next[r-1] {
			if t.hashes[r-1] != h {
				continue
			}
			v := t.store.chunks[(r-1)>>10].Cols[0]
			j := int(r-1) & (types.BatchSize - 1)
			if v.Ints[j] == x && !(v.HasNulls && v.Nulls.Get(j)) {
				a.groups[i] = r - 1
				continue rows
			}
		}
		g, err := a.newGroup(vecs, b, i)
		if err != nil {
			return err
		}
		a.groups[i] = uint32(g)
	}
	return a.grow()
}

func (a *aggOp) newGroup(vecs []*types.Vec, b *types.Batch, i int) (int, error) {
	g := a.n1
	one := types.Batch{N: b.N, Sel: []uint16{uint16(i)}}
	if err := a.table.store.addVecs(vecs, &one); err != nil {
		return 0, err
	}
	a.n1++
	return g, a.table.link(a.hashes[i])
}

func (a *aggOp) grow() error {
	for _, g := range a.aggs {
		g.state.Grow(a.n1)
	}
	return nil
}

// accumulate feeds a batch to all aggregates; groups is nil for one group.
func (a *aggOp) accumulate(b *types.Batch, groups []uint32) error {
	for _, g := range a.aggs {
		if err := a.feed(g, b, groups); err != nil {
			return err
		}
		size := g.state.Size()
		if size != g.size {
			if size > g.size {
				if err := a.r.c.Mem.Grow(size - g.size); err != nil {
					return err
				}
			} else {
				a.r.c.Mem.Shrink(g.size - size)
			}
			g.size = size
		}
	}
	return nil
}

func (a *aggOp) feed(g *aggregator, b *types.Batch, groups []uint32) error {
	ec := a.r.ec
	in := b
	if g.n.Filter != nil {
		f := types.Batch{Cols: b.Cols, N: b.N, Sel: b.Sel}
		if f.Sel != nil {
			a.sel = append(a.sel[:0], b.Sel...)
			f.Sel = a.sel
		}
		if err := expr.Filter(ec, g.n.Filter, &f); err != nil {
			return err
		}
		if f.Len() == 0 {
			return nil
		}
		in = &f
	}
	if len(g.args) != len(g.n.Call.Args) {
		g.args = make([]*types.Vec, len(g.n.Call.Args))
	}
	owned, err := evalAll(ec, g.n.Call.Args, in, g.args)
	if err != nil {
		return err
	}
	defer returnAll(ec, g.args, owned)
	if g.n.Distinct {
		d := types.Batch{Cols: in.Cols, N: in.N}
		if err := a.distinct(g, in, groups, &d); err != nil {
			return err
		}
		if d.Len() == 0 {
			return nil
		}
		in = &d
	}
	if g.rows != nil {
		return a.buffer(g, in, groups)
	}
	return g.state.AddBatch(ec, groups, g.args, in.Sel, in.N)
}

// distinct selects in out the rows whose arguments are new to their group.
func (a *aggOp) distinct(g *aggregator, in *types.Batch, groups []uint32, out *types.Batch) error {
	gv := a.r.ec.BorrowVec(types.Int8)
	defer a.r.ec.ReturnVec(gv)
	gv.Resize(in.N)
	for k, n := 0, in.Len(); k < n; k++ {
		i := in.RowAt(k)
		gv.Ints[i] = 0
		if groups != nil {
			gv.Ints[i] = int64(groups[i])
		}
	}
	vecs := append([]*types.Vec{gv}, g.args...)
	var hashes [types.BatchSize]uint64
	hashVecs(vecs, in, hashes[:])
	sel := make([]uint16, 0, in.Len())
	for k, n := 0, in.Len(); k < n; k++ {
		i := in.RowAt(k)
		if g.seen.find(hashes[i], vecs, i) >= 0 {
			continue
		}
		one := types.Batch{N: in.N, Sel: []uint16{uint16(i)}}
		if err := g.seen.store.addVecs(vecs, &one); err != nil {
			return err
		}
		if err := g.seen.link(hashes[i]); err != nil {
			return err
		}
		sel = append(sel, uint16(i))
	}
	out.Sel = sel
	return nil
}

// buffer keeps the rows of an aggregate with ORDER BY.
func (a *aggOp) buffer(g *aggregator, in *types.Batch, groups []uint32) error {
	ec := a.r.ec
	keys := make([]*types.Vec, len(g.n.OrderBy))
	exprs := make([]expr.Expr, len(g.n.OrderBy))
	for i, o := range g.n.OrderBy {
		exprs[i] = o.Expr
	}
	owned, err := evalAll(ec, exprs, in, keys)
	if err != nil {
		return err
	}
	defer returnAll(ec, keys, owned)
	gv := ec.BorrowVec(types.Int8)
	defer ec.ReturnVec(gv)
	gv.Resize(in.N)
	for k, n := 0, in.Len(); k < n; k++ {
		i := in.RowAt(k)
		gv.Ints[i] = 0
		if groups != nil {
			gv.Ints[i] = int64(groups[i])
		}
	}
	vecs := append([]*types.Vec{gv}, keys...)
	return g.rows.addVecs(append(vecs, g.args...), in)
}

// finishOrdered sorts the buffered rows and feeds them.
func (a *aggOp) finishOrdered(g *aggregator) error {
	if g.rows == nil || g.rows.len() == 0 {
		return nil
	}
	idx := make([]uint32, g.rows.len())
	for i := range idx {
		idx[i] = uint32(i)
	}
	keys := []plan.POrder{{Ord: 0}}
	for i, o := range g.n.OrderBy {
		keys = append(keys, plan.POrder{Ord: i + 1, Desc: o.Desc, NullsFirst: o.NullsFirst})
	}
	slices.SortFunc(idx, func(x, y uint32) int {
		cx, i := g.rows.at(int(x))
		cy, j := g.rows.at(int(y))
		if c := compareRows(cx.Cols, i, cy.Cols, j, keys); c != 0 {
			return c
		}
		return int(x) - int(y)
	})
	first := 1 + len(g.n.OrderBy)
	args := make([]types.Datum, len(g.n.Call.Args))
	for _, i := range idx {
		for k := range args {
			args[k] = g.rows.get(int(i), first+k)
		}
		if err := g.state.Add(a.r.ec, int(g.rows.get(int(i), 0).Int()), args); err != nil {
			return err
		}
	}
	g.rows.reset()
	return nil
}

// evalAll evaluates expressions over a batch; owned tells which vectors go back.
func evalAll(ec *expr.EvalContext, es []expr.Expr, b *types.Batch, out []*types.Vec) (owned uint64, err error) {
	for i, e := range es {
		v, own, err := expr.EvalVec(ec, e, b)
		if err != nil {
			returnAll(ec, out[:i], owned)
			return 0, err
		}
		out[i] = v
		if own {
			owned |= 1 << (i & 63)
		}
	}
	return owned, nil
}

func returnAll(ec *expr.EvalContext, vecs []*types.Vec, owned uint64) {
	for i, v := range vecs {
		if i < 64 && owned&(1<<i) != 0 {
			ec.ReturnVec(v)
		}
	}
}

// sortedGroups bounds the groups in flight of sorted aggregation: those that end in one
// batch and the one in progress.
const sortedGroups = types.BatchSize + 1

// emitSorted returns the groups that have ended. The group in progress keeps its number; the numbers of
// ended groups are used again.
func (a *aggOp) emitSorted() (*types.Batch, error) {
	if a.eof {
		return nil, nil
	}
	if a.curKey == nil {
		a.curKey = newRowStore(a.keyTs, a.r.c.Mem)
		for _, g := range a.aggs {
			g.state.Grow(sortedGroups)
		}
	}
	vecs := make([]*types.Vec, len(a.n.Keys))
	for {
		b, err := a.in.Next()
		if err != nil {
			return nil, err
		}
		a.out.Reset()
		a.pending = a.pending[:0]
		if b == nil {
			a.eof = true
			if a.cur < 0 {
				return nil, nil
			}
			a.emitKey()
			a.pending = append(a.pending, uint32(a.cur))
			return a.emitPending()
		}
		owned, err := evalAll(a.r.ec, a.n.Keys, b, vecs)
		if err != nil {
			return nil, err
		}
		// Number the groups of the batch.
		last := -1 // position of the last row of the group in progress within this batch
		free, initial := uint32(0), a.cur
		for k, n := 0, b.Len(); k < n; k++ {
			i := b.RowAt(k)
			if a.cur >= 0 && a.sameKey(vecs, i, last) {
				a.groups[i] = uint32(a.cur)
				last = i
				continue
			}
			if a.cur >= 0 {
				if last >= 0 {
					for c := range vecs {
						a.out.Cols[c].AppendCopy(vecs[c].Get(last))
					}
				} else {
					a.emitKey()
				}
				a.pending = append(a.pending, uint32(a.cur))
			}
			if int(free) == initial {
				free++
			}
			a.cur = int(free)
			free++
			a.groups[i] = uint32(a.cur)
			last = i
		}
		if err := a.accumulate(b, a.groups[:]); err != nil {
			returnAll(a.r.ec, vecs, owned)
			return nil, err
		}
		if last >= 0 {
			a.curKey.reset()
			one := types.Batch{N: b.N, Sel: []uint16{uint16(last)}}
			err = a.curKey.addVecs(vecs, &one)
		}
		returnAll(a.r.ec, vecs, owned)
		if err != nil {
			return nil, err
		}
		if len(a.pending) > 0 {
			return a.emitPending()
		}
		if err := a.r.canceled(); err != nil {
			return nil, err
		}
	}
}

// emitKey appends the key of the group in progress, as it was at the end of the last batch.
func (a *aggOp) emitKey() {
	c, k := a.curKey.at(0)
	for i := range a.n.Keys {
		a.out.Cols[i].AppendCopy(c.Cols[i].Get(k))
	}
}

func (a *aggOp) sameKey(vecs []*types.Vec, i, last int) bool {
	if last >= 0 {
		for _, v := range vecs {
			if !vecEqual(v, i, v, last) {
				return false
			}
		}
		return true
	}
	c, k := a.curKey.at(0)
	for x, v := range vecs {
		if !vecEqual(v, i, c.Cols[x], k) {
			return false
		}
	}
	return true
}

func (a *aggOp) emitPending() (*types.Batch, error) {
	for x, g := range a.aggs {
		if g.rows != nil {
			if err := a.finishOrdered(g); err != nil {
				return nil, err
			}
		}
		dst := a.out.Cols[len(a.n.Keys)+x]
		for _, p := range a.pending {
			d, err := g.state.Result(a.r.ec, int(p))
			if err != nil {
				return nil, err
			}
			dst.AppendCopy(d)
			g.state.Reset(int(p))
		}
	}
	a.out.N, a.out.Sel = len(a.pending), nil
	return a.out, nil
}
