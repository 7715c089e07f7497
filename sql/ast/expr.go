package ast

// ColumnRef is a name in an expression: column, table.column,
// schema.table.column or catalog.schema.table.column. What the parts mean is
// for the binder: the last may be a field of a composite column.
type ColumnRef struct {
	Pos
	Parts []string
}

// Star is *, or parts.*: in a select list, in RETURNING, and as the whole-row
// argument of a function (f(t.*)).
type Star struct {
	Pos
	Parts []string
}

// Operator names an operator. Schema is set by OPERATOR(schema.op) only.
type Operator struct {
	Schema string
	Name   string
}

// Unary is a prefix operator. Its position is the operator's.
type Unary struct {
	Pos
	Op Operator
	X  Expr
}

// Binary is an infix operator: arithmetic, comparison and every other one
// except AND, OR and those with a node of their own. The not-equal operator is
// always called "<>". Its position is the operator's.
type Binary struct {
	Pos
	Op   Operator
	L, R Expr
}

// And is a conjunction of two or more, flat.
type And struct {
	Pos
	Args []Expr
}

// Or is a disjunction of two or more, flat.
type Or struct {
	Pos
	Args []Expr
}

// Not is NOT x.
type Not struct {
	Pos
	X Expr
}

// IsNull is x IS [NOT] NULL.
type IsNull struct {
	Pos
	X   Expr
	Not bool
}

// TruthValue is what IsBool compares with.
type TruthValue uint8

// The truth values of three-valued logic.
const (
	True TruthValue = iota
	False
	Unknown
)

// IsBool is x IS [NOT] TRUE, FALSE or UNKNOWN.
type IsBool struct {
	Pos
	X     Expr
	Value TruthValue
	Not   bool
}

// IsDistinct is l IS [NOT] DISTINCT FROM r.
type IsDistinct struct {
	Pos
	L, R Expr
	Not  bool
}

// Between is x [NOT] BETWEEN [SYMMETRIC] low AND high.
type Between struct {
	Pos
	X, Low, High Expr
	Not          bool
	Symmetric    bool
}

// In is x [NOT] IN (list) or x [NOT] IN (query); exactly one of List and Query
// is set.
type In struct {
	Pos
	X     Expr
	List  []Expr
	Query *Select
	Not   bool
}

// LikeKind tells the pattern languages apart.
type LikeKind uint8

// The pattern operators.
const (
	Like LikeKind = iota
	ILike
	SimilarTo
)

// Match is x [NOT] LIKE, ILIKE or SIMILAR TO pattern [ESCAPE escape].
type Match struct {
	Pos
	Kind    LikeKind
	X       Expr
	Pattern Expr
	Escape  Expr // nil if not given
	Not     bool
}

// Quantified is x op ANY (...) or, with All set, x op ALL (...). SOME is ANY.
// Exactly one of Array and Query is set. LIKE ANY has the operator "~~", NOT
// LIKE "!~~", ILIKE "~~*" and NOT ILIKE "!~~*".
type Quantified struct {
	Pos
	Op    Operator
	All   bool
	X     Expr
	Array Expr
	Query *Select
}

// When is one branch of a CASE.
type When struct {
	Pos
	Cond   Expr
	Result Expr
}

// Case is CASE [operand] WHEN ... [ELSE ...] END.
type Case struct {
	Pos
	Operand Expr // nil for a searched CASE
	Whens   []When
	Else    Expr // nil if not given
}

// Coalesce is COALESCE(...).
type Coalesce struct {
	Pos
	Args []Expr
}

// NullIf is NULLIF(l, r).
type NullIf struct {
	Pos
	L, R Expr
}

// MinMax is GREATEST(...) or LEAST(...).
type MinMax struct {
	Pos
	Least bool
	Args  []Expr
}

// Grouping is GROUPING(...), which tells the grouping sets apart.
type Grouping struct {
	Pos
	Args []Expr
}

