package schemachange

import (
	"context"
	"slices"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// worker is the Session of work that goes on without the client who asked for it. It binds
// the expressions of descriptors, under the default settings.
type worker struct {
	e    *Executor
	coll *catalog.Collection
	ec   *expr.EvalContext
}

var _ Session = (*worker)(nil)

// work returns a statement without a client, over the committed catalog. Its reads are of
// the time at, and it writes nothing; at zero it does not read either.
func (e *Executor) work(ctx context.Context, at hlc.Timestamp) *statement {
	var txn catalog.Txn
	if at != 0 {
		txn = snapshotTxn{e.cfg.DB, at}
	}
	w := &worker{e: e, coll: catalog.NewCollection(e.cfg.Source, e.cfg.DB, txn), ec: expr.NewEvalContext(ctx, types.DefaultSettings())}
	return &statement{e: e, s: w, coll: w.coll, ctx: ctx}
}

func (w *worker) Catalog() *catalog.Collection { return w.coll }
func (w *worker) Notice(*sqlstate.Error)       {}
func (w *worker) PlanContext() *plan.Context {
	return &plan.Context{Catalog: w.coll, Registry: w.e.cfg.Registry, Parser: w.e.cfg.Parser, Eval: w.ec}
}
func (w *worker) EvalContext() *expr.EvalContext                  { return w.ec }
func (w *worker) UserID() catalog.ID                              { return catalog.RoleRoot }
func (w *worker) Alone() bool                                     { return false }
func (w *worker) MayCommit() bool                                 { return false }
func (w *worker) Permit(ast.Statement, *catalog.Collection) error { return nil }
func (w *worker) Refresh(context.Context, catalog.ID, string) error {
	return sqlstate.Unsupported("queries in the background")
}
func (w *worker) Query(context.Context, string) error {
	return sqlstate.Unsupported("queries in the background")
}

// snapshotTxn reads the committed state of a time, without locks. It does not write.
type snapshotTxn struct {
	db catalog.DB
	at hlc.Timestamp
}

func (t snapshotTxn) Get(ctx context.Context, key []byte, _ kv.LockStrength) ([]byte, bool, error) {
	b := kv.Batch{Header: kv.Header{ReadTS: t.at}, Ops: []kv.Op{{Kind: kv.OpGet, Key: key}}}
	err := t.db.Send(ctx, &b)
	return b.Ops[0].Value, b.Ops[0].Found, err
}

func (t snapshotTxn) ScanPage(ctx context.Context, start, end []byte, maxRows int64, dst *kv.Rows) ([]byte, error) {
	b := kv.Batch{Header: kv.Header{ReadTS: t.at}, Ops: []kv.Op{{Kind: kv.OpScan, Key: start, EndKey: end, MaxRows: maxRows, Rows: dst}}}
	if maxRows == 0 {
		b.Ops[0].MaxBytes = scanPageBytes
	}
	err := t.db.Send(ctx, &b)
	return slices.Clone(b.Ops[0].Resume), err
}

// scanPageBytes is the size of a page of rows.
const scanPageBytes = 1 << 20

func (t snapshotTxn) Put(context.Context, []byte, []byte) error { return errSnapshot }
func (t snapshotTxn) Delete(context.Context, []byte) error      { return errSnapshot }
func (t snapshotTxn) ReadTimestamp() hlc.Timestamp              { return t.at }

var errSnapshot = sqlstate.New(sqlstate.ReadOnlySQLTransaction, "cannot write to the past")
