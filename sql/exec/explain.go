package exec

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// ExplainOptions say what EXPLAIN shows.
type ExplainOptions struct {
	Costs   bool
	Verbose bool
	// Stats are those of an execution (Cursor.Stats) for EXPLAIN ANALYZE, nil otherwise.
	Stats  []NodeStats
	Timing bool
}

// Explain prints a plan in PostgreSQL's layout, a line per element.
func Explain(p *plan.Physical, opt ExplainOptions) []string {
	e := &explainer{opt: opt, p: p, settings: types.DefaultSettings(), shown: make(map[*plan.PCTE]bool)}
	e.qualify = countRelations(p.Root) > 1
	for _, c := range p.CTEs {
		if countRelations(c.Plan) > 0 {
			e.qualify = e.qualify || countRelations(p.Root)+countRelations(c.Plan) > 1
		}
	}
	e.node(p.Root, topNode, "", true)
	return e.lines
}

// countRelations counts what a plan reads from, subqueries included.
func countRelations(n plan.PhysNode) int {
	count := 0
	switch n := n.(type) {
	case *plan.PTableScan, *plan.PVirtualScan, *plan.PCTEScan, *plan.PWorkTable, *plan.PFuncScan, *plan.PLookupJoin:
		count++
	case *plan.PValues:
		if n.Alias != "" {
			count++
		}
	}
	for _, k := range n.Kids() {
		count += countRelations(k)
	}
	plan.EachPhysExpr(n, func(e expr.Expr) {
		expr.Walk(e, func(e expr.Expr) bool {
			if s, ok := e.(*expr.Subquery); ok {
				count += countRelations(s.Plan.(*plan.Subplan).Phys)
			}
			return true
		})
	})
	return count
}

type explainer struct {
	p        *plan.Physical
	opt      ExplainOptions
	settings *types.Settings
	lines    []string
	qualify  bool
	shown    map[*plan.PCTE]bool
	// outer are the columns of the rows around, for correlated references.
	outer  [][]plan.PhysCol
	inits  int
	subNos map[int]int
}

// A node is printed with an arrow at column at (top has none and at is -1). What belongs to
// it, properties and the arrows of the nodes below, stands at body(at).
func body(at int) int {
	if at < 0 {
		return 2
	}
	return at + 6
}

const topNode = -1

func (e *explainer) line(at int, format string, args ...any) {
	e.lines = append(e.lines, strings.Repeat(" ", body(at))+fmt.Sprintf(format, args...))
}

func (e *explainer) head(n plan.PhysNode, at int, label, title string) {
	b := n.Phys()
	s := title
	if e.opt.Costs {
		s += fmt.Sprintf("  (cost=%.2f..%.2f rows=%.0f width=%d)", b.Startup, max(b.Total, b.Startup), b.Rows, b.Width)
	}
	if e.opt.Stats != nil {
		st := e.opt.Stats[b.ID]
		if st.Loops == 0 {
			s += " (never executed)"
		} else {
			loops := float64(st.Loops)
			ms := func(d time.Duration) float64 { return float64(d) / 1e6 / loops }
			if e.opt.Timing {
				s += fmt.Sprintf(" (actual time=%.3f..%.3f rows=%.0f loops=%d)", ms(st.Startup), ms(st.Total), float64(st.Rows)/loops, st.Loops)
			} else {
				s += fmt.Sprintf(" (actual rows=%.0f loops=%d)", float64(st.Rows)/loops, st.Loops)
			}
		}
	}
	if label != "" {
		e.lines = append(e.lines, strings.Repeat(" ", at-2)+label)
	}
	if at < 0 {
		e.lines = append(e.lines, s)
		return
	}
	e.lines = append(e.lines, strings.Repeat(" ", at)+"->  "+s)
}

