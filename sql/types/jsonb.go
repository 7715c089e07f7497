package types

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sort"
	"strconv"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// JSONValue is a JSON value in a flat form that is read without decoding: a part
// of a value is a subslice of it. It is what a jsonb Datum holds and what is stored.
//
//	null    0x00
//	false   0x01
//	true    0x02
//	number  0x03, the digits as numeric prints them
//	string  0x04, UTF-8 bytes
//	array   0x05, count u32, end of each element u32, elements
//	object  0x06, count u32, end of each key u32, end of each value u32, keys, values
//
// Integers are little-endian. An end is counted from the start of the keys (for keys)
// or of the elements or values; a part's length follows from its neighbour's end. The keys of an
// object are distinct and sorted by length, then bytes, as in PostgreSQL.
type JSONValue []byte

// JSONKind is the first byte of a JSONValue.
type JSONKind byte

// The kinds of JSON values.
const (
	JSONNull JSONKind = iota
	JSONFalse
	JSONTrue
	JSONNumber
	JSONString
	JSONArray
	JSONObject
)

// Kind returns what v is.
func (v JSONValue) Kind() JSONKind {
	if len(v) == 0 {
		return JSONNull
	}
	return JSONKind(v[0])
}

// IsScalar reports whether v is neither an array nor an object.
func (v JSONValue) IsScalar() bool { return v.Kind() < JSONArray }

// Text returns the contents of a string or the digits of a number, aliasing v.
func (v JSONValue) Text() []byte { return v[1:] }

// Numeric returns the value of a number.
func (v JSONValue) Numeric() Numeric {
	n, _ := ParseNumeric(string(v[1:]))
	return n
}

// Len returns the number of elements or members, 0 for scalars.
func (v JSONValue) Len() int {
	if v.IsScalar() {
		return 0
	}
	return int(binary.LittleEndian.Uint32(v[1:]))
}

// u32 returns the i-th number after the count.
func (v JSONValue) u32(i int) int { return int(binary.LittleEndian.Uint32(v[5+4*i:])) }

// Elem returns the i-th element of an array, 0 <= i < Len.
func (v JSONValue) Elem(i int) JSONValue {
	n := v.Len()
	data := v[5+4*n:]
	start := 0
	if i > 0 {
		start = v.u32(i - 1)
	}
	return data[start:v.u32(i)]
}

// Member returns the i-th member of an object in the order of its keys.
func (v JSONValue) Member(i int) (key []byte, value JSONValue) {
	n := v.Len()
	return v.key(i, n), v.member(i, n)
}

func (v JSONValue) key(i, n int) []byte {
	keys := v[5+8*n:]
	start := 0
	if i > 0 {
		start = v.u32(i - 1)
	}
	return keys[start:v.u32(i)]
}

func (v JSONValue) member(i, n int) JSONValue {
	values := v[5+8*n+v.u32(n-1):]
	start := 0
	if i > 0 {
		start = v.u32(n + i - 1)
	}
	return values[start:v.u32(n+i)]
}

// Get returns the member of an object with the key.
func (v JSONValue) Get(key string) (JSONValue, bool) {
	if v.Kind() != JSONObject {
		return nil, false
	}
	n := v.Len()
	i := sort.Search(n, func(i int) bool { return compareKeys(v.key(i, n), key) >= 0 })
	if i < n && string(v.key(i, n)) == key {
		return v.member(i, n), true
	}
	return nil, false
}

// compareKeys orders keys by length, then bytes.
func compareKeys[A, B string | []byte](a A, b B) int {
	if len(a) != len(b) {
		return cmpInt(int64(len(a)), int64(len(b)))
	}
	switch {
	case string(a) < string(b):
		return -1
	case string(a) > string(b):
		return 1
	}
	return 0
}

// Index returns the i-th element of an array, counted from the end if negative.
func (v JSONValue) Index(i int) (JSONValue, bool) {
	if v.Kind() != JSONArray {
		return nil, false
	}
	n := v.Len()
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return nil, false
	}
	return v.Elem(i), true
}

// PathStep returns the member of an object, or of an array if the text is an integer.
func (v JSONValue) PathStep(step string) (JSONValue, bool) {
	if v.Kind() == JSONArray {
		i, err := strconv.Atoi(step)
		if err != nil {
			return nil, false
		}
		return v.Index(i)
	}
	return v.Get(step)
}

// JSONScalar returns a null or boolean.
func JSONScalar(k JSONKind) JSONValue { return JSONValue{byte(k)} }

// JSONFromBool returns a boolean.
func JSONFromBool(b bool) JSONValue {
	if b {
		return JSONScalar(JSONTrue)
	}
	return JSONScalar(JSONFalse)
}

// JSONFromString returns a string.
func JSONFromString[S string | []byte](s S) JSONValue {
	v := make(JSONValue, 0, len(s)+1)
	return append(append(v, byte(JSONString)), s...)
}

// JSONFromNumeric returns a finite number.
func JSONFromNumeric(n Numeric) JSONValue {
	return n.AppendText(JSONValue{byte(JSONNumber)})
}

