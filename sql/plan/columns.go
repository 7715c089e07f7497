package plan

import (
	"fmt"
	"strings"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/types"
)

// ColSet is a set of columns.
type ColSet map[ColID]struct{}

// Add adds columns.
func (s ColSet) Add(ids ...ColID) {
	for _, id := range ids {
		s[id] = struct{}{}
	}
}

// Has reports whether id is in the set.
func (s ColSet) Has(id ColID) bool {
	_, ok := s[id]
	return ok
}

// SetOf returns a set of the columns.
func SetOf(ids []ColID) ColSet {
	s := make(ColSet, len(ids))
	s.Add(ids...)
	return s
}

// FreeOf calls visit for every column that e refers to, those of its subqueries' own
// excepted. A column may be visited more than once.
func FreeOf(e expr.Expr, visit func(ColID)) {
	expr.Walk(e, func(e expr.Expr) bool {
		switch e := e.(type) {
		case *expr.ColumnRef:
			visit(ColID(e.Ordinal))
		case *expr.Subquery:
			sp := e.Plan.(*Subplan)
			for id := range FreeColumns(sp.Root) {
				visit(id)
			}
			if e.Test != nil {
				own := SetOf(sp.Cols)
				FreeOf(e.Test, func(id ColID) {
					if !own.Has(id) {
						visit(id)
					}
				})
			}
		}
		return true
	})
}

// UsedBy returns the columns that expressions refer to.
func UsedBy(es ...expr.Expr) ColSet {
	s := ColSet{}
	for _, e := range es {
		FreeOf(e, func(id ColID) { s.Add(id) })
	}
	return s
}

// FreeColumns returns the columns that a tree refers to and does not produce: those by
// which it is correlated.
func FreeColumns(n Node) ColSet {
	free := ColSet{}
	collectFree(n, free)
	return free
}

func collectFree(n Node, free ColSet) {
	produced := ColSet{}
	own := ColSet{}
	visit := func(id ColID) { own.Add(id) }
	EachExpr(n, func(e expr.Expr) { FreeOf(e, visit) })
	for _, in := range n.Inputs() {
		produced.Add(in.Columns(nil)...)
		collectFree(in, own)
	}
	switch n := n.(type) {
	case *Values:
		produced = ColSet{}
	case *CTEScan, *WorkTable:
	case *Insert:
		produced.Add(n.OwnColumns()...)
	case *Update:
		produced.Add(n.OwnColumns()...)
	case *Delete:
		produced.Add(n.OwnColumns()...)
	}
	for id := range own {
		if !produced.Has(id) {
			free.Add(id)
		}
	}
}

// EachExpr calls fn for the expressions of a node itself, not of its inputs.
func EachExpr(n Node, fn func(expr.Expr)) {
	MapExprs(n, func(e expr.Expr) expr.Expr {
		fn(e)
		return e
	}, false)
}

