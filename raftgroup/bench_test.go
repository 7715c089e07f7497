package raftgroup

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/raftgroup/transport"
)

// slowSync is a file system in memory whose syncs take a fixed time, which makes
// runs comparable.
type slowSync struct {
	vfs.FS
	delay time.Duration
}

func (fs slowSync) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.OpenReadWrite(name, c, opts...)
	return slowFile{f, fs.delay}, err
}

type slowFile struct {
	vfs.File
	delay time.Duration
}

func (f slowFile) SyncData() error {
	time.Sleep(f.delay)
	return f.File.SyncData()
}

// BenchmarkPropose commits commands of 128 bytes, through an in-memory network if
// there are several replicas: replicas, groups and proposers are in the name. A
// sync takes 300 us; with SPANLITE_BENCH_DISK set it is the disk's. ns/op is the
// inverse of the throughput of all proposers together, cpu-us/op what it costs.
func BenchmarkPropose(b *testing.B) {
	for _, replicas := range []int{1, 3} {
		for _, groups := range []int{1, 16} {
			for _, proposers := range []int{1, 8, 32, 128} {
				b.Run(fmt.Sprintf("replicas=%d/groups=%d/proposers=%d", replicas, groups, proposers), func(b *testing.B) {
					benchPropose(b, replicas, groups, proposers)
				})
			}
		}
	}
}

// countMachine is a state machine that costs nothing.
type countMachine struct {
	listMachine
	index atomic.Uint64
	term  atomic.Uint64
}

func (m *countMachine) Apply(entries []Entry) error {
	last := entries[len(entries)-1]
	m.term.Store(uint64(last.Term))
	m.index.Store(uint64(last.Index))
	return nil
}

func (m *countMachine) AppliedIndex() (Index, Term) {
	return Index(m.index.Load()), Term(m.term.Load())
}

func (m *countMachine) LeaseChanged(Lease) {}

func benchPropose(b *testing.B, replicas, groups, proposers int) {
	net := transport.NewNetwork(1)
	disk := os.Getenv("SPANLITE_BENCH_DISK") != ""
	var members []Member
	for i := range replicas {
		members = append(members, Member{Replica: ReplicaID(i + 1), Store: StoreID(i + 1)})
	}
	leaders := make([]*Group, groups)
	var all []*Group
	for i := range replicas {
		id := StoreID(i + 1)
		clock := hlc.NewClock(hlc.WallSource, 0)
		cfg := Config{
			Store: id, Clock: clock, FS: slowSync{vfs.NewMem(), 300 * time.Microsecond}, Dir: "raft",
			DurableApplied: func([]GroupID, []Index) error { return nil }, FlushState: func() error { return nil },
		}
		if disk {
			cfg.FS, cfg.Dir = vfs.Default, b.TempDir()
		}
		if replicas > 1 {
			cfg.Transport = net.Join(id, clock)
		}
		h, err := NewHost(cfg)
		require.NoError(b, err)
		require.NoError(b, h.Start())
		b.Cleanup(func() { require.NoError(b, h.Close()) })
		for n := range groups {
			m := &countMachine{}
			m.index.Store(uint64(InitialIndex))
			m.term.Store(uint64(InitialTerm))
			require.NoError(b, h.Prepare(GroupID(n+1), ReplicaID(id)))
			g, err := h.Open(OpenOptions{Group: GroupID(n + 1), Replica: ReplicaID(id), Machine: m, Members: members})
			require.NoError(b, err)
			all = append(all, g)
		}
	}
	require.Eventually(b, func() bool {
		for n := range groups {
			leaders[n] = nil
			for _, g := range all {
				if g.ID() == GroupID(n+1) && g.Lease().Held {
					leaders[n] = g
				}
			}
			if leaders[n] == nil {
				return false
			}
		}
		return true
	}, 20*time.Second, 10*time.Millisecond)
	data := make([]byte, 128)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	cpu := processorTime()
	for w := range proposers {
		wg.Go(func() {
			g := leaders[w%groups]
			p := Proposal{Data: data}
			for next.Add(1) <= int64(b.N) {
				p.Term = g.Lease().Term
				if err := g.Propose(context.Background(), &p); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((processorTime()-cpu).Microseconds())/float64(b.N), "cpu-us/op")
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
