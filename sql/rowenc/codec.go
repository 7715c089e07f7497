package rowenc

import (
	"encoding/binary"
	"fmt"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

const (
	rowVersion   = 1
	entryVersion = 1
)

// Codec codes the rows of one version of a table. Immutable; safe for concurrent
// use.
type Codec struct {
	Table *catalog.Table
	// columns has an element per column by number (Num-1); the hidden row id has none.
	columns []columnLayout
	// fixedEnd[n] and variableEnd[n] are the size of the fixed section and the number
	// of variable columns of a row written when the table had n columns.
	fixedEnd    []int
	variableEnd []int
	primary     *indexLayout
	byID        map[uint32]*indexLayout
}

// columnLayout says where a column lies in a row value.
type columnLayout struct {
	t *types.T
	// inKey: the column is read from the primary key and has no place here.
	inKey bool
	// offset in the fixed section and width; or, with width 0, the number of the
	// variable column.
	offset, width int
	missing       types.Datum
}

// indexLayout is what the codec knows of an index.
type indexLayout struct {
	x      *catalog.Index
	prefix []byte
	cols   []keyColumn
	// extra are the ordinals stored in an entry's value, in order.
	extra []int
}

type keyColumn struct {
	t    *types.T
	kind keyKind
	desc bool
	// ord is the ordinal of the column, -1 for an expression.
	ord        int
	nullsFirst bool
}

// Of returns the codec of a table version, which is made once.
func Of(t *catalog.Table) *Codec {
	return t.Aux(catalog.AuxRowCodec, func() any { return newCodec(t) }).(*Codec)
}

func newCodec(t *catalog.Table) *Codec {
	c := &Codec{Table: t, byID: map[uint32]*indexLayout{}}
	c.primary = c.layout(&t.Primary)
	for i := range t.Indexes {
		c.byID[t.Indexes[i].ID] = c.layout(&t.Indexes[i])
	}
	inKey := map[int]bool{}
	for _, k := range c.primary.cols {
		if k.kind.exact() {
			inKey[k.ord] = true
		}
	}
	offset, variable := 0, 0
	c.fixedEnd, c.variableEnd = []int{0}, []int{0}
	for i := range t.Columns {
		col := &t.Columns[i]
		if col.Num <= 0 {
			continue
		}
		l := columnLayout{t: col.Type, inKey: inKey[i]}
		if l.missing, _ = DecodeMissing(col.Type, col.Missing); !l.inKey {
			if w := fixedWidth(col.Type); w > 0 {
				l.offset, l.width = offset, w
				offset += w
			} else {
				l.offset = variable
				variable++
			}
		}
		c.columns = append(c.columns, l)
		c.fixedEnd = append(c.fixedEnd, offset)
		c.variableEnd = append(c.variableEnd, variable)
	}
	return c
}

func (c *Codec) layout(x *catalog.Index) *indexLayout {
	t := c.Table
	l := &indexLayout{x: x, prefix: keys.IndexPrefix(nil, uint32(t.ID), x.ID)}
	for i := range x.Columns {
		col := &x.Columns[i]
		k := keyColumn{t: col.Type, ord: -1, desc: col.Desc, nullsFirst: col.NullsFirst}
		if col.Num != 0 {
			k.ord = t.MustOrdinal(col.Num)
			k.t = t.Columns[k.ord].Type
		}
		k.kind = kindOf(k.t)
		l.cols = append(l.cols, k)
		if x != &t.Primary && k.ord >= 0 && !k.kind.exact() {
			l.extra = append(l.extra, k.ord)
		}
	}
	for _, num := range x.Include {
		l.extra = append(l.extra, t.MustOrdinal(num))
	}
	return l
}

// index returns the layout of an index, also of one that the table version does
// not list (while it is being made).
func (c *Codec) index(x *catalog.Index) *indexLayout {
	if x == &c.Table.Primary || x.ID == c.Table.Primary.ID {
		return c.primary
	}
	if l := c.byID[x.ID]; l != nil {
		return l
	}
	return c.layout(x)
}

// AppendPrefix appends the prefix of an index's keys.
func (c *Codec) AppendPrefix(dst []byte, x *catalog.Index) []byte {
	return append(dst, c.index(x).prefix...)
}

// AppendKeyColumn appends the i-th key column of an index.
func (c *Codec) AppendKeyColumn(dst []byte, x *catalog.Index, i int, d types.Datum) ([]byte, error) {
	l := c.index(x)
	if i >= len(l.cols) {
		// The primary key's columns follow those of a secondary index.
		k := &c.primary.cols[i-len(l.cols)]
		return AppendKey(dst, k.t, d, k.desc, k.nullsFirst)
	}
	k := &l.cols[i]
	return AppendKey(dst, k.t, d, k.desc, k.nullsFirst)
}

// AppendRowKey appends the key of a row, which is by ordinal.
func (c *Codec) AppendRowKey(dst []byte, row types.Row) ([]byte, error) {
	return c.appendPrimary(append(dst, c.primary.prefix...), row)
}

func (c *Codec) appendPrimary(dst []byte, row types.Row) ([]byte, error) {
	var err error
	for i := range c.primary.cols {
		k := &c.primary.cols[i]
		if dst, err = AppendKey(dst, k.t, row[k.ord], k.desc, k.nullsFirst); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// AppendRow appends the value of a row, which is by ordinal.
func (c *Codec) AppendRow(dst []byte, row types.Row) []byte {
	n := len(c.columns)
	dst = append(dst, rowVersion)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
	bitmap := len(dst)
	fixed := bitmap + (n+7)/8
	ends := fixed + c.fixedEnd[n]
	data := ends + 4*c.variableEnd[n]
	dst = appendZeros(dst, data-len(dst))
	v := 0
	for i := range c.columns {
		l := &c.columns[i]
		if l.inKey {
			continue
		}
		d := row[i]
		null := d.IsNull()
		if null {
			dst[bitmap+i/8] |= 1 << (i % 8)
		}
		if l.width > 0 {
			if !null {
				putFixed(dst[fixed+l.offset:fixed+l.offset+l.width], l.t, d)
			}
			continue
		}
		if !null {
			dst = appendVariable(dst, l.t, d)
		}
		binary.LittleEndian.PutUint32(dst[ends+4*v:], uint32(len(dst)-data))
		v++
	}
	return dst
}

func appendZeros(dst []byte, n int) []byte {
	const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	for ; n > len(zeros); n -= len(zeros) {
		dst = append(dst, zeros...)
	}
	return append(dst, zeros[:n]...)
}

// Entry appends key and value of a row's entry in a secondary index. Values are
// those of the index columns. Exclusive says that a different row with an entry
// of the same key violates uniqueness.
func (c *Codec) Entry(key, value []byte, x *catalog.Index, values []types.Datum, row types.Row) (k, v []byte, exclusive bool, err error) {
	l := c.index(x)
	key = append(key, l.prefix...)
	null := false
	for i := range l.cols {
		col := &l.cols[i]
		null = null || values[i].IsNull()
		if key, err = AppendKey(key, col.t, values[i], col.desc, col.nullsFirst); err != nil {
			return nil, nil, false, err
		}
	}
	exclusive = x.Unique && (!null || x.NullsNotDistinct)
	if !exclusive {
		if key, err = c.appendPrimary(key, row); err != nil {
			return nil, nil, false, err
		}
	}
	value = append(value, entryVersion)
	if x.Unique {
		var buf [64]byte
		pk, err := c.appendPrimary(buf[:0], row)
		if err != nil {
			return nil, nil, false, err
		}
		value = binary.AppendUvarint(value, uint64(len(pk)))
		value = append(value, pk...)
	} else {
		value = append(value, 0)
	}
	for _, ord := range l.extra {
		d := row[ord]
		if d.IsNull() {
			value = append(value, 0)
			continue
		}
		var buf [64]byte
		b := appendAny(buf[:0], c.Table.Columns[ord].Type, d)
		value = binary.AppendUvarint(value, uint64(len(b))+1)
		value = append(value, b...)
	}
	return key, value, exclusive, nil
}

// RowKeyOfEntry appends the key of the row that an index entry belongs to.
func (c *Codec) RowKeyOfEntry(dst []byte, x *catalog.Index, key, value []byte) ([]byte, error) {
	pk, err := c.primaryOfEntry(c.index(x), key, value)
	if err != nil {
		return nil, err
	}
	return append(append(dst, c.primary.prefix...), pk...), nil
}

// primaryOfEntry returns the encoded primary key columns of an entry.
func (c *Codec) primaryOfEntry(l *indexLayout, key, value []byte) ([]byte, error) {
	pk, _, err := splitEntry(value)
	if err != nil {
		return nil, err
	}
	if len(pk) > 0 {
		return pk, nil
	}
	at := len(l.prefix)
	for i := range l.cols {
		if at > len(key) {
			return nil, errTruncated
		}
		n, err := skipKey(key[at:], l.cols[i].t, l.cols[i].kind, l.cols[i].desc)
		if err != nil {
			return nil, err
		}
		at += n
	}
	return key[at:], nil
}

// splitEntry returns the primary key bytes and the extra columns of an entry's
// value.
func splitEntry(value []byte) (pk, extra []byte, err error) {
	if len(value) == 0 || value[0] != entryVersion {
		return nil, nil, fmt.Errorf("rowenc: index entry of unknown version")
	}
	n, k := binary.Uvarint(value[1:])
	if k <= 0 || n > uint64(len(value)-1-k) {
		return nil, nil, fmt.Errorf("rowenc: malformed index entry")
	}
	rest := value[1+k:]
	return rest[:n], rest[n:], nil
}

// DecodeRow decodes all columns of a row into dst, by ordinal. Values alias key
// and value.
func (c *Codec) DecodeRow(dst types.Row, key, value []byte) error {
	d := c.NewDecoder(&c.Table.Primary, nil)
	for i := range c.Table.Columns {
		v, err := d.column(i, key, value)
		if err != nil {
			return err
		}
		dst[i] = v
	}
	return nil
}
