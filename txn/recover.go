package txn

import (
	"context"
	"errors"
	"time"

	"github.com/spanlite/spanlite/kv"
)

// recoverTimeout bounds the coordinator's own attempt to learn the outcome of a
// parallel commit whose answer got lost.
const recoverTimeout = 5 * time.Second

// recover finds out whether a parallel commit took effect after its answer got
// lost: by the same procedure as anyone else who meets the STAGING record
// (protocols: section 4). It asks for each in-flight write in such a way that a
// missing one can never appear, and then decides the record. Cause is returned
// if the outcome stays unknown.
func (t *Txn) recover(ctx context.Context, inFlight []kv.InFlightWrite, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recoverTimeout)
	defer cancel()
	meta := t.meta
	ops := make([]kv.Op, len(inFlight))
	for i, w := range inFlight {
		ops[i] = kv.Op{Kind: kv.OpQueryIntent, Key: w.Key, Seq: w.Seq, PushTxn: &meta}
	}
	b := kv.Batch{Header: kv.Header{GatewayNode: t.db.cfg.Node}, Ops: ops}
	if err := t.db.cfg.Sender.Send(ctx, &b); err != nil {
		return cause
	}
	all := true
	for i := range b.Ops {
		all = all && b.Ops[i].Found
	}
	decide := kv.Batch{
		Header: kv.Header{GatewayNode: t.db.cfg.Node},
		Ops:    []kv.Op{{Kind: kv.OpRecoverTxn, Key: meta.Anchor, PushTxn: &meta, Commit: all}},
	}
	if err := t.db.cfg.Sender.Send(ctx, &decide); err != nil {
		return cause
	}
	record := decide.Ops[0].Record
	if record == nil {
		return cause
	}
	switch record.Status {
	case kv.TxnCommitted:
		t.finish(record.Txn.WriteTS)
		t.db.metrics.ParallelCommits.Add(1)
		t.finishAsync(false)
		return nil
	case kv.TxnAborted:
		t.abandon()
		return &kv.TxnAbortedError{ID: meta.ID, Reason: "its commit did not reach all ranges"}
	}
	return cause
}

func asAborted(err error) (*kv.TxnAbortedError, bool) {
	return errors.AsType[*kv.TxnAbortedError](err)
}
