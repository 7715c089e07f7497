package store

// Stores over the fake Raft of fakeraft_test.go, wired to each other as the server
// wires them, with the real replicas, transaction protocol and sender.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/dist"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/kv/placement"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
	"github.com/spanlite/spanlite/raftgroup/transport"
	"github.com/spanlite/spanlite/txn/locktable"
	"github.com/spanlite/spanlite/txn/participant"
)

// node is one node of a test cluster.
type node struct {
	c      *cluster
	id     storage.Identity
	fs     *vfs.MemFS
	eng    *storage.Engine
	clock  *hlc.Clock
	reg    *liveness.Registry
	store  *Store
	sender *dist.Sender
	up     bool
	// serving is what other goroutines than the test's use; nil while down.
	serving atomic.Pointer[serving]
}

type serving struct {
	store  *Store
	sender *dist.Sender
}

type cluster struct {
	t     *testing.T
	net   *fakeNet
	nodes []*node
	why   string // what settled last missed
	// real is set if the stores run over raftgroup instead of the fake.
	real   *transport.Network
	mutate func(*Config)

	mu     sync.Mutex
	events []string
}

func newCluster(t *testing.T, n int, mutate ...func(*Config)) *cluster {
	return newClusterOver(t, nil, n, mutate...)
}

// newRealCluster runs over raftgroup and its in-memory network.
func newRealCluster(t *testing.T, n int, mutate ...func(*Config)) *cluster {
	return newClusterOver(t, transport.NewNetwork(1), n, mutate...)
}

func newClusterOver(t *testing.T, net *transport.Network, n int, mutate ...func(*Config)) *cluster {
	c := &cluster{t: t, net: newFakeNet(), real: net, mutate: func(cfg *Config) {
		for _, m := range mutate {
			m(cfg)
		}
	}}
	t.Cleanup(func() {
		for _, n := range c.nodes {
			if n.up {
				n.stop()
			}
		}
		c.net.wg.Wait()
		if t.Failed() {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, e := range c.events {
				t.Log(e)
			}
		}
	})
	for range n {
		c.add()
	}
	return c
}

func (c *cluster) event(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}

// add bootstraps the first node and lets the others join.
func (c *cluster) add() *node {
	n := &node{c: c, fs: vfs.NewCrashableMem()}
	c.mu.Lock()
	c.nodes = append(c.nodes, n)
	c.mu.Unlock()
	n.clock = hlc.NewClock(hlc.WallSource, 0)
	n.openEngine()
	if len(c.nodes) == 1 {
		id, err := Bootstrap(n.eng, n.clock)
		require.NoError(c.t, err)
		n.id = id
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		id, _, err := c.live()[0].store.Admit(ctx, liveness.Record{Addr: "?"})
		require.NoError(c.t, err)
		require.NoError(c.t, n.eng.SetIdentity(id))
		n.id = id
	}
	n.start()
	return n
}

func (c *cluster) members() []*node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.nodes)
}

func (c *cluster) live() []*node {
	var l []*node
	for _, n := range c.nodes {
		if n.up {
			l = append(l, n)
		}
	}
	return l
}

func (n *node) openEngine() {
	eng, err := storage.Open(storage.Options{FS: n.fs, Dir: "state", CacheBytes: 4 << 20, MemTableBytes: 4 << 20})
	require.NoError(n.c.t, err)
	n.eng = eng
}

// lateSender breaks the circle between a store and its sender.
type lateSender struct{ n *node }

func (l lateSender) Send(ctx context.Context, b *kv.Batch) error {
	if s := l.n.serving.Load(); s != nil {
		return s.sender.Send(ctx, b)
	}
	return errDown
}

