package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/server"
)

// TestCertificates makes certificates as an operator would and checks who gets in
// with which.
func TestCertificates(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "certs")
	for _, args := range [][]string{{"create-ca"}, {"create-node", "localhost", "127.0.0.1"}, {"create-client", "root"}, {"create-client", "eve"}} {
		root := newRoot()
		root.SetArgs(append([]string{"cert", "--certs-dir=" + dir}, args...))
		require.NoError(t, root.Execute(), args)
	}
	root := newRoot()
	root.SetArgs([]string{"cert", "create-ca", "--certs-dir=" + dir})
	require.ErrorContains(t, root.Execute(), "exists")

	n, err := server.Start(ctx, server.Config{
		ListenAddr: "127.0.0.1:0", SQLAddr: "127.0.0.1:0", CertsDir: dir, CacheBytes: 8 << 20, SQLMemoryBytes: 32 << 20,
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, n.Stop()) }()

	admin, err := server.NewAdminClient(n.ListenAddr(), dir)
	require.NoError(t, err)
	nodes, err := admin.Nodes(ctx)
	require.NoError(t, err)
	require.Len(t, nodes, 1)
	require.NoError(t, admin.Close())

	plain, err := server.NewAdminClient(n.ListenAddr(), "")
	require.NoError(t, err)
	_, err = plain.Nodes(ctx)
	require.ErrorContains(t, err, "--certs-dir")
	require.NoError(t, plain.Close())

	connect := func(user, cert, mode string) error {
		u := "postgresql://" + user + "@" + n.SQLAddr() + "/defaultdb?sslmode=" + mode
		if mode != "disable" {
			u += "&sslrootcert=" + filepath.Join(dir, "ca.crt")
		}
		if cert != "" {
			u += "&sslcert=" + filepath.Join(dir, "client."+cert+".crt") + "&sslkey=" + filepath.Join(dir, "client."+cert+".key")
		}
		c, err := pgconn.Connect(ctx, u)
		if err == nil {
			err = c.Close(ctx)
		}
		return err
	}
	require.NoError(t, connect("root", "root", "verify-full"))
	require.ErrorContains(t, connect("root", "eve", "verify-full"), "28P01", "the certificate of somebody else")
	require.ErrorContains(t, connect("root", "", "verify-full"), "28P01", "no certificate")
	require.ErrorContains(t, connect("root", "", "disable"), "28000", "no encryption")
}
