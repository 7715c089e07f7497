package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

func open(t testing.TB, fsys vfs.FS) *Engine {
	t.Helper()
	e, err := Open(Options{FS: fsys, Dir: "state", CacheBytes: 4 << 20, MemTableBytes: 1 << 20})
	require.NoError(t, err)
	return e
}

func commit(t testing.TB, e *Engine, fn func(b *Batch)) {
	t.Helper()
	b := e.NewBatch()
	defer b.Close()
	fn(b)
	require.NoError(t, b.Commit())
}

// dump renders everything in the engine, range tombstones included.
func dump(t testing.TB, r Reader) (out []string) {
	t.Helper()
	it, err := r.NewIter(&pebble.IterOptions{KeyTypes: pebble.IterKeyTypePointsAndRanges})
	require.NoError(t, err)
	for v := it.First(); v; v = it.Next() {
		point, ranges := it.HasPointAndRange()
		if ranges && it.RangeKeyChanged() {
			from, to := it.RangeBounds()
			for _, rk := range it.RangeKeys() {
				ts, err := DecodeSuffix(rk.Suffix)
				require.NoError(t, err)
				out = append(out, fmt.Sprintf("[%s,%s)@%d", from[:len(from)-1], to[:len(to)-1], ts))
			}
		}
		if point {
			key, ts, _, err := DecodeKey(it.Key())
			require.NoError(t, err)
			out = append(out, fmt.Sprintf("%s@%d=%s", key, ts, it.Value()))
		}
	}
	require.NoError(t, it.Close())
	return out
}

// Pebble's own checks of the promises that a Comparer makes.
func TestComparer(t *testing.T) {
	prefixes := [][]byte{{0}, []byte("a\x00"), []byte("a\x00\x00"), []byte("ab\x00"), []byte("a\x00\x01\x00"), []byte("\x10\x00\x00\x00\x64zzzzzzzz\x00"), []byte("\xff\xff\x00")}
	var suffixes [][]byte
	for _, ts := range []hlc.Timestamp{0, 1, 1 << 12, 1 << 60, hlc.Max} {
		suffixes = append(suffixes, AppendSuffix(nil, ts))
	}
	require.NoError(t, pebble.CheckComparer(Comparer, prefixes, suffixes))
}

// FuzzComparer checks separators and abbreviated keys on any pair of keys.
func FuzzComparer(f *testing.F) {
	f.Add([]byte("a"), uint64(1), []byte("a"), uint64(2))
	f.Add([]byte("black"), uint64(0), []byte("blue"), uint64(7))
	f.Add([]byte("a\x00"), uint64(9), []byte("a\x00\xff"), uint64(0))
	f.Add([]byte{}, uint64(9), []byte{0xff, 0xff}, uint64(0))
	f.Fuzz(func(t *testing.T, ak []byte, ats uint64, bk []byte, bts uint64) {
		enc := func(k []byte, ts uint64) []byte {
			if ts == 0 {
				return AppendKey(nil, k)
			}
			return AppendVersion(nil, k, hlc.Timestamp(ts))
		}
		a, b := enc(ak, ats), enc(bk, bts)
		key, ts, versioned, err := DecodeKey(a)
		if err != nil || !bytes.Equal(key, ak) || uint64(ts) != ats || versioned != (ats != 0) {
			t.Fatalf("round trip of %x@%d: %x@%d %v %v", ak, ats, key, ts, versioned, err)
		}
		c := Comparer.Compare(a, b)
		if want := bytes.Compare(ak, bk); want != 0 && want != c {
			t.Fatalf("order of %x and %x: %d, keys %d", a, b, c, want)
		}
		if x, y := Comparer.AbbreviatedKey(a), Comparer.AbbreviatedKey(b); x < y && c >= 0 || x > y && c <= 0 {
			t.Fatalf("abbreviated %x %x disagree with %d", x, y, c)
		}
		if c < 0 {
			s := Comparer.Separator(nil, a, b)
			if Comparer.Compare(a, s) > 0 || Comparer.Compare(s, b) >= 0 {
				t.Fatalf("separator of %x and %x is %x", a, b, s)
			}
		}
		s := Comparer.Successor(nil, a)
		if Comparer.Compare(a, s) > 0 || split(s) == 0 {
			t.Fatalf("successor of %x is %x", a, s)
		}
	})
}

