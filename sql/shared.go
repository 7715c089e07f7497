package sql

import (
	"strings"
	"sync"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/parser"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// This file keeps simple queries from being parsed and planned each time: the
// literals of a statement are lifted into parameters, and statements that differ
// only in them share one plan, as long as it is a point plan. The plan of anything
// larger may well depend on the literals, and is worth making for them.

// sharedStatement is a statement whose literals were lifted.
type sharedStatement struct {
	stmt     parser.Statement
	declared []*types.T
}

// queryShared runs a simple query by a shared plan. It returns false if there is
// none, and has done nothing then: the caller runs the text as it stands. So it
// does, too, when anything is wrong with the statement, because errors have to name
// positions in the client's text.
func (s *Session) queryShared(text string) (bool, error) {
	if s.txn.block == blockFailed || len(text) > planTextMax || !s.normalizer.Normalize(text) {
		return false, nil
	}
	c := s.sharedPlan()
	if c == nil {
		return false, nil
	}
	s.beginStatement()
	defer s.ctx.finish()
	p := &s.unnamedPortal
	p.params, p.formats = p.params[:0], p.formats[:0]
	for i := range s.normalizer.Literals {
		d, err := types.ParseText(c.params[i], s.normalizer.Literals[i].Text, &s.vars.Conversion)
		if err != nil {
			return false, nil
		}
		p.params = append(p.params, d)
	}
	ps := &s.shared
	ps.text, ps.stmt, ps.declared, ps.compiled = text, &c.shared.stmt, c.shared.declared, c
	p.text, p.stmt, p.ps = text, ps.stmt, ps
	p.compiled, p.columns, p.done, p.open = c, c.columns, false, true
	defer s.closePortal(p)
	if err := s.executePortal(p, 0, execution{alone: true, commitImplicit: true}); err != nil {
		if e := sqlstate.From(err); e.ByteOffset > 0 {
			copied := *e
			copied.ByteOffset = 0 // of the text with parameters
			err = &copied
		}
		return true, s.failed(err, text)
	}
	return true, nil
}

// sharedPlan returns the point plan of the statement that was just normalized, nil
// if it has none.
func (s *Session) sharedPlan() *compiled {
	n := &s.normalizer
	path := s.pathKey()
	s.srv.plans.mu.RLock()
	c := s.srv.plans.m[planKey{text: string(n.Key), path: path, user: s.user, database: uint32(s.database), temp: uint32(s.tempSchema)}]
	s.srv.plans.mu.RUnlock()
	if c != nil && s.fresh(c) {
		if c.point == nil {
			return nil
		}
		s.srv.metrics.PlanHits.Add(1)
		return c
	}
	if s.txn.coll != nil && s.txn.coll.HasChanges() || s.txn.asOf != 0 {
		return nil
	}
	statements, err := parser.Parse(string(n.Text()))
	if err != nil || len(statements) != 1 {
		return nil
	}
	shared := &sharedStatement{stmt: statements[0]}
	for i := range n.Literals {
		var t *types.T
		switch n.Literals[i].Kind {
		case parser.LiteralInt4:
			t = types.Int4
		case parser.LiteralInt8:
			t = types.Int8
		case parser.LiteralNumeric:
			t = types.NumericT
		}
		shared.declared = append(shared.declared, t)
	}
	s.beginStatement()
	defer s.ctx.finish()
	c, err = s.bindAndOptimize(shared.stmt.AST, shared.declared)
	if err != nil || c.private {
		return nil
	}
	c.shared = shared
	if len(c.params) != len(n.Literals) {
		c.point = nil
	}
	s.srv.plans.put(planKey{text: string(n.Key), path: path, user: s.user, database: uint32(s.database), temp: uint32(s.tempSchema)}, c)
	if c.point == nil {
		return nil
	}
	return c
}

// parseQuery parses a text, or finds it among those that begin and end
// transactions in nearly every session.
func parseQuery(text string) ([]parser.Statement, error) {
	if len(text) <= len("rollback;") {
		if st, ok := controlTexts()[text]; ok {
			return st, nil
		}
	}
	statements, err := parser.Parse(text)
	for i := range statements {
		// SELECT INTO is another way to write CREATE TABLE AS.
		if q, ok := statements[i].AST.(*ast.Select); ok && q.Into != nil {
			query := *q
			query.Into = nil
			statements[i].AST = &ast.CreateTableAs{Pos: q.Into.Pos, Name: q.Into.Name, Persistence: q.Into.Persistence, Query: &query}
		}
	}
	return statements, err
}

// controlTexts are the statements that are never parsed twice. They are shared:
// nobody changes a parsed statement.
var controlTexts = sync.OnceValue(func() map[string][]parser.Statement {
	all := make(map[string][]parser.Statement)
	for _, verb := range []string{"begin", "commit", "end", "rollback"} {
		for _, text := range []string{verb, strings.ToUpper(verb)} {
			for _, end := range []string{"", ";"} {
				if st, err := parser.Parse(text + end); err == nil {
					all[text+end] = st
				}
			}
		}
	}
	return all
})
