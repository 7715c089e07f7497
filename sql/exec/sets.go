package exec

import (
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// setFunc is one set-returning function in progress.
type setFunc struct {
	n    *plan.PFunc
	iter expr.SetIter
	done bool
}

// start evaluates the arguments over row and begins the set. An expression that is no set function yields one row.
func (f *setFunc) start(ec *expr.EvalContext, row types.Row) error {
	f.done = false
	c, ok := f.n.Call.(*expr.Call)
	if !ok || c.Fn.Kind != expr.SetFunction {
		d, err := f.n.Call.Eval(ec, row)
		if err != nil {
			return err
		}
		f.iter = &oneValue{d: d}
		return nil
	}
	args := make([]types.Datum, len(c.Args))
	for i, a := range c.Args {
		d, err := a.Eval(ec, row)
		if err != nil {
			return err
		}
		if d.IsNull() && !c.Fn.NotStrict {
			f.iter, f.done = nil, true
			return nil
		}
		args[i] = d
	}
	iter, err := c.Fn.Set(ec, c, args)
	f.iter = iter
	f.done = iter == nil
	return err
}

// oneValue is a set of one row.
type oneValue struct {
	d    types.Datum
	done bool
}

// Next implements expr.SetIter.
func (o *oneValue) Next() (types.Row, bool, error) {
	if o.done {
		return nil, false, nil
	}
	o.done = true
	return types.Row{o.d}, true, nil
}

// next appends the function's next row to dst, NULLs if it has ended; ok tells which.
func (f *setFunc) next(dst types.Row) (types.Row, bool, error) {
	if !f.done {
		row, ok, err := f.iter.Next()
		if err != nil {
			return dst, false, err
		}
		if ok {
			return f.spread(dst, row), true, nil
		}
		f.done = true
	}
	for range f.n.Width {
		dst = append(dst, types.Null)
	}
	return dst, false, nil
}

// spread appends a row in the shape that the plan expects: one value as it is or as a record, or all columns.
func (f *setFunc) spread(dst, row types.Row) types.Row {
	if f.n.Whole {
		if len(row) == 1 {
			return append(dst, row[0])
		}
		rec := &types.Record{Fields: make([]types.Datum, len(row))}
		for i, d := range row {
			rec.Fields[i] = d.Clone()
		}
		for _, fd := range f.n.Call.Type().Fields {
			rec.Types = append(rec.Types, fd.Type)
			rec.Names = append(rec.Names, fd.Name)
		}
		return append(dst, types.NewRecordDatum(rec))
	}
	if len(row) == 1 && f.n.Width != 1 && row[0].Family() == types.FamRecord {
		row = row[0].Record().Fields
	} else if len(row) == 1 && f.n.Width == 1 && row[0].Family() == types.FamRecord && f.n.Call.Type().Family == types.FamRecord {
		row = row[0].Record().Fields
	}
	for i := range f.n.Width {
		if i < len(row) {
			dst = append(dst, row[i])
		} else {
			dst = append(dst, types.Null)
		}
	}
	return dst
}

// funcScanOp is functions in FROM, side by side.
type funcScanOp struct {
	r     *run
	n     *plan.PFuncScan
	funcs []setFunc
	count int64
	out   *types.Batch
	row   types.Row
	done  bool
}

func newFuncScan(r *run, n *plan.PFuncScan) *funcScanOp {
	f := &funcScanOp{r: r, n: n, out: newBatch(n.Types()), funcs: make([]setFunc, len(n.Funcs))}
	for i := range n.Funcs {
		f.funcs[i].n = &n.Funcs[i]
	}
	return f
}

func (f *funcScanOp) Open() error {
	f.count, f.done = 0, false
	for i := range f.funcs {
		if err := f.funcs[i].start(f.r.ec, nil); err != nil {
			return err
		}
	}
	return nil
}

func (f *funcScanOp) Close() {}

func (f *funcScanOp) Next() (*types.Batch, error) {
	if f.done {
		return nil, nil
	}
	f.out.Reset()
	for !f.out.Full() {
		any := false
		f.row = f.row[:0]
		for i := range f.funcs {
			var ok bool
			var err error
			if f.row, ok, err = f.funcs[i].next(f.row); err != nil {
				return nil, err
			}
			any = any || ok
		}
		if !any {
			f.done = true
			break
		}
		f.count++
		if f.n.Ordinality {
			f.row = append(f.row, types.NewInt(f.count))
		}
		f.out.AppendRow(f.row)
	}
	if f.out.N == 0 {
		return nil, nil
	}
	return f.out, f.r.canceled()
}

// projectSetOp evaluates set functions for each input row, in lock-step: the row is repeated until the longest
// has ended.
type projectSetOp struct {
	r       *run
	in      operator
	funcs   []setFunc
	out     *types.Batch
	b       *types.Batch
	k       int
	row     types.Row
	started bool
}

func newProjectSet(r *run, in operator, n *plan.PProjectSet) *projectSetOp {
	p := &projectSetOp{r: r, in: in, out: newBatch(n.Types()), funcs: make([]setFunc, len(n.Funcs))}
	for i := range n.Funcs {
		p.funcs[i].n = &n.Funcs[i]
	}
	return p
}

func (p *projectSetOp) Open() error {
	p.b, p.started = nil, false
	return p.in.Open()
}

func (p *projectSetOp) Close() { p.in.Close() }

func (p *projectSetOp) Next() (*types.Batch, error) {
	p.out.Reset()
	for !p.out.Full() {
		if p.b == nil {
			b, err := p.in.Next()
			if err != nil {
				return nil, err
			}
			if b == nil {
				break
			}
			p.b, p.k, p.started = b, 0, false
		}
		if p.k >= p.b.Len() {
			p.b = nil
			if p.out.N > 0 {
				break
			}
			continue
		}
		width := len(p.b.Cols)
		if !p.started {
			p.row = p.b.ReadRow(p.row[:0], p.b.RowAt(p.k))
			for i := range p.funcs {
				if err := p.funcs[i].start(p.r.ec, p.row); err != nil {
					return nil, err
				}
			}
			p.started = true
		}
		any := false
		p.row = p.row[:width]
		for i := range p.funcs {
			var ok bool
			var err error
			if p.row, ok, err = p.funcs[i].next(p.row); err != nil {
				return nil, err
			}
			any = any || ok
		}
		if !any {
			p.k++
			p.started = false
			continue
		}
		p.out.AppendRow(p.row)
	}
	if p.out.N == 0 {
		return nil, nil
	}
	return p.out, p.r.canceled()
}
