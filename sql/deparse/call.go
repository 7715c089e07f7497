package deparse

import (
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/types"
)

// call prints a call of any kind of function.
func (p *printer) call(e *ast.FuncCall) {
	c := p.notes.Calls[e]
	if c == nil {
		c, _ = p.notes.Exprs[e].(*expr.Call)
	}
	arg := func(i int) operand {
		o := operand{e: e.Args[i], implicit: true}
		if c != nil {
			o.to = p.argTarget(c, i)
		}
		return o
	}
	if e.Form != ast.FormPlain && p.specialCall(e, arg) {
		return
	}
	if x, ok := p.notes.Exprs[e].(*expr.ColumnRef); ok && c == nil && x != nil && len(e.Args) == 1 && !e.Star {
		p.fail("functional notation")
		return
	}
	p.ident(e.Name.Name)
	p.w("(")
	switch {
	case e.Star:
		p.w("*")
	case e.WithinGroup:
		p.list(len(e.Args), func(i int) { p.expr(arg(i), inCall) })
		p.w(") WITHIN GROUP (ORDER BY ")
		p.sortKeysTo(e.OrderBy, nil, func(i int) *types.T { return argType(c, len(e.Args)+i) })
	default:
		if e.Distinct {
			p.w("DISTINCT ")
		}
		p.list(len(e.Args), func(i int) {
			if e.Variadic && i == len(e.Args)-1 {
				p.w("VARIADIC ")
			}
			switch a := e.Args[i].(type) {
			case *ast.NamedArg:
				p.ident(a.Name)
				p.w(" => ")
				p.expr(operand{e: a.Value, implicit: true}, inCall)
			case *ast.Star:
				if len(a.Parts) == 0 {
					p.fail("star")
					return
				}
				p.ident(p.itemName(a.Parts[len(a.Parts)-1]))
				p.w(".*")
			default:
				p.expr(arg(i), inCall)
			}
		})
		if len(e.OrderBy) > 0 {
			p.w(" ORDER BY ")
			p.sortKeys(e.OrderBy, nil)
		}
	}
	p.w(")")
	if e.Filter != nil {
		p.w(" FILTER (WHERE ")
		p.expr(operand{e: e.Filter, to: types.Bool}, inCall)
		p.w(")")
	}
	if e.Over != nil {
		p.w(" OVER ")
		if e.Over.Bare {
			p.ident(e.Over.Ref)
		} else {
			p.window(e.Over)
		}
	}
}

// argTarget returns the type that an argument is converted to, seen through what
// variadic functions do to theirs.
func (p *printer) argTarget(c *expr.Call, i int) *types.T {
	if n := len(c.Fn.Args); c.Variadic && n > 0 && i >= n-1 && n-1 < len(c.Args) {
		if arr, ok := c.Args[n-1].(*expr.ArrayExpr); ok && c.Fn.Args[n-1].OID != types.OIDAny && i-(n-1) < len(arr.Elems) {
			return arr.Elems[i-(n-1)].Type()
		}
	}
	if n := len(c.Fn.Args); n > 0 && c.Fn.Args[min(i, n-1)].OID == types.OIDAny {
		return c.Fn.Args[min(i, n-1)]
	}
	return argType(c, i)
}

// specialCall prints a call that has a syntax of its own; it reports false for one
// that is printed as an ordinary call.
func (p *printer) specialCall(e *ast.FuncCall, arg func(int) operand) bool {
	n := len(e.Args)
	bare := func(i int) operand {
		o := arg(i)
		o.implicit = false
		return o
	}
	switch e.Form {
	case ast.FormExtract:
		field, ok := e.Args[0].(*ast.String)
		if !ok {
			return false
		}
		p.w("EXTRACT(", field.Value, " FROM ")
		p.expr(bare(1), inCall)
		p.w(")")
	case ast.FormAtTimeZone:
		p.w("(")
		p.inner(bare(1), inCast)
		p.w(" AT TIME ZONE ")
		p.inner(bare(0), inCast)
		p.w(")")
	case ast.FormSubstring:
		p.w("SUBSTRING(")
		p.expr(bare(0), inCall)
		p.w(" FROM ")
		p.expr(bare(1), inCall)
		if n > 2 {
			p.w(" FOR ")
			p.expr(bare(2), inCall)
		}
		p.w(")")
	case ast.FormPosition:
		p.w("POSITION((")
		p.expr(bare(1), inCall)
		p.w(") IN (")
		p.expr(bare(0), inCall)
		p.w("))")
	case ast.FormOverlay:
		p.w("OVERLAY(")
		p.expr(bare(0), inCall)
		p.w(" PLACING ")
		p.expr(bare(1), inCall)
		p.w(" FROM ")
		p.expr(bare(2), inCall)
		if n > 3 {
			p.w(" FOR ")
			p.expr(bare(3), inCall)
		}
		p.w(")")
	case ast.FormTrim:
		side := map[string]string{"btrim": "BOTH", "ltrim": "LEADING", "rtrim": "TRAILING"}[e.Name.Name]
		p.w("TRIM(", side)
		if n > 1 {
			p.w(" ")
			p.expr(bare(1), inCall)
		}
		p.w(" FROM ")
		p.expr(bare(0), inCall)
		p.w(")")
	case ast.FormOverlaps:
		if n != 4 {
			return false
		}
		p.w("((")
		p.expr(bare(0), inCall)
		p.w(", ")
		p.expr(bare(1), inCall)
		p.w(") OVERLAPS (")
		p.expr(bare(2), inCall)
		p.w(", ")
		p.expr(bare(3), inCall)
		p.w("))")
	default:
		return false
	}
	return true
}

