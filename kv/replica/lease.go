package replica

import (
	"context"
	"errors"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/invariant"
	"github.com/spanlite/spanlite/raftgroup"
)

// leasePoll is how often a request that waits for its lease to be extended looks
// again: extensions are not announced.
const leasePoll = 10 * time.Millisecond

// lease returns the lease if it covers ts (I6) and its start has been entered
// into the timestamp cache (I8). The clock must be at ts or above.
func (r *Replica) lease(ts hlc.Timestamp) (l raftgroup.Lease, ok bool) {
	b := r.group.Load()
	if b == nil {
		return l, false
	}
	l = b.g.Lease()
	return l, (l.Covers(ts) || l.Held && invariant.Mutated(invariant.EternalLease)) && r.leaseTerm.Load() == uint64(l.Term)
}

// awaitLease waits, for a bounded time, for a lease that this replica may be
// about to get or to have extended. An error says who else to ask, or that the
// quorum seems lost.
func (r *Replica) awaitLease(ctx context.Context, ts hlc.Timestamp) error {
	start := time.Now()
	timer := time.NewTimer(leasePoll)
	defer timer.Stop()
	for {
		r.mu.Lock()
		changed := r.mu.leaseChanged
		r.mu.Unlock()
		if f := r.refuse.Load(); f != nil {
			return f.err
		}
		l, ok := r.lease(ts)
		if ok {
			return nil
		}
		b := r.group.Load()
		if b == nil || l.Leader.Replica != 0 && l.Leader.Replica != r.cfg.ReplicaID {
			return r.notLeaseholder(l)
		}
		if waited := time.Since(start); waited >= r.cfg.LeaseWait {
			if l.Leader.Replica == r.cfg.ReplicaID {
				return &kv.UnavailableError{RangeID: r.cfg.RangeID, Waited: waited, Cause: errNoQuorum}
			}
			return r.notLeaseholder(l)
		}
		b.g.Wake()
		timer.Reset(leasePoll)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// CheckLease returns nil if the replica may serve requests now, after a bounded
// wait if it is about to; else the error for the sender. For those who wait long
// for something else than the lease.
func (r *Replica) CheckLease(ctx context.Context) error {
	now := r.cfg.Clock.Now()
	if _, ok := r.lease(now); ok {
		return nil
	}
	return r.awaitLease(ctx, now)
}

var errNoQuorum = errors.New("the lease is not supported by a quorum")

// notLeaseholder returns the error that leads the sender to the leaseholder.
func (r *Replica) notLeaseholder(l raftgroup.Lease) error {
	e := &kv.NotLeaseholderError{RangeID: r.cfg.RangeID, Desc: r.desc.Load()}
	if e.Desc != nil && l.Leader.Replica != r.cfg.ReplicaID {
		e.Leaseholder, _ = findReplica(e.Desc, l.Leader.Replica)
	}
	return e
}

func (r *Replica) wakeLeaseWaiters() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.mu.leaseChanged)
	r.mu.leaseChanged = make(chan struct{})
}
