package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/spanlite/spanlite/sql/types"
)

// A descriptor row is
//
//	+-----------+---------+--------- ...
//	| format u8 | kind u8 | fields
//	+-----------+---------+--------- ...
//
// and a field is
//
//	+--------------------------------+------------------------------------+
//	| uvarint: number << 1 | bytes?  | uvarint value                      |  integers (signed: zigzag), booleans
//	|                                | uvarint length, contents           |  strings, bytes, types, structs
//	+--------------------------------+------------------------------------+
//
// Numbers are the d tags of the Go structs. Fields with zero values are left
// out. A slice is its elements, each as a field of the slice's number, in order.
// A struct's contents are its fields; a type's are uvarint OID and zigzag type
// modifier. Readers skip numbers that they do not know, so that nodes of
// neighbouring releases read each other's rows; a number is never reused with
// another meaning.
//
// A version row (table 3) is format u8, uvarint version.

const (
	descriptorFormat = 1
	versionFormat    = 1
)

var errDescriptor = errors.New("catalog: malformed descriptor")

// EncodeDescriptor returns the row of a descriptor.
func EncodeDescriptor(d Descriptor) []byte {
	b := append(make([]byte, 0, 512), descriptorFormat, byte(d.DescKind()))
	return appendStruct(b, reflect.ValueOf(d).Elem())
}

