package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/placement"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
)

// Store is all replicas of one engine. Safe for concurrent use.
type Store struct {
	cfg     Config
	id      storage.Identity
	host    Host
	table   table
	locks   rangeLocks
	metrics Metrics

	cluster  atomic.Pointer[Cluster]
	draining atomic.Bool
	gossip   gossip
	// splitting holds the ids of right sides between prepareSplit and afterSplit.
	splitting sync.Map

	directoryQ, splitQ, replicateQ, gcQ, mergeQ, consistencyQ, removeQ *queue

	checks checksums
	// merges is held by one merge at a time.
	merges chan struct{}
	// lastBalance is when the last move for balance was made (Unix µs).
	lastBalance atomic.Int64

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	wg     sync.WaitGroup // goroutines of Start and background
	closed atomic.Bool
	start  sync.Once
	stop   sync.Once
}

var _ kv.Sender = (*Store)(nil)

// Open recovers the log and opens all replicas that the engine holds. A replica
// that is alone in its range leads it when Open returns. Nothing is received from
// other stores before Start.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	id, ok, err := cfg.Engine.Identity()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNoIdentity
	}
	s := &Store{cfg: cfg, id: id, merges: make(chan struct{}, 1)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.directoryQ = newQueue("directory", 1, s.processDirectory)
	s.splitQ = newQueue("split", 1, s.processSplit)
	s.replicateQ = newQueue("replicate", 3, s.processReplicate)
	s.gcQ = newQueue("gc", 1, s.processGC)
	s.mergeQ = newQueue("merge", 1, s.processMerge)
	s.consistencyQ = newQueue("consistency", 1, s.processConsistency)
	s.removeQ = newQueue("remove", 1, s.processRemove)
	if err := s.emptyTempDir(); err != nil {
		return nil, err
	}

	rc := cfg.Raft
	rc.Store, rc.Clock = id.Store, cfg.Clock
	rc.DurableApplied = func(ids []keys.RangeID, applied []raftgroup.Index) error {
		return replica.DurableApplied(cfg.Engine, ids, applied)
	}
	rc.FlushState = cfg.Engine.Flush
	rc.OnUnknownGroup = s.onUnknownGroup
	rc.OnReplicaGone = s.onReplicaGone
	rc.LivenessPayload = s.gossipPayload
	rc.OnLivenessPayload = s.onGossip
	failed := rc.Events.GroupFailed
	rc.Events.GroupFailed = func(g keys.RangeID, id keys.ReplicaID, err error) {
		s.onGroupFailed(g, id, err)
		if failed != nil {
			failed(g, id, err)
		}
	}
	if s.host, err = cfg.NewHost(rc); err != nil {
		return nil, err
	}
	var summaries []replica.Summary
	err = replica.List(cfg.Engine, func(sum replica.Summary) error {
		summaries = append(summaries, sum)
		return nil
	})
	// From the right: replaying a merge needs the right range.
	slices.SortFunc(summaries, func(a, b replica.Summary) int { return bytes.Compare(b.Desc.Start, a.Desc.Start) })
	for _, sum := range summaries {
		if err != nil {
			break
		}
		// Replaying the log of a range may have split, merged or removed others.
		if s.table.get(sum.Desc.RangeID) != nil {
			continue
		}
		err = s.openFound(sum)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", id.Store, err), s.Close())
	}
	return s, nil
}

// openFound opens a replica that was in the engine when the store started.
func (s *Store) openFound(sum replica.Summary) error {
	rd, ok := sum.Desc.Replica(s.id.Store)
	id := sum.Desc.RangeID
	unlock := s.locks.lock(id)
	defer unlock()
	if s.table.get(id) != nil {
		return nil
	}
	if !ok {
		// It applied its own removal and the process ended before the clean-up. Its
		// id is not in the descriptor any more; any id below the next is allowed to
		// go, and none of them comes back.
		return s.destroyUnopened(id, sum.Desc.NextReplicaID)
	}
	_, err := s.openLocked(id, rd.Replica, nil)
	return err
}

