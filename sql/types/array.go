package types

import (
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Array is an array of any number of dimensions. An empty array has none.
type Array struct {
	Elem  *T
	Dims  []ArrayDim
	Elems []Datum // row-major
}

// ArrayDim is the extent of one dimension.
type ArrayDim struct {
	Len   int32
	Lower int32 // the first subscript, 1 unless set otherwise
}

// arrayMaxDims and arrayMaxElems are PostgreSQL's limits.
const (
	arrayMaxDims  = 6
	arrayMaxElems = 1 << 27
)

// NewArray returns a one-dimensional array (no dimension if it is empty) that
// owns elems.
func NewArray(elem *T, elems []Datum) *Array {
	a := &Array{Elem: elem, Elems: elems}
	if len(elems) > 0 {
		a.Dims = []ArrayDim{{Len: int32(len(elems)), Lower: 1}}
	}
	return a
}

// NewVector returns an int2vector or oidvector, whose first subscript is 0.
func NewVector(elem *T, elems []Datum) *Array {
	return &Array{Elem: elem, Elems: elems, Dims: []ArrayDim{{Len: int32(len(elems)), Lower: 0}}}
}

// Record is a row value. Types and Fields have the same length.
type Record struct {
	Types  []*T
	Fields []Datum
	Names  []string // optional; used by row_to_json
}

// Bounds is one subscript: an index is Upper alone.
type Bounds struct {
	Lower, Upper       int32
	HasLower, HasUpper bool
}

// At returns the element at the subscripts, NULL if there is none.
func (a *Array) At(index []Bounds) Datum {
	if len(index) != len(a.Dims) {
		return Null
	}
	at := 0
	for i, d := range a.Dims {
		k := int64(index[i].Upper) - int64(d.Lower)
		if k < 0 || k >= int64(d.Len) {
			return Null
		}
		at = at*int(d.Len) + int(k)
	}
	return a.Elems[at]
}

// Slice returns the part within the bounds; missing bounds are the array's. Its
// subscripts start from 1. Dimensions not given are whole.
func (a *Array) Slice(bounds []Bounds) *Array {
	out := &Array{Elem: a.Elem}
	if len(bounds) > len(a.Dims) || len(a.Dims) == 0 {
		return out
	}
	lo := make([]int, len(a.Dims))
	for i, d := range a.Dims {
		first, last := d.Lower, d.Lower+d.Len-1
		if i < len(bounds) {
			if bounds[i].HasLower {
				first = max(first, bounds[i].Lower)
			}
			if bounds[i].HasUpper {
				last = min(last, bounds[i].Upper)
			}
		}
		if first > last {
			return out
		}
		lo[i] = int(first - d.Lower)
		out.Dims = append(out.Dims, ArrayDim{Len: last - first + 1, Lower: 1})
	}
	var walk func(dim, at int)
	walk = func(dim, at int) {
		if dim == len(a.Dims) {
			out.Elems = append(out.Elems, a.Elems[at])
			return
		}
		for k := range int(out.Dims[dim].Len) {
			walk(dim+1, at*int(a.Dims[dim].Len)+lo[dim]+k)
		}
	}
	walk(0, 0)
	return out
}

// checkDims validates dimensions read from a client and returns the number of elements.
func checkDims(dims []ArrayDim) (int, error) {
	if len(dims) > arrayMaxDims {
		return 0, sqlstate.New(sqlstate.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", len(dims), arrayMaxDims)
	}
	n := int64(1)
	for _, d := range dims {
		if d.Len < 0 {
			return 0, sqlstate.New(sqlstate.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", arrayMaxElems)
		}
		if int64(d.Lower)+int64(d.Len) > 1<<31-1 {
			return 0, sqlstate.New(sqlstate.ProgramLimitExceeded, "array lower bound is too large: %d", d.Lower)
		}
		n *= int64(d.Len)
		if n > arrayMaxElems {
			return 0, sqlstate.New(sqlstate.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", arrayMaxElems)
		}
	}
	if len(dims) == 0 {
		n = 0
	}
	return int(n), nil
}
