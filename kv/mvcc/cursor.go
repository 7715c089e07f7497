package mvcc

import (
	"bytes"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
)

// Cursor reads versions and intents from one storage.Reader, all with a single
// Pebble iterator: what it sees is the state of its first read, except that single
// intents are looked up as of now (who reads them has latches). It is used by one
// goroutine at a time, for one request, and closed at its end.
type Cursor struct {
	r  storage.Reader
	it *pebble.Iterator
	o  pebble.IterOptions

	bounded   bool // the iterator has bounds
	rangeKeys bool // the iterator surfaces range tombstones

	// Scratch memory, kept from use to use.
	key, upper []byte
	val        []byte
	encoded    []byte // of the intent at hand
	last       []byte // user key at hand
	resume     []byte
	covers     []hlc.Timestamp // range tombstones over the position, newest first
	intents    []scanIntent
}

var cursors = sync.Pool{New: func() any { return new(Cursor) }}

// NewCursor returns a cursor on r. It touches nothing before its first read.
func NewCursor(r storage.Reader) *Cursor {
	c := cursors.Get().(*Cursor)
	c.r = r
	return c
}

// Refresh makes later reads see the present state of the Reader: what has been
// committed to the engine, or written into an indexed batch, since the first
// read. Results that alias the cursor become invalid.
func (c *Cursor) Refresh() error {
	if c.it == nil {
		return nil
	}
	err := c.it.Close()
	c.it = nil
	c.bounded, c.rangeKeys = false, false
	return storage.ReadError(err)
}

// maxScratch bounds the buffers that a pooled cursor keeps.
const maxScratch = 64 << 10

// Close releases the cursor, and all results that alias it.
func (c *Cursor) Close() error {
	var err error
	if c.it != nil {
		err = c.it.Close()
	}
	c.r, c.it = nil, nil
	c.bounded, c.rangeKeys = false, false
	clear(c.intents)
	c.intents = c.intents[:0]
	if cap(c.val) > maxScratch {
		c.val = nil
	}
	if cap(c.encoded) > maxScratch {
		c.encoded = nil
	}
	cursors.Put(c)
	return storage.ReadError(err)
}

func (c *Cursor) open() error {
	if c.it != nil {
		return nil
	}
	// Filters of the last level pay for themselves with uniqueness checks and
	// intent look-ups, most of which find nothing.
	c.o = pebble.IterOptions{UseL6Filters: true}
	if c.r.MayHaveRangeTombstones() {
		c.o.KeyTypes = pebble.IterKeyTypePointsAndRanges
		c.rangeKeys = true
	}
	it, err := c.r.NewIter(&c.o)
	if err != nil {
		return storage.ReadError(err)
	}
	c.it = it
	return nil
}

// setBounds bounds the iterator to the engine keys of [start, end).
func (c *Cursor) setBounds(start, end []byte) {
	c.key = storage.AppendKey(c.key[:0], start)
	c.upper = storage.AppendKey(c.upper[:0], end)
	c.it.SetBounds(c.key, c.upper)
	c.bounded = true
}

func (c *Cursor) unbound() {
	if c.bounded {
		c.it.SetBounds(nil, nil)
		c.bounded = false
	}
}

// ReadOptions say what a read sees.
type ReadOptions struct {
	// TS is the read timestamp. hlc.Max reads the newest version.
	TS hlc.Timestamp
	// UncertaintyLimit makes versions in (TS, UncertaintyLimit] an
	// UncertaintyError. At or below TS there is no uncertainty.
	UncertaintyLimit hlc.Timestamp
	// Txn reads its own intents (same id and epoch) whatever their timestamp; nil
	// has none.
	Txn *kv.TxnMeta
	// NoIntents says that there are none in the span (Stats.Intents == 0).
	NoIntents bool
	// Inconsistent ignores the intents of others, and uncertainty.
	Inconsistent bool
	// SkipConflicts leaves out keys with an intent of another transaction, at
	// whatever timestamp, instead of reporting it (SKIP LOCKED).
	SkipConflicts bool
}

