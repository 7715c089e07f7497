package exec

import (
	"encoding/binary"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

type tableCodec struct{ t *catalog.Table }

func codecOf(t *catalog.Table) *tableCodec { return &tableCodec{t} }

func (c *tableCodec) appendKey(dst []byte, x *catalog.Index, i int, d types.Datum) []byte {
	ic := x.Columns[i]
	if d.IsNull() {
		if ic.NullsFirst {
			return append(dst, 0)
		}
		return append(dst, 0xfe)
	}
	dst = append(dst, 0x10)
	at := len(dst)
	switch d.Family() {
	case types.FamInt, types.FamBool:
		dst = binary.BigEndian.AppendUint64(dst, uint64(d.Int())^1<<63)
	case types.FamFloat, types.FamString, types.FamBpchar:
		for _, b := range d.Bytes() {
			dst = append(dst, b)
			if b == 0 {
				dst = append(dst, 0xff)
			}
		}
		dst = append(dst, 0, 1)
	default:
		dst = types.AppendBinary(dst, c.t.Column(ic.Num).Type, d)
	}
	if ic.Desc {
		for j := at; j < len(dst); j++ {
			dst[j] = ^dst[j]
		}
	}
	return dst
}

func (c *tableCodec) appendRowKey(dst []byte, row types.Row) ([]byte, error) {
	x := &c.t.Primary
	dst = keys.IndexPrefix(dst, uint32(c.t.ID), x.ID)
	for i, ic := range x.Columns {
		dst = c.appendKey(dst, x, i, row[c.t.MustOrdinal(ic.Num)])
	}
	return dst, nil
}

func (c *tableCodec) appendRow(dst []byte, row types.Row) ([]byte, error) {
	for i, d := range row {
		if d.IsNull() {
			dst = binary.AppendUvarint(dst, 0)
			continue
		}
		b := types.AppendBinary(nil, c.t.Columns[i].Type, d)
		dst = binary.AppendUvarint(dst, uint64(len(b)+1))
		dst = append(dst, b...)
	}
	return dst, nil
}

func (c *tableCodec) decodeRow(row types.Row, key, value []byte) error {
	for i := range row {
		row[i] = types.Null
		n, k := binary.Uvarint(value)
		value = value[k:]
		if n == 0 {
			continue
		}
		d, err := types.ParseBinary(c.t.Columns[i].Type, append([]byte(nil), value[:n-1]...), types.DefaultSettings())
		if err != nil {
			return err
		}
		row[i] = d
		value = value[n-1:]
	}
	return nil
}

func (c *tableCodec) rowKeyOfEntry(dst []byte, x *catalog.Index, key, value []byte) ([]byte, error) {
	n := binary.BigEndian.Uint32(value)
	return append(dst, value[4:4+n]...), nil
}

func (c *tableCodec) entry(x *catalog.Index, vals []types.Datum, row types.Row) (key, value []byte, exclusive bool, err error) {
	key = keys.IndexPrefix(nil, uint32(c.t.ID), x.ID)
	exclusive = x.Unique
	for i, d := range vals {
		key = c.appendKey(key, x, i, d)
		if d.IsNull() {
			exclusive = false
		}
	}
	rk, _ := c.appendRowKey(nil, row)
	if !exclusive {
		key = append(key, rk...)
	}
	value = binary.BigEndian.AppendUint32(nil, uint32(len(rk)))
	value = append(value, rk...)
	value, _ = c.appendRow(value, row)
	return key, value, exclusive, nil
}

type decoder struct {
	t            *catalog.Table
	x            *catalog.Index
	ords         []int
	filter       []expr.Expr
	out          *types.Batch
	keys, values [][]byte
}

func newDecoder(t *catalog.Table, x *catalog.Index, ords []int, ts []*types.T, filter []expr.Expr) (*decoder, error) {
	return &decoder{t: t, x: x, ords: ords, filter: filter, out: newBatch(ts)}, nil
}

func (d *decoder) begin()     { d.keys, d.values = d.keys[:0], d.values[:0] }
func (d *decoder) full() bool { return len(d.keys) >= types.BatchSize }
func (d *decoder) len() int   { return len(d.keys) }
func (d *decoder) add(k, v []byte) {
	d.keys, d.values = append(d.keys, k), append(d.values, v)
}

func (d *decoder) decode(ec *expr.EvalContext) (*types.Batch, error) {
	d.out.Reset()
	c := codecOf(d.t)
	row := make(types.Row, len(d.t.Columns))
	for i, k := range d.keys {
		v := d.values[i]
		rk := k
		if d.x != &d.t.Primary {
			n := binary.BigEndian.Uint32(v)
			rk, v = v[4:4+n], v[4+n:]
		}
		if err := c.decodeRow(row, k, v); err != nil {
			return nil, err
		}
		for j, o := range d.ords {
			switch o {
			case plan.RowKeyOrd:
				d.out.Cols[j].Append(types.NewBytes(rk))
			case plan.TableOIDOrd:
				d.out.Cols[j].Append(types.NewInt(int64(d.t.ID)))
			default:
				d.out.Cols[j].Append(row[o])
			}
		}
		d.out.N++
	}
	return d.out, filterBatch(ec, d.filter, d.out)
}
