package participant

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/mvcc"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/txn/locktable"
)

// request is the participant's memory of one replica.Request. It stays with the
// Request when that is reused.
type request struct {
	waiter  locktable.Waiter
	waiting bool // waiter is queued
	// intent is the intent to wait for if it could not be entered into the lock
	// table.
	intent *kv.Conflict
	// met are the intents that a scan has met, if there were several: who waits
	// for the first looks after them all.
	met []kv.Conflict
	// pushTS is above which an intent is no longer in the way: for plain reads.
	pushTS hlc.Timestamp

	// self is the identity under which a non-transactional request queues.
	self    kv.TxnMeta
	hasSelf bool

	// widened: the latches of Request.ReadSpans are held.
	widened bool
	// locks[i] is how the transaction stands to a lock on the key of op i, from
	// Sequence. For one-phase commits.
	locks []locktable.Status
	// newest[i] is the top of the history of op i's key.
	newest []mvcc.Newest
	// skipped[i]: op i was left out (SKIP LOCKED).
	skipped []bool
	// bases[i] is where op i's rows begin in its Rows: evaluation may have to
	// start again.
	bases   []base
	started bool

	// What Finish has to do.
	ended     bool // the transaction ended here
	status    kv.TxnStatus
	resolved  []resolved
	removed   []removed // committed transactions whose records go
	forgotten bool

	get  mvcc.ReadOptions
	scan mvcc.ScanOptions
	rows kv.Rows
	key  []byte
	key2 []byte
}

type base struct{ buf, count int }

// resolved is a resolution of intents that is under way.
type resolved struct {
	id     kv.TxnID
	span   keys.Span
	status kv.TxnStatus
}

type removed struct {
	id kv.TxnID
	ts hlc.Timestamp
}

func stateOf(req *replica.Request) *request {
	if st, ok := req.State.(*request); ok {
		return st
	}
	st := new(request)
	req.State = st
	return st
}

// begin notes where results start, once.
func (st *request) begin(b *kv.Batch) {
	if st.started {
		return
	}
	st.started = true
	st.bases = st.bases[:0]
	st.skipped = st.skipped[:0]
	for i := range b.Ops {
		var at base
		if r := b.Ops[i].Rows; r != nil {
			at = base{len(r.Buf), r.Count}
		}
		st.bases = append(st.bases, at)
		st.skipped = append(st.skipped, false)
	}
}

func (st *request) reset() {
	st.waiting, st.intent, st.pushTS = false, nil, 0
	st.hasSelf, st.widened, st.started = false, false, false
	st.ended, st.forgotten = false, false
	clear(st.resolved)
	st.resolved, st.removed = st.resolved[:0], st.removed[:0]
	st.met = nil
	st.locks, st.newest = st.locks[:0], st.newest[:0]
	st.get, st.scan = mvcc.ReadOptions{}, mvcc.ScanOptions{}
	if cap(st.rows.Buf) > 256<<10 {
		st.rows = kv.Rows{}
	}
	st.rows.Reset()
}

// rewind takes back the rows of an evaluation that came to nothing: the sender may
// try again elsewhere, with the same buffers.
func (st *request) rewind(b *kv.Batch) {
	if !st.started {
		return
	}
	for i := range st.bases {
		if r := b.Ops[i].Rows; r != nil {
			r.Buf, r.Count = r.Buf[:st.bases[i].buf], st.bases[i].count
		}
	}
}

// selfCounter makes the ids of non-transactional requests.
var selfCounter atomic.Uint64

// identity returns the transaction under which the request queues: its own, or
// one made up for a request without.
func (st *request) identity(req *replica.Request) *kv.TxnMeta {
	if t := req.Batch.Txn; t != nil {
		return t
	}
	if !st.hasSelf {
		st.hasSelf = true
		st.self = kv.TxnMeta{StartTS: req.Now, ReadTS: req.ReadTS, WriteTS: req.ReadTS}
		binary.BigEndian.PutUint64(st.self.ID[8:], selfCounter.Add(1))
		binary.BigEndian.PutUint64(st.self.ID[:8], ^uint64(0))
	}
	return &st.self
}

// isOnePhase returns the commit of a batch that is the whole of a transaction.
func isOnePhase(b *kv.Batch) *kv.EndTxn {
	if n := len(b.Ops); n > 0 && b.Txn != nil {
		if o := &b.Ops[n-1]; o.Kind == kv.OpEndTxn && o.End != nil && o.End.OnePhase && o.End.Commit {
			return o.End
		}
	}
	return nil
}

func writeStrength(o *kv.Op) kv.LockStrength {
	if o.Lock != kv.LockNone {
		return o.Lock
	}
	return kv.LockUpdate
}

