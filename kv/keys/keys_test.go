package keys

import (
	"bytes"
	"testing"
)

func TestSpan(t *testing.T) {
	point := Span{Start: Key("b")}
	for _, tc := range []struct {
		a, b    Span
		overlap bool
	}{
		{Span{Key("a"), Key("c")}, Span{Key("b"), Key("d")}, true},
		{Span{Key("a"), Key("b")}, Span{Key("b"), Key("d")}, false},
		{Span{Key("a"), Key("c")}, point, true},
		{Span{Key("a"), Key("b")}, point, false},
		{point, point, true},
		{point, Span{Start: Key("c")}, false},
	} {
		if tc.a.Overlaps(tc.b) != tc.overlap || tc.b.Overlaps(tc.a) != tc.overlap {
			t.Errorf("%q overlaps %q: want %v", tc.a, tc.b, tc.overlap)
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"a", "b"}, {"a\xff", "b"}, {"\xff\xff", string(KeyMax)}, {"a\x00", "a\x01"},
	} {
		if got := PrefixEnd(Key(tc.in)); string(got) != tc.want {
			t.Errorf("PrefixEnd(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestTableKeys(t *testing.T) {
	k := IndexPrefix(nil, 7, 2)
	id, rest, ok := DecodeTable(append(k, 'x'))
	if !ok || id != 7 || string(rest) != "\x00\x00\x00\x02x" {
		t.Errorf("DecodeTable: %d %q %v", id, rest, ok)
	}
	for _, bad := range []Key{nil, KeyMin, {regionTable, 1, 2}} {
		if _, _, ok := DecodeTable(bad); ok {
			t.Errorf("%x is no table key", bad)
		}
	}
	if !bytes.Equal(MetaAddress(Meta(k)), k) {
		t.Error("Meta does not round-trip")
	}
}

// FuzzAddressed checks that intents and records sort like the keys that they
// belong to, lie in the spans of the ranges that contain those keys and in no
// others, and decode to what went in.
func FuzzAddressed(f *testing.F) {
	f.Add([]byte("a"), []byte("a\x00"), []byte("b"))
	f.Add([]byte("a\x00\xff"), []byte("a\x00\x01"), []byte("a\x00"))
	f.Add([]byte{}, []byte{0}, []byte{0, 0})
	f.Fuzz(func(t *testing.T, a, b, end []byte) {
		id := [16]byte{0, 1, 0xff}
		ia, ib := Intent(nil, a), Intent(nil, b)
		if bytes.Compare(a, b) != bytes.Compare(ia, ib) {
			t.Fatalf("intents of %x and %x sort differently", a, b)
		}
		ra, rb := TxnRecord(a, id), TxnRecord(b, id)
		if bytes.Compare(a, b) != bytes.Compare(ra, rb) {
			t.Fatalf("records of %x and %x sort differently", a, b)
		}
		if got, err := DecodeIntent(nil, ia); err != nil || !bytes.Equal(got, a) {
			t.Fatalf("intent of %x decodes to %x, %v", a, got, err)
		}
		if got, gotID, err := DecodeTxnRecord(ra); err != nil || !bytes.Equal(got, a) || gotID != id {
			t.Fatalf("record of %x decodes to %x %x, %v", a, got, gotID, err)
		}
		span := Span{b, end}
		if bytes.Compare(b, end) >= 0 {
			return
		}
		for i, s := range ReplicatedSpans(9, b, end) {
			var k Key
			switch i {
			case 0:
				continue
			case 1:
				k = ia
			case 2:
				k = ra
			case 3:
				k = a
			}
			if s.Contains(k) != span.Contains(a) {
				t.Fatalf("engine span %d of [%x, %x) and key %x: %v", i, b, end, a, s.Contains(k))
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(Intent(nil, Key("a\x00b")))
	f.Add(TxnRecord(Key("a"), [16]byte{1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := DecodeIntent(nil, b); err == nil && !bytes.Equal(Intent(nil, k), b) {
			t.Fatalf("%x is not how %x is encoded", b, k)
		}
		if k, id, err := DecodeTxnRecord(b); err == nil && !bytes.Equal(TxnRecord(k, id), b) {
			t.Fatalf("%x is not how %x %x is encoded", b, k, id)
		}
	})
}
