package raftgroup

import (
	"slices"

	"go.etcd.io/raft/v3"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/raftgroup/logstore"
	"github.com/spanlite/spanlite/raftgroup/storeliveness"
)

// This file is fortified leadership: how a leader gets followers to promise that
// they stay away from elections, and what lease follows from it.

// leaseState is what Group.Lease is computed from; immutable once published.
type leaseState struct {
	term   Term
	leader Member
	held   bool
	start  hlc.Timestamp
	// configs are the voters of the configuration, of both if it is joint. Nil for
	// a replica that is the only voter.
	configs [][]supporter
}

// supporter is one voter, fortified at epoch; peer is nil for this replica, and for
// one that is not fortified absent is set.
type supporter struct {
	peer   *storeliveness.Peer
	epoch  uint64
	absent bool
}

// Lease returns the lease as it stands. A few atomic loads.
func (g *Group) Lease() Lease {
	s := g.lease.Load()
	l := Lease{Term: s.term, Leader: s.leader}
	if !s.held {
		return l
	}
	l.Held, l.Start, l.Until = true, s.start, s.until()
	if l.Until == 0 {
		l.Held = false
	}
	return l
}

// votersMax bounds the voters of one configuration for the computation of a
// quorum without allocation.
const votersMax = 15

// until is the greatest timestamp that a quorum of each configuration has
// promised.
func (s *leaseState) until() hlc.Timestamp {
	least := hlc.Max
	for _, config := range s.configs {
		var support [votersMax]hlc.Timestamp
		n := 0
		for _, v := range config {
			var t hlc.Timestamp
			switch {
			case v.absent:
			case v.peer == nil:
				t = hlc.Max
			default:
				t = v.peer.Until(v.epoch)
			}
			// Insertion keeps the greatest first.
			i := n
			for ; i > 0 && support[i-1] < t; i-- {
				support[i] = support[i-1]
			}
			support[i] = t
			n++
		}
		least = min(least, support[n/2])
	}
	return least
}

// publish makes a changed lease visible.
func (g *Group) publish() {
	st := g.rn.BasicStatus()
	next := leaseState{term: Term(st.Term), leader: g.leader(st.Lead)}
	if st.RaftState == raft.StateLeader && g.ownTermApplied && g.lettingGo != st.Term && g.failed == nil && g.selfVoter() {
		next.held = true
		next.start = hlc.Timestamp(g.leaseStart)
		next.configs = g.supporters(st.Term)
	}
	old := g.lease.Load()
	if old != nil && old.equal(&next) {
		return
	}
	changed := next
	g.lease.Store(&changed)
	if old == nil {
		return
	}
	if !g.leadsAt(old.term) {
		// Those in line to propose would wait in vain.
		g.inflight.refuse(g)
		g.h.inflight.refuse(g)
	}
	if old.held && !next.held && g.lettingGo != uint64(old.term) {
		g.h.cfg.Metrics.LeasesLost.Add(1)
	}
	if old.held != next.held || old.term != next.term || old.leader != next.leader {
		l := g.Lease()
		l.Held = next.held
		g.machine.LeaseChanged(l)
		if f := g.h.cfg.Events.LeaderChanged; f != nil && (old.leader != next.leader || old.term != next.term) {
			f(g.id, l)
		}
	}
}

func (s *leaseState) equal(o *leaseState) bool {
	return s.term == o.term && s.leader == o.leader && s.held == o.held && s.start == o.start &&
		slices.EqualFunc(s.configs, o.configs, slices.Equal[[]supporter])
}