func (n *node) start() {
	t := n.c.t
	rec := liveness.Record{Node: n.id.Node, Store: n.id.Store, Addr: n.id.Node.String(), StartedMicros: n.clock.Physical()}
	var err error
	n.reg, err = liveness.NewRegistry(liveness.Config{Self: n.id.Node, Clock: n.clock, Engine: n.eng,
		HeardWithin: 200 * time.Millisecond, Changed: func() {
			if s := n.serving.Load(); s != nil {
				s.store.ClusterChanged()
			}
		}})
	require.NoError(t, err)
	id := n.id.Node
	cfg := Config{
		Engine: n.eng, Clock: n.clock, Registry: n.reg, Record: rec, NewHost: n.c.net.newHost,
		Raft: raftgroup.Config{FS: n.fs, Dir: "raft"},
		NewParticipant: participant.Factory(participant.Config{
			Graph: locktable.NewGraph(locktable.GraphConfig{}), Sender: lateSender{n},
		}),
		SplitHoldOff:    200 * time.Millisecond,
		BalanceInterval: time.Millisecond,
		PulseInterval:   20 * time.Millisecond,
		ScanInterval:    time.Hour,
		Placement:       placement.Config{NoBalance: true},
		Events: Events{
			QueueFailed: func(q string, r keys.RangeID, err error) { n.c.event("%s %s %s: %v", id, q, r, err) },
			Moved:       func(r keys.RangeID, m placement.Move) { n.c.event("%s %s %s", id, r, m) },
			ReplicaFailed: func(r keys.RangeID, rid keys.ReplicaID, err error) {
				n.c.event("%s %s/%d FAILED: %v", id, r, rid, err)
			},
			ReplicaRemoved: func(r keys.RangeID, rid keys.ReplicaID) { n.c.event("%s %s/%d removed", id, r, rid) },
			ReplicaOpened: func(r keys.RangeID, rid keys.ReplicaID, init bool) {
				n.c.event("%s %s/%d opened, initialized %v", id, r, rid, init)
			},
			LeaseAcquired: func(r keys.RangeID, l raftgroup.Lease) { n.c.event("%s %s lease of term %d", id, r, l.Term) },
		},
	}
	if net := n.c.real; net != nil {
		cfg.NewHost = nil
		cfg.Raft.Transport = net.Join(n.id.Store, n.clock)
		cfg.Raft.TickInterval = 5 * time.Millisecond
		cfg.Raft.SupportDuration = 800 * time.Millisecond
		cfg.Raft.SegmentSize = 1 << 20
	}
	n.c.mutate(&cfg)
	s, err := Open(cfg)
	require.NoError(t, err)
	n.store = s
	n.sender = dist.New(dist.Config{
		Clock: n.clock, LocalStore: n.id.Store, Local: s, LocalFirstRange: s.FirstRange, Transport: wire{n}, Nodes: n.reg.Nodes,
		MaxBackoff: 20 * time.Millisecond,
	})
	n.up = true
	n.serving.Store(&serving{s, n.sender})
	require.NoError(t, s.Start(Cluster{Sender: n.sender, Learn: n.sender.Learn, Peers: wire{n}}))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	n.c.net.elect()
	require.NoError(t, n.reg.Register(ctx, n.sender, rec))
	for _, o := range n.c.live() {
		require.NoError(t, o.reg.Refresh(ctx, o.sender))
	}
}

func (n *node) stop() {
	n.up = false
	n.serving.Store(nil)
	require.NoError(n.c.t, n.store.Close())
	require.NoError(n.c.t, n.eng.Close())
}

// crash loses everything that was not synced.
func (n *node) crash(rnd *rand.Rand) {
	// First the network: what is synced after the clone was made must not be promised
	// to anybody.
	n.serving.Store(nil)
	if n.c.real != nil {
		n.c.real.Isolate(n.id.Store)
	}
	clone := n.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rnd})
	n.stop()
	n.fs = clone
	if n.c.real != nil {
		n.c.real.Heal()
	}
}

func (n *node) restart() {
	n.openEngine()
	n.start()
}

// wire carries requests between the stores of a test by calling them, through the
// codec so that no memory is shared.
type wire struct{ from *node }

var errDown = errors.New("node is down")

// node returns a node that is up, with what it serves.
func (w wire) node(id keys.NodeID) (*node, *serving) {
	for _, n := range w.from.c.members() {
		if s := n.serving.Load(); s != nil && s.store.Identity().Node == id {
			return n, s
		}
	}
	return nil, nil
}

