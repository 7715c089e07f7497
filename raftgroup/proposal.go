package raftgroup

import (
	"context"
	"slices"
	"sync/atomic"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/spanlite/spanlite/kv/invariant"
)

// proposalState is the part of a Proposal that the group uses while it is on its
// way. It is reused along with the Proposal.
type proposalState struct {
	// wake is signalled when the proposal is done or its waiter shall take the
	// group's turn.
	wake chan struct{}
	done atomic.Bool
	// lead: the turn was handed to the waiter. Guarded by the group's box.
	lead bool
	// abandoned: the waiter has left. Guarded by the group's box.
	abandoned bool
	err       error
	// changes make the proposal a membership change.
	changes []MemberChange
	// size bytes of group's budget are held for the proposal while group is not nil.
	group *Group
	size  int64
}

func (p *Proposal) begin(changes []MemberChange) {
	if p.wake == nil {
		p.wake = make(chan struct{}, 1)
	}
	select {
	case <-p.wake:
	default:
	}
	p.done.Store(false)
	p.lead, p.abandoned, p.err = false, false, nil
	p.changes = changes
	p.Index = 0
}

// signal wakes the waiter.
func (p *Proposal) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// finish ends the proposal. Called once, in the group's turn or at its end.
func (p *Proposal) finish(index Index, err error) {
	p.release()
	p.Index, p.err = index, err
	p.done.Store(true)
	p.signal()
}

// pendingProposal is a proposal that stands in the log and waits to be applied.
type pendingProposal struct {
	index, term uint64
	p           *Proposal
}

// Propose appends p and waits until it is applied here. If nobody is processing
// the group, the caller does, for himself and for whoever joins in meanwhile. If
// more bytes than Config allows are on their way already, it waits before that; what
// has been appended counts until it is applied, even if its proposer has left.
//
// Errors: *NotLeaderError, ErrDropped, ErrTooLarge, ErrStopped, or the context's
// error: certainly not applied. *AmbiguousError: not known; p must not be reused.
func (g *Group) Propose(ctx context.Context, p *Proposal) error {
	return g.submit(ctx, p, nil)
}

// ChangeMembers changes the configuration and waits until the change is applied
// here. p carries the command that goes with it in the same entry (it may have
// empty Data), its Term as with Propose. One change is made in a single step,
// several through a joint configuration, which the leader leaves by itself; the
// machine sees Entry.Members at both steps. Errors as with Propose, and
// *InvalidChangeError, ErrChangePending: nothing was done.
func (g *Group) ChangeMembers(ctx context.Context, p *Proposal, changes []MemberChange) error {
	if len(changes) == 0 {
		return &InvalidChangeError{Group: g.id, Reason: "no changes"}
	}
	return g.submit(ctx, p, changes)
}

func (g *Group) submit(ctx context.Context, p *Proposal, changes []MemberChange) error {
	if len(p.Data) > g.h.cfg.MaxEntrySize {
		return ErrTooLarge
	}
	if err := g.admit(ctx, p); err != nil {
		return err
	}
	p.begin(changes)
	g.box.Lock()
	if err := g.box.closed; err != nil {
		g.box.Unlock()
		p.release()
		return err
	}
	g.box.proposals = append(g.box.proposals, p)
	// During a sync commands gather: none of them can be applied before the group's
	// next one, and one turn for all costs half the processor time (DESIGN.md, section 8).
	if g.box.busy || g.box.syncing {
		g.box.Unlock()
	} else {
		g.box.busy = true
		g.box.Unlock()
		g.runTurn(p)
	}
	return g.await(ctx, p)
}

// await waits until p is done, taking the turn when it is handed over.
func (g *Group) await(ctx context.Context, p *Proposal) error {
	for {
		if p.done.Load() {
			return p.err
		}
		select {
		case <-p.wake:
			if p.done.Load() {
				return p.err
			}
			g.box.Lock()
			lead := p.lead
			p.lead = false
			g.box.Unlock()
			if lead {
				g.runTurn(p)
			}
		case <-ctx.Done():
			return g.leave(ctx, p)
		}
	}
}

// leave gives p up because its waiter's context has ended.
func (g *Group) leave(ctx context.Context, p *Proposal) error {
	g.box.Lock()
	lead := p.lead
	p.lead = false
	if i := slices.Index(g.box.proposals, p); i >= 0 {
		g.box.proposals = slices.Delete(g.box.proposals, i, i+1)
		g.box.Unlock()
		p.release()
		if lead {
			g.passOn()
		}
		return context.Cause(ctx)
	}
	p.abandoned = true
	g.box.Unlock()
	if lead {
		g.passOn()
	}
	if p.done.Load() {
		return p.err
	}
	return &AmbiguousError{Group: g.id, Cause: context.Cause(ctx)}
}

// propose puts all waiting commands into the log with one message.
func (g *Group) propose() {
	if len(g.taken) == 0 {
		return
	}
	st := g.rn.BasicStatus()
	var ents []raftpb.Entry
	batch := g.taken[:0]
	for _, p := range g.taken {
		if st.RaftState != raft.StateLeader || uint64(p.Term) != st.Term || g.lettingGo == st.Term {
			p.finish(0, &NotLeaderError{Group: g.id, Term: Term(st.Term), Leader: g.leader(st.Lead)})
			continue
		}
		e := raftpb.Entry{Type: raftpb.EntryNormal, Data: p.Data}
		if invariant.Mutated(invariant.EarlyAck) {
			e.Data = append([]byte(nil), p.Data...)
		}
		if p.changes != nil {
			if err := g.checkChange(p.changes); err != nil {
				p.finish(0, err)
				continue
			}
			data, err := marshalChange(encodeChange(p.changes, p.Data))
			if err != nil {
				p.finish(0, err)
				continue
			}
			g.changing = true
			e.Type, e.Data = raftpb.EntryConfChangeV2, data
		}
		ents = append(ents, e)
		batch = append(batch, p)
	}
	if len(ents) == 0 {
		return
	}
	// Raft fills in the positions, in place.
	err := g.rn.Step(raftpb.Message{Type: raftpb.MsgProp, From: uint64(g.replica), Entries: ents})
	for i, p := range batch {
		refused := p.changes != nil && ents[i].Type != raftpb.EntryConfChangeV2
		if p.changes != nil && (err != nil || refused) {
			g.changing = false
		}
		switch {
		case err != nil:
			p.finish(0, &NotLeaderError{Group: g.id, Term: Term(st.Term), Leader: g.leader(st.Lead)})
		case refused:
			// A change of an earlier term is not applied yet: raft has put an empty entry
			// in the place of this one.
			p.finish(0, ErrChangePending)
		case p.changes == nil && !g.alone() && invariant.Mutated(invariant.EarlyAck):
			p.finish(Index(ents[i].Index), nil)
		default:
			g.pending = append(g.pending, pendingProposal{index: ents[i].Index, term: ents[i].Term, p: p})
		}
	}
	if err == nil {
		g.h.cfg.Metrics.Proposals.Add(int64(len(batch)))
	}
	if err == nil && !g.alone() {
		// Retransmission takes a ticker.
		g.h.wake(g)
	}
}
