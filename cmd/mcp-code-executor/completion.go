package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// shells are those for which there is a completion script.
func shells() []string { return []string{"bash", "zsh", "fish", "powershell"} }

func (a *app) completion() *cobra.Command {
	known := strings.Join(shells(), ", ")
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "print the script that completes command lines",
		Long: `Prints the script by which a shell completes this program's command lines.
Shells: ` + known + `. To have it in each new shell:

  bash        mcp-code-executor completion bash \
                >~/.local/share/bash-completion/completions/mcp-code-executor
  zsh         mcp-code-executor completion zsh >DIR/_mcp-code-executor
              where DIR is in $fpath, before compinit is called
  fish        mcp-code-executor completion fish \
                >~/.config/fish/completions/mcp-code-executor.fish
  powershell  mcp-code-executor completion powershell >>$PROFILE`,
		ValidArgs: shells(),
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) != 1:
				return fmt.Errorf("give one shell; known: %s", known)
			case !slices.Contains(shells(), args[0]):
				return fmt.Errorf("unknown shell %q; known: %s%s", args[0], known, didYouMean(args[0], shells()))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			root := c.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			}
			return root.GenPowerShellCompletionWithDesc(a.stdout)
		},
	}
}

// completeSettings lets shells complete the values of settings: files for paths, else
// the words that stand in the table.
func completeSettings(root *cobra.Command) {
	for _, s := range settings.Table() {
		words := s.Words()
		complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			if s.Kind != settings.Word {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		}
		_ = root.RegisterFlagCompletionFunc(s.Flag(), complete) // the flag is there
	}
}
