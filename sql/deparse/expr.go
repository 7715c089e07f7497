package deparse

import (
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/types"
)

// expr prints an operand; in is its place, nil if it stands alone.
func (p *printer) expr(o operand, in *place) {
	if p.err != nil {
		return
	}
	o.e = p.unwrap(o.e)
	if t := p.converted(o); t != nil {
		p.cast(operand{e: o.e}, t, relabels(p.typeOf(o.e), t))
		return
	}
	if in == nil && p.hides(o) {
		in = inCast
		if relabels(p.typeOf(o.e), o.to.WithTypmod(-1)) {
			in = inRelabel
		}
		p.inner(operand{e: o.e}, in)
		return
	}
	switch e := o.e.(type) {
	case *ast.Null:
		t := o.to
		if t == nil || t.OID == types.OIDUnknown {
			t = types.Text
		}
		p.w("NULL::", p.typeName(t))
	case *ast.String:
		p.constant(e.Value, o.to)
	case *ast.Bool:
		p.w(strconv.FormatBool(e.Value))
	case *ast.Number:
		p.number(e, false)
	case *ast.ColumnRef:
		p.column(e)
	case *ast.Binary:
		p.binary(e)
	case *ast.Unary:
		p.paren("(")
		p.w(e.Op.Name, " ")
		c, _ := p.notes.Exprs[e].(*expr.Call)
		p.inner(operand{e: e.X, to: argType(c, 0), implicit: true}, &place{form: formOperator})
		p.paren(")")
	case *ast.And:
		p.logical("AND", formAnd, e.Args)
	case *ast.Or:
		p.logical("OR", formOr, e.Args)
	case *ast.Not:
		p.not(func() { p.inner(operand{e: e.X, to: types.Bool}, &place{form: formNot}) })
	case *ast.IsNull:
		p.test(operand{e: e.X, implicit: true}, " IS NULL", " IS NOT NULL", e.Not)
	case *ast.IsBool:
		name := [...]string{"TRUE", "FALSE", "UNKNOWN"}[e.Value]
		p.test(operand{e: e.X, to: types.Bool}, " IS "+name, " IS NOT "+name, e.Not)
	case *ast.IsDistinct:
		p.isDistinct(e)
	case *ast.Between:
		p.between(e)
	case *ast.In:
		p.in(e)
	case *ast.Match:
		p.match(e)
	case *ast.Quantified:
		p.quantified(e)
	case *ast.Case:
		p.caseExpr(e)
	case *ast.Coalesce:
		p.variadic("COALESCE", e.Args, p.typeOf(e))
	case *ast.MinMax:
		name := "GREATEST"
		if e.Least {
			name = "LEAST"
		}
		p.variadic(name, e.Args, p.typeOf(e))
	case *ast.NullIf:
		l, r := p.operator("=", p.typeOf(e.L), p.typeOf(e.R))
		p.w("NULLIF(")
		p.expr(operand{e.L, l, true}, inCall)
		p.w(", ")
		p.expr(operand{e.R, r, true}, inCall)
		p.w(")")
	case *ast.Grouping:
		p.w("GROUPING(")
		p.list(len(e.Args), func(i int) { p.expr(operand{e: e.Args[i], implicit: true}, inCall) })
		p.w(")")
	case *ast.Cast:
		p.explicitCast(e)
	case *ast.Collate:
		p.paren("(")
		p.inner(operand{e: e.X, implicit: true}, inAny)
		p.w(" COLLATE ")
		p.ident(e.Collation.Name)
		p.paren(")")
	case *ast.Subscript:
		p.subscript(e)
	case *ast.Field:
		p.w("(")
		p.expr(operand{e: e.X, implicit: true}, &place{form: formField})
		p.w(").")
		p.ident(e.Name)
	case *ast.Subquery:
		p.w("(")
		p.subquery(e.Query)
		p.w(")")
	case *ast.Exists:
		p.w("(EXISTS (")
		p.subquery(e.Query)
		p.w("))")
	case *ast.ArrayQuery:
		p.w("ARRAY(")
		p.subquery(e.Query)
		p.w(")")
	case *ast.Array:
		p.array(e, p.arrayType(e, o.to))
	case *ast.Row:
		p.w("ROW(")
		p.list(len(e.Elems), func(i int) { p.expr(operand{e: e.Elems[i], implicit: true}, inCall) })
		p.w(")")
	case *ast.SessionValue:
		p.w(strings.ToUpper(e.Kind.String()))
		if e.Precision >= 0 && e.Kind <= ast.LocalTimestamp && e.Kind != ast.CurrentDate {
			p.w("(", strconv.Itoa(e.Precision), ")")
		}
	case *ast.FuncCall:
		p.call(e)
	default:
		p.fail("expression %T", e)
	}
}

