package raftgroup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/raftgroup/transport"
)

// These tests run a group on several stores over an in-memory network: elections,
// leases, failover, restarts, membership, images.

const testGroup GroupID = 7

type testStore struct {
	id    StoreID
	fs    *vfs.MemFS
	clock *hlc.Clock
	host  *Host
	mu    sync.Mutex
	m     *listMachine
	g     *Group
	// restarting keeps others' messages from opening the group; guarded by mu.
	restarting bool
}

type testCluster struct {
	t      *testing.T
	net    *transport.Network
	stores []*testStore
}

func newTestCluster(t *testing.T, n, members int) *testCluster {
	c := &testCluster{t: t, net: transport.NewNetwork(1)}
	var ms []Member
	for i := range members {
		ms = append(ms, Member{Replica: ReplicaID(i + 1), Store: StoreID(i + 1)})
	}
	for i := range n {
		s := &testStore{id: StoreID(i + 1), fs: vfs.NewCrashableMem(), clock: hlc.NewClock(hlc.WallSource, 0)}
		c.stores = append(c.stores, s)
		if i < members {
			s.m = newList(s.fs)
			s.m.members = ms
			s.m.flush()
		}
		c.start(s)
		if i < members {
			require.NoError(t, s.host.Prepare(testGroup, ReplicaID(i+1)))
			c.open(s, ReplicaID(i+1), ms)
		}
	}
	t.Cleanup(func() {
		for _, s := range c.stores {
			if s.host != nil {
				require.NoError(t, s.host.Close())
			}
		}
	})
	return c
}

func (c *testCluster) start(s *testStore) {
	cfg := soloConfig(s.fs, func(GroupID) *listMachine {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.m
	})
	cfg.Store, cfg.Clock = s.id, s.clock
	cfg.Transport = c.net.Join(s.id, s.clock)
	cfg.TickInterval = 5 * time.Millisecond
	cfg.SupportDuration = 300 * time.Millisecond
	cfg.OnUnknownGroup = func(group GroupID, to ReplicaID, from Member) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.restarting {
			return errors.New("it is about to be opened")
		}
		if s.m == nil {
			s.m = &listMachine{fs: s.fs}
			s.m.flush()
		}
		g, err := s.host.Open(OpenOptions{Group: group, Replica: to, Machine: s.m})
		if err == nil {
			s.g = g
		}
		return err
	}
	h, err := NewHost(cfg)
	require.NoError(c.t, err)
	s.host = h
	require.NoError(c.t, h.Start())
}

func (c *testCluster) open(s *testStore, id ReplicaID, ms []Member) {
	g, err := s.host.Open(OpenOptions{Group: testGroup, Replica: id, Machine: s.m, Members: ms})
	require.NoError(c.t, err)
	s.mu.Lock()
	s.g = g
	s.mu.Unlock()
}

// crash ends a store without warning and brings it back from what was synced.
func (c *testCluster) crash(s *testStore) {
	// What it says between the clone and its end would be forgotten.
	c.net.Isolate(s.id)
	crashed := s.fs.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(c.t, s.host.Close())
	c.net.Heal()
	s.host = nil
	s.fs = crashed
	s.m = s.m.afterCrash()
	s.m.fs = crashed
}

func (c *testCluster) restart(s *testStore) {
	// The others may be up already, and speak to it.
	setRestarting := func(on bool) {
		s.mu.Lock()
		s.restarting = on
		s.mu.Unlock()
	}
	setRestarting(true)
	c.start(s)
	id := ReplicaID(s.id)
	c.open(s, id, s.m.members)
	setRestarting(false)
}

func (s *testStore) group() *Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.g
}

