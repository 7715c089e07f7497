package catalog

import (
	"github.com/spanlite/spanlite/sql/types"
)

// ID identifies a descriptor; it is the object's OID. 0 is none. Never reused.
type ID uint32

// Kind tells what a descriptor describes.
type Kind uint8

// The kinds of descriptors. The values are stored.
const (
	KindDatabase Kind = 1
	KindSchema   Kind = 2
	KindTable    Kind = 3
	KindView     Kind = 4
	KindSequence Kind = 5
	KindType     Kind = 6
	KindRole     Kind = 7
	// KindVirtual is a relation computed from memory; it is never stored.
	KindVirtual Kind = 8
)

// String returns the word that PostgreSQL uses in messages.
func (k Kind) String() string {
	switch k {
	case KindDatabase:
		return "database"
	case KindSchema:
		return "schema"
	case KindTable, KindVirtual:
		return "table"
	case KindView:
		return "view"
	case KindSequence:
		return "sequence"
	case KindType:
		return "type"
	case KindRole:
		return "role"
	}
	return "object"
}

// Descriptor is a *Database, *Schema, *Table, *View, *Sequence, *Type or *Role.
type Descriptor interface {
	// Head returns the part that all descriptors share.
	Head() *Header
	// DescKind returns the kind.
	DescKind() Kind
	// Clone returns a deep copy that may be changed.
	Clone() Descriptor
}

// Relation is a descriptor that can stand in FROM: *Table, *View, *Sequence or
// *Virtual. They share the name space of their schema, with types and indexes.
type Relation interface {
	Descriptor
	// RelKind is pg_class.relkind.
	RelKind() byte
	// Cols returns the columns in order, dropped and hidden ones included.
	Cols() []Column
}

// Header is what all descriptors have in common.
type Header struct {
	ID   ID     `d:"1"`
	Name string `d:"2"`
	// Version grows by one with every committed change.
	Version uint32 `d:"3"`
	// Database is the database the object lives in; 0 for databases and roles.
	Database ID `d:"4"`
	// Schema is the schema the object lives in; 0 for databases, schemas and roles.
	Schema  ID      `d:"5"`
	Owner   ID      `d:"6"`
	Comment string  `d:"7"`
	Grants  []Grant `d:"8"`
	// OwnedBy names an object that this one is dropped with: a table (and
	// column) for the sequence of a serial or identity column.
	OwnedBy ColumnRef `d:"9"`
}

// Head returns h.
func (h *Header) Head() *Header { return h }

// ColumnRef names a column of a table, or a whole table if Column is 0.
type ColumnRef struct {
	Table  ID     `d:"1"`
	Column AttNum `d:"2"`
}

// Grant is one entry of an access control list. Grantee 0 is PUBLIC.
type Grant struct {
	Grantee ID `d:"1"`
	Grantor ID `d:"2"`
	// Privileges and GrantOption are sets of Privilege bits.
	Privileges  uint32 `d:"3"`
	GrantOption uint32 `d:"4"`
	// Column restricts the grant to one column if it is not 0.
	Column AttNum `d:"5"`
}

// The privileges, PostgreSQL's bits and letters (acl.h order: arwdDxtXUCTc).
const (
	PrivInsert uint32 = 1 << iota
	PrivSelect
	PrivUpdate
	PrivDelete
	PrivTruncate
	PrivReferences
	PrivTrigger
	PrivExecute
	PrivUsage
	PrivCreate
	PrivTemporary
	PrivConnect
)

// Database is a database.
type Database struct {
	Header `d:"1"`
	// PublicSchema is the id of the schema named public, 0 once dropped.
	PublicSchema ID `d:"2"`
	// Template is pg_database.datistemplate.
	Template bool `d:"3"`
	// ConnLimit is pg_database.datconnlimit, -1 for none.
	ConnLimit int32 `d:"4"`
	// Settings are ALTER DATABASE ... SET name=value.
	Settings []Param `d:"5"`
}

// Schema is a name space within a database.
type Schema struct {
	Header `d:"1"`
}

// Role is a user or group of the cluster.
type Role struct {
	Header      `d:"1"`
	Superuser   bool  `d:"2"`
	CreateDB    bool  `d:"3"`
	CreateRole  bool  `d:"4"`
	Inherit     bool  `d:"5"`
	Login       bool  `d:"6"`
	Replication bool  `d:"7"`
	BypassRLS   bool  `d:"8"`
	ConnLimit   int32 `d:"9"` // -1 for none
	// Password is a SCRAM-SHA-256 verifier in PostgreSQL's text form, or "".
	Password string `d:"10"`
	// ValidUntil is in microseconds since 2000-01-01 UTC, 0 for no limit.
	ValidUntil int64 `d:"11"`
	// MemberOf are the roles that this one is a direct member of.
	MemberOf []Membership `d:"12"`
	// Settings are ALTER ROLE ... SET name=value.
	Settings []Param `d:"13"`
}

