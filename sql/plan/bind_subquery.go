package plan

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// subplan binds a query inside an expression; it may refer to columns around it.
func (b *binder) subplan(q *ast.Select) (*Subplan, *boundQuery, error) {
	bq, err := b.query(q, queryOptions{})
	if err != nil {
		return nil, nil, err
	}
	sp := &Subplan{Root: bq.node}
	for _, c := range bq.cols {
		sp.Cols = append(sp.Cols, c.id)
	}
	return sp, bq, nil
}

func (b *binder) newSubquery(kind expr.SubqueryKind, sp *Subplan, t *types.T) *expr.Subquery {
	s := &expr.Subquery{Kind: kind, Plan: sp, T: t, ID: b.md.Subqueries}
	b.md.Subqueries++
	s.Correlated = len(FreeColumns(sp.Root)) > 0
	return s
}

func (b *binder) scalarSubquery(e *ast.Subquery) (expr.Expr, error) {
	sp, bq, err := b.subplan(e.Query)
	if err != nil {
		return nil, err
	}
	if len(bq.cols) != 1 {
		return nil, errorf(sqlstate.SyntaxError, e.Pos, "subquery must return only one column")
	}
	return b.newSubquery(expr.SubScalar, sp, b.md.Columns[sp.Cols[0]].T), nil
}

// in_ binds [NOT] IN.
func (b *binder) in_(e *ast.In) (expr.Expr, error) {
	if e.Query != nil {
		if e.Not {
			x, err := b.quantifiedQuery("<>", true, e.X, e.Query, e.Pos)
			return x, err
		}
		return b.quantifiedQuery("=", false, e.X, e.Query, e.Pos)
	}
	x, err := b.expr(e.X)
	if err != nil {
		return nil, err
	}
	list, err := b.exprs(e.List)
	if err != nil {
		return nil, err
	}
	if r, err := b.inArray(x, list, e.Not); r != nil || err != nil {
		return r, at(err, e.Pos)
	}
	r, err := b.pc.Registry.NewIn(b.s, x, list, e.Not)
	return r, at(err, e.Pos)
}

// inArray makes x IN ($1, f(), ...) one comparison with an array, so that it can
// become key look-ups. Lists of literals alone are left to NewIn, as are rows.
func (b *binder) inArray(x expr.Expr, list []expr.Expr, not bool) (expr.Expr, error) {
	if len(list) < 2 {
		return nil, nil
	}
	if _, isRow := x.(*expr.RowExpr); isRow {
		return nil, nil
	}
	literal := true
	all := []expr.Expr{x}
	for _, it := range list {
		if _, ok := it.(*expr.Const); !ok {
			literal = false
		}
		if !expr.IsRowIndependent(it) {
			return nil, nil
		}
		if it.Type().IsArray() || it.Type().Family == types.FamRecord {
			return nil, nil
		}
		all = append(all, it)
	}
	if literal {
		return nil, nil
	}
	t, err := expr.CommonType("", all)
	if err != nil || t == nil || types.ArrayOf(t) == nil {
		return nil, nil
	}
	elems := make([]expr.Expr, len(list))
	for i, it := range list {
		c, ok, err := expr.Coerce(b.s, it, t.WithTypmod(-1), types.CastImplicit)
		if err != nil || !ok {
			return nil, err
		}
		elems[i] = c
	}
	arr := &expr.ArrayExpr{Elems: elems, T: types.ArrayOf(t.WithTypmod(-1))}
	op := "="
	if not {
		op = "<>"
	}
	return b.pc.Registry.NewScalarArray(b.s, op, x, arr, not)
}

// quantified binds op ANY / op ALL.
func (b *binder) quantified(e *ast.Quantified) (expr.Expr, error) {
	if e.Query != nil {
		return b.quantifiedQuery(e.Op.Name, e.All, e.X, e.Query, e.Pos)
	}
	x, err := b.expr(e.X)
	if err != nil {
		return nil, err
	}
	arr, err := b.expr(e.Array)
	if err != nil {
		return nil, err
	}
	r, err := b.pc.Registry.NewScalarArray(b.s, e.Op.Name, x, arr, e.All)
	return r, at(err, e.Pos)
}

// quantifiedQuery binds x op ANY|ALL (query). In the logical plan Test is a comparison
// over ColIDs, of the query and of its surroundings alike, and Left is empty: the
// optimiser can make it a join condition as it stands. Lowering the plan fills in Left.
func (b *binder) quantifiedQuery(op string, all bool, x ast.Expr, q *ast.Select, pos ast.Pos) (expr.Expr, error) {
	var left []expr.Expr
	var err error
	if row, ok := x.(*ast.Row); ok {
		left, err = b.exprs(row.Elems)
	} else {
		var l expr.Expr
		if l, err = b.expr(x); err == nil {
			if r, ok := l.(*expr.RowExpr); ok {
				left = r.Fields
			} else {
				left = []expr.Expr{l}
			}
		}
	}
	if err != nil {
		return nil, err
	}
	sp, bq, err := b.subplan(q)
	if err != nil {
		return nil, err
	}
	switch {
	case len(bq.cols) < len(left):
		return nil, errorf(sqlstate.SyntaxError, pos, "subquery has too few columns")
	case len(bq.cols) > len(left):
		return nil, errorf(sqlstate.SyntaxError, pos, "subquery has too many columns")
	}
	right := make([]expr.Expr, len(left))
	for i, c := range bq.cols {
		right[i] = b.ref(c.id, ast.NoPos)
	}
	test, err := b.op(op, rowOf(left), rowOf(right), pos)
	if err != nil {
		return nil, err
	}
	kind := expr.SubAny
	if all {
		kind = expr.SubAll
	}
	s := b.newSubquery(kind, sp, types.Bool)
	s.Test = test
	return s, nil
}

func rowOf(fields []expr.Expr) expr.Expr {
	if len(fields) == 1 {
		return fields[0]
	}
	return expr.NewRow(fields, nil)
}

// rowSubquery is (a, b) op (SELECT x, y ...).
func (b *binder) rowSubquery(e *ast.Binary, row *ast.Row, sub *ast.Subquery) (expr.Expr, error) {
	left, err := b.exprs(row.Elems)
	if err != nil {
		return nil, err
	}
	sp, bq, err := b.subplan(sub.Query)
	if err != nil {
		return nil, err
	}
	if len(bq.cols) != len(left) {
		what := "few"
		if len(bq.cols) > len(left) {
			what = "many"
		}
		return nil, errorf(sqlstate.SyntaxError, e.Pos, "subquery has too %s columns", what)
	}
	rec := b.rowValue(sp, bq)
	fields := make([]expr.Expr, len(left))
	for i := range fields {
		fields[i] = &expr.FieldSelect{Arg: rec, Index: i, T: rec.T.Fields[i].Type, Name: rec.T.Fields[i].Name}
	}
	return b.op(e.Op.Name, rowOf(left), rowOf(fields), e.Pos)
}

// rowValue is a subquery whose only row is a record.
func (b *binder) rowValue(sp *Subplan, bq *boundQuery) *expr.Subquery {
	fields := make([]types.Field, len(bq.cols))
	for i, c := range bq.cols {
		fields[i] = types.Field{Name: c.name, Type: b.md.Columns[c.id].T}
	}
	return b.newSubquery(expr.SubRow, sp, types.NewRecord(fields))
}
