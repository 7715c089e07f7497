package txn

import (
	"bytes"
	"context"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// Locking says how a read locks what it returns. The zero value is a plain read.
type Locking struct {
	Strength kv.LockStrength
	Wait     kv.WaitPolicy
}

// ForUpdate locks as UPDATE of key columns and DELETE do, and waits.
var ForUpdate = Locking{Strength: kv.LockUpdate}

// Get reads key. With a lock it first obtains the lock, also if the key is
// absent, and returns the newest value, moving the snapshot up to it as far as
// the isolation level permits. The value is valid until the next call on t. With
// WaitSkipLocked a key that is locked by another reads as absent.
func (t *Txn) Get(ctx context.Context, key []byte, lock Locking) (value []byte, ok bool, err error) {
	if t.status != statusOpen {
		return nil, false, ErrFinished
	}
	own, buffered := t.buf.get(key)
	if buffered && (lock.Strength == kv.LockNone || t.locked(key, lock.Strength)) {
		return own.value, own.value != nil, nil
	}
	b := t.newBatch(1)
	b.Wait = lock.Wait
	op := &b.Ops[0]
	op.Kind, op.Key, op.Lock = kv.OpGet, key, lock.Strength
	op.Value = t.value[:0]
	if lock.Strength != kv.LockNone {
		if err := t.prepareLock(op); err != nil {
			return nil, false, err
		}
	}
	if err := t.send(ctx, b); err != nil {
		return nil, false, err
	}
	if op.Value != nil {
		t.value = op.Value
	}
	if lock.Strength != kv.LockNone {
		if skipped(op, lock) {
			return nil, false, nil
		}
		t.noteLock(key, op.TS, lock.Strength, op.Seq)
		if err := t.catchUp(ctx, op.TS, key); err != nil {
			return nil, false, err
		}
	}
	t.noteRead(key, nil)
	if buffered {
		return own.value, own.value != nil, nil
	}
	return op.Value, op.Found, nil
}

// GetMany reads keys in one round, locking each if wanted, and calls f for each
// in order; value is nil if the key is absent. The values are valid until f
// returns false or GetMany returns.
func (t *Txn) GetMany(ctx context.Context, ks [][]byte, lock Locking, f func(i int, value []byte) error) error {
	if t.status != statusOpen {
		return ErrFinished
	}
	if len(ks) == 0 {
		return nil
	}
	b := t.newBatch(len(ks))
	b.Wait = lock.Wait
	for i, key := range ks {
		op := &b.Ops[i]
		op.Kind, op.Key, op.Lock = kv.OpGet, key, lock.Strength
		if lock.Strength != kv.LockNone {
			if err := t.prepareLock(op); err != nil {
				return err
			}
		}
	}
	if err := t.send(ctx, b); err != nil {
		return err
	}
	var newest hlc.Timestamp
	var newestKey []byte
	for i, key := range ks {
		op := &b.Ops[i]
		if lock.Strength == kv.LockNone || skipped(op, lock) {
			continue
		}
		t.noteLock(key, op.TS, lock.Strength, op.Seq)
		if op.TS > newest {
			newest, newestKey = op.TS, key
		}
	}
	if lock.Strength != kv.LockNone {
		if err := t.catchUp(ctx, newest, newestKey); err != nil {
			return err
		}
	}
	for i, key := range ks {
		if !skipped(&b.Ops[i], lock) {
			t.noteRead(key, nil)
		}
	}
	for i, key := range ks {
		value := b.Ops[i].Value
		if !b.Ops[i].Found {
			value = nil
		} else if value == nil {
			value = []byte{}
		}
		if own, ok := t.buf.get(key); ok {
			value = own.value
		}
		if err := f(i, value); err != nil {
			return err
		}
	}
	return nil
}

// ScanOptions configure a Scan.
type ScanOptions struct {
	Reverse bool
	// MaxRows and MaxBytes bound what a page reads; 0 leaves it to
	// DefaultPageBytes. With own writes in the span a page may have more rows, or
	// fewer, or none, and still a resume key.
	MaxRows  int64
	MaxBytes int64
	Lock     Locking
	// Filter runs at the leaseholder; not allowed together with own writes in
	// the span (see OverlapsWrites).
	Filter kv.RowFilter
}

// DefaultPageBytes bounds a page of a scan for which nothing was asked.
const DefaultPageBytes = 4 << 20

// OverlapsWrites reports whether the buffer holds writes in [start, end): then a
// scan must return whole rows, because the overlay happens here.
func (t *Txn) OverlapsWrites(start, end []byte) bool { return t.buf.any(start, end) }

// Scan appends one page of [start, end) to dst, own writes included. Resume is
// nil at the end, else the next start (or, in reverse, the next end).
func (t *Txn) Scan(ctx context.Context, start, end []byte, opt ScanOptions, dst *kv.Rows) (resume []byte, err error) {
	if t.status != statusOpen {
		return nil, ErrFinished
	}
	overlay := t.buf.any(start, end)
	out := dst
	if overlay {
		t.rows.Reset()
		out = &t.rows
	}
	b := t.newBatch(1)
	b.Wait = opt.Lock.Wait
	op := &b.Ops[0]
	op.Kind, op.Key, op.EndKey, op.Reverse = kv.OpScan, start, end, opt.Reverse
	op.MaxRows, op.MaxBytes = opt.MaxRows, opt.MaxBytes
	if op.MaxRows == 0 && op.MaxBytes == 0 {
		op.MaxBytes = DefaultPageBytes
	}
	op.Rows, op.Filter, op.Lock = out, opt.Filter, opt.Lock.Strength
	if opt.Lock.Strength != kv.LockNone {
		if err := t.prepareLock(op); err != nil {
			return nil, err
		}
	}
	at := len(out.Buf)
	if err := t.send(ctx, b); err != nil {
		return nil, err
	}
	resume = op.Resume
	if opt.Lock.Strength != kv.LockNone {
		if err := t.scanLocked(ctx, op, at); err != nil {
			return nil, err
		}
	}
	// What was read is what the page covers.
	from, to := start, end
	if resume != nil {
		if opt.Reverse {
			from = resume
		} else {
			to = resume
		}
	}
	t.noteRead(from, to)
	if overlay {
		t.merge(dst, from, to, opt.Reverse)
	}
	return resume, nil
}

// merge appends the rows of t.rows overlaid with the buffered writes of
// [from, to) to dst.
func (t *Txn) merge(dst *kv.Rows, from, to []byte, reverse bool) {
	pos := 0
	key, value, ts, next, ok := t.rows.Next(pos)
	step := func() { key, value, ts, next, ok = t.rows.Next(next) }
	visit := func(w bufferedWrite) bool {
		for ok {
			c := bytes.Compare(key, w.key)
			if reverse {
				c = -c
			}
			if c > 0 {
				break
			}
			if c < 0 {
				dst.Append(key, value, ts)
			}
			step()
			if c == 0 {
				break
			}
		}
		if w.value != nil {
			dst.Append(w.key, w.value, 0)
		}
		return true
	}
	if reverse {
		t.buf.descend(from, to, visit)
	} else {
		t.buf.ascend(from, to, visit)
	}
	for ok {
		dst.Append(key, value, ts)
		step()
	}
}

// skipped reports whether a locking read was left out because of another's lock
// (SKIP LOCKED).
func skipped(op *kv.Op, lock Locking) bool {
	return lock.Wait == kv.WaitSkipLocked && !op.Found && op.TS == hlc.Max
}

// noteRead remembers what was read, as far as the isolation level needs it. The
// memory is copied.
func (t *Txn) noteRead(start, end []byte) {
	t.used = true
	if t.meta.Isolation == kv.Serializable && t.opts.AsOf.IsZero() {
		t.reads.add(&t.mem, start, end, t.db.cfg.ReadSpansMax)
	}
}

// readSet is the spans that a SERIALIZABLE transaction has read. Beyond a bound
// neighbouring spans are joined, which is safe (more is verified than was read).
type readSet struct {
	spans []keys.Span
}

func (r *readSet) reset() {
	clear(r.spans)
	r.spans = r.spans[:0]
}

func (r *readSet) add(mem *arena, start, end []byte, spansMax int) {
	if n := len(r.spans); n > 0 {
		// Pages of one scan follow each other; a point read twice is one.
		last := &r.spans[n-1]
		if end == nil && last.Contains(start) {
			return
		}
		if end != nil && last.End != nil && bytes.Equal(last.End, start) {
			last.End = mem.copy(end)
			return
		}
	}
	s := keys.Span{Start: mem.copy(start)}
	if end != nil {
		s.End = mem.copy(end)
	}
	r.spans = append(r.spans, s)
	if len(r.spans) > spansMax {
		r.spans = joinSpans(r.spans, spansMax/2)
	}
}
