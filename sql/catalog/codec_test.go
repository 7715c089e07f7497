package catalog

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/sql/types"
)

// fillRandom sets the tagged fields of a descriptor's struct to random values, so that a
// field that the codec or Clone forgets shows up.
func fillRandom(rng *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range layoutOf(v.Type()).fields {
			fillRandom(rng, v.Field(f.index))
		}
	case reflect.Pointer:
		if v.Type() == typeOfT {
			all := []*types.T{types.Int4, types.Text, types.NumericPS(10, 2), types.VarcharN(3), types.Int8Array, types.TimestampTZ}
			v.Set(reflect.ValueOf(all[rng.IntN(len(all))]))
			return
		}
		if rng.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fillRandom(rng, v.Elem())
		}
	case reflect.Slice:
		n := rng.IntN(4)
		if n == 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fillRandom(rng, v.Index(i))
		}
	case reflect.String:
		b := make([]byte, rng.IntN(9))
		for i := range b {
			b[i] = byte(rng.IntN(256))
		}
		v.SetString(string(b))
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(rng.Uint64() >> (64 - v.Type().Bits()) >> rng.IntN(v.Type().Bits()))
	case reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(rng.Uint64()) >> (64 - v.Type().Bits()) >> rng.IntN(v.Type().Bits()))
	}
}

// repair makes a random table keep the invariants that decoding checks.
func repair(t *Table) {
	for i := range t.Columns {
		t.Columns[i].Num = AttNum(i + 1)
	}
	for x := range t.AllIndexes {
		for i := range x.Columns {
			k := &x.Columns[i]
			if k.Num = 0; k.Expr == nil {
				k.Expr = &Expr{SQL: "1"}
			}
		}
		x.Include = nil
	}
}

func randomDescriptor(rng *rand.Rand) Descriptor {
	all := []Descriptor{new(Database), new(Schema), new(Table), new(View), new(Sequence), new(Type), new(Role)}
	d := all[rng.IntN(len(all))]
	fillRandom(rng, reflect.ValueOf(d).Elem())
	if t, ok := d.(*Table); ok {
		repair(t)
	}
	return d
}

// Every field of every descriptor survives encoding and Clone, and a copy shares nothing
// with its original.
func TestDescriptorRoundTrip(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 1))
		d := randomDescriptor(rng)
		enc := EncodeDescriptor(d)
		back, err := DecodeDescriptor(enc)
		require.NoError(t, err, "seed %d", seed)
		require.Equal(t, d, back, "seed %d", seed)
		c := d.Clone()
		require.Equal(t, d, c, "seed %d", seed)
		fillRandom(rng, reflect.ValueOf(c).Elem()) // writes to all that c can reach
		require.Equal(t, enc, EncodeDescriptor(d), "seed %d: the copy shares memory", seed)
	}
}

// Fields that a later release adds are skipped.
func TestDescriptorUnknownField(t *testing.T) {
	d := &Schema{Header{ID: 77, Name: "s", Database: 5}}
	enc := EncodeDescriptor(d)
	enc = append(enc, 200<<1&0x7f|0x80, 200<<1>>7, 9)         // number 200, an integer
	enc = append(enc, 201<<1&0x7f|1|0x80, 201<<1>>7, 2, 1, 2) // number 201, two bytes
	back, err := DecodeDescriptor(enc)
	require.NoError(t, err)
	require.Equal(t, d, back)
	enc[0]++
	_, err = DecodeDescriptor(enc)
	require.ErrorContains(t, err, "format")
}

func FuzzDecodeDescriptor(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		f.Add(EncodeDescriptor(randomDescriptor(rng)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := DecodeDescriptor(b)
		if err != nil {
			return
		}
		// What decodes has one canonical form, and its methods do not panic.
		enc := EncodeDescriptor(d)
		again, err := DecodeDescriptor(enc)
		if err != nil {
			t.Fatalf("%x encodes as %x, which is not read: %v", b, enc, err)
		}
		if !bytes.Equal(enc, EncodeDescriptor(again)) {
			t.Fatalf("%x is not stable", b)
		}
		namesOf(d)
		if tbl, ok := d.(*Table); ok {
			for x := range tbl.AllIndexes {
				for _, c := range x.Columns {
					if c.Num != 0 {
						tbl.MustOrdinal(c.Num)
					}
				}
			}
		}
	})
}

func FuzzDecodeName(f *testing.F) {
	f.Add(nameTarget{id: 16384}.encode())
	f.Add(nameTarget{id: 1<<32 - 1, table: 7}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := decodeNameTarget(b)
		if err != nil {
			return
		}
		if back, err := decodeNameTarget(n.encode()); err != nil || back != n {
			t.Fatalf("%x: %v, %v", b, back, err)
		}
	})
}

func FuzzDecodeVersion(f *testing.F) {
	f.Add([]byte(versionKey(9)), encodeVersion(3))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		id, v, err := decodeVersion(key, value)
		if err == nil && len(key) == 13 {
			if id2, v2, err := decodeVersion(versionKey(id), encodeVersion(v)); err != nil || id2 != id || v2 != v {
				t.Fatalf("%x %x", key, value)
			}
		}
	})
}

func BenchmarkDecodeDescriptor(b *testing.B) {
	t := &Table{Header: Header{ID: 20000, Name: "accounts", Schema: 2200, Database: 16380}}
	for i := range 8 {
		t.Columns = append(t.Columns, Column{Num: AttNum(i + 1), Name: "column", Type: types.Int4})
	}
	t.Primary = Index{ID: 1, OID: 20001, Name: "accounts_pkey", Unique: true, Constraint: 'p', Columns: []IndexColumn{{Num: 1, Type: types.Int4}}}
	enc := EncodeDescriptor(t)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeDescriptor(enc); err != nil {
			b.Fatal(err)
		}
	}
}
