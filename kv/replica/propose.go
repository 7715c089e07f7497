package replica

import (
	"context"
	"errors"
	"math"
	"sync"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/latch"
	"github.com/spanlite/spanlite/raftgroup"
)

var errInconsistentWrite = errors.New("replica: only plain reads may be inconsistent")

var pendingPool = sync.Pool{New: func() any {
	p := new(pending)
	p.proposal.Owner = p
	return p
}}

// lostCommand is a command whose proposer gave up waiting. Its latches stay until
// it is applied, or until the term in which it could be is over: what it writes
// was checked against the reads up to now, and no read may come in between.
type lostCommand struct {
	id    uint64
	term  raftgroup.Term
	guard *latch.Guard
}

// propose sends the request's writes through the log and waits until they are
// applied here. Once it is proposed the command cannot be recalled, so the wait
// does not end with the client's context but after ProposalWait.
//
// The group tells which outcomes are definite and never proposes twice by
// itself; nor does anybody here. So a command takes effect at most once, and a
// caller who is told "nothing was done" may send again (I10).
func (r *Replica) propose(ctx context.Context, req *Request) error {
	p := pendingPool.Get().(*pending)
	p.batch = req.writes
	c := command{kind: cmdWrite, stats: req.Stats, writes: req.writes.Repr()}
	if len(req.Outcomes) > 0 {
		req.trigger = appendOutcomes(req.trigger[:0], req.Outcomes)
		c.trigger = req.trigger
	}
	r.load.writeBytes.Add(uint64(len(c.writes)))
	err := r.run(ctx, p, &c, req.Lease.Term, req.guard, nil)
	if _, ambiguous := err.(*kv.AmbiguousError); ambiguous {
		req.keep = true
		return err
	}
	freePending(p)
	return err
}

func freePending(p *pending) {
	if cap(p.buf) > 256<<10 {
		p.buf = nil
	}
	p.proposal.Data = nil
	p.batch, p.desc, p.right, p.rejected = nil, nil, nil, false
	pendingPool.Put(p)
}

// run proposes c under the lease of term and waits for its application. With an
// AmbiguousError p must be left alone, and guard is released later.
func (r *Replica) run(ctx context.Context, p *pending, c *command, term raftgroup.Term, guard *latch.Guard, changes []raftgroup.MemberChange) error {
	if size := len(c.writes) + len(c.trigger); size > r.cfg.MaxCommandBytes {
		return &kv.TooLargeError{What: "command", Size: int64(size), Limit: int64(r.cfg.MaxCommandBytes)}
	}
	p.id = r.nextID.Add(1)
	c.term, c.id = term, p.id
	p.buf = c.encode(p.buf[:0])
	p.proposal.Data, p.proposal.Term = p.buf, term
	g := r.group.Load().g

	wait := ctx
	if g.Lease().Until != hlc.Max {
		// More than one voter: the answer may never come.
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.ProposalWait)
		defer cancel()
		wait = detached
	} else if ctx.Done() != nil {
		wait = context.WithoutCancel(ctx)
	}
	var err error
	if changes == nil {
		err = g.Propose(wait, &p.proposal)
	} else {
		err = g.ChangeMembers(wait, &p.proposal, changes)
	}
	switch e := err.(type) {
	case nil:
		if p.rejected {
			return r.notLeaseholder(r.Lease())
		}
		return nil
	case *raftgroup.NotLeaderError:
		return r.notLeaseholder(raftgroup.Lease{Term: e.Term, Leader: e.Leader})
	case *raftgroup.AmbiguousError:
		r.lose(p.id, term, guard)
		return &kv.AmbiguousError{Cause: e.Cause}
	}
	switch {
	case errors.Is(err, raftgroup.ErrDropped), errors.Is(err, raftgroup.ErrStopped):
		return r.notLeaseholder(r.Lease())
	}
	return err
}

// lose notes a command with an unknown outcome.
func (r *Replica) lose(id uint64, term raftgroup.Term, guard *latch.Guard) {
	r.mu.Lock()
	applied := false
	for _, o := range r.mu.orphans {
		applied = applied || o == id
	}
	if !applied {
		r.mu.lost = append(r.mu.lost, lostCommand{id, term, guard})
		r.lostCount.Store(int32(len(r.mu.lost)))
	}
	r.mu.Unlock()
	if applied {
		r.release(guard)
	} else if l := r.Lease(); l.Term != term {
		// The term ended before the command was noted.
		r.settleBefore(l.Term)
	}
}

// settle notes that a command for which nobody waits here has been applied. If it
// is one of the lost, its latches fall.
func (r *Replica) settle(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.mu.lost {
		if r.mu.lost[i].id == id {
			r.release(r.mu.lost[i].guard)
			r.mu.lost = append(r.mu.lost[:i], r.mu.lost[i+1:]...)
			r.lostCount.Store(int32(len(r.mu.lost)))
			return
		}
	}
	r.mu.orphans[r.mu.nextOrphan%len(r.mu.orphans)] = id
	r.mu.nextOrphan++
}

// settleBefore gives up the latches of the commands of earlier terms: either they
// were applied before this replica can hold a lease again, or never will be.
func (r *Replica) settleBefore(term raftgroup.Term) {
	if r.lostCount.Load() == 0 {
		return
	}
	r.mu.Lock()
	kept := r.mu.lost[:0]
	for _, l := range r.mu.lost {
		if l.term < term {
			r.release(l.guard)
		} else {
			kept = append(kept, l)
		}
	}
	r.mu.lost = kept
	r.lostCount.Store(int32(len(kept)))
	r.mu.Unlock()
}

// forever is a term above all.
const forever = raftgroup.Term(math.MaxUint64)
