package expr

import (
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// NewAnd is the conjunction of boolean operands; nested ANDs are flattened.
func NewAnd(s *types.Settings, args ...Expr) (Expr, error) { return newBool(s, And, "AND", args) }

// NewOr is the disjunction of boolean operands; nested ORs are flattened.
func NewOr(s *types.Settings, args ...Expr) (Expr, error) { return newBool(s, Or, "OR", args) }

// NewNot is the negation of a boolean operand.
func NewNot(s *types.Settings, arg Expr) (Expr, error) {
	a, err := ToBool(s, arg, "NOT")
	if err != nil {
		return nil, err
	}
	return &BoolOp{Op: Not, Args: []Expr{a}}, nil
}

func newBool(s *types.Settings, op BoolOpKind, clause string, args []Expr) (Expr, error) {
	var flat []Expr
	for _, a := range args {
		b, err := ToBool(s, a, clause)
		if err != nil {
			return nil, err
		}
		if inner, ok := b.(*BoolOp); ok && inner.Op == op {
			flat = append(flat, inner.Args...)
		} else {
			flat = append(flat, b)
		}
	}
	if len(flat) == 1 {
		return flat[0], nil
	}
	return &BoolOp{Op: op, Args: flat}, nil
}

// Conjuncts returns the operands of an AND, or e alone; nil for nil.
func Conjuncts(e Expr) []Expr {
	if e == nil {
		return nil
	}
	if b, ok := e.(*BoolOp); ok && b.Op == And {
		return b.Args
	}
	return []Expr{e}
}

// Conjunction is the AND of boolean expressions, nil for none.
func Conjunction(args []Expr) Expr {
	switch len(args) {
	case 0:
		return nil
	case 1:
		return args[0]
	}
	var flat []Expr
	for _, a := range args {
		flat = append(flat, Conjuncts(a)...)
	}
	return &BoolOp{Op: And, Args: flat}
}

// NewCase is CASE [operand] WHEN ... END. With an operand the conditions are the values
// that it is compared with. els is nil if there is no ELSE.
func (r *Registry) NewCase(s *types.Settings, operand Expr, whens []When, els Expr) (Expr, error) {
	c := &Case{}
	if operand != nil {
		operand = ToKnown(s, operand)
		c.Operand = operand
	}
	results := make([]Expr, 0, len(whens)+1)
	// PostgreSQL looks at the ELSE branch first when it picks the common type.
	if els != nil {
		results = append(results, els)
	} else {
		results = append(results, NewNull())
	}
	for _, w := range whens {
		var cond Expr
		var err error
		if operand != nil {
			cond, err = r.Operator(s, "=", &CaseOperand{T: operand.Type()}, w.Cond)
		} else {
			cond, err = ToBool(s, w.Cond, "CASE/WHEN")
		}
		if err != nil {
			return nil, err
		}
		c.Whens = append(c.Whens, When{Cond: cond, Result: w.Result})
		results = append(results, w.Result)
	}
	t, err := CommonType("CASE", results)
	if err != nil {
		return nil, err
	}
	results, err = coerceAll(s, "CASE", results, t)
	if err != nil {
		return nil, err
	}
	c.T = t
	if els != nil {
		c.Else = results[0]
	}
	for i := range c.Whens {
		c.Whens[i].Result = results[i+1]
	}
	return c, nil
}

// NewCoalesce is COALESCE(args...).
func NewCoalesce(s *types.Settings, args []Expr) (Expr, error) {
	t, err := CommonType("COALESCE", args)
	if err != nil {
		return nil, err
	}
	args, err = coerceAll(s, "COALESCE", args, t)
	if err != nil {
		return nil, err
	}
	return &Coalesce{Args: args, T: t}, nil
}

// NewGreatest is GREATEST(args...), NewLeast is LEAST(args...).
func NewGreatest(s *types.Settings, args []Expr) (Expr, error) {
	return newMinMax(s, "GREATEST", true, args)
}

// NewLeast is LEAST(args...).
func NewLeast(s *types.Settings, args []Expr) (Expr, error) {
	return newMinMax(s, "LEAST", false, args)
}

func newMinMax(s *types.Settings, name string, greatest bool, args []Expr) (Expr, error) {
	t, err := CommonType(name, args)
	if err != nil {
		return nil, err
	}
	if !Orderable(t) {
		return nil, sqlstate.New(sqlstate.UndefinedFunction, "could not identify a comparison function for type %s", nameOf(t))
	}
	args, err = coerceAll(s, name, args, t)
	if err != nil {
		return nil, err
	}
	return &MinMax{Args: args, Greatest: greatest, T: t}, nil
}

// Orderable reports whether values of the type have an order: ORDER BY, GROUP BY,
// DISTINCT and indexes need one. json does not.
func Orderable(t *types.T) bool {
	switch t.OID {
	case types.OIDJSON, types.OIDXid, types.OIDCid, types.OIDAclitem:
		return false
	}
	if t.Elem != nil {
		return Orderable(t.Elem)
	}
	return true
}

// NewNullIf is NULLIF(a, b).
func (r *Registry) NewNullIf(s *types.Settings, a, b Expr) (Expr, error) {
	eq, err := r.Operator(s, "=", a, b)
	if err != nil {
		return nil, err
	}
	return &NullIf{Eq: eq.(*Call), A: eq.(*Call).Args[0]}, nil
}

// NewIsDistinct is a IS [NOT] DISTINCT FROM b.
func (r *Registry) NewIsDistinct(s *types.Settings, a, b Expr, not bool) (Expr, error) {
	ra, oka := a.(*RowExpr)
	rb, okb := b.(*RowExpr)
	if oka && okb {
		if len(ra.Fields) != len(rb.Fields) {
			return nil, errRowSizes()
		}
		var parts []Expr
		for i := range ra.Fields {
			p, err := r.NewIsDistinct(s, ra.Fields[i], rb.Fields[i], not)
			if err != nil {
				return nil, err
			}
			parts = append(parts, p)
		}
		if not {
			return NewAnd(s, parts...)
		}
		return NewOr(s, parts...)
	}
	eq, err := r.Operator(s, "=", a, b)
	if err != nil {
		return nil, err
	}
	return &IsDistinct{Eq: eq.(*Call), Not: not}, nil
}

func errRowSizes() error {
	return sqlstate.New(sqlstate.SyntaxError, "unequal number of entries in row expressions")
}

// Compare is left op right for a comparison operator; rows are compared field by field.
func (r *Registry) Compare(s *types.Settings, op string, left, right Expr) (Expr, error) {
	l, okl := left.(*RowExpr)
	rt, okr := right.(*RowExpr)
	if !okl || !okr {
		return r.Operator(s, op, left, right)
	}
	if len(l.Fields) != len(rt.Fields) {
		return nil, errRowSizes()
	}
	if len(l.Fields) == 0 {
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "cannot compare rows of zero length")
	}
	switch op {
	case "=", "<>", "!=":
		parts := make([]Expr, len(l.Fields))
		for i := range l.Fields {
			p, err := r.Compare(s, op, l.Fields[i], rt.Fields[i])
			if err != nil {
				return nil, err
			}
			parts[i] = p
		}
		if op == "=" {
			return NewAnd(s, parts...)
		}
		return NewOr(s, parts...)
	case "<", "<=", ">", ">=":
	default:
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "could not determine interpretation of row comparison operator %s", op).
			WithHint("Row comparison operators must be associated with btree operator families.")
	}
	// a, b < c, d is a < c OR a = c AND b < d.
	last := len(l.Fields) - 1
	out, err := r.Compare(s, op, l.Fields[last], rt.Fields[last])
	if err != nil {
		return nil, err
	}
	for i := last - 1; i >= 0; i-- {
		less, err := r.Compare(s, op[:1], l.Fields[i], rt.Fields[i])
		if err != nil {
			return nil, err
		}
		equal, err := r.Compare(s, "=", l.Fields[i], rt.Fields[i])
		if err != nil {
			return nil, err
		}
		out = &BoolOp{Op: Or, Args: []Expr{less, &BoolOp{Op: And, Args: []Expr{equal, out}}}}
	}
	return out, nil
}

