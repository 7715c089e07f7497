package plan

import (
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/types"
)

// Physical is a physical plan: immutable, for any number of executions at once.
type Physical struct {
	Kind StatementKind
	Root PhysNode
	// CTEs are the WITH queries that are run on their own; those that modify data are run to their end
	// even if nobody reads them.
	CTEs []*PCTE
	// LocksRows says that there is a PLockRows somewhere.
	LocksRows bool
	Result    []ResultColumn
	Params    []*types.T
	// Relations are what the plan depends on, Tables those of them that are tables: the session pins
	// their versions.
	Relations []catalog.Relation
	Tables    []*catalog.Table
	ReadOnly  bool
	AsOf      expr.Expr
	// Nodes is the number of nodes (PhysBase.ID is below it), Subqueries of subqueries in expressions.
	Nodes, Subqueries int
}

// PhysNode is an operator of a physical plan. All expressions refer to columns of the
// operator's input row by position. Nodes are immutable once the optimiser has
// returned the plan.
type PhysNode interface {
	// Phys returns the part that all nodes share.
	Phys() *PhysBase
	// Kids returns the nodes below, in EXPLAIN's order.
	Kids() []PhysNode
}

// PhysBase is what all physical nodes have.
type PhysBase struct {
	// Cols are the columns of the node's rows.
	Cols []PhysCol
	// Rows is the estimated number of rows, Startup and Total the cost in PostgreSQL's
	// unit (1 is a page read in sequence), Width the bytes of a row.
	Rows, Startup, Total float64
	Width                int
	// ID numbers the nodes of a plan from 0, for statistics of an execution.
	ID int
}

// Phys returns b.
func (b *PhysBase) Phys() *PhysBase { return b }

// Types returns the types of the columns.
func (b *PhysBase) Types() []*types.T {
	ts := make([]*types.T, len(b.Cols))
	for i := range b.Cols {
		ts[i] = b.Cols[i].T
	}
	return ts
}

// PhysCol is a column of a physical node.
type PhysCol struct {
	ID ColID
	T  *types.T
	// Name and Qualifier are for EXPLAIN.
	Name, Qualifier string
}

// PTableScan reads an index of a table, the primary one or another, within bounds.
type PTableScan struct {
	PhysBase
	Table *catalog.Table
	Alias string
	// Index is what is scanned; &Table.Primary for the table itself.
	Index *catalog.Index
	// Ords are the table ordinals (or RowKeyOrd, TableOIDOrd) of Cols.
	Ords []int
	// Bounds restricts the scan; nil is the whole index.
	Bounds *Bounds
	// Reverse scans from the end.
	Reverse bool
	// Covering says that the index holds all of Ords; otherwise the primary row of each entry is
	// looked up.
	Covering bool
	// Filter holds conditions over Cols.
	Filter []expr.Expr
	Lock   *RowLock
	// Limit is the number of rows after which the reader will probably stop, 0 if
	// unknown. It sizes the pages and is no promise.
	Limit int64
	// Ordered says that the order of the rows matters to an operator above.
	Ordered bool
}

// Bounds restricts the keys of an index scan. The leading columns have equalities, the one after them may have a range.
type Bounds struct {
	Prefix []KeyPart
	// Lower and Upper bound the column after Prefix, in the order of values (not of the
	// index); nil means unbounded.
	Lower, Upper *RangeEnd
	// SkipNulls says that the ranged column must not be NULL, even if a bound is open.
	SkipNulls bool
	// Tuples is an IN list of rows over the first len(Tuples[0]) columns; Prefix is
	// empty then.
	Tuples [][]expr.Expr
}

// KeyPart is the set of values that one index column may have. The expressions
// have no columns of the scanned table, but may have parameters and outer references.
type KeyPart struct {
	// Values are alternatives; a NULL matches nothing.
	Values []expr.Expr
	// Array is an array of alternatives (= ANY); Values is nil then.
	Array expr.Expr
	// IsNull asks for NULLs.
	IsNull bool
	T      *types.T
}

// RangeEnd is one end of a range.
type RangeEnd struct {
	Expr      expr.Expr
	Inclusive bool
}

// PVirtualScan reads a virtual table or a sequence. Values (or Array) are what the column LookupOrd must
// equal, if the table can be looked up by it; Filter checks everything again.
type PVirtualScan struct {
	PhysBase
	Rel       catalog.Relation
	Alias     string
	Ords      []int
	LookupOrd int
	Values    []expr.Expr
	Array     expr.Expr
	Filter    []expr.Expr
}

// PValues is a list of rows.
type PValues struct {
	PhysBase
	Rows [][]expr.Expr
	// Alias is for EXPLAIN; empty for the single row of a SELECT without FROM.
	Alias string
}

