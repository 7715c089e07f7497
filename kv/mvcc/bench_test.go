package mvcc

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
)

const benchRows = 200_000

func benchKey(dst []byte, i int) keys.Key {
	dst = keys.IndexPrefix(dst, 100, 1)
	return binary.BigEndian.AppendUint64(dst, uint64(i))
}

// benchEngine holds benchRows rows of 100 bytes with the given number of
// versions, compacted.
func benchEngine(b *testing.B, versions int) *storage.Engine {
	e, err := storage.Open(storage.Options{FS: vfs.NewMem(), Dir: "state", CacheBytes: 512 << 20})
	require.NoError(b, err)
	b.Cleanup(func() { _ = e.Close() })
	value := make([]byte, 100)
	var d Stats
	for v := range versions {
		w := e.NewBatch()
		for i := range benchRows {
			Put(w, benchKey(nil, i), hlc.Timestamp(1000*(v+1)), value, Newest{TS: hlc.Timestamp(1000 * v)}, &d)
			if w.Len() > 1<<20 {
				require.NoError(b, w.Commit())
				w.Close()
				w = e.NewBatch()
			}
		}
		require.NoError(b, w.Commit())
		w.Close()
	}
	require.NoError(b, e.Flush())
	require.NoError(b, e.Compact(context.Background(), keys.Span{Start: keys.KeyMin, End: keys.KeyMax}))
	b.ReportAllocs()
	b.ResetTimer()
	return e
}

func BenchmarkGet(b *testing.B) {
	for _, mode := range []string{"hit", "hit-reused", "miss", "intent-lookup"} {
		b.Run(mode, func(b *testing.B) {
			e := benchEngine(b, 1)
			var key keys.Key
			o := ReadOptions{TS: 5000, NoIntents: mode != "intent-lookup"}
			c := NewCursor(e)
			for i := range b.N {
				if mode != "hit-reused" {
					_ = c.Close()
					c = NewCursor(e)
				}
				key = benchKey(key[:0], i*7919%benchRows)
				if mode == "miss" {
					key = append(key, 1)
				}
				r, err := c.Get(key, &o)
				if err != nil || r.Found == (mode == "miss") {
					b.Fatal(err, r)
				}
			}
			_ = c.Close()
		})
	}
}

func BenchmarkScan(b *testing.B) {
	for _, bc := range []struct {
		name     string
		versions int
		reverse  bool
		raw      bool
		covered  bool
	}{
		{"pebble-next/1", 1, false, true, false},
		{"forward/1", 1, false, false, false},
		{"reverse/1", 1, true, false, false},
		{"pebble-next/3", 3, false, true, false},
		{"forward/3", 3, false, false, false},
		{"reverse/3", 3, true, false, false},
		{"forward-elsewhere-dropped/1", 1, false, false, true},
	} {
		b.Run(bc.name, func(b *testing.B) {
			e := benchEngine(b, bc.versions)
			if bc.covered {
				w := e.NewBatch()
				var d Stats
				DeleteRange(w, keys.TablePrefix(nil, 99), keys.TablePrefix(nil, 100), 500, &d)
				require.NoError(b, w.Commit())
				w.Close()
				require.NoError(b, e.Flush())
				b.ResetTimer()
			}
			start, end := benchKey(nil, 0), benchKey(nil, benchRows)
			var rows kv.Rows
			for n := 0; n < b.N; {
				if bc.raw {
					it, _ := e.NewIter(&pebble.IterOptions{LowerBound: storage.AppendKey(nil, start), UpperBound: storage.AppendKey(nil, end)})
					for v := it.First(); v; v = it.NextPrefix() {
						n++
					}
					_ = it.Close()
					continue
				}
				c := NewCursor(e)
				so := ScanOptions{ReadOptions: ReadOptions{TS: 5000, NoIntents: true}, Reverse: bc.reverse, MaxBytes: 1 << 20}
				from, to := start, end
				for {
					rows.Reset()
					resume, err := c.Scan(from, to, &so, &rows)
					if err != nil {
						b.Fatal(err)
					}
					n += rows.Count
					if resume == nil {
						break
					}
					if bc.reverse {
						to = keys.Clone(resume)
					} else {
						from = keys.Clone(resume)
					}
				}
				_ = c.Close()
			}
		})
	}
}
