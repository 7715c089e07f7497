package ast

// DeclareCursor is DECLARE name CURSOR FOR query. Scroll is nil if neither
// SCROLL nor NO SCROLL is given.
type DeclareCursor struct {
	Pos
	Name       string
	Binary     bool
	Scroll     *bool
	Asensitive bool
	Insens     bool
	Hold       bool
	Query      *Select
}

// FetchDirection is where a cursor moves.
type FetchDirection uint8

// The directions. FIRST is Absolute 1, LAST Absolute -1, NEXT Forward 1,
// PRIOR Backward 1.
const (
	FetchForward FetchDirection = iota
	FetchBackward
	FetchAbsolute
	FetchRelative
)

// FetchAll is the Count of FETCH ALL.
const FetchAll = int64(^uint64(0) >> 1)

// Fetch is FETCH or, with Move set, MOVE.
type Fetch struct {
	Pos
	Cursor    string
	Direction FetchDirection
	Count     int64
	Move      bool
}

// CloseCursor is CLOSE name; Name is empty for ALL.
type CloseCursor struct {
	Pos
	Name string
}
