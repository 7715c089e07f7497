package raftgroup

import (
	"slices"

	"go.etcd.io/raft/v3"
)

// Status returns a picture of the group. Not for the hot path.
func (g *Group) Status() Status {
	out := make(chan Status, 1)
	stopped := Status{Group: g.id, Replica: g.replica, Role: "stopped"}
	if !g.callOr(func() { out <- g.status() }, func() { out <- stopped }) {
		return stopped
	}
	select {
	case s := <-out:
		return s
	case <-g.h.closing:
		return stopped
	}
}

func (g *Group) status() Status {
	st := g.rn.Status()
	applied, _ := g.machine.AppliedIndex()
	s := Status{
		Group: g.id, Replica: g.replica, Term: Term(st.Term), Leader: g.leader(st.Lead),
		Commit: Index(st.Commit), Applied: applied, First: Index(g.log.First()), Last: Index(g.log.Last()),
		LogBytes: g.log.Bytes(), Members: slices.Clone(g.members), Lease: g.Lease(), Asleep: !g.h.awake.has(g), Pending: len(g.pending),
	}
	f := g.fortify.mine
	s.Promise, s.Bound = Promise{Term(f.Term), f.Leader, f.Epoch}, g.fortified()
	switch st.RaftState {
	case raft.StateLeader:
		s.Role = "leader"
	case raft.StateFollower:
		s.Role = "follower"
	case raft.StateCandidate:
		s.Role = "candidate"
	default:
		s.Role = "pre-candidate"
	}
	for id, pr := range st.Progress {
		if id == uint64(g.replica) {
			continue
		}
		m := g.leader(id)
		f := FollowerStatus{Member: m, Match: Index(pr.Match), Fortified: g.fortify.has(ReplicaID(id), st.Term)}
		switch pr.State.String() {
		case "StateProbe":
			f.State = "probe"
		case "StateReplicate":
			f.State = "replicate"
		default:
			f.State = "snapshot"
		}
		if g.h.liveness != nil {
			_, f.SupportedUntil = g.h.liveness.SupportFrom(m.Store)
		}
		s.Followers = append(s.Followers, f)
	}
	slices.SortFunc(s.Followers, func(a, b FollowerStatus) int { return int(a.Member.Replica) - int(b.Member.Replica) })
	return s
}
