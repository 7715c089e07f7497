package builtins

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
	"golang.org/x/text/unicode/norm"
)

func itoa(i int) string { return strconv.Itoa(i) }

// fieldMax bounds the size of a value that a function makes (PostgreSQL's 1 GB less
// headers), so that repeat('x', 2000000000) is an error and not the end of the node.
const fieldMax = 1<<30 - 1024

var errTooLong = sqlstate.New(sqlstate.ProgramLimitExceeded, "requested length too large")

// text1 is a row for a function from text to text.
func text1(name string, f func(string) string) *expr.Function {
	return fn1(name, text, text, func(_ *ctx, a datum) (datum, error) { return str(f(a.Str())), nil })
}

// charAt returns the byte position of the n-th character, len(s) if s is shorter.
func charAt(s string, n int) int {
	if n <= 0 {
		return 0
	}
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

func charLen(s string) int { return utf8.RuneCountInString(s) }

// substring cuts n characters from the 1-based position from on; n < 0 means the rest.
// Positions before the first count towards n.
func substring(s string, from int64, n int64, hasLen bool) (string, error) {
	end := int64(1) << 40
	if hasLen {
		if n < 0 {
			return "", errf(sqlstate.SubstringError, "negative substring length not allowed")
		}
		end = from + n
	}
	from = max(from, 1)
	if end <= from {
		return "", nil
	}
	isASCII := int64(len(s)) // without multi-byte characters positions are bytes
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			isASCII = -1
			break
		}
	}
	if isASCII >= 0 {
		lo, hi := min(from-1, isASCII), min(end-1, isASCII)
		return s[lo:hi], nil
	}
	lo := charAt(s, int(min(from-1, int64(len(s)))))
	rest := s[lo:]
	return rest[:charAt(rest, int(min(end-from, int64(len(rest)))))], nil
}

func substrBytes(b []byte, from, n int64, hasLen bool) ([]byte, error) {
	end := int64(1) << 40
	if hasLen {
		if n < 0 {
			return nil, errf(sqlstate.SubstringError, "negative substring length not allowed")
		}
		end = from + n
	}
	from = max(from, 1)
	size := int64(len(b))
	if end <= from {
		return nil, nil
	}
	return b[min(from-1, size):min(end-1, size)], nil
}

