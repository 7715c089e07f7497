package schemachange_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/catalog/lease"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/expr/builtins"
	"github.com/spanlite/spanlite/sql/parser"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/schemachange"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// store is a catalog.DB in memory, without versions: transactions buffer their writes and
// read the newest state.
type store struct {
	mu    sync.Mutex
	data  map[string][]byte
	clock hlc.Timestamp
	// refuse is a kind of operation that fails.
	refuse kv.OpKind
	// onCommit is called before a transaction of Run commits so many writes.
	onCommit func(writes int) error
}

func (s *store) Now() hlc.Timestamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock++
	return s.clock
}

func (s *store) Run(ctx context.Context, fn func(context.Context, catalog.Txn) error) error {
	t := s.begin()
	if err := fn(ctx, t); err != nil {
		return err
	}
	if s.onCommit != nil {
		if err := s.onCommit(len(t.buf)); err != nil {
			return err
		}
	}
	t.commit()
	return nil
}

func (s *store) Increment(_ context.Context, key []byte, by int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.ParseInt(string(s.data[string(key)]), 10, 64)
	n += by
	s.data[string(key)] = strconv.AppendInt(nil, n, 10)
	return n, nil
}

func (s *store) Send(_ context.Context, b *kv.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range b.Ops {
		op := &b.Ops[i]
		if op.Kind == s.refuse && s.refuse != kv.OpInvalid {
			return errRefused
		}
		switch op.Kind {
		case kv.OpPut:
			s.data[string(op.Key)] = bytes.Clone(op.Value)
		case kv.OpGet:
			op.Value, op.Found = s.data[string(op.Key)], s.data[string(op.Key)] != nil
		case kv.OpDelete:
			delete(s.data, string(op.Key))
		case kv.OpScan:
			for _, k := range slices.Sorted(maps.Keys(s.data)) {
				if k >= string(op.Key) && k < string(op.EndKey) {
					op.Rows.Append([]byte(k), s.data[k], 1)
				}
			}
			op.Resume = nil
		case kv.OpDeleteRange:
			maps.DeleteFunc(s.data, func(k string, _ []byte) bool { return k >= string(op.Key) && k < string(op.EndKey) })
		case kv.OpCompareAndPut:
			if !bytes.Equal(s.data[string(op.Key)], op.Expected) {
				return &kv.ConditionFailedError{Actual: s.data[string(op.Key)]}
			}
			s.data[string(op.Key)] = bytes.Clone(op.Value)
		}
	}
	return nil
}

func (s *store) begin() *memTxn { return &memTxn{s: s, buf: map[string][]byte{}, ts: s.Now()} }

type memTxn struct {
	s   *store
	buf map[string][]byte // nil value: deleted
	ts  hlc.Timestamp
}

func (t *memTxn) Used() bool                   { return true }
func (t *memTxn) Isolation() kv.Isolation      { return kv.ReadCommitted }
func (t *memTxn) ReadTimestamp() hlc.Timestamp { return t.ts }

// Advance moves the snapshot to the present, as a *txn.Txn does.
func (t *memTxn) Advance(context.Context) error {
	t.ts = t.s.Now()
	return nil
}

func (t *memTxn) Get(_ context.Context, key []byte, _ kv.LockStrength) ([]byte, bool, error) {
	if v, ok := t.buf[string(key)]; ok {
		return v, v != nil, nil
	}
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	v, ok := t.s.data[string(key)]
	return v, ok, nil
}

func (t *memTxn) ScanPage(_ context.Context, start, end []byte, maxRows int64, dst *kv.Rows) ([]byte, error) {
	t.s.mu.Lock()
	all := maps.Clone(t.s.data)
	t.s.mu.Unlock()
	for k, v := range t.buf {
		if v == nil {
			delete(all, k)
		} else {
			all[k] = v
		}
	}
	if maxRows == 0 {
		maxRows = 7 // several pages
	}
	n := int64(0)
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if k < string(start) || k >= string(end) {
			continue
		}
		if n++; n > maxRows {
			return []byte(k), nil
		}
		dst.Append([]byte(k), all[k], 1)
	}
	return nil, nil
}

func (t *memTxn) Put(_ context.Context, key, value []byte) error {
	t.buf[string(key)] = append([]byte{}, value...)
	return nil
}

func (t *memTxn) Delete(_ context.Context, key []byte) error {
	t.buf[string(key)] = nil
	return nil
}

func (t *memTxn) commit() {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	for k, v := range t.buf {
		if v == nil {
			delete(t.s.data, k)
		} else {
			t.s.data[k] = v
		}
	}
}

// noVirtual is a catalog without system relations.
type noVirtual struct{}

func (noVirtual) Relation(catalog.ID, string) (*catalog.Virtual, bool) { return nil, false }
func (noVirtual) RelationByID(catalog.ID) (*catalog.Virtual, bool)     { return nil, false }
func (noVirtual) All(func(*catalog.Virtual) bool)                      {}

