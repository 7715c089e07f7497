package mvcc

import (
	"bytes"
	"encoding/binary"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
)

// ScanOptions say what a scan returns.
type ScanOptions struct {
	ReadOptions
	Reverse bool
	// MaxRows and MaxBytes end the page once it has that many rows, or bytes in
	// the buffer; 0 means no bound. A page has at least one row, if there is any.
	MaxRows  int64
	MaxBytes int64
	// Filter, if set, decides what of each row goes into the page.
	Filter kv.RowFilter
}

// Limits of one page that do not come from the caller.
const (
	// maxExamined bounds the keys that a scan with a filter reads for one page, so
	// that it does not keep its latches for too long.
	maxExamined = 1 << 17
	// maxPageIntents bounds the intents held in memory; the page ends at the last.
	maxPageIntents = 1024
	// maxConflicts bounds the intents reported at once.
	maxConflicts = 512
	// nextTries is how many steps are tried past versions that are not wanted
	// before a seek.
	nextTries = 4
	// singleVersionRetry is for how many keys a scan that has met an old version
	// assumes that there are more.
	singleVersionRetry = 32
)

// scanIntent is an intent in the span of a scan that matters to it.
type scanIntent struct {
	intent *Intent
	write  *IntentWrite // for intentOwn
	action intentAction
}

// Scan appends the visible rows of [start, end) to rows, in key order or in
// reverse. resume is nil if it has seen everything, else where the next page
// starts (forward) or ends (reverse): it aliases the cursor's memory until its
// next use. The errors are those of the package comment; rows is then undefined.
func (c *Cursor) Scan(start, end keys.Key, o *ScanOptions, rows *kv.Rows) (resume keys.Key, err error) {
	if bytes.Compare(start, end) >= 0 {
		return nil, c.finish(o, rows)
	}
	if err := c.open(); err != nil {
		return nil, err
	}
	s := scan{c: c, o: o, rows: rows, horizon: o.horizon(), rowLimit: -1, byteLimit: -1, examinedLimit: -1}
	if o.MaxRows > 0 {
		s.rowLimit = rows.Count + int(min(o.MaxRows, 1<<40))
	}
	if o.MaxBytes > 0 {
		s.byteLimit = len(rows.Buf) + int(min(o.MaxBytes, 1<<40))
	}
	if o.Filter != nil {
		s.examinedLimit = maxExamined
	}
	if !o.NoIntents && (!o.Inconsistent || o.Txn != nil) {
		if start, end, err = s.collectIntents(start, end); err != nil {
			return nil, err
		}
	}
	c.setBounds(start, end)
	if o.Reverse {
		err = s.reverse()
	} else {
		err = s.forward()
	}
	if err != nil {
		return nil, err
	}
	if err := c.finish(o, rows); err != nil {
		return nil, err
	}
	if s.stopped {
		return nil, nil
	}
	if s.resume == nil && s.cut {
		// The page was cut at an intent: go on there.
		if o.Reverse {
			s.resume = c.setResume(start)
		} else {
			s.resume = c.setResume(end)
		}
	}
	return s.resume, nil
}

func (c *Cursor) finish(o *ScanOptions, rows *kv.Rows) error {
	if o.Filter != nil {
		return o.Filter.Finish(rows)
	}
	return nil
}

func (c *Cursor) setResume(key keys.Key, tail ...byte) keys.Key {
	c.resume = append(append(c.resume[:0], key...), tail...)
	return c.resume
}

// scan is the state of one call of Cursor.Scan.
type scan struct {
	c       *Cursor
	o       *ScanOptions
	rows    *kv.Rows
	horizon hlc.Timestamp

	// Absolute bounds on rows.Count and len(rows.Buf), and what is left to
	// examine; negative for none.
	rowLimit, byteLimit, examinedLimit int

	next    int      // first intent not passed yet, in scan order
	cut     bool     // the span was cut at maxPageIntents
	stopped bool     // the filter has seen enough
	resume  keys.Key // set if a limit was met
	// oldVersions counts down while keys are expected to have several versions.
	oldVersions int
}

