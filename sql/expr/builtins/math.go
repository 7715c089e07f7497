package builtins

import (
	"math"
	"math/rand/v2"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// float1 makes a function of float8 with PostgreSQL's check for overflow.
func float1(name string, f func(float64) float64) *expr.Function {
	return fn1(name, float8, float8, func(_ *ctx, a datum) (datum, error) {
		x := a.Float()
		y := f(x)
		if math.IsNaN(y) && !math.IsNaN(x) {
			return null, errf(sqlstate.NumericOutOfRange, "input is out of range")
		}
		if math.IsInf(y, 0) && !math.IsInf(x, 0) {
			return null, errOverflow
		}
		return types.NewFloat(y), nil
	})
}

func sqrtFloat(_ *ctx, a datum) (datum, error) {
	if a.Float() < 0 {
		return null, errf(sqlstate.InvalidArgForPower, "cannot take square root of a negative number")
	}
	return types.NewFloat(math.Sqrt(a.Float())), nil
}

func powFloat(_ *ctx, a, b datum) (datum, error) {
	x, y := a.Float(), b.Float()
	switch {
	case x == 0 && y < 0:
		return null, errf(sqlstate.InvalidArgForPower, "zero raised to a negative power is undefined")
	case x < 0 && y != math.Floor(y) && !math.IsInf(y, 0) && !math.IsInf(x, 0):
		return null, errf(sqlstate.InvalidArgForPower, "a negative number raised to a non-integer power yields a complex result")
	}
	z := math.Pow(x, y)
	if math.IsInf(z, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return null, errOverflow
	}
	if z == 0 && x != 0 && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return null, errUnderflow
	}
	return types.NewFloat(z), nil
}

func logFloat(f func(float64) float64) func(*ctx, datum) (datum, error) {
	return func(_ *ctx, a datum) (datum, error) {
		switch x := a.Float(); {
		case x == 0:
			return null, errf(sqlstate.InvalidArgForLog, "cannot take logarithm of zero")
		case x < 0:
			return null, errf(sqlstate.InvalidArgForLog, "cannot take logarithm of a negative number")
		default:
			return types.NewFloat(f(x)), nil
		}
	}
}

func numeric1(name string, f func(types.Numeric) types.Numeric) *expr.Function {
	return fn1(name, numeric, numeric, func(_ *ctx, a datum) (datum, error) { return types.NewNumeric(f(a.Numeric())), nil })
}

func numeric1e(name string, f func(types.Numeric) (types.Numeric, error)) *expr.Function {
	return fn1(name, numeric, numeric, func(_ *ctx, a datum) (datum, error) {
		v, err := f(a.Numeric())
		return types.NewNumeric(v), err
	})
}

// clampScale keeps the digits argument of round and trunc within what numeric can show.
func clampScale(n int64) int32 { return int32(max(-2000, min(2000, n))) }

func degrees(x float64) float64 { return x / (math.Pi / 180) }
func radians(x float64) float64 { return x * (math.Pi / 180) }

// Trigonometry in degrees is exact at the multiples of 30 and 45.
func sind(x float64) float64 {
	return exactTrig(x, math.Sin, [...]float64{0, 0.5, 1, 0.5, 0, -0.5, -1, -0.5}, 0)
}
func cosd(x float64) float64 {
	return exactTrig(x, math.Cos, [...]float64{1, 0.5, 0, -0.5, -1, -0.5, 0, 0.5}, 60)
}

// exactTrig returns table values where sine or cosine is rational.
func exactTrig(x float64, f func(float64) float64, table [8]float64, at float64) float64 {
	d := math.Mod(x, 360)
	if d < 0 {
		d += 360
	}
	// Sine is rational at 0 30 90 150 180 210 270 330, cosine at 0 60 90 120 180 240 270 300.
	angles := [8]float64{0, 30, 90, 150, 180, 210, 270, 330}
	if at == 60 {
		angles = [8]float64{0, 60, 90, 120, 180, 240, 270, 300}
	}
	for i, a := range angles {
		if d == a {
			return table[i]
		}
	}
	return f(radians(d))
}

