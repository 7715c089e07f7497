package raftgroup

import (
	"bytes"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/spanlite/spanlite/raftgroup/transport"
)

// This file is the way of messages in and out of a group.

// campaignTransfer is the context of votes asked for by a leader's choice.
var campaignTransfer = []byte("CampaignTransfer")

// receive steps one message. In the group's turn.
func (g *Group) receive(in *inbound) {
	switch in.kind {
	case kindFortify:
		g.receiveFortify(in)
		return
	case kindSnapshot:
		g.receiveSnapshot(in)
		return
	case kindGone:
		if f := g.h.cfg.OnReplicaGone; f != nil {
			f(g.id, g.replica)
		}
		return
	}
	m := in.raft
	switch m.Type {
	case raftpb.MsgVote, raftpb.MsgPreVote:
		// The promise of a fortified follower, unless the leader itself lets go. The
		// message is dropped before it can raise our term.
		if bytes.Equal(m.Context, campaignTransfer) {
			break
		}
		if g.fortified() && m.From != uint64(g.fortify.mine.Leader) {
			g.hold(in)
			return
		}
		// Nor does a leader step down for a candidate that cannot win.
		if l := g.Lease(); l.Held && l.Until > g.h.cfg.Clock.Peek() {
			if g.leader(m.From).Store == 0 {
				// It has missed its own removal, probably.
				g.h.sendGone(g.id, g.replica, in.from)
			}
			return
		}
	case raftpb.MsgTimeoutNow:
		if g.fortified() && m.From != uint64(g.fortify.mine.Leader) {
			return
		}
		g.standWhenApplied(m)
		return
	case raftpb.MsgProp, raftpb.MsgHup, raftpb.MsgBeat, raftpb.MsgCheckQuorum, raftpb.MsgUnreachable, raftpb.MsgSnapStatus,
		raftpb.MsgStorageAppend, raftpb.MsgStorageAppendResp, raftpb.MsgStorageApply, raftpb.MsgStorageApplyResp,
		raftpb.MsgForgetLeader, raftpb.MsgSnap, raftpb.MsgTransferLeader:
		return // never from elsewhere
	}
	// An error means that the message is of no use (an unknown peer, say).
	_ = g.rn.Step(m)
	switch m.Type {
	case raftpb.MsgVote, raftpb.MsgPreVote:
		g.overtake(&m)
	}
	switch m.Type {
	case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgVote, raftpb.MsgPreVote:
		g.h.wake(g)
	}
}

func (g *Group) send(m *raftpb.Message) {
	to := g.leader(m.To)
	if to.Store == 0 {
		// Not (or no longer) a member: a candidate whose request came ahead of our
		// configuration, perhaps.
		to = g.correspondent(m.To)
	}
	if to.Store == 0 || g.h.cfg.Transport == nil {
		return
	}
	if m.Type == raftpb.MsgSnap {
		g.startSnapshot(to, m)
		return
	}
	out := outbound{group: g.id, from: g.self(), to: ReplicaID(m.To), kind: kindRaft, raft: m}
	if err := g.h.cfg.Transport.Send(to.Store, transport.Raft, &out); err != nil && g.state == raft.StateLeader {
		g.rn.ReportUnreachable(m.To)
	}
}

// correspondent returns who sent us something lately under a replica id.
func (g *Group) correspondent(id uint64) Member {
	for i := range g.messages {
		if uint64(g.messages[i].from.Replica) == id {
			return g.messages[i].from
		}
	}
	return Member{}
}

func (g *Group) self() Member { return Member{Replica: g.replica, Store: g.h.cfg.Store} }

func (g *Group) sendFortify(to Member, m fortifyMessage) {
	if to.Store == 0 || g.h.cfg.Transport == nil {
		return
	}
	out := outbound{group: g.id, from: g.self(), to: to.Replica, kind: kindFortify, fort: m}
	_ = g.h.cfg.Transport.Send(to.Store, transport.Raft, &out)
}
