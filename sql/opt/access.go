package opt

import (
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// sarg is a condition that an index can serve: column op value, where the value does not
// depend on the scanned table ("search argument").
type sarg struct {
	ord    int
	op     expr.CompareOp // CmpEQ for Values, Array and IsNull
	value  expr.Expr
	values []expr.Expr
	array  expr.Expr
	isNull bool
	// cond is the condition's position in the list it came from; exact says that the index
	// bound implies it completely.
	cond  int
	exact bool
}

// sargs extracts the search arguments on a relation. fixed tells whether an expression may be a bound.
func (o *optimizer) sargs(rel *plan.Relation, conds []expr.Expr) []sarg {
	ords := make(map[plan.ColID]int, len(rel.Cols))
	own := plan.ColSet{}
	for i, id := range rel.Cols {
		if id != plan.NoCol {
			ords[id] = i
			own.Add(id)
		}
	}
	column := func(e expr.Expr) (int, bool) {
		ref, ok := stripRelabel(e).(*expr.ColumnRef)
		if !ok {
			return 0, false
		}
		ord, ok := ords[plan.ColID(ref.Ordinal)]
		return ord, ok
	}
	fixed := func(e expr.Expr) bool {
		return !mentions(e, own) && !volatile(e) && !hasSubqueryCorrelated(e)
	}
	cols := rel.Source.Cols()
	var out []sarg
	var visit func(i int, e expr.Expr)
	visit = func(i int, e expr.Expr) {
		switch e := e.(type) {
		case *expr.Call:
			if e.Op == nil || e.Op.Compare == expr.CmpNone || e.Op.Compare == expr.CmpNE {
				if e.Op != nil && e.Op.Name == "~~" {
					if ord, ok := column(e.Args[0]); ok {
						out = append(out, likeSargs(ord, i, cols[ord].Type, e.Args[1])...)
					}
				}
				return
			}
			op := e.Op.Compare
			ord, ok := column(e.Args[0])
			value := e.Args[1]
			if !ok {
				ord, ok = column(e.Args[1])
				value, op = e.Args[0], op.Commuted()
			}
			if ok && fixed(value) && sameFamily(value, cols[ord].Type) {
				s := sarg{ord: ord, op: op, cond: i, exact: true}
				if op == expr.CmpEQ {
					s.values = []expr.Expr{value}
				} else {
					s.value = value
				}
				out = append(out, s)
			}
		case *expr.InList:
			if e.Not {
				return
			}
			if ord, ok := column(e.Arg); ok && e.ElemT.Family == cols[ord].Type.Family {
				s := sarg{ord: ord, op: expr.CmpEQ, cond: i, exact: true, values: []expr.Expr{}}
				for _, d := range e.List {
					s.values = append(s.values, expr.NewConst(e.ElemT, d))
				}
				out = append(out, s)
			}
		case *expr.ScalarArray:
			if e.All || e.Op.Compare != expr.CmpEQ {
				return
			}
			ord, ok := column(e.Left)
			if !ok || !fixed(e.Right) || e.Right.Type().Elem.Family != cols[ord].Type.Family {
				return
			}
			s := sarg{ord: ord, op: expr.CmpEQ, cond: i, exact: true}
			if a, isExpr := e.Right.(*expr.ArrayExpr); isExpr && !a.Nested {
				s.values = a.Elems
			} else {
				s.array = e.Right
			}
			out = append(out, s)
		case *expr.IsNull:
			if ord, ok := column(e.Arg); ok && !e.Not {
				out = append(out, sarg{ord: ord, op: expr.CmpEQ, isNull: true, cond: i, exact: true})
			}
		case *expr.ColumnRef:
			if ord, ok := column(e); ok && e.T.OID == types.OIDBool {
				out = append(out, sarg{ord: ord, op: expr.CmpEQ, values: []expr.Expr{boolTrue}, cond: i, exact: true})
			}
		case *expr.BoolOp:
			switch e.Op {
			case expr.Or:
				// x = 1 OR x = 2 is x IN (1, 2).
				n := len(out)
				for _, a := range e.Args {
					visit(i, a)
				}
				alts := out[n:]
				if len(alts) != len(e.Args) {
					out = out[:n]
					return
				}
				s := sarg{ord: alts[0].ord, op: expr.CmpEQ, cond: i, exact: true}
				for _, a := range alts {
					if a.ord != s.ord || a.op != expr.CmpEQ || a.values == nil {
						out = out[:n]
						return
					}
					s.values = append(s.values, a.values...)
				}
				out = append(out[:n], s)
			case expr.Not:
				if ord, ok := column(e.Args[0]); ok && e.Args[0].Type().OID == types.OIDBool {
					out = append(out, sarg{ord: ord, op: expr.CmpEQ, values: []expr.Expr{expr.NewConst(types.Bool, types.False)}, cond: i, exact: true})
				}
			}
		}
	}
	for i, c := range conds {
		visit(i, c)
	}
	return out
}

// hasSubqueryCorrelated reports whether e contains a subquery; those in bounds would be run when the
// scan opens, which the executor allows only for uncorrelated ones.
func hasSubqueryCorrelated(e expr.Expr) bool {
	found := false
	expr.Walk(e, func(e expr.Expr) bool {
		if s, ok := e.(*expr.Subquery); ok && (s.Kind != expr.SubScalar || len(plan.FreeColumns(s.Plan.(*plan.Subplan).Root)) > 0) {
			found = true
		}
		return !found
	})
	return found
}

func sameFamily(e expr.Expr, t *types.T) bool {
	et := e.Type()
	if et.Family != t.Family {
		return false
	}
	if t.Family != types.FamInt {
		return true
	}
	// One family, different units: a date is not a timestamp.
	return et.OID == t.OID || relabels(et, t) || relabels(t, et)
}

// likeSargs are the bounds of column LIKE 'prefix%'.
func likeSargs(ord, cond int, t *types.T, pattern expr.Expr) []sarg {
	c, ok := pattern.(*expr.Const)
	if !ok || c.Value.IsNull() || t.Family != types.FamString {
		return nil
	}
	p := c.Value.Str()
	prefix := make([]byte, 0, len(p))
	exact := true
scan:
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '%', '_':
			exact = false
			break scan
		case '\\':
			if i++; i == len(p) {
				return nil
			}
			prefix = append(prefix, p[i])
		default:
			prefix = append(prefix, p[i])
		}
	}
	if len(prefix) == 0 {
		return nil
	}
	lo := expr.NewConst(types.Text, types.NewBytes(prefix))
	if exact {
		return []sarg{{ord: ord, op: expr.CmpEQ, values: []expr.Expr{lo}, cond: cond}}
	}
	out := []sarg{{ord: ord, op: expr.CmpGE, value: lo, cond: cond}}
	end := append([]byte(nil), prefix...)
	for len(end) > 0 && end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	if len(end) > 0 {
		end[len(end)-1]++
		out = append(out, sarg{ord: ord, op: expr.CmpLT, value: expr.NewConst(types.Text, types.NewBytes(end)), cond: cond})
	}
	return out
}

