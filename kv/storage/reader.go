package storage

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"github.com/spanlite/spanlite/kv/keys"
)

// Reader is a view of the engine: an *Engine (each iterator sees what was
// committed when it was made), a *Snapshot (one moment for all), or a *Batch
// made by NewIndexedBatch (the engine with the batch's writes on top).
type Reader interface {
	// NewIter returns an iterator over engine keys; the caller closes it, before
	// the Reader. Pebble pools the memory behind it.
	NewIter(o *pebble.IterOptions) (*pebble.Iterator, error)
	// Get appends the value of an unversioned key to dst.
	Get(dst []byte, key keys.Key) (value []byte, ok bool, err error)
	// MayHaveRangeTombstones reports whether the iterator has to look at range
	// keys at all.
	MayHaveRangeTombstones() bool
}

var (
	_ Reader = (*Engine)(nil)
	_ Reader = (*Snapshot)(nil)
	_ Reader = (*Batch)(nil)
)

// NewIter implements Reader.
func (e *Engine) NewIter(o *pebble.IterOptions) (*pebble.Iterator, error) { return e.db.NewIter(o) }

// Get implements Reader.
func (e *Engine) Get(dst []byte, key keys.Key) ([]byte, bool, error) { return get(e.db, dst, key) }

// MayHaveRangeTombstones implements Reader.
func (e *Engine) MayHaveRangeTombstones() bool { return e.rangeKeys.Load() }

// GetDurable appends to dst the value of an unversioned key as it would be after
// a crash at this moment.
func (e *Engine) GetDurable(dst []byte, key keys.Key) (value []byte, ok bool, err error) {
	ek := AppendKey(nil, key)
	it, err := e.db.NewIter(&pebble.IterOptions{
		LowerBound:                ek,
		UpperBound:                Comparer.ImmediateSuccessor(nil, ek),
		OnlyReadGuaranteedDurable: true,
	})
	if err != nil {
		return nil, false, readError(err)
	}
	if it.First() {
		dst, ok = append(dst, it.Value()...), true
	}
	return dst, ok, readError(it.Close())
}

// ScanDurable calls fn for each unversioned item in span as it would be after a
// crash at this moment. Key and value are valid during the call.
func (e *Engine) ScanDurable(span keys.Span, fn func(key keys.Key, value []byte) error) error {
	return scan(e.db, &pebble.IterOptions{OnlyReadGuaranteedDurable: true}, span, fn)
}

// ScanUnversioned calls fn for each unversioned item in span, which holds no
// versioned ones. Key and value are valid during the call.
func ScanUnversioned(r Reader, span keys.Span, fn func(key keys.Key, value []byte) error) error {
	return scan(r, &pebble.IterOptions{}, span, fn)
}

type iterable interface {
	NewIter(*pebble.IterOptions) (*pebble.Iterator, error)
}

func scan(r iterable, o *pebble.IterOptions, span keys.Span, fn func(keys.Key, []byte) error) error {
	o.LowerBound = AppendKey(nil, span.Start)
	if span.End != nil {
		o.UpperBound = AppendKey(nil, span.End)
	} else {
		o.UpperBound = Comparer.ImmediateSuccessor(nil, o.LowerBound)
	}
	it, err := r.NewIter(o)
	if err != nil {
		return readError(err)
	}
	for it.First(); it.Valid(); it.Next() {
		key, _, versioned, err := DecodeKey(it.Key())
		if err == nil && !versioned {
			err = fn(key, it.Value())
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return readError(it.Close())
}

type getter interface {
	Get(key []byte) ([]byte, io.Closer, error)
}

func get(g getter, dst []byte, key keys.Key) ([]byte, bool, error) {
	// The value takes the place of the key, which needs no memory of its own then.
	n := len(dst)
	dst = AppendKey(dst, key)
	v, closer, err := g.Get(dst[n:])
	dst = dst[:n]
	if err != nil {
		if errors.Is(err, pebble.ErrNotFound) {
			return dst, false, nil
		}
		return dst, false, readError(err)
	}
	dst = append(dst, v...)
	return dst, true, readError(closer.Close())
}

// readError gives a failed read its type.
func readError(err error) error {
	switch {
	case err == nil:
		return nil
	case pebble.IsCorruptionError(err):
		ce := &CorruptionError{Path: "state engine", Cause: err}
		if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
			ce.Path = info.Path
		}
		return ce
	}
	return fmt.Errorf("storage: read: %w", err)
}

// ReadError gives an error of a pebble.Iterator its type: *CorruptionError where
// that is what it is.
func ReadError(err error) error { return readError(err) }

// Snapshot is the engine at one moment. It keeps old data on disk while open.
type Snapshot struct {
	s *pebble.Snapshot
	e *Engine
}

// NewSnapshot returns the present moment; Close it.
func (e *Engine) NewSnapshot() *Snapshot { return &Snapshot{s: e.db.NewSnapshot(), e: e} }

// NewIter implements Reader.
func (s *Snapshot) NewIter(o *pebble.IterOptions) (*pebble.Iterator, error) { return s.s.NewIter(o) }

// Get implements Reader.
func (s *Snapshot) Get(dst []byte, key keys.Key) ([]byte, bool, error) { return get(s.s, dst, key) }

// MayHaveRangeTombstones implements Reader.
func (s *Snapshot) MayHaveRangeTombstones() bool { return s.e.rangeKeys.Load() }

// Close releases the snapshot.
func (s *Snapshot) Close() error { return s.s.Close() }
