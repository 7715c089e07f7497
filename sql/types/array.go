package types

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
