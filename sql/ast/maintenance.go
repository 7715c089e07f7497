package ast

// Explain is EXPLAIN. The old syntax (EXPLAIN ANALYZE VERBOSE) gives options
// too.
type Explain struct {
	Pos
	Options   []Option
	Statement Statement
}

// Vacuum is VACUUM or, with AnalyzeOnly set, ANALYZE.
type Vacuum struct {
	Pos
	AnalyzeOnly bool
	Options     []Option
	Tables      []VacuumTable
}

// VacuumTable is a table of VACUUM and ANALYZE, with columns perhaps.
type VacuumTable struct {
	Pos
	Name    ObjectName
	Columns []Name
}

// Checkpoint is CHECKPOINT.
type Checkpoint struct{ Pos }

// Reindex is REINDEX INDEX | TABLE | SCHEMA | DATABASE | SYSTEM.
type Reindex struct {
	Pos
	Kind         string // upper case
	Name         ObjectName
	Concurrently bool
	Options      []Option
}

// Cluster is CLUSTER. Table is zero for all tables.
type Cluster struct {
	Pos
	Table   ObjectName
	Index   string
	Options []Option
}

// Unsupported is a statement that PostgreSQL has and Spanlite only recognises.
// The parser answers such statements with 0A000; the node exists for tools.
type Unsupported struct {
	Pos
	What string
}
