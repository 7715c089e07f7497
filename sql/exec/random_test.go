package exec_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/expr/builtins"
	"github.com/spanlite/spanlite/sql/opt"
	"github.com/spanlite/spanlite/sql/parser"
)

var (
	randomSeed    = flag.Uint64("random-seed", 1, "seed of TestRandomQueries")
	randomQueries = flag.Int("random-queries", 150, "number of queries of TestRandomQueries")
)

// querygen makes random queries over three small tables with many NULLs and duplicates.
type querygen struct {
	r     *rand.Rand
	alias int
}

func (g *querygen) pick(s ...string) string { return s[g.r.IntN(len(s))] }

func (g *querygen) col(aliases []string) string {
	return g.pick(aliases...) + "." + g.pick("k", "x", "y")
}

// cond is a condition over columns of the aliases.
func (g *querygen) cond(aliases []string, depth int) string {
	a := g.col(aliases)
	switch g.r.IntN(12) {
	case 0, 1:
		return a + " = " + g.col(aliases)
	case 2:
		return a + g.pick(" < ", " >= ", " <> ") + g.col(aliases)
	case 3, 4:
		return fmt.Sprintf("%s %s %d", a, g.pick("=", "<", ">", ">=", "<>"), g.r.IntN(6))
	case 5:
		return fmt.Sprintf("%s in (%d, %d, %d)", a, g.r.IntN(6), g.r.IntN(6), g.r.IntN(6))
	case 6:
		return a + g.pick(" is null", " is not null")
	case 7:
		return fmt.Sprintf("%s between %d and %d", a, g.r.IntN(3), g.r.IntN(6))
	case 8:
		if depth > 0 {
			return "(" + g.cond(aliases, depth-1) + " or " + g.cond(aliases, depth-1) + ")"
		}
	case 9:
		if depth > 0 {
			return "not (" + g.cond(aliases, depth-1) + ")"
		}
	case 10, 11:
		if depth > 0 {
			g.alias++
			s := fmt.Sprintf("s%d", g.alias)
			inner := append(slices.Clone(aliases), s)
			switch g.r.IntN(4) {
			case 0:
				return fmt.Sprintf("%sexists (select 1 from %s %s where %s)", g.pick("", "not "), g.pick("a", "b", "c"), s, g.cond(inner, depth-1))
			case 1:
				return fmt.Sprintf("%s %sin (select %s.%s from %s %s where %s)", a, g.pick("", "not "), s, g.pick("k", "x", "y"), g.pick("a", "b", "c"), s, g.cond(inner, depth-1))
			case 2:
				return fmt.Sprintf("%s %s (select %s(%s.%s) from %s %s where %s = %s)", a, g.pick("=", "<", ">="), g.pick("max", "count", "min", "sum"), s, g.pick("k", "x", "y"), g.pick("a", "b", "c"), s, s+"."+g.pick("x", "y"), g.col(aliases))
			default:
				return fmt.Sprintf("%s %s %s (select %s.%s from %s %s where %s)", a, g.pick("<", "=", ">"), g.pick("any", "all"), s, g.pick("k", "x", "y"), g.pick("a", "b", "c"), s, g.cond([]string{s}, 0))
			}
		}
	}
	return a + " = " + g.col(aliases)
}

func (g *querygen) from(n int) (string, []string) {
	g.alias++
	first := fmt.Sprintf("t%d", g.alias)
	aliases := []string{first}
	s := g.source() + " " + first
	for range n - 1 {
		g.alias++
		t := fmt.Sprintf("t%d", g.alias)
		aliases = append(aliases, t)
		switch g.r.IntN(7) {
		case 0:
			s += " cross join " + g.pick("a", "b", "c") + " " + t
		case 1:
			s += fmt.Sprintf(" %s join lateral (select * from %s z where %s) %s on %s", g.pick("", "left"), g.pick("a", "b", "c"),
				g.cond([]string{"z", aliases[0]}, 0), t, g.cond(aliases, 0))
		default:
			s += fmt.Sprintf(" %s join %s %s on %s", g.pick("", "", "left", "left", "right", "full"), g.source(), t, g.joinCond(aliases))
		}
	}
	return s, aliases
}

func (g *querygen) source() string {
	if g.r.IntN(6) == 0 {
		return fmt.Sprintf("(select %s as k, max(q.x) as x, count(*) as y from %s q group by 1)", g.pick("q.k", "q.y", "q.x + 1"), g.pick("a", "b", "c"))
	}
	return g.pick("a", "b", "c")
}

// joinCond always has an equality, as PostgreSQL's full joins need one.
func (g *querygen) joinCond(aliases []string) string {
	last := aliases[len(aliases)-1]
	s := last + "." + g.pick("k", "x", "y") + " = " + g.col(aliases[:len(aliases)-1])
	if g.r.IntN(3) == 0 {
		s += " and " + last + "." + g.pick("k", "x", "y") + " = " + g.col(aliases[:len(aliases)-1])
	}
	return s
}

