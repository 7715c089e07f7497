// Package tscache remembers, for one range, up to which timestamp each key has
// been read, so that no write is admitted below a read that was served.
//
// # Model
//
//	Get(key) = max( floor,
//	                table[hash(key)],       point reads
//	                spans at key )          scans
//
// The answer may be too high, never too low: a writer that is told a too high
// timestamp commits a little later than it had to. That freedom buys bounded
// memory. Point reads go into a set-associative table of hashes, which keeps no
// keys: an entry that falls out raises its bucket's own floor, not the range's.
// Scans go into a sorted list of boundaries; when it is full, the older half of it
// is folded into the floor.
//
// Each timestamp carries the transaction that read there, if it is one alone, so
// that a transaction is not pushed by its own reads. Invariant: a transaction
// reads at its ReadTS and writes at or above it; hence the entry with the greatest
// timestamp being its own, all others are at or below what it writes at anyway.
//
// What became of transactions' records is remembered apart from reads, in a table
// and under a floor of its own: a push or a removed record counts like a read of
// the record, but a range that is read a lot must not forget it, or every
// transaction that has lived for longer than the table of reads reaches back would
// find that it may not make its record any more.
//
// The cache of a range starts empty with its floors at the start of the lease
// (I8). A split copies it, a merge joins two (Merge), and Max is a summary for a
// lease transfer.
//
// Source: the idea is Larson et al., "High-Performance Concurrency Control
// Mechanisms for Main-Memory Databases", 2011, as reshaped by CockroachDB's
// timestamp cache (Taft et al., 2020, section 3.2); the table is our own.
package tscache

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sort"
	"sync"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// Cache is the timestamp cache of one range. All methods are safe for concurrent
// use. An idle Cache takes no memory but its own struct.
type Cache struct {
	// shards are independent parts of the point table, by hash.
	shards [shardCount]shard
	// records are the same for marks of transactions' records.
	records [shardCount]shard

	mu struct {
		sync.RWMutex
		floor, recordFloor mark
		// bounds cut the key space: bounds[i].mark holds for the keys in
		// [bounds[i].key, bounds[i+1].key). The first has no mark below it and
		// the last one's mark is zero.
		bounds []bound
	}
}

// mark is a timestamp and its reader; the zero id stands for several or none.
type mark struct {
	ts  hlc.Timestamp
	txn kv.TxnID
}

// raise makes m cover o as well.
func (m *mark) raise(o mark) {
	switch {
	case o.ts > m.ts:
		*m = o
	case o.ts == m.ts && o.txn != m.txn:
		m.txn = kv.TxnID{}
	}
}

type bound struct {
	key keys.Key
	mark
}

const (
	shardCount = 4
	ways       = 4
	minBuckets = 16   // in a shard
	maxBuckets = 2048 // in a shard: 4 shards * 2048 * 4 ways = 32k keys, 1.4 MiB
	// maxBounds bounds the boundaries of scans.
	maxBounds = 1024
)

type shard struct {
	sync.Mutex
	buckets []bucket
	// evictions counts entries that fell out since the last growth.
	evictions int
}

type bucket struct {
	floor mark
	ways  [ways]entry
}

type entry struct {
	hash uint64 // zero if empty
	mark
}

var seed = maphash.MakeSeed()

// New returns a Cache in which every key and record counts as read at floor.
func New(floor hlc.Timestamp) *Cache {
	c := &Cache{}
	c.mu.floor.ts, c.mu.recordFloor.ts = floor, floor
	return c
}

// RaiseRecordFloor makes every record count as marked at ts: what a merge does for
// the records of the range that it absorbs.
func (c *Cache) RaiseRecordFloor(ts hlc.Timestamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.recordFloor.raise(mark{ts: ts})
}

func (c *Cache) raiseFloorLocked(m mark) {
	c.mu.floor.raise(m)
}

// AddPoint records a read of key at ts by the transaction id (zero for none).
func (c *Cache) AddPoint(key keys.Key, ts hlc.Timestamp, id kv.TxnID) {
	add(&c.shards, key, mark{ts, id})
}

// AddRecord marks a transaction's record, or another fact about the transaction,
// known by key, at ts.
func (c *Cache) AddRecord(key keys.Key, ts hlc.Timestamp) {
	add(&c.records, key, mark{ts: ts})
}

func add(shards *[shardCount]shard, key keys.Key, m mark) {
	h := maphash.Bytes(seed, key) | 1
	s := &shards[h>>60%shardCount]
	s.Lock()
	s.add(h, m)
	s.Unlock()
}

