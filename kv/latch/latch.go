// Package latch orders the requests on one range: a request holds latches on the
// keys it reads and writes while it evaluates, replicates and applies, so that
// requests that conflict run one after the other and all others side by side.
//
// # Latches and locks
//
// A latch belongs to one request and lasts for microseconds to one consensus
// round. A lock (txn/locktable) belongs to a transaction and lasts until its end.
// A request never waits for a lock while it holds latches.
//
// # Model
//
// All latches of a request are taken at one moment: under the manager's mutex it
// gets its place behind every request that came before, and an edge to each of
// those that conflicts with it. It runs when all of its edges are gone. Hence
// there are no deadlocks, and requests on a key are served first come, first
// served: a stream of readers cannot starve a writer.
//
//	points:  hash of key -> chain of latches in order of arrival
//	spans:   list of latches in order of arrival
//
// A point latch looks only at the tail of its chain (whoever is behind a writer
// waits for that writer alone) and at the spans, so on point operations the cost
// depends on neither the number of latches held nor the length of the queue, and
// nothing is allocated. A span latch looks at everything; spans and their
// overlaps are few, for they are bounded by the number of requests in flight.
//
// A waiter whose context ends leaves an abandoned place in the queue, which
// vanishes by itself when its turn comes: those behind it keep their order.
package latch

import (
	"bytes"
	"context"
	"hash/maphash"
	"sync"

	"github.com/spanlite/spanlite/kv/invariant"
	"github.com/spanlite/spanlite/kv/keys"
)

// Latch is one span that a request reads or writes.
type Latch struct {
	keys.Span
	Write bool
}

// Manager holds the latches of one range. The zero Manager is ready for use. All
// methods are safe for concurrent use.
type Manager struct {
	mu struct {
		sync.Mutex
		buckets []chain // length is a power of two, or zero
		points  int
		spans   chain
		free    []*Guard
		waiting int
	}
}

// seed is shared by all managers: the hash only spreads keys.
var seed = maphash.MakeSeed()

const (
	minBuckets = 16
	maxBuckets = 4096
	// maxFree bounds the guards kept for reuse, and maxFreeLatches the memory of
	// each.
	maxFree        = 64
	maxFreeLatches = 256
)

// held is one latch in a chain.
type held struct {
	guard      *Guard
	prev, next *held
	hash       uint64
	key, end   keys.Key // end is nil for a point
	write      bool
}

// chain is a list of latches in order of arrival.
type chain struct{ head, tail *held }

func (c *chain) push(h *held) {
	h.prev, h.next = c.tail, nil
	if c.tail != nil {
		c.tail.next = h
	} else {
		c.head = h
	}
	c.tail = h
}

func (c *chain) remove(h *held) {
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		c.head = h.next
	}
	if h.next != nil {
		h.next.prev = h.prev
	} else {
		c.tail = h.prev
	}
}

// Guard is the set of latches that one request holds or waits for. It is the
// Manager's memory: it must not be used after Release.
type Guard struct {
	latches []held
	// before counts the edges to earlier guards; dependents are the later guards
	// with an edge to this one (once for each edge). Both are guarded by
	// Manager.mu.
	before     int
	dependents []*Guard
	abandoned  bool
	released   bool
	// wake receives one token when before falls to zero while the owner waits.
	wake chan struct{}
	// Waited tells whether the request had to wait.
	Waited bool
}

// Acquire takes all latches of a request and waits for its turn. The keys must
// stay unchanged until Release. The error is that of ctx; then nothing is held.
func (m *Manager) Acquire(ctx context.Context, latches []Latch) (*Guard, error) {
	m.mu.Lock()
	g := m.newGuardLocked(len(latches))
	for i := range latches {
		l := &latches[i]
		h := &g.latches[i]
		*h = held{guard: g, key: l.Start, end: l.End, write: l.Write}
		if h.end == nil {
			h.hash = maphash.Bytes(seed, h.key)
		}
	}
	m.growLocked(len(latches))
	for i := range g.latches {
		m.findConflictsLocked(&g.latches[i])
	}
	for i := range g.latches {
		h := &g.latches[i]
		if h.end != nil {
			m.mu.spans.push(h)
			continue
		}
		m.bucketLocked(h.hash).push(h)
		m.mu.points++
	}
	if g.before == 0 {
		m.mu.Unlock()
		return g, nil
	}
	g.Waited = true
	m.mu.waiting++
	m.mu.Unlock()

	select {
	case <-g.wake:
		return g, nil
	case <-ctx.Done():
		m.abandon(g)
		return nil, context.Cause(ctx)
	}
}

// TryAcquire is Acquire without waiting: ok is false, and nothing is held, if a
// conflicting request is there.
func (m *Manager) TryAcquire(latches []Latch) (g *Guard, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g = m.newGuardLocked(len(latches))
	for i := range latches {
		l := &latches[i]
		h := &g.latches[i]
		*h = held{guard: g, key: l.Start, end: l.End, write: l.Write}
		if h.end == nil {
			h.hash = maphash.Bytes(seed, h.key)
		}
		if m.conflictLocked(h) {
			g.latches = g.latches[:0]
			m.freeLocked(g)
			return nil, false
		}
	}
	m.growLocked(len(latches))
	for i := range g.latches {
		h := &g.latches[i]
		if h.end != nil {
			m.mu.spans.push(h)
			continue
		}
		m.bucketLocked(h.hash).push(h)
		m.mu.points++
	}
	return g, true
}