// MapExprs replaces the expressions of a node. With copy it returns a new node, else the
// expressions are only visited (fn must return its argument).
func MapExprs(n Node, fn func(expr.Expr) expr.Expr, copy bool) Node {
	list := func(es []expr.Expr) []expr.Expr {
		if es == nil {
			return nil
		}
		if !copy {
			for _, e := range es {
				fn(e)
			}
			return es
		}
		out := make([]expr.Expr, len(es))
		for i, e := range es {
			out[i] = fn(e)
		}
		return out
	}
	items := func(is []Item) []Item {
		if !copy {
			for _, it := range is {
				fn(it.Expr)
			}
			return is
		}
		out := make([]Item, len(is))
		for i, it := range is {
			out[i] = Item{ID: it.ID, Expr: fn(it.Expr)}
		}
		return out
	}
	opt := func(e expr.Expr) expr.Expr {
		if e == nil {
			return nil
		}
		return fn(e)
	}
	switch n := n.(type) {
	case *Values:
		c := *n
		c.Rows = make([][]expr.Expr, len(n.Rows))
		for i, r := range n.Rows {
			c.Rows[i] = list(r)
		}
		return &c
	case *FuncScan:
		c := *n
		c.Funcs = mapFuncs(n.Funcs, fn)
		return &c
	case *ProjectSet:
		c := *n
		c.Items = mapFuncs(n.Items, fn)
		return &c
	case *Filter:
		c := *n
		c.Conds = list(n.Conds)
		return &c
	case *Project:
		c := *n
		c.Items = items(n.Items)
		return &c
	case *Join:
		c := *n
		c.On = list(n.On)
		return &c
	case *Aggregate:
		c := *n
		c.Keys = items(n.Keys)
		c.Aggs = make([]AggItem, len(n.Aggs))
		for i, a := range n.Aggs {
			c.Aggs[i] = AggItem{ID: a.ID, Call: a.Call.mapExprs(fn)}
		}
		return &c
	case *Window:
		c := *n
		c.Partition = list(n.Partition)
		c.OrderBy = mapSort(n.OrderBy, fn)
		c.Funcs = make([]WindowItem, len(n.Funcs))
		for i, f := range n.Funcs {
			c.Funcs[i] = f
			c.Funcs[i].Call = f.Call.mapExprs(fn)
			c.Funcs[i].Offset = [2]expr.Expr{opt(f.Offset[0]), opt(f.Offset[1])}
		}
		return &c
	case *Limit:
		c := *n
		c.Count, c.Offset = opt(n.Count), opt(n.Offset)
		return &c
	case *Insert:
		c := *n
		c.TargetWrite = n.TargetWrite.mapExprs(fn)
		if n.Conflict != nil {
			cc := *n.Conflict
			cc.Set = make([]SetItem, len(n.Conflict.Set))
			for i, s := range n.Conflict.Set {
				cc.Set[i] = SetItem{Ord: s.Ord, Expr: fn(s.Expr)}
			}
			cc.Where = opt(n.Conflict.Where)
			c.Conflict = &cc
		}
		return &c
	case *Update:
		c := *n
		c.TargetWrite = n.TargetWrite.mapExprs(fn)
		c.Set = make([]SetItem, len(n.Set))
		for i, s := range n.Set {
			c.Set[i] = SetItem{Ord: s.Ord, Expr: fn(s.Expr)}
		}
		return &c
	case *Delete:
		c := *n
		c.TargetWrite = n.TargetWrite.mapExprs(fn)
		return &c
	}
	return n
}

func mapFuncs(fs []FuncItem, fn func(expr.Expr) expr.Expr) []FuncItem {
	out := make([]FuncItem, len(fs))
	for i, f := range fs {
		out[i] = f
		out[i].Call = fn(f.Call)
	}
	return out
}

// WithInputs returns a copy of n with other inputs, in the order of Inputs.
func WithInputs(n Node, in []Node) Node {
	switch n := n.(type) {
	case *Filter:
		c := *n
		c.Input = in[0]
		return &c
	case *Project:
		c := *n
		c.Input = in[0]
		return &c
	case *Join:
		c := *n
		c.Left, c.Right = in[0], in[1]
		return &c
	case *Aggregate:
		c := *n
		c.Input = in[0]
		return &c
	case *Window:
		c := *n
		c.Input = in[0]
		return &c
	case *ProjectSet:
		c := *n
		c.Input = in[0]
		return &c
	case *Distinct:
		c := *n
		c.Input = in[0]
		return &c
	case *Sort:
		c := *n
		c.Input = in[0]
		return &c
	case *Limit:
		c := *n
		c.Input = in[0]
		return &c
	case *SetOp:
		c := *n
		c.Left, c.Right = in[0], in[1]
		return &c
	case *LockRows:
		c := *n
		c.Input = in[0]
		return &c
	case *Insert:
		c := *n
		c.Source = in[0]
		return &c
	case *Update:
		c := *n
		c.Source = in[0]
		return &c
	case *Delete:
		c := *n
		c.Source = in[0]
		return &c
	}
	return n
}

// Substitute replaces column references by fn, inside subqueries as well. fn returns nil to keep a
// reference.
func Substitute(e expr.Expr, fn func(ColID) expr.Expr) expr.Expr {
	return expr.Transform(e, func(e expr.Expr) expr.Expr {
		switch e := e.(type) {
		case *expr.ColumnRef:
			if r := fn(ColID(e.Ordinal)); r != nil {
				return r
			}
		case *expr.Subquery:
			sp := e.Plan.(*Subplan)
			used := false
			for id := range FreeColumns(sp.Root) {
				used = used || fn(id) != nil
			}
			testUsed := false
			if e.Test != nil {
				FreeOf(e.Test, func(id ColID) { testUsed = testUsed || fn(id) != nil })
			}
			if !used && !testUsed {
				return e
			}
			c := *e
			nsp := *sp
			if used {
				nsp.Root = SubstituteNode(sp.Root, fn)
			}
			c.Plan = &nsp
			if testUsed {
				c.Test = Substitute(e.Test, fn)
			}
			return &c
		}
		return e
	})
}

