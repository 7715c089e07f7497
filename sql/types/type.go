package types

import (
	"slices"
	"strconv"
	"strings"
)

// Family is how values of a type are held in a Datum or a Vec.
type Family uint8

// The families. FamNull is the family of the NULL datum only, of no type.
const (
	FamNull Family = iota
	FamBool
	FamInt
	FamFloat
	FamNumeric
	FamString
	FamBpchar
	FamTimeTZ
	FamInterval
	FamJSONB
	FamInet
	FamArray
	FamRecord
)

// Type categories (pg_type.typcategory), which steer PostgreSQL's choice among
// overloaded functions and operators.
const (
	CatArray     byte = 'A'
	CatBoolean   byte = 'B'
	CatComposite byte = 'C'
	CatDateTime  byte = 'D'
	CatEnum      byte = 'E'
	CatNetwork   byte = 'I'
	CatNumeric   byte = 'N'
	CatPseudo    byte = 'P'
	CatString    byte = 'S'
	CatTimespan  byte = 'T'
	CatUser      byte = 'U'
	CatUnknown   byte = 'X'
	CatInternal  byte = 'Z'
)

// T is a SQL type. A T is immutable once published and may be shared between
// goroutines. Two Ts may describe the same type: compare with Same (OID) or
// Identical (OID and modifier), not by pointer.
type T struct {
	OID  OID
	Name string // pg_type.typname, such as "int4" or "_int4"
	// Typmod is the type modifier as PostgreSQL encodes it, -1 if none:
	// varchar(n), char(n): n+4; numeric(p,s): (p<<16 | s&0x7ff)+4; time and
	// timestamp types: the precision; interval: fields<<16 | precision.
	// An array carries its elements' modifier.
	Typmod    int32
	Family    Family
	Category  byte
	Preferred bool
	// Kind is pg_type.typtype: b base, c composite, d domain, e enum, p pseudo.
	Kind     byte
	Len      int16 // pg_type.typlen: bytes, -1 variable, -2 C string
	ArrayOID OID   // the array type of this type, 0 if none
	Elem     *T    // element type; arrays, int2vector and oidvector only
	// Labels of an enum type in ascending Order.
	Labels []EnumLabel
	// Fields of a composite type, or of a record whose columns are known.
	Fields []Field
	// Schema qualifies the name of a user-defined type when it is printed;
	// empty for built-in types.
	Schema string
}

// EnumLabel is one value of an enum type.
type EnumLabel struct {
	Name string
	// Order is what a Datum holds and what is stored. The catalog assigns it with
	// gaps and never changes it, so that a label can be added between two others.
	Order int64
	OID   OID
}

// Field is one column of a composite type.
type Field struct {
	Name string
	Type *T
}

