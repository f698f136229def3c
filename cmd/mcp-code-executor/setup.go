package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/setup"
)

func (a *app) setup() *cobra.Command {
	c := &cobra.Command{
		Use:   "setup [CLIENT]... [--dry-run] [--yes] [--remove]",
		Short: "write the entry into the clients' configuration",
		Long: `Finds the MCP clients on this machine, or takes those that are named, shows what
changes in each one's configuration, asks, and writes it. The rest of the file
stays as it is, comments too; the old file is kept beside it. Settings that are
in force here go into the entry. Then the doctor tries it as the client does.
Clients:
` + inLines(config.Names()) + `.`,
		ValidArgs: config.Names(),
		Args: func(_ *cobra.Command, args []string) error {
			for _, name := range args {
				if !slices.Contains(config.Names(), name) {
					return fmt.Errorf("unknown client %q; known: %s%s", name, strings.Join(config.Names(), ", "), didYouMean(name, config.Names()))
				}
			}
			return nil
		},
	}
	o := setup.Options{}
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "show what would change, and write nothing")
	c.Flags().BoolVarP(&o.Yes, "yes", "y", false, "write without asking")
	c.Flags().BoolVar(&o.Remove, "remove", false, "take the entry out of the configuration")
	c.Flags().BoolVar(&o.NoDoctor, "no-doctor", false, "do not run the doctor afterwards")
	c.RunE = func(c *cobra.Command, args []string) error {
		o.Getenv, o.Clients = a.settings(c), args
		return asError(setup.Run(c.Context(), o, a.stdin, a.stdout, a.stderr))
	}
	return c
}
