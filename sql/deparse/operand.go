package deparse

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/types"
)

// operand is an expression in a place that wants a type.
type operand struct {
	e ast.Expr
	// to is the type that the value is converted to, nil for whatever it has.
	to *types.T
	// implicit says that a conversion is printed even if nobody wrote it: it is in the
	// arguments of operators and functions, where the type decides which one is meant.
	implicit bool
}

// form classifies expressions by when they need parentheses.
type form uint8

const (
	formSimple   form = iota // names, constants, calls: never
	formOperator             // an operator
	formAnd
	formOr
	formNot
	formTest  // IS NULL and its like, subqueries
	formField // (x).y
	formOther // always
)

// place is what stands around an operand.
type place struct {
	form form
	// op is the operator, and left says that the operand is its left one.
	op   string
	left bool
	// cast: a conversion or a call in a syntax of its own; call: an ordinary call or
	// another construct that separates its operands itself.
	cast, call bool
}

var (
	inCall = &place{call: true}
	inCast = &place{cast: true}
	inTest = &place{form: formTest}
	// inRelabel is a conversion that costs nothing.
	inRelabel = &place{form: formOther}
	inAny     = &place{form: formOther}
)

// typeOf returns the type of an expression before any conversion, types.Unknown for
// literals that nothing has decided.
func (p *printer) typeOf(e ast.Expr) *types.T {
	switch e := e.(type) {
	case *ast.FuncCall:
		if c := p.notes.Calls[e]; c != nil {
			return c.T
		}
	case *ast.String, *ast.Null:
		return types.Unknown
	}
	if x := p.notes.Exprs[e]; x != nil {
		return x.Type()
	}
	return types.Unknown
}

// isLiteral reports whether e is a constant whose type depends on its place.
func isLiteral(e ast.Expr) bool {
	switch e.(type) {
	case *ast.String, *ast.Null:
		return true
	}
	return false
}

// unwrap removes explicit casts that do nothing, which PostgreSQL does not keep.
func (p *printer) unwrap(e ast.Expr) ast.Expr {
	for {
		c, ok := e.(*ast.Cast)
		if !ok || isLiteral(c.X) {
			return e
		}
		t := p.typeOf(c)
		if arr, isArray := c.X.(*ast.Array); isArray && t.IsArray() && len(arr.Elems) > 0 {
			return e // printed with elements of that type
		}
		from := p.typeOf(c.X)
		if from.OID == t.OID && (t.Typmod == -1 || t.Typmod == from.Typmod) {
			e = c.X
			continue
		}
		return e
	}
}

// converted returns the type that a printed conversion around o has, nil if there is
// none to print.
func (p *printer) converted(o operand) *types.T {
	if o.to == nil || isLiteral(o.e) || o.to.OID == types.OIDUnknown || o.to.IsPolymorphic() || o.to.OID == types.OIDAny || !o.implicit {
		return nil
	}
	from := p.typeOf(o.e)
	if arr, ok := o.e.(*ast.Array); ok && len(arr.Elems) > 0 && from.OID == types.OIDUnknown {
		return nil
	}
	if from.OID == types.OIDUnknown || from.OID == o.to.OID || o.to.Kind == 'p' {
		return nil
	}
	return o.to.WithTypmod(-1)
}

// hides reports whether there is a conversion around o that is not printed.
func (p *printer) hides(o operand) bool {
	if o.to == nil || isLiteral(o.e) {
		return false
	}
	shown := o
	shown.implicit = true
	return !o.implicit && p.converted(shown) != nil
}

// relabels reports whether a conversion costs nothing or goes through text; those do
// not count as function calls when parentheses are considered.
func relabels(from, to *types.T) bool {
	text := func(t *types.T) bool { return oneOf(t.OID, types.OIDText, types.OIDVarchar) }
	switch {
	case from.OID == to.OID:
		return to.Typmod == -1
	case text(from) && (text(to) || to.OID == types.OIDBpchar):
		return to.Typmod == -1
	case from.IsArray() && to.IsArray():
		return true
	case from.IsReg() || to.IsReg():
		return from.Category != types.CatString
	case text(from) && to.Category != types.CatString, to.Category == types.CatString && from.Category != types.CatString:
		return true
	}
	return false
}