// collectIntents reads the intents of the span and returns the span, which it
// cuts if there are too many.
func (s *scan) collectIntents(start, end keys.Key) (keys.Key, keys.Key, error) {
	c := s.c
	clear(c.intents)
	c.intents = c.intents[:0]
	add := func(i *Intent, _ int) bool {
		if w, act := classify(i, &s.o.ReadOptions); act != intentIgnore {
			c.intents = append(c.intents, scanIntent{i, w, act})
		}
		return len(c.intents) < maxPageIntents
	}
	if !s.o.Reverse {
		if err := c.eachIntent(start, end, add); err != nil {
			return nil, nil, err
		}
		if n := len(c.intents); n == maxPageIntents {
			end, s.cut = keys.Next(c.intents[n-1].intent.Key), true
		}
		return start, end, nil
	}
	// From the end backwards.
	if err := c.eachIntentReverse(start, end, add); err != nil {
		return nil, nil, err
	}
	if n := len(c.intents); n == maxPageIntents {
		start, s.cut = c.intents[n-1].intent.Key, true
	}
	return start, end, nil
}

func (c *Cursor) eachIntentReverse(start, end keys.Key, fn func(i *Intent, size int) bool) error {
	span := keys.IntentSpan(start, end)
	c.setBounds(span.Start, span.End)
	var user keys.Key
	for valid := c.it.Last(); valid; valid = c.it.Prev() {
		ek := c.it.Key()
		var err error
		if user, err = keys.DecodeIntent(user[:0], ek[:len(ek)-1]); err != nil {
			return &storage.CorruptionError{Path: "state engine", Cause: err}
		}
		v, err := c.it.ValueAndErr()
		if err != nil {
			return storage.ReadError(err)
		}
		i, err := decodeIntent(user, v)
		if err != nil {
			return err
		}
		if !fn(i, len(ek)+len(v)) {
			return nil
		}
	}
	return storage.ReadError(c.it.Error())
}

// forward runs the scan upwards over the iterator's bounds.
func (s *scan) forward() error {
	it := s.c.it
	cover, first := hlc.Timestamp(0), true
	valid := it.First()
	for valid {
		if s.c.rangeKeys {
			hasPoint, hasRange := it.HasPointAndRange()
			if first || it.RangeKeyChanged() {
				first = false
				var err error
				if cover, err = s.enterCover(hasRange); err != nil {
					return err
				}
			}
			if !hasPoint {
				valid = it.Next()
				continue
			}
		}
		ek := it.Key()
		n := len(ek) - versionOverhead
		if n < 0 || ek[len(ek)-1] != 9 {
			return corruptKey(ek)
		}
		key := ek[:n]
		ts := hlc.Timestamp(^binary.BigEndian.Uint64(ek[n+1:]))

		if s.next < len(s.c.intents) {
			if done, skip, err := s.passIntents(key); done || err != nil {
				return err
			} else if skip {
				valid = it.NextPrefix()
				continue
			}
		}

		if ts > s.o.TS {
			if ts <= s.horizon {
				return uncertain(key, ts)
			}
			s.c.last = append(s.c.last[:0], key...)
			valid = s.seekVisible()
			continue
		}
		if ts > cover {
			v, err := it.ValueAndErr()
			if err != nil {
				return storage.ReadError(err)
			}
			v, deleted, err := payload(ek, v)
			if err != nil {
				return err
			}
			if !deleted {
				if done, err := s.emit(key, v, ts); err != nil || done {
					return err
				}
			}
		}
		// On to the next key. Where keys have one version a plain step is
		// cheaper than NextPrefix; it is given up for a while when it lands on
		// an old version.
		if s.oldVersions > 0 {
			s.oldVersions--
			valid = it.NextPrefix()
			continue
		}
		s.c.last = append(s.c.last[:0], key...)
		if valid = it.Next(); valid && sameKey(it.Key(), s.c.last) {
			s.oldVersions = singleVersionRetry
			valid = it.NextPrefix()
		}
	}
	if err := it.Error(); err != nil {
		return storage.ReadError(err)
	}
	_, _, err := s.passIntents(nil)
	return err
}

