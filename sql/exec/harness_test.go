package exec_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/expr/builtins"
	"github.com/spanlite/spanlite/sql/opt"
	"github.com/spanlite/spanlite/sql/parser"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/stats"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// memTxn is a transaction over a sorted slice of keys: the executor's view of the store, without
// concurrency. A failed statement is undone by its copy.
type memTxn struct {
	keys   [][]byte
	values [][]byte
	reads  int
}

func (m *memTxn) find(key []byte) (int, bool) {
	i := sort.Search(len(m.keys), func(i int) bool { return bytes.Compare(m.keys[i], key) >= 0 })
	return i, i < len(m.keys) && bytes.Equal(m.keys[i], key)
}

func (m *memTxn) Get(_ context.Context, key []byte, _ txn.Locking) ([]byte, bool, error) {
	m.reads++
	i, ok := m.find(key)
	if !ok {
		return nil, false, nil
	}
	return m.values[i], true, nil
}

func (m *memTxn) GetMany(ctx context.Context, keys [][]byte, l txn.Locking, f func(int, []byte) error) error {
	for i, k := range keys {
		v, _, err := m.Get(ctx, k, l)
		if err == nil {
			err = f(i, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *memTxn) Scan(_ context.Context, start, end []byte, opt txn.ScanOptions, dst *kv.Rows) ([]byte, error) {
	m.reads++
	lo, _ := m.find(start)
	hi, _ := m.find(end)
	full := func() bool {
		return opt.MaxRows > 0 && int64(dst.Count) >= opt.MaxRows || opt.MaxBytes > 0 && int64(len(dst.Buf)) >= opt.MaxBytes
	}
	if opt.Reverse {
		for i := hi - 1; i >= lo; i-- {
			if full() {
				return m.keys[i+1], nil
			}
			dst.Append(m.keys[i], m.values[i], 1)
		}
		return nil, nil
	}
	for i := lo; i < hi; i++ {
		if full() {
			return m.keys[i], nil
		}
		dst.Append(m.keys[i], m.values[i], 1)
	}
	return nil, nil
}

func (m *memTxn) Put(_ context.Context, key, value []byte) error {
	i, ok := m.find(key)
	if ok {
		m.values[i] = bytes.Clone(value)
		return nil
	}
	m.keys = slices.Insert(m.keys, i, bytes.Clone(key))
	m.values = slices.Insert(m.values, i, bytes.Clone(value))
	return nil
}

func (m *memTxn) Delete(_ context.Context, key []byte) error {
	if i, ok := m.find(key); ok {
		m.keys = slices.Delete(m.keys, i, i+1)
		m.values = slices.Delete(m.values, i, i+1)
	}
	return nil
}

func (m *memTxn) clone() *memTxn {
	return &memTxn{keys: slices.Clone(m.keys), values: slices.Clone(m.values)}
}

// testDB is a database for tests: tables made by a small subset of DDL, everything else by the packages
// under test.
type testDB struct {
	tables map[string]*catalog.Table
	views  map[string]*catalog.View
	byID   map[catalog.ID]*catalog.Table
	nextID catalog.ID
	rowIDs int64
	kv     *memTxn
	stats  map[catalog.ID]*stats.Table
	mem    *exec.Monitor
	work   int64
	temp   *exec.TempSpace
}

func newTestDB() *testDB {
	return &testDB{tables: map[string]*catalog.Table{}, views: map[string]*catalog.View{}, byID: map[catalog.ID]*catalog.Table{},
		nextID: 20000, kv: &memTxn{}, stats: map[catalog.ID]*stats.Table{}}
}

func (db *testDB) ResolveRelation(_ context.Context, n catalog.Name) (catalog.Relation, error) {
	if t := db.tables[n.Name]; t != nil {
		return t, nil
	}
	if v := db.views[n.Name]; v != nil {
		return v, nil
	}
	return nil, sqlstate.New(sqlstate.UndefinedTable, "relation %q does not exist", n.String()).At(n.Offset)
}

func (db *testDB) LookupType(context.Context, catalog.Name) (*types.T, error) { return nil, nil }
func (db *testDB) Table(id catalog.ID) *catalog.Table                         { return db.byID[id] }

type testParser struct{}

func (testParser) ParseExpr(sql string) (ast.Expr, error) { return parser.ParseExpr(sql) }
func (testParser) ParseQuery(sql string) (*ast.Select, error) {
	s, err := parser.ParseOne(sql)
	if err != nil {
		return nil, err
	}
	return s.AST.(*ast.Select), nil
}

func (db *testDB) id() catalog.ID {
	db.nextID++
	return db.nextID
}

func (db *testDB) createTable(s *ast.CreateTable) error {
	t := &catalog.Table{}
	t.ID, t.Name, t.Schema = db.id(), s.Name.Name, catalog.SchemaPublic
	index := func(name string, cols []string, unique bool, kind byte) catalog.Index {
		x := catalog.Index{ID: uint32(db.id()), OID: db.id(), Name: name, Unique: unique, Constraint: kind}
		for _, c := range cols {
			col, _, _ := t.ColumnByName(c)
			x.Columns = append(x.Columns, catalog.IndexColumn{Num: col.Num, Type: col.Type})
		}
		return x
	}
	primary := func(cols []string, name string) {
		if name == "" {
			name = t.Name + "_pkey"
		}
		t.Primary = index(name, cols, true, 'p')
		t.Primary.ID = 1
		for _, c := range cols {
			col, _, _ := t.ColumnByName(c)
			col.NotNull = true
		}
	}
	names := func(ns []ast.Name) (out []string) {
		for _, n := range ns {
			out = append(out, n.Text)
		}
		return out
	}
	var later []func() error
	foreign := func(cols []string, name string, ref *ast.References, d ast.Deferral) error {
		if name == "" {
			name = t.Name + "_" + strings.Join(cols, "_") + "_fkey"
		}
		to := db.tables[ref.Table.Name]
		if ref.Table.Name == t.Name {
			to = t
		}
		fk := catalog.ForeignKey{Name: name, OID: db.id(), RefTable: to.ID, OnDelete: action(ref.OnDelete), OnUpdate: action(ref.OnUpdate),
			Deferrable: d.Deferrable || d.Deferred, Deferred: d.Deferred}
		for _, c := range cols {
			col, _, _ := t.ColumnByName(c)
			fk.Columns = append(fk.Columns, col.Num)
		}
		rc := names(ref.Columns)
		for x := range to.AllIndexes {
			var nums []catalog.AttNum
			for _, c := range x.Columns {
				nums = append(nums, c.Num)
			}
			match := rc == nil
			if rc != nil && len(rc) == len(nums) {
				match = true
				for i, c := range rc {
					col, _, _ := to.ColumnByName(c)
					match = match && nums[i] == col.Num
				}
			}
			if match && x.Unique {
				fk.RefColumns, fk.RefIndex = nums, x.OID
				break
			}
		}
		t.ForeignKeys = append(t.ForeignKeys, fk)
		to.Inbound = append(to.Inbound, catalog.InboundKey{Table: t.ID, Constraint: fk.OID})
		return nil
	}
	constraint := func(kind ast.ConstraintKind, name string, cols []string, e ast.Expr, ref *ast.References, d ast.Deferral) {
		switch kind {
		case ast.ConstraintPrimaryKey:
			primary(cols, name)
		case ast.ConstraintUnique:
			if name == "" {
				name = t.Name + "_" + strings.Join(cols, "_") + "_key"
			}
			t.Indexes = append(t.Indexes, index(name, cols, true, 'u'))
		case ast.ConstraintCheck:
			if name == "" {
				name = t.Name + "_" + "check"
				if ref, ok := e.(*ast.Binary); ok {
					if c, ok := ref.L.(*ast.ColumnRef); ok {
						name = t.Name + "_" + c.Parts[0] + "_check"
					}
				}
			}
			t.Checks = append(t.Checks, catalog.Check{Name: name, Expr: catalog.Expr{SQL: ast.Format(e)}})
		case ast.ConstraintForeignKey:
			later = append(later, func() error { return foreign(cols, name, ref, d) })
		}
	}
	for _, el := range s.Elements {
		cd, ok := el.(*ast.ColumnDef)
		if !ok {
			continue
		}
		ct, err := plan.ResolveType(context.Background(), db, cd.Type)
		if err != nil {
			return err
		}
		t.Columns = append(t.Columns, catalog.Column{Num: catalog.AttNum(len(t.Columns) + 1), Name: cd.Name, Type: ct})
	}
	i := 0
	for _, el := range s.Elements {
		switch el := el.(type) {
		case *ast.ColumnDef:
			c := &t.Columns[i]
			i++
			for _, k := range el.Constraints {
				switch k.Kind {
				case ast.ConstraintNotNull:
					c.NotNull = true
				case ast.ConstraintDefault:
					c.Default = &catalog.Expr{SQL: ast.Format(k.Expr)}
				case ast.ConstraintGenerated:
					c.Generated = &catalog.Expr{SQL: ast.Format(k.Expr)}
				default:
					constraint(k.Kind, k.Name, []string{c.Name}, k.Expr, k.References, k.Deferral)
				}
			}
		case *ast.TableConstraint:
			constraint(el.Kind, el.Name, names(el.Columns), el.Expr, el.References, el.Deferral)
		}
	}
	if t.Primary.ID == 0 {
		t.Columns = append(t.Columns, catalog.Column{Num: catalog.RowIDNum, Name: catalog.RowIDName, Type: types.Int8, NotNull: true, Hidden: true})
		primary([]string{catalog.RowIDName}, t.Name+"_rowid")
		t.Primary.Hidden = true
	}
	db.tables[t.Name], db.byID[t.ID] = t, t
	for _, f := range later {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func action(a ast.RefAction) catalog.FKAction {
	return [...]catalog.FKAction{catalog.FKNoAction, catalog.FKRestrict, catalog.FKCascade, catalog.FKSetNull, catalog.FKSetDefault}[a]
}

func (db *testDB) createIndex(s *ast.CreateIndex) error {
	t := db.tables[s.Table.Name]
	x := catalog.Index{ID: uint32(db.id()), OID: db.id(), Name: s.Name, Unique: s.Unique}
	for _, e := range s.Elems {
		c, _, _ := t.ColumnByName(e.Column)
		if c == nil {
			return fmt.Errorf("no column %q", e.Column)
		}
		desc := e.Direction == ast.SortDesc
		x.Columns = append(x.Columns, catalog.IndexColumn{Num: c.Num, Type: c.Type, Desc: desc,
			NullsFirst: e.Nulls == ast.NullsFirst || e.Nulls == ast.NullsDefault && desc})
	}
	for _, e := range s.Include {
		c, _, _ := t.ColumnByName(e.Column)
		x.Include = append(x.Include, c.Num)
	}
	if s.Where != nil {
		x.Predicate = &catalog.Expr{SQL: ast.Format(s.Where)}
	}
	t.Indexes = append(t.Indexes, x)
	return nil
}

func (db *testDB) eval(ctx context.Context) *expr.EvalContext {
	return expr.NewEvalContext(ctx, types.DefaultSettings())
}

func (db *testDB) bind(ctx context.Context, ec *expr.EvalContext, stmt ast.Statement) (*plan.Logical, error) {
	return plan.Bind(ctx, &plan.Context{Catalog: db, Registry: builtins.Registry(), Parser: testParser{}, Eval: ec}, stmt)
}

func (db *testDB) plan(ctx context.Context, ec *expr.EvalContext, stmt ast.Statement) (*plan.Physical, error) {
	l, err := db.bind(ctx, ec, stmt)
	if err != nil {
		return nil, err
	}
	return opt.Optimize(&opt.Config{Eval: ec, Registry: builtins.Registry(), Stats: func(id catalog.ID) *stats.Table { return db.stats[id] }}, l)
}

// rowsText collects a result as text.
type rowsText struct {
	cols []plan.ResultColumn
	s    *types.Settings
	rows []string
}

func (r *rowsText) Rows(b *types.Batch) error {
	for k := range b.Len() {
		i := b.RowAt(k)
		var line []string
		for c, v := range b.Cols {
			d := v.Get(i)
			if d.IsNull() {
				line = append(line, "NULL")
				continue
			}
			line = append(line, types.TextOf(r.cols[c].T, d, r.s))
		}
		r.rows = append(r.rows, strings.Join(line, "|"))
	}
	return nil
}

// exec runs a statement and prints what a client would see.
func (db *testDB) exec(sql string, params ...types.Datum) (out string) {
	out, err := db.run(sql, params)
	if err != nil {
		return errorText(err)
	}
	return out
}

func errorText(err error) string {
	if e, ok := err.(*sqlstate.Error); ok {
		s := fmt.Sprintf("ERROR %s: %s", e.Code, e.Message)
		if e.Detail != "" {
			s += "\nDETAIL: " + e.Detail
		}
		return s + "\n"
	}
	return "ERROR: " + err.Error() + "\n"
}

func (db *testDB) run(sql string, params []types.Datum) (_ string, err error) {
	s, err := parser.ParseOne(sql)
	if err != nil {
		return "", err
	}
	ctx := context.Background()
	switch st := s.AST.(type) {
	case *ast.CreateTable:
		return "CREATE TABLE\n", db.createTable(st)
	case *ast.CreateIndex:
		return "CREATE INDEX\n", db.createIndex(st)
	}
	ec := db.eval(ctx)
	ec.Params = params
	p, err := db.plan(ctx, ec, s.AST)
	if err != nil {
		return "", err
	}
	saved := db.kv.clone()
	defer func() {
		if err != nil {
			db.kv = saved
		}
	}()
	sink := &rowsText{cols: p.Result, s: ec.Settings}
	c := db.context(ec)
	n, err := exec.Run(ctx, p, c, sink)
	if err != nil {
		return "", err
	}
	out := strings.Join(sink.rows, "\n")
	if len(sink.rows) > 0 {
		out += "\n"
	}
	switch p.Kind {
	case plan.KindInsert:
		out += fmt.Sprintf("INSERT 0 %d\n", n)
	case plan.KindUpdate:
		out += fmt.Sprintf("UPDATE %d\n", n)
	case plan.KindDelete:
		out += fmt.Sprintf("DELETE %d\n", n)
	}
	return out, nil
}

func (db *testDB) context(ec *expr.EvalContext) *exec.Context {
	return &exec.Context{Txn: db.kv, Eval: ec, Mem: db.mem, WorkMem: db.work, Temp: db.temp, RowID: func(context.Context, *catalog.Table) (int64, error) {
		db.rowIDs++
		return db.rowIDs, nil
	}}
}