// The built-in types. Types with a modifier come from WithTypmod, Varchar,
// Numeric and their relatives.
var (
	Bool        = base(OIDBool, "bool", FamBool, CatBoolean, true, 1, 1000)
	Bytea       = base(OIDBytea, "bytea", FamString, CatUser, false, -1, 1001)
	Char        = base(OIDChar, "char", FamInt, CatInternal, false, 1, 1002)
	Name        = base(OIDName, "name", FamString, CatString, false, 64, 1003)
	Int8        = base(OIDInt8, "int8", FamInt, CatNumeric, false, 8, 1016)
	Int2        = base(OIDInt2, "int2", FamInt, CatNumeric, false, 2, 1005)
	Int4        = base(OIDInt4, "int4", FamInt, CatNumeric, false, 4, 1007)
	Text        = base(OIDText, "text", FamString, CatString, true, -1, 1009)
	Oid         = base(OIDOid, "oid", FamInt, CatNumeric, true, 4, 1028)
	Tid         = base(OIDTid, "tid", FamInt, CatUser, false, 6, 1010)
	Xid         = base(OIDXid, "xid", FamInt, CatUser, false, 4, 1011)
	Cid         = base(OIDCid, "cid", FamInt, CatUser, false, 4, 1012)
	JSON        = base(OIDJSON, "json", FamString, CatUser, false, -1, 199)
	PgNodeTree  = base(OIDPgNodeTree, "pg_node_tree", FamString, CatInternal, false, -1, 0)
	Float4      = base(OIDFloat4, "float4", FamFloat, CatNumeric, false, 4, 1021)
	Float8      = base(OIDFloat8, "float8", FamFloat, CatNumeric, true, 8, 1022)
	Unknown     = pseudo(OIDUnknown, "unknown", FamString, CatUnknown, -2)
	Cidr        = base(OIDCidr, "cidr", FamInet, CatNetwork, false, -1, 651)
	Inet        = base(OIDInet, "inet", FamInet, CatNetwork, true, -1, 1041)
	Aclitem     = base(OIDAclitem, "aclitem", FamString, CatUser, false, 12, 1034)
	Bpchar      = base(OIDBpchar, "bpchar", FamBpchar, CatString, false, -1, 1014)
	Varchar     = base(OIDVarchar, "varchar", FamString, CatString, false, -1, 1015)
	Date        = base(OIDDate, "date", FamInt, CatDateTime, false, 4, 1182)
	Time        = base(OIDTime, "time", FamInt, CatDateTime, false, 8, 1183)
	Timestamp   = base(OIDTimestamp, "timestamp", FamInt, CatDateTime, false, 8, 1115)
	TimestampTZ = base(OIDTimestampTZ, "timestamptz", FamInt, CatDateTime, true, 8, 1185)
	IntervalT   = base(OIDInterval, "interval", FamInterval, CatTimespan, true, 16, 1187)
	TimeTZT     = base(OIDTimeTZ, "timetz", FamTimeTZ, CatDateTime, false, 12, 1270)
	NumericT    = base(OIDNumeric, "numeric", FamNumeric, CatNumeric, false, -1, 1231)
	Refcursor   = base(OIDRefcursor, "refcursor", FamString, CatUser, false, -1, 2201)
	UUID        = base(OIDUUID, "uuid", FamString, CatUser, false, 16, 2951)
	PgLSN       = base(OIDPgLSN, "pg_lsn", FamInt, CatUser, false, 8, 3221)
	JSONB       = base(OIDJSONB, "jsonb", FamJSONB, CatUser, false, -1, 3807)
	Xid8        = base(OIDXid8, "xid8", FamInt, CatUser, false, 8, 271)

	Regproc       = base(OIDRegproc, "regproc", FamInt, CatNumeric, false, 4, 1008)
	Regprocedure  = base(OIDRegprocedure, "regprocedure", FamInt, CatNumeric, false, 4, 2207)
	Regoper       = base(OIDRegoper, "regoper", FamInt, CatNumeric, false, 4, 2208)
	Regoperator   = base(OIDRegoperator, "regoperator", FamInt, CatNumeric, false, 4, 2209)
	Regclass      = base(OIDRegclass, "regclass", FamInt, CatNumeric, false, 4, 2210)
	Regtype       = base(OIDRegtype, "regtype", FamInt, CatNumeric, false, 4, 2211)
	Regconfig     = base(OIDRegconfig, "regconfig", FamInt, CatNumeric, false, 4, 3735)
	Regdictionary = base(OIDRegdictionary, "regdictionary", FamInt, CatNumeric, false, 4, 3770)
	Regnamespace  = base(OIDRegnamespace, "regnamespace", FamInt, CatNumeric, false, 4, 4090)
	Regrole       = base(OIDRegrole, "regrole", FamInt, CatNumeric, false, 4, 4097)
	Regcollation  = base(OIDRegcollation, "regcollation", FamInt, CatNumeric, false, 4, 4192)

	RecordT               = pseudo(OIDRecord, "record", FamRecord, CatPseudo, -1)
	Cstring               = pseudo(OIDCstring, "cstring", FamString, CatPseudo, -2)
	Any                   = pseudo(OIDAny, "any", FamNull, CatPseudo, 4)
	AnyArray              = pseudo(OIDAnyArray, "anyarray", FamArray, CatPseudo, -1)
	Void                  = pseudo(OIDVoid, "void", FamString, CatPseudo, 4)
	Trigger               = pseudo(OIDTrigger, "trigger", FamNull, CatPseudo, 4)
	Internal              = pseudo(OIDInternal, "internal", FamNull, CatPseudo, 8)
	AnyElement            = pseudo(OIDAnyElement, "anyelement", FamNull, CatPseudo, 4)
	AnyNonArray           = pseudo(OIDAnyNonArray, "anynonarray", FamNull, CatPseudo, 4)
	AnyEnum               = pseudo(OIDAnyEnum, "anyenum", FamInt, CatPseudo, 4)
	AnyCompatible         = pseudo(OIDAnyCompatible, "anycompatible", FamNull, CatPseudo, 4)
	AnyCompatibleArray    = pseudo(OIDAnyCompatibleArray, "anycompatiblearray", FamArray, CatPseudo, -1)
	AnyCompatibleNonArray = pseudo(OIDAnyCompatibleNonArray, "anycompatiblenonarray", FamNull, CatPseudo, 4)

	Int2Vector = vector(OIDInt2Vector, "int2vector", Int2, 1006)
	OidVector  = vector(OIDOidVector, "oidvector", Oid, 1013)
)

