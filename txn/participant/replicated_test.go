package participant

// The same protocol over real Raft groups: three stores in one process, an
// in-memory network, transfers and partitions.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
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
	"github.com/spanlite/spanlite/raftgroup/transport"
	"github.com/spanlite/spanlite/txn/locktable"
)

type node struct {
	id     keys.StoreID
	clock  *hlc.Clock
	engine *storage.Engine
	host   *raftgroup.Host
	r      *replica.Replica
	p      *Participant
}

type replicated struct {
	t     testing.TB
	net   *transport.Network
	nodes []*node
	// at is the node that was the leaseholder last.
	at   atomic.Int32
	ids  atomic.Uint32
	sums struct {
		sync.Mutex
		byNode map[keys.StoreID][32]byte
	}
}

func newReplicated(t testing.TB, n int) *replicated {
	c := &replicated{t: t, net: transport.NewNetwork(1)}
	c.sums.byNode = map[keys.StoreID][32]byte{}
	d := &kv.RangeDescriptor{RangeID: 2, Start: keys.TableMin, End: keys.KeyMax, Generation: 1, NextReplicaID: keys.ReplicaID(n + 1)}
	for i := range n {
		d.Replicas = append(d.Replicas, kv.ReplicaDescriptor{Node: keys.NodeID(i + 1), Store: keys.StoreID(i + 1), Replica: keys.ReplicaID(i + 1)})
	}
	for i := range n {
		c.nodes = append(c.nodes, c.open(keys.StoreID(i+1), d))
	}
	t.Cleanup(func() {
		for _, n := range c.nodes {
			require.NoError(t, errors.Join(n.host.Close(), n.engine.Close()))
		}
	})
	return c
}

func (c *replicated) open(id keys.StoreID, d *kv.RangeDescriptor) *node {
	n := &node{id: id, clock: hlc.NewClock(hlc.WallSource, 0)}
	fs := vfs.NewMem()
	var err error
	n.engine, err = storage.Open(storage.Options{Dir: "state", FS: fs})
	require.NoError(c.t, err)
	b := n.engine.NewBatch()
	replica.WriteInitialState(b, d)
	require.NoError(c.t, b.Commit())
	b.Close()
	cfg := raftgroup.Config{
		Store: id, Clock: n.clock, FS: fs, Dir: "log", SegmentSize: 1 << 20,
		TickInterval: 5 * time.Millisecond, SupportDuration: 300 * time.Millisecond,
		DurableApplied: func(ids []keys.RangeID, applied []raftgroup.Index) error {
			return replica.DurableApplied(n.engine, ids, applied)
		},
		FlushState: n.engine.Flush,
	}
	if len(d.Replicas) > 1 {
		cfg.Transport = c.net.Join(id, n.clock)
	}
	n.host, err = raftgroup.NewHost(cfg)
	require.NoError(c.t, err)
	require.NoError(c.t, n.host.Start())
	require.NoError(c.t, n.host.Prepare(d.RangeID, keys.ReplicaID(id)))
	graph := locktable.NewGraph(locktable.GraphConfig{Node: keys.NodeID(id)})
	n.r, err = replica.New(replica.Config{
		RangeID: d.RangeID, ReplicaID: keys.ReplicaID(id), Node: keys.NodeID(id), Store: id, Engine: n.engine,
		Clock: n.clock, TempDir: "tmp", LeaseWait: 200 * time.Millisecond, ProposalWait: 2 * time.Second,
		NewParticipant: func(r *replica.Replica) replica.Participant {
			n.p = New(Config{Graph: graph, Sender: c}, r)
			return n.p
		},
		Hooks: replica.Hooks{Checksum: func(r *replica.Replica, _ uint64, _ raftgroup.Index, d *kv.RangeDescriptor, snap *storage.Snapshot) {
			defer snap.Close()
			sum, err := replica.ComputeChecksum(bg, snap, d, nil)
			if err == nil {
				c.sums.Lock()
				c.sums.byNode[id] = sum
				c.sums.Unlock()
			}
		}},
	})
	require.NoError(c.t, err)
	g, err := n.host.Open(raftgroup.OpenOptions{Group: d.RangeID, Replica: keys.ReplicaID(id), Machine: n.r, Members: n.r.Members()})
	require.NoError(c.t, err)
	n.r.Attach(g)
	return n
}

