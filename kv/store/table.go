package store

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/raftgroup"
)

// handle is one replica of the store with its group and what the store notes
// about it.
type handle struct {
	r *replica.Replica
	g atomic.Pointer[groupBox]

	// leased is whether LeaseChanged has told of a held lease.
	leased atomic.Bool
	// published is the generation of the descriptor that the directory is known to
	// have.
	published atomic.Uint64
	// writes counts write batches since the size was last looked at.
	writes atomic.Uint32
	// holdOff is the time (Unix ns) until which no snapshot is sent.
	holdOff atomic.Int64
	// gone is closed when the handle leaves the table, or is about to.
	gone chan struct{}
	once sync.Once
	// failed is why the replica has stopped.
	failed atomic.Pointer[error]

	mu struct {
		sync.Mutex
		// merging is held by an AdminMerge with this range on the left; doubtful is
		// the term in which a merge was proposed whose outcome is unknown.
		merging  bool
		doubtful raftgroup.Term
		// qps is computed from the load between two looks.
		lastLoad  uint64
		lastMicro int64
		qps       float64
		// lastChecked and lastGC are when the range was compared and collected.
		lastChecked, lastGC int64
	}
}

func newHandle() *handle { return &handle{gone: make(chan struct{})} }

func (h *handle) leave() { h.once.Do(func() { close(h.gone) }) }

// holdsLease reports whether requests can be served here now.
func (h *handle) holdsLease() bool { return h.r.Initialized() && h.r.IsLeaseholder() }

// notYet is how long a queue waits for a lease that is held but does not cover the
// present moment.
const notYet = 200 * time.Millisecond

// mayAct says whether the store may act as the range's leaseholder now; if not,
// again is when to ask again, 0 for never.
func (h *handle) mayAct() (ok bool, again time.Duration) {
	switch {
	case !h.leased.Load():
		return false, 0
	case !h.holdsLease():
		return false, notYet
	}
	return true, 0
}

// table maps range ids to handles. Look-ups take no lock: each shard is an
// immutable map that writers replace.
type table struct {
	shards [tableShards]struct {
		mu sync.Mutex
		m  atomic.Pointer[map[keys.RangeID]*handle]
	}
}

// tableShards bounds the cost of an update: a shard of ten thousand ranges has
// forty.
const tableShards = 256

func (t *table) get(id keys.RangeID) *handle {
	if m := t.shards[id%tableShards].m.Load(); m != nil {
		return (*m)[id]
	}
	return nil
}

// put stores h, or removes the entry if h is nil; it returns the former one.
func (t *table) put(id keys.RangeID, h *handle) *handle {
	s := &t.shards[id%tableShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[keys.RangeID]*handle)
	var old *handle
	if m := s.m.Load(); m != nil {
		for k, v := range *m {
			next[k] = v
		}
		old = next[id]
	}
	if h == nil {
		delete(next, id)
	} else {
		next[id] = h
	}
	s.m.Store(&next)
	return old
}

// each calls fn for every handle, in no order, until it returns false.
func (t *table) each(fn func(keys.RangeID, *handle) bool) {
	for i := range t.shards {
		if m := t.shards[i].m.Load(); m != nil {
			for id, h := range *m {
				if !fn(id, h) {
					return
				}
			}
		}
	}
}

// rangeLocks serialises creation and removal of the replicas of one range. It is
// keyed by exact id: whoever holds one may wait for the step of that range's
// group to end, and a step may need the lock of another range (of the right side
// of a split), so two ranges must never share a lock.
type rangeLocks struct {
	mu    sync.Mutex
	locks map[keys.RangeID]*rangeLock
}

type rangeLock struct {
	sync.Mutex
	users int
}

// lock returns the function that unlocks.
func (l *rangeLocks) lock(id keys.RangeID) func() {
	l.mu.Lock()
	if l.locks == nil {
		l.locks = make(map[keys.RangeID]*rangeLock)
	}
	k := l.locks[id]
	if k == nil {
		k = new(rangeLock)
		l.locks[id] = k
	}
	k.users++
	l.mu.Unlock()
	k.Lock()
	return func() {
		k.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.locks, id)
		}
	}
}