func (s *shard) add(h uint64, m mark) {
	if s.buckets == nil {
		s.buckets = make([]bucket, minBuckets)
	}
	b := s.bucket(h)
	oldest := 0
	for i := range b.ways {
		e := &b.ways[i]
		if e.hash == h {
			e.raise(m)
			return
		}
		if e.hash == 0 {
			*e = entry{h, m}
			return
		}
		if e.ts < b.ways[oldest].ts {
			oldest = i
		}
	}
	if m.ts <= b.floor.ts && m.ts < b.ways[oldest].ts {
		b.floor.raise(m) // covered already; keep the ids honest
		return
	}
	if s.evictions++; s.evictions > len(s.buckets) && len(s.buckets) < maxBuckets {
		s.grow()
		s.add(h, m)
		return
	}
	e := &b.ways[oldest]
	if m.ts < e.ts {
		b.floor.raise(m)
		return
	}
	b.floor.raise(e.mark)
	*e = entry{h, m}
}

func (s *shard) bucket(h uint64) *bucket {
	return &s.buckets[h>>1&uint64(len(s.buckets)-1)]
}

// grow doubles the table. A bucket's entries part by one more bit of their hash;
// both halves keep its floor.
func (s *shard) grow() {
	old := s.buckets
	s.buckets = make([]bucket, 2*len(old))
	s.evictions = 0
	for i := range old {
		s.buckets[i].floor, s.buckets[i+len(old)].floor = old[i].floor, old[i].floor
		for _, e := range old[i].ways {
			if e.hash != 0 {
				s.add(e.hash, e.mark)
			}
		}
	}
}

func (s *shard) get(h uint64) (m mark) {
	s.Lock()
	defer s.Unlock()
	if s.buckets == nil {
		return mark{}
	}
	b := s.bucket(h)
	m = b.floor
	for i := range b.ways {
		if b.ways[i].hash == h {
			m.raise(b.ways[i].mark)
			break
		}
	}
	return m
}

// max returns the greatest mark in the shard.
func (s *shard) max() (m mark) {
	s.Lock()
	defer s.Unlock()
	for i := range s.buckets {
		m.raise(s.buckets[i].floor)
		for _, e := range s.buckets[i].ways {
			m.raise(e.mark)
		}
	}
	return m
}

// AddSpan records a read of [start, end) at ts by the transaction id (zero for
// none).
func (c *Cache) AddSpan(start, end keys.Key, ts hlc.Timestamp, id kv.TxnID) {
	if bytes.Compare(start, end) >= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addSpanLocked(start, end, mark{ts, id})
}

func (c *Cache) addSpanLocked(start, end keys.Key, m mark) {
	if m.ts < c.mu.floor.ts {
		return
	}
	i := c.cutLocked(start)
	j := c.cutLocked(end)
	for k := i; k < j; k++ {
		c.mu.bounds[k].raise(m)
	}
	if len(c.mu.bounds) > maxBounds {
		c.shrinkLocked()
		return
	}
	// Join neighbours that have become equal: only those touched, and the first
	// one after them.
	b := c.mu.bounds
	w := i
	for k := i; k <= j && k < len(b); k++ {
		if w > 0 && b[w-1].mark == b[k].mark || w == 0 && b[k].mark == (mark{}) {
			continue
		}
		b[w] = b[k]
		w++
	}
	if w < j+1 && w < len(b) {
		c.mu.bounds = slices.Delete(b, w, min(j+1, len(b)))
	}
}

// cutLocked returns the index of the boundary at key, which it makes if need be.
func (c *Cache) cutLocked(key keys.Key) int {
	b := c.mu.bounds
	i := sort.Search(len(b), func(i int) bool { return bytes.Compare(b[i].key, key) >= 0 })
	if i < len(b) && bytes.Equal(b[i].key, key) {
		return i
	}
	n := bound{key: keys.Clone(key)}
	if i > 0 {
		n.mark = b[i-1].mark
	}
	c.mu.bounds = slices.Insert(b, i, n)
	return i
}

// shrinkLocked folds the older half of the spans into the floor.
func (c *Cache) shrinkLocked() {
	all := make([]hlc.Timestamp, 0, len(c.mu.bounds))
	for i := range c.mu.bounds {
		all = append(all, c.mu.bounds[i].ts)
	}
	slices.Sort(all)
	c.raiseFloorLocked(mark{ts: all[len(all)/2]})
	b := c.mu.bounds[:0]
	for _, e := range c.mu.bounds {
		if e.ts <= c.mu.floor.ts {
			e.mark = mark{}
		}
		if len(b) > 0 && b[len(b)-1].mark == e.mark || len(b) == 0 && e.mark == (mark{}) {
			continue
		}
		b = append(b, e)
	}
	clear(c.mu.bounds[len(b):])
	c.mu.bounds = b
}

