// Package expr holds typed scalar expressions: their nodes, the rules by which
// names and operators find an implementation, and their evaluation.
//
// # Life of an expression
//
//  1. The binder turns the leaves of the syntax tree into Const, Param and
//     ColumnRef nodes, and builds everything else through constructors: Registry.Call
//     and Registry.Operator for functions and operators, NewCase, NewCoalesce,
//     NewCast, NewBool ... for the rest. The constructors apply PostgreSQL's type
//     conversion rules (chapter 10 of its manual): they choose among overloads, give
//     unknown literals and parameters a type, insert casts and raise 42883, 42725, 42804
//     and 42846 in PostgreSQL's words.
//  2. The optimiser looks at trees with Walk, changes them with Transform, and
//     folds what is constant with Fold.
//  3. The executor evaluates: Eval for one row, EvalBatch for a column, Filter for a
//     predicate over a batch.
//
// A tree is immutable after binding. Prepared plans are shared by sessions, so nothing about an execution is kept
// in a node: scratch memory, parameters, outer rows and subquery results live in the
// EvalContext, which belongs to one goroutine.
//
// # Batches
//
// A Function may have a Batch kernel over whole vectors; a function without one
// is called row by row. Values at positions outside the selection are never computed, so
// that an error (division by zero) cannot come from a row that a filter has removed.
// AND and OR evaluate their right side only on the rows the left side left undecided.
//
// # The registry
//
// Package builtins holds the tables of functions, operators and aggregates and
// makes the Registry from them; this package knows none by name.
package expr
