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

	"github.com/spanlite/spanlite/sql/catalog"
)

// The tests of this file change a table that is too large to be gone through under a
// fence, beside clients that use it.

// writeBeside keeps clients of the nodes writing table t (k, u, v), with u unique, until
// stop is called, which returns how many statements they have run.
func writeBeside(t *testing.T, ctx context.Context, nodes []*Node) (stop func() int64) {
	var done atomic.Bool
	var written atomic.Int64
	var wg sync.WaitGroup
	for i := range 2 * len(nodes) {
		c := connectTo(t, ctx, nodes[i%len(nodes)])
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(7, uint64(i)))
			for n := 0; !done.Load(); n++ {
				k := rng.IntN(3000)
				fresh := 10000 + i*1000000 + n
				var text string
				switch rng.IntN(4) {
				case 0:
					text = fmt.Sprintf("INSERT INTO t VALUES (%d, %d, %d)", fresh, fresh, k%10)
				case 1:
					text = fmt.Sprintf("UPDATE t SET v = v + 1 WHERE k = %d", k)
				case 2:
					// The value that the deleted row had is taken by another.
					text = fmt.Sprintf("BEGIN; DELETE FROM t WHERE k = %d; UPDATE t SET u = %d WHERE k = %d; COMMIT", k, fresh, (k+1)%3000)
				default:
					text = fmt.Sprintf("BEGIN; UPDATE t SET u = %d, v = v - 1 WHERE k = %d; DELETE FROM t WHERE k = %d; INSERT INTO t VALUES (%d, %d, 5); COMMIT",
						fresh, k, fresh, fresh, fresh+500000)
				}
				switch err := c.exec(ctx, text); code(err) {
				case "40001", "40P01":
					_ = c.exec(ctx, "ROLLBACK")
				default:
					if err != nil {
						t.Errorf("writer %d: %s: %v", i, text, err)
						return
					}
					written.Add(1)
				}
			}
		})
	}
	return func() int64 {
		done.Store(true)
		wg.Wait()
		return written.Load()
	}
}

// checkAgree compares the indexes of t with the table.
func checkAgree(t *testing.T, ctx context.Context, n *Node, indexes ...string) {
	t.Helper()
	c := connectTo(t, ctx, n)
	rows := indexEntries(t, ctx, n, "t_pkey")
	for _, x := range indexes {
		require.Equal(t, rows, indexEntries(t, ctx, n, x), "entries of %s", x)
	}
	for _, column := range []string{"u", "v"} {
		plan, err := c.query(ctx, fmt.Sprintf("EXPLAIN SELECT count(*) FROM t WHERE %s = 5", column))
		require.NoError(t, err)
		require.Contains(t, strings.Join(plan, "\n"), "Index", "column %s", column)
	}
	all, err := c.query(ctx, "SELECT k, u, v FROM t ORDER BY k")
	require.NoError(t, err)
	byIndex, err := c.query(ctx, "SELECT k, u, v FROM (SELECT k, u, v FROM t ORDER BY u LIMIT 1000000) x ORDER BY k")
	require.NoError(t, err)
	require.Equal(t, all, byIndex)
}

func makeTable(t *testing.T, ctx context.Context, c client) {
	t.Helper()
	c.must(ctx, "CREATE TABLE t (k int PRIMARY KEY, u int NOT NULL, v int NOT NULL)")
	c.must(ctx, "INSERT INTO t SELECT i, i, i % 10 FROM generate_series(0, 2999) i")
}

// TestIndexBesideWriters builds indexes and adds constraints while clients of all nodes
// write: nothing fails, and the indexes agree with the table.
func TestIndexBesideWriters(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d", nodes), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			cluster := []*Node{startNode(t, inMemory())}
			for len(cluster) < nodes {
				cfg := inMemory()
				cfg.Join = []string{cluster[0].ListenAddr()}
				cluster = append(cluster, startNode(t, cfg))
			}
			ddl := connectTo(t, ctx, cluster[0])
			makeTable(t, ctx, ddl)
			ddl.must(ctx, "CREATE TABLE parent (k int PRIMARY KEY); INSERT INTO parent SELECT generate_series(-1000, 1000)")
			stop := writeBeside(t, ctx, cluster)
			for _, text := range []string{
				"CREATE INDEX t_v ON t (v)",
				"CREATE UNIQUE INDEX t_u ON t (u)",
				"CREATE INDEX CONCURRENTLY t_uv ON t (u DESC, v)",
				"ALTER TABLE t ADD CONSTRAINT t_uk UNIQUE (k, u)",
				"ALTER TABLE t ADD CONSTRAINT positive CHECK (u >= 0)",
				"ALTER TABLE t ADD CONSTRAINT ref FOREIGN KEY (v) REFERENCES parent",
				"ALTER TABLE t ADD CONSTRAINT later CHECK (k >= 0) NOT VALID",
				"ALTER TABLE t VALIDATE CONSTRAINT later",
			} {
				require.NoError(t, ddl.exec(ctx, text), text)
			}
			t.Logf("%d statements written", stop())
			for _, n := range cluster {
				checkAgree(t, ctx, n, "t_v", "t_u", "t_uv", "t_uk")
			}
			rows, err := ddl.query(ctx, "SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 't'::regclass ORDER BY 1")
			require.NoError(t, err)
			require.Equal(t, []string{"[later t]", "[positive t]", "[ref t]", "[t_pkey t]", "[t_uk t]"}, rows)
			require.Equal(t, "23503", code(ddl.exec(ctx, "INSERT INTO t VALUES (1000000001, 1000000000, 2000000)")))
		})
	}
}

