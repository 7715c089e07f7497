package schemachange

import (
	"slices"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// truncate gives every index of the tables a new ID: the old data are out of reach with the
// commit, and still there if the transaction rolls back.
func (x *statement) truncate(stmt *ast.Truncate) error {
	var ids []catalog.ID
	for _, ref := range stmt.Tables {
		t, err := x.coll.ResolveTable(x.ctx, catalogName(ref.Name))
		if err != nil {
			return err
		}
		if t.Materialized() {
			return sqlstate.New(sqlstate.WrongObjectType, "%q is not a table", t.Name)
		}
		if !slices.Contains(ids, t.ID) {
			ids = append(ids, t.ID)
		}
	}
	for i := 0; i < len(ids); i++ {
		t := x.coll.Table(ids[i])
		for _, in := range t.Inbound {
			if slices.Contains(ids, in.Table) {
				continue
			}
			from := x.coll.Table(in.Table)
			if !stmt.Cascade {
				return sqlstate.New(sqlstate.FeatureNotSupported, "cannot truncate a table referenced in a foreign key constraint").
					WithDetail("Table %q references %q.", from.Name, t.Name).
					WithHint("Truncate table %q at the same time, or use TRUNCATE ... CASCADE.", from.Name)
			}
			x.notice("00000", "truncate cascades to table %q", from.Name)
			ids = append(ids, in.Table)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		// All fences first, and in one order, so that two TRUNCATEs do not wait for each other.
		if err := x.fence(id); err != nil {
			return err
		}
	}
	for _, id := range ids {
		t, err := x.mutableTable(id)
		if err != nil {
			return err
		}
		if err := x.renumber(t); err != nil {
			return err
		}
		if err := x.coll.Put(x.ctx, t); err != nil {
			return err
		}
	}
	if !stmt.RestartIdentity {
		return nil
	}
	for d := range x.coll.All {
		old, ok := d.(*catalog.Sequence)
		if !ok || old.OwnedBy.Table == 0 || !slices.Contains(ids, old.OwnedBy.Table) {
			continue
		}
		m, err := x.coll.Mutable(x.ctx, old.ID)
		if err != nil {
			return err
		}
		seq, ok := m.(*catalog.Sequence)
		if !ok {
			continue
		}
		if err := x.restartSequence(seq, seq.Start); err != nil {
			return err
		}
		if err := x.coll.Put(x.ctx, seq); err != nil {
			return err
		}
	}
	return nil
}

// renumber gives all indexes fresh IDs, and so the table no rows.
//
// The IDs come from the cluster's counter and not from one of the table's own: what is
// written under an ID outside of the transaction stays when the transaction rolls back, so
// an ID must never be given out again.
func (x *statement) renumber(t *catalog.Table) error {
	for ix := range t.AllIndexes {
		id, err := x.newID()
		if err != nil {
			return err
		}
		ix.ID = uint32(id)
	}
	return nil
}
