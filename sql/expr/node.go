package expr

import (
	"slices"

	"github.com/spanlite/spanlite/sql/types"
)

// Type returns the literal's type.
func (e *Const) Type() *types.T { return e.T }

// Type returns the column's type.
func (e *ColumnRef) Type() *types.T { return e.T }

// Type returns the column's type.
func (e *OuterRef) Type() *types.T { return e.T }

// Type returns the type found so far, types.Unknown if none.
func (e *Param) Type() *types.T {
	if i := e.N - 1; i < len(e.Types.Types) && e.Types.Types[i] != nil {
		return e.Types.Types[i]
	}
	return types.Unknown
}

// set fixes the parameter's type.
func (p *ParamTypes) set(n int, t *types.T) {
	for len(p.Types) < n {
		p.Types = append(p.Types, nil)
	}
	p.Types[n-1] = t.WithTypmod(-1)
}

// Type returns the resolved result type.
func (e *Call) Type() *types.T { return e.T }

// Type returns boolean.
func (e *BoolOp) Type() *types.T { return types.Bool }

// Type returns the target type.
func (e *Cast) Type() *types.T { return e.T }

// Type returns the common type of the results.
func (e *Case) Type() *types.T { return e.T }

// Type returns the operand's type.
func (e *CaseOperand) Type() *types.T { return e.T }

// Type returns the common type of the arguments.
func (e *Coalesce) Type() *types.T { return e.T }

// Type returns the common type of the arguments.
func (e *MinMax) Type() *types.T { return e.T }

// Type returns the type of the first argument.
func (e *NullIf) Type() *types.T { return e.A.Type() }

// Type returns boolean.
func (e *IsNull) Type() *types.T { return types.Bool }

// Type returns boolean.
func (e *IsTruth) Type() *types.T { return types.Bool }

// Type returns boolean.
func (e *IsDistinct) Type() *types.T { return types.Bool }

// Type returns boolean.
func (e *InList) Type() *types.T { return types.Bool }

// Type returns boolean.
func (e *ScalarArray) Type() *types.T { return types.Bool }

// Type returns the array type.
func (e *ArrayExpr) Type() *types.T { return e.T }

// Type returns the record type.
func (e *RowExpr) Type() *types.T { return e.T }

// Type returns the element's type, or the array's for a slice.
func (e *Subscript) Type() *types.T { return e.T }

// Type returns the field's type.
func (e *FieldSelect) Type() *types.T { return e.T }

// Type returns the type of the subquery's value.
func (e *Subquery) Type() *types.T { return e.T }

// Children returns nothing.
func (e *Const) Children() []Expr { return nil }

// Children returns nothing.
func (e *ColumnRef) Children() []Expr { return nil }

// Children returns nothing.
func (e *OuterRef) Children() []Expr { return nil }

// Children returns nothing.
func (e *Param) Children() []Expr { return nil }

// Children returns nothing.
func (e *CaseOperand) Children() []Expr { return nil }

// Children returns the arguments.
func (e *Call) Children() []Expr { return e.Args }

// Children returns the operands.
func (e *BoolOp) Children() []Expr { return e.Args }

// Children returns the argument.
func (e *Cast) Children() []Expr { return []Expr{e.Arg} }

// Children returns operand, conditions and results in the order they are written.
func (e *Case) Children() []Expr {
	var c []Expr
	if e.Operand != nil {
		c = append(c, e.Operand)
	}
	for _, w := range e.Whens {
		c = append(c, w.Cond, w.Result)
	}
	if e.Else != nil {
		c = append(c, e.Else)
	}
	return c
}

// Children returns the arguments.
func (e *Coalesce) Children() []Expr { return e.Args }

// Children returns the arguments.
func (e *MinMax) Children() []Expr { return e.Args }

// Children returns the compared arguments and the first argument as it is returned.
func (e *NullIf) Children() []Expr { return []Expr{e.Eq.Args[0], e.Eq.Args[1], e.A} }

// Children returns the argument.
func (e *IsNull) Children() []Expr { return []Expr{e.Arg} }

// Children returns the argument.
func (e *IsTruth) Children() []Expr { return []Expr{e.Arg} }

// Children returns the compared arguments.
func (e *IsDistinct) Children() []Expr { return e.Eq.Args }

// Children returns the argument.
func (e *InList) Children() []Expr { return []Expr{e.Arg} }

// Children returns both sides.
func (e *ScalarArray) Children() []Expr { return []Expr{e.Left, e.Right} }

// Children returns the elements.
func (e *ArrayExpr) Children() []Expr { return e.Elems }

// Children returns the fields.
func (e *RowExpr) Children() []Expr { return e.Fields }

