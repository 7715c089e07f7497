package types

import (
	"math/bits"
	"slices"
)

// BatchSize is the largest number of rows in a Batch. 1,024 rows of eight
// columns fit the second-level cache, and amortise a call to nothing.
const BatchSize = 1024

// Bitmap has a bit per row of a batch.
type Bitmap [BatchSize / 64]uint64

// Get reports bit i.
func (b *Bitmap) Get(i int) bool { return b[uint(i)>>6]&(1<<(uint(i)&63)) != 0 }

// Set sets bit i.
func (b *Bitmap) Set(i int) { b[uint(i)>>6] |= 1 << (uint(i) & 63) }

// Unset clears bit i.
func (b *Bitmap) Unset(i int) { b[uint(i)>>6] &^= 1 << (uint(i) & 63) }

// Or adds the bits of c.
func (b *Bitmap) Or(c *Bitmap) {
	for i, w := range c {
		b[i] |= w
	}
}

// Count returns the number of set bits among the first n.
func (b *Bitmap) Count(n int) int {
	count, words := 0, n>>6
	for _, w := range b[:words] {
		count += bits.OnesCount64(w)
	}
	if r := uint(n) & 63; r != 0 {
		count += bits.OnesCount64(b[words] & (1<<r - 1))
	}
	return count
}

// Vec is a column of values of one type. Exactly one of its slices is in use,
// by the Family of T:
//
//	FamBool, FamInt     Ints (booleans as 0 and 1)
//	FamFloat            Floats
//	byte-held families  Bytes; each element aliases memory of the producer (a row
//	                    buffer) or the Vec's own arena, until Reset
//	the others          Datums
//
// The slices have the Vec's length; a NULL's slot holds an unspecified value.
// Producers of a batch own its Vecs; consumers read them until they ask for the
// next batch. Reset keeps all memory, so a Vec in steady use allocates nothing.
type Vec struct {
	T      *T
	Ints   []int64
	Floats []float64
	Bytes  [][]byte
	Datums []Datum
	// Nulls has a bit per row; it is meaningful only if HasNulls.
	Nulls    Bitmap
	HasNulls bool
	// Const marks a vector whose row 0 stands for every row. Only the expression
	// evaluator makes such vectors, for literals; operators never see one.
	Const bool

	rep   rep
	n     int
	arena []byte
}

// rep names the slice of a Vec that is in use.
type rep uint8

const (
	repInt rep = iota
	repFloat
	repBytes
	repDatum
)

func repOf(f Family) rep {
	switch f {
	case FamBool, FamInt:
		return repInt
	case FamFloat:
		return repFloat
	case FamString, FamBpchar, FamJSONB, FamInet:
		return repBytes
	}
	return repDatum
}

// NewVec returns an empty vector of type t with room for BatchSize values.
func NewVec(t *T) *Vec {
	v := &Vec{}
	v.Init(t)
	v.reserve(BatchSize)
	return v
}

// Init makes v an empty vector of type t, keeping its memory where it fits.
func (v *Vec) Init(t *T) {
	v.T = t
	v.rep = repOf(t.Family)
	v.Reset()
}

// Reset makes v empty and keeps its memory. Values appended before become invalid.
func (v *Vec) Reset() {
	v.n = 0
	v.Ints, v.Floats, v.Bytes, v.Datums = v.Ints[:0], v.Floats[:0], v.Bytes[:0], v.Datums[:0]
	v.arena = v.arena[:0]
	v.Const = false
	if v.HasNulls {
		v.Nulls = Bitmap{}
		v.HasNulls = false
	}
}

// Len returns the number of values.
func (v *Vec) Len() int { return v.n }

// Resize makes v n values long for random access by Set*; new slots hold
// unspecified values that are not NULL.
func (v *Vec) Resize(n int) {
	v.reserve(n)
	switch v.rep {
	case repInt:
		v.Ints = v.Ints[:n]
	case repFloat:
		v.Floats = v.Floats[:n]
	case repBytes:
		v.Bytes = v.Bytes[:n]
	default:
		v.Datums = v.Datums[:n]
	}
	v.n = n
}

