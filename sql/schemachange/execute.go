package schemachange

import (
	"context"
	"errors"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// statement is one DDL statement being executed.
type statement struct {
	e    *Executor
	s    Session
	coll *catalog.Collection
	ctx  context.Context

	// nextID and idsLeft are OIDs taken and not used yet.
	nextID  catalog.ID
	idsLeft int
	// direct says that data of new indexes may be written outside of the transaction, whose
	// snapshot can be moved up to see them.
	direct bool
	// fenceWait bounds the wait for users of a table; 0 is fenceTimeout.
	fenceWait time.Duration
	// unfenced says that tables are changed beside those who use them: a step of an
	// online change.
	unfenced bool
}

// Execute runs a statement in the session's transaction. Errors are *sqlstate.Error in
// PostgreSQL's words, or control errors of the layers below.
func (e *Executor) Execute(ctx context.Context, s Session, stmt ast.Statement) error {
	x := &statement{e: e, s: s, coll: s.Catalog(), ctx: ctx}
	if t, ok := x.coll.Txn().(interface {
		Used() bool
		Isolation() kv.Isolation
	}); ok {
		x.direct = !t.Used() || t.Isolation() != kv.RepeatableRead
	}
	return x.execute(stmt)
}

func (x *statement) execute(stmt ast.Statement) error {
	switch stmt := stmt.(type) {
	case *ast.CreateTable:
		return x.createTable(stmt)
	case *ast.CreateTableAs:
		return x.createTableAs(stmt)
	case *ast.RefreshMaterializedView:
		return x.refresh(stmt)
	case *ast.CreateView:
		return x.createView(stmt)
	case *ast.CreateSchema:
		return x.createSchema(stmt)
	case *ast.CreateDatabase:
		return x.createDatabase(stmt)
	case *ast.DropDatabase:
		return x.dropDatabase(stmt)
	case *ast.CreateEnum:
		return x.createEnum(stmt)
	case *ast.AlterEnum:
		return x.alterEnum(stmt)
	case *ast.Rename:
		return x.rename(stmt)
	case *ast.AlterSchema:
		return x.setSchema(stmt)
	case *ast.AlterOwner:
		return x.alterOwner(stmt)
	case *ast.Comment:
		return x.comment(stmt)
	case *ast.CreateRole:
		return x.createRole(stmt)
	case *ast.AlterRole:
		return x.alterRole(stmt)
	case *ast.DropRole:
		return x.dropRole(stmt)
	case *ast.GrantRole:
		return x.grantRole(stmt)
	case *ast.Grant:
		return x.grant(stmt)
	case *ast.AlterDefaultPrivileges, *ast.ReassignOwned, *ast.DropOwned, *ast.AlterSetting:
		return sqlstate.Unsupported("%s", stmt.Tag())
	case *ast.CreateSequence:
		return x.createSequence(stmt)
	case *ast.AlterSequence:
		return x.alterSequence(stmt)
	case *ast.Drop:
		return x.drop(stmt)
	case *ast.Truncate:
		return x.truncate(stmt)
	case *ast.AlterTable:
		return x.alterTable(stmt)
	case *ast.CreateIndex:
		return x.createIndex(stmt)
	}
	return sqlstate.Unsupported("%s", stmt.Tag())
}

// AfterCommit makes the changes of a committed transaction known on this node and to the
// others, and has the data of dropped objects cleared in the background. The session calls
// it before coll.Release, which lifts the fences. When it returns, a changed table's new
// version is the only one that can be used, on every node. The error is nil once the change
// holds here; other nodes find out by themselves if they could not be told.
func (e *Executor) AfterCommit(ctx context.Context, coll *catalog.Collection) error {
	if !coll.HasChanges() {
		return nil
	}
	if err := e.cfg.Source.Publish(ctx, coll.Changes()); err != nil {
		e.log.Warn("publishing a schema change", "error", err)
	}
	if lifts := e.takeLifts(coll); len(lifts) > 0 {
		runLifts(context.WithoutCancel(ctx), lifts)
	}
	if jobs := e.takeJobs(coll); len(jobs) > 0 {
		if e.ctx.Err() == nil {
			e.wg.Go(func() { e.finishJobs(jobs) })
		}
	}
	return nil
}

// AfterUnknown takes over a transaction whose commit may or may not have happened. Its
// fences stand until the node has read what became of it. The session releases coll as
// usual, without effect.
func (e *Executor) AfterUnknown(coll *catalog.Collection) {
	if !coll.HasChanges() || e.ctx.Err() != nil {
		return
	}
	held := coll.Detach()
	e.wg.Go(func() {
		defer held.Release()
		for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
			err := e.cfg.Source.Refresh(e.ctx)
			if err == nil {
				if err = e.cfg.Source.Announce(e.ctx); err == nil {
					return
				}
			}
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
				e.log.Warn("outcome of a schema change", "error", err)
			case <-e.ctx.Done():
				timer.Stop()
				return
			}
		}
	})
}

func isConditionFailed(err error) bool {
	_, ok := errors.AsType[*kv.ConditionFailedError](err)
	return ok
}