// DecodeDescriptor is the inverse of EncodeDescriptor. User-defined types of
// columns are placeholders that carry the OID only, until a Snapshot or
// Collection takes the descriptor in.
func DecodeDescriptor(b []byte) (Descriptor, error) {
	if len(b) < 2 {
		return nil, errDescriptor
	}
	if b[0] != descriptorFormat {
		return nil, fmt.Errorf("catalog: descriptor has format %d, this release reads %d", b[0], descriptorFormat)
	}
	var d Descriptor
	switch Kind(b[1]) {
	case KindDatabase:
		d = new(Database)
	case KindSchema:
		d = new(Schema)
	case KindTable:
		d = new(Table)
	case KindView:
		d = new(View)
	case KindSequence:
		d = new(Sequence)
	case KindType:
		d = new(Type)
	case KindRole:
		d = new(Role)
	default:
		return nil, fmt.Errorf("catalog: descriptor of unknown kind %d", b[1])
	}
	if err := decodeStruct(b[2:], reflect.ValueOf(d).Elem(), 0); err != nil {
		return nil, err
	}
	if t, ok := d.(*Table); ok {
		if err := t.check(); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// check verifies what the methods of Table rely on.
func (t *Table) check() error {
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Num != AttNum(i+1) && !(c.Num == RowIDNum && i == len(t.Columns)-1) {
			return fmt.Errorf("catalog: table %d has column number %d at position %d", t.ID, c.Num, i)
		}
		if c.Type == nil && !c.Dropped {
			return fmt.Errorf("catalog: column %q of table %d has no type", c.Name, t.ID)
		}
	}
	for x := range t.AllIndexes {
		for i := range x.Columns {
			if k := &x.Columns[i]; k.Num == 0 && (k.Expr == nil || k.Type == nil) || k.Num != 0 && t.Column(k.Num) == nil {
				return fmt.Errorf("catalog: index %q of table %d has a bad key column", x.Name, t.ID)
			}
		}
		for _, num := range x.Include {
			if t.Column(num) == nil {
				return fmt.Errorf("catalog: index %q of table %d includes a column that is not there", x.Name, t.ID)
			}
		}
	}
	return nil
}

func encodeVersion(v uint32) []byte {
	return binary.AppendUvarint([]byte{versionFormat}, uint64(v))
}

func decodeVersion(key, value []byte) (ID, uint32, error) {
	if len(key) != 13 || len(value) < 2 || value[0] != versionFormat {
		return 0, 0, fmt.Errorf("catalog: bad version row %x = %x", key, value)
	}
	v, n := binary.Uvarint(value[1:])
	if n <= 0 || v > 1<<32-1 {
		return 0, 0, fmt.Errorf("catalog: bad version row %x = %x", key, value)
	}
	return ID(binary.BigEndian.Uint32(key[9:])), uint32(v), nil
}

// layout is what the codec knows of a struct type: its tagged fields by number.
type layout struct {
	fields []field // in ascending number
	byNum  map[uint64]int
}

type field struct {
	num   uint64
	index int
}

var layouts sync.Map // reflect.Type -> *layout

func layoutOf(t reflect.Type) *layout {
	if l, ok := layouts.Load(t); ok {
		return l.(*layout)
	}
	l := &layout{byNum: map[uint64]int{}}
	for i := range t.NumField() {
		tag := t.Field(i).Tag.Get("d")
		if tag == "" {
			continue
		}
		var num uint64
		if _, err := fmt.Sscanf(tag, "%d", &num); err != nil || num == 0 {
			panic(fmt.Sprintf("catalog: bad tag %q in %s", tag, t))
		}
		if _, dup := l.byNum[num]; dup {
			panic(fmt.Sprintf("catalog: tag %d twice in %s", num, t))
		}
		l.byNum[num] = i
		l.fields = append(l.fields, field{num, i})
	}
	got, _ := layouts.LoadOrStore(t, l)
	return got.(*layout)
}

var typeOfT = reflect.TypeFor[*types.T]()

func appendStruct(b []byte, v reflect.Value) []byte {
	for _, f := range layoutOf(v.Type()).fields {
		b = appendField(b, f.num, v.Field(f.index), false)
	}
	return b
}

// appendField appends a field; element says that v is an element of a slice,
// whose zero values count.
func appendField(b []byte, num uint64, v reflect.Value, element bool) []byte {
	if !element && v.IsZero() {
		return b
	}
	switch k := v.Kind(); k {
	case reflect.Bool:
		n := uint64(0)
		if v.Bool() {
			n = 1
		}
		return binary.AppendUvarint(binary.AppendUvarint(b, num<<1), n)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return binary.AppendUvarint(binary.AppendUvarint(b, num<<1), v.Uint())
	case reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.AppendVarint(binary.AppendUvarint(b, num<<1), v.Int())
	case reflect.String:
		return append(appendLen(b, num, v.Len()), v.String()...)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return append(appendLen(b, num, v.Len()), v.Bytes()...)
		}
		for i := range v.Len() {
			b = appendField(b, num, v.Index(i), true)
		}
		return b
	case reflect.Struct:
		body := appendStruct(nil, v)
		return append(appendLen(b, num, len(body)), body...)
	case reflect.Pointer:
		var body []byte
		if v.Type() == typeOfT {
			if v.IsNil() {
				return b
			}
			t := v.Interface().(*types.T)
			body = binary.AppendVarint(binary.AppendUvarint(nil, uint64(t.OID)), int64(t.Typmod))
		} else {
			body = appendStruct(nil, v.Elem())
		}
		return append(appendLen(b, num, len(body)), body...)
	default:
		panic(fmt.Sprintf("catalog: cannot encode %s", v.Type()))
	}
}

func appendLen(b []byte, num uint64, n int) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, num<<1|1), uint64(n))
}

const maxDepth = 8

func decodeStruct(b []byte, v reflect.Value, depth int) error {
	if depth > maxDepth {
		return errDescriptor
	}
	l := layoutOf(v.Type())
	for len(b) > 0 {
		head, n := binary.Uvarint(b)
		if n <= 0 {
			return errDescriptor
		}
		b = b[n:]
		num, hasBytes := head>>1, head&1 != 0
		u, n := binary.Uvarint(b)
		if n <= 0 {
			return errDescriptor
		}
		raw := b[:n]
		b = b[n:]
		var body []byte
		if hasBytes {
			if u > uint64(len(b)) {
				return errDescriptor
			}
			body, b = b[:u], b[u:]
		}
		i, known := l.byNum[num]
		if !known {
			continue
		}
		if err := decodeField(v.Field(i), hasBytes, raw, u, body, depth); err != nil {
			return err
		}
	}
	return nil
}

