package mvcc

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
)

// Garbage is what no read above a threshold can see.
type Garbage struct {
	// Keys lists what to give to CollectGarbage.
	Keys []kv.GCKey
	// Versions and Bytes say how much that removes.
	Versions int
	Bytes    int64
	// Resume is where to go on looking; nil at the end of the span.
	Resume keys.Key
}

// FindGarbage looks for versions in [start, end) that no read at or above
// threshold sees, up to about maxVersions of them: of each key all versions
// older than the newest one at or below threshold, and that one too if it is a
// tombstone or covered by a range tombstone.
func FindGarbage(r storage.Reader, start, end keys.Key, threshold hlc.Timestamp, maxVersions int) (g Garbage, err error) {
	o := pebble.IterOptions{LowerBound: storage.AppendKey(nil, start), UpperBound: storage.AppendKey(nil, end)}
	c := Cursor{}
	if r.MayHaveRangeTombstones() {
		o.KeyTypes = pebble.IterKeyTypePointsAndRanges
	}
	if c.it, err = r.NewIter(&o); err != nil {
		return g, storage.ReadError(err)
	}
	defer func() { err = errors.Join(err, storage.ReadError(c.it.Close())) }()

	var last []byte
	started, visible := false, false // has last been seen; has a read at threshold found its version
	cover := hlc.Timestamp(0)
	for valid := c.it.First(); valid; valid = c.it.Next() {
		hasPoint, hasRange := c.it.HasPointAndRange()
		if c.it.RangeKeyChanged() {
			c.covers, cover = c.covers[:0], 0
			if hasRange {
				if err := c.readCovers(); err != nil {
					return g, err
				}
				cover = c.coverAt(threshold)
			}
		}
		if !hasPoint {
			continue
		}
		ek := c.it.Key()
		key, ts, err := splitVersion(ek)
		if err != nil {
			return g, err
		}
		if !started || string(key) != string(last) {
			if g.Versions >= maxVersions {
				g.Resume = keys.Clone(key)
				return g, nil
			}
			started, visible = true, false
			last = append(last[:0], key...)
		}
		if ts > threshold {
			continue
		}
		v, err := c.it.ValueAndErr()
		if err != nil {
			return g, storage.ReadError(err)
		}
		if !visible {
			visible = true
			if !isTombstone(v) && ts > cover {
				continue
			}
		}
		if n := len(g.Keys); n == 0 || string(g.Keys[n-1].Key) != string(key) {
			g.Keys = append(g.Keys, kv.GCKey{Key: keys.Clone(key), TS: ts})
		}
		g.Versions++
		g.Bytes += int64(len(ek) + len(v))
	}
	return g, storage.ReadError(c.it.Error())
}

// CollectGarbage removes the versions of each key at or below its TS. Those must
// be what FindGarbage found, or less.
func CollectGarbage(c *Cursor, w *storage.Batch, garbage []kv.GCKey, d *Stats) error {
	if err := c.open(); err != nil {
		return err
	}
	c.unbound()
	for i := range garbage {
		g := &garbage[i]
		c.key = storage.AppendKey(c.key[:0], g.Key)
		kept := false
		for valid := c.it.SeekPrefixGE(c.key); valid; valid = c.it.Next() {
			if c.rangeKeys {
				if hasPoint, _ := c.it.HasPointAndRange(); !hasPoint {
					continue
				}
			}
			ek := c.it.Key()
			_, ts, err := splitVersion(ek)
			if err != nil {
				return err
			}
			if ts > g.TS {
				kept = true
				continue
			}
			v, err := c.it.ValueAndErr()
			if err != nil {
				return storage.ReadError(err)
			}
			w.ClearVersion(g.Key, ts)
			d.Versions--
			d.KeyBytes -= int64(len(ek))
			d.ValueBytes -= int64(len(v))
			if isTombstone(v) {
				d.Tombstones--
			}
			if !kept {
				kept = true // count the key once
				d.Keys--
			}
		}
		if err := c.it.Error(); err != nil {
			return storage.ReadError(err)
		}
	}
	return nil
}

// RangeTombstone is a range tombstone, or a fragment of one.
type RangeTombstone struct {
	keys.Span
	TS hlc.Timestamp
}

// FindDropped returns the first part of [start, end) that is covered by a range
// tombstone at or below threshold and has neither a later version nor an intent:
// dropped data which DropSpan removes without looking at single keys.
func FindDropped(r storage.Reader, start, end keys.Key, threshold hlc.Timestamp) (span keys.Span, ok bool, err error) {
	tombstones, err := RangeTombstones(r, start, end)
	if err != nil {
		return span, false, err
	}
	for _, t := range tombstones {
		// Fragments with several tombstones come newest first.
		if t.TS > threshold || span.Start != nil && string(t.Start) == string(span.Start) {
			continue
		}
		span = t.Span
		newer, err := NewestInSpan(r, t.Start, t.End, t.TS)
		if err != nil {
			return span, false, err
		}
		intents, err := CountIntents(r, t.Start, t.End)
		if err != nil {
			return span, false, err
		}
		if newer == 0 && intents.Intents == 0 {
			return t.Span, true, nil
		}
	}
	return keys.Span{}, false, nil
}

// DropSpan removes every version and range tombstone of a span that FindDropped
// has found.
func DropSpan(r storage.Reader, w *storage.Batch, span keys.Span, d *Stats) error {
	s, err := ComputeStats(r, span.Start, span.End)
	if err != nil {
		return err
	}
	w.ClearSpan(span)
	d.Sub(s)
	return nil
}

// RangeTombstones lists the fragments of range tombstones in [start, end), by key,
// then newest first.
func RangeTombstones(r storage.Reader, start, end keys.Key) (ts []RangeTombstone, err error) {
	if !r.MayHaveRangeTombstones() {
		return nil, nil
	}
	it, err := r.NewIter(&pebble.IterOptions{
		LowerBound: storage.AppendKey(nil, start),
		UpperBound: storage.AppendKey(nil, end),
		KeyTypes:   pebble.IterKeyTypeRangesOnly,
	})
	if err != nil {
		return nil, storage.ReadError(err)
	}
	defer func() { err = errors.Join(err, storage.ReadError(it.Close())) }()
	for valid := it.First(); valid; valid = it.Next() {
		from, to := it.RangeBounds()
		span := keys.Span{Start: keys.Clone(from[:len(from)-1]), End: keys.Clone(to[:len(to)-1])}
		for _, rk := range it.RangeKeys() {
			t, err := storage.DecodeSuffix(rk.Suffix)
			if err != nil {
				return nil, &storage.CorruptionError{Path: "state engine", Cause: err}
			}
			ts = append(ts, RangeTombstone{span, t})
		}
	}
	return ts, nil
}
