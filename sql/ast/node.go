package ast

// Pos is a byte offset in the source text. Embedding it makes a struct a Node.
type Pos int32

// NoPos is the position of a node which is not in any source text.
const NoPos Pos = -1

// Position returns the byte offset itself.
func (p Pos) Position() Pos { return p }

// Offset returns the byte offset as an int, for sqlstate.Error.At.
func (p Pos) Offset() int { return int(p) }

// Node is anything in the tree.
type Node interface {
	Position() Pos
}

// Statement is one SQL command.
type Statement interface {
	Node
	// Tag is PostgreSQL's command tag without row counts: "SELECT",
	// "CREATE TABLE", "INSERT" ("INSERT 0" is the wire's affair).
	Tag() string
}

// Expr is a scalar expression.
type Expr interface {
	Node
	exprNode()
}

// TableExpr is an item of a FROM list.
type TableExpr interface {
	Node
	tableExprNode()
}

// QueryBody is a query without its ORDER BY, LIMIT and locking clauses.
type QueryBody interface {
	Node
	queryBodyNode()
}

// Name is one identifier with its place in the text.
type Name struct {
	Pos
	Text string
}

// ObjectName is the possibly qualified name of a relation, function, type or
// other catalog object. Catalog and Schema are empty if not given.
type ObjectName struct {
	Pos
	Catalog string
	Schema  string
	Name    string
}

// IsZero reports whether there is no name at all.
func (n ObjectName) IsZero() bool { return n.Name == "" }

// Option is an element of a parenthesised option list or of a command's
// keyword options: WITH (fillfactor = 70), COPY (FORMAT csv), EXPLAIN (ANALYZE).
type Option struct {
	Pos
	Namespace string // of storage parameters only: toast.autovacuum_enabled
	Name      string // lower case
	// Value is nil if the option stands alone; otherwise a *String (also for a
	// bare word such as csv or off), a *Number, a *Star or a *Row of them.
	Value Expr
}
