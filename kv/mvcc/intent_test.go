package mvcc

import (
	"context"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/invariant"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
)

// history runs steps on one key against a fresh engine.
type history struct {
	t     *testing.T
	e     *storage.Engine
	stats Stats
}

func (h *history) do(fn func(c *Cursor, w *storage.Batch)) {
	c, w := NewCursor(h.e), h.e.NewBatch()
	fn(c, w)
	require.NoError(h.t, c.Close())
	require.NoError(h.t, w.Commit())
	w.Close()
}

func (h *history) write(txn *kv.TxnMeta, seq uint32, value string) (ts hlc.Timestamp, err error) {
	h.do(func(c *Cursor, w *storage.Batch) {
		ts, err = WriteIntent(c, w, &IntentRequest{Key: keys.Key("k"), Value: []byte(value), Deleted: value == "", Seq: seq, Txn: txn}, &h.stats)
	})
	return ts, err
}

func (h *history) resolve(txn *kv.TxnMeta, status kv.TxnStatus) (found bool) {
	h.do(func(c *Cursor, w *storage.Batch) {
		var err error
		found, err = ResolveIntent(c, w, keys.Key("k"), &Resolution{Txn: txn, Status: status}, &h.stats)
		require.NoError(h.t, err)
	})
	return found
}

func (h *history) read(o ReadOptions) (string, error) {
	c := NewCursor(h.e)
	defer func() { require.NoError(h.t, c.Close()) }()
	r, err := c.Get(keys.Key("k"), &o)
	if !r.Found {
		return "", err
	}
	return string(r.Value), err
}

func newHistory(t *testing.T) *history { return &history{t: t, e: testEngine(t)} }

func meta(id byte, ts hlc.Timestamp) *kv.TxnMeta {
	return &kv.TxnMeta{ID: kv.TxnID{id}, Anchor: keys.Key("anchor"), ReadTS: ts, WriteTS: ts, StartTS: ts, Isolation: kv.Serializable, GatewayNode: 3}
}

// Savepoints within an intent: what is undone does not count, at reading nor at
// commit.
func TestIntentSavepoints(t *testing.T) {
	for _, tc := range []struct {
		name    string
		ignored []kv.SeqRange
		want    string
	}{
		{"none", nil, "three"},
		{"last", []kv.SeqRange{{From: 3, To: 3}}, "two"},
		{"two", []kv.SeqRange{{From: 2, To: 9}}, "one"},
		{"all", []kv.SeqRange{{From: 1, To: 9}}, "before"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHistory(t)
			h.do(func(_ *Cursor, w *storage.Batch) { Put(w, keys.Key("k"), 5, []byte("before"), Newest{}, &h.stats) })
			txn := meta(1, 10)
			for i, v := range []string{"one", "two", "three"} {
				_, err := h.write(txn, uint32(i+1), v)
				require.NoError(t, err)
			}
			// A late copy of the first write changes nothing.
			_, err := h.write(txn, 1, "late")
			require.NoError(t, err)
			txn.IgnoredSeqs = tc.ignored
			got, err := h.read(ReadOptions{TS: 10, Txn: txn})
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			txn.WriteTS = 20
			require.True(t, h.resolve(txn, kv.TxnCommitted))
			require.False(t, h.resolve(txn, kv.TxnCommitted))
			got, err = h.read(ReadOptions{TS: 20})
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			require.Zero(t, h.stats.Intents)
			require.Zero(t, h.stats.IntentBytes)
		})
	}
}

