package types

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"

	"github.com/cockroachdb/apd/v3"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Numeric is an exact decimal number with PostgreSQL's display scale: 1.0 and
// 1.00 are equal but print differently. NaN and the infinities are included.
//
// A number whose coefficient fits an int64 is coef * 10^-scale and needs no
// memory; any other is a shared, immutable *apd.Decimal with Exponent == -scale.
type Numeric struct {
	coef  int64
	scale int32 // display scale, 0..16383
	big   *apd.Decimal
}

// Limits of PostgreSQL's numeric type.
const (
	numericMaxPrecision   = 1000
	numericMaxIntDigits   = 131072
	numericMaxScale       = 16383
	numericMaxResultScale = 2 * numericMaxPrecision
	numericMinSigDigits   = 16
	decDigits             = 4 // PostgreSQL computes in base 10^4; its division scale shows it
)

var (
	bigNaN    = &apd.Decimal{Form: apd.NaN}
	bigInf    = &apd.Decimal{Form: apd.Infinite}
	bigNegInf = &apd.Decimal{Form: apd.Infinite, Negative: true}

	// NumericNaN, NumericInf and NumericNegInf are the special values.
	NumericNaN    = Numeric{big: bigNaN}
	NumericInf    = Numeric{big: bigInf}
	NumericNegInf = Numeric{big: bigNegInf}
)

var pow10 = [19]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// NumericFromInt returns an integer with scale 0.
func NumericFromInt(i int64) Numeric { return Numeric{coef: i} }

// NumericFromParts returns coef * 10^-scale, 0 <= scale <= 16383.
func NumericFromParts(coef int64, scale int32) Numeric { return Numeric{coef: coef, scale: scale} }

// NumericFromDecimal returns the number, which must not change afterwards. A
// positive exponent is folded into the coefficient.
func NumericFromDecimal(d *apd.Decimal) Numeric {
	if d.Form != apd.Finite {
		switch {
		case d.Form == apd.Infinite && d.Negative:
			return NumericNegInf
		case d.Form == apd.Infinite:
			return NumericInf
		}
		return NumericNaN
	}
	c := new(apd.BigInt).Set(&d.Coeff)
	if d.Exponent > 0 {
		c.Mul(c, bigPow10(int(d.Exponent)))
	}
	if d.Negative {
		c.Neg(c)
	}
	return numericFromBig(c, max(-d.Exponent, 0))
}

// numericFromBig takes ownership of c.
func numericFromBig(c *apd.BigInt, scale int32) Numeric {
	if c.IsInt64() {
		return Numeric{coef: c.Int64(), scale: scale}
	}
	d := &apd.Decimal{Exponent: -scale}
	d.Negative = c.Sign() < 0
	d.Coeff.Abs(c)
	return Numeric{scale: scale, big: d}
}

// bigPow10 returns a new 10^n.
func bigPow10(n int) *apd.BigInt {
	if n < len(pow10) {
		return apd.NewBigInt(pow10[n])
	}
	return new(apd.BigInt).Exp(apd.NewBigInt(10), apd.NewBigInt(int64(n)), nil)
}

// bigCoef returns a new signed coefficient.
func (v Numeric) bigCoef() *apd.BigInt {
	if v.big == nil {
		return apd.NewBigInt(v.coef)
	}
	c := new(apd.BigInt).Set(&v.big.Coeff)
	if v.big.Negative {
		c.Neg(c)
	}
	return c
}

// Decimal returns the number as a decimal that the caller must not change.
func (v Numeric) Decimal() *apd.Decimal {
	if v.big != nil {
		return v.big
	}
	return apd.New(v.coef, -v.scale)
}

// Small returns the coefficient and scale if the coefficient fits an int64.
func (v Numeric) Small() (coef int64, scale int32, ok bool) {
	return v.coef, v.scale, v.big == nil
}

