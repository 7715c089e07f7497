package exec_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/parser"
)

var rewritePlans = flag.Bool("rewrite-plans", false, "rewrite testdata/plans.txt with the plans as they are")

// TestPlans shows the plan chosen for each query, in EXPLAIN's layout without costs.
func TestPlans(t *testing.T) {
	const file = "testdata/plans.txt"
	blocks := readBlocks(t, file)
	db := newTestDB()
	var out strings.Builder
	for _, b := range blocks {
		got := db.explain(b.sql)
		fmt.Fprintf(&out, "%ssql\n%s----\n%s\n", b.comment, b.sql, got)
		if got != b.want && !*rewritePlans {
			t.Errorf("%s:%d: %s got:\n%swant:\n%s", file, b.line, b.sql, got, b.want)
		}
	}
	if *rewritePlans {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (db *testDB) explain(sql string) string {
	s, err := parser.ParseOne(sql)
	if err != nil {
		return errorText(err)
	}
	switch s.AST.(type) {
	case *ast.CreateTable, *ast.CreateIndex:
		return db.exec(sql)
	case *ast.Insert:
		if !strings.HasPrefix(sql, "explain") && strings.Contains(sql, "/* run */") {
			return db.exec(sql)
		}
	}
	ec := db.eval(context.Background())
	p, err := db.plan(context.Background(), ec, s.AST)
	if err != nil {
		return errorText(err)
	}
	if text := exec.ExplainJSON(p, exec.ExplainOptions{Costs: true}, 0, 0); !json.Valid([]byte(text)) {
		return "not JSON: " + text
	}
	return strings.Join(exec.Explain(p, exec.ExplainOptions{}), "\n") + "\n"
}
