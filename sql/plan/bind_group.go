package plan

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// grouping is the GROUP BY of one query.
type grouping struct {
	b     *binder
	keys  []Item
	byKey map[string]int // ExprKey -> position in keys
	sets  [][]int        // nil: one set of all keys
	agg   *Aggregate
	// plain are the keys that are columns.
	plain ColSet
	made  ColSet // columns that the aggregate makes
}

// maxGroupingSets is PostgreSQL's bound.
const maxGroupingSets = 4096

// groupBy binds the GROUP BY clause; nil if there is none.
func (b *binder) groupBy(core *ast.SelectCore, targets []target) (*grouping, error) {
	if len(core.GroupBy) == 0 {
		return nil, nil
	}
	g := &grouping{b: b, byKey: make(map[string]int)}
	sets := [][]int{{}}
	single := true
	for _, e := range core.GroupBy {
		alt, err := g.expand(e, targets)
		if err != nil {
			return nil, err
		}
		if _, ok := e.(*ast.GroupingSet); ok {
			single = false
		}
		var product [][]int
		for _, s := range sets {
			for _, a := range alt {
				product = append(product, union(s, a))
			}
		}
		if len(product) > maxGroupingSets {
			return nil, errorf(sqlstate.StatementTooComplex, e.Position(), "too many grouping sets present (maximum %d)", maxGroupingSets)
		}
		sets = product
	}
	if core.GroupDistinct {
		sets = distinctSets(sets)
	}
	if !single && (len(sets) > 1 || len(sets[0]) < len(g.keys)) {
		g.sets = sets
	}
	return g, nil
}

func union(a, b []int) []int {
	out := append([]int(nil), a...)
next:
	for _, x := range b {
		for _, y := range out {
			if x == y {
				continue next
			}
		}
		out = append(out, x)
	}
	return out
}

func distinctSets(sets [][]int) [][]int {
	var out [][]int
	seen := map[string]bool{}
	for _, s := range sets {
		k := make([]byte, 256)
		for _, i := range s {
			k[i&255]++
		}
		if !seen[string(k)] {
			seen[string(k)] = true
			out = append(out, s)
		}
	}
	return out
}