// JSONFromArray returns an array of the elements.
func JSONFromArray(elems []JSONValue) JSONValue {
	size := 5 + 4*len(elems)
	for _, e := range elems {
		size += len(e)
	}
	v := make(JSONValue, 0, size)
	v = append(v, byte(JSONArray))
	v = binary.LittleEndian.AppendUint32(v, uint32(len(elems)))
	end := 0
	for _, e := range elems {
		end += len(e)
		v = binary.LittleEndian.AppendUint32(v, uint32(end))
	}
	for _, e := range elems {
		v = append(v, e...)
	}
	return v
}

// JSONMember is a member of an object under construction.
type JSONMember struct {
	Key   string
	Value JSONValue
}

// JSONFromMembers returns an object; of equal keys the last counts. It reorders
// members.
func JSONFromMembers(members []JSONMember) JSONValue {
	slices.SortStableFunc(members, func(a, b JSONMember) int { return compareKeys(a.Key, b.Key) })
	kept := members[:0]
	for i, m := range members {
		if i+1 < len(members) && members[i+1].Key == m.Key {
			continue
		}
		kept = append(kept, m)
	}
	size := 5 + 8*len(kept)
	for _, m := range kept {
		size += len(m.Key) + len(m.Value)
	}
	v := make(JSONValue, 0, size)
	v = append(v, byte(JSONObject))
	v = binary.LittleEndian.AppendUint32(v, uint32(len(kept)))
	end := 0
	for _, m := range kept {
		end += len(m.Key)
		v = binary.LittleEndian.AppendUint32(v, uint32(end))
	}
	end = 0
	for _, m := range kept {
		end += len(m.Value)
		v = binary.LittleEndian.AppendUint32(v, uint32(end))
	}
	for _, m := range kept {
		v = append(v, m.Key...)
	}
	for _, m := range kept {
		v = append(v, m.Value...)
	}
	return v
}

// Members returns the members of an object, aliasing v.
func (v JSONValue) Members() []JSONMember {
	out := make([]JSONMember, v.Len())
	for i := range out {
		k, m := v.Member(i)
		out[i] = JSONMember{Key: string(k), Value: m}
	}
	return out
}

// Elems returns the elements of an array, aliasing v.
func (v JSONValue) Elems() []JSONValue {
	out := make([]JSONValue, v.Len())
	for i := range out {
		out[i] = v.Elem(i)
	}
	return out
}

// rank is the order of kinds among each other: Object > Array > Boolean > Number >
// String > Null.
func (v JSONValue) rank() int {
	return [...]int{JSONNull: 0, JSONString: 1, JSONNumber: 2, JSONFalse: 3, JSONTrue: 3, JSONArray: 4, JSONObject: 5}[v.Kind()]
}

// Compare orders JSON values as PostgreSQL's btree operators do.
func (v JSONValue) Compare(w JSONValue) int {
	if v.Kind() != w.Kind() {
		if a, b := v.rank(), w.rank(); a != b {
			// An empty array is, for historical reasons, less than everything.
			return cmpInt(int64(v.rankTop()), int64(w.rankTop()))
		}
		return cmpInt(int64(v.Kind()), int64(w.Kind()))
	}
	switch v.Kind() {
	case JSONString:
		return bytes.Compare(v.Text(), w.Text())
	case JSONNumber:
		return sign(v.Numeric().Cmp(w.Numeric()))
	case JSONArray:
		n := v.Len()
		if c := cmpInt(int64(n), int64(w.Len())); c != 0 {
			return c
		}
		for i := range n {
			if c := v.Elem(i).Compare(w.Elem(i)); c != 0 {
				return c
			}
		}
	case JSONObject:
		n := v.Len()
		if c := cmpInt(int64(n), int64(w.Len())); c != 0 {
			return c
		}
		for i := range n {
			if c := bytes.Compare(v.key(i, n), w.key(i, n)); c != 0 {
				return c
			}
			if c := v.member(i, n).Compare(w.member(i, n)); c != 0 {
				return c
			}
		}
	}
	return 0
}

func (v JSONValue) rankTop() int {
	if v.Kind() == JSONArray && v.Len() == 0 {
		return -1
	}
	return v.rank()
}

// Contains reports whether v contains w (the operator @>).
func (v JSONValue) Contains(w JSONValue) bool {
	switch {
	case v.Kind() == JSONArray && w.IsScalar():
		// At top level only, an array contains a scalar that it has.
		return v.hasScalar(w)
	case v.Kind() != w.Kind():
		return false
	}
	return v.contains(w)
}

func (v JSONValue) hasScalar(w JSONValue) bool {
	for i := range v.Len() {
		if e := v.Elem(i); e.Kind() == w.Kind() && e.Compare(w) == 0 {
			return true
		}
	}
	return false
}

