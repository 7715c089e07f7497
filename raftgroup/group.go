package raftgroup

import (
	"context"
	"errors"
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
		calls     []boxCall
		ticks     int
		// queued: busy is set, but the group still waits for a worker.
		queued bool
		// closed is set when the group takes nothing any more; stopping by the first
		// who stops it, stopped when it is done.
		closed            error
		stopping, stopped bool
		// idle is signalled when the turn ends while closed is set, and by stopped.
		idle *sync.Cond
	}
	lease atomic.Pointer[leaseState]
	// awake: the ticker looks after the group. Guarded by Host.awake's lock.
	awakeIndex int

	// What follows belongs to the turn.
	rn      *raft.RawNode
	members []Member
	// pending are the proposals in the local log, by index; displaced those whose
	// entries another leader's have replaced here. An entry lives on elsewhere
	// perhaps, so what became of it is known when its index is applied.
	pending   []pendingProposal
	displaced []pendingProposal
	taken     []*Proposal // scratch of takeTurn
	messages  []inbound
	entries   []Entry // scratch of apply
	changing  bool    // a membership change is in the log and not applied
	lead      uint64  // raft.SoftState.Lead as last seen
	state     raft.StateType
	term      uint64
	// ownTermApplied: an entry of the present term has been applied (I8).
	ownTermApplied bool
	leaseStart     uint64 // hlc.Timestamp
	// lettingGo is the term in which leadership is being handed over, and
	// lettingGoTicks for how long.
	lettingGo      uint64
	lettingGoTicks int
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

// boxCall is work for the one who has the turn; dropped, if not nil, runs instead
// if the group has stopped or failed.
type boxCall struct {
	run, dropped func()
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
	// has made: it begins anew there.
	// Likewise if the log has another entry there: a tail that was never committed
	// and that the image has overtaken.
	switch logged, err := g.log.Term(uint64(applied)); {
	case st.Replica > g.replica:
		return nil, fmt.Errorf("%s: %w: the log knows replica %d", g.id, ErrReplicaRemoved, st.Replica)
	case errors.Is(err, logstore.ErrTruncated):
		return nil, fmt.Errorf("raftgroup: %s: state at %d is behind the log, which begins at %d", g.id, applied, st.TruncatedIndex+1)
	case err != nil || logged != uint64(appliedTerm):
		st.Replica = g.replica
		st.TruncatedIndex, st.TruncatedTerm = uint64(applied), uint64(appliedTerm)
		st.Hard.Commit = uint64(applied)
		st.Hard.Term = max(st.Hard.Term, uint64(appliedTerm))
		if err := h.log.Sync(g.log.Reset(st)); err != nil {
			return nil, err
		}
	case st.Replica != g.replica || st.Hard.Commit < uint64(applied):
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
	g.releaseSuperseded()
	g.publish()
	return g, nil
}

// takeTurn works off the mailbox. The caller has set box.busy. With own set it
// hands the turn on once own is done, to another proposer or to a worker, so that
// nobody serves strangers for ever.
func (g *Group) takeTurn(own *Proposal) {
	for {
		g.box.Lock()
		g.box.queued = false
		switch {
		case !g.boxFull():
			g.box.busy = false
			if g.box.closed != nil {
				g.box.idle.Broadcast()
			}
			g.box.Unlock()
			return
		case own == nil || !own.done.Load():
		case len(g.box.proposals) > 0:
			next := g.box.proposals[0]
			next.lead = true
			g.box.Unlock()
			next.signal()
			return
		default:
			g.box.queued = true
			g.h.ready.push(g)
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
		g.box.busy, g.box.queued = true, true
		g.h.ready.push(g)
	}
	return true
}

// call runs f in the group's turn, on another goroutine perhaps. If it returns
// false f never runs.
func (g *Group) call(f func()) bool { return g.callOr(f, nil) }

// callOr is call for those who wait: if the group stops or fails before f has had
// its turn, dropped runs instead.
func (g *Group) callOr(f, dropped func()) bool {
	return g.enqueue(func() { g.box.calls = append(g.box.calls, boxCall{f, dropped}) })
}

// drop ends what waits for an answer that will not come.
func drop(calls []boxCall, messages []inbound, err error) {
	for _, c := range calls {
		if c.dropped != nil {
			c.dropped()
		}
	}
	for i := range messages {
		if r := messages[i].snap; r != nil {
			r.done <- err
		}
	}
}

// step is one round: messages, time and proposals go in, then Ready is worked off.
func (g *Group) step(calls []boxCall, ticks int) {
	defer func() {
		clear(g.taken)
		clear(g.messages)
	}()
	if g.failed != nil {
		for _, p := range g.taken {
			p.finish(0, g.failed)
		}
		drop(calls, g.messages, g.failed)
		return
	}
	for i := range g.messages {
		if g.failed != nil {
			drop(nil, g.messages[i:], g.failed)
			break
		}
		g.receive(&g.messages[i])
	}
	for i, c := range calls {
		if g.failed != nil {
			drop(calls[i:], nil, g.failed)
			break
		}
		c.run()
	}
	if g.failed != nil {
		for _, p := range g.taken {
			p.finish(0, g.failed)
		}
		return
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
	batch := g.taken[:0]
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
		default:
			g.pending = append(g.pending, pendingProposal{index: ents[i].Index, term: ents[i].Term, p: p})
		}
	}
	if err == nil && !g.alone() {
		// Retransmission takes a ticker.
		g.h.wake(g)
	}
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
		case c.Replica == g.replica && c.Type != AddVoter:
			// Its followers would forget where the leader is to which they are fortified,
			// and its lease would not end with the election of another.
			return &InvalidChangeError{g.id, c, "a leader does not remove itself: transfer first"}
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
			g.noteState()
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
		g.displace(rd.Entries)
	}
	pos := g.log.Append(hs, rd.Entries)
	if err := g.h.log.Sync(pos); err != nil {
		return err
	}
	return nil
}