// path is one way to read a table.
type path struct {
	index    *catalog.Index
	bounds   *plan.Bounds
	used     map[int]bool // conditions that the bounds imply
	sel      float64      // share of the table's rows within the bounds
	points   float64      // number of separate key prefixes
	unique   bool         // each point is at most one row
	fixed    map[int]bool // ordinals with a single value: they do not matter for order
	covering bool
	reverse  bool
	ordered  bool // satisfies the order that was asked for
	startup  float64
	cost     float64
	rows     float64 // that the index yields
}

// maxPointRanges bounds the combinations of IN lists over several columns.
const maxPointRanges = 1000

// paths enumerates the ways to read rel under the conditions.
func (o *optimizer) paths(rel *plan.Relation, conds []expr.Expr, need plan.ColSet, order []plan.SortKey) []*path {
	t := rel.Table
	ss := o.sargs(rel, conds)
	rows := o.tableRows(rel)
	var out []*path
	for x := range t.AllIndexes {
		if !x.State.Readable() {
			continue
		}
		if x.Predicate != nil && !o.impliesPredicate(rel, x, conds) {
			continue
		}
		if o.cfg.Disable.IndexScan && x != &t.Primary {
			continue
		}
		p := o.matchIndex(t, x, ss)
		if p == nil {
			continue
		}
		p.covering = x == &t.Primary || covers(t, x, rel, need)
		if p.bounds == nil && x != &t.Primary && len(order) == 0 && !p.covering && x.Predicate == nil {
			continue
		}
		p.rows = max(rows*p.sel, 1)
		if p.unique {
			p.rows = min(p.rows, p.points)
		}
		perRow := costScanRow
		if !p.covering {
			perRow += costLookup
		}
		p.startup = costSeek
		switch {
		case p.unique:
			p.cost = costLookup + (p.points-1)*costLookup*0.8
			if !p.covering {
				p.cost += p.rows * costLookup
			}
		default:
			p.cost = costSeek*p.points + p.rows*perRow
		}
		p.cost += p.rows * costCond * float64(max(len(conds)-len(p.used), 0))
		if len(order) > 0 {
			p.ordered, p.reverse = o.matchOrder(rel, x, p, order)
			if p.reverse {
				p.cost *= 1.1
			}
		}
		out = append(out, p)
	}
	return out
}

