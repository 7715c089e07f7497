// Package keys is the map of the key space and the identifiers that address
// it. It is a leaf: anything may import it.
//
// # The engine's key space
//
// A store's state engine holds these regions. The first byte tells the region;
// "addressed" keys belong to the range whose span contains the address, so they
// move with splits and snapshots.
//
//	0x01 name                     store-local: identity, format version, clock bound
//	0x02 rangeID(8) suffix        range-local by id: applied state, descriptor, GC
//	                              threshold, replica tombstone; never split
//	0x03 escaped(key)             durable intent on key (addressed)
//	0x04 escaped(anchor) txnID    transaction record (addressed by its anchor key)
//	0x05 endKey                   the range directory: descriptor of the range
//	                              that ends at endKey                } user-addressable
//	0x06 name                     system rows: node records,         } "global" keys,
//	                              id allocators, settings, ...       } versioned by MVCC
//	0x10 tableID(4) indexID(4) .. table data                         }
//	0xff                          KeyMax, past every global key
//
// Global keys start at KeyMin (0x05). Range 1 spans [KeyMin, SystemEnd) for
// ever: directory and system rows never split, so that every node can find the
// directory by knowing one range.
//
// Escaped means order-preserving and self-terminating: 0x00 becomes 0x00 0xff
// and the end is 0x00 0x01.
package keys

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Key is an address in the global key space or an engine key; which one, the
// context tells.
type Key = []byte

// NodeID identifies a node (process) of the cluster; 0 is none. Never reused.
type NodeID uint32

// StoreID identifies a store (a data directory) of the cluster; 0 is none. Never reused.
type StoreID uint32

// RangeID identifies a range; 0 is none. Never reused.
type RangeID uint64

// ReplicaID identifies a replica of one range; 0 is none. Never reused within
// the range.
type ReplicaID uint32

// String returns n<id>.
func (n NodeID) String() string { return fmt.Sprintf("n%d", uint32(n)) }

// String returns s<id>.
func (s StoreID) String() string { return fmt.Sprintf("s%d", uint32(s)) }

// String returns r<id>.
func (r RangeID) String() string { return fmt.Sprintf("r%d", uint64(r)) }

// The regions, by first byte.
const (
	regionStoreLocal = 0x01
	regionRangeLocal = 0x02
	regionIntent     = 0x03
	regionTxnRecord  = 0x04
	regionMeta       = 0x05
	regionSystem     = 0x06
	regionTable      = 0x10
	regionEnd        = 0xff
)

// MetaRangeID is the range that holds directory and system rows.
const MetaRangeID RangeID = 1

// The ends of the global key space and its fixed boundaries.
var (
	KeyMin    = Key{regionMeta}
	KeyMax    = Key{regionEnd}
	MetaMin   = Key{regionMeta}
	MetaMax   = Key{regionSystem}
	SystemMin = Key{regionSystem}
	SystemEnd = Key{regionTable}
	TableMin  = Key{regionTable}
)

// StoreLocal returns the engine key of a store-local item.
func StoreLocal(name string) Key { return append(Key{regionStoreLocal}, name...) }

// RangeLocal returns the engine key of a range's unsplittable item.
func RangeLocal(id RangeID, suffix string) Key {
	k := make(Key, 0, 9+len(suffix))
	return append(RangeLocalPrefix(k, id), suffix...)
}

// RangeLocalPrefix appends the prefix of a range's unsplittable items to dst.
func RangeLocalPrefix(dst []byte, id RangeID) Key {
	dst = append(dst, regionRangeLocal)
	return binary.BigEndian.AppendUint64(dst, uint64(id))
}

// Meta returns the directory key of the range that ends at endKey.
func Meta(endKey Key) Key { return append(Key{regionMeta}, endKey...) }

// MetaAddress returns the end key which a directory key stands for.
func MetaAddress(metaKey Key) Key { return metaKey[1:] }

// System returns the key of a system row. Names look like paths: "node/1".
func System(name string) Key { return append(Key{regionSystem}, name...) }

// TablePrefix appends the prefix of a table's rows to dst.
func TablePrefix(dst []byte, tableID uint32) Key {
	dst = append(dst, regionTable)
	return binary.BigEndian.AppendUint32(dst, tableID)
}

// IndexPrefix appends the prefix of one index's entries to dst. The primary
// index of a table has id 1.
func IndexPrefix(dst []byte, tableID, indexID uint32) Key {
	return binary.BigEndian.AppendUint32(TablePrefix(dst, tableID), indexID)
}

