package builtins

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// numberTemplate is a template of to_char and to_number for numbers, taken apart.
type numberTemplate struct {
	toks               []string // 9 0 . , S MI PL SG PR L RN TH V EEEE and literals with a leading quote
	fill               bool
	intSlots, decSlots int
	zeroFrom           int // integer slot from which on zeros are printed, -1 if none
	decZeroTo          int // decimal slots up to this one are printed even if zero
	point              bool
	shift              int // digits after V
	sign               string
	roman, lowerRoman  bool
	scientific         bool
	leadingSign        bool // S stands before the first digit
}

var errNumberTemplate = func(format string, a ...any) error { return errf(sqlstate.SyntaxError, format, a...) }

var errSigns = sqlstate.New(sqlstate.SyntaxError, "cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together")

func parseNumberTemplate(f string) (*numberTemplate, error) {
	t := &numberTemplate{zeroFrom: -1}
	afterV := false
	has := func(i int, w string) bool { return len(f)-i >= len(w) && strings.EqualFold(f[i:i+len(w)], w) }
	for i := 0; i < len(f); {
		switch {
		case f[i] == '"':
			j := i + 1
			var b []byte
			for j < len(f) && f[j] != '"' {
				if f[j] == '\\' && j+1 < len(f) {
					j++
				}
				b = append(b, f[j])
				j++
			}
			t.toks = append(t.toks, `"`+string(b))
			i = min(j+1, len(f))
			continue
		case has(i, "FM"):
			t.fill = true
			i += 2
			continue
		case has(i, "EEEE"):
			if t.fill || t.sign != "" || t.roman || afterV || slices.Contains(t.toks, ",") {
				return nil, errf(sqlstate.SyntaxError, "\"EEEE\" is incompatible with other formats").(*sqlstate.Error).
					WithDetail("\"EEEE\" may only be used together with digit and decimal point patterns.")
			}
			t.scientific = true
			t.toks = append(t.toks, "EEEE")
			i += 4
			continue
		case has(i, "MI"), has(i, "PL"), has(i, "SG"), has(i, "PR"):
			w := strings.ToUpper(f[i : i+2])
			if t.sign == "S" {
				return nil, errSigns
			}
			t.sign = w
			t.toks = append(t.toks, w)
			i += 2
			continue
		case has(i, "RN"):
			t.roman, t.lowerRoman = true, f[i] == 'r'
			i += 2
			continue
		case has(i, "TH"):
			t.toks = append(t.toks, f[i:i+2])
			i += 2
			continue
		}
		c := f[i]
		i++
		switch {
		case c == 'B' || c == 'b': // blanks for zero: has no effect in PostgreSQL either
		case (c == '9' || c == '0') && t.scientific:
			return nil, errNumberTemplate("\"EEEE\" must be the last pattern used")
		case c == '9' || c == '0':
			if t.point {
				t.decSlots++
				if c == '0' {
					t.decZeroTo = t.decSlots
				}
			} else {
				if c == '0' && t.zeroFrom < 0 {
					t.zeroFrom = t.intSlots
				}
				t.intSlots++
				if afterV {
					t.shift++
				}
			}
			t.toks = append(t.toks, string(c))
		case c == '.' || c == 'D' || c == 'd':
			if t.point {
				return nil, errNumberTemplate("multiple decimal points")
			}
			t.point = true
			t.toks = append(t.toks, ".")
		case c == ',' || c == 'G' || c == 'g':
			t.toks = append(t.toks, ",")
		case c == 'S' || c == 's':
			if t.sign == "S" {
				return nil, errNumberTemplate("cannot use \"S\" twice")
			}
			if t.sign != "" {
				return nil, errSigns
			}
			t.sign = "S"
			t.leadingSign = t.intSlots+t.decSlots == 0 && !t.point
			t.toks = append(t.toks, "S")
		case c == 'V' || c == 'v':
			if t.point {
				return nil, errNumberTemplate("cannot use \"V\" and decimal point together")
			}
			afterV = true
		case c == 'L' || c == 'l':
			t.toks = append(t.toks, "L")
		case c == '\\' && i < len(f):
			t.toks = append(t.toks, `"`+f[i:i+1])
			i++
		default:
			t.toks = append(t.toks, `"`+string(c))
		}
	}
	return t, nil
}

func roman(n int64) string {
	var b strings.Builder
	for _, r := range []struct {
		v int64
		s string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for n >= r.v {
			b.WriteString(r.s)
			n -= r.v
		}
	}
	return b.String()
}

// romanWidth is the width of the longest Roman numeral below 4000.
const romanWidth = 15

