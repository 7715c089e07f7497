package expr

import (
	"github.com/spanlite/spanlite/sql/types"
)

// evalArg returns the vector of e over the batch. A column is the batch's own vector; anything
// else is computed into a borrowed one, to be returned if owned.
func evalArg(ec *EvalContext, e Expr, in *types.Batch) (v *types.Vec, owned bool, err error) {
	switch e := e.(type) {
	case *ColumnRef:
		return in.Cols[e.Ordinal], false, nil
	case *Const, *Param, *OuterRef:
		d, err := e.Eval(ec, nil)
		if err != nil {
			return nil, false, err
		}
		v := ec.BorrowVec(e.Type())
		v.Resize(1)
		v.Set(0, d)
		v.Const = true
		return v, true, nil
	}
	v = ec.BorrowVec(e.Type())
	if err := e.EvalBatch(ec, in, v); err != nil {
		ec.ReturnVec(v)
		return nil, false, err
	}
	return v, true, nil
}

// EvalVec returns the vector of e over the batch: the column itself for a plain column
// reference, else scratch that is valid until ReturnVec(v) if owned.
func EvalVec(ec *EvalContext, e Expr, in *types.Batch) (v *types.Vec, owned bool, err error) {
	switch e.(type) {
	case *Const, *Param, *OuterRef:
		v = ec.BorrowVec(e.Type())
		if err := e.EvalBatch(ec, in, v); err != nil {
			ec.ReturnVec(v)
			return nil, false, err
		}
		return v, true, nil
	}
	return evalArg(ec, e, in)
}

// prepare makes out a vector for results over in.
func prepare(out *types.Vec, t *types.T, in *types.Batch) {
	out.Init(t)
	out.Resize(in.N)
}

// fill sets every selected slot to d.
func fill(out *types.Vec, t *types.T, in *types.Batch, d types.Datum) {
	prepare(out, t, in)
	for i := range in.N {
		out.Set(i, d)
	}
}

// eachRow evaluates e row by row.
func eachRow(ec *EvalContext, e Expr, in *types.Batch, out *types.Vec) error {
	prepare(out, e.Type(), in)
	base := len(ec.stack)
	defer func() { ec.stack = ec.stack[:base] }()
	used := columnsOf(e)
	for range in.Cols {
		ec.stack = append(ec.stack, types.Null)
	}
	row := types.Row(ec.stack[base:len(ec.stack):len(ec.stack)])
	for k, n := 0, in.Len(); k < n; k++ {
		i := in.RowAt(k)
		if used.all {
			for c, v := range in.Cols {
				row[c] = v.Get(i)
			}
		} else {
			for _, c := range used.ordinals[:used.n] {
				row[c] = in.Cols[c].Get(i)
			}
		}
		d, err := e.Eval(ec, row)
		if err != nil {
			return err
		}
		out.Set(i, d)
		if k&255 == 255 {
			if err := ec.Canceled(); err != nil {
				return err
			}
		}
	}
	return nil
}

// columnSet is the columns an expression reads, in a fixed array to save an allocation.
type columnSet struct {
	ordinals [8]int
	n        int
	all      bool
}

func columnsOf(e Expr) columnSet {
	var s columnSet
	s.add(e)
	return s
}

func (s *columnSet) add(e Expr) {
	switch e := e.(type) {
	case *ColumnRef:
		for _, o := range s.ordinals[:s.n] {
			if o == e.Ordinal {
				return
			}
		}
		if s.n == len(s.ordinals) {
			s.all = true
			return
		}
		s.ordinals[s.n] = e.Ordinal
		s.n++
	case *Subquery:
		s.all = true
	case *Call:
		for _, c := range e.Args {
			s.add(c)
		}
	case *BoolOp:
		for _, c := range e.Args {
			s.add(c)
		}
	case *Cast:
		s.add(e.Arg)
	default:
		for _, c := range e.Children() {
			s.add(c)
		}
	}
}

// EvalBatch implements Expr.
func (e *Const) EvalBatch(_ *EvalContext, in *types.Batch, out *types.Vec) error {
	fill(out, e.T, in, e.Value)
	return nil
}

// EvalBatch implements Expr.
func (e *ColumnRef) EvalBatch(_ *EvalContext, in *types.Batch, out *types.Vec) error {
	prepare(out, e.T, in)
	v := in.Cols[e.Ordinal]
	for k, n := 0, in.Len(); k < n; k++ {
		i := in.RowAt(k)
		out.CopyFrom(i, v, i)
	}
	return nil
}

