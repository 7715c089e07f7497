package system

import "github.com/spanlite/spanlite/sql/catalog"

// RoleDatabaseOwner is the predefined role that stands for the owner of the database
// one is in. It owns the schema public.
const (
	RoleDatabaseOwner catalog.ID = 6171
	DatabaseOwnerName            = "pg_database_owner"
)

// predefinedRoles are PostgreSQL's roles for parts of an administrator's work. They are
// listed for tools that ask for them by name; nobody is a member.
var predefinedRoles = []struct {
	id   catalog.ID
	name string
}{
	{RoleDatabaseOwner, DatabaseOwnerName},
	{6181, "pg_read_all_data"}, {6182, "pg_write_all_data"}, {3373, "pg_monitor"}, {3374, "pg_read_all_settings"},
	{3375, "pg_read_all_stats"}, {3377, "pg_stat_scan_tables"}, {4569, "pg_read_server_files"},
	{4570, "pg_write_server_files"}, {4571, "pg_execute_server_program"}, {4200, "pg_signal_backend"}, {4544, "pg_checkpoint"},
}

// schemaOwner returns who is shown as a schema's owner.
func schemaOwner(sc *catalog.Schema) catalog.ID {
	if id := ownerOf(&sc.Header); sc.Name != catalog.PublicSchemaName || id != catalog.RoleRoot {
		return id
	}
	return RoleDatabaseOwner
}

// eachRole calls f for all roles, the predefined ones first.
func eachRole(r *reader, f func(*catalog.Role) error) error {
	for _, p := range predefinedRoles {
		if err := f(&catalog.Role{Header: catalog.Header{ID: p.id, Name: p.name}, Inherit: true, ConnLimit: -1}); err != nil {
			return err
		}
	}
	return each(r, f)
}
