package store

// The same stores over raftgroup itself, on its in-memory network: elections,
// leases, images and the log are real.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
)

func TestRealSingleNode(t *testing.T) {
	c := newRealCluster(t, 1)
	n := c.nodes[0]
	for i := range 100 {
		require.NoError(t, n.put(i, fmt.Sprint(i)))
	}
	c.split(tkey(40))
	for i := range 100 {
		require.NoError(t, n.put(i, fmt.Sprint(i+1)))
	}
	n.crash(rand.New(rand.NewPCG(1, 2)))
	n.restart()
	for i := range 100 {
		v, err := n.get(i)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i+1), v)
	}
	require.NoError(t, covered(c.directory()))
	require.Len(t, c.directory(), 3)
}

func TestRealUpReplicationSplitFailover(t *testing.T) {
	c := newRealCluster(t, 3, func(cfg *Config) { cfg.Placement.TimeUntilDead = time.Second })
	for i := range 60 {
		require.NoError(t, c.nodes[i%3].put(i, fmt.Sprint(i)))
	}
	c.eventually("three replicas", func() bool { return c.settled(3) })
	c.split(tkey(20))
	c.split(tkey(40))
	c.eventually("split everywhere", func() bool { return c.settled(3) })

	lead, _ := c.leaderOf(tkey(30))
	lead.stop()
	other := c.live()[0]
	began := time.Now()
	require.NoError(t, other.put(30, "after the failure"))
	t.Logf("first write after the death of a leaseholder: %s", time.Since(began))
	c.add()
	c.eventually("the dead one is replaced", func() bool { return c.settled(3) })
	lead.restart()
	for i := range 60 {
		if i == 30 {
			continue
		}
		v, err := c.nodes[3].get(i)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), v)
	}
}

func TestRealMerge(t *testing.T) {
	c := newRealCluster(t, 3)
	for i := range 60 {
		require.NoError(t, c.nodes[0].put(i, fmt.Sprint(i)))
	}
	c.eventually("three replicas", func() bool { return c.settled(3) })
	left, right := c.split(tkey(30))
	c.eventually("split everywhere", func() bool { return c.settled(3) })
	merged := c.merge(left.Start)
	require.Equal(t, right.End, merged.End)
	c.eventually("merged everywhere", func() bool { return c.settled(3) })
	for i := range 60 {
		v, err := c.nodes[1].get(i)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), v)
	}
}

func TestRealDrain(t *testing.T) {
	c := newRealCluster(t, 3)
	for i := range 4 {
		c.split(tkey(i * 10))
	}
	c.eventually("three replicas", func() bool { return c.settled(3) })
	lead, _ := c.leaderOf(tkey(5))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, lead.store.Drain(ctx))
	require.Zero(t, lead.store.Metrics().Leases.Load())
	require.NoError(t, lead.put(5, "still served"))
}

func TestRealCrashes(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 99))
			c := newRealCluster(t, 3, func(cfg *Config) { cfg.RangeMaxBytes = 4 << 10 })
			c.eventually("three replicas", func() bool { return c.settled(3) })
			acked := make(map[int]string)
			for step := range 200 {
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
				if rnd.IntN(25) == 0 {
					n := c.nodes[rnd.IntN(3)]
					n.crash(rnd)
					n.restart()
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