// supporters returns the voters with their promises at the present epochs.
func (g *Group) supporters(term uint64) [][]supporter {
	voters := 0
	joint := false
	for _, m := range g.members {
		if m.isVoter() {
			voters++
		}
		joint = joint || m.Kind > Learner
	}
	if voters <= 1 || g.h.liveness == nil {
		return nil
	}
	one := func(in func(MemberKind) bool) []supporter {
		var out []supporter
		for _, m := range g.members {
			if !in(m.Kind) {
				continue
			}
			if m.Replica == g.replica {
				out = append(out, supporter{})
				continue
			}
			peer := g.h.liveness.Peer(m.Store)
			if epoch := peer.Epoch(); g.fortify.term == term && g.fortify.followers[m.Replica] == epoch {
				out = append(out, supporter{peer: peer, epoch: epoch})
			} else {
				out = append(out, supporter{absent: true})
			}
		}
		return out
	}
	configs := [][]supporter{one(func(k MemberKind) bool { return k == Voter || k == VoterIncoming })}
	if joint {
		configs = append(configs, one(func(k MemberKind) bool { return k == Voter || k == VoterOutgoing || k == VoterDemoting }))
	}
	return configs
}

// fortification is a replica's part in fortified leadership. It belongs to the
// group's turn.
type fortification struct {
	// mine is the durable promise of this replica to a leader.
	mine logstore.Fortification
	// term and followers belong to the leader: who has promised, at which epoch.
	term      uint64
	followers map[ReplicaID]uint64
	// ask: this replica has just been elected and must ask its followers.
	ask bool
	// takeover counts ticks until a campaign after the leader's store has lost its
	// support; held are the candidates' messages that came before (election.go).
	takeover int
	held     []inbound
}

func (f *fortification) restore(rec logstore.Fortification) { f.mine = rec }

func (f *fortification) newTerm(term uint64) {
	f.term = term
	f.followers = nil
}

func (f *fortification) has(r ReplicaID, term uint64) bool {
	return f.term == term && f.followers[r] != 0
}

// fortified reports whether this replica has promised to stay away from
// elections, and its store still stands by that. That its term has moved on does
// not end the promise: a stray message of some candidate is enough for that, and
// the leader that counts on it knows nothing. What ends it is a later leader.
func (g *Group) fortified() bool {
	f := g.fortify.mine
	if f.Term == 0 || f.Leader == g.replica || g.h.liveness == nil {
		return false
	}
	store := g.leader(uint64(f.Leader)).Store
	return store != 0 && g.h.liveness.Supports(store, f.Epoch)
}

// releaseSuperseded forgets the promise to a leader once a later one is known:
// the one who leads now, or the one who wrote the end of the log. A quorum elected
// it, so the earlier lease had ended.
func (g *Group) releaseSuperseded() {
	f := g.fortify.mine
	if f.Term == 0 {
		return
	}
	last, err := g.log.Term(g.log.Last())
	if g.term > f.Term && g.lead != 0 || err == nil && last > f.Term {
		g.fortify.mine = logstore.Fortification{}
	}
}

// askForSupport sends the leader's request to every member that has not promised
// at the present epoch.
func (g *Group) askForSupport() (complete bool) {
	if g.h.liveness == nil {
		return true
	}
	complete = true
	for _, m := range g.members {
		if m.Replica == g.replica {
			continue
		}
		epoch := g.h.liveness.EpochFor(m.Store)
		if g.fortify.followers[m.Replica] == epoch {
			continue
		}
		complete = complete && !m.isVoter()
		g.sendFortify(m, fortifyMessage{term: g.term, epoch: epoch})
	}
	return complete
}

