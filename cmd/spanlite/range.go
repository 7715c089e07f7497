package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/server"
	"github.com/spanlite/spanlite/sql"
)

func newRange() *cobra.Command {
	var a admin
	cmd := group("range", "Look at ranges, split and move them",
		newRangeList(&a), newRangeSplit(&a), newRangeMerge(&a), newRangeMove(&a), newRangeTransferLease(&a))
	a.addFlags(cmd)
	return cmd
}

func newRangeList(a *admin) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the ranges in key order",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(func(ctx context.Context, c *server.AdminClient) error {
				ranges, err := c.Ranges(ctx)
				if err != nil {
					return err
				}
				return rangeTable(ranges).print(os.Stdout, a.format)
			})
		},
	}
	addFormat(cmd, &a.format)
	return cmd
}

func rangeTable(ranges []sql.RangeInfo) *table {
	t := &table{columns: []string{"range", "from", "to", "leaseholder", "replicas", "learners", "bytes", "keys", "qps", "locks", "error"}}
	for _, r := range ranges {
		leaseholder := ""
		if r.Leaseholder != 0 {
			leaseholder = r.Leaseholder.String()
		}
		t.rows = append(t.rows, []string{
			r.Range.String(), server.KeyString(r.Start), server.KeyString(r.End), leaseholder, nodeList(r.Replicas), nodeList(r.Learners),
			strconv.FormatInt(r.Bytes, 10), strconv.FormatInt(r.Keys, 10), strconv.FormatFloat(r.QPS, 'f', 1, 64), strconv.Itoa(r.Locks), r.Error,
		})
	}
	return t
}

func nodeList(nodes []keys.NodeID) string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.String()
	}
	return strings.Join(names, ",")
}

func newRangeSplit(a *admin) *cobra.Command {
	return &cobra.Command{
		Use:   "split KEY",
		Short: "Split the range that holds a key, at the key",
		Long: `Split the range that holds a key, at the key. Keys are written as 'spanlite range
list' shows them: /Table/104, or /Table/104/1/8a01 for a row of index 1.`,
		Args: exactArgs("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := server.ParseKey(args[0])
			if err != nil {
				return usageError{err}
			}
			return a.run(func(ctx context.Context, c *server.AdminClient) error {
				warning, err := c.Split(ctx, 0, key)
				if err != nil {
					return err
				}
				warn(warning)
				fmt.Printf("split at %s\n", server.KeyString(key))
				return nil
			})
		},
	}
}

func newRangeMerge(a *admin) *cobra.Command {
	return &cobra.Command{
		Use:   "merge RANGE",
		Short: "Join a range with its right neighbour",
		Args:  exactArgs("RANGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("r", args[0])
			if err != nil {
				return err
			}
			return a.run(func(ctx context.Context, c *server.AdminClient) error {
				warning, err := c.Merge(ctx, id)
				if err != nil {
					return err
				}
				warn(warning)
				fmt.Printf("r%d is merged with its right neighbour\n", id)
				return nil
			})
		},
	}
}

func newRangeMove(a *admin) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "move RANGE --from=NODE --to=NODE",
		Short: "Move a replica from one node to another",
		Args:  exactArgs("RANGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("r", args[0])
			if err != nil {
				return err
			}
			source, err := parseNode(from)
			if err != nil {
				return err
			}
			target, err := parseNode(to)
			if err != nil {
				return err
			}
			return a.run(func(ctx context.Context, c *server.AdminClient) error {
				warning, err := c.Move(ctx, id, source, target)
				if err != nil {
					return err
				}
				warn(warning)
				fmt.Printf("r%d moved from n%d to n%d\n", id, source, target)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "node that has the replica")
	cmd.Flags().StringVar(&to, "to", "", "node that gets it")
	return cmd
}

func newRangeTransferLease(a *admin) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "transfer-lease RANGE --to=NODE",
		Short: "Hand a range's lease to another of its nodes",
		Args:  exactArgs("RANGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("r", args[0])
			if err != nil {
				return err
			}
			target, err := parseNode(to)
			if err != nil {
				return err
			}
			return a.run(func(ctx context.Context, c *server.AdminClient) error {
				warning, err := c.TransferLease(ctx, id, target)
				if err != nil {
					return err
				}
				warn(warning)
				fmt.Printf("the lease of r%d is with n%d\n", id, target)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "node that gets the lease")
	return cmd
}