// sortKeys prints the items of an ORDER BY; core, if set, is the query whose select
// list they may refer to.
func (p *printer) sortKeys(keys []*ast.SortBy, core *ast.SelectCore) {
	p.sortKeysTo(keys, core, func(int) *types.T { return nil })
}

// sortKeysTo is sortKeys for keys that are converted to other types.
func (p *printer) sortKeysTo(keys []*ast.SortBy, core *ast.SelectCore, to func(int) *types.T) {
	p.list(len(keys), func(i int) {
		k := keys[i]
		if o := (operand{k.Expr, to(i), true}); p.converted(o) != nil {
			p.w("(")
			p.expr(o, nil)
			p.w(")")
		} else {
			p.groupKey(k.Expr, core)
		}
		switch k.Direction {
		case ast.SortDesc:
			p.w(" DESC")
			if k.Nulls == ast.NullsLast {
				p.w(" NULLS LAST")
			}
		case ast.SortUsing:
			switch k.Using.Name {
			case ">":
				p.w(" DESC")
				if k.Nulls == ast.NullsLast {
					p.w(" NULLS LAST")
				}
			case "<":
				if k.Nulls == ast.NullsFirst {
					p.w(" NULLS FIRST")
				}
			default:
				p.fail("ORDER BY USING")
			}
		default:
			if k.Nulls == ast.NullsFirst {
				p.w(" NULLS FIRST")
			}
		}
	})
}

// groupKey prints an item of GROUP BY, ORDER BY, DISTINCT ON or PARTITION BY.
func (p *printer) groupKey(e ast.Expr, core *ast.SelectCore) {
	if core != nil {
		e = p.selectItem(e, core)
	}
	if p.err != nil {
		return
	}
	switch k := p.unwrap(e).(type) {
	case *ast.ColumnRef:
		p.column(k)
		return
	case *ast.Number:
		p.number(k, true)
		return
	case *ast.String, *ast.Null:
		p.expr(operand{e: k, implicit: true}, nil)
		return
	}
	need := p.Pretty
	if _, ok := p.unwrap(e).(*ast.FuncCall); ok {
		need = true
	}
	if c, ok := p.unwrap(e).(*ast.Cast); ok && !isLiteral(c.X) && !relabels(p.typeOf(c.X), p.typeOf(c)) {
		need = true
	}
	if need {
		p.w("(")
	}
	p.expr(operand{e: e, implicit: true}, nil)
	if need {
		p.w(")")
	}
}

// window prints a window's definition in parentheses.
func (p *printer) window(w *ast.Window) {
	p.w("(")
	space := ""
	if w.Ref != "" {
		p.ident(w.Ref)
		space = " "
	}
	if len(w.PartitionBy) > 0 {
		p.w(space, "PARTITION BY ")
		p.list(len(w.PartitionBy), func(i int) { p.groupKey(w.PartitionBy[i], nil) })
		space = " "
	}
	if len(w.OrderBy) > 0 {
		p.w(space, "ORDER BY ")
		p.sortKeys(w.OrderBy, nil)
		space = " "
	}
	if f := w.Frame; f != nil && !defaultFrame(f) {
		p.w(space, [...]string{ast.FrameRange: "RANGE", ast.FrameRows: "ROWS", ast.FrameGroups: "GROUPS"}[f.Mode])
		p.w(" BETWEEN ")
		p.bound(f, f.Start)
		p.w(" AND ")
		p.bound(f, f.End)
		switch f.Exclude {
		case ast.ExcludeCurrentRow:
			p.w(" EXCLUDE CURRENT ROW")
		case ast.ExcludeGroup:
			p.w(" EXCLUDE GROUP")
		case ast.ExcludeTies:
			p.w(" EXCLUDE TIES")
		}
	}
	p.w(")")
}

// defaultFrame reports whether a frame clause says nothing.
func defaultFrame(f *ast.Frame) bool { return false }

func (p *printer) bound(f *ast.Frame, b ast.FrameBound) {
	if b.Offset != nil {
		t := types.Int8
		if f.Mode == ast.FrameRange {
			t = p.typeOf(b.Offset)
			if t.OID == types.OIDUnknown {
				t = types.IntervalT
			}
		}
		p.expr(operand{e: b.Offset, to: t}, nil)
		p.w(" ")
	}
	p.w(strings.TrimPrefix([...]string{
		ast.UnboundedPreceding: "UNBOUNDED PRECEDING", ast.OffsetPreceding: "PRECEDING", ast.CurrentRow: "CURRENT ROW",
		ast.OffsetFollowing: "FOLLOWING", ast.UnboundedFollowing: "UNBOUNDED FOLLOWING",
	}[b.Kind], " "))
}
