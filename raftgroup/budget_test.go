package raftgroup

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/raft/v3/raftpb"
)

// These tests fill a group and a store with proposals that are not applied.

// TestBudget: never more than the limit is out, except for one that is larger, and
// everyone gets his turn, also when others in line give up.
func TestBudget(t *testing.T) {
	b := budget{limit: 100}
	g := &Group{gone: make(chan struct{}), h: &Host{cfg: Config{Metrics: NewMetrics()}}}
	g.lease.Store(&leaseState{})
	var out, most atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			for range 2000 {
				n := 1 + rng.Int64N(60)
				ctx, cancel := context.WithCancel(context.Background())
				if rng.IntN(4) == 0 {
					go cancel()
				}
				if b.take(ctx, n, g, 0) == nil {
					if o := out.Add(n); o > most.Load() {
						most.Store(o)
					}
					out.Add(-n)
					b.give(n)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, most.Load(), int64(100))
	require.Zero(t, b.used.Load())
	require.Zero(t, b.inLine.Load())
	require.NoError(t, b.take(context.Background(), 1000, g, 0), "larger than the limit, but alone")
	b.give(1000)
	require.Zero(t, b.used.Load())
}

// TestProposalsAreBounded: a leader without a quorum takes in no more than its
// share; whoever comes then waits, as long as his context lets him, until another
// leads or the group stops. All is given back in the end.
func TestProposalsAreBounded(t *testing.T) {
	t.Run("another leads", func(t *testing.T) { testProposalsAreBounded(t, true) })
	t.Run("stopped", func(t *testing.T) { testProposalsAreBounded(t, false) })
}

func testProposalsAreBounded(t *testing.T, another bool) {
	h, g, _ := openRecorded(t, &recorder{})
	elect(t, h, g)
	g.inflight.limit = 10 << 10
	term := g.Lease().Term
	data := make([]byte, 1<<10)
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	taken, refused := 0, 0
	for range 20 {
		err := g.Propose(short(), &Proposal{Data: data, Term: term})
		var ambiguous *AmbiguousError
		if errors.As(err, &ambiguous) {
			taken++ // in the log, and its waiter has left: it counts until it is decided
			continue
		}
		require.ErrorIs(t, err, context.DeadlineExceeded)
		refused++
	}
	require.Equal(t, 8, taken)
	require.Equal(t, 12, refused)
	require.LessOrEqual(t, g.inflight.used.Load(), g.inflight.limit)
	require.Equal(t, g.inflight.used.Load(), h.inflight.used.Load())

	waiting := make(chan error, 1)
	wait := func() {
		go func() { waiting <- g.Propose(context.Background(), &Proposal{Data: data, Term: term}) }()
		require.Eventually(t, func() bool { return g.inflight.inLine.Load() == 1 }, 10*time.Second, time.Millisecond)
	}
	wait()
	if another {
		// Whoever waits in line need not, nor does who comes later.
		deliver(t, g, 3, raftpb.Message{Type: raftpb.MsgHeartbeat, Term: uint64(term) + 1})
		var notLeader *NotLeaderError
		require.ErrorAs(t, <-waiting, &notLeader)
		require.ErrorAs(t, g.Propose(context.Background(), &Proposal{Data: data, Term: term}), &notLeader)
		g.Stop()
	} else {
		g.Stop()
		require.ErrorIs(t, <-waiting, ErrStopped)
	}
	require.Zero(t, g.inflight.used.Load())
	require.Zero(t, h.inflight.used.Load())
}

// TestStoreIsBounded: groups share what a store may have in flight.
func TestStoreIsBounded(t *testing.T) {
	c := newTestCluster(t, 3, 3)
	l := c.leader()
	c.propose(l, "a")
	l.host.inflight.limit = 4 << 10
	var wg sync.WaitGroup
	var done atomic.Int64
	for range 16 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			p := &Proposal{Data: make([]byte, 1<<10), Term: l.group().Lease().Term}
			if err := l.group().Propose(ctx, p); err != nil {
				t.Error(err)
				return
			}
			done.Add(1)
		})
	}
	wg.Wait()
	require.EqualValues(t, 16, done.Load(), "those in line go on as others are applied")
	require.Zero(t, l.host.inflight.used.Load())
}