func TestBatchAndReaders(t *testing.T) {
	e := open(t, vfs.NewMem())
	defer func() { require.NoError(t, e.Close()) }()
	base := len(dump(t, e))
	commit(t, e, func(b *Batch) {
		b.Put(keys.Key("meta"), []byte("1"))
		b.PutVersion(keys.Key("k"), 5, 'V', []byte("five"))
		b.PutVersion(keys.Key("k"), 7, 'V', []byte("seven"))
	})
	require.Equal(t, []string{"k@7=Vseven", "k@5=Vfive", "meta@0=1"}, dump(t, e)[base:])

	s := e.NewSnapshot()
	ib := e.NewIndexedBatch()
	ib.Clear(keys.Key("meta"))
	ib.ClearVersion(keys.Key("k"), 5)
	require.False(t, e.MayHaveRangeTombstones())
	ib.PutRangeTombstone(keys.Key("a"), keys.Key("b"), 9)
	require.True(t, ib.MayHaveRangeTombstones())
	require.Equal(t, []string{"[a,b)@9", "k@7=Vseven"}, dump(t, ib)[base:])
	v, ok, err := ib.Get(nil, keys.Key("meta"))
	require.NoError(t, err)
	require.False(t, ok, "%q", v)

	// As bytes, into another batch, after which the engine knows of the range
	// tombstone.
	b := e.NewBatch()
	require.NoError(t, b.Apply(ib.Repr()))
	require.Equal(t, 3, b.Count())
	require.NoError(t, b.Commit())
	b.Close()
	ib.Close()
	require.True(t, e.MayHaveRangeTombstones())
	require.Equal(t, []string{"[a,b)@9", "k@7=Vseven"}, dump(t, e)[base:])
	_, ok, err = s.Get(nil, keys.Key("meta"))
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, s.Close())

	commit(t, e, func(b *Batch) { b.ClearSpan(keys.Span{Start: keys.Key("a"), End: keys.Key("z")}) })
	require.Empty(t, dump(t, e)[base:])
}

func FuzzBatchApply(f *testing.F) {
	e := open(f, vfs.NewMem())
	f.Cleanup(func() { _ = e.Close() })
	b := e.NewBatch()
	b.Put(keys.Key("k"), []byte("v"))
	b.PutVersion(keys.Key("k"), 3, 0, []byte("v"))
	b.PutRangeTombstone(keys.Key("a"), keys.Key("b"), 1)
	f.Add(bytes.Clone(b.Repr()))
	f.Add([]byte{})
	b.Close()
	f.Fuzz(func(t *testing.T, repr []byte) {
		b := e.NewBatch()
		defer b.Close()
		if err := b.Apply(repr); err != nil {
			var ce *CorruptionError
			if !errors.As(err, &ce) {
				t.Fatalf("%T %v", err, err)
			}
			if !b.Empty() {
				t.Fatal("a batch that failed to apply left writes")
			}
		}
	})
}

