package opt

import (
	"math"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/stats"
	"github.com/spanlite/spanlite/sql/types"
)

// PostgreSQL's default selectivities (selfuncs.h).
const (
	selEqual   = 0.005
	selRange   = 1.0 / 3
	selBetween = 0.005
	selMatch   = 0.005
	selOther   = 0.5
	selNull    = 0.005
)

func (o *optimizer) table(id catalog.ID) *stats.Table {
	if o.cfg.Stats == nil {
		return nil
	}
	return o.cfg.Stats(id)
}

func (o *optimizer) tableRows(r *plan.Relation) float64 {
	if r.Table == nil {
		return 200
	}
	if s := o.table(r.Table.ID); s != nil {
		return max(s.Rows, 1)
	}
	return defaultRows
}

// column returns the statistics of a column and the rows of its table.
func (o *optimizer) column(id plan.ColID) (*stats.Column, float64) {
	c := &o.md.Columns[id]
	if c.Rel == nil || c.Rel.Table == nil || c.Ord < 0 {
		return nil, 0
	}
	s := o.table(c.Rel.Table.ID)
	if s == nil {
		return nil, defaultRows
	}
	return s.Columns[c.Rel.Table.Columns[c.Ord].Num], max(s.Rows, 1)
}

// distinct estimates the number of distinct values of a column among rows.
func (o *optimizer) distinct(id plan.ColID, rows float64) float64 {
	st, tableRows := o.column(id)
	if st != nil {
		return min(max(st.Distinct, 1), rows)
	}
	c := &o.md.Columns[id]
	if tableRows > 0 && c.Rel.Table != nil {
		if o.uniqueColumn(c) {
			return min(tableRows, max(rows, 1))
		}
	}
	if c.T.OID == types.OIDBool {
		return 2
	}
	return min(200, max(rows, 1))
}

// uniqueColumn reports whether a column is unique by itself.
func (o *optimizer) uniqueColumn(c *plan.Column) bool {
	t := c.Rel.Table
	for x := range t.AllIndexes {
		if x.Unique && len(x.Columns) == 1 && x.Predicate == nil && x.State.Readable() && x.Columns[0].Expr == nil && t.MustOrdinal(x.Columns[0].Num) == c.Ord {
			return true
		}
	}
	return false
}

// selectivity estimates the share of rows for which a condition holds.
func (o *optimizer) selectivity(e expr.Expr) float64 {
	switch e := e.(type) {
	case *expr.Const:
		if e.Value.Bool() {
			return 1
		}
		return 0
	case *expr.BoolOp:
		switch e.Op {
		case expr.And:
			return o.conjunction(e.Args)
		case expr.Or:
			none := 1.0
			for _, a := range e.Args {
				none *= 1 - o.selectivity(a)
			}
			return 1 - none
		}
		return 1 - o.selectivity(e.Args[0])
	case *expr.IsNull:
		s := selNull
		if ref, ok := e.Arg.(*expr.ColumnRef); ok {
			if st, _ := o.column(plan.ColID(ref.Ordinal)); st != nil {
				s = st.NullFrac
			}
			if o.md.Columns[ref.Ordinal].NotNull {
				s = 0
			}
		}
		if e.Not {
			return 1 - s
		}
		return s
	case *expr.ColumnRef:
		if st, _ := o.column(plan.ColID(e.Ordinal)); st != nil {
			return st.Equal(types.True)
		}
		return selOther
	case *expr.Call:
		return o.callSelectivity(e)
	case *expr.InList:
		s := 0.0
		if ref, ok := stripRelabel(e.Arg).(*expr.ColumnRef); ok {
			for _, d := range e.List {
				s += o.equalSel(plan.ColID(ref.Ordinal), d, true)
			}
		} else {
			s = selEqual * float64(len(e.List))
		}
		s = min(s, 1)
		if e.Not {
			return 1 - s
		}
		return s
	case *expr.ScalarArray:
		n := 10.0
		if a, ok := e.Right.(*expr.ArrayExpr); ok {
			n = float64(len(a.Elems))
		}
		if c, ok := e.Right.(*expr.Const); ok && !c.Value.IsNull() {
			n = float64(len(c.Value.Array().Elems))
		}
		each := selOther
		if e.Op.Compare == expr.CmpEQ {
			each = selEqual
			if ref, ok := stripRelabel(e.Left).(*expr.ColumnRef); ok {
				each = o.equalSel(plan.ColID(ref.Ordinal), types.Null, false)
			}
		}
		if e.All {
			return math.Pow(each, n)
		}
		return min(each*n, 1)
	}
	return selOther
}

