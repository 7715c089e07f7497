package dist

// rangeMap is compared with an obvious model: a map from each of 64 one-byte
// keys to the newest descriptor that covers it.

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
)

func desc(id keys.RangeID, gen uint64, start, end string, stores ...keys.StoreID) *kv.RangeDescriptor {
	d := &kv.RangeDescriptor{RangeID: id, Generation: gen, Start: keys.Key(start), End: keys.Key(end), NextReplicaID: 9}
	for i, s := range stores {
		d.Replicas = append(d.Replicas, kv.ReplicaDescriptor{Node: keys.NodeID(s), Store: s, Replica: keys.ReplicaID(i + 1)})
	}
	return d
}

func TestRangeMapAgainstModel(t *testing.T) {
	const space = 250
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var m rangeMap
		model := make([]*kv.RangeDescriptor, space)
		for step := range 600 {
			from := rnd.IntN(space - 1)
			width := 1 + rnd.IntN(4)
			if rnd.IntN(20) == 0 {
				width = 1 + rnd.IntN(space)
			}
			to := min(from+width, space)
			d := desc(keys.RangeID(step+1), uint64(rnd.IntN(step+2)), string([]byte{byte(from)}), string([]byte{byte(to)}), 1)
			newest := true
			for i := from; i < to; i++ {
				if model[i] != nil && model[i].Generation >= d.Generation {
					newest = false
				}
			}
			require.Equal(t, newest, m.insert(d))
			if newest {
				for i := range model { // an overlapped descriptor is dropped as a whole
					if o := model[i]; o != nil && int(o.Start[0]) < to && int(o.End[0]) > from {
						model[i] = nil
					}
				}
				for i := from; i < to; i++ {
					model[i] = d
				}
			}
			if rnd.IntN(10) == 0 {
				if e := m.get(keys.Key{byte(rnd.IntN(space))}); e != nil {
					m.evict(e)
					for i := int(e.desc.Start[0]); i < int(e.desc.End[0]); i++ {
						model[i] = nil
					}
				}
			}
			for i := range model {
				e := m.get(keys.Key{byte(i)})
				if model[i] == nil {
					require.Nil(t, e)
				} else {
					require.Same(t, model[i], e.desc)
				}
			}
		}
		all := m.all()
		for i := 1; i < len(all); i++ {
			require.LessOrEqual(t, string(all[i-1].desc.End), string(all[i].desc.Start))
		}
	}
}

func TestRangeMapKeepsLeaseholder(t *testing.T) {
	var m rangeMap
	require.True(t, m.insert(desc(1, 1, "a", "z", 1, 2)))
	m.get(keys.Key("b")).setLease(2)
	require.True(t, m.insert(desc(1, 2, "a", "m", 2, 3)))
	lease, ok := m.get(keys.Key("b")).lease()
	require.True(t, ok)
	require.Equal(t, keys.StoreID(2), lease.Store)
	require.True(t, m.insert(desc(1, 3, "a", "m", 3, 4)))
	_, ok = m.get(keys.Key("b")).lease()
	require.False(t, ok, "a store that is no member is no hint")
}

func TestRangeMapGetDoesNotAllocate(t *testing.T) {
	var m rangeMap
	for i := range 200 {
		m.insert(desc(keys.RangeID(i+1), 1, string([]byte{byte(i)}), string([]byte{byte(i + 1)}), 1))
	}
	key := keys.Key{77, 1}
	require.Zero(t, testing.AllocsPerRun(100, func() { m.get(key) }))
}

func BenchmarkRangeMapGet(b *testing.B) {
	var m rangeMap
	for i := range 10000 {
		m.insert(desc(keys.RangeID(i+1), 1, string([]byte{byte(i >> 8), byte(i)}), string([]byte{byte((i + 1) >> 8), byte(i + 1)}), 1))
	}
	key := keys.Key{20, 30, 40}
	for b.Loop() {
		m.get(key)
	}
}