// Shorthands for the most used array types.
var (
	BoolArray   = ArrayOf(Bool)
	Int2Array   = ArrayOf(Int2)
	Int4Array   = ArrayOf(Int4)
	Int8Array   = ArrayOf(Int8)
	TextArray   = ArrayOf(Text)
	NameArray   = ArrayOf(Name)
	OidArray    = ArrayOf(Oid)
	Float8Array = ArrayOf(Float8)
)

func base(oid OID, name string, f Family, cat byte, preferred bool, length int16, array OID) *T {
	return &T{OID: oid, Name: name, Typmod: -1, Family: f, Category: cat, Preferred: preferred, Kind: 'b', Len: length, ArrayOID: array}
}

func pseudo(oid OID, name string, f Family, cat byte, length int16) *T {
	t := base(oid, name, f, cat, false, length, 0)
	t.Kind = 'p'
	if oid == OIDRecord {
		t.ArrayOID = OIDRecordArray
	}
	if oid == OIDCstring {
		t.ArrayOID = 1263
	}
	return t
}

func vector(oid OID, name string, elem *T, array OID) *T {
	t := base(oid, name, FamArray, CatArray, false, -1, array)
	t.Elem = elem
	return t
}

// builtin lists every built-in type except arrays, which are derived from it.
var builtin = []*T{
	Bool, Bytea, Char, Name, Int8, Int2, Int2Vector, Int4, Regproc, Text, Oid, Tid, Xid, Cid, OidVector,
	JSON, PgNodeTree, Float4, Float8, Unknown, Cidr, Inet, Aclitem, Bpchar, Varchar, Date, Time, Timestamp,
	TimestampTZ, IntervalT, TimeTZT, NumericT, Refcursor, UUID, PgLSN, JSONB, Xid8,
	Regprocedure, Regoper, Regoperator, Regclass, Regtype, Regconfig, Regdictionary, Regnamespace, Regrole, Regcollation,
	RecordT, Cstring, Any, AnyArray, Void, Trigger, Internal, AnyElement, AnyNonArray, AnyEnum,
	AnyCompatible, AnyCompatibleArray, AnyCompatibleNonArray,
}

var (
	byOID   = make(map[OID]*T, 2*len(builtin))
	byName  = make(map[string]*T, 2*len(builtin))
	arrayOf = makeArrays()
)