// Send implements kv.Sender: it looks for the leaseholder.
func (c *replicated) Send(ctx context.Context, b *kv.Batch) error {
	for {
		at := c.at.Load()
		err := c.nodes[at].r.Send(ctx, b)
		var other *kv.NotLeaseholderError
		var unavailable *kv.UnavailableError
		switch {
		case errors.As(err, &other) && other.Leaseholder.Store != 0:
			c.at.CompareAndSwap(at, int32(other.Leaseholder.Store-1))
		case errors.As(err, &other), errors.As(err, &unavailable):
			c.at.CompareAndSwap(at, (at+1)%int32(len(c.nodes)))
		default:
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (c *replicated) leaseholder() *node {
	var n *node
	require.Eventually(c.t, func() bool {
		for _, n = range c.nodes {
			if n.r.IsLeaseholder() {
				return true
			}
		}
		return false
	}, 10*time.Second, time.Millisecond)
	return n
}

func (c *replicated) begin(iso kv.Isolation) *kv.TxnMeta {
	clock := c.nodes[c.at.Load()].clock
	now := clock.Now()
	n := c.ids.Add(1)
	return &kv.TxnMeta{ID: kv.TxnID{0: byte(n), 1: byte(n >> 8), 15: 1}, StartTS: now, ReadTS: now, WriteTS: now, Isolation: iso, GatewayNode: 1}
}

func (c *replicated) put(t testing.TB, k, v string) {
	tx := c.begin(kv.ReadCommitted)
	b := kv.Batch{Header: kv.Header{Txn: tx}, Ops: []kv.Op{{Kind: kv.OpPut, Key: key(k), Value: []byte(v)},
		{Kind: kv.OpEndTxn, Key: key(k), End: &kv.EndTxn{Commit: true, OnePhase: true, SentAt: tx.StartTS}}}}
	require.NoError(t, c.Send(bg, &b))
}

func (c *replicated) transfer(ctx context.Context, iso kv.Isolation, from, to string) error {
	tx := c.begin(iso)
	tx.Anchor = key(from)
	var locks []kv.LockedKey
	values := map[string]int{}
	finish := func(err error) error {
		_ = c.Send(ctx, &kv.Batch{Header: kv.Header{Txn: tx}, Ops: []kv.Op{{Kind: kv.OpUnlock, Key: key("a"), EndKey: key("b")}}})
		return err
	}
	for _, k := range []string{from, to} {
		tx.Seq++
		b := kv.Batch{Header: kv.Header{Txn: tx}, Ops: []kv.Op{{Kind: kv.OpGet, Key: key(k), Lock: kv.LockNoKeyUpdate, Seq: tx.Seq}}}
		if err := c.Send(ctx, &b); err != nil {
			return finish(err)
		}
		o := &b.Ops[0]
		if o.TS > tx.ReadTS {
			if iso == kv.Serializable && len(locks) > 0 {
				meta := *tx
				meta.WriteTS = o.TS
				r := kv.Batch{Header: kv.Header{Txn: &meta}, Ops: []kv.Op{{Kind: kv.OpRefresh, Key: locks[0].Key, RefreshFrom: tx.ReadTS}}}
				if err := c.Send(ctx, &r); err != nil {
					return finish(err)
				}
			}
			tx.ReadTS, tx.WriteTS = o.TS, max(tx.WriteTS, o.TS)
		}
		values[k], _ = strconv.Atoi(string(o.Value))
		locks = append(locks, kv.LockedKey{Key: key(k), Strength: kv.LockNoKeyUpdate, ReadTS: o.TS})
	}
	end := kv.EndTxn{Commit: true, OnePhase: true, ReadsComplete: true, Locks: locks, Reads: []keys.Span{{Start: key(from)}, {Start: key(to)}},
		SentAt: c.nodes[c.at.Load()].clock.Now()}
	b := kv.Batch{Header: kv.Header{Txn: tx}, Ops: []kv.Op{
		{Kind: kv.OpPut, Key: key(from), Value: strconv.AppendInt(nil, int64(values[from]-1), 10)},
		{Kind: kv.OpPut, Key: key(to), Value: strconv.AppendInt(nil, int64(values[to]+1), 10)},
		{Kind: kv.OpEndTxn, Key: key(from), End: &end}}}
	return finish(c.Send(ctx, &b))
}

func TestReplicatedBank(t *testing.T) {
	c := newReplicated(t, 3)
	c.leaseholder()
	const accounts = 6
	for i := range accounts {
		c.put(t, fmt.Sprintf("acc%d", i), "100")
	}
	run := 1500 * time.Millisecond
	ctx, cancel := context.WithTimeout(bg, run)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	outcomes := map[string]int{}
	for cl := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(cl), 5))
			for ctx.Err() == nil {
				from := rng.IntN(accounts)
				to := (from + 1 + rng.IntN(accounts-1)) % accounts
				iso := []kv.Isolation{kv.ReadCommitted, kv.Serializable}[rng.IntN(2)]
				one, stop := context.WithTimeout(bg, 8*time.Second)
				err := c.transfer(one, iso, fmt.Sprintf("acc%d", from), fmt.Sprintf("acc%d", to))
				stop()
				mu.Lock()
				outcomes[fmt.Sprintf("%T", err)]++
				mu.Unlock()
			}
		})
	}
	// Lease transfers, and one isolated leaseholder.
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			n := c.leaseholder()
			if i == 3 {
				c.net.Isolate(n.id)
				time.AfterFunc(run/3, c.net.Heal)
			} else {
				to := keys.StoreID(int(n.id)%3 + 1)
				_ = n.r.TransferLease(ctx, to)
			}
			select {
			case <-time.After(run / 15):
			case <-ctx.Done():
			}
		}
	})
	wg.Wait()
	c.net.Heal()
	t.Log(outcomes)
	require.Greater(t, outcomes["<nil>"], 20)

	total := 0
	for i := range accounts {
		b := kv.Batch{Header: kv.Header{Txn: c.begin(kv.ReadCommitted)}, Ops: []kv.Op{{Kind: kv.OpGet, Key: key(fmt.Sprintf("acc%d", i))}}}
		require.NoError(t, c.Send(bg, &b))
		n, err := strconv.Atoi(string(b.Ops[0].Value))
		require.NoError(t, err)
		total += n
	}
	require.Equal(t, 100*accounts, total)
	require.Eventually(t, func() bool {
		_, err := c.leaseholder().r.Checksum(bg, 1)
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool {
		c.sums.Lock()
		defer c.sums.Unlock()
		return len(c.sums.byNode) == 3
	}, 10*time.Second, time.Millisecond)
	require.Equal(t, c.sums.byNode[1], c.sums.byNode[2])
	require.Equal(t, c.sums.byNode[1], c.sums.byNode[3])
}

