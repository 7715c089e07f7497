package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
)

// checksums holds the results of consistency checks on this store until their
// leaseholder has fetched them.
type checksums struct {
	mu   sync.Mutex
	done map[checkKey]*check
}

type checkKey struct {
	r  keys.RangeID
	id uint64
}

type check struct {
	ready chan struct{}
	sum   [32]byte
	err   error
	at    time.Time
}

const (
	// maxChecks bounds the results kept; the oldest go first.
	maxChecks = 64
	// checkTimeout bounds one check.
	checkTimeout = 5 * time.Minute
	// checkRate is the speed of reading for checks, in bytes per second.
	checkRate = 32 << 20
)

func (c *checksums) get(k checkKey) *check {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(map[checkKey]*check)
	}
	e := c.done[k]
	if e == nil {
		if len(c.done) >= maxChecks {
			var oldest checkKey
			for k, e := range c.done {
				if o := c.done[oldest]; o == nil || e.at.Before(o.at) {
					oldest = k
				}
			}
			delete(c.done, oldest)
		}
		e = &check{ready: make(chan struct{}), at: time.Now()}
		c.done[k] = e
	}
	return e
}

// onChecksum is replica.Hooks.Checksum.
func (s *Store) onChecksum(r *replica.Replica, id uint64, _ raftgroup.Index, d *kv.RangeDescriptor, snap *storage.Snapshot) {
	e := s.checks.get(checkKey{r.RangeID(), id})
	select {
	case <-e.ready: // applied again after a restart of the group
		_ = snap.Close()
		return
	default:
	}
	started := s.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		pace := func(n int) error { return sleep(ctx, time.Duration(n)*time.Second/checkRate) }
		e.sum, e.err = replica.ComputeChecksum(ctx, snap, d, pace)
		e.err = errors.Join(e.err, snap.Close())
		close(e.ready)
	})
	if !started {
		_ = snap.Close()
	}
}

// checksumHere waits for the result of a check on this store.
func (s *Store) checksumHere(ctx context.Context, r keys.RangeID, id uint64) ([32]byte, error) {
	e := s.checks.get(checkKey{r, id})
	select {
	case <-e.ready:
		return e.sum, e.err
	case <-ctx.Done():
		return [32]byte{}, fmt.Errorf("checksum of %s: %w", r, ctx.Err())
	case <-s.ctx.Done():
		return [32]byte{}, ErrClosed
	}
}

// AdminCheck compares the replicas of a range led here and returns the stores
// whose replicas differ from the majority's. Stores that do not answer are left
// out.
func (s *Store) AdminCheck(ctx context.Context, id keys.RangeID) (bad []keys.StoreID, err error) {
	h, err := s.leader(id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	checkID := uint64(s.cfg.Clock.Now())
	d := h.r.Desc()
	if _, err := h.r.Checksum(ctx, checkID); err != nil {
		return nil, err
	}
	sums := make(map[keys.StoreID][32]byte)
	votes := make(map[[32]byte]int)
	for _, rd := range d.Replicas {
		if rd.Role != kv.Voter {
			continue
		}
		var sum [32]byte
		if rd.Store == s.id.Store {
			sum, err = s.checksumHere(ctx, id, checkID)
		} else {
			var reply *AdminReply
			reply, err = s.ask(ctx, rd.Node, &AdminRequest{Verb: VerbChecksum, Range: id, ID: checkID})
			if err == nil {
				copy(sum[:], reply.Checksum)
			}
		}
		if err != nil {
			if rd.Store == s.id.Store {
				return nil, err
			}
			continue
		}
		sums[rd.Store] = sum
		votes[sum]++
	}
	s.metrics.ConsistencyChecks.Add(1)
	if f := s.cfg.Events.ConsistencyChecked; f != nil {
		f(id)
	}
	var majority [32]byte
	for sum, n := range votes {
		if n > votes[majority] || n == votes[majority] && sum == sums[s.id.Store] {
			majority = sum
		}
	}
	for store, sum := range sums {
		if sum != majority {
			bad = append(bad, store)
		}
	}
	return bad, nil
}

// processConsistency compares the replicas of a range. One that differs from the
// majority is quarantined: removed from the range, which destroys its data, so
// that a fresh one is made from a good one. Without a majority against it nothing
// is done but to report.
func (s *Store) processConsistency(ctx context.Context, id keys.RangeID, h *handle) (time.Duration, error) {
	if s.cfg.ConsistencyInterval == 0 || !h.holdsLease() || h.r.Frozen() {
		return 0, nil
	}
	d := h.r.Desc()
	if len(d.Replicas) < 2 {
		return 0, nil
	}
	now := time.Now().UnixMicro()
	h.mu.Lock()
	due := now-h.mu.lastChecked >= s.cfg.ConsistencyInterval.Microseconds()
	if h.mu.lastChecked == 0 {
		// A restart is no reason to read everything at once: begin somewhere in the
		// interval, as the id falls.
		due = false
		h.mu.lastChecked = now - int64(uint64(id)*2654435761%uint64(s.cfg.ConsistencyInterval.Microseconds()))
	}
	if due {
		h.mu.lastChecked = now
	}
	h.mu.Unlock()
	if !due {
		return 0, nil
	}
	bad, err := s.AdminCheck(ctx, id)
	if err != nil || len(bad) == 0 {
		return 0, err
	}
	s.metrics.ReplicasDiffer.Add(uint64(len(bad)))
	if f := s.cfg.Events.ReplicasDiffer; f != nil {
		f(id, bad)
	}
	if len(bad)*2 >= len(d.Replicas) {
		return 0, nil
	}
	for _, store := range bad {
		if store == s.id.Store {
			for _, rd := range d.Replicas {
				if rd.Store != store && rd.Role == kv.Voter {
					return 0, s.transferLease(ctx, h, rd.Store) // the next leaseholder finds it again
				}
			}
			continue
		}
		if err := s.change(ctx, id, h, replica.ReplicaChange{Type: raftgroup.RemoveMember, Store: store}); err != nil {
			return 0, err
		}
		s.replicateQ.addUrgent(id)
	}
	return 0, nil
}