// hashInMin is the list length from which a hash table beats comparing one by one.
const hashInMin = 4

// NewIn is arg [NOT] IN (list...).
func (r *Registry) NewIn(s *types.Settings, arg Expr, list []Expr, not bool) (Expr, error) {
	if _, isRow := arg.(*RowExpr); !isRow {
		if e, err := r.inConstants(s, arg, list, not); e != nil || err != nil {
			return e, err
		}
	}
	op, join := "=", NewOr
	if not {
		op, join = "<>", NewAnd
	}
	parts := make([]Expr, len(list))
	for i, item := range list {
		p, err := r.Compare(s, op, arg, item)
		if err != nil {
			return nil, err
		}
		parts[i] = p
	}
	return join(s, parts...)
}

// inConstants builds an InList if all items are literals that can take one type; nil
// if not.
func (r *Registry) inConstants(s *types.Settings, arg Expr, list []Expr, not bool) (Expr, error) {
	for _, item := range list {
		switch c := item.(type) {
		case *Const:
		case *Cast:
			if _, ok := c.Arg.(*Const); !ok {
				return nil, nil
			}
		default:
			return nil, nil
		}
	}
	t, err := commonType("", typesOf(append([]Expr{arg}, list...)))
	if err != nil || t == nil {
		return nil, nil
	}
	if arg.Type().OID == types.OIDUnknown {
		if _, isParam := arg.(*Param); !isParam {
			arg = ToKnown(s, arg)
		}
	}
	t = t.WithTypmod(-1)
	op, err := r.FindOperator("=", t, t)
	if err != nil || op.Compare != CmpEQ || !op.Left.Same(op.Right) {
		return nil, nil
	}
	elemT := op.Left
	if elemT.IsPolymorphic() || elemT.OID == types.OIDRecord {
		elemT = t
	}
	carg, ok, err := Coerce(s, arg, elemT, types.CastImplicit)
	if !ok || err != nil {
		return nil, err
	}
	in := &InList{Arg: carg, Not: not, ElemT: elemT}
	ec := &EvalContext{Settings: s}
	for _, item := range list {
		c, ok, err := Coerce(s, item, elemT, types.CastImplicit)
		if err != nil {
			return nil, err
		}
		if !ok || !IsConstant(c) {
			return nil, nil
		}
		d, err := c.Eval(ec, nil)
		if err != nil {
			return nil, nil //nolint:nilerr // raised when the comparison is evaluated
		}
		if d.IsNull() {
			in.HasNull = true
			continue
		}
		in.add(d.Clone())
	}
	return in, nil
}