func (w wire) Send(ctx context.Context, id keys.NodeID, b *kv.Batch) error {
	n, srv := w.node(id)
	if n == nil {
		return &dist.SendError{Node: id, Cause: errDown}
	}
	var c kv.Codec
	var remote kv.Batch
	if err := c.DecodeBatch(c.AppendBatch(nil, b), &remote); err != nil {
		return err
	}
	n.clock.Update(b.Now)
	err := srv.store.Send(ctx, &remote)
	remote.Now = n.clock.Peek()
	result, err := c.DecodeReply(c.AppendReply(nil, &remote, err), b)
	if err != nil {
		return err
	}
	return result
}

func (w wire) FirstRange(_ context.Context, id keys.NodeID) (*kv.RangeDescriptor, error) {
	if _, s := w.node(id); s != nil {
		return s.store.FirstRange(), nil
	}
	return nil, errDown
}

func (w wire) Admin(ctx context.Context, id keys.NodeID, req *AdminRequest) (*AdminReply, error) {
	if _, s := w.node(id); s != nil {
		return s.store.Admin(ctx, req)
	}
	return nil, &dist.SendError{Node: id, Cause: errDown}
}

// eventually waits for cond, which the cluster brings about in the background.
func (c *cluster) eventually(what string, cond func() bool) {
	c.t.Helper()
	// What cond looks at changes without an event for tests, so it is polled.
	deadline := time.After(40 * time.Second)
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !cond() {
		select {
		case <-deadline:
			c.t.Fatalf("%s: does not happen. %s", what, c.why)
		case <-poll.C:
		}
	}
}

// directory returns the rows and checks that they cover the key space once.
func (c *cluster) directory() []*kv.RangeDescriptor {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var list []*kv.RangeDescriptor
	require.NoError(c.t, c.live()[0].store.Directory(ctx, func(d *kv.RangeDescriptor) bool {
		list = append(list, d)
		return true
	}))
	return list
}

func covered(list []*kv.RangeDescriptor) error {
	at := string(keys.KeyMin)
	for _, d := range list {
		if string(d.Start) != at {
			return fmt.Errorf("gap or overlap at %x: %s", at, d)
		}
		at = string(d.End)
	}
	if at != string(keys.KeyMax) {
		return fmt.Errorf("ends at %x", at)
	}
	return nil
}

// settled reports whether every range has n voters, the directory says the same
// as the leaseholders, and all replicas have applied the same.
func (c *cluster) settled(n int) bool {
	why := c.unsettled(n)
	c.why = why
	return why == ""
}

// unsettled says what is missing.
func (c *cluster) unsettled(n int) string {
	list := c.directory()
	if err := covered(list); err != nil {
		return err.Error()
	}
	for _, d := range list {
		if len(d.Replicas) != n {
			return fmt.Sprintf("%s: want %d replicas", d, n)
		}
		var applied []uint64
		for _, rd := range d.Replicas {
			var nd *node
			for _, o := range c.live() {
				if o.id.Store == rd.Store {
					nd = o
				}
			}
			if nd == nil || rd.Role != kv.Voter {
				return fmt.Sprintf("%s: %s is down or no voter%s", d, rd.Store, c.groups(d.RangeID))
			}
			h := nd.store.table.get(d.RangeID)
			if h == nil || h.r.Desc() == nil || h.r.Desc().Generation != d.Generation {
				return fmt.Sprintf("%s: %s has another descriptor", d, rd.Store)
			}
			at, _ := h.r.AppliedIndex()
			applied = append(applied, uint64(at))
		}
		if slices.Min(applied) != slices.Max(applied) {
			return fmt.Sprintf("%s: applied %v%s", d, applied, c.groups(d.RangeID))
		}
	}
	return ""
}

// groups describes the replicas' groups.
func (c *cluster) groups(id keys.RangeID) (s string) {
	for _, o := range c.live() {
		if h := o.store.table.get(id); h != nil && h.g.Load() != nil {
			s += fmt.Sprintf("\n  %s: %+v", o.id.Store, h.g.Load().Status())
		}
	}
	return s
}