// horizon is the greatest timestamp at which something matters to the read.
func (o *ReadOptions) horizon() hlc.Timestamp {
	if o.Inconsistent {
		return o.TS
	}
	return max(o.TS, o.UncertaintyLimit)
}

// Result is what Get finds.
type Result struct {
	// Value aliases the cursor's memory: valid until its next use.
	Value []byte
	Found bool
	// TS is the timestamp of the version or tombstone that was read, zero if the
	// key has none at or below the read's timestamp.
	TS hlc.Timestamp
}

// Get reads key. The errors are those of the package comment.
func (c *Cursor) Get(key keys.Key, o *ReadOptions) (Result, error) {
	if err := c.open(); err != nil {
		return Result{}, err
	}
	if !o.NoIntents && (!o.Inconsistent || o.Txn != nil) {
		own, skip, err := c.checkIntent(key, o)
		if err != nil || skip {
			return Result{}, err
		}
		if own != nil {
			return *own, nil
		}
	}
	return c.getVersion(key, o)
}

// checkIntent looks at the intent on key: own is the transaction's own write,
// skip says to leave the key out.
func (c *Cursor) checkIntent(key keys.Key, o *ReadOptions) (own *Result, skip bool, err error) {
	i, _, err := c.intent(key)
	if err != nil || i == nil {
		return nil, false, err
	}
	w, act := classify(i, o)
	switch act {
	case intentOwn:
		return &Result{Value: w.Value, Found: !w.Deleted, TS: i.Txn.WriteTS}, false, nil
	case intentConflict:
		return nil, false, &kv.IntentError{Intents: []kv.Conflict{i.Conflict()}}
	case intentSkip:
		return nil, true, nil
	}
	return nil, false, nil
}

type intentAction uint8

const (
	intentIgnore intentAction = iota
	intentOwn
	intentConflict
	intentSkip
)

// classify says what an intent means to a read.
func classify(i *Intent, o *ReadOptions) (*IntentWrite, intentAction) {
	if o.Txn != nil && i.Txn.ID == o.Txn.ID {
		if i.Txn.Epoch == o.Txn.Epoch {
			if w := i.Current(o.Txn); w != nil {
				return w, intentOwn
			}
		}
		return nil, intentIgnore
	}
	switch {
	case o.Inconsistent:
		return nil, intentIgnore
	case o.SkipConflicts:
		return nil, intentSkip
	case i.Txn.WriteTS <= o.horizon():
		return nil, intentConflict
	}
	return nil, intentIgnore
}

// getVersion reads key without regard to intents.
func (c *Cursor) getVersion(key keys.Key, o *ReadOptions) (Result, error) {
	c.unbound()
	c.key = storage.AppendVersion(c.key[:0], key, o.horizon())
	valid := c.it.SeekPrefixGE(c.key)
	if c.rangeKeys {
		return c.getCovered(key, o, valid)
	}
	for ; valid; valid = c.it.Next() {
		ek := c.it.Key()
		_, ts, err := splitVersion(ek)
		if err != nil {
			return Result{}, err
		}
		if ts > o.TS {
			if !o.Inconsistent && ts <= o.UncertaintyLimit {
				return Result{}, uncertain(key, ts)
			}
			continue
		}
		v, err := c.it.ValueAndErr()
		if err != nil {
			return Result{}, storage.ReadError(err)
		}
		v, deleted, err := payload(ek, v)
		if err != nil {
			return Result{}, err
		}
		return Result{Value: v, Found: !deleted, TS: ts}, nil
	}
	return Result{}, storage.ReadError(c.it.Error())
}

