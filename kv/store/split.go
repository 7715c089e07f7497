package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/kv/replica"
)

// leader returns the handle of a range that is led here, or NotLeaseholderError
// or RangeNotFoundError.
func (s *Store) leader(id keys.RangeID) (*handle, error) {
	h := s.table.get(id)
	if h == nil || !h.r.Initialized() {
		return nil, &kv.RangeNotFoundError{RangeID: id, Store: s.id.Store}
	}
	if !h.holdsLease() {
		e := &kv.NotLeaseholderError{RangeID: id, Desc: h.r.Desc()}
		for _, rd := range e.Desc.Replicas {
			if l := h.r.Lease(); rd.Replica == l.Leader.Replica && rd.Store != s.id.Store {
				e.Leaseholder = rd
			}
		}
		return nil, e
	}
	return h, nil
}

// AdminSplit splits the range id, which this store leads, at key. It returns when
// the split is in the directory, or with both descriptors and an error if only
// that has failed so far (it is tried again in the background).
func (s *Store) AdminSplit(ctx context.Context, id keys.RangeID, key keys.Key) (left, right *kv.RangeDescriptor, err error) {
	h, err := s.leader(id)
	if err != nil {
		return nil, nil, err
	}
	if bytes.Compare(key, keys.SystemEnd) <= 0 {
		return nil, nil, ErrUnsupportedSplit
	}
	if d := h.r.Desc(); !d.Contains(key) {
		return nil, nil, &kv.RangeMismatchError{RangeID: id, Descs: []*kv.RangeDescriptor{d}}
	} else if bytes.Equal(d.Start, key) {
		return d, d, nil // a boundary already
	}
	c := s.cluster.Load()
	if c == nil {
		return nil, nil, errors.New("store: not started")
	}
	newID, err := liveness.Allocate(ctx, c.Sender, liveness.RangeIDs, 1)
	if err != nil {
		return nil, nil, err
	}
	left, right, err = h.r.Split(ctx, key, keys.RangeID(newID), 0)
	if err != nil {
		return nil, nil, err
	}
	if c.Learn != nil {
		c.Learn(left)
		c.Learn(right)
	}
	// Left first: until its row is there, keys of the left side would be looked
	// for in a row that ends at the old end and no longer covers them.
	for _, d := range []*kv.RangeDescriptor{left, right} {
		if err := s.publish(ctx, d); err != nil {
			s.directoryQ.add(d.RangeID)
			return left, right, fmt.Errorf("split is made but not in the directory yet: %w", err)
		}
		if dh := s.table.get(d.RangeID); dh != nil {
			dh.published.Store(d.Generation)
		}
	}
	return left, right, nil
}

// splittable is the size that counts for a split: what FindSplitKey divides.
// Intents do not; were they to count, a range that a large transaction writes to
// would be cut again and again next to its few versions.
func splittable(r *replica.Replica) int64 {
	st := r.Stats()
	return st.KeyBytes + st.ValueBytes
}

// processSplit splits a range that has grown too large.
func (s *Store) processSplit(ctx context.Context, id keys.RangeID, h *handle) (time.Duration, error) {
	if id == keys.MetaRangeID {
		return 0, nil
	}
	if ok, again := h.mayAct(); !ok {
		return again, nil
	}
	d := h.r.Desc()
	for _, rd := range d.Replicas {
		if rd.Role != kv.Voter {
			return time.Second, nil // after the change of members
		}
	}
	if splittable(h.r) <= s.cfg.RangeMaxBytes {
		return 0, nil
	}
	key, err := h.r.FindSplitKey(ctx)
	if err != nil || key == nil {
		return 0, err
	}
	if _, _, err := s.AdminSplit(ctx, id, key); err != nil {
		if _, ok := errors.AsType[*kv.NotLeaseholderError](err); ok {
			return 0, nil
		}
		return 0, err
	}
	// Either side may still be too large.
	s.checkSize(id, h)
	s.table.each(func(other keys.RangeID, oh *handle) bool {
		if od := oh.r.Desc(); od != nil && bytes.Equal(od.Start, key) {
			s.checkSize(other, oh)
			return false
		}
		return true
	})
	return 0, nil
}

// rangeStats returns what the merge and placement code needs of a range here.
func rangeStats(r *replica.Replica) int64 {
	st := r.Stats()
	return st.Bytes()
}
