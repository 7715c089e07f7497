package mvcc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
)

// This file checks reads against a model that keeps every version in a map: a
// random history of writes, tombstones, range tombstones, intents and garbage
// collection is applied to both, and random reads must agree, forwards and in
// reverse, page by page, at any timestamp.

type modelVersion struct {
	ts      hlc.Timestamp
	value   string
	deleted bool
}

type modelIntent struct {
	txn     *kv.TxnMeta
	value   string
	deleted bool
	ts      hlc.Timestamp
}

type modelCover struct {
	start, end string
	ts         hlc.Timestamp
}

type model struct {
	versions map[string][]modelVersion // oldest first
	intents  map[string]modelIntent
	covers   []modelCover
}

type modelRow struct {
	key, value string
	ts         hlc.Timestamp
}

// get returns what a read of key sees.
func (m *model) get(key string, o *ReadOptions) (row modelRow, found bool, err error) {
	if i, ok := m.intents[key]; ok {
		switch {
		case o.Txn != nil && o.Txn.ID == i.txn.ID:
			if o.Txn.Epoch == i.txn.Epoch {
				return modelRow{key, i.value, i.ts}, !i.deleted, nil
			}
		case o.Inconsistent:
		case o.SkipConflicts:
			return row, false, nil
		case i.ts <= o.horizon():
			return row, false, &kv.IntentError{Intents: []kv.Conflict{{Key: keys.Key(key)}}}
		}
	}
	all := slices.Clone(m.versions[key])
	for _, c := range m.covers {
		if c.start <= key && key < c.end {
			all = append(all, modelVersion{ts: c.ts, deleted: true})
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ts < all[j].ts })
	for _, v := range all {
		if v.ts > o.TS && v.ts <= o.horizon() {
			return row, false, &kv.UncertaintyError{Key: keys.Key(key), ValueTS: v.ts}
		}
	}
	for i := len(all) - 1; i >= 0; i-- {
		if v := all[i]; v.ts <= o.TS {
			return modelRow{key, v.value, v.ts}, !v.deleted, nil
		}
	}
	return row, false, nil
}

func (m *model) newest(key string) (ts hlc.Timestamp) {
	for _, v := range m.versions[key] {
		ts = max(ts, v.ts)
	}
	for _, c := range m.covers {
		if c.start <= key && key < c.end {
			ts = max(ts, c.ts)
		}
	}
	return ts
}

// rows returns what a scan of [start, end) sees, or whether it must fail.
func (m *model) rows(start, end string, o *ReadOptions) (rows []modelRow, fails bool) {
	all := map[string]bool{}
	for k := range m.versions {
		all[k] = true
	}
	for k := range m.intents {
		all[k] = true
	}
	for k := range all {
		if k < start || k >= end {
			continue
		}
		row, found, err := m.get(k, o)
		if err != nil {
			fails = true
		}
		if found {
			rows = append(rows, row)
		}
	}
	// A range tombstone in the uncertainty interval fails a scan that touches it
	// even if it covers no row of the span.
	sort.Slice(rows, func(i, j int) bool { return rows[i].key < rows[j].key })
	return rows, fails
}

func (m *model) uncertainCover(start, end string, o *ReadOptions) bool {
	for _, c := range m.covers {
		if c.start < end && start < c.end && c.ts > o.TS && c.ts <= o.horizon() {
			return true
		}
	}
	return false
}

func testEngine(t testing.TB) *storage.Engine {
	t.Helper()
	e, err := storage.Open(storage.Options{FS: vfs.NewMem(), Dir: "state", CacheBytes: 8 << 20, MemTableBytes: 1 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func tkey(i int) string { return fmt.Sprintf("\x10k%02d", i) + string([]byte{0, byte(i % 3)})[:i%3] }

func TestAgainstModel(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runModel(t, seed, 400) })
	}
}