// enterCover reads the range tombstones over the position and returns the newest
// visible one.
func (s *scan) enterCover(hasRange bool) (hlc.Timestamp, error) {
	if !hasRange {
		s.c.covers = s.c.covers[:0]
		return 0, nil
	}
	if err := s.c.readCovers(); err != nil {
		return 0, err
	}
	for _, ts := range s.c.covers {
		if ts > s.o.TS && ts <= s.horizon {
			start, _ := s.c.it.RangeBounds()
			return 0, uncertain(start[:len(start)-1], ts)
		}
	}
	return s.c.coverAt(s.o.TS), nil
}

// seekVisible moves from a version of c.last that is too new to the newest one
// that is not, or past the key.
func (s *scan) seekVisible() bool {
	it := s.c.it
	for range nextTries {
		if !it.Next() {
			return false
		}
		ek := it.Key()
		if !sameKey(ek, s.c.last) {
			return true
		}
		// A version in the uncertainty interval is for the caller to see.
		if ts := hlc.Timestamp(^binary.BigEndian.Uint64(ek[len(ek)-9:])); ts <= s.horizon {
			return true
		}
	}
	s.c.key = storage.AppendVersion(s.c.key[:0], s.c.last, s.horizon)
	return it.SeekGE(s.c.key)
}

// passIntents handles the intents on keys before key, or on it, in scan order (all
// that are left if key is nil). skip says that key itself has been dealt with;
// done ends the scan.
func (s *scan) passIntents(key keys.Key) (done, skip bool, err error) {
	for s.next < len(s.c.intents) {
		si := &s.c.intents[s.next]
		if key != nil {
			cmp := bytes.Compare(si.intent.Key, key)
			if s.o.Reverse {
				cmp = -cmp
			}
			if cmp > 0 {
				return false, skip, nil
			}
			skip = cmp == 0
		}
		s.next++
		switch si.action {
		case intentConflict:
			return true, false, s.conflicts()
		case intentOwn:
			if !si.write.Deleted {
				if done, err = s.emit(si.intent.Key, si.write.Value, si.intent.Txn.WriteTS); done || err != nil {
					return true, skip, err
				}
			}
		}
	}
	return false, skip, nil
}

// conflicts reports the intent just passed, and those after it, since whoever
// waits for one will have to wait for them too.
func (s *scan) conflicts() error {
	e := &kv.IntentError{}
	for k := s.next - 1; k < len(s.c.intents) && len(e.Intents) < maxConflicts; k++ {
		if s.c.intents[k].action == intentConflict {
			e.Intents = append(e.Intents, s.c.intents[k].intent.Conflict())
		}
		if s.rowLimit >= 0 {
			break // the page might end before the others
		}
	}
	return e
}

// emit gives a visible row to the filter or to the page, and reports whether the
// page ends with it.
func (s *scan) emit(key keys.Key, value []byte, ts hlc.Timestamp) (done bool, err error) {
	if f := s.o.Filter; f != nil {
		stop, err := f.Next(key, value, s.rows)
		if err != nil {
			return true, err
		}
		if stop {
			s.stopped = true
			return true, nil
		}
		s.examinedLimit--
	} else {
		s.rows.Append(key, value, ts)
	}
	if s.rowLimit >= 0 && s.rows.Count >= s.rowLimit || s.byteLimit >= 0 && len(s.rows.Buf) >= s.byteLimit || s.examinedLimit == 0 {
		if s.o.Reverse {
			s.resume = s.c.setResume(key)
		} else {
			s.resume = s.c.setResume(key, 0)
		}
		return true, nil
	}
	return false, nil
}

