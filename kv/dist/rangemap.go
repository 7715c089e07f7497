package dist

import (
	"bytes"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
)

// entry is one cached range. The descriptor is immutable; the leaseholder moves.
type entry struct {
	desc *kv.RangeDescriptor
	// leaseholder is the store that served the range last, 0 if unknown.
	leaseholder atomic.Uint32
}

func (e *entry) lease() (kv.ReplicaDescriptor, bool) {
	s := keys.StoreID(e.leaseholder.Load())
	if s == 0 {
		return kv.ReplicaDescriptor{}, false
	}
	return e.desc.Replica(s)
}

func (e *entry) setLease(s keys.StoreID) {
	if e.leaseholder.Load() != uint32(s) {
		e.leaseholder.Store(uint32(s))
	}
}

// chunkMax bounds the entries that one update copies.
const chunkMax = 128

// chunk is an immutable run of entries in key order.
type chunk []*entry

// rangeMap maps keys to entries that do not overlap. Look-ups take no lock and
// allocate nothing; updates copy one or two chunks and the list of chunks. (A
// copy-on-write B-tree has the same properties except that its look-ups, being
// callbacks, allocate.)
type rangeMap struct {
	mu     sync.Mutex // writers
	chunks atomic.Pointer[[]chunk]
}

// get returns the entry whose range contains key, or nil.
func (m *rangeMap) get(key keys.Key) *entry {
	p := m.chunks.Load()
	if p == nil {
		return nil
	}
	chunks := *p
	// The first chunk whose last end is above key, in it the first end above key.
	lo, hi := 0, len(chunks)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		c := chunks[mid]
		if bytes.Compare(c[len(c)-1].desc.End, key) > 0 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if lo == len(chunks) {
		return nil
	}
	c := chunks[lo]
	lo, hi = 0, len(c)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if bytes.Compare(c[mid].desc.End, key) > 0 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if e := c[lo]; bytes.Compare(e.desc.Start, key) <= 0 {
		return e
	}
	return nil
}

// getBefore returns the entry that contains the keys just below key, or nil.
func (m *rangeMap) getBefore(key keys.Key) *entry {
	p := m.chunks.Load()
	if p == nil {
		return nil
	}
	atOrAbove := func(e *entry) bool { return bytes.Compare(e.desc.End, key) >= 0 }
	i := sort.Search(len(*p), func(i int) bool { c := (*p)[i]; return atOrAbove(c[len(c)-1]) })
	if i == len(*p) {
		return nil
	}
	c := (*p)[i]
	e := c[sort.Search(len(c), func(i int) bool { return atOrAbove(c[i]) })]
	if bytes.Compare(e.desc.Start, key) >= 0 {
		return nil
	}
	return e
}

// insert makes desc known, and returns false if something at least as new is
// known for one of its keys. Older entries that overlap it are dropped.
func (m *rangeMap) insert(desc *kv.RangeDescriptor) bool {
	if bytes.Compare(desc.Start, desc.End) >= 0 {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var old []chunk
	if p := m.chunks.Load(); p != nil {
		old = *p
	}
	from, to := overlapping(old, desc.Start, desc.End)
	e := &entry{desc: desc}
	var merged []*entry
	placed := false
	for _, c := range old[from:to] {
		for _, o := range c {
			if bytes.Compare(o.desc.End, desc.Start) > 0 && bytes.Compare(o.desc.Start, desc.End) < 0 {
				if o.desc.Generation >= desc.Generation {
					return false
				}
				if o.desc.RangeID == desc.RangeID {
					if _, member := desc.Replica(keys.StoreID(o.leaseholder.Load())); member {
						e.leaseholder.Store(o.leaseholder.Load())
					}
				}
				continue
			}
			if !placed && bytes.Compare(o.desc.Start, desc.Start) > 0 {
				merged, placed = append(merged, e), true
			}
			merged = append(merged, o)
		}
	}
	if !placed {
		merged = append(merged, e)
	}
	m.publish(old, from, to, merged)
	return true
}

// evict forgets e.
func (m *rangeMap) evict(e *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.chunks.Load()
	if p == nil {
		return
	}
	from, to := overlapping(*p, e.desc.Start, e.desc.End)
	var merged []*entry
	found := false
	for _, c := range (*p)[from:to] {
		for _, o := range c {
			if o == e {
				found = true
				continue
			}
			merged = append(merged, o)
		}
	}
	if found {
		m.publish(*p, from, to, merged)
	}
}

// publish replaces old[from:to] by entries, cut into chunks.
func (m *rangeMap) publish(old []chunk, from, to int, entries []*entry) {
	next := make([]chunk, 0, len(old)-(to-from)+1+len(entries)/chunkMax)
	next = append(next, old[:from]...)
	for len(entries) > chunkMax {
		// Halves leave room, so that the next insertion does not split again.
		next = append(next, slices.Clip(entries[:chunkMax/2]))
		entries = entries[chunkMax/2:]
	}
	if len(entries) > 0 {
		next = append(next, entries)
	}
	next = append(next, old[to:]...)
	m.chunks.Store(&next)
}

// overlapping returns the chunks that an update of [start, end) concerns: those
// with entries in it, or else the one where it belongs.
func overlapping(chunks []chunk, start, end keys.Key) (from, to int) {
	from = sort.Search(len(chunks), func(i int) bool {
		return bytes.Compare(chunks[i][len(chunks[i])-1].desc.End, start) > 0
	})
	to = from
	for to < len(chunks) && bytes.Compare(chunks[to][0].desc.Start, end) < 0 {
		to++
	}
	if from == to && from > 0 {
		from-- // in a gap, or behind everything: extend the chunk to the left
	}
	return from, to
}

// all returns the entries in key order.
func (m *rangeMap) all() []*entry {
	p := m.chunks.Load()
	if p == nil {
		return nil
	}
	return slices.Concat(*p...)
}

// clear forgets everything.
func (m *rangeMap) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.chunks.Store(nil)
}