func (v *Vec) reserve(n int) {
	if n > 1 && n < BatchSize {
		n = BatchSize
	}
	switch v.rep {
	case repInt:
		if cap(v.Ints) < n {
			v.Ints = slices.Grow(v.Ints, n-len(v.Ints))
		}
	case repFloat:
		if cap(v.Floats) < n {
			v.Floats = slices.Grow(v.Floats, n-len(v.Floats))
		}
	case repBytes:
		if cap(v.Bytes) < n {
			v.Bytes = slices.Grow(v.Bytes, n-len(v.Bytes))
		}
	default:
		if cap(v.Datums) < n {
			v.Datums = slices.Grow(v.Datums, n-len(v.Datums))
		}
	}
}

// IsNull reports whether value i is NULL.
func (v *Vec) IsNull(i int) bool {
	if !v.HasNulls {
		return false
	}
	if v.Const {
		i = 0
	}
	return v.Nulls.Get(i)
}

// SetNull makes value i NULL.
func (v *Vec) SetNull(i int) {
	v.Nulls.Set(i)
	v.HasNulls = true
	switch v.rep {
	case repBytes:
		v.Bytes[i] = nil
	case repDatum:
		v.Datums[i] = Null
	}
}

// SetBytesCopy makes value i a copy of b, kept in the vector's arena.
func (v *Vec) SetBytesCopy(i int, b []byte) { v.Bytes[i] = v.copyBytes(b) }

// copyBytes copies b into the arena. When the arena is full a new one is begun;
// the slices handed out keep the old one alive.
func (v *Vec) copyBytes(b []byte) []byte {
	if len(b) == 0 {
		return emptyBytes
	}
	if cap(v.arena)-len(v.arena) < len(b) {
		v.arena = make([]byte, 0, max(2*cap(v.arena), 4096, len(b)))
	}
	at := len(v.arena)
	v.arena = append(v.arena, b...)
	return v.arena[at:len(v.arena):len(v.arena)]
}

var emptyBytes = []byte{}

// DropArena gives the memory of copied contents up, so that reusing the vector does not
// overwrite values that others alias.
func (v *Vec) DropArena() {
	if len(v.arena) > 0 {
		v.arena = nil
	}
}

// Set makes value i equal to d. Byte contents are aliased, not copied.
func (v *Vec) Set(i int, d Datum) {
	if d.fam == FamNull {
		v.SetNull(i)
		return
	}
	if v.HasNulls {
		v.Nulls.Unset(i)
	}
	switch v.rep {
	case repInt:
		v.Ints[i] = d.n
	case repFloat:
		v.Floats[i] = d.Float()
	case repBytes:
		v.Bytes[i] = d.Bytes()
	default:
		v.Datums[i] = d
	}
}

// Get returns value i. Byte contents alias the vector's.
func (v *Vec) Get(i int) Datum {
	if v.Const {
		i = 0
	}
	if v.HasNulls && v.Nulls.Get(i) {
		return Null
	}
	switch v.rep {
	case repInt:
		return Datum{n: v.Ints[i], fam: v.T.Family}
	case repFloat:
		return NewFloat(v.Floats[i])
	case repBytes:
		return NewBytesOf(v.T.Family, v.Bytes[i])
	}
	return v.Datums[i]
}

// Append adds a value; byte contents are aliased.
func (v *Vec) Append(d Datum) {
	v.Resize(v.n + 1)
	v.Set(v.n-1, d)
}

// AppendCopy adds a value with a copy of its contents.
func (v *Vec) AppendCopy(d Datum) {
	v.Resize(v.n + 1)
	v.SetCopy(v.n-1, d)
}

// SetCopy makes value i equal to d and owns its contents.
func (v *Vec) SetCopy(i int, d Datum) {
	switch {
	case d.fam == FamNull:
		v.SetNull(i)
	case v.rep == repBytes:
		if v.HasNulls {
			v.Nulls.Unset(i)
		}
		v.Bytes[i] = v.copyBytes(d.Bytes())
	case v.rep == repDatum:
		v.Set(i, d.Clone())
	default:
		v.Set(i, d)
	}
}

