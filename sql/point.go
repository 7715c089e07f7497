package sql

import (
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// This file is the short path of statements on one row by primary key
// (exec.Point). It differs from startPortal's in what it does not make: no
// operators, no cursor, no memory account, no context. What an execution needs is
// kept by the session, per plan, and used again.

// pointPath is the memory of a session's short path.
type pointPath struct {
	ctx    exec.Context
	states map[*compiled]*exec.PointState
}

// pointStatesMax bounds the plans whose execution memory a session keeps. When
// there are more, all of it goes: an application has few statements, and one that
// makes up new ones all the time gains nothing from any policy.
const pointStatesMax = 128

// isPoint reports whether an execution can take the short path. A row limit of one
// would suspend the portal, which needs a cursor.
func (p *portal) isPoint(rowsMax int64) bool {
	return p.compiled.point != nil && rowsMax != 1
}

// state returns the execution memory for a plan.
func (pp *pointPath) state(c *compiled) *exec.PointState {
	st := pp.states[c]
	if st == nil {
		if pp.states == nil || len(pp.states) >= pointStatesMax {
			pp.states = make(map[*compiled]*exec.PointState)
		}
		st = new(exec.PointState)
		pp.states[c] = st
	}
	return st
}

// runPoint executes a portal's plan in its closed form, from its start to its end.
func (s *Session) runPoint(p *portal, x execution) error {
	pp := &s.point
	if pp.ctx.SchemaName == nil {
		pp.ctx.RowID = s.srv.cfg.Schema.RowID
		pp.ctx.SequenceRow = s.srv.cfg.Schema.SequenceRow
		pp.ctx.SchemaName = func(id catalog.ID) string { return planCatalog{s.txn.coll}.SchemaName(id) }
	}
	pp.ctx.Txn, pp.ctx.Eval, pp.ctx.Deferred = s.txn.kv, s.evalContext(p.params), &s.txn.deferred
	var sink exec.Sink
	if p.columns != nil {
		if err := s.client.BeginRows(p.columns, p.formats); err != nil {
			return err
		}
		sink = (*pointSink)(s)
	}
	c := p.compiled
	n, err := c.point.Run(&s.ctx, pp.state(c), &pp.ctx, sink)
	if err != nil {
		// It may have stopped anywhere: what it left behind is of no use.
		delete(pp.states, c)
		return err
	}
	tag := Tag{Name: "SELECT", Count: n, HasCount: true}
	if c.plan.Kind != plan.KindSelect {
		tag = planTag(c.plan, 0, n)
	}
	p.done, p.tag = true, tag
	return s.finishStatement(tag, x)
}

// pointSink gives a session's client the row of a point statement.
type pointSink Session

// Rows implements exec.Sink.
func (k *pointSink) Rows(b *types.Batch) error { return k.client.Batch(b, 0, b.Len()) }
