package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/raftgroup"
)

// errMergeInDoubt: a merge was proposed and its outcome is not known yet.
var errMergeInDoubt = errors.New("store: the outcome of a merge is not known yet")

// AdminMerge joins the right neighbour into the range id, which this store leads.
// See DESIGN.md, "Merges".
func (s *Store) AdminMerge(ctx context.Context, id keys.RangeID) (*kv.RangeDescriptor, error) {
	h, err := s.leader(id)
	if err != nil {
		return nil, err
	}
	if id == keys.MetaRangeID {
		return nil, ErrUnsupportedSplit
	}
	select {
	case s.merges <- struct{}{}:
		defer func() { <-s.merges }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	left := h.r.Desc()
	if bytes.Equal(left.End, keys.KeyMax) {
		return nil, fmt.Errorf("store: %s has no right neighbour", id)
	}
	if err := s.beginMerge(h); err != nil {
		return nil, err
	}
	defer s.endMerge(h)
	term := h.r.Lease().Term

	rh, err := s.fetchNeighbour(ctx, left)
	if err != nil {
		return nil, fmt.Errorf("merge into %s: %w", id, err)
	}
	frozen, stats, err := rh.r.Freeze(ctx)
	if err != nil {
		if _, ok := errors.AsType[*kv.AmbiguousError](err); ok {
			s.mergeQ.add(rh.r.RangeID()) // it may be frozen without a merge to come
		}
		return nil, fmt.Errorf("freeze %s: %w", rh.r.RangeID(), err)
	}
	right := rh.r.Desc()
	if err := s.awaitApplied(ctx, right, frozen); err != nil {
		return nil, errors.Join(err, s.giveUpMerge(h, term, rh))
	}
	merged, err := h.r.Merge(ctx, term, right, frozen, stats)
	if err != nil {
		if _, ok := errors.AsType[*kv.AmbiguousError](err); ok {
			// Thawing now could let the right range move on and the merge happen all
			// the same. Only a later term of the left range settles it.
			h.mu.Lock()
			h.mu.doubtful = term
			h.mu.Unlock()
			s.mergeQ.add(right.RangeID)
			return nil, fmt.Errorf("merge %s into %s: %w", right.RangeID, id, err)
		}
		return nil, errors.Join(fmt.Errorf("merge %s into %s: %w", right.RangeID, id, err), s.giveUpMerge(h, term, rh))
	}
	if c := s.cluster.Load(); c != nil && c.Learn != nil {
		c.Learn(merged)
	}
	if err := s.publish(ctx, merged); err != nil {
		s.directoryQ.add(id)
		return merged, fmt.Errorf("merge is made but not in the directory yet: %w", err)
	}
	h.published.Store(merged.Generation)
	return merged, nil
}

// beginMerge makes sure that at most one merge into h is under way, and none of
// an earlier time in doubt.
func (s *Store) beginMerge(h *handle) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.merging {
		return errors.New("store: a merge is under way")
	}
	if h.mu.doubtful != 0 && h.mu.doubtful >= h.r.Lease().Term {
		return errMergeInDoubt
	}
	h.mu.doubtful = 0
	h.mu.merging = true
	return nil
}

func (s *Store) endMerge(h *handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.merging = false
}

// giveUpMerge lets requests into the frozen range rh again, whose merge into h will not happen.
// If the left lease is not that of the merge's beginning any more, its holder may have
// begun another merge, and is asked first.
func (s *Store) giveUpMerge(h *handle, term raftgroup.Term, rh *handle) error {
	id := rh.r.RangeID()
	if l := h.r.Lease(); !l.Held || l.Term != term {
		s.mergeQ.add(id)
		return nil
	}
	return s.thaw(id, rh)
}

// thaw lets requests into a frozen range again. It runs although the caller may
// have given up.
func (s *Store) thaw(id keys.RangeID, h *handle) error {
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	if err := h.r.Unfreeze(ctx); err != nil {
		s.mergeQ.add(id)
		return fmt.Errorf("unfreeze %s: %w", id, err)
	}
	return nil
}

