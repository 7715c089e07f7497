package mvcc

import (
	"encoding/binary"
	"fmt"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/invariant"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
)

// The flags byte of a version.
const (
	flagValue     = 0
	flagTombstone = 1
)

// versionOverhead is what an engine key has besides the key.
const versionOverhead = 10

// splitVersion returns key and timestamp of a version's engine key; key aliases
// ek.
func splitVersion(ek []byte) (key keys.Key, ts hlc.Timestamp, err error) {
	n := len(ek) - versionOverhead
	if n < 0 || ek[len(ek)-1] != 9 {
		return nil, 0, corruptKey(ek)
	}
	return ek[:n:n], hlc.Timestamp(^binary.BigEndian.Uint64(ek[n+1:])), nil
}

func corruptKey(ek []byte) error {
	return &storage.CorruptionError{Path: "state engine", Cause: fmt.Errorf("mvcc: %x is not the key of a version", ek)}
}

func corruptValue(ek, v []byte) error {
	return &storage.CorruptionError{Path: "state engine", Cause: fmt.Errorf("mvcc: malformed value of %d bytes at key %x", len(v), ek)}
}

func isTombstone(v []byte) bool { return len(v) == 1 && v[0] == flagTombstone }

// payload returns what a version holds; deleted is true for a tombstone.
func payload(ek, v []byte) (value []byte, deleted bool, err error) {
	if len(v) == 0 || v[0] > flagTombstone || v[0] == flagTombstone && len(v) != 1 {
		return nil, false, corruptValue(ek, v)
	}
	return v[1:], v[0] == flagTombstone, nil
}

// Newest describes the top of a key's history, as a writer needs it.
type Newest struct {
	// TS is the timestamp of the newest version or covering range tombstone; zero
	// if there is none.
	TS hlc.Timestamp
	// Live is true if a read at hlc.Max finds a value.
	Live bool
	// HasVersions is true if the key has any version, be it hidden.
	HasVersions bool
}

// Put writes a version of key at ts, which must be above prev.TS; prev is what
// Cursor.Newest said of the key, or, if a lock has kept others away since, what
// the locking read found. The difference is added to d.
func Put(w *storage.Batch, key keys.Key, ts hlc.Timestamp, value []byte, prev Newest, d *Stats) {
	checkAscending(key, ts, prev)
	w.PutVersion(key, ts, flagValue, value)
	d.addVersion(key, len(value), prev.HasVersions)
}

// Delete writes a tombstone, like Put. A key without versions gets one too: the
// caller decides whether it is worth it.
func Delete(w *storage.Batch, key keys.Key, ts hlc.Timestamp, prev Newest, d *Stats) {
	checkAscending(key, ts, prev)
	w.PutVersion(key, ts, flagTombstone, nil)
	d.addVersion(key, 0, prev.HasVersions)
	d.Tombstones++
}

// DeleteRange covers the versions in [start, end) at or below ts with a range
// tombstone. ts must be above every version there (NewestInSpan).
func DeleteRange(w *storage.Batch, start, end keys.Key, ts hlc.Timestamp, d *Stats) {
	w.PutRangeTombstone(start, end, ts)
	d.RangeTombstones++
}

func checkAscending(key keys.Key, ts hlc.Timestamp, prev Newest) {
	if ts <= prev.TS {
		invariant.Failf("mvcc: version of %x at %s is not above %s", key, ts, prev.TS)
	}
}

func (s *Stats) addVersion(key keys.Key, valueLen int, hasVersions bool) {
	if !hasVersions {
		s.Keys++
	}
	s.Versions++
	s.KeyBytes += int64(len(key) + versionOverhead)
	s.ValueBytes += int64(1 + valueLen)
}
