package types

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// CastContext says where a cast may be applied without being written.
type CastContext byte

// The contexts, as in pg_cast.castcontext, in ascending order of freedom.
const (
	CastImplicit   CastContext = 'i' // anywhere
	CastAssignment CastContext = 'a' // to the type of a target column
	CastExplicit   CastContext = 'e' // only when written
)

// CastFunc converts a value that is not NULL. to carries the target modifier,
// which the function applies; explicit casts truncate where others complain.
type CastFunc func(s *Settings, d Datum, from, to *T, explicit bool) (Datum, error)

// FindCast returns the conversion from one type to another and the context from which
// on it may be used, ok false if there is none. A nil fn changes nothing.
//
//   - Between identical types it is the modifier's coercion.
//   - From unknown it is the type's input function.
//   - Arrays are converted element by element.
//   - Whatever has no cast of its own goes to the string types through its text form (on
//     assignment), and comes from them the same way (explicitly).
func FindCast(from, to *T) (fn CastFunc, context CastContext, ok bool) {
	if from.OID == OIDUnknown {
		return castFromText, CastImplicit, true
	}
	if from.Same(to) {
		if to.Typmod == -1 || from.Typmod == to.Typmod {
			return nil, CastImplicit, true
		}
		return castTypmod, CastImplicit, true
	}
	if c, found := casts[castKey{from.OID, to.OID}]; found {
		return withTypmod(c.fn, to), c.context, true
	}
	// Casts to the vector types would capture what should go to real arrays.
	if from.IsArray() && to.IsArray() && to.OID != OIDInt2Vector && to.OID != OIDOidVector {
		if elemFn, ctx, found := FindCast(from.Elem, to.Elem); found {
			if (from.OID == OIDInt2Vector || from.OID == OIDOidVector) && elemFn == nil {
				return nil, ctx, true // the elements are the same, and so are the subscripts
			}
			return castArray(elemFn), ctx, true
		}
		return nil, 0, false
	}
	switch {
	case to.OID == OIDUnknown, to.OID == OIDVoid:
		return nil, 0, false
	case to.OID == OIDRecord && from.Family == FamRecord:
		return nil, CastImplicit, true
	case to.Category == CatString && from.OID != OIDVoid:
		return castToText, CastAssignment, true
	case from.Category == CatString && to.Kind != 'p':
		return castFromText, CastExplicit, true
	case from.OID == OIDRecord && to.Family == FamRecord:
		return castRecord, CastExplicit, true
	}
	return nil, 0, false
}

func withTypmod(fn CastFunc, to *T) CastFunc {
	if to.Typmod == -1 {
		return fn
	}
	if fn == nil {
		return castTypmod
	}
	return func(s *Settings, d Datum, from, to *T, explicit bool) (Datum, error) {
		d, err := fn(s, d, from, to, explicit)
		if err != nil {
			return Null, err
		}
		return CoerceTypmod(d, to, explicit)
	}
}

// Cast converts d explicitly from one type to another, the modifier of to
// included. NULL stays NULL.
func Cast(s *Settings, d Datum, from, to *T) (Datum, error) {
	if d.IsNull() {
		return d, nil
	}
	fn, _, ok := FindCast(from, to)
	if !ok {
		return Null, sqlstate.New(sqlstate.CannotCoerce, "cannot cast type %s to %s", FormatType(from, -1, false), FormatType(to, -1, false))
	}
	if fn == nil {
		return d, nil
	}
	return fn(s, d, from, to, true)
}

