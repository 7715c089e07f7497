package rowenc

import (
	"encoding/binary"
	"fmt"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// Decoder reads chosen columns of the rows of an index. Immutable; safe for
// concurrent use.
type Decoder struct {
	c    *Codec
	l    *indexLayout
	ords []int
	// srcs says where each column lies.
	srcs []source
}

// source is where a column of an entry is.
type source struct {
	kind sourceKind
	// index of the key column (fromKey, fromPrimary), of the column (fromRow), or of
	// the extra column (fromExtra).
	index int
	t     *types.T
	// at is the offset of the column in the key if it is the same for every key,
	// else 0.
	at int
}

type sourceKind uint8

const (
	fromRow     sourceKind = iota // the row's value
	fromKey                       // the key's own column
	fromPrimary                   // the primary key columns behind (or in the value)
	fromExtra                     // the entry's value
	fromNothing                   // not in this index
)

// Holds reports whether entries of the index hold the column with the ordinal, so
// that a scan of it needs no look-up of the row.
func (c *Codec) Holds(x *catalog.Index, ord int) bool {
	return c.source(c.index(x), ord).kind != fromNothing
}

// source finds a column.
func (c *Codec) source(l *indexLayout, ord int) source {
	t := c.Table.Columns[ord].Type
	if l == c.primary {
		for i := range l.cols {
			if l.cols[i].ord == ord && l.cols[i].kind.exact() {
				return source{kind: fromKey, index: i, t: t, at: c.constantOffset(l, i)}
			}
		}
		if num := c.Table.Columns[ord].Num; num > 0 {
			return source{kind: fromRow, index: int(num) - 1, t: t}
		}
		return source{kind: fromNothing}
	}
	for i, e := range l.extra {
		if e == ord {
			return source{kind: fromExtra, index: i, t: t}
		}
	}
	for i := range l.cols {
		if l.cols[i].ord == ord {
			return source{kind: fromKey, index: i, t: t}
		}
	}
	for i := range c.primary.cols {
		if c.primary.cols[i].ord == ord && c.primary.cols[i].kind.exact() {
			return source{kind: fromPrimary, index: i, t: t}
		}
	}
	return source{kind: fromNothing}
}

// constantOffset returns where the i-th column of the primary key begins, 0 if
// that differs from row to row. Primary keys have no NULLs.
func (c *Codec) constantOffset(l *indexLayout, i int) int {
	at := len(l.prefix)
	for j := range i {
		switch l.cols[j].kind {
		case keyInt16:
			at += 3
		case keyInt32:
			at += 5
		case keyInt64:
			at += 9
		case keyBool:
			at += 2
		case keyUUID:
			at += 17
		default:
			return 0
		}
	}
	return at
}

// NewDecoder returns a decoder of columns of an index, given by ordinal.
func (c *Codec) NewDecoder(x *catalog.Index, ords []int) *Decoder {
	d := &Decoder{c: c, l: c.index(x), ords: ords}
	for _, ord := range ords {
		d.srcs = append(d.srcs, c.source(d.l, ord))
	}
	return d
}

// Datum reads the i-th of the decoder's columns. The result aliases key or value.
func (d *Decoder) Datum(i int, key, value []byte) (types.Datum, error) {
	return d.read(&d.srcs[i], key, value)
}

// column reads a column by ordinal.
func (d *Decoder) column(ord int, key, value []byte) (types.Datum, error) {
	s := d.c.source(d.l, ord)
	if s.kind == fromNothing {
		return types.Null, nil
	}
	return d.read(&s, key, value)
}

func (d *Decoder) read(s *source, key, value []byte) (types.Datum, error) {
	switch s.kind {
	case fromRow:
		return d.c.rowColumn(s.index, value)
	case fromKey:
		return d.l.keyColumn(key, s.index, s.at)
	case fromPrimary:
		pk, err := d.c.primaryOfEntry(d.l, key, value)
		if err != nil {
			return types.Null, err
		}
		return (&indexLayout{cols: d.c.primary.cols}).keyColumn(pk, s.index, 0)
	case fromExtra:
		return extraColumn(value, s.index, s.t)
	}
	return types.Null, fmt.Errorf("rowenc: index %q does not hold the column", d.l.x.Name)
}

// keyColumn reads the i-th column of a key; at is its place if that is known.
func (l *indexLayout) keyColumn(key []byte, i, at int) (types.Datum, error) {
	if at == 0 {
		at = len(l.prefix)
		for j := range i {
			if at > len(key) {
				return types.Null, errTruncated
			}
			n, err := skipKey(key[at:], l.cols[j].t, l.cols[j].kind, l.cols[j].desc)
			if err != nil {
				return types.Null, err
			}
			at += n
		}
	}
	if at > len(key) {
		return types.Null, errTruncated
	}
	k := &l.cols[i]
	v, _, err := decodeKey(key[at:], k.t, k.kind, k.desc)
	return v, err
}

// rowHeader is where the parts of a row value begin.
type rowHeader struct {
	n                         int
	bitmap, fixed, ends, data int
}

func (c *Codec) header(value []byte) (h rowHeader, err error) {
	if len(value) < 3 || value[0] != rowVersion {
		return h, fmt.Errorf("rowenc: row of unknown version")
	}
	h.n = int(binary.LittleEndian.Uint16(value[1:]))
	if h.n >= len(c.fixedEnd) {
		return h, fmt.Errorf("rowenc: row of %d columns in a table of %d", h.n, len(c.columns))
	}
	h.bitmap = 3
	h.fixed = h.bitmap + (h.n+7)/8
	h.ends = h.fixed + c.fixedEnd[h.n]
	h.data = h.ends + 4*c.variableEnd[h.n]
	if len(value) < h.data {
		return h, fmt.Errorf("rowenc: row of %d bytes is too short", len(value))
	}
	return h, nil
}

// rowColumn reads the column with number i+1 of a row value.
func (c *Codec) rowColumn(i int, value []byte) (types.Datum, error) {
	h, err := c.header(value)
	if err != nil {
		return types.Null, err
	}
	l := &c.columns[i]
	if i >= h.n {
		return l.missing, nil
	}
	if value[h.bitmap+i/8]&(1<<(i%8)) != 0 {
		return types.Null, nil
	}
	if l.width > 0 {
		at := h.fixed + l.offset
		return getFixed(value[at:at+l.width:at+l.width], l.t), nil
	}
	b, err := h.variable(value, l.offset)
	if err != nil {
		return types.Null, err
	}
	return getVariable(b, l.t)
}

// variable returns the bytes of the k-th variable column.
func (h *rowHeader) variable(value []byte, k int) ([]byte, error) {
	from := uint32(0)
	if k > 0 {
		from = binary.LittleEndian.Uint32(value[h.ends+4*(k-1):])
	}
	to := binary.LittleEndian.Uint32(value[h.ends+4*k:])
	if from > to || int(to) > len(value)-h.data {
		return nil, fmt.Errorf("rowenc: malformed row")
	}
	return value[h.data+int(from) : h.data+int(to) : h.data+int(to)], nil
}

// extraColumn reads the k-th extra column of an entry.
func extraColumn(value []byte, k int, t *types.T) (types.Datum, error) {
	_, b, err := splitEntry(value)
	if err != nil {
		return types.Null, err
	}
	for {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w)+1 {
			return types.Null, fmt.Errorf("rowenc: malformed index entry")
		}
		if k == 0 {
			if n == 0 {
				return types.Null, nil
			}
			return getAny(b[w:w+int(n)-1], t)
		}
		k--
		if n > 0 {
			n--
		}
		b = b[w+int(n):]
	}
}

