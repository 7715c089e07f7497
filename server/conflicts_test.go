package server

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/txn/locktable"
)

// TestConflictsExplained makes sessions on three nodes run into each other, and reads
// what they are told: where, by whom, and what that one is doing.
func TestConflictsExplained(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	nodes := threeNodes(t)
	var c [3]client
	for i, n := range nodes {
		c[i] = connectTo(t, ctx, n)
		c[i].must(ctx, "SET application_name = 'app"+string(rune('1'+i))+"'")
	}
	// A node that has just joined is asked once it has been heard of.
	for i := range c {
		require.Eventually(t, func() bool {
			live, err := c[i].query(ctx, "SELECT count(*) FROM spanlite_nodes WHERE live")
			return err == nil && live[0] == "[3]"
		}, 20*time.Second, 10*time.Millisecond)
	}
	c[0].must(ctx, "CREATE TABLE t (id int PRIMARY KEY, name text UNIQUE, v int)")
	c[0].must(ctx, "INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 0)")
	wantError := func(err error, code string, detail ...string) *pgconn.PgError {
		t.Helper()
		var e *pgconn.PgError
		require.True(t, errors.As(err, &e), "%v", err)
		require.Equal(t, code, e.Code)
		for _, d := range detail {
			require.Contains(t, e.Detail, d)
		}
		return e
	}

	// 55P03
	c[0].must(ctx, "BEGIN; UPDATE t SET v = 1 WHERE id = 1")
	e := wantError(c[1].exec(ctx, "SELECT * FROM t WHERE id = 1 FOR UPDATE NOWAIT"), "55P03",
		`row (id)=(1) of table "t" is held by process `, `application "app1"`, "in: BEGIN; UPDATE t SET v = 1 WHERE id = 1")
	require.Equal(t, "t", e.TableName)
	require.Equal(t, "t_pkey", e.ConstraintName)

	// Who waits for whom, seen from a third node.
	blocked := make(chan error, 1)
	go func() { blocked <- c[1].exec(ctx, "BEGIN; UPDATE t SET v = 2 WHERE id = 1") }()
	require.Eventually(t, func() bool {
		waits, err := c[2].query(ctx, "SELECT w.pid = ANY (pg_blocking_pids(l.pid)) FROM pg_locks w JOIN pg_locks l ON w.granted AND NOT l.granted")
		return err == nil && len(waits) == 1 && waits[0] == "[t]"
	}, 10*time.Second, 10*time.Millisecond)
	c[0].must(ctx, "COMMIT")
	require.NoError(t, <-blocked)

	// 40P01: c[1] holds row 1.
	c[2].must(ctx, "BEGIN; UPDATE t SET v = 3 WHERE id = 2")
	go func() { blocked <- c[1].exec(ctx, "UPDATE t SET v = 4 WHERE id = 2") }()
	require.Eventually(t, func() bool {
		waits, err := c[0].query(ctx, "SELECT pid FROM pg_locks WHERE NOT granted")
		return err == nil && len(waits) == 1
	}, 10*time.Second, locktable.DefaultProbeAfter/10)
	victim := c[2].exec(ctx, "UPDATE t SET v = 5 WHERE id = 1")
	require.NoError(t, <-blocked, "the younger gives way")
	wantError(victim, "40P01", `waits for a lock on row (id)=(1) of table "t"; blocked by process`,
		": UPDATE t SET v = 5 WHERE id = 1", ": UPDATE t SET v = 4 WHERE id = 2")
	c[1].must(ctx, "ROLLBACK")
	c[2].must(ctx, "ROLLBACK")

	// 40001
	c[0].must(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM t")
	c[1].must(ctx, "UPDATE t SET v = 6 WHERE name = 'b'")
	wantError(c[0].exec(ctx, "UPDATE t SET v = 7 WHERE id = 2"), "40001", `row (id)=(2) of table "t" has been changed at `,
		`by process `, `(application "app2")`, "in: UPDATE t SET v = 6 WHERE name = 'b'")
	c[0].must(ctx, "ROLLBACK")

	want := []string{"[55P03 2 (id)=(1) app2 app1]", "[40P01 3 (id)=(1) app3 app2]", "[40001 1 (id)=(2) app1 app2]"}
	for i := range nodes {
		require.Eventually(t, func() bool {
			rows, err := c[i].query(ctx, "SELECT sqlstate || ' ' || node || ' ' || key || ' ' || application_name || ' ' || coalesce(other_application_name, '-') FROM spanlite_conflicts WHERE table_name = 't' ORDER BY at")
			return err == nil && slices.Equal(rows, want)
		}, 10*time.Second, 10*time.Millisecond, "seen from node %d", i+1)
	}
}

// TestTxnOutcome asks all nodes for the outcome of transactions.
func TestTxnOutcome(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	nodes := threeNodes(t)
	var c [3]client
	for i, n := range nodes {
		c[i] = connectTo(t, ctx, n)
	}
	c[0].must(ctx, "CREATE TABLE t (id int PRIMARY KEY)")
	begin := func(write string) string {
		c[0].must(ctx, "BEGIN; "+write)
		id, err := c[0].query(ctx, "SELECT spanlite_txn_id()")
		require.NoError(t, err)
		require.Len(t, id, 1)
		return strings.Trim(id[0], "[]")
	}
	outcome := func(id string) string {
		t.Helper()
		var all []string
		for i := range c {
			rows, err := c[i].query(ctx, "SELECT outcome || (committed_at IS NOT NULL) FROM spanlite_txn_outcome('"+id+"')")
			require.NoError(t, err)
			require.Len(t, rows, 1)
			all = append(all, rows[0])
		}
		require.Equal(t, all[0], all[1])
		require.Equal(t, all[0], all[2])
		return all[0]
	}
	id := begin("INSERT INTO t VALUES (1)")
	require.Equal(t, "[in progressfalse]", outcome(id))
	c[0].must(ctx, "COMMIT")
	require.Equal(t, "[committedtrue]", outcome(id))
	id = begin("INSERT INTO t VALUES (2)")
	c[0].must(ctx, "ROLLBACK")
	require.Equal(t, "[abortedfalse]", outcome(id))
	require.Equal(t, "22023", code(c[0].exec(ctx, "SELECT * FROM spanlite_txn_outcome('nonsense')")))
}
