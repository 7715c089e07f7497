package plan

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// cteScope is a chain of the WITH queries that can be seen.
type cteScope struct {
	parent *cteScope
	name   string
	cte    *CTE
	names  []string // of the columns
	// working says that the recursive term of the query is being bound: a reference is to
	// the working table.
	working bool
	// refs counts references while working.
	refs    int
	lastRef ast.Pos
	// noReturn: a data-modifying query without RETURNING. invalid: a recursive query whose
	// form does not allow it to refer to itself is being bound.
	noReturn, invalid bool
	pos               ast.Pos
}

func (b *binder) findCTE(name string) *cteScope {
	for c := b.ctes; c != nil; c = c.parent {
		if c.name == name {
			return c
		}
	}
	return nil
}

// with binds a WITH clause and makes its queries visible in the present level.
func (b *binder) with(w *ast.With) error {
	seen := map[string]bool{}
	for _, c := range w.CTEs {
		if seen[c.Name] {
			return errorf(sqlstate.DuplicateAlias, c.Pos, "WITH query name %q specified more than once", c.Name)
		}
		seen[c.Name] = true
	}
	for _, c := range w.CTEs {
		var err error
		if sel, ok := c.Statement.(*ast.Select); ok && w.Recursive {
			err = b.recursiveCTE(c, sel)
		} else {
			err = b.plainCTE(c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *binder) newCTE(c *ast.CTE) *CTE {
	return &CTE{Name: c.Name, Materialize: uint8(c.Materialize)}
}

func (b *binder) addCTE(cte *CTE) {
	cte.ID = len(b.md.CTEs)
	b.md.CTEs = append(b.md.CTEs, cte)
}

func (b *binder) plainCTE(c *ast.CTE) error {
	cte := b.newCTE(c)
	sc := &cteScope{parent: b.ctes, name: c.Name, cte: cte}
	var cols []outCol
	switch s := c.Statement.(type) {
	case *ast.Select:
		bq, err := b.query(s, queryOptions{})
		if err != nil {
			return err
		}
		cte.Plan, cols = bq.node, bq.cols
	default:
		if b.level.parent != nil {
			return errorf(sqlstate.FeatureNotSupported, c.Pos, "WITH clause containing a data-modifying statement must be at the top level")
		}
		bq, err := b.dml(s)
		if err != nil {
			return err
		}
		cte.Plan, cols, cte.Modifies = bq.node, bq.cols, true
		sc.noReturn = bq.cols == nil
	}
	return b.defineCTE(c, sc, cols)
}

func (b *binder) defineCTE(c *ast.CTE, sc *cteScope, cols []outCol) error {
	if len(c.Columns) > len(cols) {
		return errorf(sqlstate.InvalidColumnReference, c.Pos, "WITH query %q has %d columns available but %d columns specified", c.Name, len(cols), len(c.Columns))
	}
	for i, oc := range cols {
		name := oc.name
		if i < len(c.Columns) {
			name = c.Columns[i].Text
		}
		sc.names = append(sc.names, name)
		sc.cte.Cols = append(sc.cte.Cols, oc.id)
	}
	b.addCTE(sc.cte)
	b.ctes = sc
	return nil
}

// cteRef is a reference to a WITH query in FROM.
func (b *binder) cteRef(sc *cteScope, te *ast.TableRef) (Node, []*nsItem, error) {
	if sc.invalid {
		return nil, nil, errorf(sqlstate.InvalidRecursion, sc.pos, "recursive query %q does not have the form non-recursive-term UNION [ALL] recursive-term", sc.name)
	}
	if sc.noReturn {
		return nil, nil, errorf(sqlstate.FeatureNotSupported, te.Pos, "WITH query %q does not have a RETURNING clause", sc.name)
	}
	it := &nsItem{name: sc.name, table: sc.name, relVisible: true, colsVisible: true}
	if te.Alias.Name != "" {
		it.name = te.Alias.Name
	}
	var ids []ColID
	for i, id := range sc.cte.Cols {
		src := b.md.Columns[id]
		col := Column{Name: sc.names[i], T: src.T}
		if src.Ord >= 0 && !sc.working && sc.cte.Rec == nil {
			col.Rel, col.Ord = src.Rel, src.Ord // the client is told where a column comes from
		}
		nid := b.newColumn(col)
		ids = append(ids, nid)
		it.cols = append(it.cols, nsCol{name: sc.names[i], id: nid})
	}
	if err := b.aliasColumns(it, te.Alias); err != nil {
		return nil, nil, err
	}
	if sc.working {
		sc.refs++
		sc.lastRef = te.Pos
		return &WorkTable{CTE: sc.cte, Cols: ids, Alias: it.name}, []*nsItem{it}, nil
	}
	sc.cte.Refs++
	return &CTEScan{CTE: sc.cte, Cols: ids, Alias: it.name}, []*nsItem{it}, nil
}

// recursiveCTE binds one query of WITH RECURSIVE. If it is not a UNION whose right side refers to the query
// itself, it is an ordinary one.
func (b *binder) recursiveCTE(c *ast.CTE, sel *ast.Select) error {
	op, ok := sel.Body.(*ast.SetOp)
	if !ok || op.Kind != ast.Union || sel.With != nil {
		return b.plainRecursive(c)
	}
	if len(sel.OrderBy) > 0 || sel.Limit != nil || sel.Offset != nil {
		// PostgreSQL refuses these only if the query is in fact recursive; so do we, by
		// binding it as a plain one.
		return b.plainRecursive(c)
	}
	_, pop := b.push()
	cte := b.newCTE(c)
	base, err := b.body(op.Left, queryOptions{})
	if err != nil {
		pop()
		return err
	}
	sc := &cteScope{parent: b.ctes, name: c.Name, cte: cte, working: true}
	for i, oc := range base.cols {
		name := oc.name
		if i < len(c.Columns) {
			name = c.Columns[i].Text
		}
		sc.names = append(sc.names, name)
		cte.Cols = append(cte.Cols, oc.id)
	}
	// The columns of a recursive query have identities of their own.
	own := &Project{Input: base.node}
	for i, oc := range base.cols {
		id := b.newColumn(Column{Name: sc.names[i], T: b.md.Columns[oc.id].T})
		own.Items = append(own.Items, Item{ID: id, Expr: b.md.Ref(oc.id)})
		cte.Cols[i] = id
	}
	cte.Plan = own
	b.ctes = sc
	rec, err := b.body(op.Right, queryOptions{keepUnknown: true})
	if err != nil {
		pop()
		return err
	}
	pop()
	if sc.refs == 0 {
		return b.plainCTE(c)
	}
	if sc.refs > 1 {
		return errorf(sqlstate.InvalidRecursion, sc.lastRef, "recursive reference to query %q must not appear more than once", c.Name)
	}
	if aggregates(rec.node) {
		return errorf(sqlstate.InvalidRecursion, columnPos(op.Right, 0), "aggregate functions are not allowed in a recursive query's recursive term")
	}
	if len(rec.cols) != len(cte.Cols) {
		return errorf(sqlstate.SyntaxError, columnPos(op.Right, 0), "each UNION query must have the same number of columns")
	}
	p := &Project{Input: rec.node}
	for i, oc := range rec.cols {
		want, have := b.md.Columns[cte.Cols[i]].T, b.md.Columns[oc.id].T
		x := b.md.Ref(oc.id)
		item := Item{Expr: x}
		if !have.Same(want) {
			src, err := b.assignUnion(rec.node, oc.id, want)
			if err != nil || src == nil {
				return errorf(sqlstate.DatatypeMismatch, columnPos(op.Left, i),
					"recursive query %q column %d has type %s in non-recursive term but type %s overall", c.Name, i+1, want, have).
					WithHint("Cast the output of the non-recursive term to the correct type.")
			}
			item.Expr = src
		}
		item.ID = b.newColumn(Column{Name: sc.names[i], T: want})
		p.Items = append(p.Items, item)
		cte.RecCols = append(cte.RecCols, item.ID)
	}
	cte.Rec, cte.UnionAll = p, op.All
	done := &cteScope{parent: b.ctes, name: c.Name, cte: cte, names: sc.names}
	b.addCTE(cte)
	b.ctes = done
	return nil
}

// aggregates reports whether a query aggregates at its own level.
func aggregates(n Node) bool {
	for {
		switch x := n.(type) {
		case *Aggregate:
			return true
		case *Project:
			n = x.Input
		case *Filter:
			n = x.Input
		default:
			return false
		}
	}
}

// plainRecursive binds a query of WITH RECURSIVE that cannot be recursive, and refuses one that tries.
func (b *binder) plainRecursive(c *ast.CTE) error {
	outer := b.ctes
	b.ctes = &cteScope{parent: outer, name: c.Name, invalid: true, pos: c.Pos}
	err := b.plainCTE(c)
	if err != nil {
		b.ctes = outer
	}
	return err
}

// assignUnion converts a column of the recursive term to the type of the non-recursive one, if that is what the
// union of both would have.
func (b *binder) assignUnion(n Node, id ColID, want *types.T) (expr.Expr, error) {
	src := expr.Expr(b.md.Ref(id))
	if lit := unknownSource(n, id); lit != nil {
		src = lit
	}
	t, err := expr.CommonTypeOf("UNION", want, src.Type())
	if err != nil || !t.Same(want) {
		return nil, err
	}
	x, ok, err := expr.Coerce(b.s, src, want, types.CastImplicit)
	if !ok || err != nil {
		return nil, err
	}
	return x, nil
}
