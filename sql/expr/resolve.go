package expr

import (
	"strings"

	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// CallOptions are the parts of a function call besides its name and arguments.
type CallOptions struct {
	// ArgNames names the arguments given as name => value, in step with the last of the
	// arguments; empty strings for positional ones. nil if all are positional.
	ArgNames []string
	// Variadic says that the last argument was written VARIADIC.
	Variadic bool
	// Star is f(*): an aggregate without arguments.
	Star bool
	// Kinds restricts the search, 0 for all.
	OnlyAggregates bool
}

// candidate is an overload under consideration, its parameters laid out for the
// number of arguments of the call.
type candidate struct {
	fn       *Function
	args     []*types.T // a parameter type per argument given
	order    []int      // order[i] is the parameter of argument i; nil: in order
	expanded bool       // the variadic parameter takes several arguments
}

// Call resolves a function call and returns its node, whose Fn.Kind the binder looks at:
// aggregate, window and set-returning functions are not evaluated by Eval. If no function fits, a
// type's name with one argument is a cast. Errors: 42883, 42725, 42804 and malformed literals.
func (r *Registry) Call(s *types.Settings, name string, args []Expr, opt CallOptions) (Expr, error) {
	argTypes := typesOf(args)
	cands := r.candidates(name, argTypes, opt)
	best, err := selectCandidate(cands, argTypes)
	if err != nil {
		return nil, err.function(name, argTypes)
	}
	if best == nil || !exact(best.args, argTypes) {
		if e, err := functionStyleCast(s, name, args, best != nil, opt); e != nil || err != nil {
			return e, err
		}
	}
	if best == nil {
		return nil, errNoFunction(r, name, argTypes, opt)
	}
	return makeCall(s, best, args, opt)
}

func typesOf(args []Expr) []*types.T {
	ts := make([]*types.T, len(args))
	for i, a := range args {
		ts[i] = a.Type()
	}
	return ts
}

func exact(params, args []*types.T) bool {
	for i, p := range params {
		if p.OID != args[i].OID {
			return false
		}
	}
	return true
}

// functionStyleCast is type(value): a cast if the argument is a literal or the
// conversion is a relabelling or by text form.
func functionStyleCast(s *types.Settings, name string, args []Expr, haveFunction bool, opt CallOptions) (Expr, error) {
	if len(args) != 1 || opt.Star || opt.Variadic || opt.ArgNames != nil {
		return nil, nil
	}
	t := types.ByName(name)
	if t == nil || t.Kind == 'p' {
		return nil, nil
	}
	from := args[0].Type()
	if haveFunction && from.OID != types.OIDUnknown {
		return nil, nil
	}
	if from.OID != types.OIDUnknown {
		if _, _, ok := types.FindCast(from, t); !ok {
			return nil, nil
		}
	}
	return NewCast(s, args[0], t)
}

// candidates lists the overloads that take the number of arguments given.
func (r *Registry) candidates(name string, args []*types.T, opt CallOptions) []candidate {
	var out []candidate
	for _, f := range r.functions[name] {
		if opt.Star && (f.Kind != AggregateFunction || len(f.Args) != 0) && len(args) == 0 && f.Kind == AggregateFunction {
			continue
		}
		if opt.OnlyAggregates && f.Kind != AggregateFunction {
			continue
		}
		if c, ok := layout(f, len(args), opt); ok {
			out = append(out, c)
		}
	}
	return dropShadowed(out)
}

// dropShadowed prefers an overload without expansion over a variadic one with the same
// parameter types.
func dropShadowed(cands []candidate) []candidate {
	out := cands[:0]
	for _, c := range cands {
		shadowed := false
		for _, d := range cands {
			if c.expanded && !d.expanded && exact(c.args, d.args) {
				shadowed = true
			}
		}
		if !shadowed {
			out = append(out, c)
		}
	}
	return out
}

// layout assigns n arguments to the parameters of f.
func layout(f *Function, n int, opt CallOptions) (candidate, bool) {
	c := candidate{fn: f}
	np := len(f.Args)
	if named := countNamed(opt.ArgNames); named > 0 {
		order := make([]int, n)
		used := make([]bool, np)
		for i := range n {
			p := i
			if name := opt.ArgNames[i]; name != "" {
				p = -1
				for j, an := range f.ArgNames {
					if an == name {
						p = j
					}
				}
			}
			if p < 0 || p >= np || used[p] {
				return c, false
			}
			used[p] = true
			order[i] = p
			c.args = append(c.args, f.Args[p])
		}
		for p, u := range used {
			if !u && p < np-len(f.Defaults) {
				return c, false
			}
		}
		c.order = order
		return c, true
	}
	switch {
	case f.Variadic && !opt.Variadic && n >= np:
		last := f.Args[np-1]
		elem := variadicElem(last)
		c.args = append(c.args, f.Args[:np-1]...)
		for range n - np + 1 {
			c.args = append(c.args, elem)
		}
		c.expanded = true
		return c, true
	case opt.Variadic && (!f.Variadic || n != np):
		return c, false
	case n > np || n < np-len(f.Defaults):
		return c, false
	}
	c.args = f.Args[:n]
	return c, true
}

func countNamed(names []string) int {
	n := 0
	for _, s := range names {
		if s != "" {
			n++
		}
	}
	return n
}

// variadicElem returns the type that each value of a variadic parameter has.
func variadicElem(t *types.T) *types.T {
	switch t.OID {
	case types.OIDAny:
		return t
	case types.OIDAnyArray:
		return types.AnyElement
	case types.OIDAnyCompatibleArray:
		return types.AnyCompatible
	}
	return t.Elem
}

// resolveError is a failed choice, to be put in words by the caller.
type resolveError struct{}

// selectCandidate is PostgreSQL's func_select_candidate with the steps before it: an
// exact match, else the candidates reachable by implicit casts, narrowed by its
// heuristics. It returns nil without error if nothing fits.
func selectCandidate(cands []candidate, args []*types.T) (*candidate, *resolveError) {
	for i := range cands {
		if exact(cands[i].args, args) {
			return &cands[i], nil
		}
	}
	var fit []candidate
	for _, c := range cands {
		if fitsAll(c.args, args) {
			fit = append(fit, c)
		}
	}
	switch len(fit) {
	case 0:
		return nil, nil
	case 1:
		return &fit[0], nil
	}
	if best := narrow(fit, args); best != nil {
		return best, nil
	}
	return nil, &resolveError{}
}

func fitsAll(params, args []*types.T) bool {
	generic := false
	for i, p := range params {
		if !canCoerce(args[i], p, types.CastImplicit) {
			return false
		}
		generic = generic || p.IsPolymorphic()
	}
	if generic {
		_, ok := resolveGenerics(params, args)
		return ok == nil
	}
	return true
}

// narrow applies the heuristics of chapter 10.3 step 4.c-f of PostgreSQL's manual.
func narrow(cands []candidate, args []*types.T) *candidate {
	keepBest := func(score func(c *candidate) int) {
		best := -1
		var kept []candidate
		for _, c := range cands {
			n := score(&c)
			if n > best {
				best, kept = n, kept[:0]
			}
			if n == best {
				kept = append(kept, c)
			}
		}
		cands = kept
	}
	// Most exact matches on arguments of known type.
	keepBest(func(c *candidate) int {
		n := 0
		for i, t := range args {
			if t.OID != types.OIDUnknown && c.args[i].OID == t.OID {
				n++
			}
		}
		return n
	})
	if len(cands) == 1 {
		return &cands[0]
	}
	// Most exact matches or preferred types of the argument's category.
	keepBest(func(c *candidate) int {
		n := 0
		for i, t := range args {
			if t.OID != types.OIDUnknown && (c.args[i].OID == t.OID || c.args[i].Preferred && c.args[i].Category == t.Category) {
				n++
			}
		}
		return n
	})
	if len(cands) == 1 {
		return &cands[0]
	}
	unknowns := 0
	for _, t := range args {
		if t.OID == types.OIDUnknown {
			unknowns++
		}
	}
	if unknowns == 0 {
		return nil
	}
	if kept := byUnknownCategory(cands, args); len(kept) == 1 {
		return &kept[0]
	} else if kept != nil {
		cands = kept
	}
	// All known arguments of one type: assume it for the unknown ones as well.
	var known *types.T
	for _, t := range args {
		if t.OID == types.OIDUnknown {
			continue
		}
		if known == nil {
			known = t
		} else if known.OID != t.OID {
			return nil
		}
	}
	if known == nil {
		return nil
	}
	assumed := make([]*types.T, len(args))
	for i := range assumed {
		assumed[i] = known
	}
	var only *candidate
	for i := range cands {
		if fitsAll(cands[i].args, assumed) {
			if only != nil {
				return nil
			}
			only = &cands[i]
		}
	}
	return only
}

// byUnknownCategory keeps the candidates whose parameters at unknown arguments have
// the category that all candidates agree on, or string if any accepts one. nil means no conclusion.
func byUnknownCategory(cands []candidate, args []*types.T) []candidate {
	category := make([]byte, len(args))
	preferred := make([]bool, len(args))
	for i, t := range args {
		if t.OID != types.OIDUnknown {
			continue
		}
		conflict := false
		for _, c := range cands {
			p := c.args[i]
			switch {
			case category[i] == 0:
				category[i], preferred[i] = p.Category, p.Preferred
			case category[i] == p.Category:
				preferred[i] = preferred[i] || p.Preferred
			case p.Category == types.CatString:
				category[i], preferred[i] = p.Category, p.Preferred
			default:
				conflict = true
			}
		}
		if conflict && category[i] != types.CatString {
			return nil
		}
	}
	var kept []candidate
	for _, c := range cands {
		keep := true
		for i, t := range args {
			if t.OID == types.OIDUnknown && (c.args[i].Category != category[i] || preferred[i] && !c.args[i].Preferred) {
				keep = false
			}
		}
		if keep {
			kept = append(kept, c)
		}
	}
	return kept
}

// generics is what polymorphic parameters stand for in one call.
type generics struct {
	elem, array             *types.T // anyelement and its relatives
	compatible, compatArray *types.T // the anycompatible family
}

// resolveGenerics finds the actual types of polymorphic parameters (PostgreSQL's
// enforce_generic_type_consistency). The error is in words ready for the user.
func resolveGenerics(params, args []*types.T) (generics, error) {
	var g generics
	var compatible []*types.T
	needElem, needCompat, unknownElem := false, false, false
	for i, p := range params {
		a := args[i]
		switch p.OID {
		case types.OIDAnyElement, types.OIDAnyNonArray, types.OIDAnyEnum:
			needElem = true
			if a.OID == types.OIDUnknown {
				unknownElem = true
				continue
			}
			if p.OID == types.OIDAnyEnum && !a.IsEnum() {
				return g, sqlstate.New(sqlstate.DatatypeMismatch, "type matched to anyenum is not an enum type: %s", nameOf(a))
			}
			if p.OID == types.OIDAnyNonArray && a.IsArray() {
				return g, sqlstate.New(sqlstate.DatatypeMismatch, "type matched to anynonarray is an array type: %s", nameOf(a))
			}
			if g.elem != nil && g.elem.OID != a.OID {
				return g, sqlstate.New(sqlstate.DatatypeMismatch, "arguments declared \"anyelement\" are not all alike").
					WithDetail("%s versus %s", nameOf(g.elem), nameOf(a))
			}
			if g.elem == nil {
				g.elem = a
			}
		case types.OIDAnyArray:
			needElem = true
			if a.OID == types.OIDUnknown {
				unknownElem = true
				continue
			}
			if a.OID != types.OIDAnyArray && !a.IsArray() {
				return g, sqlstate.New(sqlstate.DatatypeMismatch, "argument declared %s is not an array but type %s", "anyarray", nameOf(a))
			}
			if g.array != nil && g.array.OID != a.OID {
				return g, sqlstate.New(sqlstate.DatatypeMismatch, "arguments declared \"anyarray\" are not all alike").
					WithDetail("%s versus %s", nameOf(g.array), nameOf(a))
			}
			g.array = a
		case types.OIDAnyCompatible, types.OIDAnyCompatibleNonArray:
			needCompat = true
			compatible = append(compatible, a)
		case types.OIDAnyCompatibleArray:
			needCompat = true
			if a.OID == types.OIDUnknown {
				continue
			}
			if !a.IsArray() {
				return g, sqlstate.New(sqlstate.DatatypeMismatch, "argument declared %s is not an array but type %s", "anycompatiblearray", nameOf(a))
			}
			compatible = append(compatible, a.Elem)
		}
	}
	if g.array != nil && g.array.IsArray() {
		elem := g.array.Elem
		if g.elem != nil && g.elem.OID != elem.OID {
			return g, sqlstate.New(sqlstate.DatatypeMismatch, "argument declared %s is not consistent with argument declared %s", "anyarray", "anyelement").
				WithDetail("%s versus %s", nameOf(g.array), nameOf(g.elem))
		}
		g.elem = elem
	}
	if needElem && g.elem == nil {
		if unknownElem {
			return g, sqlstate.New(sqlstate.DatatypeMismatch, "could not determine polymorphic type because input has type unknown")
		}
		return g, sqlstate.New(sqlstate.DatatypeMismatch, "could not determine polymorphic type")
	}
	if g.elem != nil && g.array == nil {
		g.array = types.ArrayOf(g.elem)
	}
	if needCompat {
		t, err := commonType("", compatible)
		if err != nil || t == nil {
			return g, sqlstate.New(sqlstate.DatatypeMismatch, "arguments of anycompatible family cannot be cast to a common type")
		}
		for _, c := range compatible {
			if !canCoerce(c, t, types.CastImplicit) {
				return g, sqlstate.New(sqlstate.DatatypeMismatch, "arguments of anycompatible family cannot be cast to a common type")
			}
		}
		g.compatible = t.WithTypmod(-1)
		g.compatArray = types.ArrayOf(g.compatible)
	}
	return g, nil
}

// actual returns the type that a declared type stands for.
func (g *generics) actual(t *types.T) *types.T {
	switch t.OID {
	case types.OIDAnyElement, types.OIDAnyNonArray, types.OIDAnyEnum:
		return g.elem
	case types.OIDAnyArray:
		return g.array
	case types.OIDAnyCompatible, types.OIDAnyCompatibleNonArray:
		return g.compatible
	case types.OIDAnyCompatibleArray:
		return g.compatArray
	}
	return t
}

// makeCall coerces the arguments and builds the node.
func makeCall(s *types.Settings, c *candidate, args []Expr, opt CallOptions) (Expr, error) {
	f := c.fn
	g, err := resolveGenerics(c.args, typesOf(args))
	if err != nil {
		return nil, err
	}
	coerced := make([]Expr, len(args), max(len(args), len(f.Args)))
	for i, a := range args {
		to := g.actual(c.args[i])
		if to.OID == types.OIDAny {
			if _, isParam := a.(*Param); isParam {
				a = ToKnown(s, a)
			}
			coerced[i] = a
			continue
		}
		e, ok, err := Coerce(s, a, to.WithTypmod(-1), types.CastImplicit)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, errCannotCast(a.Type(), to)
		}
		if e.Type().OID == types.OIDUnknown && to.OID == types.OIDAnyArray {
			return nil, sqlstate.New(sqlstate.DatatypeMismatch, "could not determine polymorphic type because input has type unknown")
		}
		coerced[i] = e
	}
	if c.order != nil {
		placed := make([]Expr, len(f.Args))
		for i, p := range c.order {
			placed[p] = coerced[i]
		}
		coerced = placed
	}
	for i := range f.Args { // defaults of what was left out
		if i >= len(coerced) && !c.expanded {
			coerced = append(coerced, nil)
		}
		if i < len(coerced) && coerced[i] == nil {
			d := f.Defaults[i-(len(f.Args)-len(f.Defaults))]
			coerced[i] = &Const{T: f.Args[i], Value: d}
		}
	}
	if last := len(f.Args) - 1; c.expanded && f.Args[last].OID != types.OIDAny {
		t := g.actual(f.Args[last])
		elems := append([]Expr(nil), coerced[last:]...)
		coerced = append(coerced[:last], &ArrayExpr{Elems: elems, T: t})
	}
	call := &Call{Fn: f, Args: coerced, Variadic: opt.Variadic || c.expanded && f.Args[len(f.Args)-1].OID != types.OIDAny}
	call.T = f.Ret
	if call.T.IsPolymorphic() {
		call.T = g.actual(f.Ret).WithTypmod(-1)
	}
	if len(f.RetFields) > 0 && f.Ret.OID == types.OIDRecord {
		fields := make([]types.Field, len(f.RetFields))
		for i, fd := range f.RetFields {
			fields[i] = types.Field{Name: fd.Name, Type: g.actual(fd.Type)}
		}
		call.T = types.NewRecord(fields)
	}
	return call, nil
}