func runModel(t *testing.T, seed uint64, steps int) {
	rng := rand.New(rand.NewPCG(seed, 1))
	e := testEngine(t)
	m := &model{versions: map[string][]modelVersion{}, intents: map[string]modelIntent{}}
	var stats Stats
	const nKeys = 24
	now := hlc.Timestamp(100)
	threshold := hlc.Timestamp(0)
	txns := []*kv.TxnMeta{}
	for i := range 4 {
		txns = append(txns, &kv.TxnMeta{ID: kv.TxnID{byte(i + 1)}, Anchor: keys.Key("\x10a"), Isolation: kv.Serializable})
	}
	withCovers := seed%2 == 0

	commit := func(fn func(c *Cursor, w *storage.Batch)) {
		c := NewCursor(e)
		w := e.NewBatch()
		fn(c, w)
		require.NoError(t, c.Close())
		// Through the representation, as an entry would travel.
		a := e.NewBatch()
		require.NoError(t, a.Apply(w.Repr()))
		w.Close()
		require.NoError(t, a.Commit())
		a.Close()
	}
	for range steps {
		now += hlc.Timestamp(1 + rng.IntN(5))
		k := tkey(rng.IntN(nKeys))
		switch op := rng.IntN(100); {
		case op < 40: // plain write
			if _, ok := m.intents[k]; ok {
				continue
			}
			v := modelVersion{ts: now, value: fmt.Sprintf("v%d", now), deleted: rng.IntN(4) == 0}
			if v.deleted {
				v.value = ""
			}
			commit(func(c *Cursor, w *storage.Batch) {
				prev, err := c.Newest(keys.Key(k))
				require.NoError(t, err)
				if want := m.newest(k); want > threshold {
					require.Equal(t, want, prev.TS)
				} else {
					require.LessOrEqual(t, prev.TS, want) // collected, perhaps
				}
				if v.deleted {
					Delete(w, keys.Key(k), now, prev, &stats)
				} else {
					Put(w, keys.Key(k), now, []byte(v.value), prev, &stats)
				}
			})
			m.versions[k] = append(m.versions[k], v)
		case op < 52: // intent
			txn := txns[rng.IntN(len(txns))]
			txn.ReadTS, txn.WriteTS = now, now
			txn.Seq++
			val := fmt.Sprintf("i%d.%d", txn.ID[0], txn.Seq)
			commit(func(c *Cursor, w *storage.Batch) {
				ts, err := WriteIntent(c, w, &IntentRequest{Key: keys.Key(k), Value: []byte(val), Seq: txn.Seq, Txn: txn}, &stats)
				if old, ok := m.intents[k]; ok && old.txn.ID != txn.ID {
					require.IsType(t, &kv.IntentError{}, err)
					return
				}
				require.NoError(t, err)
				require.GreaterOrEqual(t, ts, now)
				m.intents[k] = modelIntent{txn: txn, value: val, ts: ts}
			})
		case op < 60: // decide a transaction
			txn := txns[rng.IntN(len(txns))]
			r := &Resolution{Txn: txn, Status: kv.TxnCommitted}
			if rng.IntN(2) == 0 {
				r.Status = kv.TxnAborted
			}
			txn.WriteTS = now
			want := 0
			for k, i := range m.intents {
				if i.txn.ID != txn.ID {
					continue
				}
				want++
				delete(m.intents, k)
				if r.Status == kv.TxnCommitted {
					m.versions[k] = append(m.versions[k], modelVersion{ts: now, value: i.value, deleted: i.deleted})
				}
			}
			commit(func(c *Cursor, w *storage.Batch) {
				n, resume, err := ResolveIntents(c, w, keys.Key("\x10"), keys.Key("\x11"), r, 0, &stats)
				require.NoError(t, err)
				require.Nil(t, resume)
				require.Equal(t, want, n)
			})
			*txn = kv.TxnMeta{ID: txn.ID, Anchor: txn.Anchor, Isolation: kv.Serializable, Seq: txn.Seq}
		case op < 64 && withCovers: // range tombstone
			a, b := tkey(rng.IntN(nKeys)), tkey(rng.IntN(nKeys))
			if a > b {
				a, b = b, a
			}
			if a == b {
				continue
			}
			clash := false
			for k := range m.intents {
				clash = clash || a <= k && k < b
			}
			if clash {
				continue
			}
			commit(func(_ *Cursor, w *storage.Batch) { DeleteRange(w, keys.Key(a), keys.Key(b), now, &stats) })
			m.covers = append(m.covers, modelCover{a, b, now})
		case op < 67: // garbage collection
			if now > 200 {
				threshold = max(threshold, now-hlc.Timestamp(rng.IntN(150)))
			}
			limit := 1 + rng.IntN(20)
			for start := keys.Key("\x10"); start != nil; {
				g, err := FindGarbage(e, start, keys.Key("\x11"), threshold, limit)
				require.NoError(t, err)
				commit(func(c *Cursor, w *storage.Batch) { require.NoError(t, CollectGarbage(c, w, g.Keys, &stats)) })
				start = g.Resume
			}
			g, err := FindGarbage(e, keys.Key("\x10"), keys.Key("\x11"), threshold, 1<<30)
			require.NoError(t, err)
			require.Zero(t, g.Versions)
		case op < 69:
			require.NoError(t, e.Flush())
		case op < 70:
			require.NoError(t, e.Compact(context.Background(), keys.Span{Start: keys.Key("\x10"), End: keys.Key("\x11")}))
		default:
			checkReads(t, rng, e, m, txns, now, threshold, nKeys)
		}
	}
	if !withCovers {
		want, err := ComputeStats(e, keys.Key("\x10"), keys.Key("\x11"))
		require.NoError(t, err)
		// Collection of a key's only tombstone under an intent counts it twice.
		require.InDelta(t, want.Keys, stats.Keys, 10)
		want.Keys = stats.Keys
		require.Equal(t, want, stats)
	}
	intents, err := CountIntents(e, keys.Key("\x10"), keys.Key("\x11"))
	require.NoError(t, err)
	require.Equal(t, intents.Intents, stats.Intents)
	require.Equal(t, intents.IntentBytes, stats.IntentBytes)
}

