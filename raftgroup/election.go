package raftgroup

import (
	"cmp"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// This file is the takeover after the death of a leader's store. All followers
// withdraw their support within moments of each other, since the leader asked them
// for the same time. One of them, the first by rank, stands at once; requests for
// votes that arrive before a follower's own withdrawal is durable are kept until
// then; and one whose log is ahead of the candidate's stands in its turn.

// mayCampaign reports whether this replica may stand for election.
func (g *Group) mayCampaign() bool { return !g.fortified() }

// stand begins a campaign if it is allowed and there is no leader to be seen.
func (g *Group) stand() {
	g.fortify.takeover = 0
	if g.state != raft.StateLeader && g.mayCampaign() {
		_ = g.rn.Campaign()
	}
}

// supportWithdrawn tells a follower that its leader's store is no longer
// supported.
func (g *Group) supportWithdrawn() {
	if g.state == raft.StateLeader || len(g.members) == 0 {
		return
	}
	g.h.wake(g)
	held := g.fortify.held
	g.fortify.held = nil
	// Before the candidates are answered, which may end the old leader's term.
	g.fortify.takeover = g.rank() * g.h.cfg.TakeoverTicks
	for i := range held {
		g.receive(&held[i])
	}
	if g.fortify.takeover == 0 {
		g.stand()
	}
}

// rank is this replica's place in the order in which the followers of a dead leader
// stand. It differs between groups, so that the leaderships of a dead store are
// shared out. A replica that does not vote comes last, to wait for who does. It
// depends on the configuration only: two who each believed the other dead would
// both be first, and split the votes.
func (g *Group) rank() int {
	var voters []ReplicaID
	lead := ReplicaID(g.lead)
	if lead == 0 {
		lead = g.fortify.mine.Leader // it has not spoken since this replica has restarted
	}
	for _, m := range g.members {
		if m.isVoter() && m.Replica != lead {
			voters = append(voters, m.Replica)
		}
	}
	own := slices.Index(voters, g.replica)
	if own < 0 {
		return len(voters) + 1
	}
	return (own + int(uint64(g.id)%uint64(len(voters)))) % len(voters)
}

// hold keeps a candidate's request that a promise forbids to answer: if the promise
// ends before the candidate tries again, it need not. Raft messages may be late.
func (g *Group) hold(in *inbound) {
	g.fortify.held = slices.DeleteFunc(g.fortify.held, func(h inbound) bool { return h.from == in.from })
	if len(g.fortify.held) < votersMax {
		g.fortify.held = append(g.fortify.held, *in)
	}
}

// overtake lets this replica stand at once if it waits for its turn to, and a
// candidate whose log is behind has just shown that it cannot win.
func (g *Group) overtake(m *raftpb.Message) {
	if g.fortify.takeover == 0 {
		return
	}
	last := g.log.Last()
	term, err := g.log.Term(last)
	if err == nil && cmp.Or(cmp.Compare(term, m.LogTerm), cmp.Compare(last, m.Index)) > 0 {
		g.stand()
	}
}

// standWhenApplied lets this replica take over from a leader that lets go. Raft
// ignores the request of one that knows of a committed change of the configuration
// and has not applied it, as is common right after the change: the news of its
// commitment comes with the request.
func (g *Group) standWhenApplied(m raftpb.Message) {
	apply := func() bool {
		if err := g.workOff(); err != nil {
			g.fail(err)
		}
		return g.failed == nil
	}
	if !apply() {
		return
	}
	g.afterSync(nil, func() {
		if apply() {
			_ = g.rn.Step(m)
		}
	})
}
