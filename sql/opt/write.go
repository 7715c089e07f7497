package opt

import (
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
)

// tableWrite lowers what a DML node knows of its target: expressions over the row come to be over
// table ordinals.
func (o *optimizer) tableWrite(w *plan.TargetWrite, extra []plan.PhysCol) (plan.TableWrite, []plan.PhysCol) {
	done := make(map[catalog.ID]*plan.TableWrite)
	out := o.lowerWrite(w, done)
	for id, rw := range w.Related {
		if done[id] == nil {
			o.lowerWrite(rw, done)
		}
	}
	out.Related = done
	for _, d := range done {
		d.Related = done
	}
	var cols []plan.PhysCol
	if w.Returning != nil {
		lay := rowLayout(w.New)
		n := len(w.Rel.Table.Columns)
		for i, c := range extra {
			if _, ok := lay[c.ID]; !ok && c.ID != plan.NoCol {
				lay[c.ID] = n + i
			}
		}
		if w.Rel.TableOID != plan.NoCol {
			// tableoid of the target is a constant here.
			delete(lay, w.Rel.TableOID)
		}
		out.Returning = []expr.Expr{}
		for _, it := range w.Returning {
			e := it.Expr
			if w.Rel.TableOID != plan.NoCol {
				e = plan.Substitute(e, func(id plan.ColID) expr.Expr {
					if id == w.Rel.TableOID {
						return oidConst(w.Rel.Table.ID)
					}
					return nil
				})
			}
			out.Returning = append(out.Returning, o.lower(o.fold(e), lay))
			cols = append(cols, o.physCol(it.ID))
		}
	}
	return *out, cols
}

func rowLayout(cols []plan.ColID) layout {
	lay := make(layout, len(cols))
	for i, id := range cols {
		if id != plan.NoCol {
			lay[id] = i
		}
	}
	return lay
}

func (o *optimizer) lowerWrite(w *plan.TargetWrite, done map[catalog.ID]*plan.TableWrite) *plan.TableWrite {
	t := w.Rel.Table
	out := &plan.TableWrite{Table: t, Alias: w.Rel.Alias}
	done[t.ID] = out
	lay := rowLayout(w.New)
	lowerOpt := func(e expr.Expr) expr.Expr {
		if e == nil {
			return nil
		}
		return o.lower(o.fold(e), lay)
	}
	for _, g := range w.Generated {
		out.Generated = append(out.Generated, plan.Computed{Ord: g.Ord, Expr: lowerOpt(g.Expr)})
	}
	for _, d := range w.Defaults {
		out.Defaults = append(out.Defaults, plan.Computed{Ord: d.Ord, Expr: lowerOpt(d.Expr)})
	}
	for _, c := range w.Checks {
		out.Checks = append(out.Checks, plan.Check{Name: c.Name, Expr: lowerOpt(c.Expr)})
	}
	for _, p := range w.IndexPreds {
		out.PartialPredicates = append(out.PartialPredicates, lowerOpt(p))
	}
	for _, es := range w.IndexExprs {
		var ls []expr.Expr
		for _, e := range es {
			ls = append(ls, lowerOpt(e))
		}
		out.IndexExprs = append(out.IndexExprs, ls)
	}
	return out
}

func (o *optimizer) planInsert(n *plan.Insert) *phys {
	need := plan.ColSet{}
	for _, id := range n.From {
		if id != plan.NoCol {
			need.Add(id)
		}
	}
	in := o.plan(n.Source, &request{cols: need})
	lay := in.layout()
	w, cols := o.tableWrite(&n.TargetWrite, nil)
	node := &plan.PInsert{TableWrite: w, Input: in.node}
	node.From = make([]int, len(n.From))
	for i, id := range n.From {
		node.From[i] = -1
		if id != plan.NoCol {
			node.From[i] = lay[id]
		}
	}
	if c := n.Conflict; c != nil {
		pc := &plan.PConflict{Arbiters: c.Arbiters, DoUpdate: c.DoUpdate}
		both := rowLayout(c.Existing)
		for i, id := range n.New {
			if id != plan.NoCol {
				both[id] = len(n.Rel.Table.Columns) + i
			}
		}
		for _, s := range c.Set {
			pc.Set = append(pc.Set, plan.Computed{Ord: s.Ord, Expr: o.lower(o.fold(s.Expr), both)})
		}
		if c.Where != nil {
			pc.Where = o.lower(o.fold(c.Where), both)
		}
		node.Conflict = pc
	}
	b := in.base()
	node.PhysBase = o.baseOf(cols, b.Rows, b.Startup, b.Total+b.Rows*costLookup)
	return &phys{node: node}
}

