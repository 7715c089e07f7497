package sql

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/stats"
	"github.com/spanlite/spanlite/sql/types"
)

// This file runs EXPLAIN, EXECUTE, VACUUM, ANALYZE and LOCK, and describes the
// results of statements without a plan.

// explain executes EXPLAIN.
func (s *Session) explain(p *portal, st *ast.Explain) error {
	analyze, summary, asJSON := false, true, false
	show := exec.ExplainOptions{Costs: true, Timing: true}
	for _, o := range st.Options {
		switch o.Name {
		case "analyze":
			b, err := optionBool(o)
			if err != nil {
				return err
			}
			analyze = b
		case "verbose", "costs", "buffers", "timing", "summary", "settings", "wal":
			b, err := optionBool(o)
			if err != nil {
				return err
			}
			switch o.Name {
			case "verbose":
				show.Verbose = b
			case "costs":
				show.Costs = b
			case "timing":
				show.Timing = b
			case "summary":
				summary = b
			}
		case "format":
			switch f := strings.ToLower(optionText(o)); f {
			case "text":
				asJSON = false
			case "json":
				asJSON = true
			default:
				return sqlstate.Unsupported("EXPLAIN (FORMAT %s)", strings.ToUpper(f))
			}
		default:
			return sqlstate.New(sqlstate.SyntaxError, "unrecognized EXPLAIN option \"%s\"", o.Name).At(o.Pos.Offset())
		}
	}
	if !isPlanned(st.Statement) {
		return sqlstate.Unsupported("EXPLAIN of %s", st.Statement.Tag())
	}
	if q := asOfQuery(st.Statement); q != nil {
		if err := s.beginAsOf(q); err != nil {
			return err
		}
	}
	s.ensureTxn()
	s.setPath(s.txn.coll)
	begin := time.Now()
	c, err := s.bindAndOptimize(st.Statement, paramTypes(p))
	if err != nil {
		return err
	}
	planning, took := time.Since(begin), time.Duration(-1)
	if analyze {
		if !c.plan.ReadOnly {
			if err := s.checkWritable(st.Statement); err != nil {
				return err
			}
		}
		mem := exec.NewMonitor(s.srv.cfg.Memory, 0)
		defer mem.Close()
		x := s.execContext(p.params, mem)
		x.Analyze = true
		begin := time.Now()
		cursor, err := exec.Open(&s.ctx, c.plan, x)
		if err != nil {
			return err
		}
		defer cursor.Close()
		for {
			b, err := cursor.Next()
			if err != nil {
				return err
			}
			if b == nil {
				break
			}
		}
		show.Stats, took = cursor.Stats(), time.Since(begin)
	}
	if !analyze || !summary {
		planning, took = -1, -1
	}
	if asJSON {
		text := exec.ExplainJSON(c.plan, show, planning, took)
		return s.sendRows(p, explainJSONColumns, []types.Row{{types.NewString(text)}})
	}
	lines := exec.Explain(c.plan, show)
	if took >= 0 {
		lines = append(lines, fmt.Sprintf("Planning Time: %.3f ms", float64(planning.Microseconds())/1000),
			fmt.Sprintf("Execution Time: %.3f ms", float64(took.Microseconds())/1000))
	}
	rows := make([]types.Row, len(lines))
	for i, l := range lines {
		rows[i] = types.Row{types.NewString(l)}
	}
	return s.sendRows(p, explainColumns, rows)
}

var explainJSONColumns = []Column{{Name: "QUERY PLAN", Type: types.JSON}}

var explainColumns = []Column{{Name: "QUERY PLAN", Type: types.Text}}

// executeStatement executes EXECUTE: the named statement with the given
// arguments.
func (s *Session) executeStatement(p *portal, st *ast.Execute) (Tag, error) {
	ps, ok := s.prepared[st.Name]
	if !ok {
		return Tag{}, sqlstate.New(sqlstate.InvalidSQLStatementName, "prepared statement \"%s\" does not exist", st.Name)
	}
	if ps.compiled == nil {
		inner := &portal{stmt: ps.stmt, text: ps.text}
		return s.utility(inner)
	}
	if err := s.refresh(ps); err != nil {
		return Tag{}, err
	}
	if len(st.Args) != len(ps.compiled.params) {
		return Tag{}, sqlstate.New(sqlstate.SyntaxError, "wrong number of parameters for prepared statement \"%s\"", st.Name).
			WithDetail("Expected %d parameters but got %d.", len(ps.compiled.params), len(st.Args))
	}
	args, err := s.evalArguments(st.Args, ps.compiled.params)
	if err != nil {
		return Tag{}, err
	}
	if !ps.compiled.plan.ReadOnly {
		if err := s.checkWritable(ps.stmt.AST); err != nil {
			return Tag{}, err
		}
	}
	c := ps.compiled
	if q := asOfQuery(ps.stmt.AST); q != nil {
		if err := s.beginAsOf(q); err != nil {
			return Tag{}, err
		}
		if c, err = s.bindAndOptimize(q, ps.declared); err != nil {
			return Tag{}, err
		}
	}
	t := s.ensureTxn()
	s.setPath(s.txn.coll)
	t.StepStatement()
	t.SetLockTimeout(s.vars.LockTimeout)
	if ok, err := s.txn.coll.Use(&s.ctx, c.plan.Tables...); err != nil || !ok {
		if err == nil {
			err = errTableChanging(false)
		}
		return Tag{}, err
	}
	mem := exec.NewMonitor(s.srv.cfg.Memory, 0)
	defer mem.Close()
	if c.columns != nil {
		if err := s.client.BeginRows(c.columns, p.formats); err != nil {
			return Tag{}, err
		}
	}
	sink := &clientSink{c: s.client, rows: c.columns != nil}
	n, err := exec.Run(&s.ctx, c.plan, s.execContext(args, mem), sink)
	if err != nil {
		return Tag{}, err
	}
	return planTag(c.plan, n, n), nil
}

