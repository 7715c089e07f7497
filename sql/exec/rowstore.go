package exec

import (
	"bytes"

	"github.com/spanlite/spanlite/sql/types"
)

// rowStore keeps rows, copied, in chunks of columns. Row i is in chunk i / BatchSize. Its
// memory is accounted for.
type rowStore struct {
	ts     []*types.T
	chunks []*types.Batch
	n      int
	mem    *Monitor
	held   int64
}

func newRowStore(ts []*types.T, mem *Monitor) *rowStore {
	return &rowStore{ts: ts, mem: mem}
}

func (s *rowStore) len() int { return s.n }

// at returns the place of a row.
func (s *rowStore) at(i int) (*types.Batch, int) {
	return s.chunks[i>>10], i & (types.BatchSize - 1)
}

func (s *rowStore) tail() *types.Batch {
	if k := len(s.chunks); k > 0 && s.chunks[k-1].N < types.BatchSize {
		return s.chunks[k-1]
	}
	b := &types.Batch{Cols: make([]*types.Vec, len(s.ts))}
	for i, t := range s.ts {
		b.Cols[i] = &types.Vec{}
		b.Cols[i].Init(t)
	}
	s.chunks = append(s.chunks, b)
	return b
}

// add copies the selected rows of b.
func (s *rowStore) add(b *types.Batch) error {
	return s.addVecs(b.Cols, b)
}

// addVecs copies the rows of cols that b selects.
func (s *rowStore) addVecs(cols []*types.Vec, b *types.Batch) error {
	var size int64
	for k, n := 0, b.Len(); k < n; {
		t := s.tail()
		room := min(n-k, types.BatchSize-t.N)
		for c, dst := range t.Cols {
			size += appendRows(dst, cols[c], b, k, room)
		}
		t.N += room
		s.n += room
		k += room
	}
	s.held += size
	return s.mem.Grow(size)
}

// appendRows copies selected rows k..k+n-1 of src to the end of dst and returns their size in bytes.
func appendRows(dst, src *types.Vec, b *types.Batch, k, n int) int64 {
	base := dst.Len()
	dst.Resize(base + n)
	switch src.T.Family {
	case types.FamInt, types.FamBool:
		if b.Sel == nil {
			copy(dst.Ints[base:], src.Ints[k:k+n])
		} else {
			for i := range n {
				dst.Ints[base+i] = src.Ints[b.Sel[k+i]]
			}
		}
		copyNulls(dst, src, b, base, k, n)
		return int64(8 * n)
	case types.FamFloat:
		if b.Sel == nil {
			copy(dst.Floats[base:], src.Floats[k:k+n])
		} else {
			for i := range n {
				dst.Floats[base+i] = src.Floats[b.Sel[k+i]]
			}
		}
		copyNulls(dst, src, b, base, k, n)
		return int64(8 * n)
	}
	size := int64(24 * n)
	for i := range n {
		d := src.Get(b.RowAt(k + i))
		dst.SetCopy(base+i, d)
		size += d.Size() - 24
	}
	return size
}

func copyNulls(dst, src *types.Vec, b *types.Batch, base, k, n int) {
	if !src.HasNulls {
		return
	}
	for i := range n {
		if src.Nulls.Get(b.RowAt(k + i)) {
			dst.SetNull(base + i)
		}
	}
}

// addRow copies one row.
func (s *rowStore) addRow(row types.Row) error {
	t := s.tail()
	t.AppendRow(row)
	s.n++
	var size int64
	for _, d := range row {
		size += d.Size()
	}
	s.held += size
	return s.mem.Grow(size)
}

// get returns a value.
func (s *rowStore) get(i, col int) types.Datum {
	b, k := s.at(i)
	return b.Cols[col].Get(k)
}

// row appends row i to dst; contents alias the store.
func (s *rowStore) row(dst types.Row, i int) types.Row {
	b, k := s.at(i)
	return b.ReadRow(dst, k)
}