// CoerceTypmod applies the modifier of t to a value of t's type. With explicit
// false, cutting off anything but blanks is an error (22001).
func CoerceTypmod(d Datum, t *T, explicit bool) (Datum, error) {
	if t.Typmod == -1 || d.IsNull() {
		return d, nil
	}
	if t.Elem != nil {
		return coerceArrayTypmod(d, t, explicit)
	}
	switch t.OID {
	case OIDVarchar:
		n := int(t.Typmod - 4)
		if len(d.Bytes()) <= n {
			return d, nil
		}
		cut, rest := cutChars(d.Str(), n)
		if !explicit && strings.Trim(rest, " ") != "" {
			return Null, sqlstate.New(sqlstate.StringRightTruncation, "value too long for type character varying(%d)", n)
		}
		return NewString(cut), nil
	case OIDBpchar:
		n := int(t.Typmod - 4)
		cut, rest := cutChars(d.Str(), n)
		if rest != "" {
			if !explicit && strings.Trim(rest, " ") != "" {
				return Null, sqlstate.New(sqlstate.StringRightTruncation, "value too long for type character(%d)", n)
			}
			return NewBpchar(cut), nil
		}
		if pad := n - utf8.RuneCountInString(cut); pad > 0 {
			b := make([]byte, 0, len(cut)+pad)
			b = append(b, cut...)
			for range pad {
				b = append(b, ' ')
			}
			return NewBytesOf(FamBpchar, b), nil
		}
		return d, nil
	case OIDNumeric:
		v, err := applyNumericTypmod(d.Numeric(), t.Typmod)
		return NewNumeric(v), err
	case OIDTimestamp, OIDTimestampTZ:
		if IsInfinite(d.n) {
			return d, nil
		}
		return NewInt(roundMicros(d.n, t.Typmod)), nil
	case OIDTime:
		return NewInt(roundMicros(d.n, t.Typmod)), nil
	case OIDTimeTZ:
		v := d.TimeTZ()
		v.Micros = roundMicros(v.Micros, t.Typmod)
		return NewTimeTZ(v), nil
	case OIDInterval:
		return NewInterval(applyIntervalTypmod(d.Interval(), t.Typmod)), nil
	}
	return d, nil
}

func coerceArrayTypmod(d Datum, t *T, explicit bool) (Datum, error) {
	a := *d.Array()
	a.Elem = t.Elem
	a.Elems = make([]Datum, len(a.Elems))
	for i, e := range d.Array().Elems {
		c, err := CoerceTypmod(e, t.Elem, explicit)
		if err != nil {
			return Null, err
		}
		a.Elems[i] = c
	}
	return NewArrayDatum(&a), nil
}

// cutChars splits s after n characters.
func cutChars(s string, n int) (head, tail string) {
	if len(s) <= n {
		return s, ""
	}
	for i := range s {
		if n == 0 {
			return s[:i], s[i:]
		}
		n--
	}
	return s, ""
}

func castTypmod(_ *Settings, d Datum, _, to *T, explicit bool) (Datum, error) {
	return CoerceTypmod(d, to, explicit)
}

func castToText(s *Settings, d Datum, from, to *T, explicit bool) (Datum, error) {
	out := NewBytes(appendText(nil, from, d, s))
	out.fam = to.Family
	if to.OID == OIDName {
		return NewString(TruncateName(out.Str())), nil
	}
	return CoerceTypmod(out, to, explicit)
}

func castFromText(s *Settings, d Datum, from, to *T, explicit bool) (Datum, error) {
	text := string(d.Bytes())
	if from.OID == OIDBpchar {
		text = strings.TrimRight(text, " ")
	}
	if to.Typmod == -1 {
		return parseText(to, text, s)
	}
	out, err := parseText(baseForInput(to), text, s)
	if err != nil {
		return Null, err
	}
	return CoerceTypmod(out, to, explicit)
}

// baseForInput drops the modifier so that an explicit cast can apply it more leniently;
// an interval's fields decide what a bare number means and stay.
func baseForInput(t *T) *T {
	if t.OID == OIDInterval {
		return t
	}
	return t.WithTypmod(-1)
}

func castArray(elemFn CastFunc) CastFunc {
	return func(s *Settings, d Datum, from, to *T, explicit bool) (Datum, error) {
		a := *d.Array()
		a.Elem = to.Elem
		if elemFn != nil {
			a.Elems = make([]Datum, len(a.Elems))
			for i, e := range d.Array().Elems {
				if e.IsNull() {
					continue
				}
				c, err := elemFn(s, e, from.Elem, to.Elem, explicit)
				if err != nil {
					return Null, err
				}
				a.Elems[i] = c
			}
		}
		return NewArrayDatum(&a), nil
	}
}

