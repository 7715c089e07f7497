package stats

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// The stored form of a table's statistics, little-endian; f64 is a float, str a uvarint length and bytes:
//
//	+------------+---------+----------+---------------+--------------+----------
//	| version u8 | rows f64| bytes f64| collected i64 | columns u16  | column ...
//	+------------+---------+----------+---------------+--------------+----------
//
//	column: num i16, null f64, distinct f64, width f64, correlation f64,
//	        common u16 { freq f64, value str }, histogram u16 { value str }
//
// A value is the binary form of the column's type. Columns that the table no longer has, or whose
// type has changed, are dropped when read.
const codecVersion = 1

// Encode appends the stored form to dst.
func (t *Table) Encode(dst []byte, table *catalog.Table) []byte {
	dst = append(dst, codecVersion)
	dst = appendFloat(dst, t.Rows)
	dst = appendFloat(dst, t.AvgRowBytes)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.CollectedAt))
	nums := make([]catalog.AttNum, 0, len(t.Columns))
	for n := range t.Columns {
		if table.Column(n) != nil {
			nums = append(nums, n)
		}
	}
	slices.Sort(nums)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(nums)))
	for _, n := range nums {
		c, ct := t.Columns[n], table.Column(n).Type
		dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
		for _, f := range []float64{c.NullFrac, c.Distinct, c.AvgWidth, c.Correlation} {
			dst = appendFloat(dst, f)
		}
		dst = binary.LittleEndian.AppendUint16(dst, uint16(len(c.Common)))
		for _, v := range c.Common {
			dst = appendValue(appendFloat(dst, v.Freq), ct, v.Value)
		}
		dst = binary.LittleEndian.AppendUint16(dst, uint16(len(c.Histogram)))
		for _, v := range c.Histogram {
			dst = appendValue(dst, ct, v)
		}
	}
	return dst
}

func appendFloat(dst []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
}

func appendValue(dst []byte, t *types.T, d types.Datum) []byte {
	b := types.AppendBinary(nil, t, d)
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// Decode reads the stored form of a table's statistics.
func Decode(table *catalog.Table, b []byte) (*Table, error) {
	r := reader{b: b}
	if v := r.bytes(1); v == nil || v[0] != codecVersion {
		return nil, fmt.Errorf("statistics of %q: unknown version", table.Name)
	}
	t := &Table{ID: table.ID, Columns: make(map[catalog.AttNum]*Column)}
	t.Rows, t.AvgRowBytes = r.float(), r.float()
	t.CollectedAt = int64(r.u64())
	for range r.u16() {
		num := catalog.AttNum(int16(r.u16()))
		c := &Column{NullFrac: r.float(), Distinct: r.float(), AvgWidth: r.float(), Correlation: r.float()}
		col := table.Column(num)
		ok := col != nil && !col.Dropped
		value := func() types.Datum {
			v := r.str()
			if !ok || r.bad {
				return types.Null
			}
			d, err := types.ParseBinary(col.Type, slices.Clone(v), types.DefaultSettings())
			if err != nil {
				ok = false // the type has changed
				return types.Null
			}
			return d
		}
		for range r.u16() {
			f := r.float()
			c.Common = append(c.Common, CommonValue{Freq: f, Value: value()})
			if r.bad {
				break
			}
		}
		for range r.u16() {
			c.Histogram = append(c.Histogram, value())
			if r.bad {
				break
			}
		}
		if r.bad {
			break
		}
		if ok {
			t.Columns[num] = c
		}
	}
	if r.bad || len(r.b) != 0 {
		return nil, fmt.Errorf("statistics of %q: malformed", table.Name)
	}
	return t, nil
}

// reader reads the stored form; bad is set when it ends too early.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) float() float64 { return math.Float64frombits(r.u64()) }

func (r *reader) str() []byte {
	n, k := binary.Uvarint(r.b)
	if k <= 0 || n > uint64(len(r.b)-k) {
		r.bad, r.b = true, nil
		return nil
	}
	r.b = r.b[k:]
	return r.bytes(int(n))
}
