package types

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

func appendText(dst []byte, t *T, d Datum, s *Settings) []byte {
	if t.Elem != nil {
		return appendArrayText(dst, t, d.Array(), s)
	}
	switch t.OID {
	case OIDBool:
		if d.n != 0 {
			return append(dst, 't')
		}
		return append(dst, 'f')
	case OIDInt2, OIDInt4, OIDInt8, OIDOid, OIDXid, OIDCid, OIDXid8:
		return strconv.AppendInt(dst, d.n, 10)
	case OIDFloat4:
		return AppendFloat(dst, d.Float(), 32, s.ExtraFloatDigits)
	case OIDFloat8:
		return AppendFloat(dst, d.Float(), 64, s.ExtraFloatDigits)
	case OIDNumeric:
		return d.Numeric().AppendText(dst)
	case OIDBytea:
		return appendBytea(dst, d.Bytes(), s)
	case OIDUUID:
		return appendUUID(dst, d.Bytes())
	case OIDDate:
		return appendDate(dst, d.n, s)
	case OIDTime:
		return appendClock(dst, d.n)
	case OIDTimeTZ:
		return appendTimeTZ(dst, d.TimeTZ())
	case OIDTimestamp:
		return appendTimestamp(dst, d.n, nil, s)
	case OIDTimestampTZ:
		return appendTimestamp(dst, d.n, s.Location, s)
	case OIDInterval:
		return AppendInterval(dst, d.Interval(), s.IntervalStyle)
	case OIDJSONB:
		return d.JSON().AppendText(dst)
	case OIDInet, OIDCidr:
		return appendInet(dst, d, t.OID == OIDCidr)
	case OIDChar:
		return appendCharType(dst, byte(d.n))
	case OIDPgLSN:
		start := len(dst)
		dst = strconv.AppendUint(dst, uint64(d.n)>>32, 16)
		dst = strconv.AppendUint(append(dst, '/'), uint64(d.n)&0xffffffff, 16)
		return upperHex(dst, start)
	case OIDTid:
		dst = strconv.AppendInt(append(dst, '('), d.n>>16, 10)
		dst = strconv.AppendInt(append(dst, ','), d.n&0xffff, 10)
		return append(dst, ')')
	case OIDVoid:
		return dst
	}
	switch {
	case t.IsReg():
		return appendReg(dst, t, d.OID(), s)
	case t.IsEnum():
		if l, ok := t.Label(d.n); ok {
			return append(dst, l.Name...)
		}
		return strconv.AppendInt(dst, d.n, 10)
	}
	// A pseudo-type or a value of another family than its static type: go by the value.
	switch d.fam {
	case FamRecord:
		return appendRecordText(dst, t, d.Record(), s)
	case FamInt:
		return strconv.AppendInt(dst, d.n, 10)
	case FamBool:
		return appendText(dst, Bool, d, s)
	case FamFloat:
		return appendText(dst, Float8, d, s)
	case FamNumeric:
		return d.Numeric().AppendText(dst)
	case FamInterval:
		return appendText(dst, IntervalT, d, s)
	case FamTimeTZ:
		return appendText(dst, TimeTZT, d, s)
	case FamJSONB:
		return d.JSON().AppendText(dst)
	case FamArray:
		return appendArrayText(dst, t, d.Array(), s)
	case FamInet:
		return appendInet(dst, d, false)
	case FamNull:
		return dst
	}
	return append(dst, d.Bytes()...)
}

// upperHex turns the hexadecimal digits from position start on to upper case.
func upperHex(b []byte, start int) []byte {
	for i, c := range b[start:] {
		if c >= 'a' && c <= 'f' {
			b[start+i] = c - 32
		}
	}
	return b
}

// appendCharType appends a "char": a byte with the high bit set prints as \ooo, zero as nothing.
func appendCharType(dst []byte, c byte) []byte {
	switch {
	case c == 0:
		return dst
	case c >= 0x80:
		return append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
	}
	return append(dst, c)
}