// node prints a node and what is below it.
func (e *explainer) node(n plan.PhysNode, at int, label string, top bool) {
	var props []string
	add := func(name string, conds []expr.Expr, cols []plan.PhysCol) {
		if len(conds) > 0 {
			props = append(props, name+": "+e.conj(conds, cols))
		}
	}
	kids := n.Kids()
	var title string
	input := func() []plan.PhysCol { return kids[0].Phys().Cols }
	switch n := n.(type) {
	case *plan.PTableScan:
		title = e.scanTitle(n)
		if c := e.bounds(n); c != "" {
			props = append(props, "Index Cond: "+c)
		}
		add("Filter", n.Filter, n.Cols)
	case *plan.PVirtualScan:
		title = "Seq Scan on " + aliased(n.Rel.Head().Name, n.Alias)
		add("Filter", n.Filter, n.Cols)
	case *plan.PValues:
		title = "Result"
		if n.Alias != "" {
			title = `Values Scan on "*VALUES*"`
		}
	case *plan.PFuncScan:
		name := "rows from"
		if c, ok := n.Funcs[0].Call.(*expr.Call); ok {
			name = c.Fn.Name
		}
		title = "Function Scan on " + aliased(name, n.Alias)
	case *plan.PFilter:
		if !e.foldable(n) {
			title = "Filter"
			add("Filter", n.Conds, input())
			break
		}
		// PostgreSQL has no filter node of its own: the condition belongs to the node below.
		e.withFilter(n, at, label)
		return
	case *plan.PProject:
		if v, ok := n.Input.(*plan.PValues); ok && v.Alias == "" {
			e.initPlans(n, at, func() { e.head(n, at, label, "Result") })
			return
		}
		// Nor one for projections.
		if !hasSubplan(n) {
			e.node(n.Input, at, label, top)
			return
		}
		e.initPlans(n, at, func() { e.head(n, at, label, "Projection") })
		e.node(n.Input, body(at), "", false)
		return
	case *plan.PProjectSet:
		title = "ProjectSet"
	case *plan.PHashJoin:
		title = "Hash " + joinWord(n.Kind, n.NullAware)
		both := bothCols(n.Left, n.Right.Phys().Cols)
		add("Hash Cond", n.KeyConds, both)
		add("Join Filter", n.On, both)
		e.head(n, at, label, title)
		for _, p := range props {
			e.line(at, "%s", p)
		}
		e.node(n.Left, body(at), "", false)
		h := *n.Right.Phys()
		h.Startup = h.Total
		e.head(&hashNode{PhysBase: h}, body(at), "", "Hash")
		e.node(n.Right, body(body(at)), "", false)
		return
	case *plan.PNestLoop:
		title = "Nested Loop"
		if n.Kind != plan.InnerJoin {
			title += " " + strings.TrimSuffix(joinWord(n.Kind, false), " Join")
			if n.Kind == plan.LeftJoin || n.Kind == plan.FullJoin || n.Kind == plan.SemiJoin || n.Kind == plan.AntiJoin {
				title += " Join"
			}
		}
		add("Join Filter", n.On, bothCols(n.Left, n.Right.Phys().Cols))
		e.head(n, at, label, title)
		for _, p := range props {
			e.line(at, "%s", p)
		}
		e.node(n.Left, body(at), "", false)
		if n.Lateral {
			e.outer = append(e.outer, n.Left.Phys().Cols)
			e.node(n.Right, body(at), "", false)
			e.outer = e.outer[:len(e.outer)-1]
			return
		}
		e.node(n.Right, body(at), "", false)
		return
	case *plan.PLookupJoin:
		title = "Nested Loop"
		if n.Kind != plan.InnerJoin {
			title += " " + joinWord(n.Kind, false)
		}
		add("Join Filter", n.On, bothCols(n.Left, n.RightCols))
		e.head(n, at, label, title)
		for _, p := range props {
			e.line(at, "%s", p)
		}
		e.node(n.Left, body(at), "", false)
		name := "Index Scan using "
		if n.Covering && n.Index != &n.Table.Primary {
			name = "Index Only Scan using "
		}
		e.lines = append(e.lines, strings.Repeat(" ", body(at))+"->  "+name+types.QuoteIdent(n.Index.Name)+" on "+aliased(n.Table.Name, n.Alias)+" (batched)")
		e.line(body(at), "Index Cond: %s", e.conj(n.KeyConds, bothCols(n.Left, n.KeyCols)))
		return
	case *plan.PAggregate:
		title = [...]string{"Aggregate", "HashAggregate", "GroupAggregate"}[n.Strategy]
		if n.Sets != nil {
			title = "MixedAggregate"
		}
		if len(n.Keys) > 0 {
			var ks []string
			for _, k := range n.Keys {
				ks = append(ks, e.text(k, input()))
			}
			props = append(props, "Group Key: "+strings.Join(ks, ", "))
		}
		add("Filter", n.Having, n.Cols)
	case *plan.PSort:
		title = "Sort"
		if n.Prefix > 0 {
			title = "Incremental Sort"
		}
		if n.LimitCount != nil {
			title = "Sort"
		}
		props = append(props, "Sort Key: "+e.keys(n.Keys, input()))
		if n.Prefix > 0 {
			props = append(props, "Presorted Key: "+e.keys(n.Keys[:n.Prefix], input()))
		}
	case *plan.PLimit:
		title = "Limit"
	case *plan.PDistinct:
		title = "HashAggregate"
		if n.Sorted {
			title = "Unique"
		} else {
			var ks []string
			for _, o := range n.On {
				ks = append(ks, e.column(input()[o]))
			}
			props = append(props, "Group Key: "+strings.Join(ks, ", "))
		}
	case *plan.PAppend:
		title = "Append"
	case *plan.PSetOp:
		title = "HashSetOp " + [...]string{plan.Intersect: "Intersect", plan.Except: "Except"}[n.Kind]
		if n.All {
			title += " All"
		}
	case *plan.PWindow:
		title = "WindowAgg"
	case *plan.PCTEScan:
		title = "CTE Scan on " + aliased(n.CTE.Name, n.Alias)
	case *plan.PWorkTable:
		title = "WorkTable Scan on " + aliased(n.CTE.Name, n.Alias)
	case *plan.PLockRows:
		title = "LockRows"
	case *plan.PInsert:
		title = "Insert on " + aliased(n.Table.Name, n.Alias)
		if c := n.Conflict; c != nil {
			props = append(props, "Conflict Resolution: "+map[bool]string{true: "UPDATE", false: "NOTHING"}[c.DoUpdate])
			if len(c.Arbiters) > 0 {
				var names []string
				for _, a := range c.Arbiters {
					names = append(names, a.Name)
				}
				props = append(props, "Conflict Arbiter Indexes: "+strings.Join(names, ", "))
			}
		}
	case *plan.PUpdate:
		title = "Update on " + aliased(n.Table.Name, n.Alias)
	case *plan.PDelete:
		title = "Delete on " + aliased(n.Table.Name, n.Alias)
	default:
		title = fmt.Sprintf("%T", n)
	}
	e.initPlans(n, at, func() {
		e.head(n, at, label, title)
		for _, p := range props {
			e.line(at, "%s", p)
		}
	})
	for _, k := range kids {
		e.node(k, body(at), "", false)
	}
}

