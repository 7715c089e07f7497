package plan

import (
	"strconv"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// boundQuery is a query whose columns are known. node may produce more columns than cols.
type boundQuery struct {
	node Node
	cols []outCol
}

// outCol is a column of a query's result. An id may occur more than once.
type outCol struct {
	name string
	id   ColID
}

// queryOptions say how a query is used.
type queryOptions struct {
	// keepUnknown leaves string literals in the select list without a type, for the
	// column of an INSERT or the other side of a set operation to decide.
	keepUnknown bool
}

func (b *binder) bindTopSelect(q *ast.Select, out *Logical) error {
	if q.AsOf != nil {
		x, err := b.exprAlone(q.AsOf)
		if err != nil {
			return err
		}
		out.AsOf = x
		present := *q
		present.AsOf = nil
		q = &present
	}
	bq, err := b.query(q, queryOptions{})
	if err != nil {
		return err
	}
	b.finish(out, bq)
	return nil
}

// exprAlone binds an expression without columns.
func (b *binder) exprAlone(e ast.Expr) (expr.Expr, error) {
	_, pop := b.push()
	defer pop()
	b.level.clause = inLimit
	x, err := b.expr(e)
	if err != nil {
		return nil, err
	}
	return expr.ToKnown(b.s, x), nil
}

func (b *binder) finish(out *Logical, bq *boundQuery) {
	out.Root = bq.node
	out.Result = make([]ResultColumn, 0, len(bq.cols))
	for _, c := range bq.cols {
		out.OutCols = append(out.OutCols, c.id)
		col := &b.md.Columns[c.id]
		rc := ResultColumn{Name: c.name, T: col.T}
		if col.Rel != nil && col.Ord >= 0 {
			rc.Table = col.Rel.Source.Head().ID
			rc.Num = col.Rel.Source.Cols()[col.Ord].Num
		}
		out.Result = append(out.Result, rc)
	}
}

// query binds a query in a level of its own.
func (b *binder) query(q *ast.Select, opt queryOptions) (*boundQuery, error) {
	_, pop := b.push()
	defer pop()
	if q.AsOf != nil {
		return nil, sqlstate.Unsupported("AS OF SYSTEM TIME of a part of a statement").At(q.AsOf.Position().Offset())
	}
	if q.Into != nil {
		return nil, errorf(sqlstate.SyntaxError, q.Into.Pos, "SELECT ... INTO is not allowed here")
	}
	if q.With != nil {
		if err := b.with(q.With); err != nil {
			return nil, err
		}
	}
	switch body := q.Body.(type) {
	case *ast.SelectCore:
		return b.selectCore(q, body, opt)
	}
	if len(q.Locking) > 0 {
		what := "UNION/INTERSECT/EXCEPT"
		if _, ok := q.Body.(*ast.Values); ok {
			what = "VALUES"
		}
		if _, ok := q.Body.(*ast.Select); !ok {
			return nil, errorf(sqlstate.FeatureNotSupported, q.Locking[0].Pos, "%s is not allowed with %s", lockName(q.Locking[0].Strength), what)
		}
	}
	bq, err := b.body(q.Body, opt)
	if err != nil {
		return nil, err
	}
	return b.tail(q, bq)
}

// body binds what stands under ORDER BY and LIMIT, except a plain SELECT with them.
func (b *binder) body(body ast.QueryBody, opt queryOptions) (*boundQuery, error) {
	switch body := body.(type) {
	case *ast.SelectCore:
		return b.query(&ast.Select{Pos: body.Pos, Body: body}, opt)
	case *ast.Select:
		return b.query(body, opt)
	case *ast.Values:
		return b.values(body, opt)
	case *ast.SetOp:
		return b.setOp(body)
	}
	return nil, sqlstate.Unsupported("query body %T", body)
}

// tail applies ORDER BY and LIMIT to a query whose order can only be by its columns.
func (b *binder) tail(q *ast.Select, bq *boundQuery) (*boundQuery, error) {
	var keys []SortKey
	for _, o := range q.OrderBy {
		k := SortKey{ID: NoCol}
		var err error
		if k.Desc, k.NullsFirst, err = sortDirection(o); err != nil {
			return nil, err
		}
		switch e := o.Expr.(type) {
		case *ast.Number:
			i, err := position(e, len(bq.cols), "ORDER BY")
			if err != nil {
				return nil, err
			}
			k.ID = bq.cols[i].id
		case *ast.ColumnRef:
			if len(e.Parts) == 1 {
				for _, c := range bq.cols {
					if c.name == e.Parts[0] {
						k.ID = c.id
						break
					}
				}
			}
			if k.ID == NoCol && len(e.Parts) == 1 {
				return nil, b.errNoColumn(e.Parts[0], e.Pos)
			}
		}
		if k.ID == NoCol {
			if _, isValues := q.Body.(*ast.Values); isValues {
				x, err := b.orderExprOver(bq, o.Expr)
				if err != nil {
					return nil, err
				}
				k.ID = x
			} else {
				return nil, errorf(sqlstate.FeatureNotSupported, location(o.Expr), "invalid UNION/INTERSECT/EXCEPT ORDER BY clause").
					WithDetail("Only result column names can be used, not expressions or functions.").
					WithHint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
			}
		}
		if err := b.orderable(k.ID, o.Expr.Position()); err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if len(keys) > 0 {
		bq.node = &Sort{Input: bq.node, Keys: keys}
	}
	var err error
	bq.node, err = b.limit(q, bq.node, keys)
	return bq, err
}

// orderExprOver projects an ORDER BY expression over a query's columns.
func (b *binder) orderExprOver(bq *boundQuery, e ast.Expr) (ColID, error) {
	it := &nsItem{colsVisible: true}
	for _, c := range bq.cols {
		it.cols = append(it.cols, nsCol{name: c.name, id: c.id})
	}
	b.level.items = []*nsItem{it}
	x, err := b.expr(e)
	if err != nil {
		return NoCol, err
	}
	p := &Project{Input: bq.node}
	for _, id := range unique(bq.node.Columns(nil)) {
		p.Items = append(p.Items, Item{ID: id, Expr: b.md.Ref(id)})
	}
	id := b.newColumn(Column{Name: "?column?", T: x.Type()})
	p.Items = append(p.Items, Item{ID: id, Expr: x})
	bq.node = p
	return id, nil
}

func unique(ids []ColID) []ColID {
	seen := ColSet{}
	out := ids[:0:0]
	for _, id := range ids {
		if !seen.Has(id) {
			seen.Add(id)
			out = append(out, id)
		}
	}
	return out
}

func (b *binder) orderable(id ColID, pos ast.Pos) error {
	t := b.md.Columns[id].T
	if !expr.Orderable(t) {
		return errorf(sqlstate.UndefinedFunction, pos, "could not identify an ordering operator for type %s", types.FormatType(t, -1, false)).
			WithHint("Use an explicit ordering operator or modify the query.")
	}
	return nil
}

// position reads a select list position in ORDER BY or GROUP BY.
func position(n *ast.Number, count int, clause string) (int, error) {
	if !n.IsInteger() {
		return 0, errorf(sqlstate.SyntaxError, n.Pos, "non-integer constant in %s", clause)
	}
	i, err := strconv.Atoi(n.Text)
	if err != nil || i < 1 || i > count {
		return 0, errorf(sqlstate.InvalidColumnReference, n.Pos, "%s position %s is not in select list", clause, n.Text)
	}
	return i - 1, nil
}

// limit adds LIMIT and OFFSET.
func (b *binder) limit(q *ast.Select, node Node, keys []SortKey) (Node, error) {
	if q.Limit == nil && q.Offset == nil {
		return node, nil
	}
	l := &Limit{Input: node}
	bind := func(e ast.Expr, c clause) (expr.Expr, error) {
		if e == nil {
			return nil, nil
		}
		if _, isNull := e.(*ast.Null); isNull {
			return nil, nil
		}
		var x expr.Expr
		err := b.in(c, func() (err error) {
			if x, err = b.expr(e); err != nil {
				return err
			}
			x, err = expr.ToInt8(b.s, x, c.name)
			return at(err, e.Position())
		})
		if err != nil {
			return nil, err
		}
		local := false
		FreeOf(x, func(id ColID) { local = local || b.owner[id] == b.level })
		if local {
			return nil, errorf(sqlstate.InvalidColumnReference, e.Position(), "argument of %s must not contain variables", c.name)
		}
		return expr.Fold(b.pc.Eval, x), nil
	}
	var err error
	if l.Count, err = bind(q.Limit, inLimit); err != nil {
		return nil, err
	}
	if l.Offset, err = bind(q.Offset, inOffset); err != nil {
		return nil, err
	}
	if q.WithTies {
		if len(keys) == 0 {
			return nil, errorf(sqlstate.SyntaxError, ast.NoPos, "WITH TIES cannot be specified without ORDER BY clause")
		}
		l.TieKeys = keys
	}
	if l.Count == nil && l.Offset == nil {
		return node, nil
	}
	return l, nil
}

// values binds a VALUES list.
func (b *binder) values(v *ast.Values, opt queryOptions) (*boundQuery, error) {
	out := &Values{}
	width := len(v.Rows[0])
	for _, r := range v.Rows {
		if len(r) != width {
			pos := v.Pos
			if len(r) > 0 {
				pos = r[0].Position()
			}
			return nil, errorf(sqlstate.SyntaxError, pos, "VALUES lists must all be the same length")
		}
	}
	err := b.in(inValues, func() error {
		for _, r := range v.Rows {
			xs, err := b.exprs(r)
			if err != nil {
				return err
			}
			out.Rows = append(out.Rows, xs)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	bq := &boundQuery{node: out}
	for c := range width {
		column := make([]expr.Expr, len(out.Rows))
		for i := range out.Rows {
			column[i] = out.Rows[i][c]
		}
		t, err := expr.CommonType("VALUES", column)
		if err != nil {
			return nil, at(err, b.mismatch(v, column, c))
		}
		if !opt.keepUnknown || !allUnknown(column) {
			if column, err = b.coerceAll("VALUES", column, t, v.Rows[0][c].Position()); err != nil {
				return nil, err
			}
		} else {
			t = types.Unknown
		}
		for i := range out.Rows {
			out.Rows[i][c] = column[i]
		}
		name := "column" + strconv.Itoa(c+1)
		id := b.newColumn(Column{Name: name, T: t})
		out.Cols = append(out.Cols, id)
		bq.cols = append(bq.cols, outCol{name: name, id: id})
	}
	return bq, nil
}

// mismatch is where the type of a VALUES column first differs.
func (b *binder) mismatch(v *ast.Values, column []expr.Expr, c int) ast.Pos {
	for i := 1; i < len(column); i++ {
		if !column[i].Type().Same(column[0].Type()) && column[i].Type().OID != types.OIDUnknown {
			return v.Rows[i][c].Position()
		}
	}
	return v.Pos
}

func allUnknown(es []expr.Expr) bool {
	for _, e := range es {
		if e.Type().OID != types.OIDUnknown {
			return false
		}
	}
	return true
}

var setOpNames = [...]string{ast.Union: "UNION", ast.Intersect: "INTERSECT", ast.Except: "EXCEPT"}

func (b *binder) setOp(s *ast.SetOp) (*boundQuery, error) {
	l, err := b.body(s.Left, queryOptions{keepUnknown: true})
	if err != nil {
		return nil, err
	}
	r, err := b.body(s.Right, queryOptions{keepUnknown: true})
	if err != nil {
		return nil, err
	}
	return b.combine(s, l, r)
}

// combine builds the set operation of two bound queries, converting both to common types.
func (b *binder) combine(s *ast.SetOp, l, r *boundQuery) (*boundQuery, error) {
	name := setOpNames[s.Kind]
	if len(l.cols) != len(r.cols) {
		return nil, errorf(sqlstate.SyntaxError, columnPos(s.Right, 0), "each %s query must have the same number of columns", name)
	}
	out := &SetOp{Kind: SetOpKind(s.Kind), All: s.All}
	bq := &boundQuery{node: out}
	ts := make([]*types.T, len(l.cols))
	for i := range l.cols {
		t, err := expr.CommonTypeOf(name, b.md.Columns[l.cols[i].id].T, b.md.Columns[r.cols[i].id].T)
		if err != nil {
			return nil, at(err, columnPos(s.Right, i))
		}
		if !s.All || s.Kind != ast.Union {
			if !expr.Orderable(t) {
				return nil, errorf(sqlstate.UndefinedFunction, columnPos(s.Left, i), "could not identify an equality operator for type %s", types.FormatType(t, -1, false))
			}
		}
		ts[i] = t
		id := b.newColumn(Column{Name: l.cols[i].name, T: t})
		out.Cols = append(out.Cols, id)
		bq.cols = append(bq.cols, outCol{name: l.cols[i].name, id: id})
	}
	var err error
	if out.Left, out.LeftCols, err = b.convert(name, l, ts, s.Left.Position()); err != nil {
		return nil, err
	}
	if out.Right, out.RightCols, err = b.convert(name, r, ts, s.Right.Position()); err != nil {
		return nil, err
	}
	return bq, nil
}

// columnPos is where a column of a query stands in its select list or its first row of VALUES.
func columnPos(q ast.QueryBody, i int) ast.Pos {
	switch q := q.(type) {
	case *ast.SelectCore:
		if i < len(q.Targets) {
			return location(q.Targets[i].Expr)
		}
	case *ast.Values:
		if i < len(q.Rows[0]) {
			return location(q.Rows[0][i])
		}
	}
	return q.Position()
}

// convert projects the columns of a query to the types.
func (b *binder) convert(context string, q *boundQuery, ts []*types.T, pos ast.Pos) (Node, []ColID, error) {
	p := &Project{Input: q.node}
	var ids []ColID
	for i, c := range q.cols {
		ref := b.md.Ref(c.id)
		// A literal without a type is converted where it stands.
		src := expr.Expr(ref)
		if lit := unknownSource(q.node, c.id); lit != nil {
			src = lit
		}
		x, ok, err := expr.Coerce(b.s, src, ts[i], types.CastImplicit)
		if err != nil {
			return nil, nil, at(err, pos)
		}
		if !ok {
			return nil, nil, errorf(sqlstate.CannotCoerce, pos, "%s could not convert type %s to %s", context, ref.T, ts[i])
		}
		id := b.newColumn(Column{Name: c.name, T: ts[i]})
		p.Items = append(p.Items, Item{ID: id, Expr: x})
		ids = append(ids, id)
	}
	return p, ids, nil
}

// unknownSource returns the literal or parameter of unknown type behind a column.
func unknownSource(n Node, id ColID) expr.Expr {
	if p, ok := n.(*Project); ok {
		for _, it := range p.Items {
			if it.ID == id && it.Expr.Type().OID == types.OIDUnknown {
				switch it.Expr.(type) {
				case *expr.Const, *expr.Param:
					return it.Expr
				}
			}
		}
	}
	return nil
}

// target is an item of the select list.
type target struct {
	name string
	x    expr.Expr
	pos  ast.Pos
	id   ColID
}

// targets binds a select or RETURNING list.
func (b *binder) targets(list []*ast.Target) ([]target, error) {
	var out []target
	for _, t := range list {
		switch e := t.Expr.(type) {
		case *ast.Star:
			cols, err := b.expandStar(e)
			if err != nil {
				return nil, err
			}
			for _, c := range cols {
				out = append(out, target{name: c.name, x: b.ref(c.id, e.Pos), pos: e.Pos})
			}
			continue
		case *ast.FieldStar:
			x, err := b.expr(e.X)
			if err != nil {
				return nil, err
			}
			if x.Type().Family != types.FamRecord || len(x.Type().Fields) == 0 {
				return nil, errorf(sqlstate.WrongObjectType, e.Pos, "type %s is not composite", types.FormatType(x.Type(), -1, false))
			}
			for _, f := range x.Type().Fields {
				fx, err := b.fieldSelect(x, f.Name, e.Pos)
				if err != nil {
					return nil, err
				}
				out = append(out, target{name: f.Name, x: fx, pos: e.Pos})
			}
			continue
		}
		x, err := b.expr(t.Expr)
		if err != nil {
			return nil, err
		}
		name := t.As
		if name == "" {
			name = outputName(t.Expr)
		}
		out = append(out, target{name: name, x: x, pos: t.Expr.Position()})
	}
	return out, nil
}

// sortItem is an ORDER BY item while a query is bound: a select list position, or an
// expression of its own.
type sortItem struct {
	target int // -1 if it has its own expression
	x      expr.Expr
	id     ColID
	desc   bool
	first  bool
	pos    ast.Pos
}

// selectCore binds SELECT ... with its ORDER BY and LIMIT.
func (b *binder) selectCore(q *ast.Select, core *ast.SelectCore, opt queryOptions) (*boundQuery, error) {
	lv := b.level
	node, err := b.from(core.From)
	if err != nil {
		return nil, err
	}
	if node == nil {
		node = &Values{Rows: [][]expr.Expr{{}}}
	}
	if len(core.Windows) > 0 {
		lv.named = make(map[string]*ast.Window)
		for _, w := range core.Windows {
			if lv.named[w.Name] != nil {
				return nil, errorf(sqlstate.WindowingError, w.Pos, "window %q is already defined", w.Name)
			}
			lv.named[w.Name] = w
		}
	}
	targets, err := b.targets(core.Targets)
	if err != nil {
		return nil, err
	}
	for i := range targets {
		if !opt.keepUnknown {
			targets[i].x = expr.ToKnown(b.s, targets[i].x)
		}
	}
	var where []expr.Expr
	if core.Where != nil {
		err := b.in(inWhere, func() error {
			x, err := b.boolExpr(core.Where, "WHERE")
			where = expr.Conjuncts(x)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	var having expr.Expr
	if core.Having != nil {
		err := b.in(inHaving, func() (err error) {
			having, err = b.boolExpr(core.Having, "HAVING")
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	order, err := b.orderBy(q.OrderBy, targets)
	if err != nil {
		return nil, err
	}
	g, err := b.groupBy(core, targets)
	if err != nil {
		return nil, err
	}
	var on []sortItem
	if len(core.DistinctOn) > 0 {
		list := make([]*ast.SortBy, len(core.DistinctOn))
		for i, e := range core.DistinctOn {
			list[i] = &ast.SortBy{Pos: e.Position(), Expr: e}
		}
		if on, err = b.orderBy(list, targets); err != nil {
			return nil, err
		}
	}
	if len(where) > 0 {
		node = &Filter{Input: node, Conds: where}
	}
	if g != nil || having != nil || lv.hasAggs {
		if g == nil {
			g = &grouping{}
		}
		g.b = b
		if node, err = g.apply(node, targets, order, on, having); err != nil {
			return nil, err
		}
	}
	node = b.applyWindows(node)
	for i := len(lv.sets) - 1; i >= 0; i-- {
		if len(lv.sets[i]) > 0 {
			node = &ProjectSet{Input: node, Items: lv.sets[i]}
		}
	}
	return b.project(q, core, node, targets, order, on, opt)
}

// orderBy resolves ORDER BY: a name is first an output column, then anything else.
func (b *binder) orderBy(list []*ast.SortBy, targets []target) ([]sortItem, error) {
	var out []sortItem
	for _, o := range list {
		it := sortItem{target: -1, pos: o.Expr.Position(), id: NoCol}
		var err error
		if it.desc, it.first, err = sortDirection(o); err != nil {
			return nil, err
		}
		switch e := o.Expr.(type) {
		case *ast.Number:
			if it.target, err = position(e, len(targets), "ORDER BY"); err != nil {
				return nil, err
			}
		case *ast.String:
			return nil, errorf(sqlstate.SyntaxError, e.Pos, "non-integer constant in ORDER BY")
		case *ast.ColumnRef:
			if len(e.Parts) == 1 {
				for i := range targets {
					if targets[i].name != e.Parts[0] {
						continue
					}
					if it.target >= 0 && ExprKey(targets[it.target].x) != ExprKey(targets[i].x) {
						return nil, errorf(sqlstate.AmbiguousColumn, e.Pos, "ORDER BY %q is ambiguous", e.Parts[0])
					}
					if it.target < 0 {
						it.target = i
					}
				}
			}
		}
		if it.target < 0 {
			err := b.in(inOrderBy, func() (err error) {
				it.x, err = b.expr(o.Expr)
				return err
			})
			if err != nil {
				return nil, err
			}
			it.x = expr.ToKnown(b.s, it.x)
			key := ExprKey(it.x)
			for i := range targets {
				if ExprKey(targets[i].x) == key {
					it.target = i
					break
				}
			}
		}
		t := it.x
		if it.target >= 0 {
			t = targets[it.target].x
		}
		if !expr.Orderable(t.Type()) {
			return nil, errorf(sqlstate.UndefinedFunction, it.pos, "could not identify an ordering operator for type %s", types.FormatType(t.Type(), -1, false)).
				WithHint("Use an explicit ordering operator or modify the query.")
		}
		out = append(out, it)
	}
	return out, nil
}

// applyWindows adds a Window node for each different window.
func (b *binder) applyWindows(node Node) Node {
	var nodes []*Window
	byKey := make(map[string]*Window)
	for _, u := range b.level.windows {
		key := ""
		for _, p := range u.spec.partition {
			key += ExprKey(p) + ","
		}
		key += "|"
		for _, o := range u.spec.order {
			key += ExprKey(o.Expr) + strconv.FormatBool(o.Desc) + strconv.FormatBool(o.NullsFirst) + ","
		}
		w := byKey[key]
		if w == nil {
			w = &Window{Partition: u.spec.partition, OrderBy: u.spec.order}
			byKey[key] = w
			nodes = append(nodes, w)
		}
		w.Funcs = append(w.Funcs, u.item)
	}
	for _, w := range nodes {
		w.Input = node
		node = w
	}
	return node
}

// project computes the select list and applies DISTINCT, ORDER BY, locking and LIMIT.
func (b *binder) project(q *ast.Select, core *ast.SelectCore, node Node, targets []target, order, on []sortItem, opt queryOptions) (*boundQuery, error) {
	p := &Project{Input: node}
	bq := &boundQuery{}
	have := make(map[string]ColID)
	add := func(x expr.Expr, name string) ColID {
		key := ExprKey(x)
		volatile := expr.VolatilityOf(x) == expr.Volatile
		if id, ok := have[key]; ok && !volatile {
			return id
		}
		var id ColID
		if ref, ok := x.(*expr.ColumnRef); ok && b.owner[ref.Ordinal] == b.level {
			id = ColID(ref.Ordinal)
		} else {
			id = b.newColumn(Column{Name: name, T: x.Type()})
		}
		have[key] = id
		p.Items = append(p.Items, Item{ID: id, Expr: x})
		return id
	}
	for i := range targets {
		t := &targets[i]
		t.id = add(t.x, t.name)
		bq.cols = append(bq.cols, outCol{name: t.name, id: t.id})
	}
	if opt.keepUnknown {
		for i := range targets {
			b.md.Columns[targets[i].id].T = targets[i].x.Type()
		}
	}
	visible := len(p.Items)
	keys := make([]SortKey, 0, len(order))
	for i := range order {
		o := &order[i]
		if o.target >= 0 {
			o.id = targets[o.target].id
		} else {
			o.id = add(o.x, "?column?")
		}
		keys = append(keys, SortKey{ID: o.id, Desc: o.desc, NullsFirst: o.first})
	}
	onIDs := make([]ColID, 0, len(on))
	for i := range on {
		o := &on[i]
		if o.target >= 0 {
			o.id = targets[o.target].id
		} else {
			o.id = add(o.x, "?column?")
		}
		onIDs = append(onIDs, o.id)
	}
	if core.Distinct && len(on) == 0 {
		if len(p.Items) > visible {
			for _, o := range order {
				if o.target < 0 {
					return nil, errorf(sqlstate.InvalidColumnReference, o.pos, "for SELECT DISTINCT, ORDER BY expressions must appear in select list")
				}
			}
		}
		for i := range targets {
			if !expr.Orderable(targets[i].x.Type()) {
				return nil, errorf(sqlstate.UndefinedFunction, targets[i].pos, "could not identify an equality operator for type %s", types.FormatType(targets[i].x.Type(), -1, false))
			}
		}
	}
	if len(on) > 0 {
		want := SetOf(onIDs)
		for i, k := range keys {
			if !want.Has(k.ID) && i < len(want) {
				return nil, errorf(sqlstate.InvalidColumnReference, on[min(i, len(on)-1)].pos, "SELECT DISTINCT ON expressions must match initial ORDER BY expressions")
			}
		}
	}
	var lock *LockRows
	if len(q.Locking) > 0 {
		var err error
		if lock, err = b.lockRows(q, core, p); err != nil {
			return nil, err
		}
	}
	var out Node = p
	if core.Distinct && len(on) == 0 {
		ids := make([]ColID, 0, len(p.Items))
		for _, it := range p.Items {
			ids = append(ids, it.ID)
		}
		out = &Distinct{Input: out, On: ids}
	}
	if len(keys) > 0 {
		out = &Sort{Input: out, Keys: keys}
	}
	if len(on) > 0 {
		out = &Distinct{Input: out, On: onIDs}
	}
	if lock != nil {
		lock.Input = out
		out = lock
	}
	var err error
	bq.node, err = b.limit(q, out, keys)
	return bq, err
}

func lockName(s ast.LockStrength) string {
	return [...]string{ast.ForKeyShare: "FOR KEY SHARE", ast.ForShare: "FOR SHARE", ast.ForNoKeyUpdate: "FOR NO KEY UPDATE", ast.ForUpdate: "FOR UPDATE"}[s]
}

// lockRows resolves FOR UPDATE and its relatives.
func (b *binder) lockRows(q *ast.Select, core *ast.SelectCore, p *Project) (*LockRows, error) {
	lv := b.level
	lock := &LockRows{}
	b.locks = true
	for _, l := range q.Locking {
		name := lockName(l.Strength)
		refuse := func(what string) error {
			return errorf(sqlstate.FeatureNotSupported, l.Pos, "%s is not allowed with %s", name, what)
		}
		switch {
		case core.Distinct:
			return nil, refuse("DISTINCT clause")
		case len(core.GroupBy) > 0:
			return nil, refuse("GROUP BY clause")
		case core.Having != nil:
			return nil, refuse("HAVING clause")
		case lv.hasAggs:
			return nil, refuse("aggregate functions")
		case len(lv.windows) > 0:
			return nil, refuse("window functions")
		case len(lv.sets) > 0:
			return nil, refuse("set-returning functions in the target list")
		}
		rl := RowLock{Strength: [...]kv.LockStrength{ast.ForKeyShare: kv.LockKeyShare, ast.ForShare: kv.LockShare,
			ast.ForNoKeyUpdate: kv.LockNoKeyUpdate, ast.ForUpdate: kv.LockUpdate}[l.Strength]}
		switch l.Wait {
		case ast.LockNoWait:
			rl.Wait = kv.WaitError
		case ast.LockSkipLocked:
			rl.Wait = kv.WaitSkipLocked
		}
		addRel := func(r *Relation) error {
			if r.Table == nil {
				return nil
			}
			if b.pc.Privileges != nil {
				if err := b.pc.Privileges(r.Source, catalog.PrivUpdate, nil); err != nil {
					return err
				}
			}
			id := b.rowKey(r)
			for i := range lock.Targets {
				if lock.Targets[i].Rel == r {
					lock.Targets[i].Strength = max(lock.Targets[i].Strength, rl.Strength)
					lock.Targets[i].Wait = max(lock.Targets[i].Wait, rl.Wait)
					return nil
				}
			}
			lock.Targets = append(lock.Targets, LockTarget{Rel: r, RowLock: rl})
			p.Items = append(p.Items, Item{ID: id, Expr: b.md.Ref(id)})
			return nil
		}
		if len(l.Of) == 0 {
			for _, it := range lv.items {
				if it.rel != nil && it.relVisible {
					if err := addRel(it.rel); err != nil {
						return nil, err
					}
				}
			}
			continue
		}
		for _, of := range l.Of {
			var found *nsItem
			for _, it := range lv.items {
				if it.relVisible && it.name == of.Name {
					found = it
				}
			}
			if found == nil {
				return nil, errorf(sqlstate.UndefinedTable, of.Pos, "relation %q in %s clause not found in FROM clause", of.Name, name)
			}
			if found.rel != nil {
				if err := addRel(found.rel); err != nil {
					return nil, err
				}
			}
		}
	}
	if len(lock.Targets) == 0 {
		return nil, nil
	}
	return lock, nil
}