// function words the failure for a function call.
func (*resolveError) function(name string, args []*types.T) error {
	return sqlstate.New(sqlstate.AmbiguousFunction, "function %s is not unique", signature(name, args, CallOptions{})).
		WithHint("Could not choose a best candidate function. You might need to add explicit type casts.")
}

func errNoFunction(r *Registry, name string, args []*types.T, opt CallOptions) error {
	hint := "No function matches the given name and argument types. You might need to add explicit type casts."
	if opt.OnlyAggregates {
		hint = "No aggregate function matches the given name and argument types. Perhaps you misplaced ORDER BY; ORDER BY must appear after all regular arguments of the aggregate."
	}
	return sqlstate.New(sqlstate.UndefinedFunction, "function %s does not exist", signature(name, args, opt)).WithHint("%s", hint)
}

func signature(name string, args []*types.T, opt CallOptions) string {
	var b strings.Builder
	b.WriteString(name)
	b.WriteByte('(')
	for i, t := range args {
		if i > 0 {
			b.WriteString(", ")
		}
		if i < len(opt.ArgNames) && opt.ArgNames[i] != "" {
			b.WriteString(opt.ArgNames[i] + " => ")
		}
		b.WriteString(nameOf(t))
	}
	b.WriteByte(')')
	return b.String()
}