func TestIntentConflictsAndTimestamps(t *testing.T) {
	h := newHistory(t)
	h.do(func(_ *Cursor, w *storage.Batch) { Put(w, keys.Key("k"), 15, []byte("v15"), Newest{}, &h.stats) })
	a, b := meta(1, 10), meta(2, 30)
	ts, err := h.write(a, 1, "a")
	require.NoError(t, err)
	require.Equal(t, hlc.Timestamp(16), ts, "above the newest version")

	_, err = h.write(b, 1, "b")
	var ie *kv.IntentError
	require.ErrorAs(t, err, &ie)
	require.Equal(t, a.ID, ie.Intents[0].Holder.ID)
	require.Equal(t, keys.Key("anchor"), ie.Intents[0].Holder.Anchor)
	require.Equal(t, hlc.Timestamp(16), ie.Intents[0].Since)

	got, err := h.read(ReadOptions{TS: 15})
	require.NoError(t, err)
	require.Equal(t, "v15", got, "an intent above the read is invisible")
	_, err = h.read(ReadOptions{TS: 16})
	require.ErrorAs(t, err, &ie)
	_, err = h.read(ReadOptions{TS: 15, UncertaintyLimit: 20})
	require.ErrorAs(t, err, &ie, "within the uncertainty interval")

	// Pushed out of the way.
	a.WriteTS = 40
	require.True(t, h.resolve(a, kv.TxnPending))
	got, err = h.read(ReadOptions{TS: 30, UncertaintyLimit: 35})
	require.NoError(t, err)
	require.Equal(t, "v15", got)

	// A new epoch replaces the write; the old epoch's is void for its own reads.
	a.Epoch, a.ReadTS, a.WriteTS = 1, 50, 50
	got, err = h.read(ReadOptions{TS: 50, Txn: a})
	require.NoError(t, err)
	require.Equal(t, "v15", got)
	ts, err = h.write(a, 7, "")
	require.NoError(t, err)
	require.Equal(t, hlc.Timestamp(50), ts)
	stale := meta(1, 50)
	_, err = h.write(stale, 8, "old epoch")
	require.ErrorAs(t, err, new(*kv.TxnAbortedError))
	require.True(t, h.resolve(a, kv.TxnCommitted))
	got, err = h.read(ReadOptions{TS: 50})
	require.NoError(t, err)
	require.Empty(t, got)
	got, err = h.read(ReadOptions{TS: 49})
	require.NoError(t, err)
	require.Equal(t, "v15", got)
	require.Equal(t, int64(1), h.stats.Tombstones)

	// Intents of an epoch that did not commit vanish.
	c := meta(3, 60)
	_, err = h.write(c, 1, "c")
	require.NoError(t, err)
	c.Epoch++
	require.True(t, h.resolve(c, kv.TxnCommitted))
	got, err = h.read(ReadOptions{TS: 100})
	require.NoError(t, err)
	require.Empty(t, got)
}

func FuzzIntent(f *testing.F) {
	i := Intent{Key: keys.Key("k"), Txn: *meta(1, 9), HadVersions: true, Writes: []IntentWrite{{Seq: 1, Value: []byte("x")}, {Seq: 5, Deleted: true, Value: []byte{}}}}
	f.Add(i.encode(nil))
	i.Txn.Anchor = nil
	f.Add(i.encode(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := decodeIntent(keys.Key("k"), b)
		if err != nil {
			return
		}
		j, err := decodeIntent(keys.Key("k"), i.encode(nil))
		if err != nil || !reflect.DeepEqual(i, j) {
			t.Fatalf("%+v\n%+v\n%v", i, j, err)
		}
	})
}

func FuzzStats(f *testing.F) {
	s := Stats{Keys: 1, Versions: 2, RangeTombstones: -3}
	f.Add(s.Encode(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeStats(b)
		if err == nil && string(s.Encode(nil)) != string(b) {
			t.Fatalf("%x decodes to %+v", b, s)
		}
	})
}

// countingFilter keeps rows with an even last byte and counts the others.
type countingFilter struct{ dropped, finished int }

func (f *countingFilter) Next(key keys.Key, value []byte, out *kv.Rows) (bool, error) {
	if key[len(key)-1]%2 != 0 {
		f.dropped++
		return false, nil
	}
	out.Append(key, value, 0)
	return key[len(key)-1] == '6', nil
}
func (f *countingFilter) Finish(out *kv.Rows) error {
	f.finished++
	out.Append(keys.Key("sum"), []byte{byte(f.dropped)}, 0)
	return nil
}
func (f *countingFilter) Encode(dst []byte) []byte { return dst }

func TestFilter(t *testing.T) {
	h := newHistory(t)
	h.do(func(_ *Cursor, w *storage.Batch) {
		for i := range 9 {
			Put(w, keys.Key{'0' + byte(i)}, 5, []byte("v"), Newest{}, &h.stats)
		}
	})
	c := NewCursor(h.e)
	var rows kv.Rows
	filter := &countingFilter{}
	resume, err := c.Scan(keys.Key("0"), keys.Key("9"), &ScanOptions{ReadOptions: ReadOptions{TS: 9}, MaxRows: 2, Filter: filter}, &rows)
	require.NoError(t, err)
	require.Equal(t, keys.Key("2\x00"), resume)
	require.Equal(t, 3, rows.Count)
	rows.Reset()
	resume, err = c.Scan(keys.Clone(resume), keys.Key("9"), &ScanOptions{ReadOptions: ReadOptions{TS: 9}, Filter: filter}, &rows)
	require.NoError(t, err)
	require.Nil(t, resume, "the filter has seen enough")
	require.Equal(t, 3, rows.Count) // 4, 6, sum
	require.Equal(t, 2, filter.finished)
	require.Equal(t, 3, filter.dropped)
	require.NoError(t, c.Close())
}

