package sql

import (
	"context"
	"slices"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/catalog/system"
	"github.com/spanlite/spanlite/sql/types"
)

// This file shows who waits for whom, as pg_locks and pg_blocking_pids.

// lockMode is the mode of PostgreSQL's heavyweight lock on a tuple that stands for a
// strength.
func lockMode(s kv.LockStrength) string {
	switch s {
	case kv.LockKeyShare:
		return "AccessShareLock"
	case kv.LockShare:
		return "RowShareLock"
	case kv.LockNoKeyUpdate:
		return "ExclusiveLock"
	}
	return "AccessExclusiveLock"
}

// waits returns the waits for locks in the whole cluster.
func (s *Session) waits(ctx context.Context) ([]WaitInfo, error) {
	if s.srv.cfg.Cluster == nil {
		return nil, nil
	}
	return s.srv.cfg.Cluster.Waits(ctx)
}

var _ system.LockLister = (*host)(nil)

// Locks implements system.LockLister.
func (h *host) Locks(ctx context.Context, emit func(system.Lock) error) error {
	list, err := (*Session)(h).waits(ctx)
	if err != nil {
		return err
	}
	type holder struct {
		key string
		id  kv.TxnID
	}
	seen := map[holder]bool{}
	for i := range list {
		w := &list[i]
		table, _, _ := keys.DecodeTable(w.Key)
		for _, b := range w.Blockers {
			k := holder{string(w.Key), b.ID}
			if b.Waiting || seen[k] {
				continue
			}
			seen[k] = true
			err := emit(system.Lock{Relation: catalog.ID(table), Txn: b.ID.Short(), PID: int64(b.PID), Mode: lockMode(b.Strength), Granted: true})
			if err != nil {
				return err
			}
		}
		err := emit(system.Lock{Relation: catalog.ID(table), Txn: w.Waiter.ID.Short(), PID: int64(w.Waiter.PID), Mode: lockMode(w.Strength), Since: w.Since})
		if err != nil {
			return err
		}
	}
	return nil
}

// blockingPIDs returns the sessions in the way of one: holders and those in front of
// it in a queue.
func (s *Session) blockingPIDs(ctx context.Context, pid uint32) (types.Datum, error) {
	list, err := s.waits(ctx)
	if err != nil {
		return null, err
	}
	var pids []uint32
	for i := range list {
		if list[i].Waiter.PID != pid {
			continue
		}
		for _, b := range list[i].Blockers {
			if b.PID != 0 && !slices.Contains(pids, b.PID) {
				pids = append(pids, b.PID)
			}
		}
	}
	elems := make([]types.Datum, len(pids))
	for i, p := range pids {
		elems[i] = types.NewInt(int64(p))
	}
	return types.NewArrayDatum(types.NewArray(types.Int4, elems)), nil
}
