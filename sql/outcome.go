package sql

import (
	"context"
	"errors"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// This file is spanlite_txn_id and spanlite_txn_outcome: a client that has lost its
// connection, or has been told 40003, can find out how its transaction ended.

// transactionName returns the id of the present transaction, as clients know it.
func (s *Session) transactionName() types.Datum {
	t := s.ensureTxn()
	t.Announce()
	return textDatum(t.Handle().String())
}

// nameUnknown adds the name of the transaction to an error that leaves its outcome
// open.
func nameUnknown(err error, e *sqlstate.Error) *sqlstate.Error {
	u, ok := errors.AsType[*txn.UnknownOutcomeError](err)
	if !ok {
		return e
	}
	out := *e
	out.Detail = "The transaction is " + u.Txn.String() + ". " + e.Detail
	out.Hint = "SELECT * FROM spanlite_txn_outcome('" + u.Txn.String() + "') tells the outcome while it is remembered."
	return &out
}

// txnOutcome finds out how a transaction has ended: one row.
func (s *Session) txnOutcome(ctx context.Context, name types.Datum) (expr.SetIter, error) {
	if name.IsNull() {
		return emptySet{}, nil
	}
	h, err := txn.ParseHandle(name.Str())
	if err != nil {
		return nil, sqlstate.New(sqlstate.InvalidParameterValue, "%v", err).
			WithHint("spanlite_txn_id() returns the id of the present transaction.")
	}
	var out TxnOutcome
	if s.srv.cfg.Cluster != nil {
		if out, err = s.srv.cfg.Cluster.TxnOutcome(ctx, h); err != nil {
			return nil, err
		}
	} else {
		out.Outcome, out.TS = s.srv.cfg.DB.LocalOutcome(h.ID)
	}
	row := types.Row{textDatum(out.Outcome.String()), null}
	if out.Outcome == txn.Committed {
		row[1] = types.NewInt(postgresMicros(out.TS.Time()))
	}
	return &rowSet{rows: []types.Row{row}}, nil
}
