package store

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
)

// What transactions leave whose coordinators died goes by itself: nobody reads the
// keys.
func TestAbandonedTransactions(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.IntentAge = time.Millisecond })
	n := c.nodes[0]
	c.split(tkey(5))
	ctx := context.Background()
	send := func(b *kv.Batch) {
		t.Helper()
		require.NoError(t, n.sender.Send(ctx, b))
	}
	begin := func(id byte) *kv.TxnMeta {
		// Long ago, so that nobody waits for a heartbeat.
		ts := n.clock.Now()
		return &kv.TxnMeta{ID: kv.TxnID{id}, Anchor: tkey(1), StartTS: ts.Add(-time.Minute), ReadTS: ts, WriteTS: ts, Isolation: kv.ReadCommitted, GatewayNode: 1}
	}
	put := func(tx *kv.TxnMeta, i int, value string) kv.Op {
		tx.Seq++
		return kv.Op{Kind: kv.OpPut, Key: tkey(i), Value: []byte(value), Seq: tx.Seq}
	}

	// Committed, and then nothing.
	tx := begin(1)
	send(&kv.Batch{Header: kv.Header{Txn: tx}, Ops: []kv.Op{put(tx, 1, "one"), put(tx, 7, "seven")}})
	intents := []keys.Span{{Start: tkey(1)}, {Start: tkey(7)}}
	send(&kv.Batch{Header: kv.Header{Txn: tx}, Ops: []kv.Op{{Kind: kv.OpEndTxn, Key: tx.Anchor,
		End: &kv.EndTxn{Commit: true, ReadsComplete: true, Intents: intents, SentAt: n.clock.Now()}}}})
	// Never came to commit: there is not even a record.
	lost := begin(2)
	lost.WriteTS = lost.StartTS
	lost.Anchor = tkey(8)
	send(&kv.Batch{Header: kv.Header{Txn: lost}, Ops: []kv.Op{put(lost, 8, "never")}})

	sweep := func() (left int64) {
		for _, d := range c.directory() {
			h := n.store.table.get(d.RangeID)
			require.NoError(t, n.store.cleanIntents(ctx, h))
			require.NoError(t, n.store.cleanRecords(ctx, h))
			left += h.r.Stats().Intents
			records, err := n.store.hasRecords(d)
			require.NoError(t, err)
			if records {
				left++
			}
		}
		return left
	}
	// The transaction without a record dies when it counts as silent.
	c.eventually("intents and records are gone", func() bool { return sweep() <= 1 })
	for i, want := range map[int]string{1: "one", 7: "seven", 8: ""} {
		got, err := n.get(i)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	c.eventually("the committed record is gone", func() bool {
		b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpQueryTxn, Key: tx.Anchor, PushTxn: tx}}}
		send(&b)
		return b.Ops[0].Record == nil
	})
}
