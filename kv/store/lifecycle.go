package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
)

// machine is the replica as its group sees it, with the store's say about
// snapshots.
type machine struct {
	*replica.Replica
	h *handle
}

// errSplitUnderWay: the followers are about to make their replicas themselves.
var errSplitUnderWay = errors.New("store: snapshots wait until the split has reached the followers")

// CreateSnapshot implements raftgroup.StateMachine. Right after a split the right
// side's leader finds followers without state, because they have not applied the
// split yet. An image of half the range would be wasted on them.
func (m machine) CreateSnapshot() (raftgroup.SnapshotSource, error) {
	if time.Now().UnixNano() < m.h.holdOff.Load() {
		return nil, errSplitUnderWay
	}
	return m.Replica.CreateSnapshot()
}

// hooks connects a replica to the store.
func (s *Store) hooks(h *handle) replica.Hooks {
	return replica.Hooks{
		PrepareSplit:   s.prepareSplit,
		AfterSplit:     s.afterSplit,
		PrepareMerge:   s.prepareMerge,
		AfterMerge:     s.afterMerge,
		BeforeSnapshot: func(r *replica.Replica, d *kv.RangeDescriptor) error { return s.beforeSnapshot(h, r, d) },
		DescriptorChanged: func(r *replica.Replica, d *kv.RangeDescriptor) {
			s.descriptorChanged(h, r, d)
		},
		Removed:      func(r *replica.Replica) { s.removeQ.addUrgent(r.RangeID()) },
		LeaseChanged: func(r *replica.Replica, l raftgroup.Lease) { s.leaseChanged(h, r, l) },
		Checksum:     s.onChecksum,
	}
}

func (s *Store) leaseChanged(h *handle, r *replica.Replica, l raftgroup.Lease) {
	if h.leased.Load() == l.Held {
		return
	}
	h.leased.Store(l.Held)
	id := r.RangeID()
	if l.Held {
		s.metrics.Leases.Add(1)
		if f := s.cfg.Events.LeaseAcquired; f != nil {
			f(id, l)
		}
		if s.cluster.Load() != nil {
			s.leaseGained(id)
		}
		return
	}
	s.metrics.Leases.Add(-1)
	if f := s.cfg.Events.LeaseLost; f != nil {
		f(id, l)
	}
}

func (s *Store) descriptorChanged(h *handle, r *replica.Replica, d *kv.RangeDescriptor) {
	id := r.RangeID()
	if c := s.cluster.Load(); c != nil && c.Learn != nil {
		c.Learn(d)
	}
	if id == keys.MetaRangeID {
		s.gossip.dirty.Store(true)
	}
	s.gossip.descChanged.broadcast()
	if h.leased.Load() {
		s.directoryQ.addUrgent(id)
		s.replicateQ.add(id)
	}
}

// onUnknownGroup opens an uninitialised replica for a message to a replica that
// the store does not have (see raftgroup.Config).
func (s *Store) onUnknownGroup(id keys.RangeID, to keys.ReplicaID, from raftgroup.Member) error {
	if s.closed.Load() {
		return ErrClosed
	}
	unlock := s.locks.lock(id)
	defer unlock()
	if _, ok := s.splitting.Load(id); ok {
		return errSplitUnderWay // its state is being written this moment
	}
	least, err := replica.Tombstone(s.cfg.Engine, id)
	if err != nil {
		return err
	}
	if to < least {
		return raftgroup.ErrReplicaRemoved
	}
	if old := s.table.get(id); old != nil {
		switch {
		case old.r.ReplicaID() > to:
			return raftgroup.ErrReplicaRemoved
		case old.r.ReplicaID() == to:
			return nil // opened meanwhile
		}
		// The range has removed the older replica and added this one.
		if err := s.destroyLocked(id, old, to, false); err != nil {
			return err
		}
	}
	_, err = s.openLocked(id, to, nil)
	return err
}

// onReplicaGone takes a hint that a replica was removed from its range.
func (s *Store) onReplicaGone(id keys.RangeID, replicaID keys.ReplicaID) {
	if h := s.table.get(id); h != nil && h.r.ReplicaID() == replicaID {
		s.removeQ.add(id)
	}
}

func (s *Store) onGroupFailed(id keys.RangeID, replicaID keys.ReplicaID, err error) {
	h := s.table.get(id)
	if h == nil || h.r.ReplicaID() != replicaID || s.closed.Load() {
		return
	}
	select {
	case <-h.gone: // it is being replaced, and was told to give up
		return
	default:
	}
	h.failed.Store(&err)
	h.r.Shut()
	s.metrics.FailedReplicas.Add(1)
	if f := s.cfg.Events.ReplicaFailed; f != nil {
		f(id, replicaID, err)
	}
	if !h.r.Initialized() {
		s.removeQ.addUrgent(id) // it has nothing to lose; the next message makes it anew
	}
}

