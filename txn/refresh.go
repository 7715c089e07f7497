package txn

import (
	"context"
	"errors"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/invariant"
)

// moveUp moves the snapshot to at least to. That is free while nothing has been
// read; at SERIALIZABLE it is right if no read span has a version in between,
// which the ranges are asked to verify (and to remember, so that none appears
// later). Otherwise the transaction, or at READ COMMITTED the statement, must
// start over: *kv.RetryError with the given reason.
func (t *Txn) moveUp(ctx context.Context, to hlc.Timestamp, reason kv.RetryReason, conflict kv.Conflict) error {
	clock := t.db.cfg.Clock
	clock.Update(to)
	// Going to the present saves the next move.
	to = max(to, clock.Now())
	if !t.opts.AsOf.IsZero() {
		return &kv.RetryError{Reason: reason, RetryTS: to, Conflict: conflict}
	}
	if t.meta.Isolation != kv.Serializable {
		if t.used {
			return &kv.RetryError{Reason: reason, RetryTS: to, Conflict: conflict}
		}
		t.moveReadTS(to)
		return nil
	}
	if len(t.reads.spans) > 0 && !invariant.Mutated(invariant.SkipRefresh) {
		if err := t.refresh(ctx, to); err != nil {
			return err
		}
	}
	t.moveReadTS(to)
	return nil
}

// refresh verifies that nothing read changed in (ReadTS, to].
func (t *Txn) refresh(ctx context.Context, to hlc.Timestamp) error {
	t.db.metrics.Refreshes.Add(1)
	// A batch of its own: t.batch may be the one whose reply made this necessary.
	meta := t.meta
	meta.WriteTS = max(meta.WriteTS, to)
	ops := make([]kv.Op, len(t.reads.spans))
	for i, s := range t.reads.spans {
		ops[i] = kv.Op{Kind: kv.OpRefresh, Key: s.Start, EndKey: s.End, RefreshFrom: t.meta.ReadTS}
	}
	b := kv.Batch{Header: kv.Header{Txn: &meta, GatewayNode: t.db.cfg.Node}, Ops: ops}
	err := t.db.cfg.Sender.Send(ctx, &b)
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*kv.RefreshFailedError](err); ok {
		t.db.metrics.RefreshFailures.Add(1)
		return &kv.RetryError{Reason: kv.RetrySerializable, RetryTS: to, Conflict: f.Conflict}
	}
	return t.failed(err)
}

// Advance moves the snapshot to the present, if all that was read still holds
// there. A transaction calls it to see what it has written by other means.
func (t *Txn) Advance(ctx context.Context) error {
	now := t.db.cfg.Clock.Now()
	if t.meta.Isolation == kv.ReadCommitted {
		t.setReadTS(now)
		return nil
	}
	return t.moveUp(ctx, now, kv.RetryPushed, kv.Conflict{})
}