// openLocked makes and opens a replica whose range lock the caller holds.
func (s *Store) openLocked(id keys.RangeID, replicaID keys.ReplicaID, seed func(*replica.Replica, *handle)) (*handle, error) {
	rc := s.cfg.Replica
	rc.RangeID, rc.ReplicaID = id, replicaID
	rc.Node, rc.Store = s.id.Node, s.id.Store
	rc.Engine, rc.Clock = s.cfg.Engine, s.cfg.Clock
	rc.TempDir = s.tempDir()
	rc.NewParticipant = s.cfg.NewParticipant
	h := newHandle()
	rc.Hooks = s.hooks(h)
	r, err := replica.New(rc)
	if err != nil {
		return nil, err
	}
	h.r = r
	if seed != nil {
		seed(r, h)
	}
	s.table.put(id, h)
	if r.Initialized() {
		s.metrics.Ranges.Add(1)
	} else {
		s.metrics.Uninitialized.Add(1)
	}
	g, err := s.host.Open(raftgroup.OpenOptions{
		Group: id, Replica: replicaID, Machine: machine{r, h}, Members: r.Members(),
	})
	if err != nil {
		s.forget(id, h)
		return nil, fmt.Errorf("open replica %d of %s: %w", replicaID, id, err)
	}
	h.g.Store(&groupBox{g})
	r.Attach(g)
	if h.leased.Load() && s.cluster.Load() != nil {
		s.leaseGained(id) // the queues may have looked before the group was attached
	}
	if f := s.cfg.Events.ReplicaOpened; f != nil {
		f(id, replicaID, r.Initialized())
	}
	return h, nil
}

// forget takes a handle out of the table, if it is the one there.
func (s *Store) forget(id keys.RangeID, h *handle) {
	h.leave()
	if s.table.get(id) != h {
		return
	}
	s.table.put(id, nil)
	if h.r.Initialized() {
		s.metrics.Ranges.Add(-1)
	} else {
		s.metrics.Uninitialized.Add(-1)
	}
	if h.leased.CompareAndSwap(true, false) {
		s.metrics.Leases.Add(-1)
	}
}

// Start lets messages and time in and begins background work. Called once.
func (s *Store) Start(c Cluster) error {
	if c.Sender == nil {
		return errors.New("store: Cluster.Sender is not set")
	}
	err := errors.New("store: started twice")
	s.start.Do(func() {
		s.cluster.Store(&c)
		s.cfg.Registry.SetStoreAlive(s.host.StoreAlive)
		if err = s.host.Start(); err != nil {
			return
		}
		for _, q := range s.queues() {
			for range q.workers {
				s.wg.Go(func() { q.run(s.ctx, s) })
			}
		}
		s.wg.Go(func() { s.pulse(s.ctx) })
		s.wg.Go(func() { s.scan(s.ctx) })
		s.table.each(func(id keys.RangeID, h *handle) bool {
			if h.leased.Load() {
				s.leaseGained(id)
			}
			return true
		})
	})
	return err
}

func (s *Store) queues() []*queue {
	return []*queue{s.directoryQ, s.splitQ, s.replicateQ, s.gcQ, s.mergeQ, s.consistencyQ, s.removeQ}
}

// background runs fn on a goroutine that Close waits for; it returns false, and
// does nothing, once the store is closing.
func (s *Store) background(fn func(ctx context.Context)) bool {
	if s.ctx.Err() != nil {
		return false
	}
	s.wg.Go(func() { fn(s.ctx) })
	return true
}

// Close stops background work and all groups, and waits. The engine stays open.
// Leases are not given away: Drain does that before.
func (s *Store) Close() error {
	var err error
	s.stop.Do(func() {
		s.closed.Store(true)
		s.cancel()
		s.table.each(func(_ keys.RangeID, h *handle) bool {
			h.leave()
			if h.r != nil {
				h.r.Shut()
			}
			return true
		})
		err = s.host.Close()
		s.wg.Wait()
	})
	return err
}

// Identity returns whose store this is.
func (s *Store) Identity() storage.Identity { return s.id }

// Metrics returns the live counters.
func (s *Store) Metrics() *Metrics { return &s.metrics }

// Host returns the store's Raft host, for its figures.
func (s *Store) Host() Host { return s.host }

// Replica returns the replica of a range; nil if there is none here.
func (s *Store) Replica(id keys.RangeID) *replica.Replica {
	if h := s.table.get(id); h != nil {
		return h.r
	}
	return nil
}

