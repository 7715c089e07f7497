package txn

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
)

// finisher does what remains after a transaction's outcome is decided: it makes a
// STAGING commit explicit, resolves intents, and releases locks that could not be
// released at once. Nothing depends on it for correctness.
//
// Its queue is bounded: when it is full, the committing goroutine does the work
// itself, which slows writers down to what resolution can take.
type finisher struct {
	jobs   chan job
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	// mu guards closed; jobs is sent to under its read lock.
	mu     sync.RWMutex
	closed bool
}

const finisherQueue = 4096

// job is the rest of one transaction. Its memory is its own.
type job struct {
	meta    kv.TxnMeta
	status  kv.TxnStatus
	intents []keys.Span
	// explicit: the record has to be told the decision before intents are resolved.
	explicit bool
	// record: there may be a record to remove although there are no intents.
	record bool
	unlock []keys.Span
}

func (f *finisher) start(db *DB) {
	f.jobs = make(chan job, finisherQueue)
	f.ctx, f.cancel = context.WithCancel(context.Background())
	for range db.cfg.Resolvers {
		f.wg.Add(1)
		go func() {
			defer f.wg.Done()
			for j := range f.jobs {
				db.complete(f.ctx, &j)
			}
		}()
	}
}

// stop finishes what is queued, within a bound, and ends the workers.
func (f *finisher) stop() {
	f.mu.Lock()
	if !f.closed {
		f.closed = true
		close(f.jobs)
	}
	f.mu.Unlock()
	timer := time.AfterFunc(5*time.Second, f.cancel)
	f.wg.Wait()
	timer.Stop()
	f.cancel()
}

func (db *DB) submit(j job) {
	f := &db.finisher
	f.mu.RLock()
	if !f.closed {
		select {
		case f.jobs <- j:
			f.mu.RUnlock()
			return
		default:
		}
	}
	f.mu.RUnlock()
	db.complete(f.ctx, &j)
}

// completeTimeout bounds one request of a job. What is left undone is done by
// whoever meets it.
const completeTimeout = 30 * time.Second

// complete runs a job.
func (db *DB) complete(ctx context.Context, j *job) {
	if len(j.unlock) > 0 {
		if err := db.unlock(ctx, &j.meta, j.unlock); err != nil {
			db.cfg.Logger.Debug("release of locks", "txn", j.meta.ID.Short(), "error", err)
		}
	}
	if err := db.settle(ctx, j); err != nil {
		db.metrics.ResolveErrors.Add(1)
		db.cfg.Logger.Debug("resolution of intents", "txn", j.meta.ID.Short(), "error", err)
	}
}

// settle makes the decision explicit, resolves the intents and then removes the
// record, in this order: as long as there are intents their record has to tell
// what became of them.
func (db *DB) settle(ctx context.Context, j *job) error {
	if len(j.intents) == 0 && !j.record {
		return nil
	}
	if j.explicit {
		if err := db.endRecord(ctx, j, j.intents); err != nil {
			return err
		}
	}
	if err := db.resolve(ctx, j); err != nil {
		return err
	}
	return db.endRecord(ctx, j, nil)
}

// endRecord writes the decision into the record; without intents the record goes.
func (db *DB) endRecord(ctx context.Context, j *job, intents []keys.Span) error {
	meta := j.meta // the reply may move its timestamps
	end := kv.EndTxn{Commit: j.status == kv.TxnCommitted, Intents: intents, ReadsComplete: true}
	b := kv.Batch{
		Header: kv.Header{Txn: &meta, GatewayNode: db.cfg.Node},
		Ops:    []kv.Op{{Kind: kv.OpEndTxn, Key: meta.Anchor, End: &end}},
	}
	err := db.cfg.Sender.Send(ctx, &b)
	if _, aborted := asAborted(err); aborted && j.status == kv.TxnAborted {
		return nil
	}
	if err == nil && b.Ops[0].TxnStatus != j.status {
		// Decided once (I11): the record knows better than a coordinator that had
		// been told that it is too late. Whoever meets the intents asks it.
		return fmt.Errorf("txn: record is %s, not %s", b.Ops[0].TxnStatus, j.status)
	}
	return err
}

// Bounds of one request that resolves intents. A span may hold many, of which the
// range resolves so many at a time and says where to go on.
const (
	resolveBatchKeys  = 500
	resolveBatchSpans = 50
	// resolveTries is how often one request is tried again.
	resolveTries = 5
)

// resolve resolves all of a job's intents. It returns nil only if none is left:
// the record goes afterwards, and an intent without a record counts as aborted.
func (db *DB) resolve(ctx context.Context, j *job) error {
	rest := j.intents
	var ops []kv.Op
	for len(rest) > 0 {
		ops = ops[:0]
		spans := 0
		for len(rest) > 0 && len(ops) < resolveBatchKeys && spans < resolveBatchSpans {
			if rest[0].End != nil {
				spans++
			}
			ops = append(ops, kv.Op{Kind: kv.OpResolveIntent, Key: rest[0].Start, EndKey: rest[0].End, PushTxn: &j.meta, TxnStatus: j.status})
			rest = rest[1:]
		}
		for len(ops) > 0 {
			if err := db.resolveBatch(ctx, ops); err != nil {
				return err
			}
			// What was cut short goes on where it stopped.
			left := ops[:0]
			for _, o := range ops {
				if o.Resume != nil {
					left = append(left, kv.Op{Kind: kv.OpResolveIntent, Key: o.Resume, EndKey: o.EndKey, PushTxn: &j.meta, TxnStatus: j.status})
				}
			}
			ops = left
		}
	}
	return nil
}