// PFuncScan is functions in FROM.
type PFuncScan struct {
	PhysBase
	Funcs      []PFunc
	Ordinality bool
	Alias      string
}

// PFunc is a set-returning function that fills Width columns; a record is spread unless Whole.
type PFunc struct {
	Call  expr.Expr
	Width int
	Whole bool
}

// PFilter keeps rows for which all conditions are true.
type PFilter struct {
	PhysBase
	Input PhysNode
	Conds []expr.Expr
}

// PProject computes expressions. A ColumnRef passes the vector on.
type PProject struct {
	PhysBase
	Input PhysNode
	Exprs []expr.Expr
}

// PProjectSet evaluates set-returning functions for each row; its columns are the
// input's, then the functions'.
type PProjectSet struct {
	PhysBase
	Input PhysNode
	Funcs []PFunc
}

// PHashJoin builds a hash table of Right and probes it with Left. Rows are Out positions of
// the left row followed by the right row (semi and anti joins: of the left row).
type PHashJoin struct {
	PhysBase
	Kind                JoinKind
	Left, Right         PhysNode
	LeftKeys, RightKeys []expr.Expr
	// On are further conditions over the left row followed by the right row.
	On        []expr.Expr
	Out       []int
	NullAware bool
	// KeyConds are the join conditions for EXPLAIN, over both rows.
	KeyConds []expr.Expr
}

// PNestLoop joins each left row with the right side. A Lateral right side is run anew for each left row,
// which it sees as its nearest outer row; otherwise it is run once and kept.
type PNestLoop struct {
	PhysBase
	Kind        JoinKind
	Left, Right PhysNode
	On          []expr.Expr
	Out         []int
	Lateral     bool
}

// PLookupJoin finds the right rows by an index of a table with keys made from the left rows, a batch at a time.
type PLookupJoin struct {
	PhysBase
	Kind  JoinKind
	Left  PhysNode
	Table *catalog.Table
	Alias string
	Index *catalog.Index
	// Keys gives the leading index columns, over the left row.
	Keys []expr.Expr
	// Ords are the table ordinals of the right row.
	Ords      []int
	RightCols []PhysCol
	Covering  bool
	On        []expr.Expr
	Out       []int
	Lock      *RowLock
	// KeyConds are what the keys stand for, over the left row followed by KeyCols, for EXPLAIN.
	KeyConds []expr.Expr
	KeyCols  []PhysCol
}

// AggStrategy is how a PAggregate groups.
type AggStrategy uint8

// The strategies.
const (
	AggPlain  AggStrategy = iota // one group
	AggHashed                    // any order
	AggSorted                    // input is ordered by the keys
)

// PAggregate groups and aggregates. Its columns are the keys, the aggregates, and the grouping id.
type PAggregate struct {
	PhysBase
	Input      PhysNode
	Strategy   AggStrategy
	Keys       []expr.Expr
	Sets       [][]int
	Aggs       []PAgg
	GroupingID bool
	// Having are conditions over the node's own columns.
	Having []expr.Expr
}

// PAgg is one aggregate over the input row.
type PAgg struct {
	Call     *expr.Call
	Star     bool
	Distinct bool
	OrderBy  []SortExpr
	Filter   expr.Expr
}

// POrder is an ORDER BY item by position.
type POrder struct {
	Ord        int
	Desc       bool
	NullsFirst bool
}

// PSort sorts. With Limit > 0 only the first Limit rows are needed (LimitExpr: known at execution).
type PSort struct {
	PhysBase
	Input PhysNode
	Keys  []POrder
	// Prefix is the number of leading keys that the input is already ordered by.
	Prefix int
	// LimitCount and LimitOffset are those of the Limit above, for top-N; nil if none.
	LimitCount, LimitOffset expr.Expr
}

// PLimit passes on a part of the input.
type PLimit struct {
	PhysBase
	Input         PhysNode
	Count, Offset expr.Expr
	TieKeys       []POrder
}

// PDistinct removes duplicates by the On columns. With Sorted the input is ordered by them.
type PDistinct struct {
	PhysBase
	Input  PhysNode
	On     []int
	Sorted bool
}

// PAppend is UNION ALL.
type PAppend struct {
	PhysBase
	Inputs []PhysNode
}

// PSetOp is INTERSECT or EXCEPT, by hashing. (UNION is PDistinct over PAppend.)
type PSetOp struct {
	PhysBase
	Kind        SetOpKind
	All         bool
	Left, Right PhysNode
}

