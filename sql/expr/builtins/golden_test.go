package builtins_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// The files testdata/*.golden hold expressions and what PostgreSQL 15.18 answered, one a line:
//
//	expression <tab> type <tab> text
//	expression <tab> ERROR <tab> SQLSTATE <tab> message
//
// NULL is written \N. Each expression must give the same type and text here, evaluated for a row and over
// a batch, or fail with the same code and message. Lines in testdata/known.txt differ on purpose or
// for want of something, each with its reason.

func testSettings() *types.Settings {
	s := types.DefaultSettings()
	s.Now = types.TimestampFromTime(time.Date(2024, 3, 15, 13, 45, 30, 123456000, time.UTC))
	return s
}

func testContext(s *types.Settings) *expr.EvalContext {
	ec := expr.NewEvalContext(context.Background(), s)
	ec.User, ec.SessionUser, ec.Database = "postgres", "postgres", "postgres"
	return ec
}

// evalText evaluates an expression and returns its type and text as the golden files have them.
func evalText(text string, s *types.Settings) (typ, out string) {
	fail := func(err error) (string, string) {
		var se *sqlstate.Error
		if !errors.As(err, &se) {
			return "BROKEN", err.Error()
		}
		return "ERROR", string(se.Code) + "\t" + se.Message
	}
	e, err := parseExpr(text, s, nil)
	if err != nil {
		return fail(err)
	}
	e = expr.ToKnown(s, e)
	ec := testContext(s)
	d, err := e.Eval(ec, nil)
	if err != nil {
		return fail(err)
	}
	batch := &types.Batch{N: 3, Sel: []uint16{0, 2}}
	v := types.NewVec(e.Type())
	if err := e.EvalBatch(ec, batch, v); err != nil {
		return "BROKEN", "EvalBatch: " + err.Error()
	}
	for _, i := range batch.Sel {
		if expr.VolatilityOf(e) != expr.Volatile && types.CompareNulls(v.Get(int(i)), d) != 0 {
			return "BROKEN", "EvalBatch differs from Eval"
		}
	}
	typ = types.FormatType(e.Type(), -1, false)
	if d.IsNull() {
		return typ, `\N`
	}
	if e.Type().OID != types.OIDVoid {
		if d, err = types.Cast(s, d, e.Type(), types.Text); err != nil {
			return fail(err)
		}
	}
	return typ, escapeLine(string(d.Bytes()))
}

func escapeLine(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(s)
}

func readKnown(t *testing.T) map[string]string {
	known := make(map[string]string)
	b, err := os.ReadFile("testdata/known.txt")
	if err != nil {
		t.Fatal(err)
	}
	reason := ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "# "):
			reason = line[2:]
		case line != "":
			known[line] = reason
		}
	}
	return known
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	known := readKnown(t)
	s := testSettings()
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".golden"), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			total, bad := 0, 0
			for line := range strings.Lines(string(b)) {
				text, want, ok := strings.Cut(strings.TrimRight(line, "\n"), "\t")
				if !ok {
					continue
				}
				total++
				typ, out := evalText(text, s)
				got := typ + "\t" + out
				if _, isKnown := known[text]; isKnown {
					if got == want {
						t.Errorf("%s: listed in known.txt but agrees with PostgreSQL", text)
					}
					continue
				}
				if got != want {
					bad++
					t.Errorf("%s\n got  %s\n want %s", text, got, want)
				}
			}
			t.Logf("%d expressions, %d differ", total, bad)
		})
	}
}
