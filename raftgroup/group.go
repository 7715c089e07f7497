package raftgroup

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/spanlite/spanlite/raftgroup/logstore"
)

// Group is one open replica. All methods are safe for concurrent use.
//
// Its Raft state belongs to whoever has the turn: box.busy says that someone
// has, and the fields below box are touched by that goroutine only.
type Group struct {
	h       *Host
	id      GroupID
	replica ReplicaID
	machine StateMachine
	log     *logstore.Group

	// box is what others leave for the one who has the turn.
	box struct {
		sync.Mutex
		busy      bool
		proposals []*Proposal
		messages  []inbound
		bytes     int // of messages
		calls     []func()
		ticks     int
		// closed is set when the group takes nothing any more.
		closed error
		// idle is signalled when the turn ends while closed is set.
		idle *sync.Cond
	}
	lease atomic.Pointer[leaseState]
	// awake: the ticker looks after the group. Guarded by Host.awake's lock.
	awakeIndex int

	// What follows belongs to the turn.
	rn       *raft.RawNode
	members  []Member
	pending  []pendingProposal
	proposed []*Proposal // stepped, index not known yet
	taken    []*Proposal // scratch of takeTurn
	messages []inbound
	entries  []Entry // scratch of apply
	changing bool    // a membership change is in the log and not applied
	lead     uint64  // raft.SoftState.Lead as last seen
	state    raft.StateType
	term     uint64
	// ownTermApplied: an entry of the present term has been applied (I8).
	ownTermApplied bool
	leaseStart     uint64 // hlc.Timestamp
	// lettingGo is the term in which leadership is being handed over.
	lettingGo uint64
	// fortify is the leader's and the follower's part in fortification.
	fortify   fortification
	idleTicks int
	failed    error
	// incoming is the image being stepped.
	incoming *receivedSnapshot
}

// inbound is one message of another replica.
type inbound struct {
	from Member
	to   ReplicaID
	kind messageKind
	raft raftpb.Message
	fort fortifyMessage
	snap *receivedSnapshot
	size int
}

// ID returns the group's id.
func (g *Group) ID() GroupID { return g.id }

// ReplicaID returns this replica's id.
func (g *Group) ReplicaID() ReplicaID { return g.replica }

// newGroup makes a group in its turn: the caller ends it with endTurn.
func newGroup(h *Host, o OpenOptions) (*Group, error) {
	g := &Group{h: h, id: o.Group, replica: o.Replica, machine: o.Machine, log: h.log.Group(o.Group), awakeIndex: -1}
	g.box.idle = sync.NewCond(&g.box.Mutex)
	g.box.busy = true
	g.members = slices.Clone(o.Members)
	applied, appliedTerm := o.Machine.AppliedIndex()
	st := g.log.State()
	// The log ends before the applied index after a crash between the ingestion of
	// an image and the log write, and for a replica that a split or the bootstrap
	// has made: it begins anew there (protocols: section 1).
	if uint64(applied) > g.log.Last() || uint64(applied) < st.TruncatedIndex {
		if uint64(applied) < st.TruncatedIndex {
			return nil, fmt.Errorf("raftgroup: %s: state at %d is behind the log, which begins at %d", g.id, applied, st.TruncatedIndex+1)
		}
		st.Replica = g.replica
		st.TruncatedIndex, st.TruncatedTerm = uint64(applied), uint64(appliedTerm)
		st.Hard.Commit = uint64(applied)
		st.Hard.Term = max(st.Hard.Term, uint64(appliedTerm))
		if err := h.log.Sync(g.log.Reset(st)); err != nil {
			return nil, err
		}
	} else if st.Replica != g.replica || st.Hard.Commit < uint64(applied) {
		st.Replica = g.replica
		st.Hard.Commit = max(st.Hard.Commit, uint64(applied))
		if err := h.log.Sync(g.log.SetState(st)); err != nil {
			return nil, err
		}
	}
	rn, err := raft.NewRawNode(&raft.Config{
		ID:               uint64(g.replica),
		ElectionTick:     h.cfg.ElectionTicks,
		HeartbeatTick:    h.cfg.HeartbeatTicks,
		Storage:          groupStorage{g},
		Applied:          uint64(applied),
		MaxSizePerMsg:    1 << 20,
		MaxInflightMsgs:  256,
		MaxInflightBytes: 16 << 20,
		PreVote:          true,
		Logger:           quietLogger{},
		// A proposal is bound to its leader's term; forwarding it would lose that.
		DisableProposalForwarding: true,
	})
	if err != nil {
		return nil, fmt.Errorf("raftgroup: %s: %w", g.id, err)
	}
	g.rn = rn
	g.fortify.restore(g.log.State().Fortified)
	g.publish()
	return g, nil
}

