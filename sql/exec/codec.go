package exec

import (
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/rowenc"
	"github.com/spanlite/spanlite/sql/types"
)

// tableCodec is a table's row codec as the executor uses it.
type tableCodec struct{ *rowenc.Codec }

func codecOf(t *catalog.Table) *tableCodec { return &tableCodec{rowenc.Of(t)} }

// appendKey appends the i-th key column of an index. Types without a key encoding cannot
// be columns of an index, so there is no error to handle.
func (c *tableCodec) appendKey(dst []byte, x *catalog.Index, i int, d types.Datum) []byte {
	out, err := c.AppendKeyColumn(dst, x, i, d)
	if err != nil {
		panic("exec: index " + x.Name + " on a type without a key encoding")
	}
	return out
}

func (c *tableCodec) appendRowKey(dst []byte, row types.Row) ([]byte, error) {
	return c.AppendRowKey(dst, row)
}

func (c *tableCodec) appendRow(dst []byte, row types.Row) ([]byte, error) {
	return c.AppendRow(dst, row), nil
}

func (c *tableCodec) decodeRow(row types.Row, key, value []byte) error {
	return c.DecodeRow(row, key, value)
}

func (c *tableCodec) rowKeyOfEntry(dst []byte, x *catalog.Index, key, value []byte) ([]byte, error) {
	return c.RowKeyOfEntry(dst, x, key, value)
}

func (c *tableCodec) entry(x *catalog.Index, vals []types.Datum, row types.Row) (key, value []byte, exclusive bool, err error) {
	return c.Entry(nil, nil, x, vals, row)
}

// decoder turns up to a batch of packed rows into columns. It first decodes what the conditions
// need, evaluates them, and decodes the rest only for the rows that are left.
type decoder struct {
	codec  *tableCodec
	x      *catalog.Index
	dec    *rowenc.Decoder
	ords   []int
	pos    []int // position among the decoder's columns, -1 for a hidden column
	ts     []*types.T
	filter []expr.Expr
	first  []bool // columns that the conditions use
	out    *types.Batch
	keys   [][]byte
	values [][]byte
}

func newDecoder(t *catalog.Table, x *catalog.Index, ords []int, ts []*types.T, filter []expr.Expr) (*decoder, error) {
	d := &decoder{codec: codecOf(t), x: x, ords: ords, ts: ts, filter: filter, out: newBatch(ts)}
	var real []int
	d.pos = make([]int, len(ords))
	for i, o := range ords {
		d.pos[i] = -1
		if o >= 0 {
			d.pos[i] = len(real)
			real = append(real, o)
		}
	}
	d.dec = d.codec.NewDecoder(x, real)
	if len(filter) > 0 {
		d.first = columnsOf(filter, len(ords))
	}
	return d, nil
}

func (d *decoder) begin()     { d.keys, d.values = d.keys[:0], d.values[:0] }
func (d *decoder) full() bool { return len(d.keys) >= types.BatchSize }
func (d *decoder) len() int   { return len(d.keys) }

func (d *decoder) add(k, v []byte) {
	d.keys, d.values = append(d.keys, k), append(d.values, v)
}

// decode returns the rows added since begin that satisfy the conditions. Contents alias the rows.
func (d *decoder) decode(ec *expr.EvalContext) (*types.Batch, error) {
	b := d.out
	b.N, b.Sel = len(d.keys), nil
	if d.first == nil {
		for i := range d.ords {
			if err := d.column(i); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	for i, use := range d.first {
		if use {
			if err := d.column(i); err != nil {
				return nil, err
			}
		}
	}
	if err := filterBatch(ec, d.filter, b); err != nil {
		return nil, err
	}
	n := b.Len()
	if n == 0 {
		return b, nil
	}
	all := true
	for _, use := range d.first {
		all = all && use
	}
	if all {
		return b, nil
	}
	if b.Sel != nil && 4*n < 3*b.N {
		d.compact()
	}
	for i, use := range d.first {
		if !use {
			if err := d.column(i); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// compact drops the rows that are not selected.
func (d *decoder) compact() {
	b := d.out
	for j, i := range b.Sel {
		d.keys[j], d.values[j] = d.keys[i], d.values[i]
	}
	n := len(b.Sel)
	for c, use := range d.first {
		if !use {
			continue
		}
		v := b.Cols[c]
		// The selection ascends, so values move down only.
		for j, i := range b.Sel {
			v.CopyFrom(j, v, int(i))
		}
		v.Resize(n)
	}
	d.keys, d.values = d.keys[:n], d.values[:n]
	b.N, b.Sel = n, nil
}

// column decodes one column of all rows.
func (d *decoder) column(i int) error {
	v := d.out.Cols[i]
	v.Reset()
	v.Resize(len(d.keys))
	if d.pos[i] >= 0 {
		return d.dec.Fill(d.pos[i], d.keys, d.values, v)
	}
	if d.ords[i] == plan.TableOIDOrd {
		for j := range v.Ints {
			v.Ints[j] = int64(d.codec.Table.ID)
		}
		return nil
	}
	if d.x == &d.codec.Table.Primary {
		copy(v.Bytes, d.keys)
		return nil
	}
	var buf []byte
	for j, k := range d.keys {
		var err error
		if buf, err = d.codec.rowKeyOfEntry(buf[:0], d.x, k, d.values[j]); err != nil {
			return err
		}
		v.SetBytesCopy(j, buf)
	}
	return nil
}
