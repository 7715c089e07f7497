// Package sqlstate holds the one error type that a SQL client sees, and the
// PostgreSQL condition codes that Spanlite uses.
//
// Every error that leaves package sql for a client is, or is turned by From
// (map.go) into, an *Error: a five-letter SQLSTATE, a message in PostgreSQL's
// words, and the optional fields of the protocol's ErrorResponse. Package
// pgwire only renders it.
package sqlstate

import (
	"errors"
	"fmt"
)

// Code is a five-character SQLSTATE.
type Code string

// Error is an error as a PostgreSQL client sees it. An Error is immutable once
// it has been returned; the With methods are for the place that creates it.
type Error struct {
	Code     Code
	Severity string // "ERROR" when empty; FATAL ends the session
	Message  string
	Detail   string
	Hint     string
	// Position is the 1-based character position in the statement's text, 0 if
	// unknown. Layers that know only a byte offset set ByteOffset instead, and
	// the session converts it.
	Position int
	// ByteOffset is 1 + the byte offset in the statement's text, 0 if unknown.
	ByteOffset int
	Schema     string
	Table      string
	Column     string
	DataType   string
	Constraint string
	Where      string
	// Cause is the wrapped error, for logs and errors.Is; clients never see it.
	Cause error
}

// Error returns "message (SQLSTATE code)".
func (e *Error) Error() string {
	return fmt.Sprintf("%s (SQLSTATE %s)", e.Message, e.Code)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New returns an error with a formatted message.
func New(code Code, format string, args ...any) *Error {
	if len(args) == 0 {
		return &Error{Code: code, Message: format}
	}
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Unsupported returns a 0A000 error that names the construct.
func Unsupported(format string, args ...any) *Error {
	return New(FeatureNotSupported, format+" is not supported", args...)
}

// WithDetail sets the detail line and returns e.
func (e *Error) WithDetail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// WithHint sets the hint line and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// At sets the place in the statement's text, as a 0-based byte offset; a
// negative offset means unknown and is ignored. It returns e.
func (e *Error) At(byteOffset int) *Error {
	if byteOffset >= 0 {
		e.ByteOffset = byteOffset + 1
	}
	return e
}

// CodeOf returns the code of err, or InternalError if err is no *Error.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return InternalError
}