// hashNode is the Hash line of a hash join, which is no node of ours.
type hashNode struct{ plan.PhysBase }

func (*hashNode) Kids() []plan.PhysNode { return nil }

// foldable reports whether the filter's condition can be shown with the node below.
func (e *explainer) foldable(n *plan.PFilter) bool {
	switch n.Input.(type) {
	case *plan.PHashJoin, *plan.PNestLoop, *plan.PLookupJoin, *plan.PCTEScan, *plan.PWorkTable, *plan.PFuncScan, *plan.PValues, *plan.PTableScan:
		return true
	}
	return false
}

// withFilter prints the node below with the condition as one of its properties.
func (e *explainer) withFilter(n *plan.PFilter, at int, label string) {
	first := len(e.lines)
	e.initPlans(n, at, func() {})
	subs := append([]string(nil), e.lines[first:]...)
	e.lines = e.lines[:first]
	e.node(n.Input, at, label, false)
	// The property goes behind the node's own, before what is below it.
	end := first + 1
	if label != "" {
		end++
	}
	for end < len(e.lines) && !isBelow(e.lines[end]) {
		end++
	}
	prop := strings.Repeat(" ", body(at)) + "Filter: " + e.conj(n.Conds, n.Input.Phys().Cols)
	tail := append(append([]string{prop}, subs...), e.lines[end:]...)
	e.lines = append(e.lines[:end:end], tail...)
}

// isBelow reports whether a line begins what is below a node.
func isBelow(line string) bool {
	line = strings.TrimLeft(line, " ")
	for _, p := range []string{"->", "CTE ", "InitPlan ", "SubPlan "} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}

