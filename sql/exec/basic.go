package exec

import (
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// filterOp keeps the rows for which all conditions are true.
type filterOp struct {
	r     *run
	in    operator
	conds []expr.Expr
}

func (f *filterOp) Open() error { return f.in.Open() }
func (f *filterOp) Close()      { f.in.Close() }

func (f *filterOp) Next() (*types.Batch, error) {
	for {
		b, err := f.in.Next()
		if b == nil || err != nil {
			return nil, err
		}
		if err := filterBatch(f.r.ec, f.conds, b); err != nil {
			return nil, err
		}
		if b.Len() > 0 {
			return b, nil
		}
		if err := f.r.canceled(); err != nil {
			return nil, err
		}
	}
}

// filterBatch narrows the selection of b to the rows for which all conditions are true.
func filterBatch(ec *expr.EvalContext, conds []expr.Expr, b *types.Batch) error {
	for _, c := range conds {
		if b.Len() == 0 {
			return nil
		}
		if err := expr.Filter(ec, c, b); err != nil {
			return err
		}
	}
	return nil
}

// projectOp computes expressions. Columns that are only passed on are shared with the input.
type projectOp struct {
	r     *run
	in    operator
	exprs []expr.Expr
	out   types.Batch
	own   []*types.Vec
}

func newProject(r *run, in operator, exprs []expr.Expr) *projectOp {
	p := &projectOp{r: r, in: in, exprs: exprs}
	p.out.Cols = make([]*types.Vec, len(exprs))
	p.own = make([]*types.Vec, len(exprs))
	for i, e := range exprs {
		if _, ok := e.(*expr.ColumnRef); !ok {
			p.own[i] = &types.Vec{}
		}
	}
	return p
}

func (p *projectOp) Open() error { return p.in.Open() }
func (p *projectOp) Close()      { p.in.Close() }

func (p *projectOp) Next() (*types.Batch, error) {
	b, err := p.in.Next()
	if b == nil || err != nil {
		return nil, err
	}
	p.out.N, p.out.Sel = b.N, b.Sel
	for i, e := range p.exprs {
		if ref, ok := e.(*expr.ColumnRef); ok {
			p.out.Cols[i] = b.Cols[ref.Ordinal]
			continue
		}
		if err := e.EvalBatch(p.r.ec, b, p.own[i]); err != nil {
			return nil, err
		}
		p.out.Cols[i] = p.own[i]
	}
	return &p.out, nil
}

// valuesOp is a list of rows of expressions.
type valuesOp struct {
	r    *run
	rows [][]expr.Expr
	next int
	out  *types.Batch
}

func newValues(r *run, n *plan.PValues) *valuesOp {
	return &valuesOp{r: r, rows: n.Rows, out: newBatch(n.Types())}
}

// newBatch makes an empty batch whose vectors take memory as they are used.
func newBatch(ts []*types.T) *types.Batch {
	b := &types.Batch{Cols: make([]*types.Vec, len(ts))}
	vecs := make([]types.Vec, len(ts))
	for i, t := range ts {
		b.Cols[i] = &vecs[i]
		b.Cols[i].Init(t)
	}
	return b
}

func (v *valuesOp) Open() error { v.next = 0; return nil }
func (v *valuesOp) Close()      {}

func (v *valuesOp) Next() (*types.Batch, error) {
	if v.next >= len(v.rows) {
		return nil, nil
	}
	v.out.Reset()
	for v.next < len(v.rows) && v.out.N < types.BatchSize {
		for i, e := range v.rows[v.next] {
			d, err := e.Eval(v.r.ec, nil)
			if err != nil {
				return nil, err
			}
			v.out.Cols[i].AppendCopy(d)
		}
		v.out.N++
		v.next++
	}
	return v.out, nil
}

// limitOp passes on a part of its input.
type limitOp struct {
	r             *run
	in            operator
	count, offset expr.Expr
	ties          []plan.POrder
	left, skip    int64
	unlimited     bool
	last          *rowStore // the last row that counted, for WITH TIES
	tying         bool
}

func (l *limitOp) Close() { l.in.Close() }

func (l *limitOp) Open() error {
	var err error
	l.unlimited = true
	if l.count != nil {
		n, null, e := evalLimit(l.r, l.count, "LIMIT", sqlstate.InvalidRowCountInLimit)
		if e != nil {
			return e
		}
		l.left, l.unlimited = n, null
	}
	l.skip = 0
	if l.offset != nil {
		if l.skip, _, err = evalLimit(l.r, l.offset, "OFFSET", sqlstate.InvalidRowCountInOffset); err != nil {
			return err
		}
	}
	l.tying = false
	return l.in.Open()
}

func evalLimit(r *run, e expr.Expr, name string, code sqlstate.Code) (n int64, null bool, err error) {
	d, err := e.Eval(r.ec, nil)
	if err != nil || d.IsNull() {
		return 0, true, err
	}
	if d.Int() < 0 {
		return 0, false, sqlstate.New(code, "%s must not be negative", name)
	}
	return d.Int(), false, nil
}

func (l *limitOp) Next() (*types.Batch, error) {
	for {
		if !l.unlimited && l.left <= 0 && (l.ties == nil || l.last == nil && !l.tying) {
			return nil, nil
		}
		b, err := l.in.Next()
		if b == nil || err != nil {
			return nil, err
		}
		n := int64(b.Len())
		if l.skip >= n {
			l.skip -= n
			continue
		}
		from := int(l.skip)
		l.skip = 0
		to := int(n)
		if !l.unlimited && int64(to-from) > l.left {
			to = from + int(l.left)
		}
		if l.ties != nil && !l.unlimited {
			if to, err = l.extend(b, from, to); err != nil {
				return nil, err
			}
		}
		l.left -= int64(to - from)
		if to == from {
			return nil, nil
		}
		sliceBatch(b, from, to)
		return b, nil
	}
}

// extend moves to past the rows that tie with the last one that counts.
func (l *limitOp) extend(b *types.Batch, from, to int) (int, error) {
	same := func(v []*types.Vec, i int, w []*types.Vec, j int) bool {
		for _, k := range l.ties {
			if !vecEqual(v[k.Ord], i, w[k.Ord], j) {
				return false
			}
		}
		return true
	}
	n := b.Len()
	if l.left > int64(n-from) {
		return to, nil
	}
	ref, at := b.Cols, -1
	if l.left > 0 {
		at = b.RowAt(to - 1)
	} else {
		c, k := l.last.at(0)
		ref, at = c.Cols, k
	}
	for to < n && same(ref, at, b.Cols, b.RowAt(to)) {
		to++
	}
	l.tying = to == n
	if !l.tying {
		l.last = nil
		l.left = int64(to - from)
		return to, nil
	}
	ts := make([]*types.T, len(b.Cols))
	for i, v := range b.Cols {
		ts[i] = v.T
	}
	last := newRowStore(ts, nil)
	one := types.Batch{Cols: b.Cols, N: b.N, Sel: []uint16{uint16(b.RowAt(n - 1))}}
	if err := last.add(&one); err != nil {
		return 0, err
	}
	l.last = last
	l.left = int64(to - from)
	return to, nil
}

// sliceBatch narrows the selection of b to its selected rows [from, to).
func sliceBatch(b *types.Batch, from, to int) {
	if from == 0 && to == b.Len() {
		return
	}
	if b.Sel != nil {
		b.Sel = b.Sel[from:to]
		return
	}
	sel := b.SelBuffer()
	for i := from; i < to; i++ {
		sel = append(sel, uint16(i))
	}
	b.Sel = sel
}

// distinctOp removes duplicates by some columns, keeping the first row of each.
type distinctOp struct {
	r      *run
	in     operator
	on     []int
	ts     []*types.T
	sorted bool
	table  *hashTable
	hashes [types.BatchSize]uint64
	prev   *rowStore
}

func (d *distinctOp) Open() error {
	d.release()
	ts := make([]*types.T, len(d.on))
	keys := make([]int, len(d.on))
	for i, c := range d.on {
		ts[i], keys[i] = d.ts[c], i
	}
	store := newRowStore(ts, d.r.c.Mem)
	d.table = newHashTable(store, keys)
	return d.in.Open()
}

func (d *distinctOp) release() {
	if d.table != nil {
		d.table.store.reset()
		d.table = nil
	}
	if d.prev != nil {
		d.prev.reset()
	}
}

func (d *distinctOp) Close() {
	d.release()
	d.in.Close()
}

func (d *distinctOp) Next() (*types.Batch, error) {
	vecs := make([]*types.Vec, len(d.on))
	for {
		b, err := d.in.Next()
		if b == nil || err != nil {
			return nil, err
		}
		for i, c := range d.on {
			vecs[i] = b.Cols[c]
		}
		if d.sorted {
			if err := d.adjacent(b, vecs); err != nil {
				return nil, err
			}
			if b.Len() > 0 {
				return b, nil
			}
			continue
		}
		hashVecs(vecs, b, d.hashes[:])
		n := b.Len()
		kept := make([]uint16, 0, n)
		for k := range n {
			i := b.RowAt(k)
			if d.table.find(d.hashes[i], vecs, i) >= 0 {
				continue
			}
			one := types.Batch{N: b.N, Sel: []uint16{uint16(i)}}
			if err := d.table.store.addVecs(vecs, &one); err != nil {
				return nil, err
			}
			if err := d.table.link(d.hashes[i]); err != nil {
				return nil, err
			}
			kept = append(kept, uint16(i))
		}
		if len(kept) == n {
			return b, nil
		}
		if len(kept) > 0 {
			b.Sel = append(b.SelBuffer(), kept...)
			return b, nil
		}
		if err := d.r.canceled(); err != nil {
			return nil, err
		}
	}
}

// adjacent drops the rows that equal the one before, which is enough if the input is ordered by the columns.
func (d *distinctOp) adjacent(b *types.Batch, vecs []*types.Vec) error {
	same := func(i int, prev []*types.Vec, j int) bool {
		for x, v := range vecs {
			if !vecEqual(v, i, prev[x], j) {
				return false
			}
		}
		return true
	}
	prev, at := vecs, -1
	if d.prev != nil && d.prev.len() > 0 {
		c, k := d.prev.at(0)
		prev, at = c.Cols, k
	}
	kept := make([]uint16, 0, b.Len())
	for k, n := 0, b.Len(); k < n; k++ {
		i := b.RowAt(k)
		if at >= 0 && same(i, prev, at) {
			continue
		}
		kept = append(kept, uint16(i))
		prev, at = vecs, i
	}
	b.Sel = append(b.SelBuffer(), kept...)
	if len(kept) == 0 {
		return nil
	}
	if d.prev == nil {
		ts := make([]*types.T, len(vecs))
		for i, v := range vecs {
			ts[i] = v.T
		}
		d.prev = newRowStore(ts, d.r.c.Mem)
	}
	d.prev.reset()
	last := types.Batch{N: b.N, Sel: kept[len(kept)-1:]}
	return d.prev.addVecs(vecs, &last)
}

// appendOp is UNION ALL.
type appendOp struct {
	ins  []operator
	next int
	open bool
}

func (a *appendOp) Open() error {
	a.next, a.open = 0, false
	return nil
}

func (a *appendOp) Close() {
	for _, in := range a.ins {
		in.Close()
	}
}

func (a *appendOp) Next() (*types.Batch, error) {
	for a.next < len(a.ins) {
		if !a.open {
			if err := a.ins[a.next].Open(); err != nil {
				return nil, err
			}
			a.open = true
		}
		b, err := a.ins[a.next].Next()
		if b != nil || err != nil {
			return b, err
		}
		a.next++
		a.open = false
	}
	return nil, nil
}

// setOp is INTERSECT or EXCEPT: it counts how often each row occurs on both sides.
type setOp struct {
	r           *run
	n           *plan.PSetOp
	left, right operator
	table       *hashTable
	counts      [][2]int64
	started     bool
	next        int
	out         *types.Batch
	hashes      [types.BatchSize]uint64
}

func (s *setOp) Open() error {
	s.reset()
	s.started, s.next = false, 0
	s.counts = nil
	if err := s.left.Open(); err != nil {
		return err
	}
	return s.right.Open()
}

func (s *setOp) reset() {
	if s.table != nil {
		s.table.store.reset()
		s.table = nil
	}
}

func (s *setOp) Close() {
	s.reset()
	s.left.Close()
	s.right.Close()
}

func (s *setOp) Next() (*types.Batch, error) {
	if !s.started {
		s.started = true
		ts := s.n.Types()
		keys := make([]int, len(ts))
		for i := range keys {
			keys[i] = i
		}
		s.table = newHashTable(newRowStore(ts, s.r.c.Mem), keys)
		s.out = newBatch(ts)
		if err := s.count(s.left, 0); err != nil {
			return nil, err
		}
		if err := s.count(s.right, 1); err != nil {
			return nil, err
		}
	}
	s.out.Reset()
	var row types.Row
	for s.next < len(s.counts) && s.out.N < types.BatchSize {
		c := &s.counts[s.next]
		times := int64(0)
		switch {
		case s.n.Kind == plan.Intersect && s.n.All:
			times = min(c[0], c[1])
		case s.n.Kind == plan.Intersect:
			if c[0] > 0 && c[1] > 0 {
				times = 1
			}
		case s.n.All:
			times = max(c[0]-c[1], 0)
		case c[0] > 0 && c[1] == 0:
			times = 1
		}
		row = s.table.store.row(row[:0], s.next)
		for times > 0 && s.out.N < types.BatchSize {
			s.out.AppendRow(row)
			times--
		}
		if times > 0 {
			// The rest of this row comes with the next batch.
			if s.n.Kind == plan.Intersect {
				c[0], c[1] = times, times
			} else {
				c[0], c[1] = times, 0
			}
			break
		}
		s.next++
	}
	if s.out.N == 0 {
		return nil, nil
	}
	return s.out, nil
}

func (s *setOp) count(in operator, side int) error {
	for {
		b, err := in.Next()
		if b == nil || err != nil {
			return err
		}
		hashVecs(b.Cols, b, s.hashes[:])
		for k, n := 0, b.Len(); k < n; k++ {
			i := b.RowAt(k)
			g := s.table.find(s.hashes[i], b.Cols, i)
			if g < 0 {
				if side == 1 {
					continue // what only the right side has does not matter
				}
				g = len(s.counts)
				one := types.Batch{N: b.N, Sel: []uint16{uint16(i)}}
				if err := s.table.store.addVecs(b.Cols, &one); err != nil {
					return err
				}
				if err := s.table.link(s.hashes[i]); err != nil {
					return err
				}
				s.counts = append(s.counts, [2]int64{})
			}
			s.counts[g][side]++
		}
		if err := s.r.canceled(); err != nil {
			return err
		}
	}
}
