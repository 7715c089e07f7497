package crashtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// TestCrashSplitAndRepair copies rows in until the table is many ranges, reading
// all the time; then a node dies for good, a new one joins, and every range gets
// its three replicas back.
func TestCrashSplitAndRepair(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: copies many rows")
	}
	rows, batch := 40_000, 10_000
	maxBytes := 1 << 20
	if os.Getenv("SPANLITE_SOAK_ROUNDS") != "" {
		rows, batch, maxBytes = 1_000_000, 50_000, 8<<20
	}
	c := newCluster(t, 3, fmt.Sprintf("--range-max-bytes=%d", maxBytes), "--time-until-store-dead=5s")
	c.awaitReplicas(c.nodes[0], 3, "", 30*time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.nodes[1].url())
	require.NoError(t, err)
	defer closeConn(conn)
	_, err = conn.Exec(ctx, "CREATE TABLE big (id int8 PRIMARY KEY, k int4 NOT NULL, note text NOT NULL)")
	require.NoError(t, err)
	_, err = conn.Exec(ctx, "CREATE INDEX big_k ON big (k)")
	require.NoError(t, err)

	verify := func(p *process, n int) {
		t.Helper()
		var count, sum, byIndex int64
		require.NoError(t, p.query("SELECT count(*), coalesce(sum(id), 0)::int8 FROM big WHERE note <> ''", &count, &sum))
		require.NoError(t, p.query("SELECT count(*) FROM big WHERE k >= 0", &byIndex))
		if int(count) != n {
			diagnose(t, p, n)
		}
		require.EqualValues(t, n, count, "rows seen through n%d", p.i)
		require.EqualValues(t, int64(n)*int64(n-1)/2, sum)
		require.EqualValues(t, n, byIndex, "index entries seen through n%d", p.i)
	}
	retried := 0
	began := time.Now()
	note := strings.Repeat("x", 80)
	for from := 0; from < rows; from += batch {
		var n int64
		for {
			at := from
			n, err = conn.CopyFrom(ctx, pgx.Identifier{"big"}, []string{"id", "k", "note"}, pgx.CopyFromFunc(func() ([]any, error) {
				if at == from+batch {
					return nil, nil
				}
				at++
				return []any{int64(at - 1), int32((at - 1) * 7919 % 100_003), note}, nil
			}))
			if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != "40001" {
				break
			}
			// The rows are gone from the client by the time the commit fails, so it
			// falls to the client to send them again.
			retried++
			t.Logf("COPY of %d rows from %d is sent again: %s", batch, from, detail(err))
			require.Less(t, retried, 20)
		}
		require.NoErrorf(t, err, "%s", detail(err))
		require.EqualValues(t, batch, n)
		if from%(4*batch) == 0 {
			verify(c.nodes[from/batch%3], from+batch)
		}
	}
	took := time.Since(began)
	// Splits follow the writes.
	want := rows * 100 / maxBytes
	count := 0
	c.eventually(60*time.Second, "splits", func() error {
		ranges, err := c.table(c.nodes[0], "range", "list")
		if count = len(ranges); err == nil && count < want {
			err = fmt.Errorf("%d ranges, want %d", count, want)
		}
		return err
	})
	t.Logf("%d rows copied in %s; %d ranges %s after the beginning", rows, took, count, time.Since(began))
	for _, p := range c.nodes {
		verify(p, rows)
	}

	gone := c.nodes[2]
	id := gone.id()
	gone.kill()
	fourth := c.add()
	fourth.join = c.nodes[0].join
	fourth.start()
	fourth.awaitSQL(20 * time.Second)
	repaired := c.awaitReplicas(c.nodes[0], 3, id, 120*time.Second)
	t.Logf("all ranges have three live replicas %s after a node died for good", repaired)
	for _, p := range []*process{c.nodes[0], c.nodes[1], fourth} {
		verify(p, rows)
	}
}

// diagnose says which rows of big are missing or there more than once.
func diagnose(t *testing.T, p *process, n int) {
	for range 3 {
		got, err := contents(p, "SELECT 0, id FROM big WHERE note <> ''")
		if err != nil {
			t.Log(err)
			continue
		}
		bad, from := 0, -1
		for id := range n + 1 {
			times := got[[2]int{0, id}]
			wrong := id < n && times != 1
			if wrong {
				bad++
			}
			switch {
			case wrong && from < 0:
				from = id
			case !wrong && from >= 0:
				t.Logf("rows %d to %d are there %d times", from, id-1, got[[2]int{0, from}])
				from = -1
			}
		}
		t.Logf("%d of %d rows are wrong", bad, n)
	}
	ranges, _ := p.c.admin(p, "range", "list")
	t.Log(ranges)
}
