package ast

// TypeName is a type as written, before it is looked up.
//
// The SQL standard's spellings stand under their catalog names: int and
// integer are pg_catalog.int4, character varying(5) is pg_catalog.varchar with
// the modifier 5, timestamp with time zone is pg_catalog.timestamptz. char
// without a length is pg_catalog.bpchar with the modifier 1.
type TypeName struct {
	Pos
	Name ObjectName
	// Mods are the modifiers in parentheses: numeric(10,2).
	Mods []Expr
	// Fields restricts an interval: "year", "day to second" ... The precision of
	// seconds is in Mods.
	Fields string
	// ArrayBounds has an element for each pair of brackets; -1 without a size.
	// PostgreSQL ignores both sizes and number of dimensions.
	ArrayBounds []int32
	// SetOf is for results of functions, PctType for name.column%TYPE.
	SetOf   bool
	PctType bool
}
