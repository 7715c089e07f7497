package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/spanlite/spanlite/server"
)

func newTestServer() *cobra.Command {
	var sqlAddr string
	cmd := &cobra.Command{
		Use:   "test-server",
		Short: "A node in memory for the tests of a program in any language",
		Long: `Start a node in memory, print its URL on a line of its own, and serve until the
standard input ends, so that the node goes away with the process that started it, or
until SIGTERM. Every test can make a database of its own: CREATE DATABASE takes less
than a millisecond.

  # Python
  server = subprocess.Popen(["spanlite", "test-server"], stdin=PIPE, stdout=PIPE, text=True)
  url = server.stdout.readline().strip()`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, os.Interrupt)
			defer stop()
			return runTestServer(ctx, sqlAddr, os.Stdin, os.Stdout)
		},
	}
	cmd.Flags().StringVar(&sqlAddr, "sql-addr", "127.0.0.1:0", "where clients connect; port 0 is a free one")
	return cmd
}

// runTestServer serves until in ends or ctx is done.
func runTestServer(ctx context.Context, sqlAddr string, in io.Reader, out io.Writer) error {
	startCtx, cancel := context.WithTimeout(ctx, demoStartTimeout)
	defer cancel()
	logger, err := newLogger("error", "text")
	if err != nil {
		return err
	}
	node, err := server.Start(startCtx, server.Config{SQLAddr: sqlAddr, ListenAddr: "none", CacheBytes: 64 << 20, SQLMemoryBytes: 256 << 20, Logger: logger})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, node.URL()); err != nil {
		node.Stop()
		return err
	}
	ended := make(chan struct{})
	go func() { // ends with the process at the latest: reading cannot be interrupted
		defer close(ended)
		io.Copy(io.Discard, in)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return node.Stop()
}
