package types

import (
	"math"

	"github.com/cockroachdb/apd/v3"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// The transcendental functions compute with guard digits in apd and round to the scale
// that PostgreSQL shows, which depends on the size of the result.

// context returns an apd context of the precision.
func context(precision int) *apd.Context {
	c := apd.BaseContext.WithPrecision(uint32(max(precision, 1)))
	c.Rounding = apd.RoundHalfUp
	c.Traps = apd.InvalidOperation | apd.DivisionByZero | apd.Overflow
	return c
}

// fromContext rounds a result to the scale.
func fromContext(d *apd.Decimal, scale int) (Numeric, error) {
	scale = min(max(scale, 0), numericMaxPrecision)
	return NumericFromDecimal(d).Round(int32(scale)).checkRange()
}

// decimalWeight returns the power of ten of the first digit: 0 for 1..9.99, -1 for 0.1..
func (v Numeric) decimalWeight() int {
	if v.Sign() == 0 {
		return 0
	}
	return int(v.Decimal().NumDigits()) - 1 - int(v.scale)
}

func errNegativeLog(v Numeric) error {
	if v.Sign() == 0 {
		return sqlstate.New(sqlstate.InvalidArgForLog, "cannot take logarithm of zero")
	}
	return sqlstate.New(sqlstate.InvalidArgForLog, "cannot take logarithm of a negative number")
}

// Sqrt returns the square root.
func (v Numeric) Sqrt() (Numeric, error) {
	switch {
	case v.IsNaN() || v.IsInf() && v.Sign() > 0:
		return v, nil
	case v.Sign() < 0:
		return Numeric{}, sqlstate.New(sqlstate.InvalidArgForPower, "cannot take square root of a negative number")
	}
	// At least 16 significant digits, by the weight of the result in base 10000.
	w, _ := v.weight()
	sweight := (w+1)*decDigits/2 - 1
	scale := min(max(numericMinSigDigits-sweight, int(v.scale), 0), numericMaxPrecision)
	if v.Sign() == 0 {
		return Numeric{scale: int32(scale)}, nil
	}
	out := new(apd.Decimal)
	if _, err := context(scale+v.decimalWeight()/2+8).Sqrt(out, v.Decimal()); err != nil {
		return Numeric{}, errNumericOverflow
	}
	return fromContext(out, scale)
}

// Exp returns e to the power of v.
func (v Numeric) Exp() (Numeric, error) {
	switch {
	case v.IsNaN() || v.IsInf() && v.Sign() > 0:
		return v, nil
	case v.IsInf():
		return Numeric{}, nil
	}
	f, _ := v.Float64()
	weight := f * math.Log10E
	if weight > numericMaxIntDigits {
		return Numeric{}, errNumericOverflow
	}
	if weight < -numericMaxResultScale {
		return Numeric{scale: numericMaxPrecision}, nil
	}
	scale := min(max(numericMinSigDigits-int(weight), int(v.scale), 0), numericMaxPrecision)
	out := new(apd.Decimal)
	if _, err := context(max(scale+int(weight), 1)+10).Exp(out, v.Decimal()); err != nil {
		return Numeric{}, errNumericOverflow
	}
	return fromContext(out, scale)
}

// lnScale is the scale PostgreSQL shows a natural logarithm with.
func (v Numeric) lnScale() int {
	return min(max(numericMinSigDigits-v.lnWeight(), int(v.scale), 0), numericMaxPrecision)
}

// lnWeight estimates the power of ten of the first digit of ln(v).
func (v Numeric) lnWeight() int {
	lo := Numeric{coef: 9, scale: 1}
	hi := Numeric{coef: 11, scale: 1}
	if v.Cmp(lo) >= 0 && v.Cmp(hi) <= 0 {
		// ln(1+x) is about x.
		d, _ := v.Sub(NumericFromInt(1))
		if d.Sign() == 0 {
			return 0
		}
		return d.decimalWeight()
	}
	f, _ := v.lnFloat()
	return int(math.Log10(math.Abs(f)))
}

func (v Numeric) lnFloat() (float64, bool) {
	w := v.decimalWeight()
	m := v.Decimal()
	mant := apd.New(0, 0).Set(m)
	mant.Exponent -= int32(w)
	f, err := mant.Float64()
	return math.Log(f) + float64(w)*math.Ln10, err == nil
}

func (v Numeric) ln(precision int) (*apd.Decimal, error) {
	out := new(apd.Decimal)
	if _, err := context(precision).Ln(out, v.Decimal()); err != nil {
		return nil, errNumericOverflow
	}
	return out, nil
}

// Ln returns the natural logarithm.
func (v Numeric) Ln() (Numeric, error) {
	switch {
	case v.IsNaN() || v.IsInf() && v.Sign() > 0:
		return v, nil
	case v.Sign() <= 0:
		return Numeric{}, errNegativeLog(v)
	}
	scale := v.lnScale()
	out, err := v.ln(scale + max(v.lnWeight(), 0) + 12)
	if err != nil {
		return Numeric{}, err
	}
	return fromContext(out, scale)
}

// Log10 returns the logarithm to base 10.
func (v Numeric) Log10() (Numeric, error) { return NumericFromInt(10).Log(v) }

// Log returns the logarithm of w to the base v.
func (v Numeric) Log(w Numeric) (Numeric, error) {
	switch {
	case v.IsNaN() || w.IsNaN():
		return NumericNaN, nil
	case v.Sign() <= 0:
		return Numeric{}, errNegativeLog(v)
	case w.Sign() <= 0:
		return Numeric{}, errNegativeLog(w)
	case v.IsInf() && w.IsInf():
		return NumericNaN, nil
	case v.IsInf():
		return Numeric{}, nil
	case w.IsInf():
		return NumericInf, nil
	}
	weight := w.lnWeight() - v.lnWeight()
	scale := min(max(numericMinSigDigits-weight, int(v.scale), int(w.scale), 0), numericMaxPrecision)
	a, err := w.ln(scale + 30)
	if err != nil {
		return Numeric{}, err
	}
	b, err := v.ln(scale + 30)
	if err != nil {
		return Numeric{}, err
	}
	if b.Sign() == 0 {
		return Numeric{}, errDivisionByZero
	}
	out := new(apd.Decimal)
	if _, err := context(scale+30).Quo(out, a, b); err != nil {
		return Numeric{}, errNumericOverflow
	}
	return fromContext(out, scale)
}

// Power returns v to the power of w.
func (v Numeric) Power(w Numeric) (Numeric, error) {
	one := NumericFromInt(1)
	switch {
	case v.IsNaN() || w.IsNaN():
		if v.Cmp(one) == 0 || w.Sign() == 0 && !w.IsNaN() {
			return one, nil
		}
		return NumericNaN, nil
	case v.Sign() == 0 && w.Sign() < 0:
		return Numeric{}, sqlstate.New(sqlstate.InvalidArgForPower, "zero raised to a negative power is undefined")
	case v.Sign() < 0 && w.IsFinite() && w.Trunc(0).Cmp(w) != 0:
		return Numeric{}, sqlstate.New(sqlstate.InvalidArgForPower, "a negative number raised to a non-integer power yields a complex result")
	case v.IsInf() || w.IsInf():
		return v.powerInf(w)
	}
	if w.Sign() == 0 {
		return NumericFromParts(1, 0).Round(int32(max(numericMinSigDigits, int(v.scale), int(w.scale)))), nil
	}
	if n, ok := w.Trunc(0).Int64(); ok && w.Trunc(0).Cmp(w) == 0 && n >= math.MinInt32 && n <= math.MaxInt32 {
		return v.powerInt(n)
	}
	if v.Sign() == 0 {
		return Numeric{scale: int32(max(numericMinSigDigits, int(v.scale), int(w.scale)))}, nil
	}
	l, ok := v.Abs().lnFloat()
	wf, _ := w.Float64()
	weight := l * wf * math.Log10E
	if !ok || weight > numericMaxIntDigits {
		return Numeric{}, errNumericOverflow
	}
	if weight < -numericMaxResultScale {
		return Numeric{scale: numericMaxPrecision}, nil
	}
	scale := min(max(numericMinSigDigits-int(weight), int(v.scale), int(w.scale), 0), numericMaxPrecision)
	out := new(apd.Decimal)
	if _, err := context(max(scale+int(weight), 1)+20).Pow(out, v.Decimal(), w.Decimal()); err != nil {
		return Numeric{}, errNumericOverflow
	}
	return fromContext(out, scale)
}

func (v Numeric) powerInf(w Numeric) (Numeric, error) {
	one := NumericFromInt(1)
	abs := v.Abs()
	switch {
	case w.Sign() == 0 || v.Cmp(one) == 0:
		return one, nil
	case w.IsInf():
		c := abs.Cmp(one)
		if c == 0 {
			return one, nil
		}
		if (c > 0) == (w.Sign() > 0) {
			return NumericInf, nil
		}
		return Numeric{}, nil
	case w.Sign() < 0:
		return Numeric{}, nil
	case v.Sign() < 0:
		if m, _ := w.Mod(NumericFromInt(2)); m.Sign() != 0 {
			return NumericNegInf, nil
		}
	}
	return NumericInf, nil
}

// powerInt raises to an integer power by squaring, exactly where the scale allows.
func (v Numeric) powerInt(n int64) (Numeric, error) {
	if v.Sign() == 0 {
		return Numeric{scale: int32(max(numericMinSigDigits, int(v.scale)))}, nil
	}
	f, _ := v.Abs().lnFloat()
	weight := float64(n) * f * math.Log10E
	if weight > numericMaxIntDigits {
		return Numeric{}, errNumericOverflow
	}
	if weight < -numericMaxResultScale {
		return Numeric{scale: numericMaxPrecision}, nil
	}
	scale := min(max(numericMinSigDigits, int(v.scale)), numericMaxPrecision)
	ctx := context(max(scale+int(weight), 1) + 20 + int(math.Log10(math.Abs(float64(n))+1)))
	base, out := new(apd.Decimal).Set(v.Decimal()), apd.New(1, 0)
	k := n
	if k < 0 {
		k = -k
	}
	for k > 0 {
		if k&1 == 1 {
			if _, err := ctx.Mul(out, out, base); err != nil {
				return Numeric{}, errNumericOverflow
			}
		}
		if k >>= 1; k > 0 {
			if _, err := ctx.Mul(base, base, base); err != nil {
				return Numeric{}, errNumericOverflow
			}
		}
	}
	if n < 0 {
		if _, err := ctx.Quo(out, apd.New(1, 0), out); err != nil {
			return Numeric{}, errNumericOverflow
		}
	}
	return fromContext(out, scale)
}
