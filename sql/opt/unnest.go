package opt

import (
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// Subqueries in conditions become joins (Kim, "On Optimizing an SQL-like Nested
// Query", 1982; Galindo-Legaria and Joshi, "Orthogonal Optimization of Subqueries and
// Aggregation", 2001). What none of the rules takes is run per row by the executor.

// unnest turns one condition over in into a semi or anti join, nil if it cannot.
func (o *optimizer) unnest(in plan.Node, cond expr.Expr) plan.Node {
	negate := false
	if b, ok := cond.(*expr.BoolOp); ok && b.Op == expr.Not {
		negate, cond = true, b.Args[0]
	}
	s, ok := cond.(*expr.Subquery)
	if !ok {
		return nil
	}
	sp := s.Plan.(*plan.Subplan)
	left := plan.SetOf(in.Columns(nil))
	kind := plan.SemiJoin
	if negate {
		kind = plan.AntiJoin
	}
	switch s.Kind {
	case expr.SubExists:
		if len(plan.FreeColumns(sp.Root)) == 0 {
			return nil // run once
		}
		root := stripForExists(sp.Root)
		right, pulled, ok := o.pullCorrelated(root, left, false)
		if !ok {
			return nil
		}
		return &plan.Join{Kind: kind, Left: in, Right: right, On: pulled}
	case expr.SubAny:
		if negate && !o.neverNull(s.Test, in, sp.Root) {
			return nil
		}
		right, pulled, ok := o.pullCorrelated(sp.Root, left, true)
		if !ok {
			return nil
		}
		return &plan.Join{Kind: kind, Left: in, Right: right, On: append(expr.Conjuncts(s.Test), pulled...)}
	case expr.SubAll:
		// x <> ALL (q) is NOT (x = ANY (q)).
		if negate {
			return nil
		}
		c, ok := s.Test.(*expr.Call)
		if !ok || c.Op == nil || c.Op.Compare != expr.CmpNE {
			return nil
		}
		eq, err := o.cfg.Registry.Operator(o.cfg.Eval.Settings, "=", c.Args[0], c.Args[1])
		if err != nil {
			return nil
		}
		if len(plan.FreeColumns(sp.Root)) > 0 {
			if !o.neverNull(eq, in, sp.Root) {
				return nil
			}
			right, pulled, ok := o.pullCorrelated(sp.Root, left, true)
			if !ok {
				return nil
			}
			return &plan.Join{Kind: plan.AntiJoin, Left: in, Right: right, On: append([]expr.Expr{eq}, pulled...)}
		}
		return &plan.Join{Kind: plan.AntiJoin, Left: in, Right: sp.Root, On: []expr.Expr{eq}, NullAware: !o.neverNull(eq, in, sp.Root)}
	}
	return nil
}

// neverNull reports whether a comparison has no NULL operand: both are columns of tables declared
// NOT NULL that no outer join below has widened.
func (o *optimizer) neverNull(test expr.Expr, nodes ...plan.Node) bool {
	for _, n := range nodes {
		if hasOuterJoin(n) {
			return false
		}
	}
	ok := true
	for _, e := range expr.Conjuncts(test) {
		c, isCall := e.(*expr.Call)
		if !isCall || c.Op == nil || c.Op.Compare == expr.CmpNone {
			return false
		}
		for _, a := range c.Args {
			switch a := a.(type) {
			case *expr.ColumnRef:
				ok = ok && o.md.Columns[a.Ordinal].NotNull
			case *expr.Const:
				ok = ok && !a.Value.IsNull()
			default:
				ok = false
			}
		}
	}
	return ok
}

func hasOuterJoin(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Join:
		if n.Kind != plan.InnerJoin && n.Kind != plan.SemiJoin && n.Kind != plan.AntiJoin {
			return true
		}
	case *plan.Aggregate:
		if n.Sets != nil {
			return true
		}
	case *plan.SetOp, *plan.CTEScan, *plan.WorkTable:
		return true
	}
	for _, in := range n.Inputs() {
		if hasOuterJoin(in) {
			return true
		}
	}
	return false
}