// reset empties the store and gives its memory back.
func (s *rowStore) reset() {
	s.chunks, s.n = nil, 0
	s.mem.Shrink(s.held)
	s.held = 0
}

// grow and shrink account for memory beside the rows.
func (s *rowStore) grow(n int64) error {
	s.held += n
	return s.mem.Grow(n)
}

// storeReader returns a store's rows batch by batch. The header of the batch is its own, so that a consumer may select.
type storeReader struct {
	s    *rowStore
	next int
	b    types.Batch
}

func (r *storeReader) Next() *types.Batch {
	if r.next >= len(r.s.chunks) {
		return nil
	}
	c := r.s.chunks[r.next]
	r.next++
	r.b.Cols, r.b.N, r.b.Sel = c.Cols, c.N, nil
	return &r.b
}

// gather fills out with the rows of s at idx, in that order (noPartner: NULLs), for the columns listed: out[i] is column cols[i].
func (s *rowStore) gather(out []*types.Vec, cols []int, idx []uint32) {
	for o, c := range cols {
		dst := out[o]
		dst.Init(s.ts[c])
		dst.Resize(len(idx))
		switch s.ts[c].Family {
		case types.FamInt, types.FamBool:
			for i, r := range idx {
				if r == noPartner {
					dst.SetNull(i)
					continue
				}
				v := s.chunks[r>>10].Cols[c]
				k := int(r) & (types.BatchSize - 1)
				if v.HasNulls && v.Nulls.Get(k) {
					dst.SetNull(i)
					continue
				}
				dst.Ints[i] = v.Ints[k]
			}
		default:
			for i, r := range idx {
				if r == noPartner {
					dst.SetNull(i)
					continue
				}
				v := s.chunks[r>>10].Cols[c]
				dst.CopyFrom(i, v, int(r)&(types.BatchSize-1))
			}
		}
	}
}

// vecEqual compares two values of one family; NULL equals NULL.
func vecEqual(a *types.Vec, i int, b *types.Vec, j int) bool {
	an, bn := a.IsNull(i), b.IsNull(j)
	if an || bn {
		return an == bn
	}
	switch a.T.Family {
	case types.FamInt, types.FamBool:
		return a.Ints[i] == b.Ints[j]
	case types.FamString:
		return bytes.Equal(a.Bytes[i], b.Bytes[j])
	}
	return types.Equal(a.Get(i), b.Get(j))
}

// vecCompare orders two values that are not NULL.
func vecCompare(a *types.Vec, i int, b *types.Vec, j int) int {
	switch a.T.Family {
	case types.FamInt, types.FamBool:
		x, y := a.Ints[i], b.Ints[j]
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	case types.FamString:
		return bytes.Compare(a.Bytes[i], b.Bytes[j])
	}
	return types.Compare(a.Get(i), b.Get(j))
}

// hashVecs computes the hash of each selected row over vecs into out, by position.
func hashVecs(vecs []*types.Vec, b *types.Batch, out []uint64) {
	if b.Sel == nil {
		clear(out[:b.N])
	} else {
		for _, i := range b.Sel {
			out[i] = 0
		}
	}
	n := b.Len()
	for _, v := range vecs {
		switch {
		case v.T.Family == types.FamInt || v.T.Family == types.FamBool:
			for k := range n {
				i := b.RowAt(k)
				if v.HasNulls && v.Nulls.Get(i) {
					out[i] = types.Hash(out[i], types.Null)
				} else {
					out[i] = types.HashInt(out[i], v.Ints[i])
				}
			}
		case v.T.Family == types.FamString:
			for k := range n {
				i := b.RowAt(k)
				if v.HasNulls && v.Nulls.Get(i) {
					out[i] = types.Hash(out[i], types.Null)
				} else {
					out[i] = types.HashBytes(out[i], v.Bytes[i])
				}
			}
		default:
			for k := range n {
				i := b.RowAt(k)
				out[i] = types.Hash(out[i], v.Get(i))
			}
		}
	}
}