// receiveFortify is the follower's side: record the promise durably, then answer.
func (g *Group) receiveFortify(in *inbound) {
	m := in.fort
	st := g.rn.BasicStatus()
	if g.h.liveness == nil {
		return
	}
	if m.letGo {
		if f := &g.fortify.mine; f.Leader == in.from.Replica && f.Term <= m.term {
			*f = logstore.Fortification{}
			g.supportWithdrawn()
		}
		return
	}
	if m.response {
		if st.RaftState == raft.StateLeader && m.term == st.Term && m.ok && m.epoch == g.h.liveness.EpochFor(in.from.Store) {
			if g.fortify.followers == nil {
				g.fortify.followers = map[ReplicaID]uint64{}
			}
			g.fortify.followers[in.from.Replica] = m.epoch
		}
		if st.RaftState == raft.StateLeader && m.term == st.Term && !m.ok {
			g.h.wake(g) // it has restarted, and needs a heartbeat (see tick)
		}
		return
	}
	answer := fortifyMessage{term: m.term, epoch: m.epoch, response: true}
	if m.term == st.Term && st.Lead == uint64(in.from.Replica) && g.h.liveness.Supports(in.from.Store, m.epoch) {
		rec := logstore.Fortification{Term: m.term, Leader: in.from.Replica, Epoch: m.epoch}
		if g.fortify.mine != rec {
			state := g.log.State()
			state.Fortified = rec
			g.appended = g.log.SetState(state)
			g.fortify.mine = rec
		}
		answer.ok = true
	}
	// Behind the record, and behind the term that it belongs to.
	to := in.from
	g.afterSync(nil, func() { g.sendFortify(to, answer) })
}

// tick is one unit of time for a group that is awake.
func (g *Group) tick() {
	if g.fortify.takeover > 0 {
		if g.fortify.takeover--; g.fortify.takeover == 0 {
			g.stand()
		}
	}
	switch {
	case len(g.members) == 0:
		g.h.sleep(g)
	case g.state == raft.StateLeader:
		if g.alone() {
			g.h.sleep(g)
			return
		}
		settled := g.askForSupport() && g.caughtUp()
		g.rn.Tick()
		if g.lettingGo == g.term {
			settled = false
			if g.lettingGoTicks++; g.lettingGoTicks >= 2*g.h.cfg.ElectionTicks {
				g.standAgain(g.term)
				return
			}
		}
		if !settled {
			g.idleTicks = 0
		} else if g.idleTicks++; g.idleTicks > 3*g.h.cfg.HeartbeatTicks {
			g.h.sleep(g)
		}
	case g.fortified():
		// No election is possible, so no timer runs; the end of support wakes the
		// group.
		switch f := g.fortify.mine; {
		case g.fortify.takeover > 0:
		case g.lead == 0 && g.rn.BasicStatus().Term == f.Term:
			// It has restarted, faster than its promise ends. What its leader has said
			// last, what is committed above all, is forgotten, and the leader sleeps.
			if g.idleTicks%g.h.cfg.HeartbeatTicks == 0 {
				g.sendFortify(g.leader(uint64(f.Leader)), fortifyMessage{term: f.Term, epoch: f.Epoch, response: true})
			}
			g.idleTicks++
		default:
			g.h.sleep(g)
		}
	case g.alone() && g.state == raft.StateFollower && g.selfVoter():
		_ = g.rn.Campaign()
	default:
		g.rn.Tick()
	}
}

// selfVoter reports whether this replica votes.
func (g *Group) selfVoter() bool {
	return slices.ContainsFunc(g.members, func(m Member) bool { return m.Replica == g.replica && m.isVoter() })
}

// alone reports whether there is no other member.
func (g *Group) alone() bool { return len(g.members) == 1 }

// caughtUp reports whether every member has the whole log.
func (g *Group) caughtUp() bool {
	if len(g.pending) > 0 {
		return false
	}
	last := g.log.Last()
	ok := true
	g.rn.WithProgress(func(id uint64, _ raft.ProgressType, pr trackerProgress) {
		if id != uint64(g.replica) && pr.Match < last {
			ok = false
		}
	})
	return ok
}

// membersChanged follows a change of the configuration.
func (g *Group) membersChanged() {
	for _, m := range g.members {
		if m.Replica != g.replica && g.h.liveness != nil && m.Store != 0 {
			g.h.liveness.Peer(m.Store)
		}
	}
	g.h.wake(g)
	g.publish()
}
