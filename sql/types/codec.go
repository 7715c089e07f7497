package types

import (
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// AppendText appends the text form of d, a value of type t, as PostgreSQL's
// output function prints it. d is not NULL. Scalars do not allocate beyond
// growing dst.
func AppendText(dst []byte, t *T, d Datum, s *Settings) []byte {
	return appendText(dst, t, d, s)
}

// AppendBinary appends the binary ("send") form of d, a value of type t. d is
// not NULL.
func AppendBinary(dst []byte, t *T, d Datum) []byte {
	return appendBinary(dst, t, d)
}

// ParseText reads the text form of a value of type t, as PostgreSQL's input
// function does, t's modifier included: '1.005' as numeric(4,2) is 1.01, and
// 'abcd' as varchar(3) is the error 22001. The result may alias text.
func ParseText(t *T, text string, s *Settings) (Datum, error) {
	return parseText(t, text, s)
}

// ParseBinary reads the binary ("receive") form of a value of type t, whose
// modifier it applies. The result may alias buf. Malformed input is the error
// 22P03 or the type's own.
func ParseBinary(t *T, buf []byte, s *Settings) (Datum, error) {
	return parseBinary(t, buf, s)
}

// TextOf returns the text form of d as a new string.
func TextOf(t *T, d Datum, s *Settings) string {
	if t.Family == FamString && t.OID != OIDBytea && t.OID != OIDUUID {
		return string(d.Bytes())
	}
	return string(appendText(nil, t, d, s))
}

func errInvalidInput(typeName, text string) error {
	return sqlstate.New(sqlstate.InvalidTextRepresentation, "invalid input syntax for type %s: \"%s\"", typeName, text)
}

func errOutOfRange(typeName string) error {
	return sqlstate.New(sqlstate.NumericOutOfRange, "%s out of range", typeName)
}

func errBinary(what string) error {
	return sqlstate.New(sqlstate.InvalidBinaryRepr, "%s", what)
}