// Children returns the container and the bounds that are present.
func (e *Subscript) Children() []Expr {
	c := []Expr{e.Arg}
	for _, ix := range e.Index {
		if ix.Lower != nil {
			c = append(c, ix.Lower)
		}
		if ix.Upper != nil {
			c = append(c, ix.Upper)
		}
	}
	return c
}

// Children returns the record.
func (e *FieldSelect) Children() []Expr { return []Expr{e.Arg} }

// Children returns the left side of a comparison with a subquery; the plan is no expression.
func (e *Subquery) Children() []Expr { return e.Left }

// WithChildren returns the node itself.
func (e *Const) WithChildren([]Expr) Expr { return e }

// WithChildren returns the node itself.
func (e *ColumnRef) WithChildren([]Expr) Expr { return e }

// WithChildren returns the node itself.
func (e *OuterRef) WithChildren([]Expr) Expr { return e }

// WithChildren returns the node itself.
func (e *Param) WithChildren([]Expr) Expr { return e }

// WithChildren returns the node itself.
func (e *CaseOperand) WithChildren([]Expr) Expr { return e }

// WithChildren implements Expr.
func (e *Call) WithChildren(c []Expr) Expr {
	n := *e
	n.Args = c
	return &n
}

// WithChildren implements Expr.
func (e *BoolOp) WithChildren(c []Expr) Expr { return &BoolOp{Op: e.Op, Args: c} }

// WithChildren implements Expr.
func (e *Cast) WithChildren(c []Expr) Expr {
	n := *e
	n.Arg = c[0]
	return &n
}

// WithChildren implements Expr.
func (e *Case) WithChildren(c []Expr) Expr {
	n := *e
	if e.Operand != nil {
		n.Operand, c = c[0], c[1:]
	}
	n.Whens = make([]When, len(e.Whens))
	for i := range n.Whens {
		n.Whens[i] = When{Cond: c[0], Result: c[1]}
		c = c[2:]
	}
	if e.Else != nil {
		n.Else = c[0]
	}
	return &n
}

// WithChildren implements Expr.
func (e *Coalesce) WithChildren(c []Expr) Expr { return &Coalesce{Args: c, T: e.T} }

// WithChildren implements Expr.
func (e *MinMax) WithChildren(c []Expr) Expr { return &MinMax{Args: c, Greatest: e.Greatest, T: e.T} }

// WithChildren implements Expr.
func (e *NullIf) WithChildren(c []Expr) Expr {
	return &NullIf{Eq: e.Eq.WithChildren(c[:2:2]).(*Call), A: c[2]}
}

// WithChildren implements Expr.
func (e *IsNull) WithChildren(c []Expr) Expr { return &IsNull{Arg: c[0], Not: e.Not} }

// WithChildren implements Expr.
func (e *IsTruth) WithChildren(c []Expr) Expr { return &IsTruth{Arg: c[0], Want: e.Want, Not: e.Not} }

// WithChildren implements Expr.
func (e *IsDistinct) WithChildren(c []Expr) Expr {
	return &IsDistinct{Eq: e.Eq.WithChildren(c).(*Call), Not: e.Not}
}

// WithChildren implements Expr.
func (e *InList) WithChildren(c []Expr) Expr {
	n := *e
	n.Arg = c[0]
	return &n
}

// WithChildren implements Expr.
func (e *ScalarArray) WithChildren(c []Expr) Expr {
	return &ScalarArray{Left: c[0], Right: c[1], Op: e.Op, All: e.All}
}

// WithChildren implements Expr.
func (e *ArrayExpr) WithChildren(c []Expr) Expr {
	return &ArrayExpr{Elems: c, T: e.T, Nested: e.Nested}
}

// WithChildren implements Expr.
func (e *RowExpr) WithChildren(c []Expr) Expr { return &RowExpr{Fields: c, T: e.T} }

// WithChildren implements Expr.
func (e *Subscript) WithChildren(c []Expr) Expr {
	n := *e
	n.Arg, c = c[0], c[1:]
	n.Index = slices.Clone(e.Index)
	for i := range n.Index {
		if n.Index[i].Lower != nil {
			n.Index[i].Lower, c = c[0], c[1:]
		}
		if n.Index[i].Upper != nil {
			n.Index[i].Upper, c = c[0], c[1:]
		}
	}
	return &n
}

// WithChildren implements Expr.
func (e *FieldSelect) WithChildren(c []Expr) Expr {
	n := *e
	n.Arg = c[0]
	return &n
}

// WithChildren implements Expr.
func (e *Subquery) WithChildren(c []Expr) Expr {
	n := *e
	n.Left = c
	return &n
}

