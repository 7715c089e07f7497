package dist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
)

// prefetchRanges is how many directory rows one read brings: neighbours are
// likely to be needed next.
const prefetchRanges = 16

// ErrNoRange: neither the local store nor any known node could say where a key
// lives. Retried like an unreachable range.
var ErrNoRange = errors.New("dist: range not found in the directory")

// lookupOp returns the range where an operation begins: of its Key, or for a
// reverse scan of what lies before its EndKey.
func (s *Sender) lookupOp(ctx context.Context, o *kv.Op) (*entry, error) {
	if o.Reverse && o.EndKey != nil {
		return s.lookup(ctx, o.EndKey, true)
	}
	return s.lookup(ctx, o.Key, false)
}

// cached returns the cached range that contains key or, with before, the keys
// just below it.
func (s *Sender) cached(key keys.Key, before bool) *entry {
	e := s.cache.get(key)
	if before && (e == nil || bytes.Equal(e.desc.Start, key)) {
		e = s.cache.getBefore(key)
	}
	return e
}

func (s *Sender) lookup(ctx context.Context, key keys.Key, before bool) (*entry, error) {
	if e := s.cached(key, before); e != nil {
		return e, nil
	}
	// The directory learns of a split after the ranges: meanwhile the left one may
	// be known here to have shrunk, and the right one may be nowhere.
	a := attempt{began: time.Now()}
	for {
		e, err := s.readDirectory(ctx, key, before, nil, false)
		if !errors.Is(err, ErrNoRange) {
			return e, err
		}
		a.cause = err
		if err := s.pause(ctx, &a, keys.MetaRangeID); err != nil {
			return nil, err
		}
	}
}

// locate is lookupOp within the time that is left for a.
func (s *Sender) locate(ctx context.Context, o *kv.Op, a *attempt) (*entry, error) {
	key, before := o.Key, false
	if o.Reverse && o.EndKey != nil {
		key, before = o.EndKey, true
	}
	if e := s.cached(key, before); e != nil {
		return e, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.MaxWait-time.Since(a.began))
	defer cancel()
	return s.readDirectory(ctx, key, before, nil, false)
}

// refreshMax bounds one reading of the directory that is made only because a
// known range does not answer: the directory may be what is unavailable.
const refreshMax = time.Second

// refresh reads the directory since e has failed to serve; what it finds is in
// the cache afterwards. Errors are left to the next attempt.
func (s *Sender) refresh(ctx context.Context, e *entry, o *kv.Op, a *attempt, consistent bool) {
	ctx, cancel := context.WithTimeout(ctx, min(refreshMax, s.cfg.MaxWait-time.Since(a.began)))
	defer cancel()
	key, before := o.Key, false
	if o.Reverse && o.EndKey != nil {
		key, before = o.EndKey, true
	}
	_, _ = s.readDirectory(ctx, key, before, e, consistent)
}

// readDirectory reads the rows of key and its neighbours into the cache. stale is
// the entry that is doubted, nil if there is none.
func (s *Sender) readDirectory(ctx context.Context, key keys.Key, before bool, stale *entry, consistent bool) (*entry, error) {
	first := bytes.Compare(key, keys.SystemEnd) < 0 || before && bytes.Equal(key, keys.SystemEnd)
	if first {
		return s.findFirstRange(ctx, stale)
	}
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// Somebody else may have read it while we queued.
	if e := s.cached(key, before); e != nil && e != stale {
		return e, nil
	}
	s.metrics.DirectoryReads.Add(1)
	for {
		if err := s.scanDirectory(ctx, key, before, consistent); err != nil {
			return nil, fmt.Errorf("read the range directory: %w", err)
		}
		e := s.cached(key, before)
		if e != nil && (e != stale || consistent) {
			return e, nil
		}
		if consistent {
			return nil, fmt.Errorf("%w: key %x", ErrNoRange, key)
		}
		consistent = true
	}
}

func (s *Sender) scanDirectory(ctx context.Context, key keys.Key, before, consistent bool) error {
	start := keys.Meta(key)
	if !before {
		start = keys.Next(start) // rows are found by end keys, which are exclusive
	}
	var rows kv.Rows
	b := kv.Batch{Ops: []kv.Op{{
		Kind: kv.OpScan, Key: start, EndKey: keys.MetaMax, MaxRows: prefetchRanges, Rows: &rows,
	}}}
	b.Inconsistent = !consistent
	if err := s.Send(ctx, &b); err != nil {
		return err
	}
	for pos := 0; ; {
		_, value, _, next, ok := rows.Next(pos)
		if !ok {
			return nil
		}
		d := new(kv.RangeDescriptor)
		if err := d.Decode(value); err != nil {
			return err
		}
		s.cache.insert(d)
		pos = next
	}
}

// findFirstRange asks for range 1: this store, then the nodes of the descriptor
// that failed, then all known nodes. It takes the newest of the first answers
// that is not what failed.
func (s *Sender) findFirstRange(ctx context.Context, stale *entry) (*entry, error) {
	take := func(d *kv.RangeDescriptor) *entry {
		if d == nil {
			return nil
		}
		s.cache.insert(d)
		if e := s.cache.get(keys.KeyMin); e != nil && e != stale {
			return e
		}
		return nil
	}
	if s.cfg.LocalFirstRange != nil {
		if e := take(s.cfg.LocalFirstRange()); e != nil {
			return e, nil
		}
	}
	var cause error
	if s.cfg.Transport != nil && s.cfg.Nodes != nil {
		for _, n := range s.cfg.Nodes() {
			d, err := s.cfg.Transport.FirstRange(ctx, n)
			if err != nil {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				cause = err
				continue
			}
			if e := take(d); e != nil {
				return e, nil
			}
		}
	}
	if e := s.cache.get(keys.KeyMin); e != nil {
		return e, nil
	}
	if cause != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNoRange, keys.MetaRangeID, cause)
	}
	return nil, fmt.Errorf("%w: %s", ErrNoRange, keys.MetaRangeID)
}

// Range returns the descriptor of the range that holds key and the store that is
// believed to lead it (zero if unknown), from the cache if it is there.
func (s *Sender) Range(ctx context.Context, key keys.Key) (*kv.RangeDescriptor, kv.ReplicaDescriptor, error) {
	e, err := s.lookup(ctx, key, false)
	if err != nil {
		return nil, kv.ReplicaDescriptor{}, err
	}
	lease, _ := e.lease()
	return e.desc, lease, nil
}

// Ranges calls fn for the ranges that overlap span, in order, until it returns
// false. A split or merge under way may make a key appear twice or not at all:
// for planning and display.
func (s *Sender) Ranges(ctx context.Context, span keys.Span, fn func(*kv.RangeDescriptor) bool) error {
	for key := span.Start; ; {
		e, err := s.lookup(ctx, key, false)
		if err != nil {
			return err
		}
		if !fn(e.desc) || span.End == nil || bytes.Compare(e.desc.End, span.End) >= 0 || bytes.Compare(e.desc.End, keys.KeyMax) >= 0 {
			return nil
		}
		key = e.desc.End
	}
}

// Learn puts a descriptor into the cache, for instance one that a split has just
// made.
func (s *Sender) Learn(d *kv.RangeDescriptor) { s.cache.insert(d) }

// Forget empties the cache.
func (s *Sender) Forget() { s.cache.clear() }