func TestOpenErrors(t *testing.T) {
	t.Run("foreign file", func(t *testing.T) {
		mem := vfs.NewMem()
		require.NoError(t, mem.MkdirAll("state", 0o755))
		f, err := mem.Create("state/thesis.tex", vfs.WriteCategoryUnspecified)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		_, err = Open(Options{FS: mem, Dir: "state"})
		require.IsType(t, &ForeignFolderError{}, err)
		names, err := mem.List("state")
		require.NoError(t, err)
		require.Equal(t, []string{"thesis.tex"}, names)
	})
	t.Run("foreign database", func(t *testing.T) {
		mem := vfs.NewMem()
		db, err := pebble.Open("state", &pebble.Options{FS: mem})
		require.NoError(t, err)
		require.NoError(t, db.Close())
		_, err = Open(Options{FS: mem, Dir: "state"})
		require.IsType(t, &ForeignFolderError{}, err)
	})
	t.Run("newer", func(t *testing.T) {
		mem := vfs.NewMem()
		e := open(t, mem)
		commit(t, e, func(b *Batch) { b.Put(formatKey, binary.BigEndian.AppendUint32(nil, FormatVersion+1)) })
		require.NoError(t, e.Flush())
		require.NoError(t, e.Close())
		_, err := Open(Options{FS: mem, Dir: "state"})
		require.ErrorAs(t, err, new(*NewerFormatError))
	})
	t.Run("locked", func(t *testing.T) {
		dir := t.TempDir()
		e, err := Open(Options{FS: vfs.Default, Dir: dir})
		require.NoError(t, err)
		_, err = Open(Options{FS: vfs.Default, Dir: dir})
		require.IsType(t, &LockedError{}, err)
		require.NoError(t, e.Close())
		e, err = Open(Options{FS: vfs.Default, Dir: dir, MustExist: true})
		require.NoError(t, err)
		require.NoError(t, e.Close())
	})
	t.Run("missing", func(t *testing.T) {
		_, err := Open(Options{FS: vfs.NewMem(), Dir: "state", MustExist: true})
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
	t.Run("corrupt", func(t *testing.T) {
		mem := vfs.NewMem()
		e := open(t, mem)
		commit(t, e, func(b *Batch) {
			for i := range 1000 {
				b.PutVersion(keys.Key(fmt.Sprintf("%04d", i)), 1, 0, make([]byte, 100))
			}
		})
		require.NoError(t, e.Flush())
		require.NoError(t, e.Close())
		names, err := mem.List("state")
		require.NoError(t, err)
		for _, n := range names {
			if bytes.HasSuffix([]byte(n), []byte(".sst")) {
				f, err := mem.OpenReadWrite("state/"+n, vfs.WriteCategoryUnspecified)
				require.NoError(t, err)
				_, err = f.WriteAt([]byte{0xde, 0xad}, 300)
				require.NoError(t, err)
				require.NoError(t, f.Close())
			}
		}
		var reported atomic.Pointer[CorruptionError] // background work finds it as well
		e, err = Open(Options{FS: mem, Dir: "state", Events: Events{Corruption: func(c *CorruptionError) { reported.Store(c) }}})
		if err == nil {
			_, _, err = e.Get(nil, keys.Key("0000"))
			require.NoError(t, err) // a bloom filter may save it
			err = ScanUnversioned(e, keys.Span{Start: keys.Key("0"), End: keys.Key("z")}, func(keys.Key, []byte) error { return nil })
			require.NotNil(t, reported.Load())
			require.NoError(t, e.Close())
		}
		require.ErrorAs(t, err, new(*CorruptionError))
	})
}

func TestIdentity(t *testing.T) {
	mem := vfs.NewCrashableMem()
	e := open(t, mem)
	_, ok, err := e.Identity()
	require.NoError(t, err)
	require.False(t, ok)
	id := Identity{Cluster: ClusterID{1, 2}, Node: 3, Store: 4}
	require.NoError(t, e.SetIdentity(id))
	require.Error(t, e.SetIdentity(Identity{Node: 9}))
	after := open(t, mem.CrashClone(vfs.CrashCloneCfg{}))
	got, ok, err := after.Identity()
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, id, got)
	require.NoError(t, after.Close())
	require.NoError(t, e.Close())
}

// A crash at any moment leaves the state after a prefix of the commits: each
// commit writes its number and a row; what is found after the crash must be the
// rows up to the number found, and no less than GetDurable had said.
func TestCrashLeavesPrefix(t *testing.T) {
	mem := vfs.NewCrashableMem()
	rng := rand.New(rand.NewPCG(7, 7))
	e := open(t, mem)
	applied := keys.Key("applied")
	durable := func(e *Engine) uint64 {
		v, ok, err := e.GetDurable(nil, applied)
		require.NoError(t, err)
		if !ok {
			return 0
		}
		return binary.BigEndian.Uint64(v)
	}
	n := uint64(0)
	for round := range 25 {
		for range 1 + rng.IntN(300) {
			n++
			commit(t, e, func(b *Batch) {
				b.Put(applied, binary.BigEndian.AppendUint64(nil, n))
				b.PutVersion(keys.Key(fmt.Sprintf("row%06d", n)), hlc.Timestamp(n), 0, make([]byte, rng.IntN(2000)))
			})
			if rng.IntN(200) == 0 {
				require.NoError(t, e.Flush())
			}
		}
		promised := durable(e)
		crashed := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
		require.NoError(t, e.Close())
		mem = crashed
		e = open(t, mem)
		v, ok, err := e.Get(nil, applied)
		require.NoError(t, err)
		found := uint64(0)
		if ok {
			found = binary.BigEndian.Uint64(v)
		}
		require.GreaterOrEqual(t, found, promised, "round %d", round)
		require.Equal(t, found, durable(e))
		it, err := e.NewIter(&pebble.IterOptions{LowerBound: AppendKey(nil, keys.Key("row"))})
		require.NoError(t, err)
		rows := uint64(0)
		for valid := it.First(); valid; valid = it.Next() {
			rows++
			require.Equal(t, AppendVersion(nil, keys.Key(fmt.Sprintf("row%06d", rows)), hlc.Timestamp(rows)), it.Key())
		}
		require.NoError(t, it.Close())
		require.Equal(t, found, rows)
		n = found
	}
	require.NoError(t, e.Close())
}

// Replace gives one engine the content that another one exported, range
// tombstones included, and nothing else survives in the spans; it is durable at
// once.
func TestExportReplace(t *testing.T) {
	for _, target := range []uint64{1, 300, 1 << 20} {
		t.Run(fmt.Sprint(target), func(t *testing.T) {
			ctx := context.Background()
			src := open(t, vfs.NewMem())
			commit(t, src, func(b *Batch) {
				b.Put(keys.Key("\x02applied"), []byte("42"))
				for i := range 50 {
					k := keys.Key(fmt.Sprintf("\x10k%02d", i))
					b.PutVersion(k, 5, 'V', []byte("old"))
					b.PutVersion(k, 9, 'V', []byte("new"))
				}
				b.PutRangeTombstone(keys.Key("\x10k10"), keys.Key("\x10k30"), 7)
				b.PutRangeTombstone(keys.Key("\x10k20"), keys.Key("\x10k40"), 8)
				b.PutVersion(keys.Key("\x10outside"), 1, 'V', nil)
			})
			spans := []keys.Span{
				{Start: keys.Key("\x02"), End: keys.Key("\x03")},
				{Start: keys.Key("\x03"), End: keys.Key("\x04")},
				{Start: keys.Key("\x10k"), End: keys.Key("\x10l")},
			}
			mem := vfs.NewCrashableMem()
			snap := src.NewSnapshot()
			paced := 0
			paths, err := src.Export(ctx, snap, spans, ExportOptions{
				FS: mem, Path: func(n int) string { return fmt.Sprintf("snap-%d", n) }, TargetBytes: target, Clear: true,
				Pace: func(n int) error { paced += n; return nil },
			})
			require.NoError(t, err)
			if target == 1 {
				require.Greater(t, len(paths), 50)
			}
			dst := open(t, mem)
			commit(t, dst, func(b *Batch) {
				b.Put(keys.Key("\x02applied"), []byte("1"))
				b.Put(keys.Key("\x03stale"), nil)
				b.PutVersion(keys.Key("\x10k05"), 6, 'V', []byte("stale"))
				b.PutRangeTombstone(keys.Key("\x10k00"), keys.Key("\x10l"), 99)
				b.PutVersion(keys.Key("\x10z"), 6, 'V', []byte("other range"))
			})
			before := dump(t, dst)
			require.Contains(t, before, "\x10z@6=Vother range")
			require.NoError(t, dst.Replace(ctx, paths, spans[2]))
			check := func(e *Engine) {
				var want []string
				for _, s := range dump(t, snap) {
					if s[0] == 0x02 || bytes.Contains([]byte(s), []byte("\x10k")) {
						want = append(want, s)
					}
				}
				var got []string
				for _, s := range dump(t, e) {
					if s[0] != 0x01 && s != "\x10z@6=Vother range" {
						got = append(got, s)
					}
				}
				require.Equal(t, joinFragments(want), joinFragments(got))
			}
			check(dst)
			after := open(t, mem.CrashClone(vfs.CrashCloneCfg{}))
			check(after)
			require.NoError(t, after.Close())
			require.NoError(t, snap.Close())
			require.NoError(t, src.Close())
			require.NoError(t, dst.Close())
		})
	}
}

// joinFragments makes dumps comparable in which range tombstones are cut at
// different keys: it keeps of each only the points and the set of timestamps.
func joinFragments(in []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range in {
		if s[0] == '[' {
			s = "[..)" + s[bytes.IndexByte([]byte(s), '@'):]
			if seen[s] {
				continue
			}
			seen[s] = true
			out = append([]string{s}, out...)
			continue
		}
		out = append(out, s)
	}
	return out
}

func TestTimeFilter(t *testing.T) {
	e := open(t, vfs.NewMem())
	defer func() { require.NoError(t, e.Close()) }()
	for ts := range hlc.Timestamp(4) {
		commit(t, e, func(b *Batch) {
			for i := range 2000 {
				b.PutVersion(keys.Key(fmt.Sprintf("%d%04d", ts, i)), 10*(ts+1), 0, make([]byte, 50))
			}
		})
	}
	require.NoError(t, e.Flush())
	count := func(after, upTo hlc.Timestamp) (inside, outside int) {
		it, err := e.NewIter(&pebble.IterOptions{LowerBound: AppendKey(nil, keys.Key("0")), PointKeyFilters: TimeFilter(after, upTo)})
		require.NoError(t, err)
		for v := it.First(); v; v = it.Next() {
			_, ts, _, err := DecodeKey(it.Key())
			require.NoError(t, err)
			if after < ts && ts <= upTo {
				inside++
			} else {
				outside++
			}
		}
		require.NoError(t, it.Close())
		return
	}
	in, out := count(10, 20)
	require.Equal(t, 2000, in)
	require.Less(t, out, 2000)
	in, out = count(40, hlc.Max)
	require.Zero(t, in)
	require.Zero(t, out)
	in, _ = count(0, hlc.Max)
	require.Equal(t, 8000, in)
}

func TestEvents(t *testing.T) {
	flushed := make(chan struct{}, 16)
	e, err := Open(Options{FS: vfs.NewMem(), Dir: "state", Events: Events{Flushed: func() { flushed <- struct{}{} }}})
	require.NoError(t, err)
	<-flushed // the format record
	commit(t, e, func(b *Batch) { b.Put(keys.Key("k"), nil) })
	done, err := e.FlushAsync()
	require.NoError(t, err)
	<-done
	<-flushed
	require.NotZero(t, e.Metrics().Flushes)
	require.NoError(t, e.Checkpoint("copy"))
	require.NoError(t, e.Close())
	c, err := Open(Options{FS: e.FS(), Dir: "copy", MustExist: true})
	require.NoError(t, err)
	_, ok, err := c.Get(nil, keys.Key("k"))
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, c.Close())
}

func BenchmarkOpenInMemory(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		e := open(b, vfs.NewMem())
		_ = e.Close()
	}
}

func TestCorruptionErrorText(t *testing.T) {
	err := &CorruptionError{Path: "000012.sst", Cause: errors.New("checksum mismatch\n<corruption detail carrier>")}
	require.EqualError(t, err, "storage: 000012.sst is corrupt: checksum mismatch")
}
