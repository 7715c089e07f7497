package locktable

import (
	"bytes"
	"context"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
)

// Waiter is one request's place in a queue. It belongs to one request at a time
// and may be reused once Wait or Cancel has returned.
type Waiter struct {
	// ch has room for the one signal that a wait gets.
	ch    chan struct{}
	timer *time.Timer

	// Guarded by table.mu from start to finish.
	table    *Table
	key      *keyState
	txn      *txnState
	strength kv.LockStrength
	seq      uint32
	upgrade  bool
	done     bool
	err      error

	// id and meta repeat txn's, for use without table.mu.
	id  kv.TxnID
	age kv.TxnMeta
	// waitSeq tells this wait from later ones of the same Waiter (section 5 of
	// the protocols: a wait that has ended is no edge). Guarded by graph.mu.
	waitSeq uint64
	since   time.Time // when the wait began; guarded likewise
}

// WaitOptions says how long to wait, and what to do meanwhile.
type WaitOptions struct {
	// LockTimeout bounds the wait; 0 is no bound.
	LockTimeout time.Duration
	// Push, if set, is called without any mutex held, first after PushAfter
	// and then at doubling intervals up to PushMax, with the transaction that
	// is first in the way. It finds out whether that one still lives, and
	// removes it if not. An error ends the wait.
	Push      func(ctx context.Context, b Blocker) error
	PushAfter time.Duration
	PushMax   time.Duration
}

// Blocker is a transaction that is in the way of a Waiter.
type Blocker struct {
	Key keys.Key
	Txn kv.TxnMeta
	// Strength is that of the lock that Txn holds or waits for.
	Strength kv.LockStrength
	// Intent says that a durable intent of Txn stands at Key.
	Intent bool
	// Waiting says that Txn itself is only a waiter in front.
	Waiting bool
}

func (w *Waiter) start(t *Table, k *keyState, x *txnState, s kv.LockStrength, seq uint32, upgrade bool) {
	if w.ch == nil {
		w.ch = make(chan struct{}, 1)
	}
	select {
	case <-w.ch:
	default:
	}
	w.table, w.key, w.txn = t, k, x
	w.strength, w.seq, w.upgrade = s, max(seq, 1), upgrade
	w.done, w.err = false, nil
	w.id, w.age = x.meta.ID, x.meta
	w.age.Anchor = nil
}

// finishLocked ends the wait; w is out of the queue.
func (w *Waiter) finishLocked(err error) {
	w.done, w.err = true, err
	w.ch <- struct{}{}
}

// Wait blocks until the lock is granted, and returns nil then; see the package
// comment for the errors. After an error the Waiter is out of the queue and
// holds nothing.
func (w *Waiter) Wait(ctx context.Context, opt WaitOptions) error {
	select {
	case <-w.ch:
		return w.err
	default:
	}
	g := w.table.graph
	g.add(w)
	defer g.remove(w)
	g.breakCycles(w)

	start := time.Now()
	pushAt, pushEvery := opt.PushAfter, opt.PushAfter
	probeAt := g.cfg.ProbeAfter
	for {
		// next is the time since start at which something is to be done.
		next := time.Duration(1<<63 - 1)
		if opt.LockTimeout > 0 {
			next = opt.LockTimeout
		}
		if opt.Push != nil {
			next = min(next, pushAt)
		}
		if g.cfg.Prober != nil {
			next = min(next, probeAt)
		}
		if w.timer == nil {
			w.timer = time.NewTimer(next - time.Since(start))
		} else {
			w.timer.Reset(next - time.Since(start))
		}
		select {
		case <-w.ch:
			w.timer.Stop()
			return w.err
		case <-ctx.Done():
			w.timer.Stop()
			return w.abandon(context.Cause(ctx))
		case <-w.timer.C:
		}
		waited := time.Since(start)
		if opt.LockTimeout > 0 && waited >= opt.LockTimeout {
			b, _ := w.blocker()
			return w.abandon(&kv.LockNotAvailableError{
				Conflict: kv.Conflict{Key: b.Key, Holder: b.Txn}, TimedOut: true})
		}
		if g.cfg.Prober != nil && waited >= probeAt {
			g.probe(ctx, w)
			probeAt = waited + max(g.cfg.ProbeAfter, waited) // back off: 100, 200, 400 ms ...
		}
		if opt.Push != nil && waited >= pushAt {
			if b, ok := w.blocker(); ok && !b.Waiting {
				if err := opt.Push(ctx, b); err != nil {
					return w.abandon(err)
				}
			}
			pushEvery = min(2*pushEvery, max(opt.PushMax, opt.PushAfter))
			pushAt = time.Since(start) + pushEvery
		}
	}
}

// Cancel leaves the queue. A lock that was granted meanwhile stays with the
// transaction.
func (w *Waiter) Cancel() { _ = w.abandon(context.Canceled) }

// abandon leaves the queue and returns err, or the outcome of the wait if that
// came first.
func (w *Waiter) abandon(err error) error {
	t := w.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.done {
		return w.err
	}
	w.done = true
	t.removeLocked(w)
	return err
}

// fail ends the wait with err unless it has ended.
func (w *Waiter) fail(err error) {
	t := w.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if !w.done {
		t.removeLocked(w)
		w.finishLocked(err)
	}
}

// blockers returns who is in the way now, holders first.
func (w *Waiter) blockers() []Blocker {
	t := w.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.done {
		return nil
	}
	k := w.key
	var out []Blocker
	for i := range k.holders {
		if h := &k.holders[i]; h.blocks(w.id, w.strength) {
			out = append(out, Blocker{Txn: h.txn.meta, Strength: h.strength, Intent: h.intent})
		}
	}
	for _, o := range k.queue {
		if o == w {
			break
		}
		if o.id != w.id && (!w.upgrade || o.upgrade) && w.strength.Conflicts(o.strength) {
			out = append(out, Blocker{Txn: o.txn.meta, Strength: o.strength, Waiting: true})
		}
	}
	key := bytes.Clone(k.key)
	for i := range out {
		out[i].Key = key
		out[i].Txn.Anchor = bytes.Clone(out[i].Txn.Anchor)
	}
	return out
}

func (w *Waiter) blocker() (Blocker, bool) {
	if b := w.blockers(); len(b) > 0 {
		return b[0], true
	}
	return Blocker{}, false
}
