package txn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// Options are fixed when a transaction begins.
type Options struct {
	Isolation kv.Isolation
	// ReadOnly refuses writes and locks with ErrReadOnly.
	ReadOnly bool
	// Name tells other transactions who is in their way: application, statement.
	Name string
	// Session is the session that runs the transaction; see Info.
	Session uint64
	// AsOf, if set, is the timestamp of all reads; implies ReadOnly.
	AsOf hlc.Timestamp
	// LockTimeout bounds each wait for a lock; 0 means no bound.
	LockTimeout time.Duration
}

// ErrReadOnly is a write in a read-only transaction. The session refuses such
// statements itself (25006); this is the backstop.
var ErrReadOnly = errors.New("txn: write in a read-only transaction")

// ErrFinished is the use of a transaction that has ended.
var ErrFinished = errors.New("txn: transaction has ended")

// status is the coordinator's view.
type status uint8

const (
	statusOpen status = iota
	statusCommitted
	statusAborted
	// statusAmbiguous: the commit was sent, and its outcome is not known.
	statusAmbiguous
	// statusPrepared: the outcome is up to others.
	statusPrepared
)

// Txn is one transaction. It is made by DB.Begin, ended by Commit or Rollback,
// and given back by Close, after which it must not be used. One goroutine at a
// time uses a Txn.
type Txn struct {
	db     *DB
	opts   Options
	meta   kv.TxnMeta
	status status

	buf writeBuffer
	// locks are the keys locked in memory at their leaseholders. Invariant:
	// sorted by Seq.
	locks       []kv.LockedKey
	lockedSpans []lockedSpan // likewise
	reads       readSet
	// used: something was read or locked at ReadTS, so it cannot move freely.
	used bool
	// spilled are the spans of intents that have left the buffer.
	spilled  intentSet
	hasLocks bool
	// registered: the transaction is in the registry.
	registered  bool
	heartbeat   *heartbeat
	savepoints  int // open savepoints: the buffer keeps undo while > 0
	lockTimeout int64
	fences      []kv.Fence
	commitTS    hlc.Timestamp

	// batch is reused by every request of the transaction.
	batch kv.Batch
	rows  kv.Rows // scratch of scans that need the buffer overlaid
	value []byte  // receives the value of a Get
	mem   arena   // keys of locks and reads
	end   kv.EndTxn
}

// Begin starts a transaction. It sends nothing.
func (db *DB) Begin(opts Options) *Txn {
	t := db.pool.Get().(*Txn)
	db.metrics.Begun.Add(1)
	t.opts = opts
	t.lockTimeout = opts.LockTimeout.Microseconds()
	t.status = statusOpen
	now := opts.AsOf
	if now.IsZero() {
		now = db.cfg.Clock.Now()
	} else {
		t.opts.ReadOnly = true
	}
	t.meta = kv.TxnMeta{
		ID: db.newID(), StartTS: now, Isolation: opts.Isolation, GatewayNode: db.cfg.Node,
		IgnoredSeqs: t.meta.IgnoredSeqs[:0],
	}
	t.setReadTS(now)
	if !opts.AsOf.IsZero() {
		t.meta.UncertaintyLimit = now
	}
	return t
}

// setReadTS takes a snapshot at a reading of this node's clock. Values up to the
// clock offset above it may have been written before it was taken.
func (t *Txn) setReadTS(ts hlc.Timestamp) {
	t.meta.ReadTS = ts
	t.meta.WriteTS = max(t.meta.WriteTS, ts)
	t.meta.UncertaintyLimit = ts.Add(t.db.cfg.Clock.MaxOffset())
}

// moveReadTS moves the snapshot up. What is uncertain was settled when it was
// taken: a value above that limit was written later, however far the snapshot
// moves.
func (t *Txn) moveReadTS(ts hlc.Timestamp) {
	t.meta.ReadTS = ts
	t.meta.WriteTS = max(t.meta.WriteTS, ts)
	t.meta.UncertaintyLimit = max(t.meta.UncertaintyLimit, ts)
}

// Close gives the Txn's memory back. A transaction that is still open is rolled
// back in the background. Close of a nil Txn does nothing.
func (t *Txn) Close() {
	if t == nil {
		return
	}
	if t.status == statusOpen {
		t.Rollback(context.Background())
	}
	if t.status == statusAmbiguous {
		return // a late message may still refer to its memory
	}
	t.reset()
	t.db.pool.Put(t)
}

func (t *Txn) reset() {
	t.buf.reset()
	t.forgetLocks()
	t.reads.reset()
	t.spilled.reset()
	t.mem.reset()
	t.used, t.hasLocks, t.registered = false, false, false
	t.savepoints = 0
	t.fences = nil
	t.commitTS = 0
	t.end = kv.EndTxn{}
	t.batch = kv.Batch{Ops: t.batch.Ops[:0]}
	if cap(t.rows.Buf) > 1<<20 {
		t.rows = kv.Rows{}
	}
	if cap(t.value) > 64<<10 {
		t.value = nil
	}
	t.meta.IgnoredSeqs = t.meta.IgnoredSeqs[:0]
}

