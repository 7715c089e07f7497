package outcome

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
)

// These tests hold the memory against a map that forgets nothing: what it tells is
// true, and where it claims to know, nothing is missing.

func testID(n uint64) (id kv.TxnID) {
	binary.BigEndian.PutUint64(id[:8], 0x1234_5678_9abc_def0)
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

func at(d time.Duration) hlc.Timestamp { return hlc.Timestamp(1 << 40).Add(d) }

func TestMemoryAgainstModel(t *testing.T) {
	for _, step := range []time.Duration{100 * time.Microsecond, 10 * time.Millisecond, time.Minute} {
		var m Memory
		rng := rand.New(rand.NewPCG(1, uint64(step)))
		model := map[kv.TxnID]Outcome{}
		now := time.Duration(0)
		for n := range uint64(100_000) {
			now += time.Duration(rng.Int64N(int64(2 * step)))
			o := Outcome{ID: testID(n), TS: at(now), At: at(now - time.Duration(rng.Int64N(int64(step))))}
			if rng.IntN(4) == 0 {
				o.TS = 0
			}
			m.Add(o)
			model[o.ID] = o
			if rng.IntN(50_000) == 0 {
				m.Forget(at(now))
			}
			id := testID(rng.Uint64N(n + 100))
			got, ok := m.Get(id)
			want, was := model[id]
			if ok {
				require.Equal(t, want, got)
			} else if was {
				require.False(t, m.Knows(id, want.At), "an outcome is missing")
			}
			require.True(t, m.Knows(testID(n+1), at(now+step)), "what is to come will be known")
		}
		require.LessOrEqual(t, len(m.buckets), maxBuckets)
	}
}

// The last second's commits of a busy range are remembered, however many.
func TestMemoryRetains(t *testing.T) {
	var m Memory
	for n := range uint64(20_000) {
		m.Add(Outcome{ID: testID(n), TS: 1, At: at(time.Duration(n) * 100 * time.Microsecond)})
	}
	missing := 0
	for n := range uint64(20_000) {
		if _, ok := m.Get(testID(n)); !ok {
			missing++
		}
	}
	require.Less(t, missing, 200)
	// And of an idle one little memory is taken.
	var idle Memory
	for n := range uint64(20_000) {
		idle.Add(Outcome{ID: testID(n), TS: 1, At: at(time.Duration(n) * time.Minute)})
	}
	require.LessOrEqual(t, len(idle.buckets), minBuckets)
}

func TestMemoryAbsorb(t *testing.T) {
	var a, b Memory
	a.Add(Outcome{ID: testID(1), TS: 5, At: 4})
	b.Add(Outcome{ID: testID(2), At: 6})
	b.Forget(3)
	a.Absorb(&b)
	_, ok := a.Get(testID(1))
	require.True(t, ok)
	o, ok := a.Get(testID(2))
	require.True(t, ok)
	require.Equal(t, kv.TxnAborted, o.Status())
	require.False(t, a.Knows(testID(9), 3))
	require.True(t, a.Knows(testID(9), 4))
}

func BenchmarkAdd(b *testing.B) {
	var m Memory
	for n := 0; b.Loop(); n++ {
		m.Add(Outcome{ID: testID(uint64(n)), TS: 1, At: at(time.Duration(n) * 100 * time.Microsecond)})
	}
}