// evalArguments evaluates the arguments of EXECUTE as values of the given types.
func (s *Session) evalArguments(args []ast.Expr, ts []*types.T) ([]types.Datum, error) {
	if len(args) == 0 {
		return nil, nil
	}
	q := &ast.SelectCore{Pos: ast.NoPos}
	for i, a := range args {
		q.Targets = append(q.Targets, &ast.Target{Pos: ast.NoPos, Expr: &ast.Cast{Pos: ast.NoPos, X: a, Type: typeNameOf(ts[i])}})
	}
	s.ensureTxn()
	s.setPath(s.txn.coll)
	c, err := s.bindAndOptimize(&ast.Select{Pos: ast.NoPos, Body: q}, nil)
	if err != nil {
		return nil, err
	}
	mem := exec.NewMonitor(s.srv.cfg.Memory, 0)
	defer mem.Close()
	sink := &oneRow{}
	if _, err := exec.Run(&s.ctx, c.plan, s.execContext(nil, mem), sink); err != nil {
		return nil, err
	}
	return sink.row, nil
}

// typeNameOf returns the syntax of a type.
func typeNameOf(t *types.T) *ast.TypeName {
	n := &ast.TypeName{Pos: ast.NoPos, Name: ast.ObjectName{Pos: ast.NoPos, Schema: t.Schema, Name: t.Name}}
	if t.Elem != nil && t.Family == types.FamArray {
		n.Name.Schema, n.Name.Name = t.Elem.Schema, t.Elem.Name
		n.ArrayBounds = []int32{-1}
	}
	return n
}

// oneRow keeps the only row of a result.
type oneRow struct{ row types.Row }

// Rows implements exec.Sink.
func (o *oneRow) Rows(b *types.Batch) error {
	for col := range b.Cols {
		o.row = append(o.row, b.Cols[col].Get(b.RowAt(0)).Clone())
	}
	return nil
}

// clientSink sends rows to the client.
type clientSink struct {
	c    Client
	rows bool
}

// Rows implements exec.Sink.
func (k *clientSink) Rows(b *types.Batch) error {
	if !k.rows {
		return nil
	}
	return k.c.Batch(b, 0, b.Len())
}

// vacuum executes VACUUM and ANALYZE. There is nothing to vacuum: old versions go
// by themselves, by age. ANALYZE collects statistics for the planner.
func (s *Session) vacuum(st *ast.Vacuum) error {
	if !st.AnalyzeOnly && s.txn.block == blockOpen {
		return sqlstate.New(sqlstate.ActiveSQLTransaction, "VACUUM cannot run inside a transaction block")
	}
	analyze := st.AnalyzeOnly
	for _, o := range st.Options {
		if o.Name == "analyze" {
			b, err := optionBool(o)
			if err != nil {
				return err
			}
			analyze = b
		}
	}
	s.ensureTxn()
	coll := s.collection()
	var tables []*catalog.Table
	for _, t := range st.Tables {
		table, err := coll.ResolveTable(&s.ctx, objectName(t.Name))
		if err != nil {
			return err
		}
		tables = append(tables, table)
	}
	if len(st.Tables) == 0 {
		coll.All(func(d catalog.Descriptor) bool {
			if t, ok := d.(*catalog.Table); ok && t.Database == s.database {
				tables = append(tables, t)
			}
			return true
		})
	}
	if !analyze {
		return nil
	}
	for _, t := range tables {
		if err := s.analyze(t); err != nil {
			return err
		}
	}
	return nil
}

// analyze collects the statistics of a table.
func (s *Session) analyze(t *catalog.Table) error {
	mem := exec.NewMonitor(s.srv.cfg.Memory, 0)
	defer mem.Close()
	collected, err := exec.Analyze(&s.ctx, s.execContext(nil, mem), t, rand.Uint64(), s.eval.ec.StmtTime)
	if err != nil {
		return err
	}
	if err := stats.Save(&s.ctx, catalogTxn{s.txn.kv}, t, collected); err != nil {
		return err
	}
	s.srv.cfg.Stats.Put(collected)
	return nil
}

// lockTables executes LOCK TABLE. Modes that readers and writers of rows do not
// notice are granted; the others would have to keep them out.
func (s *Session) lockTables(st *ast.Lock) error {
	if s.txn.block != blockOpen {
		return sqlstate.New(sqlstate.NoActiveSQLTransaction, "LOCK TABLE can only be used in transaction blocks")
	}
	for _, t := range st.Tables {
		if _, err := s.collection().ResolveRelation(&s.ctx, objectName(t.Name)); err != nil {
			return err
		}
	}
	switch st.Mode {
	case "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE":
		return nil
	}
	return sqlstate.Unsupported("LOCK TABLE ... IN %s MODE", st.Mode)
}

// utilityColumns describes the result of a statement without a plan; nil if it
// returns no rows.
func (s *Session) utilityColumns(st ast.Statement) ([]Column, error) {
	switch st := st.(type) {
	case *ast.Show:
		return s.showColumns(st)
	case *ast.Explain:
		for _, o := range st.Options {
			if o.Name == "format" && strings.EqualFold(optionText(o), "json") {
				return explainJSONColumns, nil
			}
		}
		return explainColumns, nil
	case *ast.Execute:
		if ps := s.prepared[st.Name]; ps != nil && ps.compiled != nil {
			return ps.compiled.columns, nil
		}
	case *ast.Fetch:
		if p := s.portals[st.Cursor]; p != nil && !st.Move {
			return p.columns, nil
		}
	}
	return nil, nil
}
