// Package ast is Spanlite's syntax tree of PostgreSQL's SQL.
//
// Package parser makes these trees; everything above it (the binder in
// sql/plan, sql/schemachange, the session) reads them. The tree is shaped like
// PostgreSQL's own grammar: what PostgreSQL treats as syntax is a node here,
// and what it turns into an ordinary function call while parsing (EXTRACT,
// TRIM, AT TIME ZONE, OVERLAPS ...) is a *FuncCall here as well, with a Form
// that remembers the spelling.
//
// # The model
//
//	Statement      one SQL command; *Select is both a statement and a query
//	QueryBody      what stands under ORDER BY and LIMIT: *SelectCore, *SetOp,
//	               *Values, *Select (a parenthesised query with tails of its own)
//	TableExpr      an item of FROM
//	Expr           a scalar expression
//	TypeName       a type as written, not yet looked up
//
// Names are already folded: an unquoted identifier stands in lower case, a
// quoted one as written without its quotes. Numbers are kept as text, so that
// no digit is lost before the binder has chosen a type. Parentheses are not in
// the tree; Format puts back those that are needed. AND and OR chains are flat.
//
// Every node embeds Pos, the byte offset of its first (for an operator: of the
// operator's) character in the text that was given to the parser. A node made
// by a program has NoPos.
//
// A tree is immutable once the parser has returned it: plans are cached and
// share it between sessions. Nodes hold no types, no resolved objects and no
// values; those belong to the binder's own trees.
//
// Format writes a tree as SQL text that parses to an equal tree (positions
// aside). It is what views, EXPLAIN, and pg_get_expr show.
package ast
