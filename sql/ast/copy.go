package ast

// Copy is COPY. Exactly one of Table and Query is set. The old option syntax
// (WITH CSV HEADER DELIMITER ',') gives the same Options as the new one.
type Copy struct {
	Pos
	Table   *TableRef
	Columns []Name
	// Query is a *Select, or an *Insert, *Update, *Delete with RETURNING.
	Query Statement
	// From tells COPY FROM from COPY TO.
	From bool
	// File is empty for STDIN and STDOUT; with Program it is a command.
	File    string
	Program bool
	Options []Option
	Where   Expr
}