// More intents than one page holds in memory.
func TestScanManyIntents(t *testing.T) {
	h := newHistory(t)
	txn := meta(1, 10)
	const n = 2*maxPageIntents + 100
	key := func(i int) keys.Key { return keys.Key{'k', byte(i >> 8), byte(i)} }
	h.do(func(c *Cursor, w *storage.Batch) {
		for i := range n {
			_, err := WriteIntent(c, w, &IntentRequest{Key: key(i), Value: []byte("v"), Seq: uint32(i + 1), Txn: txn}, &h.stats)
			require.NoError(t, err)
		}
	})
	for _, reverse := range []bool{false, true} {
		c := NewCursor(h.e)
		start, end := keys.Key("k"), keys.Key("l")
		var rows kv.Rows
		pages := 0
		for {
			resume, err := c.Scan(start, end, &ScanOptions{ReadOptions: ReadOptions{TS: 10, Txn: txn}, Reverse: reverse}, &rows)
			require.NoError(t, err)
			pages++
			if resume == nil {
				break
			}
			if reverse {
				end = keys.Clone(resume)
			} else {
				start = keys.Clone(resume)
			}
		}
		require.Equal(t, n, rows.Count)
		require.Equal(t, 3, pages)
		require.NoError(t, c.Close())
	}
	h.do(func(c *Cursor, w *storage.Batch) {
		for start, done := keys.Key("k"), 0; start != nil; {
			k, resume, err := ResolveIntents(c, w, start, keys.Key("l"), &Resolution{Txn: txn, Status: kv.TxnCommitted}, 1000, &h.stats)
			require.NoError(t, err)
			done += k
			if start = resume; start == nil {
				require.Equal(t, n, done)
			}
		}
	})
	require.Zero(t, h.stats.Intents)
	require.Equal(t, int64(n), h.stats.Keys)
}

func TestDropAndSplit(t *testing.T) {
	h := newHistory(t)
	h.do(func(_ *Cursor, w *storage.Batch) {
		for i := range 100 {
			Put(w, keys.Key{'a', byte(i)}, 5, make([]byte, 100), Newest{}, &h.stats)
			Put(w, keys.Key{'b', byte(i)}, 5, make([]byte, 100), Newest{}, &h.stats)
		}
	})
	mid, err := FindSplitKey(h.e, keys.Key("a"), keys.Key("c"), h.stats.Bytes()/2)
	require.NoError(t, err)
	require.Equal(t, keys.Key{'b', 0}, mid)
	none, err := FindSplitKey(h.e, keys.Key("a"), keys.Key("c"), 1<<30)
	require.NoError(t, err)
	require.Nil(t, none)

	h.do(func(_ *Cursor, w *storage.Batch) { DeleteRange(w, keys.Key("a"), keys.Key("b"), 10, &h.stats) })
	_, ok, err := FindDropped(h.e, keys.Key("a"), keys.Key("c"), 9)
	require.NoError(t, err)
	require.False(t, ok, "not old enough")
	span, ok, err := FindDropped(h.e, keys.Key("a"), keys.Key("c"), 10)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, keys.Span{Start: keys.Key("a"), End: keys.Key("b")}, span)
	h.do(func(_ *Cursor, w *storage.Batch) { require.NoError(t, DropSpan(h.e, w, span, &h.stats)) })
	left, err := ComputeStats(h.e, keys.Key("a"), keys.Key("c"))
	require.NoError(t, err)
	require.Equal(t, left, h.stats)
	require.Equal(t, int64(100), left.Keys)

	// A newer version keeps the span from being dropped as a whole.
	h.do(func(_ *Cursor, w *storage.Batch) {
		DeleteRange(w, keys.Key("b"), keys.Key("c"), 20, &h.stats)
		Put(w, keys.Key{'b', 7}, 21, nil, Newest{TS: 20, HasVersions: true}, &h.stats)
	})
	_, ok, err = FindDropped(h.e, keys.Key("a"), keys.Key("c"), 50)
	require.NoError(t, err)
	require.False(t, ok)
	g, err := FindGarbage(h.e, keys.Key("a"), keys.Key("c"), 50, 1000)
	require.NoError(t, err)
	require.Equal(t, 100, g.Versions)
	newest, err := NewestInSpan(h.e, keys.Key("a"), keys.Key("c"), 0)
	require.NoError(t, err)
	require.Equal(t, hlc.Timestamp(21), newest)
}

func TestGetAllocatesNothing(t *testing.T) {
	h := newHistory(t)
	h.do(func(_ *Cursor, w *storage.Batch) { Put(w, keys.Key("k"), 5, []byte("v"), Newest{}, &h.stats) })
	require.NoError(t, h.e.Compact(context.Background(), keys.Span{Start: keys.KeyMin, End: keys.KeyMax}))
	o, key := ReadOptions{TS: 9}, keys.Key("k")
	allocs := testing.AllocsPerRun(1000, func() {
		c := NewCursor(h.e)
		if r, err := c.Get(key, &o); err != nil || !r.Found {
			t.Fatal(r, err)
		}
		_ = c.Close()
	})
	if !invariant.Expensive { // the race detector empties pools at random
		require.LessOrEqual(t, allocs, 0.5)
	}
}
