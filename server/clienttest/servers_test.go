package clienttest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite"
)

// startTimeout bounds the start of a server.
const startTimeout = 60 * time.Second

// startSpanlite starts a node and returns the URL of its default database.
func startSpanlite(tb testing.TB) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	srv, err := spanlite.Start(ctx, spanlite.Options{})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, srv.Close()) })
	return srv.URL()
}

// postgresBin is where Debian's and most other packages of PostgreSQL 15 put it.
func postgresBin() string {
	for _, dir := range []string{"/usr/lib/postgresql/15/bin", "/usr/pgsql-15/bin", "/opt/homebrew/opt/postgresql@15/bin"} {
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
			return dir
		}
	}
	return ""
}

// clientProgram returns the path of one of PostgreSQL 15's programs, and skips the
// test if there is none.
func clientProgram(tb testing.TB, name string) string {
	tb.Helper()
	if dir := postgresBin(); dir != "" {
		return filepath.Join(dir, name)
	}
	tb.Skip("PostgreSQL 15 is not installed")
	return ""
}

// startPostgres starts a PostgreSQL 15 with an empty cluster whose superuser is
// root, and returns the URL of its database defaultdb. Without PostgreSQL the test
// is skipped.
func startPostgres(tb testing.TB) string {
	tb.Helper()
	if testing.Short() {
		tb.Skip("compares with PostgreSQL")
	}
	bin := postgresBin()
	if bin == "" {
		tb.Skip("PostgreSQL 15 is not installed")
	}
	dir, err := os.MkdirTemp("", "clienttest")
	require.NoError(tb, err)
	tb.Cleanup(func() { os.RemoveAll(dir) })
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		// It refuses to run as root.
		u, err := user.Lookup("postgres")
		if err != nil {
			tb.Skip("no user to run PostgreSQL as")
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		require.NoError(tb, os.Chown(dir, int(uid), int(gid)))
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "root", "--auth=trust", "--locale=C", "--encoding=UTF8", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, dir
	out, err := initdb.CombinedOutput()
	require.NoError(tb, err, "%s", out)

	port := freePort(tb)
	postgres := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port), "-k", dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_prepared_transactions=10", "-c", "timezone=UTC")
	postgres.SysProcAttr, postgres.Dir = attr, dir
	require.NoError(tb, postgres.Start())
	tb.Cleanup(func() {
		postgres.Process.Signal(syscall.SIGQUIT)
		postgres.Wait()
	})
	url := func(database string) string { return fmt.Sprintf("postgres://root@127.0.0.1:%d/%s", port, database) }
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := pgconn.Connect(ctx, url("postgres"))
		if err == nil {
			_, err = conn.Exec(ctx, "create database defaultdb").ReadAll()
			require.NoError(tb, err)
			require.NoError(tb, conn.Close(ctx))
			return url("defaultdb")
		}
		select {
		case <-ctx.Done():
			tb.Fatalf("PostgreSQL does not start: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freePort(tb testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// createDatabase makes a database beside the one that the URL names and returns its URL.
func createDatabase(tb testing.TB, url, name string) string {
	tb.Helper()
	execSQL(tb, url, "create database "+name)
	cfg, err := pgconn.ParseConfig(url)
	require.NoError(tb, err)
	return fmt.Sprintf("postgres://root@%s:%d/%s", cfg.Host, cfg.Port, name)
}

// execSQL runs a script by simple queries.
func execSQL(tb testing.TB, url, script string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgconn.Connect(ctx, url)
	require.NoError(tb, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, script).ReadAll()
	require.NoError(tb, err)
}