// Walk calls fn for e and, where fn returns true, for its subexpressions. It does not
// enter the plans of subqueries.
func Walk(e Expr, fn func(Expr) bool) {
	if e == nil || !fn(e) {
		return
	}
	for _, c := range e.Children() {
		Walk(c, fn)
	}
}

// Transform rebuilds e from the leaves up, replacing each node by fn's result. Nodes
// whose children do not change are kept.
func Transform(e Expr, fn func(Expr) Expr) Expr {
	children := e.Children()
	var changed []Expr
	for i, c := range children {
		n := Transform(c, fn)
		if n != c && changed == nil {
			changed = slices.Clone(children)
		}
		if changed != nil {
			changed[i] = n
		}
	}
	if changed != nil {
		e = e.WithChildren(changed)
	}
	return fn(e)
}

// VolatilityOf returns the most volatile class among the functions of e.
func VolatilityOf(e Expr) Volatility {
	v := Immutable
	Walk(e, func(e Expr) bool {
		switch e := e.(type) {
		case *Call:
			v = max(v, e.Fn.Volatility)
		case *Cast:
			if e.fn != nil && castIsStable(e.Arg.Type(), e.T) {
				v = max(v, Stable)
			}
		case *Subquery:
			v = Volatile
		}
		return true
	})
	return v
}

// castIsStable reports whether a cast depends on session settings: those to or from text
// forms of times and names, and between local and absolute times.
func castIsStable(from, to *types.T) bool {
	depends := func(t *types.T) bool {
		if t.Elem != nil {
			t = t.Elem
		}
		switch t.OID {
		case types.OIDDate, types.OIDTime, types.OIDTimeTZ, types.OIDTimestamp, types.OIDTimestampTZ, types.OIDInterval, types.OIDRecord:
			return true
		}
		return t.IsReg()
	}
	return depends(from) || depends(to)
}

// IsConstant reports whether e has the same value for every row and execution: no
// columns, parameters, stable or volatile functions.
func IsConstant(e Expr) bool {
	constant := true
	Walk(e, func(e Expr) bool {
		switch e.(type) {
		case *ColumnRef, *OuterRef, *Param, *Subquery:
			constant = false
		}
		return constant
	})
	return constant && VolatilityOf(e) == Immutable
}

// IsRowIndependent reports whether e is fixed during one execution of a statement: it
// may hold parameters, outer references and stable functions.
func IsRowIndependent(e Expr) bool {
	fixed := true
	Walk(e, func(e Expr) bool {
		switch e.(type) {
		case *ColumnRef, *Subquery:
			fixed = false
		}
		return fixed
	})
	return fixed && VolatilityOf(e) != Volatile
}

// Fold replaces the constant parts of e by their values. A part whose evaluation fails is
// left alone, so that the error appears if and when it is evaluated.
func Fold(ec *EvalContext, e Expr) Expr {
	return Transform(e, func(e Expr) Expr {
		switch e := e.(type) {
		case *Const:
			return e
		case *BoolOp:
			return foldBool(e)
		case *ColumnRef, *OuterRef, *Param, *CaseOperand, *Subquery, *RowExpr:
			return e
		case *Call:
			if e.Fn.Kind != ScalarFunction || e.Fn.Volatility != Immutable {
				return e
			}
		case *Cast:
			if castIsStable(e.Arg.Type(), e.T) && e.fn != nil {
				return e
			}
		}
		for _, c := range e.Children() {
			if _, ok := c.(*Const); !ok {
				return e
			}
		}
		d, err := e.Eval(ec, nil)
		if err != nil {
			return e
		}
		return &Const{T: e.Type(), Value: d.Clone()}
	})
}

// foldBool drops the operands that decide nothing and stops at one that decides all.
func foldBool(e *BoolOp) Expr {
	if e.Op == Not {
		if c, ok := e.Args[0].(*Const); ok {
			if c.Value.IsNull() {
				return &Const{T: types.Bool}
			}
			return &Const{T: types.Bool, Value: types.NewBool(!c.Value.Bool())}
		}
		return e
	}
	decides := e.Op == Or
	kept := e.Args[:0:0]
	for _, a := range e.Args {
		if c, ok := a.(*Const); ok && !c.Value.IsNull() {
			if c.Value.Bool() == decides {
				return &Const{T: types.Bool, Value: types.NewBool(decides)}
			}
			continue
		}
		kept = append(kept, a)
	}
	switch len(kept) {
	case 0:
		return &Const{T: types.Bool, Value: types.NewBool(!decides)}
	case 1:
		return kept[0]
	case len(e.Args):
		return e
	}
	return &BoolOp{Op: e.Op, Args: kept}
}