// leader waits for a store with a lease that covers now.
func (c *testCluster) leader(except ...*testStore) *testStore {
	var found *testStore
	require.Eventually(c.t, func() bool {
		for _, s := range c.stores {
			if s.host == nil || s.group() == nil || contains(except, s) {
				continue
			}
			if l := s.group().Lease(); l.Covers(s.clock.Now()) {
				found = s
				return true
			}
		}
		return false
	}, 10*time.Second, 5*time.Millisecond, "no leader")
	return found
}

func contains[T comparable](list []T, v T) bool {
	for _, e := range list {
		if e == v {
			return true
		}
	}
	return false
}

func (c *testCluster) propose(s *testStore, data string) {
	c.t.Helper()
	require.NoError(c.t, tryPropose(s, data))
}

func tryPropose(s *testStore, data string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	p := &Proposal{Data: []byte(data), Term: s.group().Lease().Term}
	return s.group().Propose(ctx, p)
}

func (c *testCluster) awaitList(s *testStore, want []string) {
	c.t.Helper()
	defer func() {
		if c.t.Failed() {
			for _, s := range c.stores {
				c.t.Logf("s%d: %+v", s.id, s.group().Status())
			}
		}
	}()
	require.Eventually(c.t, func() bool {
		s.mu.Lock()
		m := s.m
		s.mu.Unlock()
		return m != nil && fmt.Sprint(m.list()) == fmt.Sprint(want)
	}, 10*time.Second, 5*time.Millisecond)
}

func TestThreeReplicate(t *testing.T) {
	c := newTestCluster(t, 3, 3)
	l := c.leader()
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprint("c", i))
		c.propose(l, want[i])
	}
	for _, s := range c.stores {
		c.awaitList(s, want)
	}
	// An idle group falls asleep, and the lease goes on.
	require.Eventually(t, func() bool {
		for _, s := range c.stores {
			if !s.group().Status().Asleep {
				return false
			}
		}
		return true
	}, 5*time.Second, 10*time.Millisecond)
	require.True(t, l.group().Lease().Covers(l.clock.Now()))
}

func TestLeaderDies(t *testing.T) {
	c := newTestCluster(t, 3, 3)
	var want []string
	for round := range 3 {
		l := c.leader()
		data := fmt.Sprint("round ", round)
		c.propose(l, data)
		want = append(want, data)
		old := l.group().Lease()
		c.crash(l)
		next := c.leader()
		// I7: leases of successive leaders do not overlap.
		require.GreaterOrEqual(t, next.group().Lease().Start, old.Until)
		require.Greater(t, next.group().Lease().Term, old.Term)
		data = fmt.Sprint("after ", round)
		c.propose(next, data)
		want = append(want, data)
		c.restart(l)
		c.awaitList(l, want)
	}
}

func TestIsolatedLeaderLosesLeaseFirst(t *testing.T) {
	c := newTestCluster(t, 3, 3)
	l := c.leader()
	c.propose(l, "a")
	c.net.Isolate(l.id)
	next := c.leader(l)
	// I6, I7: at the moment at which the next lease begins, the old one is over.
	require.False(t, l.group().Lease().Covers(next.group().Lease().Start))
	c.propose(next, "b")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	p := &Proposal{Data: []byte("lost"), Term: l.group().Lease().Term}
	err := l.group().Propose(ctx, p)
	var ambiguous *AmbiguousError
	var notLeader *NotLeaderError
	require.True(t, errors.As(err, &ambiguous) || errors.As(err, &notLeader), "%v", err)
	c.net.Heal()
	for _, s := range c.stores {
		c.awaitList(s, []string{"a", "b"})
	}
}

