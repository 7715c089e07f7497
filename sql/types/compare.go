package types

import (
	"bytes"
	"hash/maphash"
	"math"

	"github.com/cockroachdb/apd/v3"
)

// Compare orders two values of the same family: -1, 0 or 1 in PostgreSQL's order of
// their type. Neither is NULL; NULLs inside arrays and records sort last and equal each other.
func Compare(a, b Datum) int {
	switch a.fam {
	case FamInt, FamBool:
		return cmpInt(a.n, b.n)
	case FamFloat:
		return cmpFloat(a.Float(), b.Float())
	case FamString:
		return bytes.Compare(a.Bytes(), b.Bytes())
	case FamNumeric:
		return sign(a.Numeric().Cmp(b.Numeric()))
	case FamBpchar:
		return bytes.Compare(trimBlanks(a.Bytes()), trimBlanks(b.Bytes()))
	case FamTimeTZ:
		return a.TimeTZ().cmp(b.TimeTZ())
	case FamInterval:
		return a.Interval().Cmp(b.Interval())
	case FamJSONB:
		return a.JSON().Compare(b.JSON())
	case FamInet:
		return compareInet(a.Bytes(), b.Bytes())
	case FamArray:
		return compareArrays(a.Array(), b.Array())
	case FamRecord:
		return compareRecords(a.Record(), b.Record())
	}
	return 0
}

// Equal reports whether two values of the same family, not NULL, are equal.
func Equal(a, b Datum) bool {
	switch a.fam {
	case FamInt, FamBool:
		return a.n == b.n
	case FamString:
		return a.n == b.n && a.Str() == b.Str()
	}
	return Compare(a, b) == 0
}

// CompareNulls orders two values of which either may be NULL; NULL is above everything,
// as ORDER BY ... ASC has it, and equal to NULL.
func CompareNulls(a, b Datum) int {
	switch {
	case a.fam == FamNull && b.fam == FamNull:
		return 0
	case a.fam == FamNull:
		return 1
	case b.fam == FamNull:
		return -1
	}
	return Compare(a, b)
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	// A NaN is involved: it is above everything and equal to itself.
	an, bn := math.IsNaN(a), math.IsNaN(b)
	switch {
	case an && bn:
		return 0
	case an:
		return 1
	}
	return -1
}

func trimBlanks(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// compareArrays orders by elements first, then by number of elements, dimensions
// and lower bounds.
func compareArrays(a, b *Array) int {
	for i := range min(len(a.Elems), len(b.Elems)) {
		if c := CompareNulls(a.Elems[i], b.Elems[i]); c != 0 {
			return c
		}
	}
	if c := cmpInt(int64(len(a.Elems)), int64(len(b.Elems))); c != 0 {
		return c
	}
	if c := cmpInt(int64(len(a.Dims)), int64(len(b.Dims))); c != 0 {
		return c
	}
	for i := range a.Dims {
		if c := cmpInt(int64(a.Dims[i].Len), int64(b.Dims[i].Len)); c != 0 {
			return c
		}
	}
	for i := range a.Dims {
		if c := cmpInt(int64(a.Dims[i].Lower), int64(b.Dims[i].Lower)); c != 0 {
			return c
		}
	}
	return 0
}

func compareRecords(a, b *Record) int {
	for i := range min(len(a.Fields), len(b.Fields)) {
		x, y := a.Fields[i], b.Fields[i]
		if x.fam != y.fam && x.fam != FamNull && y.fam != FamNull {
			return cmpInt(int64(x.fam), int64(y.fam))
		}
		if c := CompareNulls(x, y); c != 0 {
			return c
		}
	}
	return cmpInt(int64(len(a.Fields)), int64(len(b.Fields)))
}

var hashSeed = maphash.MakeSeed()

// Hash returns a hash of d that is equal for equal values of a family; seed
// chains the columns of a key. NULL has a hash of its own. The hash is stable only
// within a process.
func Hash(seed uint64, d Datum) uint64 {
	switch d.fam {
	case FamNull:
		return mix(seed, 0x9e3779b97f4a7c15)
	case FamInt, FamBool:
		return mix(seed, uint64(d.n))
	case FamFloat:
		return HashFloat(seed, d.Float())
	case FamString, FamInet:
		return HashBytes(seed, d.Bytes())
	case FamBpchar:
		return HashBytes(seed, trimBlanks(d.Bytes()))
	case FamNumeric:
		return d.Numeric().hash(seed)
	case FamTimeTZ:
		t := d.TimeTZ()
		return mix(mix(seed, uint64(t.Micros)), uint64(t.Zone))
	case FamInterval:
		hi, lo := d.Interval().span()
		return mix(mix(seed, uint64(hi)), lo)
	case FamJSONB:
		return d.JSON().hash(seed)
	case FamArray:
		h := seed
		for _, e := range d.Array().Elems {
			h = Hash(h, e)
		}
		return mix(h, uint64(len(d.Array().Elems)))
	case FamRecord:
		h := seed
		for _, f := range d.Record().Fields {
			h = Hash(h, f)
		}
		return h
	}
	return seed
}

// HashInt is Hash of a value of FamInt.
func HashInt(seed uint64, n int64) uint64 { return mix(seed, uint64(n)) }

// HashBytes is Hash of a value of FamString.
func HashBytes(seed uint64, b []byte) uint64 { return mix(seed, maphash.Bytes(hashSeed, b)) }

// HashFloat is Hash of a value of FamFloat.
func HashFloat(seed uint64, f float64) uint64 {
	switch {
	case f == 0:
		f = 0 // -0 equals 0
	case f != f:
		f = math.NaN()
	}
	return mix(seed, math.Float64bits(f))
}

// mix is the finaliser of splitmix64 over the chained words.
func mix(seed, x uint64) uint64 {
	x ^= seed*0xff51afd7ed558ccd + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (v Numeric) hash(seed uint64) uint64 {
	v = v.TrimScale()
	if v.big == nil {
		return mix(mix(seed, uint64(v.coef)), uint64(v.scale))
	}
	if v.big.Form != apd.Finite {
		return mix(seed, uint64(v.specialRank()))
	}
	return HashBytes(mix(seed, uint64(v.scale)), v.big.Coeff.Append(nil, 10))
}
