package ast

// Set is SET variable. The special syntaxes are folded into it: SET TIME ZONE
// is the variable timezone, SET NAMES client_encoding, SET ROLE role, SET
// SESSION AUTHORIZATION session_authorization, SET SCHEMA search_path, SET
// XML OPTION xmloption, SET SEED seed.
type Set struct {
	Pos
	Name  string // lower case unless quoted; may have a dot
	Local bool
	// Values holds *String (bare words too), *Number, *Bool never; for timezone
	// also a *Cast of an interval. Empty with Default.
	Values  []Expr
	Default bool
	// FromCurrent is SET variable FROM CURRENT of CREATE FUNCTION.
	FromCurrent bool
}

// Reset is RESET variable. Name is empty for RESET ALL.
type Reset struct {
	Pos
	Name string
}

// Show is SHOW variable. Name is "all" for SHOW ALL.
type Show struct {
	Pos
	Name string
}

// Discard is DISCARD ALL | PLANS | SEQUENCES | TEMP; What is in upper case.
type Discard struct {
	Pos
	What string
}

// Prepare is PREPARE name (types) AS statement. Text is the source of Query.
type Prepare struct {
	Pos
	Name  string
	Types []*TypeName
	Query Statement
	Text  string
}

// Execute is EXECUTE name (args).
type Execute struct {
	Pos
	Name string
	Args []Expr
}

// Deallocate is DEALLOCATE name; Name is empty for ALL.
type Deallocate struct {
	Pos
	Name string
}

// Listen is LISTEN channel.
type Listen struct {
	Pos
	Channel string
}

// Notify is NOTIFY channel, 'payload'.
type Notify struct {
	Pos
	Channel string
	Payload string
}

// Unlisten is UNLISTEN channel; Channel is empty for *.
type Unlisten struct {
	Pos
	Channel string
}

// Load is LOAD 'file'.
type Load struct {
	Pos
	File string
}