func castRecord(s *Settings, d Datum, _, to *T, explicit bool) (Datum, error) {
	r := d.Record()
	if len(r.Fields) != len(to.Fields) {
		return Null, sqlstate.New(sqlstate.CannotCoerce, "cannot cast type record to %s", FormatType(to, -1, false))
	}
	out := &Record{}
	for i, f := range r.Fields {
		ft := to.Fields[i].Type
		if !f.IsNull() {
			fn, _, ok := FindCast(r.Types[i], ft)
			if !ok {
				return Null, sqlstate.New(sqlstate.CannotCoerce, "cannot cast type record to %s", FormatType(to, -1, false))
			}
			if fn != nil {
				var err error
				if f, err = fn(s, f, r.Types[i], ft, explicit); err != nil {
					return Null, err
				}
			}
		}
		out.Fields = append(out.Fields, f)
		out.Types = append(out.Types, ft)
		out.Names = append(out.Names, to.Fields[i].Name)
	}
	return NewRecordDatum(out), nil
}

type castKey struct{ from, to OID }

type castEntry struct {
	context CastContext
	fn      CastFunc // nil: binary compatible
}

// casts is pg_cast for the types that exist here.
var casts = makeCasts()

// CastInfo is a row of the cast table, for the catalog.
type CastInfo struct {
	From, To OID
	Context  CastContext
	Binary   bool // no conversion function
}

// Casts returns the cast table in no particular order.
func Casts() []CastInfo {
	out := make([]CastInfo, 0, len(casts))
	for k, c := range casts {
		out = append(out, CastInfo{From: k.from, To: k.to, Context: c.context, Binary: c.fn == nil})
	}
	return out
}

func makeCasts() map[castKey]castEntry {
	m := make(map[castKey]castEntry)
	add := func(ctx CastContext, fn CastFunc, from *T, to ...*T) {
		for _, t := range to {
			if from != t {
				m[castKey{from.OID, t.OID}] = castEntry{ctx, fn}
			}
		}
	}
	ints := []*T{Int2, Int4, Int8}
	floats := []*T{Float4, Float8}
	// Numbers: upwards implicitly, downwards on assignment.
	for _, i := range ints {
		add(CastImplicit, castIntToFloat, i, floats...)
		add(CastImplicit, castIntToNumeric, i, NumericT)
		for _, f := range floats {
			add(CastAssignment, castFloatToInt, f, i)
		}
		add(CastAssignment, castNumericToInt, NumericT, i)
	}
	add(CastImplicit, nil, Int2, Int4, Int8)
	add(CastImplicit, nil, Int4, Int8)
	add(CastAssignment, castIntToInt, Int8, Int2, Int4)
	add(CastAssignment, castIntToInt, Int4, Int2)
	add(CastImplicit, nil, Float4, Float8)
	add(CastAssignment, castFloatToFloat4, Float8, Float4)
	for _, f := range floats {
		add(CastAssignment, castFloatToNumeric, f, NumericT)
		add(CastImplicit, castNumericToFloat, NumericT, f)
	}
	add(CastExplicit, castIntToBool, Int4, Bool)
	add(CastExplicit, castBoolToInt, Bool, Int4)
	// Object identifiers.
	oids := []*T{Regproc, Regprocedure, Regoper, Regoperator, Regclass, Regtype, Regconfig, Regdictionary, Regnamespace, Regrole, Regcollation}
	for _, o := range append([]*T{Oid}, oids...) {
		add(CastImplicit, castIntToOID, Int8, o)
		add(CastImplicit, castSignedToOID, Int2, o)
		add(CastImplicit, castSignedToOID, Int4, o)
		add(CastAssignment, nil, o, Int8)
		add(CastAssignment, castOIDToInt4, o, Int4)
	}
	for _, o := range oids {
		add(CastImplicit, nil, o, Oid)
		add(CastImplicit, nil, Oid, o)
	}
	add(CastImplicit, nil, Regproc, Regprocedure)
	add(CastImplicit, nil, Regprocedure, Regproc)
	add(CastImplicit, nil, Regoper, Regoperator)
	add(CastImplicit, nil, Regoperator, Regoper)
	add(CastImplicit, castFromText, Text, Regclass)
	add(CastImplicit, castFromText, Varchar, Regclass)
	add(CastExplicit, castXid8ToXid, Xid8, Xid)
	// Strings.
	add(CastImplicit, nil, Text, Varchar)
	add(CastImplicit, nil, Varchar, Text)
	add(CastImplicit, castTextToBpchar, Text, Bpchar)
	add(CastImplicit, castTextToBpchar, Varchar, Bpchar)
	add(CastImplicit, castBpcharToText, Bpchar, Text, Varchar, Name)
	add(CastImplicit, nil, Name, Text)
	add(CastAssignment, nil, Name, Varchar)
	add(CastAssignment, castTextToBpchar, Name, Bpchar)
	add(CastImplicit, castTextToName, Text, Name)
	add(CastImplicit, castTextToName, Varchar, Name)
	add(CastImplicit, castCharToText, Char, Text)
	add(CastAssignment, castCharToText, Char, Varchar, Bpchar)
	add(CastAssignment, castTextToChar, Text, Char)
	add(CastAssignment, castTextToChar, Varchar, Char)
	add(CastAssignment, castTextToChar, Bpchar, Char)
	add(CastExplicit, castCharToInt, Char, Int4)
	add(CastExplicit, castIntToChar, Int4, Char)
	add(CastAssignment, castBoolToText, Bool, Text, Varchar, Bpchar)
	add(CastImplicit, nil, PgNodeTree, Text)
	// Dates and times.
	add(CastImplicit, castDateToTimestamp, Date, Timestamp)
	add(CastImplicit, castDateToTimestampTZ, Date, TimestampTZ)
	add(CastImplicit, castTimestampToTZ, Timestamp, TimestampTZ)
	add(CastAssignment, castTimestampFromTZ, TimestampTZ, Timestamp)
	add(CastAssignment, castTimestampToDate, Timestamp, Date)
	add(CastAssignment, castTimestampTZToDate, TimestampTZ, Date)
	add(CastAssignment, castTimestampToTime, Timestamp, Time)
	add(CastAssignment, castTimestampTZToTime, TimestampTZ, Time)
	add(CastAssignment, castTimestampTZToTimeTZ, TimestampTZ, TimeTZT)
	add(CastImplicit, castTimeToTimeTZ, Time, TimeTZT)
	add(CastAssignment, castTimeTZToTime, TimeTZT, Time)
	add(CastImplicit, castTimeToInterval, Time, IntervalT)
	add(CastAssignment, castIntervalToTime, IntervalT, Time)
	// JSON.
	add(CastAssignment, castJSONToJSONB, JSON, JSONB)
	add(CastAssignment, castJSONBToJSON, JSONB, JSON)
	add(CastExplicit, castJSONBToBool, JSONB, Bool)
	add(CastExplicit, castJSONBToNumber, JSONB, NumericT, Int2, Int4, Int8, Float4, Float8)
	// Network addresses.
	add(CastImplicit, nil, Cidr, Inet)
	add(CastAssignment, castInetToCidr, Inet, Cidr)
	for _, n := range []*T{Inet, Cidr} {
		add(CastAssignment, castInetToText, n, Text, Varchar, Bpchar)
	}
	return m
}

