package exec_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// TestSpill sorts with so little memory that every few batches become a run on disk, and compares with a
// sort in memory.
func TestSpill(t *testing.T) {
	db := newTestDB()
	db.must(t, "create table s (id int primary key, k int, v numeric, t text, f float8, i interval, a int[])")
	db.must(t, `insert into s select g, g * 7919 % 1000, g / 7.0, case when g % 13 = 0 then null else 'text ' || g % 500 end,
		g * 1.5, g * interval '1 minute', array[g, null] from generate_series(1, 6000) g`)
	for _, order := range []string{"k, id", "t desc nulls last, id", "v, id", "f desc", "i desc, id", "a"} {
		q := "select * from s order by " + order
		db.work = 0
		want := db.must(t, q)
		db.work = 64 << 10
		if got := db.must(t, q); got != want {
			t.Errorf("order by %s: a sort on disk differs from one in memory", order)
		}
	}
}

// TestMemoryLimit runs queries that need more memory than they may have: they fail with 53200 and give everything back.
func TestMemoryLimit(t *testing.T) {
	db := newTestDB()
	db.must(t, "create table m (id int primary key, t text)")
	db.must(t, "insert into m select g, repeat('x', 100) from generate_series(1, 5000) g")
	pool := exec.NewPool(1 << 30)
	for _, q := range []string{
		"select t || id, count(*) from m group by 1",
		"select distinct t || id from m",
		"select count(*) from m a join m b on a.t || a.id = b.t || b.id",
		"select string_agg(t, ',') from m",
		"with w as materialized (select * from m) select count(*) from w",
		"select id, row_number() over (order by t) from m",
	} {
		db.mem = exec.NewMonitor(pool, 128<<10)
		_, err := db.run(q, nil)
		if sqlstate.CodeOf(err) != sqlstate.OutOfMemory {
			t.Errorf("%s: %v, want 53200", q, err)
		}
		db.mem.Close()
	}
	if pool.Used() != 0 {
		t.Errorf("the pool still counts %d bytes", pool.Used())
	}
}

// TestCancel runs endless queries under a context that ends when the first row arrives.
func TestCancel(t *testing.T) {
	db := newTestDB()
	for _, q := range []string{
		"with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r",
		"select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b",
	} {
		p, _, ec := db.prepare(t, q)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := exec.Run(ctx, p, db.context(ec), nil)
		if sqlstate.CodeOf(err) != sqlstate.QueryCanceled {
			t.Errorf("%s: %v, want 57014", q, err)
		}
	}
}

// TestSharedPlan executes one plan on several goroutines at once: plans are immutable.
func TestSharedPlan(t *testing.T) {
	db := newTestDB()
	db.must(t, "create table p (id int primary key, k int)")
	db.must(t, "insert into p select g, g % 10 from generate_series(1, 3000) g")
	for _, q := range []string{
		"select k, count(*) from p where id > $1 group by k order by k",
		"select a.id from p a join p b on a.k = b.id where exists (select 1 from p c where c.id = a.id and c.k > $1) order by 1 limit 5",
		"select id, (select count(*) from p b where b.id < a.k) from p a where id = $1",
	} {
		p, pt, _ := db.prepare(t, q)
		var wg sync.WaitGroup
		results := make([]string, 8)
		for i := range results {
			wg.Go(func() {
				ec := db.eval(context.Background())
				ec.Params = []types.Datum{types.NewInt(5)}
				sink := &rowsText{cols: p.Result, s: ec.Settings}
				c := db.context(ec)
				c.Txn = db.kv.clone()
				for range 5 {
					var err error
					if pt != nil {
						_, err = pt.Run(context.Background(), &exec.PointState{}, c, sink)
					} else {
						_, err = exec.Run(context.Background(), p, c, sink)
					}
					if err != nil {
						results[i] = err.Error()
						return
					}
				}
				results[i] = strings.Join(sink.rows, "\n")
			})
		}
		wg.Wait()
		for i, r := range results {
			if r != results[0] || r == "" {
				t.Errorf("%s: goroutine %d got %q, goroutine 0 %q", q, i, r, results[0])
			}
		}
	}
}