// Cast is CAST(x AS type), x::type, or, with Literal set, type 'string'.
type Cast struct {
	Pos
	X       Expr
	Type    *TypeName
	Literal bool
}

// Collate is x COLLATE collation.
type Collate struct {
	Pos
	X         Expr
	Collation ObjectName
}

// Index is one bracket of a Subscript: [Upper] or, with Slice set,
// [Lower:Upper] where a missing bound is nil.
type Index struct {
	Lower, Upper Expr
	Slice        bool
}

// Subscript is x[i], x[i][j], x[i:j].
type Subscript struct {
	Pos
	X       Expr
	Indexes []Index
}

// Field is (x).name.
type Field struct {
	Pos
	X    Expr
	Name string
}

// FieldStar is (x).*, the expansion of a composite value.
type FieldStar struct {
	Pos
	X Expr
}

// Subquery is a query in parentheses used as a value.
type Subquery struct {
	Pos
	Query *Select
}

// Exists is EXISTS (query).
type Exists struct {
	Pos
	Query *Select
}

// Array is ARRAY[...]. In a multidimensional one the elements are Arrays.
type Array struct {
	Pos
	Elems []Expr
}

// ArrayQuery is ARRAY(query).
type ArrayQuery struct {
	Pos
	Query *Select
}

// Row is ROW(...) or, with Explicit unset, (a, b, ...).
type Row struct {
	Pos
	Elems    []Expr
	Explicit bool
}

// SessionValueKind names a parameterless function with a syntax of its own.
type SessionValueKind uint8

// The functions that are called without parentheses.
const (
	CurrentDate SessionValueKind = iota
	CurrentTime
	CurrentTimestamp
	LocalTime
	LocalTimestamp
	CurrentRole
	CurrentUser
	SessionUser
	User
	CurrentCatalog
	CurrentSchema
)

var sessionValueNames = [...]string{
	CurrentDate: "current_date", CurrentTime: "current_time", CurrentTimestamp: "current_timestamp",
	LocalTime: "localtime", LocalTimestamp: "localtimestamp", CurrentRole: "current_role",
	CurrentUser: "current_user", SessionUser: "session_user", User: "user",
	CurrentCatalog: "current_catalog", CurrentSchema: "current_schema",
}

// String returns the keyword in lower case, which is also the name of the
// output column.
func (k SessionValueKind) String() string { return sessionValueNames[k] }

// SessionValue is CURRENT_DATE, CURRENT_USER and their like.
type SessionValue struct {
	Pos
	Kind      SessionValueKind
	Precision int // of the time kinds; -1 if not given
}

// CurrentOf is WHERE CURRENT OF cursor.
type CurrentOf struct {
	Pos
	Cursor string
}

func (*ColumnRef) exprNode()    {}
func (*Star) exprNode()         {}
func (*Unary) exprNode()        {}
func (*Binary) exprNode()       {}
func (*And) exprNode()          {}
func (*Or) exprNode()           {}
func (*Not) exprNode()          {}
func (*IsNull) exprNode()       {}
func (*IsBool) exprNode()       {}
func (*IsDistinct) exprNode()   {}
func (*Between) exprNode()      {}
func (*In) exprNode()           {}
func (*Match) exprNode()        {}
func (*Quantified) exprNode()   {}
func (*Case) exprNode()         {}
func (*Coalesce) exprNode()     {}
func (*NullIf) exprNode()       {}
func (*MinMax) exprNode()       {}
func (*Grouping) exprNode()     {}
func (*Cast) exprNode()         {}
func (*Collate) exprNode()      {}
func (*Subscript) exprNode()    {}
func (*Field) exprNode()        {}
func (*FieldStar) exprNode()    {}
func (*Subquery) exprNode()     {}
func (*Exists) exprNode()       {}
func (*Array) exprNode()        {}
func (*ArrayQuery) exprNode()   {}
func (*Row) exprNode()          {}
func (*SessionValue) exprNode() {}
func (*CurrentOf) exprNode()    {}