// GetPoint returns a timestamp at or below which key may have been read, and the
// transaction that read it there if it was one alone. A write must land above it,
// unless the id is the writer's own: then at or above it.
func (c *Cache) GetPoint(key keys.Key) (hlc.Timestamp, kv.TxnID) {
	h := maphash.Bytes(seed, key) | 1
	m := c.shards[h>>60%shardCount].get(h)
	c.mu.RLock()
	m.raise(c.mu.floor)
	if b := c.mu.bounds; len(b) > 0 {
		i := sort.Search(len(b), func(i int) bool { return bytes.Compare(b[i].key, key) > 0 })
		if i > 0 {
			m.raise(b[i-1].mark)
		}
	}
	c.mu.RUnlock()
	return m.ts, m.txn
}

// GetRecord returns a timestamp at or below which key may have been marked by
// AddRecord.
func (c *Cache) GetRecord(key keys.Key) hlc.Timestamp {
	h := maphash.Bytes(seed, key) | 1
	m := c.records[h>>60%shardCount].get(h)
	c.mu.RLock()
	m.raise(c.mu.recordFloor)
	c.mu.RUnlock()
	return m.ts
}

// GetSpan is GetPoint for a write of all keys in [start, end). Since the table of
// points has no keys, it answers for all of them.
func (c *Cache) GetSpan(start, end keys.Key) (hlc.Timestamp, kv.TxnID) {
	m := maxOf(&c.shards)
	c.mu.RLock()
	defer c.mu.RUnlock()
	m.raise(c.mu.floor)
	b := c.mu.bounds
	i := sort.Search(len(b), func(i int) bool { return bytes.Compare(b[i].key, start) > 0 })
	for i = max(i-1, 0); i < len(b) && bytes.Compare(b[i].key, end) < 0; i++ {
		m.raise(b[i].mark)
	}
	return m.ts, m.txn
}

func maxOf(shards *[shardCount]shard) (m mark) {
	for i := range shards {
		m.raise(shards[i].max())
	}
	return m
}

// Max returns a timestamp at or above everything recorded: the floor for whoever
// takes over.
func (c *Cache) Max() hlc.Timestamp {
	m := maxOf(&c.shards)
	m.raise(maxOf(&c.records))
	c.mu.RLock()
	defer c.mu.RUnlock()
	m.raise(c.mu.floor)
	m.raise(c.mu.recordFloor)
	for i := range c.mu.bounds {
		m.raise(c.mu.bounds[i].mark)
	}
	return m.ts
}

// Clone returns a copy: the cache of the right range after a split.
func (c *Cache) Clone() *Cache {
	n := &Cache{}
	for i := range c.shards {
		n.shards[i].buckets = c.shards[i].clone()
		n.records[i].buckets = c.records[i].clone()
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	n.mu.floor, n.mu.recordFloor = c.mu.floor, c.mu.recordFloor
	n.mu.bounds = slices.Clone(c.mu.bounds)
	return n
}

func (s *shard) clone() []bucket {
	s.Lock()
	defer s.Unlock()
	return slices.Clone(s.buckets)
}

// Merge adds everything that right has recorded: c becomes the cache of a range
// that has absorbed right's. right must not be in use any more.
func (c *Cache) Merge(right *Cache) {
	// Bucket floors cover keys that are not known any more; they become the
	// floor of all.
	floor, recordFloor := right.mu.floor, right.mu.recordFloor
	for i := range right.shards {
		floor.raise(c.shards[i].absorb(&right.shards[i]))
		recordFloor.raise(c.records[i].absorb(&right.records[i]))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raiseFloorLocked(floor)
	c.mu.recordFloor.raise(recordFloor)
	b := right.mu.bounds
	for i := 0; i+1 < len(b); i++ {
		if b[i].ts != 0 {
			c.addSpanLocked(b[i].key, b[i+1].key, b[i].mark)
		}
	}
}

// absorb adds right's entries and returns what is known of keys that have fallen
// out of it.
func (s *shard) absorb(right *shard) (floor mark) {
	s.Lock()
	defer s.Unlock()
	for k := range right.buckets {
		floor.raise(right.buckets[k].floor)
		for _, e := range right.buckets[k].ways {
			if e.hash != 0 {
				s.add(e.hash, e.mark)
			}
		}
	}
	return floor
}
