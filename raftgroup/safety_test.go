package raftgroup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/spanlite/spanlite/raftgroup/logstore"
	"github.com/spanlite/spanlite/raftgroup/transport"
)

// These tests show single steps of the protocol which histories reach only by
// rare coincidence. They reach into a group's turn to set the step up.

// inTurn runs f in the group's turn.
func inTurn(t *testing.T, g *Group, f func()) {
	t.Helper()
	done := make(chan struct{})
	require.True(t, g.call(func() { f(); close(done) }))
	<-done
}

// recorder is a Transport that keeps what is sent.
type recorder struct {
	mu   sync.Mutex
	sent []inbound
	// onSend, if set, is called for every message of a group.
	onSend func(in inbound)
}

func (r *recorder) Start(transport.Handler) error { return nil }
func (r *recorder) Close() error                  { return nil }
func (r *recorder) OpenStream(context.Context, StoreID) (transport.Stream, error) {
	return nil, transport.ErrUnreachable
}

func (r *recorder) Send(_ StoreID, class transport.Class, m transport.Message) error {
	if class != transport.Raft {
		return nil
	}
	_, in, err := decodeMessage(m.AppendTo(nil))
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.sent = append(r.sent, in)
	r.mu.Unlock()
	if r.onSend != nil {
		r.onSend(in)
	}
	return nil
}

func (r *recorder) has(f func(in inbound) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, in := range r.sent {
		if f(in) {
			return true
		}
	}
	return false
}

// openRecorded opens replica 1 of a group of three whose messages go nowhere.
func openRecorded(t *testing.T, r *recorder) (*Host, *Group, *listMachine) {
	fs := vfs.NewMem()
	m := newList(fs)
	cfg := soloConfig(fs, func(GroupID) *listMachine { return m })
	cfg.Transport = r
	cfg.TickInterval = time.Hour
	h, err := NewHost(cfg)
	require.NoError(t, err)
	require.NoError(t, h.Start())
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	require.NoError(t, h.Prepare(testGroup, 1))
	g, err := h.Open(OpenOptions{Group: testGroup, Replica: 1, Machine: m, Members: []Member{{1, 1, Voter}, {2, 2, Voter}, {3, 3, Voter}}})
	require.NoError(t, err)
	return h, g, m
}

// deliver steps a raft message of another replica.
func deliver(t *testing.T, g *Group, from ReplicaID, m raftpb.Message) {
	t.Helper()
	m.From, m.To = uint64(from), 1
	inTurn(t, g, func() {
		g.receive(&inbound{from: Member{Replica: from, Store: StoreID(from)}, to: 1, kind: kindRaft, raft: m})
	})
	g.settle() // Ready has been worked off, and the log synced
}

// elect makes the group's replica 1 leader by the votes of 2, and supported by 2.
func elect(t *testing.T, h *Host, g *Group) {
	t.Helper()
	g.Campaign()
	g.settle()
	term := g.rn.BasicStatus().Term
	deliver(t, g, 2, raftpb.Message{Type: raftpb.MsgPreVoteResp, Term: term + 1})
	deliver(t, g, 2, raftpb.Message{Type: raftpb.MsgVoteResp, Term: term + 1})
	deliver(t, g, 2, raftpb.Message{Type: raftpb.MsgAppResp, Term: term + 1, Index: uint64(InitialIndex) + 1})
	grant(h, 2, h.liveness.EpochFor(2), h.cfg.Clock.Now().Add(time.Hour))
	inTurn(t, g, func() {
		g.receive(&inbound{from: Member{Replica: 2, Store: 2}, to: 1, kind: kindFortify,
			fort: fortifyMessage{response: true, ok: true, term: term + 1, epoch: h.liveness.EpochFor(2)}})
	})
	g.settle()
	require.True(t, g.Lease().Covers(h.cfg.Clock.Now()))
}

// TestLeaseEndsBeforeVote: a leader's vote for another carries a clock past every
// timestamp served under the lease, so the lease has gone when the vote leaves.
func TestLeaseEndsBeforeVote(t *testing.T) {
	var g atomic.Pointer[Group]
	r := &recorder{}
	var heldAtVote atomic.Bool
	r.onSend = func(in inbound) {
		if in.kind == kindRaft && in.raft.Type == raftpb.MsgVoteResp && !in.raft.Reject {
			heldAtVote.Store(g.Load().Lease().Held)
		}
	}
	h, group, _ := openRecorded(t, r)
	g.Store(group)
	elect(t, h, group)
	term := uint64(group.Lease().Term)
	deliver(t, group, 3, raftpb.Message{Type: raftpb.MsgVote, Term: term + 1, LogTerm: term, Index: uint64(InitialIndex) + 1, Context: campaignTransfer})
	require.True(t, r.has(func(in inbound) bool { return in.raft.Type == raftpb.MsgVoteResp && in.to == 3 && !in.raft.Reject }))
	require.False(t, heldAtVote.Load())
}