// contains is containment of values of the same kind.
func (v JSONValue) contains(w JSONValue) bool {
	switch v.Kind() {
	case JSONObject:
		n := w.Len()
		for i := range n {
			m, ok := v.Get(string(w.key(i, n)))
			x := w.member(i, n)
			if !ok || m.Kind() != x.Kind() || !m.contains(x) {
				return false
			}
		}
		return true
	case JSONArray:
		for i := range w.Len() {
			x := w.Elem(i)
			found := false
			for j := range v.Len() {
				e := v.Elem(j)
				if e.Kind() == x.Kind() && e.contains(x) {
					found = true
					break
				}
			}
			if !found {
				return false
			}
		}
		return true
	}
	return v.Compare(w) == 0
}

func (v JSONValue) hash(seed uint64) uint64 {
	h := mix(seed, uint64(v.Kind()))
	switch v.Kind() {
	case JSONString:
		return HashBytes(h, v.Text())
	case JSONNumber:
		return v.Numeric().hash(h)
	case JSONArray:
		for i := range v.Len() {
			h = v.Elem(i).hash(h)
		}
	case JSONObject:
		n := v.Len()
		for i := range n {
			h = v.member(i, n).hash(HashBytes(h, v.key(i, n)))
		}
	}
	return h
}

// AppendText appends v as PostgreSQL prints jsonb: a space after colons and commas.
func (v JSONValue) AppendText(dst []byte) []byte {
	switch v.Kind() {
	case JSONNull:
		return append(dst, "null"...)
	case JSONFalse:
		return append(dst, "false"...)
	case JSONTrue:
		return append(dst, "true"...)
	case JSONNumber:
		return append(dst, v.Text()...)
	case JSONString:
		return AppendJSONString(dst, v.Text())
	case JSONArray:
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = v.Elem(i).AppendText(dst)
		}
		return append(dst, ']')
	}
	dst = append(dst, '{')
	n := v.Len()
	for i := range n {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = AppendJSONString(dst, v.key(i, n))
		dst = append(dst, ": "...)
		dst = v.member(i, n).AppendText(dst)
	}
	return append(dst, '}')
}

// AppendPretty appends v over several lines, as jsonb_pretty does.
func (v JSONValue) AppendPretty(dst []byte, indent int) []byte {
	newline := func(n int) {
		dst = append(dst, '\n')
		for range n {
			dst = append(dst, "    "...)
		}
	}
	switch v.Kind() {
	case JSONArray:
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			newline(indent + 1)
			dst = v.Elem(i).AppendPretty(dst, indent+1)
		}
		newline(indent)
		return append(dst, ']')
	case JSONObject:
		dst = append(dst, '{')
		n := v.Len()
		for i := range n {
			if i > 0 {
				dst = append(dst, ',')
			}
			newline(indent + 1)
			dst = AppendJSONString(dst, v.key(i, n))
			dst = append(dst, ": "...)
			dst = v.member(i, n).AppendPretty(dst, indent+1)
		}
		newline(indent)
		return append(dst, '}')
	}
	return v.AppendText(dst)
}

// AppendJSONString appends s in quotes with JSON's escapes.
func AppendJSONString[S string | []byte](dst []byte, s S) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// ValidJSONValue checks bytes that claim to be a JSONValue, such as those read from
// disk, so that the accessors cannot go out of bounds.
func ValidJSONValue(b []byte) error {
	bad := sqlstate.New(sqlstate.DataCorrupted, "malformed jsonb value")
	if len(b) == 0 {
		return bad
	}
	v := JSONValue(b)
	switch v.Kind() {
	case JSONNull, JSONFalse, JSONTrue:
		if len(b) != 1 {
			return bad
		}
		return nil
	case JSONNumber:
		// Only the form that is stored: a value must print as its bytes.
		if n, err := ParseNumeric(string(b[1:])); err != nil || !n.IsFinite() || string(n.AppendText(nil)) != string(b[1:]) {
			return bad
		}
		return nil
	case JSONString:
		return nil
	case JSONArray, JSONObject:
	default:
		return bad
	}
	if len(b) < 5 {
		return bad
	}
	n, per := v.Len(), 4
	if v.Kind() == JSONObject {
		per = 8
	}
	if n > (len(b)-5)/per {
		return bad
	}
	rest := len(b) - 5 - per*n
	ends := func(first int) int {
		prev := 0
		for i := range n {
			e := v.u32(first + i)
			if e < prev || e > rest {
				return -1
			}
			prev = e
		}
		rest -= prev
		return prev
	}
	if v.Kind() == JSONObject {
		if ends(0) < 0 || ends(n) < 0 || rest != 0 {
			return bad
		}
		for i := range n {
			if i > 0 && compareKeys(v.key(i-1, n), v.key(i, n)) >= 0 {
				return bad
			}
			if err := ValidJSONValue(v.member(i, n)); err != nil {
				return err
			}
		}
		return nil
	}
	if ends(0) < 0 || rest != 0 {
		return bad
	}
	for i := range n {
		if err := ValidJSONValue(v.Elem(i)); err != nil {
			return err
		}
	}
	return nil
}
