package types

import (
	"bytes"
	"math"
	"unsafe"

	"github.com/cockroachdb/apd/v3"
)

// Datum is one SQL value or NULL. The zero Datum is NULL. What it holds depends
// on the Family of its type (see the package comment); the accessor of another
// family returns nonsense, which only a planner bug can ask for.
//
// A Datum is a value of 24 bytes: copy it freely. Variable-length contents are
// shared by copies and must not be changed.
type Datum struct {
	p   unsafe.Pointer // bytes, *apd.Decimal, *Interval, *Array, *Record
	n   int64          // the number, or the length of the bytes at p
	x   int32          // numeric scale, timetz zone
	fam Family
}

// Row is the values of one row, by ordinal.
type Row = []Datum

// Null is the NULL datum.
var Null = Datum{}

// True and False are the boolean datums.
var (
	True  = Datum{n: 1, fam: FamBool}
	False = Datum{n: 0, fam: FamBool}
)

// NewBool returns a boolean.
func NewBool(b bool) Datum {
	if b {
		return True
	}
	return False
}

// NewInt returns a value of FamInt: an integer, an OID, a date, a timestamp ...
func NewInt(i int64) Datum { return Datum{n: i, fam: FamInt} }

// NewOID returns an object identifier.
func NewOID(o OID) Datum { return Datum{n: int64(o), fam: FamInt} }

// NewFloat returns a float4 (already rounded to float32) or float8.
func NewFloat(f float64) Datum { return Datum{n: int64(math.Float64bits(f)), fam: FamFloat} }

// NewBytes returns a value of FamString that aliases b.
func NewBytes(b []byte) Datum {
	return Datum{p: unsafe.Pointer(unsafe.SliceData(b)), n: int64(len(b)), fam: FamString}
}

// NewString returns a value of FamString that aliases s.
func NewString(s string) Datum {
	return Datum{p: unsafe.Pointer(unsafe.StringData(s)), n: int64(len(s)), fam: FamString}
}

// NewBpchar returns a char(n) value that aliases s, which is padded already.
func NewBpchar(s string) Datum {
	d := NewString(s)
	d.fam = FamBpchar
	return d
}

// NewBytesOf returns a value of a byte-held family (FamString, FamBpchar,
// FamJSONB, FamInet) that aliases b, which must be valid for that family.
func NewBytesOf(fam Family, b []byte) Datum {
	d := NewBytes(b)
	d.fam = fam
	return d
}

// NewNumeric returns a numeric.
func NewNumeric(v Numeric) Datum {
	if v.big != nil {
		return Datum{p: unsafe.Pointer(v.big), x: v.scale, fam: FamNumeric}
	}
	return Datum{n: v.coef, x: v.scale, fam: FamNumeric}
}

// NewInterval returns an interval.
func NewInterval(v Interval) Datum {
	return Datum{p: unsafe.Pointer(&v), fam: FamInterval}
}

// NewTimeTZ returns a time with time zone.
func NewTimeTZ(v TimeTZ) Datum { return Datum{n: v.Micros, x: v.Zone, fam: FamTimeTZ} }

// NewArrayDatum returns an array, which must not change afterwards.
func NewArrayDatum(a *Array) Datum { return Datum{p: unsafe.Pointer(a), fam: FamArray} }

// NewRecordDatum returns a record, which must not change afterwards.
func NewRecordDatum(r *Record) Datum { return Datum{p: unsafe.Pointer(r), fam: FamRecord} }

// IsNull reports whether d is NULL.
func (d Datum) IsNull() bool { return d.fam == FamNull }

// Family returns what d holds, FamNull for NULL.
func (d Datum) Family() Family { return d.fam }

// Bool returns a boolean; false for NULL.
func (d Datum) Bool() bool { return d.n != 0 && d.fam == FamBool }

// Int returns a value of FamInt (or a boolean as 0 or 1).
func (d Datum) Int() int64 { return d.n }

// OID returns an object identifier.
func (d Datum) OID() OID { return OID(d.n) }

// Float returns a value of FamFloat.
func (d Datum) Float() float64 { return math.Float64frombits(uint64(d.n)) }

// Bytes returns the contents of a byte-held value, without copying.
func (d Datum) Bytes() []byte { return unsafe.Slice((*byte)(d.p), int(d.n)) }

// Str returns the contents of a byte-held value as a string, without copying: the
// string lives as long as the memory the Datum was made from.
func (d Datum) Str() string { return unsafe.String((*byte)(d.p), int(d.n)) }

// Numeric returns a value of FamNumeric.
func (d Datum) Numeric() Numeric {
	return Numeric{coef: d.n, scale: d.x, big: (*apd.Decimal)(d.p)}
}

// Interval returns a value of FamInterval.
func (d Datum) Interval() Interval { return *(*Interval)(d.p) }

// TimeTZ returns a value of FamTimeTZ.
func (d Datum) TimeTZ() TimeTZ { return TimeTZ{Micros: d.n, Zone: d.x} }

// Array returns a value of FamArray; nobody may change it.
func (d Datum) Array() *Array { return (*Array)(d.p) }

// Record returns a value of FamRecord; nobody may change it.
func (d Datum) Record() *Record { return (*Record)(d.p) }

// JSON returns a value of FamJSONB.
func (d Datum) JSON() JSONValue { return JSONValue(d.Bytes()) }

// byteHeld reports whether the family keeps its contents as bytes at p.
func (f Family) byteHeld() bool {
	return f == FamString || f == FamBpchar || f == FamJSONB || f == FamInet
}

// Clone returns a Datum that owns its memory.
func (d Datum) Clone() Datum {
	switch {
	case d.fam.byteHeld():
		return NewBytesOf(d.fam, bytes.Clone(d.Bytes()))
	case d.fam == FamArray:
		a := d.Array()
		c := *a
		c.Elems = make([]Datum, len(a.Elems))
		for i, e := range a.Elems {
			c.Elems[i] = e.Clone()
		}
		return NewArrayDatum(&c)
	case d.fam == FamRecord:
		r := d.Record()
		c := *r
		c.Fields = make([]Datum, len(r.Fields))
		for i, f := range r.Fields {
			c.Fields[i] = f.Clone()
		}
		return NewRecordDatum(&c)
	}
	return d // numbers are immutable and own what they point to
}

// datumSize is the memory of a Datum itself.
const datumSize = int64(unsafe.Sizeof(Datum{}))

// Size returns the memory that d accounts for in bytes, its contents included.
func (d Datum) Size() int64 {
	switch {
	case d.fam.byteHeld():
		return datumSize + d.n
	case d.p == nil:
		return datumSize
	}
	switch d.fam {
	case FamNumeric:
		return datumSize + int64((*apd.Decimal)(d.p).Size())
	case FamInterval:
		return datumSize + int64(unsafe.Sizeof(Interval{}))
	case FamArray:
		a := d.Array()
		size := datumSize + int64(unsafe.Sizeof(*a))
		for _, e := range a.Elems {
			size += e.Size()
		}
		return size
	case FamRecord:
		size := datumSize + int64(unsafe.Sizeof(Record{}))
		for _, f := range d.Record().Fields {
			size += f.Size()
		}
		return size
	}
	return datumSize
}