// FirstRange returns the descriptor of range 1 if this store has a replica of
// it, else what it was last told of by others; nil if nothing.
func (s *Store) FirstRange() *kv.RangeDescriptor {
	if r := s.Replica(keys.MetaRangeID); r != nil && r.Desc() != nil {
		return r.Desc()
	}
	return s.gossip.heard.Load()
}

// sizeCheckWrites is how many write batches go by between two looks at the size
// of a range, and bigWrite the value size that calls for one at once.
const (
	sizeCheckWrites = 64
	bigWrite        = 64 << 10
)

// Send executes a batch on the range b.RangeID; see kv.Sender.
func (s *Store) Send(ctx context.Context, b *kv.Batch) error {
	h := s.table.get(b.RangeID)
	if h == nil {
		return &kv.RangeNotFoundError{RangeID: b.RangeID, Store: s.id.Store}
	}
	err := h.r.Send(ctx, b)
	if err != nil {
		return s.enrich(h, b, err)
	}
	// Writes come last in a batch.
	if last := &b.Ops[len(b.Ops)-1]; last.Kind.IsWrite() {
		s.metrics.Writes.Add(1)
		if n := h.writes.Add(1); n >= sizeCheckWrites || len(b.Ops) >= sizeCheckWrites || len(b.Ops[0].Value) >= bigWrite {
			h.writes.Store(0)
			s.checkSize(b.RangeID, h)
		}
	} else {
		s.metrics.Reads.Add(1)
	}
	return nil
}

func (s *Store) checkSize(id keys.RangeID, h *handle) {
	if id != keys.MetaRangeID && splittable(h.r) > s.cfg.RangeMaxBytes {
		s.splitQ.add(id)
	}
}

// enrich adds what other replicas of this store know to an error about bounds:
// after a split the right side is here as well.
func (s *Store) enrich(h *handle, b *kv.Batch, err error) error {
	m, ok := errors.AsType[*kv.RangeMismatchError](err)
	if !ok {
		return err
	}
	full := &kv.RangeMismatchError{RangeID: m.RangeID, Descs: m.Descs}
	for i := range b.Ops {
		for _, key := range []keys.Key{b.Ops[i].Key, b.Ops[i].EndKey} {
			if key == nil || len(full.Descs) > 8 || knows(full.Descs, key) {
				continue
			}
			if d := s.findByKey(key); d != nil {
				full.Descs = append(full.Descs, d)
			}
		}
	}
	return full
}

func knows(descs []*kv.RangeDescriptor, key keys.Key) bool {
	for _, d := range descs {
		if d.Contains(key) {
			return true
		}
	}
	return false
}

// findByKey looks for a replica of this store that holds key. It reads all
// handles: only for answers to misdirected requests.
func (s *Store) findByKey(key keys.Key) *kv.RangeDescriptor {
	var found *kv.RangeDescriptor
	s.table.each(func(_ keys.RangeID, h *handle) bool {
		if d := h.r.Desc(); d != nil && d.Contains(key) {
			found = d
			return false
		}
		return true
	})
	return found
}

// Drain gives all leases away and keeps new ones from staying, until Undrain or
// Close. It returns when none is left or ctx ends.
func (s *Store) Drain(ctx context.Context) error {
	s.draining.Store(true)
	for {
		left := 0
		s.table.each(func(id keys.RangeID, h *handle) bool {
			if d := h.r.Desc(); h.leased.Load() && d != nil && len(d.Replicas) > 1 {
				left++
				s.replicateQ.addUrgent(id)
			}
			return true
		})
		if left == 0 {
			return nil
		}
		t := time.NewTimer(50 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("drain: %d leases left: %w", left, ctx.Err())
		case <-s.ctx.Done():
			t.Stop()
			return ErrClosed
		case <-t.C:
		}
	}
}

// Undrain ends Drain.
func (s *Store) Undrain() { s.draining.Store(false) }

