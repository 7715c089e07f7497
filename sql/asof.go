package sql

import (
	"math"
	"time"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// This file is AS OF SYSTEM TIME, of a transaction (BEGIN, SET TRANSACTION) and of a
// query that is a statement of its own. Either reads at one timestamp of the past
// and sees the catalog of that time too: tables that have been dropped since are
// there, and indexes that have been built since are not, which matters because they
// hold nothing that old.

// asOfQuery returns the query of a statement that reads the past, nil for others.
func asOfQuery(st ast.Statement) *ast.Select {
	if q, ok := st.(*ast.Select); ok && q.AsOf != nil {
		return q
	}
	return nil
}

// setAsOf makes the open transaction read at a time of the past.
func (s *Session) setAsOf(e ast.Expr) error {
	if s.txn.queried || s.txn.asOf != 0 || len(s.txn.savepoints) > 0 {
		return sqlstate.New(sqlstate.ActiveSQLTransaction, "AS OF SYSTEM TIME must be given before any query")
	}
	ts, err := s.asOfTimestamp(e)
	if err != nil {
		return err
	}
	return s.openPast(ts)
}

// openPast opens the transaction below at a time of the past.
func (s *Session) openPast(ts hlc.Timestamp) error {
	s.dropPast() // nothing has been read in what may be open
	if s.txn.block == blockNone || s.txn.started.IsZero() {
		s.startModes()
	}
	s.txn.asOf, s.txn.readOnly = ts, true
	t := s.ensureTxn()
	coll, err := catalog.NewHistorical(&s.ctx, s.srv.cfg.Catalog, catalogTxn{t})
	if err != nil {
		return err
	}
	if coll.ByID(s.database) == nil {
		return sqlstate.New(sqlstate.InvalidParameterValue, "the requested time is before the database was created")
	}
	s.txn.coll.Release()
	s.txn.coll = coll
	s.setPath(coll)
	return nil
}

// dropPast ends the transaction below and leaves the block as it is.
func (s *Session) dropPast() {
	if s.txn.kv == nil {
		return
	}
	s.txn.kv.Rollback(&s.ctx)
	s.txn.coll.Release()
	s.txn.kv.Close()
	s.txn.kv, s.txn.coll, s.txn.asOf = nil, nil, 0
}

// compileAsOf makes the plan of a query of the past: it is only to be described,
// because openAsOf makes it anew for the time at which it runs.
func (s *Session) compileAsOf(q *ast.Select, declared []*types.T) (*compiled, error) {
	defer func(readOnly bool) {
		s.dropPast()
		s.txn.readOnly = readOnly
	}(s.txn.readOnly)
	if err := s.beginAsOf(q); err != nil {
		return nil, err
	}
	return s.bindAndOptimize(q, declared)
}

// openAsOf opens the transaction of a query of the past and gives the portal its
// plan.
func (s *Session) openAsOf(p *portal, q *ast.Select) error {
	if err := s.beginAsOf(q); err != nil {
		return err
	}
	var declared []*types.T
	if p.ps != nil {
		declared = p.ps.declared
	}
	c, err := s.bindAndOptimize(q, declared)
	if err != nil {
		return err
	}
	if p.columns != nil && !sameColumns(p.columns, c.columns) && p.ps != nil {
		return sqlstate.New(sqlstate.FeatureNotSupported, "cached plan must not change result type")
	}
	p.compiled, p.columns = c, c.columns
	return nil
}

// beginAsOf opens the transaction of a query of the past, which cannot be part of a
// transaction of the present.
func (s *Session) beginAsOf(q *ast.Select) error {
	if s.txn.block == blockOpen || s.txn.block == blockImplicit && s.txn.queried {
		return sqlstate.Unsupported("AS OF SYSTEM TIME of a query within a transaction").
			WithHint("BEGIN AS OF SYSTEM TIME makes all of a transaction read the past.").At(q.AsOf.Position().Offset())
	}
	ts, err := s.asOfTimestamp(q.AsOf)
	if err != nil {
		return err
	}
	return s.openPast(ts)
}

// asOfTimestamp evaluates a time of the past: a time stamp, or an interval to be
// added to now.
func (s *Session) asOfTimestamp(e ast.Expr) (hlc.Timestamp, error) {
	d, t, err := s.evalAlone(e)
	if err != nil {
		return 0, err
	}
	if d.IsNull() {
		return 0, sqlstate.New(sqlstate.NullValueNotAllowed, "AS OF SYSTEM TIME must not be null").At(e.Position().Offset())
	}
	now := s.srv.cfg.DB.Now()
	if t.OID == types.OIDText || t.OID == types.OIDUnknown || t.OID == types.OIDVarchar {
		text := d.Str()
		if d, err = types.ParseText(types.TimestampTZ, text, &s.vars.Conversion); err == nil {
			t = types.TimestampTZ
		} else {
			if d, err = types.ParseText(types.IntervalT, text, &s.vars.Conversion); err != nil {
				return 0, err
			}
			t = types.IntervalT
		}
	}
	var micros int64
	switch t.OID {
	case types.IntervalT.OID:
		iv := d.Interval()
		micros = now.Time().UnixMicro() + (int64(iv.Months)*30+int64(iv.Days))*24*3600*1e6 + iv.Micros
	case types.TimestampTZ.OID:
		if micros = d.Int(); micros != math.MaxInt64 && micros != math.MinInt64 {
			micros += postgresEpochMicros
		}
	case types.Timestamp.OID:
		// Local time of the session, as a cast to timestamptz takes it.
		local := time.UnixMicro(d.Int() + postgresEpochMicros).UTC()
		micros = time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), s.vars.Conversion.Location).UnixMicro()
	default:
		return 0, sqlstate.New(sqlstate.DatatypeMismatch, "AS OF SYSTEM TIME must be a time stamp or an interval, not %s", t.Name).At(e.Position().Offset())
	}
	switch {
	case micros <= 0:
		return 0, sqlstate.New(sqlstate.InvalidParameterValue, "the requested time is before the oldest that is kept").At(e.Position().Offset())
	case micros > now.Time().UnixMicro():
		return 0, sqlstate.New(sqlstate.InvalidParameterValue, "AS OF SYSTEM TIME lies in the future").At(e.Position().Offset())
	}
	return hlc.FromMicros(micros), nil
}

// evalAlone evaluates an expression that refers to no table.
func (s *Session) evalAlone(e ast.Expr) (types.Datum, *types.T, error) {
	s.eval.startTransaction(time.Now())
	q := &ast.SelectCore{Pos: ast.NoPos, Targets: []*ast.Target{{Pos: ast.NoPos, Expr: e}}}
	c, err := s.bindAndOptimize(&ast.Select{Pos: ast.NoPos, Body: q}, nil)
	if err != nil {
		return types.Null, nil, err
	}
	if len(c.plan.Tables) > 0 || len(c.columns) != 1 {
		return types.Null, nil, sqlstate.New(sqlstate.FeatureNotSupported, "AS OF SYSTEM TIME must be a simple expression").At(e.Position().Offset())
	}
	mem := exec.NewMonitor(s.srv.cfg.Memory, 0)
	defer mem.Close()
	sink := &oneRow{}
	if _, err := exec.Run(&s.ctx, c.plan, &exec.Context{Eval: s.evalContext(nil), Mem: mem, WorkMem: s.vars.WorkMemBytes, Temp: s.srv.cfg.Temp}, sink); err != nil {
		return types.Null, nil, err
	}
	if len(sink.row) != 1 {
		return types.Null, c.columns[0].Type, nil
	}
	return sink.row[0], c.columns[0].Type, nil
}
