// Package parser turns PostgreSQL's SQL text into the tree of package ast.
//
// The query grammar is TiDB's parser, which speaks MySQL's dialect. It is not
// given the user's text but fragments that say the same in its own words:
//
//	text
//	  │  scan       PostgreSQL's lexical rules          scan.go, keyword.go
//	  ▼
//	tokens, brackets matched                            parse.go
//	  │  descend    utility statements, the frames of   statement.go, stmt_*.go,
//	  ▼             INSERT, UPDATE, DELETE, types       dml.go, typename.go
//	queries and expressions
//	  │  rewrite    what the grammar lacks becomes      rewrite_*.go, carrier.go
//	  ▼             a carrier with an entry in a side table
//	fragment
//	  │  grammar    the TiDB parser                     grammar.go
//	  ▼
//	TiDB's tree + side table + tokens
//	  │  build      our tree, with positions            build_*.go
//	  ▼
//	ast.Statement
//
// # Fragments
//
// No character of the user's ends up in a fragment. Names, numbers, strings and
// parameters go in as references, `\x01<token number>` in backquotes; carriers
// as `\x02<number>`. Keywords, operators and brackets are written by us. So the
// keywords of the two dialects cannot clash, no digit or backslash is lost, and
// nothing that only MySQL knows can be said. The grammar decides how operators
// bind, how joins and set operations nest and where subqueries begin. For
// example
//
//	SELECT a->>'b' FROM t LEFT JOIN u USING (id) WHERE x::int = ANY($1) LIMIT 5
//
// becomes, with references abbreviated,
//
//	SELECT a << 'b' FROM t LEFT JOIN u ON ㊀ WHERE ㊁(x) = ㊂($1) ORDER BY ㊃(5)
//
// The two dialects bind nearly alike. Every operator that PostgreSQL calls
// "other" (||, ->, ~, @>, OPERATOR(...)) is written as <<, and the builder finds
// the real one at the token in front of the right operand. Comparisons are not
// associative in PostgreSQL; the writer refuses a < b < c itself. Where the
// dialects do differ (LIKE's right operand, NOT behind an operator, prefix
// operators, IS, casts and the other postfix operators) the writer puts
// brackets or a carrier.
//
// UPDATE, DELETE and ON CONFLICT DO UPDATE give their expressions and joins to
// the grammar together as one SELECT (see dml.go); VALUES lists of constants
// and parameters only do not go through it at all.
//
// # Invariants
//
//   - The TiDB tree does not leave the package.
//   - Nesting is bounded by depthMax before anything recurses over it: a Go stack
//     overflow cannot be recovered from. Chains of AND and OR are flat in our tree
//     and bounded on their own.
//   - Parse returns an error for whatever it does not understand, and never
//     panics: syntax errors unwind as panics inside the package, and what else
//     might panic is turned into XX000 at the boundary.
//   - Syntax errors are PostgreSQL's 42601 with the byte offset of the token that
//     could not be used. What PostgreSQL has and Spanlite has not is 0A000.
//
// # Not done
//
// XML functions, SEARCH and CYCLE, BEGIN ATOMIC bodies, and DDL of objects that
// Spanlite does not have (triggers, rules, policies, operators, foreign data,
// publications ...) are recognised and refused. Operator keywords are not taken
// as column labels without AS (PostgreSQL reads SELECT a AND FROM t as a column
// named "and"). Where a statement has several
// errors, the one reported may not be the one PostgreSQL reports first, since a
// query is scanned for its clauses before the grammar sees its expressions.
package parser
