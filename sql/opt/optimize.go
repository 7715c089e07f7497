package opt

import (
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/stats"
)

// Config is what optimising a statement depends on.
type Config struct {
	// Eval folds constants.
	Eval *expr.EvalContext
	// Registry builds the comparisons that rules need.
	Registry *expr.Registry
	// Stats returns the statistics of a table, nil if there are none; nil for none at all.
	Stats func(catalog.ID) *stats.Table
	// Disable turns off planner methods, as PostgreSQL's enable_* settings do.
	Disable Methods
}

// Methods are planner methods.
type Methods struct {
	HashJoin, NestLoop, IndexScan bool
}

// optimizer is the state of planning one statement.
type optimizer struct {
	cfg  *Config
	md   *plan.Metadata
	ctes map[*plan.CTE]*plan.PCTE
	// order of ctes by first use or definition.
	cteList []*plan.PCTE
	cteRows map[*plan.CTE]float64
	// locksRows: a PLockRows was planned.
	locksRows bool
	// outer are the layouts of the rows around a subquery or lateral item, the nearest last.
	outer []layout
	nodes int
}

// Optimize plans a bound statement. What the planner cannot do is a *sqlstate.Error: 0A000, or XX000 for a
// plan that contradicts itself, which is a bug and must not take the node down.
func Optimize(cfg *Config, l *plan.Logical) (p *plan.Physical, err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *sqlstate.Error:
			p, err = nil, e
		case string:
			p, err = nil, sqlstate.New(sqlstate.InternalError, "%s", e)
		default:
			panic(e)
		}
	}()
	o := &optimizer{cfg: cfg, md: l.Meta, ctes: make(map[*plan.CTE]*plan.PCTE), cteRows: make(map[*plan.CTE]float64)}
	p = &plan.Physical{Kind: l.Kind, Result: l.Result, Params: l.Params, Relations: l.Relations, ReadOnly: l.ReadOnly, AsOf: l.AsOf}
	for _, r := range l.Relations {
		if t, ok := r.(*catalog.Table); ok {
			p.Tables = append(p.Tables, t)
		}
	}
	root := o.normalize(l.Root, nil)
	// Data-modifying WITH queries come first, in their order, whether they are read or not.
	for _, c := range l.Meta.CTEs {
		if c.Modifies {
			o.planCTE(c)
		}
	}
	if l.OutCols == nil {
		p.Root = o.plan(root, &request{cols: plan.ColSet{}}).node
	} else {
		ph := o.plan(root, &request{cols: plan.SetOf(l.OutCols)})
		p.Root = o.arrange(ph, l.OutCols).node
	}
	p.CTEs, p.LocksRows = o.cteList, o.locksRows
	o.number(p)
	p.Subqueries = l.Meta.Subqueries
	return p, nil
}

// number gives the nodes their ids.
func (o *optimizer) number(p *plan.Physical) {
	var visit func(n plan.PhysNode)
	visit = func(n plan.PhysNode) {
		n.Phys().ID = o.nodes
		o.nodes++
		for _, k := range n.Kids() {
			visit(k)
		}
		plan.EachPhysExpr(n, func(e expr.Expr) {
			expr.Walk(e, func(e expr.Expr) bool {
				if s, ok := e.(*expr.Subquery); ok {
					visit(s.Plan.(*plan.Subplan).Phys)
				}
				return true
			})
		})
	}
	visit(p.Root)
	for _, c := range p.CTEs {
		visit(c.Plan)
		if c.Rec != nil {
			visit(c.Rec)
		}
	}
	p.Nodes = o.nodes
}

// Plan is a physical plan.
type Plan = plan.Physical