// TestAnalyzeChangesPlans collects statistics and shows that a plan follows them.
func TestAnalyzeChangesPlans(t *testing.T) {
	db := newTestDB()
	db.must(t, "create table z (id int primary key, k int, t text)")
	db.must(t, "create index z_k on z (k)")
	db.must(t, "insert into z select g, case when g <= 10 then g else 0 end, 'x' from generate_series(1, 5000) g")
	table := db.tables["z"]
	s, err := exec.Analyze(context.Background(), db.context(db.eval(context.Background())), table, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	db.stats[table.ID] = s
	if s.Rows != 5000 {
		t.Errorf("ANALYZE counted %v rows", s.Rows)
	}
	rare := db.explain("select * from z where k = 5")
	frequent := db.explain("select * from z where k = 0")
	if !strings.Contains(rare, "Index Scan using z_k") || !strings.HasPrefix(frequent, "Seq Scan") {
		t.Errorf("a rare value is read by\n%sand a frequent one by\n%s", rare, frequent)
	}
}

// TestDeferred checks a deferred foreign key at the end of the transaction.
func TestDeferred(t *testing.T) {
	db := newTestDB()
	db.must(t, "create table parent (id int primary key)")
	db.must(t, "create table child (id int primary key, p int references parent (id) deferrable initially deferred)")
	d := &exec.Deferred{}
	run := func(q string) error {
		p, _, ec := db.prepare(t, q)
		c := db.context(ec)
		c.Deferred = d
		_, err := exec.Run(context.Background(), p, c, nil)
		return err
	}
	check := func() error {
		c := db.context(db.eval(context.Background()))
		return d.Check(context.Background(), c)
	}
	if err := run("insert into child values (1, 7)"); err != nil || !d.Pending() {
		t.Fatalf("insert before the parent: %v, pending %v", err, d.Pending())
	}
	if err := run("insert into parent values (7)"); err != nil {
		t.Fatal(err)
	}
	if err := check(); err != nil {
		t.Errorf("check with the parent in place: %v", err)
	}
	if err := run("insert into child values (2, 8)"); err != nil {
		t.Fatal(err)
	}
	if err := check(); sqlstate.CodeOf(err) != sqlstate.ForeignKeyViolation {
		t.Errorf("check without the parent: %v", err)
	}
}

func BenchmarkInsertRows(b *testing.B) {
	db := newTestDB()
	db.must(b, "create table i (id int primary key, a int, b text)")
	var sql strings.Builder
	sql.WriteString("insert into i values ")
	for i := range 1000 {
		if i > 0 {
			sql.WriteString(", ")
		}
		fmt.Fprintf(&sql, "(%d, %d, 'text %d')", i, i, i)
	}
	p, _, ec := db.prepare(b, sql.String())
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		db.kv = &memTxn{}
		b.StartTimer()
		if _, err := exec.Run(context.Background(), p, db.context(ec), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/row")
}

// TestTempSpace runs queries that need more temporary files than the node may have:
// they fail with 53400 and give everything back.
func TestTempSpace(t *testing.T) {
	db := newTestDB()
	db.must(t, "create table s (id int primary key, t text)")
	db.must(t, "insert into s select g, repeat('x', 200) || g from generate_series(1, 5000) g")
	db.work = 64 << 10
	for _, q := range []string{
		"select t from s order by t desc",
		"select t, count(*) from s group by t",
		"select count(*) from s a join s b on a.t = b.t",
	} {
		db.temp = exec.NewTempSpace("", 256<<10)
		_, err := db.run(q, nil)
		if sqlstate.CodeOf(err) != sqlstate.ConfigurationLimitExceeded {
			t.Errorf("%s: %v, want 53400", q, err)
		}
		if used := db.temp.Used(); used != 0 {
			t.Errorf("%s: %d bytes are still counted", q, used)
		}
		db.temp = exec.NewTempSpace("", 64<<20)
		db.must(t, q)
		if used := db.temp.Used(); used != 0 {
			t.Errorf("%s: %d bytes are still counted after success", q, used)
		}
	}
}
