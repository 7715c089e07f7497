package server

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSignalAcrossNodes cancels and ends sessions of another node, found in
// pg_stat_activity, and shows who may.
func TestSignalAcrossNodes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	nodes := threeNodes(t)
	a, b := connectTo(t, ctx, nodes[0]), connectTo(t, ctx, nodes[1])
	pid := b.c.PID()
	require.NotEqual(t, a.c.PID()>>21, pid>>21)
	done := make(chan error, 1)
	go func() { done <- b.exec(ctx, "SELECT pg_sleep(600)") }()
	find := fmt.Sprintf("SELECT query FROM pg_stat_activity WHERE pid = %d AND state = 'active'", pid)
	require.Eventually(t, func() bool {
		rows, err := a.query(ctx, find)
		return err == nil && len(rows) == 1 && rows[0] == "[SELECT pg_sleep(600)]"
	}, 20*time.Second, 10*time.Millisecond)

	// Others see that there is a session, but neither what it does nor may they end it.
	a.must(ctx, "CREATE ROLE joe")
	rows, err := a.query(ctx, fmt.Sprintf("SET ROLE joe; SELECT query, state FROM pg_stat_activity WHERE pid = %d", pid))
	require.NoError(t, err)
	require.Equal(t, []string{"[<insufficient privilege> ]"}, rows)
	require.Equal(t, "42501", code(a.exec(ctx, fmt.Sprintf("SELECT pg_cancel_backend(%d)", pid))))
	require.NoError(t, a.exec(ctx, "RESET ROLE"))

	rows, err = a.query(ctx, fmt.Sprintf("SELECT pg_cancel_backend(%d), pg_cancel_backend(1)", pid))
	require.NoError(t, err)
	require.Equal(t, []string{"[t f]"}, rows)
	require.Equal(t, "57014", code(<-done))

	// An idle session ends as well.
	rows, err = a.query(ctx, fmt.Sprintf("SELECT pg_terminate_backend(%d)", pid))
	require.NoError(t, err)
	require.Equal(t, []string{"[t]"}, rows)
	_, err = b.c.ReceiveMessage(ctx)
	require.Equal(t, "57P01", code(err), "%v", err)
}
