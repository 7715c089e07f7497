package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/kv/placement"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/raftgroup"
)

// maxLag is how many entries a replica may be behind and still count as caught
// up: raft brings it the rest in an instant.
const maxLag = 200

// processReplicate carries out the first move that kv/placement plans for a range
// led here.
func (s *Store) processReplicate(ctx context.Context, id keys.RangeID, h *handle) (time.Duration, error) {
	if ok, again := h.mayAct(); !ok {
		return again, nil
	}
	if h.r.Frozen() {
		return time.Second, nil // it stays as it is until its merge is settled
	}
	d := h.r.Desc()
	moves := placement.Plan(s.cfg.Placement, s.stores(), s.placed(id, h, d))
	if len(moves) == 0 {
		for _, rd := range d.Replicas {
			if rd.Role != kv.Voter {
				return time.Second, nil // a learner that lags, or a joint configuration
			}
		}
		return 0, nil
	}
	m := moves[0]
	if !m.Urgent && m.Kind != placement.Remove && !s.draining.Load() {
		// One move for balance at a time and not too many a second, since the
		// figures that justify it are some seconds old.
		now := time.Now().UnixMicro()
		if wait := s.lastBalance.Load() + s.cfg.BalanceInterval.Microseconds() - now; wait > 0 {
			return time.Duration(wait) * time.Microsecond, nil
		}
		s.lastBalance.Store(now)
	}
	if err := s.carryOut(ctx, id, h, m); err != nil {
		return 0, fmt.Errorf("%s: %w", m, err)
	}
	if f := s.cfg.Events.Moved; f != nil {
		f(id, m)
	}
	return 10 * time.Millisecond, nil // there may be more to do
}

// stores is the cluster as placement sees it, with this store's own figures of
// this moment.
func (s *Store) stores() []placement.Store {
	list := placement.StoresOf(s.cfg.Registry.Snapshot(), s.cfg.Placement)
	for i := range list {
		if list[i].Store != s.id.Store {
			continue
		}
		list[i].Alive, list[i].Dead = true, false
		list[i].Load.Ranges, list[i].Load.Leases = int32(s.metrics.Ranges.Load()), int32(s.metrics.Leases.Load())
		if s.draining.Load() && list[i].State == liveness.Live {
			list[i].State = liveness.Draining
		}
	}
	return list
}

// placed describes a range for placement.
func (s *Store) placed(id keys.RangeID, h *handle, d *kv.RangeDescriptor) placement.Range {
	r := placement.Range{Desc: d, Leaseholder: s.id.Store, Bytes: rangeStats(h.r), QPS: s.qps(h)}
	if g := h.g.Load(); g != nil && len(d.Replicas) > 1 {
		st := g.Status()
		r.Behind = func(store keys.StoreID) bool { return behind(&st, store) }
	}
	return r
}

// qps returns the range's batches per second since the last look.
func (s *Store) qps(h *handle) float64 {
	l := h.r.Load()
	n, now := l.Reads+l.Writes, time.Now().UnixMicro()
	h.mu.Lock()
	defer h.mu.Unlock()
	if dt := now - h.mu.lastMicro; dt > 1e6 {
		if h.mu.lastMicro != 0 {
			h.mu.qps = float64(n-h.mu.lastLoad) / (float64(dt) / 1e6)
		}
		h.mu.lastLoad, h.mu.lastMicro = n, now
	}
	return h.mu.qps
}

// behind reports whether the leader knows the follower on a store to lag.
func behind(st *raftgroup.Status, store keys.StoreID) bool {
	for _, f := range st.Followers {
		if f.Member.Store == store {
			return f.State != "replicate" || f.Match+maxLag < st.Commit
		}
	}
	return true
}

// carryOut makes one move. The waits inside honour ctx.
func (s *Store) carryOut(ctx context.Context, id keys.RangeID, h *handle, m placement.Move) error {
	switch m.Kind {
	case placement.Add:
		return s.addReplica(ctx, id, h, m.To, m.ToNode, 0)
	case placement.Replace:
		return s.addReplica(ctx, id, h, m.To, m.ToNode, m.From)
	case placement.Promote:
		return s.change(ctx, id, h, replica.ReplicaChange{Type: raftgroup.AddVoter, Node: m.ToNode, Store: m.To})
	case placement.Remove:
		if err := s.change(ctx, id, h, replica.ReplicaChange{Type: raftgroup.RemoveMember, Store: m.From}); err != nil {
			return err
		}
		s.metrics.ReplicasRemoved.Add(1)
		return nil
	case placement.TransferLease:
		return s.transferLease(ctx, h, m.To)
	}
	return fmt.Errorf("store: unknown move %d", m.Kind)
}

func (s *Store) transferLease(ctx context.Context, h *handle, to keys.StoreID) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := h.r.TransferLease(ctx, to); err != nil {
		return err
	}
	s.metrics.LeaseTransfers.Add(1)
	return nil
}

// change changes the members and publishes the result.
func (s *Store) change(ctx context.Context, id keys.RangeID, h *handle, changes ...replica.ReplicaChange) error {
	changeCtx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err := h.r.ChangeReplicas(changeCtx, changes, h.r.Desc().Generation)
	if err != nil {
		return err
	}
	s.directoryQ.addUrgent(id)
	return nil
}

