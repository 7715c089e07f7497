package schemachange

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// fenceTimeout bounds the wait for other transactions that use a table. Two transactions
// may each use a table that the other wants to change: the store's deadlock detector does
// not see that.
const fenceTimeout = 60 * time.Second

// liftTimeout bounds the call of other nodes after a schema change: a node that does not
// answer lifts its fence by itself later.
const liftTimeout = 10 * time.Second

// mutableTable returns a copy of a table for changing, after every other transaction of
// the cluster that uses the table has ended and with new ones kept out until this
// transaction ends: the table is as if locked by PostgreSQL's ACCESS EXCLUSIVE lock.
//
// Reads of the transaction afterwards see everything that those others have committed, or
// the result is a *kv.RetryError.
func (x *statement) mutableTable(id catalog.ID) (*catalog.Table, error) {
	if x.unfenced {
		return x.lockTable(id)
	}
	for {
		if err := x.fence(id); err != nil {
			return nil, err
		}
		t, err := x.lockTable(id)
		if err != nil {
			return nil, err
		}
		if x.coll.Original(id) == nil || x.changed(id) {
			return t, nil // created or changed by this transaction
		}
		cur, _ := x.e.cfg.Source.Snapshot().ByID(id).(*catalog.Table)
		if cur != nil && cur.Version == t.Version && x.coll.Fenced(cur) {
			return t, nil
		}
		// Another version came in between.
	}
}

// lockTable returns a copy of a table whose descriptor is locked: schema changes of all
// nodes keep out of each other's way, transactions that use the table go on. That suffices
// for what concerns neither the layout of rows nor the writing of them.
func (x *statement) lockTable(id catalog.ID) (*catalog.Table, error) {
	d, err := x.coll.Mutable(x.ctx, id)
	if err != nil {
		return nil, err
	}
	t, ok := d.(*catalog.Table)
	if !ok {
		return nil, sqlstate.New(sqlstate.UndefinedTable, "relation with OID %d does not exist", id)
	}
	return t, nil
}

// changed reports whether the transaction has changed the descriptor already.
func (x *statement) changed(id catalog.ID) bool {
	d := x.coll.ByID(id)
	return d != nil && d != x.e.cfg.Source.Snapshot().ByID(id)
}

// fence fences the committed version of a table on all nodes and waits until others no
// longer use it. The descriptor is locked first, so that of several schema changes, on
// whichever nodes, one at a time fences the table.
func (x *statement) fence(id catalog.ID) error {
	src := x.e.cfg.Source
	if _, err := x.lockTable(id); err != nil {
		return err
	}
	wait := fenceTimeout
	if x.fenceWait > 0 {
		wait = x.fenceWait
	}
	ctx, cancel := context.WithTimeoutCause(x.ctx, wait, errFenceTimeout)
	defer cancel()
	for {
		t, _ := src.Snapshot().ByID(id).(*catalog.Table)
		if t == nil || x.coll.Fenced(t) {
			return nil // nobody else knows it, or we have it
		}
		if !t.Fence() {
			// A fence that is about to fall: its transaction has given the lock away.
			if err := src.AwaitUsable(ctx, t); err != nil {
				return fenceError(err, t, wait)
			}
			continue
		}
		if err := x.awaitOthers(ctx, t); err != nil {
			t.Unfence()
			src.FenceFell()
			return fenceError(err, t, wait)
		}
		x.coll.SetFenced(t)
		return x.catchUp(x.e.cfg.DB.Now())
	}
}

// awaitOthers waits until no other transaction, here or at other nodes, uses a table that
// this node has fenced.
func (x *statement) awaitOthers(ctx context.Context, t *catalog.Table) error {
	peers := x.e.cfg.Peers
	if peers == nil {
		return t.AwaitDrained(ctx, x.coll)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return t.AwaitDrained(groupCtx, x.coll) })
	var lift func(context.Context)
	group.Go(func() (err error) {
		lift, err = peers.Fence(groupCtx, t.ID)
		return err
	})
	err := group.Wait()
	if lift != nil {
		x.e.noteLift(x.coll, lift)
	}
	if err != nil && x.ctx.Err() != nil {
		return context.Cause(x.ctx)
	}
	return err
}

// noteLift keeps what lifts the fences of other nodes until the transaction has ended.
func (e *Executor) noteLift(coll *catalog.Collection, lift func(context.Context)) {
	e.liftsMu.Lock()
	defer e.liftsMu.Unlock()
	if e.lifts[coll] == nil {
		// After a commit nothing is left to do; a rollback does not wait for other nodes.
		coll.AtRelease(func() {
			if lifts := e.takeLifts(coll); len(lifts) > 0 && e.ctx.Err() == nil {
				e.wg.Go(func() { runLifts(e.ctx, lifts) })
			}
		})
	}
	e.lifts[coll] = append(e.lifts[coll], lift)
}

func (e *Executor) takeLifts(coll *catalog.Collection) []func(context.Context) {
	e.liftsMu.Lock()
	defer e.liftsMu.Unlock()
	lifts := e.lifts[coll]
	delete(e.lifts, coll)
	return lifts
}

// runLifts lifts the fences of other nodes.
func runLifts(ctx context.Context, lifts []func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, liftTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, lift := range lifts {
		wg.Go(func() { lift(ctx) })
	}
	wg.Wait()
}

var errFenceTimeout = errors.New("schemachange: a table stayed in use")

func fenceError(err error, t *catalog.Table, wait time.Duration) error {
	if errors.Is(err, errFenceTimeout) {
		return sqlstate.New(sqlstate.LockNotAvailable, "canceling statement due to lock timeout").
			WithDetail("Other transactions kept using relation %q for %s.", t.Name, wait)
	}
	return err
}

// catchUp moves the transaction's snapshot to now: what others committed before the fence
// held must be seen by scans.
func (x *statement) catchUp(now hlc.Timestamp) error {
	txn := x.coll.Txn()
	if txn.ReadTimestamp() >= now {
		return nil
	}
	if t, ok := txn.(interface{ Advance(context.Context) error }); ok {
		if err := t.Advance(x.ctx); err != nil {
			return err
		}
	}
	if txn.ReadTimestamp() < now {
		return &kv.RetryError{Reason: kv.RetrySerializable, RetryTS: now}
	}
	return nil
}
