package schemachange

import (
	"context"
	"log/slog"
	"sync"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/catalog/lease"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Config configures an Executor.
type Config struct {
	DB       catalog.DB
	Source   *lease.Source
	Registry *expr.Registry
	// Parser reads what descriptors hold as text, for work without a session.
	Parser plan.Parser
	// Peers are the other nodes of the cluster; nil if there can be none.
	Peers  Peers
	Logger *slog.Logger
}

// Peers keeps the other nodes from using a table while it is changed. It is safe for
// concurrent use.
type Peers interface {
	// Fence makes every other node bring its image of the catalog up to date, keep
	// new transactions from using the table, and wait until those that use it have
	// ended. A node that begins to use the catalog later is kept from the table too.
	// The lock on the descriptor's row is held from before Fence until the transaction
	// ends, so there is one fence of a table at a time.
	//
	// The fences stand until lift is called, once; or until this node has ended or
	// has lost its lease on the catalog, so that it can no longer commit.
	// Lift makes the other nodes bring their images up to date first. When it returns,
	// nodes that could be reached use the newest version; the others cannot use an
	// older one, and lift their fences by themselves.
	//
	// A timeout of ctx is reported as 55P03 or 57P03, with the node's name. No fence
	// is left after an error.
	Fence(ctx context.Context, table catalog.ID) (lift func(context.Context), err error)

	// Drain waits until every other node has taken up the given version of a table or
	// a later one, and no transaction there uses an earlier one.
	Drain(ctx context.Context, table catalog.ID, version uint32) error
}

// Executor executes DDL for the sessions of a node. It is safe for concurrent use.
type Executor struct {
	cfg Config
	log *slog.Logger

	// ctx ends with Close; background work runs under it.
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// process tells the jobs of this process from those that its node left earlier.
	process uint64
	jobsMu  sync.Mutex
	// inHand are the jobs of this process that are looked after.
	inHand map[uint64]bool
	// temps are the jobs of the temporary schemas of this node's sessions.
	temps map[catalog.ID]*job
	// noted are the jobs of transactions that are open.
	noted map[*catalog.Collection][]*job

	// lifts has what lifts the fences at other nodes, by transaction.
	liftsMu sync.Mutex
	lifts   map[*catalog.Collection][]func(context.Context)

	sequences numberCache
	rowIDs    numberCache
}

// Session is what a statement needs of the session that runs it.
type Session interface {
	// Catalog is the view of the open transaction, with Path set.
	Catalog() *catalog.Collection
	// Notice sends a NOTICE or WARNING to the client.
	Notice(*sqlstate.Error)
	// PlanContext binds defaults, checks and the queries of views.
	PlanContext() *plan.Context
	EvalContext() *expr.EvalContext
	UserID() catalog.ID
	// Alone reports whether the statement is the whole of its transaction, so that it
	// may commit parts of its work by itself.
	Alone() bool
	// MayCommit reports whether the statement is the first of its transaction and that
	// one is implicit: a statement that must not run in a transaction block may run.
	MayCommit() bool
	// Permit checks that the session's role may make the changes of a transaction that
	// the statement is about to commit by itself.
	Permit(stmt ast.Statement, coll *catalog.Collection) error
	// Query runs a statement in the session's transaction, without a result.
	Query(ctx context.Context, sql string) error
	// Refresh is Query for a statement that fills a materialized view.
	Refresh(ctx context.Context, view catalog.ID, sql string) error
}

// New returns an Executor; Close it.
func New(cfg Config) *Executor {
	e := &Executor{
		cfg: cfg, log: cfg.Logger, lifts: make(map[*catalog.Collection][]func(context.Context)),
		process: uint64(cfg.DB.Now()), inHand: make(map[uint64]bool), temps: make(map[catalog.ID]*job), noted: make(map[*catalog.Collection][]*job),
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.wg.Go(e.sweepLoop)
	return e
}

// Close stops background work and waits for it. The jobs that are left over are done by
// another node, or by this one when it starts again.
func (e *Executor) Close() {
	e.cancel()
	e.wg.Wait()
}

// Handles reports whether Execute is responsible for a statement.
func Handles(stmt ast.Statement) bool {
	switch stmt.(type) {
	case *ast.CreateTable, *ast.CreateTableAs, *ast.CreateIndex, *ast.CreateDatabase, *ast.AlterDatabase,
		*ast.DropDatabase, *ast.CreateSchema, *ast.CreateSequence, *ast.AlterSequence, *ast.CreateView,
		*ast.RefreshMaterializedView, *ast.CreateEnum, *ast.AlterEnum, *ast.CreateComposite, *ast.CreateRange,
		*ast.CreateDomain, *ast.AlterDomain, *ast.CreateExtension, *ast.CreateCollation, *ast.CreateStatistics,
		*ast.Drop, *ast.Truncate, *ast.Comment, *ast.AlterTable, *ast.Rename, *ast.AlterSchema, *ast.AlterOwner,
		*ast.CreateRole, *ast.AlterRole, *ast.DropRole, *ast.Grant, *ast.GrantRole, *ast.AlterDefaultPrivileges,
		*ast.ReassignOwned, *ast.DropOwned, *ast.AlterSetting:
		return true
	}
	return false
}
