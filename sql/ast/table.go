package ast

// Persistence says how long a relation lives.
type Persistence uint8

// The persistence kinds.
const (
	Permanent Persistence = iota
	Temporary
	Unlogged
)

// OnCommit is what happens to a temporary table at commit.
type OnCommit uint8

// The ON COMMIT actions.
const (
	OnCommitNone OnCommit = iota
	OnCommitPreserveRows
	OnCommitDeleteRows
	OnCommitDrop
)

// CreateTable is CREATE TABLE name (...).
type CreateTable struct {
	Pos
	Name        ObjectName
	IfNotExists bool
	Persistence Persistence
	// Elements are *ColumnDef, *TableConstraint and *LikeClause in their order.
	Elements  []TableElement
	OfType    *TypeName // CREATE TABLE OF type
	Inherits  []ObjectName
	Partition *PartitionSpec  // PARTITION BY ...
	PartOf    *PartitionBound // PARTITION OF parent ...
	Using     string          // table access method
	With      []Option
	OnCommit  OnCommit
	Space     string // TABLESPACE
}

// CreateTableAs is CREATE TABLE name AS query, and, with Materialized set,
// CREATE MATERIALIZED VIEW.
type CreateTableAs struct {
	Pos
	Name         ObjectName
	Materialized bool
	IfNotExists  bool
	Persistence  Persistence
	Columns      []Name
	Using        string
	With         []Option
	OnCommit     OnCommit
	Space        string
	// Query is a *Select or an *Execute.
	Query  Statement
	NoData bool
}

// TableElement is an item between the parentheses of CREATE TABLE.
type TableElement interface {
	Node
	tableElementNode()
}

// ColumnDef is a column: of CREATE TABLE, and of ALTER TABLE ADD COLUMN. In
// CREATE TABLE OF and PARTITION OF the type is nil.
type ColumnDef struct {
	Pos
	Name        string
	Type        *TypeName
	Collation   ObjectName
	Compression string
	Constraints []*ColumnConstraint
}

// ConstraintKind is the kind of a constraint.
type ConstraintKind uint8

// The constraint kinds. Those from ConstraintNull to ConstraintIdentity are of
// columns only.
const (
	ConstraintNull ConstraintKind = iota
	ConstraintNotNull
	ConstraintDefault
	ConstraintGenerated // GENERATED ALWAYS AS (expr) STORED
	ConstraintIdentity  // GENERATED ... AS IDENTITY
	ConstraintCheck
	ConstraintUnique
	ConstraintPrimaryKey
	ConstraintForeignKey
	ConstraintExclude
)

// Deferral is what is known of DEFERRABLE and INITIALLY.
type Deferral struct {
	Deferrable    bool
	NotDeferrable bool // written out
	Deferred      bool // INITIALLY DEFERRED
	Immediate     bool // INITIALLY IMMEDIATE written out
}

// ColumnConstraint is a constraint written with a column.
type ColumnConstraint struct {
	Pos
	Name string // empty if not named
	Kind ConstraintKind
	// Expr is of DEFAULT, GENERATED and CHECK.
	Expr Expr
	// Always tells GENERATED ALWAYS from BY DEFAULT AS IDENTITY; Sequence holds
	// the identity's options.
	Always           bool
	Sequence         []Option
	NoInherit        bool // of CHECK
	NullsNotDistinct bool // of UNIQUE
	With             []Option
	Space            string
	References       *References
	Deferral         Deferral
}

// TableConstraint is a constraint written on its own.
type TableConstraint struct {
	Pos
	Name             string
	Kind             ConstraintKind
	Columns          []Name // of UNIQUE, PRIMARY KEY, FOREIGN KEY
	Include          []Name
	Expr             Expr // of CHECK
	NullsNotDistinct bool
	NoInherit        bool
	NotValid         bool
	UsingIndex       string // ADD CONSTRAINT ... UNIQUE USING INDEX name
	With             []Option
	Space            string
	References       *References
	Exclude          *Exclusion
	Deferral         Deferral
}

// Exclusion is EXCLUDE USING method (element WITH operator, ...) WHERE (...).
type Exclusion struct {
	Method    string
	Elems     []*IndexElem
	Operators []Operator
	Where     Expr
}

// RefAction is what a foreign key does when the referenced row changes.
type RefAction uint8

// The referential actions.
const (
	NoAction RefAction = iota
	Restrict
	Cascade
	SetNull
	SetDefault
)

// MatchKind is the MATCH clause of a foreign key.
type MatchKind uint8

// The kinds of match.
const (
	MatchSimple MatchKind = iota
	MatchFull
	MatchPartial
)

// References is REFERENCES table (columns) ...
type References struct {
	Pos
	Table    ObjectName
	Columns  []Name // empty: the primary key
	Match    MatchKind
	OnUpdate RefAction
	OnDelete RefAction
	// OnDeleteColumns restricts SET NULL (columns) and SET DEFAULT (columns).
	OnDeleteColumns []Name
}

// LikeClause is LIKE table INCLUDING ... in CREATE TABLE.
type LikeClause struct {
	Pos
	Table ObjectName
	// Options in their order: "including all", "excluding indexes" ...
	Options []string
}

// PartitionSpec is PARTITION BY strategy (keys).
type PartitionSpec struct {
	Pos
	Strategy string // range, list, hash
	Keys     []*IndexElem
}

// PartitionBound is PARTITION OF parent with FOR VALUES ... or DEFAULT.
type PartitionBound struct {
	Pos
	Parent  ObjectName
	Default bool
	In      []Expr
	From    []Expr
	To      []Expr
	Modulus int
	Remain  int
}

func (*ColumnDef) tableElementNode()       {}
func (*TableConstraint) tableElementNode() {}
func (*LikeClause) tableElementNode()      {}
