package ast

// CreateIndex is CREATE INDEX.
type CreateIndex struct {
	Pos
	Name             string // empty: to be chosen
	Unique           bool
	Concurrently     bool
	IfNotExists      bool
	Table            ObjectName
	Only             bool
	Method           string // empty: btree
	Elems            []*IndexElem
	Include          []*IndexElem
	NullsNotDistinct bool
	With             []Option
	Space            string
	Where            Expr
}

// IndexElem is a column or expression of an index, an ON CONFLICT arbiter, a
// partition key or an exclusion constraint.
type IndexElem struct {
	Pos
	Column    string // empty if Expr is set
	Expr      Expr
	Collation ObjectName
	OpClass   ObjectName
	OpOptions []Option
	Direction SortDirection
	Nulls     NullsOrder
}
