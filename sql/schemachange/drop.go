package schemachange

import (
	"slices"
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// dropper collects what a DROP removes, then removes it.
type dropper struct {
	x *statement
	// objects are the descriptors to go, in the order found.
	objects []catalog.Descriptor
	doomed  map[catalog.ID]bool
	// foreign keys of tables that stay, by table and constraint.
	keys map[catalog.ID][]catalog.ID
	// defaults of tables that stay: columns that lose them.
	defaults map[catalog.ID][]catalog.AttNum
	// because lists what CASCADE takes along; in PostgreSQL's words.
	because []string
	// details are the lines of the error if CASCADE is not given.
	details []string
}

func (x *statement) newDropper() *dropper {
	return &dropper{x: x, doomed: map[catalog.ID]bool{}, keys: map[catalog.ID][]catalog.ID{}, defaults: map[catalog.ID][]catalog.AttNum{}}
}

func (x *statement) drop(stmt *ast.Drop) error {
	if stmt.Kind == ast.ObjectIndex {
		return x.dropIndexes(stmt)
	}
	d := x.newDropper()
	var first catalog.Descriptor
	for _, n := range stmt.Names {
		obj, err := x.dropTarget(stmt, n)
		if err != nil {
			return err
		}
		if obj == nil {
			continue
		}
		if first == nil {
			first = obj
		}
		d.target(obj)
	}
	if first == nil {
		return nil
	}
	if err := d.close(); err != nil {
		return err
	}
	return d.run(stmt.Cascade, describe(first))
}

// describe names an object in messages: "table t".
func describe(d catalog.Descriptor) string { return word(d) + " " + d.Head().Name }

// dropTarget finds one of the objects named by DROP; nil if it is missing and may be.
func (x *statement) dropTarget(stmt *ast.Drop, n ast.ObjectName) (catalog.Descriptor, error) {
	name := catalogName(n)
	missing := func(code sqlstate.Code, what string) (catalog.Descriptor, error) {
		if stmt.IfExists {
			x.notice("00000", "%s %q does not exist, skipping", what, name.String())
			return nil, nil
		}
		return nil, sqlstate.New(code, "%s %q does not exist", what, name.String())
	}
	switch stmt.Kind {
	case ast.ObjectSchema:
		sc, err := x.coll.LookupSchema(x.ctx, n.Name)
		if err != nil {
			return nil, err
		}
		if sc == nil {
			return missing(sqlstate.InvalidSchemaName, "schema")
		}
		if sc.ID == catalog.SchemaPgCatalog || sc.ID == catalog.SchemaInformationSchema {
			return nil, sqlstate.New(sqlstate.DependentObjectsStillExist, "cannot drop schema %s because it is required by the database system", sc.Name)
		}
		return sc, nil
	case ast.ObjectTable, ast.ObjectView, ast.ObjectSequence, ast.ObjectMaterializedView:
		what := strings.ToLower(stmt.Kind.String())
		rel, err := x.coll.LookupRelation(x.ctx, name)
		if err != nil {
			if e, ok := err.(*sqlstate.Error); ok && e.Code == sqlstate.WrongObjectType {
				return nil, wrongKind(name.Name, what, "index")
			}
			return nil, err
		}
		if rel == nil {
			return missing(sqlstate.UndefinedTable, what)
		}
		if got := word(rel); got != what {
			return nil, wrongKind(name.Name, what, got)
		}
		if _, virtual := rel.(*catalog.Virtual); virtual {
			return nil, sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied: %q is a system catalog", name.Name)
		}
		return rel, nil
	case ast.ObjectType, ast.ObjectDomain:
		t, err := x.coll.LookupType(x.ctx, name)
		if err != nil {
			return nil, err
		}
		if t != nil {
			if d, ok := x.coll.ByID(catalog.ID(t.OID)).(*catalog.Type); ok && stmt.Kind == ast.ObjectType {
				return d, nil
			}
		}
		return missing(sqlstate.UndefinedObject, strings.ToLower(stmt.Kind.String()))
	case ast.ObjectExtension, ast.ObjectFunction, ast.ObjectProcedure, ast.ObjectAggregate, ast.ObjectTrigger, ast.ObjectPolicy, ast.ObjectRule, ast.ObjectCollation:
		if stmt.IfExists {
			return missing(sqlstate.UndefinedObject, strings.ToLower(stmt.Kind.String()))
		}
	}
	return nil, unsupportedAt(stmt.Pos, "DROP %s", stmt.Kind)
}

func wrongKind(name, want, got string) error {
	article := "a"
	if want == "index" {
		article = "an"
	}
	e := sqlstate.New(sqlstate.WrongObjectType, "%q is not %s %s", name, article, want)
	return e.WithHint("Use DROP %s to remove %s %s.", strings.ToUpper(got), map[bool]string{true: "an", false: "a"}[got == "index"], got)
}

// target dooms an object that the statement names.
func (d *dropper) target(obj catalog.Descriptor) {
	if id := obj.Head().ID; !d.doomed[id] {
		d.doomed[id] = true
		d.objects = append(d.objects, obj)
	}
}

// dependent dooms an object because another one goes.
func (d *dropper) dependent(obj, on catalog.Descriptor) {
	if d.doomed[obj.Head().ID] {
		return
	}
	d.target(obj)
	d.note(describe(obj), describe(on))
}

func (d *dropper) note(what, on string) {
	d.because = append(d.because, "drop cascades to "+what)
	d.details = append(d.details, what+" depends on "+on)
}

// close finds everything that depends on the doomed objects.
func (d *dropper) close() error {
	c := d.x.coll
	for i := 0; i < len(d.objects); i++ {
		obj := d.objects[i]
		id := obj.Head().ID
		switch o := obj.(type) {
		case *catalog.Schema:
			for m := range c.All {
				if m.Head().Schema == id && !d.ownedByDoomed(m) {
					d.dependent(m, obj)
				}
			}
			continue
		case *catalog.Table:
			for _, in := range o.Inbound {
				if t := c.Table(in.Table); t != nil && !d.doomed[t.ID] {
					if fk := t.ForeignKeyByOID(in.Constraint); fk != nil {
						d.keys[t.ID] = append(d.keys[t.ID], fk.OID)
						d.note("constraint "+fk.Name+" on table "+t.Name, describe(o))
					}
				}
			}
			for _, fk := range o.ForeignKeys {
				if fk.RefTable != id {
					if _, ok := d.keys[fk.RefTable]; !ok {
						d.keys[fk.RefTable] = nil
					}
				}
			}
		case *catalog.Sequence:
			if owner := c.Table(o.OwnedBy.Table); o.Identity && owner != nil && !d.doomed[owner.ID] {
				col := owner.Column(o.OwnedBy.Column)
				return sqlstate.New(sqlstate.DependentObjectsStillExist, "cannot drop %s because column %s of table %s requires it", describe(o), col.Name, owner.Name).
					WithHint("You can drop column %s of table %s instead.", col.Name, owner.Name)
			}
		}
		for m := range c.All {
			if dependsOn(m, id) {
				d.dependent(m, obj)
			}
			switch m := m.(type) {
			case *catalog.Sequence:
				if m.OwnedBy.Table == id && !d.doomed[m.ID] {
					d.target(m) // goes silently with its table
				}
			case *catalog.Table:
				d.tableDependsOn(m, obj)
			}
		}
	}
	return nil
}

func (d *dropper) ownedByDoomed(m catalog.Descriptor) bool {
	return d.doomed[m.Head().OwnedBy.Table]
}

// tableDependsOn notes the columns of a table that need a doomed sequence or type.
func (d *dropper) tableDependsOn(t *catalog.Table, obj catalog.Descriptor) {
	if d.doomed[t.ID] {
		return
	}
	id := obj.Head().ID
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Dropped {
			continue
		}
		if _, isType := obj.(*catalog.Type); isType && (catalog.ID(c.Type.OID) == id || c.Type.Elem != nil && catalog.ID(c.Type.Elem.OID) == id) {
			d.details = append(d.details, "column "+c.Name+" of table "+t.Name+" depends on "+describe(obj))
			d.because = append(d.because, "\x00column "+c.Name+" of table "+t.Name)
			continue
		}
		if c.Default != nil && slices.ContainsFunc(c.Default.DependsOn, func(dep catalog.Dependency) bool { return dep.ID == id }) &&
			!slices.Contains(d.defaults[t.ID], c.Num) {
			d.defaults[t.ID] = append(d.defaults[t.ID], c.Num)
			d.note("default value for column "+c.Name+" of table "+t.Name, describe(obj))
		}
	}
}

