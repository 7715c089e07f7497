package server

import (
	"context"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// TestPreparedTransactions prepares transactions at one node and ends them at another:
// what they have locked and written stays out of reach until then.
func TestPreparedTransactions(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	nodes := threeNodes(t)
	a, b := connectTo(t, ctx, nodes[0]), connectTo(t, ctx, nodes[1])
	a.must(ctx, "CREATE TABLE t (id int PRIMARY KEY, v int UNIQUE); INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)")
	a.must(ctx, "CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES t)")

	a.must(ctx, "BEGIN; UPDATE t SET v = 11 WHERE id = 1; SELECT * FROM t WHERE id = 2 FOR UPDATE; INSERT INTO child VALUES (1, 3); PREPARE TRANSACTION 'one'")
	require.Equal(t, byte('I'), a.c.TxStatus())
	_ = a.c.Close(ctx) // the session is no part of it any more
	a = connectTo(t, ctx, nodes[2])

	rows, err := b.query(ctx, "SELECT gid, owner, database FROM pg_prepared_xacts")
	require.NoError(t, err)
	require.Equal(t, []string{"[one root defaultdb]"}, rows)
	for _, text := range []string{
		"UPDATE t SET v = 12 WHERE id = 1", // written
		"UPDATE t SET v = 22 WHERE id = 2", // locked
		"DELETE FROM t WHERE id = 3",       // referenced
	} {
		require.Equal(t, "55P03", code(b.exec(ctx, "BEGIN; SET LOCAL lock_timeout = 100; "+text)), text)
		require.NoError(t, b.exec(ctx, "ROLLBACK"))
	}
	require.Equal(t, "42710", code(b.exec(ctx, "BEGIN; INSERT INTO t VALUES (9, 90); PREPARE TRANSACTION 'one'")))
	require.Equal(t, byte('I'), b.c.TxStatus())
	require.Equal(t, "25001", code(b.exec(ctx, "BEGIN; SELECT 1; COMMIT PREPARED 'one'")))
	require.NoError(t, b.exec(ctx, "ROLLBACK"))

	require.NoError(t, b.exec(ctx, "COMMIT PREPARED 'one'"))
	require.Equal(t, "42704", code(b.exec(ctx, "COMMIT PREPARED 'one'")))
	require.Equal(t, "42704", code(b.exec(ctx, "ROLLBACK PREPARED 'one'")))
	rows, err = a.query(ctx, "SELECT v FROM t ORDER BY id")
	require.NoError(t, err)
	require.Equal(t, []string{"[11]", "[20]", "[30]"}, rows)
	require.Equal(t, "23503", code(a.exec(ctx, "DELETE FROM t WHERE id = 3")))

	a.must(ctx, "BEGIN; DELETE FROM child; UPDATE t SET v = v + 1; PREPARE TRANSACTION 'two'")
	require.NoError(t, a.exec(ctx, "ROLLBACK PREPARED 'two'"))
	rows, err = b.query(ctx, "SELECT v FROM t ORDER BY id")
	require.NoError(t, err)
	require.Equal(t, []string{"[11]", "[20]", "[30]"}, rows)
	b.must(ctx, "UPDATE t SET v = v + 100")

	// The reads of a SERIALIZABLE transaction hold: of two that read what the other
	// writes only one is prepared.
	require.NoError(t, a.exec(ctx, "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(v) FROM t; INSERT INTO t VALUES (4, 1000)"))
	require.NoError(t, b.exec(ctx, "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM t; SELECT sum(id) FROM child; INSERT INTO child VALUES (2, NULL)"))
	require.NoError(t, a.exec(ctx, "PREPARE TRANSACTION 'skew'"))
	done := make(chan error, 1)
	go func() { done <- b.exec(ctx, "COMMIT") }()
	require.NoError(t, a.exec(ctx, "COMMIT PREPARED 'skew'"))
	if err := <-done; err != nil {
		require.Equal(t, "40001", code(err))
	}
	rows, err = a.query(ctx, "SELECT * FROM pg_prepared_xacts")
	require.NoError(t, err)
	require.Empty(t, rows)
}

// TestPreparedSurvivesRestart stops the only node between PREPARE and COMMIT PREPARED.
func TestPreparedSurvivesRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := inMemory()
	cfg.FS = vfs.NewMem()
	n, err := Start(ctx, cfg)
	require.NoError(t, err)
	c := connectTo(t, ctx, n)
	c.must(ctx, "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0), (2, 0)")
	c.must(ctx, "BEGIN; UPDATE t SET v = 1 WHERE id = 1; SELECT * FROM t WHERE id = 2 FOR UPDATE; PREPARE TRANSACTION 'keep'")
	c.must(ctx, "BEGIN; INSERT INTO t VALUES (3, 3); PREPARE TRANSACTION 'drop'")
	c.must(ctx, "BEGIN; PREPARE TRANSACTION 'empty'")
	require.NoError(t, n.Stop())

	n = startNode(t, cfg)
	c = connectTo(t, ctx, n)
	rows, err := c.query(ctx, "SELECT gid FROM pg_prepared_xacts ORDER BY 1")
	require.NoError(t, err)
	require.Equal(t, []string{"[drop]", "[empty]", "[keep]"}, rows)
	for _, id := range []string{"1", "2"} {
		require.Equal(t, "55P03", code(c.exec(ctx, "SET lock_timeout = 100; UPDATE t SET v = 5 WHERE id = "+id)))
	}
	require.NoError(t, c.exec(ctx, "RESET lock_timeout"))
	require.NoError(t, c.exec(ctx, "COMMIT PREPARED 'keep'"))
	require.NoError(t, c.exec(ctx, "ROLLBACK PREPARED 'drop'"))
	require.NoError(t, c.exec(ctx, "COMMIT PREPARED 'empty'"))
	rows, err = c.query(ctx, "SELECT id, v FROM t ORDER BY id")
	require.NoError(t, err)
	require.Equal(t, []string{"[1 1]", "[2 0]"}, rows)
}