// resolveBatch sends one request, each try with its own time.
func (db *DB) resolveBatch(ctx context.Context, ops []kv.Op) error {
	var err error
	for try := range resolveTries {
		if err = backoff(ctx, 2+try); err != nil {
			return err
		}
		b := kv.Batch{Header: kv.Header{GatewayNode: db.cfg.Node}, Ops: ops}
		sendCtx, cancel := context.WithTimeout(ctx, completeTimeout)
		err = db.cfg.Sender.Send(sendCtx, &b)
		cancel()
		if err == nil {
			return nil
		}
	}
	return err
}

// unlock releases memory locks.
func (db *DB) unlock(ctx context.Context, meta *kv.TxnMeta, spans []keys.Span) error {
	ops := make([]kv.Op, len(spans))
	for i, s := range spans {
		ops[i] = kv.Op{Kind: kv.OpUnlock, Key: s.Start, EndKey: s.End}
	}
	b := kv.Batch{Header: kv.Header{Txn: meta, GatewayNode: db.cfg.Node}, Ops: ops}
	return db.cfg.Sender.Send(ctx, &b)
}

// unlockSpansMax bounds the keys unlocked one by one.
const unlockSpansMax = 1000

// heldSpans returns where the transaction holds memory locks, in memory of its
// own.
func (t *Txn) heldSpans() []keys.Span {
	spans := make([]keys.Span, 0, len(t.locks)+len(t.lockedSpans))
	for i := range t.locks {
		spans = append(spans, keys.Span{Start: keys.Clone(t.locks[i].Key)})
	}
	for _, s := range t.lockedSpans {
		spans = append(spans, keys.Span{Start: keys.Clone(s.Start), End: keys.Clone(s.End)})
	}
	return joinSpans(spans, unlockSpansMax)
}

// forgetLocks is called when the locks have been released, or handed over to
// someone who will.
func (t *Txn) forgetLocks() {
	clear(t.locks)
	clear(t.lockedSpans)
	t.locks, t.lockedSpans = t.locks[:0], t.lockedSpans[:0]
}

func (t *Txn) holdsLocks() bool { return len(t.locks)+len(t.lockedSpans) > 0 }

// release lets go of locks and intents after a rollback or a commit without
// writes. The transaction's status is final.
func (t *Txn) release(ctx context.Context) {
	t.stopHeartbeat()
	if t.spilled.empty() {
		if t.holdsLocks() {
			spans := t.heldSpans()
			t.forgetLocks()
			if ctx.Err() != nil || t.db.unlock(ctx, &t.meta, spans) != nil {
				t.db.submit(job{meta: t.detachedMeta(), unlock: spans})
			}
		}
		t.unregister()
		return
	}
	t.releaseAsync()
}

// releaseAsync hands the release of everything to the finisher.
func (t *Txn) releaseAsync() {
	t.stopHeartbeat()
	j := job{meta: t.detachedMeta(), status: kv.TxnAborted}
	if t.status == statusAborted && !t.spilled.empty() {
		j.explicit = true
		j.intents = cloneSpans(t.spilled.spans)
	}
	if t.holdsLocks() {
		j.unlock = t.heldSpans()
		t.forgetLocks()
	}
	if len(j.intents) > 0 || len(j.unlock) > 0 {
		t.db.submit(j)
	}
	t.unregister()
}

// finishAsync hands the rest of a parallel commit to the finisher; explicit if the
// record is STAGING still.
func (t *Txn) finishAsync(explicit bool) {
	t.stopHeartbeat()
	j := job{meta: t.detachedMeta(), status: kv.TxnCommitted, intents: cloneSpans(t.spilled.spans), explicit: explicit}
	j.meta.WriteTS = t.commitTS
	if t.holdsLocks() {
		j.unlock = t.heldSpans()
		t.forgetLocks()
	}
	t.unregister()
	t.db.submit(j)
}

// detachedMeta returns a copy of the metadata that outlives the Txn.
func (t *Txn) detachedMeta() kv.TxnMeta {
	m := t.meta
	m.Anchor = keys.Clone(m.Anchor)
	m.IgnoredSeqs = append([]kv.SeqRange(nil), m.IgnoredSeqs...)
	return m
}

func cloneSpans(spans []keys.Span) []keys.Span {
	out := make([]keys.Span, len(spans))
	for i, s := range spans {
		out[i] = keys.Span{Start: keys.Clone(s.Start)}
		if s.End != nil {
			out[i].End = keys.Clone(s.End)
		}
	}
	return out
}