func checkReads(t *testing.T, rng *rand.Rand, e *storage.Engine, m *model, txns []*kv.TxnMeta, now, threshold hlc.Timestamp, nKeys int) {
	o := ReadOptions{TS: max(threshold, now-hlc.Timestamp(rng.IntN(200)))}
	switch rng.IntN(8) {
	case 0:
		o.UncertaintyLimit = o.TS + hlc.Timestamp(rng.IntN(30))
	case 1:
		o.Txn = txns[rng.IntN(len(txns))]
	case 2:
		o.Inconsistent = true
	case 3:
		o.SkipConflicts = true
	case 4:
		o.TS = hlc.Max
	}
	c := NewCursor(e)
	defer func() { require.NoError(t, c.Close()) }()
	for range 4 {
		k := tkey(rng.IntN(nKeys))
		want, wantFound, wantErr := m.get(k, &o)
		got, err := c.Get(keys.Key(k), &o)
		if wantErr != nil {
			require.IsType(t, wantErr, err, "get %q at %v", k, o)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, wantFound, got.Found, "get %q at %v", k, o)
		if wantFound {
			require.Equal(t, want.value, string(got.Value))
			require.Equal(t, want.ts, got.TS)
		}
	}
	a, b := tkey(rng.IntN(nKeys)), tkey(rng.IntN(nKeys))
	if a > b {
		a, b = b, a
	}
	so := ScanOptions{ReadOptions: o, Reverse: rng.IntN(2) == 0}
	switch rng.IntN(4) {
	case 0:
		so.MaxRows = int64(1 + rng.IntN(5))
	case 1:
		so.MaxBytes = int64(1 + rng.IntN(200))
	}
	want, fails := m.rows(a, b, &o)
	if so.Reverse {
		slices.Reverse(want)
	}
	var got []modelRow
	start, end := keys.Key(a), keys.Key(b)
	var rows kv.Rows
	for {
		rows.Reset()
		resume, err := c.Scan(start, end, &so, &rows)
		if err != nil {
			var ie *kv.IntentError
			var ue *kv.UncertaintyError
			require.True(t, errors.As(err, &ie) || errors.As(err, &ue), "%v", err)
			require.True(t, fails || m.uncertainCover(a, b, &o), "scan failed with %v", err)
			return
		}
		for pos := 0; ; {
			k, v, ts, next, ok := rows.Next(pos)
			if !ok {
				break
			}
			got = append(got, modelRow{string(k), string(v), ts})
			pos = next
		}
		if so.MaxRows > 0 {
			require.LessOrEqual(t, int64(rows.Count), so.MaxRows)
		}
		if resume == nil {
			break
		}
		require.NotZero(t, rows.Count)
		if so.Reverse {
			require.True(t, bytes.Compare(resume, end) < 0)
			end = keys.Clone(resume)
		} else {
			require.True(t, bytes.Compare(resume, start) > 0)
			start = keys.Clone(resume)
		}
	}
	require.False(t, fails, "scan [%q, %q) should have failed: %+v", a, b, so)
	require.Equal(t, want, got, "scan [%q, %q) %+v", a, b, so)

	// Refresh agrees with the history.
	from := max(threshold, now-hlc.Timestamp(rng.IntN(60)))
	changed := false
	for k, vs := range m.versions {
		for _, v := range vs {
			changed = changed || a <= k && k < b && v.ts > from
		}
	}
	for k := range m.intents {
		changed = changed || a <= k && k < b
	}
	for _, r := range m.covers {
		changed = changed || r.start < b && a < r.end && r.ts > from
	}
	if a < b {
		err := Refresh(c, keys.Span{Start: keys.Key(a), End: keys.Key(b)}, from, now+10, kv.TxnID{}, false)
		if !changed {
			require.NoError(t, err)
		} else {
			require.IsType(t, &kv.RefreshFailedError{}, err)
		}
	}
}