// getCovered is getVersion where range tombstones may be.
func (c *Cursor) getCovered(key keys.Key, o *ReadOptions, valid bool) (Result, error) {
	c.covers = c.covers[:0]
	cover := hlc.Timestamp(0) // newest range tombstone at or below o.TS
	for first := true; valid; valid = c.it.Next() {
		hasPoint, hasRange := c.it.HasPointAndRange()
		// A key is covered as a whole or not at all.
		if hasRange && first {
			first = false
			if err := c.readCovers(); err != nil {
				return Result{}, err
			}
			for _, ts := range c.covers {
				if ts > o.TS && ts <= o.UncertaintyLimit && !o.Inconsistent {
					return Result{}, uncertain(key, ts)
				}
			}
			cover = c.coverAt(o.TS)
		}
		if !hasPoint {
			continue
		}
		ek := c.it.Key()
		_, ts, err := splitVersion(ek)
		if err != nil {
			return Result{}, err
		}
		if ts > o.TS {
			if !o.Inconsistent && ts <= o.UncertaintyLimit {
				return Result{}, uncertain(key, ts)
			}
			continue
		}
		if ts <= cover {
			return Result{TS: cover}, nil
		}
		v, err := c.it.ValueAndErr()
		if err != nil {
			return Result{}, storage.ReadError(err)
		}
		v, deleted, err := payload(ek, v)
		if err != nil {
			return Result{}, err
		}
		return Result{Value: v, Found: !deleted, TS: ts}, nil
	}
	return Result{TS: cover}, storage.ReadError(c.it.Error())
}

// readCovers reads the range tombstones over the iterator's position.
func (c *Cursor) readCovers() error {
	c.covers = c.covers[:0]
	for _, rk := range c.it.RangeKeys() {
		ts, err := storage.DecodeSuffix(rk.Suffix)
		if err != nil {
			return &storage.CorruptionError{Path: "state engine", Cause: err}
		}
		c.covers = append(c.covers, ts)
	}
	return nil
}

// coverAt returns the newest range tombstone at or below ts, zero if there is
// none.
func (c *Cursor) coverAt(ts hlc.Timestamp) hlc.Timestamp {
	for _, t := range c.covers { // newest first
		if t <= ts {
			return t
		}
	}
	return 0
}

func uncertain(key keys.Key, ts hlc.Timestamp) error {
	return &kv.UncertaintyError{Key: keys.Clone(key), ValueTS: ts}
}

// Newest describes the newest version of key; intents do not count.
func (c *Cursor) Newest(key keys.Key) (n Newest, err error) {
	if err := c.open(); err != nil {
		return n, err
	}
	c.unbound()
	c.key = storage.AppendKey(c.key[:0], key)
	cover, first := hlc.Timestamp(0), true
	for valid := c.it.SeekPrefixGE(c.key); valid; valid = c.it.Next() {
		if c.rangeKeys {
			hasPoint, hasRange := c.it.HasPointAndRange()
			if hasRange && first {
				first = false
				if err := c.readCovers(); err != nil {
					return n, err
				}
				cover = c.coverAt(hlc.Max)
			}
			if !hasPoint {
				continue
			}
		}
		ek := c.it.Key()
		_, ts, err := splitVersion(ek)
		if err != nil {
			return n, err
		}
		n.HasVersions = true
		if ts <= cover {
			break
		}
		v, err := c.it.ValueAndErr()
		if err != nil {
			return n, storage.ReadError(err)
		}
		_, deleted, err := payload(ek, v)
		if err != nil {
			return n, err
		}
		n.TS, n.Live = ts, !deleted
		return n, nil
	}
	n.TS = cover
	return n, storage.ReadError(c.it.Error())
}

// NewestInSpan returns the greatest timestamp of a version or range tombstone in
// [start, end) above after, zero if there is none; intents do not count.
func NewestInSpan(r storage.Reader, start, end keys.Key, after hlc.Timestamp) (newest hlc.Timestamp, err error) {
	err = changes(r, start, end, after, hlc.Max, func(_ keys.Key, ts hlc.Timestamp) bool {
		newest = max(newest, ts)
		return true
	})
	return newest, err
}