func intLimits(t *T) (lo, hi int64, name string) {
	switch t.OID {
	case OIDInt2:
		return math.MinInt16, math.MaxInt16, "smallint"
	case OIDInt4:
		return math.MinInt32, math.MaxInt32, "integer"
	}
	return math.MinInt64, math.MaxInt64, "bigint"
}

func castIntToInt(_ *Settings, d Datum, _, to *T, _ bool) (Datum, error) {
	lo, hi, name := intLimits(to)
	if d.n < lo || d.n > hi {
		return Null, errOutOfRange(name)
	}
	return d, nil
}

func castIntToFloat(_ *Settings, d Datum, _, to *T, _ bool) (Datum, error) {
	if to.OID == OIDFloat4 {
		return NewFloat(float64(float32(d.n))), nil
	}
	return NewFloat(float64(d.n)), nil
}

func castIntToNumeric(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return NewNumeric(NumericFromInt(d.n)), nil
}

func castFloatToInt(_ *Settings, d Datum, _, to *T, _ bool) (Datum, error) {
	lo, hi, name := intLimits(to)
	f := math.RoundToEven(d.Float())
	// The upper limit of bigint is no float: the next one above is.
	if f != f || f < float64(lo) || f > float64(hi) || to.OID == OIDInt8 && f >= -float64(lo) {
		return Null, errOutOfRange(name)
	}
	return NewInt(int64(f)), nil
}