// ClusterChanged tells that nodes or their states have changed: every range led
// here is looked at again, and its group is woken, so that a store that has just
// restarted hears of the leader and of what it has missed. For
// liveness.Config.Changed.
func (s *Store) ClusterChanged() {
	if s.cluster.Load() == nil {
		return
	}
	for _, n := range s.cfg.Registry.Snapshot() {
		if n.Store != s.id.Store {
			s.host.WatchStore(n.Store)
		}
	}
	s.table.each(func(id keys.RangeID, h *handle) bool {
		if h.leased.Load() {
			s.replicateQ.add(id)
			if d, g := h.r.Desc(), h.g.Load(); g != nil && d != nil && len(d.Replicas) > 1 {
				g.Wake()
			}
		}
		return true
	})
}

// pulse watches for what no event announces: stores that fall silent or come
// back. It looks at stores, not at ranges.
func (s *Store) pulse(ctx context.Context) {
	t := time.NewTicker(s.cfg.PulseInterval)
	defer t.Stop()
	var last []placement.Store
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		s.gossip.refresh(s)
		now := placement.StoresOf(s.cfg.Registry.Snapshot(), s.cfg.Placement)
		if !sameHealth(last, now) {
			last = now
			s.ClusterChanged()
		}
	}
}

func sameHealth(a, b []placement.Store) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Store != b[i].Store || a[i].Alive != b[i].Alive || a[i].Dead != b[i].Dead || a[i].State != b[i].State {
			return false
		}
	}
	return true
}

// scan goes round all ranges in ScanInterval, a few at a time, and offers those
// led here to the queues.
func (s *Store) scan(ctx context.Context) {
	step := max(s.cfg.ScanInterval/600, 10*time.Millisecond)
	t := time.NewTicker(step)
	defer t.Stop()
	var round []keys.RangeID
	for at := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if at >= len(round) {
			round, at = round[:0], 0
			s.table.each(func(id keys.RangeID, h *handle) bool {
				round = append(round, id)
				return true
			})
			continue
		}
		n := max(1, (len(round)*int(step)+int(s.cfg.ScanInterval)-1)/int(s.cfg.ScanInterval))
		for ; n > 0 && at < len(round); n-- {
			if h := s.table.get(round[at]); h != nil {
				s.offer(round[at], h)
			}
			at++
		}
	}
}

// offer puts a range into the queues that may have work for it.
func (s *Store) offer(id keys.RangeID, h *handle) {
	if !h.r.Initialized() {
		return
	}
	if !h.leased.Load() {
		// A follower that was forgotten by its range: cheap to ask about once a round.
		if g := h.g.Load(); g != nil && g.Lease().Leader.Replica == 0 {
			s.removeQ.add(id)
		}
		return
	}
	s.checkSize(id, h)
	s.replicateQ.add(id)
	if d := h.r.Desc(); d.Generation != h.published.Load() {
		s.directoryQ.add(id)
	}
	s.gcQ.add(id)
	if s.cfg.RangeMinBytes > 0 || h.r.Frozen() {
		s.mergeQ.add(id)
	}
	if s.cfg.ConsistencyInterval > 0 {
		s.consistencyQ.add(id)
	}
}

// leaseGained queues what a new leaseholder should look at.
func (s *Store) leaseGained(id keys.RangeID) {
	s.directoryQ.addUrgent(id)
	s.replicateQ.add(id)
	if h := s.table.get(id); h != nil {
		s.checkSize(id, h)
		if h.r.Frozen() {
			s.mergeQ.addUrgent(id)
		}
	}
}

func (s *Store) tempDir() string {
	return s.cfg.Raft.FS.PathJoin(s.cfg.Raft.Dir, "tmp")
}

func (s *Store) emptyTempDir() error {
	fs, dir := s.cfg.Raft.FS, s.tempDir()
	if err := fs.RemoveAll(dir); err != nil {
		return fmt.Errorf("empty %s: %w", dir, err)
	}
	return fs.MkdirAll(dir, 0o755)
}

// overlap returns a replica other than id whose range overlaps [start, end).
func (s *Store) overlap(id keys.RangeID, start, end keys.Key) (keys.RangeID, *handle) {
	var oid keys.RangeID
	var oh *handle
	s.table.each(func(other keys.RangeID, h *handle) bool {
		d := h.r.Desc()
		if other != id && d != nil && bytes.Compare(d.Start, end) < 0 && bytes.Compare(start, d.End) < 0 {
			oid, oh = other, h
			return false
		}
		return true
	})
	return oid, oh
}
