package builtins

import (
	"math"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

var (
	errInt2Range = sqlstate.New(sqlstate.NumericOutOfRange, "smallint out of range")
	errInt4Range = sqlstate.New(sqlstate.NumericOutOfRange, "integer out of range")
	errInt8Range = sqlstate.New(sqlstate.NumericOutOfRange, "bigint out of range")
	errOverflow  = sqlstate.New(sqlstate.NumericOutOfRange, "value out of range: overflow")
	errUnderflow = sqlstate.New(sqlstate.NumericOutOfRange, "value out of range: underflow")
)

func rangeError(t *types.T) error {
	switch t {
	case int2:
		return errInt2Range
	case int4:
		return errInt4Range
	}
	return errInt8Range
}

func intBounds(t *types.T) (lo, hi int64) {
	switch t {
	case int2:
		return math.MinInt16, math.MaxInt16
	case int4:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}

func wider(a, b *types.T) *types.T {
	if a.Len >= b.Len {
		return a
	}
	return b
}

func addInt(a, b int64) (int64, bool) { c := a + b; return c, (c > a) == (b > 0) }
func subInt(a, b int64) (int64, bool) { c := a - b; return c, (c < a) == (b > 0) }

func mulInt(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	c := a * b
	return c, c/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64)
}

// intOperator makes an integer operator with the overflow check of its result type.
func intOperator(name string, l, r *types.T, f func(a, b int64) (int64, bool)) *expr.Operator {
	ret := wider(l, r)
	lo, hi := intBounds(ret)
	overflow := rangeError(ret)
	checked := func(a, b int64) (int64, bool) {
		c, ok := f(a, b)
		return c, ok && c >= lo && c <= hi
	}
	op := op2(name, l, r, ret, func(_ *ctx, a, b datum) (datum, error) {
		c, ok := checked(a.Int(), b.Int())
		if !ok {
			return null, overflow
		}
		return types.NewInt(c), nil
	})
	op.Fn.Batch = expr.IntKernel(expr.ArithOp(name[0]), lo, hi, overflow)
	return op
}

// floatOperator makes a float operator; a result in float4 is rounded to it.
func floatOperator(name string, l, r *types.T, f func(a, b float64) float64) *expr.Operator {
	ret := wider(l, r)
	isFloat4 := ret == float4
	checked := func(a, b float64) (float64, error) {
		c := f(a, b)
		if isFloat4 {
			c = float64(float32(c))
		}
		if math.IsInf(c, 0) && !math.IsInf(a, 0) && !math.IsInf(b, 0) {
			return 0, errOverflow
		}
		if c == 0 && a != 0 && (name == "*" && b != 0 || name == "/" && !math.IsInf(b, 0)) {
			return 0, errUnderflow
		}
		return c, nil
	}
	if name == "/" {
		inner := checked
		checked = func(a, b float64) (float64, error) {
			if b == 0 && !math.IsNaN(a) {
				return 0, expr.ErrDivisionByZero
			}
			return inner(a, b)
		}
	}
	op := op2(name, l, r, ret, func(_ *ctx, a, b datum) (datum, error) {
		c, err := checked(a.Float(), b.Float())
		return types.NewFloat(c), err
	})
	op.Fn.Batch = expr.FloatKernel(expr.ArithOp(name[0]), checked)
	return op
}

// divInt is division towards zero; the batch kernel skips NULL rows, the error is told apart
// by the divisor.
func divInt(l, r *types.T) *expr.Operator {
	ret := wider(l, r)
	lo, hi := intBounds(ret)
	overflow := rangeError(ret)
	return op2("/", l, r, ret, func(_ *ctx, a, b datum) (datum, error) {
		y := b.Int()
		if y == 0 {
			return null, expr.ErrDivisionByZero
		}
		if y == -1 {
			if a.Int() == math.MinInt64 || -a.Int() > hi || -a.Int() < lo {
				return null, overflow
			}
			return types.NewInt(-a.Int()), nil
		}
		return types.NewInt(a.Int() / y), nil
	})
}

func modInt(_ *ctx, a, b datum) (datum, error) {
	switch b.Int() {
	case 0:
		return null, expr.ErrDivisionByZero
	case -1:
		return types.NewInt(0), nil
	}
	return types.NewInt(a.Int() % b.Int()), nil
}

func numericFn(f func(a, b types.Numeric) (types.Numeric, error)) func(*ctx, datum, datum) (datum, error) {
	return func(_ *ctx, a, b datum) (datum, error) {
		c, err := f(a.Numeric(), b.Numeric())
		return types.NewNumeric(c), err
	}
}

func modNumeric(a, b types.Numeric) (types.Numeric, error) { return a.Mod(b) }

func arithmeticOperators() []*expr.Operator {
	var ops []*expr.Operator
	add := func(o ...*expr.Operator) { ops = append(ops, o...) }
	ints := args(int2, int4, int8)
	for _, l := range ints {
		for _, r := range ints {
			add(intOperator("+", l, r, addInt), intOperator("-", l, r, subInt), intOperator("*", l, r, mulInt), divInt(l, r))
		}
	}
	for _, t := range ints {
		add(op2("%", t, t, t, modInt),
			op2("&", t, t, t, func(_ *ctx, a, b datum) (datum, error) { return types.NewInt(a.Int() & b.Int()), nil }),
			op2("|", t, t, t, func(_ *ctx, a, b datum) (datum, error) { return types.NewInt(a.Int() | b.Int()), nil }),
			op2("#", t, t, t, func(_ *ctx, a, b datum) (datum, error) { return types.NewInt(a.Int() ^ b.Int()), nil }),
			op2("<<", t, int4, t, func(_ *ctx, a, b datum) (datum, error) { return types.NewInt(shiftLeft(t, a.Int(), b.Int())), nil }),
			op2(">>", t, int4, t, func(_ *ctx, a, b datum) (datum, error) { return types.NewInt(shiftRight(t, a.Int(), b.Int())), nil }),
			op1("~", t, t, func(_ *ctx, a datum) (datum, error) { return types.NewInt(^a.Int()), nil }),
			op1("-", t, t, negInt(t)),
			op1("+", t, t, identity),
			op1("@", t, t, absInt(t)))
	}
	for _, l := range args(float4, float8) {
		for _, r := range args(float4, float8) {
			add(floatOperator("+", l, r, func(a, b float64) float64 { return a + b }),
				floatOperator("-", l, r, func(a, b float64) float64 { return a - b }),
				floatOperator("*", l, r, func(a, b float64) float64 { return a * b }),
				floatOperator("/", l, r, func(a, b float64) float64 { return a / b }))
		}
		add(op1("-", l, l, func(_ *ctx, a datum) (datum, error) { return types.NewFloat(-a.Float()), nil }),
			op1("+", l, l, identity),
			op1("@", l, l, func(_ *ctx, a datum) (datum, error) { return types.NewFloat(math.Abs(a.Float())), nil }))
	}
	add(op2("+", numeric, numeric, numeric, numericFn(types.Numeric.Add)),
		op2("-", numeric, numeric, numeric, numericFn(types.Numeric.Sub)),
		op2("*", numeric, numeric, numeric, numericFn(types.Numeric.Mul)),
		op2("/", numeric, numeric, numeric, numericFn(types.Numeric.Div)),
		op2("%", numeric, numeric, numeric, numericFn(modNumeric)),
		op2("^", numeric, numeric, numeric, numericFn(types.Numeric.Power)),
		op2("^", float8, float8, float8, powFloat),
		op1("-", numeric, numeric, func(_ *ctx, a datum) (datum, error) { return types.NewNumeric(a.Numeric().Neg()), nil }),
		op1("+", numeric, numeric, identity),
		op1("@", numeric, numeric, func(_ *ctx, a datum) (datum, error) { return types.NewNumeric(a.Numeric().Abs()), nil }),
		op1("|/", float8, float8, sqrtFloat),
		op1("||/", float8, float8, func(_ *ctx, a datum) (datum, error) { return types.NewFloat(math.Cbrt(a.Float())), nil }))
	return ops
}

func identity(_ *ctx, a datum) (datum, error) { return a, nil }

func negInt(t *types.T) func(*ctx, datum) (datum, error) {
	lo, _ := intBounds(t)
	overflow := rangeError(t)
	return func(_ *ctx, a datum) (datum, error) {
		if a.Int() == lo {
			return null, overflow
		}
		return types.NewInt(-a.Int()), nil
	}
}

func absInt(t *types.T) func(*ctx, datum) (datum, error) {
	neg := negInt(t)
	return func(ec *ctx, a datum) (datum, error) {
		if a.Int() < 0 {
			return neg(ec, a)
		}
		return a, nil
	}
}

// shiftLeft shifts as C does on the machine PostgreSQL runs on: the count is taken modulo
// the width of an int (32) or bigint (64), and the result wraps.
func shiftLeft(t *types.T, a, n int64) int64 {
	switch t {
	case int2:
		return int64(int16(int32(a) << (uint32(n) & 31)))
	case int4:
		return int64(int32(a) << (uint32(n) & 31))
	}
	return a << (uint64(n) & 63)
}

func shiftRight(t *types.T, a, n int64) int64 {
	if t == int8 {
		return a >> (uint64(n) & 63)
	}
	return int64(int32(a) >> (uint32(n) & 31))
}

// arithmeticFunctions are the function forms of operators that people call by name.
func arithmeticFunctions() []*expr.Function {
	var fns []*expr.Function
	for _, t := range args(int2, int4, int8) {
		fns = append(fns, fn2("mod", t, t, t, modInt), fn1("abs", t, t, absInt(t)))
	}
	for _, t := range args(float4, float8) {
		fns = append(fns, fn1("abs", t, t, func(_ *ctx, a datum) (datum, error) { return types.NewFloat(math.Abs(a.Float())), nil }))
	}
	return append(fns,
		fn1("abs", numeric, numeric, func(_ *ctx, a datum) (datum, error) { return types.NewNumeric(a.Numeric().Abs()), nil }),
		fn2("mod", numeric, numeric, numeric, numericFn(modNumeric)),
		fn2("div", numeric, numeric, numeric, numericFn(types.Numeric.QuoTrunc)),
	)
}
