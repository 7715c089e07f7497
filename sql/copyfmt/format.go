// Package copyfmt reads and writes the three data formats of COPY: text, CSV and
// binary. It turns bytes into fields and back; what a field means (its type) is
// the caller's business.
//
// A Reader is fed the pieces of a stream as they come, in any partition, and
// yields rows whose fields alias its buffer until the next call. A Writer
// appends rows to a buffer of the caller.
//
// Source: PostgreSQL 15 manual, COPY, "File Formats".
package copyfmt

import (
	"strings"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Kind is one of the three formats.
type Kind uint8

// The formats.
const (
	Text Kind = iota
	CSV
	Binary
)

// RowBytesMax bounds one row of input.
const RowBytesMax = 64 << 20

// Options are the options of one COPY, checked by Validate.
type Options struct {
	Kind      Kind
	Delimiter byte
	Null      string
	Header    bool
	// HeaderMatch demands that the header line names the columns.
	HeaderMatch bool
	Quote       byte
	Escape      byte
	// ForceQuote, ForceNotNull and ForceNull are per column, nil for none.
	ForceQuote, ForceNotNull, ForceNull []bool
	ForceQuoteAll                       bool
}

// Defaults returns the default options of a format.
func Defaults(k Kind) Options {
	switch k {
	case CSV:
		return Options{Kind: CSV, Delimiter: ',', Quote: '"', Escape: '"'}
	case Binary:
		return Options{Kind: Binary}
	}
	return Options{Kind: Text, Delimiter: '\t', Null: `\N`}
}

// Validate reports options that contradict each other.
func (o *Options) Validate() error {
	if o.Kind == Binary {
		return nil
	}
	switch {
	case o.Delimiter == '\n' || o.Delimiter == '\r':
		return sqlstate.New(sqlstate.InvalidParameterValue, "COPY delimiter cannot be newline or carriage return")
	case strings.ContainsAny(o.Null, "\r\n"):
		return sqlstate.New(sqlstate.InvalidParameterValue, "COPY null representation cannot use newline or carriage return")
	case o.Kind == Text && strings.IndexByte("\\.abcdefghijklmnopqrstuvwxyz0123456789", o.Delimiter) >= 0:
		return sqlstate.New(sqlstate.InvalidParameterValue, "COPY delimiter cannot be \"%c\"", o.Delimiter)
	case strings.IndexByte(o.Null, o.Delimiter) >= 0:
		return sqlstate.New(sqlstate.InvalidParameterValue, "COPY delimiter character must not appear in the NULL specification")
	case o.Kind == CSV && o.Delimiter == o.Quote:
		return sqlstate.New(sqlstate.InvalidParameterValue, "COPY delimiter and quote must be different")
	case o.Kind == CSV && strings.IndexByte(o.Null, o.Quote) >= 0:
		return sqlstate.New(sqlstate.InvalidParameterValue, "CSV quote character must not appear in the NULL specification")
	}
	return nil
}

// Reader yields the rows of a COPY FROM.
type Reader interface {
	// Feed adds input. The piece is copied.
	Feed(piece []byte)
	// Finish says that there is no more input.
	Finish()
	// Next returns the next row; a NULL field is nil. Without a whole row at
	// hand ok is false: feed more, or, after Finish, the stream has ended.
	Next() (row [][]byte, ok bool, err error)
	// Line returns the number of the row last returned, from 1, for messages.
	Line() int
}

// NewReader returns a Reader of rows with the given number of columns.
func NewReader(o Options, columns int) Reader {
	switch o.Kind {
	case CSV:
		return &csvReader{o: o, columns: columns}
	case Binary:
		return &binaryReader{columns: columns}
	}
	return &textReader{o: o, columns: columns}
}

// buffer collects input; consumed bytes are dropped when more is fed.
type buffer struct {
	b        []byte
	pos      int
	finished bool
}

// Feed implements Reader.
func (b *buffer) Feed(piece []byte) {
	if b.pos > 0 {
		b.b = b.b[:copy(b.b, b.b[b.pos:])]
		b.pos = 0
	}
	b.b = append(b.b, piece...)
}

// Finish implements Reader.
func (b *buffer) Finish() { b.finished = true }

func (b *buffer) tooLong() error {
	if len(b.b)-b.pos > RowBytesMax {
		return sqlstate.New(sqlstate.ProgramLimitExceeded, "COPY row exceeds the limit of %d bytes", RowBytesMax)
	}
	return nil
}

func missingColumn() error {
	return sqlstate.New(sqlstate.BadCopyFileFormat, "missing data for a column")
}

func extraData() error {
	return sqlstate.New(sqlstate.BadCopyFileFormat, "extra data after last expected column")
}