func TestTransferLeader(t *testing.T) {
	c := newTestCluster(t, 3, 3)
	l := c.leader()
	c.propose(l, "a")
	var to *testStore
	for _, s := range c.stores {
		if s != l {
			to = s
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	require.NoError(t, l.group().TransferLeader(ctx, to.group().ReplicaID()))
	require.Same(t, to, c.leader())
	require.False(t, l.group().Lease().Held)
	c.propose(to, "b")
	c.awaitList(l, []string{"a", "b"})
}

func TestMembersAndImages(t *testing.T) {
	c := newTestCluster(t, 4, 1)
	l := c.leader()
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprint("c", i))
		c.propose(l, want[i])
	}
	l.m.flush()
	require.NoError(t, l.host.TruncateLog(false))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	change := func(s *testStore, changes ...MemberChange) {
		t.Helper()
		p := &Proposal{Data: []byte("change"), Term: s.group().Lease().Term}
		require.NoError(t, s.group().ChangeMembers(ctx, p, changes))
		want = append(want, "change")
	}
	for _, id := range []ReplicaID{2, 3} {
		change(l, MemberChange{Type: AddLearner, Replica: id, Store: StoreID(id)})
		s := c.stores[id-1]
		c.awaitList(s, want)
		change(l, MemberChange{Type: AddVoter, Replica: id, Store: StoreID(id)})
	}
	for _, s := range c.stores[:3] {
		c.awaitList(s, want)
	}
	// A joint change: 4 comes, 2 goes.
	change(l, MemberChange{Type: AddLearner, Replica: 4, Store: 4})
	c.awaitList(c.stores[3], want)
	require.Eventually(t, func() bool {
		p := &Proposal{Data: []byte("swap"), Term: l.group().Lease().Term}
		err := l.group().ChangeMembers(ctx, p, []MemberChange{{Type: AddVoter, Replica: 4, Store: 4}, {Type: RemoveMember, Replica: 2}})
		return err == nil
	}, 10*time.Second, 20*time.Millisecond)
	want = append(want, "swap")
	require.Eventually(t, func() bool {
		for _, m := range l.group().Status().Members {
			if m.Kind != Voter {
				return false
			}
		}
		return len(l.group().Status().Members) == 3
	}, 10*time.Second, 10*time.Millisecond)
	c.propose(c.leader(), "end")
	want = append(want, "end")
	for _, i := range []int{0, 2, 3} {
		c.awaitList(c.stores[i], want)
	}
	var pending *InvalidChangeError
	p := &Proposal{Term: l.group().Lease().Term}
	require.ErrorAs(t, l.group().ChangeMembers(ctx, p, []MemberChange{{Type: RemoveMember, Replica: 99}}), &pending)
}

// TestProposalsOverFailures keeps proposing while leaders are isolated in turn:
// what was acknowledged is everywhere, once, and in the same order.
func TestProposalsOverFailures(t *testing.T) {
	c := newTestCluster(t, 3, 3)
	stop := make(chan struct{})
	var mu sync.Mutex
	acked := map[string]bool{}
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				data := fmt.Sprintf("%d/%d", w, i)
				for _, s := range c.stores {
					l := s.group().Lease()
					if !l.Covers(s.clock.Now()) {
						continue
					}
					ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
					if s.group().Propose(ctx, &Proposal{Data: []byte(data), Term: l.Term}) == nil {
						mu.Lock()
						acked[data] = true
						mu.Unlock()
					}
					cancel()
					break
				}
			}
		})
	}
	for range 3 {
		l := c.leader()
		c.net.Isolate(l.id)
		c.leader(l)
		c.net.Heal()
	}
	close(stop)
	wg.Wait()
	c.requireAppliedOnce(acked)
}

// requireAppliedOnce waits until all stores have applied the same, and checks that
// everything acknowledged is there and nothing twice.
func (c *testCluster) requireAppliedOnce(acked map[string]bool) {
	c.t.Helper()
	l := c.leader()
	c.propose(l, "end")
	want := l.m.list()
	for _, s := range c.stores {
		c.awaitList(s, want)
	}
	seen := map[string]bool{}
	for _, s := range want {
		require.False(c.t, seen[s], "%s applied twice", s)
		seen[s] = true
	}
	for s := range acked {
		require.True(c.t, seen[s], "%s was acknowledged and is lost", s)
	}
}