// AppendFloat appends a float as PostgreSQL prints it. With extraDigits above 0 it
// is the shortest form that reads back the same, else it has 15+extraDigits (6+extraDigits
// for float4) significant digits.
func AppendFloat(dst []byte, f float64, bitSize, extraDigits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case f == 0:
		if math.Signbit(f) {
			return append(dst, '-', '0')
		}
		return append(dst, '0')
	}
	digits, expMax := 15, 15
	if bitSize == 32 {
		digits, expMax = 6, 6
	}
	var tmp [32]byte
	var e []byte
	if extraDigits > 0 {
		e = strconv.AppendFloat(tmp[:0], f, 'e', -1, bitSize)
		if bitSize == 32 && math.Abs(f) >= 1<<24 {
			e = offMidpoint(tmp[:0], e, f)
		}
	} else {
		digits = max(digits+extraDigits, 1)
		expMax = digits
		e = strconv.AppendFloat(tmp[:0], f, 'e', digits-1, bitSize)
	}
	// d.ddde±xx: decide between fixed and exponential as PostgreSQL does.
	at := len(e) - 1
	for e[at] != 'e' {
		at--
	}
	exp, _ := strconv.Atoi(string(e[at+1:]))
	mant := e[:at]
	if extraDigits <= 0 { // %g drops trailing zeros
		for len(mant) > 2 && mant[len(mant)-1] == '0' {
			mant = mant[:len(mant)-1]
		}
		if mant[len(mant)-1] == '.' {
			mant = mant[:len(mant)-1]
		}
	}
	if exp < -4 || exp >= expMax {
		dst = append(dst, mant...)
		dst = append(dst, 'e')
		if exp < 0 {
			dst = append(dst, '-')
			exp = -exp
		} else {
			dst = append(dst, '+')
		}
		if exp < 10 {
			dst = append(dst, '0')
		}
		return strconv.AppendInt(dst, int64(exp), 10)
	}
	if mant[0] == '-' {
		dst = append(dst, '-')
		mant = mant[1:]
	}
	var ds [32]byte
	d := append(ds[:0], mant[0])
	if len(mant) > 2 {
		d = append(d, mant[2:]...)
	}
	switch {
	case exp < 0:
		dst = append(dst, '0', '.')
		for range -exp - 1 {
			dst = append(dst, '0')
		}
		return append(dst, d...)
	case len(d) <= exp+1:
		dst = append(dst, d...)
		for range exp + 1 - len(d) {
			dst = append(dst, '0')
		}
		return dst
	}
	dst = append(dst, d[:exp+1]...)
	dst = append(dst, '.')
	return append(dst, d[exp+1:]...)
}

// offMidpoint returns a longer form of f than the shortest one, e, if e lies exactly
// between two floats: such a text reads back correctly only by the rule of ties, which PostgreSQL does
// not rely on.
func offMidpoint(dst, e []byte, f float64) []byte {
	x, err := strconv.ParseFloat(string(e), 64)
	if err != nil {
		return e
	}
	next := float64(math.Nextafter32(float32(f), float32(math.Inf(sign(cmpFloat(x, f))))))
	if x == f || x-f != next-x {
		return e
	}
	for digits := 1; digits < 8; digits++ {
		e = strconv.AppendFloat(dst[:0], f, 'e', digits, 64)
		if y, err := strconv.ParseFloat(string(e), 64); err == nil && y-f != next-y && float32(y) == float32(f) {
			return e
		}
	}
	return strconv.AppendFloat(dst[:0], f, 'e', 8, 64)
}

