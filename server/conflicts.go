package server

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// The calls about transactions in each other's way.
const (
	callTxnDescribe = "txn.describe"  // kv.TxnID -> *sql.TxnInfo
	callCommitter   = "txn.committer" // hlc.Timestamp -> []sql.TxnInfo, at most one
	callConflicts   = "txn.conflicts" // -> []sql.ConflictInfo that the node's clients have met
	callWaits       = "lock.waits"    // -> []sql.WaitInfo at the node
)

// conflictsViewID is the OID of spanlite_conflicts.
const conflictsViewID catalog.ID = 15904

func (n *Node) registerConflictCalls() {
	handle(n, callTxnDescribe, func(_ context.Context, id kv.TxnID) (*sql.TxnInfo, error) {
		if n.stage.Load() < stageSQL {
			return nil, errStarting
		}
		if info, ok := n.sql.DescribeTxn(id); ok {
			return &info, nil
		}
		return nil, nil
	})
	handle(n, callTxnOutcome, n.localOutcome)
	handle(n, callCommitter, func(_ context.Context, ts hlc.Timestamp) ([]sql.TxnInfo, error) {
		if n.stage.Load() < stageSQL {
			return nil, errStarting
		}
		if info, ok := n.sql.Committer(ts); ok {
			return []sql.TxnInfo{info}, nil
		}
		return nil, nil
	})
	handle(n, callConflicts, func(context.Context, none) ([]sql.ConflictInfo, error) {
		if n.stage.Load() < stageSQL {
			return nil, errStarting
		}
		return n.sql.Conflicts(), nil
	})
	handle(n, callWaits, running(n, func(context.Context, none) ([]sql.WaitInfo, error) { return n.waits(), nil }))
}

// DescribeTxn implements sql.Cluster.
func (c *cluster) DescribeTxn(ctx context.Context, node keys.NodeID, id kv.TxnID) (*sql.TxnInfo, error) {
	return call[*sql.TxnInfo](ctx, c.dialer, node, callTxnDescribe, id)
}

// Committer implements sql.Cluster.
func (c *cluster) Committer(ctx context.Context, ts hlc.Timestamp) (*sql.TxnInfo, error) {
	list := fromAll(ctx, c, []sql.TxnInfo(nil), callCommitter, ts)
	if len(list) != 1 {
		return nil, nil // nobody, or nobody can tell which
	}
	return &list[0], nil
}

// Conflicts implements sql.Cluster.
func (c *cluster) Conflicts(ctx context.Context) ([]sql.ConflictInfo, error) {
	list := fromAll(ctx, c, c.sql.Conflicts(), callConflicts, none{})
	slices.SortStableFunc(list, func(a, b sql.ConflictInfo) int { return a.At.Compare(b.At) })
	return list, nil
}

// waits returns the waits at this node, with the sessions of its own.
func (n *Node) waits() []sql.WaitInfo {
	ref := func(t *kv.TxnMeta) sql.TxnRef { return sql.TxnRef{ID: t.ID, Gateway: t.GatewayNode} }
	var out []sql.WaitInfo
	for _, w := range n.graph.Blocked() {
		info := sql.WaitInfo{Node: n.identity.Node, Key: w.Key, Strength: w.Strength, Since: w.Since, Waiter: ref(&w.Waiter)}
		for i := range w.Blockers {
			info.Blockers = append(info.Blockers, sql.BlockerRef{
				TxnRef: ref(&w.Blockers[i].Txn), Strength: w.Blockers[i].Strength, Waiting: w.Blockers[i].Waiting})
		}
		out = append(out, info)
	}
	return out
}

// Waits implements sql.Cluster. A gateway knows the sessions of its transactions.
func (c *cluster) Waits(ctx context.Context) ([]sql.WaitInfo, error) {
	list := fromAll(ctx, c, (*Node)(c).waits(), callWaits, none{})
	pids := map[kv.TxnID]uint32{}
	resolve := func(t *sql.TxnRef) {
		pid, known := pids[t.ID]
		if !known {
			if t.Gateway == c.identity.Node {
				info, _ := c.sql.DescribeTxn(t.ID)
				pid = info.PID
			} else if info, err := c.DescribeTxn(ctx, t.Gateway, t.ID); err == nil && info != nil {
				pid = info.PID
			}
			pids[t.ID] = pid
		}
		t.PID = pid
	}
	for i := range list {
		resolve(&list[i].Waiter)
		for j := range list[i].Blockers {
			resolve(&list[i].Blockers[j].TxnRef)
		}
	}
	return list, nil
}

// fromAll appends to own what the other live nodes answer to a call that returns a
// list. Those that do not answer are left out.
func fromAll[T any](ctx context.Context, c *cluster, own []T, name string, req any) []T {
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, s := range c.registry.Snapshot() {
		if !s.Alive || s.Node == c.identity.Node {
			continue
		}
		wg.Go(func() {
			list, err := call[[]T](ctx, c.dialer, s.Node, name, req)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			own = append(own, list...)
		})
	}
	wg.Wait()
	return own
}

// conflictsView returns spanlite_conflicts.
func conflictsView(c sql.Cluster) *catalog.Virtual {
	v := view(conflictsViewID, "spanlite_conflicts",
		column("at", types.TimestampTZ), column("node", types.Int8), column("sqlstate", types.Text), column("reason", types.Text),
		column("table_name", types.Text), column("index_name", types.Text), column("key", types.Text),
		column("pid", types.Int8), column("application_name", types.Text), column("query", types.Text),
		column("other_node", types.Int8), column("other_pid", types.Int8), column("other_application_name", types.Text),
		column("other_query", types.Text), column("other_age_ms", types.Int8))
	v.Scan = func(ctx context.Context, _ *catalog.VirtualEnv, _ catalog.Lookup, emit func(types.Row) error) error {
		list, err := c.Conflicts(ctx)
		if err != nil {
			return err
		}
		for i := range list {
			k := &list[i]
			row := types.Row{
				types.NewInt(k.At.UnixMicro() - postgresEpochMicros), types.NewInt(int64(k.Node)), types.NewString(string(k.Code)),
				types.NewString(k.Reason), textOrNull(k.Table), textOrNull(k.Index), textOrNull(k.Key),
				types.NewInt(int64(k.PID)), textOrNull(k.Application), textOrNull(k.Query),
				types.Null, types.Null, types.Null, types.Null, types.Null,
			}
			if o := k.Other; o != nil {
				row[10], row[11], row[12], row[13] = intOrNull(int64(o.Node)), intOrNull(int64(o.PID)), textOrNull(o.Application), textOrNull(o.Query)
				row[14] = types.NewInt(int64(k.OtherAge / time.Millisecond))
			}
			if err := emit(row); err != nil {
				return err
			}
		}
		return nil
	}
	return v
}
