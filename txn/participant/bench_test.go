package participant

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
)

func benchCluster(b testing.TB, n int) (*cluster, [][]byte) {
	c := newCluster(b)
	ks := make([][]byte, n)
	value := make([]byte, 100)
	for i := 0; i < n; i += 1000 {
		t := c.begin(kv.Serializable)
		batch := kv.Batch{Header: kv.Header{Txn: t}}
		for j := i; j < min(i+1000, n); j++ {
			ks[j] = binary.BigEndian.AppendUint64(keys.IndexPrefix(nil, 100, 1), uint64(j))
			batch.Ops = append(batch.Ops, kv.Op{Kind: kv.OpPut, Key: ks[j], Value: value})
		}
		batch.Ops = append(batch.Ops, kv.Op{Kind: kv.OpEndTxn, Key: ks[i], End: &kv.EndTxn{Commit: true, OnePhase: true, ReadsComplete: true}})
		require.NoError(b, c.Send(bg, &batch))
	}
	require.NoError(b, c.engine.Flush())
	return c, ks
}

func BenchmarkReplicaGet(b *testing.B) {
	c, ks := benchCluster(b, 10000)
	r := c.ranges[0]
	t := c.begin(kv.Serializable)
	batch := kv.Batch{Header: kv.Header{Txn: t}, Ops: []kv.Op{{Kind: kv.OpGet}}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		batch.Ops[0].Key = ks[i*7919%len(ks)]
		if err := r.Send(bg, &batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReplicaOnePhaseCommit locks one row, reads it, and commits a new value:
// the KV part of a single-row UPDATE, without the log.
func BenchmarkReplicaOnePhaseCommit(b *testing.B) {
	c, ks := benchCluster(b, 10000)
	r := c.ranges[0]
	value := make([]byte, 100)
	var locks [1]kv.LockedKey
	var reads [1]keys.Span
	end := kv.EndTxn{Commit: true, OnePhase: true, ReadsComplete: true, Locks: locks[:], Reads: reads[:]}
	get := kv.Batch{Ops: []kv.Op{{Kind: kv.OpGet, Lock: kv.LockUpdate, Seq: 1}}}
	commit := kv.Batch{Ops: make([]kv.Op, 2)}
	t := c.begin(kv.Serializable)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k := ks[i*7919%len(ks)]
		binary.BigEndian.PutUint64(t.ID[:], uint64(i))
		t.StartTS = c.clock.Now()
		t.ReadTS, t.WriteTS, t.Anchor = t.StartTS, t.StartTS, k
		get.Txn, get.Ops[0].Key = t, k
		if err := r.Send(bg, &get); err != nil {
			b.Fatal(err)
		}
		locks[0] = kv.LockedKey{Key: k, Strength: kv.LockUpdate, ReadTS: get.Ops[0].TS}
		reads[0] = keys.Span{Start: k}
		commit.Txn = t
		commit.Ops[0] = kv.Op{Kind: kv.OpPut, Key: k, Value: value}
		commit.Ops[1] = kv.Op{Kind: kv.OpEndTxn, Key: k, End: &end}
		if err := r.Send(bg, &commit); err != nil {
			b.Fatal(err)
		}
	}
}

// The point read allocates nothing but what the engine's iterator does.
func TestGetAllocations(t *testing.T) {
	c, ks := benchCluster(t, 100)
	r := c.ranges[0]
	batch := kv.Batch{Header: kv.Header{Txn: c.begin(kv.Serializable)}, Ops: []kv.Op{{Kind: kv.OpGet, Key: ks[5]}}}
	n := testing.AllocsPerRun(1000, func() {
		if err := r.Send(bg, &batch); err != nil {
			t.Fatal(err)
		}
	})
	if !raceEnabled {
		require.LessOrEqual(t, n, 1.0)
	}
}