// Sequence implements replica.Sequencer.
func (p *Participant) Sequence(req *replica.Request) (bool, error) {
	b := req.Batch
	if len(b.Ops) == 1 && b.Ops[0].Kind == kv.OpGet && b.Ops[0].Lock == kv.LockNone {
		return true, nil
	}
	st := stateOf(req)
	st.begin(b)
	onePhase := isOnePhase(b) != nil
	if onePhase {
		st.locks = st.locks[:0]
	}
	for i := range b.Ops {
		o := &b.Ops[i]
		switch o.Kind {
		case kv.OpGet:
			if o.Lock == kv.LockNone || b.Txn == nil || st.skipped[i] {
				continue
			}
			if err := p.checkAlive(b.Txn); err != nil {
				return false, err
			}
			ok, err := p.locks.Acquire(&st.waiter, o.Key, b.Txn, o.Lock, o.Seq, b.Wait)
			if err != nil {
				if _, busy := err.(*kv.LockNotAvailableError); busy && b.Wait == kv.WaitSkipLocked {
					st.skipped[i] = true
					continue
				}
				return false, err
			}
			if !ok {
				st.waiting = true
				return false, nil
			}
		case kv.OpPut, kv.OpDelete, kv.OpIncrement, kv.OpCompareAndPut:
			s := p.locks.Check(o.Key, b.Txn, o.Lock)
			if !s.Free {
				ok, err := p.locks.Acquire(&st.waiter, o.Key, st.identity(req), writeStrength(o), o.Seq, writeWait(b))
				if err != nil {
					return false, err
				}
				if !ok {
					st.waiting = true
					return false, nil
				}
			}
			if onePhase {
				st.locks = append(st.locks, s)
			}
		default:
			if onePhase {
				st.locks = append(st.locks, locktable.Status{})
			}
		}
	}
	return true, nil
}

// writeWait is the batch's policy for writes: they cannot be skipped.
func writeWait(b *kv.Batch) kv.WaitPolicy {
	if b.Wait == kv.WaitError {
		return kv.WaitError
	}
	return kv.WaitBlock
}

// checkAlive refuses transactions that are known to have ended (I11).
func (p *Participant) checkAlive(t *kv.TxnMeta) error {
	if out, ok := p.ended(t.ID); ok {
		if out.Status() == kv.TxnAborted {
			return &kv.TxnAbortedError{ID: t.ID, Reason: "it was aborted before"}
		}
		return &kv.TxnAbortedError{ID: t.ID, Reason: "it has been committed"}
	}
	return nil
}

// Wait implements replica.Sequencer.
func (p *Participant) Wait(ctx context.Context, req *replica.Request) error {
	st := stateOf(req)
	met := st.met
	st.met = nil
	switch {
	case st.waiting:
		st.waiting = false
		return st.waiter.Wait(ctx, locktable.WaitOptions{
			LockTimeout: time.Duration(req.Batch.LockTimeoutMicros) * time.Microsecond,
			Push: func(ctx context.Context, b locktable.Blocker) error {
				if len(met) > 1 {
					all := met
					met = nil
					return p.pushAll(ctx, req, st, all)
				}
				return p.push(ctx, req, st, b)
			},
			PushAfter: p.cfg.PushAfter,
			PushMax:   p.cfg.PushMax,
		})
	case st.intent != nil:
		c := st.intent
		st.intent = nil
		return p.waitUnlisted(ctx, req, st, c)
	}
	return ctx.Err()
}

// Finish implements replica.Sequencer.
func (p *Participant) Finish(req *replica.Request, err error) {
	st, ok := req.State.(*request)
	if !ok {
		return
	}
	if st.hasSelf {
		p.locks.ReleaseTxn(st.self.ID)
	}
	if err != nil {
		st.rewind(req.Batch)
	}
	if err == nil {
		if st.ended {
			t := req.Batch.Txn
			switch {
			case len(req.Outcomes) > 0: // the replica remembers it
			case st.status == kv.TxnCommitted:
				p.finish(t.ID, t.WriteTS)
			default:
				p.finish(t.ID, 0)
			}
			p.locks.ReleaseTxn(t.ID)
		}
		for i := range st.resolved {
			p.applied(&st.resolved[i])
		}
		p.supersede(&req.Batch.Header, req.Batch.Ops)
		for _, r := range st.removed {
			p.finish(r.id, r.ts)
		}
	}
	st.reset()
}

// supersede gives up the locks of keys that have intents now. A batch that commits
// holds on to them: they go soon, and with them those who wait.
func (p *Participant) supersede(h *kv.Header, ops []kv.Op) {
	if h.Txn == nil || len(ops) == 0 || ops[len(ops)-1].Kind == kv.OpEndTxn {
		return
	}
	for i := range ops {
		if o := &ops[i]; o.Lock != kv.LockNone && (o.Kind == kv.OpPut || o.Kind == kv.OpDelete) {
			p.locks.Supersede(h.Txn.ID, o.Key)
		}
	}
}

// applied lets go those who wait for intents that have been resolved.
func (p *Participant) applied(r *resolved) {
	p.resolutions.Add(1)
	if r.status == kv.TxnAborted {
		p.finish(r.id, 0)
	}
	if r.span.End == nil {
		p.locks.ReleaseKey(r.id, r.span.Start)
	} else {
		p.locks.ReleaseSpan(r.id, r.span, 0)
	}
}