// ID returns the transaction's id.
func (t *Txn) ID() kv.TxnID { return t.meta.ID }

// Meta returns what participants know of the transaction.
func (t *Txn) Meta() *kv.TxnMeta { return &t.meta }

// ReadTimestamp returns the timestamp of reads.
func (t *Txn) ReadTimestamp() hlc.Timestamp { return t.meta.ReadTS }

// CommitTimestamp returns when the transaction committed; zero before.
func (t *Txn) CommitTimestamp() hlc.Timestamp { return t.commitTS }

// Used reports whether anything has been read, locked or written.
func (t *Txn) Used() bool { return t.used || t.hasLocks || t.buf.len() > 0 || !t.spilled.empty() }

// HasWrites reports whether there is anything to commit.
func (t *Txn) HasWrites() bool { return t.buf.len() > 0 || !t.spilled.empty() }

// Isolation returns the isolation level.
func (t *Txn) Isolation() kv.Isolation { return t.meta.Isolation }

// SetIsolation changes the level; only before the first use.
func (t *Txn) SetIsolation(i kv.Isolation) { t.opts.Isolation, t.meta.Isolation = i, i }

// SetLockTimeout bounds each later wait for a lock; 0 means no bound.
func (t *Txn) SetLockTimeout(d time.Duration) { t.lockTimeout = d.Microseconds() }

// SetReadOnly makes writes and locks fail, or allows them again.
func (t *Txn) SetReadOnly(readOnly bool) { t.opts.ReadOnly = readOnly }

// AddFence makes the commit fail with a *kv.FenceError if the advisory lock has
// been granted anew.
func (t *Txn) AddFence(f kv.Fence) { t.fences = append(t.fences, f) }

// StepStatement starts a new statement: at READ COMMITTED it takes a new
// snapshot; at the other levels only as long as nothing has been read, since the
// snapshot is that of the first statement and not of BEGIN.
func (t *Txn) StepStatement() {
	if t.status == statusOpen && t.opts.AsOf.IsZero() && (t.meta.Isolation == kv.ReadCommitted || !t.used) {
		t.setReadTS(t.db.cfg.Clock.Now())
		t.used = false
	}
}

// Savepoint is a position in a transaction's writes and locks.
type Savepoint struct {
	undo int
	seq  uint32
}

// Savepoint marks the present position. Each needs a Release or, at the end, the
// end of the transaction.
func (t *Txn) Savepoint() Savepoint {
	t.savepoints++
	return Savepoint{undo: len(t.buf.undo), seq: t.meta.Seq}
}

// Release forgets a savepoint and keeps what was written since.
func (t *Txn) Release(Savepoint) {
	if t.savepoints--; t.savepoints == 0 {
		clear(t.buf.undo)
		t.buf.undo = t.buf.undo[:0]
	}
}

// RollbackTo undoes the writes made since the savepoint, which stays, and
// releases the locks taken since.
func (t *Txn) RollbackTo(ctx context.Context, s Savepoint) error {
	if t.status != statusOpen {
		return ErrFinished
	}
	t.buf.rollback(s.undo)
	if t.meta.Seq == s.seq {
		return nil
	}
	if !t.spilled.empty() {
		t.meta.IgnoredSeqs = append(t.meta.IgnoredSeqs, kv.SeqRange{From: s.seq + 1, To: t.meta.Seq})
	}
	return t.unlockSince(ctx, s.seq)
}

// nextSeq numbers a write or a lock.
func (t *Txn) nextSeq() uint32 {
	t.meta.Seq++
	return t.meta.Seq
}

// Put buffers a write. Key and value are copied. It sends something only when
// the buffer outgrows its bound.
func (t *Txn) Put(ctx context.Context, key, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	return t.write(ctx, key, value)
}

// Delete buffers a deletion.
func (t *Txn) Delete(ctx context.Context, key []byte) error { return t.write(ctx, key, nil) }

func (t *Txn) write(ctx context.Context, key, value []byte) error {
	switch {
	case t.status != statusOpen:
		return ErrFinished
	case t.opts.ReadOnly:
		return ErrReadOnly
	case len(key)+len(value) > rowBytesMax:
		return &kv.TooLargeError{What: "row", Size: int64(len(key) + len(value)), Limit: rowBytesMax}
	}
	t.buf.put(key, value, t.nextSeq(), t.savepoints > 0)
	if t.buf.size > t.db.cfg.BufferBytesMax {
		return t.spill(ctx)
	}
	return nil
}

// rowBytesMax bounds one key-value pair: it must fit a log entry.
const rowBytesMax = 16 << 20

