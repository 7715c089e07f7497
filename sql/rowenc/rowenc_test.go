package rowenc

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// These tests hold the encodings against what they promise: keys order as values
// compare, rows and entries read back as they were written, also by later versions
// of their table, and no bytes make a decoder panic.

// keyTypes are types that keys can hold.
var keyTypes = []*types.T{
	types.Bool, types.Char, types.Int2, types.Int4, types.Int8, types.Oid, types.Float4, types.Float8, types.Text, types.Varchar,
	types.Name, types.Bytea, types.UUID, types.NumericT, types.Bpchar, types.Inet, types.Cidr, types.Date, types.Time,
	types.Timestamp, types.TimestampTZ, types.TimeTZT, types.IntervalT,
	types.ArrayOf(types.Int4), types.ArrayOf(types.Text), types.ArrayOf(types.NumericT), types.ArrayOf(types.Bool), types.ArrayOf(types.Float8),
	types.ArrayOf(types.TimeTZT), types.ArrayOf(types.Inet), types.ArrayOf(types.IntervalT), types.ArrayOf(types.Bpchar),
}

var rowTypes = append(slices.Clone(keyTypes), types.JSONB, types.JSON)

func pick[T any](rng *rand.Rand, vs ...T) T { return vs[rng.IntN(len(vs))] }

func randomInt(rng *rand.Rand, bits int) int64 {
	v := pick(rng, 0, 1, -1, int64(rng.IntN(20))-10, int64(rng.Uint64()), math.MaxInt64, math.MinInt64)
	return v >> (64 - bits)
}

func randomBytes(rng *rand.Rand, alphabet string) []byte {
	b := make([]byte, pick(rng, 0, 1, 2, 3, rng.IntN(12), rng.IntN(60)))
	for i := range b {
		b[i] = alphabet[rng.IntN(len(alphabet))]
	}
	return b
}

// randomDatum returns a value that is not NULL, often one of few so that equal ones
// and neighbours meet.
func randomDatum(rng *rand.Rand, t *types.T) types.Datum {
	switch t.Family {
	case types.FamBool:
		return types.NewBool(rng.IntN(2) == 0)
	case types.FamInt:
		switch t.OID {
		case types.OIDInt2:
			return types.NewInt(randomInt(rng, 16))
		case types.OIDInt4, types.OIDDate:
			return types.NewInt(randomInt(rng, 32))
		case types.OIDOid:
			return types.NewInt(randomInt(rng, 33) & math.MaxUint32)
		case types.OIDChar:
			return types.NewInt(randomInt(rng, 8))
		}
		return types.NewInt(randomInt(rng, 64))
	case types.FamFloat:
		f := pick(rng, 0, math.Copysign(0, -1), 1, -1, math.Inf(1), math.Inf(-1), math.NaN(), math.SmallestNonzeroFloat64, math.MaxFloat64, rng.NormFloat64(), float64(rng.IntN(9)-4)/2)
		if t.OID == types.OIDFloat4 {
			f = float64(float32(f))
		}
		return types.NewFloat(f)
	case types.FamString:
		switch t.OID {
		case types.OIDUUID:
			b := make([]byte, 16)
			for i := range b {
				b[i] = pick(rng, 0, 1, 0xff, byte(rng.Uint32()))
			}
			return types.NewBytes(b)
		case types.OIDBytea:
			return types.NewBytes(randomBytes(rng, "\x00\x00\x01\x02\xfe\xff\xffab"))
		case types.OIDJSON:
			return types.NewString(fmt.Sprintf(`{"a":%d}`, rng.IntN(9)))
		}
		return types.NewBytes(randomBytes(rng, "\x01ab z~\x7f"))
	case types.FamBpchar:
		return types.NewBpchar(string(randomBytes(rng, "ab  ")))
	case types.FamNumeric:
		s := pick(rng, "NaN", "Infinity", "-Infinity", "0", "0.000", "1", "1.0", "-1", "10", "100", "99.99", "-0.001", "0.1", "0.10",
			fmt.Sprint(rng.IntN(2000)-1000), fmt.Sprintf("%d.%0*d", rng.IntN(200)-100, 1+rng.IntN(5), rng.IntN(10)),
			fmt.Sprintf("-%d%d%d.%d", rng.Uint32(), rng.Uint32(), rng.Uint32(), rng.Uint32()), fmt.Sprintf("0.%0*d", 1+rng.IntN(40), 1+rng.IntN(9)),
			fmt.Sprintf("%d%0*d", 1+rng.IntN(9), 1+rng.IntN(40), rng.IntN(99)))
		v, err := types.ParseNumeric(s)
		if err != nil {
			panic(err)
		}
		return types.NewNumeric(v)
	case types.FamInterval:
		return types.NewInterval(types.Interval{Months: int32(rng.IntN(5) - 2), Days: pick(rng, 0, 30, -30, int32(rng.IntN(60)-30)),
			Micros: pick(rng, 0, dayMicros, -dayMicros, rng.Int64N(1000)-500, 30*dayMicros, int64(rng.Uint64())/2)})
	case types.FamTimeTZ:
		return types.NewTimeTZ(types.TimeTZ{Micros: rng.Int64N(24) * 3600e6, Zone: int32(rng.IntN(25)-12) * 3600})
	case types.FamInet:
		n := pick(rng, 4, 16)
		b := make([]byte, n)
		for i := range b {
			b[i] = pick(rng, 0, 0, 10, 0xff, byte(rng.Uint32()))
		}
		addr, _ := netip.AddrFromSlice(b)
		bits := pick(rng, 0, 8, 16, 8*n, rng.IntN(8*n+1))
		if t.OID == types.OIDCidr {
			p, _ := addr.Prefix(bits)
			addr = p.Addr()
		}
		return types.NewInet(addr, bits)
	case types.FamArray:
		elems := make([]types.Datum, rng.IntN(4))
		for i := range elems {
			if rng.IntN(5) > 0 {
				elems[i] = randomDatum(rng, t.Elem)
			}
		}
		a := types.NewArray(t.Elem, elems)
		switch n := int32(len(elems)); {
		case n > 0 && rng.IntN(4) == 0:
			a.Dims[0].Lower = int32(rng.IntN(5) - 2)
		case n > 0 && rng.IntN(4) == 0:
			a.Dims = []types.ArrayDim{{Len: 1, Lower: 1}, {Len: n, Lower: 1}}
		}
		return types.NewArrayDatum(a)
	case types.FamJSONB:
		d, err := types.ParseText(types.JSONB, fmt.Sprintf(`{"a": [%d, "x"], "b": null}`, rng.IntN(9)), types.DefaultSettings())
		if err != nil {
			panic(err)
		}
		return d
	}
	panic("no values of " + t.String())
}