// displace sets aside the proposals whose entries are being replaced in the local
// log. They may yet be committed: another replica may hold them still, be elected,
// and replace what replaces them now (the Raft paper, section 5.4.2).
func (g *Group) displace(ents []raftpb.Entry) {
	first := ents[0].Index
	n := len(g.pending)
	for n > 0 && g.pending[n-1].index >= first {
		n--
	}
	keep := n
	for _, pp := range g.pending[n:] {
		if i := pp.index - first; i < uint64(len(ents)) && ents[i].Term == pp.term {
			g.pending[keep] = pp
			keep++
		} else {
			g.displaced = append(g.displaced, pp)
		}
	}
	clear(g.pending[keep:])
	g.pending = g.pending[:keep]
}

// overtaken ends the proposals whose outcome an image up to index hides, and sets
// aside those behind it, whose entries are no longer in the log.
func (g *Group) overtaken(index uint64) {
	all := append(g.displaced, g.pending...)
	g.pending, g.displaced = nil, nil
	for _, pp := range all {
		if pp.index > index {
			g.displaced = append(g.displaced, pp)
			continue
		}
		pp.p.finish(0, &AmbiguousError{Group: g.id, Cause: errOvertaken})
	}
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
		for _, pp := range g.displaced {
			if pp.index == e.Index && pp.term == e.Term {
				out.Proposal = g.waiting(pp.p)
			}
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
	settle := func(pp pendingProposal) {
		if ents[pp.index-ents[0].Index].Term == pp.term {
			pp.p.finish(Index(pp.index), nil)
		} else {
			pp.p.finish(0, ErrDropped)
		}
	}
	n := 0
	for ; n < len(g.pending) && g.pending[n].index <= last.Index; n++ {
		settle(g.pending[n])
		g.pending[n] = pendingProposal{}
	}
	if len(g.displaced) > 0 {
		g.displaced = slices.DeleteFunc(g.displaced, func(pp pendingProposal) bool {
			if pp.index > last.Index {
				return false
			}
			settle(pp)
			return true
		})
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

// noteState takes note of a new role, leader or term. A lease that ends is gone
// before any message says so: a vote carries a clock past all that was served.
func (g *Group) noteState() {
	st := g.rn.BasicStatus()
	changed := st.RaftState != g.state || st.Lead != g.lead || st.Term != g.term
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
	if changed {
		g.releaseSuperseded()
		g.publish()
	}
	if changed || !g.alone() {
		g.h.wake(g)
	}
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
	if g.state == raft.StateLeader {
		// Its store is well, so the followers would wait for ever.
		g.h.disown(g)
	}
	if f := g.h.cfg.Events.GroupFailed; f != nil {
		f(g.id, g.replica, err)
	}
}

// abandonPending ends every proposal in the log as ambiguous.
func (g *Group) abandonPending(cause error) {
	for _, pp := range g.pending {
		pp.p.finish(0, &AmbiguousError{Group: g.id, Cause: cause})
	}
	for _, pp := range g.displaced {
		pp.p.finish(0, &AmbiguousError{Group: g.id, Cause: cause})
	}
	g.pending, g.displaced = nil, nil
}

// Stop ends processing of the group, and waits for the step that may be under
// way; the log keeps it. It may be called from another group's Apply, and more
// than once. Proposals that wait end as ambiguous if they are in the log.
func (g *Group) Stop() {
	g.h.forget(g)
	g.stop()
}

func (g *Group) stop() {
	g.box.Lock()
	if g.box.stopping {
		for !g.box.stopped {
			g.box.idle.Wait()
		}
		g.box.Unlock()
		return
	}
	g.box.stopping = true
	if g.box.closed == nil {
		g.box.closed = ErrStopped
	}
	waiting, messages, calls := g.box.proposals, g.box.messages, g.box.calls
	g.box.proposals, g.box.messages, g.box.calls, g.box.ticks = nil, nil, nil, 0
	if g.box.queued && g.h.ready.remove(g) {
		// Its turn was nobody's yet. All workers may be busy, with those who wait here
		// even.
		g.box.queued, g.box.busy = false, false
	}
	for g.box.busy {
		g.box.idle.Wait()
	}
	g.box.busy = true // nobody takes it again
	g.box.Unlock()
	for _, p := range waiting {
		p.finish(0, ErrStopped)
	}
	drop(calls, messages, ErrStopped)
	if g.failed == nil {
		g.abandonPending(ErrStopped)
		g.lease.Store(&leaseState{term: Term(g.term)})
	}
	g.box.Lock()
	g.box.stopped = true
	g.box.idle.Broadcast()
	g.box.Unlock()
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
	ok := g.callOr(func() {
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
		g.lettingGo, g.lettingGoTicks = st.Term, 0
		g.publish()
		g.rn.TransferLeader(uint64(to))
		g.h.wake(g)
		started <- nil
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