// writeSource plans the rows that UPDATE or DELETE change. It tells how the target rows are locked.
func (o *optimizer) writeSource(rel *plan.Relation, source plan.Node, need plan.ColSet, lock plan.RowLock) (in *phys, old []int, locked bool, recheck []expr.Expr) {
	for _, id := range rel.Cols {
		if id != plan.NoCol {
			need.Add(id)
		}
	}
	need.Add(rel.RowKey)
	produced := plan.SetOf(source.Columns(nil))
	for id := range need {
		if !produced.Has(id) {
			delete(need, id)
		}
	}
	in = o.plan(source, &request{cols: need})
	lay := in.layout()
	if s, ok := in.node.(*plan.PTableScan); ok && s.Covering && s.Index == &s.Table.Primary && (len(s.Filter) == 0 || singleRow(s)) {
		s.Lock = &lock
		locked = true
	}
	if f, ok := source.(*plan.Filter); ok {
		for _, c := range f.Conds {
			if targetOnly(c, rel) {
				recheck = append(recheck, o.lower(c, lay))
			}
		}
	}
	old = make([]int, len(rel.Cols))
	for i, id := range rel.Cols {
		old[i] = -1
		if id != plan.NoCol {
			old[i] = lay[id]
		}
	}
	return in, old, locked, recheck
}

// singleRow reports whether a scan of the primary index is of one key: then its row is locked
// as it is read, even if a condition is still to be tested.
func singleRow(s *plan.PTableScan) bool {
	if s.Bounds == nil || len(s.Bounds.Prefix) != len(s.Index.Columns) {
		return false
	}
	for _, k := range s.Bounds.Prefix {
		if len(k.Values) != 1 || k.Array != nil || k.IsNull {
			return false
		}
	}
	return true
}

// targetOnly reports whether a condition is about the target's columns and nothing else.
func targetOnly(e expr.Expr, rel *plan.Relation) bool {
	own := plan.SetOf(rel.Cols)
	ok := !hasSubquery(e)
	plan.FreeOf(e, func(id plan.ColID) { ok = ok && own.Has(id) })
	return ok
}

func (o *optimizer) planUpdate(n *plan.Update) *phys {
	need := plan.ColSet{}
	for _, s := range n.Set {
		plan.FreeOf(s.Expr, func(id plan.ColID) { need.Add(id) })
	}
	own := plan.SetOf(n.New)
	for _, r := range n.Returning {
		plan.FreeOf(r.Expr, func(id plan.ColID) {
			if !own.Has(id) {
				need.Add(id)
			}
		})
	}
	node := &plan.PUpdate{}
	set := map[int]bool{}
	for _, s := range n.Set {
		set[s.Ord] = true
	}
	node.KeyChanged = keyChanged(n.Rel.Table, set, n.Generated)
	lock := plan.RowLock{Strength: noKeyUpdate}
	if node.KeyChanged {
		lock.Strength = forUpdate
	}
	var in *phys
	in, node.Old, node.Locked, node.Recheck = o.writeSource(n.Rel, n.Source, need, lock)
	lay := in.layout()
	node.RowKey = lay[n.Rel.RowKey]
	for _, s := range n.Set {
		node.Set = append(node.Set, plan.Computed{Ord: s.Ord, Expr: o.lower(o.fold(s.Expr), lay)})
	}
	var cols []plan.PhysCol
	node.TableWrite, cols = o.tableWrite(&n.TargetWrite, in.cols())
	node.Input = in.node
	b := in.base()
	node.PhysBase = o.baseOf(cols, b.Rows, b.Startup, b.Total+b.Rows*costLookup)
	return &phys{node: node}
}

// keyChanged reports whether a unique index has a column that is set: then the row's lock
// must also hold off foreign key checks of others.
func keyChanged(t *catalog.Table, set map[int]bool, generated []plan.SetItem) bool {
	if len(generated) > 0 {
		for _, g := range generated {
			set[g.Ord] = true
		}
	}
	for x := range t.AllIndexes {
		if !x.Unique {
			continue
		}
		for _, c := range x.Columns {
			if c.Expr != nil || set[t.MustOrdinal(c.Num)] {
				return true
			}
		}
	}
	return false
}

func (o *optimizer) planDelete(n *plan.Delete) *phys {
	need := plan.ColSet{}
	for _, r := range n.Returning {
		plan.FreeOf(r.Expr, func(id plan.ColID) { need.Add(id) })
	}
	node := &plan.PDelete{}
	var in *phys
	in, node.Old, node.Locked, node.Recheck = o.writeSource(n.Rel, n.Source, need, plan.RowLock{Strength: forUpdate})
	node.RowKey = in.layout()[n.Rel.RowKey]
	var cols []plan.PhysCol
	node.TableWrite, cols = o.tableWrite(&n.TargetWrite, in.cols())
	node.Input = in.node
	b := in.base()
	node.PhysBase = o.baseOf(cols, b.Rows, b.Startup, b.Total+b.Rows*costLookup)
	return &phys{node: node}
}