// destroyLocked stops a replica and removes its data, leaving a tombstone for ids
// below next (I5). The caller holds the range lock and is not inside of a step of
// the same group.
//
// Order: the group stops, data and tombstone change in one batch, the batch
// becomes durable, the log forgets the group. A crash in between leaves a
// replica that is found again and removed again.
func (s *Store) destroyLocked(id keys.RangeID, h *handle, next keys.ReplicaID, keepData bool) error {
	h.leave()
	if g := h.g.Load(); g != nil {
		g.Stop()
	}
	s.forget(id, h)
	if err := h.r.Destroy(next, keepData); err != nil {
		return err
	}
	if err := s.cfg.Engine.Flush(); err != nil {
		return err
	}
	if err := s.host.Remove(id); err != nil {
		return fmt.Errorf("remove %s from the log: %w", id, err)
	}
	s.metrics.ReplicasDestroyed.Add(1)
	if f := s.cfg.Events.ReplicaRemoved; f != nil {
		f(id, h.r.ReplicaID())
	}
	return nil
}

// destroyUnopened removes a replica that was found at start and has no place in
// its range any more.
func (s *Store) destroyUnopened(id keys.RangeID, next keys.ReplicaID) error {
	rc := s.cfg.Replica
	rc.RangeID, rc.ReplicaID, rc.Node, rc.Store = id, max(next, 2)-1, s.id.Node, s.id.Store
	rc.Engine, rc.Clock, rc.NewParticipant, rc.TempDir = s.cfg.Engine, s.cfg.Clock, s.cfg.NewParticipant, s.tempDir()
	r, err := replica.New(rc)
	if err != nil {
		return err
	}
	if err := r.Destroy(next, false); err != nil {
		return err
	}
	if err := s.cfg.Engine.Flush(); err != nil {
		return err
	}
	return s.host.Remove(id)
}

// processRemove removes a replica that is not a member of its range any more. The
// directory decides: only a row of a higher generation than the replica's own
// descriptor proves that.
func (s *Store) processRemove(ctx context.Context, id keys.RangeID, h *handle) (time.Duration, error) {
	d := h.r.Desc()
	if d == nil {
		if h.failed.Load() == nil {
			return 0, nil
		}
		unlock := s.locks.lock(id)
		defer unlock()
		if s.table.get(id) != h {
			return 0, nil
		}
		if g := h.g.Load(); g != nil {
			g.Stop()
		}
		s.forget(id, h)
		return 0, nil
	}
	next := keys.ReplicaID(0)
	if rd, member := d.Replica(s.id.Store); member && rd.Replica == h.r.ReplicaID() {
		now, err := s.readDirectoryRow(ctx, d.Start)
		if err != nil {
			return 0, err
		}
		if now == nil || now.Generation <= d.Generation {
			return 0, nil // nothing newer: it stays
		}
		if now.RangeID == id {
			if rd, still := now.Replica(s.id.Store); still && rd.Replica == h.r.ReplicaID() {
				return 0, nil
			}
			next = now.NextReplicaID
		} else if s.table.get(now.RangeID) != nil {
			return 0, nil // merged away; the left neighbour here will apply that
		} else {
			next = ^keys.ReplicaID(0)
		}
	} else {
		next = d.NextReplicaID
	}
	unlock := s.locks.lock(id)
	defer unlock()
	if s.table.get(id) != h {
		return 0, nil
	}
	return 0, s.destroyLocked(id, h, next, false)
}

// prepareSplit runs before the batch of a split is committed.
func (s *Store) prepareSplit(left *replica.Replica, t *replica.SplitTrigger, _ *storage.Batch) (keep bool, err error) {
	id := t.Right.RangeID
	rd, ok := t.Right.Replica(s.id.Store)
	if !ok {
		return false, nil
	}
	unlock := s.locks.lock(id)
	defer unlock()
	least, err := replica.Tombstone(s.cfg.Engine, id)
	if err != nil || rd.Replica < least {
		return false, err
	}
	if h := s.table.get(id); h != nil {
		switch {
		case h.r.ReplicaID() > rd.Replica:
			return false, nil // removed and added again before we got here
		case h.r.Initialized():
			return false, fmt.Errorf("store: split of %s makes %s, which is here already", left.RangeID(), id)
		}
		// Voted perhaps, but without state. What it has promised stays in the log.
		h.leave() // before Stop: its step may wait in beforeSnapshot for this split
		if g := h.g.Load(); g != nil {
			g.Stop()
		}
		s.forget(id, h)
	}
	if err := s.host.Prepare(id, rd.Replica); err != nil {
		if errors.Is(err, raftgroup.ErrReplicaRemoved) {
			return false, nil
		}
		return false, fmt.Errorf("prepare %s: %w", id, err)
	}
	s.splitting.Store(id, struct{}{})
	return true, nil
}