// Fill reads the i-th column of many rows into a vector, which has room for them:
// element j comes from keys[j] and values[j]. Bytes alias the rows.
func (d *Decoder) Fill(i int, ks, values [][]byte, vec *types.Vec) error {
	s := &d.srcs[i]
	if s.kind == fromRow {
		l := &d.c.columns[s.index]
		if l.width > 0 && l.width <= 8 {
			switch l.t.Family {
			case types.FamInt, types.FamBool:
				return d.fillInts(s.index, l, values, vec)
			case types.FamFloat:
				return d.fillFloats(s.index, l, values, vec)
			}
		}
	}
	for j := range values {
		v, err := d.read(s, ks[j], values[j])
		if err != nil {
			return err
		}
		if v.IsNull() {
			vec.SetNull(j)
		} else {
			vec.Set(j, v)
		}
	}
	return nil
}

func (d *Decoder) fillInts(col int, l *columnLayout, values [][]byte, vec *types.Vec) error {
	out := vec.Ints[:len(values)]
	for j, value := range values {
		h, err := d.c.header(value)
		if err != nil {
			return err
		}
		switch {
		case col >= h.n:
			if l.missing.IsNull() {
				vec.SetNull(j)
			} else {
				out[j] = l.missing.Int()
			}
		case value[h.bitmap+col/8]&(1<<(col%8)) != 0:
			vec.SetNull(j)
		default:
			at := h.fixed + l.offset
			out[j] = fixedInt(value[at : at+l.width])
		}
	}
	return nil
}

func (d *Decoder) fillFloats(col int, l *columnLayout, values [][]byte, vec *types.Vec) error {
	out := vec.Floats[:len(values)]
	for j, value := range values {
		h, err := d.c.header(value)
		if err != nil {
			return err
		}
		switch {
		case col >= h.n:
			if l.missing.IsNull() {
				vec.SetNull(j)
			} else {
				out[j] = l.missing.Float()
			}
		case value[h.bitmap+col/8]&(1<<(col%8)) != 0:
			vec.SetNull(j)
		default:
			at := h.fixed + l.offset
			out[j] = fixedFloat(value[at : at+l.width])
		}
	}
	return nil
}