// EvalBatch implements Expr.
func (e *OuterRef) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	d, err := e.Eval(ec, nil)
	if err == nil {
		fill(out, e.T, in, d)
	}
	return err
}

// EvalBatch implements Expr.
func (e *Param) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	d, err := e.Eval(ec, nil)
	if err == nil {
		fill(out, e.Type(), in, d)
	}
	return err
}

// EvalBatch implements Expr.
func (e *CaseOperand) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	prepare(out, e.T, in)
	v := ec.operandVecs[len(ec.operandVecs)-1]
	for k, n := 0, in.Len(); k < n; k++ {
		i := in.RowAt(k)
		out.CopyFrom(i, v, i)
	}
	return nil
}

// maxKernelArgs bounds the arguments of a batch kernel.
const maxKernelArgs = 3

// EvalBatch implements Expr.
func (e *Call) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	fn := e.Fn
	if len(e.Args) == 0 && fn.Volatility != Volatile && fn.FnN != nil {
		d, err := e.Eval(ec, nil)
		if err == nil {
			fill(out, e.T, in, d)
		}
		return err
	}
	if len(e.Args) > maxKernelArgs || len(e.Args) == 0 || fn.Batch == nil && fn.Fn1 == nil && fn.Fn2 == nil {
		return eachRow(ec, e, in, out)
	}
	// The vectors are kept on the context's stack, as an array here would be allocated for
	// the kernel, which is called through a pointer.
	base, n := len(ec.argVecs), len(e.Args)
	var owned [maxKernelArgs]bool
	defer func() {
		for i, v := range ec.argVecs[base:] {
			if owned[i] {
				ec.ReturnVec(v)
			}
		}
		ec.argVecs = ec.argVecs[:base]
	}()
	// A strict function need not evaluate further arguments where one is NULL already, but
	// evaluating them is allowed, as PostgreSQL promises no order of evaluation.
	for i, a := range e.Args {
		v, own, err := evalArg(ec, a, in)
		if err != nil {
			return err
		}
		ec.argVecs = append(ec.argVecs, v)
		owned[i] = own
	}
	args := ec.argVecs[base : base+n : base+n]
	prepare(out, e.T, in)
	if !fn.NotStrict {
		for _, a := range args {
			if !a.HasNulls {
				continue
			}
			if a.Const {
				fill(out, e.T, in, types.Null)
				return nil
			}
			out.Nulls.Or(&a.Nulls)
			out.HasNulls = true
		}
	}
	switch {
	case fn.Batch != nil:
		return fn.Batch(ec, args, in.Sel, in.N, out)
	case fn.Fn1 != nil:
		return e.each1(ec, args[0], in, out)
	}
	return e.each2(ec, args[0], args[1], in, out)
}

func (e *Call) each1(ec *EvalContext, a *types.Vec, in *types.Batch, out *types.Vec) error {
	for k, n := 0, in.Len(); k < n; k++ {
		i := in.RowAt(k)
		if !e.Fn.NotStrict && out.HasNulls && out.Nulls.Get(i) && a.IsNull(i) {
			out.SetNull(i)
			continue
		}
		d, err := e.Fn.Fn1(ec, a.Get(i))
		if err != nil {
			return err
		}
		out.Set(i, d)
	}
	return nil
}

func (e *Call) each2(ec *EvalContext, a, b *types.Vec, in *types.Batch, out *types.Vec) error {
	for k, n := 0, in.Len(); k < n; k++ {
		i := in.RowAt(k)
		if !e.Fn.NotStrict && (a.IsNull(i) || b.IsNull(i)) {
			out.SetNull(i)
			continue
		}
		d, err := e.Fn.Fn2(ec, a.Get(i), b.Get(i))
		if err != nil {
			return err
		}
		out.Set(i, d)
	}
	return nil
}