// stripForExists removes what does not change whether there is a row.
func stripForExists(n plan.Node) plan.Node {
	for {
		switch x := n.(type) {
		case *plan.Project:
			n = x.Input
		case *plan.Sort:
			n = x.Input
		case *plan.Distinct:
			n = x.Input
		case *plan.Limit:
			c, ok := x.Count.(*expr.Const)
			if x.Count != nil && (!ok || c.Value.IsNull() || c.Value.Int() < 1) || x.Offset != nil {
				return n
			}
			n = x.Input
		default:
			return n
		}
	}
}

// pullCorrelated removes the conditions that refer to outer columns from a tree and returns
// them. keep says that the tree's own columns must stay. ok is false if
// correlation remains.
func (o *optimizer) pullCorrelated(n plan.Node, outer plan.ColSet, keep bool) (_ plan.Node, pulled []expr.Expr, ok bool) {
	correlated := false
	for id := range plan.FreeColumns(n) {
		correlated = correlated || outer.Has(id)
	}
	if !correlated {
		return n, nil, true
	}
	switch n := n.(type) {
	case *plan.Filter:
		in, pulled, ok := o.pullCorrelated(n.Input, outer, keep)
		if !ok {
			return nil, nil, false
		}
		var rest []expr.Expr
		for _, c := range n.Conds {
			if mentions(c, outer) {
				if volatile(c) {
					return nil, nil, false
				}
				pulled = append(pulled, c)
			} else {
				rest = append(rest, c)
			}
		}
		return filter(in, rest), pulled, true
	case *plan.Project:
		in, pulled, ok := o.pullCorrelated(n.Input, outer, keep)
		if !ok {
			return nil, nil, false
		}
		for _, it := range n.Items {
			if mentions(it.Expr, outer) {
				return nil, nil, false
			}
		}
		// Columns that the pulled conditions need pass through.
		have := plan.ColSet{}
		c := &plan.Project{Input: in, Items: append([]plan.Item(nil), n.Items...)}
		for _, it := range n.Items {
			have.Add(it.ID)
		}
		produced := plan.SetOf(in.Columns(nil))
		for _, e := range pulled {
			plan.FreeOf(e, func(id plan.ColID) {
				if produced.Has(id) && !have.Has(id) {
					have.Add(id)
					c.Items = append(c.Items, plan.Item{ID: id, Expr: o.md.Ref(id)})
				}
			})
		}
		return c, pulled, true
	case *plan.Join:
		if n.Kind != plan.InnerJoin {
			if n.Kind == plan.RightJoin || n.Kind == plan.FullJoin {
				return nil, nil, false
			}
			for _, e := range n.On {
				if mentions(e, outer) {
					return nil, nil, false
				}
			}
			for id := range plan.FreeColumns(n.Right) {
				if outer.Has(id) {
					return nil, nil, false
				}
			}
			l, pulled, ok := o.pullCorrelated(n.Left, outer, keep)
			if !ok {
				return nil, nil, false
			}
			c := *n
			c.Left = l
			return &c, pulled, true
		}
		l, p1, ok := o.pullCorrelated(n.Left, outer, keep)
		if !ok {
			return nil, nil, false
		}
		r, p2, ok := o.pullCorrelated(n.Right, outer, keep)
		if !ok {
			return nil, nil, false
		}
		c := &plan.Join{Kind: plan.InnerJoin, Left: l, Right: r}
		pulled := append(p1, p2...)
		for _, e := range n.On {
			if mentions(e, outer) {
				pulled = append(pulled, e)
			} else {
				c.On = append(c.On, e)
			}
		}
		return c, pulled, true
	case *plan.Sort:
		in, pulled, ok := o.pullCorrelated(n.Input, outer, keep)
		if !ok {
			return nil, nil, false
		}
		return in, pulled, true // order means nothing under a join
	}
	return nil, nil, false
}

// decorrelateRows is the estimated number of outer rows from which it is better to
// compute a correlated aggregate for all groups at once than for each row.
const decorrelateRows = 200

// scalarJoins replaces correlated scalar aggregates in conditions by outer joins with a grouped
// aggregate.
func (o *optimizer) scalarJoins(in plan.Node, conds []expr.Expr) ([]expr.Expr, plan.Node) {
	out := make([]expr.Expr, len(conds))
	for i, c := range conds {
		out[i], in = o.scalarJoin(c, in)
	}
	return out, in
}

