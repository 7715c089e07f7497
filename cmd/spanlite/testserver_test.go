package main

import (
	"bufio"
	"io"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestTestServer(t *testing.T) {
	stdin, closeStdin := io.Pipe()
	stdout, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- runTestServer(t.Context(), "127.0.0.1:0", stdin, w) }()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	u, err := url.Parse(line[:len(line)-1])
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), u.String())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "create database of_a_test")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))

	require.NoError(t, closeStdin.Close())
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(30 * time.Second):
		t.Fatal("the server outlives its standard input")
	}
}
