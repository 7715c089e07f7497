package ast

// Overriding is the OVERRIDING clause of INSERT.
type Overriding uint8

// What OVERRIDING overrides.
const (
	OverridingNone Overriding = iota
	OverridingUser
	OverridingSystem
)

// Insert is INSERT INTO.
type Insert struct {
	Pos
	With  *With
	Table *TableRef
	// Columns is empty if no list was given.
	Columns    []*InsertColumn
	Overriding Overriding
	// Source is nil for DEFAULT VALUES. The rows of VALUES may hold *Default.
	Source     *Select
	OnConflict *OnConflict
	Returning  []*Target
}

// InsertColumn is a column in INSERT's list or on the left of SET. Indirection
// is for c.field and c[i]; most of the time it is nil.
type InsertColumn struct {
	Pos
	Name        string
	Indirection []Indirection
}

// Indirection is .Field or, with Field empty, [Index].
type Indirection struct {
	Field string
	Index Index
}

// OnConflict is the ON CONFLICT clause.
type OnConflict struct {
	Pos
	// The arbiter: index columns or expressions with a predicate, the name of a
	// constraint, or neither.
	Elems      []*IndexElem
	Where      Expr
	Constraint string
	// DoUpdate tells DO UPDATE from DO NOTHING.
	DoUpdate    bool
	Set         []*Assignment
	UpdateWhere Expr
}

// Assignment is column = value, or (columns) = value. A multiple assignment's
// Value is a *Row, a *Subquery, or an expression that yields a row; Value may
// be or hold *Default.
type Assignment struct {
	Pos
	Columns []*InsertColumn
	Multi   bool
	Value   Expr
}

// Update is UPDATE.
type Update struct {
	Pos
	With      *With
	Table     *TableRef
	Set       []*Assignment
	From      []TableExpr
	Where     Expr // may be *CurrentOf
	Returning []*Target
}

// Delete is DELETE FROM.
type Delete struct {
	Pos
	With      *With
	Table     *TableRef
	Using     []TableExpr
	Where     Expr // may be *CurrentOf
	Returning []*Target
}
