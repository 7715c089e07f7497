package catalog

import (
	"context"
	"maps"
	"slices"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// Name is a possibly qualified name of an object. Empty parts are not given.
// Offset is its byte offset in the statement, or -1.
type Name struct {
	Database, Schema, Name string
	Offset                 int
}

// String returns the name as PostgreSQL prints it in messages: without quotes.
func (n Name) String() string {
	s := n.Name
	if n.Schema != "" {
		s = n.Schema + "." + s
	}
	if n.Database != "" {
		s = n.Database + "." + s
	}
	return s
}

// SearchPath is where unqualified names are looked for.
type SearchPath struct {
	// Database is the session's database.
	Database ID
	// Schemas is the search_path setting, "$user" included. pg_catalog is
	// searched first unless it is listed.
	Schemas []string
	// User is what "$user" stands for.
	User string
	// TempSchema is the session's schema of temporary tables, 0 if none; it is
	// searched before everything else.
	TempSchema ID
}

// Collection is the catalog as one transaction sees it: the transaction's own
// uncommitted changes over the node's Snapshot. A Collection belongs to one
// session and is used by one goroutine at a time.
type Collection struct {
	src Source
	db  DB
	txn Txn

	// Path is used by the Resolve and Lookup methods; the session sets it.
	Path SearchPath

	// historical is the image of an AS OF SYSTEM TIME transaction, nil otherwise.
	historical *Snapshot

	used    []*Table
	changed map[ID]*change
	names   map[nameKey]nameTarget // zero target: removed
	parts   map[ID]ID              // OID of a part -> descriptor; 0: removed
	// fenced are the table versions that this transaction's schema changes hold.
	fenced []*Table
	// atRelease is called by Release.
	atRelease []func()
	// epochs is src, if its image may become invalid; epoch is what it said when
	// the transaction began.
	epochs interface{ Epoch() uint64 }
	epoch  uint64
}

// change is one descriptor changed by the transaction.
type change struct {
	desc Descriptor // nil: dropped
	// orig is the committed descriptor before the transaction, nil if created.
	orig Descriptor
}

// NewCollection returns the view of a transaction. txn may be nil for reading
// the committed catalog only; db is needed for changes only.
func NewCollection(src Source, db DB, txn Txn) *Collection {
	c := &Collection{src: src, db: db, txn: txn}
	if c.epochs, _ = src.(interface{ Epoch() uint64 }); c.epochs != nil {
		c.epoch = c.epochs.Epoch()
	}
	return c
}

// NewHistorical returns the read-only view of the catalog at the read timestamp
// of txn.
func NewHistorical(ctx context.Context, src Source, txn Txn) (*Collection, error) {
	s, err := LoadSnapshot(ctx, txn)
	if err != nil {
		return nil, err
	}
	return &Collection{src: src, txn: txn, historical: s}, nil
}

// Reset makes c the view of another transaction, keeping memory and Path but for the
// temporary schema.
// Release must have been called.
func (c *Collection) Reset(txn Txn) {
	c.txn, c.historical, c.Path.TempSchema = txn, nil, 0
	if c.epochs != nil {
		c.epoch = c.epochs.Epoch()
	}
	c.forgetChanges()
}

// Txn returns the transaction.
func (c *Collection) Txn() Txn { return c.txn }

// Source returns the source.
func (c *Collection) Source() Source { return c.src }

// Generation is Source.Generation. Plans of a transaction with HasChanges are
// not to be cached.
func (c *Collection) Generation() uint64 { return c.src.Generation() }

// HasChanges reports whether the transaction has changed the catalog.
func (c *Collection) HasChanges() bool { return len(c.changed) > 0 }

func (c *Collection) snapshot() *Snapshot {
	if c.historical != nil {
		return c.historical
	}
	return c.src.Snapshot()
}

// Use counts the transaction as a user of the table versions until Release.
// False means that one of them is not the version to use any more: resolve and
// plan again. Use waits while a schema change of another transaction fences a
// table. It is cheap: two atomic operations for a table not used before.
//
// If a table's data for this version are newer than the transaction's timestamp
// (Table.ValidFrom), the snapshot is moved there; a *kv.RetryError says that it cannot.
func (c *Collection) Use(ctx context.Context, tables ...*Table) (bool, error) {
	if c.historical != nil {
		return true, nil
	}
	for _, t := range tables {
		if c.uses(t) {
			continue
		}
		if len(c.changed) > 0 {
			if ch := c.changed[t.ID]; ch != nil {
				if ch.desc != Descriptor(t) {
					return false, nil
				}
				if c.txn.ReadTimestamp() < t.ValidFrom {
					return false, sqlstate.Unsupported("reading table %q in the transaction that rewrote it or built an index on it, at this isolation level,", t.Name).
						WithHint("Commit first, or use READ COMMITTED.")
				}
				continue
			}
		}
		if t.rt == nil {
			return false, nil
		}
		for !t.rt.begin() {
			if t.Superseded() {
				return false, nil
			}
			if c.Fenced(t) || c.usesBefore(t) {
				t.rt.users.Add(1)
				break
			}
			if err := c.src.AwaitUsable(ctx, t); err != nil {
				return false, err
			}
		}
		c.used = append(c.used, t)
		if c.txn != nil && t.ValidFrom != 0 {
			if err := c.catchUp(ctx, t.ValidFrom); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// catchUp moves the transaction's snapshot to ts or later.
func (c *Collection) catchUp(ctx context.Context, ts hlc.Timestamp) error {
	if c.txn.ReadTimestamp() >= ts {
		return nil
	}
	if t, ok := c.txn.(interface{ Advance(context.Context) error }); ok {
		if err := t.Advance(ctx); err != nil {
			return err
		}
	}
	if c.txn.ReadTimestamp() < ts {
		return &kv.RetryError{Reason: kv.RetrySerializable, RetryTS: ts}
	}
	return nil
}

func (c *Collection) uses(t *Table) bool { return slices.Contains(c.used, t) }

// usesBefore reports whether the transaction uses a version that t has replaced
// without a fence: whoever fences t waits for the transaction anyway, and must not be
// waited for.
func (c *Collection) usesBefore(t *Table) bool {
	return slices.ContainsFunc(c.used, func(u *Table) bool { return u.ID == t.ID })
}

// Uses reports whether the transaction has used the version t.
func (c *Collection) Uses(t *Table) bool { return c.uses(t) }

// Release ends all uses and lifts the fences; the session calls it when the
// transaction has ended, whichever way, and after its changes have been published.
func (c *Collection) Release() {
	for i, t := range c.used {
		t.rt.end()
		c.used[i] = nil
	}
	c.used = c.used[:0]
	if len(c.fenced) > 0 {
		for _, t := range c.fenced {
			t.Unfence()
		}
		c.fenced = nil
		if f, ok := c.src.(interface{ FenceFell() }); ok {
			f.FenceFell()
		}
	}
	for _, f := range c.atRelease {
		f()
	}
	c.atRelease = nil
}

// Detach moves the uses and fences of c to a Collection that is only to be released;
// Release of c has no effect on them any more.
func (c *Collection) Detach() *Collection {
	d := &Collection{src: c.src, used: c.used, fenced: c.fenced, atRelease: c.atRelease}
	c.used, c.fenced, c.atRelease = nil, nil, nil
	return d
}

// AtRelease has f called by Release, after the fences of this node have fallen.
func (c *Collection) AtRelease(f func()) { c.atRelease = append(c.atRelease, f) }

// Check tells whether the transaction may commit. Its tables are those of the
// present only while the node has had a lease on the catalog all along: a
// *kv.RetryError says that it was without one for a time, in which other nodes may
// have changed them.
func (c *Collection) Check() error {
	if c.epochs != nil && c.epochs.Epoch() != c.epoch {
		return &kv.RetryError{Reason: kv.RetrySerializable}
	}
	return nil
}

// ByID returns the descriptor with the id as the transaction sees it, virtual
// relations included, or nil.
func (c *Collection) ByID(id ID) Descriptor {
	if ch, ok := c.changed[id]; ok {
		if ch.desc == nil {
			return nil
		}
		return ch.desc
	}
	if d := c.snapshot().ByID(id); d != nil {
		return d
	}
	if d := builtinSchema(id); d != nil {
		return d
	}
	if v, ok := c.src.Virtual().RelationByID(id); ok {
		return v
	}
	return nil
}

// Table returns the table with the id, or nil.
func (c *Collection) Table(id ID) *Table {
	t, _ := c.ByID(id).(*Table)
	return t
}

// Owner returns the descriptor that contains the part (index, constraint, row
// type, array type, default) with the OID, or nil.
func (c *Collection) Owner(part ID) Descriptor {
	if id, ok := c.parts[part]; ok {
		if id == 0 {
			return nil
		}
		return c.ByID(id)
	}
	if d := c.snapshot().Owner(part); d != nil {
		return c.ByID(d.Head().ID)
	}
	return nil
}

// All calls yield for every descriptor that the transaction sees, of all
// databases, in order of id; virtual relations are left out, the schemas
// pg_catalog and information_schema too.
func (c *Collection) All(yield func(Descriptor) bool) {
	if len(c.changed) == 0 {
		c.snapshot().All(yield)
		return
	}
	ids := slices.Sorted(maps.Keys(c.changed))
	flush := func(below ID, all bool) bool {
		for len(ids) > 0 && (all || ids[0] <= below) {
			ch := c.changed[ids[0]]
			ids = ids[1:]
			if ch.desc != nil && !yield(ch.desc) {
				return false
			}
		}
		return true
	}
	stopped := false
	c.snapshot().All(func(d Descriptor) bool {
		id := d.Head().ID
		if !flush(id, false) {
			stopped = true
			return false
		}
		if _, ok := c.changed[id]; ok {
			return true
		}
		if !yield(d) {
			stopped = true
			return false
		}
		return true
	})
	if !stopped {
		flush(0, true)
	}
}

// lookup finds a name among own changes, in the snapshot and, failing both, in
// the key space.
func (c *Collection) lookup(ctx context.Context, k nameKey) (nameTarget, bool, error) {
	if t, ok := c.names[k]; ok {
		return t, t.id != 0, nil
	}
	if t, ok := c.snapshot().name(k); ok {
		return t, true, nil
	}
	if c.txn == nil || c.historical != nil {
		return nameTarget{}, false, nil
	}
	_, ok, err := c.txn.Get(ctx, k.key(), kv.LockNone)
	if err != nil || !ok {
		return nameTarget{}, false, err
	}
	// Committed elsewhere a moment ago.
	if err := c.src.Refresh(ctx); err != nil {
		return nameTarget{}, false, err
	}
	t, ok := c.src.Snapshot().name(k)
	return t, ok, nil
}

// Database returns the database with the name; 3D000 if there is none.
func (c *Collection) Database(ctx context.Context, name string) (*Database, error) {
	t, ok, err := c.lookup(ctx, nameKey{0, classDatabase, name})
	if err != nil {
		return nil, err
	}
	if db, isDB := c.ByID(t.id).(*Database); ok && isDB {
		return db, nil
	}
	return nil, sqlstate.New(sqlstate.InvalidCatalogName, "database %q does not exist", name)
}

// CurrentDatabase returns the session's database, nil if it has been dropped.
func (c *Collection) CurrentDatabase() *Database {
	db, _ := c.ByID(c.Path.Database).(*Database)
	return db
}

// Role returns the role with the name; 42704 if there is none.
func (c *Collection) Role(ctx context.Context, name string) (*Role, error) {
	t, ok, err := c.lookup(ctx, nameKey{0, classRole, name})
	if err != nil {
		return nil, err
	}
	if r, isRole := c.ByID(t.id).(*Role); ok && isRole {
		return r, nil
	}
	return nil, sqlstate.New(sqlstate.UndefinedObject, "role %q does not exist", name)
}

// LookupSchema returns the schema with the name in the session's database, nil
// if there is none.
func (c *Collection) LookupSchema(ctx context.Context, name string) (*Schema, error) {
	switch name {
	case PgCatalogName:
		return pgCatalogSchema, nil
	case InformationSchemaName:
		return informationSchema, nil
	case "pg_temp":
		sc, _ := c.ByID(c.Path.TempSchema).(*Schema)
		return sc, nil
	}
	t, ok, err := c.lookup(ctx, nameKey{c.Path.Database, classSchema, name})
	if err != nil || !ok {
		return nil, err
	}
	sc, _ := c.ByID(t.id).(*Schema)
	return sc, nil
}

// Schema is LookupSchema with 3F000 if there is none.
func (c *Collection) Schema(ctx context.Context, name string) (*Schema, error) {
	sc, err := c.LookupSchema(ctx, name)
	if err == nil && sc == nil {
		return nil, sqlstate.New(sqlstate.InvalidSchemaName, "schema %q does not exist", name)
	}
	return sc, err
}

// SearchSchemas returns the schemas of the search path that exist, in order.
// implicit adds the temporary schema and pg_catalog where they are searched
// without being listed (current_schemas(true)).
func (c *Collection) SearchSchemas(ctx context.Context, implicit bool) ([]*Schema, error) {
	var out []*Schema
	listed := slices.Contains(c.Path.Schemas, PgCatalogName)
	if implicit {
		if sc, ok := c.ByID(c.Path.TempSchema).(*Schema); ok {
			out = append(out, sc)
		}
		if !listed {
			out = append(out, pgCatalogSchema)
		}
	}
	for _, name := range c.Path.Schemas {
		if name == "$user" {
			name = c.Path.User
		}
		sc, err := c.LookupSchema(ctx, name)
		if err != nil {
			return nil, err
		}
		if sc != nil && !slices.Contains(out, sc) {
			out = append(out, sc)
		}
	}
	return out, nil
}

// CreationSchema returns the schema in which an unqualified CREATE puts its
// object: the first of the search path that exists. 3F000 if there is none.
func (c *Collection) CreationSchema(ctx context.Context) (*Schema, error) {
	path, err := c.SearchSchemas(ctx, false)
	if err != nil {
		return nil, err
	}
	if len(path) == 0 {
		return nil, sqlstate.New(sqlstate.InvalidSchemaName, "no schema has been selected to create in")
	}
	return path[0], nil
}

// lookupName finds what name stands for along the search path: a descriptor,
// or the table of an index together with the index's OID.
func (c *Collection) lookupName(ctx context.Context, name Name) (nameTarget, *Virtual, error) {
	if name.Database != "" {
		if db := c.CurrentDatabase(); db == nil || db.Name != name.Database {
			return nameTarget{}, nil, sqlstate.New(sqlstate.FeatureNotSupported,
				"cross-database references are not implemented: %q", name.String()).At(name.Offset)
		}
	}
	var path []*Schema
	if name.Schema != "" {
		sc, err := c.LookupSchema(ctx, name.Schema)
		if err != nil || sc == nil {
			return nameTarget{}, nil, err
		}
		return c.lookupIn(ctx, sc, name.Name)
	}
	path, err := c.SearchSchemas(ctx, true)
	if err != nil {
		return nameTarget{}, nil, err
	}
	for _, sc := range path {
		t, v, err := c.lookupIn(ctx, sc, name.Name)
		if err != nil || t.id != 0 || v != nil {
			return t, v, err
		}
	}
	return nameTarget{}, nil, nil
}

func (c *Collection) lookupIn(ctx context.Context, sc *Schema, name string) (nameTarget, *Virtual, error) {
	if sc == pgCatalogSchema || sc == informationSchema {
		v, _ := c.src.Virtual().Relation(sc.ID, name)
		return nameTarget{}, v, nil
	}
	t, _, err := c.lookup(ctx, nameKey{sc.ID, classRelation, name})
	return t, nil, err
}

// LookupRelation returns the table, view, sequence or virtual relation that
// the name stands for, nil if there is none. An index is a 42809 error.
func (c *Collection) LookupRelation(ctx context.Context, name Name) (Relation, error) {
	t, v, err := c.lookupName(ctx, name)
	if err != nil {
		return nil, err
	}
	if v != nil {
		return v, nil
	}
	if t.table != 0 {
		return nil, sqlstate.New(sqlstate.WrongObjectType, "%q is an index", name.Name).At(name.Offset)
	}
	if t.id == 0 {
		return nil, nil
	}
	if rel, ok := c.ByID(t.id).(Relation); ok {
		return rel, nil
	}
	return nil, nil // a type
}

// ResolveRelation is LookupRelation with 42P01 if there is none.
func (c *Collection) ResolveRelation(ctx context.Context, name Name) (Relation, error) {
	rel, err := c.LookupRelation(ctx, name)
	if err == nil && rel == nil {
		return nil, UndefinedRelation(name)
	}
	return rel, err
}

// ResolveTable returns the ordinary table that the name stands for; 42P01, or
// 42809 if it is something else.
func (c *Collection) ResolveTable(ctx context.Context, name Name) (*Table, error) {
	rel, err := c.ResolveRelation(ctx, name)
	if err != nil {
		return nil, err
	}
	t, ok := rel.(*Table)
	if !ok {
		return nil, sqlstate.New(sqlstate.WrongObjectType, "%q is not a table", name.Name).At(name.Offset)
	}
	return t, nil
}

// ResolveIndex returns the index that the name stands for and its table; nil if
// there is none.
func (c *Collection) ResolveIndex(ctx context.Context, name Name) (*Table, *Index, error) {
	t, _, err := c.lookupName(ctx, name)
	if err != nil || t.table == 0 {
		return nil, nil, err
	}
	tbl := c.Table(t.table)
	if tbl == nil {
		return nil, nil, nil
	}
	return tbl, tbl.IndexByOID(t.id), nil
}

// LookupOID returns the OID of the relation or index that the name stands for, as
// regclass does; 0 if there is none.
func (c *Collection) LookupOID(ctx context.Context, name Name) (ID, error) {
	t, v, err := c.lookupName(ctx, name)
	switch {
	case err != nil:
		return 0, err
	case v != nil:
		return v.ID, nil
	case t.table == 0 && t.id != 0:
		if _, ok := c.ByID(t.id).(Relation); !ok {
			return 0, nil
		}
	}
	return t.id, nil
}

// UndefinedRelation returns the 42P01 error for a name.
func UndefinedRelation(name Name) error {
	return sqlstate.New(sqlstate.UndefinedTable, "relation %q does not exist", name.String()).At(name.Offset)
}

// LookupType returns the user-defined type (or its array type, when the name
// begins with an underscore) or a relation's row type; nil if there is none.
// Built-in types are found by types.ByName, which the caller asks first or
// afterwards according to the path.
func (c *Collection) LookupType(ctx context.Context, name Name) (*types.T, error) {
	t, v, err := c.lookupName(ctx, name)
	if err != nil {
		return nil, err
	}
	if v != nil {
		return nil, nil
	}
	switch d := c.ByID(t.id).(type) {
	case *Type:
		return d.SQLType(), nil
	case *Table:
		return c.rowType(d), nil
	}
	if len(name.Name) > 1 && name.Name[0] == '_' {
		name.Name = name.Name[1:]
		elem, err := c.LookupType(ctx, name)
		if err != nil || elem == nil {
			return nil, err
		}
		return types.ArrayOf(elem), nil
	}
	return nil, nil
}

// TypeByOID returns the type with the OID: built-in, user-defined or the row
// type of a table; nil if there is none.
func (c *Collection) TypeByOID(oid types.OID) *types.T {
	if t := types.ByOID(oid); t != nil {
		return t
	}
	switch d := c.ByID(ID(oid)).(type) {
	case *Type:
		return d.SQLType()
	}
	switch d := c.Owner(ID(oid)).(type) {
	case *Type:
		if d.ArrayOID == ID(oid) {
			return types.ArrayOf(d.SQLType())
		}
	case *Table:
		if d.TypeOID == ID(oid) {
			return c.rowType(d)
		}
		if d.TypeArray == ID(oid) {
			return types.ArrayOf(c.rowType(d))
		}
	}
	return nil
}

func (c *Collection) rowType(t *Table) *types.T {
	var fields []types.Field
	for _, col := range t.Live {
		fields = append(fields, types.Field{Name: col.Name, Type: col.Type})
	}
	return types.NewComposite(types.OID(t.TypeOID), types.OID(t.TypeArray), c.schemaName(t.Schema), t.Name, fields)
}

// schemaName returns the name to qualify a type of the schema with: none for
// those that are always visible.
func (c *Collection) schemaName(id ID) string {
	if sc, ok := c.ByID(id).(*Schema); ok {
		return sc.Name
	}
	return ""
}

// Visible reports whether an unqualified name finds the relation, index or type
// with the id (pg_table_is_visible).
func (c *Collection) Visible(ctx context.Context, id ID) (bool, error) {
	var name string
	d := c.ByID(id)
	if d == nil {
		if t, ok := c.Owner(id).(*Table); ok {
			if x := t.IndexByOID(id); x != nil {
				name = x.Name
			}
		}
	} else {
		name = d.Head().Name
	}
	if name == "" {
		return false, nil
	}
	found, err := c.LookupOIDOrType(ctx, Name{Name: name, Offset: -1})
	return found == id, err
}

// LookupOIDOrType is LookupOID that also finds user-defined types.
func (c *Collection) LookupOIDOrType(ctx context.Context, name Name) (ID, error) {
	t, v, err := c.lookupName(ctx, name)
	if v != nil {
		return v.ID, err
	}
	return t.id, err
}

var (
	pgCatalogSchema   = &Schema{Header{ID: SchemaPgCatalog, Name: PgCatalogName, Version: 1, Owner: RoleRoot, Comment: "system catalog schema"}}
	informationSchema = &Schema{Header{ID: SchemaInformationSchema, Name: InformationSchemaName, Version: 1, Owner: RoleRoot}}
)

// BuiltinSchemas are the schemas that every database has and that are not
// stored: pg_catalog and information_schema.
func BuiltinSchemas() []*Schema { return []*Schema{pgCatalogSchema, informationSchema} }

func builtinSchema(id ID) Descriptor {
	switch id {
	case SchemaPgCatalog:
		return pgCatalogSchema
	case SchemaInformationSchema:
		return informationSchema
	}
	return nil
}