// add puts a value in the list unless it is there already.
func (e *InList) add(d types.Datum) {
	for _, x := range e.List {
		if len(e.List) < hashInMin && types.Equal(x, d) {
			return
		}
	}
	if e.set == nil && len(e.List) >= hashInMin {
		e.set = make(map[uint64][]types.Datum)
		for _, x := range e.List {
			h := types.Hash(0, x)
			e.set[h] = append(e.set[h], x)
		}
	}
	if e.set != nil {
		h := types.Hash(0, d)
		for _, x := range e.set[h] {
			if types.Equal(x, d) {
				return
			}
		}
		e.set[h] = append(e.set[h], d)
	}
	e.List = append(e.List, d)
}

// NewInList builds an InList of values that are not NULL, for the optimiser.
func NewInList(arg Expr, values []types.Datum, hasNull, not bool) *InList {
	in := &InList{Arg: arg, ElemT: arg.Type(), HasNull: hasNull, Not: not}
	for _, v := range values {
		in.add(v)
	}
	return in
}

// contains reports whether the list has d, which is not NULL.
func (e *InList) contains(d types.Datum) bool {
	if e.set == nil {
		for _, x := range e.List {
			if types.Equal(x, d) {
				return true
			}
		}
		return false
	}
	for _, x := range e.set[types.Hash(0, d)] {
		if types.Equal(x, d) {
			return true
		}
	}
	return false
}

