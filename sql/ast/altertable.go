package ast

// ObjectKind is a kind of catalog object in ALTER, DROP, COMMENT and GRANT.
type ObjectKind uint8

// The kinds of objects.
const (
	ObjectTable ObjectKind = iota
	ObjectIndex
	ObjectSequence
	ObjectView
	ObjectMaterializedView
	ObjectForeignTable
	ObjectSchema
	ObjectDatabase
	ObjectType
	ObjectDomain
	ObjectFunction
	ObjectProcedure
	ObjectRoutine
	ObjectAggregate
	ObjectOperator
	ObjectRole
	ObjectColumn
	ObjectConstraint
	ObjectDomainConstraint
	ObjectTrigger
	ObjectRule
	ObjectPolicy
	ObjectExtension
	ObjectCollation
	ObjectConversion
	ObjectLanguage
	ObjectTablespace
	ObjectCast
	ObjectStatistics
	ObjectPublication
	ObjectSubscription
	ObjectEventTrigger
	ObjectTextSearchConfig
	ObjectTextSearchDict
	ObjectTextSearchParser
	ObjectTextSearchTemplate
	ObjectForeignServer
	ObjectForeignDataWrapper
	ObjectAccessMethod
	ObjectLargeObject
	ObjectOperatorClass
	ObjectOperatorFamily
)

var objectKindNames = [...]string{
	ObjectTable: "TABLE", ObjectIndex: "INDEX", ObjectSequence: "SEQUENCE", ObjectView: "VIEW",
	ObjectMaterializedView: "MATERIALIZED VIEW", ObjectForeignTable: "FOREIGN TABLE", ObjectSchema: "SCHEMA",
	ObjectDatabase: "DATABASE", ObjectType: "TYPE", ObjectDomain: "DOMAIN", ObjectFunction: "FUNCTION",
	ObjectProcedure: "PROCEDURE", ObjectRoutine: "ROUTINE", ObjectAggregate: "AGGREGATE",
	ObjectOperator: "OPERATOR", ObjectRole: "ROLE", ObjectColumn: "COLUMN", ObjectConstraint: "CONSTRAINT",
	ObjectDomainConstraint: "CONSTRAINT", ObjectTrigger: "TRIGGER", ObjectRule: "RULE", ObjectPolicy: "POLICY",
	ObjectExtension: "EXTENSION", ObjectCollation: "COLLATION", ObjectConversion: "CONVERSION",
	ObjectLanguage: "LANGUAGE", ObjectTablespace: "TABLESPACE", ObjectCast: "CAST",
	ObjectStatistics: "STATISTICS", ObjectPublication: "PUBLICATION", ObjectSubscription: "SUBSCRIPTION",
	ObjectEventTrigger: "EVENT TRIGGER", ObjectTextSearchConfig: "TEXT SEARCH CONFIGURATION",
	ObjectTextSearchDict: "TEXT SEARCH DICTIONARY", ObjectTextSearchParser: "TEXT SEARCH PARSER",
	ObjectTextSearchTemplate: "TEXT SEARCH TEMPLATE", ObjectForeignServer: "SERVER",
	ObjectForeignDataWrapper: "FOREIGN DATA WRAPPER", ObjectAccessMethod: "ACCESS METHOD",
	ObjectLargeObject: "LARGE OBJECT", ObjectOperatorClass: "OPERATOR CLASS",
	ObjectOperatorFamily: "OPERATOR FAMILY",
}

// String returns the keywords, in upper case.
func (k ObjectKind) String() string { return objectKindNames[k] }

// AlterTable is ALTER TABLE (or INDEX, SEQUENCE, VIEW, MATERIALIZED VIEW) with
// actions that may be combined. Renames, SET SCHEMA and OWNER of other objects
// are statements of their own.
type AlterTable struct {
	Pos
	Kind     ObjectKind
	Name     ObjectName
	Only     bool
	IfExists bool
	Actions  []*AlterAction
}

// AlterActionKind is the kind of an AlterAction.
type AlterActionKind uint8

// The actions of ALTER TABLE, with the fields of AlterAction they use.
const (
	AddColumn               AlterActionKind = iota // Column, IfExists (= IF NOT EXISTS)
	DropColumn                                     // Name, IfExists, Cascade
	AlterColumnType                                // Name, Type, Collation, Using
	AlterColumnSetDefault                          // Name, Expr
	AlterColumnDropDefault                         // Name
	AlterColumnSetNotNull                          // Name
	AlterColumnDropNotNull                         // Name
	AlterColumnDropExpr                            // Name, IfExists
	AlterColumnAddIdentity                         // Name, Constraint
	AlterColumnSetIdentity                         // Name, Options, with "always" as an option
	AlterColumnDropIdentity                        // Name, IfExists
	AlterColumnStatistics                          // Name, Expr
	AlterColumnStorage                             // Name, Value
	AlterColumnCompression                         // Name, Value
	AlterColumnSetOptions                          // Name, Options
	AlterColumnResetOptions                        // Name, Options
	AddConstraint                                  // Table
	AlterConstraint                                // Name, Table.Deferral
	ValidateConstraint                             // Name
	DropConstraint                                 // Name, IfExists, Cascade
	SetStorageOptions                              // Options
	ResetStorageOptions                            // Options
	ChangeOwner                                    // Value
	SetLogged
	SetUnlogged
	SetTableSpace      // Value
	SetAccessMethod    // Value
	ClusterOn          // Value
	SetWithoutCluster  //
	ReplicaIdentity    // Value: default, full, nothing, or index name in Name
	RowSecurity        // Value: enable, disable, force, no force
	Inherit            // Ref
	NoInherit          // Ref
	AttachPartition    // Ref, Bound
	DetachPartition    // Ref, Value: concurrently or finalize
	TriggerSwitch      // Value: enable, disable ...; Name: trigger, all, user
	AlterColumnRestart // not used by tables
)

// AlterAction is one action of ALTER TABLE.
type AlterAction struct {
	Pos
	Kind       AlterActionKind
	Name       string
	IfExists   bool
	Cascade    bool
	Column     *ColumnDef
	Table      *TableConstraint
	Constraint *ColumnConstraint
	Type       *TypeName
	Collation  ObjectName
	Expr       Expr
	Using      Expr
	Value      string
	Options    []Option
	Ref        ObjectName
	Bound      *PartitionBound
}

// Rename is ALTER ... RENAME. Kind is what is renamed; for columns, attributes
// and constraints Object is the relation (of kind Of) and Old the part's name.
type Rename struct {
	Pos
	Kind     ObjectKind
	Of       ObjectKind
	Object   ObjectName
	Args     []FuncArg // of functions
	HasArgs  bool
	IfExists bool
	Only     bool
	Old      string
	New      string
}

// AlterSchema is ALTER ... SET SCHEMA.
type AlterSchema struct {
	Pos
	Kind     ObjectKind
	Object   ObjectName
	Args     []FuncArg
	HasArgs  bool
	IfExists bool
	Schema   string
}

// AlterOwner is ALTER ... OWNER TO, of anything but tables and their like
// (which have the ChangeOwner action).
type AlterOwner struct {
	Pos
	Kind    ObjectKind
	Object  ObjectName
	Args    []FuncArg
	HasArgs bool
	Owner   string
}
