package system

import (
	"context"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// constraint is one row of pg_constraint before it is written.
type constraint struct {
	oid   catalog.ID
	name  string
	kind  byte
	table *catalog.Table
	index *catalog.Index      // p, u
	check *catalog.Check      // c
	fk    *catalog.ForeignKey // f
}

// constraintsOf calls f for the constraints of a table, in order of creation as
// far as OIDs tell.
func constraintsOf(t *catalog.Table, f func(constraint) error) error {
	for x := range t.AllIndexes {
		if x.Constraint == 0 || x.Hidden {
			continue
		}
		if err := f(constraint{oid: x.ConstraintOID, name: x.Name, kind: x.Constraint, table: t, index: x}); err != nil {
			return err
		}
	}
	for i := range t.Checks {
		k := &t.Checks[i]
		if err := f(constraint{oid: k.OID, name: k.Name, kind: 'c', table: t, check: k}); err != nil {
			return err
		}
	}
	for i := range t.ForeignKeys {
		fk := &t.ForeignKeys[i]
		if err := f(constraint{oid: fk.OID, name: fk.Name, kind: 'f', table: t, fk: fk}); err != nil {
			return err
		}
	}
	return nil
}

// columns returns the constrained columns.
func (k *constraint) columns() []catalog.AttNum {
	switch {
	case k.index != nil:
		nums := make([]catalog.AttNum, len(k.index.Columns))
		for i := range nums {
			nums[i] = k.index.Columns[i].Num
		}
		return nums
	case k.check != nil:
		return k.check.Expr.Columns
	}
	return k.fk.Columns
}

// Definition returns the constraint's text, as pg_get_constraintdef does.
func (k *constraint) definition(ctx context.Context, c *catalog.Collection, d Definer, pretty bool) string {
	switch {
	case k.index != nil:
		return IndexConstraintDef(k.table, k.index)
	case k.check != nil:
		return CheckDef(ctx, c, d, k.table, k.check, pretty)
	}
	return ForeignKeyDef(ctx, c, k.table, k.fk, pretty)
}

// ConstraintDef returns the definition of the constraint with the OID.
func ConstraintDef(ctx context.Context, c *catalog.Collection, d Definer, id catalog.ID, pretty bool) (def string, ok bool) {
	t, isTable := c.Owner(id).(*catalog.Table)
	if !isTable {
		return "", false
	}
	_ = constraintsOf(t, func(k constraint) error {
		if k.oid == id {
			def, ok = k.definition(ctx, c, d, pretty), true
		}
		return nil
	})
	return def, ok
}

func pgConstraint(r *reader) error {
	tables, byTable := r.wantsIDs("conrelid")
	ids, byID := r.wantsIDs("oid")
	refs, byRef := r.wantsIDs("confrelid")
	idColumn := ""
	switch {
	case byTable:
		idColumn = "conrelid"
	case byID:
		idColumn = "oid"
	case byRef:
		return inboundConstraints(r, refs)
	}
	return r.tables(idColumn, func(t *catalog.Table) error {
		if byTable && !contains(tables, t.ID) {
			return nil
		}
		return constraintsOf(t, func(k constraint) error {
			if byID && !contains(ids, k.oid) {
				return nil
			}
			constraintRow(r, &k)
			return r.emit()
		})
	})
}

// inboundConstraints emits the foreign keys that reference the tables.
func inboundConstraints(r *reader, refs []catalog.ID) error {
	for _, id := range refs {
		t := r.cat.Table(id)
		if t == nil {
			continue
		}
		for _, in := range t.Inbound {
			from := r.cat.Table(in.Table)
			if from == nil {
				continue
			}
			if fk := from.ForeignKeyByOID(in.Constraint); fk != nil {
				constraintRow(r, &constraint{oid: fk.OID, name: fk.Name, kind: 'f', table: from, fk: fk})
				if err := r.emit(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func constraintRow(r *reader, k *constraint) {
	r.set("oid", oid(k.oid))
	r.set("conname", text(k.name))
	r.set("connamespace", oid(k.table.Schema))
	r.set("contype", char(k.kind))
	r.set("conrelid", oid(k.table.ID))
	r.set("convalidated", boolean(true))
	r.set("conislocal", boolean(true))
	r.set("connoinherit", boolean(true))
	r.set("confupdtype", char(' '))
	r.set("confdeltype", char(' '))
	r.set("confmatchtype", char(' '))
	r.set("conkey", int2s(k.columns()))
	switch {
	case k.index != nil:
		r.set("conindid", oid(k.index.OID))
		r.set("condeferrable", boolean(k.index.Deferrable))
		r.set("condeferred", boolean(k.index.Deferred))
	case k.check != nil:
		r.set("connoinherit", boolean(k.check.NoInherit))
		r.set("convalidated", boolean(!k.check.NotValid))
		r.set("conbin", text(k.check.Expr.SQL))
	default:
		fk := k.fk
		r.set("convalidated", boolean(!fk.NotValid))
		r.set("condeferrable", boolean(fk.Deferrable))
		r.set("condeferred", boolean(fk.Deferred))
		r.set("conindid", oid(fk.RefIndex))
		r.set("confrelid", oid(fk.RefTable))
		r.set("confkey", int2s(fk.RefColumns))
		r.set("confupdtype", char(byte(fk.OnUpdate)))
		r.set("confdeltype", char(byte(fk.OnDelete)))
		match := byte('s')
		if fk.MatchFull {
			match = 'f'
		}
		r.set("confmatchtype", char(match))
		equal := make([]types.Datum, len(fk.Columns))
		for i, num := range fk.Columns {
			if c := k.table.Column(num); c != nil {
				equal[i] = oid(equalityOf(c.Type))
			}
		}
		for _, name := range []string{"conpfeqop", "conppeqop", "conffeqop"} {
			r.set(name, types.NewArrayDatum(types.NewArray(types.Oid, equal)))
		}
	}
}

// equalityOf returns the OID of a type's = operator.
func equalityOf(t *types.T) catalog.ID {
	switch t.OID {
	case types.OIDInt2:
		return 94
	case types.OIDInt4:
		return 96
	case types.OIDInt8:
		return 410
	case types.OIDUUID:
		return 2972
	case types.OIDNumeric:
		return 1752
	}
	return 98
}

// pgDepend serves the dependencies that clients look for: those of a sequence on
// the column that owns it, of defaults on their column, of constraints and
// indexes on their table, of views on their tables.
func pgDepend(r *reader) error {
	emit := func(class, obj catalog.ID, refClass, ref catalog.ID, refSub catalog.AttNum, kind byte) error {
		r.set("classid", oid(class))
		r.set("objid", oid(obj))
		r.set("refclassid", oid(refClass))
		r.set("refobjid", oid(ref))
		r.set("refobjsubid", number(int64(refSub)))
		r.set("deptype", char(kind))
		return r.emit()
	}
	return r.relations("", "", func(rel catalog.Relation) error {
		switch d := rel.(type) {
		case *catalog.Sequence:
			if d.OwnedBy.Table == 0 {
				return nil
			}
			kind := byte('a')
			if d.Identity {
				kind = 'i'
			}
			return emit(classPgClass, d.ID, classPgClass, d.OwnedBy.Table, d.OwnedBy.Column, kind)
		case *catalog.View:
			if err := emit(classPgRewrite, d.ID, classPgClass, d.ID, 0, 'i'); err != nil {
				return err
			}
			for _, dep := range d.DependsOn {
				if len(dep.Columns) == 0 {
					if err := emit(classPgRewrite, d.ID, classPgClass, dep.ID, 0, 'n'); err != nil {
						return err
					}
				}
				for _, num := range dep.Columns {
					if err := emit(classPgRewrite, d.ID, classPgClass, dep.ID, num, 'n'); err != nil {
						return err
					}
				}
			}
		case *catalog.Table:
			for i := range d.Columns {
				c := &d.Columns[i]
				if c.Default == nil || c.Dropped || c.Hidden || c.Identity != 0 {
					continue
				}
				if err := emit(classPgAttrdef, c.DefaultOID, classPgClass, d.ID, c.Num, 'a'); err != nil {
					return err
				}
				for _, dep := range c.Default.DependsOn {
					if err := emit(classPgAttrdef, c.DefaultOID, classPgClass, dep.ID, 0, 'n'); err != nil {
						return err
					}
				}
			}
			for x := range d.AllIndexes {
				if x.Hidden {
					continue
				}
				if x.Constraint != 0 {
					if err := emit(classPgClass, x.OID, classPgConstraint, x.ConstraintOID, 0, 'i'); err != nil {
						return err
					}
					continue
				}
				for i := range x.Columns {
					if err := emit(classPgClass, x.OID, classPgClass, d.ID, x.Columns[i].Num, 'a'); err != nil {
						return err
					}
				}
			}
			return constraintsOf(d, func(k constraint) error {
				for _, num := range k.columns() {
					if err := emit(classPgConstraint, k.oid, classPgClass, d.ID, num, 'a'); err != nil {
						return err
					}
				}
				if k.fk != nil {
					for _, num := range k.fk.RefColumns {
						if err := emit(classPgConstraint, k.oid, classPgClass, k.fk.RefTable, num, 'n'); err != nil {
							return err
						}
					}
				}
				return nil
			})
		}
		return nil
	})
}