// NewScalarArray is left op ANY (right) or, with all, left op ALL (right); right is an
// array.
func (r *Registry) NewScalarArray(s *types.Settings, op string, left, right Expr, all bool) (Expr, error) {
	if op == "!=" {
		op = "<>"
	}
	var elem *types.T
	switch rt := right.Type(); {
	case rt.OID == types.OIDUnknown:
		elem = types.Unknown
	case rt.IsArray():
		elem = rt.Elem
	default:
		return nil, sqlstate.New(sqlstate.WrongObjectType, "op ANY/ALL (array) requires array on right side")
	}
	o, err := r.FindOperator(op, left.Type(), elem)
	if err != nil {
		return nil, err
	}
	if o.Fn.Ret.OID != types.OIDBool {
		return nil, sqlstate.New(sqlstate.WrongObjectType, "op ANY/ALL (array) requires operator to yield boolean")
	}
	rightT, leftT := o.Right, o.Left
	if leftT.IsPolymorphic() || rightT.IsPolymorphic() {
		known := elem
		if known.OID == types.OIDUnknown {
			known = left.Type()
		}
		g, err := resolveGenerics([]*types.T{leftT, rightT}, []*types.T{known, known})
		if err != nil {
			return nil, err
		}
		leftT, rightT = g.actual(leftT), g.actual(rightT)
	}
	if leftT.OID == types.OIDRecord {
		leftT = left.Type()
	}
	if rightT.OID == types.OIDRecord {
		rightT = elem
	}
	l, ok, err := Coerce(s, left, leftT, types.CastImplicit)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errCannotCast(left.Type(), leftT)
	}
	at := types.ArrayOf(rightT)
	if at == nil {
		return nil, sqlstate.New(sqlstate.UndefinedObject, "could not find array type for data type %s", nameOf(rightT))
	}
	if elem.OID == rightT.OID {
		at = right.Type() // int2vector and oidvector stay what they are
	}
	a, ok, err := Coerce(s, right, at, types.CastImplicit)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errCannotCast(right.Type(), at)
	}
	return &ScalarArray{Left: l, Right: a, Op: o, All: all}, nil
}

// NewArray is ARRAY[elems...]. Elements that are arrays themselves make one more
// dimension. An empty list has no type (42P18) unless cast: see NewArrayOf.
func NewArray(s *types.Settings, elems []Expr) (Expr, error) {
	if len(elems) == 0 {
		return nil, sqlstate.New(sqlstate.IndeterminateDatatype, "cannot determine type of empty array").
			WithHint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
	}
	t, err := CommonType("ARRAY", elems)
	if err != nil {
		return nil, err
	}
	return newArrayOf(s, t, elems)
}

