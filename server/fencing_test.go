package server

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestFencing shows that a holder of an advisory lock that has lost it to another
// cannot commit any more, and that its own token is good as long as it holds the lock.
func TestFencing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	nodes := threeNodes(t)
	a, b := connectTo(t, ctx, nodes[0]), connectTo(t, ctx, nodes[1])
	a.must(ctx, "CREATE TABLE t (id int PRIMARY KEY)")
	token := func(c client) (n int64) {
		rows, err := c.query(ctx, "SELECT pg_advisory_lock_token(42)")
		require.NoError(t, err)
		_, err = fmt.Sscanf(rows[0], "[%d]", &n)
		require.NoError(t, err)
		return n
	}
	require.Equal(t, "55000", code(a.exec(ctx, "SELECT pg_advisory_lock_token(42)")))
	require.NoError(t, a.exec(ctx, "SELECT pg_advisory_lock(42)"))
	first := token(a)
	require.Equal(t, first, token(a))
	require.NoError(t, a.exec(ctx, fmt.Sprintf("SET spanlite.fence = '42:%d'; INSERT INTO t VALUES (1)", first)))

	// The session goes on believing that it holds the lock.
	require.NoError(t, a.exec(ctx, "BEGIN; INSERT INTO t VALUES (2); SELECT pg_advisory_unlock(42)"))
	require.NoError(t, b.exec(ctx, "SELECT pg_advisory_lock(42)"))
	require.Greater(t, token(b), first)
	err := a.exec(ctx, "COMMIT")
	require.Equal(t, "55000", code(err))
	require.ErrorContains(t, err, "fencing token")
	require.Equal(t, "55000", code(a.exec(ctx, "INSERT INTO t VALUES (3)")))
	require.NoError(t, a.exec(ctx, "SELECT * FROM t")) // reads harm nobody
	require.NoError(t, a.exec(ctx, "RESET spanlite.fence; INSERT INTO t VALUES (4)"))
	require.Equal(t, "22023", code(a.exec(ctx, "SET spanlite.fence = 'x'")))

	// Shared and exclusive locks of one session do not exclude each other.
	require.NoError(t, b.exec(ctx, "SELECT pg_advisory_unlock_all(); SELECT pg_advisory_lock_shared(7); SELECT pg_advisory_lock(7)"))
	rows, err := a.query(ctx, "SELECT pg_try_advisory_lock_shared(7)")
	require.NoError(t, err)
	require.Equal(t, []string{"[f]"}, rows)
}