func castFloatToFloat4(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	f := d.Float()
	g := float64(float32(f))
	if math.IsInf(g, 0) && !math.IsInf(f, 0) {
		return Null, sqlstate.New(sqlstate.NumericOutOfRange, "value out of range: overflow")
	}
	if g == 0 && f != 0 {
		return Null, sqlstate.New(sqlstate.NumericOutOfRange, "value out of range: underflow")
	}
	return NewFloat(g), nil
}

func castFloatToNumeric(_ *Settings, d Datum, from, _ *T, _ bool) (Datum, error) {
	digits := 15
	if from.OID == OIDFloat4 {
		digits = 6
	}
	v, err := NumericFromFloat(d.Float(), digits)
	return NewNumeric(v), err
}

func castNumericToInt(_ *Settings, d Datum, _, to *T, _ bool) (Datum, error) {
	lo, hi, name := intLimits(to)
	v := d.Numeric()
	if !v.IsFinite() {
		what := "NaN"
		if v.IsInf() {
			what = "infinity"
		}
		return Null, sqlstate.New(sqlstate.FeatureNotSupported, "cannot convert %s to %s", what, name)
	}
	n, ok := v.Int64()
	if !ok || n < lo || n > hi {
		return Null, errOutOfRange(name)
	}
	return NewInt(n), nil
}

func castNumericToFloat(_ *Settings, d Datum, _, to *T, _ bool) (Datum, error) {
	v := d.Numeric()
	f, ok := v.Float64()
	name := "double precision"
	if to.OID == OIDFloat4 {
		name = "real"
		g := float64(float32(f))
		ok = ok && (!math.IsInf(g, 0) || math.IsInf(f, 0)) && (g != 0 || f == 0)
		f = g
	}
	if !ok {
		return Null, sqlstate.New(sqlstate.NumericOutOfRange, "\"%s\" is out of range for type %s", v, name)
	}
	return NewFloat(f), nil
}

func castIntToBool(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return NewBool(d.n != 0), nil
}

func castBoolToInt(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) { return NewInt(d.n), nil }

func castIntToOID(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	if d.n < 0 || d.n > math.MaxUint32 {
		return Null, sqlstate.New(sqlstate.NumericOutOfRange, "OID out of range")
	}
	return d, nil
}

func castSignedToOID(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return NewOID(OID(uint32(d.n))), nil
}

func castOIDToInt4(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return NewInt(int64(int32(d.n))), nil
}

func castXid8ToXid(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return NewInt(int64(uint32(d.n))), nil
}

func castTextToBpchar(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return NewBytesOf(FamBpchar, d.Bytes()), nil
}

func castBpcharToText(_ *Settings, d Datum, _, to *T, _ bool) (Datum, error) {
	b := trimBlanks(d.Bytes())
	if to.OID == OIDName {
		return NewString(TruncateName(string(b))), nil
	}
	return NewBytes(b), nil
}

func castTextToName(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return NewString(TruncateName(d.Str())), nil
}

func castCharToText(_ *Settings, d Datum, _, to *T, _ bool) (Datum, error) {
	return NewBytesOf(to.Family, appendCharType(nil, byte(d.n))), nil
}

func castTextToChar(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return parseCharType(d.Str()), nil
}

func castCharToInt(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return NewInt(int64(int8(d.n))), nil
}

func castIntToChar(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	if d.n < math.MinInt8 || d.n > math.MaxInt8 {
		return Null, sqlstate.New(sqlstate.NumericOutOfRange, "\"char\" out of range")
	}
	return NewInt(int64(byte(d.n))), nil
}

func castBoolToText(_ *Settings, d Datum, _, to *T, _ bool) (Datum, error) {
	text := "false"
	if d.n != 0 {
		text = "true"
	}
	return NewBytesOf(to.Family, []byte(text)), nil
}

// DateToTimestamp returns midnight of a date.
func DateToTimestamp(days int64) (int64, error) {
	switch days {
	case DateInfinity:
		return TimestampInfinity, nil
	case DateNegInfinity:
		return TimestampNegInfinity, nil
	}
	if days >= endTimestamp/MicrosPerDay {
		return 0, sqlstate.New(sqlstate.DatetimeFieldOverflow, "date out of range for timestamp")
	}
	return days * MicrosPerDay, nil
}