// IsNaN reports whether v is NaN.
func (v Numeric) IsNaN() bool { return v.big != nil && v.big.Form == apd.NaN }

// IsInf reports whether v is an infinity.
func (v Numeric) IsInf() bool { return v.big != nil && v.big.Form == apd.Infinite }

// IsFinite reports whether v is neither NaN nor infinite.
func (v Numeric) IsFinite() bool { return v.big == nil || v.big.Form == apd.Finite }

// Scale returns the display scale: the digits after the point.
func (v Numeric) Scale() int32 { return v.scale }

// Sign returns -1, 0 or 1; 0 for NaN.
func (v Numeric) Sign() int {
	if v.big == nil {
		switch {
		case v.coef < 0:
			return -1
		case v.coef > 0:
			return 1
		}
		return 0
	}
	switch {
	case v.big.Form == apd.NaN:
		return 0
	case v.big.Negative:
		return -1
	case v.big.Form == apd.Finite && v.big.Coeff.Sign() == 0:
		return 0
	}
	return 1
}

// specialRank orders the special values around the finite ones.
func (v Numeric) specialRank() int {
	switch {
	case v.IsFinite():
		return 0
	case v.big.Form == apd.NaN:
		return 2
	case v.big.Negative:
		return -1
	}
	return 1
}

// Cmp compares by value; NaN equals NaN and is above everything else.
func (v Numeric) Cmp(w Numeric) int {
	if v.big == nil && w.big == nil {
		if v.scale == w.scale {
			return cmpInt(v.coef, w.coef)
		}
		if a, b, ok := alignSmall(v, w); ok {
			return cmpInt(a, b)
		}
	}
	if rv, rw := v.specialRank(), w.specialRank(); rv != 0 || rw != 0 {
		return rv - rw
	}
	if sv, sw := v.Sign(), w.Sign(); sv != sw {
		return sv - sw
	}
	a, b := v.bigCoef(), w.bigCoef()
	alignBig(a, b, v.scale, w.scale)
	return a.Cmp(b)
}

