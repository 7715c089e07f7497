package ast

// Select is a complete query: SELECT, VALUES, TABLE or a set operation with
// everything that may stand before and after it. It is both a statement and
// the content of every subquery.
type Select struct {
	Pos
	With    *With // nil if none
	Body    QueryBody
	OrderBy []*SortBy
	// Limit is nil for none and for LIMIT ALL; a *Null for LIMIT NULL.
	Limit    Expr
	Offset   Expr
	WithTies bool // FETCH FIRST ... WITH TIES
	Locking  []*Locking
	// Into is SELECT ... INTO table; only for a statement's own query.
	Into *Into
	// AsOf is AS OF SYSTEM TIME at the end of a statement's query; nil if none.
	AsOf Expr
}

// Into is the target of SELECT INTO.
type Into struct {
	Pos
	Name        ObjectName
	Persistence Persistence
}

// SelectCore is SELECT ... FROM ... WHERE ... GROUP BY ... HAVING ... WINDOW.
// TABLE t is SELECT * FROM t.
type SelectCore struct {
	Pos
	Distinct   bool
	DistinctOn []Expr // with Distinct: DISTINCT ON (...)
	Targets    []*Target
	From       []TableExpr
	Where      Expr
	// GroupBy holds expressions and *GroupingSet; GroupDistinct is GROUP BY DISTINCT.
	GroupBy       []Expr
	GroupDistinct bool
	Having        Expr
	Windows       []*Window
}

// Target is an item of a select list or of RETURNING. As is empty if no name
// was given: the binder then takes one from the expression.
type Target struct {
	Pos
	Expr Expr // may be *Star or *FieldStar
	As   string
}

// GroupingKind is the kind of a GroupingSet.
type GroupingKind uint8

// The grouping constructs.
const (
	GroupingEmpty GroupingKind = iota // ()
	GroupingRollup
	GroupingCube
	GroupingSets
)

// GroupingSet is (), ROLLUP (...), CUBE (...) or GROUPING SETS (...) in GROUP
// BY. Items are expressions, Rows (for several columns taken together) and, in
// GROUPING SETS, further GroupingSets.
type GroupingSet struct {
	Pos
	Kind  GroupingKind
	Items []Expr
}

// SetOpKind is UNION, INTERSECT or EXCEPT.
type SetOpKind uint8

// The set operations.
const (
	Union SetOpKind = iota
	Intersect
	Except
)

// SetOp combines two queries. INTERSECT binds tighter than the others, which
// is already in the tree's shape.
type SetOp struct {
	Pos
	Kind        SetOpKind
	All         bool
	Left, Right QueryBody
}

// Values is VALUES (...), (...).
type Values struct {
	Pos
	Rows [][]Expr
}

// With is the WITH clause.
type With struct {
	Pos
	Recursive bool
	CTEs      []*CTE
}

// Materialize is a CTE's hint.
type Materialize uint8

// The materialization hints.
const (
	MaterializeDefault Materialize = iota
	MaterializeAlways
	MaterializeNever
)

// CTE is name (columns) AS [[NOT] MATERIALIZED] (statement). Statement is a
// *Select, *Insert, *Update or *Delete.
type CTE struct {
	Pos
	Name        string
	Columns     []Name
	Materialize Materialize
	Statement   Statement
}

// LockStrength is one of the row-lock strengths, weakest first.
type LockStrength uint8

// The row-lock strengths.
const (
	ForKeyShare LockStrength = iota + 1
	ForShare
	ForNoKeyUpdate
	ForUpdate
)

// LockWait says what to do about a row locked by another.
type LockWait uint8

// The waiting policies.
const (
	LockBlock LockWait = iota
	LockSkipLocked
	LockNoWait
)

// Locking is FOR UPDATE | NO KEY UPDATE | SHARE | KEY SHARE [OF ...] [NOWAIT |
// SKIP LOCKED].
type Locking struct {
	Pos
	Strength LockStrength
	Of       []ObjectName
	Wait     LockWait
}

func (*Select) queryBodyNode()     {}
func (*SelectCore) queryBodyNode() {}
func (*SetOp) queryBodyNode()      {}
func (*Values) queryBodyNode()     {}
func (*GroupingSet) exprNode()     {}