// covers reports whether a secondary index holds all the needed columns.
func covers(t *catalog.Table, x *catalog.Index, rel *plan.Relation, need plan.ColSet) bool {
	have := map[catalog.AttNum]bool{}
	for _, c := range x.Columns {
		if c.Expr == nil {
			have[c.Num] = true
		}
	}
	for _, n := range x.Include {
		have[n] = true
	}
	for _, c := range t.Primary.Columns {
		// Other types cannot be read back from a key.
		switch t.Column(c.Num).Type.Family {
		case types.FamInt, types.FamBool, types.FamString, types.FamInet:
			have[c.Num] = true
		}
	}
	for i, id := range rel.Cols {
		if id != plan.NoCol && need.Has(id) && !have[t.Columns[i].Num] {
			return false
		}
	}
	return true
}

// matchIndex builds the tightest bounds on an index; nil if the index cannot be used at all.
func (o *optimizer) matchIndex(t *catalog.Table, x *catalog.Index, ss []sarg) *path {
	p := &path{index: x, used: map[int]bool{}, sel: 1, points: 1, fixed: map[int]bool{}}
	b := &plan.Bounds{}
	rows := float64(defaultRows)
	if st := o.table(t.ID); st != nil {
		rows = max(st.Rows, 1)
	}
	allEqual := true
	for _, ic := range x.Columns {
		if ic.Expr != nil {
			allEqual = false
			break
		}
		ord := t.MustOrdinal(ic.Num)
		if eq := bestEqual(ss, ord); eq != nil {
			part := plan.KeyPart{Values: eq.values, Array: eq.array, IsNull: eq.isNull, T: ic.Type}
			if part.T == nil {
				part.T = t.Columns[ord].Type
			}
			n := float64(len(eq.values))
			if eq.array != nil {
				n = 10
			}
			if eq.isNull {
				n = 1
				allEqual = false
			}
			if p.points*n > maxPointRanges {
				allEqual = false
				break
			}
			p.points *= n
			p.sel *= min(1, o.ordSel(t, ord, eq, n))
			if n == 1 && eq.array == nil {
				p.fixed[ord] = true
			}
			b.Prefix = append(b.Prefix, part)
			if eq.exact {
				p.used[eq.cond] = true
			}
			// Further equalities on the same column stay as conditions.
			continue
		}
		allEqual = false
		for i := range ss {
			s := &ss[i]
			if s.ord != ord || s.op == expr.CmpEQ {
				continue
			}
			switch s.op {
			case expr.CmpGT, expr.CmpGE:
				if b.Lower == nil {
					b.Lower = &plan.RangeEnd{Expr: s.value, Inclusive: s.op == expr.CmpGE}
					if s.exact {
						p.used[s.cond] = true
					}
				}
			case expr.CmpLT, expr.CmpLE:
				if b.Upper == nil {
					b.Upper = &plan.RangeEnd{Expr: s.value, Inclusive: s.op == expr.CmpLE}
					if s.exact {
						p.used[s.cond] = true
					}
				}
			}
		}
		if b.Lower != nil || b.Upper != nil {
			b.SkipNulls = true
			p.sel *= o.rangeSel(t, ord, b)
		}
		break
	}
	if len(b.Prefix) > 0 || b.Lower != nil || b.Upper != nil {
		p.bounds = b
	}
	p.unique = allEqual && x.Unique && len(b.Prefix) == len(x.Columns)
	if p.unique {
		p.sel = min(p.points/rows, 1)
	}
	return p
}

