package schemachange

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

func (x *statement) createSchema(stmt *ast.CreateSchema) error {
	name := stmt.Name
	if name == "" {
		name = stmt.Authorization
	}
	if strings.HasPrefix(name, "pg_") {
		return sqlstate.New(sqlstate.ReservedName, "unacceptable schema name %q", name).
			WithDetail("The prefix \"pg_\" is reserved for system schemas.")
	}
	id, err := x.coll.SchemaTaken(x.ctx, x.coll.Path.Database, name)
	if err != nil {
		return err
	}
	if id != 0 || name == catalog.InformationSchemaName {
		if stmt.IfNotExists {
			x.notice(sqlstate.DuplicateSchema, "schema %q already exists, skipping", name)
			return nil
		}
		return sqlstate.New(sqlstate.DuplicateSchema, "schema %q already exists", name)
	}
	sc := &catalog.Schema{Header: catalog.Header{Name: name, Database: x.coll.Path.Database, Owner: x.s.UserID()}}
	if stmt.Authorization != "" {
		role, err := x.role(stmt.Authorization)
		if err != nil {
			return err
		}
		sc.Owner = role.ID
	}
	if sc.ID, err = x.newID(); err != nil {
		return err
	}
	if err := x.coll.Put(x.ctx, sc); err != nil {
		return err
	}
	if len(stmt.Elements) == 0 {
		return nil
	}
	// The elements are created in the schema, and find their names there first.
	path := x.coll.Path
	defer func() { x.coll.Path = path }()
	x.coll.Path.Schemas = append([]string{name}, path.Schemas...)
	for _, el := range stmt.Elements {
		if err := x.execute(el); err != nil {
			return err
		}
	}
	return nil
}

func (x *statement) createDatabase(stmt *ast.CreateDatabase) error {
	id, err := x.coll.DatabaseTaken(x.ctx, stmt.Name)
	if err != nil {
		return err
	}
	if id != 0 {
		if stmt.IfNotExists {
			x.notice(sqlstate.DuplicateDatabase, "database %q already exists, skipping", stmt.Name)
			return nil
		}
		return sqlstate.New(sqlstate.DuplicateDatabase, "database %q already exists", stmt.Name)
	}
	db := &catalog.Database{Header: catalog.Header{Name: stmt.Name, Owner: x.s.UserID()}, ConnLimit: -1}
	for _, o := range stmt.Options {
		switch value := optionText(o.Value); o.Name {
		case "owner":
			role, err := x.role(value)
			if err != nil {
				return err
			}
			db.Owner = role.ID
		case "encoding":
			if v := strings.ToLower(strings.ReplaceAll(value, "-", "")); v != "utf8" && v != "unicode" && v != "default" {
				return unsupportedAt(o.Pos, "encoding %q", value)
			}
		case "template":
			if value != "template0" && value != "template1" && value != "default" {
				return unsupportedAt(o.Pos, "template database %q", value)
			}
		}
	}
	public := &catalog.Schema{Header: catalog.Header{Name: catalog.PublicSchemaName, Owner: db.Owner, Comment: "standard public schema",
		Grants: []catalog.Grant{
			{Grantee: db.Owner, Grantor: db.Owner, Privileges: catalog.PrivUsage | catalog.PrivCreate},
			{Grantor: db.Owner, Privileges: catalog.PrivUsage},
		}}}
	if db.ID, err = x.newID(); err != nil {
		return err
	}
	if public.ID, err = x.newID(); err != nil {
		return err
	}
	db.PublicSchema, public.Database = public.ID, db.ID
	if err := x.coll.Put(x.ctx, db); err != nil {
		return err
	}
	return x.coll.Put(x.ctx, public)
}

func (x *statement) dropDatabase(stmt *ast.DropDatabase) error {
	id, err := x.coll.DatabaseTaken(x.ctx, stmt.Name)
	if err != nil {
		return err
	}
	if id == 0 {
		if stmt.IfExists {
			x.notice("00000", "database %q does not exist, skipping", stmt.Name)
			return nil
		}
		return sqlstate.New(sqlstate.InvalidCatalogName, "database %q does not exist", stmt.Name)
	}
	if id == x.coll.Path.Database {
		return sqlstate.New(sqlstate.ObjectInUse, "cannot drop the currently open database")
	}
	db, err := x.mutable(id)
	if err != nil {
		return err
	}
	if d, ok := db.(*catalog.Database); ok && d.Template {
		return sqlstate.New(sqlstate.WrongObjectType, "cannot drop a template database")
	}
	var members []catalog.Descriptor
	for d := range x.coll.All {
		if d.Head().Database == id {
			members = append(members, d)
		}
	}
	// Types go last: a table is read with the types of its columns.
	slices.SortStableFunc(members, func(a, b catalog.Descriptor) int {
		return cmp.Compare(typesLast(a), typesLast(b))
	})
	for _, m := range members {
		d, err := x.coll.Mutable(x.ctx, m.Head().ID)
		if err != nil {
			return err
		}
		if d == nil {
			continue // gone with the session whose temporary table it was
		}
		if err := x.coll.Remove(x.ctx, d); err != nil {
			return err
		}
	}
	return x.coll.Remove(x.ctx, db)
}

