package types

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/cockroachdb/apd/v3"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

var be = binary.BigEndian

func appendBinary(dst []byte, t *T, d Datum) []byte {
	if t.Elem != nil {
		return appendArrayBinary(dst, t, d.Array())
	}
	switch t.OID {
	case OIDBool, OIDChar:
		return append(dst, byte(d.n))
	case OIDInt2:
		return be.AppendUint16(dst, uint16(d.n))
	case OIDInt4, OIDDate, OIDOid, OIDXid, OIDCid:
		return be.AppendUint32(dst, uint32(d.n))
	case OIDInt8, OIDTime, OIDTimestamp, OIDTimestampTZ, OIDPgLSN, OIDXid8:
		return be.AppendUint64(dst, uint64(d.n))
	case OIDFloat4:
		return be.AppendUint32(dst, math.Float32bits(float32(d.Float())))
	case OIDFloat8:
		if d.Float() != d.Float() {
			return be.AppendUint64(dst, floatNaN)
		}
		return be.AppendUint64(dst, uint64(d.n))
	case OIDNumeric:
		return appendNumericBinary(dst, d.Numeric())
	case OIDTimeTZ:
		v := d.TimeTZ()
		return be.AppendUint32(be.AppendUint64(dst, uint64(v.Micros)), uint32(v.Zone))
	case OIDInterval:
		v := d.Interval()
		dst = be.AppendUint64(dst, uint64(v.Micros))
		dst = be.AppendUint32(dst, uint32(v.Days))
		return be.AppendUint32(dst, uint32(v.Months))
	case OIDJSONB:
		return d.JSON().AppendText(append(dst, jsonbVersion))
	case OIDInet, OIDCidr:
		return appendInetBinary(dst, d, t.OID == OIDCidr)
	case OIDTid:
		dst = be.AppendUint32(dst, uint32(d.n>>16))
		return be.AppendUint16(dst, uint16(d.n))
	}
	switch {
	case t.IsReg():
		return be.AppendUint32(dst, uint32(d.n))
	case t.IsEnum():
		return appendText(dst, t, d, nil)
	case d.fam == FamRecord:
		return appendRecordBinary(dst, t, d.Record())
	case d.fam.byteHeld():
		return append(dst, d.Bytes()...)
	}
	return dst
}

// floatNaN is the NaN that PostgreSQL sends; Go's has another payload.
const floatNaN = 0x7ff8000000000000

// jsonbVersion is the first byte of jsonb's binary form.
const jsonbVersion = 1

// The sign words of numeric's binary form, whose digits are base 10000.
const (
	numericPos    = 0x0000
	numericNeg    = 0x4000
	numericNaN    = 0xC000
	numericPInf   = 0xD000
	numericNInf   = 0xF000
	numericBase   = 10000
	numericHeader = 8
	// numericInfScale is the scale that PostgreSQL happens to send with an infinity.
	numericInfScale = 0x20
)

// appendNumericBinary appends: number of digits, weight, sign, display scale (u16
// each), then the digits (u16, base 10000).
func appendNumericBinary(dst []byte, v Numeric) []byte {
	header := func(n, weight int, sgn uint16, scale int32) {
		dst = be.AppendUint16(dst, uint16(n))
		dst = be.AppendUint16(dst, uint16(weight))
		dst = be.AppendUint16(dst, sgn)
		dst = be.AppendUint16(dst, uint16(scale))
	}
	switch {
	case v.IsNaN():
		header(0, 0, numericNaN, 0)
		return dst
	case v.IsInf():
		sgn := uint16(numericPInf)
		if v.Sign() < 0 {
			sgn = numericNInf
		}
		header(0, 0, sgn, numericInfScale)
		return dst
	case v.Sign() == 0:
		header(0, 0, numericPos, v.scale)
		return dst
	}
	sgn := uint16(numericPos)
	if v.Sign() < 0 {
		sgn = numericNeg
	}
	var tmp [32]byte
	var text []byte
	if v.big == nil {
		u := uint64(v.coef)
		if v.coef < 0 {
			u = -u
		}
		text = strconv.AppendUint(tmp[:0], u, 10)
	} else {
		text = v.big.Coeff.Append(tmp[:0], 10)
	}
	// The point lies len(text)-scale digits from the left; groups of four align with it.
	intDigits := len(text) - int(v.scale)
	weight := floorDiv(intDigits-1, decDigits)
	lead := intDigits - weight*decDigits // digits in the first group, 1..4
	at := len(dst)
	header(0, weight, sgn, v.scale)
	groups, lastNonZero := 0, 0
	group, k := 0, decDigits-lead
	flush := func() {
		dst = be.AppendUint16(dst, uint16(group))
		groups++
		if group != 0 {
			lastNonZero = groups
		}
		group, k = 0, 0
	}
	for _, c := range text {
		group = group*10 + int(c-'0')
		if k++; k == decDigits {
			flush()
		}
	}
	if k > 0 {
		for ; k < decDigits; k++ {
			group *= 10
		}
		flush()
	}
	dst = dst[:len(dst)-2*(groups-lastNonZero)]
	be.PutUint16(dst[at:], uint16(lastNonZero))
	return dst
}