func tkey(i int) keys.Key { return append(slices.Clone(keys.TableMin), fmt.Sprintf("%06d", i)...) }

func (n *node) put(i int, value string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return n.sender.Send(ctx, &kv.Batch{Ops: []kv.Op{{Kind: kv.OpPut, Key: tkey(i), Value: []byte(value)}}})
}

func (n *node) get(i int) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpGet, Key: tkey(i)}}}
	err := n.sender.Send(ctx, &b)
	return string(b.Ops[0].Value), err
}

// leaderOf returns the node that leads the range of a key.
func (c *cluster) leaderOf(key keys.Key) (*node, *kv.RangeDescriptor) {
	c.t.Helper()
	var found *node
	var desc *kv.RangeDescriptor
	c.eventually("a leaseholder", func() bool {
		for _, n := range c.live() {
			n.store.table.each(func(_ keys.RangeID, h *handle) bool {
				if d := h.r.Desc(); d != nil && d.Contains(key) && h.holdsLease() {
					found, desc = n, d
				}
				return true
			})
		}
		return found != nil
	})
	return found, desc
}

// split splits the range of key there, following the lease.
func (c *cluster) split(key keys.Key) (left, right *kv.RangeDescriptor) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for {
		n, d := c.leaderOf(key)
		left, right, err := n.store.AdminSplit(ctx, d.RangeID, key)
		if _, moved := errors.AsType[*kv.NotLeaseholderError](err); !moved || ctx.Err() != nil {
			require.NoError(c.t, err)
			return left, right
		}
	}
}

func TestBootstrapAndRestart(t *testing.T) {
	c := newCluster(t, 1)
	n := c.nodes[0]
	_, err := Bootstrap(n.eng, n.clock)
	require.ErrorIs(t, err, ErrBootstrapped)
	require.NoError(t, n.put(1, "one"))
	require.NoError(t, covered(c.directory()))
	first, err := liveness.Allocate(context.Background(), n.sender, liveness.RangeIDs, 1)
	require.NoError(t, err)
	require.EqualValues(t, 3, first, "the bootstrap's ids are taken")

	n.stop()
	n.restart()
	v, err := n.get(1)
	require.NoError(t, err)
	require.Equal(t, "one", v)

	n.crash(rand.New(rand.NewPCG(1, 1)))
	n.restart()
	v, err = n.get(1)
	require.NoError(t, err)
	require.Equal(t, "one", v, "the log brings back what the engine has lost")
}

func TestOpenNeedsIdentity(t *testing.T) {
	eng, err := storage.Open(storage.Options{FS: vfs.NewMem(), Dir: "x"})
	require.NoError(t, err)
	defer eng.Close()
	clock := hlc.NewClock(hlc.WallSource, 0)
	reg, err := liveness.NewRegistry(liveness.Config{Self: 1, Clock: clock})
	require.NoError(t, err)
	_, err = Open(Config{Engine: eng, Clock: clock, Registry: reg, NewParticipant: participant.Factory(participant.Config{})})
	require.ErrorIs(t, err, ErrNoIdentity)
}

func TestSplitSingleNode(t *testing.T) {
	c := newCluster(t, 1)
	n := c.nodes[0]
	for i := range 100 {
		require.NoError(t, n.put(i, "v"))
	}
	left, right := c.split(tkey(50))
	require.Equal(t, left.End, right.Start)
	require.Equal(t, left.Generation, right.Generation)
	require.NoError(t, covered(c.directory()))
	require.Len(t, c.directory(), 3)
	for i := range 100 {
		v, err := n.get(i)
		require.NoError(t, err)
		require.Equal(t, "v", v)
	}
	// A split where a boundary is already changes nothing.
	c.split(tkey(50))
	require.Len(t, c.directory(), 3)
	_, _, err := n.store.AdminSplit(context.Background(), keys.MetaRangeID, keys.System("x"))
	require.ErrorIs(t, err, ErrUnsupportedSplit)

	n.crash(rand.New(rand.NewPCG(2, 2)))
	n.restart()
	for i := range 100 {
		v, err := n.get(i)
		require.NoError(t, err)
		require.Equal(t, "v", v)
	}
}

