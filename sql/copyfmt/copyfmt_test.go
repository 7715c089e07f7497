package copyfmt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// These tests feed streams in every partition into two pieces and show the rows
// that come out.

func readAll(o Options, columns int, pieces ...string) (string, error) {
	r := NewReader(o, columns)
	var b strings.Builder
	drain := func() error {
		for {
			row, ok, err := r.Next()
			if err != nil || !ok {
				return err
			}
			for i, f := range row {
				if i > 0 {
					b.WriteByte('|')
				}
				if f == nil {
					b.WriteString("<null>")
				} else {
					fmt.Fprintf(&b, "%q", f)
				}
			}
			b.WriteByte('\n')
		}
	}
	for _, p := range pieces {
		r.Feed([]byte(p))
		if err := drain(); err != nil {
			return b.String(), err
		}
	}
	r.Finish()
	err := drain()
	return b.String(), err
}

func TestReaders(t *testing.T) {
	csv := Defaults(CSV)
	csvHeader := csv
	csvHeader.Header = true
	csvBackslash := csv
	csvBackslash.Escape = '\\'
	binaryRow := string(AppendBinaryHeader(nil)) + "\x00\x02\x00\x00\x00\x01a\xff\xff\xff\xff" + string(AppendBinaryTrailer(nil))
	for _, tc := range []struct {
		name, in string
		o        Options
		columns  int
		want     string
		err      string
	}{
		{"text", "a\tb\n\\N\t\n", Defaults(Text), 2, "\"a\"|\"b\"\n<null>|\"\"\n", ""},
		{"text escapes", `x\ty\\z\101\x41\q` + "\n", Defaults(Text), 1, "\"x\\ty\\\\zAAq\"\n", ""},
		{"text escaped newline", "a\\\nb\n", Defaults(Text), 1, "\"a\\nb\"\n", ""},
		{"text end mark", "a\n\\.\nrest", Defaults(Text), 1, "\"a\"\n", ""},
		{"text no last newline", "a\r\nb", Defaults(Text), 1, "\"a\"\n\"b\"\n", ""},
		{"text escaped delimiter", "a\\\tb\n", Defaults(Text), 1, "\"a\\tb\"\n", ""},
		{"text extra", "a\tb\n", Defaults(Text), 1, "", "extra data after last expected column"},
		{"text missing", "a\n", Defaults(Text), 2, "", "missing data"},
		{"csv", "a,\"b,\"\"c\"\"\",,\"\"\n", csv, 4, "\"a\"|\"b,\\\"c\\\"\"|<null>|\"\"\n", ""},
		{"csv newline", "\"a\nb\",c\r\n", csv, 2, "\"a\\nb\"|\"c\"\n", ""},
		{"csv header", "x,y\n1,2\n", csvHeader, 2, "\"1\"|\"2\"\n", ""},
		{"csv other escape", `"a\"b\\c",d` + "\n", csvBackslash, 2, "\"a\\\"b\\\\c\"|\"d\"\n", ""},
		{"csv unterminated", "\"a\n", csv, 1, "", "unterminated CSV quoted field"},
		{"binary", binaryRow, Defaults(Binary), 2, "\"a\"|<null>\n", ""},
		{"binary cut", binaryRow[:len(binaryRow)-4], Defaults(Binary), 2, "", "unexpected EOF"},
		{"binary no signature", "hello, this is not a binary file", Defaults(Binary), 2, "", "signature not recognized"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for cut := range len(tc.in) + 1 {
				got, err := readAll(tc.o, tc.columns, tc.in[:cut], tc.in[cut:])
				if tc.err != "" {
					require.ErrorContains(t, err, tc.err)
					continue
				}
				require.NoError(t, err, "cut at %d", cut)
				require.Equal(t, tc.want, got, "cut at %d", cut)
			}
		})
	}
}

func FuzzReaders(f *testing.F) {
	f.Add([]byte("a\tb\n\\.\n"), uint8(0))
	f.Add([]byte("\"a\"\"\",b\n"), uint8(1))
	f.Add(AppendBinaryTrailer(AppendBinaryHeader(nil)), uint8(2))
	f.Fuzz(func(t *testing.T, in []byte, kind uint8) {
		o := Defaults(Kind(kind % 3))
		whole, err1 := readAll(o, 2, string(in))
		cut := len(in) / 2
		parts, err2 := readAll(o, 2, string(in[:cut]), string(in[cut:]))
		if (err1 == nil) != (err2 == nil) || err1 == nil && whole != parts {
			t.Fatalf("whole %q %v, in parts %q %v", whole, err1, parts, err2)
		}
	})
}
