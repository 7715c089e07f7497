package raftgroup

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

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
		// syncing: somebody syncs the log for the group. synced: a sync has ended since
		// the last turn began, with syncErr if it failed.
		syncing, synced bool
		syncErr         error
		// idle is signalled when the turn ends while closed is set or someone waits in
		// settle, and by stopped.
		idle     *sync.Cond
		settling int
	}
	lease atomic.Pointer[leaseState]
	// inflight bounds the proposals on their way; gone is closed when the group stops
	// or fails.
	inflight budget
	gone     chan struct{}
	// awake: the ticker looks after the group. Guarded by Host.awake's lock.
	awakeIndex int

	// What follows belongs to the turn.
	rn *raft.RawNode
	// appended is the position in the store's log after what the group has appended;
	// late is what waits for positions to be durable, in order.
	appended logstore.Pos
	late     []late
	members  []Member
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

// ID returns the group's id.
func (g *Group) ID() GroupID { return g.id }

// ReplicaID returns this replica's id.
func (g *Group) ReplicaID() ReplicaID { return g.replica }

// newGroup makes a group in its turn: the caller ends it with endTurn.
func newGroup(h *Host, o OpenOptions) (*Group, error) {
	g := &Group{h: h, id: o.Group, replica: o.Replica, machine: o.Machine, log: h.log.Group(o.Group), awakeIndex: notAwake, gone: make(chan struct{})}
	g.inflight.limit = int64(h.cfg.MaxInflightBytes)
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
		// The turn does not wait for the log; see durable.go.
		AsyncStorageWrites: true,
		Logger:             quietLogger{},
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

// leader returns the member with raft's id.
func (g *Group) leader(id uint64) Member {
	for _, m := range g.members {
		if uint64(m.Replica) == id {
			return m
		}
	}
	return Member{}
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
