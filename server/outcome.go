package server

import (
	"context"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql"
	"github.com/spanlite/spanlite/txn"
)

// callTxnOutcome asks a gateway for the outcome of one of its transactions: kv.TxnID
// -> sql.TxnOutcome.
const callTxnOutcome = "txn.outcome"

// outcomeRangesMax bounds the ranges that are asked for one transaction. In a
// larger cluster the gateway alone can tell.
const outcomeRangesMax = 2000

func (n *Node) localOutcome(_ context.Context, id kv.TxnID) (out sql.TxnOutcome, err error) {
	if n.stage.Load() < stageSQL {
		return out, errStarting
	}
	out.Outcome, out.TS = n.db.LocalOutcome(id)
	return out, nil
}

// TxnOutcome implements sql.Cluster. The gateway knows of its transactions as long as
// it remembers. If it answers that it does not, their coordinator has ended, or has
// ended with a former process: then the ranges decide. If it does not answer it may be
// alive all the same, so they are only asked whether they have seen the commit.
func (c *cluster) TxnOutcome(ctx context.Context, h txn.Handle) (sql.TxnOutcome, error) {
	n := (*Node)(c)
	var out sql.TxnOutcome
	var err error
	if h.Gateway == n.identity.Node {
		out, err = n.localOutcome(ctx, h.ID)
	} else {
		askCtx, cancel := context.WithTimeout(ctx, gatewayTimeout)
		out, err = call[sql.TxnOutcome](askCtx, n.dialer, h.Gateway, callTxnOutcome, h.ID)
		cancel()
	}
	if err == nil && out.Outcome != txn.Forgotten {
		return out, nil
	}
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	var ranges []keys.Key
	walk := c.store.Directory(ctx, func(d *kv.RangeDescriptor) bool {
		start := d.Start
		if len(start) == 0 || string(start) < string(keys.SystemMin) {
			start = keys.SystemMin
		}
		ranges = append(ranges, start)
		return len(ranges) <= outcomeRangesMax
	})
	if walk != nil {
		return out, walk
	}
	if len(ranges) > outcomeRangesMax {
		return out, nil
	}
	out.Outcome, out.TS, err = n.db.RangesOutcome(ctx, h, ranges, err == nil)
	return out, err
}