// PWindow computes window functions over input sorted by partition and order. Its columns are the
// input's, then the functions'.
type PWindow struct {
	PhysBase
	Input     PhysNode
	Partition []int
	OrderBy   []POrder
	Funcs     []PWindowFunc
	// RangeArith are key - offset and key + offset over the row (key, offset), for RANGE frames over keys
	// that are neither integers nor floats.
	RangeArith []expr.Expr
}

// PWindowFunc is one window function.
type PWindowFunc struct {
	Call   *PAgg
	Frame  Frame
	Offset [2]expr.Expr
}

// PCTEScan reads a WITH query, which is run on first use and kept.
type PCTEScan struct {
	PhysBase
	CTE   *PCTE
	Alias string
}

// PWorkTable reads the last round of a recursive query.
type PWorkTable struct {
	PhysBase
	CTE   *PCTE
	Alias string
}

// PCTE is a WITH query that is run on its own.
type PCTE struct {
	ID       int
	Name     string
	Plan     PhysNode
	Rec      PhysNode // nil unless recursive
	UnionAll bool
	Modifies bool
	Types    []*types.T
}

// PLockRows locks rows by their key columns.
type PLockRows struct {
	PhysBase
	Input   PhysNode
	Targets []PLockTarget
	// Limit is the number of rows that are probably wanted, 0 if unknown: no more are locked at once.
	Limit int64
}

// PLockTarget is one relation of a PLockRows.
type PLockTarget struct {
	Table  *catalog.Table
	KeyOrd int // position of the row key in the input
	RowLock
}

// Check is a CHECK constraint over a table row (by ordinal).
type Check struct {
	Name string
	Expr expr.Expr
}

// Computed is a column value computed over some row.
type Computed struct {
	Ord  int // table ordinal
	Expr expr.Expr
}

// TableWrite is what all DML nodes need to know of their target.
type TableWrite struct {
	Table *catalog.Table
	Alias string
	// Generated columns are computed over the new row, in order.
	Generated []Computed
	Checks    []Check
	// PartialPredicates are the predicates of Table.Indexes, over a table row; nil where an index
	// has none. IndexExprs likewise the expression keys per index and column.
	PartialPredicates []expr.Expr
	IndexExprs        [][]expr.Expr
	// Defaults of columns, for SET DEFAULT.
	Defaults []Computed
	// Related are the tables connected by foreign keys, this one included.
	Related map[catalog.ID]*TableWrite
	// Returning is over the new row (old for DELETE) by table ordinal, followed by the input's
	// row. Nil if there is no RETURNING.
	Returning []expr.Expr
}

// PInsert inserts the rows of Input.
type PInsert struct {
	PhysBase
	TableWrite
	Input PhysNode
	// From[ord] is the input position of each table column, -1 for one that is generated or NULL.
	From     []int
	Conflict *PConflict
}

// PConflict is ON CONFLICT.
type PConflict struct {
	// Arbiters are the unique indexes to watch; empty: all.
	Arbiters []*catalog.Index
	DoUpdate bool
	// Set and Where are over the existing row followed by the proposed one.
	Set   []Computed
	Where expr.Expr
}

// PUpdate updates the rows of Input, which holds the old table row, the row key, and whatever else
// the new values need.
type PUpdate struct {
	PhysBase
	TableWrite
	Input PhysNode
	// Old[ord] is the input position of each table column, -1 if it is dropped.
	Old    []int
	RowKey int
	// Set is over the input row.
	Set []Computed
	// Locked says that the rows were locked as they were read.
	Locked bool
	// Recheck are the conditions on the target alone, over Input's row, to be
	// tested again if the row has changed between reading and locking.
	Recheck []expr.Expr
	// KeyChanged says that a column of some unique index is set: the lock is FOR UPDATE.
	KeyChanged bool
}

// PDelete deletes the rows of Input.
type PDelete struct {
	PhysBase
	TableWrite
	Input   PhysNode
	Old     []int
	RowKey  int
	Locked  bool
	Recheck []expr.Expr
}

// Kids implements PhysNode.
func (n *PTableScan) Kids() []PhysNode { return nil }

// Kids implements PhysNode.
func (n *PVirtualScan) Kids() []PhysNode { return nil }

// Kids implements PhysNode.
func (n *PValues) Kids() []PhysNode { return nil }

// Kids implements PhysNode.
func (n *PFuncScan) Kids() []PhysNode { return nil }

// Kids implements PhysNode.
func (n *PFilter) Kids() []PhysNode { return []PhysNode{n.Input} }

// Kids implements PhysNode.
func (n *PProject) Kids() []PhysNode { return []PhysNode{n.Input} }

// Kids implements PhysNode.
func (n *PProjectSet) Kids() []PhysNode { return []PhysNode{n.Input} }

