package mvcc

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
)

// Stats counts what is in a span. A range keeps its Stats up to date by adding
// the differences that its entries carry.
//
// Invariant: Intents is exact, for readers skip the look-up when it is zero. The
// other fields steer splits and garbage collection and may drift a little after a
// split or under range tombstones; ComputeStats sets them right.
type Stats struct {
	Keys            int64 // keys with at least one version
	Versions        int64 // all versions, tombstones included
	Tombstones      int64
	KeyBytes        int64 // engine keys of all versions
	ValueBytes      int64 // engine values of all versions
	Intents         int64
	IntentBytes     int64 // engine keys and values of intents
	RangeTombstones int64
}

// Add adds o to s.
func (s *Stats) Add(o Stats) {
	s.Keys += o.Keys
	s.Versions += o.Versions
	s.Tombstones += o.Tombstones
	s.KeyBytes += o.KeyBytes
	s.ValueBytes += o.ValueBytes
	s.Intents += o.Intents
	s.IntentBytes += o.IntentBytes
	s.RangeTombstones += o.RangeTombstones
}

// Sub subtracts o from s.
func (s *Stats) Sub(o Stats) {
	s.Add(Stats{-o.Keys, -o.Versions, -o.Tombstones, -o.KeyBytes, -o.ValueBytes, -o.Intents, -o.IntentBytes, -o.RangeTombstones})
}

// Bytes returns the logical size of everything.
func (s *Stats) Bytes() int64 { return s.KeyBytes + s.ValueBytes + s.IntentBytes }

// Garbage returns the number of versions that garbage collection could remove if
// its threshold were infinite.
func (s *Stats) Garbage() int64 { return max(s.Versions-s.Keys+s.Tombstones, 0) }

// String returns the counts that are not about bytes, and the total size.
func (s Stats) String() string {
	return fmt.Sprintf("keys=%d versions=%d tombstones=%d intents=%d range-tombstones=%d bytes=%d",
		s.Keys, s.Versions, s.Tombstones, s.Intents, s.RangeTombstones, s.Bytes())
}

// The encoded form is one version byte and the eight fields in order, each 8
// bytes, little-endian.
const (
	statsVersion = 1
	// StatsLen is the length of encoded Stats.
	StatsLen = 1 + 8*8
)

func (s *Stats) fields() [8]*int64 {
	return [8]*int64{&s.Keys, &s.Versions, &s.Tombstones, &s.KeyBytes, &s.ValueBytes, &s.Intents, &s.IntentBytes, &s.RangeTombstones}
}

// Encode appends the encoded form to dst.
func (s *Stats) Encode(dst []byte) []byte {
	dst = append(dst, statsVersion)
	for _, f := range s.fields() {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(*f))
	}
	return dst
}

// DecodeStats decodes what Encode wrote; b has exactly that length.
func DecodeStats(b []byte) (s Stats, err error) {
	if len(b) != StatsLen || b[0] != statsVersion {
		return s, fmt.Errorf("mvcc: malformed stats %x", b)
	}
	for i, f := range s.fields() {
		*f = int64(binary.LittleEndian.Uint64(b[1+8*i:]))
	}
	return s, nil
}

// ComputeStats counts what is in [start, end) by reading all of it.
func ComputeStats(r storage.Reader, start, end keys.Key) (s Stats, err error) {
	o := pebble.IterOptions{LowerBound: storage.AppendKey(nil, start), UpperBound: storage.AppendKey(nil, end)}
	if r.MayHaveRangeTombstones() {
		o.KeyTypes = pebble.IterKeyTypePointsAndRanges
	}
	it, err := r.NewIter(&o)
	if err != nil {
		return s, storage.ReadError(err)
	}
	var last []byte
	for valid := it.First(); valid; valid = it.Next() {
		hasPoint, hasRange := it.HasPointAndRange()
		if hasRange && it.RangeKeyChanged() {
			s.RangeTombstones += int64(len(it.RangeKeys()))
		}
		if !hasPoint {
			continue
		}
		key, _, err := splitVersion(it.Key())
		if err != nil {
			_ = it.Close()
			return s, err
		}
		if s.Versions == 0 || string(last) != string(key) {
			s.Keys++
			last = append(last[:0], key...)
		}
		s.Versions++
		s.KeyBytes += int64(len(it.Key()))
		v, err := it.ValueAndErr()
		if err != nil {
			_ = it.Close()
			return s, storage.ReadError(err)
		}
		s.ValueBytes += int64(len(v))
		if isTombstone(v) {
			s.Tombstones++
		}
	}
	if err := it.Close(); err != nil {
		return s, storage.ReadError(err)
	}
	intents, err := CountIntents(r, start, end)
	s.Add(intents)
	return s, err
}

// CountIntents returns Stats with the exact Intents and IntentBytes of
// [start, end); it reads nothing else.
func CountIntents(r storage.Reader, start, end keys.Key) (s Stats, err error) {
	err = storage.ScanUnversioned(r, keys.IntentSpan(start, end), func(k keys.Key, v []byte) error {
		s.Intents++
		s.IntentBytes += int64(len(k) + 1 + len(v))
		return nil
	})
	return s, err
}