func randomNullable(rng *rand.Rand, t *types.T) types.Datum {
	if rng.IntN(6) == 0 {
		return types.Null
	}
	return randomDatum(rng, t)
}

// compare orders two values as an index column does.
func compare(a, b types.Datum, desc, nullsFirst bool) int {
	switch {
	case a.IsNull() && b.IsNull():
		return 0
	case a.IsNull() != b.IsNull():
		if a.IsNull() == nullsFirst {
			return -1
		}
		return 1
	case desc:
		return types.Compare(b, a)
	}
	return types.Compare(a, b)
}

func TestKeysOrderLikeValues(t *testing.T) {
	for _, typ := range keyTypes {
		t.Run(typ.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(typ.OID)))
			kind := kindOf(typ)
			require.True(t, Indexable(typ))
			for range 3000 {
				desc, nullsFirst := rng.IntN(2) == 0, rng.IntN(2) == 0
				a, b := randomNullable(rng, typ), randomNullable(rng, typ)
				ka, err := AppendKey(nil, typ, a, desc, nullsFirst)
				require.NoError(t, err)
				kb, err := AppendKey(nil, typ, b, desc, nullsFirst)
				require.NoError(t, err)
				require.Equal(t, compare(a, b, desc, nullsFirst), bytes.Compare(ka, kb), "%s and %s, desc %v: %x %x", show(typ, a), show(typ, b), desc, ka, kb)
				// No key is a prefix of another, so that what follows does not disturb.
				require.True(t, bytes.Equal(ka, kb) || !bytes.HasPrefix(ka, kb) && !bytes.HasPrefix(kb, ka))
				n, err := skipKey(append(slices.Clone(ka), 0x00, 0xff, 0x01), typ, kind, desc)
				require.NoError(t, err)
				require.Equal(t, len(ka), n, "%s: %x", show(typ, a), ka)
				if kind.exact() {
					got, n, err := decodeKey(append(slices.Clone(ka), 0xff), typ, kind, desc)
					require.NoError(t, err)
					require.Equal(t, len(ka), n)
					requireSame(t, typ, a, got)
				}
			}
		})
	}
}

