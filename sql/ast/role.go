package ast

// RoleSpec is a role by name, or one of the keywords.
type RoleSpec struct {
	Pos
	Name string // empty for the keywords
	// Keyword is "", "public", "current_user", "current_role" or "session_user".
	Keyword string
}

// CreateRole is CREATE ROLE, USER or GROUP. Options holds superuser, createdb,
// createrole, inherit, login, replication, bypassrls (with a *Bool), password
// (a *String or *Null), connection_limit, valid_until, in_role, role, admin.
type CreateRole struct {
	Pos
	Keyword string // ROLE, USER, GROUP: USER implies LOGIN
	Name    RoleSpec
	// IfNotExists is an extension.
	IfNotExists bool
	Options     []Option
}

// AlterRole is ALTER ROLE name with options, or, with Group set, ALTER GROUP
// name ADD | DROP USER (options role, in that case).
type AlterRole struct {
	Pos
	Name    RoleSpec
	Options []Option
	// Add and Drop hold members for ALTER GROUP.
	Add  []RoleSpec
	Drop []RoleSpec
}

// AlterSetting is ALTER ROLE | DATABASE | SYSTEM ... SET variable.
type AlterSetting struct {
	Pos
	Role     *RoleSpec // nil with Database only, or for SYSTEM
	AllRoles bool
	Database string
	System   bool
	Set      *Set   // exactly one of Set and Reset is not nil
	Reset    *Reset //
}

// DropRole is DROP ROLE, USER or GROUP.
type DropRole struct {
	Pos
	Roles    []RoleSpec
	IfExists bool
}

// ReassignOwned is REASSIGN OWNED BY ... TO.
type ReassignOwned struct {
	Pos
	From []RoleSpec
	To   RoleSpec
}

// DropOwned is DROP OWNED BY.
type DropOwned struct {
	Pos
	Roles   []RoleSpec
	Cascade bool
}

// Privilege is a privilege, with a column list perhaps.
type Privilege struct {
	Pos
	Name    string // lower case: select, usage, all ...
	Columns []Name
}

// GrantTarget is what privileges are granted on.
type GrantTarget struct {
	Kind ObjectKind
	// AllInSchema says ALL TABLES IN SCHEMA: Names are schemas.
	AllInSchema bool
	Names       []ObjectName
	Args        []FuncArgs // of functions, parallel to Names
}

// Grant is GRANT or, with Revoke set, REVOKE of privileges on objects.
type Grant struct {
	Pos
	Revoke bool
	// Privileges is empty for ALL PRIVILEGES.
	Privileges []Privilege
	On         GrantTarget
	Roles      []RoleSpec
	// GrantOption is WITH GRANT OPTION, or GRANT OPTION FOR of REVOKE.
	GrantOption bool
	GrantedBy   *RoleSpec
	Cascade     bool
}

// GrantRole is GRANT role TO role, or REVOKE role FROM role.
type GrantRole struct {
	Pos
	Revoke      bool
	Granted     []Name
	Roles       []RoleSpec
	AdminOption bool
	GrantedBy   *RoleSpec
	Cascade     bool
}

// AlterDefaultPrivileges is ALTER DEFAULT PRIVILEGES.
type AlterDefaultPrivileges struct {
	Pos
	ForRoles []RoleSpec
	Schemas  []Name
	Grant    *Grant
}
