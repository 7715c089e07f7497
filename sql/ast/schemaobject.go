package ast

// CreateDatabase is CREATE DATABASE.
type CreateDatabase struct {
	Pos
	Name string
	// IfNotExists is an extension.
	IfNotExists bool
	Options     []Option
}

// AlterDatabase is ALTER DATABASE name with options.
type AlterDatabase struct {
	Pos
	Name    string
	Options []Option
}

// DropDatabase is DROP DATABASE.
type DropDatabase struct {
	Pos
	Name     string
	IfExists bool
	Force    bool
}

// CreateSchema is CREATE SCHEMA. Elements are CREATE statements inside it.
type CreateSchema struct {
	Pos
	Name          string // empty: named after Authorization
	IfNotExists   bool
	Authorization string
	Elements      []Statement
}

// CreateSequence is CREATE SEQUENCE. Options hold the likes of increment,
// minvalue (nil value: NO MINVALUE), start, cache, cycle, owned_by, as.
type CreateSequence struct {
	Pos
	Name        ObjectName
	IfNotExists bool
	Persistence Persistence
	Options     []Option
}

// AlterSequence is ALTER SEQUENCE with options; restart is one of them.
type AlterSequence struct {
	Pos
	Name     ObjectName
	IfExists bool
	Options  []Option
}

// CreateView is CREATE VIEW. Text is the query's source text.
type CreateView struct {
	Pos
	Name        ObjectName
	OrReplace   bool
	Recursive   bool
	Persistence Persistence
	Columns     []Name
	With        []Option
	Query       *Select
	Text        string
	Check       string // "", "local" or "cascaded"
}

// RefreshMaterializedView is REFRESH MATERIALIZED VIEW.
type RefreshMaterializedView struct {
	Pos
	Name         ObjectName
	Concurrently bool
	NoData       bool
}

// CreateEnum is CREATE TYPE name AS ENUM.
type CreateEnum struct {
	Pos
	Name   ObjectName
	Labels []*String
}

// AlterEnum is ALTER TYPE name ADD VALUE, or RENAME VALUE with Old set.
type AlterEnum struct {
	Pos
	Name        ObjectName
	Old         string
	New         string
	IfNotExists bool
	Before      bool // with Neighbour: before it rather than after
	Neighbour   string
}

// CreateComposite is CREATE TYPE name AS (...).
type CreateComposite struct {
	Pos
	Name    ObjectName
	Columns []ColumnType
}

// CreateRange is CREATE TYPE name AS RANGE (...).
type CreateRange struct {
	Pos
	Name    ObjectName
	Options []Option
}

// CreateDomain is CREATE DOMAIN.
type CreateDomain struct {
	Pos
	Name        ObjectName
	Type        *TypeName
	Collation   ObjectName
	Constraints []*ColumnConstraint
}

// AlterDomain is ALTER DOMAIN. Kind is one of AlterColumnSetDefault,
// AlterColumnDropDefault, AlterColumnSetNotNull, AlterColumnDropNotNull,
// AddConstraint, DropConstraint and ValidateConstraint.
type AlterDomain struct {
	Pos
	Name   ObjectName
	Action *AlterAction
}

// CreateExtension is CREATE EXTENSION.
type CreateExtension struct {
	Pos
	Name        string
	IfNotExists bool
	Options     []Option
}

// CreateCollation is CREATE COLLATION.
type CreateCollation struct {
	Pos
	Name        ObjectName
	IfNotExists bool
	From        ObjectName
	Options     []Option
}

// CreateStatistics is CREATE STATISTICS.
type CreateStatistics struct {
	Pos
	Name        ObjectName
	IfNotExists bool
	Kinds       []Name
	Exprs       []*IndexElem
	From        []TableExpr
}

// Drop is DROP of one or more objects of a kind. Functions have argument
// lists: Args runs parallel to Names.
type Drop struct {
	Pos
	Kind         ObjectKind
	Names        []ObjectName
	Args         []FuncArgs
	IfExists     bool
	Cascade      bool
	Concurrently bool       // of indexes
	On           ObjectName // the relation of a trigger, rule or policy
}

// FuncArgs is the argument list behind a function's name in DROP, COMMENT and
// GRANT; Given is unset if there is none.
type FuncArgs struct {
	Given bool
	Args  []FuncArg
}

// Truncate is TRUNCATE.
type Truncate struct {
	Pos
	Tables          []*TableRef
	RestartIdentity bool
	Cascade         bool
}

// Comment is COMMENT ON. Part is the column, constraint, trigger ... of Object.
type Comment struct {
	Pos
	Kind   ObjectKind
	Object ObjectName
	Part   string
	Args   FuncArgs
	Type   *TypeName // of casts
	Text   *string   // nil: IS NULL
}