func TestSplitBySize(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.RangeMaxBytes = 64 << 10 })
	n := c.nodes[0]
	value := string(make([]byte, 1000))
	for i := range 400 {
		require.NoError(t, n.put(i, value))
	}
	c.eventually("splits", func() bool {
		list := c.directory()
		if len(list) < 6 || covered(list) != nil {
			return false
		}
		for _, d := range list {
			// Sizes are looked at every 64 writes.
			if st := n.store.Replica(d.RangeID).Stats(); d.RangeID != 1 && st.Bytes() > 2*64<<10 {
				return false
			}
		}
		return true
	})
	for i := range 400 {
		v, err := n.get(i)
		require.NoError(t, err)
		require.Equal(t, value, v)
	}
}

func TestUpReplicationAndReplacement(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) { cfg.Placement.TimeUntilDead = 300 * time.Millisecond })
	for i := range 50 {
		require.NoError(t, c.nodes[i%3].put(i, fmt.Sprint(i)))
	}
	c.split(tkey(20))
	c.eventually("three replicas", func() bool { return c.settled(3) })

	// A fourth node, then one of the three dies for good.
	c.add()
	lead, _ := c.leaderOf(tkey(1))
	var victim *node
	for _, n := range c.nodes[:3] {
		if n != lead {
			victim = n
		}
	}
	victim.stop()
	c.net.elect()
	c.eventually("the dead one is replaced", func() bool { return c.settled(3) })
	for _, d := range c.directory() {
		_, ok := d.Replica(victim.id.Store)
		require.False(t, ok, d)
	}
	for i := range 50 {
		v, err := c.nodes[3].get(i)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), v)
	}
	// It comes back, finds that it is no member any more, and cleans up.
	victim.restart()
	c.eventually("the returned replicas are removed", func() bool {
		left := 0
		victim.store.table.each(func(id keys.RangeID, h *handle) bool {
			if h.r.Initialized() {
				victim.store.removeQ.add(id)
			}
			left++
			return true
		})
		return left == 0
	})
}

// A store that dies while it is to get a replica is not waited for.
func TestReplicaOnADyingStoreIsGivenUp(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) { cfg.Placement.TimeUntilDead = 300 * time.Millisecond })
	require.NoError(t, c.nodes[0].put(1, "1"))
	c.eventually("three replicas", func() bool { return c.settled(3) })
	spare := c.add()
	lead, d := c.leaderOf(tkey(1))
	var from keys.StoreID
	for _, rd := range d.Replicas {
		if rd.Store != lead.id.Store {
			from = rd.Store
		}
	}
	spare.stop()
	c.net.elect()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := lead.store.AdminMove(ctx, d.RangeID, from, spare.id.Store)
	require.ErrorContains(t, err, "does not answer")
	c.eventually("the learner is removed", func() bool { return c.settled(3) })
}

func TestSplitUnderWritesOnThreeStores(t *testing.T) {
	c := newCluster(t, 3)
	c.eventually("three replicas", func() bool { return c.settled(3) })
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	counts := make([]int, 3)
	for w := range 3 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := c.nodes[w].put(w*1000+i%1000, fmt.Sprint(i)); err != nil {
					t.Errorf("put: %v", err)
					return
				}
				counts[w] = i
			}
		})
	}
	for i := range 8 {
		c.split(tkey(300*i + 150))
	}
	cancel()
	wg.Wait()
	c.eventually("quiet", func() bool { return c.settled(3) })
	require.Len(t, c.directory(), 2+8)
	for w := range 3 {
		last := counts[w]
		v, err := c.nodes[(w+1)%3].get(w*1000 + last%1000)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(last), v)
	}
	// The replicas agree.
	for _, d := range c.directory() {
		n, _ := c.leaderOf(d.Start)
		bad, err := n.store.AdminCheck(context.Background(), d.RangeID)
		require.NoError(t, err)
		require.Empty(t, bad)
	}
}

