package sql

import (
	"context"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// This file is SET CONSTRAINTS and the checks of deferred constraints (exec.Deferred).

// setConstraints executes SET CONSTRAINTS.
func (s *Session) setConstraints(st *ast.SetConstraints) error {
	if !s.inBlock() {
		s.warning(sqlstate.NoActiveSQLTransaction, "SET CONSTRAINTS can only be used in transaction blocks")
		return nil
	}
	s.ensureTxn()
	var oids []catalog.ID
	for _, name := range st.Names {
		found, err := s.constraintsNamed(name)
		if err != nil {
			return err
		}
		oids = append(oids, found...)
	}
	s.txn.deferred.Set(oids, st.Deferred)
	if st.Deferred || !s.txn.deferred.Pending() {
		return nil
	}
	return s.checkDeferred((*exec.Deferred).CheckImmediate)
}

// constraintsNamed returns the deferrable constraints with a name in the first schema of the
// search path that has constraints of that name.
func (s *Session) constraintsNamed(name ast.ObjectName) ([]catalog.ID, error) {
	coll := s.txn.coll
	var schemas []*catalog.Schema
	if name.Schema != "" {
		sc, err := coll.Schema(&s.ctx, name.Schema)
		if err != nil {
			return nil, err
		}
		schemas = append(schemas, sc)
	} else {
		var err error
		if schemas, err = coll.SearchSchemas(&s.ctx, true); err != nil {
			return nil, err
		}
	}
	for _, sc := range schemas {
		var oids []catalog.ID
		found := false
		for d := range coll.All {
			t, ok := d.(*catalog.Table)
			if !ok || t.Schema != sc.ID {
				continue
			}
			note := func(constraint string, oid catalog.ID, deferrable bool) {
				if constraint != name.Name {
					return
				}
				if found = true; deferrable {
					oids = append(oids, oid)
				}
			}
			for i := range t.ForeignKeys {
				fk := &t.ForeignKeys[i]
				note(fk.Name, fk.OID, fk.Deferrable)
			}
			for x := range t.AllIndexes {
				if x.Constraint != 0 {
					note(x.Name, x.ConstraintOID, x.Deferrable)
				}
			}
			for i := range t.Checks {
				note(t.Checks[i].Name, 0, false)
			}
		}
		if found && len(oids) == 0 {
			return nil, sqlstate.New(sqlstate.WrongObjectType, "constraint %q is not deferrable", name.Name)
		}
		if found {
			return oids, nil
		}
	}
	return nil, sqlstate.New(sqlstate.UndefinedObject, "constraint %q does not exist", name.Name)
}

// checkDeferred makes checks of constraints that were put off.
func (s *Session) checkDeferred(check func(*exec.Deferred, context.Context, *exec.Context) error) error {
	mem := exec.NewMonitor(s.srv.cfg.Memory, 0)
	defer mem.Close()
	s.txn.kv.StepStatement()
	return check(&s.txn.deferred, &s.ctx, s.execContext(nil, mem))
}

// checkNoPending refuses a schema change of a table that deferred constraints have still to
// be checked of.
func (s *Session) checkNoPending(st ast.Statement) error {
	if !s.txn.deferred.Pending() {
		return nil
	}
	var names []ast.ObjectName
	verb := st.Tag()
	switch st := st.(type) {
	case *ast.AlterTable:
		names = append(names, st.Name)
	case *ast.CreateIndex:
		names = append(names, st.Table)
	case *ast.Truncate:
		verb = "TRUNCATE"
		for _, t := range st.Tables {
			names = append(names, t.Name)
		}
	case *ast.Drop:
		names = st.Names
	}
	for _, n := range names {
		rel, err := s.txn.coll.LookupRelation(&s.ctx, objectName(n))
		if err == nil && rel != nil && s.txn.deferred.PendingOn(rel.Head().ID) {
			return sqlstate.New(sqlstate.ObjectInUse, "cannot %s %q because it has pending trigger events", verb, rel.Head().Name)
		}
	}
	return nil
}