// TimestampToDate returns the date of a local timestamp.
func TimestampToDate(ts int64) int64 {
	switch ts {
	case TimestampInfinity:
		return DateInfinity
	case TimestampNegInfinity:
		return DateNegInfinity
	}
	d, _ := SplitTimestamp(ts)
	return d
}

func castDateToTimestamp(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	ts, err := DateToTimestamp(d.n)
	return NewInt(ts), err
}

func castDateToTimestampTZ(s *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	ts, err := DateToTimestamp(d.n)
	return NewInt(FromLocal(ts, s.Location)), err
}

func castTimestampToTZ(s *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return NewInt(FromLocal(d.n, s.Location)), nil
}

func castTimestampFromTZ(s *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return NewInt(ToLocal(d.n, s.Location)), nil
}

func castTimestampToDate(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return NewInt(TimestampToDate(d.n)), nil
}

func castTimestampTZToDate(s *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return NewInt(TimestampToDate(ToLocal(d.n, s.Location))), nil
}

func castTimestampToTime(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	if IsInfinite(d.n) {
		return Null, nil
	}
	_, us := SplitTimestamp(d.n)
	return NewInt(us), nil
}

func castTimestampTZToTime(s *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	if IsInfinite(d.n) {
		return Null, nil
	}
	_, us := SplitTimestamp(ToLocal(d.n, s.Location))
	return NewInt(us), nil
}

func castTimestampTZToTimeTZ(s *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	if IsInfinite(d.n) {
		return Null, nil
	}
	off, _ := ZoneOffset(d.n, s.Location)
	_, us := SplitTimestamp(d.n + int64(off)*MicrosPerSecond)
	return NewTimeTZ(TimeTZ{Micros: us, Zone: int32(-off)}), nil
}

func castTimeToTimeTZ(s *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	off, _ := ZoneOffset(s.Now, s.Location)
	return NewTimeTZ(TimeTZ{Micros: d.n, Zone: int32(-off)}), nil
}

func castTimeTZToTime(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) { return NewInt(d.n), nil }

func castTimeToInterval(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return NewInterval(Interval{Micros: d.n}), nil
}

func castIntervalToTime(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	_, us := SplitTimestamp(d.Interval().Micros)
	return NewInt(us), nil
}

func castJSONToJSONB(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	v, err := ParseJSONB(d.Str())
	return NewBytesOf(FamJSONB, v), err
}

func castJSONBToJSON(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	return NewBytes(d.JSON().AppendText(nil)), nil
}

func errJSONBCast(v JSONValue, to *T) error {
	kind := [...]string{"null", "boolean", "boolean", "numeric", "string", "array or object", "array or object"}[v.Kind()]
	switch v.Kind() {
	case JSONArray:
		kind = "array"
	case JSONObject:
		kind = "object"
	}
	return sqlstate.New(sqlstate.InvalidParameterValue, "cannot cast jsonb %s to type %s", kind, FormatType(to, -1, false))
}

func castJSONBToBool(_ *Settings, d Datum, _, to *T, _ bool) (Datum, error) {
	switch v := d.JSON(); v.Kind() {
	case JSONTrue:
		return True, nil
	case JSONFalse:
		return False, nil
	default:
		return Null, errJSONBCast(v, to)
	}
}

func castJSONBToNumber(s *Settings, d Datum, _, to *T, explicit bool) (Datum, error) {
	v := d.JSON()
	if v.Kind() != JSONNumber {
		return Null, errJSONBCast(v, to)
	}
	n := NewNumeric(v.Numeric())
	switch to.OID {
	case OIDNumeric:
		return n, nil
	case OIDFloat4, OIDFloat8:
		return castNumericToFloat(s, n, NumericT, to, explicit)
	}
	return castNumericToInt(s, n, NumericT, to, explicit)
}

func castInetToCidr(_ *Settings, d Datum, _, _ *T, _ bool) (Datum, error) {
	addr, bits := d.Inet()
	p, err := addr.Prefix(bits)
	if err != nil {
		return Null, errBinary("invalid prefix length")
	}
	return NewInet(p.Addr(), bits), nil
}

func castInetToText(_ *Settings, d Datum, _, to *T, _ bool) (Datum, error) {
	return NewBytesOf(to.Family, appendInet(nil, d, true)), nil
}
