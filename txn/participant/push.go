package participant

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/txn/locktable"
)

// push looks after the transaction that b says is in req's way, and removes it if
// it is over. No latches are held.
func (p *Participant) push(ctx context.Context, req *replica.Request, st *request, b locktable.Blocker) error {
	// A wait must not outlast the lease: without a quorum nobody can commit.
	if err := p.r.CheckLease(ctx); err != nil {
		return err
	}
	if !b.Intent {
		alive, known := p.alive(&b.Txn)
		switch {
		case alive && known:
			return nil
		case len(b.Txn.Anchor) == 0:
			// No write of it has left its buffer. If its gateway is gone the lock
			// falls; should it come back, its commit will find out (I13).
			if known {
				p.locks.ReleaseTxn(b.Txn.ID)
			}
			return nil
		}
	}
	if p.cfg.Sender == nil || len(b.Txn.Anchor) == 0 {
		return nil
	}
	o := kv.Op{Kind: kv.OpPushTxn, Key: b.Txn.Anchor, PushTxn: &b.Txn, PushKind: kv.PushTouch}
	if b.Intent && st.pushTS != 0 {
		o.PushKind, o.TS = kv.PushTimestamp, st.pushTS
	}
	batch := kv.Batch{Header: kv.Header{Txn: pusher(req)}, Ops: []kv.Op{o}}
	if err := p.cfg.Sender.Send(ctx, &batch); err != nil {
		return ignorable(ctx, err)
	}
	r := &batch.Ops[0]
	switch r.TxnStatus {
	case kv.TxnCommitted, kv.TxnAborted:
		return p.clear(ctx, b, r.TxnStatus, r.Record)
	case kv.TxnStaging:
		if !r.Found || r.Record == nil {
			return nil
		}
		rec, err := p.recover(ctx, r.Record)
		if err != nil || rec == nil {
			return ignorable(ctx, err)
		}
		if rec.Status.Final() {
			return p.clear(ctx, b, rec.Status, rec)
		}
	case kv.TxnPending, kv.TxnPrepared:
		if r.PushedTS != 0 && b.Intent {
			moved := b.Txn
			moved.WriteTS = r.PushedTS
			return ignorable(ctx, p.resolve(ctx, b.Key, &moved, kv.TxnPending))
		}
	}
	return nil
}

// pushersMax bounds the pushes that one request has under way.
const pushersMax = 32

// pushAll looks after all the intents that a scan has met. A coordinator that died
// leaves thousands of them; one after the other they would take minutes.
func (p *Participant) pushAll(ctx context.Context, req *replica.Request, st *request, met []kv.Conflict) error {
	var wg sync.WaitGroup
	slots := make(chan struct{}, pushersMax)
	errs := make([]error, len(met))
	for i := range met {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = p.push(ctx, req, st, locktable.Blocker{Key: met[i].Key, Txn: met[i].Holder, Intent: true})
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// alive asks whether the coordinator of a transaction without record lives.
func (p *Participant) alive(t *kv.TxnMeta) (alive, known bool) {
	if p.cfg.Graph.Waiting(t.ID) {
		return true, true // it has a request right here
	}
	if f := p.cfg.CoordinatorAlive; f != nil {
		return f(t)
	}
	return false, false
}

// pusher returns the transaction in whose name to push. It is a copy: the reply
// must not move the waiting request's timestamps.
func pusher(req *replica.Request) *kv.TxnMeta {
	t := req.Batch.Txn
	if t == nil {
		return nil
	}
	c := *t
	return &c
}

// ignorable lets a wait go on if the other range did not answer: the next push may
// have more luck.
func ignorable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// clear removes what an ended transaction has left at b.
func (p *Participant) clear(ctx context.Context, b locktable.Blocker, status kv.TxnStatus, rec *kv.TxnRecord) error {
	if !b.Intent {
		p.locks.ReleaseTxn(b.Txn.ID)
		return nil
	}
	t := b.Txn
	if rec != nil {
		t.WriteTS, t.Epoch, t.IgnoredSeqs = rec.Txn.WriteTS, rec.Txn.Epoch, rec.Txn.IgnoredSeqs
	}
	return ignorable(ctx, p.resolve(ctx, b.Key, &t, status))
}

func (p *Participant) resolve(ctx context.Context, key keys.Key, t *kv.TxnMeta, status kv.TxnStatus) error {
	batch := kv.Batch{Ops: []kv.Op{{Kind: kv.OpResolveIntent, Key: key, PushTxn: t, TxnStatus: status}}}
	if p.r.ContainsKey(key) {
		return p.r.Send(ctx, &batch)
	}
	return p.cfg.Sender.Send(ctx, &batch)
}

// recover decides a STAGING transaction whose coordinator is silent: committed if
// every write in flight is there, aborted if one is missing and, after the query,
// can never appear.
func (p *Participant) recover(ctx context.Context, rec *kv.TxnRecord) (*kv.TxnRecord, error) {
	commit := true
	for i := range rec.InFlight {
		w := &rec.InFlight[i]
		batch := kv.Batch{Ops: []kv.Op{{Kind: kv.OpQueryIntent, Key: w.Key, Seq: w.Seq, PushTxn: &rec.Txn}}}
		if err := p.cfg.Sender.Send(ctx, &batch); err != nil {
			return nil, err
		}
		if !batch.Ops[0].Found {
			commit = false
			break
		}
	}
	batch := kv.Batch{Ops: []kv.Op{{Kind: kv.OpRecoverTxn, Key: rec.Txn.Anchor, PushTxn: &rec.Txn, Commit: commit}}}
	if err := p.cfg.Sender.Send(ctx, &batch); err != nil {
		return nil, err
	}
	return batch.Ops[0].Record, nil
}

// waitUnlisted waits for an intent that is not in the lock table: with NOWAIT not
// at all, beyond finding out whether the holder has ended; else, because the table
// is full, by asking again after a while.
func (p *Participant) waitUnlisted(ctx context.Context, req *replica.Request, st *request, c *kv.Conflict) error {
	b := locktable.Blocker{Key: c.Key, Txn: c.Holder, Intent: true}
	if req.Batch.Wait == kv.WaitError {
		before := p.resolutions.Load()
		if err := p.push(ctx, req, st, b); err != nil {
			return err
		}
		if p.resolutions.Load() == before {
			return &kv.LockNotAvailableError{Conflict: *c}
		}
		return nil
	}
	timer := time.NewTimer(p.cfg.PushAfter)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return p.push(ctx, req, st, b)
}
