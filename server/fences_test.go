package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql"
	"github.com/spanlite/spanlite/sql/catalog"
)

// threeNodes starts a cluster.
func threeNodes(t *testing.T) []*Node {
	a := startNode(t, inMemory())
	cfg := inMemory()
	cfg.Join = []string{a.ListenAddr()}
	return []*Node{a, startNode(t, cfg), startNode(t, cfg)}
}

// client is a connection for one goroutine.
type client struct {
	t *testing.T
	c *pgconn.PgConn
}

func connectTo(t *testing.T, ctx context.Context, n *Node) client {
	t.Helper()
	c, err := pgconn.Connect(ctx, n.URL())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return client{t, c}
}

func (c client) exec(ctx context.Context, text string) error {
	_, err := c.c.Exec(ctx, text).ReadAll()
	return err
}

// must runs statements, again after a conflict.
func (c client) must(ctx context.Context, text string) {
	c.t.Helper()
	for {
		err := c.exec(ctx, text)
		if code(err) == "40001" {
			continue
		}
		if e, ok := errors.AsType[*pgconn.PgError](err); ok {
			require.NoError(c.t, err, "%s: %s", text, e.Detail)
		}
		require.NoError(c.t, err, text)
		return
	}
}

// query returns the rows of the last statement, a line each.
func (c client) query(ctx context.Context, text string) ([]string, error) {
	results, err := c.c.Exec(ctx, text).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows []string
	for _, r := range results[len(results)-1].Rows {
		rows = append(rows, fmt.Sprintf("%s", r))
	}
	return rows, nil
}

func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// TestSchemaChangesAmongWriters changes a table through one node while clients of
// all nodes write it: the indexes must agree with the table afterwards.
func TestSchemaChangesAmongWriters(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	nodes := threeNodes(t)
	ddl := connectTo(t, ctx, nodes[0])
	ddl.must(ctx, "CREATE TABLE t (k int NOT NULL, v int NOT NULL)")
	ddl.must(ctx, "CREATE TABLE other (k int PRIMARY KEY, v int)")

	var stop atomic.Bool
	var next, written atomic.Int64
	var wg sync.WaitGroup
	for i := range 6 {
		c := connectTo(t, ctx, nodes[i%len(nodes)])
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			for !stop.Load() {
				var text string
				k := next.Add(1)
				switch i / len(nodes) {
				case 0:
					text = fmt.Sprintf("INSERT INTO t (k, v) VALUES (%d, %d)", k, k%17)
				default:
					text = fmt.Sprintf("BEGIN; INSERT INTO t (k, v) VALUES (%d, 5); UPDATE t SET v = v + 1 WHERE k = %d; DELETE FROM t WHERE k = %d; COMMIT",
						k, rng.Int64N(k), rng.Int64N(k))
				}
				switch err := c.exec(ctx, text); code(err) {
				case "40001", "40P01":
					_ = c.exec(ctx, "ROLLBACK")
				default:
					if err != nil {
						t.Errorf("writer %d: %v", i, err)
						return
					}
					written.Add(1)
				}
			}
		})
	}
	// awaitWrites lets the writers of all nodes do something between two changes.
	awaitWrites := func() {
		until := written.Load() + 30
		for written.Load() < until && ctx.Err() == nil && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
	}
	for _, text := range []string{
		"CREATE INDEX t_v ON t (v)",
		"ALTER TABLE t ADD COLUMN d int NOT NULL DEFAULT 7",
		"ALTER TABLE t ADD PRIMARY KEY (k)",
		"CREATE INDEX t_d ON t (d, v)",
		"COMMENT ON TABLE t IS 'comment'",
		"DROP INDEX t_v",
		"CREATE INDEX t_v2 ON t (v) INCLUDE (k)",
	} {
		awaitWrites()
		ddl.must(ctx, text)
	}
	awaitWrites()
	stop.Store(true)
	wg.Wait()

	var first []string
	for i, n := range nodes {
		c := connectTo(t, ctx, n)
		all, err := c.query(ctx, "SELECT k, v, d FROM t ORDER BY k")
		require.NoError(t, err)
		require.NotEmpty(t, all)
		if i == 0 {
			first = all
		}
		require.Equal(t, first, all)
		for _, by := range []string{"v", "d, v"} {
			plan, err := c.query(ctx, "EXPLAIN SELECT v, d, k FROM t ORDER BY "+by+" LIMIT 1")
			require.NoError(t, err)
			require.Contains(t, strings.Join(plan, "\n"), "Index", "the index is used")
		}
		for _, index := range []string{"t_pkey", "t_d", "t_v2"} {
			require.Equal(t, len(all), indexEntries(t, ctx, n, index), "%s on node %d", index, i+1)
		}
		for v := range 40 {
			byIndex, err := c.query(ctx, fmt.Sprintf("SELECT k FROM t WHERE v = %d ORDER BY k", v))
			require.NoError(t, err)
			byScan, err := c.query(ctx, fmt.Sprintf("SELECT k FROM t WHERE v + 0 = %d ORDER BY k", v))
			require.NoError(t, err)
			require.Equal(t, byScan, byIndex, "v = %d", v)
		}
	}
	t.Logf("%d statements written", written.Load())
}

