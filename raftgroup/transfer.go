package raftgroup

import (
	"context"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// This file hands leadership over; DESIGN.md, section 4.

// TransferLeader hands leadership to a voter and waits until it is gone, at most
// for two election timeouts: then ErrTransferFailed. From the moment at which the
// other may campaign, this replica holds no lease under its present term.
func (g *Group) TransferLeader(ctx context.Context, to ReplicaID) error {
	var term uint64
	started := make(chan error, 1)
	ok := g.callOr(func() {
		term = g.term
		started <- g.beginTransfer(to)
	}, func() { started <- ErrStopped })
	if !ok {
		return ErrStopped
	}
	select {
	case err := <-started:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	timeout := time.NewTimer(2 * time.Duration(g.h.cfg.ElectionTicks) * g.h.cfg.TickInterval)
	defer timeout.Stop()
	ticker := time.NewTicker(g.h.cfg.TickInterval / 4)
	defer ticker.Stop()
	for {
		l := g.lease.Load()
		if uint64(l.term) > term && l.leader.Replica != g.replica && l.leader.Replica != 0 {
			return nil
		}
		select {
		case <-ticker.C:
		case <-timeout.C:
			// This replica still leads perhaps, without a lease: it stands again.
			g.call(func() { g.standAgain(term) })
			return ErrTransferFailed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// beginTransfer lets go of the leadership in favour of a voter. In the group's turn.
func (g *Group) beginTransfer(to ReplicaID) error {
	st := g.rn.BasicStatus()
	if st.RaftState != raft.StateLeader {
		return &NotLeaderError{Group: g.id, Term: Term(st.Term), Leader: g.leader(st.Lead)}
	}
	target := slices.IndexFunc(g.members, func(m Member) bool { return m.Replica == to && m.isVoter() })
	if target < 0 || to == g.replica {
		return ErrTransferFailed
	}
	// The lease goes first: the message that lets the other campaign is sent after
	// this is published, and carries a later clock.
	g.lettingGo, g.lettingGoTicks = st.Term, 0
	g.publish()
	g.rn.TransferLeader(uint64(to))
	g.h.wake(g)
	return nil
}

// standAgain ends a leadership that was let go of and not taken up.
func (g *Group) standAgain(term uint64) {
	st := g.rn.BasicStatus()
	if st.RaftState == raft.StateLeader && st.Term == term {
		// A leader does not campaign: it steps down to itself at a later term.
		_ = g.rn.Step(raftpb.Message{Type: raftpb.MsgAppResp, From: uint64(g.replica), To: uint64(g.replica), Term: term + 1})
		_ = g.rn.Campaign()
	}
}
