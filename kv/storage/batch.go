package storage

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// Batch collects writes. Its representation (Repr) is what a raft entry carries:
// evaluated physical writes, which any replica applies to reach the same state.
// A Batch is used by one goroutine at a time.
//
// The write methods report no errors: they fail only on a batch that is closed
// or has grown past 4 GiB, which is a bug of the caller and panics.
type Batch struct {
	b *pebble.Batch
	e *Engine
	// rangeKeys: the batch holds, or may hold, a range tombstone.
	rangeKeys bool
}

// NewBatch returns an empty batch that cannot be read; Close it.
func (e *Engine) NewBatch() *Batch { return &Batch{b: e.db.NewBatch(), e: e} }

// NewIndexedBatch returns an empty batch that can be read: its own writes over
// the engine. Its writes cost about twice as much.
func (e *Engine) NewIndexedBatch() *Batch { return &Batch{b: e.db.NewIndexedBatch(), e: e} }

func must(err error) {
	if err != nil {
		panic(fmt.Errorf("storage: batch write: %w", err))
	}
}

// Put sets an unversioned key.
func (b *Batch) Put(key keys.Key, value []byte) {
	op := b.b.SetDeferred(len(key)+1, len(value))
	copy(op.Key, key)
	op.Key[len(key)] = sentinel
	copy(op.Value, value)
	must(op.Finish())
}

// Clear removes an unversioned key.
func (b *Batch) Clear(key keys.Key) {
	op := b.b.DeleteDeferred(len(key) + 1)
	copy(op.Key, key)
	op.Key[len(key)] = sentinel
	must(op.Finish())
}

// PutVersion sets key's version at ts to the concatenation of head and value.
func (b *Batch) PutVersion(key keys.Key, ts hlc.Timestamp, head byte, value []byte) {
	op := b.b.SetDeferred(len(key)+1+suffixLen, 1+len(value))
	putVersion(op.Key, key, ts)
	op.Value[0] = head
	copy(op.Value[1:], value)
	must(op.Finish())
}

// ClearVersion removes key's version at ts.
func (b *Batch) ClearVersion(key keys.Key, ts hlc.Timestamp) {
	op := b.b.DeleteDeferred(len(key) + 1 + suffixLen)
	putVersion(op.Key, key, ts)
	must(op.Finish())
}

func putVersion(dst []byte, key keys.Key, ts hlc.Timestamp) {
	n := copy(dst, key)
	dst[n] = sentinel
	binary.BigEndian.PutUint64(dst[n+1:], ^uint64(ts))
	dst[n+suffixLen] = versionMarker
}

// PutRangeTombstone covers all versions in [start, end) at or below ts.
func (b *Batch) PutRangeTombstone(start, end keys.Key, ts hlc.Timestamp) {
	b.rangeKeys = true
	must(b.b.RangeKeySet(AppendKey(nil, start), AppendKey(nil, end), AppendSuffix(nil, ts), nil, nil))
}

// ClearRangeTombstone takes the range tombstone at ts away from [start, end).
func (b *Batch) ClearRangeTombstone(start, end keys.Key, ts hlc.Timestamp) {
	b.rangeKeys = true
	must(b.b.RangeKeyUnset(AppendKey(nil, start), AppendKey(nil, end), AppendSuffix(nil, ts), nil))
}

// ClearSpan removes everything, versioned or not, and range tombstones, in
// [span.Start, span.End).
func (b *Batch) ClearSpan(span keys.Span) {
	start, end := AppendKey(nil, span.Start), AppendKey(nil, span.End)
	must(b.b.DeleteRange(start, end, nil))
	if b.e.MayHaveRangeTombstones() || b.rangeKeys {
		b.rangeKeys = true
		must(b.b.RangeKeyDelete(start, end, nil))
	}
}

// Repr returns the batch as bytes: 12 bytes of header, then one record for each
// write (pebble/batchrepr). The memory is the batch's.
func (b *Batch) Repr() []byte { return b.b.Repr() }