func (o *optimizer) equalSel(id plan.ColID, v types.Datum, known bool) float64 {
	st, rows := o.column(id)
	switch {
	case st != nil && known:
		return st.Equal(v)
	case st != nil:
		return st.EqualUnknown()
	case rows > 0 && o.uniqueColumn(&o.md.Columns[id]):
		return 1 / rows
	case o.md.Columns[id].T.OID == types.OIDBool:
		return 0.5
	}
	return selEqual
}

func (o *optimizer) callSelectivity(e *expr.Call) float64 {
	if e.Op == nil {
		return selOther
	}
	if e.Op.Compare == expr.CmpNone {
		switch e.Op.Name {
		case "~~", "~", "~~*", "~*", "@>", "<@", "&&", "?":
			return selMatch
		case "!~~", "!~", "!~~*", "!~*":
			return 1 - selMatch
		}
		return selOther
	}
	l, r := stripRelabel(e.Args[0]), stripRelabel(e.Args[1])
	op := e.Op.Compare
	lc, lok := l.(*expr.ColumnRef)
	rc, rok := r.(*expr.ColumnRef)
	if lok && rok {
		// A join condition.
		if op == expr.CmpEQ {
			d := max(o.distinct(plan.ColID(lc.Ordinal), math.Inf(1)), o.distinct(plan.ColID(rc.Ordinal), math.Inf(1)))
			return 1 / max(d, 1)
		}
		return selRange
	}
	if rok {
		lc, l, r, lok = rc, r, l, true
		op = op.Commuted()
	}
	if !lok {
		if op == expr.CmpEQ {
			return selEqual
		}
		return selRange
	}
	id := plan.ColID(lc.Ordinal)
	k, known := r.(*expr.Const)
	st, _ := o.column(id)
	switch op {
	case expr.CmpEQ:
		if known {
			return o.equalSel(id, k.Value, true)
		}
		return o.equalSel(id, types.Null, false)
	case expr.CmpNE:
		if known {
			return max(1-o.equalSel(id, k.Value, true), 0)
		}
		return max(1-o.equalSel(id, types.Null, false), 0)
	}
	if st == nil || !known {
		return selRange
	}
	switch op {
	case expr.CmpLT:
		return st.Below(k.Value, false)
	case expr.CmpLE:
		return st.Below(k.Value, true)
	case expr.CmpGT:
		return max(1-st.NullFrac-st.Below(k.Value, true), 0)
	}
	return max(1-st.NullFrac-st.Below(k.Value, false), 0)
}

// conjunction estimates several conditions together. Two bounds on one column make a range.
func (o *optimizer) conjunction(es []expr.Expr) float64 {
	s := 1.0
	type bounds struct{ lo, hi float64 }
	ranges := map[plan.ColID]*bounds{}
	for _, e := range es {
		if c, ok := e.(*expr.Call); ok && c.Op != nil {
			op := c.Op.Compare
			ref, isRef := stripRelabel(c.Args[0]).(*expr.ColumnRef)
			other := c.Args[1]
			if !isRef {
				ref, isRef = stripRelabel(c.Args[1]).(*expr.ColumnRef)
				op, other = op.Commuted(), c.Args[0]
			}
			_, otherRef := stripRelabel(other).(*expr.ColumnRef)
			if isRef && !otherRef && op >= expr.CmpLT {
				id := plan.ColID(ref.Ordinal)
				b := ranges[id]
				if b == nil {
					b = &bounds{-1, -1}
					ranges[id] = b
				}
				if op == expr.CmpLT || op == expr.CmpLE {
					b.hi = o.callSelectivity(c)
				} else {
					b.lo = o.callSelectivity(c)
				}
				continue
			}
		}
		s *= o.selectivity(e)
	}
	for id, b := range ranges {
		switch {
		case b.lo >= 0 && b.hi >= 0:
			if st, _ := o.column(id); st != nil {
				s *= max(b.lo+b.hi-1+st.NullFrac, selBetween/50)
			} else {
				s *= selBetween
			}
		case b.lo >= 0:
			s *= b.lo
		default:
			s *= b.hi
		}
	}
	return min(max(s, 0), 1)
}

