package exec

import (
	"context"
	"errors"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// Txn is what the executor needs of a transaction; *txn.Txn implements it.
type Txn interface {
	Get(ctx context.Context, key []byte, lock txn.Locking) (value []byte, ok bool, err error)
	GetMany(ctx context.Context, keys [][]byte, lock txn.Locking, f func(i int, value []byte) error) error
	Scan(ctx context.Context, start, end []byte, opt txn.ScanOptions, dst *kv.Rows) (resume []byte, err error)
	Put(ctx context.Context, key, value []byte) error
	Delete(ctx context.Context, key []byte) error
}

// Context is what an execution depends on besides the plan. It belongs to the session,
// which may use it for one execution after another.
type Context struct {
	Txn Txn
	// Eval carries parameters, settings and the callbacks of functions. Its Subqueries field is set here.
	Eval *expr.EvalContext
	// Mem accounts for memory; nil for no bound.
	Mem *Monitor
	// WorkMem is the bytes beyond which a sort goes to disk; 0 means 64 MB.
	WorkMem int64
	// Temp is where sorts and hash tables spill to; nil is the system's folder without
	// a bound.
	Temp *TempSpace
	// Virtual is the environment of virtual tables.
	Virtual *catalog.VirtualEnv
	// RowID returns a new hidden row id for a table without a primary key.
	RowID func(ctx context.Context, table *catalog.Table) (int64, error)
	// SequenceRow returns the row of a sequence used as a relation (last_value, log_cnt, is_called).
	SequenceRow func(ctx context.Context, seq *catalog.Sequence) (types.Row, error)
	// SchemaName returns the name of a schema, for the fields of constraint errors.
	SchemaName func(id catalog.ID) string
	// Deferred collects checks of deferred constraints for the end of the transaction; nil
	// makes all constraints immediate.
	Deferred *Deferred
	// Analyze collects statistics per node (EXPLAIN ANALYZE).
	Analyze bool
}

// Sink receives the rows of a statement.
type Sink interface {
	// Rows is called with each batch, which is valid during the call.
	Rows(b *types.Batch) error
}

// run is one execution.
type run struct {
	ctx  context.Context
	c    *Context
	ec   *expr.EvalContext
	plan *plan.Physical
	ctes map[*plan.PCTE]*cteState
	subs []*subState
	// stats per node if Analyze.
	stats []NodeStats
	// affected is the number of rows that the statement itself changed.
	affected int64
	// writes collects the effects of the statement's DML nodes.
	writes writeSet
}

// Cursor is an execution in progress.
type Cursor struct {
	rows   *storeReader // what readAll has read
	run    run
	root   operator
	opened bool
	done   bool
	err    error
}

// operator is a plan node in execution. Open may be called again, to run once more with other
// outer rows; Close is called once, at the end.
type operator interface {
	Open() error
	// Next returns the next batch, never an empty one, and nil at the end.
	Next() (*types.Batch, error)
	Close()
}

// Open prepares an execution. Nothing is read before the first Next.
func Open(ctx context.Context, p *plan.Physical, c *Context) (*Cursor, error) {
	cur := &Cursor{}
	cur.run.ctx, cur.run.c, cur.run.ec, cur.run.plan = ctx, c, c.Eval, p
	cur.run.ec.Ctx = ctx
	return cur, cur.prepare()
}

// prepare makes the operators.
func (c *Cursor) prepare() error {
	r := &c.run
	p := r.plan
	if p.Subqueries > 0 {
		r.subs = make([]*subState, p.Subqueries)
		r.ec.Subqueries = r
	}
	if len(p.CTEs) > 0 {
		r.ctes = make(map[*plan.PCTE]*cteState, len(p.CTEs))
		r.ec.Subqueries = r
	}
	if r.c.Analyze {
		r.stats = make([]NodeStats, p.Nodes)
	}
	r.writes, r.affected = writeSet{}, 0
	r.writes.init(r)
	root, err := r.build(p.Root)
	c.root = root
	return err
}

// Next returns the next batch of rows, nil at the end. The batch is valid until the next call.
func (c *Cursor) Next() (*types.Batch, error) {
	if c.err != nil || c.done {
		return nil, c.err
	}
	b, err := c.next()
	if err != nil {
		c.err = err
	}
	return b, err
}

func (c *Cursor) next() (*types.Batch, error) {
	if !c.opened {
		c.opened = true
		if err := c.start(); err != nil {
			return nil, err
		}
	}
	if c.rows != nil {
		b := c.rows.Next()
		c.done = b == nil
		return b, nil
	}
	if err := c.run.ec.Canceled(); err != nil {
		return nil, err
	}
	b, err := c.root.Next()
	if b == nil && err == nil {
		c.done = true
	}
	return b, err
}

// start runs a statement as far as its effects, and from the beginning if it meets a row that has changed.
func (c *Cursor) start() error {
	for n := 0; ; n++ {
		err := c.begin()
		if !errors.Is(err, errRowChanged) {
			return err
		}
		if n == maxRestarts {
			return sqlstate.New(sqlstate.SerializationFailure, "could not serialize access due to concurrent update")
		}
		c.release()
		c.run.c.Txn.(snapshotTxn).StepStatement()
		if err := c.prepare(); err != nil {
			return err
		}
	}
}

func (c *Cursor) begin() error {
	r := &c.run
	if err := r.modifyingCTEs(); err != nil {
		return err
	}
	if err := c.root.Open(); err != nil {
		return err
	}
	if r.plan.Kind != plan.KindSelect {
		// A statement that writes has its effects at once, whatever is read of it.
		d := c.root.(dmlOperator)
		if err := d.execute(); err != nil {
			return err
		}
		r.affected = d.count()
	} else if r.writes.hold || r.restartable() {
		if err := c.readAll(); err != nil {
			return err
		}
	}
	return r.writes.finish()
}

// readAll reads the rows of a SELECT before the writes of its WITH queries are there to be seen, or before any row
// that is still to be locked can send it back to the beginning.
func (c *Cursor) readAll() error {
	store := newRowStore(c.run.plan.Root.Phys().Types(), c.run.c.Mem)
	c.rows = &storeReader{s: store}
	for {
		b, err := c.root.Next()
		if b == nil || err != nil {
			return err
		}
		if err := store.add(b); err != nil {
			return err
		}
	}
}

// Affected returns the number of rows changed by INSERT, UPDATE or DELETE; it is known after the first Next.
func (c *Cursor) Affected() int64 { return c.run.affected }

// Stats returns the statistics of the nodes by PhysBase.ID, if Analyze was set.
func (c *Cursor) Stats() []NodeStats { return c.run.stats }

// Close ends the execution and frees its memory.
func (c *Cursor) Close() {
	if c.root != nil {
		c.release()
	}
}

// release lets go of the operators and what they hold.
func (c *Cursor) release() {
	c.root.Close()
	if c.rows != nil {
		c.rows.s.reset()
		c.rows = nil
	}
	c.run.close()
}

func (r *run) close() {
	for _, s := range r.subs {
		if s != nil {
			s.close()
		}
	}
	for _, s := range r.ctes {
		s.close()
	}
}

// Run executes a plan and gives its rows to sink, which may be nil. It returns the
// number of rows returned, or changed by a statement that writes.
func Run(ctx context.Context, p *plan.Physical, c *Context, sink Sink) (int64, error) {
	cur, err := Open(ctx, p, c)
	if err != nil {
		return 0, err
	}
	defer cur.Close()
	var rows int64
	for {
		b, err := cur.Next()
		if err != nil {
			return 0, err
		}
		if b == nil {
			break
		}
		rows += int64(b.Len())
		if sink != nil {
			if err := sink.Rows(b); err != nil {
				return 0, err
			}
		}
	}
	if p.Kind != plan.KindSelect {
		return cur.Affected(), nil
	}
	return rows, nil
}

// canceled returns 57014 if the statement is to stop.
func (r *run) canceled() error { return r.ec.Canceled() }

func internalError(format string, args ...any) error {
	return sqlstate.New(sqlstate.InternalError, format, args...)
}