func hasSubplan(n plan.PhysNode) bool {
	found := false
	plan.EachPhysExpr(n, func(x expr.Expr) {
		expr.Walk(x, func(x expr.Expr) bool {
			if _, ok := x.(*expr.Subquery); ok {
				found = true
			}
			return !found
		})
	})
	return found
}

// initPlans prints the node's own lines and then the subqueries of its expressions and the WITH
// queries that it is the first to read.
func (e *explainer) initPlans(n plan.PhysNode, at int, own func()) {
	var subs []*expr.Subquery
	plan.EachPhysExpr(n, func(x expr.Expr) {
		expr.Walk(x, func(x expr.Expr) bool {
			if s, ok := x.(*expr.Subquery); ok {
				subs = append(subs, s)
				e.number(s)
			}
			return true
		})
	})
	own()
	if c, ok := n.(*plan.PCTEScan); ok && !e.shown[c.CTE] {
		e.shown[c.CTE] = true
		if c.CTE.Rec == nil {
			e.node(c.CTE.Plan, body(at)+2, "CTE "+c.CTE.Name, false)
		} else {
			e.line(at, "CTE %s", c.CTE.Name)
			b := *c.CTE.Plan.Phys()
			e.head(&hashNode{PhysBase: b}, body(at)+2, "", "Recursive Union")
			e.node(c.CTE.Plan, body(body(at)+2), "", false)
			e.node(c.CTE.Rec, body(body(at)+2), "", false)
		}
	}
	var in []plan.PhysCol
	if kids := n.Kids(); len(kids) > 0 {
		in = kids[0].Phys().Cols
	} else {
		in = n.Phys().Cols
	}
	for _, s := range subs {
		name := "SubPlan "
		if !s.Correlated {
			name = "InitPlan "
		}
		e.outer = append(e.outer, in)
		e.node(s.Plan.(*plan.Subplan).Phys, body(at)+2, name+strconv.Itoa(e.subNos[s.ID]), false)
		e.outer = e.outer[:len(e.outer)-1]
	}
}

func (e *explainer) number(s *expr.Subquery) int {
	if e.subNos == nil {
		e.subNos = make(map[int]int)
	}
	if _, ok := e.subNos[s.ID]; !ok {
		e.inits++
		e.subNos[s.ID] = e.inits
	}
	return e.subNos[s.ID]
}

func aliased(name, alias string) string {
	name = types.QuoteIdent(name)
	if alias != "" && alias != name && types.QuoteIdent(alias) != name {
		return name + " " + types.QuoteIdent(alias)
	}
	return name
}

func joinWord(k plan.JoinKind, _ bool) string {
	switch k {
	case plan.LeftJoin:
		return "Left Join"
	case plan.FullJoin:
		return "Full Join"
	case plan.SemiJoin:
		return "Semi Join"
	case plan.AntiJoin:
		return "Anti Join"
	}
	return "Join"
}

func bothCols(l plan.PhysNode, r []plan.PhysCol) []plan.PhysCol {
	cols := l.Phys().Cols
	return append(cols[:len(cols):len(cols)], r...)
}

func (e *explainer) scanTitle(n *plan.PTableScan) string {
	on := " on " + aliased(n.Table.Name, n.Alias)
	if n.Bounds == nil && n.Index == &n.Table.Primary && !n.Ordered {
		return "Seq Scan" + on
	}
	name := "Index Scan"
	if n.Covering && n.Index != &n.Table.Primary {
		name = "Index Only Scan"
	}
	if n.Reverse {
		name += " Backward"
	}
	return name + " using " + types.QuoteIdent(n.Index.Name) + on
}

// bounds prints the bounds of a scan as conditions.
func (e *explainer) bounds(n *plan.PTableScan) string {
	if n.Bounds == nil {
		return ""
	}
	name := func(i int) string {
		c := n.Table.Column(n.Index.Columns[i].Num)
		if e.qualify {
			return types.QuoteIdent(n.Alias) + "." + types.QuoteIdent(c.Name)
		}
		return types.QuoteIdent(c.Name)
	}
	var conds []string
	for i, p := range n.Bounds.Prefix {
		switch {
		case p.IsNull:
			conds = append(conds, "("+name(i)+" IS NULL)")
		case p.Array != nil:
			conds = append(conds, "("+name(i)+" = ANY ("+e.text(p.Array, nil)+"))")
		case len(p.Values) == 1:
			conds = append(conds, "("+name(i)+" = "+e.text(p.Values[0], nil)+")")
		default:
			conds = append(conds, "("+name(i)+" = ANY ("+e.array(p.Values)+"))")
		}
	}
	k := len(n.Bounds.Prefix)
	end := func(r *plan.RangeEnd, op string) {
		if r == nil {
			return
		}
		if r.Inclusive {
			op += "="
		}
		conds = append(conds, "("+name(k)+" "+op+" "+e.text(r.Expr, nil)+")")
	}
	end(n.Bounds.Lower, ">")
	end(n.Bounds.Upper, "<")
	if len(conds) == 1 {
		return conds[0]
	}
	return "(" + strings.Join(conds, " AND ") + ")"
}

