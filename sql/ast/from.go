package ast

// Alias names a FROM item: AS name (columns). The zero value is no alias.
type Alias struct {
	Pos
	Name    string
	Columns []Name
}

// TableRef is a relation in FROM, or the target of a DML statement.
type TableRef struct {
	Pos
	Name   ObjectName
	Only   bool // ONLY t: without its children
	Alias  Alias
	Sample *TableSample // nil if none
}

// TableSample is TABLESAMPLE method (args) [REPEATABLE (seed)].
type TableSample struct {
	Pos
	Method     ObjectName
	Args       []Expr
	Repeatable Expr
}

// SubqueryTable is a query in FROM.
type SubqueryTable struct {
	Pos
	Query   *Select
	Lateral bool
	Alias   Alias
}

// FuncTable is a set-returning function in FROM, or several side by side with
// ROWS FROM (...).
type FuncTable struct {
	Pos
	Funcs      []FuncTableItem
	RowsFrom   bool
	Ordinality bool
	Lateral    bool
	Alias      Alias
	// ColumnDefs is AS alias (name type, ...), for functions returning record.
	ColumnDefs []ColumnType
}

// FuncTableItem is one function of a FuncTable. Func is a *FuncCall, or an
// expression PostgreSQL also accepts there (current_date, COALESCE, a cast).
type FuncTableItem struct {
	Func       Expr
	ColumnDefs []ColumnType
}

// ColumnType is a column name with a type.
type ColumnType struct {
	Pos
	Name      string
	Type      *TypeName
	Collation ObjectName
}

// JoinKind is the kind of a Join.
type JoinKind uint8

// The join kinds.
const (
	InnerJoin JoinKind = iota
	LeftJoin
	RightJoin
	FullJoin
	CrossJoin
)

// Join is an explicit join; the items of a comma list are not joined by it.
// Besides CrossJoin and Natural, exactly one of Using and On is set.
type Join struct {
	Pos
	Kind        JoinKind
	Natural     bool
	Left, Right TableExpr
	Using       []Name
	UsingAlias  string // USING (...) AS name
	On          Expr
	// Alias is set for (a JOIN b ...) AS name.
	Alias Alias
}

func (*TableRef) tableExprNode()      {}
func (*SubqueryTable) tableExprNode() {}
func (*FuncTable) tableExprNode()     {}
func (*Join) tableExprNode()          {}