// TestLeaderWithLeaseIgnoresCandidates: a candidate that cannot win does not end
// a leadership.
func TestLeaderWithLeaseIgnoresCandidates(t *testing.T) {
	r := &recorder{}
	h, g, _ := openRecorded(t, r)
	elect(t, h, g)
	term := uint64(g.Lease().Term)
	for _, typ := range []raftpb.MessageType{raftpb.MsgPreVote, raftpb.MsgVote} {
		deliver(t, g, 3, raftpb.Message{Type: typ, Term: term + 1, LogTerm: term, Index: 100})
	}
	require.True(t, g.Lease().Held)
	require.Equal(t, Term(term), g.Lease().Term)
	// One that was removed and does not know is told.
	deliver(t, g, 9, raftpb.Message{Type: raftpb.MsgPreVote, Term: term + 1, LogTerm: term, Index: 100})
	require.True(t, r.has(func(in inbound) bool { return in.kind == kindGone && in.to == 9 }))
}

// TestPromiseOutlivesTerm: a stray message raises a follower's term, the promise
// to the leader of the earlier term stands, until a later leader is known.
func TestPromiseOutlivesTerm(t *testing.T) {
	r := &recorder{}
	h, g, _ := openRecorded(t, r)
	term := uint64(InitialTerm) + 1
	heartbeatFrom(h, 2, 1)
	deliver(t, g, 2, raftpb.Message{Type: raftpb.MsgHeartbeat, Term: term})
	inTurn(t, g, func() {
		g.receive(&inbound{from: Member{Replica: 2, Store: 2}, to: 1, kind: kindFortify, fort: fortifyMessage{term: term, epoch: 1}})
		require.True(t, g.fortified())
	})
	deliver(t, g, 3, raftpb.Message{Type: raftpb.MsgPreVoteResp, Term: term + 1, Reject: true})
	inTurn(t, g, func() {
		require.Equal(t, term+1, g.rn.BasicStatus().Term)
		require.True(t, g.fortified())
	})
	deliver(t, g, 3, raftpb.Message{Type: raftpb.MsgVote, Term: term + 1, LogTerm: term, Index: 100})
	require.False(t, r.has(func(in inbound) bool { return in.raft.Type == raftpb.MsgVoteResp }))
	// Elected without us.
	deliver(t, g, 3, raftpb.Message{Type: raftpb.MsgHeartbeat, Term: term + 1})
	inTurn(t, g, func() { require.False(t, g.fortified()) })
}

// TestPromiseEndsAsLeaderLetsGo: the store of a failed leader tells its followers.
func TestPromiseEndsAsLeaderLetsGo(t *testing.T) {
	h, g, _ := openRecorded(t, &recorder{})
	term := uint64(InitialTerm) + 1
	heartbeatFrom(h, 2, 1)
	deliver(t, g, 2, raftpb.Message{Type: raftpb.MsgHeartbeat, Term: term})
	fortify := func(from ReplicaID, m fortifyMessage) {
		inTurn(t, g, func() {
			g.receive(&inbound{from: Member{Replica: from, Store: StoreID(from)}, to: 1, kind: kindFortify, fort: m})
		})
	}
	fortify(2, fortifyMessage{term: term, epoch: 1})
	fortify(2, fortifyMessage{term: term - 1, letGo: true}) // late
	fortify(3, fortifyMessage{term: term, letGo: true})     // not its leader
	inTurn(t, g, func() { require.True(t, g.fortified()) })
	fortify(2, fortifyMessage{term: term, letGo: true})
	inTurn(t, g, func() { require.False(t, g.fortified()) })
}