func tand(x float64) float64 {
	switch d := math.Mod(x, 180); d {
	case 45, -135:
		return 1
	case -45, 135:
		return -1
	case 0:
		return 0
	}
	return sind(x) / cosd(x)
}

func gcdInt(a, b int64) int64 {
	for b != 0 {
		if b == -1 {
			return 1
		}
		a, b = b, a%b
	}
	if a < 0 {
		a = -a
	}
	return a
}

func mathFunctions() []*expr.Function {
	f := []*expr.Function{
		float1("ceil", math.Ceil), float1("ceiling", math.Ceil), float1("floor", math.Floor),
		float1("trunc", math.Trunc), float1("round", math.RoundToEven), float1("cbrt", math.Cbrt),
		float1("sin", math.Sin), float1("cos", math.Cos), float1("tan", math.Tan),
		float1("asin", math.Asin), float1("acos", math.Acos), float1("atan", math.Atan),
		float1("sinh", math.Sinh), float1("cosh", math.Cosh), float1("tanh", math.Tanh),
		float1("asinh", math.Asinh), float1("acosh", math.Acosh), float1("atanh", math.Atanh),
		float1("cot", func(x float64) float64 { return 1 / math.Tan(x) }),
		float1("sind", sind), float1("cosd", cosd), float1("tand", tand),
		float1("cotd", func(x float64) float64 { return cosd(x) / sind(x) }),
		float1("asind", func(x float64) float64 { return math.Round(degrees(math.Asin(x))*1e13) / 1e13 }),
		float1("acosd", func(x float64) float64 { return math.Round(degrees(math.Acos(x))*1e13) / 1e13 }),
		float1("atand", func(x float64) float64 { return math.Round(degrees(math.Atan(x))*1e13) / 1e13 }),
		float1("degrees", degrees), float1("radians", radians),
		fn1("exp", float8, float8, func(_ *ctx, a datum) (datum, error) {
			y := math.Exp(a.Float())
			if math.IsInf(y, 0) && !math.IsInf(a.Float(), 0) {
				return null, errOverflow
			}
			if y == 0 && !math.IsInf(a.Float(), 0) {
				return null, errUnderflow
			}
			return types.NewFloat(y), nil
		}),
		fn1("sign", float8, float8, func(_ *ctx, a datum) (datum, error) {
			switch x := a.Float(); {
			case x > 0:
				return types.NewFloat(1), nil
			case x < 0:
				return types.NewFloat(-1), nil
			default:
				return a, nil
			}
		}),
		fn2("atan2", float8, float8, float8, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewFloat(math.Atan2(a.Float(), b.Float())), nil
		}),
		fn2("atan2d", float8, float8, float8, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewFloat(math.Round(degrees(math.Atan2(a.Float(), b.Float()))*1e13) / 1e13), nil
		}),
		fn1("sqrt", float8, float8, sqrtFloat),
		fn1("dsqrt", float8, float8, sqrtFloat),
		fn1("ln", float8, float8, logFloat(math.Log)),
		fn1("log", float8, float8, logFloat(math.Log10)),
		fn1("log10", float8, float8, logFloat(math.Log10)),
		fn2("power", float8, float8, float8, powFloat),
		fn2("pow", float8, float8, float8, powFloat),
		fn0("pi", float8, func(*ctx) (datum, error) { return types.NewFloat(math.Pi), nil }),

		numeric1("ceil", types.Numeric.Ceil), numeric1("ceiling", types.Numeric.Ceil), numeric1("floor", types.Numeric.Floor),
		numeric1("round", func(v types.Numeric) types.Numeric { return v.Round(0) }),
		numeric1("trunc", func(v types.Numeric) types.Numeric { return v.Trunc(0) }),
		numeric1("trim_scale", types.Numeric.TrimScale),
		numeric1("sign", func(v types.Numeric) types.Numeric {
			if v.IsNaN() {
				return v
			}
			return types.NumericFromInt(int64(v.Sign()))
		}),
		fn2("round", numeric, numeric, int4, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewNumeric(a.Numeric().Round(clampScale(b.Int()))), nil
		}),
		fn2("trunc", numeric, numeric, int4, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewNumeric(a.Numeric().Trunc(clampScale(b.Int()))), nil
		}),
		numeric1e("sqrt", types.Numeric.Sqrt), numeric1e("exp", types.Numeric.Exp), numeric1e("ln", types.Numeric.Ln),
		numeric1e("log", types.Numeric.Log10), numeric1e("log10", types.Numeric.Log10),
		fn2("log", numeric, numeric, numeric, numericFn(types.Numeric.Log)),
		fn2("power", numeric, numeric, numeric, numericFn(types.Numeric.Power)),
		fn2("pow", numeric, numeric, numeric, numericFn(types.Numeric.Power)),
		fn1("scale", int4, numeric, func(_ *ctx, a datum) (datum, error) {
			if !a.Numeric().IsFinite() {
				return null, nil
			}
			return types.NewInt(int64(a.Numeric().Scale())), nil
		}),
		fn1("min_scale", int4, numeric, func(_ *ctx, a datum) (datum, error) {
			if !a.Numeric().IsFinite() {
				return null, nil
			}
			return types.NewInt(int64(a.Numeric().MinScale())), nil
		}),
		fn1("factorial", numeric, int8, factorial),
		fn2("gcd", numeric, numeric, numeric, numericFn(gcdNumeric)),
		fn2("lcm", numeric, numeric, numeric, numericFn(func(a, b types.Numeric) (types.Numeric, error) {
			g, err := gcdNumeric(a, b)
			if err != nil || g.Sign() == 0 {
				return g, err
			}
			q, err := a.QuoTrunc(g)
			if err != nil {
				return q, err
			}
			p, err := q.Mul(b)
			return p.Abs().Round(max(a.Scale(), b.Scale())), err
		})),
		fnN("width_bucket", int4, args(float8, float8, float8, int4), func(_ *ctx, a []datum) (datum, error) {
			return widthBucketFloat(a[0].Float(), a[1].Float(), a[2].Float(), a[3].Int())
		}),
		fnN("width_bucket", int4, args(numeric, numeric, numeric, int4), widthBucketNumeric),
		fn2("width_bucket", int4, anycompatible, anycompatiblearr, func(_ *ctx, a, b datum) (datum, error) {
			n := int64(0)
			for _, e := range b.Array().Elems {
				if e.IsNull() {
					return null, errf(sqlstate.NullValueNotAllowed, "thresholds array must not contain NULLs")
				}
				if types.Compare(a, e) >= 0 {
					n++
				}
			}
			return types.NewInt(n), nil
		}),
		volatile(fn0("random", float8, func(ec *ctx) (datum, error) {
			if ec.Random != nil {
				return types.NewFloat(ec.Random()), nil
			}
			return types.NewFloat(rand.Float64()), nil
		})),
	}
	for _, t := range args(int4, int8) {
		f = append(f,
			fn2("gcd", t, t, t, func(_ *ctx, a, b datum) (datum, error) {
				lo, _ := intBounds(t)
				g := gcdInt(a.Int(), b.Int())
				if g < 0 || g == -lo {
					return null, rangeError(t)
				}
				return types.NewInt(g), nil
			}),
			fn2("lcm", t, t, t, func(_ *ctx, a, b datum) (datum, error) {
				if a.Int() == 0 || b.Int() == 0 {
					return types.NewInt(0), nil
				}
				p, ok := mulInt(a.Int()/gcdInt(a.Int(), b.Int()), b.Int())
				lo, hi := intBounds(t)
				if !ok || p == math.MinInt64 || p > hi || -p > hi || p < lo {
					return null, rangeError(t)
				}
				if p < 0 {
					p = -p
				}
				return types.NewInt(p), nil
			}))
	}
	return f
}