// reverse runs the scan downwards over the iterator's bounds.
func (s *scan) reverse() error {
	it := s.c.it
	c := s.c
	cover, first := hlc.Timestamp(0), true
	valid := it.Last()
	for valid {
		if c.rangeKeys {
			hasPoint, hasRange := it.HasPointAndRange()
			if first || it.RangeKeyChanged() {
				first = false
				var err error
				if cover, err = s.enterCover(hasRange); err != nil {
					return err
				}
			}
			if !hasPoint {
				valid = it.Prev()
				continue
			}
		}
		key, _, err := splitVersion(it.Key())
		if err != nil {
			return err
		}
		if s.next < len(c.intents) {
			if done, skip, err := s.passIntents(key); done || err != nil {
				return err
			} else if skip {
				c.key = storage.AppendKey(c.key[:0], key)
				valid = it.SeekLT(c.key)
				continue
			}
		}
		// The oldest version of a key comes first. Its cover holds for all of
		// them: range tombstones begin and end between keys.
		c.last = append(c.last[:0], key...)
		var ts hlc.Timestamp
		var found bool
		if ts, found, valid, err = s.newestVisible(); err != nil {
			return err
		}
		if found && ts > cover {
			v, deleted, err := payload(c.last, c.val)
			if err != nil {
				return err
			}
			if !deleted {
				if done, err := s.emit(c.last, v, ts); err != nil || done {
					return err
				}
			}
		}
	}
	if err := it.Error(); err != nil {
		return storage.ReadError(err)
	}
	_, _, err := s.passIntents(nil)
	return err
}

// newestVisible reads the newest version of c.last at or below the read timestamp
// into c.val, from the key's oldest version upwards, and leaves the iterator on
// the key before.
func (s *scan) newestVisible() (ts hlc.Timestamp, found, valid bool, err error) {
	c, it := s.c, s.c.it
	valid = true
	for tries := 0; ; tries++ {
		ek := it.Key()
		_, t, err := splitVersion(ek)
		if err != nil {
			return 0, false, false, err
		}
		if t > s.o.TS {
			if t <= s.horizon {
				return 0, false, false, uncertain(c.last, t)
			}
			break
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return 0, false, false, storage.ReadError(err)
		}
		c.val, ts, found = append(c.val[:0], v...), t, true
		if valid = it.Prev(); !valid || !sameKey(it.Key(), c.last) {
			return ts, found, valid, nil
		}
		if tries == nextTries {
			// Many versions: from above is shorter.
			return s.newestFromAbove()
		}
	}
	// What is left of the key is too new.
	for range nextTries {
		if valid = it.Prev(); !valid || !sameKey(it.Key(), c.last) {
			return ts, found, valid, nil
		}
	}
	c.key = storage.AppendKey(c.key[:0], c.last)
	return ts, found, it.SeekLT(c.key), nil
}

// newestFromAbove is newestVisible by seeks.
func (s *scan) newestFromAbove() (ts hlc.Timestamp, found, valid bool, err error) {
	c, it := s.c, s.c.it
	c.key = storage.AppendVersion(c.key[:0], c.last, s.horizon)
	for valid = it.SeekGE(c.key); valid; valid = it.Next() {
		if c.rangeKeys {
			if hasPoint, _ := it.HasPointAndRange(); !hasPoint {
				continue
			}
		}
		ek := it.Key()
		if !sameKey(ek, c.last) {
			break
		}
		_, t, err := splitVersion(ek)
		if err != nil {
			return 0, false, false, err
		}
		if t > s.o.TS {
			if t <= s.horizon {
				return 0, false, false, uncertain(c.last, t)
			}
			continue
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return 0, false, false, storage.ReadError(err)
		}
		c.val, ts, found = append(c.val[:0], v...), t, true
		break
	}
	if err := it.Error(); err != nil {
		return 0, false, false, storage.ReadError(err)
	}
	c.key = storage.AppendKey(c.key[:0], c.last)
	return ts, found, it.SeekLT(c.key), nil
}
