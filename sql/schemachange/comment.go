package schemachange

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// comment is COMMENT ON.
func (x *statement) comment(stmt *ast.Comment) error {
	text := ""
	if stmt.Text != nil {
		text = *stmt.Text
	}
	name := catalogName(stmt.Object)
	switch stmt.Kind {
	case ast.ObjectIndex:
		old, ix, err := x.coll.ResolveIndex(x.ctx, name)
		if err != nil {
			return err
		}
		if ix == nil {
			return catalog.UndefinedRelation(name)
		}
		t, err := x.lockTable(old.ID)
		if err != nil {
			return err
		}
		t.IndexByOID(ix.OID).Comment = text
		return x.coll.Put(x.ctx, t)
	case ast.ObjectColumn:
		rel, err := x.coll.ResolveRelation(x.ctx, name)
		if err != nil {
			return err
		}
		d, err := x.lock(rel.Head().ID)
		if err != nil {
			return err
		}
		r, ok := d.(catalog.Relation)
		if !ok {
			return catalog.UndefinedRelation(name)
		}
		cols := r.Cols()
		for i := range cols {
			if cols[i].Name == stmt.Part && !cols[i].Dropped && !cols[i].Hidden {
				cols[i].Comment = text
				return x.coll.Put(x.ctx, d)
			}
		}
		return sqlstate.New(sqlstate.UndefinedColumn, "column %q of relation %q does not exist", stmt.Part, rel.Head().Name)
	case ast.ObjectConstraint:
		old, err := x.coll.ResolveTable(x.ctx, name)
		if err != nil {
			return err
		}
		t, err := x.lockTable(old.ID)
		if err != nil {
			return err
		}
		if !commentConstraint(t, stmt.Part, text) {
			return sqlstate.New(sqlstate.UndefinedObject, "constraint %q for table %q does not exist", stmt.Part, t.Name)
		}
		return x.coll.Put(x.ctx, t)
	}
	id, err := x.objectID(stmt.Kind, stmt.Object)
	if err != nil {
		return err
	}
	d, err := x.lock(id)
	if err != nil {
		return err
	}
	d.Head().Comment = text
	return x.coll.Put(x.ctx, d)
}

func commentConstraint(t *catalog.Table, name, text string) bool {
	if ix := t.IndexByName(name); ix != nil && ix.Constraint != 0 {
		ix.ConstraintComment = text
		return true
	}
	for i := range t.Checks {
		if t.Checks[i].Name == name {
			t.Checks[i].Comment = text
			return true
		}
	}
	for i := range t.ForeignKeys {
		if t.ForeignKeys[i].Name == name {
			t.ForeignKeys[i].Comment = text
			return true
		}
	}
	return false
}

// objectID resolves the name of an object that has a descriptor of its own.
func (x *statement) objectID(kind ast.ObjectKind, n ast.ObjectName) (catalog.ID, error) {
	name := catalogName(n)
	switch kind {
	case ast.ObjectTable, ast.ObjectView, ast.ObjectSequence, ast.ObjectMaterializedView:
		rel, err := x.coll.ResolveRelation(x.ctx, name)
		if err != nil {
			return 0, err
		}
		if rel.DescKind() == catalog.KindVirtual {
			return 0, sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied: %q is a system catalog", n.Name)
		}
		return rel.Head().ID, nil
	case ast.ObjectSchema:
		sc, err := x.coll.Schema(x.ctx, n.Name)
		if err != nil {
			return 0, err
		}
		if sc.ID < catalog.FirstUserID && x.coll.Original(sc.ID) == nil {
			return 0, sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied for schema %s", sc.Name)
		}
		return sc.ID, nil
	case ast.ObjectDatabase:
		db, err := x.coll.Database(x.ctx, n.Name)
		if err != nil {
			return 0, err
		}
		return db.ID, nil
	case ast.ObjectRole:
		r, err := x.coll.Role(x.ctx, n.Name)
		if err != nil {
			return 0, err
		}
		return r.ID, nil
	case ast.ObjectType:
		t, err := x.coll.LookupType(x.ctx, name)
		if err != nil {
			return 0, err
		}
		if t != nil {
			if d, ok := x.coll.ByID(catalog.ID(t.OID)).(*catalog.Type); ok {
				return d.ID, nil
			}
		}
		return 0, sqlstate.New(sqlstate.UndefinedObject, "type %q does not exist", name.String())
	}
	return 0, unsupportedAt(n.Pos, "this command for a %s", kind)
}

// alterOwner is ALTER ... OWNER TO for what is no relation.
func (x *statement) alterOwner(stmt *ast.AlterOwner) error {
	id, err := x.objectID(stmt.Kind, stmt.Object)
	if err != nil {
		return err
	}
	return x.setOwner(id, stmt.Owner)
}
