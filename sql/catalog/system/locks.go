package system

import (
	"context"
	"time"

	"github.com/spanlite/spanlite/sql/catalog"
)

// LockLister is a Host that knows the row locks for which somebody waits.
type LockLister interface {
	// Locks calls emit for every such lock and waiter of the cluster.
	Locks(ctx context.Context, emit func(Lock) error) error
}

// Lock is a row of pg_locks.
type Lock struct {
	Relation catalog.ID // zero if the lock is not a row's
	Txn      string     // the transaction's id
	PID      int64      // 0 if it is not known
	Mode     string
	Granted  bool
	// Since is when the wait began; zero for a holder.
	Since time.Time
}

// pgLocks lists the row locks that are waited for, each with its waiters and with
// those in their way. Locks in nobody's way are in the memory of their leaseholders
// only, as PostgreSQL's are in its tuples, and are not listed.
func pgLocks(r *reader) error {
	l, ok := r.env.Host.(LockLister)
	if !ok {
		return nil
	}
	return l.Locks(r.ctx, func(k Lock) error {
		r.set("locktype", text("tuple"))
		if k.Relation == 0 {
			r.set("locktype", text("advisory"))
		} else {
			r.set("relation", oid(k.Relation))
		}
		r.set("virtualtransaction", text(k.Txn))
		if k.PID != 0 {
			r.set("pid", number(k.PID))
		}
		r.set("mode", text(k.Mode))
		r.set("granted", boolean(k.Granted))
		r.set("fastpath", boolean(false))
		r.set("waitstart", timestamp(k.Since))
		return r.emit()
	})
}