func decodeField(f reflect.Value, hasBytes bool, raw []byte, u uint64, body []byte, depth int) error {
	k := f.Kind()
	if k == reflect.Slice && f.Type().Elem().Kind() != reflect.Uint8 {
		el := reflect.New(f.Type().Elem()).Elem()
		if err := decodeField(el, hasBytes, raw, u, body, depth); err != nil {
			return err
		}
		f.Set(reflect.Append(f, el))
		return nil
	}
	wantBytes := k == reflect.String || k == reflect.Slice || k == reflect.Struct || k == reflect.Pointer
	if wantBytes != hasBytes {
		return errDescriptor
	}
	switch k {
	case reflect.Bool:
		f.SetBool(u != 0)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if f.OverflowUint(u) {
			return errDescriptor
		}
		f.SetUint(u)
	case reflect.Int16, reflect.Int32, reflect.Int64:
		i, n := binary.Varint(raw)
		if n <= 0 || f.OverflowInt(i) {
			return errDescriptor
		}
		f.SetInt(i)
	case reflect.String:
		f.SetString(string(body))
	case reflect.Slice:
		f.SetBytes(append([]byte{}, body...))
	case reflect.Struct:
		return decodeStruct(body, f, depth+1)
	case reflect.Pointer:
		if f.Type() != typeOfT {
			f.Set(reflect.New(f.Type().Elem()))
			return decodeStruct(body, f.Elem(), depth+1)
		}
		oid, n := binary.Uvarint(body)
		if n <= 0 || oid > 1<<32-1 {
			return errDescriptor
		}
		typmod, m := binary.Varint(body[n:])
		if m <= 0 || typmod != int64(int32(typmod)) {
			return errDescriptor
		}
		t := types.ByOID(types.OID(oid))
		if t == nil {
			if ID(oid) < FirstUserID {
				return fmt.Errorf("catalog: unknown built-in type %d", oid)
			}
			// A placeholder until resolveType.
			t = &types.T{OID: types.OID(oid), Typmod: -1, Family: types.FamInt}
		}
		f.Set(reflect.ValueOf(t.WithTypmod(int32(typmod))))
	}
	return nil
}

// deepCopy copies src to dst: slices and pointers are duplicated, except types,
// which are immutable. Untagged fields are left alone.
func deepCopy(dst, src reflect.Value) {
	switch src.Kind() {
	case reflect.Struct:
		for _, f := range layoutOf(src.Type()).fields {
			deepCopy(dst.Field(f.index), src.Field(f.index))
		}
	case reflect.Slice:
		if src.IsNil() {
			return
		}
		s := reflect.MakeSlice(src.Type(), src.Len(), src.Len())
		for i := range src.Len() {
			deepCopy(s.Index(i), src.Index(i))
		}
		dst.Set(s)
	case reflect.Pointer:
		if src.IsNil() || src.Type() == typeOfT {
			dst.Set(src)
			return
		}
		p := reflect.New(src.Type().Elem())
		deepCopy(p.Elem(), src.Elem())
		dst.Set(p)
	default:
		dst.Set(src)
	}
}

func clone[T any](src *T) *T {
	dst := new(T)
	deepCopy(reflect.ValueOf(dst).Elem(), reflect.ValueOf(src).Elem())
	return dst
}

// Clone returns a deep copy that may be changed.
func (d *Database) Clone() Descriptor { return clone(d) }

// Clone returns a deep copy that may be changed.
func (s *Schema) Clone() Descriptor { return clone(s) }

// Clone returns a deep copy that may be changed.
func (r *Role) Clone() Descriptor { return clone(r) }

// Clone returns a deep copy that may be changed.
func (t *Type) Clone() Descriptor {
	u := clone(t)
	u.t = t.t
	return u
}

// Clone returns a deep copy that may be changed.
func (v *View) Clone() Descriptor { return clone(v) }

// Clone returns a deep copy that may be changed.
func (s *Sequence) Clone() Descriptor { return clone(s) }

// Clone returns a deep copy that may be changed. It is not published: it has no
// users and caches nothing.
func (t *Table) Clone() Descriptor { return clone(t) }