// takeTurn works off the mailbox. The caller has set box.busy. With own set it
// hands the turn to another proposer once own is done, so that nobody serves
// strangers for ever.
func (g *Group) takeTurn(own *Proposal) {
	for {
		g.box.Lock()
		if own != nil && own.done.Load() && len(g.box.proposals) > 0 && len(g.box.messages) == 0 && len(g.box.calls) == 0 {
			next := g.box.proposals[0]
			next.lead = true
			g.box.Unlock()
			next.signal()
			return
		}
		if !g.boxFull() {
			g.box.busy = false
			if g.box.closed != nil {
				g.box.idle.Broadcast()
			}
			g.box.Unlock()
			return
		}
		g.taken, g.box.proposals = g.box.proposals, g.taken[:0]
		g.messages, g.box.messages = g.box.messages, g.messages[:0]
		g.box.bytes = 0
		calls, ticks := g.box.calls, g.box.ticks
		g.box.calls, g.box.ticks = nil, 0
		g.box.Unlock()
		g.step(calls, ticks)
	}
}

// boxFull reports whether there is work. Called with box held.
func (g *Group) boxFull() bool {
	return len(g.box.proposals) > 0 || len(g.box.messages) > 0 || len(g.box.calls) > 0 || g.box.ticks > 0
}

// endTurn gives up the turn with which newGroup began.
func (g *Group) endTurn() { g.takeTurn(nil) }

// enqueue leaves work by put and has it done by a worker if nobody has the turn.
func (g *Group) enqueue(put func()) bool {
	g.box.Lock()
	defer g.box.Unlock()
	if g.box.closed != nil {
		return false
	}
	put()
	if !g.box.busy {
		g.box.busy = true
		g.h.ready.push(g)
	}
	return true
}

// call runs f in the group's turn, on another goroutine perhaps.
func (g *Group) call(f func()) bool {
	return g.enqueue(func() { g.box.calls = append(g.box.calls, f) })
}

// step is one round: messages, time and proposals go in, then Ready is worked off.
func (g *Group) step(calls []func(), ticks int) {
	defer func() {
		clear(g.taken)
		clear(g.messages)
	}()
	if g.failed != nil {
		for _, p := range g.taken {
			p.finish(0, g.failed)
		}
		return
	}
	for i := range g.messages {
		g.receive(&g.messages[i])
	}
	for _, f := range calls {
		f()
	}
	for range ticks {
		g.tick()
	}
	g.propose()
	if err := g.workOff(); err != nil {
		g.fail(err)
	}
}

// propose puts all waiting commands into the log with one message.
func (g *Group) propose() {
	if len(g.taken) == 0 {
		return
	}
	st := g.rn.BasicStatus()
	var ents []raftpb.Entry
	for _, p := range g.taken {
		if st.RaftState != raft.StateLeader || uint64(p.Term) != st.Term || g.lettingGo == st.Term {
			p.finish(0, &NotLeaderError{Group: g.id, Term: Term(st.Term), Leader: g.leader(st.Lead)})
			continue
		}
		e := raftpb.Entry{Type: raftpb.EntryNormal, Data: p.Data}
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
		p.data = e.Data
		ents = append(ents, e)
		g.proposed = append(g.proposed, p)
	}
	if len(ents) == 0 {
		return
	}
	first := len(g.proposed) - len(ents)
	if err := g.rn.Step(raftpb.Message{Type: raftpb.MsgProp, From: uint64(g.replica), Entries: ents}); err != nil {
		for _, p := range g.proposed[first:] {
			if p.changes != nil {
				g.changing = false
			}
			p.finish(0, &NotLeaderError{Group: g.id, Term: Term(st.Term), Leader: g.leader(st.Lead)})
		}
		g.proposed = g.proposed[:first]
	}
	g.idleTicks = 0
}

func marshalChange(cc raftpb.ConfChangeV2) ([]byte, error) { return cc.Marshal() }

