package tscache

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

func k(i int) keys.Key { return keys.Key(fmt.Sprintf("k%05d", i)) }

// read is what the model keeps: every read ever made.
type read struct {
	from, to int // [from, to)
	ts       hlc.Timestamp
	txn      kv.TxnID
}

// Against a model that forgets nothing: the cache never answers too low, and an
// answer that names a transaction is never above what the others have read by
// more than that transaction's own reads.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 5))
		nKeys := []int{20, 2000, 50000}[seed%3]
		c := New(5)
		var reads []read
		exact := nKeys == 20
		for step := range 6000 {
			ts := hlc.Timestamp(10 + step/3 + rng.IntN(10))
			id := kv.TxnID{byte(rng.IntN(4))}
			i := rng.IntN(nKeys)
			switch op := rng.IntN(20); {
			case op < 10:
				c.AddPoint(k(i), ts, id)
				reads = append(reads, read{i, i + 1, ts, id})
			case op < 13 || op < 18 && seed%2 == 0:
				j := min(nKeys, i+rng.IntN(10))
				c.AddSpan(k(i), k(j), ts, id)
				reads = append(reads, read{i, j, ts, id})
			case op == 19 && rng.IntN(200) == 0:
				switch rng.IntN(3) {
				case 0:
					c = c.Clone()
				case 1:
					// Everything read up to now is known to one half of a merge.
					other := New(3)
					other.Merge(c)
					c = other
				case 2:
					require.GreaterOrEqual(t, c.Max(), ts-10)
				}
			default:
				var want mark
				want.ts = 5
				others := map[kv.TxnID]hlc.Timestamp{} // by transaction: greatest read of the others
				for _, r := range reads {
					if r.from <= i && i < r.to {
						want.raise(mark{r.ts, r.txn})
						for x := range 4 {
							if x := (kv.TxnID{byte(x)}); x != r.txn {
								others[x] = max(others[x], r.ts)
							}
						}
					}
				}
				got, id := c.GetPoint(k(i))
				require.GreaterOrEqual(t, got, want.ts)
				if id != (kv.TxnID{}) {
					require.GreaterOrEqual(t, got, others[id])
				}
				if exact && seed%2 == 1 {
					require.Equal(t, want.ts, got)
				}
				sts, _ := c.GetSpan(k(i), k(i+1))
				require.GreaterOrEqual(t, sts, want.ts)
			}
		}
		require.LessOrEqual(t, len(c.mu.bounds), maxBounds+2)
		for i := 1; i < len(c.mu.bounds); i++ {
			require.Less(t, string(c.mu.bounds[i-1].key), string(c.mu.bounds[i].key))
		}
	}
}

func TestOwnReads(t *testing.T) {
	c := New(0)
	a, b := kv.TxnID{1}, kv.TxnID{2}
	c.AddPoint(k(1), 10, a)
	ts, id := c.GetPoint(k(1))
	require.Equal(t, hlc.Timestamp(10), ts)
	require.Equal(t, a, id)
	c.AddPoint(k(1), 10, b)
	_, id = c.GetPoint(k(1))
	require.Equal(t, kv.TxnID{}, id, "two readers at one timestamp")
	c.AddPoint(k(1), 12, b)
	_, id = c.GetPoint(k(1))
	require.Equal(t, b, id)
	c.AddSpan(k(0), k(5), 12, b)
	_, id = c.GetPoint(k(1))
	require.Equal(t, b, id)
	_, id = New(12).GetPoint(k(1))
	require.Equal(t, kv.TxnID{}, id, "the floor is nobody's")
}

func TestIdleCacheIsSmall(t *testing.T) {
	c := New(1)
	for i := range c.shards {
		require.Nil(t, c.shards[i].buckets)
	}
	_, _ = c.GetPoint(k(1))
	for i := range c.shards {
		require.Nil(t, c.shards[i].buckets)
	}
}

func BenchmarkAddPoint(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := New(0)
			ks := make([]keys.Key, n)
			for i := range ks {
				ks[i] = keys.Key(fmt.Sprintf("\x10\x00\x00\x00\x64\x00\x00\x00\x01%08d", i))
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				c.AddPoint(ks[i*7919%n], hlc.Timestamp(i), kv.TxnID{byte(i)})
			}
		})
	}
}

func BenchmarkGetPoint(b *testing.B) {
	c := New(0)
	for i := range 400 {
		c.AddSpan(k(i*10), k(i*10+5), hlc.Timestamp(i), kv.TxnID{1})
	}
	b.ReportAllocs()
	for b.Loop() {
		c.GetPoint(k(77))
	}
}

func BenchmarkAddSpan(b *testing.B) {
	c := New(0)
	ks := make([]keys.Key, 5010)
	for i := range ks {
		ks[i] = k(i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		s := i * 7919 % 5000
		c.AddSpan(ks[s], ks[s+10], hlc.Timestamp(i), kv.TxnID{byte(i)})
	}
}

// Many reads must not make the cache forget what it knows of records: a transaction
// that is older than them could not make its record any more.
func TestReadsLeaveRecordsAlone(t *testing.T) {
	c := New(1)
	c.AddRecord(k(7), 5)
	for i := range 200_000 {
		c.AddPoint(k(i), 100, kv.TxnID{})
	}
	for i := range 5_000 {
		c.AddSpan(k(3*i), k(3*i+1), hlc.Timestamp(100+i), kv.TxnID{})
	}
	require.Equal(t, hlc.Timestamp(5), c.GetRecord(k(7)))
	require.Equal(t, hlc.Timestamp(1), c.GetRecord(k(8)))
	require.GreaterOrEqual(t, c.Clone().GetRecord(k(7)), hlc.Timestamp(5))

	left := New(1)
	left.Merge(c)
	require.Equal(t, hlc.Timestamp(5), left.GetRecord(k(7)))
	c = New(1)
	c.AddRecord(k(7), 50)
	require.Equal(t, hlc.Timestamp(50), c.Max(), "a new leaseholder must know")
	c.RaiseRecordFloor(60)
	require.Equal(t, hlc.Timestamp(60), c.GetRecord(k(8)))
	ts, _ := c.GetPoint(k(8))
	require.Equal(t, hlc.Timestamp(1), ts)
}
