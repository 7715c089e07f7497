package txn

import (
	"bytes"
	"context"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

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

// lockGranted notes a lock on key, whose newest version is of versionTS, and
// moves the snapshot up to it.
func (t *Txn) lockGranted(ctx context.Context, key []byte, versionTS hlc.Timestamp, strength kv.LockStrength, seq uint32) error {
	t.noteLock(key, versionTS, strength, seq)
	if versionTS > t.meta.ReadTS {
		// The batch's results stay valid: catching up uses other memory.
		return t.catchUpTo(ctx, versionTS, key)
	}
	return nil
}

// noteLock remembers a lock for the commit (I13) and for its release. The locked
// key also counts as read: should the lock be lost with its leaseholder, a
// SERIALIZABLE commit still finds out.
func (t *Txn) noteLock(key []byte, versionTS hlc.Timestamp, strength kv.LockStrength, seq uint32) {
	k := t.mem.copy(key)
	t.locks = append(t.locks, kv.LockedKey{Key: k, Strength: strength, ReadTS: versionTS, Seq: seq})
	if t.meta.Isolation == kv.Serializable {
		t.reads.addKept(k, t.db.cfg.ReadSpansMax)
	}
}

// addKept adds a point whose memory already is the transaction's.
func (r *readSet) addKept(key []byte, spansMax int) {
	r.spans = append(r.spans, keys.Span{Start: key})
	if len(r.spans) > spansMax {
		r.spans = joinSpans(r.spans, spansMax/2)
	}
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

// catchUp moves the snapshot up to the newest version met by locking gets.
func (t *Txn) catchUp(ctx context.Context, ops []kv.Op) error {
	var newest hlc.Timestamp
	var key []byte
	for i := range ops {
		if ts := ops[i].TS; ts > newest && ts != hlc.Max {
			newest, key = ts, ops[i].Key
		}
	}
	if newest > t.meta.ReadTS {
		return t.catchUpTo(ctx, newest, key)
	}
	t.used = true
	return nil
}

// scanLocked notes the locks of the rows that a locking scan has appended from
// offset at on.
func (t *Txn) scanLocked(ctx context.Context, rows *kv.Rows, at int, strength kv.LockStrength, seq uint32) error {
	var newest hlc.Timestamp
	var newestKey []byte
	for {
		key, _, ts, next, ok := rows.Next(at)
		if !ok {
			break
		}
		t.noteLock(key, ts, strength, seq)
		if ts > newest {
			newest, newestKey = ts, key
		}
		at = next
	}
	if newest > t.meta.ReadTS {
		return t.catchUpTo(ctx, newest, newestKey)
	}
	return nil
}

// catchUpTo is called when a locked key has a version above the snapshot. What
// then happens is what tells the isolation levels apart: SERIALIZABLE goes on
// at a later snapshot if all earlier reads still hold there; REPEATABLE READ
// fails if anything was read before; READ COMMITTED goes on, since its locked
// rows are at their newest by definition.
func (t *Txn) catchUpTo(ctx context.Context, ts hlc.Timestamp, key []byte) error {
	t.db.cfg.Clock.Update(ts)
	if t.meta.Isolation == kv.ReadCommitted {
		t.meta.WriteTS = max(t.meta.WriteTS, ts)
		t.used = true
		return nil
	}
	err := t.moveUp(ctx, ts, kv.RetryWriteTooOld, kv.Conflict{Key: key, Since: ts})
	t.used = true
	return err
}

// unlockSince releases the locks taken after seq (ROLLBACK TO SAVEPOINT).
func (t *Txn) unlockSince(ctx context.Context, seq uint32) error {
	n := len(t.locks)
	for n > 0 && t.locks[n-1].Seq > seq {
		n--
	}
	released := t.locks[n:]
	if len(released) == 0 {
		return nil
	}
	b := t.newBatch(len(released))
	for i := range released {
		b.Ops[i] = kv.Op{Kind: kv.OpUnlock, Key: released[i].Key, UnlockFrom: seq + 1}
	}
	t.locks = t.locks[:n]
	return t.db.cfg.Sender.Send(ctx, b)
}
