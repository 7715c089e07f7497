package plan

import (
	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/types"
)

// ColID identifies a column within one statement: an index into Metadata.Columns.
type ColID int32

// NoCol is the absence of a column.
const NoCol ColID = -1

// Metadata is what a statement's columns are.
type Metadata struct {
	Columns []Column
	// Relations are the uses of tables, in the order of binding.
	Relations []*Relation
	// CTEs are the WITH queries in the order in which they are to be run.
	CTEs []*CTE
	// Subqueries counts the subqueries in expressions (expr.Subquery.ID).
	Subqueries int
}

// Column describes one ColID.
type Column struct {
	Name string
	T    *types.T
	// Rel and Ord say which column of a table it is; Rel is nil for a computed
	// column. Ord is RowKeyOrd for the row's identity.
	Rel *Relation
	Ord int
	// NotNull says that the value is never NULL where it is first produced (an outer join
	// above may still make it so).
	NotNull bool
}

// RowKeyOrd is the Ord of the hidden column that holds a row's primary key in
// its encoded form: what DML and FOR UPDATE find the row by.
const RowKeyOrd = -1

// TableOIDOrd is the Ord of the system column tableoid.
const TableOIDOrd = -2

// Relation is one use of a table in a statement.
type Relation struct {
	ID int
	// Source is the table, sequence or virtual relation; Table is the same if it is
	// a table, else nil.
	Source catalog.Relation
	Table  *catalog.Table
	Alias  string
	// Cols has the ColID of each of Source.Cols(), NoCol where it is dropped.
	Cols []ColID
	// IndexPredicates are those of the table's partial indexes, by Index.ID.
	IndexPredicates map[uint32]expr.Expr
	// RowKey and TableOID are the hidden columns.
	RowKey, TableOID ColID
}

// NewColumn adds a column.
func (md *Metadata) NewColumn(c Column) ColID {
	md.Columns = append(md.Columns, c)
	return ColID(len(md.Columns) - 1)
}

// Ref returns a reference to a column.
func (md *Metadata) Ref(id ColID) *expr.ColumnRef {
	c := &md.Columns[id]
	name := c.Name
	if c.Rel != nil {
		name = c.Rel.Alias + "." + c.Name
	}
	return &expr.ColumnRef{Ordinal: int(id), T: c.T, Name: name}
}

// Node is a logical operator. Trees are rewritten by copying, except while the binder
// builds them.
type Node interface {
	// Columns appends the columns that the node produces.
	Columns(dst []ColID) []ColID
	// Inputs returns the nodes below.
	Inputs() []Node
}

// Scan reads a table, all columns of it as far as the logical plan goes.
type Scan struct {
	Rel *Relation
	// Lock is set if the rows are to be locked as they are read.
	Lock *RowLock
}

// RowLock is how rows are locked.
type RowLock struct {
	Strength kv.LockStrength
	Wait     kv.WaitPolicy
}

// Values is a list of rows of expressions. With no columns and one row it is the
// input of a SELECT without FROM.
type Values struct {
	Cols []ColID
	Rows [][]expr.Expr
}

// FuncScan is a set-returning function in FROM, or several side by side.
type FuncScan struct {
	Funcs []FuncItem
	// Ordinality is the WITH ORDINALITY column, else NoCol.
	Ordinality ColID
	Alias      string
}

// FuncItem is one function of a FuncScan or ProjectSet. Call is a set function, or any
// expression, which then yields one row. A record result is spread over Cols unless
// Whole is set.
type FuncItem struct {
	Call  expr.Expr
	Cols  []ColID
	Whole bool
}

// Filter keeps the rows for which all Conds are true.
type Filter struct {
	Input Node
	Conds []expr.Expr
}

// Project computes exactly its Items from each row of Input.
type Project struct {
	Input Node
	Items []Item
}

// Item is a computed column. A column that is passed on has a ColumnRef to itself.
type Item struct {
	ID   ColID
	Expr expr.Expr
}

// JoinKind is the kind of a Join.
type JoinKind uint8

// The kinds of joins. Semi and anti joins produce the left side's columns only.
const (
	InnerJoin JoinKind = iota
	LeftJoin
	RightJoin // exists until the optimiser turns it round
	FullJoin
	SemiJoin
	AntiJoin
)