func parseNumericBinary(buf []byte) (Numeric, error) {
	if len(buf) < numericHeader {
		return Numeric{}, errBinary("insufficient data left in message")
	}
	n := int(be.Uint16(buf))
	weight := int(int16(be.Uint16(buf[2:])))
	sgn := be.Uint16(buf[4:])
	scale := int(be.Uint16(buf[6:]))
	switch sgn {
	case numericPos, numericNeg:
	case numericNaN:
		return NumericNaN, nil
	case numericPInf:
		return NumericInf, nil
	case numericNInf:
		return NumericNegInf, nil
	default:
		return Numeric{}, errBinary("invalid sign in external \"numeric\" value")
	}
	if scale > numericMaxScale {
		return Numeric{}, errBinary("invalid scale in external \"numeric\" value")
	}
	if len(buf) != numericHeader+2*n {
		return Numeric{}, errBinary("incorrect binary data format")
	}
	if n > 0 && weight >= numericMaxIntDigits/decDigits {
		return Numeric{}, errNumericOverflow
	}
	// Value = sum digit[i] * 10000^(weight-i); the coefficient is scaled by 10^scale.
	small, fits := int64(0), true
	for i := range n {
		dig := be.Uint16(buf[numericHeader+2*i:])
		if dig >= numericBase {
			return Numeric{}, errBinary("invalid digit in external \"numeric\" value")
		}
		if fits = fits && small < (math.MaxInt64-numericBase)/numericBase; fits {
			small = small*numericBase + int64(dig)
		}
	}
	v := Numeric{coef: small}
	if !fits {
		// By way of decimal text, as reading that is not quadratic.
		text := make([]byte, 0, decDigits*n)
		for i := range n {
			dig := int(be.Uint16(buf[numericHeader+2*i:]))
			text = append2(append2(text, dig/100), dig%100)
		}
		c, _ := new(apd.BigInt).SetString(string(text), 10)
		v = numericFromBig(c, 0)
	}
	// The digits read so far have exponent 4*(weight-n+1); bring it to -scale.
	v = v.shift(decDigits * (weight - n + 1))
	v = v.Trunc(int32(scale))
	if sgn == numericNeg {
		v = v.Neg()
	}
	return v.checkRange()
}

// shift returns v (scale 0) times 10^exp.
func (v Numeric) shift(exp int) Numeric {
	if v.Sign() == 0 {
		return Numeric{}
	}
	if exp <= 0 {
		if v.big == nil {
			return Numeric{coef: v.coef, scale: int32(-exp)}
		}
		return numericFromBig(v.bigCoef(), int32(-exp))
	}
	if v.big == nil {
		if c, ok := mulPow10(v.coef, int32(exp)); ok {
			return Numeric{coef: c}
		}
	}
	c := v.bigCoef()
	return numericFromBig(c.Mul(c, bigPow10(exp)), 0)
}

// appendArrayBinary appends: number of dimensions, whether there are NULLs, element OID,
// then per dimension its length and lower bound, then each element with its length (i32 each).
func appendArrayBinary(dst []byte, t *T, a *Array) []byte {
	dst = be.AppendUint32(dst, uint32(len(a.Dims)))
	hasNull := uint32(0)
	for _, e := range a.Elems {
		if e.IsNull() {
			hasNull = 1
		}
	}
	elem := t.Elem
	if t.OID == OIDAnyArray || elem == nil {
		elem = a.Elem
	}
	dst = be.AppendUint32(dst, hasNull)
	dst = be.AppendUint32(dst, uint32(elem.OID))
	for _, d := range a.Dims {
		dst = be.AppendUint32(dst, uint32(d.Len))
		dst = be.AppendUint32(dst, uint32(d.Lower))
	}
	for _, e := range a.Elems {
		dst = appendSized(dst, elem, e)
	}
	return dst
}

