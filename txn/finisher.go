package txn

import (
	"context"
	"fmt"
	"slices"
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

// finisherGroup bounds the jobs that one worker does together. Each step of a
// group is one request, and so one log entry per range and not per transaction:
// otherwise resolution could not keep up with the commits, and readers would wait
// for intents of transactions that have long been committed.
const finisherGroup = 128

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
			group := make([]job, 0, finisherGroup)
			for j := range f.jobs {
				group = append(group[:0], j)
				for more := true; more && len(group) < finisherGroup; {
					select {
					case j, ok := <-f.jobs:
						if more = ok; ok {
							group = append(group, j)
						}
					default:
						more = false
					}
				}
				db.completeAll(f.ctx, group)
				clear(group)
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

// completeAll runs jobs, those of committed transactions together.
func (db *DB) completeAll(ctx context.Context, jobs []job) {
	var together []*job
	for i := range jobs {
		j := &jobs[i]
		if j.status != kv.TxnCommitted || len(j.unlock) > 0 || len(j.intents) > resolveBatchKeys || len(jobs) == 1 {
			db.complete(ctx, j)
			continue
		}
		if len(j.intents) > 0 {
			together = append(together, j)
		}
	}
	if len(together) == 0 {
		return
	}
	if err := db.settleAll(ctx, together); err != nil {
		// One of them has a story of its own. What has been done for the others
		// may be done again.
		for _, j := range together {
			db.complete(ctx, j)
		}
	}
}

// settleAll is settle for several committed transactions: the same three steps.
func (db *DB) settleAll(ctx context.Context, jobs []*job) error {
	if err := db.decideAll(ctx, jobs, nil); err != nil {
		return err
	}
	n := 0
	for _, j := range jobs {
		n += len(j.intents)
	}
	ops := make([]kv.Op, 0, n)
	for _, j := range jobs {
		ops = appendResolve(ops, j)
	}
	if err := db.resolveOps(ctx, ops); err != nil {
		return err
	}
	return db.decideAll(ctx, jobs, &kv.EndTxn{Commit: true})
}

// decideAll makes STAGING records COMMITTED, or with end removes COMMITTED ones.
func (db *DB) decideAll(ctx context.Context, jobs []*job, end *kv.EndTxn) error {
	b := kv.Batch{Header: kv.Header{GatewayNode: db.cfg.Node}}
	for _, j := range jobs {
		if j.explicit || end != nil {
			b.Ops = append(b.Ops, kv.Op{Kind: kv.OpRecoverTxn, Key: j.meta.Anchor, PushTxn: &j.meta, Commit: true, End: end})
		}
	}
	if len(b.Ops) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	if err := db.cfg.Sender.Send(ctx, &b); err != nil {
		return err
	}
	for i := range b.Ops {
		if o := &b.Ops[i]; o.TxnStatus != kv.TxnCommitted {
			return fmt.Errorf("txn: record of %s is %s, not committed", o.PushTxn.ID.Short(), o.TxnStatus)
		}
	}
	return nil
}

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
	return db.resolveOps(ctx, appendResolve(make([]kv.Op, 0, len(j.intents)), j))
}

// appendResolve appends the resolutions of a job's intents.
func appendResolve(ops []kv.Op, j *job) []kv.Op {
	for _, s := range j.intents {
		ops = append(ops, kv.Op{Kind: kv.OpResolveIntent, Key: s.Start, EndKey: s.End, PushTxn: &j.meta, TxnStatus: j.status})
	}
	return ops
}

// resolveOps sends resolutions in requests of bounded size.
func (db *DB) resolveOps(ctx context.Context, rest []kv.Op) error {
	var ops []kv.Op
	for len(rest) > 0 {
		ops = ops[:0]
		spans := 0
		for len(rest) > 0 && len(ops) < resolveBatchKeys && spans < resolveBatchSpans {
			if rest[0].EndKey != nil {
				spans++
			}
			ops = append(ops, rest[0])
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
					left = append(left, kv.Op{Kind: kv.OpResolveIntent, Key: o.Resume, EndKey: o.EndKey, PushTxn: o.PushTxn, TxnStatus: o.TxnStatus})
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
	// A lock on a key that was written falls when its intent is resolved: whoever
	// waits for the one could not go on before the other either.
	t.locks = slices.DeleteFunc(t.locks, func(l kv.LockedKey) bool {
		_, written := t.buf.get(l.Key)
		return written
	})
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