// TestIndexBesideLongTransaction: a transaction that is open does not make others wait for
// the index; the index waits for it.
func TestIndexBesideLongTransaction(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	nodes := threeNodes(t)
	ddl, long, other := connectTo(t, ctx, nodes[0]), connectTo(t, ctx, nodes[1]), connectTo(t, ctx, nodes[2])
	makeTable(t, ctx, ddl)
	require.NoError(t, long.exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ; DELETE FROM t WHERE k = 1"))
	built := make(chan error, 1)
	go func() { built <- ddl.exec(ctx, "CREATE UNIQUE INDEX t_u ON t (u)") }()
	indexState := func() (state catalog.IndexState) {
		state = 99
		for d := range nodes[0].catalog.Snapshot().All {
			if table, ok := d.(*catalog.Table); ok && table.IndexByName("t_u") != nil {
				state = table.IndexByName("t_u").State
			}
		}
		return state
	}
	require.Eventually(t, func() bool { return indexState() == catalog.IndexDeleteOnly }, time.Minute, time.Millisecond)
	for k := range 100 {
		require.NoError(t, other.exec(ctx, fmt.Sprintf("UPDATE t SET u = u + 100000 WHERE k = %d", k+100)))
	}
	require.Equal(t, catalog.IndexDeleteOnly, indexState())
	for _, text := range []string{"UPDATE t SET u = -5 WHERE k = 2", "SELECT v FROM t WHERE k = 3", "COMMIT"} {
		require.NoError(t, long.exec(ctx, text), text)
	}
	require.NoError(t, <-built)
	rows, err := other.query(ctx, "SELECT k FROM t WHERE u = -5")
	require.NoError(t, err)
	require.Equal(t, []string{"[2]"}, rows)
	require.Equal(t, 2999, indexEntries(t, ctx, nodes[2], "t_u"))
}

// TestFailedOnlineChanges: what does not hold is reported as PostgreSQL does, and leaves
// nothing behind, neither does a statement that is cancelled.
func TestFailedOnlineChanges(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	n := startNode(t, inMemory())
	c, other := connectTo(t, ctx, n), connectTo(t, ctx, n)
	makeTable(t, ctx, c)
	c.must(ctx, "INSERT INTO t VALUES (5000, 77, 12)")
	for text, want := range map[string]string{
		"CREATE UNIQUE INDEX x ON t (u)":                                            `23505 could not create unique index "x" / Key (u)=(77) is duplicated.`,
		"CREATE UNIQUE INDEX CONCURRENTLY x ON t (u)":                               `23505 could not create unique index "x" / Key (u)=(77) is duplicated.`,
		"ALTER TABLE t ADD CONSTRAINT x UNIQUE (u)":                                 `23505 could not create unique index "x" / Key (u)=(77) is duplicated.`,
		"ALTER TABLE t ADD CONSTRAINT x CHECK (v < 12)":                             `23514 check constraint "x" of relation "t" is violated by some row / `,
		"ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (v) REFERENCES t (k)":           ``,
		"ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (u) REFERENCES t (nosuch)":      `42703 column "nosuch" referenced in foreign key constraint does not exist / `,
		"ALTER TABLE t DROP CONSTRAINT IF EXISTS x, ADD COLUMN IF NOT EXISTS v int": ``,
	} {
		err := c.exec(ctx, text)
		got := ""
		if e, ok := errors.AsType[*pgconn.PgError](err); ok {
			got = e.Code + " " + e.Message + " / " + e.Detail
		}
		require.Equal(t, want, got, text)
		c.must(ctx, "ALTER TABLE t DROP CONSTRAINT IF EXISTS x")
	}

	// A cancelled build.
	require.NoError(t, other.exec(ctx, "BEGIN; DELETE FROM t WHERE k = 1"))
	built := make(chan error, 1)
	go func() { built <- c.exec(ctx, "CREATE INDEX x ON t (v)") }()
	watch := connectTo(t, ctx, n)
	require.Eventually(t, func() bool {
		rows, err := watch.query(ctx, "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('x')")
		return err == nil && len(rows) == 1 && rows[0] == "[f]"
	}, time.Minute, time.Millisecond)
	require.NoError(t, c.c.CancelRequest(ctx))
	require.Equal(t, "57014", code(<-built))
	require.NoError(t, other.exec(ctx, "ROLLBACK"))

	rows, err := c.query(ctx, "SELECT relname FROM pg_class WHERE relname = 'x'")
	require.NoError(t, err)
	require.Empty(t, rows)
	c.must(ctx, "CREATE INDEX x ON t (v)")
	require.Equal(t, 3001, indexEntries(t, ctx, n, "x"))
}
