package txn

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
)

// spill writes the buffered writes as intents and empties the buffer. The
// transaction then has an anchor, and its record is kept alive by heartbeats.
func (t *Txn) spill(ctx context.Context) error {
	n := t.buf.len()
	if n == 0 {
		return nil
	}
	t.db.metrics.Spills.Add(1)
	ops := make([]kv.Op, n)
	t.fillWrites(ops)
	t.relyOnLocks(ops)
	if t.meta.Anchor == nil {
		t.meta.Anchor = keys.Clone(ops[0].Key)
	}
	t.db.registry.add(t)
	if err := t.startHeartbeat(ctx); err != nil {
		return err
	}
	for len(ops) > 0 {
		chunk := ops[:min(len(ops), intentBatchOps)]
		ops = ops[len(chunk):]
		spans := make([]keys.Span, len(chunk))
		for i := range chunk {
			// The buffer's memory is about to be reused.
			spans[i] = keys.Span{Start: keys.Clone(chunk[i].Key)}
		}
		// Noted first: a request that fails may have written some of them.
		t.spilled.add(spans, t.db.cfg.IntentsMax)
		b := kv.Batch{Header: kv.Header{Txn: &t.meta, GatewayNode: t.db.cfg.Node, LockTimeoutMicros: t.lockTimeout}, Ops: chunk}
		if err := t.layIntents(ctx, &b); err != nil {
			return err
		}
	}
	// What has an intent needs no lock: that it was not lost before has been
	// verified with the write.
	t.locks = slices.DeleteFunc(t.locks, func(l kv.LockedKey) bool {
		_, written := t.buf.get(l.Key)
		return written
	})
	// Savepoints from here on work by ignored sequence numbers; those made before
	// keep their undo entries, which put back what the intents replaced.
	if t.savepoints == 0 {
		t.buf.reset()
	} else {
		t.buf.forgetWrites()
	}
	return nil
}

// layIntents sends writes that become intents. If an answer gets lost they are sent
// again: as long as their coordinator has not tried to commit nobody can have made
// versions of them, and what another has aborted is aborted.
func (t *Txn) layIntents(ctx context.Context, b *kv.Batch) error {
	for attempt := 0; ; attempt++ {
		err := t.send(ctx, b)
		if _, lost := errors.AsType[*kv.AmbiguousError](err); !lost || attempt == attemptsMax {
			return err
		}
		if sleep(ctx, outcomePause) != nil {
			return err
		}
	}
}

// forgetWrites empties the buffer but keeps the undo list and its memory: a
// rollback to a savepoint from before the spill puts a key's former write back
// into the buffer, over the intent whose sequence number is then ignored.
func (b *writeBuffer) forgetWrites() {
	b.tree.Clear(true)
	b.size = 0
}

// heartbeat keeps a transaction's record alive while its session thinks.
type heartbeat struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// firstBeatTries bounds how often the snapshot moves for the first record.
const firstBeatTries = 3

// startHeartbeat writes the record and starts the goroutine that renews it.
func (t *Txn) startHeartbeat(ctx context.Context) error {
	if t.heartbeat != nil {
		return nil
	}
	var meta kv.TxnMeta
	for try := 0; ; try++ {
		meta = t.meta
		meta.Anchor = keys.Clone(t.meta.Anchor)
		meta.IgnoredSeqs = nil
		err := t.db.beat(ctx, &meta)
		if err == nil {
			break
		}
		// A range whose lease is younger than the snapshot cannot tell a first record
		// from a late copy of a request. From a later snapshot it can, and nothing
		// of this transaction has left the gateway yet.
		if _, aborted := asAborted(err); !aborted || try == firstBeatTries || !t.spilled.empty() {
			return t.failed(err)
		}
		if err := t.moveUp(ctx, t.db.cfg.Clock.Now(), kv.RetryPushed, kv.Conflict{}); err != nil {
			return err
		}
	}
	hctx, cancel := context.WithCancel(context.Background())
	h := &heartbeat{cancel: cancel, done: make(chan struct{})}
	t.heartbeat = h
	db := t.db
	go func() {
		defer close(h.done)
		ticker := time.NewTicker(db.cfg.HeartbeatInterval)
		defer ticker.Stop()
		for {
			select {
			case <-hctx.Done():
				return
			case <-ticker.C:
			}
			m := meta
			if err := db.beat(hctx, &m); err != nil {
				// An aborted record is found by the transaction's next request or by
				// its commit; there is no point in going on.
				if _, aborted := asAborted(err); aborted {
					return
				}
			}
		}
	}()
	return nil
}

// beat renews the record of a transaction.
func (db *DB) beat(ctx context.Context, meta *kv.TxnMeta) error {
	b := kv.Batch{
		Header: kv.Header{Txn: meta, GatewayNode: db.cfg.Node},
		Ops:    []kv.Op{{Kind: kv.OpHeartbeatTxn, Key: meta.Anchor}},
	}
	if err := db.cfg.Sender.Send(ctx, &b); err != nil {
		return err
	}
	if b.Ops[0].TxnStatus == kv.TxnAborted {
		return &kv.TxnAbortedError{ID: meta.ID, Reason: "its record was aborted"}
	}
	return nil
}

// stopHeartbeat ends the goroutine and waits for it.
func (t *Txn) stopHeartbeat() {
	if t.heartbeat != nil {
		t.heartbeat.cancel()
		<-t.heartbeat.done
		t.heartbeat = nil
	}
}
