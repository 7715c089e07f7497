package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/spanlite/spanlite/server"
	"github.com/spanlite/spanlite/sql"
)

func newNode() *cobra.Command {
	var a admin
	cmd := group("node", "Look at nodes, and take them out of the cluster",
		newNodeStatus(&a), newNodeDrain(&a), newNodeDecommission(&a), newNodeRecommission(&a))
	a.addFlags(cmd)
	return cmd
}

func newNodeStatus(a *admin) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "List the nodes",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(func(ctx context.Context, c *server.AdminClient) error {
				nodes, err := c.Nodes(ctx)
				if err != nil {
					return err
				}
				return nodeTable(nodes).print(os.Stdout, a.format)
			})
		},
	}
	addFormat(cmd, &a.format)
	return cmd
}

func nodeTable(nodes []sql.NodeInfo) *table {
	t := &table{columns: []string{"node", "live", "state", "address", "sql", "locality", "ranges", "leases", "used_bytes", "available_bytes", "started", "version"}}
	for _, n := range nodes {
		t.rows = append(t.rows, []string{
			n.Node.String(), strconv.FormatBool(n.Live), n.State, n.Addr, n.SQLAddr, n.Locality,
			strconv.Itoa(int(n.Ranges)), strconv.Itoa(int(n.Leases)), strconv.FormatInt(n.Used, 10), strconv.FormatInt(n.Available, 10),
			n.Started.Local().Format(time.DateTime), n.Version,
		})
	}
	return t
}

func newNodeDrain(a *admin) *cobra.Command {
	return &cobra.Command{
		Use:   "drain [NODE]",
		Short: "Take a node out of service, before it is stopped",
		Long: `Take a node out of service: no new clients, the present ones end with their
transactions, and its leases go to other nodes. The node keeps running; a restart
brings it back. Without NODE it is the one at --host.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var node uint32
			if len(args) == 1 {
				var err error
				if node, err = parseNode(args[0]); err != nil {
					return err
				}
			}
			return a.run(func(ctx context.Context, c *server.AdminClient) error {
				s, err := c.Drain(ctx, node)
				if err != nil {
					return err
				}
				if s.Leases > 0 {
					return fmt.Errorf("%s is draining but still holds %d leases", s.Node, s.Leases)
				}
				fmt.Printf("%s is drained\n", s.Node)
				return nil
			})
		},
	}
}

// decommissionPoll is the interval at which the progress is looked at.
const decommissionPoll = time.Second

func newNodeDecommission(a *admin) *cobra.Command {
	return &cobra.Command{
		Use:   "decommission NODE",
		Short: "Move everything off a node, for good",
		Long: `Move all replicas of a node to others and wait until none is left. Then the node can
be stopped and must not come back. Interrupting the command does not stop the
moves: 'spanlite node recommission' does.`,
		Args: exactArgs("NODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			node, err := parseNode(args[0])
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("timeout") {
				a.timeout = 24 * time.Hour
			}
			return a.run(func(ctx context.Context, c *server.AdminClient) error {
				return decommission(ctx, c, node)
			})
		},
	}
}

func decommission(ctx context.Context, c *server.AdminClient, node uint32) error {
	shown := -1
	for {
		s, err := c.Decommission(ctx, node)
		if err != nil {
			return err
		}
		if s.Replicas == 0 && s.State == "decommissioned" {
			fmt.Printf("%s is decommissioned\n", s.Node)
			return nil
		}
		if s.Replicas != shown {
			shown = s.Replicas
			fmt.Printf("%s still holds %d replicas\n", s.Node, s.Replicas)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stopped waiting; %d replicas are still to be moved", s.Replicas)
		case <-time.After(decommissionPoll):
		}
	}
}

func newNodeRecommission(a *admin) *cobra.Command {
	return &cobra.Command{
		Use:   "recommission NODE",
		Short: "Take back a decommission that has not finished",
		Args:  exactArgs("NODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			node, err := parseNode(args[0])
			if err != nil {
				return err
			}
			return a.run(func(ctx context.Context, c *server.AdminClient) error {
				s, err := c.Recommission(ctx, node)
				if err != nil {
					return err
				}
				fmt.Printf("%s is %s\n", s.Node, s.State)
				return nil
			})
		},
	}
}
