package sql

import (
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// RootUser is the superuser that every cluster has.
const RootUser = "root"

// DefaultDatabase is where root connects when it names no database.
const DefaultDatabase = "defaultdb"

// Setting is a run-time parameter with its value as text.
type Setting struct{ Name, Value string }

// SessionArgs is what a client says of itself when it connects.
type SessionArgs struct {
	User, Database string
	RemoteAddr     string
	// PID is the backend process id that the client was told.
	PID uint32
	// Settings of the start-up packet, in its order.
	Settings []Setting
}

// The transaction states of ReadyForQuery.
const (
	TxnIdle   byte = 'I'
	TxnOpen   byte = 'T'
	TxnFailed byte = 'E'
)

// Column describes a column of a result.
type Column struct {
	Name string
	// TableOID and Attnum say which table column it is; zero if none.
	TableOID uint32
	Attnum   int16
	Type     *types.T
}

// Tag is a command tag. Count is printed if HasCount.
type Tag struct {
	Name     string
	Count    int64
	HasCount bool
}

// Client is the connection as its session sees it: where results go. Package
// pgwire implements it; the shell and the tests have others. Methods are called
// from the session's goroutine only; an error means that the client is gone.
type Client interface {
	// BeginRows announces a result set. Formats are the wire formats (0 text, 1
	// binary): none, one for all, or one per column.
	BeginRows(columns []Column, formats []int16) error
	// Batch sends the selected rows from..to-1 of b, which the callee does not keep.
	Batch(b *types.Batch, from, to int) error
	// Row sends one row.
	Row(row types.Row) error
	// Complete ends a statement.
	Complete(tag Tag) error
	// Suspended ends an Execute whose row limit was reached.
	Suspended() error
	// Empty answers an empty statement.
	Empty() error
	// Notice sends a message that is no error; Severity NOTICE, WARNING ...
	Notice(e *sqlstate.Error)
	// ParameterStatus reports that a setting the client watches has changed.
	ParameterStatus(name, value string)
	// Notification delivers a NOTIFY.
	Notification(pid uint32, channel, payload string)
	// CopyIn asks the client for data; columns is their number.
	CopyIn(binary bool, columns int) (CopySource, error)
	// CopyOut begins sending data.
	CopyOut(binary bool, columns int) error
	// CopyData sends one piece of data, and CopyDone ends it.
	CopyData(data []byte) error
	CopyDone() error
	// SetConversion gives the settings of text conversion used for results; the
	// session changes them in place.
	SetConversion(s *types.Settings)
	// SyncFollows reports whether the next message that the client has sent is a
	// Sync: then nothing else can belong to the implicit transaction.
	SyncFollows() bool
	// Mark returns a position in the output, and Rewind takes back what was
	// produced since; false if some of it has left already.
	Mark() OutputMark
	Rewind(m OutputMark) bool
}

// OutputMark is a position in a client's output.
type OutputMark struct {
	Bytes   int
	Flushes uint64
}

// CopySource yields the data of a COPY FROM STDIN piece by piece.
type CopySource interface {
	// Next returns the next piece, valid until the following call; io.EOF after
	// CopyDone; an *sqlstate.Error (57014) if the client gave up.
	Next() ([]byte, error)
}
