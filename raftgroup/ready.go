package raftgroup

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/spanlite/spanlite/raftgroup/logstore"
)

// This file works off what raft wants done.

// workOff works off Ready until there is no more: send, append, apply. It does not
// wait for the log; deliver hears of that.
func (g *Group) workOff() error {
	for g.rn.HasReady() {
		rd := g.rn.Ready()
		if rd.SoftState != nil || !raft.IsEmptyHardState(rd.HardState) {
			g.noteState()
		}
		var toAppend, toApply *raftpb.Message
		var votes []raftpb.Message
		for i := range rd.Messages {
			m := &rd.Messages[i]
			switch m.Type {
			case raftpb.MsgStorageAppend:
				toAppend = m
			case raftpb.MsgStorageApply:
				toApply = m
			case raftpb.MsgVote:
				votes = append(votes, *m)
			default:
				// Raft holds back what promises something. The leader thus writes in
				// parallel with its followers (Ongaro's thesis, section 10.2.1).
				g.send(m)
			}
		}
		if toAppend != nil {
			if err := g.append(toAppend); err != nil {
				return err
			}
		}
		if votes != nil {
			// Raft would let these go. But a candidate that crashed and came back without
			// what it had boasted of could be elected by the answers.
			g.afterSync(votes, nil)
		}
		if toApply != nil {
			if err := g.apply(toApply.Entries); err != nil {
				return err
			}
			for i := range toApply.Responses {
				_ = g.rn.Step(toApply.Responses[i])
			}
		}
	}
	if g.fortify.ask {
		// Behind the first messages of the term, from which they learn of the leader.
		g.fortify.ask = false
		if g.state == raft.StateLeader {
			g.askForSupport()
		}
	}
	g.publish()
	return nil
}

// append writes entries, hard state or an image to the log, without a sync, and
// sets aside what may be said only after it.
func (g *Group) append(m *raftpb.Message) error {
	st := g.log.State()
	hs := st.Hard
	if hard := (raftpb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit}); !raft.IsEmptyHardState(hard) {
		hs = logstore.HardState{Term: hard.Term, Vote: hard.Vote, Commit: hard.Commit}
	}
	switch {
	case m.Snapshot != nil:
		if err := g.installSnapshot(m.Snapshot, hs); err != nil {
			return err
		}
		if len(m.Entries) > 0 {
			g.appended = g.log.Append(g.log.State().Hard, m.Entries)
		}
	case len(m.Entries) > 0:
		g.displace(m.Entries)
		g.appended = g.log.Append(hs, m.Entries)
		g.h.cfg.Metrics.Appends.Add(1)
		g.h.cfg.Metrics.Entries.Add(int64(len(m.Entries)))
	case hs.Term != st.Hard.Term || hs.Vote != st.Hard.Vote:
		g.appended = g.log.Append(hs, nil)
	default:
		g.log.SetCommit(hs.Commit)
	}
	if len(m.Responses) > 0 {
		g.afterSync(m.Responses, nil)
	}
	return nil
}

// noteState takes note of a new role, leader or term. A lease that ends is gone
// before any message says so: a vote carries a clock past all that was served.
func (g *Group) noteState() {
	st := g.rn.BasicStatus()
	if st.RaftState == raft.StatePreCandidate && g.state != raft.StatePreCandidate ||
		st.RaftState == raft.StateCandidate && g.state != raft.StateCandidate && g.state != raft.StatePreCandidate {
		g.h.cfg.Metrics.Campaigns.Add(1)
	}
	changed := st.RaftState != g.state || st.Lead != g.lead || st.Term != g.term
	if st.Term != g.term {
		g.ownTermApplied = false
		g.fortify.newTerm(st.Term)
	}
	if st.RaftState == raft.StateLeader && (g.state != raft.StateLeader || st.Term != g.term) {
		g.h.cfg.Metrics.ElectionsWon.Add(1)
		// Elected: the clock is past those of the voters, whose votes it followed (I7).
		g.leaseStart = uint64(g.h.cfg.Clock.Now())
		g.fortify.ask = true
		g.ownTermApplied = false
		g.lettingGo = 0
	}
	if st.RaftState != raft.StateLeader {
		g.changing = false
	}
	if st.Lead != 0 && (st.Lead != g.lead || st.Term != g.term) {
		g.fortify.takeover, g.fortify.held = 0, nil
	}
	g.state, g.lead, g.term = st.RaftState, st.Lead, st.Term
	if changed {
		g.releaseSuperseded()
		g.publish()
	}
	if changed || !g.alone() {
		g.h.wake(g)
	}
}
