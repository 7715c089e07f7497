package schemachange

import (
	"context"
	"errors"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// fenceTimeout bounds the wait for other transactions that use a table. Two transactions
// may each use a table that the other wants to change: the store's deadlock detector does
// not see that.
const fenceTimeout = 60 * time.Second

// mutableTable returns a copy of a table for changing, after every other transaction of
// this node that uses the table has ended and with new ones kept out until this
// transaction ends: the table is as if locked by PostgreSQL's ACCESS EXCLUSIVE lock.
//
// Reads of the transaction afterwards see everything that those others have committed, or
// the result is a *kv.RetryError.
func (x *statement) mutableTable(id catalog.ID) (*catalog.Table, error) {
	for {
		if err := x.fence(id); err != nil {
			return nil, err
		}
		d, err := x.coll.Mutable(x.ctx, id)
		if err != nil {
			return nil, err
		}
		t, ok := d.(*catalog.Table)
		if !ok {
			return nil, sqlstate.New(sqlstate.UndefinedTable, "relation with OID %d does not exist", id)
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

// changed reports whether the transaction has changed the descriptor already.
func (x *statement) changed(id catalog.ID) bool {
	d := x.coll.ByID(id)
	return d != nil && d != x.e.cfg.Source.Snapshot().ByID(id)
}

// fence fences the committed version of a table and waits until others no longer use it.
func (x *statement) fence(id catalog.ID) error {
	src := x.e.cfg.Source
	ctx, cancel := context.WithTimeoutCause(x.ctx, fenceTimeout, errFenceTimeout)
	defer cancel()
	for {
		t, _ := src.Snapshot().ByID(id).(*catalog.Table)
		if t == nil || x.coll.Fenced(t) || x.changed(id) {
			return nil // nobody else knows it, or we have it
		}
		if !t.Fence() {
			if err := src.AwaitUsable(ctx, t); err != nil {
				return fenceError(err, t)
			}
			continue
		}
		x.coll.SetFenced(t)
		own := int64(0)
		if x.coll.Uses(t) {
			own = 1
		}
		if err := t.AwaitDrained(ctx, own); err != nil {
			return fenceError(err, t)
		}
		return x.catchUp(x.e.cfg.DB.Now())
	}
}

var errFenceTimeout = errors.New("schemachange: a table stayed in use")

func fenceError(err error, t *catalog.Table) error {
	if errors.Is(err, errFenceTimeout) {
		return sqlstate.New(sqlstate.LockNotAvailable, "canceling statement due to lock timeout").
			WithDetail("Other transactions kept using relation %q for %s.", t.Name, fenceTimeout)
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
