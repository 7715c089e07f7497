package expr

import (
	"github.com/spanlite/spanlite/sql/types"
)

// Expr is a typed scalar expression.
type Expr interface {
	// Type returns the type of the result. Only an undetermined literal, NULL or
	// parameter has type unknown, and only while binding.
	Type() *types.T
	// Eval computes the value for a row. Byte contents of the result may alias the row.
	Eval(ec *EvalContext, row types.Row) (types.Datum, error)
	// EvalBatch computes the value for each selected row of in; out becomes a vector of
	// in.N slots of which only the selected ones are defined. Contents may alias in.
	EvalBatch(ec *EvalContext, in *types.Batch, out *types.Vec) error
	// Children returns the direct subexpressions; the slice may be the node's own.
	Children() []Expr
	// WithChildren returns a copy of the node with other subexpressions, in the order
	// of Children.
	WithChildren(children []Expr) Expr
}

// Const is a literal.
type Const struct {
	T     *types.T
	Value types.Datum
	// Pos is 1 + the byte offset in the statement's text of a literal whose type is still unknown:
	// where to point when the type that it gets cannot read it. 0 if there is none.
	Pos int
}

// NewConst returns a literal; a string literal without a type has types.Unknown.
func NewConst(t *types.T, v types.Datum) *Const { return &Const{T: t, Value: v} }

// NewNull returns the untyped NULL.
func NewNull() *Const { return &Const{T: types.Unknown} }

// ColumnRef is a column of the input row.
type ColumnRef struct {
	Ordinal int
	T       *types.T
	Name    string // for messages and deparsing; may be qualified
}

// OuterRef is a column of a row of an enclosing query.
type OuterRef struct {
	Level   int // 1 is the nearest enclosing query
	Ordinal int
	T       *types.T
	Name    string
}

// ParamTypes collects the types of a statement's parameters while it is bound:
// a parameter of unknown type takes the type of its first use.
type ParamTypes struct {
	Types []*types.T // by number-1; nil or Unknown while undetermined
}

// Param is the parameter $N.
type Param struct {
	N     int // from 1
	Types *ParamTypes
}

// Call is a call of a function or operator with a resolved implementation.
type Call struct {
	Fn   *Function
	Op   *Operator // set if written as an operator
	Args []Expr    // coerced; variadic arguments are separate unless SpreadVariadic
	T    *types.T
	// Variadic says that the last argument was given as VARIADIC array.
	Variadic bool
}

// BoolOp is AND, OR or NOT in three-valued logic.
type BoolOp struct {
	Op   BoolOpKind
	Args []Expr
}

// BoolOpKind names a BoolOp.
type BoolOpKind uint8

// The kinds of BoolOp.
const (
	And BoolOpKind = iota
	Or
	Not
)

// Cast converts its argument. Implicit casts were not written by the user.
type Cast struct {
	Arg      Expr
	T        *types.T
	Implicit bool
	fn       types.CastFunc // nil: a relabelling that changes nothing
	explicit bool
}

// Case is CASE. The operand of a simple CASE is evaluated once; its conditions
// are comparisons with a CaseOperand.
type Case struct {
	Operand Expr // nil for a searched CASE
	Whens   []When
	Else    Expr // nil for NULL
	T       *types.T
}

// When is one arm of a Case.
type When struct{ Cond, Result Expr }

// CaseOperand stands for the operand of the simple CASE whose condition is being
// evaluated. It occurs only as the left operand of such a condition, under a cast perhaps.
type CaseOperand struct{ T *types.T }

// Coalesce is the first argument that is not NULL.
type Coalesce struct {
	Args []Expr
	T    *types.T
}

// MinMax is GREATEST or LEAST, which ignore NULLs.
type MinMax struct {
	Args     []Expr
	Greatest bool
	T        *types.T
}

// NullIf is NULLIF(a, b).
type NullIf struct {
	Eq *Call // the comparison a = b, coerced
	A  Expr  // a, not coerced
}

// IsNull is IS [NOT] NULL. For a row value it holds of every field.
type IsNull struct {
	Arg Expr
	Not bool
}

// IsTruth is IS [NOT] TRUE, FALSE or UNKNOWN.
type IsTruth struct {
	Arg  Expr
	Want Truth
	Not  bool
}

// Truth is what IsTruth asks for.
type Truth uint8

// The truth values.
const (
	IsTrue Truth = iota
	IsFalse
	IsUnknown
)

// IsDistinct is IS [NOT] DISTINCT FROM.
type IsDistinct struct {
	Eq  *Call // the comparison a = b, coerced
	Not bool
}

// InList is arg [NOT] IN (constants), decided by a hash table.
type InList struct {
	Arg  Expr
	List []types.Datum // NULLs removed
	// HasNull says that the list held a NULL: then no match is NULL, not false.
	HasNull bool
	Not     bool
	ElemT   *types.T
	set     map[uint64][]types.Datum
}

// ScalarArray is left op ANY (array) or left op ALL (array).
type ScalarArray struct {
	Left, Right Expr // coerced to the operator's left type and to an array of its right type
	Op          *Operator
	All         bool
}

// ArrayExpr is ARRAY[...]; with Nested the elements are arrays of one dimension less.
type ArrayExpr struct {
	Elems  []Expr
	T      *types.T
	Nested bool
}

// RowExpr is ROW(...).
type RowExpr struct {
	Fields []Expr
	T      *types.T
}

// Subscript is an array element or slice, or a jsonb member.
type Subscript struct {
	Arg   Expr
	Index []SubscriptIndex
	T     *types.T
}

// SubscriptIndex is one [i] or [lo:hi]; nil bounds are open.
type SubscriptIndex struct {
	Lower, Upper Expr // Upper alone for [i]
	// Slice says that the result is a slice: set by NewSubscript on all indexes if any
	// was written with a colon. Open marks those that were.
	Slice, Open bool
}

// FieldSelect is (record).field.
type FieldSelect struct {
	Arg   Expr
	Index int
	T     *types.T
	Name  string
}

// SubqueryKind says what becomes of a subquery's rows.
type SubqueryKind uint8

// The kinds of subqueries.
const (
	SubScalar SubqueryKind = iota // the value of the only row, NULL if none
	SubExists                     // whether there is a row
	SubAny                        // whether Test holds for any row
	SubAll                        // whether Test holds for all rows
	SubArray                      // ARRAY(subquery)
	SubRow                        // the only row as a record
)

// Subquery is a query inside an expression. Plan belongs to the planner and the
// executor, which runs it through EvalContext.Subqueries.
type Subquery struct {
	Kind SubqueryKind
	Plan any
	T    *types.T
	// Left are the values compared by SubAny and SubAll. Test is evaluated on a row of
	// Left's values followed by the subquery's columns.
	Left []Expr
	Test Expr
	// Correlated says that the plan refers to the outer row; the executor may
	// cache the result of one that does not.
	Correlated bool
	// ID tells the subqueries of a statement apart, for the executor's caches.
	ID int
}
