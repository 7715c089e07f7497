package expr

import (
	"strconv"

	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

func itoa(i int) string { return strconv.Itoa(i) }

// Eval implements Expr.
func (e *Const) Eval(*EvalContext, types.Row) (types.Datum, error) { return e.Value, nil }

// Eval implements Expr.
func (e *ColumnRef) Eval(_ *EvalContext, row types.Row) (types.Datum, error) {
	return row[e.Ordinal], nil
}

// Eval implements Expr.
func (e *OuterRef) Eval(ec *EvalContext, _ types.Row) (types.Datum, error) {
	return ec.Outer[len(ec.Outer)-e.Level][e.Ordinal], nil
}

// Eval implements Expr.
func (e *Param) Eval(ec *EvalContext, _ types.Row) (types.Datum, error) {
	if e.N > len(ec.Params) {
		return types.Null, sqlstate.New(sqlstate.UndefinedParameter, "there is no parameter $%d", e.N)
	}
	return ec.Params[e.N-1], nil
}

// Eval implements Expr.
func (e *CaseOperand) Eval(ec *EvalContext, _ types.Row) (types.Datum, error) {
	return ec.operands[len(ec.operands)-1], nil
}

// Eval implements Expr.
func (e *Call) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	fn := e.Fn
	switch {
	case fn.Fn2 != nil:
		a, err := e.Args[0].Eval(ec, row)
		if err != nil || a.IsNull() && !fn.NotStrict {
			return types.Null, err
		}
		b, err := e.Args[1].Eval(ec, row)
		if err != nil || b.IsNull() && !fn.NotStrict {
			return types.Null, err
		}
		return fn.Fn2(ec, a, b)
	case fn.Fn1 != nil:
		a, err := e.Args[0].Eval(ec, row)
		if err != nil || a.IsNull() && !fn.NotStrict {
			return types.Null, err
		}
		return fn.Fn1(ec, a)
	case fn.FnN == nil:
		return types.Null, errNotScalar(fn)
	}
	// Arguments are pushed on the context's stack; a nested call may move the stack, so
	// they are addressed only when all are there.
	base := len(ec.stack)
	for _, arg := range e.Args {
		d, err := arg.Eval(ec, row)
		if err != nil || d.IsNull() && !fn.NotStrict {
			ec.stack = ec.stack[:base]
			return types.Null, err
		}
		ec.stack = append(ec.stack, d)
	}
	args := ec.stack[base:len(ec.stack):len(ec.stack)]
	d, err := fn.FnN(ec, e, args)
	ec.stack = ec.stack[:base]
	return d, err
}

func errNotScalar(fn *Function) error {
	switch fn.Kind {
	case AggregateFunction:
		return sqlstate.New(sqlstate.GroupingError, "aggregate functions are not allowed here: %s", fn.Name)
	case WindowFunction:
		return sqlstate.New(sqlstate.WindowingError, "window function %s requires an OVER clause", fn.Name)
	case SetFunction:
		return sqlstate.New(sqlstate.FeatureNotSupported, "set-valued function called in context that cannot accept a set")
	}
	return sqlstate.Unsupported("function %s", fn.Name)
}

// Eval implements Expr.
func (e *BoolOp) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	switch e.Op {
	case Not:
		d, err := e.Args[0].Eval(ec, row)
		if err != nil || d.IsNull() {
			return types.Null, err
		}
		return types.NewBool(!d.Bool()), nil
	}
	decides := e.Op == Or
	null := false
	for _, a := range e.Args {
		d, err := a.Eval(ec, row)
		switch {
		case err != nil:
			return types.Null, err
		case d.IsNull():
			null = true
		case d.Bool() == decides:
			return d, nil
		}
	}
	if null {
		return types.Null, nil
	}
	return types.NewBool(!decides), nil
}

// Eval implements Expr.
func (e *Cast) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	d, err := e.Arg.Eval(ec, row)
	if err != nil || d.IsNull() || e.fn == nil {
		return d, err
	}
	return e.fn(ec.Settings, d, e.Arg.Type(), e.T, e.explicit)
}

