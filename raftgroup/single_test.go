package raftgroup

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/hlc"
)

// These tests run groups of one replica: a commit is one call on the proposer's
// goroutine, survives a crash at any moment, and is applied once.

func soloConfig(fs vfs.FS, machines func(GroupID) *listMachine) Config {
	return Config{
		Store: 1, Clock: hlc.NewClock(hlc.WallSource, 0), FS: fs, Dir: "raft", SegmentSize: 64 << 10,
		DurableApplied: func(groups []GroupID, applied []Index) error {
			for i, g := range groups {
				if m := machines(g); m != nil {
					m.mu.Lock()
					if m.durable != nil {
						applied[i] = m.durable.index
					}
					m.mu.Unlock()
				}
			}
			return nil
		},
		FlushState: func() error { return nil },
	}
}

func openSolo(t testing.TB, fs vfs.FS, m *listMachine) (*Host, *Group) {
	h, err := NewHost(soloConfig(fs, func(GroupID) *listMachine { return m }))
	require.NoError(t, err)
	require.NoError(t, h.Start())
	require.NoError(t, h.Prepare(7, 1))
	g, err := h.Open(OpenOptions{Group: 7, Replica: 1, Machine: m, Members: []Member{{Replica: 1, Store: 1}}})
	require.NoError(t, err)
	return h, g
}

func newList(fs vfs.FS) *listMachine {
	m := &listMachine{fs: fs, index: InitialIndex, term: InitialTerm}
	m.flush()
	return m
}

func TestSoloProposes(t *testing.T) {
	fs := vfs.NewMem()
	m := newList(fs)
	h, g := openSolo(t, fs, m)
	l := g.Lease()
	require.True(t, l.Held)
	require.Equal(t, hlc.Max, l.Until)
	require.True(t, m.lease.Held)

	var p Proposal
	for i := range 10 {
		p.Data, p.Term = fmt.Appendf(nil, "c%d", i), l.Term
		require.NoError(t, g.Propose(context.Background(), &p))
	}
	p.Data, p.Term = []byte("old term"), l.Term-1
	var notLeader *NotLeaderError
	require.ErrorAs(t, g.Propose(context.Background(), &p), &notLeader)
	require.Len(t, m.list(), 10)
	require.NoError(t, h.Close())
	require.ErrorIs(t, g.Propose(context.Background(), &p), ErrStopped)
}

func TestSoloConcurrent(t *testing.T) {
	fs := vfs.NewMem()
	m := newList(fs)
	h, g := openSolo(t, fs, m)
	defer h.Close()
	term := g.Lease().Term
	var wg sync.WaitGroup
	for c := range 16 {
		wg.Go(func() {
			p := Proposal{Term: term}
			for i := range 200 {
				p.Data = fmt.Appendf(p.Data[:0], "%d/%d", c, i)
				if err := g.Propose(context.Background(), &p); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	got := m.list()
	require.Len(t, got, 3200)
	seen := map[string]bool{}
	for _, s := range got {
		require.False(t, seen[s], "%s applied twice", s)
		seen[s] = true
	}
}

// TestSoloCrash crashes at random moments: whatever was acknowledged is applied
// exactly once after recovery, in order.
func TestSoloCrash(t *testing.T) {
	for seed := range 40 {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		fs := vfs.NewCrashableMem()
		m := newList(fs)
		var acked []string
		for round := range 4 {
			h, g := openSolo(t, fs, m)
			p := Proposal{Term: g.Lease().Term}
			n := rng.IntN(60)
			for i := range n {
				p.Data = fmt.Appendf(nil, "%d.%d%0*d", round, i, rng.IntN(300), 0)
				require.NoError(t, g.Propose(context.Background(), &p))
				acked = append(acked, string(p.Data))
				if rng.IntN(10) == 0 {
					m.flush()
				}
				if rng.IntN(15) == 0 {
					require.NoError(t, h.TruncateLog(false))
				}
			}
			crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			require.NoError(t, h.Close())
			fs = crashed
			m = m.afterCrash()
			m.fs = fs
		}
		h, _ := openSolo(t, fs, m)
		require.Equal(t, acked, m.list(), "seed %d", seed)
		require.NoError(t, h.Close())
	}
}

func BenchmarkSoloPropose(b *testing.B) {
	fs := vfs.NewMem()
	m := newList(fs)
	h, g := openSolo(b, fs, m)
	defer h.Close()
	p := Proposal{Term: g.Lease().Term, Data: make([]byte, 128)}
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Propose(context.Background(), &p); err != nil {
			b.Fatal(err)
		}
	}
}