func typesLast(d catalog.Descriptor) int {
	if d.DescKind() == catalog.KindType {
		return 1
	}
	return 0
}

func (x *statement) createEnum(stmt *ast.CreateEnum) error {
	schema, err := x.targetSchema(stmt.Name)
	if err != nil {
		return err
	}
	id, err := x.coll.NameTaken(x.ctx, schema.ID, stmt.Name.Name)
	if err != nil {
		return err
	}
	if id != 0 {
		return sqlstate.New(sqlstate.DuplicateObject, "type %q already exists", stmt.Name.Name)
	}
	t := &catalog.Type{}
	if t.ID, err = x.newID(); err != nil {
		return err
	}
	t.Header = x.header(t.ID, stmt.Name.Name, schema)
	if t.ArrayOID, err = x.newID(); err != nil {
		return err
	}
	for i, l := range stmt.Labels {
		if len(l.Value) > maxName {
			return sqlstate.New(sqlstate.InvalidName, "invalid enum label %q", l.Value).WithDetail("Labels must be %d bytes or less.", maxName)
		}
		if slices.ContainsFunc(t.Labels, func(e catalog.EnumLabel) bool { return e.Name == l.Value }) {
			return sqlstate.New(sqlstate.UniqueViolation, "duplicate key value violates unique constraint \"pg_enum_typid_label_index\"").
				WithDetail("Key (enumtypid, enumlabel)=(%d, %s) already exists.", t.ID, l.Value)
		}
		oid, err := x.newID()
		if err != nil {
			return err
		}
		t.Labels = append(t.Labels, catalog.EnumLabel{Name: l.Value, Order: int64(i+1) << labelGap, OID: oid})
	}
	return x.coll.Put(x.ctx, t)
}

// labelGap is the distance between the labels of a new enum as a power of two.
const labelGap = 32

func (x *statement) alterEnum(stmt *ast.AlterEnum) error {
	typ, err := x.coll.LookupType(x.ctx, catalogName(stmt.Name))
	if err != nil {
		return err
	}
	var old *catalog.Type
	if typ != nil {
		old, _ = x.coll.ByID(catalog.ID(typ.OID)).(*catalog.Type)
	}
	if old == nil {
		return sqlstate.New(sqlstate.UndefinedObject, "type %q does not exist", nameText(stmt.Name))
	}
	d, err := x.mutable(old.ID)
	if err != nil {
		return err
	}
	t := d.(*catalog.Type)
	find := func(name string) int {
		return slices.IndexFunc(t.Labels, func(l catalog.EnumLabel) bool { return l.Name == name })
	}
	if stmt.Old != "" {
		i := find(stmt.Old)
		if i < 0 {
			return sqlstate.New(sqlstate.InvalidParameterValue, "%q is not an existing enum label", stmt.Old)
		}
		if find(stmt.New) >= 0 {
			return sqlstate.New(sqlstate.DuplicateObject, "enum label %q already exists", stmt.New)
		}
		t.Labels[i].Name = stmt.New
		return x.coll.Put(x.ctx, t)
	}
	if find(stmt.New) >= 0 {
		if stmt.IfNotExists {
			x.notice(sqlstate.DuplicateObject, "enum label %q already exists, skipping", stmt.New)
			return nil
		}
		return sqlstate.New(sqlstate.DuplicateObject, "enum label %q already exists", stmt.New)
	}
	at := len(t.Labels)
	if stmt.Neighbour != "" {
		i := find(stmt.Neighbour)
		if i < 0 {
			return sqlstate.New(sqlstate.InvalidParameterValue, "%q is not an existing enum label", stmt.Neighbour)
		}
		if at = i + 1; stmt.Before {
			at = i
		}
	}
	var order int64
	switch {
	case len(t.Labels) == 0:
		order = 1 << labelGap
	case at == len(t.Labels):
		order = t.Labels[at-1].Order + 1<<labelGap
	case at == 0:
		order = t.Labels[0].Order - 1<<labelGap
	default:
		lo, hi := t.Labels[at-1].Order, t.Labels[at].Order
		if order = lo + (hi-lo)/2; order == lo {
			return sqlstate.New(sqlstate.ProgramLimitExceeded, "no room left between enum labels %q and %q", t.Labels[at-1].Name, t.Labels[at].Name)
		}
	}
	oid, err := x.newID()
	if err != nil {
		return err
	}
	t.Labels = slices.Insert(t.Labels, at, catalog.EnumLabel{Name: stmt.New, Order: order, OID: oid})
	return x.coll.Put(x.ctx, t)
}
