package catalog

import "context"

// Bootstrap writes the catalog of a new cluster: the databases defaultdb,
// postgres and template1 with a schema public each, and the roles root and
// postgres. pg_catalog and information_schema need no rows. It does nothing if
// the catalog is there already.
func Bootstrap(ctx context.Context, txn Txn) error {
	c := NewCollection(emptySource{}, nil, txn)
	if id, err := c.DatabaseTaken(ctx, DefaultDatabase); err != nil || id != 0 {
		return err
	}
	public := []Grant{
		{Grantee: RoleRoot, Grantor: RoleRoot, Privileges: PrivUsage | PrivCreate},
		{Grantor: RoleRoot, Privileges: PrivUsage},
	}
	role := func(id ID, name string) *Role {
		return &Role{Header: Header{ID: id, Name: name}, Superuser: true, CreateDB: true, CreateRole: true,
			Inherit: true, Login: true, Replication: true, BypassRLS: true, ConnLimit: -1}
	}
	descs := []Descriptor{role(RoleRoot, RootUser), role(RolePostgres, "postgres")}
	for _, db := range []struct {
		id, schema ID
		name       string
		template   bool
		comment    string
	}{
		{DatabaseDefault, SchemaPublic, DefaultDatabase, false, ""},
		{DatabasePostgres, SchemaPublicPostgres, "postgres", false, "default administrative connection database"},
		{DatabaseTemplate1, SchemaPublicTemplate1, "template1", true, "default template for new databases"},
	} {
		descs = append(descs,
			&Database{Header: Header{ID: db.id, Name: db.name, Owner: RoleRoot, Comment: db.comment},
				PublicSchema: db.schema, Template: db.template, ConnLimit: -1},
			&Schema{Header{ID: db.schema, Name: PublicSchemaName, Database: db.id, Owner: RoleRoot,
				Comment: "standard public schema", Grants: public}})
	}
	for _, d := range descs {
		if err := c.Put(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// emptySource is the catalog before Bootstrap.
type emptySource struct{}

var emptyImage = NewSnapshot()

func (emptySource) Snapshot() *Snapshot                       { return emptyImage }
func (emptySource) Generation() uint64                        { return 0 }
func (emptySource) Refresh(context.Context) error             { return nil }
func (emptySource) AwaitUsable(context.Context, *Table) error { return nil }
func (emptySource) Virtual() VirtualSchemas                   { return noVirtual{} }

type noVirtual struct{}

func (noVirtual) Relation(ID, string) (*Virtual, bool) { return nil, false }
func (noVirtual) RelationByID(ID) (*Virtual, bool)     { return nil, false }
func (noVirtual) All(func(*Virtual) bool)              {}
