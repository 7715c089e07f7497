package store

// The path of a batch that never leaves the process: sender, store, replica,
// transaction protocol, engine, and for writes the log of one voter.

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
)

func BenchmarkLocalGet(b *testing.B) {
	t := &testing.T{}
	c := newRealCluster(t, 1)
	defer c.nodes[0].stop()
	n := c.nodes[0]
	require.NoError(b, n.put(1, "value"))
	ctx := context.Background()
	batch := kv.Batch{Ops: []kv.Op{{Kind: kv.OpGet, Key: tkey(1)}}}
	b.ReportAllocs()
	for b.Loop() {
		if err := n.sender.Send(ctx, &batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLocalPut(b *testing.B) {
	t := &testing.T{}
	c := newRealCluster(t, 1)
	defer c.nodes[0].stop()
	n := c.nodes[0]
	ctx := context.Background()
	batch := kv.Batch{Ops: []kv.Op{{Kind: kv.OpPut, Key: tkey(1), Value: []byte("value")}}}
	b.ReportAllocs()
	for b.Loop() {
		if err := n.sender.Send(ctx, &batch); err != nil {
			b.Fatal(err)
		}
	}
}
