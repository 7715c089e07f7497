package opt

import (
	"fmt"
	"math"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// request is what a node is planned for.
type request struct {
	// cols are the columns that are needed.
	cols plan.ColSet
	// order is the order that would be welcome: the planner of the node provides it if that is cheaper than a
	// sort. The result says whether it did.
	order []plan.SortKey
	// limit is the number of rows that will probably be read, 0 for all.
	limit float64
}

func (r *request) with(es ...expr.Expr) *request {
	c := &request{cols: plan.ColSet{}, order: r.order, limit: r.limit}
	for id := range r.cols {
		c.cols.Add(id)
	}
	for _, e := range es {
		if e != nil {
			plan.FreeOf(e, func(id plan.ColID) { c.cols.Add(id) })
		}
	}
	return c
}

// all is the request without order and limit.
func (r *request) all() *request { return &request{cols: r.cols} }

// phys is a planned node.
type phys struct {
	node plan.PhysNode
	// order is the order of the rows, as far as it is known.
	order []plan.SortKey
	// unique columns: no two rows are equal in all of them. Nil if unknown.
}

func (p *phys) base() *plan.PhysBase { return p.node.Phys() }
func (p *phys) cols() []plan.PhysCol { return p.node.Phys().Cols }
func (p *phys) layout() layout       { return layoutOf(p.cols()) }
func (p *phys) rows() float64        { return p.node.Phys().Rows }
func (p *phys) cost() float64        { return p.node.Phys().Total }

func (o *optimizer) physCol(id plan.ColID) plan.PhysCol {
	c := &o.md.Columns[id]
	pc := plan.PhysCol{ID: id, T: c.T, Name: c.Name}
	if c.Rel != nil {
		pc.Qualifier = c.Rel.Alias
	}
	return pc
}

func width(cols []plan.PhysCol) int {
	w := 0
	for _, c := range cols {
		switch {
		case c.T.Len > 0:
			w += int(c.T.Len)
		default:
			w += 32
		}
	}
	return w
}

func (o *optimizer) baseOf(cols []plan.PhysCol, rows, startup, total float64) plan.PhysBase {
	return plan.PhysBase{Cols: cols, Rows: max(math.Round(rows), 1), Startup: startup, Total: total, Width: width(cols)}
}

// satisfies reports whether rows in order have are also in order want.
func satisfies(have, want []plan.SortKey) bool {
	if len(want) > len(have) {
		return false
	}
	for i := range want {
		if have[i] != want[i] {
			return false
		}
	}
	return true
}

// plan plans a normalised logical node.
func (o *optimizer) plan(n plan.Node, req *request) *phys {
	switch n := n.(type) {
	case *plan.Scan:
		return o.planScan(n, nil, req)
	case *plan.Filter:
		return o.planFilter(n, req)
	case *plan.Project:
		return o.planProject(n, req)
	case *plan.Values:
		return o.planValues(n, req)
	case *plan.FuncScan:
		return o.planFuncScan(n)
	case *plan.Join:
		return o.planJoin(n, req)
	case *plan.Aggregate:
		return o.planAggregate(n, nil, req)
	case *plan.Window:
		return o.planWindow(n, req)
	case *plan.ProjectSet:
		return o.planProjectSet(n, req)
	case *plan.Distinct:
		return o.planDistinct(n, req)
	case *plan.Sort:
		return o.planSort(n, req, nil, nil)
	case *plan.Limit:
		return o.planLimit(n, req)
	case *plan.SetOp:
		return o.planSetOp(n, req)
	case *plan.CTEScan:
		return o.planCTEScan(n)
	case *plan.WorkTable:
		node := &plan.PWorkTable{CTE: o.ctes[n.CTE], Alias: n.Alias}
		node.PhysBase = o.baseOf(o.physCols(n.Cols), 100, 0, 1)
		return &phys{node: node}
	case *plan.LockRows:
		return o.planLockRows(n, req)
	case *plan.Insert:
		return o.planInsert(n)
	case *plan.Update:
		return o.planUpdate(n)
	case *plan.Delete:
		return o.planDelete(n)
	}
	panic(fmt.Sprintf("opt: no plan for %T", n))
}

func (o *optimizer) physCols(ids []plan.ColID) []plan.PhysCol {
	out := make([]plan.PhysCol, len(ids))
	for i, id := range ids {
		out[i] = o.physCol(id)
	}
	return out
}

// planScan plans the reading of one relation under conditions.
func (o *optimizer) planScan(n *plan.Scan, conds []expr.Expr, req *request) *phys {
	need := req.with(conds...).cols
	if n.Rel.Table == nil {
		return o.planVirtual(n, conds, need)
	}
	ps := o.paths(n.Rel, conds, need, req.order)
	sel := o.conjunction(conds)
	rows := max(o.tableRows(n.Rel)*sel, 1)
	best := o.choosePath(ps, rows, req)
	return o.scanPath(n, conds, need, best, rows, req)
}

func (o *optimizer) choosePath(ps []*path, rows float64, req *request) *path {
	var best *path
	bestCost := math.Inf(1)
	for _, p := range ps {
		c := p.cost
		outRows := min(rows, p.rows)
		if len(req.order) > 0 && !p.ordered {
			c += sortCost(outRows)
		} else if req.limit > 0 && outRows > req.limit {
			c = p.startup + (c-p.startup)*req.limit/outRows
		}
		if c < bestCost || c == bestCost && p.bounds != nil && best.bounds == nil {
			best, bestCost = p, c
		}
	}
	return best
}

// scanPath makes the node for a chosen path.
func (o *optimizer) scanPath(n *plan.Scan, conds []expr.Expr, need plan.ColSet, p *path, rows float64, req *request) *phys {
	rel := n.Rel
	t := rel.Table
	node := &plan.PTableScan{Table: t, Alias: rel.Alias, Index: p.index, Covering: p.covering, Reverse: p.reverse, Ordered: p.ordered, Lock: n.Lock}
	var filter []expr.Expr
	filterCols := plan.ColSet{}
	for i, c := range conds {
		if !p.used[i] {
			filter = append(filter, c)
			plan.FreeOf(c, func(id plan.ColID) { filterCols.Add(id) })
		}
	}
	for id := range req.cols {
		filterCols.Add(id)
	}
	node.Cols, node.Ords = o.scanCols(rel, filterCols)
	cols := node.Cols
	cost, startup := p.cost, p.startup
	node.PhysBase = o.baseOf(cols, min(rows, p.rows), startup, cost)
	if p.bounds != nil {
		b := *p.bounds
		b.Prefix = append([]plan.KeyPart(nil), b.Prefix...)
		for i := range b.Prefix {
			k := &b.Prefix[i]
			k.Values = o.lowerAll(k.Values, layout{})
			if k.Array != nil {
				k.Array = o.lower(k.Array, layout{})
			}
		}
		for _, e := range []**plan.RangeEnd{&b.Lower, &b.Upper} {
			if *e != nil {
				*e = &plan.RangeEnd{Expr: o.lower((*e).Expr, layout{}), Inclusive: (*e).Inclusive}
			}
		}
		node.Bounds = &b
	}
	node.Filter = o.lowerAll(filter, layoutOf(cols))
	if req.limit > 0 && (len(req.order) == 0 || p.ordered) {
		node.Limit = int64(min(req.limit/max(rows/max(p.rows, 1), 0.001), 1<<40))
	}
	ph := &phys{node: node}
	if p.ordered {
		ph.order = req.order
	}
	return ph
}

// scanCols lists the columns of a relation that are needed.
func (o *optimizer) scanCols(rel *plan.Relation, need plan.ColSet) (cols []plan.PhysCol, ords []int) {
	for i, id := range rel.Cols {
		if id != plan.NoCol && need.Has(id) {
			cols = append(cols, o.physCol(id))
			ords = append(ords, i)
		}
	}
	if rel.TableOID != plan.NoCol && need.Has(rel.TableOID) {
		cols = append(cols, o.physCol(rel.TableOID))
		ords = append(ords, plan.TableOIDOrd)
	}
	if rel.RowKey != plan.NoCol && need.Has(rel.RowKey) {
		cols = append(cols, o.physCol(rel.RowKey))
		ords = append(ords, plan.RowKeyOrd)
	}
	return cols, ords
}

func (o *optimizer) planVirtual(n *plan.Scan, conds []expr.Expr, need plan.ColSet) *phys {
	node := &plan.PVirtualScan{Rel: n.Rel.Source, Alias: n.Rel.Alias}
	cols, ords := o.scanCols(n.Rel, need)
	node.Ords = ords
	rows := max(o.tableRows(n.Rel)*o.conjunction(conds), 1)
	cost := 20.0
	if v, ok := n.Rel.Source.(*catalog.Virtual); ok {
		for _, s := range o.sargs(n.Rel, conds) {
			for _, k := range v.Keys {
				if s.ord == k && s.op == expr.CmpEQ && len(s.values) > 0 && node.Values == nil {
					node.LookupOrd, node.Values = s.ord, o.lowerAll(s.values, layout{})
					cost = 0.5
				}
				if s.ord == k && s.op == expr.CmpEQ && s.array != nil && node.Values == nil && node.Array == nil {
					node.LookupOrd, node.Array = s.ord, o.lower(s.array, layout{})
					cost = 2
				}
			}
		}
	}
	node.PhysBase = o.baseOf(cols, rows, 0, cost)
	node.Filter = o.lowerAll(conds, layoutOf(cols))
	return &phys{node: node}
}

func (o *optimizer) planFilter(n *plan.Filter, req *request) *phys {
	switch in := n.Input.(type) {
	case *plan.Scan:
		return o.planScan(in, n.Conds, req)
	case *plan.Aggregate:
		return o.planAggregate(in, n.Conds, req)
	}
	in := o.plan(n.Input, req.with(n.Conds...))
	return o.filterPhys(in, n.Conds)
}

func (o *optimizer) filterPhys(in *phys, conds []expr.Expr) *phys {
	if len(conds) == 0 {
		return in
	}
	node := &plan.PFilter{Input: in.node}
	b := in.base()
	node.PhysBase = o.baseOf(in.cols(), in.rows()*o.conjunction(conds), b.Startup, b.Total+costCond*in.rows()*float64(len(conds)))
	node.Conds = o.lowerAll(conds, in.layout())
	return &phys{node: node, order: in.order}
}

func (o *optimizer) planProject(n *plan.Project, req *request) *phys {
	var items []plan.Item
	sub := &request{cols: plan.ColSet{}, limit: req.limit}
	for _, it := range n.Items {
		if req.cols.Has(it.ID) || volatile(it.Expr) {
			items = append(items, it)
			plan.FreeOf(it.Expr, func(id plan.ColID) { sub.cols.Add(id) })
		}
	}
	// An order by columns that are passed on can be asked of the input.
	pass := make(map[plan.ColID]plan.ColID)
	for _, it := range n.Items {
		if ref, ok := it.Expr.(*expr.ColumnRef); ok {
			pass[it.ID] = plan.ColID(ref.Ordinal)
		}
	}
	back := make(map[plan.ColID]plan.ColID)
	for _, k := range req.order {
		id, ok := pass[k.ID]
		if !ok {
			sub.order = nil
			break
		}
		back[id] = k.ID
		sub.order = append(sub.order, plan.SortKey{ID: id, Desc: k.Desc, NullsFirst: k.NullsFirst})
	}
	if len(sub.order) < len(req.order) {
		sub.order, sub.limit = nil, 0
	}
	produced := plan.SetOf(n.Input.Columns(nil))
	for id := range sub.cols {
		if !produced.Has(id) {
			delete(sub.cols, id) // an outer column
		}
	}
	in := o.plan(n.Input, sub)
	ph := o.projectPhys(in, items)
	for _, k := range in.order {
		id, ok := back[k.ID]
		if !ok {
			break
		}
		ph.order = append(ph.order, plan.SortKey{ID: id, Desc: k.Desc, NullsFirst: k.NullsFirst})
	}
	return ph
}

// projectPhys computes items over a planned input, or passes the input on if there is nothing to do.
func (o *optimizer) projectPhys(in *phys, items []plan.Item) *phys {
	lay := in.layout()
	if len(items) == len(in.cols()) {
		same := true
		for i, it := range items {
			ref, ok := it.Expr.(*expr.ColumnRef)
			if !ok || plan.ColID(ref.Ordinal) != it.ID || in.cols()[i].ID != it.ID {
				same = false
				break
			}
		}
		if same {
			return in
		}
	}
	node := &plan.PProject{Input: in.node}
	cols := make([]plan.PhysCol, len(items))
	node.Exprs = make([]expr.Expr, len(items))
	work := 0
	for i, it := range items {
		cols[i] = o.physCol(it.ID)
		cols[i].T = it.Expr.Type()
		node.Exprs[i] = o.lower(it.Expr, lay)
		if _, ok := it.Expr.(*expr.ColumnRef); !ok {
			work++
		}
	}
	b := in.base()
	node.PhysBase = o.baseOf(cols, b.Rows, b.Startup, b.Total+costCond*b.Rows*float64(work))
	return &phys{node: node}
}

// arrange makes the columns of a node exactly ids, in order.
func (o *optimizer) arrange(in *phys, ids []plan.ColID) *phys {
	items := make([]plan.Item, len(ids))
	for i, id := range ids {
		items[i] = plan.Item{ID: id, Expr: o.md.Ref(id)}
	}
	if p, ok := in.node.(*plan.PProject); ok && len(ids) > 0 {
		// Rearrange the projection itself.
		lay := in.layout()
		c := *p
		c.Exprs, c.Cols = nil, nil
		for _, id := range ids {
			c.Exprs = append(c.Exprs, p.Exprs[lay[id]])
			c.Cols = append(c.Cols, p.Cols[lay[id]])
		}
		c.Width = width(c.Cols)
		return &phys{node: &c, order: in.order}
	}
	out := o.projectPhys(in, items)
	out.order = in.order
	return out
}

func (o *optimizer) planValues(n *plan.Values, req *request) *phys {
	node := &plan.PValues{}
	for _, r := range n.Rows {
		node.Rows = append(node.Rows, o.lowerAll(r, layout{}))
	}
	if len(n.Cols) > 0 {
		node.Alias = "*VALUES*"
	}
	node.PhysBase = o.baseOf(o.physCols(n.Cols), float64(len(n.Rows)), 0, costCond*float64(len(n.Rows)))
	return &phys{node: node}
}

func (o *optimizer) lowerFuncs(items []plan.FuncItem, lay layout) []plan.PFunc {
	out := make([]plan.PFunc, len(items))
	for i, f := range items {
		out[i] = plan.PFunc{Call: o.lower(f.Call, lay), Width: len(f.Cols), Whole: f.Whole}
	}
	return out
}

func (o *optimizer) planFuncScan(n *plan.FuncScan) *phys {
	node := &plan.PFuncScan{Funcs: o.lowerFuncs(n.Funcs, layout{}), Ordinality: n.Ordinality != plan.NoCol, Alias: n.Alias}
	node.PhysBase = o.baseOf(o.physCols(n.Columns(nil)), 100, 0, 1)
	return &phys{node: node}
}

func (o *optimizer) planProjectSet(n *plan.ProjectSet, req *request) *phys {
	sub := req.all()
	plan.EachExpr(n, func(e expr.Expr) { sub = sub.with(e) })
	in := o.plan(n.Input, sub)
	node := &plan.PProjectSet{Input: in.node, Funcs: o.lowerFuncs(n.Items, in.layout())}
	cols := in.cols()[:len(in.cols()):len(in.cols())]
	for _, f := range n.Items {
		cols = append(cols, o.physCols(f.Cols)...)
	}
	b := in.base()
	node.PhysBase = o.baseOf(cols, b.Rows*10, b.Startup, b.Total+b.Rows*10*costCond)
	return &phys{node: node}
}

func (o *optimizer) planDistinct(n *plan.Distinct, req *request) *phys {
	sub := &request{cols: plan.ColSet{}, order: req.order}
	for id := range req.cols {
		sub.cols.Add(id)
	}
	sub.cols.Add(n.On...)
	in := o.plan(n.Input, sub)
	lay := in.layout()
	node := &plan.PDistinct{Input: in.node}
	keys := make([]plan.Item, 0, len(n.On))
	for _, id := range n.On {
		node.On = append(node.On, lay[id])
		keys = append(keys, plan.Item{ID: id, Expr: o.md.Ref(id)})
	}
	// The first keys of the order, in any sequence, being the columns makes it a comparison with the row before.
	if len(in.order) >= len(n.On) && len(n.On) > 0 {
		on := plan.SetOf(n.On)
		node.Sorted = true
		for _, k := range in.order[:len(on)] {
			node.Sorted = node.Sorted && on.Has(k.ID)
		}
	}
	b := in.base()
	node.PhysBase = o.baseOf(in.cols(), o.groups(keys, b.Rows), b.Startup, b.Total+b.Rows*costHashBuild)
	return &phys{node: node, order: in.order}
}

func (o *optimizer) planSort(n *plan.Sort, req *request, count, offset expr.Expr) *phys {
	keys := o.usefulKeys(n.Keys)
	sub := &request{cols: plan.ColSet{}, order: keys, limit: req.limit}
	for id := range req.cols {
		sub.cols.Add(id)
	}
	for _, k := range keys {
		sub.cols.Add(k.ID)
	}
	in := o.plan(n.Input, sub)
	return o.sortPhys(in, keys, count, offset)
}

// usefulKeys drops repeated keys.
func (o *optimizer) usefulKeys(keys []plan.SortKey) []plan.SortKey {
	seen := plan.ColSet{}
	out := keys[:0:0]
	for _, k := range keys {
		if !seen.Has(k.ID) {
			seen.Add(k.ID)
			out = append(out, k)
		}
	}
	return out
}

// sortPhys sorts a planned input unless it is in order already.
func (o *optimizer) sortPhys(in *phys, keys []plan.SortKey, count, offset expr.Expr) *phys {
	if len(keys) == 0 || satisfies(in.order, keys) {
		return in
	}
	node := &plan.PSort{Input: in.node, Keys: o.lowerKeys(keys, in.layout())}
	for node.Prefix < len(in.order) && node.Prefix < len(keys) && in.order[node.Prefix] == keys[node.Prefix] {
		node.Prefix++
	}
	if count != nil {
		node.LimitCount = o.lower(count, layout{})
		if offset != nil {
			node.LimitOffset = o.lower(offset, layout{})
		}
	}
	b := in.base()
	cost := b.Total + sortCost(b.Rows)
	node.PhysBase = o.baseOf(in.cols(), b.Rows, cost, cost+b.Rows*costCond)
	return &phys{node: node, order: keys}
}

func (o *optimizer) lowerKeys(keys []plan.SortKey, lay layout) []plan.POrder {
	out := make([]plan.POrder, len(keys))
	for i, k := range keys {
		pos, ok := lay[k.ID]
		if !ok {
			panic(fmt.Sprintf("opt: sort key %s is not in the input", o.md.Columns[k.ID].Name))
		}
		out[i] = plan.POrder{Ord: pos, Desc: k.Desc, NullsFirst: k.NullsFirst}
	}
	return out
}

func constInt(e expr.Expr) (float64, bool) {
	c, ok := e.(*expr.Const)
	if !ok || c.Value.IsNull() {
		return 0, false
	}
	return float64(c.Value.Int()), true
}

func (o *optimizer) planLimit(n *plan.Limit, req *request) *phys {
	limit := 0.0
	if n.Count != nil {
		limit = 10 // a parameter
		if v, ok := constInt(n.Count); ok {
			limit = max(v, 1)
		}
		if v, ok := constInt(n.Offset); ok {
			limit += v
		}
	}
	sub := &request{cols: plan.ColSet{}, limit: limit}
	for id := range req.cols {
		sub.cols.Add(id)
	}
	for _, k := range n.TieKeys {
		sub.cols.Add(k.ID)
	}
	var in *phys
	if s, ok := n.Input.(*plan.Sort); ok && n.TieKeys == nil {
		in = o.planSort(s, sub, n.Count, n.Offset)
	} else {
		in = o.plan(n.Input, sub)
	}
	node := &plan.PLimit{Input: in.node}
	if n.Count != nil {
		node.Count = o.lower(n.Count, layout{})
	}
	if n.Offset != nil {
		node.Offset = o.lower(n.Offset, layout{})
	}
	if n.TieKeys != nil {
		node.TieKeys = o.lowerKeys(n.TieKeys, in.layout())
	}
	b := in.base()
	rows, total := b.Rows, b.Total
	if limit > 0 && rows > limit {
		total = b.Startup + (b.Total-b.Startup)*limit/rows
		rows = limit
	}
	node.PhysBase = o.baseOf(in.cols(), rows, b.Startup, total)
	return &phys{node: node, order: in.order}
}

func (o *optimizer) planSetOp(n *plan.SetOp, req *request) *phys {
	needAll := !n.All || n.Kind != plan.Union
	var keep []int
	for i, id := range n.Cols {
		if needAll || req.cols.Has(id) {
			keep = append(keep, i)
		}
	}
	pick := func(ids []plan.ColID) []plan.ColID {
		out := make([]plan.ColID, len(keep))
		for i, k := range keep {
			out[i] = ids[k]
		}
		return out
	}
	side := func(node plan.Node, ids []plan.ColID) *phys {
		ids = pick(ids)
		return o.arrange(o.plan(node, &request{cols: plan.SetOf(ids)}), ids)
	}
	cols := o.physCols(pick(n.Cols))
	if n.Kind == plan.Union {
		node := &plan.PAppend{}
		rows, cost := 0.0, 0.0
		add := func(p *phys) {
			// Nested UNION ALLs are one append.
			if a, ok := p.node.(*plan.PAppend); ok {
				node.Inputs = append(node.Inputs, a.Inputs...)
			} else {
				node.Inputs = append(node.Inputs, p.node)
			}
			rows += p.rows()
			cost += p.cost()
		}
		add(side(n.Left, n.LeftCols))
		add(side(n.Right, n.RightCols))
		node.PhysBase = o.baseOf(cols, rows, 0, cost)
		if n.All {
			return &phys{node: node}
		}
		d := &plan.PDistinct{Input: node}
		for i := range cols {
			d.On = append(d.On, i)
		}
		d.PhysBase = o.baseOf(cols, rows, cost, cost+rows*costHashBuild)
		return &phys{node: d}
	}
	l, r := side(n.Left, n.LeftCols), side(n.Right, n.RightCols)
	node := &plan.PSetOp{Kind: n.Kind, All: n.All, Left: l.node, Right: r.node}
	cost := l.cost() + r.cost() + (l.rows()+r.rows())*costHashBuild
	node.PhysBase = o.baseOf(cols, l.rows(), cost, cost)
	return &phys{node: node}
}

// planCTE plans a WITH query that is run on its own.
func (o *optimizer) planCTE(c *plan.CTE) *plan.PCTE {
	if p := o.ctes[c]; p != nil {
		return p
	}
	p := &plan.PCTE{ID: c.ID, Name: c.Name, UnionAll: c.UnionAll, Modifies: c.Modifies}
	o.ctes[c] = p
	for _, id := range c.Cols {
		p.Types = append(p.Types, o.md.Columns[id].T)
	}
	if c.Rec != nil && len(plan.FreeColumns(c.Plan))+len(plan.FreeColumns(c.Rec)) > 0 {
		panic(sqlstate.Unsupported("a recursive WITH query that refers to an outer query"))
	}
	// Others that refer to rows around them have been inlined.
	outer := o.outer
	o.outer = nil
	ph := o.arrangeCTE(c.Plan, c.Cols)
	p.Plan = ph.node
	o.cteRows[c] = ph.rows()
	if c.Rec != nil {
		o.cteRows[c] *= 10
		p.Rec = o.arrangeCTE(c.Rec, c.RecCols).node
	}
	o.outer = outer
	o.cteList = append(o.cteList, p)
	return p
}

func (o *optimizer) arrangeCTE(n plan.Node, cols []plan.ColID) *phys {
	n = o.normalize(n, nil)
	if len(cols) == 0 {
		return o.plan(n, &request{cols: plan.ColSet{}})
	}
	return o.arrange(o.plan(n, &request{cols: plan.SetOf(cols)}), cols)
}

func (o *optimizer) planCTEScan(n *plan.CTEScan) *phys {
	node := &plan.PCTEScan{CTE: o.planCTE(n.CTE), Alias: n.Alias}
	rows := o.cteRows[n.CTE]
	cols := o.physCols(n.Cols)
	for i := range cols {
		cols[i].Qualifier = n.Alias
	}
	node.PhysBase = o.baseOf(cols, rows, 0, rows*costScanRow+node.CTE.Plan.Phys().Total)
	return &phys{node: node}
}

// planLockRows locks rows as they are read if the input is a plain scan whose bounds say it all, else above.
func (o *optimizer) planLockRows(n *plan.LockRows, req *request) *phys {
	if len(n.Targets) == 1 {
		if in := lockable(n.Input, n.Targets[0].Rel); in != nil {
			lock := n.Targets[0].RowLock
			ph := o.plan(in, req)
			if s := soleScan(ph.node); s != nil && s.Covering && s.Index == &s.Table.Primary && (len(s.Filter) == 0 || singleRow(s)) {
				s.Lock = &lock
				return ph
			}
		}
	}
	sub := &request{cols: plan.ColSet{}, order: req.order, limit: req.limit}
	for id := range req.cols {
		sub.cols.Add(id)
	}
	for _, t := range n.Targets {
		sub.cols.Add(t.Rel.RowKey)
	}
	o.locksRows = true
	in := o.plan(n.Input, sub)
	lay := in.layout()
	node := &plan.PLockRows{Input: in.node, Limit: int64(req.limit)}
	for _, t := range n.Targets {
		node.Targets = append(node.Targets, plan.PLockTarget{Table: t.Rel.Table, KeyOrd: lay[t.Rel.RowKey], RowLock: t.RowLock})
	}
	b := in.base()
	node.PhysBase = o.baseOf(in.cols(), b.Rows, b.Startup, b.Total+b.Rows*costLookup)
	return &phys{node: node, order: in.order}
}

// lockable returns n if it is a chain of projections, filters and sorts over a scan of rel.
func lockable(n plan.Node, rel *plan.Relation) plan.Node {
	for m := n; ; {
		switch x := m.(type) {
		case *plan.Project:
			m = x.Input
		case *plan.Filter:
			m = x.Input
		case *plan.Sort:
			m = x.Input
		case *plan.Scan:
			if x.Rel == rel {
				return n
			}
			return nil
		default:
			return nil
		}
	}
}

// soleScan returns the table scan below projections and sorts.
func soleScan(n plan.PhysNode) *plan.PTableScan {
	for {
		switch x := n.(type) {
		case *plan.PProject:
			n = x.Input
		case *plan.PSort:
			n = x.Input
		case *plan.PTableScan:
			return x
		default:
			return nil
		}
	}
}
