package sql

import (
	"context"
	"time"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/schemachange"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// execution says how a portal is being executed.
type execution struct {
	// alone: the statement is the whole of its implicit transaction, which commits
	// with it, and may be retried as a whole.
	alone bool
	// commitImplicit: the implicit transaction ends with this statement (the last
	// of a simple query).
	commitImplicit bool
	extended       bool
}

// running is a plan in execution, suspended between two Executes.
type running struct {
	cursor *exec.Cursor
	mem    *exec.Monitor
	// batch and at are what was not sent yet when the row limit was reached.
	batch *types.Batch
	at    int
	rows  int64
}

func (r *running) close() {
	r.cursor.Close()
	r.mem.Close()
}

// executePortal runs a portal for at most rowsMax rows (0: all) and answers the
// client.
func (s *Session) executePortal(p *portal, rowsMax int64, x execution) error {
	s.srv.metrics.Statements.Add(1)
	if p.done {
		return s.client.Complete(repeatedTag(p.tag))
	}
	if p.compiled == nil {
		return s.executeUtility(p, x)
	}
	if p.run != nil {
		return s.continuePortal(p, rowsMax, x)
	}
	for attempt := 0; ; attempt++ {
		mark := s.client.Mark()
		err := s.startPortal(p, rowsMax, x)
		if err == nil {
			return nil
		}
		if p.run != nil {
			p.run.close()
			p.run = nil
		}
		if !s.mayRetry(err, attempt, x) || !s.client.Rewind(mark) {
			return err
		}
		if err := s.prepareRetry(err, attempt); err != nil {
			return err
		}
		if err := s.recompile(p); err != nil {
			return err
		}
	}
}

// repeatedTag is what a portal that has run to its end says when executed again:
// no more rows.
func repeatedTag(t Tag) Tag {
	if t.HasCount && t.Name == "SELECT" {
		t.Count = 0
	}
	return t
}

// startPortal opens the transaction if need be and runs a plan from its start.
func (s *Session) startPortal(p *portal, rowsMax int64, x execution) error {
	if !p.compiled.plan.ReadOnly {
		if err := s.checkWritable(p.stmt.AST); err != nil {
			return err
		}
	}
	if q := asOfQuery(p.stmt.AST); q != nil {
		if err := s.openAsOf(p, q); err != nil {
			return err
		}
	}
	t := s.ensureTxn()
	s.txn.queried = true
	t.StepStatement()
	t.SetLockTimeout(s.vars.LockTimeout)
	for attempt := 0; ; attempt++ {
		ok, err := s.txn.coll.Use(&s.ctx, p.compiled.plan.Tables...)
		if err != nil {
			return err
		}
		if ok {
			break
		}
		if attempt == retriesMax {
			return sqlstate.New(sqlstate.ObjectInUse, "a table of the statement is being changed")
		}
		// A schema change has been waited for: what it wrote is newer than the snapshot.
		if err := s.recompile(p); err != nil {
			return err
		}
		t.StepStatement()
	}
	if p.isPoint(rowsMax) {
		return s.runPoint(p, x)
	}
	mem := exec.NewMonitor(s.srv.cfg.Memory, 0)
	cursor, err := exec.Open(&s.ctx, p.compiled.plan, s.execContext(p.params, mem))
	if err != nil {
		mem.Close()
		return err
	}
	p.run = &running{cursor: cursor, mem: mem}
	if p.columns != nil {
		if err := s.client.BeginRows(p.columns, p.formats); err != nil {
			return err
		}
	}
	return s.runPortal(p, rowsMax, x)
}

// continuePortal goes on with a suspended portal.
func (s *Session) continuePortal(p *portal, rowsMax int64, x execution) error {
	if err := s.client.BeginRows(p.columns, p.formats); err != nil {
		return err
	}
	return s.runPortal(p, rowsMax, x)
}

// runPortal sends rows until the limit or the end.
func (s *Session) runPortal(p *portal, rowsMax int64, x execution) error {
	r := p.run
	sent := int64(0)
	for {
		if r.batch == nil {
			b, err := r.cursor.Next()
			if err != nil {
				return err
			}
			if b == nil {
				break
			}
			r.batch, r.at = b, 0
		}
		n := r.batch.Len()
		limit := n
		if rowsMax > 0 && int64(limit-r.at) > rowsMax-sent {
			limit = r.at + int(rowsMax-sent)
		}
		if p.columns != nil {
			if err := s.client.Batch(r.batch, r.at, limit); err != nil {
				return err
			}
		}
		sent += int64(limit - r.at)
		r.at = limit
		if r.at == n {
			r.batch = nil
		}
		if rowsMax > 0 && sent >= rowsMax {
			r.rows += sent
			return s.client.Suspended()
		}
	}
	r.rows += sent
	tag := planTag(p.compiled.plan, sent, r.cursor.Affected())
	r.close()
	p.run = nil
	p.done, p.tag = true, tag
	return s.finishStatement(tag, x)
}

// planTag returns the command tag of a plan.
func planTag(p *plan.Physical, sent, affected int64) Tag {
	switch p.Kind {
	case plan.KindInsert:
		return Tag{Name: "INSERT 0", Count: affected, HasCount: true}
	case plan.KindUpdate:
		return Tag{Name: "UPDATE", Count: affected, HasCount: true}
	case plan.KindDelete:
		return Tag{Name: "DELETE", Count: affected, HasCount: true}
	}
	return Tag{Name: "SELECT", Count: sent, HasCount: true}
}

// finishStatement ends a statement: it commits what ends with it, and then tells
// the client. Nothing is acknowledged before it is durable.
func (s *Session) finishStatement(tag Tag, x execution) error {
	if s.txn.block == blockNone && (x.alone || s.txn.kv != nil) || s.txn.block == blockImplicit && x.commitImplicit {
		if err := s.commitTransaction(); err != nil {
			return err
		}
	}
	s.txn.statements++
	return s.client.Complete(tag)
}

// execContext is what the executor needs, made anew for each statement because a
// suspended portal keeps its own.
func (s *Session) execContext(params []types.Datum, mem *exec.Monitor) *exec.Context {
	return &exec.Context{
		Txn: s.txn.kv, Eval: s.evalContext(params), Mem: mem,
		WorkMem: s.vars.WorkMemBytes, Temp: s.srv.cfg.Temp,
		Virtual:     &catalog.VirtualEnv{Catalog: s.txn.coll, Host: (*host)(s)},
		RowID:       s.srv.cfg.Schema.RowID,
		SequenceRow: s.srv.cfg.Schema.SequenceRow,
		SchemaName:  planCatalog{s.txn.coll}.SchemaName,
		Deferred:    &s.txn.deferred,
	}
}

// checkWritable refuses writes where they are not allowed.
func (s *Session) checkWritable(st ast.Statement) error {
	readOnly := s.txn.readOnly
	if s.txn.block == blockNone {
		readOnly = s.vars.DefaultReadOnly
	}
	if readOnly {
		return readOnlyError(st.Tag())
	}
	return nil
}

// recompile renews a portal's plan.
func (s *Session) recompile(p *portal) error {
	if s.fresh(p.compiled) && !superseded(p.compiled.plan) {
		return nil
	}
	var c *compiled
	var err error
	if p.ps != nil {
		if err = s.refresh(p.ps); err == nil {
			c = p.ps.compiled
		}
	} else {
		c, err = s.compileStatement(p.stmt, nil)
	}
	if err != nil {
		return err
	}
	p.compiled = c
	if p.columns != nil && !sameColumns(p.columns, c.columns) && p.ps != nil {
		return sqlstate.New(sqlstate.FeatureNotSupported, "cached plan must not change result type")
	}
	p.columns = c.columns
	return nil
}

func superseded(p *plan.Physical) bool {
	for _, t := range p.Tables {
		if t.Superseded() {
			return true
		}
	}
	return false
}

// retriesMax bounds the server's own retries of a statement. The first few are
// immediate, later ones wait.
const retriesMax = 50

// mayRetry reports whether the server may run a statement again by itself: the
// error is a conflict, and the client has seen nothing of the transaction.
func (s *Session) mayRetry(err error, attempt int, x execution) bool {
	if attempt >= retriesMax || s.ctx.cause() != nil || s.txn.asOf != 0 || !txn.Retryable(err) {
		return false
	}
	switch s.txn.block {
	case blockNone:
		return x.alone
	case blockImplicit, blockOpen:
		return s.txn.statements == 0 && len(s.txn.savepoints) == 0 && s.txn.kv != nil && !s.txn.coll.HasChanges()
	}
	return false
}

// prepareRetry makes the transaction begin again.
func (s *Session) prepareRetry(cause error, attempt int) error {
	s.srv.metrics.Retries.Add(1)
	t := s.txn.kv
	if t == nil {
		return nil
	}
	s.txn.coll.Release()
	s.txn.deferred.Reset()
	s.notices.rollbackTo(notifyMark{})
	if err := t.Restart(&s.ctx, cause); err != nil {
		return err
	}
	s.txn.coll.Reset(catalogTxn{t})
	s.setPath(s.txn.coll)
	if attempt >= 3 {
		return pause(&s.ctx, min(time.Millisecond<<min(attempt-3, 6), 50*time.Millisecond))
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// executeUtility runs a statement that has no plan.
func (s *Session) executeUtility(p *portal, x execution) error {
	if s.needsTxn(p.stmt.AST) {
		if err := s.checkUtilityWritable(p.stmt.AST); err != nil {
			return err
		}
	}
	s.txn.queried = s.txn.queried || takesSnapshot(p.stmt.AST)
	for attempt := 0; ; attempt++ {
		mark := s.client.Mark()
		tag, err := s.utility(p)
		if err == nil {
			p.done, p.tag = true, tag
			if endsTransaction(p.stmt.AST) {
				return s.client.Complete(tag)
			}
			if err = s.finishStatement(tag, x); err == nil {
				return nil
			}
		}
		if !schemachange.Handles(p.stmt.AST) || !s.mayRetry(err, attempt, x) || !s.client.Rewind(mark) {
			return err
		}
		p.done = false
		if err := s.prepareRetry(err, attempt); err != nil {
			return err
		}
	}
}

// endsTransaction reports whether a statement has committed or begun by itself.
func endsTransaction(st ast.Statement) bool {
	switch st.(type) {
	case *ast.Begin, *ast.Commit, *ast.Rollback, *ast.Savepoint, *ast.ReleaseSavepoint, *ast.RollbackTo,
		*ast.PrepareTransaction, *ast.CommitPrepared, *ast.RollbackPrepared:
		return true
	}
	return false
}

// needsTxn reports whether a utility statement writes.
func (s *Session) needsTxn(st ast.Statement) bool {
	if c, ok := st.(*ast.Copy); ok {
		return c.From
	}
	if _, ok := st.(*ast.Do); ok {
		return true
	}
	return schemachange.Handles(st)
}

func (s *Session) checkUtilityWritable(st ast.Statement) error { return s.checkWritable(st) }

// utility dispatches a statement that has no plan.
func (s *Session) utility(p *portal) (Tag, error) {
	tag := Tag{Name: p.stmt.AST.Tag()}
	switch st := p.stmt.AST.(type) {
	case *ast.Begin:
		return tag, s.begin(st)
	case *ast.Commit:
		return s.commitStatement(st.Chain)
	case *ast.Rollback:
		return s.rollbackStatement(st.Chain)
	case *ast.Savepoint:
		return tag, s.savepoint(st.Name)
	case *ast.ReleaseSavepoint:
		return tag, s.releaseSavepoint(st.Name)
	case *ast.RollbackTo:
		return tag, s.rollbackTo(st.Name)
	case *ast.PrepareTransaction:
		return s.prepareTransaction(st)
	case *ast.CommitPrepared:
		return tag, s.finishPrepared(st.ID, true)
	case *ast.RollbackPrepared:
		return tag, s.finishPrepared(st.ID, false)
	case *ast.SetTransaction:
		return tag, s.setTransaction(st)
	case *ast.Set:
		return tag, s.set(st)
	case *ast.Reset:
		return tag, s.reset(st)
	case *ast.Show:
		columns, rows, err := s.show(st)
		if err != nil {
			return tag, err
		}
		return tag, s.sendRows(p, columns, rows)
	case *ast.Discard:
		return tag, s.discard(st.What)
	case *ast.Prepare:
		return tag, s.prepareStatement(st)
	case *ast.Execute:
		return s.executeStatement(p, st)
	case *ast.Deallocate:
		return tag, s.deallocate(st.Name)
	case *ast.Explain:
		return tag, s.explain(p, st)
	case *ast.Copy:
		return s.copy(p, st)
	case *ast.DeclareCursor:
		return tag, s.declareCursor(p, st)
	case *ast.Fetch:
		return s.fetch(p, st)
	case *ast.CloseCursor:
		return tag, s.closeCursor(st)
	case *ast.Vacuum:
		return tag, s.vacuum(st)
	case *ast.Checkpoint:
		return tag, nil
	case *ast.Listen, *ast.Notify, *ast.Unlisten:
		return tag, s.notifyStatement(st)
	case *ast.Lock:
		return tag, s.lockTables(st)
	case *ast.SetConstraints:
		return tag, s.setConstraints(st)
	case *ast.Do:
		return s.do(st)
	case *ast.Unsupported:
		return tag, sqlstate.Unsupported("%s", st.What)
	}
	if schemachange.Handles(p.stmt.AST) {
		s.ensureTxn()
		return s.executeSchemaChange(p.stmt.AST)
	}
	return tag, sqlstate.Unsupported("%s", p.stmt.AST.Tag())
}

// sendRows sends the rows of a utility statement.
func (s *Session) sendRows(p *portal, columns []Column, rows []types.Row) error {
	if err := s.client.BeginRows(columns, p.formats); err != nil {
		return err
	}
	for _, r := range rows {
		if err := s.client.Row(r); err != nil {
			return err
		}
	}
	return nil
}

// prepareCommit checks what only the end of a transaction can check.
func (s *Session) prepareCommit() error {
	if s.txn.deferred.Pending() {
		if err := s.checkDeferred((*exec.Deferred).Check); err != nil {
			return err
		}
	}
	if err := s.checkFence(); err != nil {
		return err
	}
	if err := s.srv.cfg.Catalog.Check(); err != nil {
		return err
	}
	if s.txn.coll.HasChanges() {
		if err := s.srv.cfg.Schema.BeforeCommit(&s.ctx, s.txn.coll); err != nil {
			return err
		}
	}
	return s.txn.coll.Check()
}

// afterCommit makes committed schema changes known and finishes them.
func (s *Session) afterCommit(coll *catalog.Collection, wrote bool) error {
	defer coll.Release()
	if coll.HasChanges() {
		if err := s.srv.cfg.Schema.AfterCommit(&s.ctx, coll); err != nil {
			return err
		}
		s.adoptTemporary(coll)
	}
	if wrote && len(s.tempEmptied) > 0 {
		return s.srv.cfg.Schema.EmptyTemp(&s.ctx, s.tempSchema, s.tempEmptied)
	}
	return nil
}