// Join combines two inputs.
type Join struct {
	Kind        JoinKind
	Left, Right Node
	On          []expr.Expr
	// NullAware makes an anti join that of NOT IN: On holds exactly one equality, and a NULL on
	// either side counts as a match.
	NullAware bool
}

// Aggregate groups its input. Its columns are the Keys, then the Aggs, then
// GroupingID if there are several sets.
type Aggregate struct {
	Input Node
	Keys  []Item
	// Sets are the grouping sets as positions in Keys; nil is the one set of all Keys.
	Sets [][]int
	Aggs []AggItem
	// GroupingID has bit i set if Keys[i] is not in the row's grouping set; NoCol if there is one set.
	GroupingID ColID
}

// AggItem is one aggregate.
type AggItem struct {
	ID   ColID
	Call *AggCall
}

// AggCall is the call of an aggregate function.
type AggCall struct {
	Call     *expr.Call
	Distinct bool
	OrderBy  []SortExpr
	Filter   expr.Expr // nil if none
	// Star is count(*).
	Star bool
}

// SortExpr is an ORDER BY item over an expression.
type SortExpr struct {
	Expr       expr.Expr
	Desc       bool
	NullsFirst bool
}

// SortKey is an ORDER BY item over a column.
type SortKey struct {
	ID         ColID
	Desc       bool
	NullsFirst bool
}

// Window computes window functions that share a partition and an order.
type Window struct {
	Input     Node
	Partition []expr.Expr
	OrderBy   []SortExpr
	Funcs     []WindowItem
}

// WindowItem is one window function.
type WindowItem struct {
	ID     ColID
	Call   *AggCall // the function may be an aggregate or a window function
	Frame  Frame
	Offset [2]expr.Expr // of the frame's start and end
}

// Frame is a window frame without its offsets; the constants are those of package ast.
type Frame struct {
	Mode, Start, End, Exclude uint8
}

// ProjectSet evaluates set-returning functions of a select list in lock-step for each row of
// Input, whose columns it passes on.
type ProjectSet struct {
	Input Node
	Items []FuncItem
}

// Distinct removes duplicates by On, keeping the first row of each.
type Distinct struct {
	Input Node
	On    []ColID
}

// Sort orders its input.
type Sort struct {
	Input Node
	Keys  []SortKey
}

// Limit passes on a part of its input. A nil Count means all.
type Limit struct {
	Input         Node
	Count, Offset expr.Expr
	// TieKeys is the order of WITH TIES, nil without.
	TieKeys []SortKey
}

// SetOpKind is the kind of a SetOp.
type SetOpKind uint8

// The set operations.
const (
	Union SetOpKind = iota
	Intersect
	Except
)

// SetOp combines two queries by position: Cols[i] comes from LeftCols[i] and RightCols[i].
type SetOp struct {
	Kind                      SetOpKind
	All                       bool
	Left, Right               Node
	Cols, LeftCols, RightCols []ColID
}

// CTE is a WITH query that is run on its own (not inlined).
type CTE struct {
	ID   int
	Name string
	// Plan produces Cols. For a recursive query Plan is the non-recursive term, and Rec, which
	// refers to it by a WorkTable, the recursive one.
	Plan Node
	Cols []ColID
	// Rec produces RecCols.
	Rec      Node
	RecCols  []ColID
	UnionAll bool
	// Refs counts the references.
	Refs int
	// Materialize: 0 decide, 1 always, 2 never.
	Materialize uint8
	// Modifies says that it is INSERT, UPDATE or DELETE: it runs to its end whatever is read from it.
	Modifies bool
	Volatile bool
}

// CTEScan reads a WITH query: Cols[i] is the query's i-th column.
type CTEScan struct {
	CTE   *CTE
	Cols  []ColID
	Alias string
}

// WorkTable reads the rows that the previous round of a recursive query has produced.
type WorkTable struct {
	CTE   *CTE
	Cols  []ColID
	Alias string
}

// LockRows locks the rows of its input in the named relations and drops those that
// are gone.
type LockRows struct {
	Input   Node
	Targets []LockTarget
}

// LockTarget is one relation to lock.
type LockTarget struct {
	Rel *Relation
	RowLock
}

