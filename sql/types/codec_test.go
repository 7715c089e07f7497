package types

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// testdata/binary.golden has values of every type with the binary form that PostgreSQL 15.18 sends:
// type, text, hex. testdata/styles.golden has text forms under other settings.

func goldenLines(t *testing.T, name string) [][]string {
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for line := range strings.Lines(string(b)) {
		out = append(out, strings.Split(strings.TrimRight(line, "\n"), "\t"))
	}
	return out
}

func TestBinary(t *testing.T) {
	s := DefaultSettings()
	for _, f := range goldenLines(t, "binary.golden") {
		typ, text, want := ByName(f[0]), f[1], f[2]
		d, err := ParseText(typ, text, s)
		if err != nil {
			t.Errorf("%s %q: %v", f[0], text, err)
			continue
		}
		if got := hex.EncodeToString(AppendBinary(nil, typ, d)); got != want {
			t.Errorf("%s %q: sends %s, PostgreSQL %s", f[0], text, got, want)
			continue
		}
		raw, _ := hex.DecodeString(want)
		back, err := ParseBinary(typ, raw, s)
		if err != nil {
			t.Errorf("%s %q: receive: %v", f[0], text, err)
			continue
		}
		if Compare(d, back) != 0 || Hash(1, d) != Hash(1, back) {
			t.Errorf("%s %q: received a different value %s", f[0], text, TextOf(typ, back, s))
		}
		if got, orig := TextOf(typ, back, s), TextOf(typ, d, s); got != orig {
			t.Errorf("%s: text %q after a round trip, was %q", f[0], got, orig)
		}
		if d.Clone().Size() <= 0 {
			t.Errorf("%s: no size", f[0])
		}
	}
}

func TestStyles(t *testing.T) {
	for _, f := range goldenLines(t, "styles.golden") {
		kind, style, zone, typ, text, want := f[0], f[1], f[2], ByName(f[3]), f[4], f[5]
		s := DefaultSettings()
		s.Location, _ = LoadZone(zone)
		d, err := ParseText(typ, text, s)
		if err != nil {
			t.Errorf("%v: %v", f, err)
			continue
		}
		switch kind {
		case "date":
			name, order, _ := strings.Cut(style, ", ")
			s.DateStyle = map[string]DateStyle{"ISO": DateStyleISO, "Postgres": DateStylePostgres, "SQL": DateStyleSQL, "German": DateStyleGerman}[name]
			s.DateOrder = map[string]DateOrder{"MDY": DateOrderMDY, "DMY": DateOrderDMY}[order]
		case "interval":
			s.IntervalStyle = map[string]IntervalStyle{"postgres": IntervalStylePostgres, "postgres_verbose": IntervalStylePostgresVerbose,
				"sql_standard": IntervalStyleSQLStandard, "iso_8601": IntervalStyleISO8601}[style]
		case "float":
			s.ExtraFloatDigits, _ = strconv.Atoi(style)
		case "bytea":
			s.ByteaEscape = true
		}
		if got := TextOf(typ, d, s); got != want {
			t.Errorf("%s %s %s %q: got %q want %q", style, zone, typ, text, got, want)
		}
	}
}

// TestScalarsDoNotAllocate holds the budget of the wire path.
func TestScalarsDoNotAllocate(t *testing.T) {
	s := DefaultSettings()
	buf := make([]byte, 0, 256)
	for _, c := range []struct {
		t    *T
		text string
	}{{Int4, "12345"}, {Int8, "-1"}, {Float8, "1.25"}, {Bool, "t"}, {Text, "hello"}, {NumericT, "12345.67"}, {Timestamp, "2024-03-15 12:34:56"},
		{TimestampTZ, "2024-03-15 12:34:56+00"}, {Date, "2024-03-15"}, {UUID, "550e8400-e29b-41d4-a716-446655440000"}} {
		d, err := ParseText(c.t, c.text, s)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { buf = AppendText(buf[:0], c.t, d, s) }); n != 0 {
			t.Errorf("AppendText %s: %v allocations", c.t, n)
		}
		if n := testing.AllocsPerRun(100, func() { buf = AppendBinary(buf[:0], c.t, d) }); n != 0 {
			t.Errorf("AppendBinary %s: %v allocations", c.t, n)
		}
		raw := AppendBinary(nil, c.t, d)
		if n := testing.AllocsPerRun(100, func() { _, _ = ParseBinary(c.t, raw, s) }); n != 0 {
			t.Errorf("ParseBinary %s: %v allocations", c.t, n)
		}
	}
}

