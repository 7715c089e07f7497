package builtins

import (
	"math"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// intervalSum is sum(interval).
type intervalSum struct {
	sum types.Interval
	n   int64
}

func (s *intervalSum) add(_ *ctx, a []datum) (err error) {
	if a[0].IsNull() {
		return nil
	}
	s.n++
	s.sum, err = s.sum.Add(a[0].Interval())
	return err
}

func (s *intervalSum) result(*ctx) (datum, error) {
	if s.n == 0 {
		return null, nil
	}
	return types.NewInterval(s.sum), nil
}

func (s *intervalSum) partial(dst []byte) ([]byte, bool) {
	return appendDatum(appendI64(dst, s.n), interval, types.NewInterval(s.sum)), true
}

func (s *intervalSum) merge(ec *ctx, src []byte) ([]byte, error) {
	n, src, err := readI64(src)
	if err != nil {
		return nil, err
	}
	d, rest, err := readDatum(ec, interval, src)
	if err != nil || d.IsNull() {
		return rest, err
	}
	s.n += n
	s.sum, err = s.sum.Add(d.Interval())
	return rest, err
}

func (s *intervalSum) size() int64 { return 24 }

// intervalAvg is avg(interval).
type intervalAvg struct{ intervalSum }

func (s *intervalAvg) result(*ctx) (datum, error) {
	if s.n == 0 {
		return null, nil
	}
	v, err := s.sum.Div(float64(s.n))
	return types.NewInterval(v), err
}

// moments is the state of variance and its relatives on floats: Youngs and Cramer's
// running sums, which do not cancel as a sum of squares does.
type moments struct {
	kind            statKind
	n, sum, squares float64
}

type statKind uint8

const (
	varPop statKind = iota
	varSamp
	stddevPop
	stddevSamp
)

func (s *moments) add(_ *ctx, a []datum) error {
	if a[0].IsNull() {
		return nil
	}
	x := a[0].Float()
	s.n++
	s.sum += x
	if s.n > 1 {
		t := x*s.n - s.sum
		s.squares += t * t / (s.n * (s.n - 1))
		if (math.IsInf(s.sum, 0) || math.IsInf(s.squares, 0)) && !math.IsInf(x, 0) && !math.IsNaN(x) {
			if !math.IsInf(s.sum-x, 0) {
				return errOverflow
			}
			s.squares = math.NaN()
		}
	} else if math.IsInf(x, 0) || math.IsNaN(x) {
		s.squares = math.NaN()
	}
	return nil
}

func (s *moments) result(*ctx) (datum, error) {
	pop := s.kind == varPop || s.kind == stddevPop
	if s.n == 0 || !pop && s.n <= 1 {
		return null, nil
	}
	v := s.squares / s.n
	if !pop {
		v = s.squares / (s.n - 1)
	}
	if s.kind == stddevPop || s.kind == stddevSamp {
		v = math.Sqrt(v)
	}
	return types.NewFloat(v), nil
}

func (s *moments) partial(dst []byte) ([]byte, bool) {
	for _, f := range []float64{s.n, s.sum, s.squares} {
		dst = appendI64(dst, int64(math.Float64bits(f)))
	}
	return dst, true
}

func (s *moments) merge(_ *ctx, src []byte) ([]byte, error) {
	var f [3]float64
	for i := range f {
		b, rest, err := readI64(src)
		if err != nil {
			return nil, err
		}
		f[i], src = math.Float64frombits(uint64(b)), rest
	}
	switch {
	case f[0] == 0:
	case s.n == 0:
		s.n, s.sum, s.squares = f[0], f[1], f[2]
	default:
		t := s.sum/s.n - f[1]/f[0]
		n := s.n + f[0]
		s.squares += f[2] + s.n*f[0]*t*t/n
		s.n, s.sum = n, s.sum+f[1]
	}
	return src, nil
}

func (s *moments) size() int64 { return 32 }

// numericMoments is variance and its relatives on integers and numeric, exact.
type numericMoments struct {
	kind         statKind
	n            int64
	sum, squares types.Numeric
}

func (s *numericMoments) add(_ *ctx, a []datum) (err error) {
	if a[0].IsNull() {
		return nil
	}
	x := types.NumericFromInt(a[0].Int())
	if a[0].Family() == types.FamNumeric {
		x = a[0].Numeric()
	}
	return s.addSums(1, x, func() (types.Numeric, error) { return x.Mul(x) })
}

func (s *numericMoments) addSums(n int64, sum types.Numeric, squares func() (types.Numeric, error)) (err error) {
	s.n += n
	if s.sum, err = s.sum.Add(sum); err != nil {
		return err
	}
	sq, err := squares()
	if err != nil {
		return err
	}
	s.squares, err = s.squares.Add(sq)
	return err
}

func (s *numericMoments) result(*ctx) (datum, error) {
	pop := s.kind == varPop || s.kind == stddevPop
	if s.n == 0 || !pop && s.n <= 1 {
		return null, nil
	}
	if !s.sum.IsFinite() {
		return types.NewNumeric(types.NumericNaN), nil
	}
	n := types.NumericFromInt(s.n)
	sum2, err := s.sum.Mul(s.sum)
	if err != nil {
		return null, err
	}
	a, err := n.Mul(s.squares)
	if err != nil {
		return null, err
	}
	num, err := a.Sub(sum2)
	if err != nil {
		return null, err
	}
	if num.Sign() <= 0 {
		return types.NewNumeric(types.NumericFromInt(0)), nil
	}
	den := types.NumericFromInt(s.n)
	if pop {
		den, err = den.Mul(n)
	} else {
		den, err = den.Mul(types.NumericFromInt(s.n - 1))
	}
	if err != nil {
		return null, err
	}
	v, err := num.Div(den)
	if err == nil && (s.kind == stddevPop || s.kind == stddevSamp) {
		v, err = v.Sqrt()
	}
	return types.NewNumeric(v), err
}

func (s *numericMoments) partial(dst []byte) ([]byte, bool) {
	return appendText(appendText(appendI64(dst, s.n), s.sum.String()), s.squares.String()), true
}

func (s *numericMoments) merge(_ *ctx, src []byte) ([]byte, error) {
	n, src, err := readI64(src)
	if err != nil {
		return nil, err
	}
	sum, src, err := readText(src)
	if err != nil {
		return nil, err
	}
	squares, rest, err := readText(src)
	if err != nil {
		return nil, err
	}
	x, err := types.ParseNumeric(sum)
	if err != nil {
		return nil, err
	}
	return rest, s.addSums(n, x, func() (types.Numeric, error) { return types.ParseNumeric(squares) })
}

func (s *numericMoments) size() int64 { return 64 }

// regression is the state of corr, covar_* and regr_*, again with Youngs and Cramer's sums.
type regression struct {
	noPartial
	kind                string
	n, sx, sxx, sy, syy float64
	sxy                 float64
}

func (s *regression) add(_ *ctx, a []datum) error {
	if a[0].IsNull() || a[1].IsNull() {
		return nil
	}
	y, x := a[0].Float(), a[1].Float()
	s.n++
	s.sx += x
	s.sy += y
	if s.n > 1 {
		tx, ty := x*s.n-s.sx, y*s.n-s.sy
		scale := 1 / (s.n * (s.n - 1))
		s.sxx += tx * tx * scale
		s.syy += ty * ty * scale
		s.sxy += tx * ty * scale
	}
	return nil
}

func (s *regression) result(*ctx) (datum, error) {
	f := func(x float64) (datum, error) { return types.NewFloat(x), nil }
	if s.kind == "regr_count" {
		return types.NewInt(int64(s.n)), nil
	}
	if s.n < 1 || s.kind == "covar_samp" && s.n < 2 {
		return null, nil
	}
	switch s.kind {
	case "regr_sxx":
		return f(s.sxx)
	case "regr_syy":
		return f(s.syy)
	case "regr_sxy":
		return f(s.sxy)
	case "regr_avgx":
		return f(s.sx / s.n)
	case "regr_avgy":
		return f(s.sy / s.n)
	case "covar_pop":
		return f(s.sxy / s.n)
	case "covar_samp":
		return f(s.sxy / (s.n - 1))
	case "corr":
		if s.sxx == 0 || s.syy == 0 {
			return null, nil
		}
		return f(s.sxy / math.Sqrt(s.sxx*s.syy))
	case "regr_r2":
		if s.sxx == 0 {
			return null, nil
		}
		if s.syy == 0 {
			return f(1)
		}
		return f(s.sxy * s.sxy / (s.sxx * s.syy))
	case "regr_slope":
		if s.sxx == 0 {
			return null, nil
		}
		return f(s.sxy / s.sxx)
	}
	if s.sxx == 0 { // regr_intercept
		return null, nil
	}
	return f((s.sy - s.sx*s.sxy/s.sxx) / s.n)
}

func (s *regression) size() int64 { return 64 }

// boolFold is bool_and, bool_or and every.
type boolFold struct {
	or         bool
	seen, have bool
}

func (s *boolFold) add(_ *ctx, a []datum) error {
	if !a[0].IsNull() {
		s.fold(a[0].Bool())
	}
	return nil
}

func (s *boolFold) fold(b bool) {
	switch {
	case !s.have:
		s.seen = b
	case s.or:
		s.seen = s.seen || b
	default:
		s.seen = s.seen && b
	}
	s.have = true
}

func (s *boolFold) result(*ctx) (datum, error) {
	if !s.have {
		return null, nil
	}
	return types.NewBool(s.seen), nil
}

func (s *boolFold) partial(dst []byte) ([]byte, bool) {
	return appendFlag(appendFlag(dst, s.have), s.seen), true
}

func (s *boolFold) merge(_ *ctx, src []byte) ([]byte, error) {
	have, src, err := readFlag(src)
	if err != nil {
		return nil, err
	}
	b, rest, err := readFlag(src)
	if have && err == nil {
		s.fold(b)
	}
	return rest, err
}

func (s *boolFold) size() int64 { return 3 }

// bitFold is bit_and, bit_or and bit_xor.
type bitFold struct {
	op   byte
	have bool
	bits int64
}

func (s *bitFold) add(_ *ctx, a []datum) error {
	if !a[0].IsNull() {
		s.fold(a[0].Int())
	}
	return nil
}

func (s *bitFold) fold(x int64) {
	switch {
	case !s.have:
		s.bits = x
	case s.op == '&':
		s.bits &= x
	case s.op == '|':
		s.bits |= x
	default:
		s.bits ^= x
	}
	s.have = true
}

func (s *bitFold) result(*ctx) (datum, error) {
	if !s.have {
		return null, nil
	}
	return types.NewInt(s.bits), nil
}

func (s *bitFold) partial(dst []byte) ([]byte, bool) {
	return appendI64(appendFlag(dst, s.have), s.bits), true
}

func (s *bitFold) merge(_ *ctx, src []byte) ([]byte, error) {
	have, src, err := readFlag(src)
	if err != nil {
		return nil, err
	}
	x, rest, err := readI64(src)
	if have && err == nil {
		s.fold(x)
	}
	return rest, err
}

func (s *bitFold) size() int64 { return 16 }

func statisticAggregates() []*expr.Function {
	var f []*expr.Function
	for name, kind := range map[string]statKind{"var_pop": varPop, "var_samp": varSamp, "variance": varSamp,
		"stddev_pop": stddevPop, "stddev_samp": stddevSamp, "stddev": stddevSamp} {
		for _, t := range args(int2, int4, int8, numeric) {
			f = append(f, agg(name, numeric, args(t), func(*expr.Call) expr.AggState { return newStatesOf(numericMoments{kind: kind}) }))
		}
		for _, t := range args(float4, float8) {
			f = append(f, agg(name, float8, args(t), func(*expr.Call) expr.AggState { return newStatesOf(moments{kind: kind}) }))
		}
	}
	for _, name := range []string{"corr", "covar_pop", "covar_samp", "regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2",
		"regr_slope", "regr_sxx", "regr_sxy", "regr_syy"} {
		ret := float8
		if name == "regr_count" {
			ret = int8
		}
		f = append(f, agg(name, ret, args(float8, float8), func(*expr.Call) expr.AggState { return newStatesOf(regression{kind: name}) }))
	}
	for name, or := range map[string]bool{"bool_and": false, "every": false, "bool_or": true} {
		f = append(f, agg(name, boolean, args(boolean), func(*expr.Call) expr.AggState { return newStatesOf(boolFold{or: or}) }))
	}
	for name, op := range map[string]byte{"bit_and": '&', "bit_or": '|', "bit_xor": '#'} {
		for _, t := range args(int2, int4, int8) {
			f = append(f, agg(name, t, args(t), func(*expr.Call) expr.AggState { return newStatesOf(bitFold{op: op}) }))
		}
	}
	return f
}

// errArgument is 22023 with the message.
func errArgument(format string, a ...any) error {
	return errf(sqlstate.InvalidParameterValue, format, a...)
}