// initcap capitalises words: runs of letters and digits.
func initcap(s string) string {
	word := false
	return strings.Map(func(r rune) rune {
		was := word
		word = unicode.IsLetter(r) || unicode.IsDigit(r)
		if !word {
			return r
		}
		if was {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

func pad(s string, n int64, fill string, left bool) (datum, error) {
	if n <= 0 {
		return str(""), nil
	}
	if n > fieldMax/4 {
		return null, errTooLong
	}
	have := int64(charLen(s))
	if have >= n || fill == "" {
		return str(s[:charAt(s, int(min(n, have)))]), nil
	}
	runes := []rune(fill)
	b := make([]byte, 0, len(s)+int(n-have)*2)
	if !left {
		b = append(b, s...)
	}
	for i := range int(n - have) {
		b = utf8.AppendRune(b, runes[i%len(runes)])
	}
	if left {
		b = append(b, s...)
	}
	return types.NewBytes(b), nil
}

// splitPart returns the n-th field, from the end if n is negative.
func splitPart(s, sep string, n int64) (string, error) {
	if n == 0 {
		return "", errArgument("field position must not be zero")
	}
	if s == "" {
		return "", nil
	}
	if sep == "" {
		if n == 1 || n == -1 {
			return s, nil
		}
		return "", nil
	}
	parts := strings.Split(s, sep)
	if n < 0 {
		n += int64(len(parts)) + 1
	}
	if n < 1 || n > int64(len(parts)) {
		return "", nil
	}
	return parts[n-1], nil
}

func translate(s, from, to string) string {
	m := make(map[rune]rune)
	target := []rune(to)
	i := 0
	for _, r := range from {
		if _, ok := m[r]; !ok {
			m[r] = -1
			if i < len(target) {
				m[r] = target[i]
			}
		}
		i++
	}
	return strings.Map(func(r rune) rune {
		if t, ok := m[r]; ok {
			return t
		}
		return r
	}, s)
}

func overlay(s, with string, from, n int64) (string, error) {
	if from <= 0 {
		return "", errf(sqlstate.SubstringError, "negative substring length not allowed")
	}
	head, err := substring(s, 1, from-1, true)
	if err != nil {
		return "", err
	}
	tail, err := substring(s, from+n, 0, false)
	return head + with + tail, err
}

// quoteLiteral writes s as a SQL literal, with E” if it has backslashes.
func quoteLiteral(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return "E" + strings.ReplaceAll(q, `\`, `\\`)
	}
	return q
}

func encode(b []byte, format string) (string, error) {
	switch strings.ToLower(format) {
	case "hex":
		return hex.EncodeToString(b), nil
	case "base64":
		s := base64.StdEncoding.EncodeToString(b)
		var out strings.Builder
		for len(s) > 76 { // MIME's line length
			out.WriteString(s[:76] + "\n")
			s = s[76:]
		}
		out.WriteString(s)
		return out.String(), nil
	case "escape":
		out := make([]byte, 0, len(b))
		for _, c := range b {
			switch {
			case c == 0 || c >= 0x80:
				out = append(out, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			case c == '\\':
				out = append(out, '\\', '\\')
			default:
				out = append(out, c)
			}
		}
		return string(out), nil
	}
	return "", errArgument("unrecognized encoding: \"%s\"", format)
}

func decode(s, format string) ([]byte, error) {
	switch strings.ToLower(format) {
	case "hex":
		clean := strings.Map(func(r rune) rune {
			if r == ' ' || r == '\n' || r == '\t' || r == '\r' {
				return -1
			}
			return r
		}, s)
		for _, r := range clean {
			if !strings.ContainsRune("0123456789abcdefABCDEF", r) {
				return nil, errArgument("invalid hexadecimal digit: \"%c\"", r)
			}
		}
		b, err := hex.DecodeString(clean)
		if err != nil {
			return nil, errArgument("invalid hexadecimal data: odd number of digits")
		}
		return b, nil
	case "base64":
		clean := strings.Map(func(r rune) rune {
			if r == ' ' || r == '\n' || r == '\t' || r == '\r' {
				return -1
			}
			return r
		}, s)
		b, err := base64.StdEncoding.DecodeString(clean)
		if err != nil {
			if i, ok := err.(base64.CorruptInputError); ok && int(i) < len(clean) && !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", rune(clean[i])) {
				return nil, errArgument("invalid symbol \"%c\" found while decoding base64 sequence", clean[i])
			}
			return nil, sqlstate.New(sqlstate.InvalidParameterValue, "invalid base64 end sequence").
				WithHint("Input data is missing padding, is truncated, or is otherwise corrupted.")
		}
		return b, nil
	case "escape":
		d, err := types.ParseText(bytea, strings.ReplaceAll(s, `\x`, `\\x`), types.DefaultSettings())
		if err != nil {
			return nil, err
		}
		return d.Bytes(), nil
	}
	return nil, errArgument("unrecognized encoding: \"%s\"", format)
}

func digest(name string, f func([]byte) []byte) *expr.Function {
	return fn1(name, bytea, bytea, func(_ *ctx, a datum) (datum, error) { return types.NewBytes(f(a.Bytes())), nil })
}

func sum(h hash.Hash, b []byte) []byte {
	h.Write(b)
	return h.Sum(nil)
}

// unistr replaces \XXXX, \+XXXXXX, \uXXXX and \UXXXXXXXX.
func unistr(s string) (string, error) {
	var out []byte
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			out = append(out, s[i])
			i++
			continue
		}
		if i+1 < len(s) && s[i+1] == '\\' {
			out = append(out, '\\')
			i += 2
			continue
		}
		n, skip := 4, 1
		if i+1 < len(s) {
			switch s[i+1] {
			case '+':
				n, skip = 6, 2
			case 'u':
				skip = 2
			case 'U':
				n, skip = 8, 2
			}
		}
		if i+skip+n > len(s) {
			return "", errUnicodeEscape
		}
		v, err := strconv.ParseUint(s[i+skip:i+skip+n], 16, 32)
		if err != nil || v > unicode.MaxRune {
			return "", errUnicodeEscape
		}
		out = utf8.AppendRune(out, rune(v))
		i += skip + n
	}
	return string(out), nil
}

func normalForm(form string) (norm.Form, error) {
	switch strings.ToUpper(form) {
	case "NFC":
		return norm.NFC, nil
	case "NFD":
		return norm.NFD, nil
	case "NFKC":
		return norm.NFKC, nil
	case "NFKD":
		return norm.NFKD, nil
	}
	return 0, errArgument("invalid normalization form: %s", form)
}

// textForm returns the text of a value as concat and format show it.
func textForm(ec *ctx, t *types.T, d datum) string {
	if t.OID == types.OIDBpchar {
		return string(d.Bytes())
	}
	return types.TextOf(t, d, ec.Settings)
}

// castText returns the text that a cast gives, which differs from output for booleans and
// char(n).
func castText(ec *ctx, t *types.T, d datum) string {
	switch {
	case t == boolean:
		return strconv.FormatBool(d.Bool())
	case t.OID == types.OIDBpchar:
		return strings.TrimRight(d.Str(), " ")
	}
	return types.TextOf(t, d, ec.Settings)
}

// formatString is format(): %s %I %L with positions, widths and the flag -.
func formatString(ec *ctx, c *expr.Call, a []datum) (datum, error) {
	if a[0].IsNull() {
		return null, nil
	}
	argT := make([]*types.T, len(a)-1)
	vals := a[1:]
	for i := range argT {
		argT[i] = c.Args[i+1].Type()
	}
	if c.Variadic && len(vals) > 0 {
		last := vals[len(vals)-1]
		elem := argT[len(argT)-1].Elem
		vals, argT = append([]datum(nil), vals[:len(vals)-1]...), argT[:len(argT)-1]
		if !last.IsNull() {
			for _, e := range last.Array().Elems {
				vals = append(vals, e)
				argT = append(argT, elem)
			}
		}
	}
	var out []byte
	s := a[0].Str()
	next := 0
	number := func(i int) (n, at int) {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' && n < 1<<30 {
			n = n*10 + int(s[i]-'0')
			i++
		}
		return n, i
	}
	unterminated := sqlstate.New(sqlstate.InvalidParameterValue, "unterminated format() type specifier").WithHint("For a single \"%%\" use \"%%%%\".")
	for i := 0; i < len(s); {
		if s[i] != '%' {
			out = append(out, s[i])
			i++
			continue
		}
		i++
		if i >= len(s) {
			return null, unterminated
		}
		if s[i] == '%' {
			out = append(out, '%')
			i++
			continue
		}
		position := 0
		if n, at := number(i); at > i && at < len(s) && s[at] == '$' {
			if n == 0 {
				return null, errArgument("format specifies argument 0, but arguments are numbered from 1")
			}
			position, i = n, at+1
		}
		leftAlign, width := false, 0
		for i < len(s) && s[i] == '-' {
			leftAlign = true
			i++
		}
		take := func(pos int) (datum, *types.T, error) {
			if pos > 0 {
				next = pos - 1
			}
			if next >= len(vals) {
				return null, nil, errArgument("too few arguments for format()")
			}
			next++
			return vals[next-1], argT[next-1], nil
		}
		if i < len(s) && s[i] == '*' {
			pos := 0
			i++
			if n, at := number(i); at > i && at < len(s) && s[at] == '$' {
				pos, i = n, at+1
			}
			d, _, err := take(pos)
			if err != nil {
				return null, err
			}
			width = int(d.Int())
			if width < 0 {
				leftAlign, width = true, -width
			}
		} else {
			width, i = number(i)
		}
		if i >= len(s) {
			return null, unterminated
		}
		verb := s[i]
		i++
		if verb != 's' && verb != 'I' && verb != 'L' {
			r, _ := utf8.DecodeRuneInString(s[i-1:])
			return null, errArgument("unrecognized format() type specifier \"%c\"", r).(*sqlstate.Error).
				WithHint("For a single \"%%\" use \"%%%%\".")
		}
		d, t, err := take(position)
		if err != nil {
			return null, err
		}
		field := ""
		switch {
		case d.IsNull() && verb == 'I':
			return null, errf(sqlstate.NullValueNotAllowed, "null values cannot be formatted as an SQL identifier")
		case d.IsNull() && verb == 'L':
			field = "NULL"
		case d.IsNull():
		case verb == 'I':
			field = types.QuoteIdent(textForm(ec, t, d))
		case verb == 'L':
			field = quoteLiteral(textForm(ec, t, d))
		default:
			field = textForm(ec, t, d)
		}
		if width > fieldMax/4 {
			return null, errTooLong
		}
		fill := max(width-charLen(field), 0)
		if !leftAlign {
			out = append(out, strings.Repeat(" ", fill)...)
		}
		out = append(out, field...)
		if leftAlign {
			out = append(out, strings.Repeat(" ", fill)...)
		}
	}
	return types.NewBytes(out), nil
}

// eachArg calls f with the values of a VARIADIC "any" call from argument first on; an
// array given as VARIADIC is spread.
func eachArg(c *expr.Call, a []datum, first int, f func(t *types.T, d datum) error) error {
	for i := first; i < len(a); i++ {
		t := c.Args[i].Type()
		if c.Variadic && i == len(a)-1 {
			if a[i].IsNull() {
				return nil
			}
			for _, e := range a[i].Array().Elems {
				if err := f(t.Elem, e); err != nil {
					return err
				}
			}
			return nil
		}
		if err := f(t, a[i]); err != nil {
			return err
		}
	}
	return nil
}

func concatAll(ec *ctx, c *expr.Call, a []datum) (datum, error) {
	if c.Variadic && a[len(a)-1].IsNull() {
		return null, nil
	}
	var out []byte
	err := eachArg(c, a, 0, func(t *types.T, d datum) error {
		if !d.IsNull() {
			out = append(out, textForm(ec, t, d)...)
		}
		return nil
	})
	return types.NewBytes(out), err
}

func concatWS(ec *ctx, c *expr.Call, a []datum) (datum, error) {
	if a[0].IsNull() || c.Variadic && a[len(a)-1].IsNull() {
		return null, nil
	}
	var out []byte
	first := true
	err := eachArg(c, a, 1, func(t *types.T, d datum) error {
		if d.IsNull() {
			return nil
		}
		if !first {
			out = append(out, a[0].Bytes()...)
		}
		first = false
		out = append(out, textForm(ec, t, d)...)
		return nil
	})
	return types.NewBytes(out), err
}

func countNulls(wantNull bool) func(*ctx, *expr.Call, []datum) (datum, error) {
	return func(_ *ctx, c *expr.Call, a []datum) (datum, error) {
		if c.Variadic && a[len(a)-1].IsNull() {
			return null, nil
		}
		n := int64(0)
		err := eachArg(c, a, 0, func(_ *types.T, d datum) error {
			if d.IsNull() == wantNull {
				n++
			}
			return nil
		})
		return types.NewInt(n), err
	}
}

// trimFns are ltrim, rtrim and btrim.
func trimFns() []*expr.Function {
	var f []*expr.Function
	trim := map[string]func(s, cut string) string{
		"ltrim": strings.TrimLeft, "rtrim": strings.TrimRight, "btrim": strings.Trim,
	}
	for name, do := range trim {
		f = append(f, text1(name, func(s string) string { return do(s, " ") }),
			fn2(name, text, text, text, func(_ *ctx, a, b datum) (datum, error) {
				if b.Str() == "" {
					return a, nil
				}
				return str(do(a.Str(), string(b.Bytes()))), nil
			}))
		f = append(f, fn2(name, bytea, bytea, bytea, func(_ *ctx, a, b datum) (datum, error) {
			s, cut := a.Bytes(), b.Bytes()
			if name != "rtrim" {
				for len(s) > 0 && bytes.IndexByte(cut, s[0]) >= 0 {
					s = s[1:]
				}
			}
			if name != "ltrim" {
				for len(s) > 0 && bytes.IndexByte(cut, s[len(s)-1]) >= 0 {
					s = s[:len(s)-1]
				}
			}
			return types.NewBytes(s), nil
		}))
	}
	return f
}

func stringFunctions() []*expr.Function {
	length := func(_ *ctx, a datum) (datum, error) { return types.NewInt(int64(charLen(a.Str()))), nil }
	bpLength := func(_ *ctx, a datum) (datum, error) {
		return types.NewInt(int64(charLen(strings.TrimRight(a.Str(), " ")))), nil
	}
	octets := func(_ *ctx, a datum) (datum, error) { return types.NewInt(int64(len(a.Bytes()))), nil }
	bits := func(_ *ctx, a datum) (datum, error) { return types.NewInt(8 * int64(len(a.Bytes()))), nil }
	substr2 := func(_ *ctx, a, b datum) (datum, error) {
		s, err := substring(a.Str(), b.Int(), 0, false)
		return str(s), err
	}
	substr3 := func(_ *ctx, a []datum) (datum, error) {
		s, err := substring(a[0].Str(), a[1].Int(), a[2].Int(), true)
		return str(s), err
	}
	bsubstr2 := func(_ *ctx, a, b datum) (datum, error) {
		s, err := substrBytes(a.Bytes(), b.Int(), 0, false)
		return types.NewBytes(s), err
	}
	bsubstr3 := func(_ *ctx, a []datum) (datum, error) {
		s, err := substrBytes(a[0].Bytes(), a[1].Int(), a[2].Int(), true)
		return types.NewBytes(s), err
	}
	position := func(_ *ctx, a, b datum) (datum, error) {
		i := strings.Index(a.Str(), b.Str())
		if i < 0 {
			return types.NewInt(0), nil
		}
		return types.NewInt(int64(charLen(a.Str()[:i])) + 1), nil
	}
	f := []*expr.Function{
		fn1("length", int4, text, length), fn1("length", int4, bpchar, bpLength), fn1("length", int4, bytea, octets),
		fn1("char_length", int4, text, length), fn1("char_length", int4, bpchar, bpLength),
		fn1("character_length", int4, text, length), fn1("character_length", int4, bpchar, bpLength),
		fn1("octet_length", int4, text, octets), fn1("octet_length", int4, bpchar, octets), fn1("octet_length", int4, bytea, octets),
		fn1("bit_length", int4, text, bits), fn1("bit_length", int4, bytea, bits),
		stable(fn2("length", int4, bytea, name, func(_ *ctx, a, _ datum) (datum, error) { return length(nil, a) })),
		text1("lower", strings.ToLower), text1("upper", strings.ToUpper), text1("initcap", initcap), text1("reverse", reverseString),
		fn2("substring", text, text, int4, substr2), fn2("substr", text, text, int4, substr2),
		fnN("substring", text, args(text, int4, int4), substr3), fnN("substr", text, args(text, int4, int4), substr3),
		fn2("substring", bytea, bytea, int4, bsubstr2), fn2("substr", bytea, bytea, int4, bsubstr2),
		fnN("substring", bytea, args(bytea, int4, int4), bsubstr3), fnN("substr", bytea, args(bytea, int4, int4), bsubstr3),
		fn2("strpos", int4, text, text, position), fn2("position", int4, text, text, position),
		fn2("position", int4, bytea, bytea, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewInt(int64(bytes.Index(a.Bytes(), b.Bytes()) + 1)), nil
		}),
		fn2("left", text, text, int4, func(_ *ctx, a, b datum) (datum, error) {
			n := b.Int()
			if n < 0 {
				n = max(int64(charLen(a.Str()))+n, 0)
			}
			s, err := substring(a.Str(), 1, n, true)
			return str(s), err
		}),
		fn2("right", text, text, int4, func(_ *ctx, a, b datum) (datum, error) {
			n, have := b.Int(), int64(charLen(a.Str()))
			from := have - n + 1
			if n < 0 {
				from = -n + 1
			}
			s, err := substring(a.Str(), from, 0, false)
			return str(s), err
		}),
		fnN("lpad", text, args(text, int4, text), func(_ *ctx, a []datum) (datum, error) { return pad(a[0].Str(), a[1].Int(), a[2].Str(), true) }),
		fn2("lpad", text, text, int4, func(_ *ctx, a, b datum) (datum, error) { return pad(a.Str(), b.Int(), " ", true) }),
		fnN("rpad", text, args(text, int4, text), func(_ *ctx, a []datum) (datum, error) { return pad(a[0].Str(), a[1].Int(), a[2].Str(), false) }),
		fn2("rpad", text, text, int4, func(_ *ctx, a, b datum) (datum, error) { return pad(a.Str(), b.Int(), " ", false) }),
		fn2("repeat", text, text, int4, func(_ *ctx, a, b datum) (datum, error) {
			n := max(b.Int(), 0)
			if n*int64(len(a.Str())) > fieldMax {
				return null, errTooLong
			}
			return str(strings.Repeat(a.Str(), int(n))), nil
		}),
		fnN("replace", text, args(text, text, text), func(_ *ctx, a []datum) (datum, error) {
			if a[1].Str() == "" {
				return a[0], nil
			}
			return str(strings.ReplaceAll(a[0].Str(), a[1].Str(), a[2].Str())), nil
		}),
		fnN("translate", text, args(text, text, text), func(_ *ctx, a []datum) (datum, error) {
			return str(translate(a[0].Str(), a[1].Str(), a[2].Str())), nil
		}),
		fnN("split_part", text, args(text, text, int4), func(_ *ctx, a []datum) (datum, error) {
			s, err := splitPart(a[0].Str(), a[1].Str(), a[2].Int())
			return str(s), err
		}),
		fnN("overlay", text, args(text, text, int4, int4), func(_ *ctx, a []datum) (datum, error) {
			s, err := overlay(a[0].Str(), a[1].Str(), a[2].Int(), a[3].Int())
			return str(s), err
		}),
		fnN("overlay", text, args(text, text, int4), func(_ *ctx, a []datum) (datum, error) {
			s, err := overlay(a[0].Str(), a[1].Str(), a[2].Int(), int64(charLen(a[1].Str())))
			return str(s), err
		}),
		fn2("starts_with", boolean, text, text, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewBool(strings.HasPrefix(a.Str(), b.Str())), nil
		}),
		fn1("ascii", int4, text, func(_ *ctx, a datum) (datum, error) {
			r, n := utf8.DecodeRuneInString(a.Str())
			if n == 0 {
				r = 0
			}
			return types.NewInt(int64(r)), nil
		}),
		fn1("chr", text, int4, func(_ *ctx, a datum) (datum, error) {
			n := a.Int()
			switch {
			case n == 0:
				return null, errf(sqlstate.ProgramLimitExceeded, "null character not permitted")
			case n < 0:
				return null, errArgument("character number must be positive")
			case n > unicode.MaxRune:
				return null, errf(sqlstate.ProgramLimitExceeded, "requested character too large for encoding: %d", n)
			case n >= 0xd800 && n < 0xe000:
				return null, errf(sqlstate.ProgramLimitExceeded, "requested character not valid for encoding: %d", n)
			}
			return str(string(rune(n))), nil
		}),
		text1("quote_ident", types.QuoteIdent), text1("quote_literal", quoteLiteral),
		stable(fnC("quote_literal", text, args(anyelement), func(ec *ctx, c *expr.Call, a []datum) (datum, error) {
			return str(quoteLiteral(textForm(ec, c.Args[0].Type(), a[0]))), nil
		})),
		nullable(fn1("quote_nullable", text, text, func(_ *ctx, a datum) (datum, error) {
			if a.IsNull() {
				return str("NULL"), nil
			}
			return str(quoteLiteral(a.Str())), nil
		})),
		stable(nullable(fnC("quote_nullable", text, args(anyelement), func(ec *ctx, c *expr.Call, a []datum) (datum, error) {
			if a[0].IsNull() {
				return str("NULL"), nil
			}
			return str(quoteLiteral(textForm(ec, c.Args[0].Type(), a[0]))), nil
		}))),
		stable(nullable(variadic(fnC("concat", text, args(any_), concatAll)))),
		stable(nullable(variadic(fnC("concat_ws", text, args(text, any_), concatWS)))),
		stable(nullable(variadic(fnC("format", text, args(text, any_), formatString)))),
		stable(nullable(fnC("format", text, args(text), formatString))),
		nullable(variadic(fnC("num_nulls", int4, args(any_), countNulls(true)))),
		nullable(variadic(fnC("num_nonnulls", int4, args(any_), countNulls(false)))),
		fn1("md5", text, text, func(_ *ctx, a datum) (datum, error) {
			h := md5.Sum(a.Bytes())
			return str(hex.EncodeToString(h[:])), nil
		}),
		fn1("md5", text, bytea, func(_ *ctx, a datum) (datum, error) {
			h := md5.Sum(a.Bytes())
			return str(hex.EncodeToString(h[:])), nil
		}),
		digest("sha224", func(b []byte) []byte { return sum(sha256.New224(), b) }),
		digest("sha256", func(b []byte) []byte { return sum(sha256.New(), b) }),
		digest("sha384", func(b []byte) []byte { return sum(sha512.New384(), b) }),
		digest("sha512", func(b []byte) []byte { return sum(sha512.New(), b) }),
		fn2("encode", text, bytea, text, func(_ *ctx, a, b datum) (datum, error) {
			s, err := encode(a.Bytes(), b.Str())
			return str(s), err
		}),
		fn2("decode", bytea, text, text, func(_ *ctx, a, b datum) (datum, error) {
			out, err := decode(a.Str(), b.Str())
			return types.NewBytes(out), err
		}),
		stable(fn2("convert_to", bytea, text, name, func(_ *ctx, a, b datum) (datum, error) {
			if !isUTF8Name(b.Str()) {
				return null, sqlstate.Unsupported("encoding %s", b.Str())
			}
			return types.NewBytes(a.Bytes()), nil
		})),
		stable(fn2("convert_from", text, bytea, name, func(_ *ctx, a, b datum) (datum, error) {
			if !isUTF8Name(b.Str()) {
				return null, sqlstate.Unsupported("encoding %s", b.Str())
			}
			return types.NewBytes(a.Bytes()), types.CheckUTF8(a.Bytes())
		})),
		fn1("to_hex", text, int4, func(_ *ctx, a datum) (datum, error) {
			return str(strconv.FormatUint(uint64(uint32(a.Int())), 16)), nil
		}),
		fn1("to_hex", text, int8, func(_ *ctx, a datum) (datum, error) { return str(strconv.FormatUint(uint64(a.Int()), 16)), nil }),
		fn1("unistr", text, text, func(_ *ctx, a datum) (datum, error) {
			s, err := unistr(a.Str())
			return str(s), err
		}),
		defaults(fn2("normalize", text, text, text, func(_ *ctx, a, b datum) (datum, error) {
			form, err := normalForm(b.Str())
			if err != nil {
				return null, err
			}
			return str(form.String(a.Str())), nil
		}), str("NFC")),
		defaults(fn2("is_normalized", boolean, text, text, func(_ *ctx, a, b datum) (datum, error) {
			form, err := normalForm(b.Str())
			if err != nil {
				return null, err
			}
			return types.NewBool(form.IsNormalString(a.Str())), nil
		}), str("NFC")),
		fn2("get_byte", int4, bytea, int4, func(_ *ctx, a, b datum) (datum, error) {
			if b.Int() < 0 || b.Int() >= int64(len(a.Bytes())) {
				return null, errf(sqlstate.ArraySubscriptError, "index %d out of valid range, 0..%d", b.Int(), len(a.Bytes())-1)
			}
			return types.NewInt(int64(a.Bytes()[b.Int()])), nil
		}),
		fnN("set_byte", bytea, args(bytea, int4, int4), func(_ *ctx, a []datum) (datum, error) {
			b, i := bytes.Clone(a[0].Bytes()), a[1].Int()
			if i < 0 || i >= int64(len(b)) {
				return null, errf(sqlstate.ArraySubscriptError, "index %d out of valid range, 0..%d", i, len(b)-1)
			}
			b[i] = byte(a[2].Int())
			return types.NewBytes(b), nil
		}),
		fn2("get_bit", int4, bytea, int8, func(_ *ctx, a, b datum) (datum, error) {
			i := b.Int()
			if i < 0 || i >= 8*int64(len(a.Bytes())) {
				return null, errf(sqlstate.ArraySubscriptError, "index %d out of valid range, 0..%d", i, 8*len(a.Bytes())-1)
			}
			return types.NewInt(int64(a.Bytes()[i/8] >> (i % 8) & 1)), nil
		}),
		fnN("set_bit", bytea, args(bytea, int8, int4), func(_ *ctx, a []datum) (datum, error) {
			b, i := bytes.Clone(a[0].Bytes()), a[1].Int()
			if i < 0 || i >= 8*int64(len(b)) {
				return null, errf(sqlstate.ArraySubscriptError, "index %d out of valid range, 0..%d", i, 8*len(b)-1)
			}
			if a[2].Int() != 0 && a[2].Int() != 1 {
				return null, errArgument("new bit must be 0 or 1")
			}
			b[i/8] = b[i/8]&^(1<<(i%8)) | byte(a[2].Int())<<(i%8)
			return types.NewBytes(b), nil
		}),
		fn1("bit_count", int8, bytea, func(_ *ctx, a datum) (datum, error) {
			n := int64(0)
			for _, c := range a.Bytes() {
				for ; c != 0; c &= c - 1 {
					n++
				}
			}
			return types.NewInt(n), nil
		}),
		defaults(named(fnN("parse_ident", textArray, args(text, boolean), func(_ *ctx, a []datum) (datum, error) {
			return parseIdent(a[0].Str(), a[1].Bool())
		}), "str", "strict"), types.True),
	}
	return append(append(f, trimFns()...), splitFunctions()...)
}

func isUTF8Name(s string) bool {
	s = strings.ReplaceAll(strings.ToUpper(s), "-", "")
	return s == "UTF8" || s == "UNICODE" || s == "SQL_ASCII"
}

func reverseString(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}

var errUnicodeEscape = sqlstate.New(sqlstate.SyntaxError, "invalid Unicode escape").
	WithHint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")

// parseIdent splits a qualified name into its parts.
func parseIdent(s string, strict bool) (datum, error) {
	bad := func() (datum, error) {
		return null, errArgument("string is not a valid identifier: \"%s\"", s)
	}
	var parts []datum
	rest := strings.TrimLeft(s, " \t\n")
	for {
		switch {
		case strings.HasPrefix(rest, `"`):
			i := 1
			var b []byte
			for {
				if i >= len(rest) {
					return null, sqlstate.New(sqlstate.InvalidParameterValue, "string is not a valid identifier: \"%s\"", s).
						WithDetail("String has unclosed double quotes.")
				}
				if rest[i] == '"' {
					if i+1 < len(rest) && rest[i+1] == '"' {
						i++
					} else {
						break
					}
				}
				b = append(b, rest[i])
				i++
			}
			if len(b) == 0 {
				return bad()
			}
			parts = append(parts, types.NewBytes(b))
			rest = rest[i+1:]
		default:
			i := 0
			for i < len(rest) && (rest[i] == '_' || rest[i] >= 0x80 || rest[i]|0x20 >= 'a' && rest[i]|0x20 <= 'z' || i > 0 && (rest[i] >= '0' && rest[i] <= '9' || rest[i] == '$')) {
				i++
			}
			if i == 0 {
				_, err := bad()
				switch {
				case len(parts) > 0 && rest == "":
					return null, err.(*sqlstate.Error).WithDetail("No valid identifier after \".\".")
				case strings.HasPrefix(rest, "."):
					return null, err.(*sqlstate.Error).WithDetail("No valid identifier before \".\".")
				}
				return null, err
			}
			parts = append(parts, str(strings.ToLower(rest[:i])))
			rest = rest[i:]
		}
		rest = strings.TrimLeft(rest, " \t\n")
		if !strings.HasPrefix(rest, ".") {
			break
		}
		rest = strings.TrimLeft(rest[1:], " \t\n")
	}
	if rest != "" && strict {
		return bad()
	}
	return types.NewArrayDatum(types.NewArray(text, parts)), nil
}

func concatBytes(a, b []byte) []byte {
	out := make([]byte, 0, len(a)+len(b))
	return append(append(out, a...), b...)
}

func stringOperators() []*expr.Operator {
	return []*expr.Operator{
		op2("||", text, text, text, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewBytes(concatBytes(a.Bytes(), b.Bytes())), nil
		}),
		op2("||", bytea, bytea, bytea, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewBytes(concatBytes(a.Bytes(), b.Bytes())), nil
		}),
		op2C("||", text, types.AnyNonArray, text, func(ec *ctx, c *expr.Call, a []datum) (datum, error) {
			return str(a[0].Str() + castText(ec, c.Args[1].Type(), a[1])), nil
		}),
		op2C("||", types.AnyNonArray, text, text, func(ec *ctx, c *expr.Call, a []datum) (datum, error) {
			return str(castText(ec, c.Args[0].Type(), a[0]) + a[1].Str()), nil
		}),
		op2("^@", text, text, boolean, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewBool(strings.HasPrefix(a.Str(), b.Str())), nil
		}),
	}
}
