package txn

import (
	"context"
	"errors"

	"github.com/spanlite/spanlite/kv"
)

// recover finds out whether a parallel commit took effect after an answer to it got
// lost, like anyone else who meets its intents:
//
//  1. Ask the range of the record. If the record has never been written, it never
//     will be now.
//  2. If it is STAGING, ask for each write in flight, in such a way that a missing
//     one can never appear. If it is PENDING, abort it.
//  3. Decide the record by that.
//
// Cause is returned if the outcome stays unknown.
func (t *Txn) recover(ctx context.Context, cause error) error {
	t.db.metrics.OutcomeQueries.Add(1)
	ctx, cancel := t.db.outcomeContext(ctx)
	defer cancel()
	meta := t.detachedMeta()
	for {
		out, err := t.db.outcomeAt(ctx, meta.Anchor, &meta, t.end.SentAt)
		if err == nil {
			out, err = t.db.decide(ctx, &meta, out)
		}
		switch {
		case err != nil:
			if sleep(ctx, outcomePause) != nil {
				return cause
			}
			continue
		case out.status == kv.TxnCommitted:
			t.meta.WriteTS = out.ts
			t.finish(out.ts)
			t.db.metrics.ParallelCommits.Add(1)
			t.finishAsync(false)
			return nil
		case out.status == kv.TxnAborted:
			t.abandon()
			return &kv.TxnAbortedError{ID: meta.ID, Reason: "its commit did not reach all ranges"}
		}
		return cause
	}
}

// decide ends a transaction that its range says is PENDING or STAGING.
func (db *DB) decide(ctx context.Context, meta *kv.TxnMeta, out rangeOutcome) (rangeOutcome, error) {
	record := out.record
	switch out.status {
	case kv.TxnStaging:
		var err error
		if record, err = db.recoverStaging(ctx, record); err != nil {
			return out, err
		}
	case kv.TxnPending:
		push := kv.Batch{
			Header: kv.Header{GatewayNode: db.cfg.Node},
			Ops:    []kv.Op{{Kind: kv.OpPushTxn, Key: record.Txn.Anchor, PushTxn: meta, PushKind: kv.PushAbort}},
		}
		if err := db.cfg.Sender.Send(ctx, &push); err != nil {
			return out, err
		}
		record = push.Ops[0].Record
	default:
		return out, nil
	}
	if record == nil || !record.Status.Final() {
		return out, errUndecided
	}
	return rangeOutcome{status: record.Status, ts: record.Txn.WriteTS, record: record}, nil
}

var errUndecided = errors.New("txn: the record was not decided")

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