// formatNumber is to_char of a number.
func formatNumber(v types.Numeric, f string) (string, error) {
	t, err := parseNumberTemplate(f)
	if err != nil {
		return "", err
	}
	if t.roman {
		s := strings.Repeat("#", romanWidth)
		if n, ok := v.Int64(); ok && n >= 1 && n <= 3999 {
			s = roman(n)
			if t.lowerRoman {
				s = strings.ToLower(s)
			}
			if !t.fill {
				s = strings.Repeat(" ", romanWidth-len(s)) + s
			}
		}
		return s, nil
	}
	if t.scientific {
		return t.exponential(v)
	}
	negative := v.Sign() < 0
	overflow := !v.IsFinite()
	var intDigits, decDigits string
	if overflow {
		intDigits = strings.Repeat("#", t.intSlots)
		decDigits = strings.Repeat("#", t.decSlots)
	} else {
		if t.shift > 0 {
			p, err := v.Mul(pow10Numeric(t.shift))
			if err != nil {
				return "", err
			}
			v = p
		}
		r := v.Abs().Round(int32(t.decSlots))
		negative = negative && r.Sign() != 0 || negative && t.decSlots == 0 && r.Sign() != 0
		intDigits, decDigits, _ = strings.Cut(r.String(), ".")
		if intDigits == "0" && (t.decSlots > 0 || t.point) && t.zeroFrom < 0 {
			intDigits = ""
		}
		if len(intDigits) > t.intSlots || t.intSlots == 0 && t.decSlots > 0 {
			// Without a place for the zero before the point nothing fits.
			intDigits, decDigits = strings.Repeat("#", t.intSlots), strings.Repeat("#", t.decSlots)
			overflow = true
		}
	}
	return t.layout(intDigits, decDigits, negative, overflow, v), nil
}

func pow10Numeric(n int) types.Numeric {
	v, _ := types.ParseNumeric("1" + strings.Repeat("0", n))
	return v
}

// layout writes digits into the template's slots.
func (t *numberTemplate) layout(intDigits, decDigits string, negative, overflow bool, v types.Numeric) string {
	var out []byte
	lead := t.intSlots - len(intDigits) // slots left of the first digit
	lastDec := t.decSlots
	if t.fill && !overflow {
		for lastDec > t.decZeroTo && lastDec > 0 && decDigits[lastDec-1] == '0' {
			lastDec--
		}
	}
	if t.fill && intDigits == "" && lastDec == 0 && t.decSlots > 0 && t.intSlots > 0 {
		// Of a zero without decimals something has to be seen.
		intDigits = "0"
		lead--
	}
	slot, dec := 0, 0
	started := false // a digit or the sign before it has been written
	floating := t.sign == "" || t.sign == "S" && t.leadingSign || t.sign == "PR" || t.sign == "PL"
	writeSign := func() {
		if started {
			return
		}
		started = true
		if !floating {
			return
		}
		switch {
		case t.sign == "PR" && negative:
			out = append(out, '<')
		case t.sign == "S" && !negative:
			out = append(out, '+')
		case negative:
			out = append(out, '-')
		case !t.fill:
			out = append(out, ' ')
		}
	}
	signChar := func(plus byte) {
		switch {
		case negative:
			out = append(out, '-')
		case plus != 0:
			out = append(out, plus)
		case !t.fill:
			out = append(out, ' ')
		}
	}
	for _, tok := range t.toks {
		switch tok {
		case "9", "0":
			if slot < t.intSlots {
				i := slot
				slot++
				switch {
				case i >= lead:
					writeSign()
					out = append(out, intDigits[i-lead])
				case t.zeroFrom >= 0 && i >= t.zeroFrom:
					writeSign()
					out = append(out, '0')
				case !t.fill:
					out = append(out, ' ')
				}
				continue
			}
			if dec < lastDec {
				out = append(out, decDigits[dec])
			}
			dec++
		case ".":
			writeSign()
			out = append(out, '.')
		case ",":
			switch {
			case started:
				out = append(out, ',')
			case !t.fill:
				out = append(out, ' ')
			}
		case "S":
			if !t.leadingSign {
				signChar('+')
			}
		case "MI":
			signChar(0)
		case "SG":
			signChar('+')
		case "PL":
			if negative {
				if !t.fill {
					out = append(out, ' ')
				}
			} else {
				out = append(out, '+')
			}
		case "PR":
			if negative {
				out = append(out, '>')
			} else if !t.fill {
				out = append(out, ' ')
			}
		case "L":
			if !t.fill {
				out = append(out, ' ')
			}
		case "TH", "th", "Th", "tH":
			n, _ := v.Trunc(0).Int64()
			if v.Sign() < 0 {
				continue
			}
			s := ordinalSuffix(n)
			if tok == "TH" {
				s = strings.ToUpper(s)
			}
			out = append(out, s...)
		default:
			if tok[0] == '"' {
				out = append(out, tok[1:]...)
			}
		}
	}
	return string(out)
}