// Eval implements Expr.
func (e *Case) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	if e.Operand != nil {
		d, err := e.Operand.Eval(ec, row)
		if err != nil {
			return types.Null, err
		}
		ec.operands = append(ec.operands, d)
	}
	result := e.Else
	for i := range e.Whens {
		c, err := e.Whens[i].Cond.Eval(ec, row)
		if err != nil {
			e.popOperand(ec)
			return types.Null, err
		}
		if c.Bool() {
			result = e.Whens[i].Result
			break
		}
	}
	e.popOperand(ec)
	if result == nil {
		return types.Null, nil
	}
	return result.Eval(ec, row)
}

func (e *Case) popOperand(ec *EvalContext) {
	if e.Operand != nil {
		ec.operands = ec.operands[:len(ec.operands)-1]
	}
}

// Eval implements Expr.
func (e *Coalesce) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	for _, a := range e.Args {
		d, err := a.Eval(ec, row)
		if err != nil || !d.IsNull() {
			return d, err
		}
	}
	return types.Null, nil
}

// Eval implements Expr.
func (e *MinMax) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	best := types.Null
	for _, a := range e.Args {
		d, err := a.Eval(ec, row)
		if err != nil {
			return types.Null, err
		}
		if d.IsNull() {
			continue
		}
		if best.IsNull() || (types.Compare(d, best) > 0) == e.Greatest && types.Compare(d, best) != 0 {
			best = d
		}
	}
	return best, nil
}

// compareArgs evaluates both arguments of a comparison and, if neither is NULL, the
// comparison itself.
func compareArgs(ec *EvalContext, c *Call, row types.Row) (a, b types.Datum, equal bool, err error) {
	if a, err = c.Args[0].Eval(ec, row); err != nil {
		return a, b, false, err
	}
	if b, err = c.Args[1].Eval(ec, row); err != nil || a.IsNull() || b.IsNull() {
		return a, b, false, err
	}
	if c.Op.Compare == CmpEQ {
		return a, b, types.Equal(a, b), nil
	}
	d, err := callOperator(ec, c.Op, a, b)
	return a, b, d.Bool(), err
}

// callOperator applies a binary operator to values that are not NULL.
func callOperator(ec *EvalContext, op *Operator, a, b types.Datum) (types.Datum, error) {
	if op.Compare != CmpNone {
		return types.NewBool(op.Compare.Holds(types.Compare(a, b))), nil
	}
	if op.Fn.Fn2 != nil {
		return op.Fn.Fn2(ec, a, b)
	}
	return op.Fn.FnN(ec, &Call{Fn: op.Fn, Op: op, T: op.Fn.Ret}, []types.Datum{a, b})
}

// Eval implements Expr.
func (e *NullIf) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	_, _, equal, err := compareArgs(ec, e.Eq, row)
	if err != nil || equal {
		return types.Null, err
	}
	return e.A.Eval(ec, row)
}

// Eval implements Expr.
func (e *IsDistinct) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	a, b, equal, err := compareArgs(ec, e.Eq, row)
	if err != nil {
		return types.Null, err
	}
	distinct := !equal
	if a.IsNull() || b.IsNull() {
		distinct = a.IsNull() != b.IsNull()
	}
	return types.NewBool(distinct != e.Not), nil
}

// Eval implements Expr.
func (e *IsNull) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	d, err := e.Arg.Eval(ec, row)
	if err != nil {
		return types.Null, err
	}
	if d.Family() == types.FamRecord {
		// A row is null if all its fields are, not null if none is: both may be false.
		for _, f := range d.Record().Fields {
			if f.IsNull() == e.Not {
				return types.False, nil
			}
		}
		return types.True, nil
	}
	return types.NewBool(d.IsNull() != e.Not), nil
}

// Eval implements Expr.
func (e *IsTruth) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	d, err := e.Arg.Eval(ec, row)
	if err != nil {
		return types.Null, err
	}
	return types.NewBool(e.holds(d) != e.Not), nil
}

func (e *IsTruth) holds(d types.Datum) bool {
	switch e.Want {
	case IsTrue:
		return d.Bool()
	case IsFalse:
		return !d.IsNull() && !d.Bool()
	}
	return d.IsNull()
}

// Eval implements Expr.
func (e *InList) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	d, err := e.Arg.Eval(ec, row)
	if err != nil || d.IsNull() {
		return types.Null, err
	}
	return e.test(d), nil
}

func (e *InList) test(d types.Datum) types.Datum {
	switch {
	case e.contains(d):
		return types.NewBool(!e.Not)
	case e.HasNull:
		return types.Null
	}
	return types.NewBool(e.Not)
}

