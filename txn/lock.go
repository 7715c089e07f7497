package txn

import (
	"bytes"
	"context"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// lockedSpan is where a locking scan with a filter may have locked keys.
type lockedSpan struct {
	keys.Span
	seq uint32
}

// prepareLock makes op a locking read.
func (t *Txn) prepareLock(op *kv.Op) error {
	if t.opts.ReadOnly {
		return ErrReadOnly
	}
	if !t.hasLocks {
		t.hasLocks = true
		t.db.registry.add(t)
	}
	op.Seq = t.nextSeq()
	return nil
}

// noteLock remembers a lock for the commit (I13) and for its release; versionTS is
// that of the key's newest version.
func (t *Txn) noteLock(key []byte, versionTS hlc.Timestamp, strength kv.LockStrength, seq uint32) {
	t.locks = append(t.locks, kv.LockedKey{Key: t.mem.copy(key), Strength: strength, ReadTS: versionTS, Seq: seq})
}

// locked reports whether key is locked at least as strongly already. Only the
// most recent locks are searched: asking again is harmless.
func (t *Txn) locked(key []byte, strength kv.LockStrength) bool {
	for i := len(t.locks) - 1; i >= 0 && i >= len(t.locks)-lockSearchMax; i-- {
		if l := &t.locks[i]; l.Strength >= strength && bytes.Equal(l.Key, key) {
			return true
		}
	}
	return false
}

const lockSearchMax = 16

// scanLocked notes the locks of the rows that a locking scan has appended from
// offset at on, and moves the snapshot up to the newest version in the span that
// it has read (a deleted or filtered row's, perhaps).
func (t *Txn) scanLocked(ctx context.Context, op *kv.Op, at int) error {
	newest, key := op.TS, op.Key
	if op.Filter == nil {
		for {
			k, _, ts, next, ok := op.Rows.Next(at)
			if !ok {
				break
			}
			t.noteLock(k, ts, op.Lock, op.Seq)
			newest = max(newest, ts)
			at = next
		}
	} else {
		// The rows are no longer what was locked: remember the span. Its locks are
		// released as one, and count as read at the newest version.
		t.lockedSpans = append(t.lockedSpans, lockedSpan{t.span(op.Key, op.EndKey), op.Seq})
	}
	return t.catchUp(ctx, newest, key)
}

// catchUp is called when a locked key has a version at ts; what is done if that is
// above the snapshot tells the isolation levels apart: SERIALIZABLE goes on at a
// later snapshot if all earlier reads still hold there; REPEATABLE READ fails if
// anything was read before; READ COMMITTED goes on, since its locked rows are at
// their newest by definition. What was locked just now must not be among the
// reads yet.
func (t *Txn) catchUp(ctx context.Context, ts hlc.Timestamp, key []byte) error {
	if ts <= t.meta.ReadTS {
		return nil
	}
	t.db.cfg.Clock.Update(ts)
	if t.meta.Isolation == kv.ReadCommitted {
		t.meta.WriteTS = max(t.meta.WriteTS, ts)
		return nil
	}
	return t.moveUp(ctx, ts, kv.RetryWriteTooOld, kv.Conflict{Key: keys.Clone(key), Since: ts})
}

// unlockSince releases the locks taken after seq (ROLLBACK TO SAVEPOINT).
func (t *Txn) unlockSince(ctx context.Context, seq uint32) error {
	n, m := len(t.locks), len(t.lockedSpans)
	for n > 0 && t.locks[n-1].Seq > seq {
		n--
	}
	for m > 0 && t.lockedSpans[m-1].seq > seq {
		m--
	}
	points, spans := t.locks[n:], t.lockedSpans[m:]
	if len(points)+len(spans) == 0 {
		return nil
	}
	b := t.newBatch(len(points) + len(spans))
	for i := range points {
		b.Ops[i] = kv.Op{Kind: kv.OpUnlock, Key: points[i].Key, UnlockFrom: seq + 1}
	}
	for i := range spans {
		b.Ops[len(points)+i] = kv.Op{Kind: kv.OpUnlock, Key: spans[i].Start, EndKey: spans[i].End, UnlockFrom: seq + 1}
	}
	t.locks, t.lockedSpans = t.locks[:n], t.lockedSpans[:m]
	return t.db.cfg.Sender.Send(ctx, b)
}