// appendSized appends a value behind its length, -1 for NULL.
func appendSized(dst []byte, t *T, d Datum) []byte {
	if d.IsNull() {
		return be.AppendUint32(dst, math.MaxUint32)
	}
	at := len(dst)
	dst = appendBinary(append(dst, 0, 0, 0, 0), t, d)
	be.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

func appendRecordBinary(dst []byte, t *T, r *Record) []byte {
	dst = be.AppendUint32(dst, uint32(len(r.Fields)))
	for i, f := range r.Fields {
		ft := Text
		switch {
		case i < len(t.Fields):
			ft = t.Fields[i].Type
		case i < len(r.Types):
			ft = r.Types[i]
		}
		dst = be.AppendUint32(dst, uint32(ft.OID))
		dst = appendSized(dst, ft, f)
	}
	return dst
}

func errBinaryLength(t *T) error {
	return sqlstate.New(sqlstate.InvalidBinaryRepr, "incorrect binary data format for type %s", FormatType(t, -1, false))
}

func parseBinary(t *T, buf []byte, s *Settings) (Datum, error) {
	if t.Elem != nil {
		return parseArrayBinary(t, buf, s)
	}
	fixed := func(n int) bool { return len(buf) == n }
	switch t.OID {
	case OIDBool:
		if !fixed(1) {
			return Null, errBinaryLength(t)
		}
		return NewBool(buf[0] != 0), nil
	case OIDChar:
		if !fixed(1) {
			return Null, errBinaryLength(t)
		}
		return NewInt(int64(buf[0])), nil
	case OIDInt2:
		if !fixed(2) {
			return Null, errBinaryLength(t)
		}
		return NewInt(int64(int16(be.Uint16(buf)))), nil
	case OIDInt4:
		if !fixed(4) {
			return Null, errBinaryLength(t)
		}
		return NewInt(int64(int32(be.Uint32(buf)))), nil
	case OIDDate:
		if !fixed(4) {
			return Null, errBinaryLength(t)
		}
		d := int64(int32(be.Uint32(buf)))
		if d != DateInfinity && d != DateNegInfinity && (d < minDate || d >= endDate) {
			return Null, sqlstate.New(sqlstate.DatetimeFieldOverflow, "date out of range")
		}
		return NewInt(d), nil
	case OIDOid, OIDXid, OIDCid:
		if !fixed(4) {
			return Null, errBinaryLength(t)
		}
		return NewInt(int64(be.Uint32(buf))), nil
	case OIDInt8, OIDPgLSN, OIDXid8:
		if !fixed(8) {
			return Null, errBinaryLength(t)
		}
		return NewInt(int64(be.Uint64(buf))), nil
	case OIDTime:
		if !fixed(8) {
			return Null, errBinaryLength(t)
		}
		us := int64(be.Uint64(buf))
		if us < 0 || us > MicrosPerDay {
			return Null, sqlstate.New(sqlstate.DatetimeFieldOverflow, "time out of range")
		}
		return NewInt(roundMicros(us, t.Typmod)), nil
	case OIDTimestamp, OIDTimestampTZ:
		if !fixed(8) {
			return Null, errBinaryLength(t)
		}
		ts := int64(be.Uint64(buf))
		if IsInfinite(ts) {
			return NewInt(ts), nil
		}
		if err := CheckTimestamp(ts); err != nil {
			return Null, err
		}
		return NewInt(roundMicros(ts, t.Typmod)), nil
	case OIDTimeTZ:
		if !fixed(12) {
			return Null, errBinaryLength(t)
		}
		v := TimeTZ{Micros: int64(be.Uint64(buf)), Zone: int32(be.Uint32(buf[8:]))}
		if v.Micros < 0 || v.Micros > MicrosPerDay {
			return Null, sqlstate.New(sqlstate.DatetimeFieldOverflow, "time out of range")
		}
		if v.Zone <= -16*3600 || v.Zone >= 16*3600 {
			return Null, sqlstate.New(sqlstate.InvalidTimeZone, "time zone displacement out of range")
		}
		v.Micros = roundMicros(v.Micros, t.Typmod)
		return NewTimeTZ(v), nil
	case OIDInterval:
		if !fixed(16) {
			return Null, errBinaryLength(t)
		}
		v := Interval{Micros: int64(be.Uint64(buf)), Days: int32(be.Uint32(buf[8:])), Months: int32(be.Uint32(buf[12:]))}
		return NewInterval(applyIntervalTypmod(v, t.Typmod)), nil
	case OIDFloat4:
		if !fixed(4) {
			return Null, errBinaryLength(t)
		}
		return NewFloat(float64(math.Float32frombits(be.Uint32(buf)))), nil
	case OIDFloat8:
		if !fixed(8) {
			return Null, errBinaryLength(t)
		}
		return NewFloat(math.Float64frombits(be.Uint64(buf))), nil
	case OIDNumeric:
		v, err := parseNumericBinary(buf)
		if err == nil && t.Typmod != -1 {
			v, err = applyNumericTypmod(v, t.Typmod)
		}
		return NewNumeric(v), err
	case OIDUUID:
		if !fixed(16) {
			return Null, errBinaryLength(t)
		}
		return NewBytes(buf), nil
	case OIDBytea:
		return NewBytes(buf), nil
	case OIDJSON:
		if err := checkUTF8(buf); err != nil {
			return Null, err
		}
		return NewBytes(buf), ValidateJSON(string(buf))
	case OIDJSONB:
		if len(buf) == 0 || buf[0] != jsonbVersion {
			version := 0
			if len(buf) > 0 {
				version = int(buf[0])
			}
			return Null, sqlstate.New(sqlstate.InternalError, "unsupported jsonb version number %d", version)
		}
		if err := checkUTF8(buf); err != nil {
			return Null, err
		}
		v, err := ParseJSONB(string(buf[1:]))
		return NewBytesOf(FamJSONB, v), err
	case OIDInet, OIDCidr:
		return parseInetBinary(buf, t.OID == OIDCidr)
	case OIDTid:
		if !fixed(6) {
			return Null, errBinaryLength(t)
		}
		return NewInt(int64(be.Uint32(buf))<<16 | int64(be.Uint16(buf[4:]))), nil
	case OIDVoid:
		return NewBytes(nil), nil
	}
	switch {
	case t.IsReg():
		if !fixed(4) {
			return Null, errBinaryLength(t)
		}
		return NewInt(int64(be.Uint32(buf))), nil
	case t.IsEnum():
		return parseText(t, string(buf), s)
	case t.Family == FamRecord:
		return parseRecordBinary(t, buf, s)
	}
	if err := checkUTF8(buf); err != nil {
		return Null, err
	}
	if t.OID == OIDName {
		return NewString(TruncateName(string(buf))), nil
	}
	return CoerceTypmod(NewBytesOf(t.Family, buf), t, false)
}

// CheckUTF8 returns the error 22021 if the text is not valid UTF-8 or holds a zero byte,
// neither of which text types can store.
func CheckUTF8(b []byte) error { return checkUTF8(b) }

func checkUTF8(b []byte) error {
	ascii := true
	for _, c := range b {
		if c == 0 {
			return sqlstate.New(sqlstate.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x00")
		}
		ascii = ascii && c < 0x80
	}
	if ascii || utf8.Valid(b) {
		return nil
	}
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			text := ""
			for k := i; k < min(i+utf8Expected(b[i]), len(b)); k++ {
				if k > i {
					text += " "
				}
				text += "0x" + strconv.FormatUint(uint64(b[k]), 16)
			}
			return sqlstate.New(sqlstate.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": %s", text)
		}
		i += n
	}
	return nil
}