// array prints a list of constants as an array literal, others as ARRAY[...].
func (e *explainer) array(vs []expr.Expr) string {
	elems := make([]types.Datum, 0, len(vs))
	for _, v := range vs {
		c, ok := v.(*expr.Const)
		if !ok {
			parts := make([]string, len(vs))
			for i, v := range vs {
				parts[i] = e.text(v, nil)
			}
			return "ARRAY[" + strings.Join(parts, ", ") + "]"
		}
		elems = append(elems, c.Value)
	}
	t := vs[0].Type()
	at := types.ArrayOf(t.WithTypmod(-1))
	if at == nil {
		return "?"
	}
	d := types.NewArrayDatum(types.NewArray(t, elems))
	return "'" + types.TextOf(at, d, e.settings) + "'::" + at.String()
}

func (e *explainer) keys(ks []plan.POrder, cols []plan.PhysCol) string {
	out := make([]string, len(ks))
	for i, k := range ks {
		s := e.column(cols[k.Ord])
		if k.Desc {
			s += " DESC"
		}
		if k.NullsFirst != k.Desc {
			s += map[bool]string{true: " NULLS FIRST", false: " NULLS LAST"}[k.NullsFirst]
		}
		out[i] = s
	}
	return strings.Join(out, ", ")
}

func (e *explainer) column(c plan.PhysCol) string {
	if c.Qualifier != "" && e.qualify {
		return types.QuoteIdent(c.Qualifier) + "." + types.QuoteIdent(c.Name)
	}
	if c.Name == "?column?" {
		return "(expression)"
	}
	return types.QuoteIdent(c.Name)
}

func (e *explainer) conj(conds []expr.Expr, cols []plan.PhysCol) string {
	if len(conds) == 1 {
		return e.paren(conds[0], cols)
	}
	parts := make([]string, len(conds))
	for i, c := range conds {
		parts[i] = e.paren(c, cols)
	}
	return "(" + strings.Join(parts, " AND ") + ")"
}

// paren prints a condition in parentheses, unless it is a plain column or call.
func (e *explainer) paren(x expr.Expr, cols []plan.PhysCol) string {
	return e.text(x, cols)
}

