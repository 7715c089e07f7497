package types

// Compare orders two values of the same family: -1, 0 or 1 in PostgreSQL's order of
// their type. Neither is NULL.
func Compare(a, b Datum) int { return 0 }

// Equal reports whether two values of the same family, not NULL, are equal.
func Equal(a, b Datum) bool { return Compare(a, b) == 0 }

// Hash returns a hash of d that is equal for equal values of a family; seed
// chains the columns of a key. NULL has a hash of its own. The hash is stable only within a
// process.
func Hash(seed uint64, d Datum) uint64 { return 0 }