// EvalBatch implements Expr. Each operand is evaluated only on the rows that those
// before it left undecided.
func (e *BoolOp) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	prepare(out, types.Bool, in)
	if e.Op == Not {
		v, owned, err := evalArg(ec, e.Args[0], in)
		if err != nil {
			return err
		}
		for k, n := 0, in.Len(); k < n; k++ {
			i := in.RowAt(k)
			if v.IsNull(i) {
				out.SetNull(i)
			} else {
				out.Ints[i] = 1 - v.Ints[constIndex(v, i)]
			}
		}
		if owned {
			ec.ReturnVec(v)
		}
		return nil
	}
	decides := int64(0)
	if e.Op == Or {
		decides = 1
	}
	open := ec.borrowSel()
	defer func() { ec.returnSel(open) }()
	for k, n := 0, in.Len(); k < n; k++ {
		i := in.RowAt(k)
		out.Ints[i] = 1 - decides
		open = append(open, uint16(i))
	}
	sub := ec.borrowView(in)
	defer ec.returnView(sub)
	for _, a := range e.Args {
		if len(open) == 0 {
			break
		}
		sub.Sel = open
		v, owned, err := evalArg(ec, a, sub)
		if err != nil {
			return err
		}
		kept := open[:0]
		for _, i := range open {
			switch {
			case v.IsNull(int(i)):
				out.SetNull(int(i))
				kept = append(kept, i)
			case v.Ints[constIndex(v, int(i))] == decides:
				out.Set(int(i), types.NewBool(decides == 1))
			default:
				kept = append(kept, i)
			}
		}
		open = kept
		if owned {
			ec.ReturnVec(v)
		}
	}
	return nil
}

func constIndex(v *types.Vec, i int) int {
	if v.Const {
		return 0
	}
	return i
}

// EvalBatch implements Expr.
func (e *Cast) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	v, owned, err := evalArg(ec, e.Arg, in)
	if err != nil {
		return err
	}
	if owned {
		defer ec.ReturnVec(v)
	}
	prepare(out, e.T, in)
	from := e.Arg.Type()
	for k, n := 0, in.Len(); k < n; k++ {
		i := in.RowAt(k)
		d := v.Get(i)
		if !d.IsNull() && e.fn != nil {
			if d, err = e.fn(ec.Settings, d, from, e.T, e.explicit); err != nil {
				return err
			}
		}
		out.Set(i, d)
	}
	return nil
}

// EvalBatch implements Expr. Each result is evaluated only on the rows of its arm.
func (e *Case) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	prepare(out, e.T, in)
	if e.Operand != nil {
		v := ec.BorrowVec(e.Operand.Type())
		defer ec.ReturnVec(v)
		if err := e.Operand.EvalBatch(ec, in, v); err != nil {
			return err
		}
		ec.operandVecs = append(ec.operandVecs, v)
		depth := len(ec.operandVecs) - 1
		defer func() { ec.operandVecs = ec.operandVecs[:depth] }()
	}
	open, arm := ec.borrowSel(), ec.borrowSel()
	defer func() { ec.returnSel(open); ec.returnSel(arm) }()
	for k, n := 0, in.Len(); k < n; k++ {
		open = append(open, uint16(in.RowAt(k)))
	}
	sub := ec.borrowView(in)
	defer ec.returnView(sub)
	copyArm := func(result Expr, sel []uint16) error {
		sub.Sel = sel
		v, owned, err := evalArg(ec, result, sub)
		if err != nil {
			return err
		}
		for _, i := range sel {
			out.CopyFrom(int(i), v, int(i))
		}
		if owned {
			ec.ReturnVec(v)
		}
		return nil
	}
	for _, w := range e.Whens {
		if len(open) == 0 {
			return nil
		}
		sub.Sel = open
		c, owned, err := evalArg(ec, w.Cond, sub)
		if err != nil {
			return err
		}
		arm = arm[:0]
		kept := open[:0]
		for _, i := range open {
			if !c.IsNull(int(i)) && c.Ints[constIndex(c, int(i))] != 0 {
				arm = append(arm, i)
			} else {
				kept = append(kept, i)
			}
		}
		open = kept
		if owned {
			ec.ReturnVec(c)
		}
		if len(arm) > 0 {
			if err := copyArm(w.Result, arm); err != nil {
				return err
			}
		}
	}
	if len(open) == 0 {
		return nil
	}
	if e.Else != nil {
		return copyArm(e.Else, open)
	}
	for _, i := range open {
		out.SetNull(int(i))
	}
	return nil
}

// EvalBatch implements Expr.
func (e *Coalesce) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	prepare(out, e.T, in)
	open := ec.borrowSel()
	defer func() { ec.returnSel(open) }()
	for k, n := 0, in.Len(); k < n; k++ {
		open = append(open, uint16(in.RowAt(k)))
	}
	sub := ec.borrowView(in)
	defer ec.returnView(sub)
	for _, a := range e.Args {
		if len(open) == 0 {
			return nil
		}
		sub.Sel = open
		v, owned, err := evalArg(ec, a, sub)
		if err != nil {
			return err
		}
		kept := open[:0]
		for _, i := range open {
			if v.IsNull(int(i)) {
				kept = append(kept, i)
			} else {
				out.CopyFrom(int(i), v, int(i))
			}
		}
		open = kept
		if owned {
			ec.ReturnVec(v)
		}
	}
	for _, i := range open {
		out.SetNull(int(i))
	}
	return nil
}