// AppendInt adds a value of FamInt or FamBool.
func (v *Vec) AppendInt(i int64) {
	v.Ints = append(v.Ints, i)
	v.n++
}

// AppendFloat adds a value of FamFloat.
func (v *Vec) AppendFloat(f float64) {
	v.Floats = append(v.Floats, f)
	v.n++
}

// AppendBytes adds a value of a byte-held family, aliasing b.
func (v *Vec) AppendBytes(b []byte) {
	v.Bytes = append(v.Bytes, b)
	v.n++
}

// AppendNull adds a NULL.
func (v *Vec) AppendNull() {
	v.Resize(v.n + 1)
	v.SetNull(v.n - 1)
}

// CopyFrom makes value i equal to value j of src, which has the same
// representation. Byte contents are aliased.
func (v *Vec) CopyFrom(i int, src *Vec, j int) {
	if src.Const {
		j = 0
	}
	if src.HasNulls && src.Nulls.Get(j) {
		v.SetNull(i)
		return
	}
	if v.HasNulls {
		v.Nulls.Unset(i)
	}
	switch v.rep {
	case repInt:
		v.Ints[i] = src.Ints[j]
	case repFloat:
		v.Floats[i] = src.Floats[j]
	case repBytes:
		v.Bytes[i] = src.Bytes[j]
	default:
		v.Datums[i] = src.Datums[j]
	}
}

// AppendRow adds value j of src with a copy of its contents.
func (v *Vec) AppendRow(src *Vec, j int) { v.AppendCopy(src.Get(j)) }

// Size returns the memory that the vector holds in bytes, unused room included,
// and bytes that it aliases.
func (v *Vec) Size() int64 {
	size := int64(cap(v.Ints)+cap(v.Floats))*8 + int64(cap(v.Bytes))*24 + int64(cap(v.arena)) + int64(cap(v.Datums))*datumSize
	for _, b := range v.Bytes {
		size += int64(len(b))
	}
	for _, d := range v.Datums {
		size += d.Size() - datumSize
	}
	return size
}

// Batch is a set of rows by column. Columns are shared freely between batches:
// a projection that keeps a column passes the pointer on.
type Batch struct {
	Cols []*Vec
	// Sel lists the rows that count, in ascending order; nil means rows 0..N-1.
	// It shares the storage returned by SelBuffer.
	Sel []uint16
	// N is the number of rows in each column, at most BatchSize.
	N int

	selBuf []uint16
}

// NewBatch returns an empty batch with a vector of each type.
func NewBatch(ts []*T) *Batch {
	b := &Batch{Cols: make([]*Vec, len(ts))}
	for i, t := range ts {
		b.Cols[i] = NewVec(t)
	}
	return b
}

// Reset empties the batch and its vectors, keeping their memory.
func (b *Batch) Reset() {
	b.Sel, b.N = nil, 0
	for _, v := range b.Cols {
		v.Reset()
	}
}

// Len returns the number of selected rows.
func (b *Batch) Len() int {
	if b.Sel != nil {
		return len(b.Sel)
	}
	return b.N
}

// SelBuffer returns an empty selection with room for BatchSize rows, owned by the
// batch. It may be the storage of the present Sel: filters compact in place, which
// is safe as the write position never overtakes the read position.
func (b *Batch) SelBuffer() []uint16 {
	if b.selBuf == nil {
		b.selBuf = make([]uint16, 0, BatchSize)
	}
	return b.selBuf[:0]
}

// RowAt returns the position in the columns of the i-th selected row.
func (b *Batch) RowAt(i int) int {
	if b.Sel != nil {
		return int(b.Sel[i])
	}
	return i
}

// ReadRow appends the values at position i of the columns to dst.
func (b *Batch) ReadRow(dst Row, i int) Row {
	for _, v := range b.Cols {
		dst = append(dst, v.Get(i))
	}
	return dst
}

// AppendRow adds a row with copies of its contents; the batch must have no
// selection and less than BatchSize rows.
func (b *Batch) AppendRow(row Row) {
	for i, v := range b.Cols {
		v.AppendCopy(row[i])
	}
	b.N++
}

// Full reports whether the batch has BatchSize rows.
func (b *Batch) Full() bool { return b.N >= BatchSize }