func makeArrays() map[OID]*T {
	arrays := make(map[OID]*T, len(builtin))
	for _, t := range builtin {
		byOID[t.OID] = t
		byName[t.Name] = t
		if t.ArrayOID == 0 {
			continue
		}
		a := newArray(t)
		arrays[t.OID] = a
		byOID[a.OID] = a
		byName[a.Name] = a
	}
	return arrays
}

func newArray(elem *T) *T {
	a := &T{
		OID: elem.ArrayOID, Name: "_" + elem.Name, Typmod: elem.Typmod, Family: FamArray,
		Category: CatArray, Kind: 'b', Len: -1, Elem: elem, Schema: elem.Schema,
	}
	if elem.OID == OIDRecord || elem.OID == OIDCstring {
		a.Kind, a.Category = 'p', CatPseudo
	}
	return a
}

// Builtin returns all built-in types, arrays included, in order of OID.
func Builtin() []*T {
	all := make([]*T, 0, len(byOID))
	for _, t := range byOID {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *T) int { return int(a.OID) - int(b.OID) })
	return all
}

// ByOID returns the built-in type with the OID, or nil.
func ByOID(oid OID) *T { return byOID[oid] }

// ByName returns the built-in type with the internal name (such as "int4" or
// "_text") or one of SQL's spellings that are single words ("integer",
// "varchar", "decimal"), or nil. The name is in lower case.
func ByName(name string) *T {
	if t := byName[name]; t != nil {
		return t
	}
	return sqlNames[name]
}

// sqlNames are the spellings of SQL that differ from pg_type.typname.
var sqlNames = map[string]*T{
	"boolean": Bool, "integer": Int4, "int": Int4, "smallint": Int2, "bigint": Int8, "real": Float4,
	"float": Float8, "double precision": Float8, "decimal": NumericT, "dec": NumericT, "numeric": NumericT,
	"character varying": Varchar, "character": Bpchar,
	"timestamp without time zone": Timestamp, "timestamp with time zone": TimestampTZ,
	"time without time zone": Time, "time with time zone": TimeTZT,
	"serial": Int4, "bigserial": Int8, "smallserial": Int2,
}

// ArrayOf returns the array type with elements of type elem, nil if there is none.
// The array of an array is the array itself, as PostgreSQL's arrays have any
// number of dimensions.
func ArrayOf(elem *T) *T {
	if elem.Family == FamArray && elem.OID != OIDInt2Vector && elem.OID != OIDOidVector {
		return elem
	}
	a := arrayOf[elem.OID]
	if a != nil && (elem.Typmod == -1 && len(elem.Fields) == 0) {
		return a
	}
	if elem.ArrayOID == 0 {
		return nil
	}
	return newArray(elem)
}

// NewEnum describes a user-defined enum type. Labels must be in ascending Order.
func NewEnum(oid, arrayOID OID, schema, name string, labels []EnumLabel) *T {
	return &T{OID: oid, Name: name, Schema: schema, Typmod: -1, Family: FamInt, Category: CatEnum, Kind: 'e',
		Len: 4, ArrayOID: arrayOID, Labels: labels}
}

// NewRecord describes an anonymous record whose columns are known.
func NewRecord(fields []Field) *T {
	t := *RecordT
	t.Fields = fields
	return &t
}

// NewComposite describes a named composite type, such as a table's row type.
func NewComposite(oid, arrayOID OID, schema, name string, fields []Field) *T {
	return &T{OID: oid, Name: name, Schema: schema, Typmod: -1, Family: FamRecord, Category: CatComposite, Kind: 'c',
		Len: -1, ArrayOID: arrayOID, Fields: fields}
}

// WithTypmod returns t with the modifier, which is not checked. It returns t
// itself if it has that modifier already.
func (t *T) WithTypmod(typmod int32) *T {
	if t.Typmod == typmod {
		return t
	}
	u := *t
	u.Typmod = typmod
	if u.Elem != nil {
		u.Elem = u.Elem.WithTypmod(typmod)
	}
	return &u
}

// VarcharN returns varchar(n).
func VarcharN(n int) *T { return Varchar.WithTypmod(int32(n) + 4) }