// stripRelabel removes casts that do not change how a value is held and ordered: between string
// types, from a narrow integer to a wide one, between oid and its aliases.
func stripRelabel(e expr.Expr) expr.Expr {
	for {
		c, ok := e.(*expr.Cast)
		if !ok || !relabels(c.Arg.Type(), c.T) {
			return e
		}
		e = c.Arg
	}
}

func relabels(from, to *types.T) bool {
	if to.Typmod != -1 && to.Typmod != from.Typmod || from.Family != to.Family {
		return false
	}
	if fn, _, ok := types.FindCast(from, to); ok && fn == nil {
		return true
	}
	width := func(t *types.T) int {
		switch t.OID {
		case types.OIDInt2:
			return 2
		case types.OIDInt4:
			return 4
		case types.OIDInt8:
			return 8
		}
		return 0
	}
	text := func(t *types.T) bool {
		return t.OID == types.OIDText || t.OID == types.OIDVarchar || t.OID == types.OIDName
	}
	oid := func(t *types.T) bool { return t.OID == types.OIDOid || t.IsReg() }
	switch {
	case width(from) > 0 && width(to) >= width(from):
		return true
	case text(from) && to.OID == types.OIDText, from.OID == types.OIDText && to.OID == types.OIDVarchar && to.Typmod == -1:
		return true
	}
	return oid(from) && oid(to)
}

// estimateRows estimates the rows of a logical tree before it is planned.
func (o *optimizer) estimateRows(n plan.Node) float64 {
	switch n := n.(type) {
	case *plan.Scan:
		return o.tableRows(n.Rel)
	case *plan.Filter:
		return max(o.estimateRows(n.Input)*o.conjunction(n.Conds), 1)
	case *plan.Values:
		return float64(len(n.Rows))
	case *plan.FuncScan:
		return 100
	case *plan.Join:
		l, r := o.estimateRows(n.Left), o.estimateRows(n.Right)
		return joinRows(n.Kind, l, r, o.conjunction(n.On))
	case *plan.Aggregate:
		if len(n.Keys) == 0 {
			return 1
		}
		return o.groups(n.Keys, o.estimateRows(n.Input))
	case *plan.Limit:
		rows := o.estimateRows(n.Input)
		if c, ok := n.Count.(*expr.Const); ok && !c.Value.IsNull() {
			rows = min(rows, float64(c.Value.Int()))
		}
		return max(rows, 1)
	case *plan.SetOp:
		return o.estimateRows(n.Left) + o.estimateRows(n.Right)
	case *plan.CTEScan:
		return o.estimateRows(n.CTE.Plan)
	case *plan.WorkTable:
		return 100
	}
	rows := 1.0
	for _, in := range n.Inputs() {
		rows *= o.estimateRows(in)
	}
	return rows
}

func joinRows(kind plan.JoinKind, l, r, sel float64) float64 {
	inner := l * r * sel
	switch kind {
	case plan.LeftJoin:
		return max(inner, l)
	case plan.FullJoin:
		return max(inner, l+r-min(l, r))
	case plan.SemiJoin:
		return max(min(l, inner), 1)
	case plan.AntiJoin:
		return max(l-min(l, inner), max(l*0.1, 1))
	}
	return max(inner, 1)
}

// groups estimates the number of different keys among rows.
func (o *optimizer) groups(keys []plan.Item, rows float64) float64 {
	n := 1.0
	for _, k := range keys {
		d := 200.0
		if ref, ok := k.Expr.(*expr.ColumnRef); ok {
			d = o.distinct(plan.ColID(ref.Ordinal), rows)
		} else if k.Expr.Type().OID == types.OIDBool {
			d = 2
		}
		n *= d
	}
	return max(min(n, rows), 1)
}