// formOf classifies an operand as it will be printed.
func (p *printer) formOf(o operand) (form, string) {
	e := p.unwrap(o.e)
	o.e = e
	if t := p.converted(o); t != nil {
		return p.formOfCast(e, p.typeOf(e), t), ""
	}
	switch e := e.(type) {
	case *ast.Cast:
		if isLiteral(e.X) {
			return formSimple, ""
		}
		if _, ok := e.X.(*ast.Array); ok && p.typeOf(e).IsArray() {
			return formSimple, ""
		}
		return p.formOfCast(e.X, p.typeOf(e.X), p.typeOf(e)), ""
	case *ast.Binary:
		return formOperator, e.Op.Name
	case *ast.Unary, *ast.Match:
		return formOperator, ""
	case *ast.And:
		return formAnd, ""
	case *ast.Or:
		return formOr, ""
	case *ast.Not:
		return formNot, ""
	case *ast.Between:
		if e.Not || e.Symmetric {
			return formOr, ""
		}
		return formAnd, ""
	case *ast.IsDistinct:
		if e.Not && !isNull(e.L) && !isNull(e.R) {
			return formNot, ""
		}
		return formTest, ""
	case *ast.IsNull, *ast.IsBool, *ast.Exists, *ast.Subquery, *ast.ArrayQuery:
		return formTest, ""
	case *ast.In:
		switch {
		case e.Query != nil && e.Not:
			return formNot, ""
		case e.Query != nil:
			return formTest, ""
		case len(e.List) == 1:
			return formOperator, ""
		}
		parts := p.inParts(e)
		switch {
		case len(parts.each) == 0:
			return formOther, ""
		case len(parts.array) == 0 && len(parts.each) == 1:
			return formOperator, ""
		case e.Not:
			return formAnd, ""
		}
		return formOr, ""
	case *ast.Quantified:
		if e.Query != nil {
			return formTest, ""
		}
		return formOther, ""
	case *ast.Collate:
		return formOther, ""
	case *ast.Field:
		return formField, ""
	}
	return formSimple, ""
}

func (p *printer) formOfCast(arg ast.Expr, from, to *types.T) form {
	if relabels(from, to) {
		if p.simple(operand{e: arg}, inRelabel) {
			return formSimple
		}
		return formOther
	}
	return formSimple
}

// additive and multiplicative are the operators whose precedence everybody knows:
// pretty printing relies on it for these alone.
func additive(op string) bool       { return op != "" && (op[0] == '+' || op[0] == '-') && len(op) == 1 }
func multiplicative(op string) bool { return len(op) == 1 && oneOf(op[0], '*', '/', '%') }

// simple reports whether an operand can stand in its place without parentheses.
func (p *printer) simple(o operand, in *place) bool {
	f, op := p.formOf(o)
	switch f {
	case formSimple:
		return true
	case formField:
		return in.form != formField
	case formOther:
		return false
	case formAnd, formOr, formNot:
		if in.call {
			return true
		}
		switch in.form {
		case formAnd:
			return f != formOr
		case formOr:
			return true
		}
		return false
	case formOperator:
		if in.form == formOperator && in.op != "" {
			switch {
			case multiplicative(op) && additive(in.op):
				return true
			case additive(op) && additive(in.op), multiplicative(op) && multiplicative(in.op):
				return in.left
			}
			return false
		}
	}
	switch in.form {
	case formAnd, formOr, formNot:
		return true
	}
	return in.call
}

// inner prints an operand, in parentheses if pretty printing needs them there; without
// pretty printing the operand brings its own.
func (p *printer) inner(o operand, in *place) {
	need := p.Pretty && !p.simple(o, in)
	if need {
		p.w("(")
	}
	p.expr(o, in)
	if need {
		p.w(")")
	}
}

func isNull(e ast.Expr) bool {
	_, ok := e.(*ast.Null)
	return ok
}

// argType returns the type that a bound call converts its i-th argument to.
func argType(c *expr.Call, i int) *types.T {
	if c == nil || i >= len(c.Args) {
		return nil
	}
	return c.Args[i].Type()
}

// operator returns the operand types of an operator applied to two types.
func (p *printer) operator(name string, left, right *types.T) (l, r *types.T) {
	op, err := p.Plan.Registry.FindOperator(name, left, right)
	if err != nil {
		return left, right
	}
	l, r = op.Left, op.Right
	if l == nil || l.IsPolymorphic() || l.Kind == 'p' {
		l = nil
	}
	if r.IsPolymorphic() || r.Kind == 'p' {
		r = nil
	}
	// A literal beside a value of a generic operator, such as an enum's, has that value's type.
	if l == nil && left != nil && left.OID != types.OIDUnknown {
		l = left
	}
	if r == nil && right.OID != types.OIDUnknown {
		r = right
	}
	if l == nil && left != nil {
		l = r
	}
	if r == nil {
		r = l
	}
	return l, r
}