// Operator resolves an operator; left is nil for a prefix operator. Errors: 42883,
// 42725 and malformed literals.
func (r *Registry) Operator(s *types.Settings, name string, left, right Expr) (Expr, error) {
	if name == "!=" {
		name = "<>"
	}
	var lt *types.T
	if left != nil {
		lt = left.Type()
	}
	op, err := r.FindOperator(name, lt, right.Type())
	if err != nil {
		return nil, err
	}
	return makeOperatorCall(s, op, left, right)
}

func makeOperatorCall(s *types.Settings, op *Operator, left, right Expr) (Expr, error) {
	c := &candidate{fn: op.Fn}
	var args []Expr
	if left != nil {
		args = append(args, left)
		c.args = append(c.args, op.Left)
	}
	args = append(args, right)
	c.args = append(c.args, op.Right)
	e, err := makeCall(s, c, args, CallOptions{})
	if err != nil {
		return nil, err
	}
	e.(*Call).Op = op
	return e, nil
}

// FindOperator returns the overload for operand types; left is nil for a prefix
// operator. Operands may have type unknown.
func (r *Registry) FindOperator(name string, left, right *types.T) (*Operator, error) {
	var ops []*Operator
	for _, o := range r.operators[name] {
		if (o.Left == nil) == (left == nil) {
			ops = append(ops, o)
		}
	}
	if left == nil {
		return chooseOperator(ops, name, left, right)
	}
	// An unknown operand beside a known one is first taken to have its type.
	l, rt := left, right
	switch {
	case l.OID == types.OIDUnknown:
		l = rt
	case rt.OID == types.OIDUnknown:
		rt = l
	}
	for _, o := range ops {
		if o.Left.OID == l.OID && o.Right.OID == rt.OID {
			return o, nil
		}
	}
	return chooseOperator(ops, name, left, right)
}

