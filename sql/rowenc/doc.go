// Package rowenc turns rows into keys and values and back.
//
// # Keys
//
// An index entry's key is keys.IndexPrefix(table, index) and the index columns,
// each as a marker and an order-preserving encoding (key.go); entries of the
// primary index end there. A secondary index that is not unique, or an entry of a
// unique one with a NULL that counts as distinct, has the primary key's columns
// behind its own.
//
//	marker: 0x01 NULL (first) | 0x02 a value follows | 0x03 NULL (last)
//
// A descending column has all bytes of its value, not of its marker, inverted.
//
// # Row values
//
// Version 1, integers little-endian; n is the number of columns the table had
// when the row was written, dropped ones included:
//
//	 0         1      3
//	+---------+------+-------------+---------------+------------------+----------
//	| version | n  2 | null bitmap | fixed section | ends of variable | variable
//	|  (1)    |      | (n+7)/8     |               | columns, 4 each  | data
//	+---------+------+-------------+---------------+------------------+----------
//
// Every column of a fixed-width type has its place in the fixed section, NULL or
// not, so a column's offset is a constant of the table version. Columns of the
// primary key that can be read back from the key exactly have no place at all.
// A column with a number above n was added later: it reads as Column.Missing.
//
// # Entry values
//
//	version(1) pk length (uvarint) pk bytes, then for each extra column
//	length+1 (uvarint, 0 is NULL) and bytes
//
// The pk bytes are the encoded primary key columns, present in unique indexes.
// Extra columns are the INCLUDE columns and those key columns whose encoding in
// the key is not exact (numeric loses its scale, char(n) its blanks ...).
//
// # Decoding
//
// A Decoder knows, per wanted column, where it lies; it reads just that column,
// without allocation for everything that fits a Datum or can alias the row.
// Decoders and Codecs are immutable and shared.
package rowenc