// newBatch returns the Txn's batch with room for n operations, all zero.
func (t *Txn) newBatch(n int) *kv.Batch {
	b := &t.batch
	b.Header = kv.Header{Txn: &t.meta, GatewayNode: t.db.cfg.Node, LockTimeoutMicros: t.lockTimeout}
	if cap(b.Ops) < n {
		b.Ops = make([]kv.Op, n)
		return b
	}
	b.Ops = b.Ops[:n]
	clear(b.Ops)
	return b
}

// send executes a batch of the transaction, moving the snapshot up and trying
// again when a read is uncertain.
func (t *Txn) send(ctx context.Context, b *kv.Batch) error {
	// Only scans have Rows, and they are alone in their batch.
	rows := b.Ops[0].Rows
	var base kv.Rows
	if rows != nil {
		base = *rows
	}
	for range uncertainRetriesMax {
		err := t.db.cfg.Sender.Send(ctx, b)
		u, uncertain := errors.AsType[*kv.UncertaintyError](err)
		if !uncertain {
			return t.failed(err)
		}
		// The batch may be t.batch itself: refreshing must not reuse it.
		if err := t.moveUp(ctx, max(u.ValueTS, t.meta.ReadTS.Next()), kv.RetryUncertain, kv.Conflict{Key: u.Key}); err != nil {
			return err
		}
		if rows != nil {
			rows.Buf, rows.Count = rows.Buf[:len(base.Buf)], base.Count
		}
	}
	return &kv.RetryError{Reason: kv.RetryUncertain, RetryTS: t.db.cfg.Clock.Now()}
}

// uncertainRetriesMax bounds moves within one request. Each is past one value
// of the uncertainty interval, which is finite but may hold many.
const uncertainRetriesMax = 100

// failed notes that the transaction has been aborted by others.
func (t *Txn) failed(err error) error {
	if err == nil {
		return nil
	}
	if a, ok := errors.AsType[*kv.TxnAbortedError](err); ok && a.ID == t.meta.ID {
		t.abandon()
	}
	return err
}

// abandon ends the coordinator's part of a transaction that is aborted already.
func (t *Txn) abandon() {
	if t.status == statusOpen {
		t.status = statusAborted
		t.db.metrics.Aborted.Add(1)
		if t.meta.Anchor != nil && t.spilled.empty() {
			// Whoever aborted it has left a record that nobody else removes soon.
			t.db.submit(job{meta: t.detachedMeta(), status: kv.TxnAborted, record: true})
		}
		t.releaseAsync()
	}
}

// Restart makes the transaction begin again after cause, which must be
// Retryable: at a later snapshot with an empty buffer. Unless it was aborted, or
// the victim of a deadlock, it keeps its id (at the next epoch) and its locks; its
// age it keeps in any case, so that it will not lose for ever.
func (t *Txn) Restart(ctx context.Context, cause error) error {
	t.db.metrics.Restarts.Add(1)
	now := t.db.cfg.Clock.Now()
	if r, ok := errors.AsType[*kv.RetryError](cause); ok {
		now = max(now, r.RetryTS)
	}
	start := t.meta.StartTS
	_, deadlock := errors.AsType[*kv.DeadlockError](cause)
	if t.status == statusOpen && !deadlock {
		// The same transaction goes on: its locks keep their place, and intents of
		// the former epoch are void.
		t.buf.reset()
		t.reads.reset()
		for i := range t.locks {
			// Nothing that was read under them counts any more (I13).
			t.locks[i].ReadTS = hlc.Max
		}
		t.used = false
		t.savepoints = 0
		t.meta.Epoch++
		t.meta.IgnoredSeqs = t.meta.IgnoredSeqs[:0]
		if t.spilled.empty() {
			t.meta.Anchor = nil
		}
		t.meta.WriteTS = 0
		t.setReadTS(now)
		return nil
	}
	if t.status == statusOpen {
		t.Rollback(ctx)
	}
	if t.status == statusAmbiguous {
		return fmt.Errorf("txn: restart of a transaction whose outcome is unknown")
	}
	t.reset()
	t.status = statusOpen
	t.meta = kv.TxnMeta{ID: t.db.newID(), StartTS: start, Isolation: t.opts.Isolation, GatewayNode: t.db.cfg.Node}
	t.setReadTS(now)
	return nil
}

// Rollback ends the transaction without effect. What cannot be released now is
// released in the background.
func (t *Txn) Rollback(ctx context.Context) {
	if t.status != statusOpen {
		return
	}
	t.status = statusAborted
	t.db.metrics.Aborted.Add(1)
	t.release(ctx)
}

// span returns a copy of [start, end) in the transaction's memory.
func (t *Txn) span(start, end []byte) keys.Span {
	s := keys.Span{Start: t.mem.copy(start)}
	if end != nil {
		s.End = t.mem.copy(end)
	}
	return s
}
