package deparse

import (
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// queryForm is what surrounds a query.
type queryForm struct {
	// names are those of the result's columns where they do not come from the query: a
	// view's.
	names []string
	// visible says that somebody can see the names of the columns; else ones that
	// nobody gave are not printed.
	visible bool
	// types are those of the result, where a set operation has decided them.
	types []*types.T
}

// subquery prints the query of a subquery in an expression.
func (p *printer) subquery(q *ast.Select) { p.query(q, queryForm{}) }

// query prints a query; the indentation is the same afterwards.
func (p *printer) query(q *ast.Select, form queryForm) {
	if p.err != nil {
		return
	}
	indent, qualify := p.indent, p.qualify
	p.qualify = true
	defer func() { p.indent, p.qualify = indent, qualify }()
	if q.Into != nil || q.AsOf != nil {
		p.fail("INTO or AS OF")
		return
	}
	core, _ := q.Body.(*ast.SelectCore)
	p.pushScope(core)
	defer p.popScope()
	if q.With != nil {
		p.with(q.With)
	}
	p.body(q.Body, form, true)
	if len(q.OrderBy) > 0 {
		p.line(" ORDER BY ", -stepStd, stepStd, 1)
		if core == nil {
			p.positions(q.OrderBy, q.Body, form)
		} else {
			p.sortKeys(q.OrderBy, core)
		}
	}
	if q.Offset != nil {
		p.line(" OFFSET ", -stepStd, stepStd, 0)
		p.expr(operand{e: q.Offset, to: types.Int8}, nil)
	}
	switch {
	case q.Limit == nil:
	case q.WithTies:
		p.line(" FETCH FIRST ", -stepStd, stepStd, 0)
		p.w("(")
		p.expr(operand{e: q.Limit, to: types.Int8}, nil)
		p.w(") ROWS WITH TIES")
	case isNull(q.Limit):
		p.line(" LIMIT ALL", -stepStd, stepStd, 0)
	default:
		p.line(" LIMIT ", -stepStd, stepStd, 0)
		p.expr(operand{e: q.Limit, to: types.Int8}, nil)
	}
	for _, l := range q.Locking {
		var of []string
		for _, n := range l.Of {
			of = append(of, n.Name)
		}
		if of == nil && core != nil {
			of = itemNames(core.From)
		}
		for _, name := range of {
			p.line([...]string{ast.ForKeyShare: " FOR KEY SHARE", ast.ForShare: " FOR SHARE", ast.ForNoKeyUpdate: " FOR NO KEY UPDATE", ast.ForUpdate: " FOR UPDATE"}[l.Strength], -stepStd, stepStd, 0)
			p.w(" OF ")
			p.ident(p.itemName(name))
			switch l.Wait {
			case ast.LockSkipLocked:
				p.w(" SKIP LOCKED")
			case ast.LockNoWait:
				p.w(" NOWAIT")
			}
		}
	}
}

func (p *printer) with(w *ast.With) {
	p.indent += stepStd
	p.w(" ")
	word := "WITH "
	if w.Recursive && p.recursive(w) {
		word = "WITH RECURSIVE "
	}
	for _, c := range w.CTEs {
		p.w(word)
		word = ", "
		p.ident(c.Name)
		if len(c.Columns) > 0 {
			p.w("(")
			p.list(len(c.Columns), func(i int) { p.ident(c.Columns[i].Text) })
			p.w(")")
		}
		p.w(" AS ")
		switch c.Materialize {
		case ast.MaterializeAlways:
			p.w("MATERIALIZED ")
		case ast.MaterializeNever:
			p.w("NOT MATERIALIZED ")
		}
		q, ok := c.Statement.(*ast.Select)
		if !ok {
			p.fail("data-modifying WITH")
			return
		}
		p.w("(")
		p.line("", 0, 0, 0)
		p.query(q, queryForm{visible: true})
		p.line("", 0, 0, 0)
		p.w(")")
	}
	p.indent -= stepStd
	p.line("", 0, 0, 0)
}

// recursive reports whether some WITH query may refer to itself.
func (p *printer) recursive(w *ast.With) bool { return w.Recursive }

// body prints the part of a query before ORDER BY.
func (p *printer) body(b ast.QueryBody, form queryForm, top bool) {
	switch b := b.(type) {
	case *ast.SelectCore:
		p.core(b, form)
	case *ast.Values:
		p.indent += stepStd
		p.w(" ")
		p.values(b)
	case *ast.SetOp:
		if form.types == nil {
			form.types = p.bodyTypes(b)
		}
		p.setOp(b, form)
	case *ast.Select:
		p.query(b, form)
	default:
		p.fail("query %T", b)
	}
}

// bare removes the parentheses around a query that has nothing else.
func bareBody(b ast.QueryBody) ast.QueryBody {
	for {
		q, ok := b.(*ast.Select)
		if !ok || q.With != nil || q.OrderBy != nil || q.Limit != nil || q.Offset != nil || q.Locking != nil {
			return b
		}
		b = q.Body
	}
}

func (p *printer) setOp(b *ast.SetOp, form queryForm) {
	left, right := bareBody(b.Left), bareBody(b.Right)
	step := 0
	need := false
	if l, ok := left.(*ast.SetOp); ok && (l.Kind != b.Kind || l.All != b.All) {
		need, step = true, stepStd
	}
	if need {
		p.w("(")
		p.line("", step, 0, 0)
	}
	p.branch(left, form)
	if need {
		p.line(") ", -step, 0, 0)
	} else {
		p.line("", 0, 0, 0)
	}
	p.w([...]string{ast.Union: "UNION ", ast.Intersect: "INTERSECT ", ast.Except: "EXCEPT "}[b.Kind])
	if b.All {
		p.w("ALL ")
	}
	step = 0
	_, need = right.(*ast.SetOp)
	if need {
		p.w("(")
		step = stepStd
	}
	p.line("", step, 0, 0)
	form.visible = false // the names are those of the left side
	p.branch(right, form)
	p.indent -= step
	if need {
		p.line(")", 0, 0, 0)
	}
}

// branch prints one side of a set operation.
func (p *printer) branch(b ast.QueryBody, form queryForm) {
	if s, ok := b.(*ast.SetOp); ok {
		p.setOp(s, form)
		return
	}
	q, complete := b.(*ast.Select)
	if !complete {
		q = &ast.Select{Body: b}
	}
	if complete {
		p.w("(")
	}
	p.query(q, form)
	if complete {
		p.w(")")
	}
}

// bodyTypes returns the types of a query's columns.
func (p *printer) bodyTypes(b ast.QueryBody) []*types.T {
	switch b := bareBody(b).(type) {
	case *ast.Select:
		return p.bodyTypes(b.Body)
	case *ast.SetOp:
		l, r := p.bodyTypes(b.Left), p.bodyTypes(b.Right)
		for i := range l {
			if i < len(r) {
				if t, err := expr.CommonTypeOf("UNION", l[i], r[i]); err == nil {
					l[i] = t
				}
			}
		}
		return l
	case *ast.Values:
		var out []*types.T
		for i := range b.Rows[0] {
			var col []*types.T
			for _, row := range b.Rows {
				col = append(col, p.typeOf(row[i]))
			}
			t, err := expr.CommonTypeOf("VALUES", col...)
			if err != nil {
				t = types.Text
			}
			out = append(out, t)
		}
		return out
	case *ast.SelectCore:
		var out []*types.T
		for _, t := range b.Targets {
			if cols, ok := p.notes.Columns[t.Expr]; ok && isStar(t.Expr) {
				for range cols {
					out = append(out, types.Unknown)
				}
				continue
			}
			out = append(out, p.typeOf(t.Expr))
		}
		return out
	}
	return nil
}

func isStar(e ast.Expr) bool {
	_, ok := e.(*ast.Star)
	return ok
}

func (p *printer) values(v *ast.Values) {
	ts := p.bodyTypes(v)
	p.w("VALUES ")
	p.list(len(v.Rows), func(r int) {
		p.w("(")
		for i, e := range v.Rows[r] {
			if i > 0 {
				p.w(",")
			}
			p.expr(operand{e: e, to: ts[i]}, nil)
		}
		p.w(")")
	})
}

func (p *printer) core(c *ast.SelectCore, form queryForm) {
	p.indent += stepStd
	p.w(" SELECT")
	switch {
	case len(c.DistinctOn) > 0:
		p.w(" DISTINCT ON (")
		p.list(len(c.DistinctOn), func(i int) { p.groupKey(c.DistinctOn[i], c) })
		p.w(")")
	case c.Distinct:
		p.w(" DISTINCT")
	}
	p.targets(c, form)
	p.from(c.From)
	if c.Where != nil {
		p.line(" WHERE ", -stepStd, stepStd, 1)
		p.expr(operand{e: c.Where, to: types.Bool}, nil)
	}
	if len(c.GroupBy) > 0 {
		p.line(" GROUP BY ", -stepStd, stepStd, 1)
		if c.GroupDistinct {
			p.w("DISTINCT ")
		}
		p.list(len(c.GroupBy), func(i int) { p.grouping(c.GroupBy[i], c) })
	}
	if c.Having != nil {
		p.line(" HAVING ", -stepStd, stepStd, 0)
		p.expr(operand{e: c.Having, to: types.Bool}, nil)
	}
	for i, w := range c.Windows {
		if i == 0 {
			p.line(" WINDOW ", -stepStd, stepStd, 1)
		} else {
			p.w(", ")
		}
		p.ident(w.Name)
		p.w(" AS ")
		p.window(w)
	}
}

func (p *printer) grouping(e ast.Expr, c *ast.SelectCore) {
	set, ok := e.(*ast.GroupingSet)
	if !ok {
		if row, isRow := e.(*ast.Row); isRow {
			p.w("(")
			p.list(len(row.Elems), func(i int) { p.groupKey(row.Elems[i], c) })
			p.w(")")
			return
		}
		p.groupKey(e, c)
		return
	}
	switch set.Kind {
	case ast.GroupingEmpty:
		p.w("()")
		return
	case ast.GroupingRollup:
		p.w("ROLLUP(")
	case ast.GroupingCube:
		p.w("CUBE(")
	default:
		p.w("GROUPING SETS (")
	}
	p.list(len(set.Items), func(i int) {
		item := set.Items[i]
		_, nested := item.(*ast.GroupingSet)
		_, row := item.(*ast.Row)
		if set.Kind == ast.GroupingSets && !nested && !row {
			p.w("(")
			p.groupKey(item, c)
			p.w(")")
			return
		}
		p.grouping(item, c)
	})
	p.w(")")
}

// target is an item of a select list: a column of a star, or an expression.
type target struct {
	e     ast.Expr
	noted *plan.NotedColumn
	name  string // of the column
}

// expand returns the select list with stars expanded.
func (p *printer) expand(c *ast.SelectCore) []target {
	var out []target
	for _, t := range c.Targets {
		switch e := t.Expr.(type) {
		case *ast.Star:
			cols := p.notes.Columns[e]
			for i := range cols {
				out = append(out, target{noted: &cols[i], name: cols[i].Name})
			}
		case *ast.FieldStar:
			p.fail("(x).*")
		default:
			name := t.As
			if name == "" {
				name = plan.OutputName(e)
			}
			out = append(out, target{e: e, name: name})
		}
	}
	return out
}

func (p *printer) targets(c *ast.SelectCore, form queryForm) {
	list := p.expand(c)
	if form.names != nil && len(list) > len(form.names) {
		list = list[:len(form.names)] // columns that * has gained since
	}
	for i, t := range list {
		if i == 0 {
			p.w(" ")
		} else {
			p.w(", ")
		}
		own := "" // the name that the printed text has without AS
		text := p.aside(func() {
			switch e := p.unwrapTarget(t); {
			case t.noted != nil:
				p.noted(t.noted.Item, t.noted.Name)
				own = t.name
			case e != nil:
				p.column(e)
				if n := p.notes.Columns[e]; len(n) == 1 {
					own = n[0].Name
				}
			default:
				o := operand{e: t.e, implicit: true}
				if i < len(form.types) && isLiteral(t.e) {
					o.to = form.types[i]
				}
				p.expr(o, nil)
				if !form.visible {
					own = "?column?"
				}
			}
			name := t.name
			if i < len(form.names) {
				name = form.names[i]
			}
			if own == "" || own != name {
				p.w(" AS ")
				p.ident(name)
			}
		})
		if strings.HasPrefix(text, "\n") {
			p.buf = []byte(strings.TrimRight(string(p.buf), " "))
		} else if i > 0 {
			p.line("", -stepStd, stepStd, stepVar)
		}
		p.w(text)
	}
}

// unwrapTarget returns the column that a select list item is, nil if it is an
// expression.
func (p *printer) unwrapTarget(t target) *ast.ColumnRef {
	if t.e == nil {
		return nil
	}
	ref, ok := p.unwrap(t.e).(*ast.ColumnRef)
	if !ok || len(p.notes.Columns[ref]) != 1 {
		return nil
	}
	return ref
}

// selectItem follows a position or an output name in GROUP BY or ORDER BY to the
// select list.
func (p *printer) selectItem(e ast.Expr, c *ast.SelectCore) ast.Expr {
	list := p.expand(c)
	switch k := e.(type) {
	case *ast.Number:
		n, err := strconv.Atoi(k.Text)
		if err != nil || n < 1 || n > len(list) {
			p.fail("position %s", k.Text)
			return e
		}
		return p.asExpr(list[n-1])
	case *ast.ColumnRef:
		if len(k.Parts) != 1 || len(p.notes.Columns[k]) == 1 {
			return e
		}
		for _, t := range list {
			if t.name == k.Parts[0] {
				return p.asExpr(t)
			}
		}
	}
	return e
}

// asExpr returns a select list item as an expression.
func (p *printer) asExpr(t target) ast.Expr {
	if t.e != nil {
		return t.e
	}
	ref := &ast.ColumnRef{Parts: []string{t.noted.Item, t.noted.Name}}
	p.notes.Columns[ref] = []plan.NotedColumn{*t.noted}
	return ref
}

// positions prints ORDER BY of a set operation, whose keys are positions.
func (p *printer) positions(keys []*ast.SortBy, b ast.QueryBody, form queryForm) {
	first := bareBody(b)
	for {
		if s, ok := first.(*ast.SetOp); ok {
			first = bareBody(s.Left)
			continue
		}
		if q, ok := first.(*ast.Select); ok {
			first = q.Body
			continue
		}
		break
	}
	var names []string
	if c, ok := first.(*ast.SelectCore); ok {
		for _, t := range p.expand(c) {
			names = append(names, t.name)
		}
	}
	plain := make([]*ast.SortBy, len(keys))
	for i, k := range keys {
		n := *k
		plain[i] = &n
		switch e := k.Expr.(type) {
		case *ast.Number:
			n.Expr = e
		case *ast.ColumnRef:
			at := -1
			for j, name := range names {
				if name == e.Parts[len(e.Parts)-1] {
					at = j
				}
			}
			if at < 0 {
				p.fail("ORDER BY of a set operation")
				return
			}
			n.Expr = &ast.Number{Text: strconv.Itoa(at + 1)}
		default:
			p.fail("ORDER BY of a set operation")
			return
		}
	}
	p.list(len(plain), func(i int) {
		p.w(plain[i].Expr.(*ast.Number).Text)
		if plain[i].Direction == ast.SortDesc {
			p.w(" DESC")
			if plain[i].Nulls == ast.NullsLast {
				p.w(" NULLS LAST")
			}
		} else if plain[i].Nulls == ast.NullsFirst {
			p.w(" NULLS FIRST")
		}
	})
}

func (p *printer) from(items []ast.TableExpr) {
	for i, it := range items {
		if i == 0 {
			p.line(" FROM ", -stepStd, stepStd, 2)
			p.item(it)
			continue
		}
		p.w(", ")
		text := p.aside(func() { p.item(it) })
		p.line("", -stepStd, stepStd, stepVar)
		p.w(text)
	}
}

// item prints a FROM item.
func (p *printer) item(te ast.TableExpr) {
	if p.err != nil {
		return
	}
	switch t := te.(type) {
	case *ast.TableRef:
		if t.Sample != nil {
			p.fail("TABLESAMPLE")
			return
		}
		rel := p.notes.Relations[t]
		if rel == nil {
			p.ident(t.Name.Name)
		} else {
			if t.Only {
				p.w("ONLY ")
			}
			p.w(p.Names.RelationName(rel))
		}
		name := t.Alias.Name
		if name == "" {
			name = t.Name.Name
		}
		if printed := p.itemName(name); t.Alias.Name != "" || printed != name {
			p.w(" ")
			p.ident(printed)
		}
		p.aliasColumns(t.Alias, relationColumns(rel))
	case *ast.SubqueryTable:
		if t.Lateral {
			p.w("LATERAL ")
		}
		p.w("(")
		p.query(t.Query, queryForm{visible: true})
		p.w(") ")
		p.ident(p.itemName(t.Alias.Name))
		p.aliasColumns(t.Alias, nil)
	case *ast.FuncTable:
		p.funcTable(t)
	case *ast.Join:
		p.join(t)
	default:
		p.fail("FROM item %T", te)
	}
}

func relationColumns(rel catalog.Relation) []string {
	if rel == nil {
		return nil
	}
	var names []string
	for _, c := range rel.Cols() {
		if !c.Hidden && !c.Dropped {
			names = append(names, c.Name)
		}
	}
	return names
}

// aliasColumns prints the names that an alias gives to columns; of a relation all
// columns are listed as soon as one has another name.
func (p *printer) aliasColumns(a ast.Alias, all []string) {
	if len(a.Columns) == 0 {
		return
	}
	names := make([]string, len(a.Columns))
	changed := all == nil
	for i, c := range a.Columns {
		names[i] = c.Text
		changed = changed || i < len(all) && all[i] != c.Text
	}
	if !changed {
		return
	}
	if len(all) > len(names) {
		names = append(names, all[len(names):]...)
	}
	p.w("(")
	p.list(len(names), func(i int) { p.ident(names[i]) })
	p.w(")")
}

func (p *printer) funcTable(t *ast.FuncTable) {
	if t.RowsFrom || len(t.Funcs) != 1 || len(t.ColumnDefs) > 0 || len(t.Funcs[0].ColumnDefs) > 0 {
		p.fail("ROWS FROM or a column definition list")
		return
	}
	f := t.Funcs[0].Func
	if t.Lateral {
		p.w("LATERAL ")
	}
	p.expr(operand{e: f, implicit: true}, nil)
	if t.Ordinality {
		p.w(" WITH ORDINALITY")
	}
	name := t.Alias.Name
	if name == "" {
		name = plan.OutputName(f)
	}
	p.w(" ")
	p.ident(p.itemName(name))
	cols := p.functionColumns(f, name)
	if cols == nil && len(t.Alias.Columns) == 0 {
		p.fail("columns of %s", name)
		return
	}
	if t.Ordinality {
		cols = append(cols, "ordinality")
	}
	for i, c := range t.Alias.Columns {
		if i < len(cols) {
			cols[i] = c.Text
		} else {
			cols = append(cols, c.Text)
		}
	}
	p.w("(")
	p.list(len(cols), func(i int) { p.ident(cols[i]) })
	p.w(")")
}

// functionColumns returns the names of the columns of a function in FROM.
func (p *printer) functionColumns(e ast.Expr, alias string) []string {
	fc, ok := e.(*ast.FuncCall)
	if !ok {
		return []string{alias}
	}
	c := p.notes.Calls[fc]
	if c == nil {
		c, _ = p.notes.Exprs[fc].(*expr.Call)
	}
	if c == nil {
		for _, f := range p.Plan.Registry.Functions(fc.Name.Name) {
			if len(f.RetFields) > 0 {
				return nil
			}
		}
		return []string{alias}
	}
	if len(c.Fn.RetFields) == 0 {
		return []string{alias}
	}
	var names []string
	for _, f := range c.Fn.RetFields {
		names = append(names, f.Name)
	}
	return names
}

func (p *printer) join(j *ast.Join) {
	if j.Natural {
		p.fail("NATURAL JOIN")
		return
	}
	alias := j.Alias.Name != ""
	if !p.Pretty || alias {
		p.w("(")
	}
	p.item(j.Left)
	word := [...]string{ast.InnerJoin: " JOIN ", ast.LeftJoin: " LEFT JOIN ", ast.RightJoin: " RIGHT JOIN ", ast.FullJoin: " FULL JOIN ", ast.CrossJoin: " CROSS JOIN "}[j.Kind]
	p.line(word, -stepStd, stepStd, stepJoin)
	right, nested := j.Right.(*ast.Join)
	nested = nested && p.Pretty && right.Alias.Name == ""
	if nested {
		p.w("(")
	}
	p.item(j.Right)
	if nested {
		p.w(")")
	}
	switch {
	case len(j.Using) > 0:
		p.w(" USING (")
		p.list(len(j.Using), func(i int) { p.ident(j.Using[i].Text) })
		p.w(")")
		if j.UsingAlias != "" {
			p.w(" AS ")
			p.ident(j.UsingAlias)
		}
	case j.On != nil:
		p.w(" ON ")
		p.paren("(")
		p.expr(operand{e: j.On, to: types.Bool}, nil)
		p.paren(")")
	}
	if !p.Pretty || alias {
		p.w(")")
	}
	if alias {
		p.w(" ")
		p.ident(p.itemName(j.Alias.Name))
		p.aliasColumns(j.Alias, nil)
	}
}