// Kids implements PhysNode.
func (n *PHashJoin) Kids() []PhysNode { return []PhysNode{n.Left, n.Right} }

// Kids implements PhysNode.
func (n *PNestLoop) Kids() []PhysNode { return []PhysNode{n.Left, n.Right} }

// Kids implements PhysNode.
func (n *PLookupJoin) Kids() []PhysNode { return []PhysNode{n.Left} }

// Kids implements PhysNode.
func (n *PAggregate) Kids() []PhysNode { return []PhysNode{n.Input} }

// Kids implements PhysNode.
func (n *PSort) Kids() []PhysNode { return []PhysNode{n.Input} }

// Kids implements PhysNode.
func (n *PLimit) Kids() []PhysNode { return []PhysNode{n.Input} }

// Kids implements PhysNode.
func (n *PDistinct) Kids() []PhysNode { return []PhysNode{n.Input} }

// Kids implements PhysNode.
func (n *PAppend) Kids() []PhysNode { return n.Inputs }

// Kids implements PhysNode.
func (n *PSetOp) Kids() []PhysNode { return []PhysNode{n.Left, n.Right} }

// Kids implements PhysNode.
func (n *PWindow) Kids() []PhysNode { return []PhysNode{n.Input} }

// Kids implements PhysNode.
func (n *PCTEScan) Kids() []PhysNode { return nil }

// Kids implements PhysNode.
func (n *PWorkTable) Kids() []PhysNode { return nil }

// Kids implements PhysNode.
func (n *PLockRows) Kids() []PhysNode { return []PhysNode{n.Input} }

// Kids implements PhysNode.
func (n *PInsert) Kids() []PhysNode { return []PhysNode{n.Input} }

// Kids implements PhysNode.
func (n *PUpdate) Kids() []PhysNode { return []PhysNode{n.Input} }

// Kids implements PhysNode.
func (n *PDelete) Kids() []PhysNode { return []PhysNode{n.Input} }

// EachPhysExpr calls fn for the expressions of a node itself.
func EachPhysExpr(n PhysNode, fn func(expr.Expr)) {
	each := func(es []expr.Expr) {
		for _, e := range es {
			if e != nil {
				fn(e)
			}
		}
	}
	one := func(e expr.Expr) {
		if e != nil {
			fn(e)
		}
	}
	agg := func(a *PAgg) {
		each(a.Call.Args)
		for _, o := range a.OrderBy {
			fn(o.Expr)
		}
		one(a.Filter)
	}
	write := func(w *TableWrite) {
		each(w.Returning)
		for _, g := range w.Generated {
			fn(g.Expr)
		}
		for _, c := range w.Checks {
			fn(c.Expr)
		}
	}
	switch n := n.(type) {
	case *PTableScan:
		each(n.Filter)
		if n.Bounds != nil {
			for _, p := range n.Bounds.Prefix {
				each(p.Values)
				one(p.Array)
			}
			if n.Bounds.Lower != nil {
				fn(n.Bounds.Lower.Expr)
			}
			if n.Bounds.Upper != nil {
				fn(n.Bounds.Upper.Expr)
			}
		}
	case *PVirtualScan:
		each(n.Filter)
		each(n.Values)
		one(n.Array)
	case *PValues:
		for _, r := range n.Rows {
			each(r)
		}
	case *PFuncScan:
		for _, f := range n.Funcs {
			fn(f.Call)
		}
	case *PProjectSet:
		for _, f := range n.Funcs {
			fn(f.Call)
		}
	case *PFilter:
		each(n.Conds)
	case *PProject:
		each(n.Exprs)
	case *PHashJoin:
		each(n.LeftKeys)
		each(n.RightKeys)
		each(n.On)
	case *PNestLoop:
		each(n.On)
	case *PLookupJoin:
		each(n.Keys)
		each(n.On)
	case *PAggregate:
		each(n.Keys)
		for i := range n.Aggs {
			agg(&n.Aggs[i])
		}
		each(n.Having)
	case *PSort:
		one(n.LimitCount)
		one(n.LimitOffset)
	case *PLimit:
		one(n.Count)
		one(n.Offset)
	case *PWindow:
		for _, f := range n.Funcs {
			agg(f.Call)
			one(f.Offset[0])
			one(f.Offset[1])
		}
	case *PInsert:
		write(&n.TableWrite)
		if c := n.Conflict; c != nil {
			for _, s := range c.Set {
				fn(s.Expr)
			}
			one(c.Where)
		}
	case *PUpdate:
		write(&n.TableWrite)
		for _, s := range n.Set {
			fn(s.Expr)
		}
	case *PDelete:
		write(&n.TableWrite)
	}
}
