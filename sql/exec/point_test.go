package exec_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/parser"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// prepare plans a statement and compiles its closed form.
func (db *testDB) prepare(t testing.TB, sql string) (*plan.Physical, *exec.Point, *expr.EvalContext) {
	t.Helper()
	s, err := parser.ParseOne(sql)
	if err != nil {
		t.Fatal(err)
	}
	ec := db.eval(context.Background())
	p, err := db.plan(context.Background(), ec, s.AST)
	if err != nil {
		t.Fatal(err)
	}
	return p, exec.CompilePoint(p), ec
}

func (db *testDB) must(t testing.TB, sql string) string {
	t.Helper()
	out, err := db.run(sql, nil)
	if err != nil {
		t.Fatalf("%s: %v", sql, errorText(err))
	}
	return out
}

// discard is a sink that looks at every value.
type discard struct{ rows int }

func (d *discard) Rows(b *types.Batch) error {
	d.rows += b.Len()
	return nil
}

// TestPoint runs statements in their closed form and compares with the operators' answers on a copy.
func TestPoint(t *testing.T) {
	setup := []string{
		"create table t (a int primary key, b text, n int not null default 3, v numeric, check (n > 0))",
		"create table u (x int, y text, z int unique, primary key (x, y))",
		"create table c (id int primary key, a int references t (a))",
		"insert into t values (1, 'one', 1, 1.5), (2, 'two', 2, 2.5)",
		"insert into u values (1, 'a', 10), (2, 'b', 20)",
	}
	cases := []struct {
		sql    string
		params []types.Datum
	}{
		{"select * from t where a = $1", []types.Datum{types.NewInt(2)}},
		{"select * from t where a = $1", []types.Datum{types.NewInt(77)}},
		{"select * from t where a = $1", []types.Datum{types.Null}},
		{"select b || 'x', a + n from t where a = 1", nil},
		{"select b from t where a = 1 and n > 5", nil},
		{"select b from t where a = 1 and b like 'o%' for update", nil},
		{"select a from t where a = 99999999999", nil},
		{"select z from u where x = $1 and y = $2", []types.Datum{types.NewInt(2), types.NewString("b")}},
		{"update t set n = n + $1 where a = $2", []types.Datum{types.NewInt(5), types.NewInt(1)}},
		{"update t set n = n + 1, b = b || '!' where a = 2 returning *", nil},
		{"update t set n = -1 where a = 2", nil},
		{"update t set n = null where a = 2", nil},
		{"update t set n = 5 where a = 3", nil},
		{"update t set n = 5 where a = 1 and n = 77", nil},
		{"insert into t values (3, 'three', default, 7)", nil},
		{"insert into t (a) values ($1) returning a, n, b", []types.Datum{types.NewInt(5)}},
		{"insert into t values (1, 'dup', 1, 1)", nil},
		{"insert into u values (5, 'e', 10)", nil},
		{"insert into u values (5, 'e', 50)", nil},
		{"insert into c values (1, 1)", nil},
		{"insert into c values (2, 55)", nil},
		{"update c set a = 2 where id = 1", nil},
		{"update c set a = 66 where id = 1", nil},
		{"delete from t where a = 2", nil},
		{"delete from c where id = 1 returning a", nil},
		{"delete from t where a = 2", nil},
		{"delete from t where a = 2", nil},
	}
	ops, pts := newTestDB(), newTestDB()
	for _, s := range setup {
		ops.must(t, s)
		pts.must(t, s)
	}
	for _, c := range cases {
		want := ops.exec(c.sql, c.params...)
		p, pt, ec := pts.prepare(t, c.sql)
		if pt == nil {
			t.Errorf("%s: no closed form", c.sql)
			continue
		}
		ec.Params = c.params
		sink := &rowsText{cols: p.Result, s: ec.Settings}
		saved := pts.kv.clone()
		n, err := pt.Run(context.Background(), &exec.PointState{}, pts.context(ec), sink)
		got := ""
		if err != nil {
			pts.kv = saved
			got = errorText(err)
		} else {
			got = strings.Join(sink.rows, "\n")
			if len(sink.rows) > 0 {
				got += "\n"
			}
			if tag := [...]string{"", "INSERT 0", "UPDATE", "DELETE"}[p.Kind]; tag != "" {
				got += fmt.Sprintf("%s %d\n", tag, n)
			}
		}
		if got != want {
			t.Errorf("%s: closed form says\n%soperators say\n%s", c.sql, got, want)
		}
	}
	all := "select * from t order by a"
	if a, b := ops.exec(all), pts.exec(all); a != b {
		t.Errorf("the tables differ:\n%s\n%s", a, b)
	}
}