// TestReplacedEntryMayBeCommitted is Figure 8 of the Raft paper seen by a
// proposer: its entry is replaced in the local log, survives elsewhere, and is
// committed after all. Until then nobody may be told that it was dropped.
func TestReplacedEntryMayBeCommitted(t *testing.T) {
	for _, survives := range []bool{true, false} {
		_, g, _ := openRecorded(t, &recorder{})
		p := &Proposal{Data: []byte("x"), Term: 7}
		p.begin(nil)
		inTurn(t, g, func() {
			g.pending = append(g.pending, pendingProposal{index: 11, term: 7, p: p})
			g.displace([]raftpb.Entry{{Index: 11, Term: 8}})
			require.Empty(t, g.pending)
			require.False(t, p.done.Load(), "decided too early: %v", p.err)
			final := raftpb.Entry{Index: 11, Term: 9, Data: []byte("y")}
			if survives {
				final = raftpb.Entry{Index: 11, Term: 7, Data: []byte("x")}
			}
			require.NoError(t, g.applyRun([]raftpb.Entry{final}, nil))
			require.True(t, p.done.Load())
			require.Empty(t, g.displaced)
		})
		if survives {
			require.NoError(t, p.err)
			require.Equal(t, Index(11), p.Index)
		} else {
			require.ErrorIs(t, p.err, ErrDropped)
		}
	}
}

// TestImageHidesOutcome: what an image may contain is ambiguous, not dropped.
func TestImageHidesOutcome(t *testing.T) {
	_, g, _ := openRecorded(t, &recorder{})
	inside, behind := &Proposal{}, &Proposal{}
	inside.begin(nil)
	behind.begin(nil)
	inTurn(t, g, func() {
		g.pending = []pendingProposal{{index: 12, term: 7, p: inside}, {index: 14, term: 7, p: behind}}
		g.overtaken(12)
		var ambiguous *AmbiguousError
		require.ErrorAs(t, inside.err, &ambiguous)
		require.False(t, behind.done.Load())
	})
}

// TestDivergentTailAfterImage: a crash between the ingestion of an image and the
// log write leaves a log that reaches past the image with entries which were never
// committed.
func TestDivergentTailAfterImage(t *testing.T) {
	fs := vfs.NewMem()
	m := &listMachine{fs: fs, index: 12, term: 8}
	m.flush()
	h, err := NewHost(soloConfig(fs, func(GroupID) *listMachine { return m }))
	require.NoError(t, err)
	defer h.Close()
	require.NoError(t, h.Prepare(testGroup, 1))
	lg := h.log.Group(testGroup)
	lg.Append(logstore.HardState{Term: 7, Commit: 10}, []raftpb.Entry{{Index: 11, Term: 7}, {Index: 12, Term: 7}, {Index: 13, Term: 7}})
	_, err = h.Open(OpenOptions{Group: testGroup, Replica: 1, Machine: m, Members: []Member{{1, 1, Voter}, {2, 2, Voter}}})
	require.NoError(t, err)
	require.Equal(t, uint64(12), lg.Last())
	term, err := lg.Term(12)
	require.NoError(t, err)
	require.Equal(t, uint64(8), term)
	require.GreaterOrEqual(t, lg.State().Hard.Term, uint64(8))
}

// TestOlderReplicaIsRefused is I5.
func TestOlderReplicaIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	m := newList(fs)
	h, err := NewHost(soloConfig(fs, func(GroupID) *listMachine { return m }))
	require.NoError(t, err)
	defer h.Close()
	require.NoError(t, h.Prepare(testGroup, 5))
	_, err = h.Open(OpenOptions{Group: testGroup, Replica: 4, Machine: m, Members: []Member{{4, 1, Voter}}})
	require.ErrorIs(t, err, ErrReplicaRemoved)
	require.ErrorIs(t, h.Prepare(testGroup, 4), ErrReplicaRemoved)
}

func TestProposalWithoutData(t *testing.T) {
	fs := vfs.NewMem()
	h, g := openSolo(t, fs, newList(fs))
	defer h.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for range 3 {
		require.NoError(t, g.Propose(ctx, &Proposal{Term: g.Lease().Term}))
		require.NoError(t, g.Propose(ctx, &Proposal{Term: g.Lease().Term, Data: []byte("a")}))
	}
}

func TestLeaderDoesNotRemoveItself(t *testing.T) {
	h, g, _ := openRecorded(t, &recorder{})
	elect(t, h, g)
	for _, typ := range []ChangeType{RemoveMember, AddLearner} {
		var invalid *InvalidChangeError
		require.ErrorAs(t, g.ChangeMembers(context.Background(), &Proposal{Term: g.Lease().Term}, []MemberChange{{Type: typ, Replica: 1}}), &invalid)
	}
}

// TestStopTwice: a group may be stopped by several at once.
func TestStopTwice(t *testing.T) {
	fs := vfs.NewMem()
	h, g := openSolo(t, fs, newList(fs))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(g.Stop)
	}
	wg.Wait()
	require.NoError(t, h.Close())
	g.Stop()
	require.Equal(t, "stopped", g.Status().Role)
	g.Wake()
	require.False(t, h.awake.has(g))
}

