package parser

// The tests here are data-driven: testdata holds statements with what becomes
// of them. The verbs:
//
//	parse      the statements' trees, written back as SQL (ast.Format), which
//	           must parse to equal trees; or the error with its place
//	shape      an expression's tree, with every node named: how operators bind
//	fragment   the text that the grammar's parser is given for an expression or
//	           query: · stands for a reference to a token, ? for a carrier
//	type       a type name
//	normalize  the text with its literals lifted, and the literals

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

func TestDataDriven(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				switch d.Cmd {
				case "parse":
					return runParse(t, d.Input)
				case "shape":
					e, err := ParseExpr(d.Input)
					if err != nil {
						return errorText(d.Input, err)
					}
					return shape(reflect.ValueOf(e)) + "\n"
				case "fragment":
					return runFragment(d.Input)
				case "type":
					typ, err := ParseType(d.Input)
					if err != nil {
						return errorText(d.Input, err)
					}
					return ast.Format(typ) + "\n"
				case "normalize":
					return runNormalize(t, d.Input)
				}
				return "unknown verb " + d.Cmd
			})
		})
	}
}

// runParse parses each line of the input on its own.
func runParse(t *testing.T, input string) string {
	var out strings.Builder
	for _, sql := range strings.Split(input, "\n") {
		stmts, err := Parse(sql)
		if err != nil {
			out.WriteString(errorText(sql, err))
			continue
		}
		if len(stmts) == 0 {
			out.WriteString("(nothing)\n")
		}
		for _, s := range stmts {
			fmt.Fprintf(&out, "%s\n", checkRoundTrip(t, sql, s.AST))
		}
	}
	return out.String()
}

// errorText shows an error and the text in front of which it is.
func errorText(sql string, err error) string {
	e, ok := errors.AsType[*sqlstate.Error](err)
	if !ok {
		return fmt.Sprintf("not a sqlstate.Error: %v\n", err)
	}
	at := "nowhere"
	if e.ByteOffset > 0 {
		at = fmt.Sprintf("%d", e.ByteOffset)
	}
	hint := ""
	if e.Hint != "" {
		hint = "\n  hint: " + e.Hint
	}
	return fmt.Sprintf("%s at %s: %s%s\n", e.Code, at, e.Message, hint)
}

func runFragment(input string) string {
	p := newParser()
	p.begin(input)
	p.scanStatement()
	p.pushFragment()
	p.rwQuery()
	return strings.NewReplacer("`\x01", "·", "`\x02", "?", "`", "").Replace(string(p.frag.text)) + "\n"
}

func runNormalize(t *testing.T, input string) string {
	var out strings.Builder
	var n Normalizer
	for _, sql := range strings.Split(input, "\n") {
		if !n.Normalize(sql) {
			out.WriteString("refused\n")
			continue
		}
		fmt.Fprintf(&out, "%s", n.Text())
		for _, l := range n.Literals {
			fmt.Fprintf(&out, " | %c %s", l.Kind, l.Text)
		}
		out.WriteString("\n")
		checkNormalized(t, sql, &n)
	}
	return out.String()
}

// checkNormalized puts the literals back in the place of the parameters and
// expects the tree of the original.
func checkNormalized(t *testing.T, sql string, n *Normalizer) {
	t.Helper()
	want, err := Parse(sql)
	if err != nil {
		return // nothing is promised about errors
	}
	got, err := Parse(string(n.Text()))
	if err != nil {
		t.Errorf("normalized text does not parse: %v\n  from: %s\n  text: %s", err, sql, n.Text())
		return
	}
	if len(want) != 1 || len(got) != 1 || got[0].Params != len(n.Literals) {
		t.Errorf("normalized text has %d parameters for %d literals\n  from: %s\n  text: %s", got[0].Params, len(n.Literals), sql, n.Text())
		return
	}
	restoreLiterals(reflect.ValueOf(got[0].AST), n.Literals)
	if a, b := ast.Format(want[0].AST), ast.Format(got[0].AST); a != b {
		t.Errorf("normalized text means something else\n  from: %s\n  want: %s\n   got: %s", sql, a, b)
	}
}