// checkChange refuses changes that make no sense.
func (g *Group) checkChange(changes []MemberChange) error {
	if g.changing || slices.ContainsFunc(g.members, func(m Member) bool { return m.Kind > Learner }) {
		return ErrChangePending
	}
	left := 0
	kind := map[ReplicaID]bool{} // voter?
	for _, m := range g.members {
		kind[m.Replica] = m.Kind == Voter
	}
	for _, c := range changes {
		_, known := kind[c.Replica]
		switch {
		case c.Replica == 0:
			return &InvalidChangeError{g.id, c, "no replica id"}
		case c.Type == RemoveMember && !known:
			return &InvalidChangeError{g.id, c, "no such member"}
		case c.Type != RemoveMember && !known && c.Store == 0:
			return &InvalidChangeError{g.id, c, "no store"}
		case c.Type == RemoveMember:
			delete(kind, c.Replica)
		default:
			kind[c.Replica] = c.Type == AddVoter
		}
	}
	for _, voter := range kind {
		if voter {
			left++
		}
	}
	if left == 0 {
		return &InvalidChangeError{g.id, changes[0], "no voter would be left"}
	}
	return nil
}

// workOff works off Ready until there is no more: persist, send, apply.
func (g *Group) workOff() error {
	for g.rn.HasReady() {
		rd := g.rn.Ready()
		leading := g.rn.BasicStatus().RaftState == raft.StateLeader
		if rd.SoftState != nil || !raft.IsEmptyHardState(rd.HardState) {
			g.noteState(rd.HardState.Term)
		}
		if leading {
			// The leader writes in parallel with its followers (Ongaro's thesis,
			// section 10.2.1): what it sends promises nothing.
			g.sendEarly(rd.Messages)
		}
		if !raft.IsEmptySnap(rd.Snapshot) {
			if err := g.installSnapshot(rd); err != nil {
				return err
			}
		}
		if err := g.persist(&rd); err != nil {
			return err
		}
		g.sendLate(rd.Messages, leading)
		if len(rd.CommittedEntries) > 0 {
			if err := g.apply(rd.CommittedEntries); err != nil {
				return err
			}
		}
		g.rn.Advance(rd)
	}
	g.publish()
	return nil
}

// persist writes entries and hard state, and syncs unless only the commit index
// has moved.
func (g *Group) persist(rd *raft.Ready) error {
	hs := g.log.State().Hard
	if !raft.IsEmptyHardState(rd.HardState) {
		hs = logstore.HardState{Term: rd.HardState.Term, Vote: rd.HardState.Vote, Commit: rd.HardState.Commit}
	}
	if len(rd.Entries) == 0 && !rd.MustSync {
		if !raft.IsEmptyHardState(rd.HardState) {
			g.log.SetCommit(hs.Commit)
		}
		return nil
	}
	if len(rd.Entries) > 0 {
		g.dropPendingFrom(rd.Entries[0].Index)
		g.placeProposals(rd.Entries)
	}
	pos := g.log.Append(hs, rd.Entries)
	if err := g.h.log.Sync(pos); err != nil {
		return err
	}
	return nil
}

// placeProposals finds the index of each proposal among the entries that were
// just appended: an entry carries the proposal's own bytes.
func (g *Group) placeProposals(ents []raftpb.Entry) {
	for i := range ents {
		if len(g.proposed) == 0 {
			return
		}
		e := &ents[i]
		p := g.proposed[0]
		if len(e.Data) != len(p.data) || len(e.Data) == 0 || &e.Data[0] != &p.data[0] {
			continue
		}
		g.proposed[0] = nil
		g.proposed = g.proposed[1:]
		g.pending = append(g.pending, pendingProposal{index: e.Index, term: e.Term, p: p})
	}
	if len(g.proposed) == 0 {
		g.proposed = nil
	}
}

// dropPendingFrom ends the proposals whose entries are being replaced.
func (g *Group) dropPendingFrom(index uint64) {
	n := len(g.pending)
	for n > 0 && g.pending[n-1].index >= index {
		n--
		p := g.pending[n].p
		if p.changes != nil {
			g.changing = false
		}
		p.finish(0, ErrDropped)
		g.pending[n] = pendingProposal{}
	}
	g.pending = g.pending[:n]
}

