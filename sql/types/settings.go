package types

import (
	"time"
)

// DateStyle is the output style of dates and timestamps.
type DateStyle uint8

// The output styles of the DateStyle setting.
const (
	DateStyleISO DateStyle = iota
	DateStylePostgres
	DateStyleSQL
	DateStyleGerman
)

// DateOrder says how an ambiguous date such as 01/02/03 is read.
type DateOrder uint8

// The field orders of the DateStyle setting.
const (
	DateOrderMDY DateOrder = iota
	DateOrderDMY
	DateOrderYMD
)

// IntervalStyle is the output style of intervals.
type IntervalStyle uint8

// The values of the IntervalStyle setting.
const (
	IntervalStylePostgres IntervalStyle = iota
	IntervalStylePostgresVerbose
	IntervalStyleSQLStandard
	IntervalStyleISO8601
)

// Settings are the session settings that text conversion depends on. A
// Settings is owned by its session and read by one goroutine at a time.
// The zero value is not useful: start from DefaultSettings.
type Settings struct {
	Location         *time.Location // TimeZone
	DateStyle        DateStyle
	DateOrder        DateOrder
	IntervalStyle    IntervalStyle
	ByteaEscape      bool // bytea_output = escape; else hex
	ExtraFloatDigits int  // > 0: shortest exact form, else 15 (6) digits + this
	// Now is the start of the transaction in microseconds since 2000-01-01 UTC:
	// what the inputs 'now', 'today', 'tomorrow' and 'yesterday' mean.
	Now int64
	// Names resolves and prints the reg* types; nil knows numbers and the names
	// of built-in types only.
	Names Names
}

// Names resolves the text of reg* types. Methods are called from the session's
// goroutine and may read the catalog.
type Names interface {
	// LookupReg returns the OID that the text stands for in type t (regclass,
	// regtype, regproc ...), following the search path. An unknown name is an error
	// in PostgreSQL's words (42P01, 42704, 42883, 3F000).
	LookupReg(t *T, text string) (OID, error)
	// RegName returns the text of an OID, qualified if the search path does not
	// show it, ok false if nothing has that OID.
	RegName(t *T, oid OID) (string, bool)
	// LookupType returns a user-defined type, nil if there is none.
	LookupType(oid OID) *T
}

// DefaultSettings returns PostgreSQL's defaults with TimeZone UTC.
func DefaultSettings() *Settings {
	return &Settings{Location: time.UTC, ExtraFloatDigits: 1}
}