func chooseOperator(ops []*Operator, name string, left, right *types.T) (*Operator, error) {
	args := []*types.T{right}
	if left != nil {
		args = []*types.T{left, right}
	}
	cands := make([]candidate, len(ops))
	byFn := make(map[*Function]*Operator, len(ops))
	for i, o := range ops {
		cands[i].fn = o.Fn
		byFn[o.Fn] = o
		if o.Left != nil {
			cands[i].args = append(cands[i].args, o.Left)
		}
		cands[i].args = append(cands[i].args, o.Right)
	}
	best, ambiguous := selectCandidate(cands, args)
	if ambiguous != nil {
		return nil, sqlstate.New(sqlstate.AmbiguousFunction, "operator is not unique: %s", operatorSignature(name, left, right)).
			WithHint("Could not choose a best candidate operator. You might need to add explicit type casts.")
	}
	if best == nil {
		hint := "No operator matches the given name and argument types. You might need to add explicit type casts."
		if left == nil {
			hint = "No operator matches the given name and argument type. You might need to add an explicit type cast."
		}
		return nil, sqlstate.New(sqlstate.UndefinedFunction, "operator does not exist: %s", operatorSignature(name, left, right)).WithHint("%s", hint)
	}
	return byFn[best.fn], nil
}

func operatorSignature(name string, left, right *types.T) string {
	if left == nil {
		return name + " " + nameOf(right)
	}
	return nameOf(left) + " " + name + " " + nameOf(right)
}
