package opt

import (
	"math"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

func (o *optimizer) planWindow(n *plan.Window, req *request) *phys {
	sub := &request{cols: plan.ColSet{}}
	own := plan.ColSet{}
	for _, f := range n.Funcs {
		own.Add(f.ID)
	}
	for id := range req.cols {
		if !own.Has(id) {
			sub.cols.Add(id)
		}
	}
	plan.EachExpr(n, func(e expr.Expr) { sub = sub.with(e) })
	// Partition and order expressions become columns, so that the input can be sorted by them.
	var items []plan.Item
	column := func(e expr.Expr) plan.ColID {
		if ref, ok := e.(*expr.ColumnRef); ok {
			return plan.ColID(ref.Ordinal)
		}
		id := o.md.NewColumn(plan.Column{Name: "?column?", T: e.Type()})
		items = append(items, plan.Item{ID: id, Expr: e})
		return id
	}
	var part []plan.ColID
	var order, keys []plan.SortKey
	for _, p := range n.Partition {
		if expr.IsRowIndependent(p) {
			continue
		}
		id := column(p)
		part = append(part, id)
		keys = append(keys, plan.SortKey{ID: id})
	}
	for _, k := range n.OrderBy {
		sk := plan.SortKey{ID: column(k.Expr), Desc: k.Desc, NullsFirst: k.NullsFirst}
		order = append(order, sk)
		keys = append(keys, sk)
	}
	keys = o.usefulKeys(keys)
	if len(items) == 0 {
		sub.order = keys
	}
	in := o.plan(n.Input, sub)
	if len(items) > 0 {
		all := make([]plan.Item, 0, len(in.cols())+len(items))
		for _, c := range in.cols() {
			all = append(all, plan.Item{ID: c.ID, Expr: o.md.Ref(c.ID)})
		}
		in = o.projectPhys(in, append(all, items...))
	}
	in = o.sortPhys(in, keys, nil, nil)
	lay := in.layout()
	node := &plan.PWindow{Input: in.node}
	for _, id := range part {
		node.Partition = append(node.Partition, lay[id])
	}
	node.OrderBy = o.lowerKeys(order, lay)
	cols := in.cols()[:len(in.cols()):len(in.cols())]
	for _, f := range n.Funcs {
		pf := plan.PWindowFunc{Call: o.lowerAgg(f.Call, lay), Frame: f.Frame}
		for i, e := range f.Offset {
			if e != nil {
				pf.Offset[i] = o.lower(e, layout{})
				if f.Frame.Mode == 0 && node.RangeArith == nil && len(order) == 1 {
					node.RangeArith = o.rangeArith(o.md.Columns[order[0].ID].T, e.Type())
				}
			}
		}
		node.Funcs = append(node.Funcs, pf)
		cols = append(cols, o.physCol(f.ID))
	}
	b := in.base()
	node.PhysBase = o.baseOf(cols, b.Rows, b.Startup, b.Total+b.Rows*costScanRow*float64(len(n.Funcs)))
	return &phys{node: node, order: in.order}
}

// rangeArith builds key - offset and key + offset; nil if there are no such operators.
func (o *optimizer) rangeArith(key, offset *types.T) []expr.Expr {
	var out []expr.Expr
	for _, op := range []string{"-", "+"} {
		x, err := o.cfg.Registry.Operator(o.cfg.Eval.Settings, op, &expr.ColumnRef{Ordinal: 0, T: key}, &expr.ColumnRef{Ordinal: 1, T: offset})
		if err != nil {
			return nil
		}
		if !x.Type().Same(key) {
			if x, err = expr.NewCast(o.cfg.Eval.Settings, x, key); err != nil {
				return nil
			}
		}
		out = append(out, x)
	}
	return out
}

func (o *optimizer) lowerAgg(ac *plan.AggCall, lay layout) *plan.PAgg {
	c := ac.MapExprs(func(e expr.Expr) expr.Expr { return o.lower(e, lay) })
	return &plan.PAgg{Call: c.Call, Star: c.Star, Distinct: c.Distinct, OrderBy: c.OrderBy, Filter: c.Filter}
}

func (o *optimizer) planAggregate(n *plan.Aggregate, having []expr.Expr, req *request) *phys {
	if ph := o.minMaxByIndex(n, having, req); ph != nil {
		return ph
	}
	sub := &request{cols: plan.ColSet{}}
	used := req.with(having...).cols
	var aggs []plan.AggItem
	for _, a := range n.Aggs {
		if used.Has(a.ID) {
			aggs = append(aggs, a)
		}
	}
	for _, k := range n.Keys {
		sub = sub.with(k.Expr)
	}
	for _, a := range aggs {
		a.Call.EachExpr(func(e expr.Expr) { sub = sub.with(e) })
	}
	produced := plan.SetOf(n.Input.Columns(nil))
	for id := range sub.cols {
		if !produced.Has(id) {
			delete(sub.cols, id)
		}
	}
	// Sorted input makes grouping a comparison with the row before.
	var keyOrder []plan.SortKey
	plain := n.Sets == nil && len(n.Keys) > 0
	for _, k := range n.Keys {
		ref, ok := k.Expr.(*expr.ColumnRef)
		if !ok {
			plain = false
			break
		}
		keyOrder = append(keyOrder, plan.SortKey{ID: plan.ColID(ref.Ordinal)})
	}
	if plain && len(req.order) > 0 && len(req.order) <= len(keyOrder) {
		// Group in the order that is wanted above.
		want := plan.ColSet{}
		var front []plan.SortKey
		for _, k := range req.order {
			for _, it := range n.Keys {
				if it.ID == k.ID {
					front = append(front, plan.SortKey{ID: plan.ColID(it.Expr.(*expr.ColumnRef).Ordinal), Desc: k.Desc, NullsFirst: k.NullsFirst})
					want.Add(front[len(front)-1].ID)
				}
			}
		}
		if len(front) == len(req.order) {
			for _, k := range keyOrder {
				if !want.Has(k.ID) {
					front = append(front, k)
				}
			}
			keyOrder = front
		}
	}
	if plain {
		if o.orderedScan(n.Input, keyOrder) {
			sub.order = keyOrder
		}
	}
	in := o.plan(n.Input, sub)
	lay := in.layout()
	node := &plan.PAggregate{Input: in.node, Sets: n.Sets, GroupingID: n.GroupingID != plan.NoCol}
	var cols []plan.PhysCol
	for _, k := range n.Keys {
		node.Keys = append(node.Keys, o.lower(k.Expr, lay))
		cols = append(cols, o.physCol(k.ID))
	}
	for _, a := range aggs {
		node.Aggs = append(node.Aggs, *o.lowerAgg(a.Call, lay))
		cols = append(cols, o.physCol(a.ID))
	}
	if node.GroupingID {
		cols = append(cols, o.physCol(n.GroupingID))
	}
	b := in.base()
	rows := 1.0
	startup, total := b.Total, b.Total+b.Rows*costCond*float64(max(len(aggs), 1))
	var order []plan.SortKey
	switch {
	case len(n.Keys) == 0:
		node.Strategy = plan.AggPlain
		rows = float64(max(len(n.Sets), 1))
	case plain && len(keyOrder) == len(n.Keys) && satisfies(in.order, keyOrder):
		node.Strategy = plan.AggSorted
		rows = o.groups(n.Keys, b.Rows)
		startup = b.Startup
		order = in.order[:len(keyOrder)]
	default:
		node.Strategy = plan.AggHashed
		rows = o.groups(n.Keys, b.Rows) * float64(max(len(n.Sets), 1))
		total += b.Rows * costHashBuild
		startup = total
	}
	node.PhysBase = o.baseOf(cols, rows, startup, total)
	if len(having) > 0 {
		node.Having = o.lowerAll(having, layoutOf(cols))
		node.Rows = max(math.Round(rows*o.conjunction(having)), 1)
	}
	return &phys{node: node, order: order}
}

// orderedScan reports whether a scan below could yield the order without a sort.
func (o *optimizer) orderedScan(n plan.Node, order []plan.SortKey) bool {
	switch n := n.(type) {
	case *plan.Scan:
		if n.Rel.Table == nil {
			return false
		}
		for x := range n.Rel.Table.AllIndexes {
			if !x.State.Readable() || x.Predicate != nil {
				continue
			}
			if ok, _ := o.matchOrder(n.Rel, x, &path{fixed: map[int]bool{}}, order); ok {
				return true
			}
		}
	case *plan.Filter:
		if s, ok := n.Input.(*plan.Scan); ok {
			return o.orderedScan(s, order)
		}
	}
	return false
}

// minMaxByIndex answers SELECT min(x) FROM t by the first entry of an index.
func (o *optimizer) minMaxByIndex(n *plan.Aggregate, having []expr.Expr, req *request) *phys {
	if len(n.Keys) > 0 || n.Sets != nil || len(n.Aggs) == 0 || len(n.Aggs) > 4 {
		return nil
	}
	var conds []expr.Expr
	in := n.Input
	if f, ok := in.(*plan.Filter); ok {
		conds, in = f.Conds, f.Input
	}
	scan, ok := in.(*plan.Scan)
	if !ok || scan.Rel.Table == nil {
		return nil
	}
	for _, c := range conds {
		if hasSubquery(c) || volatile(c) {
			return nil
		}
	}
	items := make([]plan.Item, 0, len(n.Aggs))
	for _, a := range n.Aggs {
		c := a.Call
		name := c.Call.Fn.Name
		if name != "min" && name != "max" || c.Filter != nil || len(c.Call.Args) != 1 {
			return nil
		}
		ref, ok := c.Call.Args[0].(*expr.ColumnRef)
		if !ok || !c.Call.T.Same(ref.T) {
			return nil
		}
		id := plan.ColID(ref.Ordinal)
		col := &o.md.Columns[id]
		if col.Rel != scan.Rel || col.Ord < 0 {
			return nil
		}
		order := []plan.SortKey{{ID: id, Desc: name == "max", NullsFirst: name == "max"}}
		all := append(conds[:len(conds):len(conds)], &expr.IsNull{Arg: ref, Not: true})
		found := false
		for _, p := range o.paths(scan.Rel, all, plan.SetOf([]plan.ColID{id}), order) {
			found = found || p.ordered
		}
		if !found {
			// Another position of NULLs serves as well, as they are filtered out.
			order[0].NullsFirst = !order[0].NullsFirst
			for _, p := range o.paths(scan.Rel, all, plan.SetOf([]plan.ColID{id}), order) {
				found = found || p.ordered
			}
		}
		if !found {
			return nil
		}
		one := expr.NewConst(types.Int8, types.NewInt(1))
		root := &plan.Limit{Count: one, Input: &plan.Sort{Keys: order, Input: filter(scan, all)}}
		sub := &expr.Subquery{Kind: expr.SubScalar, T: c.Call.T, ID: o.md.Subqueries,
			Plan: &plan.Subplan{Root: root, Cols: []plan.ColID{id}, Normal: true}}
		sub.Correlated = len(plan.FreeColumns(root)) > 0
		o.md.Subqueries++
		items = append(items, plan.Item{ID: a.ID, Expr: sub})
	}
	row := &plan.PValues{Rows: [][]expr.Expr{{}}}
	row.PhysBase = o.baseOf(nil, 1, 0, 0.01)
	return o.filterPhys(o.projectPhys(&phys{node: row}, items), having)
}