// BpcharN returns char(n).
func BpcharN(n int) *T { return Bpchar.WithTypmod(int32(n) + 4) }

// NumericPS returns numeric(precision, scale); the scale may be negative.
func NumericPS(precision, scale int) *T {
	return NumericT.WithTypmod(int32(precision)<<16 | int32(scale)&0x7ff + 4)
}

// NumericPrecisionScale decodes a numeric type modifier; ok is false for -1.
func NumericPrecisionScale(typmod int32) (precision, scale int, ok bool) {
	if typmod < 4 {
		return 0, 0, false
	}
	m := typmod - 4
	s := int(m & 0x7ff)
	if s > 1023 { // an 11-bit two's complement number
		s -= 2048
	}
	return int(m >> 16 & 0xffff), s, true
}

// Same reports whether t and u are the same type, whatever their modifiers.
func (t *T) Same(u *T) bool { return t.OID == u.OID }

// Identical reports whether t and u are the same type with the same modifier.
func (t *T) Identical(u *T) bool { return t.OID == u.OID && t.Typmod == u.Typmod }

// IsArray reports whether t is an array type, int2vector and oidvector included.
func (t *T) IsArray() bool { return t.Elem != nil }

// IsPolymorphic reports whether t is one of the any* pseudo-types that stand
// for a type found from a call's arguments ("any" itself is not one).
func (t *T) IsPolymorphic() bool {
	switch t.OID {
	case OIDAnyElement, OIDAnyArray, OIDAnyNonArray, OIDAnyEnum, OIDAnyCompatible, OIDAnyCompatibleArray, OIDAnyCompatibleNonArray:
		return true
	}
	return false
}

// IsReg reports whether t is one of the reg* aliases of oid.
func (t *T) IsReg() bool {
	switch t.OID {
	case OIDRegproc, OIDRegprocedure, OIDRegoper, OIDRegoperator, OIDRegclass, OIDRegtype,
		OIDRegconfig, OIDRegdictionary, OIDRegnamespace, OIDRegrole, OIDRegcollation:
		return true
	}
	return false
}

// IsEnum reports whether t is an enum type.
func (t *T) IsEnum() bool { return t.Kind == 'e' }

// Label returns the enum label with the given Order.
func (t *T) Label(order int64) (EnumLabel, bool) {
	i, ok := slices.BinarySearchFunc(t.Labels, order, func(l EnumLabel, o int64) int {
		switch {
		case l.Order < o:
			return -1
		case l.Order > o:
			return 1
		}
		return 0
	})
	if !ok {
		return EnumLabel{}, false
	}
	return t.Labels[i], true
}

// IsNumber reports whether t is an integer, float or numeric type.
func (t *T) IsNumber() bool {
	switch t.OID {
	case OIDInt2, OIDInt4, OIDInt8, OIDFloat4, OIDFloat8, OIDNumeric:
		return true
	}
	return false
}

// String returns the type as format_type prints it, such as "integer",
// "character varying(3)" or "numeric(10,2)[]".
func (t *T) String() string { return FormatType(t, t.Typmod, true) }