// apply hands committed entries to the machine and ends their proposals.
func (g *Group) apply(ents []raftpb.Entry) error {
	for len(ents) > 0 {
		n := 0
		for n < len(ents) && ents[n].Type == raftpb.EntryNormal {
			n++
		}
		if n > 0 {
			if err := g.applyRun(ents[:n], nil); err != nil {
				return err
			}
			ents = ents[n:]
			continue
		}
		if err := g.applyChange(&ents[0]); err != nil {
			return err
		}
		ents = ents[1:]
	}
	return nil
}

// applyChange applies an entry that changes the configuration.
func (g *Group) applyChange(e *raftpb.Entry) error {
	var cc raftpb.ConfChangeV2
	if err := cc.Unmarshal(e.Data); err != nil {
		return fmt.Errorf("decode membership change at %d: %w", e.Index, err)
	}
	stores, data, err := decodeChange(cc.Context)
	if err != nil {
		return err
	}
	cs := g.rn.ApplyConfChange(cc)
	members := membersOf(cs, g.members, stores)
	entry := *e
	entry.Data = data
	if err := g.applyRun([]raftpb.Entry{entry}, members); err != nil {
		return err
	}
	g.members = members
	if !cs.AutoLeave {
		g.changing = false
	}
	g.membersChanged()
	return nil
}

// applyRun applies entries; members belongs to the only one if it is not nil.
func (g *Group) applyRun(ents []raftpb.Entry, members []Member) error {
	g.entries = g.entries[:0]
	next := 0
	for i := range ents {
		e := &ents[i]
		out := Entry{Index: Index(e.Index), Term: Term(e.Term), Data: e.Data, Members: members}
		for next < len(g.pending) && g.pending[next].index < e.Index {
			next++
		}
		if next < len(g.pending) && g.pending[next].index == e.Index && g.pending[next].term == e.Term {
			out.Proposal = g.waiting(g.pending[next].p)
		}
		g.entries = append(g.entries, out)
	}
	if err := g.machine.Apply(g.entries); err != nil {
		return fmt.Errorf("apply entries %d to %d: %w", ents[0].Index, ents[len(ents)-1].Index, err)
	}
	last := &ents[len(ents)-1]
	if last.Term == g.term && g.state == raft.StateLeader && !g.ownTermApplied {
		g.ownTermApplied = true
		// The lease is published before the first proposal of the term is answered.
		g.publish()
	}
	n := 0
	for ; n < len(g.pending) && g.pending[n].index <= last.Index; n++ {
		pp := g.pending[n]
		i := int(pp.index - ents[0].Index)
		if pp.index >= ents[0].Index && ents[i].Term == pp.term {
			pp.p.finish(Index(pp.index), nil)
		} else {
			pp.p.finish(0, ErrDropped)
		}
		g.pending[n] = pendingProposal{}
	}
	if n == len(g.pending) {
		g.pending = g.pending[:0]
	} else {
		g.pending = g.pending[n:]
	}
	clear(g.entries)
	return nil
}

// waiting returns p unless its waiter has left.
func (g *Group) waiting(p *Proposal) *Proposal {
	g.box.Lock()
	defer g.box.Unlock()
	if p.abandoned {
		return nil
	}
	return p
}

// noteState takes note of a new role, leader or term.
func (g *Group) noteState(uint64) {
	st := g.rn.BasicStatus()
	if st.Term != g.term {
		g.ownTermApplied = false
		g.fortify.newTerm(st.Term)
	}
	if st.RaftState == raft.StateLeader && (g.state != raft.StateLeader || st.Term != g.term) {
		// Elected: the clock is past those of the voters, whose votes it followed (I7).
		g.leaseStart = uint64(g.h.cfg.Clock.Now())
		g.ownTermApplied = false
		g.lettingGo = 0
	}
	if st.RaftState != raft.StateLeader {
		g.changing = false
	}
	g.state, g.lead, g.term = st.RaftState, st.Lead, st.Term
	g.h.wake(g)
}

// leader returns the member with raft's id.
func (g *Group) leader(id uint64) Member {
	for _, m := range g.members {
		if uint64(m.Replica) == id {
			return m
		}
	}
	return Member{}
}