func factorial(_ *ctx, a datum) (datum, error) {
	n := a.Int()
	if n < 0 {
		return null, errf(sqlstate.NumericOutOfRange, "factorial of a negative number is undefined")
	}
	if n > 32177 {
		return null, errf(sqlstate.NumericOutOfRange, "value overflows numeric format")
	}
	v := types.NumericFromInt(1)
	for i := int64(2); i <= n; i++ {
		var err error
		if v, err = v.Mul(types.NumericFromInt(i)); err != nil {
			return null, err
		}
	}
	return types.NewNumeric(v), nil
}

func gcdNumeric(a, b types.Numeric) (types.Numeric, error) {
	if !a.IsFinite() || !b.IsFinite() {
		return types.NumericNaN, nil
	}
	scale := max(a.Scale(), b.Scale())
	for b.Sign() != 0 {
		m, err := a.Mod(b)
		if err != nil {
			return m, err
		}
		a, b = b, m
	}
	return a.Abs().Round(scale), nil
}

func errBucketCount(n int64) error {
	if n <= 0 {
		return errf(sqlstate.InvalidArgForWidthBucket, "count must be greater than zero")
	}
	return nil
}

func widthBucketFloat(x, lo, hi float64, n int64) (datum, error) {
	if err := errBucketCount(n); err != nil {
		return null, err
	}
	switch {
	case math.IsNaN(x) || math.IsNaN(lo) || math.IsNaN(hi):
		return null, errf(sqlstate.InvalidArgForWidthBucket, "operand, lower bound, and upper bound cannot be NaN")
	case math.IsInf(lo, 0) || math.IsInf(hi, 0):
		return null, errf(sqlstate.InvalidArgForWidthBucket, "lower and upper bounds must be finite")
	case lo == hi:
		return null, errf(sqlstate.InvalidArgForWidthBucket, "lower bound cannot equal upper bound")
	}
	reversed := lo > hi
	if reversed {
		x, lo, hi = -x, -lo, -hi
	}
	switch {
	case x < lo:
		return types.NewInt(0), nil
	case x >= hi:
		return types.NewInt(n + 1), nil
	}
	return types.NewInt(min(int64(float64(n)*((x-lo)/(hi-lo)))+1, n)), nil
}

