package expr

import (
	"context"
	"time"

	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// EvalContext is everything that an expression may depend on besides its row. It is
// owned by one goroutine; a parallel operator gives each worker its own by Fork.
// The context.Context inside is the statement's: an EvalContext lives no longer than that.
type EvalContext struct {
	Ctx context.Context
	// Settings of the session; Now in it is the transaction's start.
	*types.Settings
	// TxnTime and StmtTime are microseconds since 2000-01-01 UTC.
	TxnTime, StmtTime int64
	// Clock reads the wall clock, for clock_timestamp and timeofday; nil means
	// that time stands still at StmtTime.
	Clock func() time.Time
	// Random returns a uniform number in [0,1); seeded by setseed through Session.
	Random func() float64

	Params []types.Datum
	// Outer holds the rows of the enclosing queries, the nearest last.
	Outer []types.Row

	User, SessionUser, Database string
	SearchPath                  []string
	BackendPID                  int32

	// The callbacks below may be nil; the functions that need them then raise 0A000.
	Session    Session
	Sequences  Sequences
	System     System
	Subqueries SubqueryRunner

	stack []types.Datum // arguments of the calls being evaluated
	// argVecs are the argument vectors of the calls being evaluated.
	argVecs []*types.Vec
	vecs    []*types.Vec   // scratch vectors not in use
	sels    [][]uint16     // scratch selections not in use
	views   []*types.Batch // scratch batches not in use
	// operands and operandVecs hold the operands of the simple CASEs being evaluated.
	operands    []types.Datum
	operandVecs []*types.Vec
}

// Session reads and writes session settings.
type Session interface {
	// Setting returns the text of a setting, ok false if there is none of that name.
	Setting(name string) (value string, ok bool)
	// SetSetting is set_config; it returns the new value as shown by SHOW.
	SetSetting(name, value string, local bool) (string, error)
}

// Sequences serves nextval and its relatives.
type Sequences interface {
	Nextval(ctx context.Context, seq types.OID) (int64, error)
	Currval(ctx context.Context, seq types.OID) (int64, error)
	Setval(ctx context.Context, seq types.OID, value int64, isCalled bool) error
	Lastval(ctx context.Context) (int64, error)
}

// System implements the functions that need the catalog, the cluster or other
// sessions: pg_get_indexdef, has_table_privilege, pg_advisory_lock, pg_cancel_backend
// and so on. Package builtins declares their signatures and calls
// here with the function's name and its arguments; fn.Args tells overloads apart.
type System interface {
	CallSystem(ec *EvalContext, fn *Function, args []types.Datum) (types.Datum, error)
	// CallSystemSet is CallSystem for functions that return a set.
	CallSystemSet(ec *EvalContext, fn *Function, args []types.Datum) (SetIter, error)
}

// SubqueryRunner runs the query inside a Subquery node. The executor provides it.
type SubqueryRunner interface {
	// RunSubquery executes sq.Plan with ec.Outer extended by outer and calls row for
	// each result until it returns false. The row is valid during the call only.
	RunSubquery(ec *EvalContext, sq *Subquery, outer types.Row, row func(types.Row) (bool, error)) error
}

// NewEvalContext returns a context for the settings; the caller fills in the rest.
func NewEvalContext(ctx context.Context, s *types.Settings) *EvalContext {
	return &EvalContext{Ctx: ctx, Settings: s, TxnTime: s.Now, StmtTime: s.Now}
}

// Fork returns a context for another goroutine of the same statement.
func (ec *EvalContext) Fork() *EvalContext {
	c := *ec
	c.stack, c.argVecs, c.vecs, c.sels, c.views, c.operands, c.operandVecs = nil, nil, nil, nil, nil, nil, nil
	s := *ec.Settings
	c.Settings = &s
	return &c
}

// Canceled returns the 57014 error if the statement has been cancelled.
func (ec *EvalContext) Canceled() error {
	if ec.Ctx == nil || ec.Ctx.Err() == nil {
		return nil
	}
	e := sqlstate.New(sqlstate.QueryCanceled, "canceling statement due to user request")
	e.Cause = context.Cause(ec.Ctx)
	return e
}

// BorrowVec returns a scratch vector of type t, to be given back by ReturnVec.
func (ec *EvalContext) BorrowVec(t *types.T) *types.Vec {
	if n := len(ec.vecs); n > 0 {
		v := ec.vecs[n-1]
		ec.vecs = ec.vecs[:n-1]
		v.Init(t)
		return v
	}
	return types.NewVec(t)
}

// ReturnVec gives a borrowed vector back. Values copied from it stay valid.
func (ec *EvalContext) ReturnVec(v *types.Vec) {
	v.DropArena()
	ec.vecs = append(ec.vecs, v)
}

// borrowView returns a batch of the same columns whose selection the caller sets.
func (ec *EvalContext) borrowView(in *types.Batch) *types.Batch {
	var b *types.Batch
	if n := len(ec.views); n > 0 {
		b = ec.views[n-1]
		ec.views = ec.views[:n-1]
	} else {
		b = &types.Batch{}
	}
	b.Cols, b.N, b.Sel = in.Cols, in.N, nil
	return b
}

func (ec *EvalContext) returnView(b *types.Batch) {
	b.Cols, b.Sel = nil, nil
	ec.views = append(ec.views, b)
}

func (ec *EvalContext) borrowSel() []uint16 {
	if n := len(ec.sels); n > 0 {
		s := ec.sels[n-1]
		ec.sels = ec.sels[:n-1]
		return s[:0]
	}
	return make([]uint16, 0, types.BatchSize)
}

func (ec *EvalContext) returnSel(s []uint16) { ec.sels = append(ec.sels, s) }
