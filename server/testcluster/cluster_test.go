package testcluster

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestThreeNodes(t *testing.T) {
	Simulate(t, func(t *testing.T) {
		began := time.Now()
		c := Start(t, Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
		t.Logf("started after %s", time.Since(began))
		ctx := t.Context()
		s, err := c.Connect(ctx, 2)
		require.NoError(t, err)
		_, err = s.Exec(ctx, "CREATE TABLE t (k int PRIMARY KEY, v int)")
		require.NoError(t, err)
		_, err = s.Exec(ctx, "INSERT INTO t VALUES (1, 1)")
		require.NoError(t, err)
		rows, err := s.Exec(ctx, "SELECT * FROM t")
		require.NoError(t, err)
		require.Equal(t, [][]string{{"1", "1"}}, rows)
		t.Logf("done after %s", time.Since(began))
		s.Close(ctx)
	})
}