// bestEqual returns the equality on a column with the fewest values.
func bestEqual(ss []sarg, ord int) *sarg {
	var best *sarg
	for i := range ss {
		s := &ss[i]
		if s.ord != ord || s.op != expr.CmpEQ {
			continue
		}
		size := func(s *sarg) int {
			if s.array != nil {
				return 10
			}
			return len(s.values)
		}
		if best == nil || size(s) < size(best) {
			best = s
		}
	}
	return best
}

func (o *optimizer) ordSel(t *catalog.Table, ord int, s *sarg, n float64) float64 {
	st := o.table(t.ID)
	if st == nil || st.Columns[t.Columns[ord].Num] == nil {
		if s.isNull {
			return selNull
		}
		if t.Columns[ord].Type.OID == types.OIDBool {
			return 0.5
		}
		return selEqual * n
	}
	c := st.Columns[t.Columns[ord].Num]
	if s.isNull {
		return c.NullFrac
	}
	total := 0.0
	for _, v := range s.values {
		if k, ok := v.(*expr.Const); ok {
			total += c.Equal(k.Value)
		} else {
			total += c.EqualUnknown()
		}
	}
	if s.array != nil {
		total = c.EqualUnknown() * n
	}
	return total
}

func (o *optimizer) rangeSel(t *catalog.Table, ord int, b *plan.Bounds) float64 {
	st := o.table(t.ID)
	var lo, hi float64 = -1, -1
	if st != nil && st.Columns[t.Columns[ord].Num] != nil {
		c := st.Columns[t.Columns[ord].Num]
		if b.Lower != nil {
			lo = selRange
			if k, ok := b.Lower.Expr.(*expr.Const); ok {
				lo = 1 - c.NullFrac - c.Below(k.Value, !b.Lower.Inclusive)
			}
		}
		if b.Upper != nil {
			hi = selRange
			if k, ok := b.Upper.Expr.(*expr.Const); ok {
				hi = c.Below(k.Value, b.Upper.Inclusive)
			}
		}
		if lo >= 0 && hi >= 0 {
			return max(lo+hi-1+c.NullFrac, 0.0001)
		}
		return max(lo, hi, 0.0001)
	}
	if b.Lower != nil && b.Upper != nil {
		return selBetween
	}
	return selRange
}

