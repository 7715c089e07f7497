package types

// JSONValue is a JSON value in the flat form below, which is read without decoding:
// a part of a value is a subslice of it.
type JSONValue []byte
