package server

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/sql"
)

// TestCancelAnywhere cancels statements that are busy or wait in different places.
// Each has to notice soon; the bound is far above what is expected (100 ms) since
// test machines are slow.
func TestCancelAnywhere(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	n := startNode(t, inMemory())
	holder, c := connectTo(t, ctx, n), connectTo(t, ctx, n)
	require.NoError(t, holder.exec(ctx, "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT g, 0 FROM generate_series(1, 20000) g; CREATE TABLE sink (v int)"))
	require.NoError(t, holder.exec(ctx, "BEGIN; UPDATE t SET v = 1 WHERE id = 1; SELECT pg_advisory_lock(7)"))
	for name, text := range map[string]string{
		"sleep":           "SELECT pg_sleep(600)",
		"row lock":        "UPDATE t SET v = 2 WHERE id = 1",
		"advisory lock":   "SELECT pg_advisory_lock(7)",
		"set function":    "SELECT count(*) FROM generate_series(1, 100000000000)",
		"join":            "SELECT count(*) FROM t a, t b, t c WHERE a.v + b.v + c.v = 77",
		"hash join":       "SELECT count(*) FROM t a JOIN t b ON a.v = b.v JOIN t c ON c.v = b.v AND c.v > a.v - 2",
		"sort":            "SELECT g FROM generate_series(1, 100000000000) g ORDER BY random()",
		"recursion":       "WITH RECURSIVE r AS (SELECT 1::bigint n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
		"subquery":        "SELECT sum((SELECT count(*) FROM t b WHERE b.v < a.id)) FROM t a",
		"insert":          "INSERT INTO sink SELECT g::int FROM generate_series(1, 100000000000) g",
		"window":          "SELECT count(*) OVER (ORDER BY g) FROM generate_series(1, 100000000000) g",
		"aggregate":       "SELECT g % 10, count(*) FROM generate_series(1, 100000000000) g GROUP BY 1",
		"schema change":   "ALTER TABLE t ADD COLUMN w int NOT NULL DEFAULT random()::int",
		"create table as": "CREATE TABLE u AS SELECT g FROM generate_series(1, 100000000000) g",
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan error, 1)
			go func() { done <- c.exec(ctx, text) }()
			require.Eventually(t, func() bool { return activeQuery(n, text) }, 10*time.Second, time.Millisecond)
			select {
			case err := <-done:
				t.Fatalf("ended by itself: %v", err)
			case <-time.After(50 * time.Millisecond): // well under way
			}
			begin := time.Now()
			require.NoError(t, c.c.CancelRequest(ctx))
			err := <-done
			t.Logf("%s after the request", time.Since(begin).Round(time.Millisecond))
			require.Equal(t, "57014", code(err), "%v", err)
			require.ErrorContains(t, err, "canceling statement due to user request")
			require.Less(t, time.Since(begin), 2*time.Second)
			require.NoError(t, c.exec(ctx, "SELECT 1"))
		})
	}
}

// activeQuery reports whether a session of the node runs a text.
func activeQuery(n *Node, text string) bool {
	for _, a := range sessionActivities(n) {
		if a.State == "active" && a.Query == text {
			return true
		}
	}
	return false
}

// TestTimeouts shows each time-out with its message, which clients look at because
// several share a SQLSTATE.
func TestTimeouts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	n := startNode(t, inMemory())
	holder := connectTo(t, ctx, n)
	require.NoError(t, holder.exec(ctx, "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0), (2, 0)"))
	require.NoError(t, holder.exec(ctx, "BEGIN; UPDATE t SET v = 1 WHERE id = 1; SELECT pg_advisory_lock(7)"))
	for _, tc := range []struct{ name, setup, text, code, message string }{
		{"statement", "SET statement_timeout = 50", "SELECT pg_sleep(60)", "57014", "canceling statement due to statement timeout"},
		{"statement while locked", "SET statement_timeout = 50", "UPDATE t SET v = 2", "57014", "canceling statement due to statement timeout"},
		{"lock", "SET lock_timeout = 50", "UPDATE t SET v = 2", "55P03", "canceling statement due to lock timeout"},
		{"lock in block", "SET lock_timeout = 50; BEGIN; UPDATE t SET v = 2 WHERE id = 2", "SELECT * FROM t WHERE id = 1 FOR SHARE", "55P03", "canceling statement due to lock timeout"},
		{"lock of a prepared statement", "SET lock_timeout = 50; PREPARE p AS UPDATE t SET v = 2", "EXECUTE p", "55P03", "canceling statement due to lock timeout"},
		{"advisory lock", "SET lock_timeout = 50", "SELECT pg_advisory_lock(7)", "55P03", "canceling statement due to lock timeout"},
		{"lock before statement", "SET lock_timeout = 50; SET statement_timeout = 60000", "UPDATE t SET v = 2", "55P03", "canceling statement due to lock timeout"},
		{"transaction", "SET transaction_timeout = 100; BEGIN", "SELECT pg_sleep(60)", "25P04", "terminating connection due to transaction timeout"},
		{"transaction of one statement", "SET transaction_timeout = 100", "SELECT pg_sleep(60)", "25P04", "terminating connection due to transaction timeout"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := connectTo(t, ctx, n)
			require.NoError(t, c.exec(ctx, tc.setup))
			err := c.exec(ctx, tc.text)
			require.Equal(t, tc.code, code(err), "%v", err)
			require.ErrorContains(t, err, tc.message)
		})
	}
	for _, tc := range []struct{ name, setup, code, message string }{
		{"idle", "SET idle_session_timeout = 50", "57P05", "terminating connection due to idle-session timeout"},
		{"idle in transaction", "SET idle_in_transaction_session_timeout = 50; BEGIN; SELECT 1", "25P03", "terminating connection due to idle-in-transaction timeout"},
		{"idle in a transaction with a savepoint", "SET idle_in_transaction_session_timeout = 50; BEGIN; SAVEPOINT a", "25P03", "terminating connection due to idle-in-transaction timeout"},
		{"transaction", "SET transaction_timeout = 50; BEGIN; SELECT 1", "25P04", "terminating connection due to transaction timeout"},
	} {
		t.Run(tc.name+" at rest", func(t *testing.T) {
			c := connectTo(t, ctx, n)
			require.NoError(t, c.exec(ctx, tc.setup))
			msg, err := c.c.ReceiveMessage(ctx)
			require.Error(t, err, "%v", msg)
			require.Equal(t, tc.code, code(err), "%v", err)
			require.ErrorContains(t, err, tc.message)
		})
	}
}

func sessionActivities(n *Node) (all []sql.Activity) {
	n.sql.Sessions(func(s *sql.Session) { all = append(all, s.Activity()) })
	return all
}