// NewArrayOf is ARRAY[elems...]::arrayType, each element cast explicitly.
func NewArrayOf(s *types.Settings, arrayType *types.T, elems []Expr) (Expr, error) {
	if !arrayType.IsArray() {
		a, err := NewArray(s, elems)
		if err != nil {
			return nil, err
		}
		return NewCast(s, a, arrayType)
	}
	out := make([]Expr, len(elems))
	nested := false
	for i, e := range elems {
		to := arrayType.Elem
		if inner, ok := e.(*ArrayExpr); ok {
			nested = true
			c, err := NewArrayOf(s, arrayType, inner.Elems)
			if err != nil {
				return nil, err
			}
			out[i] = c
			continue
		}
		if e.Type().IsArray() && e.Type().OID != types.OIDInt2Vector && e.Type().OID != types.OIDOidVector {
			nested = true
			to = arrayType
		}
		c, err := NewCast(s, e, to)
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return &ArrayExpr{Elems: out, T: arrayType, Nested: nested}, nil
}

func newArrayOf(s *types.Settings, elem *types.T, elems []Expr) (Expr, error) {
	at := types.ArrayOf(elem)
	if at == nil {
		return nil, sqlstate.New(sqlstate.UndefinedObject, "could not find array type for data type %s", nameOf(elem))
	}
	elems, err := coerceAll(s, "ARRAY", elems, elem)
	if err != nil {
		return nil, err
	}
	return &ArrayExpr{Elems: elems, T: at, Nested: elem.IsArray() && at.OID == elem.OID}, nil
}

// NewRow is ROW(fields...). names may be nil: the fields are then f1, f2 ...
func NewRow(fields []Expr, names []string) Expr {
	t := make([]types.Field, len(fields))
	for i, f := range fields {
		name := "f" + itoa(i+1)
		if names != nil {
			name = names[i]
		}
		t[i] = types.Field{Name: name, Type: f.Type()}
	}
	return &RowExpr{Fields: fields, T: types.NewRecord(t)}
}

// NewSubscript is arg[index]...: an array element, an array slice or a jsonb member.
func NewSubscript(s *types.Settings, arg Expr, index []SubscriptIndex) (Expr, error) {
	at := arg.Type()
	slice := false
	for _, ix := range index {
		slice = slice || ix.Slice
	}
	out := make([]SubscriptIndex, len(index))
	if at.OID == types.OIDJSONB {
		if slice {
			return nil, sqlstate.New(sqlstate.DatatypeMismatch, "jsonb subscript does not support slices")
		}
		for i, ix := range index {
			to := types.Text
			if ix.Upper.Type().IsNumber() {
				to = types.Int4
			}
			c, ok, err := Coerce(s, ix.Upper, to, types.CastImplicit)
			if err != nil {
				return nil, err
			}
			if !ok {
				return nil, sqlstate.New(sqlstate.DatatypeMismatch, "subscript type %s is not supported", nameOf(ix.Upper.Type())).
					WithHint("jsonb subscript must be coercible to either integer or text.")
			}
			out[i].Upper = c
		}
		return &Subscript{Arg: arg, Index: out, T: types.JSONB}, nil
	}
	isName := at.OID == types.OIDName && len(index) == 1 && !slice // name[i] is its character i, from 0
	if !at.IsArray() && !isName {
		return nil, sqlstate.New(sqlstate.DatatypeMismatch, "cannot subscript type %s because it does not support subscripting", nameOf(at))
	}
	bound := func(e Expr) (Expr, error) {
		if e == nil {
			return nil, nil
		}
		c, ok, err := Coerce(s, e, types.Int4, types.CastAssignment)
		if err == nil && !ok {
			err = sqlstate.New(sqlstate.DatatypeMismatch, "array subscript must have type integer")
		}
		return c, err
	}
	for i, ix := range index {
		lo, err := bound(ix.Lower)
		if err != nil {
			return nil, err
		}
		hi, err := bound(ix.Upper)
		if err != nil {
			return nil, err
		}
		out[i] = SubscriptIndex{Lower: lo, Upper: hi, Slice: slice, Open: ix.Slice}
	}
	t := at.Elem
	switch {
	case slice:
		t = at
	case isName:
		t = types.Char
	}
	return &Subscript{Arg: arg, Index: out, T: t}, nil
}

// NewFieldSelect is (arg).name.
func NewFieldSelect(arg Expr, name string) (Expr, error) {
	t := arg.Type()
	for i, f := range t.Fields {
		if f.Name == name {
			if row, ok := arg.(*RowExpr); ok {
				return row.Fields[i], nil
			}
			return &FieldSelect{Arg: arg, Index: i, T: f.Type, Name: name}, nil
		}
	}
	switch {
	case t.Kind == 'c':
		return nil, sqlstate.New(sqlstate.UndefinedColumn, "column %q not found in data type %s", name, nameOf(t))
	case t.OID == types.OIDRecord:
		return nil, sqlstate.New(sqlstate.UndefinedColumn, "could not identify column %q in record data type", name)
	}
	return nil, sqlstate.New(sqlstate.WrongObjectType, "column notation .%s applied to type %s, which is not a composite type", name, nameOf(t))
}