// run removes everything, or refuses to without CASCADE. what names the first target.
func (d *dropper) run(cascade bool, what string) error {
	x := d.x
	if len(d.details) > 0 && !cascade {
		return dependents(what, d.details)
	}
	for _, b := range d.because {
		if strings.HasPrefix(b, "\x00") {
			return sqlstate.Unsupported("DROP TYPE CASCADE of a type in use (%s)", b[1:])
		}
	}
	x.noteCascade(d.because)
	// Tables that stay lose their keys from and to those that go.
	touched := map[catalog.ID]bool{}
	for id := range d.keys {
		touched[id] = true
	}
	for id := range d.defaults {
		touched[id] = true
	}
	for id := range touched {
		if d.doomed[id] {
			continue
		}
		t, err := x.mutableTable(id)
		if err != nil {
			return err
		}
		t.ForeignKeys = slices.DeleteFunc(t.ForeignKeys, func(fk catalog.ForeignKey) bool { return slices.Contains(d.keys[id], fk.OID) })
		t.Inbound = slices.DeleteFunc(t.Inbound, func(in catalog.InboundKey) bool { return d.doomed[in.Table] })
		for _, n := range d.defaults[id] {
			t.Column(n).Default, t.Column(n).DefaultOID = nil, 0
		}
		if err := x.coll.Put(x.ctx, t); err != nil {
			return err
		}
	}
	for _, obj := range d.objects {
		id := obj.Head().ID
		now, err := catalog.Descriptor(nil), error(nil)
		if _, ok := obj.(*catalog.Table); ok {
			now, err = x.mutableTable(id)
		} else {
			now, err = x.coll.Mutable(x.ctx, id)
		}
		if err != nil {
			return err
		}
		if now == nil {
			continue
		}
		if sc, ok := now.(*catalog.Schema); ok {
			if db := x.coll.CurrentDatabase(); db != nil && db.PublicSchema == sc.ID {
				m, err := x.coll.Mutable(x.ctx, db.ID)
				if err != nil {
					return err
				}
				m.(*catalog.Database).PublicSchema = 0
				if err := x.coll.Put(x.ctx, m); err != nil {
					return err
				}
			}
		}
		if err := x.coll.Remove(x.ctx, now); err != nil {
			return err
		}
	}
	return nil
}