func show(t *types.T, d types.Datum) string {
	if d.IsNull() {
		return "NULL"
	}
	return fmt.Sprintf("%x", types.AppendBinary(nil, t, d))
}

// requireSame requires that two values are the same, not merely equal.
func requireSame(t testing.TB, typ *types.T, want, got types.Datum) {
	t.Helper()
	require.Equal(t, show(typ, want), show(typ, got), "%s", typ)
}

func TestTypesWithoutOrder(t *testing.T) {
	for _, typ := range []*types.T{types.JSONB, types.RecordT} {
		require.False(t, Indexable(typ))
		_, err := AppendKey(nil, typ, randomDatum(rand.New(rand.NewPCG(1, 1)), types.JSONB), false, false)
		require.Error(t, err)
	}
}

// randomTable makes a table with a primary key and indexes of all sorts.
func randomTable(rng *rand.Rand) *catalog.Table {
	t := &catalog.Table{}
	t.ID, t.Name = catalog.ID(100+rng.IntN(100)), "t"
	for i := range 1 + rng.IntN(12) {
		typ := rowTypes[rng.IntN(len(rowTypes))]
		if i == 0 {
			typ = keyTypes[rng.IntN(len(keyTypes))]
		}
		t.Columns = append(t.Columns, catalog.Column{Num: catalog.AttNum(i + 1), Name: fmt.Sprint("c", i), Type: typ})
	}
	n := len(t.Columns)
	indexColumns := func(least int) (cols []catalog.IndexColumn) {
		for _, i := range rng.Perm(n) {
			if len(cols) >= 3 || len(cols) >= least && rng.IntN(3) == 0 {
				break
			}
			if Indexable(t.Columns[i].Type) {
				cols = append(cols, catalog.IndexColumn{Num: catalog.AttNum(i + 1), Desc: rng.IntN(2) == 0, NullsFirst: rng.IntN(2) == 0})
			}
		}
		return cols
	}
	t.Primary = catalog.Index{ID: 1, Name: "pk", Unique: true}
	if rng.IntN(4) == 0 {
		t.Columns = append(t.Columns, catalog.Column{Num: catalog.RowIDNum, Name: "rowid", Type: types.Int8, Hidden: true})
		t.Primary.Hidden = true
		t.Primary.Columns = []catalog.IndexColumn{{Num: catalog.RowIDNum}}
	} else {
		t.Primary.Columns = indexColumns(1)
	}
	for i := range rng.IntN(4) {
		x := catalog.Index{ID: uint32(i + 2), Name: fmt.Sprint("x", i), Unique: rng.IntN(2) == 0, NullsNotDistinct: rng.IntN(2) == 0, Columns: indexColumns(1)}
		for range rng.IntN(3) {
			x.Include = append(x.Include, catalog.AttNum(1+rng.IntN(n)))
		}
		t.Indexes = append(t.Indexes, x)
	}
	return t
}

func randomRow(rng *rand.Rand, t *catalog.Table) types.Row {
	row := make(types.Row, len(t.Columns))
	for i := range row {
		row[i] = randomNullable(rng, t.Columns[i].Type)
	}
	for _, k := range t.Primary.Columns {
		ord := t.MustOrdinal(k.Num)
		row[ord] = randomDatum(rng, t.Columns[ord].Type)
	}
	return row
}

func TestRowsAndEntriesRoundTrip(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 2))
		table := randomTable(rng)
		c := Of(table)
		for range 5 {
			row := randomRow(rng, table)
			key, err := c.AppendRowKey([]byte("p"), row)
			require.NoError(t, err)
			require.Equal(t, byte('p'), key[0])
			key = key[1:]
			value := c.AppendRow(nil, row)
			got := make(types.Row, len(row))
			require.NoError(t, c.DecodeRow(got, key, value))
			for i := range row {
				requireSame(t, table.Columns[i].Type, row[i], got[i])
			}
			for i := range table.Indexes {
				checkEntry(t, c, &table.Indexes[i], row, key)
			}
		}
	}
}