// Eval implements Expr.
func (e *ScalarArray) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	l, err := e.Left.Eval(ec, row)
	if err != nil {
		return types.Null, err
	}
	r, err := e.Right.Eval(ec, row)
	if err != nil || r.IsNull() {
		return types.Null, err
	}
	return e.test(ec, l, r)
}

func (e *ScalarArray) test(ec *EvalContext, l, r types.Datum) (types.Datum, error) {
	elems := r.Array().Elems
	if len(elems) == 0 {
		return types.NewBool(e.All), nil
	}
	if l.IsNull() {
		return types.Null, nil
	}
	null := false
	for _, el := range elems {
		if el.IsNull() {
			null = true
			continue
		}
		d, err := callOperator(ec, e.Op, l, el)
		switch {
		case err != nil:
			return types.Null, err
		case d.IsNull():
			null = true
		case d.Bool() != e.All:
			return types.NewBool(!e.All), nil
		}
	}
	if null {
		return types.Null, nil
	}
	return types.NewBool(e.All), nil
}

// Eval implements Expr.
func (e *ArrayExpr) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	elems := make([]types.Datum, 0, len(e.Elems))
	for _, el := range e.Elems {
		d, err := el.Eval(ec, row)
		if err != nil {
			return types.Null, err
		}
		elems = append(elems, d)
	}
	if !e.Nested {
		return types.NewArrayDatum(types.NewArray(e.T.Elem, elems)), nil
	}
	return nestArrays(e.T.Elem, elems)
}

// nestArrays makes an array of arrays of equal dimensions.
func nestArrays(elem *types.T, parts []types.Datum) (types.Datum, error) {
	out := &types.Array{Elem: elem}
	for i, p := range parts {
		var dims []types.ArrayDim
		if !p.IsNull() {
			dims = p.Array().Dims
			out.Elems = append(out.Elems, p.Array().Elems...)
		}
		if i == 0 {
			out.Dims = append(out.Dims, types.ArrayDim{Len: int32(len(parts)), Lower: 1})
			out.Dims = append(out.Dims, dims...)
			continue
		}
		ok := len(dims) == len(out.Dims)-1
		for j := range dims {
			ok = ok && dims[j] == out.Dims[j+1]
		}
		if !ok {
			return types.Null, sqlstate.New(sqlstate.ArraySubscriptError, "multidimensional arrays must have array expressions with matching dimensions")
		}
	}
	if len(out.Elems) == 0 {
		out.Dims = nil
	}
	return types.NewArrayDatum(out), nil
}

// Eval implements Expr.
func (e *RowExpr) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	r := &types.Record{Fields: make([]types.Datum, len(e.Fields)), Types: make([]*types.T, len(e.Fields)), Names: make([]string, len(e.Fields))}
	for i, f := range e.Fields {
		d, err := f.Eval(ec, row)
		if err != nil {
			return types.Null, err
		}
		r.Fields[i], r.Types[i], r.Names[i] = d, e.T.Fields[i].Type, e.T.Fields[i].Name
	}
	return types.NewRecordDatum(r), nil
}

// Eval implements Expr.
func (e *Subscript) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	d, err := e.Arg.Eval(ec, row)
	if err != nil || d.IsNull() {
		return types.Null, err
	}
	if d.Family() == types.FamJSONB {
		return e.jsonMember(ec, row, d)
	}
	bounds := make([]types.Bounds, len(e.Index))
	for i, ix := range e.Index {
		b := &bounds[i]
		if ix.Lower != nil {
			v, err := ix.Lower.Eval(ec, row)
			if err != nil || v.IsNull() {
				return types.Null, err
			}
			b.Lower, b.HasLower = int32(v.Int()), true
		}
		if ix.Upper != nil {
			v, err := ix.Upper.Eval(ec, row)
			if err != nil || v.IsNull() {
				return types.Null, err
			}
			b.Upper, b.HasUpper = int32(v.Int()), true
		}
		if ix.Slice && !ix.Open {
			// Mixed with slices, [n] means [1:n].
			b.Lower, b.HasLower = 1, true
		}
	}
	if e.Arg.Type().OID == types.OIDName {
		b := d.Bytes()
		if i := int(bounds[0].Upper); i >= 0 && i < len(b) {
			return types.NewInt(int64(int8(b[i]))), nil
		}
		return types.NewInt(0), nil
	}
	if e.Index[0].Slice {
		return types.NewArrayDatum(d.Array().Slice(bounds)), nil
	}
	return d.Array().At(bounds), nil
}