// addReplica puts a replica on a store in three steps: a learner; a wait until it
// has got a snapshot and caught up; its promotion, together with the removal of
// the one on from, if any, through a joint configuration, so that the range never
// depends on fewer replicas than before. If it fails in between, a learner is left
// behind, which the next plan promotes or removes.
func (s *Store) addReplica(ctx context.Context, id keys.RangeID, h *handle, to keys.StoreID, node keys.NodeID, from keys.StoreID) error {
	if rd, ok := h.r.Desc().Replica(to); !ok {
		if err := s.change(ctx, id, h, replica.ReplicaChange{Type: raftgroup.AddLearner, Node: node, Store: to}); err != nil {
			return err
		}
	} else if rd.Role == kv.Voter && from == 0 {
		return nil
	}
	if err := s.awaitCaughtUp(ctx, h, to); err != nil {
		return err
	}
	changes := []replica.ReplicaChange{{Type: raftgroup.AddVoter, Node: node, Store: to}}
	if from != 0 {
		changes = append(changes, replica.ReplicaChange{Type: raftgroup.RemoveMember, Store: from})
	}
	if err := s.change(ctx, id, h, changes...); err != nil {
		return err
	}
	s.metrics.ReplicasAdded.Add(1)
	if from != 0 {
		s.metrics.ReplicasRemoved.Add(1)
		return s.awaitSimple(ctx, h)
	}
	return nil
}

// poll calls done with growing pauses until it returns true or an error, the range
// moves away, or ctx ends.
func (s *Store) poll(ctx context.Context, h *handle, timeout time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	pause := 2 * time.Millisecond
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if !h.leased.Load() {
			return &kv.NotLeaseholderError{RangeID: h.r.RangeID(), Desc: h.r.Desc()}
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		case <-h.gone:
			t.Stop()
			return ErrClosed
		}
		pause = min(pause*2, 200*time.Millisecond)
	}
}

// awaitCaughtUp waits until a learner has the range. It gives up at once when the
// learner's store falls silent: the next plan decides what becomes of it, and the
// range's other work must not wait for a dead store.
func (s *Store) awaitCaughtUp(ctx context.Context, h *handle, to keys.StoreID) error {
	return s.poll(ctx, h, s.cfg.CatchUpTimeout, fmt.Sprintf("the learner on %s", to), func() (bool, error) {
		g := h.g.Load()
		if g == nil {
			return false, nil
		}
		st := g.Status()
		if !behind(&st, to) {
			return true, nil
		}
		for _, other := range s.stores() {
			if other.Store == to && !other.Alive {
				return false, fmt.Errorf("store: %s does not answer", to)
			}
		}
		return false, nil
	})
}

// awaitSimple waits until the range has left its joint configuration.
func (s *Store) awaitSimple(ctx context.Context, h *handle) error {
	return s.poll(ctx, h, 30*time.Second, "the end of the joint configuration", func() (bool, error) {
		for _, rd := range h.r.Desc().Replicas {
			if rd.Role == kv.VoterIncoming || rd.Role == kv.VoterOutgoing {
				return false, nil
			}
		}
		return true, nil
	})
}

// AdminTransferLease hands the lease of a range led here to another store.
func (s *Store) AdminTransferLease(ctx context.Context, id keys.RangeID, to keys.StoreID) error {
	h, err := s.leader(id)
	if err != nil {
		return err
	}
	return s.transferLease(ctx, h, to)
}

// AdminMove moves the replica of a range led here from one store to another. If
// it is this store's own, the lease is given away first and NotLeaseholderError
// tells where to ask next.
func (s *Store) AdminMove(ctx context.Context, id keys.RangeID, from, to keys.StoreID) error {
	h, err := s.leader(id)
	if err != nil {
		return err
	}
	node, ok := s.cfg.Registry.StoreNode(to)
	if !ok {
		return fmt.Errorf("store: %s is not known", to)
	}
	d := h.r.Desc()
	if _, ok := d.Replica(from); !ok {
		return fmt.Errorf("store: %s has no replica on %s", id, from)
	}
	if from == s.id.Store {
		for _, rd := range d.Replicas {
			if rd.Store != from && rd.Role == kv.Voter {
				if err := s.transferLease(ctx, h, rd.Store); err != nil {
					return err
				}
				return &kv.NotLeaseholderError{RangeID: id, Leaseholder: rd, Desc: d}
			}
		}
		// The only replica: the new one takes over, then removes this one.
		if err := s.addReplica(ctx, id, h, to, node, 0); err != nil {
			return err
		}
		if err := s.transferLease(ctx, h, to); err != nil {
			return err
		}
		rd, _ := h.r.Desc().Replica(to)
		return &kv.NotLeaseholderError{RangeID: id, Leaseholder: rd, Desc: h.r.Desc()}
	}
	if rd, ok := d.Replica(to); ok && rd.Role == kv.Voter {
		return s.change(ctx, id, h, replica.ReplicaChange{Type: raftgroup.RemoveMember, Store: from})
	}
	return s.addReplica(ctx, id, h, to, node, from)
}

// relocate makes the voters of a range led here be exactly the given stores, this
// one among them.
func (s *Store) relocate(ctx context.Context, id keys.RangeID, h *handle, stores []keys.StoreID) error {
	want := make(map[keys.StoreID]bool, len(stores))
	for _, st := range stores {
		want[st] = true
	}
	if !want[s.id.Store] {
		return errors.New("store: the leaseholder must stay")
	}
	for _, st := range stores {
		if rd, ok := h.r.Desc().Replica(st); ok && rd.Role == kv.Voter {
			continue
		}
		node, ok := s.cfg.Registry.StoreNode(st)
		if !ok {
			return fmt.Errorf("store: %s is not known", st)
		}
		if err := s.addReplica(ctx, id, h, st, node, 0); err != nil {
			return err
		}
	}
	for _, rd := range h.r.Desc().Replicas {
		if !want[rd.Store] {
			if err := s.change(ctx, id, h, replica.ReplicaChange{Type: raftgroup.RemoveMember, Store: rd.Store}); err != nil {
				return err
			}
		}
	}
	return nil
}
