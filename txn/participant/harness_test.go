package participant

// The harness runs one range, or several, in one process over a fake Raft group
// that applies every proposal at once on the proposer's goroutine. Time is set by
// the test.

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
	"github.com/spanlite/spanlite/txn/locktable"
)

// fakeGroup is a replica.Group of one voter.
type fakeGroup struct {
	mu      sync.Mutex
	machine raftgroup.StateMachine
	lease   atomic.Pointer[raftgroup.Lease]
	// fail, if set, is asked before each proposal is applied; an error is
	// returned instead of applying, or after it if applyFirst.
	fail       func() error
	applyFirst bool
	members    []raftgroup.Member
	entries    [1]raftgroup.Entry
}

func (g *fakeGroup) Lease() raftgroup.Lease { return *g.lease.Load() }
func (g *fakeGroup) Wake()                  {}

func (g *fakeGroup) TransferLeader(context.Context, keys.ReplicaID) error { return nil }

func (g *fakeGroup) setLease(l raftgroup.Lease) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lease.Store(&l)
	g.machine.LeaseChanged(l)
}

func (g *fakeGroup) Propose(_ context.Context, p *raftgroup.Proposal) error {
	return g.propose(p, nil)
}

func (g *fakeGroup) ChangeMembers(_ context.Context, p *raftgroup.Proposal, changes []raftgroup.MemberChange) error {
	members := append([]raftgroup.Member(nil), g.members...)
	for _, c := range changes {
		members = append(members, raftgroup.Member{Replica: c.Replica, Store: c.Store, Kind: raftgroup.Learner})
	}
	return g.propose(p, members)
}

func (g *fakeGroup) propose(p *raftgroup.Proposal, members []raftgroup.Member) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lease.Load()
	if !l.Held || l.Term != p.Term {
		return &raftgroup.NotLeaderError{Term: l.Term}
	}
	if g.fail != nil && !g.applyFirst {
		if err := g.fail(); err != nil {
			return err
		}
	}
	index, _ := g.machine.AppliedIndex()
	g.entries[0] = raftgroup.Entry{Index: index + 1, Term: p.Term, Data: p.Data, Proposal: p, Members: members}
	if g.fail != nil {
		g.entries[0].Proposal = nil
	}
	if err := g.machine.Apply(g.entries[:]); err != nil {
		return &raftgroup.AmbiguousError{Cause: err}
	}
	p.Index = index + 1
	if g.fail != nil {
		return g.fail()
	}
	return nil
}

// cluster is some ranges over one engine.
type cluster struct {
	t      testing.TB
	engine *storage.Engine
	clock  *hlc.Clock
	micros atomic.Int64
	graph  *locktable.Graph
	ranges []*testRange
	ids    atomic.Uint32
}

type testRange struct {
	*replica.Replica
	group *fakeGroup
	p     *Participant
}

// newCluster makes a range for each interval between bounds; the first starts at
// keys.TableMin.
func newCluster(t testing.TB, bounds ...string) *cluster {
	engine, err := storage.Open(storage.Options{Dir: "state", FS: vfs.NewMem()})
	require.NoError(t, err)
	c := &cluster{t: t, engine: engine, graph: locktable.NewGraph(locktable.GraphConfig{Node: 1})}
	c.micros.Store(1_000_000)
	c.clock = hlc.NewClock(c.micros.Load, 0)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	start := keys.TableMin
	for i := 0; i <= len(bounds); i++ {
		end := keys.KeyMax
		if i < len(bounds) {
			end = key(bounds[i])
		}
		c.add(&kv.RangeDescriptor{RangeID: keys.RangeID(i + 2), Start: start, End: end, Generation: 1, NextReplicaID: 2,
			Replicas: []kv.ReplicaDescriptor{{Node: 1, Store: 1, Replica: 1}}}, true)
		start = end
	}
	return c
}

func (c *cluster) config() Config {
	return Config{Graph: c.graph, Sender: c, PushAfter: time.Millisecond, PushMax: 5 * time.Millisecond}
}

func (c *cluster) add(d *kv.RangeDescriptor, create bool) *testRange {
	if create {
		b := c.engine.NewBatch()
		replica.WriteInitialState(b, d)
		require.NoError(c.t, b.Commit())
		b.Close()
	}
	tr := &testRange{}
	r, err := replica.New(replica.Config{
		RangeID: d.RangeID, ReplicaID: 1, Node: 1, Store: 1, Engine: c.engine, Clock: c.clock, TempDir: "tmp",
		LeaseWait: 20 * time.Millisecond,
		NewParticipant: func(r *replica.Replica) replica.Participant {
			tr.p = New(c.config(), r)
			return tr.p
		},
		Hooks: replica.Hooks{
			AfterSplit: func(left *replica.Replica, s *replica.SplitTrigger, kept bool) error {
				right := c.add(&s.Right, false)
				right.Seed(s.Handover)
				right.group.setLease(raftgroup.Lease{Term: 6, Leader: raftgroup.Member{Replica: 1, Store: 1}, Held: true,
					Start: c.clock.Now(), Until: hlc.Max})
				return nil
			},
		},
	})
	require.NoError(c.t, err)
	g := &fakeGroup{machine: r, members: r.Members()}
	l := raftgroup.Lease{}
	if create {
		l = raftgroup.Lease{Term: 6, Leader: raftgroup.Member{Replica: 1, Store: 1}, Held: true, Start: c.clock.Now(), Until: hlc.Max}
	}
	g.lease.Store(&l)
	r.Attach(g)
	tr.Replica, tr.group = r, g
	c.ranges = append(c.ranges, tr)
	return tr
}