// expand returns the alternatives that a GROUP BY item stands for.
func (g *grouping) expand(e ast.Expr, targets []target) ([][]int, error) {
	gs, ok := e.(*ast.GroupingSet)
	if !ok {
		s, err := g.columns(e, targets)
		return [][]int{s}, err
	}
	switch gs.Kind {
	case ast.GroupingEmpty:
		return [][]int{{}}, nil
	case ast.GroupingSets:
		var out [][]int
		for _, it := range gs.Items {
			alt, err := g.expand(it, targets)
			if err != nil {
				return nil, err
			}
			out = append(out, alt...)
		}
		return out, nil
	}
	parts := make([][]int, len(gs.Items))
	for i, it := range gs.Items {
		s, err := g.columns(it, targets)
		if err != nil {
			return nil, err
		}
		parts[i] = s
	}
	var out [][]int
	if gs.Kind == ast.GroupingRollup {
		for n := len(parts); n >= 0; n-- {
			var s []int
			for _, p := range parts[:n] {
				s = union(s, p)
			}
			out = append(out, s)
		}
		return out, nil
	}
	if len(parts) > 12 {
		return nil, errorf(sqlstate.TooManyColumns, gs.Pos, "CUBE is limited to 12 elements")
	}
	for mask := 1<<len(parts) - 1; mask >= 0; mask-- {
		var s []int
		for i, p := range parts {
			if mask&(1<<(len(parts)-1-i)) != 0 {
				s = union(s, p)
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// columns adds the key (or keys, for a row in parentheses) of one item.
func (g *grouping) columns(e ast.Expr, targets []target) ([]int, error) {
	if row, ok := e.(*ast.Row); ok && !row.Explicit {
		var out []int
		for _, el := range row.Elems {
			s, err := g.columns(el, targets)
			if err != nil {
				return nil, err
			}
			out = union(out, s)
		}
		return out, nil
	}
	b := g.b
	var x expr.Expr
	switch e := e.(type) {
	case *ast.Number:
		i, err := position(e, len(targets), "GROUP BY")
		if err != nil {
			return nil, err
		}
		x = targets[i].x
	case *ast.String:
		return nil, errorf(sqlstate.SyntaxError, e.Pos, "non-integer constant in GROUP BY")
	case *ast.ColumnRef:
		// An input column comes before an output column here.
		if len(e.Parts) == 1 {
			found := false
			for _, it := range b.level.items {
				if _, n := it.find(e.Parts[0]); n > 0 && it.colsVisible {
					found = true
				}
			}
			if !found {
				for i := range targets {
					if targets[i].name == e.Parts[0] {
						x = targets[i].x
						break
					}
				}
			}
		}
	}
	if x == nil {
		err := b.in(inGroupBy, func() (err error) {
			x, err = b.expr(e)
			return err
		})
		if err != nil {
			return nil, err
		}
		x = expr.ToKnown(b.s, x)
	}
	aggs := false
	FreeOf(x, func(id ColID) {
		for _, a := range b.level.aggs {
			aggs = aggs || a.ID == id
		}
	})
	if aggs {
		return nil, errorf(sqlstate.GroupingError, e.Position(), "aggregate functions are not allowed in GROUP BY")
	}
	for _, w := range b.level.windows {
		if UsedBy(x).Has(w.item.ID) {
			return nil, errorf(sqlstate.WindowingError, e.Position(), "window functions are not allowed in GROUP BY")
		}
	}
	if !expr.Orderable(x.Type()) {
		return nil, errorf(sqlstate.UndefinedFunction, e.Position(), "could not identify an equality operator for type %s", types.FormatType(x.Type(), -1, false))
	}
	if row, ok := x.(*expr.RowExpr); ok {
		var out []int
		for _, f := range row.Fields {
			out = union(out, []int{g.key(f)})
		}
		return out, nil
	}
	return []int{g.key(x)}, nil
}

func (g *grouping) key(x expr.Expr) int {
	k := ExprKey(x)
	if i, ok := g.byKey[k]; ok {
		return i
	}
	id := NoCol
	if ref, ok := x.(*expr.ColumnRef); ok && g.b.owner[ref.Ordinal] == g.b.level {
		id = ColID(ref.Ordinal)
	} else {
		id = g.b.newColumn(Column{Name: "?column?", T: x.Type()})
	}
	g.byKey[k] = len(g.keys)
	g.keys = append(g.keys, Item{ID: id, Expr: x})
	return len(g.keys) - 1
}

// apply puts the aggregation over node and rewrites what is computed above it.
func (g *grouping) apply(node Node, targets []target, order, on []sortItem, having expr.Expr) (Node, error) {
	b := g.b
	lv := b.level
	// Set-returning functions in keys are evaluated below the aggregation.
	for i := len(lv.sets) - 1; i >= 0; i-- {
		var below, above []FuncItem
		for _, f := range lv.sets[i] {
			used := false
			for _, k := range g.keys {
				used = used || UsedBy(k.Expr).Has(f.Cols[0])
			}
			if used {
				below = append(below, f)
			} else {
				above = append(above, f)
			}
		}
		lv.sets[i] = above
		if len(below) > 0 {
			node = &ProjectSet{Input: node, Items: below}
		}
	}
	g.agg = &Aggregate{Input: node, Keys: g.keys, Sets: g.sets, GroupingID: NoCol}
	g.plain, g.made = ColSet{}, ColSet{}
	for _, k := range g.keys {
		g.made.Add(k.ID)
		if _, ok := k.Expr.(*expr.ColumnRef); ok {
			g.plain.Add(k.ID)
		}
	}
	for _, a := range lv.aggs {
		g.made.Add(a.ID)
	}
	for _, w := range lv.windows {
		g.made.Add(w.item.ID)
	}
	for _, s := range lv.sets {
		for _, f := range s {
			g.made.Add(f.Cols...)
		}
	}
	if len(g.sets) > 0 {
		g.agg.GroupingID = b.newColumn(Column{Name: "grouping", T: types.Int8, NotNull: true})
		g.made.Add(g.agg.GroupingID)
	}
	var err error
	rewrite := func(x expr.Expr) expr.Expr {
		if x == nil || err != nil {
			return x
		}
		var r expr.Expr
		r, err = g.rewrite(x)
		return r
	}
	for i := range targets {
		targets[i].x = rewrite(targets[i].x)
	}
	having = rewrite(having)
	for i := range order {
		order[i].x = rewrite(order[i].x)
	}
	for i := range on {
		on[i].x = rewrite(on[i].x)
	}
	for i := range lv.windows {
		u := &lv.windows[i]
		u.item.Call = u.item.Call.mapExprs(rewrite)
		spec := *u.spec
		spec.order = mapSort(spec.order, rewrite)
		spec.partition = append([]expr.Expr(nil), spec.partition...)
		for j := range spec.partition {
			spec.partition[j] = rewrite(spec.partition[j])
		}
		u.spec = &spec
	}
	for i := range lv.sets {
		lv.sets[i] = mapFuncs(lv.sets[i], rewrite)
	}
	if err != nil {
		return nil, err
	}
	// Aggregates that were found late (in ORDER BY) are in the list by now.
	g.agg.Aggs, g.agg.Keys = lv.aggs, g.keys
	node = g.agg
	if having != nil {
		node = &Filter{Input: node, Conds: expr.Conjuncts(having)}
	}
	return node, nil
}

// rewrite replaces group keys by references and checks that nothing ungrouped is left.
func (g *grouping) rewrite(e expr.Expr) (expr.Expr, error) {
	b := g.b
	if i, ok := g.byKey[ExprKey(e)]; ok {
		return b.md.Ref(g.keys[i].ID), nil
	}
	switch e := e.(type) {
	case *expr.ColumnRef:
		id := ColID(e.Ordinal)
		for _, u := range b.level.grouping {
			if u.id == id {
				return g.groupingValue(u)
			}
		}
		if b.owner[id] != b.level || g.made.Has(id) {
			return e, nil
		}
		if g.dependent(id) {
			return e, nil
		}
		return nil, g.errUngrouped(id, b.refPos[e], false)
	case *expr.Subquery:
		for id := range UsedBy(e) {
			if b.owner[id] != b.level || g.made.Has(id) || g.dependent(id) {
				continue
			}
			pos := ast.NoPos
			for ref, p := range b.refPos {
				if ColID(ref.Ordinal) == id && p > pos {
					pos = p
				}
			}
			return nil, g.errUngrouped(id, pos, true)
		}
		return e, nil
	}
	children := e.Children()
	if len(children) == 0 {
		return e, nil
	}
	out := make([]expr.Expr, len(children))
	changed := false
	for i, c := range children {
		x, err := g.rewrite(c)
		if err != nil {
			return nil, err
		}
		out[i] = x
		changed = changed || x != c
	}
	if !changed {
		return e, nil
	}
	return e.WithChildren(out), nil
}

// dependent makes id a key if it depends on the keys: a column of a table whose primary key is
// grouped by.
func (g *grouping) dependent(id ColID) bool {
	c := &g.b.md.Columns[id]
	if g.sets != nil || c.Rel == nil || c.Rel.Table == nil || c.Rel.Table.HasRowID() || g.b.owner[id] != g.b.level {
		return false
	}
	for _, pc := range c.Rel.Table.Primary.Columns {
		ord := c.Rel.Table.MustOrdinal(pc.Num)
		if !g.plain.Has(c.Rel.Cols[ord]) {
			return false
		}
	}
	g.key(g.b.md.Ref(id))
	g.made.Add(id)
	return true
}

func (g *grouping) errUngrouped(id ColID, pos ast.Pos, sub bool) error {
	c := &g.b.md.Columns[id]
	name := c.Name
	for _, it := range g.b.level.items {
		for _, nc := range it.cols {
			if nc.id == id && it.name != "" {
				name = it.name + "." + nc.name
			}
		}
	}
	if sub {
		return errorf(sqlstate.GroupingError, pos, "subquery uses ungrouped column %q from outer query", name)
	}
	return errorf(sqlstate.GroupingError, pos, "column %q must appear in the GROUP BY clause or be used in an aggregate function", name)
}

// groupingValue is GROUPING(...): an integer with a bit per argument, set if it is not
// in the row's grouping set.
func (g *grouping) groupingValue(u groupingUse) (expr.Expr, error) {
	b := g.b
	int4 := func(n int) expr.Expr { return expr.NewConst(types.Int4, types.NewInt(int64(n))) }
	op := func(name string, l, r expr.Expr) expr.Expr {
		x, err := b.pc.Registry.Operator(b.s, name, l, r)
		if err != nil {
			panic("plan: no operator " + name + " for grouping: " + err.Error())
		}
		return x
	}
	var out expr.Expr = int4(0)
	for _, a := range u.args {
		i, ok := g.byKey[ExprKey(a)]
		if !ok {
			return nil, errorf(sqlstate.GroupingError, u.pos, "arguments to GROUPING must be grouping expressions of the associated query level")
		}
		if g.agg.GroupingID == NoCol {
			continue
		}
		bit, err := expr.NewCast(b.s, op("&", op(">>", b.md.Ref(g.agg.GroupingID), int4(i)), expr.NewConst(types.Int8, types.NewInt(1))), types.Int4)
		if err != nil {
			return nil, err
		}
		out = op("|", op("<<", out, int4(1)), bit)
	}
	return out, nil
}
