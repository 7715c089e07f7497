package exec

import (
	"fmt"

	"github.com/spanlite/spanlite/sql/plan"
)

// build makes the operators of a plan.
func (r *run) build(n plan.PhysNode) (operator, error) {
	op, err := r.buildNode(n)
	if err != nil || r.stats == nil {
		return op, err
	}
	timed := &timedOp{op: op, s: &r.stats[n.Phys().ID]}
	if d, ok := op.(dmlOperator); ok {
		return &timedDML{timedOp: *timed, d: d}, nil
	}
	return timed, nil
}

func (r *run) buildAll(ns ...plan.PhysNode) ([]operator, error) {
	ops := make([]operator, len(ns))
	for i, n := range ns {
		op, err := r.build(n)
		if err != nil {
			return nil, err
		}
		ops[i] = op
	}
	return ops, nil
}

func (r *run) buildNode(n plan.PhysNode) (operator, error) {
	in, err := r.buildAll(n.Kids()...)
	if err != nil {
		return nil, err
	}
	switch n := n.(type) {
	case *plan.PTableScan:
		return newScan(r, n)
	case *plan.PVirtualScan:
		return newVirtualScan(r, n), nil
	case *plan.PValues:
		return newValues(r, n), nil
	case *plan.PFuncScan:
		return newFuncScan(r, n), nil
	case *plan.PFilter:
		return &filterOp{r: r, in: in[0], conds: n.Conds}, nil
	case *plan.PProject:
		return newProject(r, in[0], n.Exprs), nil
	case *plan.PProjectSet:
		return newProjectSet(r, in[0], n), nil
	case *plan.PHashJoin:
		return newHashJoin(r, n, in[0], in[1]), nil
	case *plan.PNestLoop:
		return newNestLoop(r, n, in[0], in[1]), nil
	case *plan.PLookupJoin:
		return newLookupJoin(r, n, in[0])
	case *plan.PAggregate:
		return newAgg(r, in[0], n), nil
	case *plan.PSort:
		return newSort(r, in[0], n), nil
	case *plan.PLimit:
		return &limitOp{r: r, in: in[0], count: n.Count, offset: n.Offset, ties: n.TieKeys}, nil
	case *plan.PDistinct:
		return &distinctOp{r: r, in: in[0], on: n.On, ts: n.Types(), sorted: n.Sorted}, nil
	case *plan.PAppend:
		return &appendOp{ins: in}, nil
	case *plan.PSetOp:
		return &setOp{r: r, n: n, left: in[0], right: in[1]}, nil
	case *plan.PWindow:
		return newWindow(r, in[0], n), nil
	case *plan.PCTEScan:
		return &cteScanOp{s: r.cte(n.CTE)}, nil
	case *plan.PWorkTable:
		return &workTableOp{s: r.cte(n.CTE)}, nil
	case *plan.PLockRows:
		return newLockRows(r, in[0], n), nil
	case *plan.PInsert:
		return newInsert(r, in[0], n)
	case *plan.PUpdate:
		return newUpdate(r, in[0], n)
	case *plan.PDelete:
		return newDelete(r, in[0], n)
	}
	return nil, fmt.Errorf("no operator for %T", n)
}