// matchOrder reports whether scanning an index yields the wanted order, and in which
// direction. Columns fixed to one value by the bounds do not count.
func (o *optimizer) matchOrder(rel *plan.Relation, x *catalog.Index, p *path, order []plan.SortKey) (ok, reverse bool) {
	t := rel.Table
	// With several ranges the scans are concatenated in key order, which is right only if all but the last
	// prefix column are single values.
	i := 0
	dir := 0 // 1 forward, -1 reverse
	for _, ic := range keyColumns(t, x) {
		if i == len(order) {
			break
		}
		if ic.Expr != nil {
			return false, false
		}
		ord := t.MustOrdinal(ic.Num)
		for i < len(order) && o.fixedKey(rel, p, order[i].ID) {
			i++
		}
		if i == len(order) {
			break
		}
		if p.fixed[ord] {
			continue
		}
		if rel.Cols[ord] != order[i].ID {
			return false, false
		}
		want := 1
		if order[i].Desc != ic.Desc {
			want = -1
		}
		nulls := order[i].NullsFirst
		if !t.Columns[ord].NotNull && !isPrimary(t, ic.Num) {
			indexFirst := ic.NullsFirst
			if want < 0 {
				indexFirst = !indexFirst
			}
			if nulls != indexFirst {
				return false, false
			}
		}
		if dir != 0 && dir != want {
			return false, false
		}
		dir = want
		i++
	}
	for i < len(order) && o.fixedKey(rel, p, order[i].ID) {
		i++
	}
	if i < len(order) {
		// A unique key fixes everything after it.
		if x.Unique && allNotNull(t, x) && dir != 0 && o.coversUnique(rel, x, order[:i], p) {
			return true, dir < 0
		}
		return false, false
	}
	return true, dir < 0
}

// keyColumns are the columns by which an index is ordered: a secondary one ends in the primary key.
func keyColumns(t *catalog.Table, x *catalog.Index) []catalog.IndexColumn {
	if x == &t.Primary {
		return x.Columns
	}
	cols := x.Columns[:len(x.Columns):len(x.Columns)]
next:
	for _, pc := range t.Primary.Columns {
		for _, c := range x.Columns {
			if c.Num == pc.Num {
				continue next
			}
		}
		cols = append(cols, pc)
	}
	return cols
}

func (o *optimizer) coversUnique(rel *plan.Relation, x *catalog.Index, order []plan.SortKey, p *path) bool {
	for _, ic := range x.Columns {
		ord := rel.Table.MustOrdinal(ic.Num)
		found := p.fixed[ord]
		for _, k := range order {
			found = found || k.ID == rel.Cols[ord]
		}
		if !found {
			return false
		}
	}
	return true
}

func isPrimary(t *catalog.Table, n catalog.AttNum) bool {
	for _, c := range t.Primary.Columns {
		if c.Num == n {
			return true
		}
	}
	return false
}

func allNotNull(t *catalog.Table, x *catalog.Index) bool {
	for _, ic := range x.Columns {
		if ic.Expr != nil || !t.Columns[t.MustOrdinal(ic.Num)].NotNull && !isPrimary(t, ic.Num) {
			return false
		}
	}
	return true
}

func (o *optimizer) fixedKey(rel *plan.Relation, p *path, id plan.ColID) bool {
	c := &o.md.Columns[id]
	return c.Rel == rel && c.Ord >= 0 && p.fixed[c.Ord]
}

// impliesPredicate reports whether the conditions contain the predicate of a partial index.
func (o *optimizer) impliesPredicate(rel *plan.Relation, x *catalog.Index, conds []expr.Expr) bool {
	pred := rel.IndexPredicates[x.ID]
	if pred == nil {
		return false
	}
	for _, p := range expr.Conjuncts(pred) {
		found := false
		key := plan.ExprKey(p)
		for _, c := range conds {
			if plan.ExprKey(c) == key {
				found = true
				break
			}
			// column = 1 implies column IS NOT NULL.
			if n, ok := p.(*expr.IsNull); ok && n.Not {
				if ref, ok := n.Arg.(*expr.ColumnRef); ok && rejectsNull(c, plan.SetOf([]plan.ColID{plan.ColID(ref.Ordinal)})) {
					found = true
					break
				}
			}
		}
		if !found {
			return false
		}
	}
	return true
}
