package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/spanlite/spanlite/server"
)

func newDemo() *cobra.Command {
	var nodes int
	var logLevel string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "A throw-away cluster in memory with an SQL shell",
		Long: `Start a cluster in this process, in memory and on free ports of this machine, and
open an SQL shell. Everything is gone when the shell ends.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if nodes < 1 || nodes > 9 {
				return usageError{fmt.Errorf("--nodes=%d: want 1 to 9", nodes)}
			}
			return runDemo(nodes, logLevel)
		},
	}
	cmd.Flags().IntVar(&nodes, "nodes", 3, "number of nodes")
	cmd.Flags().StringVar(&logLevel, "log-level", "error", "debug, info, warn or error")
	return cmd
}

// demoStartTimeout bounds the start of all the nodes.
const demoStartTimeout = time.Minute

func runDemo(count int, logLevel string) error {
	logger, err := newLogger(logLevel, "text")
	if err != nil {
		return usageError{err}
	}
	ctx := context.Background()
	startCtx, cancel := context.WithTimeout(ctx, demoStartTimeout)
	defer cancel()

	var nodes []*server.Node
	defer func() {
		for _, n := range nodes {
			n.Stop()
		}
	}()
	base := server.Config{
		SQLAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", ListenAddr: "127.0.0.1:0",
		CacheBytes: 16 << 20, Logger: logger,
	}
	for i := range count {
		cfg := base
		cfg.Locality = fmt.Sprintf("region=demo,zone=z%d", i+1)
		if i > 0 {
			cfg.Join = []string{nodes[0].ListenAddr()}
		}
		n, err := server.Start(startCtx, cfg)
		if err != nil {
			return fmt.Errorf("start node %d of %d: %w", i+1, count, err)
		}
		nodes = append(nodes, n)
	}

	fmt.Printf("%s\n\n", server.Version())
	for _, n := range nodes {
		fmt.Printf("n%d: psql '%s'\n", n.ID(), n.URL())
	}
	fmt.Printf("console: %s\n\n", nodes[0].ConsoleURL())

	shell, err := openShell(ctx, nodes[0].URL(), os.Stdout)
	if err != nil {
		return err
	}
	defer shell.close()
	if err := shell.loop(ctx, os.Stdin); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) && isDevNull(os.Stdin) {
		// Started in the background: the cluster stays until it is told to stop.
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
		defer stop()
		<-ctx.Done()
	}
	return nil
}

// isDevNull reports whether a file is the null device: the demo was started in
// the background.
func isDevNull(f *os.File) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(a, b)
}