func utf8Expected(c byte) int {
	switch {
	case c >= 0xf0 && c < 0xf8:
		return 4
	case c >= 0xe0 && c < 0xf0:
		return 3
	case c >= 0xc0 && c < 0xe0:
		return 2
	}
	return 1
}

func parseArrayBinary(t *T, buf []byte, s *Settings) (Datum, error) {
	short := func() (Datum, error) { return Null, errBinary("insufficient data left in message") }
	const firstUnpinnedOID = 10000
	if len(buf) < 12 {
		return short()
	}
	ndim, flags, oid := be.Uint32(buf), be.Uint32(buf[4:]), OID(be.Uint32(buf[8:]))
	buf = buf[12:]
	if ndim > arrayMaxDims {
		return Null, sqlstate.New(sqlstate.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", ndim, arrayMaxDims)
	}
	if flags > 1 {
		return Null, errBinary("invalid array flags")
	}
	// Only OIDs of built-in types are the same everywhere.
	if oid != t.Elem.OID && oid < firstUnpinnedOID && t.Elem.OID < firstUnpinnedOID {
		return Null, sqlstate.New(sqlstate.DatatypeMismatch, "binary data has array element type %d (%s) instead of expected %d (%s)",
			oid, FormatType(ByOID(oid), -1, false), t.Elem.OID, FormatType(t.Elem, -1, false))
	}
	if len(buf) < int(ndim)*8 {
		return short()
	}
	a := &Array{Elem: t.Elem}
	for range ndim {
		a.Dims = append(a.Dims, ArrayDim{Len: int32(be.Uint32(buf)), Lower: int32(be.Uint32(buf[4:]))})
		buf = buf[8:]
	}
	n, err := checkDims(a.Dims)
	if err != nil {
		return Null, err
	}
	if n > len(buf)/4 {
		return short()
	}
	a.Elems = make([]Datum, 0, n)
	for range n {
		d, rest, err := parseSized(t.Elem, buf, s)
		if err != nil {
			return Null, err
		}
		a.Elems = append(a.Elems, d)
		buf = rest
	}
	if len(buf) != 0 {
		return Null, errBinary("incorrect binary data format")
	}
	if n == 0 {
		a.Dims = nil
	}
	if t.OID == OIDInt2Vector || t.OID == OIDOidVector {
		return NewArrayDatum(NewVector(t.Elem, a.Elems)), nil
	}
	return NewArrayDatum(a), nil
}

func parseSized(t *T, buf []byte, s *Settings) (Datum, []byte, error) {
	if len(buf) < 4 {
		return Null, nil, errBinary("insufficient data left in message")
	}
	n := int(int32(be.Uint32(buf)))
	buf = buf[4:]
	if n == -1 {
		return Null, buf, nil
	}
	if n < 0 || n > len(buf) {
		return Null, nil, errBinary("insufficient data left in message")
	}
	d, err := parseBinary(t, buf[:n:n], s)
	return d, buf[n:], err
}

func parseRecordBinary(t *T, buf []byte, s *Settings) (Datum, error) {
	if len(buf) < 4 {
		return Null, errBinary("insufficient data left in message")
	}
	n := int(be.Uint32(buf))
	buf = buf[4:]
	if n > len(buf)/8 {
		return Null, errBinary("insufficient data left in message")
	}
	if len(t.Fields) > 0 && n != len(t.Fields) {
		return Null, sqlstate.New(sqlstate.DatatypeMismatch, "wrong number of columns: %d, expected %d", n, len(t.Fields))
	}
	r := &Record{}
	for i := range n {
		if len(buf) < 4 {
			return Null, errBinary("insufficient data left in message")
		}
		oid := OID(be.Uint32(buf))
		ft := ByOID(oid)
		if i < len(t.Fields) {
			ft = t.Fields[i].Type
			if ft.OID != oid {
				return Null, sqlstate.New(sqlstate.DatatypeMismatch, "binary data has type %d instead of expected %d in record column %d", oid, ft.OID, i+1)
			}
		}
		if ft == nil {
			return Null, sqlstate.New(sqlstate.UndefinedObject, "type with OID %d does not exist", oid)
		}
		d, rest, err := parseSized(ft, buf[4:], s)
		if err != nil {
			return Null, err
		}
		buf = rest
		r.Types = append(r.Types, ft)
		r.Fields = append(r.Fields, d)
		if i < len(t.Fields) {
			r.Names = append(r.Names, t.Fields[i].Name)
		}
	}
	if len(buf) != 0 {
		return Null, errBinary("incorrect binary data format")
	}
	return NewRecordDatum(r), nil
}
