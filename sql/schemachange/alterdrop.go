package schemachange

import (
	"slices"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// uses reports whether an index needs the column.
func uses(ix *catalog.Index, num catalog.AttNum) bool {
	return slices.ContainsFunc(ix.Columns, func(c catalog.IndexColumn) bool {
		return c.Num == num || c.Expr != nil && slices.Contains(c.Expr.Columns, num)
	}) || slices.Contains(ix.Include, num) || ix.Predicate != nil && slices.Contains(ix.Predicate.Columns, num)
}

func (a *alteration) dropColumn(act *ast.AlterAction) error {
	x, t := a.x, a.t
	c, _, ok := t.ColumnByName(act.Name)
	if !ok || c.Hidden {
		if act.IfExists {
			x.notice("00000", "column %q of relation %q does not exist, skipping", act.Name, t.Name)
			return nil
		}
		return sqlstate.New(sqlstate.UndefinedColumn, "column %q of relation %q does not exist", act.Name, t.Name)
	}
	num, what := c.Num, "column "+c.Name+" of table "+t.Name
	var details []string
	var views []catalog.Descriptor
	for d := range x.coll.All {
		if slices.ContainsFunc(dependencies(d), func(dep catalog.Dependency) bool {
			return dep.ID == t.ID && (len(dep.Columns) == 0 || slices.Contains(dep.Columns, num))
		}) {
			details = append(details, describe(d)+" depends on "+what)
			views = append(views, d)
		}
	}
	for i := range t.Columns {
		if g := &t.Columns[i]; g.Generated != nil && g.Num != num && slices.Contains(g.Generated.Columns, num) {
			details = append(details, "column "+g.Name+" of table "+t.Name+" depends on "+what)
		}
	}
	if len(details) > 0 && !act.Cascade {
		return dependents(what, details)
	}
	if len(views) > 0 {
		d := x.newDropper()
		for _, v := range views {
			x.notice("00000", "drop cascades to %s", describe(v))
			d.target(v)
		}
		if err := d.close(); err != nil {
			return err
		}
		if err := d.run(true, what); err != nil {
			return err
		}
	}
	for i := range t.Columns {
		if g := &t.Columns[i]; g.Generated != nil && g.Num != num && slices.Contains(g.Generated.Columns, num) {
			if err := a.dropColumn(&ast.AlterAction{Name: g.Name, Cascade: true}); err != nil {
				return err
			}
		}
	}
	for _, ix := range slices.Clone(t.Indexes) {
		if uses(&ix, num) {
			if err := x.dropReferences(t, ix.OID, what, act.Cascade); err != nil {
				return err
			}
			t.Indexes = slices.DeleteFunc(t.Indexes, func(i catalog.Index) bool { return i.OID == ix.OID })
		}
	}
	if !t.Primary.Hidden && uses(&t.Primary, num) {
		if err := a.dropPrimaryKey(what, act.Cascade); err != nil {
			return err
		}
	}
	t.Checks = slices.DeleteFunc(t.Checks, func(k catalog.Check) bool { return slices.Contains(k.Expr.Columns, num) })
	for _, fk := range slices.Clone(t.ForeignKeys) {
		if slices.Contains(fk.Columns, num) {
			if err := a.dropForeignKey(&fk); err != nil {
				return err
			}
		}
	}
	for d := range x.coll.All {
		if seq, ok := d.(*catalog.Sequence); ok && seq.OwnedBy == (catalog.ColumnRef{Table: t.ID, Column: num}) {
			a.dropped = append(a.dropped, seq)
		}
	}
	// The column's place stays, so that rows can still be read.
	c = t.Column(num)
	*c = catalog.Column{Num: num, Name: "........pg.dropped." + itoa(int(num)) + "........", Type: c.Type, Dropped: true}
	delete(a.compute, num)
	a.check.notNull = slices.DeleteFunc(a.check.notNull, func(n catalog.AttNum) bool { return n == num })
	return nil
}

// dropPrimaryKey makes the hidden row id the primary key.
func (a *alteration) dropPrimaryKey(what string, cascade bool) error {
	if err := a.x.dropReferences(a.t, a.t.Primary.OID, what, cascade); err != nil {
		return err
	}
	oid, err := a.x.newID()
	if err != nil {
		return err
	}
	hideRowID(a.t, oid)
	a.rewrite = true
	return nil
}

// dropForeignKey removes a foreign key of the table.
func (a *alteration) dropForeignKey(fk *catalog.ForeignKey) error {
	x, t := a.x, a.t
	t.ForeignKeys = slices.DeleteFunc(t.ForeignKeys, func(f catalog.ForeignKey) bool { return f.OID == fk.OID })
	ref := t
	if fk.RefTable != t.ID {
		var err error
		if ref, err = x.mutableTable(fk.RefTable); err != nil {
			return err
		}
	}
	ref.Inbound = slices.DeleteFunc(ref.Inbound, func(in catalog.InboundKey) bool { return in.Constraint == fk.OID })
	if ref == t {
		return nil
	}
	return x.coll.Put(x.ctx, ref)
}

func (a *alteration) dropConstraint(act *ast.AlterAction) error {
	t := a.t
	what := "constraint " + act.Name + " on table " + t.Name
	if !t.Primary.Hidden && t.Primary.Name == act.Name {
		return a.dropPrimaryKey(what, act.Cascade)
	}
	for _, ix := range t.Indexes {
		if ix.Name == act.Name && ix.Constraint != 0 {
			if err := a.x.dropReferences(t, ix.OID, what, act.Cascade); err != nil {
				return err
			}
			t.Indexes = slices.DeleteFunc(t.Indexes, func(i catalog.Index) bool { return i.OID == ix.OID })
			return nil
		}
	}
	for i := range t.Checks {
		if t.Checks[i].Name == act.Name {
			t.Checks = slices.Delete(t.Checks, i, i+1)
			return nil
		}
	}
	for i := range t.ForeignKeys {
		if fk := t.ForeignKeys[i]; fk.Name == act.Name {
			return a.dropForeignKey(&fk)
		}
	}
	if act.IfExists {
		a.x.notice("00000", "constraint %q of relation %q does not exist, skipping", act.Name, t.Name)
		return nil
	}
	return sqlstate.New(sqlstate.UndefinedObject, "constraint %q of relation %q does not exist", act.Name, t.Name)
}