// merge joins the range of key with its right neighbour, following the lease.
func (c *cluster) merge(key keys.Key) *kv.RangeDescriptor {
	c.t.Helper()
	for {
		n, d := c.leaderOf(key)
		merged, err := n.store.AdminMerge(context.Background(), d.RangeID)
		if err == nil {
			return merged
		}
		_, moved := errors.AsType[*kv.NotLeaseholderError](err)
		_, away := errors.AsType[*kv.UnavailableError](err)
		require.True(c.t, moved || away, "%v", err)
	}
}

func TestMerge(t *testing.T) {
	c := newCluster(t, 3)
	for i := range 60 {
		require.NoError(t, c.nodes[0].put(i, fmt.Sprint(i)))
	}
	c.eventually("three replicas", func() bool { return c.settled(3) })
	left, right := c.split(tkey(30))
	c.eventually("split everywhere", func() bool { return c.settled(3) })
	// The right range is led elsewhere; the merge brings it home.
	rn, _ := c.leaderOf(right.Start)
	for _, o := range c.nodes {
		if o != rn {
			require.NoError(t, rn.store.AdminTransferLease(context.Background(), right.RangeID, o.id.Store))
			break
		}
	}
	ln, _ := c.leaderOf(left.Start)
	merged, err := ln.store.AdminMerge(context.Background(), left.RangeID)
	require.NoError(t, err)
	require.Equal(t, right.End, merged.End)
	require.Greater(t, merged.Generation, right.Generation)
	c.eventually("merged everywhere", func() bool { return c.settled(3) })
	require.Len(t, c.directory(), 2)
	for i := range 60 {
		v, err := c.nodes[1].get(i)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), v)
	}
	for _, n := range c.nodes {
		c.eventually("the right side is gone", func() bool { return n.store.Replica(right.RangeID) == nil })
	}
	// Crash of a follower right after.
	var f *node
	for _, n := range c.nodes {
		if n != ln {
			f = n
		}
	}
	f.crash(rand.New(rand.NewPCG(5, 5)))
	f.restart()
	c.eventually("caught up", func() bool { return c.settled(3) })
}

func TestInterruptedMergeIsSettled(t *testing.T) {
	c := newCluster(t, 1)
	n := c.nodes[0]
	_, right := c.split(tkey(30))
	h := n.store.table.get(right.RangeID)
	_, _, err := h.r.Freeze(context.Background())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	require.Error(t, n.sender.Send(ctx, &kv.Batch{Ops: []kv.Op{{Kind: kv.OpPut, Key: tkey(40)}}}), "frozen")
	// The process ends here; the next one finds the range frozen and no merge.
	n.stop()
	n.restart()
	require.NoError(t, n.put(40, "x"))
}

// freeze prepares the merge of the two halves of a split range as AdminMerge does,
// and returns what proposes it. The left leaseholder counts as merging from then on, so
// that nobody lets go of the right range.
func (c *cluster) freeze(left, right *kv.RangeDescriptor) (n *node, merge func() error) {
	ctx := context.Background()
	n, _ = c.leaderOf(left.Start)
	h := n.store.table.get(left.RangeID)
	term := h.r.Lease().Term
	require.NoError(c.t, n.store.beginMerge(h))
	rh, err := n.store.fetchNeighbour(ctx, h.r.Desc())
	require.NoError(c.t, err)
	index, stats, err := rh.r.Freeze(ctx)
	require.NoError(c.t, err)
	d := rh.r.Desc()
	require.NoError(c.t, n.store.awaitApplied(ctx, d, index))
	return n, func() error {
		_, err := h.r.Merge(ctx, term, d, index, stats)
		return err
	}
}

