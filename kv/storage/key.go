package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// The two forms of an engine key; the last byte tells which.
//
//	unversioned:  +-----+------+
//	              | key | 0x00 |
//	              +-----+------+
//	versioned:    +-----+------+---------------------------+------+
//	              | key | 0x00 | ^timestamp, 8 bytes, BE   | 0x09 |
//	              +-----+------+---------------------------+------+
//
// The unversioned form is at the same time the prefix of all versions of the
// key (what Split returns, what bloom filters hold, where a seek for "the newest
// version" goes), and sorts before them. The bits of the timestamp are inverted
// so that newer versions come first.
const (
	sentinel      = 0x00
	suffixLen     = 9
	versionMarker = 0x09
)

// AppendKey appends the unversioned engine key of key to dst.
func AppendKey(dst []byte, key keys.Key) []byte {
	return append(append(dst, key...), sentinel)
}

// AppendVersion appends the engine key of key's version at ts to dst.
func AppendVersion(dst []byte, key keys.Key, ts hlc.Timestamp) []byte {
	dst = append(append(dst, key...), sentinel)
	dst = binary.BigEndian.AppendUint64(dst, ^uint64(ts))
	return append(dst, versionMarker)
}

// AppendSuffix appends the version suffix for ts to dst: the suffix of a range
// tombstone.
func AppendSuffix(dst []byte, ts hlc.Timestamp) []byte {
	return append(binary.BigEndian.AppendUint64(dst, ^uint64(ts)), versionMarker)
}

// DecodeKey splits an engine key into the key and its version; versioned is
// false for an unversioned one. The key aliases ek.
func DecodeKey(ek []byte) (key keys.Key, ts hlc.Timestamp, versioned bool, err error) {
	n := split(ek)
	if n == 0 || ek[n-1] != sentinel {
		return nil, 0, false, fmt.Errorf("storage: malformed engine key %x", ek)
	}
	if n == len(ek) {
		return ek[: n-1 : n-1], 0, false, nil
	}
	return ek[: n-1 : n-1], suffixTimestamp(ek[n:]), true, nil
}

// DecodeSuffix returns the timestamp of a version suffix.
func DecodeSuffix(suffix []byte) (hlc.Timestamp, error) {
	if len(suffix) != suffixLen || suffix[suffixLen-1] != versionMarker {
		return 0, fmt.Errorf("storage: malformed version suffix %x", suffix)
	}
	return suffixTimestamp(suffix), nil
}

func suffixTimestamp(suffix []byte) hlc.Timestamp {
	return hlc.Timestamp(^binary.BigEndian.Uint64(suffix))
}

// split returns the length of ek's prefix: everything but the version suffix.
func split(ek []byte) int {
	n := len(ek)
	if n >= suffixLen && ek[n-1] == versionMarker {
		return n - suffixLen
	}
	return n
}

func compare(a, b []byte) int {
	an, bn := split(a), split(b)
	if c := bytes.Compare(a[:an], b[:bn]); c != 0 {
		return c
	}
	// Suffixes have one length, or none at all, which sorts first.
	return bytes.Compare(a[an:], b[bn:])
}

// comparerName is written into every file; it changes with the key format.
const comparerName = "spanlite.mvcc.v1"

// Comparer orders engine keys: by key, then newest version first. See
// pebble.Comparer for what each function promises; AbbreviatedKey and the
// separators work on the prefix alone, since bytewise order of whole engine keys
// is not the order of this Comparer.
var Comparer = &pebble.Comparer{
	Name:                 comparerName,
	Compare:              compare,
	Equal:                bytes.Equal,
	Split:                split,
	ComparePointSuffixes: bytes.Compare,
	CompareRangeSuffixes: bytes.Compare,
	AbbreviatedKey: func(ek []byte) uint64 {
		prefix := ek[:split(ek)]
		if len(prefix) >= 8 {
			return binary.BigEndian.Uint64(prefix)
		}
		var buf [8]byte
		copy(buf[:], prefix)
		return binary.BigEndian.Uint64(buf[:])
	},
	Separator: func(dst, a, b []byte) []byte {
		ap, bp := a[:split(a)], b[:split(b)]
		if len(ap) < 2 || len(bp) < 2 {
			return append(dst, a...)
		}
		ak, bk := ap[:len(ap)-1], bp[:len(bp)-1]
		if bytes.Equal(ak, bk) {
			return append(dst, a...)
		}
		base := len(dst)
		dst = pebble.DefaultComparer.Separator(dst, ak, bk)
		if bytes.Equal(dst[base:], ak) {
			return append(dst[:base], a...)
		}
		return append(dst, sentinel)
	},
	Successor: func(dst, a []byte) []byte {
		ap := a[:split(a)]
		if len(ap) < 2 {
			return append(dst, a...)
		}
		base := len(dst)
		dst = pebble.DefaultComparer.Successor(dst, ap[:len(ap)-1])
		if bytes.Equal(dst[base:], ap[:len(ap)-1]) {
			return append(dst[:base], a...)
		}
		return append(dst, sentinel)
	},
	ImmediateSuccessor: func(dst, prefix []byte) []byte {
		return append(append(dst, prefix...), sentinel)
	},
	FormatKey: func(ek []byte) fmt.Formatter { return formattedKey(ek) },
}

type formattedKey []byte

// Format writes the key in hexadecimal, followed by its version.
func (k formattedKey) Format(s fmt.State, _ rune) {
	key, ts, versioned, err := DecodeKey(k)
	switch {
	case err != nil:
		fmt.Fprintf(s, "malformed:%x", []byte(k))
	case versioned:
		fmt.Fprintf(s, "%x@%s", []byte(key), ts)
	default:
		fmt.Fprintf(s, "%x", []byte(key))
	}
}
