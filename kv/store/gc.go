package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/mvcc"
	"github.com/spanlite/spanlite/kv/storage"
)

const (
	// gcBatch is the number of versions that one command removes.
	gcBatch = 1000
	// gcMinInterval keeps a range that is offered often from being read often.
	gcMinInterval = time.Minute
	// gcMinGarbage and gcMinFraction say from which number and part of hidden
	// versions a range is worth reading.
	gcMinGarbage  = 1000
	gcMinFraction = 0.1
)

// processGC removes versions that nobody may read any more, and intents that
// nobody will resolve.
func (s *Store) processGC(ctx context.Context, id keys.RangeID, h *handle) (time.Duration, error) {
	if !h.holdsLease() || h.r.Frozen() {
		return 0, nil
	}
	now := time.Now().UnixMicro()
	h.mu.Lock()
	recent := now-h.mu.lastGC < gcMinInterval.Microseconds()
	if !recent {
		h.mu.lastGC = now
	}
	h.mu.Unlock()
	if recent {
		return 0, nil
	}
	st := h.r.Stats()
	if st.Intents > 0 {
		if err := s.cleanIntents(ctx, h); err != nil {
			return 0, err
		}
	}
	records, err := s.hasRecords(h.r.Desc())
	if err != nil {
		return 0, err
	}
	if records {
		if err := s.cleanRecords(ctx, h); err != nil {
			return 0, err
		}
	}
	garbage := st.Garbage()
	if st.RangeTombstones == 0 && !records && (garbage < gcMinGarbage || float64(garbage) < gcMinFraction*float64(st.Versions)) {
		return 0, nil
	}
	threshold := s.gcThreshold(h.r.Desc())
	_, _, err = s.collect(ctx, id, h, threshold)
	return 0, err
}

var errFound = errors.New("found")

// hasRecords reports whether there are transaction records in a range: most are
// removed by their coordinators, the rest is ours.
func (s *Store) hasRecords(d *kv.RangeDescriptor) (bool, error) {
	err := storage.ScanUnversioned(s.cfg.Engine, keys.TxnRecordSpan(d.Start, d.End), func(keys.Key, []byte) error { return errFound })
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}

// gcThreshold is the timestamp at and below which a range's history may go.
func (s *Store) gcThreshold(d *kv.RangeDescriptor) hlc.Timestamp {
	threshold := s.cfg.Clock.Peek().Add(-s.cfg.GCTTL(d))
	if s.cfg.Protected != nil {
		if p := s.cfg.Protected(d); p != 0 {
			threshold = min(threshold, p.Prev())
		}
	}
	return threshold
}

// AdminGC collects the garbage of a range led here at once, whatever its amount.
func (s *Store) AdminGC(ctx context.Context, id keys.RangeID) (versions int, bytes int64, err error) {
	h, err := s.leader(id)
	if err != nil {
		return 0, 0, err
	}
	return s.collect(ctx, id, h, s.gcThreshold(h.r.Desc()))
}

// collect removes what no read above threshold sees. The threshold of the range
// rises first: from then on reads at or below it are refused, so none can miss
// what goes.
func (s *Store) collect(ctx context.Context, id keys.RangeID, h *handle, threshold hlc.Timestamp) (versions int, bytes int64, err error) {
	d := h.r.Desc()
	raised := false
	for start := d.Start; start != nil; {
		snap := s.cfg.Engine.NewSnapshot()
		g, err := mvcc.FindGarbage(snap, start, d.End, threshold, gcBatch)
		if err = errors.Join(err, snap.Close()); err != nil {
			return versions, bytes, err
		}
		if len(g.Keys) > 0 {
			if !raised {
				if err := h.r.SetGCThreshold(ctx, threshold); err != nil {
					return versions, bytes, err
				}
				raised = true
			}
			// The end key makes a command fail that a split has overtaken.
			b := kv.Batch{Header: kv.Header{RangeID: id}, Ops: []kv.Op{{
				Kind: kv.OpGC, Key: g.Keys[0].Key, EndKey: keys.Next(g.Keys[len(g.Keys)-1].Key),
				GC: &kv.GCRequest{Threshold: threshold, Keys: g.Keys},
			}}}
			if err := h.r.Send(ctx, &b); err != nil {
				return versions, bytes, fmt.Errorf("collect garbage: %w", err)
			}
			versions, bytes = versions+g.Versions, bytes+g.Bytes
		}
		start = g.Resume
	}
	records, err := s.hasRecords(d)
	if err != nil {
		return versions, bytes, err
	}
	if st := h.r.Stats(); st.RangeTombstones > 0 || records {
		if err := s.dropSpans(ctx, id, h, d, threshold); err != nil {
			return versions, bytes, err
		}
	}
	s.metrics.GCVersions.Add(uint64(versions))
	s.metrics.GCBytes.Add(uint64(bytes))
	if f := s.cfg.Events.GarbageCollected; f != nil && versions > 0 {
		f(id, versions, bytes)
	}
	return versions, bytes, nil
}

// dropSpans removes what range tombstones cover, and old transaction records.
func (s *Store) dropSpans(ctx context.Context, id keys.RangeID, h *handle, d *kv.RangeDescriptor, threshold hlc.Timestamp) error {
	if err := h.r.SetGCThreshold(ctx, threshold); err != nil {
		return err
	}
	for range 1000 {
		b := kv.Batch{Header: kv.Header{RangeID: id}, Ops: []kv.Op{{
			Kind: kv.OpGC, Key: d.Start, EndKey: d.End, GC: &kv.GCRequest{Threshold: threshold},
		}}}
		if err := h.r.Send(ctx, &b); err != nil {
			return fmt.Errorf("collect dropped spans: %w", err)
		}
		if !b.Ops[0].Found {
			break
		}
	}
	return nil
}