// SubstituteNode applies Substitute to all expressions of a tree.
func SubstituteNode(n Node, fn func(ColID) expr.Expr) Node {
	in := n.Inputs()
	if len(in) > 0 {
		out := make([]Node, len(in))
		for i := range in {
			out[i] = SubstituteNode(in[i], fn)
		}
		n = WithInputs(n, out)
	}
	return MapExprs(n, func(e expr.Expr) expr.Expr { return Substitute(e, fn) }, true)
}

// ExprKey is a string that is equal for equal expressions.
func ExprKey(e expr.Expr) string {
	var b strings.Builder
	writeKey(&b, e)
	return b.String()
}

func writeKey(b *strings.Builder, e expr.Expr) {
	switch e := e.(type) {
	case *expr.Const:
		fmt.Fprintf(b, "#%d.%d:", e.T.OID, e.T.Typmod)
		if e.Value.IsNull() {
			b.WriteString("null")
		} else {
			b.Write(types.AppendText(nil, e.T, e.Value, keySettings))
		}
		b.WriteByte(';')
		return
	case *expr.ColumnRef:
		fmt.Fprintf(b, "@%d", e.Ordinal)
		return
	case *expr.OuterRef:
		fmt.Fprintf(b, "^%d.%d", e.Level, e.Ordinal)
		return
	case *expr.Param:
		fmt.Fprintf(b, "$%d", e.N)
		return
	case *expr.Call:
		fmt.Fprintf(b, "%s%p", e.Fn.Name, e.Fn)
	case *expr.Cast:
		fmt.Fprintf(b, "::%d.%d", e.T.OID, e.T.Typmod)
	case *expr.BoolOp:
		fmt.Fprintf(b, "B%d", e.Op)
	case *expr.IsNull:
		fmt.Fprintf(b, "N%v", e.Not)
	case *expr.IsTruth:
		fmt.Fprintf(b, "T%d%v", e.Want, e.Not)
	case *expr.IsDistinct:
		fmt.Fprintf(b, "D%v", e.Not)
	case *expr.InList:
		fmt.Fprintf(b, "I%v%v", e.Not, e.HasNull)
		for _, d := range e.List {
			b.Write(types.AppendText(nil, e.ElemT, d, keySettings))
			b.WriteByte(';')
		}
	case *expr.ScalarArray:
		fmt.Fprintf(b, "A%p%v", e.Op, e.All)
	case *expr.MinMax:
		fmt.Fprintf(b, "M%v", e.Greatest)
	case *expr.FieldSelect:
		fmt.Fprintf(b, "F%d", e.Index)
	case *expr.Subscript:
		b.WriteByte('S')
		for _, ix := range e.Index {
			fmt.Fprintf(b, "%v%v%v", ix.Slice, ix.Lower != nil, ix.Upper != nil)
		}
	case *expr.Case:
		fmt.Fprintf(b, "C%v%v", e.Operand != nil, e.Else != nil)
	case *expr.Subquery:
		fmt.Fprintf(b, "Q%d.%p", e.ID, e.Plan)
	default:
		fmt.Fprintf(b, "%T", e)
	}
	b.WriteByte('(')
	for i, c := range e.Children() {
		if i > 0 {
			b.WriteByte(',')
		}
		writeKey(b, c)
	}
	b.WriteByte(')')
}

// aggKey is ExprKey for aggregate calls.
func aggKey(ac *AggCall) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v%v", ac.Distinct, ac.Star)
	writeKey(&b, ac.Call)
	for _, o := range ac.OrderBy {
		fmt.Fprintf(&b, "O%v%v", o.Desc, o.NullsFirst)
		writeKey(&b, o.Expr)
	}
	if ac.Filter != nil {
		b.WriteByte('F')
		writeKey(&b, ac.Filter)
	}
	return b.String()
}