func appendBytea(dst, b []byte, s *Settings) []byte {
	if !s.ByteaEscape {
		return hex.AppendEncode(append(dst, '\\', 'x'), b)
	}
	for _, c := range b {
		switch {
		case c == '\\':
			dst = append(dst, '\\', '\\')
		case c < 0x20 || c > 0x7e:
			dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func appendUUID(dst, b []byte) []byte {
	for i, r := range [...][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, b[r[0]:r[1]])
	}
	return dst
}

func appendReg(dst []byte, t *T, oid OID, s *Settings) []byte {
	if oid == 0 {
		return append(dst, '-')
	}
	if s.Names != nil {
		if name, ok := s.Names.RegName(t, oid); ok {
			return append(dst, name...)
		}
	}
	if t.OID == OIDRegtype {
		if bt := ByOID(oid); bt != nil {
			return append(dst, FormatType(bt, -1, false)...)
		}
	}
	return strconv.AppendUint(dst, uint64(oid), 10)
}

func parseText(t *T, text string, s *Settings) (Datum, error) {
	if t.Elem != nil {
		return parseArrayText(t, text, s)
	}
	switch t.OID {
	case OIDBool:
		b, ok := parseBool(text)
		if !ok {
			return Null, errInvalidInput("boolean", text)
		}
		return NewBool(b), nil
	case OIDInt2:
		return parseInt(text, "smallint", math.MinInt16, math.MaxInt16)
	case OIDInt4:
		return parseInt(text, "integer", math.MinInt32, math.MaxInt32)
	case OIDInt8:
		return parseInt(text, "bigint", math.MinInt64, math.MaxInt64)
	case OIDOid:
		return parseOID(text, "oid")
	case OIDXid, OIDCid:
		n, err := strconv.ParseUint(trimSpace(text), 10, 32)
		if err != nil {
			return Null, errInvalidInput(t.Name, text)
		}
		return NewInt(int64(n)), nil
	case OIDXid8:
		n, err := strconv.ParseUint(trimSpace(text), 10, 64)
		if err != nil {
			return Null, errInvalidInput(t.Name, text)
		}
		return NewInt(int64(n)), nil
	case OIDFloat4:
		f, err := parseFloat(text, 32)
		return NewFloat(f), err
	case OIDFloat8:
		f, err := parseFloat(text, 64)
		return NewFloat(f), err
	case OIDNumeric:
		v, err := ParseNumeric(text)
		if err == nil && t.Typmod != -1 {
			v, err = applyNumericTypmod(v, t.Typmod)
		}
		return NewNumeric(v), err
	case OIDBytea:
		b, err := parseBytea(text)
		return NewBytes(b), err
	case OIDUUID:
		return parseUUID(text)
	case OIDDate:
		d, err := parseDate(text, s)
		return NewInt(d), err
	case OIDTime:
		us, err := parseTime(text, s)
		return NewInt(roundMicros(us, t.Typmod)), err
	case OIDTimeTZ:
		v, err := parseTimeTZ(text, s)
		v.Micros = roundMicros(v.Micros, t.Typmod)
		return NewTimeTZ(v), err
	case OIDTimestamp, OIDTimestampTZ:
		ts, err := parseTimestamp(text, s, t.OID == OIDTimestampTZ)
		if !IsInfinite(ts) {
			ts = roundMicros(ts, t.Typmod)
		}
		return NewInt(ts), err
	case OIDInterval:
		v, err := ParseInterval(text, t.Typmod, s.IntervalStyle)
		return NewInterval(applyIntervalTypmod(v, t.Typmod)), err
	case OIDJSON:
		return NewString(text), ValidateJSON(text)
	case OIDJSONB:
		v, err := ParseJSONB(text)
		return NewBytesOf(FamJSONB, v), err
	case OIDInet, OIDCidr:
		return parseInet(text, t.OID == OIDCidr)
	case OIDChar:
		return parseCharType(text), nil
	case OIDName:
		return NewString(TruncateName(text)), nil
	case OIDVarchar, OIDBpchar:
		d := NewString(text)
		d.fam = t.Family
		return CoerceTypmod(d, t, false)
	case OIDPgLSN:
		return parseLSN(text)
	case OIDTid:
		return parseTid(text)
	case OIDRecord:
		return Null, sqlstate.New(sqlstate.FeatureNotSupported, "input of anonymous composite types is not implemented")
	case OIDAny, OIDAnyElement, OIDAnyArray, OIDInternal, OIDTrigger, OIDAnyNonArray, OIDAnyEnum:
		return Null, sqlstate.New(sqlstate.FeatureNotSupported, "cannot accept a value of type %s", t.Name)
	}
	switch {
	case t.IsReg():
		return parseReg(t, text, s)
	case t.IsEnum():
		for _, l := range t.Labels {
			if l.Name == text {
				return NewInt(l.Order), nil
			}
		}
		return Null, sqlstate.New(sqlstate.InvalidTextRepresentation, "invalid input value for enum %s: \"%s\"", QuoteIdent(t.Name), text)
	case t.Family == FamRecord:
		return parseRecordText(t, text, s)
	}
	return NewString(text), nil
}

// nameMax is the longest identifier in bytes.
const nameMax = 63

// TruncateName cuts an identifier to the 63 bytes that a name holds, at a character's
// boundary.
func TruncateName(s string) string {
	if len(s) <= nameMax {
		return s
	}
	n := nameMax
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func parseBool(text string) (value, ok bool) {
	s := trimSpace(text)
	prefix := func(word string, least int) bool {
		return len(s) >= least && len(s) <= len(word) && equalFold(s, word[:len(s)])
	}
	switch {
	case prefix("true", 1), prefix("yes", 1), s == "1", prefix("on", 2):
		return true, true
	case prefix("false", 1), prefix("no", 1), s == "0", prefix("off", 2):
		return false, true
	}
	return false, false
}

func parseInt(text, typeName string, lo, hi int64) (Datum, error) {
	s := trimSpace(text)
	neg := false
	i := 0
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		i = 1
	}
	if i == len(s) {
		return Null, errInvalidInput(typeName, text)
	}
	n := uint64(0)
	overflow := false
	for ; i < len(s); i++ {
		c := s[i] - '0'
		if c > 9 {
			return Null, errInvalidInput(typeName, text)
		}
		if n > (1<<63-1)/10 {
			overflow = true
		}
		n = n*10 + uint64(c)
	}
	if !overflow {
		if neg && n <= 1<<63 && -int64(n) >= lo {
			return NewInt(-int64(n)), nil
		}
		if !neg && n <= uint64(hi) {
			return NewInt(int64(n)), nil
		}
	}
	return Null, sqlstate.New(sqlstate.NumericOutOfRange, "value \"%s\" is out of range for type %s", text, typeName)
}

func parseOID(text, typeName string) (Datum, error) {
	s := trimSpace(text)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n > math.MaxUint32 || n < math.MinInt32 {
			return Null, sqlstate.New(sqlstate.NumericOutOfRange, "value \"%s\" is out of range for type %s", text, typeName)
		}
		return NewOID(OID(uint32(n))), nil
	}
	return Null, errInvalidInput(typeName, text)
}

func parseFloat(text string, bits int) (float64, error) {
	name := "double precision"
	if bits == 32 {
		name = "real"
	}
	s := trimSpace(text)
	// Go accepts more than PostgreSQL does: underscores, and hexadecimal.
	if s == "" || strings.ContainsAny(s, "_xXpP") {
		return 0, errInvalidInput(name, text)
	}
	f, err := strconv.ParseFloat(s, bits)
	if err != nil {
		if ne, ok := err.(*strconv.NumError); ok && ne.Err == strconv.ErrRange {
			return 0, sqlstate.New(sqlstate.NumericOutOfRange, "\"%s\" is out of range for type %s", s, name)
		}
		return 0, errInvalidInput(name, text)
	}
	if f == 0 && strings.ContainsAny(strings.FieldsFunc(s, func(r rune) bool { return r == 'e' || r == 'E' })[0], "123456789") {
		return 0, sqlstate.New(sqlstate.NumericOutOfRange, "\"%s\" is out of range for type %s", s, name)
	}
	return f, nil
}

func parseBytea(text string) ([]byte, error) {
	if strings.HasPrefix(text, `\x`) {
		out := make([]byte, 0, len(text)/2)
		hi := -1
		for i := 2; i < len(text); i++ {
			c := text[i]
			if hi < 0 && isSpace(c) {
				continue
			}
			h := hexDigit(c)
			if h < 0 {
				r, _ := utf8.DecodeRuneInString(text[i:])
				return nil, sqlstate.New(sqlstate.InvalidParameterValue, "invalid hexadecimal digit: \"%c\"", r)
			}
			if hi < 0 {
				hi = h
				continue
			}
			out = append(out, byte(hi<<4|h))
			hi = -1
		}
		if hi >= 0 {
			return nil, sqlstate.New(sqlstate.InvalidParameterValue, "invalid hexadecimal data: odd number of digits")
		}
		return out, nil
	}
	if strings.IndexByte(text, '\\') < 0 {
		return []byte(text), nil
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '\\' {
			out = append(out, c)
			continue
		}
		octal := func(k int, high byte) bool { return i+k < len(text) && text[i+k] >= '0' && text[i+k] <= high }
		switch {
		case i+1 < len(text) && text[i+1] == '\\':
			out = append(out, '\\')
			i++
		case octal(1, '3') && octal(2, '7') && octal(3, '7'):
			out = append(out, (text[i+1]-'0')<<6|(text[i+2]-'0')<<3|(text[i+3]-'0'))
			i += 3
		default:
			return nil, sqlstate.New(sqlstate.InvalidTextRepresentation, "invalid input syntax for type bytea")
		}
	}
	return out, nil
}

func parseUUID(text string) (Datum, error) {
	bad := func() (Datum, error) { return Null, errInvalidInput("uuid", text) }
	s := text
	braces := strings.HasPrefix(s, "{")
	if braces {
		if !strings.HasSuffix(s, "}") {
			return bad()
		}
		s = s[1 : len(s)-1]
	}
	out := make([]byte, 0, 16)
	for i := 0; i < len(s); {
		if i+1 >= len(s) || len(out) == 16 {
			return bad()
		}
		hi, lo := hexDigit(s[i]), hexDigit(s[i+1])
		if hi < 0 || lo < 0 {
			return bad()
		}
		out = append(out, byte(hi<<4|lo))
		i += 2
		// A hyphen may stand after every group of four digits.
		if i < len(s) && s[i] == '-' && len(out)%2 == 0 && len(out) < 16 {
			i++
		}
	}
	if len(out) != 16 {
		return bad()
	}
	return NewBytes(out), nil
}

func parseCharType(text string) Datum {
	if len(text) == 4 && text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' && text[2] <= '7' && text[3] >= '0' && text[3] <= '7' {
		return NewInt(int64((text[1]-'0')<<6 | (text[2]-'0')<<3 | (text[3] - '0')))
	}
	if text == "" {
		return NewInt(0)
	}
	return NewInt(int64(text[0]))
}

