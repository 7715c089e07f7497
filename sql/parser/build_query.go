package parser

import (
	gast "github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// buildQuery builds a query. at is the source token where it begins, if known.
func (p *parser) buildQuery(n gast.Node, at int) *ast.Select {
	q := &ast.Select{Pos: p.tokPos(at)}
	switch n := n.(type) {
	case *gast.SelectStmt:
		q.With = p.buildWith(n.With)
		p.buildTails(q, n.OrderBy)
		q.Body = p.buildSelect(n, q)
	case *gast.SetOprStmt:
		q.With = p.buildWith(n.With)
		p.buildTails(q, n.OrderBy)
		q.Body = p.buildSetOps(n.SelectList.Selects)
	default:
		p.fail()
	}
	// A query in parentheses with nothing around it is that query.
	if inner, ok := q.Body.(*ast.Select); ok && q.OrderBy == nil && q.Limit == nil && q.Offset == nil &&
		q.Locking == nil && q.AsOf == nil && (q.With == nil || inner.With == nil) {
		if q.With != nil {
			inner.With = q.With
		}
		return inner
	}
	if q.Locking != nil {
		if _, ok := q.Body.(*ast.SetOp); ok {
			p.unsupportedLock(q, "UNION/INTERSECT/EXCEPT")
		}
	}
	return q
}

func (p *parser) unsupportedLock(q *ast.Select, with string) {
	names := [...]string{ast.ForKeyShare: "FOR KEY SHARE", ast.ForShare: "FOR SHARE",
		ast.ForNoKeyUpdate: "FOR NO KEY UPDATE", ast.ForUpdate: "FOR UPDATE"}
	l := q.Locking[0]
	p.errorAt(ast.NoPos, sqlstate.FeatureNotSupported, "%s is not allowed with %s", names[l.Strength], with)
}

func (p *parser) buildSubquery(n gast.ExprNode) *ast.Select {
	sub, ok := n.(*gast.SubqueryExpr)
	if !ok {
		p.fail()
	}
	return p.buildQuery(sub.Query, p.queryToken(sub.Query, p.frag.tokenAt(sub.OriginTextPosition())))
}

// queryToken finds the source token at which a query begins: behind the
// parenthesis at the given token.
func (p *parser) queryToken(_ gast.Node, open int) int {
	for p.toks[open].kind == '(' {
		open++
	}
	return open
}

func (p *parser) buildSetOps(list []gast.Node) ast.QueryBody {
	// The grammar gives one flat list. INTERSECT binds tighter than the others,
	// all are left-associative.
	body := p.buildMember(list[0])
	type pending struct {
		left ast.QueryBody
		op   gast.SetOprType
	}
	var outer *pending
	for _, n := range list[1:] {
		op := memberOp(n)
		if op == nil {
			p.fail()
		}
		right := p.buildMember(n)
		if *op == gast.Intersect || *op == gast.IntersectAll {
			body = setOp(*op, body, right)
			continue
		}
		if outer != nil {
			body = setOp(outer.op, outer.left, body)
		}
		outer = &pending{body, *op}
		body = right
	}
	if outer != nil {
		body = setOp(outer.op, outer.left, body)
	}
	return body
}

func memberOp(n gast.Node) *gast.SetOprType {
	switch n := n.(type) {
	case *gast.SelectStmt:
		return n.AfterSetOperator
	case *gast.SetOprSelectList:
		return n.AfterSetOperator
	}
	return nil
}

func setOp(op gast.SetOprType, l, r ast.QueryBody) ast.QueryBody {
	s := &ast.SetOp{Pos: l.Position(), Left: l, Right: r}
	switch op {
	case gast.UnionAll:
		s.All = true
	case gast.Except:
		s.Kind = ast.Except
	case gast.ExceptAll:
		s.Kind, s.All = ast.Except, true
	case gast.Intersect:
		s.Kind = ast.Intersect
	case gast.IntersectAll:
		s.Kind, s.All = ast.Intersect, true
	}
	return s
}

// buildMember builds one operand of a set operation.
func (p *parser) buildMember(n gast.Node) ast.QueryBody {
	switch n := n.(type) {
	case *gast.SelectStmt:
		return p.simplify(p.buildQuery(n, p.selectToken(n)))
	case *gast.SetOprSelectList:
		if len(n.Selects) == 1 {
			if s, ok := n.Selects[0].(*gast.SelectStmt); ok {
				return p.simplify(p.buildQuery(s, p.selectToken(s)))
			}
		}
		q := &ast.Select{With: p.buildWith(n.With)}
		p.buildTails(q, n.OrderBy)
		q.Body = p.buildSetOps(n.Selects)
		q.Pos = q.Body.Position()
		return p.simplify(q)
	}
	p.fail()
	return nil
}

// simplify drops a Select that adds nothing to its body.
func (p *parser) simplify(q *ast.Select) ast.QueryBody {
	if q.With == nil && q.OrderBy == nil && q.Limit == nil && q.Offset == nil && q.Locking == nil &&
		q.Into == nil && q.AsOf == nil {
		return q.Body
	}
	return q
}

// selectToken returns the source token of SELECT or VALUES.
func (p *parser) selectToken(n *gast.SelectStmt) int {
	if n.Kind == gast.SelectStmtKindValues {
		i := p.frag.tokenAt(n.Lists[0].Values[0].OriginTextPosition())
		for i > 0 && p.toks[i].kw != kwValues {
			i--
		}
		return i
	}
	i := p.frag.tokenBefore(n.Fields.Fields[0].Offset)
	if i > 0 && p.toks[i].kw == kwDistinct {
		i--
	}
	return i
}

// buildSelect builds the body of one SELECT or VALUES. What belongs to the
// query around it is set in q.
func (p *parser) buildSelect(n *gast.SelectStmt, q *ast.Select) ast.QueryBody {
	pos := p.tokPos(p.selectToken(n))
	if n.Kind == gast.SelectStmtKindValues {
		v := &ast.Values{Pos: pos, Rows: make([][]ast.Expr, len(n.Lists))}
		for i, row := range n.Lists {
			v.Rows[i] = p.buildExprs(row.Values)
		}
		return v
	}
	s := &ast.SelectCore{Pos: pos, Distinct: n.Distinct}
	fields := n.Fields.Fields
	if c, args := p.carrierArgs(fields[0].Expr, cSelect); c != nil {
		fields = fields[1:]
		extra := c.node.(*selectExtra)
		if extra.distinctOn {
			s.DistinctOn = p.buildExprs(args)
		}
		s.GroupDistinct = extra.groupDistinct
		q.Into = extra.into
		if extra.asOf != nil {
			q.AsOf = extra.asOf
		}
	}
	s.Targets = p.buildTargets(fields)
	if n.From != nil {
		s.From = p.buildFrom(n.From.TableRefs)
	}
	if n.Where != nil {
		s.Where = p.operand(n.Where)
	}
	if n.GroupBy != nil {
		s.GroupBy = make([]ast.Expr, len(n.GroupBy.Items))
		for i, item := range n.GroupBy.Items {
			s.GroupBy[i] = p.operand(item.Expr)
		}
	}
	if n.Having != nil {
		s.Having = p.operand(n.Having.Expr)
	}
	for i := range n.WindowSpecs {
		w := p.buildWindow(&n.WindowSpecs[i])
		w.Pos = pos
		s.Windows = append(s.Windows, w)
	}
	return s
}

func (p *parser) buildTargets(fields []*gast.SelectField) []*ast.Target {
	if len(fields) == 0 {
		return nil
	}
	targets := make([]*ast.Target, len(fields))
	all := make([]ast.Target, len(fields))
	for i, f := range fields {
		t := &all[i]
		targets[i] = t
		t.Expr = p.operand(f.Expr)
		t.Pos = p.tokPos(p.frag.tokenAt(f.Expr.OriginTextPosition()))
		if f.AsName.O != "" {
			_, n, _ := decodeRef(f.AsName.O)
			t.As = p.toks[n].text
		}
	}
	return targets
}

// buildTails sets ORDER BY and what its carrier brings.
func (p *parser) buildTails(q *ast.Select, by *gast.OrderByClause) {
	if by == nil {
		return
	}
	for _, item := range by.Items {
		c, args := p.carrierArgs(item.Expr, cTail)
		if c == nil {
			q.OrderBy = append(q.OrderBy, p.buildSort(item.Expr, item.Desc))
			continue
		}
		t := c.node.(*tail)
		q.Limit, q.WithTies, q.Locking, q.AsOf = t.limit, t.withTies, t.locking, t.asOf
		for i, part := range t.operands {
			if part == tailLimit {
				q.Limit = p.operand(args[i])
			} else {
				q.Offset = p.operand(args[i])
			}
		}
	}
}

func (p *parser) buildSort(n gast.ExprNode, desc bool) *ast.SortBy {
	if c, args := p.carrierArgs(n, cSort); c != nil {
		by := c.node.(ast.SortBy)
		by.Expr = p.operand(args[0])
		return &by
	}
	by := &ast.SortBy{Expr: p.operand(n)}
	by.Pos = by.Expr.Position()
	if desc {
		by.Direction = ast.SortDesc
	}
	return by
}

func (p *parser) buildWith(n *gast.WithClause) *ast.With {
	if n == nil {
		return nil
	}
	w := &ast.With{Recursive: n.IsRecursive}
	seen := make(map[string]bool, len(n.CTEs))
	for i, c := range n.CTEs {
		_, k, _ := decodeRef(c.Name.O)
		carrier := p.carriers[k]
		cte := carrier.node.(*ast.CTE)
		if cte.Statement == nil {
			cte.Statement = p.buildSubquery(c.Query)
		}
		if i == 0 {
			w.Pos = cte.Pos
			for t := int(carrier.tok); t >= 0; t-- {
				if p.toks[t].kw == kwWith {
					w.Pos = p.tokPos(t)
					break
				}
			}
		}
		if seen[cte.Name] {
			p.errorAt(cte.Pos, sqlstate.DuplicateAlias, "WITH query name \"%s\" specified more than once", cte.Name)
		}
		seen[cte.Name] = true
		w.CTEs = append(w.CTEs, cte)
	}
	return w
}

func (p *parser) buildWindow(n *gast.WindowSpec) *ast.Window {
	w := &ast.Window{Pos: ast.NoPos}
	if name := n.Name.O; name != "" {
		if n.OnlyAlias {
			w.Ref, w.Bare = p.windowName(name), true
			return w
		}
		w.Name = p.windowName(name)
	}
	if n.Ref.O != "" {
		w.Ref = p.windowName(n.Ref.O)
	}
	if n.PartitionBy != nil {
		for _, item := range n.PartitionBy.Items {
			w.PartitionBy = append(w.PartitionBy, p.operand(item.Expr))
		}
	}
	if n.OrderBy != nil {
		for _, item := range n.OrderBy.Items {
			c, args := p.carrierArgs(item.Expr, cFrame)
			if c == nil {
				w.OrderBy = append(w.OrderBy, p.buildSort(item.Expr, item.Desc))
				continue
			}
			given := c.n
			w.Frame = c.node.(*ast.Frame)
			if given&1 != 0 {
				w.Frame.Start.Offset = p.operand(args[0])
				args = args[1:]
			}
			if given&2 != 0 {
				w.Frame.End.Offset = p.operand(args[0])
			}
		}
	}
	return w
}

func (p *parser) windowName(ref string) string {
	_, n, _ := decodeRef(ref)
	return p.carriers[n].text
}

func (p *parser) buildFrom(j *gast.Join) []ast.TableExpr {
	// A comma list is a left-deep tree of joins without a condition.
	count := 1
	for n := j; ; count++ {
		l, ok := commaLeft(n)
		if !ok {
			break
		}
		n = l
	}
	items := make([]ast.TableExpr, count)
	n := j
	for i := count - 1; i > 0; i-- {
		items[i] = p.buildTable(n.Right)
		n, _ = commaLeft(n)
	}
	items[0] = p.buildTable(n)
	if items[0] == nil {
		return nil
	}
	return items
}

// commaLeft returns what is left of the last comma of a comma list.
func commaLeft(n *gast.Join) (*gast.Join, bool) {
	if n.Right == nil || n.On != nil || n.ExplicitParens {
		return nil, false
	}
	l, ok := n.Left.(*gast.Join)
	return l, ok
}

// buildTable builds one item of FROM; nil for the placeholder of a query
// without FROM.
func (p *parser) buildTable(n gast.ResultSetNode) ast.TableExpr {
	switch n := n.(type) {
	case *gast.TableSource:
		if name, ok := n.Source.(*gast.TableName); ok {
			_, i, _ := decodeRef(name.Name.O)
			if p.carriers[i].node == nil {
				return nil
			}
			return p.carriers[i].node.(*ast.TableRef)
		}
		return p.buildDerived(n)
	case *gast.Join:
		if n.Right == nil {
			return p.buildTable(n.Left)
		}
		if n.On == nil {
			break
		}
		join := &ast.Join{Left: p.buildTable(n.Left), Right: p.buildTable(n.Right)}
		join.Pos = join.Left.Position()
		switch {
		case n.StraightJoin:
			join.Kind = ast.FullJoin
		case n.Tp == gast.LeftJoin:
			join.Kind = ast.LeftJoin
		case n.Tp == gast.RightJoin:
			join.Kind = ast.RightJoin
		}
		c := p.carrierOf(n.On.Expr)
		if c == nil {
			join.On = p.operand(n.On.Expr)
			return join
		}
		switch c.kind {
		case cCross:
			join.Kind = ast.CrossJoin
		case cNatural:
			join.Natural = true
		case cUsing:
			using := c.node.(*ast.Join)
			join.Using, join.UsingAlias = using.Using, using.UsingAlias
		default:
			join.On = p.operand(n.On.Expr)
		}
		return join
	}
	p.fail()
	return nil
}

// buildDerived builds a subquery or function in FROM, or a join with an alias.
func (p *parser) buildDerived(n *gast.TableSource) ast.TableExpr {
	_, i, _ := decodeRef(n.AsName.O)
	c := p.carriers[i]
	switch t := c.node.(type) {
	case *ast.SubqueryTable:
		at := int(c.tok)
		if p.toks[at].kw == kwLateral {
			at++
		}
		t.Query = p.buildQuery(n.Source, p.queryToken(n.Source, at))
		return t
	case *ast.FuncTable:
		sel := n.Source.(*gast.SelectStmt)
		for i, f := range sel.Fields.Fields {
			t.Funcs[i].Func = p.operand(f.Expr)
		}
		return t
	case *ast.Join:
		sel := n.Source.(*gast.SelectStmt)
		join, ok := p.buildTable(sel.From.TableRefs).(*ast.Join)
		if !ok {
			p.failAt(int(c.tok))
		}
		join.Alias = t.Alias
		return join
	}
	p.fail()
	return nil
}
