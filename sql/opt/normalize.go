package opt

import (
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// normalize rewrites a logical tree so that the rows of its result also satisfy conds,
// pushing conditions down as far as they go. The columns of the result stay.
func (o *optimizer) normalize(n plan.Node, conds []expr.Expr) plan.Node {
	conds = o.split(conds)
	switch n := n.(type) {
	case *plan.Filter:
		return o.normalizeFilter(n, conds)
	case *plan.Project:
		return o.normalizeProject(n, conds)
	case *plan.Join:
		return o.normalizeJoin(n, conds)
	case *plan.Aggregate:
		return o.normalizeAggregate(n, conds)
	case *plan.SetOp:
		return o.normalizeSetOp(n, conds)
	case *plan.Sort:
		c := *n
		c.Input = o.normalize(n.Input, conds)
		return &c
	case *plan.Distinct:
		on := plan.SetOf(n.On)
		below, above := partition(conds, func(e expr.Expr) bool { return within(e, on, n.Input) })
		c := *n
		c.Input = o.normalize(n.Input, below)
		return filter(&c, above)
	case *plan.ProjectSet:
		own := plan.ColSet{}
		for _, it := range n.Items {
			own.Add(it.Cols...)
		}
		below, above := partition(conds, func(e expr.Expr) bool { return !mentions(e, own) })
		c := plan.MapExprs(n, o.fold, true).(*plan.ProjectSet)
		c.Input = o.normalize(n.Input, below)
		return filter(c, above)
	case *plan.Window:
		// A condition on partition columns removes whole partitions.
		part := plan.ColSet{}
		for _, p := range n.Partition {
			if ref, ok := p.(*expr.ColumnRef); ok {
				part.Add(plan.ColID(ref.Ordinal))
			}
		}
		below, above := partition(conds, func(e expr.Expr) bool { return within(e, part, n) })
		c := plan.MapExprs(n, o.fold, true).(*plan.Window)
		c.Input = o.normalize(n.Input, below)
		return filter(c, above)
	case *plan.CTEScan:
		if in := o.inlineCTE(n); in != nil {
			return o.normalize(in, conds)
		}
		return filter(n, conds)
	}
	in := n.Inputs()
	if len(in) > 0 {
		out := make([]plan.Node, len(in))
		for i := range in {
			out[i] = o.normalize(in[i], nil)
		}
		n = plan.WithInputs(n, out)
	}
	return filter(plan.MapExprs(n, o.fold, true), conds)
}

// fold folds constants, inside the plans of subqueries as well.
func (o *optimizer) fold(e expr.Expr) expr.Expr {
	e = expr.Transform(e, func(e expr.Expr) expr.Expr {
		s, ok := e.(*expr.Subquery)
		if !ok {
			return e
		}
		sp := s.Plan.(*plan.Subplan)
		if sp.Normal {
			return e
		}
		c := *s
		c.Plan = &plan.Subplan{Root: o.normalize(sp.Root, nil), Cols: sp.Cols, Normal: true}
		if c.Test != nil {
			c.Test = o.fold(c.Test)
		}
		return &c
	})
	return expr.Fold(o.cfg.Eval, e)
}

// split folds conditions, takes conjunctions apart and drops what is true.
func (o *optimizer) split(conds []expr.Expr) []expr.Expr {
	var out []expr.Expr
	for _, c := range conds {
		for _, e := range expr.Conjuncts(o.fold(c)) {
			if k, ok := e.(*expr.Const); ok && k.Value.Bool() {
				continue
			}
			if b, ok := e.(*expr.BoolOp); ok && b.Op == expr.And {
				out = append(out, o.split(b.Args)...)
				continue
			}
			if r := pullCommon(e); r != nil {
				out = append(out, r...)
				continue
			}
			out = append(out, e)
		}
	}
	return out
}

// pullCommon takes conjuncts common to all arms out of an OR: (a AND b) OR (a AND c) is a AND (b OR c). nil
// if there are none.
func pullCommon(e expr.Expr) []expr.Expr {
	or, ok := e.(*expr.BoolOp)
	if !ok || or.Op != expr.Or {
		return nil
	}
	arms := make([][]expr.Expr, len(or.Args))
	counts := map[string]int{}
	for i, a := range or.Args {
		arms[i] = expr.Conjuncts(a)
		seen := map[string]bool{}
		for _, c := range arms[i] {
			if k := plan.ExprKey(c); !seen[k] {
				seen[k] = true
				counts[k]++
			}
		}
	}
	var common []expr.Expr
	shared := map[string]bool{}
	for _, c := range arms[0] {
		if k := plan.ExprKey(c); counts[k] == len(arms) && !shared[k] {
			shared[k] = true
			common = append(common, c)
		}
	}
	if common == nil {
		return nil
	}
	rest := make([]expr.Expr, 0, len(arms))
	for _, arm := range arms {
		var left []expr.Expr
		for _, c := range arm {
			if !shared[plan.ExprKey(c)] {
				left = append(left, c)
			}
		}
		if len(left) == 0 {
			return common // one arm asks for nothing more
		}
		rest = append(rest, expr.Conjunction(left))
	}
	return append(common, &expr.BoolOp{Op: expr.Or, Args: rest})
}

func filter(n plan.Node, conds []expr.Expr) plan.Node {
	if len(conds) == 0 {
		return n
	}
	if f, ok := n.(*plan.Filter); ok {
		return &plan.Filter{Input: f.Input, Conds: append(f.Conds[:len(f.Conds):len(f.Conds)], conds...)}
	}
	return &plan.Filter{Input: n, Conds: conds}
}

func partition(es []expr.Expr, pred func(expr.Expr) bool) (yes, no []expr.Expr) {
	for _, e := range es {
		if pred(e) {
			yes = append(yes, e)
		} else {
			no = append(no, e)
		}
	}
	return yes, no
}

// volatile reports whether e calls a volatile function.
func volatile(e expr.Expr) bool {
	v := false
	expr.Walk(e, func(e expr.Expr) bool {
		if c, ok := e.(*expr.Call); ok && c.Fn.Volatility == expr.Volatile {
			v = true
		}
		return !v
	})
	return v
}

// mentions reports whether e refers to a column of the set.
func mentions(e expr.Expr, cols plan.ColSet) bool {
	m := false
	plan.FreeOf(e, func(id plan.ColID) { m = m || cols.Has(id) })
	return m
}

// within reports whether e, of the columns that n produces, uses only those in cols, and may be
// moved.
func within(e expr.Expr, cols plan.ColSet, n plan.Node) bool {
	if volatile(e) {
		return false
	}
	produced := plan.SetOf(n.Columns(nil))
	ok := true
	plan.FreeOf(e, func(id plan.ColID) {
		if produced.Has(id) && !cols.Has(id) {
			ok = false
		}
	})
	return ok
}

func (o *optimizer) normalizeFilter(n *plan.Filter, conds []expr.Expr) plan.Node {
	all := append(conds[:len(conds):len(conds)], o.split(n.Conds)...)
	in := n.Input
	var rest []expr.Expr
	for _, c := range all {
		if j := o.unnest(in, c); j != nil {
			in = j
			continue
		}
		rest = append(rest, c)
	}
	rest, in = o.scalarJoins(in, rest)
	return o.normalize(in, rest)
}

func (o *optimizer) normalizeProject(n *plan.Project, conds []expr.Expr) plan.Node {
	items := make(map[plan.ColID]expr.Expr, len(n.Items))
	for _, it := range n.Items {
		items[it.ID] = it.Expr
	}
	subst := func(id plan.ColID) expr.Expr { return items[id] }
	// Conditions move below; a volatile or costly item must not be computed twice.
	below, above := partition(conds, func(e expr.Expr) bool {
		ok := !volatile(e)
		plan.FreeOf(e, func(id plan.ColID) {
			if x := items[id]; x != nil && (volatile(x) || hasSubquery(x)) {
				ok = false
			}
		})
		return ok
	})
	for i, e := range below {
		below[i] = plan.Substitute(e, subst)
	}
	c := &plan.Project{Input: n.Input, Items: make([]plan.Item, len(n.Items))}
	for i, it := range n.Items {
		c.Items[i] = plan.Item{ID: it.ID, Expr: o.fold(it.Expr)}
	}
	c.Items, c.Input = o.scalarJoinItems(c.Items, c.Input)
	c.Input = o.normalize(c.Input, below)
	return filter(mergeProjects(c), above)
}

func hasSubquery(e expr.Expr) bool {
	found := false
	expr.Walk(e, func(e expr.Expr) bool {
		if _, ok := e.(*expr.Subquery); ok {
			found = true
		}
		return !found
	})
	return found
}

// mergeProjects combines a projection with one directly below it, unless something would be
// computed more often than before.
func mergeProjects(p *plan.Project) plan.Node {
	for {
		in, ok := p.Input.(*plan.Project)
		if !ok {
			break
		}
		uses := make(map[plan.ColID]int)
		for _, it := range p.Items {
			plan.FreeOf(it.Expr, func(id plan.ColID) { uses[id]++ })
		}
		items := make(map[plan.ColID]expr.Expr)
		for _, it := range in.Items {
			items[it.ID] = it.Expr
			switch it.Expr.(type) {
			case *expr.ColumnRef, *expr.Const, *expr.Param:
				continue
			}
			if volatile(it.Expr) || uses[it.ID] > 1 || hasSubquery(it.Expr) {
				return p
			}
		}
		c := &plan.Project{Input: in.Input, Items: make([]plan.Item, len(p.Items))}
		for i, it := range p.Items {
			c.Items[i] = plan.Item{ID: it.ID, Expr: plan.Substitute(it.Expr, func(id plan.ColID) expr.Expr { return items[id] })}
		}
		p = c
	}
	return p
}

// inlineCTE returns the query that a reference to a WITH query stands for, nil if it has to be
// run on its own.
func (o *optimizer) inlineCTE(n *plan.CTEScan) plan.Node {
	c := n.CTE
	if c.Rec != nil || c.Modifies {
		return nil
	}
	// A correlated one cannot be run on its own.
	if len(plan.FreeColumns(c.Plan)) == 0 && (c.Refs != 1 || c.Materialize == 1 || anyVolatile(c.Plan)) {
		return nil
	}
	p := &plan.Project{Input: c.Plan}
	for i, id := range n.Cols {
		p.Items = append(p.Items, plan.Item{ID: id, Expr: o.md.Ref(c.Cols[i])})
	}
	return p
}

func anyVolatile(n plan.Node) bool {
	v := false
	plan.EachExpr(n, func(e expr.Expr) { v = v || volatile(e) })
	if _, ok := n.(*plan.LockRows); ok {
		return true
	}
	for _, in := range n.Inputs() {
		v = v || anyVolatile(in)
	}
	return v
}

func (o *optimizer) normalizeAggregate(n *plan.Aggregate, conds []expr.Expr) plan.Node {
	keys := make(map[plan.ColID]expr.Expr)
	if n.Sets == nil {
		for _, k := range n.Keys {
			if !volatile(k.Expr) && !hasSubquery(k.Expr) {
				keys[k.ID] = k.Expr
			}
		}
	}
	own := plan.SetOf(n.Columns(nil))
	below, above := partition(conds, func(e expr.Expr) bool {
		if len(keys) == 0 || volatile(e) {
			return false
		}
		ok := true
		plan.FreeOf(e, func(id plan.ColID) {
			if own.Has(id) && keys[id] == nil {
				ok = false
			}
		})
		return ok
	})
	for i, e := range below {
		below[i] = plan.Substitute(e, func(id plan.ColID) expr.Expr { return keys[id] })
	}
	c := plan.MapExprs(n, o.fold, true).(*plan.Aggregate)
	c.Input = o.normalize(n.Input, below)
	return filter(c, above)
}

func (o *optimizer) normalizeSetOp(n *plan.SetOp, conds []expr.Expr) plan.Node {
	side := func(cols []plan.ColID) func(plan.ColID) expr.Expr {
		m := make(map[plan.ColID]plan.ColID, len(cols))
		for i, c := range n.Cols {
			m[c] = cols[i]
		}
		return func(id plan.ColID) expr.Expr {
			if r, ok := m[id]; ok {
				return o.md.Ref(r)
			}
			return nil
		}
	}
	below, above := partition(conds, func(e expr.Expr) bool { return !volatile(e) && !hasSubquery(e) })
	var l, r []expr.Expr
	for _, e := range below {
		l = append(l, plan.Substitute(e, side(n.LeftCols)))
		r = append(r, plan.Substitute(e, side(n.RightCols)))
	}
	c := *n
	c.Left = o.normalize(n.Left, l)
	c.Right = o.normalize(n.Right, r)
	return filter(&c, above)
}

func (o *optimizer) normalizeJoin(n *plan.Join, conds []expr.Expr) plan.Node {
	if n.Kind == plan.RightJoin {
		c := *n
		c.Kind, c.Left, c.Right = plan.LeftJoin, n.Right, n.Left
		return o.normalizeJoin(&c, conds)
	}
	left, right := plan.SetOf(n.Left.Columns(nil)), plan.SetOf(n.Right.Columns(nil))
	on := o.split(n.On)
	kind := n.Kind
	// A condition above that rejects the NULLs of an outer join makes it stricter.
	if kind == plan.LeftJoin || kind == plan.FullJoin {
		var rejectL, rejectR bool
		for _, e := range conds {
			rejectR = rejectR || rejectsNull(e, right)
			rejectL = rejectL || rejectsNull(e, left)
		}
		switch {
		case kind == plan.LeftJoin && rejectR:
			kind = plan.InnerJoin
		case kind == plan.FullJoin && rejectL && rejectR:
			kind = plan.InnerJoin
		case kind == plan.FullJoin && rejectL:
			kind = plan.LeftJoin
		case kind == plan.FullJoin && rejectR:
			c := &plan.Join{Kind: plan.LeftJoin, Left: n.Right, Right: n.Left, On: n.On}
			return o.normalizeJoin(c, conds)
		}
	}
	out := &plan.Join{Kind: kind, NullAware: n.NullAware}
	var above, toLeft, toRight []expr.Expr
	only := func(e expr.Expr, other plan.ColSet) bool { return !volatile(e) && !mentions(e, other) }
	switch kind {
	case plan.InnerJoin:
		all := append(conds[:len(conds):len(conds)], on...)
		all = append(all, o.transitive(all)...)
		in := plan.Node(out)
		for _, e := range all {
			switch {
			case volatile(e):
				above = append(above, e)
			case !mentions(e, right):
				toLeft = append(toLeft, e)
			case !mentions(e, left):
				toRight = append(toRight, e)
			case hasSubquery(e):
				above = append(above, e)
			default:
				out.On = append(out.On, e)
			}
		}
		_ = in
	case plan.LeftJoin:
		for _, e := range conds {
			if only(e, right) {
				toLeft = append(toLeft, e)
			} else {
				above = append(above, e)
			}
		}
		for _, e := range on {
			if only(e, left) {
				toRight = append(toRight, e)
			} else {
				out.On = append(out.On, e)
			}
		}
		// What holds for the left side of an equality holds for the right side.
		toRight = append(toRight, o.implied(toLeft, out.On, left, right)...)
	case plan.FullJoin:
		out.On, above = on, conds
	case plan.SemiJoin:
		toLeft = conds
		for _, e := range on {
			switch {
			case only(e, right):
				toLeft = append(toLeft, e)
			case only(e, left):
				toRight = append(toRight, e)
			default:
				out.On = append(out.On, e)
			}
		}
	case plan.AntiJoin:
		toLeft = conds
		for _, e := range on {
			if only(e, left) && !n.NullAware {
				toRight = append(toRight, e)
			} else {
				out.On = append(out.On, e)
			}
		}
	}
	out.Left = o.normalize(n.Left, toLeft)
	out.Right = o.normalize(n.Right, toRight)
	var res plan.Node = out
	if kind == plan.InnerJoin || kind == plan.LeftJoin {
		res = o.decorrelateLateral(out, left)
	}
	return filter(res, above)
}

// decorrelateLateral pulls conditions that refer to the left side out of a lateral right side.
func (o *optimizer) decorrelateLateral(j *plan.Join, left plan.ColSet) plan.Node {
	lateral := false
	for id := range plan.FreeColumns(j.Right) {
		lateral = lateral || left.Has(id)
	}
	if !lateral {
		return j
	}
	right, pulled, ok := o.pullCorrelated(j.Right, left, true)
	if !ok {
		return j
	}
	c := *j
	c.Right = right
	c.On = append(c.On[:len(c.On):len(c.On)], pulled...)
	return &c
}

// rejectsNull reports whether e cannot be true if all of cols are NULL.
func rejectsNull(e expr.Expr, cols plan.ColSet) bool {
	switch e := e.(type) {
	case *expr.Call:
		if e.Fn.NotStrict || e.Fn.Kind != expr.ScalarFunction {
			return false
		}
		for _, a := range e.Args {
			if nullIfNull(a, cols) {
				return true
			}
		}
	case *expr.BoolOp:
		switch e.Op {
		case expr.And:
			for _, a := range e.Args {
				if rejectsNull(a, cols) {
					return true
				}
			}
		case expr.Or:
			for _, a := range e.Args {
				if !rejectsNull(a, cols) {
					return false
				}
			}
			return true
		case expr.Not:
			return nullIfNull(e.Args[0], cols)
		}
	case *expr.IsNull:
		return e.Not && nullIfNull(e.Arg, cols)
	case *expr.IsTruth:
		return !e.Not && e.Want != expr.IsUnknown && nullIfNull(e.Arg, cols)
	case *expr.InList:
		return nullIfNull(e.Arg, cols)
	case *expr.ScalarArray:
		return !e.All && nullIfNull(e.Left, cols)
	case *expr.ColumnRef:
		return cols.Has(plan.ColID(e.Ordinal))
	}
	return false
}

// nullIfNull reports whether e is NULL if all of cols are.
func nullIfNull(e expr.Expr, cols plan.ColSet) bool {
	switch e := e.(type) {
	case *expr.ColumnRef:
		return cols.Has(plan.ColID(e.Ordinal))
	case *expr.Cast:
		return nullIfNull(e.Arg, cols)
	case *expr.Call:
		if e.Fn.NotStrict || e.Fn.Kind != expr.ScalarFunction {
			return false
		}
		for _, a := range e.Args {
			if nullIfNull(a, cols) {
				return true
			}
		}
	case *expr.InList:
		return nullIfNull(e.Arg, cols)
	case *expr.BoolOp:
		if e.Op == expr.Not {
			return nullIfNull(e.Args[0], cols)
		}
	}
	return false
}

// equality is a = b between two columns.
func equality(e expr.Expr) (a, b plan.ColID, ok bool) {
	c, isCall := e.(*expr.Call)
	if !isCall || c.Op == nil || c.Op.Compare != expr.CmpEQ {
		return 0, 0, false
	}
	l, lok := c.Args[0].(*expr.ColumnRef)
	r, rok := c.Args[1].(*expr.ColumnRef)
	if !lok || !rok || !l.T.Same(r.T) {
		return 0, 0, false
	}
	return plan.ColID(l.Ordinal), plan.ColID(r.Ordinal), true
}

// constraint is a condition of one column against something fixed.
func constraint(e expr.Expr) (plan.ColID, bool) {
	var arg expr.Expr
	switch e := e.(type) {
	case *expr.Call:
		if e.Op == nil || e.Op.Compare == expr.CmpNone || e.Op.Compare == expr.CmpNE {
			return 0, false
		}
		arg = e.Args[0]
		other := e.Args[1]
		if _, ok := arg.(*expr.ColumnRef); !ok {
			arg, other = other, arg
		}
		if !expr.IsRowIndependent(other) {
			return 0, false
		}
	case *expr.InList:
		if e.Not {
			return 0, false
		}
		arg = e.Arg
	case *expr.ScalarArray:
		if e.All || !expr.IsRowIndependent(e.Right) {
			return 0, false
		}
		arg = e.Left
	default:
		return 0, false
	}
	ref, ok := arg.(*expr.ColumnRef)
	if !ok {
		return 0, false
	}
	return plan.ColID(ref.Ordinal), true
}

// transitive derives b = 1 from a = b and a = 1.
func (o *optimizer) transitive(conds []expr.Expr) []expr.Expr {
	have := map[string]bool{}
	for _, e := range conds {
		have[plan.ExprKey(e)] = true
	}
	var out []expr.Expr
	for changed := true; changed; {
		changed = false
		all := append(conds[:len(conds):len(conds)], out...)
		for _, e := range all {
			a, b, ok := equality(e)
			if !ok {
				continue
			}
			for _, k := range all {
				id, ok := constraint(k)
				if !ok || id != a && id != b {
					continue
				}
				to := b
				if id == b {
					to = a
				}
				d := plan.Substitute(k, func(x plan.ColID) expr.Expr {
					if x == id {
						return o.md.Ref(to)
					}
					return nil
				})
				if key := plan.ExprKey(d); !have[key] {
					have[key] = true
					out = append(out, d)
					changed = true
				}
			}
		}
	}
	return out
}

// implied derives conditions on the right side of a left join from those on the left.
func (o *optimizer) implied(toLeft, on []expr.Expr, left, right plan.ColSet) []expr.Expr {
	var out []expr.Expr
	for _, e := range on {
		a, b, ok := equality(e)
		if !ok {
			continue
		}
		if !left.Has(a) {
			a, b = b, a
		}
		if !left.Has(a) || !right.Has(b) {
			continue
		}
		for _, k := range toLeft {
			if id, ok := constraint(k); ok && id == a {
				out = append(out, plan.Substitute(k, func(x plan.ColID) expr.Expr {
					if x == a {
						return o.md.Ref(b)
					}
					return nil
				}))
			}
		}
	}
	return out
}

var boolTrue = expr.NewConst(types.Bool, types.True)
