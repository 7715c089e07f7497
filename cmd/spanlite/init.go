package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/spanlite/spanlite/server"
)

func newInit() *cobra.Command {
	var a admin
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Initialise a new cluster, once",
		Long: `Initialise a new cluster whose nodes were started with --join. Run it once, against
any one of them; the others join by themselves.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(func(ctx context.Context, c *server.AdminClient) error {
				id, err := c.Init(ctx)
				if err != nil {
					return err
				}
				fmt.Printf("cluster %s initialised\n", id)
				return nil
			})
		},
	}
	a.addFlags(cmd)
	return cmd
}
