package exec

import "github.com/spanlite/spanlite/sql/types"

// hashTable finds rows of a rowStore by key columns: chains of row numbers in a
// power-of-two table of heads. Hashes are kept, so that growing never looks at the keys.
type hashTable struct {
	store  *rowStore
	keys   []int // the store's key columns
	heads  []uint32
	next   []uint32 // by row: the next row of the chain + 1
	hashes []uint64
}

// noRow ends a chain; row numbers in heads and next are one more than the row.
const noRow = 0

func newHashTable(store *rowStore, keys []int) *hashTable {
	return &hashTable{store: store, keys: keys, heads: make([]uint32, 1024)}
}

// link enters the store's row i, which is the one after the last entered, under its hash.
func (t *hashTable) link(h uint64) error {
	i := len(t.next)
	if i >= len(t.heads) {
		if err := t.grow(); err != nil {
			return err
		}
	}
	slot := h & uint64(len(t.heads)-1)
	t.next = append(t.next, t.heads[slot])
	t.hashes = append(t.hashes, h)
	t.heads[slot] = uint32(i + 1)
	return nil
}

func (t *hashTable) grow() error {
	n := 2 * len(t.heads)
	if err := t.store.grow(int64(n) * 8); err != nil {
		return err
	}
	t.heads = make([]uint32, n)
	for i, h := range t.hashes {
		slot := h & uint64(n-1)
		t.next[i] = t.heads[slot]
		t.heads[slot] = uint32(i + 1)
	}
	return nil
}

// first returns the first row + 1 of the chain in which a hash would be, noRow if none.
func (t *hashTable) first(h uint64) uint32 { return t.heads[h&uint64(len(t.heads)-1)] }

// match reports whether row r (counted from 0) has hash h and the keys of vecs at i.
func (t *hashTable) match(r uint32, h uint64, vecs []*types.Vec, i int) bool {
	if t.hashes[r] != h {
		return false
	}
	c, k := t.store.at(int(r))
	for x, v := range vecs {
		if !vecEqual(v, i, c.Cols[t.keys[x]], k) {
			return false
		}
	}
	return true
}

// find returns the row with the keys, -1 if there is none.
func (t *hashTable) find(h uint64, vecs []*types.Vec, i int) int {
	for r := t.first(h); r != noRow; r = t.next[r-1] {
		if t.match(r-1, h, vecs, i) {
			return int(r - 1)
		}
	}
	return -1
}
