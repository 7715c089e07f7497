// Package types holds Spanlite's SQL types and values: PostgreSQL's type
// system without its catalog.
//
//	T       a type: OID, type modifier, element type, category. Immutable.
//	Datum   one value, 24 bytes, NULL included; numbers, booleans and times
//	        live in it without a pointer.
//	Vec     a column of up to BatchSize values in typed slices
//	Batch   columns of equal length with a selection vector
//
// A value's life: a codec makes it (ParseText, ParseBinary, or package
// rowenc), expressions compute with it, a codec prints it (AppendText,
// AppendBinary) into a buffer that the caller owns.
//
// # Representation
//
// What a Datum holds is decided by its type's Family, not by the type itself:
//
//	FamBool      0 or 1
//	FamInt       int2, int4, int8, oid and the reg* types (zero-extended), "char",
//	             date (days since 2000-01-01), time (microseconds), timestamp and
//	             timestamptz (microseconds since 2000-01-01 UTC), enum (the label's
//	             Order), pg_lsn, xid
//	FamFloat     float4 (held as the float64 of equal value), float8
//	FamNumeric   int64 coefficient and scale, or *apd.Decimal when that overflows
//	FamString    text, varchar, name, unknown, bytea, uuid, json (all compare as bytes)
//	FamBpchar    char(n), blank padded; trailing blanks do not count
//	FamTimeTZ    microseconds of local time and zone in seconds west of Greenwich
//	FamInterval  *Interval (months, days, microseconds)
//	FamJSONB     the flat format drawn in jsonb.go
//	FamInet      inet, cidr: family, prefix length, address bytes (inet.go)
//	FamArray     *Array
//	FamRecord    *Record
//
// Infinity of the date and time types is the smallest and largest integer, as
// in PostgreSQL, so integer order is value order.
//
// # Invariants
//
//   - Compare is a total order per family: NaN equals NaN and is above all other
//     numbers, -0 equals 0; NULL is the caller's business.
//   - Equal values hash equally within a family, 1.0 and 1.00 included.
//   - A Datum of variable length aliases the memory it was made from. Whoever
//     keeps one past the life of that memory clones it.
//   - Every user-visible error is a *sqlstate.Error in PostgreSQL's words.
//
// # Not done here
//
// Names of objects (regclass and its relatives) are resolved through the Names
// interface in Settings. Ranges, geometric types, bit strings, money, xml and
// text search types do not exist. Text compares by bytes (the "C" collation)
// whatever the collation says.
package types