// DecodeTable returns the table id of a table key, if it is one.
func DecodeTable(k Key) (tableID uint32, rest Key, ok bool) {
	if len(k) < 5 || k[0] != regionTable {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(k[1:5]), k[5:], true
}

// Intent appends the engine key of the durable intent on key to dst.
func Intent(dst []byte, key Key) Key { return appendEscaped(append(dst, regionIntent), key) }

// DecodeIntent returns the user key of an intent's engine key, appended to dst.
func DecodeIntent(dst []byte, k Key) (Key, error) {
	if len(k) == 0 || k[0] != regionIntent {
		return nil, fmt.Errorf("keys: %x is no intent key", k)
	}
	key, rest, err := decodeEscaped(dst, k[1:])
	if err == nil && len(rest) != 0 {
		err = fmt.Errorf("keys: intent key %x has %d trailing bytes", k, len(rest))
	}
	return key, err
}

// TxnRecord returns the engine key of a transaction record.
func TxnRecord(anchor Key, id [16]byte) Key {
	k := make(Key, 0, len(anchor)+20)
	return append(appendEscaped(append(k, regionTxnRecord), anchor), id[:]...)
}

// DecodeTxnRecord returns anchor and id of a transaction record's engine key.
func DecodeTxnRecord(k Key) (anchor Key, id [16]byte, err error) {
	if len(k) == 0 || k[0] != regionTxnRecord {
		return nil, id, fmt.Errorf("keys: %x is no transaction record key", k)
	}
	anchor, rest, err := decodeEscaped(nil, k[1:])
	if err == nil && len(rest) != 16 {
		err = fmt.Errorf("keys: transaction record key %x has an id of %d bytes", k, len(rest))
	}
	copy(id[:], rest)
	return anchor, id, err
}

// Span is a half-open interval [Start, End) of keys. A nil End makes it the
// single key Start.
type Span struct{ Start, End Key }

// IsPoint reports whether the span is a single key.
func (s Span) IsPoint() bool { return s.End == nil }

// Contains reports whether key lies in s.
func (s Span) Contains(key Key) bool {
	if s.End == nil {
		return bytes.Equal(s.Start, key)
	}
	return bytes.Compare(s.Start, key) <= 0 && bytes.Compare(key, s.End) < 0
}

// Overlaps reports whether s and o share a key.
func (s Span) Overlaps(o Span) bool {
	switch {
	case s.End == nil:
		return o.Contains(s.Start)
	case o.End == nil:
		return s.Contains(o.Start)
	}
	return bytes.Compare(s.Start, o.End) < 0 && bytes.Compare(o.Start, s.End) < 0
}

// ReplicatedSpans returns the engine spans (of unversioned engine-key prefixes)
// that make up a replica of range id with the global span [start, end): what a
// snapshot carries and what removal of the replica deletes. The last one is
// the span of the global keys themselves.
func ReplicatedSpans(id RangeID, start, end Key) [4]Span {
	local := RangeLocalPrefix(nil, id)
	return [4]Span{
		{local, PrefixEnd(local)},
		IntentSpan(start, end),
		TxnRecordSpan(start, end),
		{start, end},
	}
}

// IntentSpan returns the engine span of the intents on the keys in [start, end).
func IntentSpan(start, end Key) Span {
	return Span{appendEscapedOpen(Key{regionIntent}, start), appendEscapedOpen(Key{regionIntent}, end)}
}

// TxnRecordSpan returns the engine span of the transaction records anchored in
// [start, end).
func TxnRecordSpan(start, end Key) Span {
	return Span{appendEscapedOpen(Key{regionTxnRecord}, start), appendEscapedOpen(Key{regionTxnRecord}, end)}
}

// Next returns the least key above k.
func Next(k Key) Key {
	n := make(Key, len(k)+1)
	copy(n, k)
	return n
}

// PrefixEnd returns the least key above all keys with the given prefix, or
// KeyMax if there is none.
func PrefixEnd(prefix Key) Key {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return KeyMax
}

// Clone returns a copy of k that shares no memory with it.
func Clone(k Key) Key { return bytes.Clone(k) }

// appendEscaped appends the escaped, terminated form of key.
func appendEscaped(dst []byte, key Key) []byte {
	return append(appendEscapedOpen(dst, key), 0x00, 0x01)
}

// appendEscapedOpen appends the escaped form without terminator: a lower bound
// for every escaped key that is not below key.
func appendEscapedOpen(dst []byte, key Key) []byte {
	for {
		i := bytes.IndexByte(key, 0)
		if i < 0 {
			return append(dst, key...)
		}
		dst = append(dst, key[:i]...)
		dst = append(dst, 0x00, 0xff)
		key = key[i+1:]
	}
}

func decodeEscaped(dst []byte, b []byte) (key, rest []byte, err error) {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 || i+1 >= len(b) {
			return nil, nil, fmt.Errorf("keys: unterminated escaped key")
		}
		dst = append(dst, b[:i]...)
		switch b[i+1] {
		case 0x01:
			return dst, b[i+2:], nil
		case 0xff:
			dst = append(dst, 0x00)
		default:
			return nil, nil, fmt.Errorf("keys: bad escape 0x00%02x", b[i+1])
		}
		b = b[i+2:]
	}
}
