package opt

import (
	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

const (
	noKeyUpdate = kv.LockNoKeyUpdate
	forUpdate   = kv.LockUpdate
)

func oidConst(id catalog.ID) expr.Expr {
	return expr.NewConst(types.Oid, types.NewInt(int64(id)))
}

// leaf is an input of a group of inner joins.
type leaf struct {
	node plan.Node
	// scan and conds are set if node is a table scan, perhaps filtered: then the join may look rows up.
	scan  *plan.Scan
	conds []expr.Expr
	cols  plan.ColSet
	// lateral says that the node refers to columns of other leaves.
	lateral bool
}

func newLeaf(n plan.Node) *leaf {
	l := &leaf{node: n, cols: plan.SetOf(n.Columns(nil))}
	switch x := n.(type) {
	case *plan.Scan:
		l.scan = x
	case *plan.Filter:
		if s, ok := x.Input.(*plan.Scan); ok {
			l.scan, l.conds = s, x.Conds
		}
	}
	if l.scan != nil && (l.scan.Rel.Table == nil || l.scan.Lock != nil) {
		l.scan, l.conds = nil, nil
	}
	return l
}

// flatten collects the leaves and conditions of nested inner joins.
func flatten(n plan.Node, leaves []*leaf, conds []expr.Expr) ([]*leaf, []expr.Expr) {
	switch x := n.(type) {
	case *plan.Join:
		if x.Kind == plan.InnerJoin {
			leaves, conds = flatten(x.Left, leaves, conds)
			leaves, conds = flatten(x.Right, leaves, conds)
			return leaves, append(conds, x.On...)
		}
	case *plan.Filter:
		if j, ok := x.Input.(*plan.Join); ok && j.Kind == plan.InnerJoin {
			plain := true
			for _, c := range x.Conds {
				plain = plain && !volatile(c) && !hasSubquery(c)
			}
			if plain {
				leaves, conds = flatten(j, leaves, conds)
				return leaves, append(conds, x.Conds...)
			}
		}
	}
	return append(leaves, newLeaf(n)), conds
}

func (o *optimizer) planJoin(n *plan.Join, req *request) *phys {
	if n.Kind != plan.InnerJoin {
		return o.planBinary(n, req)
	}
	leaves, conds := flatten(n, nil, nil)
	need := req.with(conds...).cols
	var all plan.ColSet = plan.ColSet{}
	for _, l := range leaves {
		for id := range l.cols {
			all.Add(id)
		}
	}
	lateral := false
	for _, l := range leaves {
		for id := range plan.FreeColumns(l.node) {
			if all.Has(id) && !l.cols.Has(id) {
				l.lateral, lateral = true, true
			}
		}
		for id := range plan.FreeColumns(l.node) {
			if all.Has(id) {
				need.Add(id)
			}
		}
	}
	if lateral || len(leaves) > 64 {
		return o.joinInOrder(leaves, conds, need)
	}
	conds = toLeaves(leaves, conds)
	best := o.orderGroup(leaves, conds, need, nil, 0)
	if len(req.order) > 0 {
		// Perhaps the leading input can come in the wanted order.
		for _, l := range leaves {
			if allIn(req.order, l.cols) {
				if alt := o.orderGroup(leaves, conds, need, &ordered{leaf: l, order: req.order}, req.limit); alt != nil && satisfies(alt.order, req.order) {
					a, b := effective(alt, req.limit, false), effective(best, req.limit, true)
					if a < b {
						best = alt
					}
				}
			}
		}
	}
	return best
}

// toLeaves makes conditions about a single leaf part of it, and returns the others.
func toLeaves(leaves []*leaf, conds []expr.Expr) []expr.Expr {
	var rest []expr.Expr
	for _, c := range conds {
		at, n := -1, 0
		for i, l := range leaves {
			if mentions(c, l.cols) {
				at = i
				n++
			}
		}
		if n != 1 {
			rest = append(rest, c)
			continue
		}
		lateral := leaves[at].lateral
		leaves[at] = newLeaf(filter(leaves[at].node, []expr.Expr{c}))
		leaves[at].lateral = lateral
	}
	return rest
}

// effective is the cost of a plan for a reader that stops after limit rows.
func effective(p *phys, limit float64, sorted bool) float64 {
	b := p.base()
	if sorted {
		return b.Total + sortCost(b.Rows)
	}
	if limit > 0 && b.Rows > limit {
		return b.Startup + (b.Total-b.Startup)*limit/b.Rows
	}
	return b.Total
}

func allIn(keys []plan.SortKey, cols plan.ColSet) bool {
	for _, k := range keys {
		if !cols.Has(k.ID) {
			return false
		}
	}
	return true
}

// ordered asks for one leaf in an order, and for joins that keep it on the outer side.
type ordered struct {
	leaf  *leaf
	order []plan.SortKey
}

func (o *optimizer) leafRequest(l *leaf, need plan.ColSet) *request {
	r := &request{cols: plan.ColSet{}}
	for id := range need {
		if l.cols.Has(id) {
			r.cols.Add(id)
		}
	}
	return r
}

// orderGroup finds the cheapest order of an inner join group.
func (o *optimizer) orderGroup(leaves []*leaf, conds []expr.Expr, need plan.ColSet, ord *ordered, limit float64) *phys {
	sets := make([]relSet, len(conds))
	for i, c := range conds {
		plan.FreeOf(c, func(id plan.ColID) {
			for k, l := range leaves {
				if l.cols.Has(id) {
					sets[i] |= 1 << k
				}
			}
		})
	}
	plans := make([]*phys, len(leaves))
	for i, l := range leaves {
		r := o.leafRequest(l, need)
		if ord != nil && ord.leaf == l {
			r.order, r.limit = ord.order, limit
			for _, k := range ord.order {
				r.cols.Add(k.ID)
			}
		}
		plans[i] = o.plan(l.node, r)
	}
	applicable := func(ls, rs relSet) []expr.Expr {
		var on []expr.Expr
		for i, c := range conds {
			s := sets[i]
			if s.subsetOf(ls|rs) && !s.subsetOf(ls) && !s.subsetOf(rs) {
				on = append(on, c)
			}
		}
		return on
	}
	connected := func(l, r relSet) bool {
		for _, s := range sets {
			if s.overlaps(l) && s.overlaps(r) && s.subsetOf(l|r) {
				return true
			}
		}
		return false
	}
	join := func(l, r *phys, ls, rs relSet) (*phys, bool) {
		on := applicable(ls, rs)
		var best *phys
		try := func(l, r *phys, ls, rs relSet) {
			var rl *leaf
			if rs.single() {
				rl = leaves[rs.first()]
			}
			p := o.bestJoin(plan.InnerJoin, l, r, rl, on, need, false)
			if best == nil || p.cost() < best.cost() {
				best = p
			}
		}
		if ord != nil {
			// The ordered leaf stays outermost on the left.
			k := indexOf(leaves, ord.leaf)
			if rs.has(k) {
				l, r, ls, rs = r, l, rs, ls
			}
			if ls.has(k) {
				try(l, r, ls, rs)
				return best, true
			}
		}
		try(l, r, ls, rs)
		try(r, l, rs, ls)
		return best, true
	}
	out := orderJoins(len(leaves), func(i int) *phys { return plans[i] }, join, connected, (*phys).cost)
	// Conditions without any column of the group (constants, outer columns) filter the result.
	var rest []expr.Expr
	for i, c := range conds {
		if sets[i] == 0 {
			rest = append(rest, c)
		}
	}
	return o.filterPhys(out, rest)
}

func indexOf(leaves []*leaf, l *leaf) int {
	for i, x := range leaves {
		if x == l {
			return i
		}
	}
	return -1
}

// joinInOrder joins as written; lateral leaves see those to their left.
func (o *optimizer) joinInOrder(leaves []*leaf, conds []expr.Expr, need plan.ColSet) *phys {
	done := make([]bool, len(conds))
	have := plan.ColSet{}
	take := func() []expr.Expr {
		var on []expr.Expr
		for i, c := range conds {
			if done[i] {
				continue
			}
			ok := true
			plan.FreeOf(c, func(id plan.ColID) {
				for _, l := range leaves {
					if l.cols.Has(id) && !have.Has(id) {
						ok = false
					}
				}
			})
			if ok {
				done[i] = true
				on = append(on, c)
			}
		}
		return on
	}
	var out *phys
	for i, l := range leaves {
		for id := range l.cols {
			have.Add(id)
		}
		on := take()
		switch {
		case i == 0:
			out = o.filterPhys(o.plan(l.node, o.leafRequest(l, need)), on)
		case l.lateral:
			out = o.lateralJoin(plan.InnerJoin, out, l.node, o.leafRequest(l, need), on, need)
		default:
			r := o.plan(l.node, o.leafRequest(l, need))
			out = o.bestJoin(plan.InnerJoin, out, r, l, on, need, false)
		}
	}
	return out
}

// lateralJoin runs the right side for each left row.
func (o *optimizer) lateralJoin(kind plan.JoinKind, l *phys, right plan.Node, rreq *request, on []expr.Expr, need plan.ColSet) *phys {
	o.outer = append(o.outer, l.layout())
	r := o.plan(right, rreq)
	o.outer = o.outer[:len(o.outer)-1]
	node := &plan.PNestLoop{Kind: kind, Left: l.node, Right: r.node, Lateral: true}
	node.On = o.lowerAll(on, concat(l.cols(), r.cols()))
	cols, pos := outColumns(kind, l, r.cols(), need)
	node.Out = pos
	rows := joinRows(kind, l.rows(), r.rows(), o.conjunction(on))
	node.PhysBase = o.baseOf(cols, rows, l.base().Startup, l.cost()+l.rows()*(r.cost()+costSeek))
	return &phys{node: node, order: keptOrder(kind, l)}
}

// keptOrder is the order of a join's rows: the left side's, except that the right rows without a
// partner of a full join come last.
func keptOrder(kind plan.JoinKind, l *phys) []plan.SortKey {
	if kind == plan.FullJoin {
		return nil
	}
	return l.order
}

// outColumns picks the columns of a join that are needed, as positions in the left row followed by the right.
func outColumns(kind plan.JoinKind, l *phys, r []plan.PhysCol, need plan.ColSet) (cols []plan.PhysCol, pos []int) {
	for i, c := range l.cols() {
		if need.Has(c.ID) {
			cols, pos = append(cols, c), append(pos, i)
		}
	}
	if kind == plan.SemiJoin || kind == plan.AntiJoin {
		return cols, pos
	}
	for i, c := range r {
		if need.Has(c.ID) {
			cols, pos = append(cols, c), append(pos, len(l.cols())+i)
		}
	}
	return cols, pos
}

// planBinary plans a join that is not inner.
func (o *optimizer) planBinary(n *plan.Join, req *request) *phys {
	need := req.with(n.On...).cols
	leftCols := plan.SetOf(n.Left.Columns(nil))
	lateral := false
	for id := range plan.FreeColumns(n.Right) {
		if leftCols.Has(id) {
			lateral = true
			need.Add(id)
		}
	}
	ll, rl := newLeaf(n.Left), newLeaf(n.Right)
	lreq := o.leafRequest(ll, need)
	if n.Kind != plan.FullJoin && allIn(req.order, ll.cols) {
		lreq.order, lreq.limit = req.order, req.limit
	}
	out := req.cols
	l := o.plan(n.Left, lreq)
	if lateral {
		return o.lateralJoin(n.Kind, l, n.Right, o.leafRequest(rl, need), n.On, out)
	}
	r := o.plan(n.Right, o.leafRequest(rl, need))
	return o.bestJoin(n.Kind, l, r, rl, n.On, out, n.NullAware)
}

// equiKeys splits join conditions into equalities between the sides and the rest.
func (o *optimizer) equiKeys(l, r *phys, on []expr.Expr) (lk, rk, keyConds, rest []expr.Expr) {
	ls, rs := plan.ColSet{}, plan.ColSet{}
	for _, c := range l.cols() {
		ls.Add(c.ID)
	}
	for _, c := range r.cols() {
		rs.Add(c.ID)
	}
	side := func(e expr.Expr) int { // 1 left, 2 right, 0 neither, 3 both
		s := 0
		plan.FreeOf(e, func(id plan.ColID) {
			if ls.Has(id) {
				s |= 1
			}
			if rs.Has(id) {
				s |= 2
			}
		})
		return s
	}
	for _, e := range on {
		c, ok := e.(*expr.Call)
		if ok && c.Op != nil && c.Op.Compare == expr.CmpEQ && c.Args[0].Type().Family == c.Args[1].Type().Family && !volatile(c) && !hasSubquery(c) {
			a, b := side(c.Args[0]), side(c.Args[1])
			switch {
			case a == 1 && b == 2:
				lk, rk, keyConds = append(lk, c.Args[0]), append(rk, c.Args[1]), append(keyConds, c)
				continue
			case a == 2 && b == 1:
				lk, rk, keyConds = append(lk, c.Args[1]), append(rk, c.Args[0]), append(keyConds, c)
				continue
			}
		}
		rest = append(rest, e)
	}
	return lk, rk, keyConds, rest
}

// bestJoin picks the cheapest method to join l and r. rl describes the right side if it is a single leaf.
func (o *optimizer) bestJoin(kind plan.JoinKind, l, r *phys, rl *leaf, on []expr.Expr, need plan.ColSet, nullAware bool) *phys {
	var best *phys
	consider := func(p *phys) {
		if p != nil && (best == nil || p.cost() < best.cost()) {
			best = p
		}
	}
	rows := joinRows(kind, l.rows(), r.rows(), o.conjunction(on))
	lk, rk, keyConds, rest := o.equiKeys(l, r, on)
	both := concat(l.cols(), r.cols())
	cols, pos := outColumns(kind, l, r.cols(), need)
	if len(lk) > 0 && !(nullAware && (len(lk) != 1 || len(rest) > 0)) {
		node := &plan.PHashJoin{Kind: kind, Left: l.node, Right: r.node, NullAware: nullAware, Out: pos}
		node.LeftKeys, node.RightKeys = o.lowerAll(lk, l.layout()), o.lowerAll(rk, r.layout())
		node.KeyConds = o.lowerAll(keyConds, both)
		node.On = o.lowerAll(rest, both)
		startup := r.cost() + r.rows()*costHashBuild + l.base().Startup
		cost := startup + l.cost() - l.base().Startup + l.rows()*costHashProbe + rows*costOutRow
		if o.cfg.Disable.HashJoin {
			cost += 1e10
		}
		node.PhysBase = o.baseOf(cols, rows, startup, cost)
		consider(&phys{node: node, order: keptOrder(kind, l)})
	}
	if rl != nil && rl.scan != nil && !nullAware && kind != plan.FullJoin {
		consider(o.lookupJoin(kind, l, rl, on, need, rows))
	}
	if best == nil || kind != plan.FullJoin {
		node := &plan.PNestLoop{Kind: kind, Left: l.node, Right: r.node, Out: pos}
		node.On = o.lowerAll(on, both)
		cost := l.cost() + r.cost() + l.rows()*r.rows()*(costCond*float64(1+len(on))) + rows*costOutRow
		if o.cfg.Disable.NestLoop {
			cost += 1e10
		}
		if nullAware {
			// x NOT IN: a comparison that is NULL excludes the row as well.
			node.On = []expr.Expr{&expr.IsTruth{Arg: o.lower(expr.Conjunction(on), both), Want: expr.IsFalse, Not: true}}
		}
		node.PhysBase = o.baseOf(cols, rows, l.base().Startup+r.cost(), cost)
		consider(&phys{node: node, order: keptOrder(kind, l)})
	}
	return best
}

// lookupJoin finds right rows through an index by keys made from left rows; nil if no index
// fits.
func (o *optimizer) lookupJoin(kind plan.JoinKind, l *phys, rl *leaf, on []expr.Expr, need plan.ColSet, rows float64) *phys {
	rel := rl.scan.Rel
	t := rel.Table
	conds := append(append([]expr.Expr(nil), on...), rl.conds...)
	all := o.sargs(rel, conds)
	var ss []sarg
	for _, s := range all {
		if s.op == expr.CmpEQ && len(s.values) == 1 && !s.isNull {
			ss = append(ss, s)
		}
	}
	if len(ss) == 0 {
		return nil
	}
	leftCols := plan.ColSet{}
	for _, c := range l.cols() {
		leftCols.Add(c.ID)
	}
	needRight := plan.ColSet{}
	for id := range need {
		needRight.Add(id)
	}
	tableRows := o.tableRows(rel)
	var best *phys
	for x := range t.AllIndexes {
		if !x.State.Readable() || x.Predicate != nil && !o.impliesPredicate(rel, x, conds) {
			continue
		}
		p := o.matchIndex(t, x, ss)
		if p == nil || p.bounds == nil {
			continue
		}
		usesLeft := false
		keys := make([]expr.Expr, 0, len(p.bounds.Prefix))
		for _, part := range p.bounds.Prefix {
			keys = append(keys, part.Values[0])
			usesLeft = usesLeft || mentions(part.Values[0], leftCols)
		}
		if !usesLeft {
			continue
		}
		var rest, keyConds []expr.Expr
		for i, c := range conds {
			if p.used[i] {
				keyConds = append(keyConds, c)
				continue
			}
			rest = append(rest, c)
		}
		used := plan.ColSet{}
		for id := range needRight {
			used.Add(id)
		}
		for _, c := range rest {
			plan.FreeOf(c, func(id plan.ColID) { used.Add(id) })
		}
		node := &plan.PLookupJoin{Kind: kind, Left: l.node, Table: t, Alias: rel.Alias, Index: x}
		rcols, ords := o.scanCols(rel, used)
		node.RightCols, node.Ords = rcols, ords
		node.Covering = x == &t.Primary || covers(t, x, rel, used)
		node.Keys = o.lowerAll(keys, l.layout())
		both := concat(l.cols(), rcols)
		node.On = o.lowerAll(rest, both)
		// Conditions are shown by EXPLAIN over a row that has the key columns as well.
		node.KeyConds = o.lowerAll(keyConds, concat(l.cols(), o.physCols(rl.node.Columns(nil))))
		node.KeyCols = o.physCols(rl.node.Columns(nil))
		cols, pos := outColumns(kind, l, rcols, need)
		node.Out = pos
		each := max(tableRows*p.sel, 0.1)
		if p.unique {
			each = min(each, 1)
		}
		perRow := costScanRow
		if !node.Covering {
			perRow += costLookup
		}
		lookup := costBatchRead
		if !p.unique {
			lookup = costSeek
		}
		cost := l.cost() + costLookup + l.rows()*(lookup+each*perRow) + rows*costOutRow
		if l.rows() > 64 && p.unique {
			cost += l.rows() * costBatchRead
		}
		node.PhysBase = o.baseOf(cols, rows, l.base().Startup, cost)
		if best == nil || cost < best.cost() {
			best = &phys{node: node, order: keptOrder(kind, l)}
		}
	}
	return best
}