func (o *optimizer) scalarJoinItems(items []plan.Item, in plan.Node) ([]plan.Item, plan.Node) {
	out := make([]plan.Item, len(items))
	for i, it := range items {
		out[i].ID = it.ID
		out[i].Expr, in = o.scalarJoin(it.Expr, in)
	}
	return out, in
}

func (o *optimizer) scalarJoin(e expr.Expr, in plan.Node) (expr.Expr, plan.Node) {
	if !hasSubquery(e) {
		return e, in
	}
	e = expr.Transform(e, func(e expr.Expr) expr.Expr {
		s, ok := e.(*expr.Subquery)
		if !ok || s.Kind != expr.SubScalar {
			return e
		}
		x, j := o.joinScalar(s, in)
		if j == nil {
			return e
		}
		in = j
		return x
	})
	return e, in
}

// joinScalar turns (SELECT f(agg) FROM x WHERE x.k = outer.k) into a left join with x grouped by k.
func (o *optimizer) joinScalar(s *expr.Subquery, in plan.Node) (expr.Expr, plan.Node) {
	sp := s.Plan.(*plan.Subplan)
	left := plan.SetOf(in.Columns(nil))
	free := plan.FreeColumns(sp.Root)
	if len(free) == 0 {
		return nil, nil
	}
	for id := range free {
		if !left.Has(id) {
			return nil, nil
		}
	}
	p, ok := sp.Root.(*plan.Project)
	if !ok || len(sp.Cols) != 1 {
		return nil, nil
	}
	agg, ok := p.Input.(*plan.Aggregate)
	if !ok || len(agg.Keys) > 0 || agg.Sets != nil {
		return nil, nil
	}
	if o.estimateRows(in) < decorrelateRows {
		return nil, nil
	}
	bad := false
	plan.EachExpr(agg, func(e expr.Expr) { bad = bad || mentions(e, left) || volatile(e) })
	var value expr.Expr
	for _, it := range p.Items {
		if it.ID == sp.Cols[0] {
			value = it.Expr
		}
	}
	if bad || value == nil || volatile(value) || hasSubquery(value) {
		return nil, nil
	}
	right, pulled, ok := o.pullCorrelated(agg.Input, left, true)
	if !ok || len(pulled) == 0 {
		return nil, nil
	}
	inner := plan.SetOf(right.Columns(nil))
	grouped := &plan.Aggregate{Input: right, Aggs: agg.Aggs, GroupingID: plan.NoCol}
	var on []expr.Expr
	for _, e := range pulled {
		c, ok := e.(*expr.Call)
		if !ok || c.Op == nil || c.Op.Compare != expr.CmpEQ {
			return nil, nil
		}
		k := 0
		if mentions(c.Args[0], left) {
			k = 1
		}
		if mentions(c.Args[k], left) || mentions(c.Args[1-k], inner) || !expr.Orderable(c.Args[k].Type()) {
			return nil, nil
		}
		id := plan.NoCol
		if ref, ok := c.Args[k].(*expr.ColumnRef); ok {
			id = plan.ColID(ref.Ordinal)
		} else {
			id = o.md.NewColumn(plan.Column{Name: "?column?", T: c.Args[k].Type()})
		}
		args := []expr.Expr{c.Args[0], c.Args[1]}
		args[k] = o.md.Ref(id)
		on = append(on, c.WithChildren(args))
		dup := false
		for _, have := range grouped.Keys {
			dup = dup || have.ID == id
		}
		if !dup {
			grouped.Keys = append(grouped.Keys, plan.Item{ID: id, Expr: c.Args[k]})
		}
	}
	zero := map[plan.ColID]bool{}
	for _, a := range agg.Aggs {
		switch a.Call.Call.Fn.Name {
		case "count", "regr_count":
			zero[a.ID] = true
		}
	}
	value = plan.Substitute(value, func(id plan.ColID) expr.Expr {
		if zero[id] {
			return &expr.Coalesce{Args: []expr.Expr{o.md.Ref(id), expr.NewConst(types.Int8, types.NewInt(0))}, T: types.Int8}
		}
		return nil
	})
	if !value.Type().Identical(s.T) && !value.Type().Same(s.T) {
		return nil, nil
	}
	return value, &plan.Join{Kind: plan.LeftJoin, Left: in, Right: grouped, On: on}
}