func (t *numberTemplate) exponential(v types.Numeric) (string, error) {
	if !v.IsFinite() {
		return " " + strings.Repeat("#", t.intSlots+t.decSlots+6), nil
	}
	f := v.Abs().String()
	digits := strings.TrimLeft(strings.ReplaceAll(f, ".", ""), "0")
	exp := 0
	if digits != "" {
		intPart, _, _ := strings.Cut(f, ".")
		if ip := strings.TrimLeft(intPart, "0"); ip != "" {
			exp = len(ip) - 1
		} else {
			_, frac, _ := strings.Cut(f, ".")
			exp = -(len(frac) - len(strings.TrimLeft(frac, "0")) + 1)
		}
	}
	scaled, err := types.ParseNumeric("0")
	if digits != "" {
		scaled, err = types.ParseNumeric(digits[:1] + "." + digits[1:] + "0")
	}
	if err != nil {
		return "", err
	}
	scaled = scaled.Round(int32(t.decSlots))
	if scaled.Cmp(types.NumericFromInt(10)) >= 0 {
		scaled, err = scaled.Div(types.NumericFromInt(10))
		scaled = scaled.Round(int32(t.decSlots))
		exp++
	}
	sign := " "
	if v.Sign() < 0 {
		sign = "-"
	} else if t.sign == "S" {
		sign = "+"
	} else if t.fill {
		sign = ""
	}
	e := "+"
	if exp < 0 {
		e, exp = "-", -exp
	}
	n := strconv.Itoa(exp)
	if len(n) < 2 {
		n = "0" + n
	}
	return sign + scaled.String() + "e" + e + n, err
}

// parseNumber is to_number.
func parseNumber(s, f string) (types.Numeric, error) {
	t, err := parseNumberTemplate(f)
	if err != nil {
		return types.Numeric{}, err
	}
	if t.roman {
		return types.Numeric{}, errf(sqlstate.FeatureNotSupported, "\"RN\" not supported for input")
	}
	if t.scientific {
		return types.Numeric{}, errf(sqlstate.FeatureNotSupported, "\"EEEE\" not supported for input")
	}
	var digits []byte
	negative, point := false, false
	i := 0
	spaces := func() {
		for i < len(s) && s[i] == ' ' {
			i++
		}
	}
	sign := func() {
		if i < len(s) && (s[i] == '-' || s[i] == '+' || s[i] == '<') {
			negative = s[i] != '+'
			i++
		}
	}
	spaces()
	for _, tok := range t.toks {
		switch tok {
		case "9", "0":
			spaces()
			if len(digits) == 0 {
				sign()
				spaces()
			}
			if i < len(s) && s[i] >= '0' && s[i] <= '9' {
				digits = append(digits, s[i])
				i++
			} else if i < len(s) && s[i] == '.' && !point && !t.point {
				// A point where the template has none ends the number.
				i = len(s)
			}
		case ".":
			if i < len(s) && s[i] == '.' {
				i++
			}
			digits = append(digits, '.')
			point = true
		case ",":
			if i < len(s) && s[i] == ',' {
				i++
			}
		case "S", "MI", "SG", "PL", "PR":
			if i < len(s) && s[i] == '-' {
				negative = true
				i++
			} else if i < len(s) && (s[i] == '+' || s[i] == '>' || s[i] == '<') {
				if s[i] == '<' {
					negative = true
				}
				i++
			}
		case "L":
			if i < len(s) && (s[i] == '$' || s[i] == ' ') {
				i++
			}
		default:
			if tok[0] == '"' {
				i = min(i+len(tok)-1, len(s))
			}
		}
	}
	text := string(digits)
	if strings.Trim(text, ".") == "" {
		return types.Numeric{}, errf(sqlstate.InvalidTextRepresentation, "invalid input syntax for type numeric: \"%s\"", " "+text)
	}
	v, err := types.ParseNumeric(text)
	if err != nil {
		return v, err
	}
	if t.shift > 0 {
		if v, err = v.Div(pow10Numeric(t.shift)); err != nil {
			return v, err
		}
	}
	if negative {
		v = v.Neg()
	}
	return v, nil
}

// floatForTemplate gives a float the digits PostgreSQL formats it with.
func floatForTemplate(f float64, digits int) (types.Numeric, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return types.NumericFromFloat(f, digits)
	}
	return types.ParseNumeric(strconv.FormatFloat(f, 'g', digits, 64))
}
