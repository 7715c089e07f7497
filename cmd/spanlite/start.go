package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/spanlite/spanlite/server"
)

// drainTimeout bounds a graceful stop: clients that do not finish their
// transactions by then are cut off.
const drainTimeout = 15 * time.Second

func newStart() *cobra.Command {
	var cfg server.Config
	var join, logLevel, logFormat string
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Start a node",
		Long: `Start a node. Without --join it is a cluster of its own, ready at once. With --join
it waits until the cluster is initialised ('spanlite init', once) or joins the
cluster that the named nodes belong to.

SIGTERM and SIGINT drain the node and end it; a second one ends it at once.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if join != "" {
				cfg.Join = strings.Split(join, ",")
			}
			if cfg.StoreDir == "" {
				return usageError{fmt.Errorf("--store is missing: the folder that holds the node's data")}
			}
			logger, err := newLogger(logLevel, logFormat)
			if err != nil {
				return usageError{err}
			}
			cfg.Logger = logger
			if err := cfg.Validate(); err != nil {
				return usageError{err}
			}
			return runNode(cfg)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.StoreDir, "store", "", "folder of the node's data; made if it does not exist")
	f.StringVar(&cfg.ListenAddr, "listen-addr", "127.0.0.1:"+server.DefaultListenPort, "where other nodes and administrators connect")
	f.StringVar(&cfg.AdvertiseAddr, "advertise-addr", "", "address told to other nodes (default: --listen-addr)")
	f.StringVar(&cfg.SQLAddr, "sql-addr", "127.0.0.1:"+server.DefaultSQLPort, "where SQL clients connect")
	f.StringVar(&cfg.HTTPAddr, "http-addr", "127.0.0.1:"+server.DefaultHTTPPort, "where /health, /metrics and the console are; empty for none")
	f.StringVar(&join, "join", "", "nodes of the cluster to join, HOST:PORT,...")
	f.StringVar(&cfg.Locality, "locality", "", "where the node is: region=..,zone=..")
	f.StringVar(&cfg.CertsDir, "certs-dir", "", "folder with ca.crt, node.crt, node.key")
	f.BoolVar(&cfg.Insecure, "insecure", false, "no encryption and no passwords, on any address")
	f.Int64Var(&cfg.CacheBytes, "cache", 0, "bytes of the block cache (default a quarter of the memory)")
	f.Int64Var(&cfg.TempBytes, "max-temp-storage", 0, "bytes of disk that all queries together may use for sorting and joining (default a quarter of the free disk, at most 32 GB)")
	f.Int64Var(&cfg.SQLMemoryBytes, "max-sql-memory", 0, "bytes that all queries together may use (default a quarter of the memory)")
	f.IntVar(&cfg.MaxConnections, "max-connections", 0, "SQL connections at a time (default 10000)")
	f.Int64Var(&cfg.RangeMaxBytes, "range-max-bytes", 0, "size at which a range splits (default 512 MB)")
	f.DurationVar(&cfg.GCTTL, "gc-ttl", 0, "how long old versions of rows are kept (default 4h)")
	f.DurationVar(&cfg.TimeUntilStoreDead, "time-until-store-dead", 0, "after which a silent node's replicas are made anew elsewhere (default 1m)")
	f.DurationVar(&cfg.MaxOffset, "max-offset", 0, "greatest difference of two nodes' clocks (default 250ms)")
	f.StringVar(&logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&logFormat, "log-format", "text", "text or json")
	return cmd
}

func newLogger(level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level=%s: want debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, opts)), nil
	}
	return nil, fmt.Errorf("--log-format=%s: want text or json", format)
}

// runNode runs a node until a signal or a fatal error ends it.
func runNode(cfg server.Config) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopping := make(chan struct{})
	go func() {
		<-signals
		close(stopping)
		cancel()
		<-signals
		fmt.Fprintln(os.Stderr, "spanlite: second signal: stopping at once")
		os.Exit(1)
	}()
	tuneGC(server.MemoryLimit())
	node, err := server.Start(ctx, cfg)
	if err != nil {
		select {
		case <-stopping:
			return nil // stopped before it was ready
		default:
			return err
		}
	}
	fmt.Printf("%s\n\n", server.Version())
	fmt.Printf("node:    n%d of cluster %s\n", node.ID(), node.ClusterID())
	fmt.Printf("store:   %s\n", cfg.StoreDir)
	fmt.Printf("sql:     psql '%s'\n", node.URL())
	if u := node.ConsoleURL(); u != "" {
		fmt.Printf("console: %s\n", u)
	}
	select {
	case <-stopping:
		fmt.Fprintln(os.Stderr, "spanlite: draining; a second signal stops at once")
		drain, done := context.WithTimeout(context.Background(), drainTimeout)
		defer done()
		node.Drain(drain)
		return node.Stop()
	case err := <-node.Fatal():
		// The store can no longer be trusted: nothing is flushed, the log has all
		// that was promised.
		return err
	}
}
