package replica

import (
	"bytes"
	"context"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/invariant"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/latch"
)

// Send executes a batch; see kv.Sender and the package comment.
//
// Errors: *kv.RangeMismatchError, *kv.NotLeaseholderError, *kv.RangeNotFoundError
// and *kv.UnavailableError: nothing was done; *kv.AmbiguousError; whatever the
// participant finds; the context's.
func (r *Replica) Send(ctx context.Context, b *kv.Batch) error {
	write := false
	for i := range b.Ops {
		if b.Ops[i].Kind.IsWrite() {
			write = true
			break
		}
	}
	if b.Now != 0 {
		r.cfg.Clock.Update(b.Now)
	}
	if write {
		r.load.writes.Add(1)
		if r.cfg.Admit != nil {
			if err := r.cfg.Admit(ctx, b); err != nil {
				return err
			}
		}
	} else {
		r.load.reads.Add(1)
	}
	req := newRequest(r, b)
	defer req.free()
	err := r.execute(ctx, req, write)
	if req.sequenced {
		// Before the latches: who holds a latch on everything (splits, transfers)
		// must not find locks of transactions that have ended.
		r.p.Finish(req, err)
	}
	if !req.keep {
		r.unlatch(req)
	}
	if req.Now != 0 {
		b.Now = req.Now
	}
	if err == nil {
		r.load.keysRead.Add(keysRead(b))
	}
	return err
}

// keysRead counts what reads have returned.
func keysRead(b *kv.Batch) (n uint64) {
	for i := range b.Ops {
		switch o := &b.Ops[i]; o.Kind {
		case kv.OpGet:
			n++
		case kv.OpScan:
			n += uint64(o.Rows.Count)
		}
	}
	return n
}

// execute runs the request under latches, again after each wait. It may return
// with the latches held.
func (r *Replica) execute(ctx context.Context, req *Request, write bool) error {
	b := req.Batch
	// serve is the timestamp that the lease has to cover: for plain reads of a
	// transaction the snapshot, for all else, which acts on the present, now.
	var serve = b.ReadTS
	if t := b.Txn; t != nil {
		req.ReadTS = t.ReadTS
		serve = max(t.ReadTS, t.WriteTS)
	}
	r.cfg.Clock.Update(serve)
	if write || b.Txn == nil || !plainReads(b) {
		req.Now = r.cfg.Clock.Now()
		serve = req.Now
		if b.Txn == nil {
			req.ReadTS = b.ReadTS
			if b.ReadTS == 0 {
				req.ReadTS = req.Now
			}
		}
	}
	if b.Inconsistent {
		return r.inconsistent(ctx, req)
	}
	req.declare(write)
	for {
		if f := r.refuse.Load(); f != nil {
			return f.err
		}
		if err := r.checkBounds(b); err != nil {
			return err
		}
		var ok bool
		if _, ok = r.lease(serve); !ok {
			if err := r.awaitLease(ctx, serve); err != nil {
				return err
			}
		}
		guard, err := r.latch(ctx, req.latches)
		if err != nil {
			return err
		}
		req.guard = guard
		// While the request waited its range may have been split, frozen or lost.
		// With the latches held none of that can happen any more before it is done.
		if req.Lease, ok = r.lease(serve); !ok {
			r.unlatch(req)
			continue
		}
		if f := r.refuse.Load(); f != nil {
			r.unlatch(req)
			return f.err
		}
		if err := r.checkBounds(b); err != nil {
			r.unlatch(req)
			return err
		}
		req.Cache = r.tsc.Load()
		req.NoIntents = r.intents.Load() == 0 || invariant.Mutated(invariant.IgnoreIntents)
		req.sequenced = true
		ok, err = r.p.Sequence(req)
		if ok && err == nil {
			err = r.p.Evaluate(ctx, req)
			switch err {
			case nil:
				return r.complete(ctx, req)
			case ErrConflict:
				ok, err = false, nil
			case ErrWiden:
				r.unlatch(req)
				req.resetWrites()
				req.declare(write)
				continue
			}
		}
		r.unlatch(req)
		req.resetWrites()
		if err != nil {
			return err
		}
		r.load.lockWaits.Add(1)
		if err := r.p.Wait(ctx, req); err != nil {
			return err
		}
	}
}

