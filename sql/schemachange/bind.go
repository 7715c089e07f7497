package schemachange

import (
	"context"
	"slices"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// scratchCatalog shows the binder a table that is still being made.
type scratchCatalog struct {
	plan.Catalog
	t *catalog.Table
}

func (c scratchCatalog) ResolveRelation(ctx context.Context, name catalog.Name) (catalog.Relation, error) {
	if name.Schema == "" && name.Name == c.t.Name {
		return c.t, nil
	}
	return c.Catalog.ResolveRelation(ctx, name)
}

func (c scratchCatalog) Table(id catalog.ID) *catalog.Table {
	if id == c.t.ID {
		return c.t
	}
	return c.Catalog.Table(id)
}

func (x *statement) planContext(t *catalog.Table) *plan.Context {
	pc := *x.s.PlanContext()
	pc.Catalog = scratchCatalog{pc.Catalog, t}
	pc.Privileges, pc.ParamTypes = nil, nil
	pc.QualifyTypes = true
	return &pc
}

// bare returns the table with its columns only, under which expressions are bound.
func bare(t *catalog.Table) *catalog.Table {
	b := &catalog.Table{Header: t.Header, TypeOID: t.TypeOID, TypeArray: t.TypeArray}
	for _, c := range t.Columns {
		c.Default, c.Generated = nil, nil
		b.Columns = append(b.Columns, c)
	}
	b.Primary = catalog.Index{ID: 1, Hidden: true}
	return b
}

// bindOver binds expressions over a row of the table: column references are ordinals. What
// names the place in messages: "check constraints".
func (x *statement) bindOver(t *catalog.Table, what string, exprs ...ast.Expr) ([]expr.Expr, error) {
	core := &ast.SelectCore{From: []ast.TableExpr{&ast.TableRef{Name: ast.ObjectName{Name: t.Name, Pos: ast.NoPos}}}}
	for _, e := range exprs {
		core.Targets = append(core.Targets, &ast.Target{Pos: e.Position(), Expr: e})
	}
	l, err := plan.Bind(x.ctx, x.planContext(bare(t)), &ast.Select{Body: core})
	if err != nil {
		return nil, err
	}
	items := map[plan.ColID]expr.Expr{}
	node := l.Root
	if p, ok := node.(*plan.Project); ok {
		for _, it := range p.Items {
			items[it.ID] = it.Expr
		}
		node = p.Input
	}
	if _, ok := node.(*plan.Scan); !ok {
		return nil, sqlstate.New(sqlstate.GroupingError, "aggregate, window and set-returning functions are not allowed in %s", what)
	}
	out := make([]expr.Expr, len(exprs))
	for i := range out {
		id := l.OutCols[i]
		e := items[id]
		if e == nil {
			e = l.Meta.Ref(id)
		}
		bad := false
		out[i] = expr.Transform(e, func(e expr.Expr) expr.Expr {
			switch e := e.(type) {
			case *expr.ColumnRef:
				c := *e
				col := &l.Meta.Columns[e.Ordinal]
				if c.Ordinal = col.Ord; col.Rel == nil || col.Ord < 0 {
					bad = true
				}
				return &c
			case *expr.Subquery:
				bad = true
			}
			return e
		})
		if bad {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "cannot use subquery or system column in %s", what).At(int(exprs[i].Position()))
		}
	}
	return out, nil
}

// bindStored binds expressions of the schema (as kept in descriptors) over a row.
func (x *statement) bindStored(t *catalog.Table, what string, sqls ...string) ([]expr.Expr, error) {
	if len(sqls) == 0 {
		return nil, nil
	}
	p := x.s.PlanContext().Parser
	var trees []ast.Expr
	for _, sql := range sqls {
		e, err := p.ParseExpr(sql)
		if err != nil {
			return nil, err
		}
		trees = append(trees, e)
	}
	return x.bindOver(t, what, trees...)
}

// columnsOf returns the columns that a bound expression reads, in order.
func columnsOf(t *catalog.Table, e expr.Expr) []catalog.AttNum {
	var out []catalog.AttNum
	expr.Walk(e, func(e expr.Expr) bool {
		if r, ok := e.(*expr.ColumnRef); ok {
			if num := t.Columns[r.Ordinal].Num; !slices.Contains(out, num) {
				out = append(out, num)
			}
		}
		return true
	})
	slices.Sort(out)
	return out
}

// bindDefault binds DEFAULT of a column, converted to its type.
func (x *statement) bindDefault(c *catalog.Column, sql string) (expr.Expr, error) {
	col := *c
	col.Num, col.Default, col.Generated, col.Identity = 1, &catalog.Expr{SQL: sql}, nil, 0
	t := &catalog.Table{Header: catalog.Header{ID: 1, Name: "\x00default"}, Columns: []catalog.Column{col}}
	t.Primary = catalog.Index{ID: 1, Hidden: true}
	l, err := plan.Bind(x.ctx, x.planContext(t), &ast.Insert{Table: &ast.TableRef{Name: ast.ObjectName{Name: t.Name, Pos: ast.NoPos}}})
	if err != nil {
		if e, ok := err.(*sqlstate.Error); ok && e.Code == sqlstate.DatatypeMismatch {
			return nil, x.defaultMismatch(c, sql, e)
		}
		return nil, err
	}
	if ins, ok := l.Root.(*plan.Insert); ok {
		if v, ok := ins.Source.(*plan.Values); ok && len(v.Rows) == 1 && len(v.Rows[0]) == 1 {
			subquery := false
			expr.Transform(v.Rows[0][0], func(e expr.Expr) expr.Expr {
				_, is := e.(*expr.Subquery)
				subquery = subquery || is
				return e
			})
			if subquery {
				return nil, sqlstate.New(sqlstate.FeatureNotSupported, "cannot use subquery in DEFAULT expression")
			}
			return v.Rows[0][0], nil
		}
	}
	return nil, sqlstate.New(sqlstate.InternalError, "unexpected form of a default")
}

func (x *statement) defaultMismatch(c *catalog.Column, sql string, e *sqlstate.Error) error {
	bound, err := x.bindStored(&catalog.Table{Header: catalog.Header{ID: 1, Name: "\x00default"}}, "DEFAULT expressions", sql)
	if err != nil {
		return e
	}
	return sqlstate.New(sqlstate.DatatypeMismatch, "column %q is of type %s but default expression is of type %s",
		c.Name, typeName(c.Type), typeName(bound[0].Type())).WithHint("You will need to rewrite or cast the expression.")
}

// qualifyTypes puts the schemas of users' types into an expression without columns, so
// that its text means the same along every search path. What is wrong with the
// expression is for bindDefault to say.
func (x *statement) qualifyTypes(e ast.Expr) {
	_, _ = x.bindOver(&catalog.Table{Header: catalog.Header{ID: 1, Name: "\x00default"}}, "DEFAULT expressions", e)
}

// storedText is the form in which an expression is kept: as written, with the type of a
// string literal that takes the type t.
func storedText(e ast.Expr, t *types.T) string {
	text := ast.Format(e)
	if _, ok := e.(*ast.String); ok && t != nil {
		switch t.OID {
		case types.OIDInt2, types.OIDInt4, types.OIDInt8, types.OIDOid, types.OIDFloat4, types.OIDFloat8, types.OIDNumeric, types.OIDBool:
		default:
			text += "::" + types.FormatType(t, -1, true)
		}
	}
	return text
}