// indexEntries counts the entries of an index in the store.
func indexEntries(t *testing.T, ctx context.Context, n *Node, name string) (count int) {
	t.Helper()
	db := sql.CatalogDB(n.db)
	err := db.Run(ctx, func(ctx context.Context, txn catalog.Txn) error {
		count = 0
		for d := range n.catalog.Snapshot().All {
			table, ok := d.(*catalog.Table)
			if !ok {
				continue
			}
			if x := table.IndexByName(name); x != nil {
				span := table.IndexSpan(x)
				for start := []byte(span.Start); start != nil; {
					var rows kv.Rows
					resume, err := txn.ScanPage(ctx, start, span.End, 0, &rows)
					if err != nil {
						return err
					}
					count += rows.Count
					start = resume
				}
				return nil
			}
		}
		return errors.New("no such index")
	})
	require.NoError(t, err)
	return count
}

// TestDropAndTruncateAmongReaders: once the change is acknowledged nobody reads what was
// there before, on any node, whatever plan he has prepared.
func TestDropAndTruncateAmongReaders(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	nodes := threeNodes(t)
	ddl := connectTo(t, ctx, nodes[0])
	for round, change := range []string{"TRUNCATE r0", "DROP TABLE r1", "TRUNCATE r2", "DROP TABLE r3"} {
		table := fmt.Sprintf("r%d", round)
		ddl.must(ctx, "CREATE TABLE "+table+" (k int PRIMARY KEY)")
		ddl.must(ctx, "INSERT INTO "+table+" SELECT generate_series(1, 10)")
		var acknowledged, stop atomic.Bool
		var before, after atomic.Int64
		var wg sync.WaitGroup
		for i := range 4 {
			c := connectTo(t, ctx, nodes[1+i%2])
			_, err := c.c.Prepare(ctx, "q", "SELECT count(*) FROM "+table, nil)
			require.NoError(t, err)
			wg.Go(func() {
				for !stop.Load() && !t.Failed() {
					acked := acknowledged.Load()
					var rows []string
					var err error
					if i < 2 {
						rows, err = c.query(ctx, "SELECT count(*) FROM "+table)
					} else if r := c.c.ExecPrepared(ctx, "q", nil, nil, nil).Read(); r.Err != nil {
						err = r.Err
					} else {
						rows = []string{fmt.Sprintf("%s", r.Rows[0])}
					}
					switch {
					case err == nil && rows[0] == "[10]" && !acked:
					case err == nil && rows[0] == "[0]" && change[0] == 'T':
					case code(err) == "42P01" && change[0] == 'D':
					case code(err) == "40001":
					default:
						t.Errorf("%s: acknowledged %v: %v, %v", change, acked, rows, err)
					}
					if acked {
						after.Add(1)
					} else {
						before.Add(1)
					}
				}
			})
		}
		enough := func(n *atomic.Int64) func() bool { return func() bool { return n.Load() > 50 || t.Failed() } }
		require.Eventually(t, enough(&before), time.Minute, time.Millisecond)
		ddl.must(ctx, change)
		acknowledged.Store(true)
		require.Eventually(t, enough(&after), time.Minute, time.Millisecond)
		stop.Store(true)
		wg.Wait()
	}
}

