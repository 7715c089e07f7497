package txn

import (
	"context"
	"errors"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
)

// This file is two-phase commit as seen from outside (PREPARE TRANSACTION): the
// coordinator makes everything durable that a commit needs and hands the decision to
// somebody else, perhaps much later and at another node.
//
// Preparing is committing, except for the word that the record gets. All writes are
// intents, reads have been verified at the commit timestamp, and the record is
// PREPARED: it needs no heartbeats, and pushers do not abort it. At SERIALIZABLE the
// timestamp is fixed from then on, so readers of what was written wait for the
// decision; the other levels make way for readers as before. Locks in memory would not outlive their leaseholder or this
// process, so each locked key that is not written becomes an intent that changes
// nothing. That is stronger than the lock: readers of the key wait too.

// lockedMax bounds the locks of a transaction that is prepared.
const lockedMax = 20_000

// Prepare makes the transaction durable and leaves its outcome to FinishPrepared. The
// transaction must have written something. Publish is called when the record's place
// is known and before the record is PREPARED; it must store, by other means, what
// PreparedRecord needs. An error leaves the transaction open: roll it back. After a
// *kv.AmbiguousError it may be prepared or not.
func (t *Txn) Prepare(ctx context.Context, publish func(ctx context.Context, id kv.TxnID, anchor keys.Key) error) error {
	if t.status != statusOpen {
		return ErrFinished
	}
	if err := t.writeLocked(ctx); err != nil {
		return err
	}
	if err := t.spill(ctx); err != nil {
		return err
	}
	if err := publish(ctx, t.meta.ID, keys.Clone(t.meta.Anchor)); err != nil {
		return err
	}
	for attempt := 0; attempt < commitMovesMax; attempt++ {
		b := t.newBatch(1)
		t.end = kv.EndTxn{
			Commit: true, Prepare: true, Intents: t.spilled.spans, ReadsComplete: true, Fences: t.fences, SentAt: t.db.cfg.Clock.Now(),
		}
		if t.meta.Isolation == kv.Serializable {
			t.end.Reads = t.reads.spans
		}
		b.Ops[0] = kv.Op{Kind: kv.OpEndTxn, Key: t.meta.Anchor, End: &t.end}
		err := t.db.cfg.Sender.Send(ctx, b)
		if _, lost := errors.AsType[*kv.AmbiguousError](err); lost {
			// It is asked for until somebody knows. Sending it again is harmless.
			rec, askErr := t.db.PreparedRecord(ctx, t.meta.ID, t.meta.Anchor)
			switch {
			case askErr != nil:
				return t.commitFailed(err)
			case rec != nil && rec.Status == kv.TxnPrepared:
				err = nil
			default:
				continue
			}
		}
		if err == nil {
			t.prepared()
			return nil
		}
		retry, ok := errors.AsType[*kv.RetryError](err)
		if !ok || t.meta.Isolation != kv.Serializable || retry.RetryTS <= t.meta.ReadTS {
			return t.commitFailed(err)
		}
		if err := t.moveUp(ctx, retry.RetryTS, retry.Reason, retry.Conflict); err != nil {
			return t.failed(err)
		}
	}
	return t.failed(&kv.RetryError{Reason: kv.RetryPushed, RetryTS: t.db.cfg.Clock.Now()})
}

// prepared ends the coordinator's part.
func (t *Txn) prepared() {
	t.status = statusPrepared
	t.stopHeartbeat()
	t.db.cfg.Clock.Update(t.meta.WriteTS)
	if t.holdsLocks() {
		j := job{meta: t.detachedMeta(), unlock: t.heldSpans()}
		t.forgetLocks()
		t.db.submit(j)
	}
	t.unregister()
}

// writeLocked writes every key that is locked and not written, as it is.
func (t *Txn) writeLocked(ctx context.Context) error {
	if len(t.locks) > lockedMax {
		return &kv.TooLargeError{What: "set of locks of a prepared transaction", Size: int64(len(t.locks)), Limit: lockedMax}
	}
	var ks [][]byte
	for i := range t.locks {
		ks = append(ks, t.locks[i].Key)
	}
	for _, s := range t.lockedSpans {
		// Which keys of the span are locked is not known any more: all of them are.
		var rows kv.Rows
		for start := []byte(s.Start); start != nil; {
			resume, err := t.Scan(ctx, start, s.End, ScanOptions{}, &rows)
			if err != nil {
				return err
			}
			if start = resume; rows.Count > lockedMax {
				return &kv.TooLargeError{What: "set of locks of a prepared transaction", Size: int64(rows.Count), Limit: lockedMax}
			}
		}
		for pos := 0; ; {
			key, _, _, next, ok := rows.Next(pos)
			if !ok {
				break
			}
			pos = next
			ks = append(ks, keys.Clone(key))
		}
	}
	for _, key := range ks {
		if _, written := t.buf.get(key); written {
			continue
		}
		value, ok, err := t.Get(ctx, key, Locking{Strength: kv.LockUpdate})
		if err != nil {
			return err
		}
		if !ok {
			value = nil
		} else if value == nil {
			value = []byte{}
		}
		if err := t.write(ctx, key, value); err != nil {
			return err
		}
	}
	return nil
}

// PreparedRecord returns the record of a transaction that was to be prepared: its
// status tells what became of it. Nil means that it was never prepared, or that all of
// it is over.
func (db *DB) PreparedRecord(ctx context.Context, id kv.TxnID, anchor keys.Key) (*kv.TxnRecord, error) {
	b := kv.Batch{
		Header: kv.Header{GatewayNode: db.cfg.Node},
		Ops:    []kv.Op{{Kind: kv.OpQueryTxn, Key: anchor, PushTxn: &kv.TxnMeta{ID: id, Anchor: anchor}}},
	}
	if err := db.cfg.Sender.Send(ctx, &b); err != nil {
		return nil, err
	}
	return b.Ops[0].Record, nil
}

// FinishPrepared decides a prepared transaction, at any node. The effects can be seen
// when it returns.
func (db *DB) FinishPrepared(ctx context.Context, rec *kv.TxnRecord, commit bool) error {
	j := job{meta: rec.Txn, status: kv.TxnAborted, intents: rec.Intents, record: true}
	if commit {
		j.status = kv.TxnCommitted
	}
	for attempt := 0; ; attempt++ {
		meta := rec.Txn // the reply may move its timestamp
		end := kv.EndTxn{Commit: commit, Intents: rec.Intents, ReadsComplete: true}
		b := kv.Batch{
			Header: kv.Header{Txn: &meta, GatewayNode: db.cfg.Node},
			Ops:    []kv.Op{{Kind: kv.OpEndTxn, Key: meta.Anchor, End: &end}},
		}
		err := db.cfg.Sender.Send(ctx, &b)
		if err == nil {
			if b.Ops[0].TxnStatus != j.status {
				return &kv.TxnAbortedError{ID: meta.ID, Reason: "it has been decided the other way"}
			}
			j.meta.WriteTS = meta.WriteTS
			db.cfg.Clock.Update(meta.WriteTS)
			break
		}
		// The decision is taken once, so it may be sent again.
		if _, lost := errors.AsType[*kv.AmbiguousError](err); !lost || attempt == attemptsMax {
			return err
		}
		if err := sleep(ctx, outcomePause); err != nil {
			return err
		}
	}
	db.submit(j)
	return nil
}
