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

// recover finds out whether a parallel commit took effect after an answer to it got
// lost, like anyone else who meets its intents:
//
//  1. Ask the record, and abort it if it is not STAGING: if the record has never
//     been written, it never will be now.
//  2. If it is STAGING, ask for each write in flight, in such a way that a missing
//     one can never appear.
//  3. Decide the record by that.
//
// Cause is returned if the outcome stays unknown.
func (t *Txn) recover(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recoverTimeout)
	defer cancel()
	meta := t.detachedMeta()
	push := kv.Batch{
		Header: kv.Header{GatewayNode: t.db.cfg.Node},
		Ops:    []kv.Op{{Kind: kv.OpPushTxn, Key: meta.Anchor, PushTxn: &meta, PushKind: kv.PushAbort}},
	}
	if err := t.db.cfg.Sender.Send(ctx, &push); err != nil {
		return cause
	}
	status, record := push.Ops[0].TxnStatus, push.Ops[0].Record
	if status == kv.TxnStaging && record != nil {
		var err error
		if record, err = t.db.recoverStaging(ctx, record); err != nil || record == nil {
			return cause
		}
		status = record.Status
	}
	switch {
	case status == kv.TxnCommitted && record != nil:
		t.meta.WriteTS = record.Txn.WriteTS
		t.finish(record.Txn.WriteTS)
		t.db.metrics.ParallelCommits.Add(1)
		t.finishAsync(false)
		return nil
	case status == kv.TxnAborted:
		t.abandon()
		return &kv.TxnAbortedError{ID: meta.ID, Reason: "its commit did not reach all ranges"}
	}
	return cause
}

// recoverStaging decides a STAGING record and returns what became of it.
func (db *DB) recoverStaging(ctx context.Context, record *kv.TxnRecord) (*kv.TxnRecord, error) {
	header := kv.Header{GatewayNode: db.cfg.Node}
	commit := true
	if n := len(record.InFlight); n > 0 {
		query := kv.Batch{Header: header, Ops: make([]kv.Op, n)}
		for i, w := range record.InFlight {
			query.Ops[i] = kv.Op{Kind: kv.OpQueryIntent, Key: w.Key, Seq: w.Seq, PushTxn: &record.Txn}
		}
		if err := db.cfg.Sender.Send(ctx, &query); err != nil {
			return nil, err
		}
		for i := range query.Ops {
			commit = commit && query.Ops[i].Found
		}
	}
	decide := kv.Batch{
		Header: header,
		Ops:    []kv.Op{{Kind: kv.OpRecoverTxn, Key: record.Txn.Anchor, PushTxn: &record.Txn, Commit: commit}},
	}
	if err := db.cfg.Sender.Send(ctx, &decide); err != nil {
		return nil, err
	}
	return decide.Ops[0].Record, nil
}

func asAborted(err error) (*kv.TxnAbortedError, bool) {
	return errors.AsType[*kv.TxnAbortedError](err)
}