func (e *Subscript) jsonMember(ec *EvalContext, row types.Row, d types.Datum) (types.Datum, error) {
	v := d.JSON()
	for _, ix := range e.Index {
		k, err := ix.Upper.Eval(ec, row)
		if err != nil || k.IsNull() {
			return types.Null, err
		}
		var ok bool
		if k.Family() == types.FamInt {
			v, ok = v.Index(int(k.Int()))
		} else {
			v, ok = v.PathStep(k.Str())
		}
		if !ok {
			return types.Null, nil
		}
	}
	return types.NewBytesOf(types.FamJSONB, v), nil
}

// Eval implements Expr.
func (e *FieldSelect) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	d, err := e.Arg.Eval(ec, row)
	if err != nil || d.IsNull() {
		return types.Null, err
	}
	r := d.Record()
	if e.Index >= len(r.Fields) {
		return types.Null, nil // a column added since the row was stored
	}
	return r.Fields[e.Index], nil
}

// Eval implements Expr.
func (e *Subquery) Eval(ec *EvalContext, row types.Row) (types.Datum, error) {
	if ec.Subqueries == nil {
		return types.Null, sqlstate.New(sqlstate.FeatureNotSupported, "cannot use subquery in this context")
	}
	switch e.Kind {
	case SubExists:
		found := false
		err := ec.Subqueries.RunSubquery(ec, e, row, func(types.Row) (bool, error) {
			found = true
			return false, nil
		})
		return types.NewBool(found), err
	case SubScalar, SubRow:
		return e.evalScalar(ec, row)
	case SubArray:
		var elems []types.Datum
		err := ec.Subqueries.RunSubquery(ec, e, row, func(r types.Row) (bool, error) {
			elems = append(elems, r[0].Clone())
			return true, nil
		})
		if err != nil {
			return types.Null, err
		}
		if len(elems) > 0 && elems[0].Family() == types.FamArray && e.T.Elem.Family != types.FamArray {
			return nestArrays(e.T.Elem, elems)
		}
		return types.NewArrayDatum(types.NewArray(e.T.Elem, elems)), nil
	}
	return e.evalQuantified(ec, row)
}

func (e *Subquery) evalScalar(ec *EvalContext, row types.Row) (types.Datum, error) {
	out, n := types.Null, 0
	err := ec.Subqueries.RunSubquery(ec, e, row, func(r types.Row) (bool, error) {
		if n++; n > 1 {
			return false, sqlstate.New(sqlstate.CardinalityViolation, "more than one row returned by a subquery used as an expression")
		}
		if e.Kind == SubScalar {
			out = r[0].Clone()
			return true, nil
		}
		rec := &types.Record{Fields: make([]types.Datum, len(r))}
		for i, d := range r {
			rec.Fields[i] = d.Clone()
			if i < len(e.T.Fields) {
				rec.Types = append(rec.Types, e.T.Fields[i].Type)
				rec.Names = append(rec.Names, e.T.Fields[i].Name)
			}
		}
		out = types.NewRecordDatum(rec)
		return true, nil
	})
	return out, err
}

func (e *Subquery) evalQuantified(ec *EvalContext, row types.Row) (types.Datum, error) {
	test := make(types.Row, len(e.Left))
	for i, l := range e.Left {
		d, err := l.Eval(ec, row)
		if err != nil {
			return types.Null, err
		}
		test[i] = d
	}
	all := e.Kind == SubAll
	null, decided := false, false
	err := ec.Subqueries.RunSubquery(ec, e, row, func(r types.Row) (bool, error) {
		test = append(test[:len(e.Left)], r...)
		d, err := e.Test.Eval(ec, test)
		switch {
		case err != nil:
			return false, err
		case d.IsNull():
			null = true
		case d.Bool() != all:
			decided = true
			return false, nil
		}
		return true, nil
	})
	switch {
	case err != nil:
		return types.Null, err
	case decided:
		return types.NewBool(!all), nil
	case null:
		return types.Null, nil
	}
	return types.NewBool(all), nil
}