// TestStopWhileWorkersAreBusy: a group that waits for a worker is stopped from the
// Apply of others that hold all workers.
func TestStopWhileWorkersAreBusy(t *testing.T) {
	fs := vfs.NewMem()
	machines := map[GroupID]*listMachine{}
	cfg := soloConfig(fs, func(id GroupID) *listMachine { return machines[id] })
	cfg.Workers = 2
	h, err := NewHost(cfg)
	require.NoError(t, err)
	require.NoError(t, h.Start())
	var groups []*Group
	for id := GroupID(1); id <= 3; id++ {
		machines[id] = newList(fs)
		require.NoError(t, h.Prepare(id, 1))
		g, err := h.Open(OpenOptions{Group: id, Replica: 1, Machine: machines[id], Members: []Member{{1, 1, Voter}}})
		require.NoError(t, err)
		groups = append(groups, g)
	}
	var ready, done sync.WaitGroup
	queued := make(chan struct{})
	for _, g := range groups[:2] {
		ready.Add(1)
		done.Add(1)
		require.True(t, g.call(func() {
			defer done.Done()
			ready.Done()
			<-queued
			groups[2].Stop()
		}))
	}
	ready.Wait()
	dropped := make(chan struct{})
	require.True(t, groups[2].callOr(func() {}, func() { close(dropped) }))
	close(queued)
	done.Wait()
	<-dropped
	require.NoError(t, h.Close())
}

// TestFailedLeaderIsReplaced: the store of the leader is well, its replica is not.
func TestFailedLeaderIsReplaced(t *testing.T) {
	c := newTestCluster(t, 3, 3)
	l := c.leader()
	c.propose(l, "a")
	for _, s := range c.stores {
		c.awaitList(s, []string{"a"})
	}
	failed := make(chan struct{})
	require.True(t, l.group().call(func() { l.group().fail(errors.New("disk")); close(failed) }))
	<-failed
	next := c.leader(l)
	c.propose(next, "b")
}

// TestTransferGivenUp: the caller of a transfer leaves and nobody takes over; the
// leader must not stay without a lease.
func TestTransferGivenUp(t *testing.T) {
	c := newTestCluster(t, 3, 3)
	l := c.leader()
	c.propose(l, "a")
	var to *testStore
	for _, s := range c.stores {
		if s != l {
			to = s
		}
	}
	c.net.Isolate(to.id)
	term := l.group().Lease().Term
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	require.Error(t, l.group().TransferLeader(ctx, to.group().ReplicaID()))
	require.Eventually(t, func() bool { return l.group().Lease().Term > term }, 10*time.Second, time.Millisecond)
	next := c.leader(to)
	c.propose(next, "b")
	c.net.Heal()
	for _, s := range c.stores {
		c.awaitList(s, []string{"a", "b"})
	}
}

// TestCrashOfAllStores: what was acknowledged survives a crash of the whole
// cluster at once, and is applied once.
func TestCrashOfAllStores(t *testing.T) {
	c := newTestCluster(t, 3, 3)
	acked := map[string]bool{}
	for round := range 3 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		l := c.leader()
		for w := range 4 {
			wg.Go(func() {
				for i := range 20 {
					data := fmt.Sprintf("%d/%d/%d", round, w, i)
					ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
					err := l.group().Propose(ctx, &Proposal{Data: []byte(data), Term: l.group().Lease().Term})
					cancel()
					if err != nil {
						return
					}
					mu.Lock()
					acked[data] = true
					mu.Unlock()
				}
			})
		}
		if round%2 == 0 {
			wg.Wait()
		}
		// All stores go down as they are. They are cut off from each other first: what
		// one of them does after it was cloned must not reach another that was not yet.
		for _, s := range c.stores {
			c.net.Isolate(s.id)
		}
		mu.Lock()
		crashed := make([]*vfs.MemFS, len(c.stores))
		for i, s := range c.stores {
			crashed[i] = s.fs.CrashClone(vfs.CrashCloneCfg{})
		}
		snapshot := maps.Clone(acked)
		mu.Unlock()
		wg.Wait()
		for i, s := range c.stores {
			require.NoError(t, s.host.Close())
			s.host, s.fs = nil, crashed[i]
			s.m = s.m.afterCrash()
			s.m.fs = crashed[i]
		}
		acked = snapshot
		c.net.Heal()
		for _, s := range c.stores {
			c.restart(s)
		}
	}
	c.requireAppliedOnce(acked)
}
