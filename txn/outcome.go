package txn

import (
	"context"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// More bounds of a coordinator's attempts to learn the outcome of a commit whose
// answer got lost.
const (
	// outcomeGrace is what is left after the statement has been cancelled or has
	// run out of time: the answer is near, if the range has a leaseholder at all.
	outcomeGrace = 2 * time.Second
	// outcomePause is between two questions.
	outcomePause = 50 * time.Millisecond
)

// outcomeContext returns the context for the questions about a commit that was sent
// under ctx.
func (db *DB) outcomeContext(ctx context.Context) (context.Context, context.CancelFunc) {
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.cfg.OutcomeWait)
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(outcomeGrace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-detached.Done():
		}
	})
	return detached, func() {
		stop()
		cancel()
	}
}

// rangeOutcome is what a range says of a transaction.
type rangeOutcome struct {
	status kv.TxnStatus
	ts     hlc.Timestamp // if it is committed
	record *kv.TxnRecord // if there is one
}

// outcomeAt asks the range of key for the outcome of a transaction whose last
// attempt to commit was sent at sent (kv.OpQueryOutcome).
func (db *DB) outcomeAt(ctx context.Context, key keys.Key, meta *kv.TxnMeta, sent hlc.Timestamp) (rangeOutcome, error) {
	b := kv.Batch{
		Header: kv.Header{GatewayNode: db.cfg.Node},
		Ops:    []kv.Op{{Kind: kv.OpQueryOutcome, Key: key, PushTxn: meta, TS: sent}},
	}
	if err := db.cfg.Sender.Send(ctx, &b); err != nil {
		return rangeOutcome{}, err
	}
	o := &b.Ops[0]
	return rangeOutcome{o.TxnStatus, o.PushedTS, o.Record}, nil
}

// askOutcome finds out what became of the last attempt to commit in one phase,
// after its answer got lost with cause: the timestamp at which it committed, or zero
// if it has not and never will. Only if the range cannot tell, or does not answer in
// time, is the error the one that was to be explained.
func (t *Txn) askOutcome(ctx context.Context, cause *kv.AmbiguousError) (hlc.Timestamp, error) {
	t.db.metrics.OutcomeQueries.Add(1)
	ctx, cancel := t.db.outcomeContext(ctx)
	defer cancel()
	meta := t.detachedMeta()
	for {
		out, err := t.db.outcomeAt(ctx, meta.Anchor, &meta, t.end.SentAt)
		if err != nil {
			if sleep(ctx, outcomePause) != nil {
				return 0, cause
			}
			continue
		}
		switch out.status {
		case kv.TxnCommitted:
			return out.ts, nil
		case kv.TxnPending:
			return 0, nil
		case kv.TxnAborted:
			if out.record != nil {
				return 0, &kv.TxnAbortedError{ID: meta.ID, Reason: "it was aborted by another transaction"}
			}
			return 0, nil
		}
		return 0, cause
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
