package types

// JSONValue is a JSON value in the flat form below, which is read without decoding:
// a part of a value is a subslice of it.
type JSONValue []byte

// Index returns the i-th element of an array, counted from the end if negative.
func (v JSONValue) Index(i int) (JSONValue, bool) { return nil, false }

// PathStep returns the member of an object, or of an array if the text is an integer.
func (v JSONValue) PathStep(step string) (JSONValue, bool) { return nil, false }