// Apply appends the writes of a Repr, for instance of several entries to commit
// at once. It fails on malformed bytes, without having changed b.
func (b *Batch) Apply(repr []byte) error {
	n, rangeKeys, err := checkRepr(repr)
	if err != nil {
		return &CorruptionError{Path: "batch", Cause: err}
	}
	if n == 0 {
		return nil
	}
	// A batch without a database only carries the bytes.
	other := new(pebble.Batch)
	must(other.SetRepr(repr))
	must(b.b.Apply(other, nil))
	b.rangeKeys = b.rangeKeys || rangeKeys
	return nil
}

// checkRepr walks over the records of a Repr. (Pebble's own reader trusts the
// lengths in them.)
func checkRepr(repr []byte) (n uint32, rangeKeys bool, err error) {
	hdr, ok := batchrepr.ReadHeader(repr)
	if !ok {
		return 0, false, errors.New("it has no header")
	}
	for rest := repr[batchrepr.HeaderLen:]; len(rest) > 0; n++ {
		kind := pebble.InternalKeyKind(rest[0])
		hasValue := true
		switch kind {
		case pebble.InternalKeyKindDelete:
			hasValue = false
		case pebble.InternalKeyKindSet, pebble.InternalKeyKindRangeDelete:
		case pebble.InternalKeyKindRangeKeySet, pebble.InternalKeyKindRangeKeyUnset, pebble.InternalKeyKindRangeKeyDelete:
			rangeKeys = true
		default:
			return 0, false, fmt.Errorf("unexpected write of kind %d", rest[0])
		}
		var ek []byte
		if ek, rest, ok = takeString(rest[1:]); !ok {
			return 0, false, errors.New("truncated key")
		}
		if n := split(ek); n == 0 || ek[n-1] != sentinel {
			return 0, false, fmt.Errorf("malformed key %x", ek)
		}
		if hasValue {
			if _, rest, ok = takeString(rest); !ok {
				return 0, false, fmt.Errorf("truncated value at key %x", ek)
			}
		}
	}
	if n != hdr.Count {
		return 0, false, fmt.Errorf("%d writes, header says %d", n, hdr.Count)
	}
	return n, rangeKeys, nil
}

// takeString cuts a string off b that is preceded by its length as a varint.
func takeString(b []byte) (s, rest []byte, ok bool) {
	l, n := binary.Uvarint(b)
	if n <= 0 || n > binary.MaxVarintLen32 || l > uint64(len(b)-n) {
		return nil, nil, false
	}
	b = b[n:]
	return b[:l], b[l:], true
}

// Len returns the size of Repr in bytes, Count the number of writes.
func (b *Batch) Len() int { return b.b.Len() }

// Count returns the number of writes.
func (b *Batch) Count() int { return int(b.b.Count()) }

// Empty reports whether the batch has no writes.
func (b *Batch) Empty() bool { return b.b.Empty() }

// Reset empties the batch and keeps its memory. It must not have been committed.
func (b *Batch) Reset() { b.b.Reset(); b.rangeKeys = false }

// Commit applies the batch to the engine: visible to new iterators on return,
// durable after the next flush. The batch cannot be used again but for Close.
func (b *Batch) Commit() error {
	if b.rangeKeys {
		b.e.rangeKeys.Store(true)
	}
	if err := b.e.db.Apply(b.b, pebble.NoSync); err != nil {
		return fmt.Errorf("storage: commit: %w", err)
	}
	return nil
}

// Close returns the batch's memory.
func (b *Batch) Close() { _ = b.b.Close() }

// NewIter implements Reader for an indexed batch.
func (b *Batch) NewIter(o *pebble.IterOptions) (*pebble.Iterator, error) { return b.b.NewIter(o) }

// Get implements Reader for an indexed batch.
func (b *Batch) Get(dst []byte, key keys.Key) ([]byte, bool, error) { return get(b.b, dst, key) }

// MayHaveRangeTombstones implements Reader for an indexed batch.
func (b *Batch) MayHaveRangeTombstones() bool { return b.rangeKeys || b.e.rangeKeys.Load() }