func restoreLiterals(v reflect.Value, lits []Literal) {
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		if p, ok := v.Interface().(*ast.Param); ok {
			l := lits[p.Number-1]
			if l.Kind == LiteralString {
				v.Set(reflect.ValueOf(&ast.String{Value: l.Text}))
			} else {
				v.Set(reflect.ValueOf(&ast.Number{Text: l.Text}))
			}
			return
		}
		restoreLiterals(v.Elem(), lits)
	case reflect.Pointer:
		if !v.IsNil() {
			restoreLiterals(v.Elem(), lits)
		}
	case reflect.Slice:
		for i := range v.Len() {
			restoreLiterals(v.Index(i), lits)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			restoreLiterals(v.Field(i), lits)
		}
	}
}

// shape writes a tree as (Node @position field ...).
func shape(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return shape(v.Elem())
	case reflect.Slice:
		var parts []string
		for i := range v.Len() {
			parts = append(parts, shape(v.Index(i)))
		}
		return strings.Join(parts, " ")
	case reflect.Struct:
		parts := []string{}
		if v.Type() != reflect.TypeFor[ast.Operator]() {
			parts = append(parts, v.Type().Name())
		}
		for i := range v.NumField() {
			f := v.Field(i)
			if f.Type() == posType {
				parts[0] += fmt.Sprintf("@%d", f.Int())
			} else if !f.IsZero() {
				parts = append(parts, shape(f))
			}
		}
		if len(parts) == 1 && v.Type() == reflect.TypeFor[ast.Operator]() {
			return parts[0]
		}
		return "(" + strings.Join(parts, " ") + ")"
	case reflect.Bool:
		return "true"
	}
	return fmt.Sprint(v.Interface())
}

// TestClients parses statements that real clients send.
func TestClients(t *testing.T) {
	files, err := filepath.Glob("testdata/clients/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data", err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var n Normalizer
		for _, sql := range strings.Split(string(text), "\n;;\n") {
			stmts, err := Parse(sql)
			if err != nil {
				t.Errorf("%s: %v\n%s", path, err, sql)
				continue
			}
			for _, s := range stmts {
				checkRoundTrip(t, sql, s.AST)
			}
			if n.Normalize(sql) {
				checkNormalized(t, sql, &n)
			}
		}
	}
}

