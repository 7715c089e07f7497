package types

import (
	"slices"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

var errWrongSubscripts = sqlstate.New(sqlstate.ArraySubscriptError, "wrong number of array subscripts")

// SetElem returns a copy of a with one element replaced. A one-dimensional array grows to reach the subscript, an
// empty one begins there; what lies between is NULL.
func (a *Array) SetElem(index []int32, v Datum) (*Array, error) {
	if len(a.Dims) == 0 {
		out := &Array{Elem: a.Elem, Elems: []Datum{v}}
		for _, i := range index {
			out.Dims = append(out.Dims, ArrayDim{Len: 1, Lower: i})
		}
		_, err := checkDims(out.Dims)
		return out, err
	}
	if len(index) != len(a.Dims) {
		return nil, errWrongSubscripts
	}
	out := &Array{Elem: a.Elem, Dims: slices.Clone(a.Dims), Elems: slices.Clone(a.Elems)}
	if len(index) == 1 {
		if err := out.reach(index[0], index[0]); err != nil {
			return nil, err
		}
	}
	at := 0
	for i, d := range out.Dims {
		k := int64(index[i]) - int64(d.Lower)
		if k < 0 || k >= int64(d.Len) {
			return nil, sqlstate.New(sqlstate.ArraySubscriptError, "array subscript out of range")
		}
		at = at*int(d.Len) + int(k)
	}
	out.Elems[at] = v
	return out, nil
}

// reach makes a one-dimensional array large enough for the subscripts from first to last.
func (a *Array) reach(first, last int32) error {
	d := a.Dims[0]
	lower, upper := min(d.Lower, first), max(int64(d.Lower)+int64(d.Len)-1, int64(last))
	size := upper - int64(lower) + 1
	if size > arrayMaxElems {
		return sqlstate.New(sqlstate.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", arrayMaxElems)
	}
	if lower < d.Lower {
		a.Elems = append(make([]Datum, d.Lower-lower), a.Elems...)
	}
	for int64(len(a.Elems)) < size {
		a.Elems = append(a.Elems, Null)
	}
	a.Dims[0] = ArrayDim{Len: int32(size), Lower: lower}
	return nil
}

// SetSlice returns a copy of a with the elements within the bounds replaced by those of v, in its order. Missing
// bounds are the array's.
func (a *Array) SetSlice(bounds []Bounds, v *Array) (*Array, error) {
	if len(a.Dims) > 0 && len(bounds) > len(a.Dims) {
		return nil, errWrongSubscripts
	}
	out := &Array{Elem: a.Elem, Dims: slices.Clone(a.Dims), Elems: slices.Clone(a.Elems)}
	if len(a.Dims) == 0 {
		for _, b := range bounds {
			if !b.HasLower || !b.HasUpper {
				return nil, sqlstate.New(sqlstate.ArraySubscriptError, "array slice subscript must provide both boundaries").
					WithDetail("When assigning to a slice of an empty array value, slice boundaries must be fully specified.")
			}
			out.Dims = append(out.Dims, ArrayDim{Len: b.Upper - b.Lower + 1, Lower: b.Lower})
		}
	}
	lo := make([]int32, len(out.Dims))
	hi := make([]int32, len(out.Dims))
	for i, d := range out.Dims {
		lo[i], hi[i] = d.Lower, d.Lower+d.Len-1
		if i < len(bounds) && bounds[i].HasLower {
			lo[i] = bounds[i].Lower
		}
		if i < len(bounds) && bounds[i].HasUpper {
			hi[i] = bounds[i].Upper
		}
		if lo[i] > hi[i] {
			return nil, sqlstate.New(sqlstate.ArraySubscriptError, "upper bound cannot be less than lower bound")
		}
	}
	switch {
	case len(a.Dims) == 0:
		n, err := checkDims(out.Dims)
		if err != nil {
			return nil, err
		}
		out.Elems = make([]Datum, n)
	case len(out.Dims) == 1:
		if err := out.reach(lo[0], hi[0]); err != nil {
			return nil, err
		}
	}
	size := 1
	for i, d := range out.Dims {
		if lo[i] < d.Lower || hi[i] > d.Lower+d.Len-1 {
			return nil, sqlstate.New(sqlstate.ArraySubscriptError, "array subscript out of range")
		}
		size *= int(hi[i] - lo[i] + 1)
	}
	if len(v.Elems) < size {
		return nil, sqlstate.New(sqlstate.ArraySubscriptError, "source array too small")
	}
	next := 0
	var fill func(dim, at int)
	fill = func(dim, at int) {
		if dim == len(out.Dims) {
			out.Elems[at] = v.Elems[next]
			next++
			return
		}
		d := out.Dims[dim]
		for k := lo[dim] - d.Lower; k <= hi[dim]-d.Lower; k++ {
			fill(dim+1, at*int(d.Len)+int(k))
		}
	}
	fill(0, 0)
	return out, nil
}