func checkEntry(t *testing.T, c *Codec, x *catalog.Index, row types.Row, rowKey []byte) {
	t.Helper()
	values := make([]types.Datum, len(x.Columns))
	null := false
	for i, col := range x.Columns {
		values[i] = row[c.Table.MustOrdinal(col.Num)]
		null = null || values[i].IsNull()
	}
	k, v, exclusive, err := c.Entry(nil, nil, x, values, row)
	require.NoError(t, err)
	require.Equal(t, x.Unique && (!null || x.NullsNotDistinct), exclusive)
	back, err := c.RowKeyOfEntry(nil, x, k, v)
	require.NoError(t, err)
	require.Equal(t, rowKey, back)
	var ords []int
	for ord := range c.Table.Columns {
		if c.Holds(x, ord) {
			ords = append(ords, ord)
		}
	}
	d := c.NewDecoder(x, ords)
	for i, ord := range ords {
		got, err := d.Datum(i, k, v)
		require.NoError(t, err)
		requireSame(t, c.Table.Columns[ord].Type, row[ord], got)
	}
	for _, num := range x.Include {
		require.True(t, c.Holds(x, c.Table.MustOrdinal(num)))
	}
}

func newVec(t *types.T, n int) *types.Vec {
	v := types.NewVec(t)
	v.Resize(n)
	return v
}

// TestFill: a vector has what row after row has.
func TestFill(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 3))
		table := randomTable(rng)
		c := Of(table)
		const n = 20
		var rows []types.Row
		var ks, vs [][]byte
		for range n {
			row := randomRow(rng, table)
			k, err := c.AppendRowKey(nil, row)
			require.NoError(t, err)
			rows, ks, vs = append(rows, row), append(ks, k), append(vs, c.AppendRow(nil, row))
		}
		ords := rng.Perm(len(table.Columns))
		d := c.NewDecoder(&table.Primary, ords)
		for i, ord := range ords {
			typ := table.Columns[ord].Type
			vec := newVec(typ, n)
			require.NoError(t, d.Fill(i, ks, vs, vec))
			for j := range n {
				requireSame(t, typ, rows[j][ord], vec.Get(j))
			}
		}
	}
}

// TestRowsOfEarlierVersions: columns come and go, rows stay as they were written.
func TestRowsOfEarlierVersions(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 4))
		table := randomTable(rng)
		table.Indexes = nil
		old := Of(table)
		row := randomRow(rng, table)
		key, err := old.AppendRowKey(nil, row)
		require.NoError(t, err)
		value := old.AppendRow(nil, row)

		next := *table
		next.Columns = slices.Clone(table.Columns)
		var rowID []catalog.Column
		if n := len(next.Columns) - 1; next.Columns[n].Num < 0 {
			next.Columns, rowID = next.Columns[:n:n], next.Columns[n:]
		}
		n := len(next.Columns)
		var missing []types.Datum
		for i := range 1 + rng.IntN(9) {
			typ := rowTypes[rng.IntN(len(rowTypes))]
			d := randomNullable(rng, typ)
			missing = append(missing, d)
			next.Columns = append(next.Columns, catalog.Column{Num: catalog.AttNum(n + i + 1), Name: fmt.Sprint("new", i), Type: typ, Missing: EncodeMissing(typ, d)})
		}
		next.Columns = append(next.Columns, rowID...)
		if dropped := rng.IntN(n); !slices.ContainsFunc(next.Primary.Columns, func(k catalog.IndexColumn) bool { return int(k.Num) == dropped+1 }) {
			next.Columns[dropped].Dropped = true
		}
		c := Of(&next)
		got := make(types.Row, len(next.Columns))
		require.NoError(t, c.DecodeRow(got, key, value))
		for i := range n {
			requireSame(t, next.Columns[i].Type, row[i], got[i])
		}
		for i, d := range missing {
			requireSame(t, next.Columns[n+i].Type, d, got[n+i])
		}
		// A vector agrees.
		for i := range next.Columns {
			vec := newVec(next.Columns[i].Type, 1)
			require.NoError(t, c.NewDecoder(&next.Primary, []int{i}).Fill(0, [][]byte{key}, [][]byte{value}, vec))
			requireSame(t, next.Columns[i].Type, got[i], vec.Get(0))
		}
		// Written again it is the same row, without the detour over Missing.
		again := c.AppendRow(nil, got)
		require.NoError(t, c.DecodeRow(got, key, again))
		for i, d := range missing {
			requireSame(t, next.Columns[n+i].Type, d, got[n+i])
		}
		// A row of a later version is an error to the earlier one, not garbage.
		if _, err := old.rowColumn(0, again); err == nil {
			t.Fatal("row of a later version was read")
		}
	}
}