// TestNesting holds that no nesting, however deep, takes the process down, and
// that long flat statements go through.
func TestNesting(t *testing.T) {
	rep := strings.Repeat
	const n = 200_000
	for _, c := range []struct{ name, sql string }{
		{"parentheses", "select " + rep("(", n) + "1" + rep(")", n)},
		{"open parentheses", "select " + rep("(", n)},
		{"subqueries", rep("(", n) + "select 1" + rep(")", n)},
		{"nested subqueries", rep("select (", n) + "1" + rep(")", n)},
		{"from", "select 1 from " + rep("(", n) + "t join u on true" + rep(")", n)},
		{"from subqueries", rep("select * from (", n) + "select 1" + rep(") t", n)},
		{"arrays", "select array" + rep("[", n) + "1" + rep("]", n)},
		{"not", "select " + rep("not ", n) + "true"},
		{"minus", "select " + rep("- ", n) + "x"},
		{"prefix", "select " + rep("@ ", n) + "1"},
		{"plus chain", "select 1" + rep(" + 1", n)},
		{"concat chain", "select 1" + rep(" || 1", n)},
		{"casts", "select 1" + rep("::int", n)},
		{"fields", "select (a)" + rep(".b", n)},
		{"case", "select " + rep("case when ", n)},
		{"case else", rep("case when true then 1 else ", n)},
		{"calls", "select " + rep("f(", n) + rep(")", n)},
		{"unions", "select 1" + rep(" union select 1", n)},
		{"joins", "select * from t" + rep(" join t on true", n)},
		{"and", "select true" + rep(" and true", n)},
		{"between", "select " + rep("1 between 1 and ", n) + "1"},
		{"is", "select 1" + rep(" is null", n)},
		{"with", rep("with a as (", n) + "select 1" + rep(") select 1", n)},
		{"explain", rep("explain ", n) + "select 1"},
		{"prepare", rep("prepare a as ", n) + "select 1"},
		{"create schema", rep("create schema a ", n)},
		{"rollup", "select 1 from t group by " + rep("rollup(", n)},
		{"at time zone", "select a" + rep(" at time zone b", n)},
		{"collate", "select a" + rep(" collate b", n)},
		{"any", "select 1 = " + rep("any (1 = ", n)},
		{"like", "select 1 " + rep("like 1 ", n)},
		{"distinct", "select 1 " + rep("is distinct from 1 ", n)},
		{"types", "select 1::" + rep("a(", n)},
		{"comments", rep("/*", n)},
	} {
		if _, err := Parse(c.sql); err == nil {
			t.Errorf("%s: no error", c.name)
		} else if code := sqlstate.CodeOf(err); code != sqlstate.StatementTooComplex && code != sqlstate.SyntaxError {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, c := range []struct{ name, sql string }{
		{"parentheses", "select " + rep("(", 1000) + "1" + rep(")", 1000)},
		{"and", "select true" + rep(" and true or false", 10_000)},
		{"in list", "select 1 in (1" + rep(", 1", 50_000) + ")"},
		{"unions", "select 1" + rep(" union all select 1", 1000)},
		{"targets", "select 1" + rep(", 1", 10_000)},
		{"values", "insert into t values (1, 'x')" + rep(", (1, 'x')", 10_000)},
		{"values with expressions", "insert into t values (1 + 1, f('x'))" + rep(", (1, 'x')", 1000)},
		{"statements", rep("select 1;", 10_000)},
		{"subscripts", "select a" + rep("[1]", 10_000)},
	} {
		if _, err := Parse(c.sql); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestSpans holds that each statement knows its own text and place, and that
// positions count from the start of the whole text.
func TestSpans(t *testing.T) {
	sql := "  /* é */ select 1 ; ;\n insert into t values ($2) ; begin"
	stmts, err := Parse(sql)
	if err != nil || len(stmts) != 3 {
		t.Fatal(len(stmts), err)
	}
	for i, want := range []string{"select 1", "insert into t values ($2)", "begin"} {
		s := stmts[i]
		if s.Text != want || sql[s.Offset:s.Offset+len(s.Text)] != want || s.AST.Position().Offset() != s.Offset {
			t.Errorf("statement %d: %q at %d, tree at %d", i, s.Text, s.Offset, s.AST.Position())
		}
	}
	if stmts[1].Params != 2 || stmts[0].Params != 0 {
		t.Error("parameters not counted")
	}
	if _, err := ParseOne("select 1; select 2"); sqlstate.CodeOf(err) != sqlstate.SyntaxError {
		t.Error(err)
	}
	if _, err := ParseOne(" -- nothing"); err != nil {
		t.Error(err)
	}
}

// TestConcurrentUse holds that pooled parsers do not share what they return.
func TestConcurrentUse(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				sql := fmt.Sprintf("select a%d, 'x%d' from t%d where b = %d", g, i, g, i)
				stmts, err := Parse(sql)
				if err != nil {
					t.Error(err)
					return
				}
				Parse("select (")
				Parse("insert into other values (1, 2, 3)")
				want := fmt.Sprintf("SELECT a%d, 'x%d' FROM t%d WHERE b = %d", g, i, g, i)
				if got := ast.Format(stmts[0].AST); got != want {
					t.Errorf("%s became %s", sql, got)
				}
			}
		})
	}
	wg.Wait()
}
