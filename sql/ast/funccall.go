package ast

// CallForm remembers a function call that was written in a syntax of its own.
// It matters to Format only: Name and Args hold the ordinary call.
type CallForm uint8

// The special spellings.
const (
	FormPlain        CallForm = iota
	FormExtract               // EXTRACT(field FROM x): pg_catalog.extract('field', x)
	FormSubstring             // SUBSTRING(x FROM a FOR b): pg_catalog.substring(x, a, b)
	FormSimilarSub            // SUBSTRING(x SIMILAR p ESCAPE e): pg_catalog.substring(x, p, e)
	FormPosition              // POSITION(a IN b): pg_catalog.position(b, a)
	FormOverlay               // OVERLAY(x PLACING y FROM a FOR b): pg_catalog.overlay(x, y, a, b)
	FormTrim                  // TRIM(BOTH y FROM x): pg_catalog.btrim(x, y); ltrim, rtrim
	FormAtTimeZone            // x AT TIME ZONE z: pg_catalog.timezone(z, x)
	FormOverlaps              // (a, b) OVERLAPS (c, d): pg_catalog.overlaps(a, b, c, d)
	FormNormalize             // NORMALIZE(x, NFC): pg_catalog.normalize(x, 'NFC')
	FormIsNormalized          // x IS NFC NORMALIZED: pg_catalog.is_normalized(x, 'NFC')
	FormCollationFor          // COLLATION FOR (x): pg_catalog.pg_collation_for(x)
)

// FuncCall is a function, aggregate or window function call.
type FuncCall struct {
	Pos
	Name ObjectName
	// Args may hold *NamedArg; a Star stands for the whole row of a table.
	Args []Expr
	// Star is count(*).
	Star bool
	// Variadic says that the last argument is marked VARIADIC.
	Variadic bool
	// Distinct, OrderBy and Filter belong to aggregates.
	Distinct bool
	OrderBy  []*SortBy
	// WithinGroup says that OrderBy came from WITHIN GROUP (ORDER BY ...), as
	// in percentile_cont(0.5) WITHIN GROUP (ORDER BY x).
	WithinGroup bool
	Filter      Expr
	// Over makes it a window function call.
	Over *Window
	Form CallForm
}

// NamedArg is name => value in a function call.
type NamedArg struct {
	Pos
	Name  string
	Value Expr
}

func (*FuncCall) exprNode() {}
func (*NamedArg) exprNode() {}

// Window is a window definition: in OVER (...), OVER name, or WINDOW name AS (...).
type Window struct {
	Pos
	// Name is the defined name in a WINDOW clause, empty in OVER.
	Name string
	// Ref is the window that is used (OVER w) or extended (OVER (w ORDER BY x)).
	Ref string
	// Bare says OVER w rather than OVER (w): the former takes the frame as well.
	Bare        bool
	PartitionBy []Expr
	OrderBy     []*SortBy
	Frame       *Frame // nil if not given
}

// FrameMode is the unit of a window frame.
type FrameMode uint8

// The frame units.
const (
	FrameRange FrameMode = iota
	FrameRows
	FrameGroups
)

// BoundKind is one end of a window frame.
type BoundKind uint8

// The frame bounds in their order.
const (
	UnboundedPreceding BoundKind = iota
	OffsetPreceding
	CurrentRow
	OffsetFollowing
	UnboundedFollowing
)

// FrameBound is one end of a frame. Offset is set for the Offset kinds.
type FrameBound struct {
	Kind   BoundKind
	Offset Expr
}

// FrameExclusion is the EXCLUDE clause.
type FrameExclusion uint8

// What a frame leaves out.
const (
	ExcludeNoOthers FrameExclusion = iota
	ExcludeCurrentRow
	ExcludeGroup
	ExcludeTies
)

// Frame is ROWS | RANGE | GROUPS BETWEEN start AND end. A frame with a start
// only ends at the current row.
type Frame struct {
	Pos
	Mode       FrameMode
	Start, End FrameBound
	Exclude    FrameExclusion
}

// SortDirection is ASC, DESC or none given.
type SortDirection uint8

// The sort directions.
const (
	SortDefault SortDirection = iota
	SortAsc
	SortDesc
	SortUsing // ORDER BY x USING >
)

// NullsOrder is NULLS FIRST, NULLS LAST or none given.
type NullsOrder uint8

// Where NULLs sort. The default is last for ascending, first for descending.
const (
	NullsDefault NullsOrder = iota
	NullsFirst
	NullsLast
)

// SortBy is an item of ORDER BY.
type SortBy struct {
	Pos
	Expr      Expr
	Direction SortDirection
	Using     Operator // with SortUsing
	Nulls     NullsOrder
}