// cast prints a conversion to t.
func (p *printer) cast(arg operand, t *types.T, relabel bool) {
	in := inCast
	if relabel {
		in = inRelabel
	}
	p.paren("(")
	p.inner(arg, in)
	p.paren(")")
	p.w("::", p.typeName(t))
}

func (p *printer) explicitCast(e *ast.Cast) {
	t := p.typeOf(e)
	switch x := e.X.(type) {
	case *ast.String:
		if p.notes.Exprs[e] == nil {
			p.fail("cast")
			return
		}
		if t.Typmod == -1 {
			p.constantOf(x.Value, t, true)
			return
		}
		p.constantOf(x.Value, t.WithTypmod(-1), false)
		p.w("::", p.typeName(t))
		return
	case *ast.Null:
		p.w("NULL::", p.typeName(t))
		return
	case *ast.Array:
		if t.IsArray() {
			p.array(x, t)
			return
		}
	}
	p.cast(operand{e: e.X}, t, relabels(p.typeOf(e.X), t))
}

// constant prints a string literal as a constant of the type that its place gives it.
func (p *printer) constant(text string, t *types.T) {
	if t != nil && t.OID == types.OIDAny {
		p.literal(text) // takes it as it is
		return
	}
	if t == nil || t.OID == types.OIDUnknown || t.Kind == 'p' {
		t = types.Text
	}
	p.constantOf(text, t, true)
}

// constantOf prints the value that a type reads from a text. With label the type
// follows unless the constant speaks for itself.
func (p *printer) constantOf(text string, t *types.T, label bool) {
	s := p.Plan.Eval.Settings
	switch t.OID {
	case types.OIDRegclass, types.OIDRegtype, types.OIDRegproc, types.OIDRegrole, types.OIDRegnamespace:
		// Read and printed by name below.
	}
	if d, err := types.ParseText(t.WithTypmod(-1), text, s); err == nil {
		text = string(types.AppendText(nil, t, d, s))
	}
	switch t.OID {
	case types.OIDBool:
		switch text {
		case "t":
			text = "true"
		case "f":
			text = "false"
		}
		p.w(text)
		return
	case types.OIDInt4:
		if !strings.HasPrefix(text, "-") {
			p.w(text)
			return
		}
		p.w("'", text, "'")
	case types.OIDNumeric:
		if text[0] >= '0' && text[0] <= '9' && strings.ContainsAny(text, "eE.") {
			p.w(text)
			return
		}
		p.w("'", text, "'")
	default:
		p.literal(text)
	}
	if label {
		p.w("::", p.Names.TypeName(t, -1))
	}
}

// number prints a numeric constant; with label always with its type.
func (p *printer) number(e *ast.Number, label bool) {
	t := p.typeOf(e)
	if t.OID == types.OIDUnknown {
		p.w(e.Text)
		return
	}
	before := len(p.buf)
	p.constantOf(e.Text, t, true)
	if label && !strings.Contains(string(p.buf[before:]), "::") {
		p.w("::", p.Names.TypeName(t, -1))
	}
}