// noteCascade tells the client what goes along with what was dropped.
func (x *statement) noteCascade(because []string) {
	if n := len(because); n == 1 {
		x.notice("00000", "%s", because[0])
	} else if n > 1 {
		e := sqlstate.New("00000", "drop cascades to %d other objects", n).WithDetail("%s", strings.Join(because, "\n"))
		e.Severity = "NOTICE"
		x.s.Notice(e)
	}
}

// dependents is the error for a DROP without CASCADE.
func dependents(what string, details []string) error {
	return sqlstate.New(sqlstate.DependentObjectsStillExist, "cannot drop %s because other objects depend on it", what).
		WithDetail("%s", strings.Join(details, "\n")).WithHint("Use DROP ... CASCADE to drop the dependent objects too.")
}

func (x *statement) dropIndexes(stmt *ast.Drop) error {
	for _, n := range stmt.Names {
		name := catalogName(n)
		old, ix, err := x.coll.ResolveIndex(x.ctx, name)
		if err != nil {
			return err
		}
		if ix == nil {
			rel, err := x.coll.LookupRelation(x.ctx, name)
			switch {
			case err != nil:
				return err
			case rel != nil:
				return wrongKind(name.Name, "index", rel.DescKind().String())
			case stmt.IfExists:
				x.notice("00000", "index %q does not exist, skipping", name.String())
				continue
			}
			return sqlstate.New(sqlstate.UndefinedObject, "index %q does not exist", name.String())
		}
		oid := ix.OID
		t, err := x.mutableTable(old.ID)
		if err != nil {
			return err
		}
		if ix = t.IndexByOID(oid); ix == nil {
			return sqlstate.New(sqlstate.UndefinedObject, "index %q does not exist", name.String())
		}
		if ix.Constraint != 0 {
			return sqlstate.New(sqlstate.DependentObjectsStillExist, "cannot drop index %s because constraint %s on table %s requires it", ix.Name, ix.Name, t.Name).
				WithHint("You can drop constraint %s on table %s instead.", ix.Name, t.Name)
		}
		if err := x.dropReferences(t, oid, "index "+ix.Name, stmt.Cascade); err != nil {
			return err
		}
		t.Indexes = slices.DeleteFunc(t.Indexes, func(i catalog.Index) bool { return i.OID == oid })
		if err := x.coll.Put(x.ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// dropReferences removes the foreign keys that reference an index of t, which is to go.
func (x *statement) dropReferences(t *catalog.Table, index catalog.ID, what string, cascade bool) error {
	var details, because []string
	var doomed []catalog.InboundKey
	for _, in := range t.Inbound {
		from := t
		if in.Table != t.ID {
			from = x.coll.Table(in.Table)
		}
		if from == nil {
			continue
		}
		if fk := from.ForeignKeyByOID(in.Constraint); fk != nil && fk.RefIndex == index {
			doomed = append(doomed, in)
			details = append(details, "constraint "+fk.Name+" on table "+from.Name+" depends on "+what)
			because = append(because, "drop cascades to constraint "+fk.Name+" on table "+from.Name)
		}
	}
	if len(doomed) > 0 && !cascade {
		return dependents(what, details)
	}
	x.noteCascade(because)
	for _, in := range doomed {
		if err := x.removeForeignKey(t, in); err != nil {
			return err
		}
	}
	return nil
}

// removeForeignKey removes a foreign key that references t. If t itself has it, t is
// changed; the referencing table is written otherwise.
func (x *statement) removeForeignKey(t *catalog.Table, in catalog.InboundKey) error {
	t.Inbound = slices.DeleteFunc(t.Inbound, func(i catalog.InboundKey) bool { return i == in })
	from := t
	if in.Table != t.ID {
		var err error
		if from, err = x.mutableTable(in.Table); err != nil {
			return err
		}
	}
	from.ForeignKeys = slices.DeleteFunc(from.ForeignKeys, func(fk catalog.ForeignKey) bool { return fk.OID == in.Constraint })
	if from == t {
		return nil
	}
	return x.coll.Put(x.ctx, from)
}
