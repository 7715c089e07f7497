package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/spanlite/spanlite/server"
)

// admin holds the flags of every command that administers a running cluster.
type admin struct {
	host, certsDir, format string
	timeout                time.Duration
}

// addFlags gives a command, and those below it, the flags.
func (a *admin) addFlags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&a.host, "host", "127.0.0.1:"+server.DefaultListenPort, "--listen-addr of any node of the cluster")
	f.StringVar(&a.certsDir, "certs-dir", "", "folder with ca.crt and client.root.crt, client.root.key")
	f.DurationVar(&a.timeout, "timeout", time.Minute, "give up after this long")
}

// run connects to the node and calls f. A signal ends f's context.
func (a *admin) run(f func(context.Context, *server.AdminClient) error) error {
	addr := a.host
	if !strings.Contains(addr, ":") {
		addr += ":" + server.DefaultListenPort
	}
	client, err := server.NewAdminClient(addr, a.certsDir)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	return f(ctx, client)
}

// exactArgs refuses any other number of arguments than the named ones.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usageError{fmt.Errorf("usage: %s %s", cmd.CommandPath(), strings.Join(names, " "))}
		}
		return nil
	}
}

// group returns a command that only holds others.
func group(name, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q of %q", args[0], cmd.CommandPath())}
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	cmd.AddCommand(commands...)
	return cmd
}

// parseID reads "3" or with its prefix "n3".
func parseID(prefix, s string) (uint64, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(s, prefix), 10, 32)
	if err != nil || id == 0 {
		return 0, usageError{fmt.Errorf("%q is not an id: want %s<number>", s, prefix)}
	}
	return id, nil
}

// parseNode reads a node's id.
func parseNode(s string) (uint32, error) {
	id, err := parseID("n", s)
	return uint32(id), err
}

// warn prints a warning, if there is one.
func warn(warning string) {
	if warning != "" {
		fmt.Fprintln(os.Stderr, "warning:", warning)
	}
}