func parseLSN(text string) (Datum, error) {
	hi, lo, ok := strings.Cut(text, "/")
	h, err1 := strconv.ParseUint(hi, 16, 32)
	l, err2 := strconv.ParseUint(lo, 16, 32)
	if !ok || err1 != nil || err2 != nil {
		return Null, errInvalidInput("pg_lsn", text)
	}
	return NewInt(int64(h<<32 | l)), nil
}

func parseTid(text string) (Datum, error) {
	s := strings.TrimSuffix(strings.TrimPrefix(trimSpace(text), "("), ")")
	block, off, ok := strings.Cut(s, ",")
	b, err1 := strconv.ParseUint(block, 10, 32)
	o, err2 := strconv.ParseUint(off, 10, 16)
	if !ok || err1 != nil || err2 != nil {
		return Null, errInvalidInput("tid", text)
	}
	return NewInt(int64(b<<16 | o)), nil
}

func parseReg(t *T, text string, s *Settings) (Datum, error) {
	if text == "-" {
		return NewOID(0), nil
	}
	if text != "" && isDigit(text[0]) {
		if d, err := parseOID(text, "oid"); err == nil {
			return d, nil
		}
	}
	if s.Names != nil {
		oid, err := s.Names.LookupReg(t, text)
		return NewOID(oid), err
	}
	if t.OID == OIDRegtype {
		if bt := ByName(strings.TrimPrefix(strings.ToLower(text), "pg_catalog.")); bt != nil {
			return NewOID(bt.OID), nil
		}
		if elem, ok := strings.CutSuffix(strings.ToLower(text), "[]"); ok {
			if bt := ByName(strings.TrimPrefix(elem, "pg_catalog.")); bt != nil && bt.ArrayOID != 0 {
				return NewOID(bt.ArrayOID), nil
			}
		}
		return Null, sqlstate.New(sqlstate.UndefinedObject, "type \"%s\" does not exist", text)
	}
	if t.OID == OIDRegclass {
		return Null, sqlstate.New(sqlstate.UndefinedTable, "relation \"%s\" does not exist", text)
	}
	return Null, sqlstate.New(sqlstate.UndefinedObject, "%s \"%s\" does not exist", strings.TrimPrefix(t.Name, "reg"), text)
}