// Membership is one edge of the graph of roles.
type Membership struct {
	Role    ID   `d:"1"`
	Admin   bool `d:"2"`
	Grantor ID   `d:"3"`
}

// Param is a named option as the user wrote it.
type Param struct {
	Name  string `d:"1"`
	Value string `d:"2"`
}

// Type is a user-defined type. Only enum types exist so far.
type Type struct {
	Header   `d:"1"`
	ArrayOID ID          `d:"2"`
	Labels   []EnumLabel `d:"3"`

	t *types.T // derived from the fields above when a snapshot takes the descriptor in
}

// EnumLabel is one value of an enum type.
type EnumLabel struct {
	Name string `d:"1"`
	// Order is what rows store. Labels are spaced so that one can be put
	// between two others; it never changes.
	Order int64 `d:"2"`
	OID   ID    `d:"3"`
}

// View is a stored query.
type View struct {
	Header  `d:"1"`
	Columns []Column `d:"2"`
	// Query is the defining SELECT as text. Unqualified names in it resolve
	// along SearchPath, whatever the session's path is.
	Query      string       `d:"3"`
	SearchPath []string     `d:"4"`
	DependsOn  []Dependency `d:"5"`
	Options    []Param      `d:"6"` // security_barrier, check_option ...
	TypeOID    ID           `d:"7"`
}

// Dependency is an object (and columns of it) that a view, default or
// constraint needs.
type Dependency struct {
	ID      ID       `d:"1"`
	Columns []AttNum `d:"2"`
}

// Sequence is a sequence generator. Its counter is not part of the descriptor:
// see package schemachange (Sequences).
type Sequence struct {
	Header    `d:"1"`
	Type      *types.T `d:"2"` // int2, int4 or int8
	Start     int64    `d:"3"`
	Increment int64    `d:"4"`
	Min       int64    `d:"5"`
	Max       int64    `d:"6"`
	Cache     int64    `d:"7"`
	Cycle     bool     `d:"8"`
	// Identity says that the sequence belongs to an identity column, so it
	// cannot be dropped alone.
	Identity bool `d:"9"`
	// Incarnation addresses the counter; ALTER SEQUENCE RESTART and TRUNCATE
	// RESTART IDENTITY take a new one, which makes them transactional.
	Incarnation uint32 `d:"10"`
	TypeOID     ID     `d:"11"`
}

// DescKind and RelKind of the concrete descriptors.

// DescKind returns KindDatabase.
func (*Database) DescKind() Kind { return KindDatabase }

// DescKind returns KindSchema.
func (*Schema) DescKind() Kind { return KindSchema }

// DescKind returns KindRole.
func (*Role) DescKind() Kind { return KindRole }

// DescKind returns KindType.
func (*Type) DescKind() Kind { return KindType }

// DescKind returns KindView.
func (*View) DescKind() Kind { return KindView }

// DescKind returns KindSequence.
func (*Sequence) DescKind() Kind { return KindSequence }

// RelKind returns 'v'.
func (*View) RelKind() byte { return 'v' }

// RelKind returns 'S'.
func (*Sequence) RelKind() byte { return 'S' }

// Cols returns the view's columns.
func (v *View) Cols() []Column { return v.Columns }

// Cols returns last_value, log_cnt and is_called.
func (*Sequence) Cols() []Column { return sequenceColumns }

var sequenceColumns = []Column{
	{Num: 1, Name: "last_value", Type: types.Int8, NotNull: true},
	{Num: 2, Name: "log_cnt", Type: types.Int8, NotNull: true},
	{Num: 3, Name: "is_called", Type: types.Bool, NotNull: true},
}

// SQLType returns the type for the binder and for values.
func (t *Type) SQLType() *types.T {
	if t.t != nil {
		return t.t
	}
	return t.makeSQLType("")
}

func (t *Type) makeSQLType(schema string) *types.T {
	labels := make([]types.EnumLabel, len(t.Labels))
	for i, l := range t.Labels {
		labels[i] = types.EnumLabel{Name: l.Name, Order: l.Order, OID: types.OID(l.OID)}
	}
	return types.NewEnum(types.OID(t.ID), types.OID(t.ArrayOID), schema, t.Name, labels)
}