// Subplan is the Plan of an expr.Subquery.
type Subplan struct {
	Root Node
	// Cols are the columns of the result in order.
	Cols []ColID
	// Normal is set when the optimiser has normalised Root.
	Normal bool
	// Phys is set when the subquery has been planned.
	Phys PhysNode
}

// Columns implements Node.
func (n *Scan) Columns(dst []ColID) []ColID {
	for _, c := range n.Rel.Cols {
		if c != NoCol {
			dst = append(dst, c)
		}
	}
	if n.Rel.TableOID != NoCol {
		dst = append(dst, n.Rel.TableOID)
	}
	if n.Rel.RowKey != NoCol {
		dst = append(dst, n.Rel.RowKey)
	}
	return dst
}

// Columns implements Node.
func (n *Values) Columns(dst []ColID) []ColID { return append(dst, n.Cols...) }

// Columns implements Node.
func (n *FuncScan) Columns(dst []ColID) []ColID {
	for _, f := range n.Funcs {
		dst = append(dst, f.Cols...)
	}
	if n.Ordinality != NoCol {
		dst = append(dst, n.Ordinality)
	}
	return dst
}

// Columns implements Node.
func (n *Filter) Columns(dst []ColID) []ColID { return n.Input.Columns(dst) }

// Columns implements Node.
func (n *Project) Columns(dst []ColID) []ColID {
	for _, it := range n.Items {
		dst = append(dst, it.ID)
	}
	return dst
}

// Columns implements Node.
func (n *Join) Columns(dst []ColID) []ColID {
	dst = n.Left.Columns(dst)
	if n.Kind == SemiJoin || n.Kind == AntiJoin {
		return dst
	}
	return n.Right.Columns(dst)
}

// Columns implements Node.
func (n *Aggregate) Columns(dst []ColID) []ColID {
	for _, k := range n.Keys {
		dst = append(dst, k.ID)
	}
	for _, a := range n.Aggs {
		dst = append(dst, a.ID)
	}
	if n.GroupingID != NoCol {
		dst = append(dst, n.GroupingID)
	}
	return dst
}

// Columns implements Node.
func (n *Window) Columns(dst []ColID) []ColID {
	dst = n.Input.Columns(dst)
	for _, f := range n.Funcs {
		dst = append(dst, f.ID)
	}
	return dst
}

// Columns implements Node.
func (n *ProjectSet) Columns(dst []ColID) []ColID {
	dst = n.Input.Columns(dst)
	for _, f := range n.Items {
		dst = append(dst, f.Cols...)
	}
	return dst
}

// Columns implements Node.
func (n *Distinct) Columns(dst []ColID) []ColID { return n.Input.Columns(dst) }

// Columns implements Node.
func (n *Sort) Columns(dst []ColID) []ColID { return n.Input.Columns(dst) }

// Columns implements Node.
func (n *Limit) Columns(dst []ColID) []ColID { return n.Input.Columns(dst) }

// Columns implements Node.
func (n *SetOp) Columns(dst []ColID) []ColID { return append(dst, n.Cols...) }

// Columns implements Node.
func (n *CTEScan) Columns(dst []ColID) []ColID { return append(dst, n.Cols...) }

// Columns implements Node.
func (n *WorkTable) Columns(dst []ColID) []ColID { return append(dst, n.Cols...) }

// Columns implements Node.
func (n *LockRows) Columns(dst []ColID) []ColID { return n.Input.Columns(dst) }

// Inputs implements Node.
func (n *Scan) Inputs() []Node { return nil }

// Inputs implements Node.
func (n *Values) Inputs() []Node { return nil }

// Inputs implements Node.
func (n *FuncScan) Inputs() []Node { return nil }

// Inputs implements Node.
func (n *Filter) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Project) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Join) Inputs() []Node { return []Node{n.Left, n.Right} }

// Inputs implements Node.
func (n *Aggregate) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Window) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *ProjectSet) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Distinct) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Sort) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Limit) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *SetOp) Inputs() []Node { return []Node{n.Left, n.Right} }

// Inputs implements Node.
func (n *CTEScan) Inputs() []Node { return nil }

// Inputs implements Node.
func (n *WorkTable) Inputs() []Node { return nil }

// Inputs implements Node.
func (n *LockRows) Inputs() []Node { return []Node{n.Input} }
