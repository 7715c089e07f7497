// Package plan turns a syntax tree into a plan: it binds names and types and
// defines both the logical operators that the optimiser (sql/opt) rewrites and
// the physical operators that the executor (sql/exec) runs.
//
// # The life of a statement in this package
//
//	ast.Statement --Bind--> *Logical --opt.Optimize--> *Physical --exec.Run--> rows
//
// Bind resolves every name against the catalog and the enclosing queries,
// gives every expression and parameter a type by PostgreSQL's rules, checks
// grouping, and builds a tree of logical nodes (node.go).
//
// # Columns
//
// Within a logical plan every column that any node produces has an identity of
// its own, a ColID, which is an index into Metadata.Columns. An expression
// refers to a column by an *expr.ColumnRef whose Ordinal is the ColID, however
// many operators lie in between, so that rules move expressions about without
// renumbering them. Two uses of one table have different ColIDs.
//
// A reference to a column which no input of the node produces is correlated:
// it is a free variable of the subquery or of the lateral item. FreeColumns finds
// them; there is no other mark.
//
// In a physical plan (physical.go) references are positions in the input row,
// and a correlated one is an *expr.OuterRef. Physical plans are immutable and are shared by sessions;
// whatever changes during an execution lives in exec's operators.
//
// # Subqueries
//
// A subquery inside an expression is an *expr.Subquery whose Plan is a
// *Subplan. The optimiser turns most of them into joins; the rest is run by the
// executor, once if it has no free variables.
//
// # Not done here
//
// Utility statements (DDL, SET, SHOW ...) have no plan: package sql and
// sql/schemachange execute them from the syntax tree.
package plan