// A frozen range may get a new leader, who begins with an entry of its own.
func TestMergeAfterChangeOfLeader(t *testing.T) {
	c := newCluster(t, 3)
	require.NoError(t, c.nodes[0].put(40, "x"))
	c.eventually("three replicas", func() bool { return c.settled(3) })
	left, right := c.split(tkey(30))
	c.eventually("split everywhere", func() bool { return c.settled(3) })
	n, merge := c.freeze(left, right)
	rh := n.store.table.get(right.RangeID)
	for _, o := range c.nodes {
		if o != n {
			require.NoError(t, rh.r.TransferLease(context.Background(), o.id.Store))
			break
		}
	}
	for _, o := range c.nodes {
		r := o.store.Replica(right.RangeID)
		c.eventually("the new leader's entry", func() bool {
			_, term := r.AppliedIndex()
			return term == r.Lease().Term
		})
		_, err := r.ChangeReplicas(context.Background(), []replica.ReplicaChange{{Type: raftgroup.RemoveMember, Store: n.id.Store}}, 0)
		require.Error(t, err, "frozen, or not the leader")
	}
	require.NoError(t, merge())
	n.store.directoryQ.addUrgent(left.RangeID)
	c.eventually("merged everywhere", func() bool { return c.settled(3) })
	v, err := c.nodes[1].get(40)
	require.NoError(t, err)
	require.Equal(t, "x", v)
}

// A crash between the merge's entry and the flush that follows its application: the
// entry is applied again by the next start, which finds the right range as it was
// when all had applied the freeze.
func TestMergeIsReplayed(t *testing.T) {
	c := newCluster(t, 1)
	n := c.nodes[0]
	require.NoError(t, n.put(40, "x"))
	left, right := c.split(tkey(30))
	_, merge := c.freeze(left, right)
	before := n.fs.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, merge())
	n.stop()
	n.fs = before
	n.restart()
	require.Nil(t, n.store.Replica(right.RangeID))
	v, err := n.get(40)
	require.NoError(t, err)
	require.Equal(t, "x", v)
}

// Who has lost the lease and got it back in the middle of a merge does not know what
// became of the right range in between.
func TestMergeOfAnEarlierTerm(t *testing.T) {
	c := newCluster(t, 3)
	c.eventually("three replicas", func() bool { return c.settled(3) })
	left, right := c.split(tkey(30))
	c.eventually("split everywhere", func() bool { return c.settled(3) })
	n, merge := c.freeze(left, right)
	for _, o := range c.nodes {
		if o != n {
			require.NoError(t, n.store.AdminTransferLease(context.Background(), left.RangeID, o.id.Store))
			require.NoError(t, o.store.AdminTransferLease(context.Background(), left.RangeID, n.id.Store))
			break
		}
	}
	require.Error(t, merge())
	n.store.endMerge(n.store.table.get(left.RangeID))
	n.store.mergeQ.add(right.RangeID)
	require.NoError(t, n.put(40, "x"))
}

func TestDrainAndDecommission(t *testing.T) {
	c := newCluster(t, 4)
	for i := range 5 {
		c.split(tkey(i * 10))
	}
	c.eventually("three replicas", func() bool { return c.settled(3) })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	lead, _ := c.leaderOf(tkey(5))
	require.NoError(t, lead.store.Drain(ctx))
	require.Zero(t, lead.store.Metrics().Leases.Load())
	lead.store.Undrain()

	require.NoError(t, lead.reg.SetState(ctx, lead.sender, lead.id.Node, liveness.Decommissioning))
	for _, o := range c.nodes {
		require.NoError(t, o.reg.Refresh(ctx, o.sender))
	}
	c.eventually("empty", func() bool {
		left, err := lead.store.ReplicasOn(ctx, lead.id.Node)
		return err == nil && left == 0 && c.settled(3)
	})
}

