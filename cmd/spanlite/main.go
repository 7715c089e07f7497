// Command spanlite is a node, its shell and its administration in one binary.
//
// Exit codes: 0 success; 1 the command failed; 2 wrong usage.
package main

import (
	"errors"
	"fmt"
	"os"
	_ "time/tzdata" // time zones must not depend on the machine

	"github.com/spf13/cobra"
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func main() {
	root := newRoot()
	if err := root.Execute(); err != nil {
		fmt.Fprintf(os.Stderr, "spanlite: %v\n", err)
		if _, ok := errors.AsType[usageError](err); ok {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "spanlite",
		Short: "Spanlite is a distributed SQL database that speaks PostgreSQL",
		Long: `Spanlite is a distributed SQL database that speaks PostgreSQL.

  spanlite start --store=data          one durable node; prints how to connect
  spanlite demo                        a throw-away cluster in memory with a shell
  spanlite start --join=a:7433,b:7433  a node of a cluster; then once: spanlite init`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\ntry 'spanlite %s --help'", err, cmd.Name())}
	})
	root.AddCommand(newStart(), newInit(), newDemo(), newTestServer(), newSQL(), newNode(), newRange(), newCert(), newVersion())
	for _, c := range root.Commands() {
		if c.RunE != nil && c.Args == nil {
			c.Args = noArgs
		}
	}
	return root
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unexpected argument %q of 'spanlite %s'", args[0], cmd.Name())}
	}
	return nil
}