// FuzzKey: no bytes make the key decoders panic or read beyond the end.
func FuzzKey(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 5))
	for i, typ := range keyTypes {
		for _, desc := range []bool{false, true} {
			k, err := AppendKey(nil, typ, randomDatum(rng, typ), desc, false)
			require.NoError(f, err)
			f.Add(i, desc, k)
		}
	}
	f.Fuzz(func(t *testing.T, i int, desc bool, b []byte) {
		typ := keyTypes[int(uint(i)%uint(len(keyTypes)))]
		kind := kindOf(typ)
		n, err := skipKey(b, typ, kind, desc)
		if err == nil && n > len(b) {
			t.Fatalf("%d bytes of %d", n, len(b))
		}
		if kind.exact() {
			_, _, _ = decodeKey(b, typ, kind, desc)
		}
	})
}

// FuzzRow: no bytes make the decoders of rows and entries panic.
func FuzzRow(f *testing.F) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 2))
		table := randomTable(rng)
		row := randomRow(rng, table)
		k, err := Of(table).AppendRowKey(nil, row)
		require.NoError(f, err)
		f.Add(seed, k, Of(table).AppendRow(nil, row))
	}
	f.Fuzz(func(t *testing.T, seed uint64, key, value []byte) {
		rng := rand.New(rand.NewPCG(seed%1000, 2))
		table := randomTable(rng)
		c := Of(table)
		_ = c.DecodeRow(make(types.Row, len(table.Columns)), key, value)
		for i := range table.Indexes {
			x := &table.Indexes[i]
			_, _ = c.RowKeyOfEntry(nil, x, key, value)
			for ord := range table.Columns {
				if c.Holds(x, ord) {
					_, _ = c.NewDecoder(x, []int{ord}).Datum(0, key, value)
				}
			}
		}
		for i := range table.Columns {
			vec := newVec(table.Columns[i].Type, 1)
			_ = c.NewDecoder(&table.Primary, []int{i}).Fill(0, [][]byte{key}, [][]byte{value}, vec)
			_, _ = DecodeMissing(table.Columns[i].Type, value)
		}
	})
}

func benchTable() (*catalog.Table, types.Row) {
	t := &catalog.Table{}
	t.ID, t.Name = 100, "bench"
	for i, typ := range []*types.T{types.Int8, types.Int4, types.Text, types.NumericT, types.TimestampTZ, types.Bool} {
		t.Columns = append(t.Columns, catalog.Column{Num: catalog.AttNum(i + 1), Name: fmt.Sprint("c", i), Type: typ})
	}
	t.Primary = catalog.Index{ID: 1, Unique: true, Columns: []catalog.IndexColumn{{Num: 1}}}
	t.Indexes = []catalog.Index{{ID: 2, Columns: []catalog.IndexColumn{{Num: 3}}}}
	return t, types.Row{types.NewInt(1234567), types.NewInt(42), types.NewString("some text of moderate length"),
		types.NewNumeric(types.NumericFromParts(1234599, 2)), types.NewInt(8e14), types.NewBool(true)}
}

func BenchmarkEncodeRow(b *testing.B) {
	t, row := benchTable()
	c := newCodec(t)
	var key, value []byte
	b.ReportAllocs()
	for b.Loop() {
		key, _ = c.AppendRowKey(key[:0], row)
		value = c.AppendRow(value[:0], row)
	}
}

func BenchmarkEncodeEntry(b *testing.B) {
	t, row := benchTable()
	c := newCodec(t)
	var key, value []byte
	b.ReportAllocs()
	for b.Loop() {
		key, value, _, _ = c.Entry(key[:0], value[:0], &t.Indexes[0], row[2:3], row)
	}
}

func BenchmarkDecodeColumns(b *testing.B) {
	t, row := benchTable()
	c := newCodec(t)
	key, _ := c.AppendRowKey(nil, row)
	value := c.AppendRow(nil, row)
	for _, ord := range []int{0, 1, 2, 3} {
		d := c.NewDecoder(&t.Primary, []int{ord})
		b.Run(t.Columns[ord].Type.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Datum(0, key, value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFillInt4(b *testing.B) {
	t, row := benchTable()
	c := newCodec(t)
	const n = 1024
	ks, vs := make([][]byte, n), make([][]byte, n)
	for i := range n {
		ks[i], _ = c.AppendRowKey(nil, row)
		vs[i] = c.AppendRow(nil, row)
	}
	d := c.NewDecoder(&t.Primary, []int{1})
	vec := newVec(types.Int4, n)
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Fill(0, ks, vs, vec); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}