type stored struct{}

func (stored) ParseExpr(sql string) (ast.Expr, error) { return parser.ParseExpr(sql) }
func (stored) ParseQuery(sql string) (*ast.Select, error) {
	st, err := parser.ParseOne(sql)
	if err != nil {
		return nil, err
	}
	return st.AST.(*ast.Select), nil
}

// node is one node with a session.
type node struct {
	t       *testing.T
	db      *store
	src     *lease.Source
	ex      *schemachange.Executor
	coll    *catalog.Collection
	txn     *memTxn
	notices []string
	ec      *expr.EvalContext
	reg     *expr.Registry
	alone   bool
}

func newNode(t *testing.T) *node {
	n := &node{t: t, db: &store{data: map[string][]byte{}, clock: 1000}}
	ctx := context.Background()
	var err error
	n.src, err = lease.Open(ctx, lease.Config{DB: n.db, Node: 1, Alone: func() bool { return true }, Virtual: noVirtual{}})
	require.NoError(t, err)
	t.Cleanup(n.src.Close)
	n.reg = builtins.Registry()
	n.ex = schemachange.New(schemachange.Config{DB: n.db, Source: n.src, Registry: n.reg})
	t.Cleanup(n.ex.Close)
	s := types.DefaultSettings()
	n.ec = expr.NewEvalContext(ctx, s)
	s.Names = names{n}
	n.begin()
	return n
}

func (n *node) begin() {
	n.txn = n.db.begin()
	n.coll = catalog.NewCollection(n.src, n.db, n.txn)
	n.coll.Path = catalog.SearchPath{Database: catalog.DatabaseDefault, Schemas: []string{"$user", "public"}, User: "root"}
}

func (n *node) commit() {
	require.NoError(n.t, n.ex.BeforeCommit(context.Background(), n.coll))
	n.txn.commit()
	require.NoError(n.t, n.ex.AfterCommit(context.Background(), n.coll))
	n.coll.Release()
	n.begin()
}

func (n *node) rollback() { n.coll.Release(); n.begin() }

func (n *node) Catalog() *catalog.Collection { return n.coll }
func (n *node) Notice(e *sqlstate.Error)     { n.notices = append(n.notices, e.Severity+": "+e.Message) }
func (n *node) PlanContext() *plan.Context {
	return &plan.Context{Catalog: n.coll, Registry: n.reg, Parser: stored{}, Eval: n.ec}
}
func (n *node) EvalContext() *expr.EvalContext                  { return n.ec }
func (n *node) UserID() catalog.ID                              { return catalog.RoleRoot }
func (n *node) Alone() bool                                     { return n.alone }
func (n *node) MayCommit() bool                                 { return true }
func (n *node) Permit(ast.Statement, *catalog.Collection) error { return nil }
func (n *node) Refresh(context.Context, catalog.ID, string) error {
	return sqlstate.Unsupported("queries in this test")
}
func (n *node) Query(context.Context, string) error {
	return sqlstate.Unsupported("queries in this test")
}

// names resolves regclass.
type names struct{ n *node }

func (q names) LookupReg(_ *types.T, text string) (types.OID, error) {
	o, err := parser.ParseName(text)
	if err != nil {
		return 0, err
	}
	id, err := q.n.coll.LookupOID(context.Background(), catalog.Name{Schema: o.Schema, Name: o.Name, Offset: -1})
	if err == nil && id == 0 {
		err = sqlstate.New(sqlstate.UndefinedTable, "relation %q does not exist", text)
	}
	return types.OID(id), err
}
func (q names) RegName(*types.T, types.OID) (string, bool) { return "", false }
func (q names) LookupType(oid types.OID) *types.T          { return q.n.coll.TypeByOID(oid) }

// try runs a statement in the open transaction.
func (n *node) try(sql string) error {
	st, err := parser.ParseOne(sql)
	require.NoError(n.t, err, sql)
	require.True(n.t, schemachange.Handles(st.AST), sql)
	return n.ex.Execute(context.Background(), n, st.AST)
}

// exec runs statements, each in a transaction of its own.
func (n *node) exec(sqls ...string) {
	n.t.Helper()
	for _, sql := range sqls {
		require.NoError(n.t, n.try(sql), sql)
		n.commit()
	}
}

// fails runs a statement and returns its error.
func (n *node) fails(sql string) *sqlstate.Error {
	n.t.Helper()
	err := n.try(sql)
	n.rollback()
	require.Error(n.t, err, sql)
	e, ok := err.(*sqlstate.Error)
	require.True(n.t, ok, "%s: %v", sql, err)
	return e
}

func (n *node) table(name string) *catalog.Table {
	n.t.Helper()
	t, err := n.coll.ResolveTable(context.Background(), catalog.Name{Name: name, Offset: -1})
	require.NoError(n.t, err)
	return t
}