func TestBalance(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) {
		cfg.Placement.NoBalance = false
		cfg.ScanInterval = 30 * time.Second          // a range every 50 ms
		cfg.BalanceInterval = 300 * time.Millisecond // the figures are far younger, on a busy machine too
	})
	for i := range 10 {
		c.split(tkey(i * 10))
	}
	spread := func(f func(m *Metrics) int64) int64 {
		var all []int64
		for _, n := range c.live() {
			all = append(all, f(n.store.Metrics()))
		}
		return slices.Max(all) - slices.Min(all)
	}
	leases := func(m *Metrics) int64 { return m.Leases.Load() }
	c.eventually("three replicas", func() bool { return c.settled(3) })
	c.eventually("leases are spread", func() bool { return spread(leases) <= 2 })
	c.add()
	c.add()
	c.eventually("replicas are spread", func() bool {
		return c.settled(3) && spread(func(m *Metrics) int64 { return m.Ranges.Load() }) <= 2 && spread(leases) <= 2
	})
}

func TestGarbageCollection(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) {
		cfg.GCTTL = func(*kv.RangeDescriptor) time.Duration { return 0 }
	})
	n := c.nodes[0]
	for i := range 500 {
		require.NoError(t, n.put(i%10, fmt.Sprint(i)))
	}
	before := n.clock.Now().Prev()
	_, d := c.leaderOf(tkey(1))
	versions, bytes, err := n.store.AdminGC(context.Background(), d.RangeID)
	require.NoError(t, err)
	require.Equal(t, 490, versions)
	require.Positive(t, bytes)
	st := n.store.Replica(d.RangeID).Stats()
	require.EqualValues(t, 10, st.Versions)
	for i := range 10 {
		v, err := n.get(i)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(490+i), v)
	}
	b := kv.Batch{Header: kv.Header{ReadTS: before.Add(-time.Hour)}, Ops: []kv.Op{{Kind: kv.OpGet, Key: tkey(1)}}}
	_, ok := errors.AsType[*kv.BeforeGCError](n.sender.Send(context.Background(), &b))
	require.True(t, ok)
}

func TestConsistencyCheckFindsABadReplica(t *testing.T) {
	c := newCluster(t, 3)
	require.NoError(t, c.nodes[0].put(1, "good"))
	c.eventually("three replicas", func() bool { return c.settled(3) })
	lead, d := c.leaderOf(tkey(1))
	var bad *node
	for _, n := range c.nodes {
		if n != lead {
			bad = n
		}
	}
	b := bad.eng.NewBatch()
	b.PutVersion(tkey(2), bad.clock.Now(), 0, []byte("from nowhere"))
	require.NoError(t, b.Commit())
	b.Close()
	found, err := lead.store.AdminCheck(context.Background(), d.RangeID)
	require.NoError(t, err)
	require.Equal(t, []keys.StoreID{bad.id.Store}, found)
}

// TestCrashes runs writes, splits and restarts from crash clones at random and
// checks that nothing acknowledged is lost and the directory converges.
func TestCrashes(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 77))
			c := newCluster(t, 3, func(cfg *Config) { cfg.RangeMaxBytes = 16 << 10 })
			c.eventually("three replicas", func() bool { return c.settled(3) })
			acked := make(map[int]string)
			for step := range 120 {
				k := rnd.IntN(200)
				v := fmt.Sprintf("%d-%0*d", step, rnd.IntN(400)+1, 0)
				if err := c.live()[rnd.IntN(3)].put(k, v); err != nil {
					if _, ok := errors.AsType[*kv.AmbiguousError](err); ok {
						delete(acked, k)
						continue
					}
					require.NoError(t, err)
				}
				acked[k] = v
				if rnd.IntN(20) == 0 {
					n := c.nodes[rnd.IntN(3)]
					n.crash(rnd)
					c.net.elect()
					n.restart()
					c.net.elect()
				}
			}
			c.eventually("settled", func() bool { return c.settled(3) })
			for k, want := range acked {
				got, err := c.nodes[rnd.IntN(3)].get(k)
				require.NoError(t, err)
				require.Equal(t, want, got, "key %d", k)
			}
			for _, d := range c.directory() {
				n, _ := c.leaderOf(d.Start)
				bad, err := n.store.AdminCheck(context.Background(), d.RangeID)
				require.NoError(t, err)
				require.Empty(t, bad, d.String())
			}
		})
	}
}