func (p *printer) column(e *ast.ColumnRef) {
	n := p.notes.Columns[e]
	if len(n) != 1 {
		if x, ok := p.notes.Exprs[e].(*expr.RowExpr); ok && x != nil && len(e.Parts) == 1 {
			p.ident(p.itemName(e.Parts[0]))
			p.w(".*")
			return
		}
		p.fail("column %s", strings.Join(e.Parts, "."))
		return
	}
	p.noted(n[0].Item, n[0].Name)
}

func (p *printer) noted(item, name string) {
	if p.qualify && item != "" {
		p.ident(p.itemName(item))
		p.w(".")
	}
	p.ident(name)
}

func (p *printer) binary(e *ast.Binary) {
	var l, r *types.T
	if c, ok := p.notes.Exprs[e].(*expr.Call); ok && len(c.Args) == 2 {
		l, r = argType(c, 0), argType(c, 1)
	} else {
		l, r = p.operator(e.Op.Name, p.typeOf(e.L), p.typeOf(e.R))
	}
	p.infix(e.Op.Name, operand{e.L, l, true}, operand{e.R, r, true})
}

func (p *printer) infix(op string, l, r operand) {
	p.paren("(")
	p.inner(l, &place{form: formOperator, op: op, left: true})
	p.w(" ", op, " ")
	p.inner(r, &place{form: formOperator, op: op})
	p.paren(")")
}

func (p *printer) logical(word string, f form, args []ast.Expr) {
	p.paren("(")
	for i, a := range args {
		if i > 0 {
			p.w(" ", word, " ")
		}
		p.inner(operand{e: a, to: types.Bool}, &place{form: f})
	}
	p.paren(")")
}

func (p *printer) not(arg func()) {
	p.paren("(")
	p.w("NOT ")
	arg()
	p.paren(")")
}

func (p *printer) test(arg operand, yes, no string, not bool) {
	p.paren("(")
	p.inner(arg, inTest)
	if not {
		p.w(no)
	} else {
		p.w(yes)
	}
	p.paren(")")
}

func (p *printer) isDistinct(e *ast.IsDistinct) {
	switch {
	case isNull(e.R):
		p.test(operand{e: e.L, implicit: true}, " IS NULL", " IS NOT NULL", !e.Not)
		return
	case isNull(e.L):
		p.test(operand{e: e.R, implicit: true}, " IS NULL", " IS NOT NULL", !e.Not)
		return
	}
	l, r := p.operator("=", p.typeOf(e.L), p.typeOf(e.R))
	print := func() {
		p.paren("(")
		p.inner(operand{e.L, l, true}, inTest)
		p.w(" IS DISTINCT FROM ")
		p.inner(operand{e.R, r, true}, inTest)
		p.paren(")")
	}
	if e.Not {
		p.not(print)
	} else {
		print()
	}
}

func (p *printer) compare(op string, l, r ast.Expr) {
	lt, rt := p.operator(op, p.typeOf(l), p.typeOf(r))
	p.infix(op, operand{l, lt, true}, operand{r, rt, true})
}

// between is printed as the two comparisons that it stands for.
func (p *printer) between(e *ast.Between) {
	within := func(lo, hi ast.Expr) {
		p.paren("(")
		if e.Not {
			p.compare("<", e.X, lo)
			p.w(" OR ")
			p.compare(">", e.X, hi)
		} else {
			p.compare(">=", e.X, lo)
			p.w(" AND ")
			p.compare("<=", e.X, hi)
		}
		p.paren(")")
	}
	if !e.Symmetric {
		within(e.Low, e.High)
		return
	}
	between := " OR "
	if e.Not {
		between = " AND "
	}
	p.paren("(")
	within(e.Low, e.High)
	p.w(between)
	within(e.High, e.Low)
	p.paren(")")
}

