package txn

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// Limits of a commit.
const (
	// commitMovesMax bounds how often one commit moves to a later timestamp.
	// Each move is caused by a concurrent reader or writer, so a few suffice.
	commitMovesMax = 20
	// inFlightMax bounds the writes listed in a STAGING record: recovery asks for
	// each of them. A larger commit writes its intents first and takes two rounds.
	inFlightMax = 1000
	// attemptsMax bounds the attempts to send one commit in one phase: each needs a
	// leaseholder that went away.
	attemptsMax = 20
	// intentBatchOps bounds the intents sent in one batch.
	intentBatchOps = 2000
)

// Commit makes the transaction's writes durable and visible. On success
// CommitTimestamp tells when. A *kv.RetryError leaves the transaction open: the
// caller restarts it or rolls it back. After a *kv.AmbiguousError it may have
// committed or not, and never will later.
func (t *Txn) Commit(ctx context.Context) error {
	if t.status != statusOpen {
		return ErrFinished
	}
	if !t.HasWrites() && len(t.fences) == 0 {
		t.finish(t.meta.ReadTS)
		t.db.metrics.ReadOnly.Add(1)
		t.release(ctx)
		return nil
	}
	// From here on others may meet the transaction: its intents, or its place in the
	// queue for a lock that a write needs.
	t.db.registry.add(t)
	onePhase := t.spilled.empty()
	for range commitMovesMax {
		var err error
		if onePhase {
			err = t.commitOnePhase(ctx)
			if _, cross := errors.AsType[*kv.CrossRangeError](err); cross {
				onePhase = false
				continue
			}
		} else {
			err = t.commitParallel(ctx)
		}
		if err == nil {
			return nil
		}
		retry, ok := errors.AsType[*kv.RetryError](err)
		if !ok || t.status != statusOpen || t.meta.Isolation != kv.Serializable || retry.RetryTS <= t.meta.ReadTS {
			return t.commitFailed(err)
		}
		// The commit timestamp has to be later. If all reads hold there, it can be.
		if err := t.moveUp(ctx, retry.RetryTS, retry.Reason, retry.Conflict); err != nil {
			return t.commitFailed(err)
		}
	}
	return t.commitFailed(&kv.RetryError{Reason: kv.RetryPushed, RetryTS: t.db.cfg.Clock.Now()})
}

// finish notes that the transaction has committed at ts.
func (t *Txn) finish(ts hlc.Timestamp) {
	t.status = statusCommitted
	t.commitTS = ts
	t.db.cfg.Clock.Update(ts)
	t.db.metrics.Committed.Add(1)
}

// commitFailed sorts the errors of a commit.
func (t *Txn) commitFailed(err error) error {
	if _, ok := errors.AsType[*kv.AmbiguousError](err); ok {
		t.status = statusAmbiguous
		t.db.metrics.Ambiguous.Add(1)
		t.releaseAsync()
		return &UnknownOutcomeError{Txn: t.Handle(), Cause: err}
	}
	return t.failed(err)
}

// commitOnePhase sends all writes and the commit as one batch, which one range
// executes as one log entry. Locks fall with it. If the answer gets lost the range
// is asked what became of the attempt, and there is another one if it came to
// nothing.
func (t *Txn) commitOnePhase(ctx context.Context) error {
	n := t.buf.len()
	b := t.newBatch(n + 1)
	t.fillWrites(b.Ops)
	t.endTxn(&b.Ops[n], b.Ops)
	t.end.OnePhase = true
	for range attemptsMax {
		err := t.db.cfg.Sender.Send(ctx, b)
		switch e := err.(type) {
		case nil:
		case *kv.StaleCommitError:
			t.end.SentAt = t.db.cfg.Clock.Now()
			continue
		case *kv.AmbiguousError:
			ts, err := t.askOutcome(ctx, e)
			if err != nil {
				return err
			}
			if ts == 0 {
				t.end.SentAt = t.db.cfg.Clock.Now()
				continue
			}
			t.meta.WriteTS = ts
		default:
			return err
		}
		t.finish(t.meta.WriteTS)
		t.db.metrics.OnePhase.Add(1)
		t.forgetLocks()
		t.unregister()
		return nil
	}
	return &kv.RetryError{Reason: kv.RetryLockLost, RetryTS: t.db.cfg.Clock.Now()}
}

// fillWrites makes ops, which are zero, the buffered writes in key order.
func (t *Txn) fillWrites(ops []kv.Op) {
	i := 0
	if t.buf.len() == 0 {
		return
	}
	t.buf.tree.Ascend(func(w bufferedWrite) bool {
		op := &ops[i]
		op.Kind, op.Key, op.Value, op.Seq = kv.OpPut, w.key, w.value, w.seq
		if w.value == nil {
			op.Kind = kv.OpDelete
		}
		i++
		return true
	})
}

// endTxn makes op the commit of the transaction.
func (t *Txn) endTxn(op *kv.Op, ops []kv.Op) {
	if t.meta.Anchor == nil {
		t.meta.Anchor = ops[0].Key
		if ops[0].Kind == kv.OpEndTxn || ops[0].Key == nil {
			t.meta.Anchor = t.fenceAnchor()
		}
	}
	t.end = kv.EndTxn{
		Commit: true, Locks: t.locks, ReadsComplete: true, Fences: t.fences,
		SentAt: t.db.cfg.Clock.Peek(),
	}
	if t.meta.Isolation == kv.Serializable {
		t.end.Reads = t.reads.spans
	}
	op.Kind, op.Key, op.End = kv.OpEndTxn, t.meta.Anchor, &t.end
}