func (g *querygen) query() string {
	g.alias = 0
	from, aliases := g.from(1 + g.r.IntN(3))
	where := ""
	for i := range g.r.IntN(3) {
		where += [...]string{" where ", " and "}[i] + g.cond(aliases, 2)
	}
	switch g.r.IntN(5) {
	case 0:
		k := g.col(aliases)
		having := ""
		if g.r.IntN(3) == 0 {
			having = " having count(*) > 1"
		}
		return fmt.Sprintf("select %s, count(*), sum(%s), min(%s), count(distinct %s) from %s%s group by %s%s", k, g.col(aliases), g.col(aliases), g.col(aliases), from, where, k, having)
	case 1:
		c := g.col(aliases)
		return fmt.Sprintf("select distinct %s, %s from %s%s", c, g.col(aliases), from, where)
	case 2:
		c, d := g.col(aliases), g.col(aliases)
		return fmt.Sprintf("select %s, %s from %s%s order by 1 %s, 2 limit %d", c, d, from, where, g.pick("", "desc", "nulls first"), 1+g.r.IntN(8))
	case 3:
		f2, a2 := g.from(1 + g.r.IntN(2))
		return fmt.Sprintf("select %s, %s from %s%s %s select %s, %s from %s", g.col(aliases), g.col(aliases), from, where,
			g.pick("union", "union all", "intersect", "except", "except all"), g.col(a2), g.col(a2), f2)
	}
	g.alias++
	cols := []string{g.col(aliases), g.col(aliases), g.col(aliases)}
	if g.r.IntN(3) == 0 {
		s := fmt.Sprintf("s%d", g.alias)
		cols[1] = fmt.Sprintf("(select %s(%s.y) from %s %s where %s.x = %s)", g.pick("max", "count", "sum"), s, g.pick("a", "b", "c"), s, s, g.col(aliases))
	}
	return fmt.Sprintf("select %s from %s%s", strings.Join(cols, ", "), from, where)
}

// setup creates the tables: a with a primary key, b with indexes, c without either.
func (g *querygen) setup() []string {
	out := []string{"create table a (k int primary key, x int, y int)", "create table b (k int, x int, y int, z int, primary key (z))",
		"create index b_k on b (k)", "create index b_xy on b (x, y desc)", "create table c (k int, x int, y int)", "create index a_x on a (x)"}
	val := func() string {
		if g.r.IntN(5) == 0 {
			return "null"
		}
		return fmt.Sprint(g.r.IntN(6))
	}
	for i := range 12 {
		out = append(out, fmt.Sprintf("insert into a values (%d, %s, %s)", i, val(), val()))
		out = append(out, fmt.Sprintf("insert into b values (%s, %s, %s, %d)", val(), val(), val(), i))
		out = append(out, fmt.Sprintf("insert into c values (%s, %s, %s)", val(), val(), val()))
	}
	return out
}

// TestRandomQueries runs random queries under several planner configurations, which must agree; with -pg
// PostgreSQL must agree as well.
func TestRandomQueries(t *testing.T) {
	g := &querygen{r: rand.New(rand.NewPCG(*randomSeed, 7))}
	db := newTestDB()
	ctx := context.Background()
	var conn *pgconn.PgConn
	if *pgURL != "" {
		var err error
		if conn, err = pgconn.Connect(ctx, *pgURL); err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, "drop schema if exists r cascade; create schema r; set search_path = r").ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range g.setup() {
		db.must(t, s)
		if conn != nil {
			ask(ctx, conn, block{sql: s})
		}
	}
	configs := []opt.Methods{{}, {HashJoin: true}, {NestLoop: true}, {IndexScan: true}, {HashJoin: true, IndexScan: true}}
	for range *randomQueries {
		q := g.query()
		want := ""
		for i, m := range configs {
			got := db.safeSorted(q, m)
			if strings.HasPrefix(got, "PANIC") || strings.Contains(got, "XX000") {
				t.Fatalf("%s\n%+v: %s", q, m, got)
			}
			if i == 0 {
				want = got
			} else if got != want {
				t.Fatalf("%s\n%+v gives\n%swithout:\n%s\nplan:\n%s", q, m, got, want, db.explain(q))
			}
		}
		if conn != nil {
			if got := sortLines(ask(ctx, conn, block{sql: q})); got != want && !strings.HasPrefix(got, "ERROR") {
				t.Fatalf("%s\nPostgreSQL says\n%swe say\n%splan:\n%s", q, got, want, db.explain(q))
			}
		}
	}
}

func sortLines(s string) string {
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// safeSorted runs a query with planner methods disabled and sorts its rows.
func (db *testDB) safeSorted(q string, m opt.Methods) (out string) {
	if os.Getenv("EXEC_PANIC") == "" {
		defer func() {
			if p := recover(); p != nil {
				out = fmt.Sprintf("PANIC %v\n", p)
			}
		}()
	}
	s, err := parser.ParseOne(q)
	if err != nil {
		return errorText(err)
	}
	ctx := context.Background()
	ec := db.eval(ctx)
	l, err := db.bind(ctx, ec, s.AST)
	if err != nil {
		return errorText(err)
	}
	p, err := opt.Optimize(&opt.Config{Eval: ec, Registry: builtins.Registry(), Disable: m}, l)
	if err != nil {
		return errorText(err)
	}
	sink := &rowsText{cols: p.Result, s: ec.Settings}
	if _, err := exec.Run(ctx, p, db.context(ec), sink); err != nil {
		return errorText(err)
	}
	return sortLines(strings.Join(sink.rows, "\n") + "\n")
}
