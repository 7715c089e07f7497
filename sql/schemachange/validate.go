package schemachange

import (
	"context"
	"errors"
	"slices"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// A CHECK or FOREIGN KEY constraint is added to a table in use in three steps: it is added
// NOT VALID, so that writers obey it; when no transaction is left that does not know it
// (drain), the rows are verified as they were at one time after that; then it is valid. A
// row changed since then was verified by who changed it. VALIDATE CONSTRAINT is the last
// two.

// constraintAction tells whether an action of ALTER TABLE can be done beside those who use
// the table.
func constraintAction(act *ast.AlterAction) bool {
	switch act.Kind {
	case ast.ValidateConstraint:
		return true
	case ast.AddConstraint:
		switch k := act.Table; k.Kind {
		case ast.ConstraintUnique:
			return k.UsingIndex == "" && !k.Deferral.Deferrable && !k.Deferral.Deferred
		case ast.ConstraintCheck, ast.ConstraintForeignKey:
			return !k.NotValid
		}
	}
	return false
}

// alterOnline is ALTER TABLE with such an action.
func (x *statement) alterOnline(stmt *ast.AlterTable, id catalog.ID) error {
	return x.begin(stmt, func(y *statement) (*job, error) {
		t, err := y.lockTable(id)
		if err != nil {
			return nil, err
		}
		act := stmt.Actions[0]
		if act.Kind == ast.ValidateConstraint {
			return y.newValidation(t, act.Name)
		}
		k := *act.Table
		k.NotValid = true
		var oid catalog.ID
		switch k.Kind {
		case ast.ConstraintUnique:
			if err := y.addKey(t, &k); err != nil {
				return nil, err
			}
			ix := &t.Indexes[len(t.Indexes)-1]
			ix.Constraint, ix.ConstraintOID = 0, 0 // until it holds
			return y.attach(t, jobUnique)
		case ast.ConstraintCheck:
			column := ""
			if len(k.Columns) == 1 {
				column = k.Columns[0].Text
			}
			if _, err := y.addCheck(t, k.Name, k.Expr, column, k.NoInherit, true); err != nil {
				return nil, err
			}
			oid = t.Checks[len(t.Checks)-1].OID
		default:
			fk, err := y.addForeignKey(t, &k)
			if err != nil {
				return nil, err
			}
			oid = fk.OID
		}
		j, err := y.e.newJob(y.ctx, jobConstraint)
		if err != nil {
			return nil, err
		}
		j.table, j.object, j.flags = t.ID, oid, jobDrop
		return j, y.coll.Put(y.ctx, t)
	})
}

// newValidation returns the job of VALIDATE CONSTRAINT, nil if there is nothing to do.
func (x *statement) newValidation(t *catalog.Table, name string) (*job, error) {
	var oid catalog.ID
	valid, found := false, false
	for i := range t.Checks {
		if k := &t.Checks[i]; k.Name == name {
			oid, valid, found = k.OID, !k.NotValid, true
		}
	}
	for i := range t.ForeignKeys {
		if fk := &t.ForeignKeys[i]; fk.Name == name {
			oid, valid, found = fk.OID, !fk.NotValid, true
		}
	}
	if !found {
		if ix := t.IndexByName(name); ix != nil && ix.Constraint != 0 {
			return nil, sqlstate.New(sqlstate.WrongObjectType, "constraint %q of relation %q is not a foreign key or check constraint", name, t.Name)
		}
		return nil, sqlstate.New(sqlstate.UndefinedObject, "constraint %q of relation %q does not exist", name, t.Name)
	}
	if valid {
		return nil, nil
	}
	j, err := x.e.newJob(x.ctx, jobConstraint)
	if err != nil {
		return nil, err
	}
	j.table, j.object = t.ID, oid
	return j, nil
}

// constraintOf returns the constraint of a job: one of the two, or none.
func constraintOf(t *catalog.Table, oid catalog.ID) (*catalog.Check, *catalog.ForeignKey) {
	for i := range t.Checks {
		if t.Checks[i].OID == oid {
			return &t.Checks[i], nil
		}
	}
	return nil, t.ForeignKeyByOID(oid)
}

func errConstraintGone() error {
	return sqlstate.New(sqlstate.ObjectNotInPrereqState, "the constraint was dropped while it was being validated")
}

// unvalidated returns the table of a job and its constraint; both are nil if it is valid.
func (e *Executor) unvalidated(j *job) (*catalog.Table, *catalog.Check, *catalog.ForeignKey, error) {
	t, _ := e.cfg.Source.Snapshot().ByID(j.table).(*catalog.Table)
	if t == nil {
		return nil, nil, nil, errConstraintGone()
	}
	check, fk := constraintOf(t, j.object)
	switch {
	case check != nil && !check.NotValid, fk != nil && !fk.NotValid:
		return t, nil, nil, nil
	case check == nil && fk == nil:
		return nil, nil, nil, errConstraintGone()
	}
	return t, check, fk, nil
}

// validateConstraint does a job of kind jobConstraint.
func (e *Executor) validateConstraint(ctx context.Context, j *job) error {
	for {
		t, check, fk, err := e.unvalidated(j)
		if err != nil || check == nil && fk == nil {
			return err
		}
		if err := e.drain(ctx, t.ID); err != nil {
			return err
		}
		ref := t
		if fk != nil && fk.RefTable != t.ID {
			if err := e.drain(ctx, fk.RefTable); err != nil {
				return err
			}
			if ref, _ = e.cfg.Source.Snapshot().ByID(fk.RefTable).(*catalog.Table); ref == nil {
				return errConstraintGone()
			}
		}
		x := e.work(ctx, e.cfg.DB.Now())
		x.coll.Path = catalog.SearchPath{Database: t.Database, Schemas: []string{x.schemaName(t.Schema), "public"}}
		if fk != nil {
			err = x.validateForeignKey(t, fk)
		} else {
			a := &alteration{x: x, t: t, old: t}
			a.check.checks = []boundCheck{{name: check.Name}}
			if err = a.rebind(&a.check.checks[0]); err == nil {
				err = x.scanValidate(t, &a.check)
			}
		}
		if err == nil {
			err = e.markValid(ctx, j, t, ref)
		}
		switch {
		case err == nil:
		case errors.Is(err, errJobTaken):
			return e.awaitOther(ctx, func() (bool, error) {
				_, check, fk, err := e.unvalidated(j)
				return check == nil && fk == nil, err
			})
		default:
			if _, unknown := errors.AsType[*kv.AmbiguousError](err); !unknown {
				return err
			}
			if err := e.cfg.Source.Refresh(ctx); err != nil {
				return err
			}
		}
	}
}

// markValid makes the constraint valid, unless the rows that were read have been put
// elsewhere meanwhile: then they are read again.
func (e *Executor) markValid(ctx context.Context, j *job, was, refWas *catalog.Table) error {
	return e.transact(ctx, nil, nil, func(x *statement) error {
		txn := x.coll.Txn()
		if err := hold(x.ctx, txn, j); err != nil {
			return err
		}
		t, err := x.lockTable(j.table)
		if err != nil {
			return err
		}
		check, fk := constraintOf(t, j.object)
		switch {
		case check != nil:
			check.NotValid = false
		case fk != nil:
			ref := t
			if fk.RefTable != t.ID {
				if ref, err = x.lockTable(fk.RefTable); err != nil {
					return err
				}
			}
			if !sameData(ref, refWas) {
				return nil
			}
			fk.NotValid = false
		default:
			return errConstraintGone()
		}
		if !sameData(t, was) {
			return nil
		}
		if err := txn.Delete(x.ctx, j.key()); err != nil {
			return err
		}
		return x.coll.Put(x.ctx, t)
	})
}

// sameData reports whether two versions of a table have their rows in the same place.
func sameData(a, b *catalog.Table) bool {
	return a.Primary.ID == b.Primary.ID && slices.EqualFunc(a.Indexes, b.Indexes, func(x, y catalog.Index) bool { return x.ID == y.ID })
}

// removeConstraint takes a constraint out that did not hold, if it was added with the job,
// and deletes the job.
func (e *Executor) removeConstraint(ctx context.Context, j *job) error {
	return e.transact(ctx, nil, nil, func(x *statement) error {
		x.unfenced = true
		if err := hold(x.ctx, x.coll.Txn(), j); err != nil {
			return err
		}
		if err := x.coll.Txn().Delete(x.ctx, j.key()); err != nil {
			return err
		}
		if j.flags&jobDrop == 0 {
			return nil
		}
		d, err := x.coll.Mutable(x.ctx, j.table)
		if d == nil || err != nil {
			return err
		}
		t, ok := d.(*catalog.Table)
		if !ok {
			return errJob
		}
		check, fk := constraintOf(t, j.object)
		switch {
		case check != nil && check.NotValid:
			t.Checks = slices.DeleteFunc(t.Checks, func(k catalog.Check) bool { return k.OID == j.object })
		case fk != nil && fk.NotValid:
			gone := *fk
			if err := (&alteration{x: x, t: t}).dropForeignKey(&gone); err != nil {
				return err
			}
		default:
			return nil
		}
		return x.coll.Put(x.ctx, t)
	})
}