func TestReplicatedSolo(t *testing.T) {
	c := newReplicated(t, 1)
	c.leaseholder()
	c.put(t, "a", "1")
	b := kv.Batch{Header: kv.Header{Txn: c.begin(kv.Serializable)}, Ops: []kv.Op{{Kind: kv.OpGet, Key: key("a")}}}
	require.NoError(t, c.Send(bg, &b))
	require.Equal(t, "1", string(b.Ops[0].Value))
}

// BenchmarkCommitThroughLog is a one-phase commit with a real Raft group of one
// replica and its log in memory.
func BenchmarkCommitThroughLog(b *testing.B) {
	c := newReplicated(b, 1)
	r := c.leaseholder().r
	value := make([]byte, 100)
	end := kv.EndTxn{Commit: true, OnePhase: true, ReadsComplete: true}
	batch := kv.Batch{Ops: make([]kv.Op, 2)}
	t := c.begin(kv.Serializable)
	k := key("00000000")
	t.Anchor = k
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		copy(k[1:], strconv.AppendInt(k[1:1], int64(10000000+i%9000), 10))
		t.ID[2], t.ID[3], t.ID[4], t.ID[5] = byte(i), byte(i>>8), byte(i>>16), byte(i>>24)
		t.StartTS = c.nodes[0].clock.Now()
		t.ReadTS, t.WriteTS = t.StartTS, t.StartTS
		batch.Txn = t
		batch.Ops[0] = kv.Op{Kind: kv.OpPut, Key: k, Value: value}
		batch.Ops[1] = kv.Op{Kind: kv.OpEndTxn, Key: k, End: &end}
		if err := r.Send(bg, &batch); err != nil {
			b.Fatal(err)
		}
	}
}
