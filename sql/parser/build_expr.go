package parser

import (
	"strconv"

	gast "github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// This file turns the grammar's expressions into ours. It recurses over the
// tree's depth, which rwLevel has bounded; chains of ANDs and ORs, which it has
// not, are walked in a loop.

func (p *parser) buildExpr(n gast.ExprNode) ast.Expr {
	switch n := n.(type) {
	case *gast.ParenthesesExpr:
		return p.buildExpr(n.Expr)
	case *gast.ColumnNameExpr:
		return p.buildRef(n.Name.Name.O)
	case *gast.BinaryOperationExpr:
		return p.buildBinary(n)
	case *gast.UnaryOperationExpr:
		at := p.frag.tokenAt(n.OriginTextPosition())
		pos := p.tokPos(at)
		if n.Op == opcode.Not {
			return &ast.Not{Pos: pos, X: p.operand(n.V)}
		}
		x := p.operand(n.V)
		name := p.toks[at].text
		// A sign in front of a number belongs to it, unless brackets part them.
		if num, ok := x.(*ast.Number); ok && name == "-" && num.Text[0] != '-' {
			return &ast.Number{Pos: pos, Text: "-" + num.Text}
		}
		return &ast.Unary{Pos: pos, Op: ast.Operator{Name: name}, X: x}
	case *gast.FuncCallExpr:
		kind, i, ok := decodeRef(n.FnName.O)
		if !ok {
			break
		}
		if kind == tokenRef {
			return p.buildCall(i, n.Args)
		}
		return p.buildCarrier(i, n.Args)
	case *gast.IsNullExpr:
		x := p.operand(n.Expr)
		return &ast.IsNull{Pos: x.Position(), X: x, Not: n.Not}
	case *gast.PatternInExpr:
		in := &ast.In{X: p.operand(n.Expr), Not: n.Not}
		in.Pos = in.X.Position()
		if n.Sel != nil {
			in.Query = p.buildSubquery(n.Sel)
			return in
		}
		in.List = p.buildExprs(n.List)
		if len(in.List) == 1 {
			if sub, ok := in.List[0].(*ast.Subquery); ok { // IN ((SELECT ...))
				in.Query, in.List = sub.Query, nil
			}
		}
		return in
	case *gast.BetweenExpr:
		b := &ast.Between{X: p.operand(n.Expr), Low: p.operand(n.Left), High: p.operand(n.Right), Not: n.Not}
		b.Pos = b.X.Position()
		// The bracket around the lower bound stands for the keyword BETWEEN.
		at := p.frag.tokenAt(n.Left.OriginTextPosition())
		b.Symmetric = p.toks[at].kw == kwBetween && p.toks[at+1].kw == kwSymmetric
		return b
	case *gast.PatternLikeOrIlikeExpr:
		return p.buildMatch(n)
	case *gast.CaseExpr:
		c := &ast.Case{Pos: p.tokPos(p.frag.tokenAt(n.OriginTextPosition()))}
		if n.Value != nil {
			c.Operand = p.operand(n.Value)
		}
		c.Whens = make([]ast.When, len(n.WhenClauses))
		for i, w := range n.WhenClauses {
			c.Whens[i] = ast.When{Cond: p.operand(w.Expr), Result: p.operand(w.Result)}
			c.Whens[i].Pos = c.Whens[i].Cond.Position()
		}
		if n.ElseClause != nil {
			c.Else = p.operand(n.ElseClause)
		}
		return c
	case *gast.SubqueryExpr:
		return &ast.Subquery{Pos: p.tokPos(p.frag.tokenAt(n.OriginTextPosition())), Query: p.buildSubquery(n)}
	case *gast.ExistsSubqueryExpr:
		sub := n.Sel.(*gast.SubqueryExpr)
		at := p.frag.tokenAt(n.OriginTextPosition())
		e := &ast.Exists{Pos: p.tokPos(at), Query: p.buildSubquery(sub)}
		if n.Not {
			// The grammar folds NOT EXISTS; the brackets or keyword in front of
			// the query tell where EXISTS itself is.
			if k := p.frag.tokenBefore(sub.OriginTextPosition()); p.toks[k].kw == kwExists {
				e.Pos = p.tokPos(k)
			}
			return &ast.Not{Pos: p.tokPos(at), X: e}
		}
		return e
	case *gast.RowExpr:
		return &ast.Row{Pos: p.tokPos(p.frag.tokenAt(n.OriginTextPosition())), Elems: p.buildExprs(n.Values)}
	case *gast.WindowFuncExpr:
		call, ok := p.buildExpr(n.Args[0]).(*ast.FuncCall)
		if !ok {
			break
		}
		call.Over = p.buildWindow(&n.Spec)
		call.Over.Pos = call.Pos
		return call
	}
	// The fragment said something that its writer did not mean.
	p.fail()
	return nil
}

// operand builds an operand, which may be anything but the carriers that only
// mean something in certain places.
func (p *parser) operand(n gast.ExprNode) ast.Expr {
	if c := p.carrierOf(n); c != nil && (c.kind == cQuantified || c.kind == cTail) {
		p.failAt(int(c.tok))
	}
	return p.buildExpr(n)
}

func (p *parser) buildExprs(list []gast.ExprNode) []ast.Expr {
	if len(list) == 0 {
		return nil
	}
	exprs := make([]ast.Expr, len(list))
	for i, n := range list {
		exprs[i] = p.operand(n)
	}
	return exprs
}

// carrierOf returns the carrier that n is a leaf or call of, or nil.
func (p *parser) carrierOf(n gast.ExprNode) *carrier {
	name := ""
	switch n := n.(type) {
	case *gast.ColumnNameExpr:
		name = n.Name.Name.O
	case *gast.FuncCallExpr:
		name = n.FnName.O
	default:
		return nil
	}
	if kind, i, ok := decodeRef(name); ok && kind == carrierRef && i < len(p.carriers) {
		return &p.carriers[i]
	}
	return nil
}

// carrierArgs returns the carrier of the given kind that n is a call of, and
// its operands.
func (p *parser) carrierArgs(n gast.ExprNode, kind carrierKind) (*carrier, []gast.ExprNode) {
	c := p.carrierOf(n)
	if c == nil || c.kind != kind {
		return nil, nil
	}
	if call, ok := n.(*gast.FuncCallExpr); ok {
		return c, call.Args
	}
	return c, nil
}

func (p *parser) buildRef(name string) ast.Expr {
	kind, i, ok := decodeRef(name)
	if !ok {
		p.fail()
	}
	if kind == tokenRef {
		return p.leaf(i)
	}
	return p.buildCarrier(i, nil)
}

// leaf builds what the token i stands for on its own.
func (p *parser) leaf(i int) ast.Expr {
	t := &p.toks[i]
	pos := ast.Pos(t.pos)
	switch t.kind {
	case tInteger, tFloat:
		return &ast.Number{Pos: pos, Text: t.text}
	case tString:
		return &ast.String{Pos: pos, Value: t.text}
	case tBits:
		return &ast.BitString{Pos: pos, Digits: t.text}
	case tHex:
		return &ast.BitString{Pos: pos, Digits: t.text, Hex: true}
	case tParam:
		n, _ := strconv.Atoi(t.text)
		return &ast.Param{Pos: pos, Number: n}
	}
	dotted := p.toks[i+1].kind == '.'
	if !dotted || t.kw != noKeyword && keywords[t.kw].class == reserved {
		switch t.kw {
		case kwNull:
			return &ast.Null{Pos: pos}
		case kwTrue, kwFalse:
			return &ast.Bool{Pos: pos, Value: t.kw == kwTrue}
		case kwDefault:
			return &ast.Default{Pos: pos}
		}
		if v, ok := sessionValue(t.kw); ok {
			s := &ast.SessionValue{Pos: pos, Kind: v, Precision: -1}
			if p.toks[i+1].kind == '(' && v >= ast.CurrentTime && v <= ast.LocalTimestamp {
				s.Precision, _ = strconv.Atoi(p.toks[i+2].text)
			}
			return s
		}
	}
	if !dotted {
		// One allocation for the node and its only part.
		ref := &struct {
			ast.ColumnRef
			part [1]string
		}{}
		ref.Pos, ref.part[0] = pos, t.text
		ref.Parts = ref.part[:]
		return &ref.ColumnRef
	}
	parts := []string{t.text}
	at := i
	for p.toks[i+1].kind == '.' {
		i += 2
		if len(parts) == 4 {
			p.tooManyDots(at)
		}
		if p.toks[i].kind == tOp {
			return &ast.Star{Pos: pos, Parts: parts}
		}
		parts = append(parts, p.toks[i].text)
	}
	return &ast.ColumnRef{Pos: pos, Parts: parts}
}

func sessionValue(k keyword) (ast.SessionValueKind, bool) {
	switch k {
	case kwCurrentDate:
		return ast.CurrentDate, true
	case kwCurrentTime:
		return ast.CurrentTime, true
	case kwCurrentTimestamp:
		return ast.CurrentTimestamp, true
	case kwLocaltime:
		return ast.LocalTime, true
	case kwLocaltimestamp:
		return ast.LocalTimestamp, true
	case kwCurrentRole:
		return ast.CurrentRole, true
	case kwCurrentUser:
		return ast.CurrentUser, true
	case kwSessionUser:
		return ast.SessionUser, true
	case kwUser:
		return ast.User, true
	case kwCurrentCatalog:
		return ast.CurrentCatalog, true
	case kwCurrentSchema:
		return ast.CurrentSchema, true
	}
	return 0, false
}

func (p *parser) buildBinary(n *gast.BinaryOperationExpr) ast.Expr {
	if n.Op == opcode.LogicAnd || n.Op == opcode.LogicOr {
		return p.buildLogical(n)
	}
	at := p.frag.tokenBefore(n.R.OriginTextPosition())
	pos := p.tokPos(at)
	l := p.operand(n.L)
	if n.Op == opcode.NullEQ {
		return p.buildIs(n, l)
	}
	if c, args := p.carrierArgs(n.R, cQuantified); c != nil {
		q := &ast.Quantified{Pos: pos, Op: p.operatorAt(at), X: l}
		p.quantify(q, c, args)
		return q
	}
	r := p.operand(n.R)
	if p.toks[at].kw == kwOverlaps {
		lr, ok1 := l.(*ast.Row)
		rr, ok2 := r.(*ast.Row)
		if !ok1 || !ok2 {
			p.failAt(at)
		}
		if len(lr.Elems) != 2 {
			p.errorAt(lr.Pos, sqlstate.SyntaxError, "wrong number of parameters on left side of OVERLAPS expression")
		}
		if len(rr.Elems) != 2 {
			p.errorAt(rr.Pos, sqlstate.SyntaxError, "wrong number of parameters on right side of OVERLAPS expression")
		}
		return &ast.FuncCall{Pos: pos, Name: systemFunc(pos, "overlaps"), Form: ast.FormOverlaps,
			Args: []ast.Expr{lr.Elems[0], lr.Elems[1], rr.Elems[0], rr.Elems[1]}}
	}
	return &ast.Binary{Pos: pos, Op: p.operatorAt(at), L: l, R: r}
}

// buildLogical flattens a AND b AND c, as PostgreSQL's grammar does.
func (p *parser) buildLogical(n *gast.BinaryOperationExpr) ast.Expr {
	count := 1
	var left gast.ExprNode = n
	for {
		if paren, ok := left.(*gast.ParenthesesExpr); ok {
			left = paren.Expr
			continue
		}
		b, ok := left.(*gast.BinaryOperationExpr)
		if !ok || b.Op != n.Op {
			break
		}
		count++
		left = b.L
	}
	args := make([]ast.Expr, count)
	left = n
	for i := count - 1; i > 0; {
		if paren, ok := left.(*gast.ParenthesesExpr); ok {
			left = paren.Expr
			continue
		}
		b := left.(*gast.BinaryOperationExpr)
		args[i] = p.operand(b.R)
		left = b.L
		i--
	}
	args[0] = p.operand(left)
	pos := p.tokPos(p.frag.tokenBefore(n.R.OriginTextPosition()))
	if n.Op == opcode.LogicAnd {
		return &ast.And{Pos: pos, Args: args}
	}
	return &ast.Or{Pos: pos, Args: args}
}

// buildIs builds the IS tests, which were written as x <=> carrier.
func (p *parser) buildIs(n *gast.BinaryOperationExpr, x ast.Expr) ast.Expr {
	c := p.carrierOf(n.R)
	if c == nil {
		p.fail()
	}
	pos := p.tokPos(int(c.tok))
	switch c.kind {
	case cTruth:
		return &ast.IsBool{Pos: pos, X: x, Value: ast.TruthValue(c.n), Not: c.flag}
	case cDistinct:
		not := c.flag
		return &ast.IsDistinct{Pos: pos, L: x, R: p.operand(n.R.(*gast.FuncCallExpr).Args[0]), Not: not}
	case cNormalized:
		call := &ast.FuncCall{Pos: pos, Name: systemFunc(pos, "is_normalized"), Form: ast.FormIsNormalized, Args: []ast.Expr{x}}
		if c.text != "" {
			call.Args = append(call.Args, &ast.String{Pos: pos, Value: upper(c.text)})
		}
		if c.flag {
			return &ast.Not{Pos: pos, X: call}
		}
		return call
	}
	p.fail()
	return nil
}

func (p *parser) quantify(q *ast.Quantified, c *carrier, args []gast.ExprNode) {
	q.All = p.toks[c.tok].kw == kwAll
	if len(args) != 1 {
		p.failAt(int(c.tok))
	}
	switch x := p.operand(args[0]).(type) {
	case *ast.Subquery:
		q.Query = x.Query
	case *ast.Row:
		p.failAt(int(c.tok))
	default:
		q.Array = x
	}
}

func (p *parser) buildMatch(n *gast.PatternLikeOrIlikeExpr) ast.Expr {
	c, args := p.carrierArgs(n.Pattern, cPattern)
	if c == nil {
		p.fail()
	}
	kind := ast.Like
	switch p.toks[c.tok].kw {
	case kwIlike:
		kind = ast.ILike
	case kwSimilar:
		kind = ast.SimilarTo
	}
	pos := p.tokPos(int(c.tok))
	x := p.operand(n.Expr)
	if q, qargs := p.carrierArgs(args[0], cQuantified); q != nil {
		if kind == ast.SimilarTo || len(args) > 1 {
			p.failAt(int(q.tok))
		}
		op := "~~"
		if kind == ast.ILike {
			op = "~~*"
		}
		if n.Not {
			op = "!" + op
		}
		m := &ast.Quantified{Pos: pos, Op: ast.Operator{Name: op}, X: x}
		p.quantify(m, q, qargs)
		return m
	}
	m := &ast.Match{Pos: pos, Kind: kind, X: x, Pattern: p.operand(args[0]), Not: n.Not}
	if len(args) > 1 {
		m.Escape = p.operand(args[1])
	}
	return m
}

func systemFunc(pos ast.Pos, name string) ast.ObjectName {
	return ast.ObjectName{Pos: pos, Schema: "pg_catalog", Name: name}
}

// buildCarrier builds what carrier i means with these operands.
func (p *parser) buildCarrier(i int, args []gast.ExprNode) ast.Expr {
	c := p.carriers[i]
	pos := p.tokPos(int(c.tok))
	switch c.kind {
	case cLeaf:
		return c.node.(ast.Expr)
	case cCast:
		return &ast.Cast{Pos: pos, X: p.operand(args[0]), Type: c.node.(*ast.TypeName)}
	case cPrefix:
		return &ast.Unary{Pos: pos, Op: p.operatorAt(int(c.tok)), X: p.operand(args[0])}
	case cArray:
		return &ast.Array{Pos: pos, Elems: p.buildExprs(args)}
	case cArrayQuery:
		sub, ok := p.operand(args[0]).(*ast.Subquery)
		if !ok {
			break
		}
		return &ast.ArrayQuery{Pos: pos, Query: sub.Query}
	case cRow:
		return &ast.Row{Pos: pos, Elems: p.buildExprs(args), Explicit: true}
	case cSubscript:
		s := &ast.Subscript{Pos: pos, X: p.operand(args[0])}
		for _, a := range args[1:] {
			s.Indexes = append(s.Indexes, p.buildIndex(a))
		}
		return s
	case cField:
		return &ast.Field{Pos: pos, X: p.operand(args[0]), Name: p.toks[c.tok].text}
	case cFieldStar:
		return &ast.FieldStar{Pos: pos, X: p.operand(args[0])}
	case cCollate:
		return &ast.Collate{Pos: pos, X: p.operand(args[0]), Collation: c.node.(ast.ObjectName)}
	case cAtZone:
		return &ast.FuncCall{Pos: pos, Name: systemFunc(pos, "timezone"), Form: ast.FormAtTimeZone,
			Args: []ast.Expr{p.operand(args[1]), p.operand(args[0])}}
	case cNamedArg:
		return &ast.NamedArg{Pos: pos, Name: c.text, Value: p.operand(args[0])}
	case cSpecial:
		return p.buildSpecial(pos, c.node.(*special), args)
	case cGroup:
		return &ast.GroupingSet{Pos: pos, Kind: ast.GroupingKind(c.n), Items: p.buildExprs(args)}
	}
	p.failAt(int(c.tok))
	return nil
}

func (p *parser) buildIndex(n gast.ExprNode) ast.Index {
	c, args := p.carrierArgs(n, cSlice)
	if c == nil {
		return ast.Index{Upper: p.operand(n)}
	}
	ix := ast.Index{Slice: true}
	given := c.n
	if given&1 != 0 {
		ix.Lower = p.operand(args[0])
		args = args[1:]
	}
	if given&2 != 0 {
		ix.Upper = p.operand(args[0])
	}
	return ix
}

func (p *parser) buildSpecial(pos ast.Pos, s *special, args []gast.ExprNode) ast.Expr {
	call := &ast.FuncCall{Pos: pos, Name: systemFunc(pos, s.name), Form: s.form}
	built := p.buildExprs(args)
	switch {
	case s.order == nil:
		call.Args = built
	case s.form == ast.FormTrim:
		call.Args = append(built[1:], built[0])
	default:
		for _, i := range s.order {
			if i < 0 {
				call.Args = append(call.Args, s.extra)
			} else {
				call.Args = append(call.Args, built[i])
			}
		}
	}
	return call
}

// buildCall builds the call of the function whose name begins at token at.
func (p *parser) buildCall(at int, args []gast.ExprNode) ast.Expr {
	t := &p.toks[at]
	pos := ast.Pos(t.pos)
	open := at + 1
	for p.toks[open].kind == '.' {
		open += 2
	}
	if open == at+1 {
		switch t.kw {
		case kwCoalesce:
			return &ast.Coalesce{Pos: pos, Args: p.plainArgs(at, args, 1, -1)}
		case kwGreatest, kwLeast:
			return &ast.MinMax{Pos: pos, Least: t.kw == kwLeast, Args: p.plainArgs(at, args, 1, -1)}
		case kwNullif:
			a := p.plainArgs(at, args, 2, 2)
			return &ast.NullIf{Pos: pos, L: a[0], R: a[1]}
		case kwGrouping:
			return &ast.Grouping{Pos: pos, Args: p.plainArgs(at, args, 1, -1)}
		}
	}
	call := &ast.FuncCall{Pos: pos, Name: p.nameFrom(at)}
	first := &p.toks[open+1]
	call.Star = first.kind == tOp && first.text == "*"
	call.Distinct = first.kw == kwDistinct
	n := len(args)
	for n > 0 {
		c := p.carrierOf(args[n-1])
		if c == nil || c.kind != cAggOrder && c.kind != cFilter {
			break
		}
		within := c.flag
		inner := args[n-1].(*gast.FuncCallExpr).Args
		if c.kind == cFilter {
			call.Filter = p.operand(inner[0])
		} else {
			if call.OrderBy != nil {
				p.errorAt(pos, sqlstate.SyntaxError, "cannot use multiple ORDER BY clauses with WITHIN GROUP")
			}
			call.WithinGroup = call.WithinGroup || within
			for _, item := range inner {
				call.OrderBy = append(call.OrderBy, p.buildSort(item, false))
			}
		}
		n--
	}
	if n > 0 {
		call.Args = make([]ast.Expr, n)
	}
	for i, a := range args[:n] {
		if c, inner := p.carrierArgs(a, cVariadic); c != nil {
			call.Variadic = true
			a = inner[0]
		}
		call.Args[i] = p.operand(a)
	}
	if call.WithinGroup {
		switch {
		case call.Distinct:
			p.errorAt(pos, sqlstate.SyntaxError, "cannot use DISTINCT with WITHIN GROUP")
		case call.Variadic:
			p.errorAt(pos, sqlstate.SyntaxError, "cannot use VARIADIC with WITHIN GROUP")
		}
	}
	return call
}

// nameFrom returns the function name that begins at token at.
func (p *parser) nameFrom(at int) ast.ObjectName {
	name := ast.ObjectName{Pos: p.tokPos(at), Name: p.toks[at].text}
	for n, i := 1, at+1; p.toks[i].kind == '.'; n, i = n+1, i+2 {
		if n == 3 {
			p.tooManyDots(at)
		}
		name.Catalog, name.Schema, name.Name = name.Schema, name.Name, p.toks[i+1].text
	}
	return name
}

// plainArgs builds the arguments of a call that takes nothing but expressions,
// between low and high of them (high < 0: any number).
func (p *parser) plainArgs(at int, args []gast.ExprNode, low, high int) []ast.Expr {
	open := at + 1
	if first := &p.toks[open+1]; first.kw == kwDistinct || first.kw == kwAll || first.kind == tOp && first.text == "*" {
		p.failAt(open + 1)
	}
	for _, a := range args {
		if c := p.carrierOf(a); c != nil {
			switch c.kind {
			case cAggOrder, cFilter, cVariadic, cNamedArg:
				p.failAt(int(c.tok))
			}
		}
	}
	if len(args) < low || high >= 0 && len(args) > high {
		p.failAt(int(p.toks[open].match))
	}
	return p.buildExprs(args)
}