// Release gives all latches up and starts those that waited for them alone.
func (m *Manager) Release(g *Guard) {
	m.mu.Lock()
	m.releaseLocked(g)
	m.mu.Unlock()
}

// Waiting returns the number of requests that wait.
func (m *Manager) Waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.waiting
}

func (m *Manager) releaseLocked(g *Guard) {
	if g.released {
		invariant.Failf("latch: guard released twice")
	}
	g.released = true
	for i := range g.latches {
		h := &g.latches[i]
		if h.end != nil {
			m.mu.spans.remove(h)
			continue
		}
		m.bucketLocked(h.hash).remove(h)
		m.mu.points--
	}
	for _, d := range g.dependents {
		if d.before--; d.before > 0 {
			continue
		}
		m.mu.waiting--
		if d.abandoned {
			// Recursion is bounded by the length of a run of abandoned guards.
			m.releaseLocked(d)
		} else {
			d.wake <- struct{}{}
		}
	}
	m.freeLocked(g)
}

// abandon turns a waiting guard into a place in the queue without an owner.
func (m *Manager) abandon(g *Guard) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if g.before == 0 {
		// Its turn came at the same moment.
		<-g.wake
		m.releaseLocked(g)
		return
	}
	g.abandoned = true
	for i := range g.latches {
		// The owner may now reuse its memory.
		h := &g.latches[i]
		h.key = keys.Clone(h.key)
		if h.end != nil {
			h.end = keys.Clone(h.end)
		}
	}
}

// findConflictsLocked gives h's guard an edge to every earlier guard that it has
// to wait for directly.
func (m *Manager) findConflictsLocked(h *held) {
	if h.end == nil {
		if m.mu.points > 0 {
			for e := m.bucketLocked(h.hash).tail; e != nil; e = e.prev {
				if e.hash != h.hash || (!h.write && !e.write) || !bytes.Equal(e.key, h.key) {
					continue
				}
				h.guard.waitFor(e.guard)
				if e.write {
					// Whatever is before this writer, it waits for.
					break
				}
			}
		}
	} else if m.mu.points > 0 {
		for i := range m.mu.buckets {
			for e := m.mu.buckets[i].tail; e != nil; e = e.prev {
				if (h.write || e.write) && contains(h, e.key) {
					h.guard.waitFor(e.guard)
				}
			}
		}
	}
	for e := m.mu.spans.tail; e != nil; e = e.prev {
		if (h.write || e.write) && overlap(h, e) {
			h.guard.waitFor(e.guard)
		}
	}
}

// conflictLocked reports whether an earlier guard stands in h's way.
func (m *Manager) conflictLocked(h *held) bool {
	if m.mu.points > 0 {
		if h.end == nil {
			for e := m.bucketLocked(h.hash).tail; e != nil; e = e.prev {
				if e.hash == h.hash && (h.write || e.write) && bytes.Equal(e.key, h.key) {
					return true
				}
			}
		} else {
			for i := range m.mu.buckets {
				for e := m.mu.buckets[i].tail; e != nil; e = e.prev {
					if (h.write || e.write) && contains(h, e.key) {
						return true
					}
				}
			}
		}
	}
	for e := m.mu.spans.tail; e != nil; e = e.prev {
		if (h.write || e.write) && overlap(h, e) {
			return true
		}
	}
	return false
}

func contains(span *held, key keys.Key) bool {
	return bytes.Compare(span.key, key) <= 0 && bytes.Compare(key, span.end) < 0
}

// overlap reports whether h and the span e share a key.
func overlap(h, e *held) bool {
	if h.end == nil {
		return contains(e, h.key)
	}
	return bytes.Compare(h.key, e.end) < 0 && bytes.Compare(e.key, h.end) < 0
}

func (g *Guard) waitFor(earlier *Guard) {
	if earlier == g {
		return
	}
	g.before++
	earlier.dependents = append(earlier.dependents, g)
}

func (m *Manager) bucketLocked(hash uint64) *chain {
	return &m.mu.buckets[hash&uint64(len(m.mu.buckets)-1)]
}

// growLocked makes room for n more points.
func (m *Manager) growLocked(n int) {
	size := len(m.mu.buckets)
	if size >= m.mu.points+n && size > 0 || size == maxBuckets {
		return
	}
	for size = max(size, minBuckets); size < m.mu.points+n && size < maxBuckets; {
		size *= 2
	}
	old := m.mu.buckets
	m.mu.buckets = make([]chain, size)
	for i := range old {
		for h := old[i].head; h != nil; {
			next := h.next
			m.bucketLocked(h.hash).push(h)
			h = next
		}
	}
}

func (m *Manager) newGuardLocked(n int) *Guard {
	var g *Guard
	if k := len(m.mu.free); k > 0 {
		g = m.mu.free[k-1]
		m.mu.free = m.mu.free[:k-1]
	} else {
		g = &Guard{wake: make(chan struct{}, 1)}
	}
	if cap(g.latches) < n {
		g.latches = make([]held, n, max(n, 4))
	}
	g.latches = g.latches[:n]
	return g
}

func (m *Manager) freeLocked(g *Guard) {
	if len(m.mu.free) >= maxFree || cap(g.latches) > maxFreeLatches {
		return
	}
	clear(g.latches)
	clear(g.dependents)
	*g = Guard{latches: g.latches[:0], dependents: g.dependents[:0], wake: g.wake}
	m.mu.free = append(m.mu.free, g)
}