// fenceAnchor is the anchor of a commit that has fences but no writes.
func (t *Txn) fenceAnchor() keys.Key {
	if len(t.fences) > 0 {
		return t.fences[0].Key
	}
	return keys.SystemMin
}

// commitParallel commits over several ranges. The intents and a STAGING record
// that lists them go out together; when all are durable at or below the record's
// timestamp the transaction is committed.
func (t *Txn) commitParallel(ctx context.Context) error {
	if t.buf.len() > inFlightMax {
		if err := t.spill(ctx); err != nil {
			return err
		}
	}
	if err := t.verifyForeignLocks(ctx); err != nil {
		return err
	}
	n := t.buf.len()
	b := t.newBatch(n + 1)
	t.fillWrites(b.Ops)
	t.relyOnLocks(b.Ops[:n])
	t.endTxn(&b.Ops[n], b.Ops)
	// The buffer's writes become intents now, whatever comes of it: from here on
	// they belong to what has to be resolved, in memory that outlives the buffer.
	if t.spilled.empty() {
		t.meta.Anchor = t.mem.copy(t.meta.Anchor)
		b.Ops[n].Key = t.meta.Anchor
	}
	inFlight := make([]kv.InFlightWrite, n)
	written := make([]keys.Span, n)
	for i := range n {
		inFlight[i] = kv.InFlightWrite{Key: b.Ops[i].Key, Seq: b.Ops[i].Seq}
		written[i] = keys.Span{Start: t.mem.copy(b.Ops[i].Key)}
	}
	t.spilled.add(written, t.db.cfg.IntentsMax)
	t.end.Intents, t.end.InFlight = t.spilled.spans, inFlight
	staged := t.meta.WriteTS
	for range commitMovesMax {
		err := t.db.cfg.Sender.Send(ctx, b)
		if err != nil {
			if _, ambiguous := errors.AsType[*kv.AmbiguousError](err); ambiguous {
				return t.recover(ctx, err)
			}
			return err
		}
		if t.meta.WriteTS <= staged || n == 0 {
			t.finish(max(staged, t.meta.WriteTS))
			t.db.metrics.ParallelCommits.Add(1)
			t.finishAsync(n > 0)
			return nil
		}
		// A write had to land above the record's timestamp: verify the reads there,
		// and stage again. The intents stand.
		if t.meta.Isolation == kv.Serializable {
			if err := t.moveUp(ctx, t.meta.WriteTS, kv.RetryPushed, kv.Conflict{}); err != nil {
				return err
			}
		}
		staged = t.meta.WriteTS
		end := t.end
		b = t.newBatch(1)
		t.end = end
		t.end.Reads = nil
		if t.meta.Isolation == kv.Serializable {
			t.end.Reads = t.reads.spans
		}
		b.Ops[0] = kv.Op{Kind: kv.OpEndTxn, Key: t.meta.Anchor, End: &t.end}
	}
	return &kv.RetryError{Reason: kv.RetryPushed, RetryTS: t.db.cfg.Clock.Now()}
}

// relyOnLocks tells the leaseholders of writes which of them the transaction has
// locked, and when their newest versions were read: should a lock be lost, a
// changed key is found out there (I13).
func (t *Txn) relyOnLocks(writes []kv.Op) {
	if len(t.locks) == 0 {
		return
	}
	held := t.firstReads()
	for i := range writes {
		o := &writes[i]
		if l, ok := held[string(o.Key)]; ok {
			o.Lock, o.TS = l.Strength, l.ReadTS
		}
	}
}

// firstReads returns the locks that were taken in this epoch, by key, each as it
// was first taken: since then nobody may have written.
func (t *Txn) firstReads() map[string]*kv.LockedKey {
	held := make(map[string]*kv.LockedKey, len(t.locks))
	for i := range t.locks {
		l := &t.locks[i]
		if l.ReadTS == hlc.Max {
			continue
		}
		if first := held[string(l.Key)]; first == nil || l.ReadTS < first.ReadTS {
			held[string(l.Key)] = l
		}
	}
	return held
}

// verifyForeignLocks checks that keys which are locked but not written have not
// changed since (I13). A one-phase commit does so at its range, and a SERIALIZABLE
// one holds by its reads; for the others the ranges are asked before any intent is
// written, because a commit that is staged can no longer be refused. (A lease that
// moves between this and the commit escapes: the row would have had to be locked
// durably.)
func (t *Txn) verifyForeignLocks(ctx context.Context) error {
	if len(t.locks) == 0 || t.meta.Isolation == kv.Serializable {
		return nil
	}
	var ops []kv.Op
	for key, l := range t.firstReads() {
		if _, written := t.buf.get(l.Key); !written {
			ops = append(ops, kv.Op{Kind: kv.OpRefresh, Key: keys.Key(key), RefreshFrom: l.ReadTS})
		}
	}
	if len(ops) == 0 {
		return nil
	}
	slices.SortFunc(ops, func(a, b kv.Op) int { return bytes.Compare(a.Key, b.Key) })
	meta := t.meta
	meta.WriteTS = max(meta.WriteTS, t.db.cfg.Clock.Now())
	b := kv.Batch{Header: kv.Header{Txn: &meta, GatewayNode: t.db.cfg.Node}, Ops: ops}
	err := t.db.cfg.Sender.Send(ctx, &b)
	if f, ok := errors.AsType[*kv.RefreshFailedError](err); ok {
		return &kv.RetryError{Reason: kv.RetryLockLost, RetryTS: meta.WriteTS, Conflict: f.Conflict}
	}
	return err
}