// fetchNeighbour brings the right neighbour of left onto the same stores and its
// lease here.
func (s *Store) fetchNeighbour(ctx context.Context, left *kv.RangeDescriptor) (*handle, error) {
	stores := make([]keys.StoreID, 0, len(left.Replicas))
	for _, rd := range left.Replicas {
		if rd.Role != kv.Voter {
			return nil, fmt.Errorf("store: %s is changing its members", left.RangeID)
		}
		stores = append(stores, rd.Store)
	}
	for range 10 {
		right, err := s.readDirectoryRow(ctx, left.End)
		if err != nil {
			return nil, err
		}
		if right == nil {
			return nil, errors.New("store: no neighbour in the directory")
		}
		h, err := s.leader(right.RangeID)
		if err == nil {
			if d := h.r.Desc(); !bytes.Equal(d.Start, left.End) {
				return nil, fmt.Errorf("store: %s does not adjoin %s", d, left)
			}
			if err := s.relocate(ctx, right.RangeID, h, stores); err != nil {
				return nil, err
			}
			return h, nil
		}
		// Led elsewhere: have it moved onto our stores and handed over.
		if _, err := s.askLeader(ctx, right, &AdminRequest{
			Verb: VerbRelocate, Range: right.RangeID, Stores: stores, Store: s.id.Store,
		}); err != nil {
			return nil, err
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("store: the neighbour's lease does not stay here")
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// awaitApplied waits until all replicas of a frozen range have applied an index,
// durably.
func (s *Store) awaitApplied(ctx context.Context, d *kv.RangeDescriptor, index raftgroup.Index) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, rd := range d.Replicas {
		var err error
		if rd.Store == s.id.Store {
			err = s.waitAppliedHere(ctx, d.RangeID, index)
		} else {
			_, err = s.ask(ctx, rd.Node, &AdminRequest{Verb: VerbWaitApplied, Range: d.RangeID, Index: uint64(index)})
		}
		if err != nil {
			return fmt.Errorf("wait for %s to apply entry %d: %w", rd.Store, index, err)
		}
	}
	return nil
}

// waitAppliedHere waits until the replica here has applied an index, durably: once
// the merge is proposed no other replica may be left to bring it there again, so
// a crash must not take it back.
func (s *Store) waitAppliedHere(ctx context.Context, id keys.RangeID, index raftgroup.Index) error {
	for {
		h := s.table.get(id)
		if h == nil {
			return &kv.RangeNotFoundError{RangeID: id, Store: s.id.Store}
		}
		if at, _ := h.r.AppliedIndex(); at >= index {
			return s.cfg.Engine.Flush()
		}
		if g := h.g.Load(); g != nil {
			g.Wake()
		}
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

// processMerge ends a frozen state that nobody else will end, and merges small
// neighbours.
func (s *Store) processMerge(ctx context.Context, id keys.RangeID, h *handle) (time.Duration, error) {
	if ok, again := h.mayAct(); !ok {
		return again, nil
	}
	if h.r.Frozen() {
		return s.settleFrozen(ctx, id, h)
	}
	if s.cfg.RangeMinBytes == 0 || id == keys.MetaRangeID {
		return 0, nil
	}
	d := h.r.Desc()
	size := rangeStats(h.r)
	if size >= s.cfg.RangeMinBytes || bytes.Equal(d.End, keys.KeyMax) || s.qps(h) > 10 {
		return 0, nil
	}
	right, err := s.readDirectoryRow(ctx, d.End)
	if err != nil || right == nil {
		return 0, err
	}
	info, err := s.askLeader(ctx, right, &AdminRequest{Verb: VerbInfo, Range: right.RangeID})
	if err != nil {
		return 0, err
	}
	if len(info.Ranges) != 1 || info.Ranges[0].Bytes+size > s.cfg.RangeMaxBytes/2 || info.Ranges[0].QPS > 10 {
		return 0, nil
	}
	_, err = s.AdminMerge(ctx, id)
	return 0, err
}

// settleFrozen decides about a frozen range whose merge was interrupted. The left
// neighbour's leaseholder knows whether the merge can still happen.
func (s *Store) settleFrozen(ctx context.Context, id keys.RangeID, h *handle) (time.Duration, error) {
	d := h.r.Desc()
	var left *kv.RangeDescriptor
	// The last row that ends at or before our start: it ends exactly there.
	err := s.scanDirectory(ctx, keys.Meta(d.Start), keys.Next(keys.Meta(d.Start)), 1, func(l *kv.RangeDescriptor, _ []byte) bool {
		left = l
		return false
	})
	if err != nil {
		return 0, err
	}
	if left == nil {
		return time.Second, nil // merged, most likely; our log will say so
	}
	reply, err := s.askLeader(ctx, left, &AdminRequest{Verb: VerbSettleMerge, Range: left.RangeID, Key: d.Start})
	if err != nil {
		return 0, err
	}
	if reply.Merged {
		return time.Second, nil
	}
	return 0, s.thaw(id, h)
}

// settleMerge is the left leaseholder's answer: whether its range covers key by
// now. If not, no merge proposed before can happen any more: those of earlier
// terms are applied or gone, since the lease begins with an applied entry of its
// own term, and in this term none is under way or in doubt.
func (s *Store) settleMerge(ctx context.Context, id keys.RangeID, key keys.Key) (merged bool, err error) {
	h, err := s.leader(id)
	if err != nil {
		return false, err
	}
	if err := s.beginMerge(h); err != nil {
		if errors.Is(err, errMergeInDoubt) {
			// A new term ends the doubt.
			d := h.r.Desc()
			i := slices.IndexFunc(d.Replicas, func(rd kv.ReplicaDescriptor) bool {
				return rd.Store != s.id.Store && rd.Role == kv.Voter
			})
			if i >= 0 {
				return false, errors.Join(err, s.transferLease(ctx, h, d.Replicas[i].Store))
			}
		}
		return false, err
	}
	defer s.endMerge(h)
	if !h.holdsLease() {
		return false, &kv.NotLeaseholderError{RangeID: id, Desc: h.r.Desc()}
	}
	return h.r.Desc().Contains(key), nil
}