func cmpInt(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// mulPow10 multiplies by 10^n; ok is false on overflow.
func mulPow10(c int64, n int32) (int64, bool) {
	if n >= int32(len(pow10)) {
		return 0, c == 0
	}
	return mulInt64(c, pow10[n])
}

func mulInt64(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	// Correct the unsigned product to a signed one.
	if a < 0 {
		hi -= uint64(b)
	}
	if b < 0 {
		hi -= uint64(a)
	}
	r := int64(lo)
	return r, int64(hi) == r>>63
}

// alignSmall brings two small numbers to the larger of their scales.
func alignSmall(v, w Numeric) (a, b int64, ok bool) {
	a, b, ok = v.coef, w.coef, true
	switch {
	case v.scale < w.scale:
		a, ok = mulPow10(a, w.scale-v.scale)
	case v.scale > w.scale:
		b, ok = mulPow10(b, v.scale-w.scale)
	}
	return a, b, ok
}

func alignBig(a, b *apd.BigInt, as, bs int32) {
	switch {
	case as < bs:
		a.Mul(a, bigPow10(int(bs-as)))
	case as > bs:
		b.Mul(b, bigPow10(int(as-bs)))
	}
}

var errNumericOverflow = sqlstate.New(sqlstate.NumericOutOfRange, "value overflows numeric format")

// checkRange enforces PostgreSQL's limit of digits before the point.
func (v Numeric) checkRange() (Numeric, error) {
	if v.big != nil && v.big.Form == apd.Finite && v.big.Coeff.BitLen() > 400000 {
		if v.big.NumDigits()-int64(v.scale) > numericMaxIntDigits {
			return Numeric{}, errNumericOverflow
		}
	}
	if v.scale > numericMaxScale {
		return v.Round(numericMaxScale), nil
	}
	return v, nil
}

// Add returns v + w, exactly.
func (v Numeric) Add(w Numeric) (Numeric, error) {
	if v.big == nil && w.big == nil {
		if a, b, ok := alignSmall(v, w); ok {
			if c := a + b; (c > a) == (b > 0) {
				return Numeric{coef: c, scale: max(v.scale, w.scale)}, nil
			}
		}
	}
	if !v.IsFinite() || !w.IsFinite() {
		rv, rw := v.specialRank(), w.specialRank()
		switch {
		case rv == 2 || rw == 2 || rv != 0 && rw != 0 && rv != rw:
			return NumericNaN, nil
		case rv != 0:
			return v, nil
		}
		return w, nil
	}
	a, b := v.bigCoef(), w.bigCoef()
	alignBig(a, b, v.scale, w.scale)
	return numericFromBig(a.Add(a, b), max(v.scale, w.scale)).checkRange()
}

// Sub returns v - w, exactly.
func (v Numeric) Sub(w Numeric) (Numeric, error) { return v.Add(w.Neg()) }

// Neg returns -v.
func (v Numeric) Neg() Numeric {
	if v.big == nil {
		if v.coef != math.MinInt64 {
			return Numeric{coef: -v.coef, scale: v.scale}
		}
		c := v.bigCoef()
		return numericFromBig(c.Neg(c), v.scale)
	}
	switch {
	case v.IsNaN():
		return v
	case v.IsInf() && v.big.Negative:
		return NumericInf
	case v.IsInf():
		return NumericNegInf
	}
	c := v.bigCoef()
	return numericFromBig(c.Neg(c), v.scale)
}

// Abs returns the absolute value.
func (v Numeric) Abs() Numeric {
	if v.Sign() < 0 {
		return v.Neg()
	}
	return v
}

// Mul returns v * w, exactly unless the scale exceeds PostgreSQL's limit.
func (v Numeric) Mul(w Numeric) (Numeric, error) {
	if v.big == nil && w.big == nil {
		if c, ok := mulInt64(v.coef, w.coef); ok && v.scale+w.scale <= numericMaxScale {
			return Numeric{coef: c, scale: v.scale + w.scale}, nil
		}
	}
	if !v.IsFinite() || !w.IsFinite() {
		switch s := v.Sign() * w.Sign(); {
		case v.IsNaN() || w.IsNaN() || s == 0:
			return NumericNaN, nil
		case s < 0:
			return NumericNegInf, nil
		}
		return NumericInf, nil
	}
	a := v.bigCoef()
	return numericFromBig(a.Mul(a, w.bigCoef()), v.scale+w.scale).checkRange()
}

var errDivisionByZero = sqlstate.New(sqlstate.DivisionByZero, "division by zero")

// weight returns the position of the first base-10^4 digit and that digit, as
// PostgreSQL's division sees it; zero has weight 0 and digit 0.
func (v Numeric) weight() (weight int, first int64) {
	if v.Sign() == 0 {
		return 0, 0
	}
	var lead uint64 // up to 18 leading digits
	var digits int
	if v.big == nil {
		lead = uint64(v.coef)
		if v.coef < 0 {
			lead = -lead
		}
		digits = decimalLen(lead)
	} else {
		text := v.big.Coeff.Append(nil, 10)
		digits = len(text)
		lead, _ = strconv.ParseUint(string(text[:min(len(text), 8)]), 10, 64)
	}
	leadLen := decimalLen(lead)
	intDigits := digits - int(v.scale) // position of the first digit left of the point
	weight = floorDiv(intDigits-1, decDigits)
	take := intDigits - weight*decDigits // decimal digits in the first base-10^4 digit, 1..4
	if leadLen > take {
		first = int64(lead / uint64(pow10[leadLen-take]))
	} else {
		first = int64(lead) * pow10[take-leadLen]
	}
	return weight, first
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// decimalLen returns the number of decimal digits, 1 for 0.
func decimalLen(u uint64) int {
	n := 1
	for u >= 10 {
		u /= 10
		n++
	}
	return n
}

// divScale is PostgreSQL's choice of a quotient's scale: at least 16 significant
// digits, and no fewer decimals than either operand.
func divScale(v, w Numeric) int32 {
	w1, f1 := v.weight()
	w2, f2 := w.weight()
	q := w1 - w2
	if f1 <= f2 {
		q--
	}
	s := int32(numericMinSigDigits - q*decDigits)
	s = max(s, v.scale, w.scale, 0)
	return min(s, numericMaxPrecision)
}

// Div returns v / w with PostgreSQL's scale, rounded half away from zero.
func (v Numeric) Div(w Numeric) (Numeric, error) {
	if !v.IsFinite() || !w.IsFinite() {
		switch {
		case v.IsNaN() || w.IsNaN() || v.IsInf() && w.IsInf():
			return NumericNaN, nil
		case w.IsInf():
			return Numeric{}, nil
		case w.Sign() == 0:
			return Numeric{}, errDivisionByZero
		case v.Sign()*w.Sign() < 0:
			return NumericNegInf, nil
		}
		return NumericInf, nil
	}
	if w.Sign() == 0 {
		return Numeric{}, errDivisionByZero
	}
	return v.divTo(w, divScale(v, w), true).checkRange()
}

// divTo returns v / w at the given scale, rounded or truncated; both finite, w not 0.
func (v Numeric) divTo(w Numeric, scale int32, round bool) Numeric {
	// quotient = vc*10^(scale+ws-vs) / wc
	shift := scale + w.scale - v.scale
	if v.big == nil && w.big == nil && shift >= 0 {
		if a, ok := mulPow10(v.coef, shift); ok && !(a == math.MinInt64 && w.coef == -1) && w.coef != math.MinInt64 {
			q, r := a/w.coef, a%w.coef
			if round && r != 0 {
				if r < 0 {
					r = -r
				}
				b := w.coef
				if b < 0 {
					b = -b
				}
				if r >= b-r {
					if (a < 0) == (w.coef < 0) {
						q++
					} else {
						q--
					}
				}
			}
			return Numeric{coef: q, scale: scale}
		}
	}
	a, b := v.bigCoef(), w.bigCoef()
	if shift >= 0 {
		a.Mul(a, bigPow10(int(shift)))
	} else {
		b.Mul(b, bigPow10(int(-shift)))
	}
	return numericFromBig(quoBig(a, b, round), scale)
}

// quoBig returns a/b truncated or rounded half away from zero; it overwrites a and b.
func quoBig(a, b *apd.BigInt, round bool) *apd.BigInt {
	negative := (a.Sign() < 0) != (b.Sign() < 0)
	a.Abs(a)
	b.Abs(b)
	q, r := new(apd.BigInt), new(apd.BigInt)
	q.QuoRem(a, b, r)
	if round && r.Lsh(r, 1).Cmp(b) >= 0 {
		q.Add(q, apd.NewBigInt(1))
	}
	if negative {
		q.Neg(q)
	}
	return q
}

// QuoTrunc is the function div: the integer quotient, truncated towards zero.
func (v Numeric) QuoTrunc(w Numeric) (Numeric, error) {
	if !v.IsFinite() || !w.IsFinite() || w.Sign() == 0 {
		return v.Div(w)
	}
	return v.divTo(w, 0, false), nil
}

// Mod returns the remainder of the truncated division, with v's sign.
func (v Numeric) Mod(w Numeric) (Numeric, error) {
	switch {
	case v.IsNaN() || w.IsNaN():
		return NumericNaN, nil
	case v.IsInf():
		if w.Sign() == 0 {
			return Numeric{}, errDivisionByZero
		}
		return NumericNaN, nil
	case w.IsInf():
		return v, nil
	case w.Sign() == 0:
		return Numeric{}, errDivisionByZero
	}
	scale := max(v.scale, w.scale)
	if v.big == nil && w.big == nil {
		if a, b, ok := alignSmall(v, w); ok {
			if b == -1 {
				return Numeric{scale: scale}, nil
			}
			return Numeric{coef: a % b, scale: scale}, nil
		}
	}
	a, b := v.bigCoef(), w.bigCoef()
	alignBig(a, b, v.scale, w.scale)
	return numericFromBig(a.Rem(a, b), scale), nil
}

// Round rounds half away from zero to the scale, which may be negative, and
// sets the display scale to it (0 if negative). More digits are filled with zeros.
func (v Numeric) Round(scale int32) Numeric { return v.rescale(scale, true) }

// Trunc is Round towards zero.
func (v Numeric) Trunc(scale int32) Numeric { return v.rescale(scale, false) }

func (v Numeric) rescale(scale int32, round bool) Numeric {
	if !v.IsFinite() || scale == v.scale {
		return v
	}
	if scale > v.scale {
		if v.big == nil {
			if c, ok := mulPow10(v.coef, scale-v.scale); ok {
				return Numeric{coef: c, scale: scale}
			}
		}
		c := v.bigCoef()
		return numericFromBig(c.Mul(c, bigPow10(int(scale-v.scale))), scale)
	}
	drop := v.scale - scale
	if v.big == nil {
		if drop > 18 {
			return Numeric{scale: max(scale, 0)}
		}
		p := pow10[drop]
		q, r := v.coef/p, v.coef%p
		if round {
			switch {
			case r > 0 && r >= p-r:
				q++
			case r < 0 && -r >= p+r:
				q--
			}
		}
		if scale >= 0 {
			return Numeric{coef: q, scale: scale}
		}
		if c, ok := mulPow10(q, -scale); ok {
			return Numeric{coef: c}
		}
		c := apd.NewBigInt(q)
		return numericFromBig(c.Mul(c, bigPow10(int(-scale))), 0)
	}
	q := quoBig(v.bigCoef(), bigPow10(int(drop)), round)
	if scale < 0 {
		q.Mul(q, bigPow10(int(-scale)))
	}
	return numericFromBig(q, max(scale, 0))
}

// Floor returns the largest integer not above v.
func (v Numeric) Floor() Numeric {
	t := v.Trunc(0)
	if v.IsFinite() && v.Sign() < 0 && t.Cmp(v) != 0 {
		t, _ = t.Add(NumericFromInt(-1))
	}
	return t
}

// Ceil returns the smallest integer not below v.
func (v Numeric) Ceil() Numeric {
	t := v.Trunc(0)
	if v.IsFinite() && v.Sign() > 0 && t.Cmp(v) != 0 {
		t, _ = t.Add(NumericFromInt(1))
	}
	return t
}

// MinScale returns the smallest scale that shows v exactly.
func (v Numeric) MinScale() int32 { return v.TrimScale().scale }

// TrimScale drops trailing zeros after the point.
func (v Numeric) TrimScale() Numeric {
	if !v.IsFinite() {
		return v
	}
	for v.scale > 0 && v.big == nil && v.coef%10 == 0 {
		v.coef /= 10
		v.scale--
	}
	if v.big != nil && v.scale > 0 {
		text := v.big.Coeff.Append(nil, 10)
		zeros := len(text) - len(bytes.TrimRight(text, "0"))
		return v.Trunc(max(v.scale-int32(zeros), 0))
	}
	return v
}

// Int64 rounds to the nearest integer; ok is false if it does not fit or v is
// not finite.
func (v Numeric) Int64() (int64, bool) {
	r := v.Round(0)
	return r.coef, r.big == nil
}

// Float64 returns the nearest float, ok false on overflow.
func (v Numeric) Float64() (float64, bool) {
	switch {
	case v.IsNaN():
		return math.NaN(), true
	case v.IsInf():
		return math.Inf(v.Sign()), true
	case v.big == nil && v.coef < 1<<53 && v.coef > -1<<53 && v.scale <= 22:
		// Both operands are exact, so one division rounds correctly.
		return float64(v.coef) / math.Pow10(int(v.scale)), true
	}
	var buf [64]byte
	f, err := strconv.ParseFloat(string(v.AppendText(buf[:0])), 64)
	return f, err == nil
}

// NumericFromFloat converts with the given significant digits, as PostgreSQL
// does from float4 (6) and float8 (15).
func NumericFromFloat(f float64, digits int) (Numeric, error) {
	switch {
	case math.IsNaN(f):
		return NumericNaN, nil
	case math.IsInf(f, 1):
		return NumericInf, nil
	case math.IsInf(f, -1):
		return NumericNegInf, nil
	}
	var buf [32]byte
	return ParseNumeric(string(strconv.AppendFloat(buf[:0], f, 'g', digits, 64)))
}

// AppendText appends the number with its display scale.
func (v Numeric) AppendText(dst []byte) []byte {
	if v.big == nil {
		u := uint64(v.coef)
		if v.coef < 0 {
			dst = append(dst, '-')
			u = -u
		}
		if v.scale == 0 {
			return strconv.AppendUint(dst, u, 10)
		}
		var tmp [20]byte
		return appendPoint(dst, strconv.AppendUint(tmp[:0], u, 10), int(v.scale))
	}
	switch v.big.Form {
	case apd.Finite:
	case apd.Infinite:
		if v.big.Negative {
			return append(dst, "-Infinity"...)
		}
		return append(dst, "Infinity"...)
	default:
		return append(dst, "NaN"...)
	}
	if v.big.Negative {
		dst = append(dst, '-')
	}
	return appendPoint(dst, v.big.Coeff.Append(nil, 10), int(v.scale))
}

// appendPoint appends digits with a point before the last scale of them.
func appendPoint(dst, digits []byte, scale int) []byte {
	if scale == 0 {
		return append(dst, digits...)
	}
	if len(digits) <= scale {
		dst = append(dst, '0', '.')
		for range scale - len(digits) {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[:len(digits)-scale]...)
	dst = append(dst, '.')
	return append(dst, digits[len(digits)-scale:]...)
}

// String returns the number's text.
func (v Numeric) String() string { return string(v.AppendText(nil)) }

// ParseNumeric reads a number in PostgreSQL's syntax, leading and trailing white
// space, NaN and Infinity included.
func ParseNumeric(text string) (Numeric, error) {
	s := trimSpace(text)
	bad := func() (Numeric, error) { return Numeric{}, errInvalidInput("numeric", text) }
	if s == "" {
		return bad()
	}
	rest, negative := s, false
	if rest[0] == '-' || rest[0] == '+' {
		negative = rest[0] == '-'
		rest = rest[1:]
	}
	if rest == "" {
		return bad()
	}
	if c := rest[0]; c != '.' && (c < '0' || c > '9') {
		switch {
		case len(rest) == len(s) && equalFold(rest, "nan"):
			return NumericNaN, nil
		case equalFold(rest, "infinity") || equalFold(rest, "inf"):
			if negative {
				return NumericNegInf, nil
			}
			return NumericInf, nil
		}
		return bad()
	}
	var coef int64
	fits := true // while the coefficient fits an int64
	digits, scale, i := 0, 0, 0
	point := false
	for ; i < len(rest); i++ {
		c := rest[i]
		if c == '.' {
			if point {
				return bad()
			}
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		digits++
		if point {
			scale++
		}
		if fits {
			if coef > (math.MaxInt64-9)/10 {
				fits = false
			} else {
				coef = coef*10 + int64(c-'0')
			}
		}
	}
	if digits == 0 {
		return bad()
	}
	mantissa := rest[:i]
	exp := 0
	if i < len(rest) && (rest[i] == 'e' || rest[i] == 'E') {
		var err error
		if exp, err = strconv.Atoi(rest[i+1:]); err != nil || rest[i+1:] == "" {
			if ne, ok := err.(*strconv.NumError); ok && ne.Err == strconv.ErrRange {
				return Numeric{}, errNumericOverflow
			}
			return bad()
		}
		i = len(rest)
	}
	if i != len(rest) {
		return bad()
	}
	if exp > math.MaxInt32/2 || exp < -math.MaxInt32/2 {
		return bad()
	}
	newScale := scale - exp
	if fits && newScale >= 0 && newScale <= numericMaxScale {
		if negative {
			coef = -coef
		}
		return Numeric{coef: coef, scale: int32(newScale)}, nil
	}
	if digits-scale+exp > numericMaxIntDigits {
		if fits && coef == 0 {
			return Numeric{}, nil
		}
		return Numeric{}, errNumericOverflow
	}
	buf := make([]byte, 0, digits)
	for j := range len(mantissa) {
		if mantissa[j] != '.' {
			buf = append(buf, mantissa[j])
		}
	}
	if newScale > numericMaxScale {
		// Digits beyond the limit are rounded away.
		keep := len(buf) - (newScale - numericMaxScale)
		up := keep >= 0 && keep < len(buf) && buf[keep] >= '5'
		if keep <= 0 {
			buf = append(buf[:0], '0')
		} else {
			buf = buf[:keep]
		}
		newScale = numericMaxScale
		c, _ := new(apd.BigInt).SetString(string(buf), 10)
		if up {
			c.Add(c, apd.NewBigInt(1))
		}
		if negative {
			c.Neg(c)
		}
		return numericFromBig(c, int32(newScale)), nil
	}
	c, ok := new(apd.BigInt).SetString(string(buf), 10)
	if !ok {
		return bad()
	}
	if newScale < 0 {
		c.Mul(c, bigPow10(-newScale))
		newScale = 0
	}
	if negative {
		c.Neg(c)
	}
	return numericFromBig(c, int32(newScale)).checkRange()
}

// applyNumericTypmod rounds to the declared scale and checks the precision.
func applyNumericTypmod(v Numeric, typmod int32) (Numeric, error) {
	precision, scale, ok := NumericPrecisionScale(typmod)
	if !ok || v.IsNaN() {
		return v, nil
	}
	if v.IsInf() {
		return v, sqlstate.New(sqlstate.NumericOutOfRange, "numeric field overflow").
			WithDetail("A field with precision %d, scale %d cannot hold an infinite value.", precision, scale)
	}
	r := v.Round(int32(scale))
	if r.big == nil {
		u := uint64(r.coef)
		if r.coef < 0 {
			u = -u
		}
		if u == 0 || decimalLen(u)-int(r.scale) <= precision-scale {
			return r, nil
		}
	} else if int(r.big.NumDigits())-int(r.scale) <= precision-scale {
		return r, nil
	}
	limit := "1"
	if precision-scale != 0 {
		limit = "10^" + strconv.Itoa(precision-scale)
	}
	return r, sqlstate.New(sqlstate.NumericOutOfRange, "numeric field overflow").
		WithDetail("A field with precision %d, scale %d must round to an absolute value less than %s.", precision, scale, limit)
}

func trimSpace(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// equalFold reports whether s equals the lower-case ASCII word.
func equalFold(s, word string) bool {
	if len(s) != len(word) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// NumericFromInt128 returns the integer hi*2^64 + lo.
func NumericFromInt128(hi int64, lo uint64) Numeric {
	if hi == int64(lo)>>63 {
		return Numeric{coef: int64(lo)}
	}
	c := apd.NewBigInt(hi)
	c.Lsh(c, 64)
	return numericFromBig(c.Add(c, new(apd.BigInt).SetUint64(lo)), 0)
}