// TestNumericIdentities checks exact arithmetic of small and large coefficients against
// each other: (a*k)/k and sums in both representations.
func TestNumericIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func() Numeric {
		n := NumericFromParts(r.Int64()-r.Int64(), int32(r.IntN(20)))
		if r.IntN(3) == 0 {
			m, _ := n.Mul(NumericFromInt(r.Int64()))
			return m
		}
		return NumericFromParts(n.coef>>r.IntN(60), n.scale)
	}
	for range 20000 {
		a, b := random(), random()
		sum, err := a.Add(b)
		if err != nil {
			t.Fatal(err)
		}
		back, _ := sum.Sub(b)
		if back.Cmp(a) != 0 {
			t.Fatalf("%s + %s - %s = %s", a, b, b, back)
		}
		if b.Sign() != 0 {
			q, err := a.QuoTrunc(b)
			if err != nil {
				t.Fatal(err)
			}
			m, _ := a.Mod(b)
			p, _ := q.Mul(b)
			if x, _ := p.Add(m); x.Cmp(a) != 0 {
				t.Fatalf("%s = %s * %s + %s does not hold", a, q, b, m)
			}
		}
		parsed, err := ParseNumeric(a.String())
		if err != nil || parsed.Cmp(a) != 0 || parsed.Scale() != a.Scale() {
			t.Fatalf("%s parsed as %s: %v", a, parsed, err)
		}
		if (a.Cmp(b) < 0) != (b.Cmp(a) > 0) {
			t.Fatalf("order of %s and %s", a, b)
		}
		if f, ok := a.Float64(); ok {
			want, _ := strconv.ParseFloat(a.String(), 64)
			if f != want && math.Abs(f) < 1e300 {
				t.Fatalf("%s as float is %v, want %v", a, f, want)
			}
		}
	}
}

// TestCalendar walks the days of a few centuries and checks the conversions against each other.
func TestCalendar(t *testing.T) {
	prev := int64(0)
	for i, d := 0, DaysFromCivil(-400, 1, 1); d < DaysFromCivil(2500, 1, 1); i, d = i+1, d+1 {
		y, m, day := CivilFromDays(d)
		if DaysFromCivil(y, m, day) != d {
			t.Fatalf("day %d is %d-%d-%d is day %d", d, y, m, day, DaysFromCivil(y, m, day))
		}
		if i > 0 && d != prev+1 {
			t.Fatal("gap")
		}
		prev = d
	}
	if y, m, d := CivilFromDays(0); y != 2000 || m != 1 || d != 1 || Weekday(0) != 6 {
		t.Fatal("epoch", y, m, d)
	}
}

func fuzzTypes() []*T {
	return []*T{Bool, Int4, Int8, Float8, NumericT, NumericPS(10, 2), Text, VarcharN(5), BpcharN(5), Bytea, Date, Time, TimeTZT, Timestamp, TimestampTZ, IntervalT,
		UUID, JSON, JSONB, Inet, Cidr, Oid, Char, Int4Array, TextArray, ArrayOf(NumericT), ArrayOf(JSONB), Int2Vector, PgLSN, Tid,
		NewComposite(100001, 0, "public", "c", []Field{{"a", Int4}, {"b", Text}})}
}