// Refresh verifies that span has no version in (from, to] and no intent of another
// transaction at or below to; id is the transaction's own. A *kv.RefreshFailedError
// names what there is. to must be at or above from.
func Refresh(c *Cursor, span keys.Span, from, to hlc.Timestamp, id kv.TxnID, noIntents bool) error {
	if err := c.open(); err != nil {
		return err
	}
	if span.IsPoint() {
		return c.refreshPoint(span.Start, from, to, id, noIntents)
	}
	if !noIntents {
		var conflict *Intent
		err := c.eachIntent(span.Start, span.End, func(i *Intent, _ int) bool {
			if i.Txn.ID != id && i.Txn.WriteTS <= to {
				conflict = i
			}
			return conflict == nil
		})
		if err != nil {
			return err
		}
		if conflict != nil {
			return &kv.RefreshFailedError{Conflict: conflict.Conflict()}
		}
	}
	var failed *kv.RefreshFailedError
	err := changes(c.r, span.Start, span.End, from, to, func(key keys.Key, ts hlc.Timestamp) bool {
		failed = &kv.RefreshFailedError{Conflict: kv.Conflict{Key: keys.Clone(key), Since: ts}}
		return false
	})
	if err == nil && failed != nil {
		return failed
	}
	return err
}

func (c *Cursor) refreshPoint(key keys.Key, from, to hlc.Timestamp, id kv.TxnID, noIntents bool) error {
	if !noIntents {
		i, _, err := c.intent(key)
		if err != nil {
			return err
		}
		if i != nil && i.Txn.ID != id && i.Txn.WriteTS <= to {
			return &kv.RefreshFailedError{Conflict: i.Conflict()}
		}
	}
	r, err := c.getVersion(key, &ReadOptions{TS: to})
	if err != nil {
		return err
	}
	if r.TS > from {
		return &kv.RefreshFailedError{Conflict: kv.Conflict{Key: keys.Clone(key), Since: r.TS}}
	}
	return nil
}

// changes calls fn for the versions and range tombstones of [start, end) in
// (after, upTo] until it returns false. It skips blocks without any.
func changes(r storage.Reader, start, end keys.Key, after, upTo hlc.Timestamp, fn func(key keys.Key, ts hlc.Timestamp) bool) error {
	if after >= upTo {
		return nil
	}
	o := pebble.IterOptions{
		LowerBound:      storage.AppendKey(nil, start),
		UpperBound:      storage.AppendKey(nil, end),
		PointKeyFilters: storage.TimeFilter(after, upTo),
	}
	if r.MayHaveRangeTombstones() {
		// Range tombstones are not filtered: there are few.
		o.KeyTypes = pebble.IterKeyTypePointsAndRanges
	}
	it, err := r.NewIter(&o)
	if err != nil {
		return storage.ReadError(err)
	}
	for valid := it.First(); valid; {
		hasPoint, hasRange := it.HasPointAndRange()
		if hasRange && it.RangeKeyChanged() {
			from, _ := it.RangeBounds()
			key := from[:len(from)-1]
			for _, rk := range it.RangeKeys() {
				ts, err := storage.DecodeSuffix(rk.Suffix)
				if err != nil {
					_ = it.Close()
					return &storage.CorruptionError{Path: "state engine", Cause: err}
				}
				if after < ts && ts <= upTo && !fn(key, ts) {
					return storage.ReadError(it.Close())
				}
			}
		}
		if !hasPoint {
			valid = it.Next()
			continue
		}
		key, ts, err := splitVersion(it.Key())
		if err != nil {
			_ = it.Close()
			return err
		}
		switch {
		case ts > upTo:
			valid = it.Next()
			continue
		case ts > after:
			if !fn(key, ts) {
				return storage.ReadError(it.Close())
			}
			valid = it.Next()
			continue
		}
		valid = it.NextPrefix()
	}
	return storage.ReadError(it.Close())
}

// sameKey reports whether an engine key of a version belongs to the user key k.
func sameKey(ek []byte, k keys.Key) bool {
	n := len(ek) - versionOverhead
	return n == len(k) && ek[len(ek)-1] == 9 && bytes.Equal(ek[:n], k)
}