func widthBucketNumeric(_ *ctx, a []datum) (datum, error) {
	x, lo, hi, n := a[0].Numeric(), a[1].Numeric(), a[2].Numeric(), a[3].Int()
	if err := errBucketCount(n); err != nil {
		return null, err
	}
	switch {
	case x.IsNaN() || lo.IsNaN() || hi.IsNaN():
		return null, errf(sqlstate.InvalidArgForWidthBucket, "operand, lower bound, and upper bound cannot be NaN")
	case !lo.IsFinite() || !hi.IsFinite():
		return null, errf(sqlstate.InvalidArgForWidthBucket, "lower and upper bounds must be finite")
	case lo.Cmp(hi) == 0:
		return null, errf(sqlstate.InvalidArgForWidthBucket, "lower bound cannot equal upper bound")
	}
	if lo.Cmp(hi) > 0 {
		x, lo, hi = x.Neg(), lo.Neg(), hi.Neg()
	}
	switch {
	case x.Cmp(lo) < 0:
		return types.NewInt(0), nil
	case x.Cmp(hi) >= 0:
		return types.NewInt(n + 1), nil
	}
	d, _ := x.Sub(lo)
	d, _ = d.Mul(types.NumericFromInt(n))
	w, _ := hi.Sub(lo)
	q, err := d.QuoTrunc(w)
	b, _ := q.Int64()
	return types.NewInt(b + 1), err
}