// awaitFence waits until the node has a fence for the table, or none.
func awaitFence(t *testing.T, n *Node, fenced bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		n.fences.mu.Lock()
		defer n.fences.mu.Unlock()
		return len(n.fences.kept) > 0 == fenced
	}, 30*time.Second, time.Millisecond)
}

// TestFence follows one schema change through its stages.
func TestFence(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	nodes := threeNodes(t)
	a, b, other := connectTo(t, ctx, nodes[0]), connectTo(t, ctx, nodes[1]), connectTo(t, ctx, nodes[2])
	a.must(ctx, "CREATE TABLE t (k int PRIMARY KEY, v int)")
	b.must(ctx, "BEGIN; INSERT INTO t VALUES (1, 1)")

	created := make(chan error, 1)
	require.NoError(t, a.exec(ctx, "BEGIN"))
	go func() { created <- a.exec(ctx, "CREATE INDEX t_v ON t (v)") }()
	awaitFence(t, nodes[1], true)
	awaitFence(t, nodes[2], true)
	// The transaction that is waited for goes on, with the table and others.
	b.must(ctx, "INSERT INTO t VALUES (2, 1)")
	// A new one waits.
	inserted := make(chan error, 1)
	go func() { inserted <- other.exec(ctx, "INSERT INTO t VALUES (3, 1)") }()
	select {
	case err := <-created:
		require.Fail(t, "the index was built among users", "%v", err)
	case err := <-inserted:
		require.Fail(t, "the fence has a hole", "%v", err)
	case <-time.After(100 * time.Millisecond):
	}
	b.must(ctx, "COMMIT")
	require.NoError(t, <-created)

	// A node that starts in the middle is kept from the table too.
	cfg := inMemory()
	cfg.Join = []string{nodes[0].ListenAddr()}
	late := startNode(t, cfg)
	awaitFence(t, late, true)
	lateInserted := make(chan error, 1)
	c := connectTo(t, ctx, late)
	go func() { lateInserted <- c.exec(ctx, "INSERT INTO t VALUES (4, 1)") }()
	select {
	case err := <-inserted:
		require.Fail(t, "the fence has a hole", "%v", err)
	case err := <-lateInserted:
		require.Fail(t, "the new node has no fence", "%v", err)
	case <-time.After(100 * time.Millisecond):
	}
	require.NoError(t, a.exec(ctx, "COMMIT"))
	require.NoError(t, <-inserted)
	require.NoError(t, <-lateInserted)
	for _, n := range []*Node{nodes[0], nodes[1], nodes[2], late} {
		awaitFence(t, n, false)
		require.Equal(t, 4, indexEntries(t, ctx, n, "t_v"))
	}

	// What is rolled back leaves no fence, nor does what needs none make one.
	require.NoError(t, a.exec(ctx, "BEGIN; DROP INDEX t_v"))
	awaitFence(t, nodes[1], true)
	require.NoError(t, a.exec(ctx, "ROLLBACK"))
	awaitFence(t, nodes[1], false)
	require.Eventually(t, func() bool { return len(nodes[0].fences.owned()) == 0 }, 30*time.Second, time.Millisecond)
	require.NoError(t, a.exec(ctx, "BEGIN; COMMENT ON TABLE t IS 'x'; GRANT SELECT ON t TO public; CREATE TABLE u (k int); CREATE VIEW w AS SELECT 1 AS x"))
	require.Empty(t, nodes[0].fences.owned())
	require.NoError(t, a.exec(ctx, "DROP TABLE t"))
	require.Len(t, nodes[0].fences.owned(), 1)
	awaitFence(t, nodes[1], true)

	// A fence whose owner has forgotten it falls by itself.
	nodes[0].fences.forget(nodes[0].fences.owned()[0])
	awaitFence(t, nodes[1], false)
	require.NoError(t, a.exec(ctx, "ROLLBACK"))
	rows, err := b.query(ctx, "SELECT count(*) FROM t WHERE v = 1")
	require.NoError(t, err)
	require.Equal(t, []string{"[4]"}, rows)
}