// newLease gives the range a lease at a later term.
func (r *testRange) newLease(c *cluster) {
	l := r.group.Lease()
	r.group.setLease(raftgroup.Lease{Term: l.Term + 1, Leader: l.Leader})
	l.Term, l.Held, l.Start = l.Term+1, true, c.clock.Now()
	r.group.setLease(l)
}

func (c *cluster) rangeOf(k keys.Key) *testRange {
	for _, r := range c.ranges {
		if r.Desc().Contains(k) {
			return r
		}
	}
	return nil
}

// Send implements kv.Sender for batches within one range.
func (c *cluster) Send(ctx context.Context, b *kv.Batch) error {
	return c.rangeOf(b.Ops[0].Key).Send(ctx, b)
}

func (c *cluster) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

func key(s string) keys.Key { return append(bytes.Clone(keys.TableMin), s...) }

func (c *cluster) begin(iso kv.Isolation) *kv.TxnMeta {
	now := c.clock.Now()
	t := &kv.TxnMeta{StartTS: now, ReadTS: now, WriteTS: now, Isolation: iso, GatewayNode: 1}
	n := c.ids.Add(1)
	t.ID = kv.TxnID{0: byte(n), 1: byte(n >> 8), 15: 1}
	return t
}

func (c *cluster) get(ctx context.Context, t *kv.TxnMeta, k string) (string, error) {
	b := kv.Batch{Header: kv.Header{Txn: t}, Ops: []kv.Op{{Kind: kv.OpGet, Key: key(k)}}}
	if err := c.Send(ctx, &b); err != nil {
		return "", err
	}
	if !b.Ops[0].Found {
		return "", nil
	}
	return string(b.Ops[0].Value), nil
}

// lock takes a lock and follows the newest version as a coordinator that has read
// nothing else would.
func (c *cluster) lock(ctx context.Context, t *kv.TxnMeta, k string, s kv.LockStrength) (string, kv.LockedKey, error) {
	return c.lockWait(ctx, t, k, s, kv.WaitBlock)
}

func (c *cluster) lockWait(ctx context.Context, t *kv.TxnMeta, k string, s kv.LockStrength, wait kv.WaitPolicy) (string, kv.LockedKey, error) {
	t.Seq++
	if t.Anchor == nil {
		t.Anchor = key(k)
	}
	b := kv.Batch{Header: kv.Header{Txn: t, Wait: wait}, Ops: []kv.Op{{Kind: kv.OpGet, Key: key(k), Lock: s, Seq: t.Seq}}}
	if err := c.Send(ctx, &b); err != nil {
		return "", kv.LockedKey{}, err
	}
	o := &b.Ops[0]
	if o.TS > t.ReadTS {
		t.ReadTS, t.WriteTS = o.TS, max(t.WriteTS, o.TS)
	}
	return string(o.Value), kv.LockedKey{Key: key(k), Strength: s, ReadTS: o.TS, Seq: t.Seq}, nil
}

// commit commits in one phase.
func (c *cluster) commit(ctx context.Context, t *kv.TxnMeta, end kv.EndTxn, puts ...string) error {
	b := kv.Batch{Header: kv.Header{Txn: t}}
	for i := 0; i < len(puts); i += 2 {
		o := kv.Op{Kind: kv.OpPut, Key: key(puts[i]), Value: []byte(puts[i+1])}
		if puts[i+1] == "" {
			o.Kind = kv.OpDelete
		}
		b.Ops = append(b.Ops, o)
	}
	end.Commit, end.OnePhase = true, true
	if end.SentAt == 0 {
		end.SentAt = c.clock.Now()
	}
	anchor := t.Anchor
	if anchor == nil {
		anchor = b.Ops[0].Key
	}
	b.Ops = append(b.Ops, kv.Op{Kind: kv.OpEndTxn, Key: anchor, End: &end})
	return c.Send(ctx, &b)
}

// put commits some values in a transaction of their own.
func (c *cluster) put(puts ...string) hlc.Timestamp {
	c.t.Helper()
	t := c.begin(kv.Serializable)
	require.NoError(c.t, c.commit(context.Background(), t, kv.EndTxn{ReadsComplete: true}, puts...))
	return t.WriteTS
}

func point(k string) keys.Span   { return keys.Span{Start: key(k)} }
func span(a, b string) keys.Span { return keys.Span{Start: key(a), End: key(b)} }
func reads(s ...keys.Span) kv.EndTxn {
	return kv.EndTxn{Reads: s, ReadsComplete: true}
}

// kvLease is the lease as a replica sees it that does not hold it.
func kvLease(term raftgroup.Term, leader keys.ReplicaID) raftgroup.Lease {
	return raftgroup.Lease{Term: term, Leader: raftgroup.Member{Replica: leader, Store: keys.StoreID(leader)}}
}

var (
	errDropped   = raftgroup.ErrDropped
	errAmbiguous = &raftgroup.AmbiguousError{Cause: context.DeadlineExceeded}
)