// FormatType is PostgreSQL's format_type: the SQL spelling of t. With
// withTypmod false the modifier is left out.
func FormatType(t *T, typmod int32, withTypmod bool) string {
	if t == nil {
		return "???"
	}
	if t.IsArray() && t.OID != OIDInt2Vector && t.OID != OIDOidVector {
		return FormatType(t.Elem, typmod, withTypmod) + "[]"
	}
	if !withTypmod {
		typmod = -1
	}
	switch t.OID {
	case OIDBool:
		return "boolean"
	case OIDChar:
		return `"char"`
	case OIDInt2:
		return "smallint"
	case OIDInt4:
		return "integer"
	case OIDInt8:
		return "bigint"
	case OIDFloat4:
		return "real"
	case OIDFloat8:
		return "double precision"
	case OIDAny:
		return `"any"`
	case OIDVarchar:
		return "character varying" + lengthModifier(typmod)
	case OIDBpchar:
		if typmod < 4 {
			if withTypmod {
				return "bpchar"
			}
			return "character"
		}
		return "character" + lengthModifier(typmod)
	case OIDNumeric:
		if p, s, ok := NumericPrecisionScale(typmod); ok {
			return "numeric(" + strconv.Itoa(p) + "," + strconv.Itoa(s) + ")"
		}
		return "numeric"
	case OIDTime:
		return "time" + precisionModifier(typmod) + " without time zone"
	case OIDTimeTZ:
		return "time" + precisionModifier(typmod) + " with time zone"
	case OIDTimestamp:
		return "timestamp" + precisionModifier(typmod) + " without time zone"
	case OIDTimestampTZ:
		return "timestamp" + precisionModifier(typmod) + " with time zone"
	case OIDInterval:
		return "interval" + intervalModifier(typmod)
	}
	if t.Schema != "" {
		return QuoteIdent(t.Schema) + "." + QuoteIdent(t.Name)
	}
	return QuoteIdent(t.Name)
}

func lengthModifier(typmod int32) string {
	if typmod < 4 {
		return ""
	}
	return "(" + strconv.Itoa(int(typmod-4)) + ")"
}

func precisionModifier(typmod int32) string {
	if typmod < 0 {
		return ""
	}
	return "(" + strconv.Itoa(int(typmod)) + ")"
}

// Field bits of an interval type modifier (fields<<16 | precision).
const (
	intervalMonth     = 1 << 1
	intervalYear      = 1 << 2
	intervalDay       = 1 << 3
	intervalHour      = 1 << 10
	intervalMinute    = 1 << 11
	intervalSecond    = 1 << 12
	intervalFullRange = 0x7fff
	intervalFullPrec  = 0xffff
)

// IntervalFields names the field restrictions of an interval type in SQL's
// spelling ("year to month") with their type modifier bits.
var IntervalFields = map[string]int32{
	"year": intervalYear, "month": intervalMonth, "day": intervalDay, "hour": intervalHour,
	"minute": intervalMinute, "second": intervalSecond,
	"year to month":    intervalYear | intervalMonth,
	"day to hour":      intervalDay | intervalHour,
	"day to minute":    intervalDay | intervalHour | intervalMinute,
	"day to second":    intervalDay | intervalHour | intervalMinute | intervalSecond,
	"hour to minute":   intervalHour | intervalMinute,
	"hour to second":   intervalHour | intervalMinute | intervalSecond,
	"minute to second": intervalMinute | intervalSecond,
}

// IntervalTypmod encodes an interval modifier; fields 0 means all, precision -1 none.
func IntervalTypmod(fields int32, precision int) int32 {
	if fields == 0 && precision < 0 {
		return -1
	}
	if fields == 0 {
		fields = intervalFullRange
	}
	p := int32(intervalFullPrec)
	if precision >= 0 {
		p = int32(precision)
	}
	return fields<<16 | p
}

func intervalModifier(typmod int32) string {
	if typmod < 0 {
		return ""
	}
	fields, prec := typmod>>16&intervalFullRange, typmod&0xffff
	s := ""
	if fields != intervalFullRange {
		for name, bits := range IntervalFields {
			if bits == fields {
				s = " " + name
			}
		}
	}
	if prec != intervalFullPrec {
		s += "(" + strconv.Itoa(int(prec)) + ")"
	}
	return s
}

// QuoteIdent returns the identifier as it has to be written in SQL: in double
// quotes unless it is a plain lower-case name and no reserved word.
func QuoteIdent(s string) string {
	plain := s != ""
	for i := 0; i < len(s) && plain; i++ {
		c := s[i]
		plain = c == '_' || 'a' <= c && c <= 'z' || i > 0 && '0' <= c && c <= '9'
	}
	if plain && !quotedKeywords[s] {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