// inList is how x IN (...) is carried out: what does not depend on the row in one array,
// the others one by one.
type inList struct {
	array, each []ast.Expr
	elem        *types.T
}

func (p *printer) inParts(e *ast.In) inList {
	var in inList
	for _, x := range e.List {
		if p.constantInRow(x) {
			in.array = append(in.array, x)
		} else {
			in.each = append(in.each, x)
		}
	}
	if len(in.array) > 1 {
		ts := []*types.T{p.typeOf(e.X)}
		for _, x := range in.array {
			ts = append(ts, p.typeOf(x))
		}
		t, err := expr.CommonTypeOf("IN", ts...)
		if err == nil && types.ArrayOf(t) != nil {
			in.elem = t.WithTypmod(-1)
			return in
		}
	}
	in.array, in.each = nil, e.List
	return in
}

func (p *printer) constantInRow(e ast.Expr) bool {
	x := p.notes.Exprs[e]
	return x == nil || expr.IsRowIndependent(x)
}

func (p *printer) in(e *ast.In) {
	if e.Query != nil {
		print := func() {
			p.w("(")
			p.expr(operand{e: e.X, implicit: true}, nil)
			p.w(" IN (")
			p.subquery(e.Query)
			p.w("))")
		}
		if e.Not {
			p.not(print)
		} else {
			print()
		}
		return
	}
	op, quantifier, word := "=", "ANY", " OR "
	if e.Not {
		op, quantifier, word = "<>", "ALL", " AND "
	}
	parts := p.inParts(e)
	array := func() {
		l, r := p.operator(op, p.typeOf(e.X), parts.elem)
		arr := &ast.Array{Elems: parts.array}
		p.scalarArray(op, quantifier, operand{e.X, l, true}, func() {
			t := types.ArrayOf(parts.elem)
			if r != nil && r.OID != parts.elem.OID {
				p.paren("(")
				p.array(arr, t)
				p.paren(")")
				p.w("::", p.typeName(types.ArrayOf(r)))
				return
			}
			p.array(arr, t)
		})
	}
	n := len(parts.each)
	if parts.array != nil {
		n++
	}
	if n == 1 && parts.array != nil {
		array()
		return
	}
	if n > 1 {
		p.paren("(")
	}
	if parts.array != nil {
		if p.Pretty {
			p.w("(")
		}
		array()
		if p.Pretty {
			p.w(")")
		}
		p.w(word)
	}
	for i, x := range parts.each {
		if i > 0 {
			p.w(word)
		}
		p.compare(op, e.X, x)
	}
	if n > 1 {
		p.paren(")")
	}
}

func (p *printer) scalarArray(op, quantifier string, l operand, array func()) {
	p.paren("(")
	p.inner(l, inAny)
	p.w(" ", op, " ", quantifier, " (")
	array()
	p.w(")")
	p.paren(")")
}

func (p *printer) quantified(e *ast.Quantified) {
	quantifier := "ANY"
	if e.All {
		quantifier = "ALL"
	}
	if e.Query != nil {
		p.w("(")
		p.expr(operand{e: e.X, implicit: true}, nil)
		if e.Op.Name == "=" && !e.All {
			p.w(" IN (")
		} else {
			p.w(" ", e.Op.Name, " ", quantifier, " (")
		}
		p.subquery(e.Query)
		p.w("))")
		return
	}
	var l, r *types.T
	if x, ok := p.notes.Exprs[e].(*expr.ScalarArray); ok {
		l, r = x.Left.Type(), x.Right.Type()
	}
	p.scalarArray(e.Op.Name, quantifier, operand{e.X, l, true}, func() {
		p.inner(operand{e.Array, r, true}, inAny)
	})
}

