package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/spanlite/spanlite/server"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		RunE: func(cmd *cobra.Command, args []string) error {
			fmt.Println(server.Version())
			return nil
		},
	}
}