// complete ends an evaluated request.
func (r *Replica) complete(ctx context.Context, req *Request) error {
	if req.writes == nil || req.writes.Empty() {
		// Only after the read: the threshold rises before versions go, so if it is
		// still below, nothing was missing.
		if req.ReadTS <= r.GCThreshold() && req.ReadTS != 0 && readsAtTS(req.Batch) {
			return &kv.BeforeGCError{TS: req.ReadTS, Threshold: r.GCThreshold()}
		}
		return nil
	}
	return r.propose(ctx, req)
}

func (req *Request) resetWrites() {
	if req.writes != nil {
		req.writes.Reset()
	}
	req.Stats = Stats{}
	req.Outcomes = req.Outcomes[:0]
}

// latch takes the request's latches. While the outcome of a command is unknown
// its latches may stay for long, so the wait is bounded then.
func (r *Replica) latch(ctx context.Context, latches []latch.Latch) (*latch.Guard, error) {
	if r.lostCount.Load() == 0 {
		g, err := r.latches.Acquire(ctx, latches)
		if err == nil && g.Waited {
			r.load.latchWaits.Add(1)
		}
		return g, err
	}
	start := time.Now()
	bounded, cancel := context.WithTimeout(ctx, r.cfg.LeaseWait)
	defer cancel()
	g, err := r.latches.Acquire(bounded, latches)
	if err != nil && ctx.Err() == nil {
		err = &kv.UnavailableError{RangeID: r.cfg.RangeID, Waited: time.Since(start), Cause: errNoQuorum}
	}
	return g, err
}

func (r *Replica) unlatch(req *Request) {
	if req.guard != nil {
		r.latches.Release(req.guard)
		req.guard = nil
	}
}

// plainReads reports whether the batch consists of reads without locks.
func plainReads(b *kv.Batch) bool {
	for i := range b.Ops {
		o := &b.Ops[i]
		if o.Lock != kv.LockNone || o.Kind != kv.OpGet && o.Kind != kv.OpScan {
			return false
		}
	}
	return true
}

func readsAtTS(b *kv.Batch) bool {
	for i := range b.Ops {
		switch b.Ops[i].Kind {
		case kv.OpGet, kv.OpScan, kv.OpRefresh:
			return true
		}
	}
	return false
}

// checkBounds returns a RangeMismatchError if an operation lies outside of the
// range. A generation other than the sender's is no error by itself: members
// change it too.
func (r *Replica) checkBounds(b *kv.Batch) error {
	d := r.desc.Load()
	if d == nil {
		return &kv.NotLeaseholderError{RangeID: r.cfg.RangeID}
	}
	for i := range b.Ops {
		o := &b.Ops[i]
		if bytes.Compare(o.Key, d.Start) < 0 || bytes.Compare(o.Key, d.End) >= 0 ||
			o.EndKey != nil && bytes.Compare(o.EndKey, d.End) > 0 {
			return &kv.RangeMismatchError{RangeID: r.cfg.RangeID, Descs: []*kv.RangeDescriptor{d}}
		}
	}
	return nil
}

// ContainsKey reports whether the range holds key.
func (r *Replica) ContainsKey(key keys.Key) bool {
	d := r.desc.Load()
	return d != nil && d.Contains(key)
}

// Contains reports whether the range holds all of the spans.
func (r *Replica) Contains(spans []keys.Span) bool {
	d := r.desc.Load()
	for _, s := range spans {
		if d == nil || !d.Contains(s.Start) || s.End != nil && bytes.Compare(s.End, d.End) > 0 {
			return false
		}
	}
	return true
}

// inconsistent serves reads of whatever this replica has applied.
func (r *Replica) inconsistent(ctx context.Context, req *Request) error {
	if f := r.refuse.Load(); f != nil {
		return f.err
	}
	if err := r.checkBounds(req.Batch); err != nil {
		return err
	}
	if !plainReads(req.Batch) {
		return errInconsistentWrite
	}
	req.NoIntents = true
	req.sequenced = true
	return r.p.Evaluate(ctx, req)
}