// text prints an expression as PostgreSQL's EXPLAIN does.
func (e *explainer) text(x expr.Expr, cols []plan.PhysCol) string {
	list := func(es []expr.Expr) string {
		parts := make([]string, len(es))
		for i, a := range es {
			parts[i] = e.text(a, cols)
		}
		return strings.Join(parts, ", ")
	}
	switch x := x.(type) {
	case *expr.Const:
		return e.constant(x)
	case *expr.ColumnRef:
		if x.Ordinal < len(cols) {
			return e.column(cols[x.Ordinal])
		}
		return x.Name
	case *expr.OuterRef:
		if i := len(e.outer) - x.Level; i >= 0 && x.Ordinal < len(e.outer[i]) {
			return e.column(e.outer[i][x.Ordinal])
		}
		return x.Name
	case *expr.Param:
		return "$" + strconv.Itoa(x.N)
	case *expr.Call:
		if x.Op != nil {
			if len(x.Args) == 1 {
				return "(" + x.Op.Name + " " + e.text(x.Args[0], cols) + ")"
			}
			return "(" + e.text(x.Args[0], cols) + " " + x.Op.Name + " " + e.text(x.Args[1], cols) + ")"
		}
		return types.QuoteIdent(x.Fn.Name) + "(" + list(x.Args) + ")"
	case *expr.BoolOp:
		if x.Op == expr.Not {
			return "(NOT " + e.text(x.Args[0], cols) + ")"
		}
		word := " AND "
		if x.Op == expr.Or {
			word = " OR "
		}
		parts := make([]string, len(x.Args))
		for i, a := range x.Args {
			parts[i] = e.text(a, cols)
		}
		return "(" + strings.Join(parts, word) + ")"
	case *expr.Cast:
		if x.Implicit && x.Arg.Type().Family == x.T.Family {
			if _, ok := x.Arg.(*expr.ColumnRef); !ok {
				return e.text(x.Arg, cols)
			}
		}
		return "(" + e.text(x.Arg, cols) + ")::" + x.T.String()
	case *expr.IsNull:
		return "(" + e.text(x.Arg, cols) + map[bool]string{true: " IS NOT NULL)", false: " IS NULL)"}[x.Not]
	case *expr.IsTruth:
		not := ""
		if x.Not {
			not = "NOT "
		}
		return "(" + e.text(x.Arg, cols) + " IS " + not + [...]string{"TRUE", "FALSE", "UNKNOWN"}[x.Want] + ")"
	case *expr.IsDistinct:
		not := ""
		if x.Not {
			not = "NOT "
		}
		return "(" + e.text(x.Eq.Args[0], cols) + " IS " + not + "DISTINCT FROM " + e.text(x.Eq.Args[1], cols) + ")"
	case *expr.InList:
		vs := make([]expr.Expr, len(x.List))
		for i, d := range x.List {
			vs[i] = expr.NewConst(x.ElemT, d)
		}
		if x.HasNull {
			vs = append(vs, expr.NewConst(x.ElemT, types.Null))
		}
		op := " = ANY ("
		if x.Not {
			op = " <> ALL ("
		}
		return "(" + e.text(x.Arg, cols) + op + e.array(vs) + "))"
	case *expr.ScalarArray:
		q := " ANY ("
		if x.All {
			q = " ALL ("
		}
		return "(" + e.text(x.Left, cols) + " " + x.Op.Name + q + e.text(x.Right, cols) + "))"
	case *expr.ArrayExpr:
		return "ARRAY[" + list(x.Elems) + "]"
	case *expr.RowExpr:
		return "ROW(" + list(x.Fields) + ")"
	case *expr.Coalesce:
		return "COALESCE(" + list(x.Args) + ")"
	case *expr.MinMax:
		return map[bool]string{true: "GREATEST(", false: "LEAST("}[x.Greatest] + list(x.Args) + ")"
	case *expr.NullIf:
		return "NULLIF(" + list(x.Eq.Args) + ")"
	case *expr.Case:
		var b strings.Builder
		b.WriteString("CASE")
		if x.Operand != nil {
			b.WriteString(" " + e.text(x.Operand, cols))
		}
		for _, w := range x.Whens {
			cond := w.Cond
			if c, ok := cond.(*expr.Call); ok && x.Operand != nil {
				cond = c.Args[1]
			}
			b.WriteString(" WHEN " + e.text(cond, cols) + " THEN " + e.text(w.Result, cols))
		}
		if x.Else != nil {
			b.WriteString(" ELSE " + e.text(x.Else, cols))
		}
		return b.String() + " END"
	case *expr.FieldSelect:
		return "(" + e.text(x.Arg, cols) + ")." + types.QuoteIdent(x.Name)
	case *expr.Subscript:
		return e.text(x.Arg, cols) + "[...]"
	case *expr.Subquery:
		n := strconv.Itoa(e.number(x))
		switch x.Kind {
		case expr.SubExists:
			return "EXISTS(SubPlan " + n + ")"
		case expr.SubAny, expr.SubAll:
			return "(SubPlan " + n + ")"
		}
		if !x.Correlated {
			return "(InitPlan " + n + ")"
		}
		return "(SubPlan " + n + ")"
	}
	return "?"
}

func (e *explainer) constant(c *expr.Const) string {
	if c.Value.IsNull() {
		return "NULL::" + c.T.String()
	}
	text := types.TextOf(c.T, c.Value, e.settings)
	switch c.T.OID {
	case types.OIDInt4, types.OIDBool:
		if strings.HasPrefix(text, "-") {
			return "'" + text + "'::integer"
		}
		if c.T.OID == types.OIDBool {
			return map[bool]string{true: "true", false: "false"}[c.Value.Bool()]
		}
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'::" + c.T.String()
}