// fail stops the replica: its state can no longer be trusted to follow the log.
func (g *Group) fail(err error) {
	g.failed = &GroupFailedError{Group: g.id, Cause: err}
	g.box.Lock()
	if g.box.closed == nil {
		g.box.closed = g.failed
	}
	waiting := g.box.proposals
	g.box.proposals = nil
	g.box.Unlock()
	for _, p := range waiting {
		p.finish(0, g.failed)
	}
	g.abandonPending(err)
	g.lease.Store(&leaseState{term: Term(g.term)})
	g.machine.LeaseChanged(Lease{Term: Term(g.term)})
	if f := g.h.cfg.Events.GroupFailed; f != nil {
		f(g.id, g.replica, err)
	}
}

// abandonPending ends every proposal in the log as ambiguous.
func (g *Group) abandonPending(cause error) {
	for _, pp := range g.pending {
		pp.p.finish(0, &AmbiguousError{Group: g.id, Cause: cause})
	}
	for _, p := range g.proposed {
		p.finish(0, &AmbiguousError{Group: g.id, Cause: cause})
	}
	g.pending, g.proposed = nil, nil
}

// Stop ends processing of the group, and waits for the step that may be under
// way; the log keeps it. It may be called from another group's Apply. Proposals
// that wait end as ambiguous.
func (g *Group) Stop() {
	g.h.forget(g)
	g.stop()
}

func (g *Group) stop() {
	g.box.Lock()
	if g.box.closed == nil {
		g.box.closed = ErrStopped
	}
	waiting := g.box.proposals
	g.box.proposals = nil
	g.box.messages, g.box.calls, g.box.ticks = nil, nil, 0
	for g.box.busy {
		// Someone has the turn, or a worker is about to.
		g.box.idle.Wait()
	}
	g.box.busy = true // nobody takes it again
	g.box.Unlock()
	for _, p := range waiting {
		p.finish(0, ErrStopped)
	}
	if g.failed == nil {
		g.abandonPending(ErrStopped)
		g.lease.Store(&leaseState{term: Term(g.term)})
	}
}

// Campaign makes the replica stand for election now. It is no more than a hint:
// fortified voters will not vote.
func (g *Group) Campaign() {
	g.call(func() {
		if g.state != raft.StateLeader && g.mayCampaign() {
			_ = g.rn.Campaign()
		}
	})
}

// Wake makes the group look at itself soon: use it when a request finds neither
// lease nor leader.
func (g *Group) Wake() { g.h.awake.add(g) }

// TransferLeader hands leadership to a voter and waits until it is gone, at most
// for two election timeouts: then ErrTransferFailed. From the moment at which the
// other may campaign, this replica holds no lease under its present term.
func (g *Group) TransferLeader(ctx context.Context, to ReplicaID) error {
	var term uint64
	started := make(chan error, 1)
	ok := g.call(func() {
		st := g.rn.BasicStatus()
		if st.RaftState != raft.StateLeader {
			started <- &NotLeaderError{Group: g.id, Term: Term(st.Term), Leader: g.leader(st.Lead)}
			return
		}
		target := slices.IndexFunc(g.members, func(m Member) bool { return m.Replica == to && m.isVoter() })
		if target < 0 || to == g.replica {
			started <- ErrTransferFailed
			return
		}
		term = st.Term
		// The lease goes first: the message that lets the other campaign is sent
		// after this is published, and carries a later clock.
		g.lettingGo = st.Term
		g.publish()
		g.rn.TransferLeader(uint64(to))
		started <- nil
	})
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

// standAgain ends a leadership that was let go of and not taken up.
func (g *Group) standAgain(term uint64) {
	st := g.rn.BasicStatus()
	if st.RaftState == raft.StateLeader && st.Term == term {
		// A leader does not campaign: it steps down to itself at a later term.
		_ = g.rn.Step(raftpb.Message{Type: raftpb.MsgAppResp, From: uint64(g.replica), To: uint64(g.replica), Term: term + 1})
		_ = g.rn.Campaign()
	}
}

// Status returns a picture of the group. Not for the hot path.
func (g *Group) Status() Status {
	out := make(chan Status, 1)
	if !g.call(func() { out <- g.status() }) {
		return Status{Group: g.id, Replica: g.replica, Role: "stopped"}
	}
	select {
	case s := <-out:
		return s
	case <-g.h.closing:
		return Status{Group: g.id, Replica: g.replica, Role: "stopped"}
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
