package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/mvcc"
	"github.com/spanlite/spanlite/kv/storage"
)

// This file cleans up after coordinators that died. Whoever meets an intent of such a
// transaction resolves it (package participant); what nobody meets is found here, in
// the GC queue's rounds.

// maxAbandoned bounds the intents, and the records, looked at in one turn.
const maxAbandoned = 1000

// cleanIntents resolves old intents. A read without a transaction that does not
// wait does all of it: it meets the intent, finds out what became of its
// transaction (recovering it if need be), resolves it if that is over, and
// otherwise gives up.
func (s *Store) cleanIntents(ctx context.Context, h *handle) error {
	c := s.cluster.Load()
	if c == nil {
		return nil
	}
	d := h.r.Desc()
	old := s.abandonedBefore()
	var found []keys.Key
	cur := mvcc.NewCursor(s.cfg.Engine)
	err := mvcc.ScanIntents(cur, d.Start, d.End, func(i *mvcc.Intent) bool {
		if i.Txn.WriteTS < old {
			found = append(found, keys.Clone(i.Key))
		}
		return len(found) < maxAbandoned
	})
	if err = errors.Join(err, cur.Close()); err != nil {
		return err
	}
	for _, key := range found {
		b := kv.Batch{Header: kv.Header{Wait: kv.WaitError}, Ops: []kv.Op{{Kind: kv.OpGet, Key: key}}}
		err := c.Sender.Send(ctx, &b)
		if _, held := errors.AsType[*kv.LockNotAvailableError](err); held {
			continue
		}
		if err != nil {
			return fmt.Errorf("clean up intents: %w", err)
		}
		s.metrics.IntentsCleaned.Add(1)
	}
	return nil
}

// abandonedBefore is the timestamp at which something has to have happened last to
// count as abandoned.
func (s *Store) abandonedBefore() hlc.Timestamp {
	return s.cfg.Clock.Peek().Add(-s.cfg.IntentAge)
}

// cleanRecords removes COMMITTED records that their coordinators have left, once all
// intents that they list are resolved: until then the record alone says that those
// are committed. Aborted ones go with the garbage, since an intent without a record
// is aborted all the same; the others are decided for the sake of their intents.
func (s *Store) cleanRecords(ctx context.Context, h *handle) error {
	c := s.cluster.Load()
	if c == nil {
		return nil
	}
	d := h.r.Desc()
	old := s.abandonedBefore()
	var found []*kv.TxnRecord
	err := storage.ScanUnversioned(s.cfg.Engine, keys.TxnRecordSpan(d.Start, d.End), func(_ keys.Key, value []byte) error {
		rec := new(kv.TxnRecord)
		if err := rec.Decode(keys.Clone(value)); err != nil {
			return &storage.CorruptionError{Path: "state engine", Cause: err}
		}
		if rec.Status == kv.TxnCommitted && max(rec.LastHeartbeat, rec.Txn.WriteTS) < old {
			if found = append(found, rec); len(found) == maxAbandoned {
				return errFound
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFound) {
		return err
	}
	for _, rec := range found {
		if err := settleRecord(ctx, c.Sender, rec); err != nil {
			return fmt.Errorf("settle the record of %s: %w", rec.Txn.ID.Short(), err)
		}
	}
	return nil
}

// settleRecord does for a committed transaction what its coordinator would have done:
// it resolves the intents, and then removes the record.
func settleRecord(ctx context.Context, sender kv.Sender, rec *kv.TxnRecord) error {
	for _, span := range rec.Intents {
		for span.Start != nil {
			b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpResolveIntent, Key: span.Start, EndKey: span.End,
				PushTxn: &rec.Txn, TxnStatus: kv.TxnCommitted}}}
			if err := sender.Send(ctx, &b); err != nil {
				return err
			}
			span.Start = b.Ops[0].Resume
		}
	}
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpRecoverTxn, Key: rec.Txn.Anchor, PushTxn: &rec.Txn, Commit: true, End: &kv.EndTxn{Commit: true}}}}
	return sender.Send(ctx, &b)
}