func (p *printer) match(e *ast.Match) {
	op := [...]string{ast.Like: "~~", ast.ILike: "~~*", ast.SimilarTo: "~"}[e.Kind]
	if e.Not {
		op = "!" + op
	}
	var l, r *types.T
	if c, ok := p.notes.Exprs[e].(*expr.Call); ok {
		l, r = argType(c, 0), argType(c, 1)
	}
	left := operand{e.X, l, true}
	if e.Kind != ast.SimilarTo && e.Escape == nil {
		p.infix(op, left, operand{e.Pattern, r, true})
		return
	}
	fn := "like_escape"
	if e.Kind == ast.SimilarTo {
		fn = "similar_to_escape"
	}
	p.paren("(")
	p.inner(left, &place{form: formOperator})
	p.w(" ", op, " ", fn, "(")
	p.expr(operand{e.Pattern, types.Text, true}, inCall)
	if e.Escape != nil {
		p.w(", ")
		p.expr(operand{e.Escape, types.Text, true}, inCall)
	}
	p.w(")")
	p.paren(")")
}

func (p *printer) caseExpr(e *ast.Case) {
	t := p.typeOf(e)
	p.line("CASE", 0, stepVar, 0)
	if e.Operand != nil {
		p.w(" ")
		p.expr(operand{e: e.Operand, implicit: true}, inCall)
	}
	for _, when := range e.Whens {
		p.line("WHEN ", 0, 0, 0)
		if e.Operand != nil {
			_, r := p.operator("=", p.typeOf(e.Operand), p.typeOf(when.Cond))
			p.expr(operand{when.Cond, r, true}, inCall)
		} else {
			p.expr(operand{e: when.Cond, to: types.Bool}, inCall)
		}
		p.w(" THEN ")
		p.expr(operand{when.Result, t, true}, inCall)
	}
	p.line("ELSE ", 0, 0, 0)
	if e.Else != nil {
		p.expr(operand{e.Else, t, true}, inCall)
	} else {
		p.w("NULL::", p.typeName(t))
	}
	p.line("END", -stepVar, 0, 0)
}

func (p *printer) variadic(name string, args []ast.Expr, t *types.T) {
	p.w(name, "(")
	p.list(len(args), func(i int) { p.expr(operand{args[i], t.WithTypmod(-1), true}, inCall) })
	p.w(")")
}

// arrayType returns the type of ARRAY[...] in a place that may want another.
func (p *printer) arrayType(e *ast.Array, to *types.T) *types.T {
	t := p.typeOf(e)
	if to != nil && to.IsArray() && !to.IsPolymorphic() && t.OID == types.OIDUnknown {
		return to
	}
	return t
}

func (p *printer) array(e *ast.Array, t *types.T) {
	p.w("ARRAY[")
	p.list(len(e.Elems), func(i int) {
		if inner, ok := e.Elems[i].(*ast.Array); ok {
			p.array(inner, t)
			return
		}
		var elem *types.T
		if t.Elem != nil {
			elem = t.Elem.WithTypmod(-1)
		}
		p.expr(operand{e.Elems[i], elem, true}, inCall)
	})
	p.w("]")
	if len(e.Elems) == 0 {
		p.w("::", p.typeName(t))
	}
}

func (p *printer) subscript(e *ast.Subscript) {
	switch e.X.(type) {
	case *ast.ColumnRef, *ast.Field:
		p.expr(operand{e: e.X, implicit: true}, inCall)
	default:
		p.w("(")
		p.expr(operand{e: e.X, implicit: true}, inCall)
		p.w(")")
	}
	index := types.Int4
	if t := p.typeOf(e.X); t.OID == types.OIDJSONB {
		index = types.Text
	}
	for _, ix := range e.Indexes {
		p.w("[")
		if ix.Lower != nil {
			p.expr(operand{e: ix.Lower, to: index}, inCall)
		}
		if ix.Slice {
			p.w(":")
		}
		if ix.Upper != nil {
			p.expr(operand{e: ix.Upper, to: index}, inCall)
		}
		p.w("]")
	}
}
