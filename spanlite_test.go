package spanlite_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite"
)

func start(tb testing.TB, opts spanlite.Options) *spanlite.Server {
	tb.Helper()
	srv, err := spanlite.Start(tb.Context(), opts)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, srv.Close()) })
	return srv
}

func TestInMemory(t *testing.T) {
	srv := start(t, spanlite.Options{})
	var one int
	require.NoError(t, srv.DB().QueryRow("SELECT 1").Scan(&one))
	require.Equal(t, 1, one)

	db, err := sql.Open("pgx", srv.URL())
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.Ping())
}

func TestFolderKeepsData(t *testing.T) {
	dir := t.TempDir()
	ctx := context.Background()
	srv, err := spanlite.Start(ctx, spanlite.Options{Dir: dir, NoSocket: true})
	require.NoError(t, err)
	require.Empty(t, srv.URL())
	_, err = srv.DB().Exec("CREATE TABLE t (id int PRIMARY KEY, v text)")
	require.NoError(t, err)
	_, err = srv.DB().Exec("INSERT INTO t VALUES (1, 'kept')")
	require.NoError(t, err)
	require.NoError(t, srv.Close())
	require.NoError(t, srv.Close(), "Close is idempotent")

	srv = start(t, spanlite.Options{Dir: dir, NoSocket: true})
	var v string
	require.NoError(t, srv.DB().QueryRow("SELECT v FROM t WHERE id = $1", 1).Scan(&v))
	require.Equal(t, "kept", v)
}

func TestConflictingOptions(t *testing.T) {
	_, err := spanlite.Start(t.Context(), spanlite.Options{NoSocket: true, SQLAddr: "127.0.0.1:0"})
	require.Error(t, err)
	_, err = spanlite.Start(t.Context(), spanlite.Options{SQLAddr: "0.0.0.0:0"})
	require.ErrorContains(t, err, "loopback")
}

// BenchmarkStartToFirstQuery is how long a test has to wait for its own node.
func BenchmarkStartToFirstQuery(b *testing.B) {
	for b.Loop() {
		srv, err := spanlite.Start(b.Context(), spanlite.Options{NoSocket: true})
		if err != nil {
			b.Fatal(err)
		}
		if err := srv.DB().Ping(); err != nil {
			b.Fatal(err)
		}
		if err := srv.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