// EvalBatch implements Expr.
func (e *IsNull) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	if e.Arg.Type().Family == types.FamRecord {
		return eachRow(ec, e, in, out)
	}
	v, owned, err := evalArg(ec, e.Arg, in)
	if err != nil {
		return err
	}
	prepare(out, types.Bool, in)
	for k, n := 0, in.Len(); k < n; k++ {
		i := in.RowAt(k)
		out.Ints[i] = b2i(v.IsNull(i) != e.Not)
	}
	if owned {
		ec.ReturnVec(v)
	}
	return nil
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// EvalBatch implements Expr.
func (e *IsTruth) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	v, owned, err := evalArg(ec, e.Arg, in)
	if err != nil {
		return err
	}
	prepare(out, types.Bool, in)
	for k, n := 0, in.Len(); k < n; k++ {
		i := in.RowAt(k)
		out.Ints[i] = b2i(e.holds(v.Get(i)) != e.Not)
	}
	if owned {
		ec.ReturnVec(v)
	}
	return nil
}

// EvalBatch implements Expr.
func (e *InList) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	v, owned, err := evalArg(ec, e.Arg, in)
	if err != nil {
		return err
	}
	prepare(out, types.Bool, in)
	for k, n := 0, in.Len(); k < n; k++ {
		i := in.RowAt(k)
		if d := v.Get(i); d.IsNull() {
			out.SetNull(i)
		} else {
			out.Set(i, e.test(d))
		}
	}
	if owned {
		ec.ReturnVec(v)
	}
	return nil
}

// EvalBatch implements Expr.
func (e *ScalarArray) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	l, lOwned, err := evalArg(ec, e.Left, in)
	if err != nil {
		return err
	}
	if lOwned {
		defer ec.ReturnVec(l)
	}
	r, rOwned, err := evalArg(ec, e.Right, in)
	if err != nil {
		return err
	}
	if rOwned {
		defer ec.ReturnVec(r)
	}
	prepare(out, types.Bool, in)
	for k, n := 0, in.Len(); k < n; k++ {
		i := in.RowAt(k)
		a := r.Get(i)
		if a.IsNull() {
			out.SetNull(i)
			continue
		}
		d, err := e.test(ec, l.Get(i), a)
		if err != nil {
			return err
		}
		out.Set(i, d)
	}
	return nil
}

// EvalBatch implements Expr.
func (e *MinMax) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	return eachRow(ec, e, in, out)
}

// EvalBatch implements Expr.
func (e *NullIf) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	return eachRow(ec, e, in, out)
}

// EvalBatch implements Expr.
func (e *IsDistinct) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	return eachRow(ec, e, in, out)
}

// EvalBatch implements Expr.
func (e *ArrayExpr) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	return eachRow(ec, e, in, out)
}

// EvalBatch implements Expr.
func (e *RowExpr) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	return eachRow(ec, e, in, out)
}

// EvalBatch implements Expr.
func (e *Subscript) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	return eachRow(ec, e, in, out)
}

// EvalBatch implements Expr.
func (e *FieldSelect) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	return eachRow(ec, e, in, out)
}

// EvalBatch implements Expr.
func (e *Subquery) EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error {
	return eachRow(ec, e, in, out)
}

// Filter narrows the batch's selection to the rows where the predicate is true.
// Conjuncts are applied one after another, each to the rows still selected.
func Filter(ec *EvalContext, pred Expr, b *types.Batch) error {
	if and, ok := pred.(*BoolOp); ok && and.Op == And {
		for _, a := range and.Args {
			if b.Len() == 0 {
				return nil
			}
			if err := Filter(ec, a, b); err != nil {
				return err
			}
		}
		return nil
	}
	if c, ok := pred.(*Call); ok && c.Op != nil && c.Op.Compare != CmpNone {
		if done, err := filterCompare(ec, c, b); done || err != nil {
			return err
		}
	}
	v, owned, err := evalArg(ec, pred, b)
	if err != nil {
		return err
	}
	sel := b.SelBuffer()
	for k, n := 0, b.Len(); k < n; k++ {
		i := b.RowAt(k)
		if !v.IsNull(i) && v.Ints[constIndex(v, i)] != 0 {
			sel = append(sel, uint16(i))
		}
	}
	b.Sel = sel
	if owned {
		ec.ReturnVec(v)
	}
	return nil
}