// FuzzParseText feeds the input functions: what they accept prints to text that they read
// as the same value, in every style, and whose binary form is received as that value.
func FuzzParseText(f *testing.F) {
	for i := range fuzzTypes() {
		for _, s := range []string{"1", "-1.5e3", "2024-01-31 12:34:56.789+05:30", "{1,NULL,{2}}", `{"a":[1,"\u00e9"]}`, "1 year -2 days 03:04:05", "(1,\"a,b\")", "10.0.0.1/8", `\x00ff`} {
			f.Add(byte(i), s)
		}
	}
	ts := fuzzTypes()
	s := DefaultSettings()
	f.Fuzz(func(t *testing.T, which byte, text string) {
		typ := ts[int(which)%len(ts)]
		d, err := ParseText(typ, text, s)
		if err != nil {
			return
		}
		out := TextOf(typ, d, s)
		again, err := ParseText(typ, out, s)
		if err != nil {
			t.Fatalf("%s: %q printed as %q, which is not read: %v", typ, text, out, err)
		}
		if Compare(d, again) != 0 {
			t.Fatalf("%s: %q printed as %q, which is another value", typ, text, out)
		}
		if Hash(7, d) != Hash(7, again) {
			t.Fatalf("%s: %q: equal values with different hashes", typ, text)
		}
		if CheckUTF8([]byte(text)) != nil {
			return
		}
		bin := AppendBinary(nil, typ, d)
		back, err := ParseBinary(typ, bin, s)
		if err != nil {
			t.Fatalf("%s: binary of %q is not received: %v", typ, out, err)
		}
		if Compare(d, back) != 0 {
			t.Fatalf("%s: binary of %q is another value", typ, out)
		}
		for _, ds := range []DateStyle{DateStylePostgres, DateStyleSQL, DateStyleGerman} {
			o := *s
			o.DateStyle = ds
			o.IntervalStyle = IntervalStyle(ds)
			TextOf(typ, d, &o)
		}
	})
}

// FuzzParseBinary feeds the receive functions: no panic, and what they accept is sent as a
// value that compares equal.
func FuzzParseBinary(f *testing.F) {
	s := DefaultSettings()
	ts := fuzzTypes()
	for i, typ := range ts {
		if d, err := ParseText(typ, "{1,2}", s); err == nil {
			f.Add(byte(i), AppendBinary(nil, typ, d))
		}
		f.Add(byte(i), []byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 5})
	}
	f.Fuzz(func(t *testing.T, which byte, buf []byte) {
		typ := ts[int(which)%len(ts)]
		d, err := ParseBinary(typ, bytes.Clone(buf), s)
		if err != nil {
			return
		}
		TextOf(typ, d, s)
		again, err := ParseBinary(typ, AppendBinary(nil, typ, d), s)
		if err != nil {
			t.Fatalf("%s: %x is received but its own form is not: %v", typ, buf, err)
		}
		if Compare(d, again) != 0 {
			t.Fatalf("%s: %x changed in a round trip", typ, buf)
		}
	})
}

// FuzzJSONValue checks that bytes accepted by ValidJSONValue can be walked.
func FuzzJSONValue(f *testing.F) {
	for _, s := range []string{"null", `{"a":[1,2,{"b":"c"}]}`, `[]`, `"x"`, `1.5`} {
		v, _ := ParseJSONB(s)
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if ValidJSONValue(b) != nil {
			return
		}
		v := JSONValue(b)
		text := v.AppendText(nil)
		v.Compare(v)
		v.hash(1)
		if CheckUTF8(b) == nil {
			if _, err := ParseJSONB(string(text)); err != nil && !strings.Contains(err.Error(), "0000") && !strings.Contains(err.Error(), "must be escaped") {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}

func BenchmarkAppendTextTimestamp(b *testing.B) {
	s := DefaultSettings()
	d, _ := ParseText(Timestamp, "2024-03-15 12:34:56.789", s)
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendText(buf[:0], Timestamp, d, s)
	}
}

func BenchmarkNumericAdd(b *testing.B) {
	x, y := NumericFromParts(1234567, 2), NumericFromParts(500, 2)
	b.ReportAllocs()
	for b.Loop() {
		x, _ = x.Add(y)
	}
}