// TestPointAllocs holds the allocations of the closed forms: the executor's share of the budget of a
// statement.
func TestPointAllocs(t *testing.T) {
	db := newTestDB()
	db.must(t, "create table accounts (aid int primary key, bid int, abalance int, filler char(84))")
	db.must(t, "insert into accounts select i, 1, 0, '' from generate_series(1, 100) i")
	for _, c := range []struct {
		sql    string
		params []types.Datum
		max    float64
	}{
		{"select abalance from accounts where aid = $1", []types.Datum{types.NewInt(7)}, 0},
		{"select * from accounts where aid = $1", []types.Datum{types.NewInt(7)}, 0},
		{"update accounts set abalance = abalance + $1 where aid = $2", []types.Datum{types.NewInt(7), types.NewInt(9)}, 1},
	} {
		_, pt, ec := db.prepare(t, c.sql)
		ec.Params = c.params
		st, ctx, x, sink := &exec.PointState{}, context.Background(), db.context(ec), &discard{}
		run := func() {
			if _, err := pt.Run(ctx, st, x, sink); err != nil {
				t.Fatal(err)
			}
		}
		run()
		if n := testing.AllocsPerRun(200, run); n > c.max {
			t.Errorf("%s: %v allocations, at most %v are allowed", c.sql, n, c.max)
		}
	}
}

func benchPoint(b *testing.B, sql string, params ...types.Datum) {
	db := newTestDB()
	db.must(b, "create table accounts (aid int primary key, bid int, abalance int, filler char(84))")
	db.must(b, "insert into accounts select i, 1, 0, '' from generate_series(1, 1000) i")
	_, pt, ec := db.prepare(b, sql)
	ec.Params = params
	st, ctx, x, sink := &exec.PointState{}, context.Background(), db.context(ec), &discard{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pt.Run(ctx, st, x, sink); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPointSelect(b *testing.B) {
	benchPoint(b, "select abalance from accounts where aid = $1", types.NewInt(77))
}

func BenchmarkPointUpdate(b *testing.B) {
	benchPoint(b, "update accounts set abalance = abalance + $1 where aid = $2", types.NewInt(7), types.NewInt(77))
}

// BenchmarkScanAggregate reads rows of four columns and sums one of them: the bar is 95 ns a row,
// of which the store's iteration is about half and not part of this.
func BenchmarkScanAggregate(b *testing.B) {
	db := newTestDB()
	db.must(b, "create table r (id int primary key, k int, v float8, s text)")
	const rows = 100_000
	db.must(b, fmt.Sprintf("insert into r select i, i %% 100, i * 1.5, 'some text ' || i from generate_series(1, %d) i", rows))
	for _, q := range []string{
		"select count(*) from r",
		"select sum(k) from r",
		"select sum(v) from r where k < 50",
		"select k, count(*), sum(v) from r group by k",
		"select s, count(*) from r group by s",
		"select * from r order by v desc limit 10",
		"select * from r order by s",
		"select count(*) from r a join r b on a.id = b.k",
	} {
		b.Run(q, func(b *testing.B) {
			p, _, ec := db.prepare(b, q)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := exec.Run(context.Background(), p, db.context(ec), &discard{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}

// BenchmarkPlan binds and optimises statements: what a statement costs that is not in the plan cache.
func BenchmarkPlan(b *testing.B) {
	db := newTestDB()
	db.must(b, "create table a (id int primary key, x int, name text)")
	db.must(b, "create table c (id int primary key, aid int references a (id), v numeric)")
	db.must(b, "create index c_aid on c (aid)")
	for _, q := range []string{
		"select name from a where id = $1",
		"update a set x = x + $1 where id = $2",
		"insert into a values ($1, $2, $3)",
		"select a.name, sum(c.v) from a join c on c.aid = a.id where a.x > 5 group by a.name order by 2 desc limit 10",
		"select * from a where exists (select 1 from c where c.aid = a.id and c.v > 3) and x in (1, 2, 3)",
	} {
		b.Run(q, func(b *testing.B) {
			s, err := parser.ParseOne(q)
			if err != nil {
				b.Fatal(err)
			}
			ec := db.eval(context.Background())
			b.ReportAllocs()
			for b.Loop() {
				p, err := db.plan(context.Background(), ec, s.AST)
				if err != nil {
					b.Fatal(err)
				}
				exec.CompilePoint(p)
			}
		})
	}
}
