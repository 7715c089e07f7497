package builtins_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/expr/builtins"
)

// TestSignatures checks the tables against pg_proc of PostgreSQL 15.18: testdata/signatures.txt has
// signature, result OID, strict, volatility, kind, returns a set, variadic, number of defaults.
func TestSignatures(t *testing.T) {
	b, err := os.ReadFile("testdata/signatures.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for line := range strings.Lines(string(b)) {
		sig, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		want[sig] = rest
	}
	tf := map[bool]string{true: "t", false: "f"}
	names := make(map[string]bool)
	seen := make(map[string]bool)
	builtins.Registry().EachFunction(func(f *expr.Function) {
		names[f.Name] = true
		sig := builtins.Signature(f)
		if seen[sig] {
			t.Errorf("%s is declared twice", sig)
		}
		seen[sig] = true
		w, ok := want[sig]
		if !ok {
			return
		}
		if f.OID == 0 {
			t.Errorf("%s has no OID", sig)
		}
		kind, strict, volatility := "f", tf[!f.NotStrict], string("isv"[f.Volatility])
		switch f.Kind {
		case expr.AggregateFunction, expr.WindowFunction:
			kind = map[expr.FunctionKind]string{expr.AggregateFunction: "a", expr.WindowFunction: "w"}[f.Kind]
			// The strictness of aggregates is their transition function's business.
			fields := strings.Fields(w)
			strict, volatility = fields[1], fields[2]
		}
		got := fmt.Sprintf("%d %s %s %s %s %s %d", f.Ret.OID, strict, volatility, kind, tf[f.Kind == expr.SetFunction], tf[f.Variadic], len(f.Defaults))
		if got != w {
			t.Errorf("%s: %s, PostgreSQL has %s", sig, got, w)
		}
	})
	if len(names) < 400 {
		t.Errorf("only %d function names", len(names))
	}
}
