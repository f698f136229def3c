package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// Topics of help that are no commands.
const (
	settingsTopic = "settings"
	manTopic      = "man"
)

const intro = `usage: mcp-code-executor [--SETTING VALUE]...
       mcp-code-executor COMMAND

An MCP server on stdin and stdout that gives a model a persistent Python.
It is started by an MCP client, without a command. Commands:
`

// help is the command; --help of any command does the same.
func (a *app) help() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "show this help, or that of a command or the settings",
		Long: `Prints the help of a command. "help settings" explains the settings, "help man"
prints the manual page, for man -l - or a directory of man pages.`,
		Args: func(c *cobra.Command, args []string) error {
			topics := append(commandNames(c.Root()), settingsTopic, manTopic)
			if len(args) == 0 || len(args) == 1 && slices.Contains(topics, args[0]) {
				return nil
			}
			return fmt.Errorf("no help for %q%s", args[len(args)-1], didYouMean(args[len(args)-1], topics))
		},
		RunE: func(c *cobra.Command, args []string) error {
			about := c.Root()
			switch {
			case len(args) == 0:
				a.printHelp(about, nil)
			case args[0] == settingsTopic:
				fmt.Fprint(a.stdout, settingsHelp())
			case args[0] == manTopic:
				fmt.Fprint(a.stdout, manPage(about))
			default:
				about, _, _ = about.Find(args)
				a.printHelp(about, nil)
			}
			return nil
		},
	}
}

// printHelp prints what --help of c prints.
func (a *app) printHelp(c *cobra.Command, _ []string) {
	if !c.HasParent() {
		fmt.Fprint(a.stdout, rootHelp(c))
		return
	}
	fmt.Fprintf(a.stdout, "usage: mcp-code-executor %s\n\n%s\n", c.Use, strings.TrimSpace(c.Long+c.Example))
	if flags := ownFlags(c); flags.HasFlags() {
		fmt.Fprintf(a.stdout, "\n%s", flags.FlagUsagesWrapped(80))
	}
	fmt.Fprintln(a.stdout, "\nSettings can be given as flags too: mcp-code-executor help settings")
}

// rootHelp fits on a screen of 24 lines; the settings have a text of their own.
func rootHelp(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString(intro)
	for _, c := range root.Commands() {
		if !c.Hidden {
			use, _, _ := strings.Cut(c.Use, " [--")
			fmt.Fprintf(&b, "  %-21s %s\n", use, c.Short)
		}
	}
	b.WriteString("\nSettings are variables (HISTORY=off) or flags (--history off): help settings\n")
	all := settings.Table()
	var names []string
	for _, s := range all[:firstSettings] {
		names = append(names, s.Name)
	}
	names = append(names, fmt.Sprintf("and %d more", len(all)-firstSettings))
	for _, line := range wrap(strings.Join(names, " "), 76) {
		b.WriteString("  " + line + "\n")
	}
	return b.String()
}

// firstSettings is how many settings the first page names: where the files are, and
// which Python.
const firstSettings = 6

// settingsHelp explains each setting.
func settingsHelp() string {
	var b strings.Builder
	b.WriteString(`Settings are variables, as clients pass them. Each is also a flag of the same
name, which wins: --history off is HISTORY=off. Blanks around a value and the
case of words do not count. For off there is also no, false, 0, never, none and
disabled; for on yes, true, 1 and enabled. A wrong value is told by the server's
first answer and by the doctor.

`)
	for _, s := range settings.Table() {
		name := s.Name
		lines := append([]string{s.Values + "; default: " + strings.ReplaceAll(s.Default, "`", "")}, s.Does)
		for _, text := range lines {
			for _, line := range wrap(text, 58) {
				fmt.Fprintf(&b, "  %-19s %s\n", name, line)
				name = ""
			}
		}
	}
	return b.String()
}

// wrap breaks text into lines of at most width bytes.
func wrap(text string, width int) []string {
	var lines []string
	for _, word := range strings.Fields(text) {
		if last := len(lines) - 1; last >= 0 && len(lines[last])+1+len(word) <= width {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// inLines joins names with commas, in lines that fit a terminal.
func inLines(names []string) string {
	const width = 80
	text, column := "", 0
	for i, name := range names {
		switch {
		case i == 0:
		case column+len(", ")+len(name)+len(".") > width:
			text, column = text+",\n", 0
		default:
			text, column = text+", ", column+len(", ")
		}
		text, column = text+name, column+len(name)
	}
	return text
}
