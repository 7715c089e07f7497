package catalog

import (
	"context"
	"sync/atomic"
)

// tableRuntime is the mutable part of a published table version.
type tableRuntime struct {
	// state is a useState. It moves away from useCurrent before users is
	// examined by whoever waits for it to drain; Collection.Use increments users
	// first and then looks at state. One of the two sees the other (Dekker's
	// argument; Go's atomics are sequentially consistent).
	state atomic.Uint32
	// users counts the transactions that use this version.
	users atomic.Int64
	// drained is signalled when users has fallen while state is not useCurrent.
	drained chan struct{}
	// before is the version that this one replaced, if transactions may still use
	// it: a change that needs no fence (a comment, a privilege, a label of an enum)
	// does not wait for them, but the next one that does has to.
	before atomic.Pointer[Table]
	// aux caches derived objects of other packages, such as row codecs.
	aux [auxSlots]atomic.Value
}

// The states of a published table version.
const (
	useCurrent    uint32 = iota // may be used
	useFenced                   // a schema change holds it: new users wait
	useSuperseded               // replaced by a newer version or dropped
)

// begin counts one more user, and reports whether the version may be used.
func (r *tableRuntime) begin() bool {
	r.users.Add(1)
	if r.state.Load() == useCurrent {
		return true
	}
	r.end()
	return false
}

func (r *tableRuntime) end() {
	r.users.Add(-1)
	if r.state.Load() != useCurrent {
		select {
		case r.drained <- struct{}{}:
		default:
		}
	}
}

// Fence keeps new transactions from using this version until Unfence or
// Supersede. It reports whether the version was current.
func (t *Table) Fence() bool { return t.rt.state.CompareAndSwap(useCurrent, useFenced) }

// Unfence lets transactions use the version again, unless it has been
// superseded meanwhile.
func (t *Table) Unfence() { t.rt.state.CompareAndSwap(useFenced, useCurrent) }

// Supersede marks the version as replaced, for ever.
func (t *Table) Supersede() { t.rt.state.Store(useSuperseded) }

// Current reports whether the version may be used now.
func (t *Table) Current() bool { return t.rt != nil && t.rt.state.Load() == useCurrent }

// Superseded reports whether a newer version has replaced t.
func (t *Table) Superseded() bool { return t.rt != nil && t.rt.state.Load() == useSuperseded }

// Users returns the number of transactions that use this version.
func (t *Table) Users() int64 { return t.rt.users.Load() }

// AwaitDrained waits until no transaction but that of own (nil: none at all) uses
// the version, which has been fenced or superseded before, or one that it replaced.
// Several may wait at a time, with the same own.
func (t *Table) AwaitDrained(ctx context.Context, own *Collection) error {
	for v := t; v != nil; v = v.rt.before.Load() {
		if err := v.awaitDrained(ctx, own); err != nil {
			return err
		}
	}
	t.rt.before.Store(nil)
	return nil
}

// AwaitPredecessors waits until no transaction uses a version of the table before the
// given one. New transactions use t meanwhile.
func (t *Table) AwaitPredecessors(ctx context.Context, version uint32) error {
	for v := t; v != nil; v = v.rt.before.Load() {
		if v.Version >= version {
			continue
		}
		if err := v.awaitDrained(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) awaitDrained(ctx context.Context, own *Collection) error {
	limit := int64(0)
	if own != nil && own.uses(t) {
		limit = 1
	}
	for t.rt.users.Load() > limit {
		select {
		case <-t.rt.drained:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	// There may be another waiter for the one signal.
	select {
	case t.rt.drained <- struct{}{}:
	default:
	}
	return nil
}

// replaces notes that t takes the place of old, of which transactions may be left.
func (t *Table) replaces(old *Table) {
	for old != nil && old.Superseded() && old.Users() == 0 {
		old = old.rt.before.Load()
	}
	if old == nil || old.rt == nil {
		return
	}
	// Nobody begins on a superseded version: the chain behind old shrinks only.
	for b := old.rt.before.Load(); b != nil && b.Users() == 0; {
		b = b.rt.before.Load()
		old.rt.before.Store(b)
	}
	t.rt.before.Store(old)
}