// afterSplit runs after the batch of a split is committed. The flush comes before
// the right group writes its first entry: a log that knows entries of a range
// whose state the engine does not have cannot come into being.
func (s *Store) afterSplit(left *replica.Replica, t *replica.SplitTrigger, kept bool) error {
	s.metrics.Splits.Add(1)
	if !kept {
		return nil
	}
	if err := s.cfg.Engine.Flush(); err != nil {
		return err
	}
	id := t.Right.RangeID
	rd, _ := t.Right.Replica(s.id.Store)
	unlock := s.locks.lock(id)
	defer unlock()
	s.splitting.Delete(id)
	h, err := s.openLocked(id, rd.Replica, func(r *replica.Replica, h *handle) {
		r.Seed(t.Handover)
		if len(t.Right.Replicas) > 1 {
			h.holdOff.Store(time.Now().Add(s.cfg.SplitHoldOff).UnixNano())
		}
	})
	if err != nil {
		return err
	}
	if f := s.cfg.Events.RangeSplit; f != nil {
		f(&t.Left, &t.Right)
	}
	// The side whose reads were served here goes on without a pause if this store
	// leads it.
	if left.Lease().Held {
		h.g.Load().Campaign()
	}
	return nil
}

// prepareMerge runs before the batch of a merge is committed.
func (s *Store) prepareMerge(left *replica.Replica, m *replica.MergeTrigger, _ *storage.Batch) error {
	h := s.table.get(m.Right.RangeID)
	if h == nil {
		return fmt.Errorf("store: merge of %s into %s, which is not here", m.Right.RangeID, left.RangeID())
	}
	if g := h.g.Load(); g != nil {
		g.Stop()
	}
	// It may have applied more: a new leader begins with an empty entry. Members and
	// bounds are those of the freeze.
	at, _ := h.r.AppliedIndex()
	if gen := h.r.Desc().Generation; at < m.FrozenIndex || !h.r.Frozen() || gen != m.Right.Generation {
		return fmt.Errorf("store: merge of %s of generation %d, frozen at %d; it is at %d, generation %d, frozen %t",
			m.Right.RangeID, m.Right.Generation, m.FrozenIndex, at, gen, h.r.Frozen())
	}
	return nil
}

// afterMerge runs after the batch of a merge is committed. The flush comes before
// the log forgets the right range, so that a replay never misses it.
func (s *Store) afterMerge(left *replica.Replica, m *replica.MergeTrigger) error {
	s.metrics.Merges.Add(1)
	id := m.Right.RangeID
	if err := s.cfg.Engine.Flush(); err != nil {
		return err
	}
	unlock := s.locks.lock(id)
	defer unlock()
	if h := s.table.get(id); h != nil {
		h.r.Shut()
		s.forget(id, h)
	}
	if err := s.host.Remove(id); err != nil {
		return fmt.Errorf("remove %s from the log: %w", id, err)
	}
	if f := s.cfg.Events.RangesMerged; f != nil {
		f(&m.Left, &m.Right)
	}
	return nil
}

// snapshotConflictWait bounds how long a received snapshot waits for another
// replica to get out of its way.
const snapshotConflictWait = 10 * time.Second

// beforeSnapshot makes sure that no other replica of this store overlaps what a
// snapshot is about to install. Three cases:
//
//   - a neighbour that was merged away by an entry which the snapshot stands for:
//     frozen, or proven by the snapshot's generation to be superseded. It is
//     removed, its data are replaced by the snapshot;
//   - the left side of the split that made this range, which has not applied the
//     split yet: wait; prepareSplit ends this replica and makes it anew;
//   - a replica that was removed from its range and does not know yet: have it
//     looked at, and wait.
func (s *Store) beforeSnapshot(h *handle, r *replica.Replica, d *kv.RangeDescriptor) error {
	deadline := time.NewTimer(snapshotConflictWait)
	defer deadline.Stop()
	initialized := r.Initialized()
	for {
		changed := s.gossip.descChanged.wait()
		oid, oh := s.overlap(r.RangeID(), d.Start, d.End)
		if oh == nil {
			if !initialized {
				s.metrics.Uninitialized.Add(-1)
				s.metrics.Ranges.Add(1)
			}
			return nil
		}
		od := oh.r.Desc()
		if oh.r.Frozen() && string(od.Start) >= string(d.Start) && string(od.End) <= string(d.End) && od.Generation < d.Generation {
			unlock := s.locks.lock(oid)
			err := s.destroyLocked(oid, oh, ^keys.ReplicaID(0), true)
			unlock()
			if err != nil {
				return err
			}
			continue
		}
		s.removeQ.add(oid)
		retry := time.NewTimer(100 * time.Millisecond)
		select {
		case <-changed:
		case <-retry.C:
		case <-h.gone:
			retry.Stop()
			return fmt.Errorf("store: snapshot of %s given up: the replica is being replaced", r.RangeID())
		case <-deadline.C:
			retry.Stop()
			return fmt.Errorf("store: snapshot of %s overlaps %s", r.RangeID(), oid)
		}
		retry.Stop()
	}
}
