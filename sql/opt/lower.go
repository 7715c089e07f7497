package opt

import (
	"fmt"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
)

// layout is where the columns of a row are.
type layout map[plan.ColID]int

func layoutOf(cols []plan.PhysCol) layout {
	l := make(layout, len(cols))
	for i, c := range cols {
		if c.ID == plan.NoCol {
			continue
		}
		if _, ok := l[c.ID]; !ok {
			l[c.ID] = i
		}
	}
	return l
}

// concat is the layout of a left row followed by a right row of another node.
func concat(l, r []plan.PhysCol) layout {
	out := layoutOf(l)
	for i, c := range r {
		if _, ok := out[c.ID]; !ok && c.ID != plan.NoCol {
			out[c.ID] = len(l) + i
		}
	}
	return out
}

// lower rewrites an expression to positions in a row with the layout. Columns that are not there come
// from the rows around.
func (o *optimizer) lower(e expr.Expr, lay layout) expr.Expr {
	return expr.Transform(e, func(e expr.Expr) expr.Expr {
		switch e := e.(type) {
		case *expr.ColumnRef:
			id := plan.ColID(e.Ordinal)
			if pos, ok := lay[id]; ok {
				return &expr.ColumnRef{Ordinal: pos, T: e.T, Name: e.Name}
			}
			for i := len(o.outer) - 1; i >= 0; i-- {
				if pos, ok := o.outer[i][id]; ok {
					return &expr.OuterRef{Level: len(o.outer) - i, Ordinal: pos, T: e.T, Name: e.Name}
				}
			}
			panic(fmt.Sprintf("opt: column %d (%s) is not produced by any input", id, e.Name))
		case *expr.Subquery:
			return o.lowerSubquery(e, lay)
		}
		return e
	})
}

func (o *optimizer) lowerAll(es []expr.Expr, lay layout) []expr.Expr {
	if es == nil {
		return nil
	}
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		out[i] = o.lower(e, lay)
	}
	return out
}

// lowerSubquery plans the query inside an expression over rows with the layout.
func (o *optimizer) lowerSubquery(s *expr.Subquery, lay layout) expr.Expr {
	sp := s.Plan.(*plan.Subplan)
	root := sp.Root
	if !sp.Normal {
		root = o.normalize(root, nil)
	}
	o.outer = append(o.outer, lay)
	req := &request{cols: plan.SetOf(sp.Cols)}
	if s.Kind == expr.SubExists {
		req.cols, req.limit = plan.ColSet{}, 1
	}
	ph := o.plan(root, req)
	if s.Kind != expr.SubExists {
		ph = o.arrange(ph, sp.Cols)
	}
	o.outer = o.outer[:len(o.outer)-1]
	out := *s
	out.Plan = &plan.Subplan{Cols: sp.Cols, Normal: true, Phys: ph.node}
	out.Correlated = len(plan.FreeColumns(root)) > 0
	if s.Test == nil {
		return &out
	}
	// The test sees the columns of the row around that it uses, then the query's.
	own := make(layout, len(sp.Cols))
	for i, id := range sp.Cols {
		own[id] = i
	}
	test := make(layout)
	out.Left = nil
	plan.FreeOf(s.Test, func(id plan.ColID) {
		if _, ok := own[id]; ok {
			return
		}
		if _, ok := test[id]; ok {
			return
		}
		test[id] = len(out.Left)
		out.Left = append(out.Left, o.lower(o.md.Ref(id), lay))
	})
	for id, i := range own {
		test[id] = len(out.Left) + i
	}
	out.Test = o.lower(s.Test, test)
	return &out
}
