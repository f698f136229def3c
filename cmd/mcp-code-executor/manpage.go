package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// manPage is the manual page, in the language of man(7), from the same tables as the
// help.
func manPage(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH MCP-CODE-EXECUTOR 1 \"\" \"mcp-code-executor %s\"\n", roff(version))
	b.WriteString(".SH NAME\nmcp-code-executor \\- an MCP server that gives a model a persistent Python\n")
	b.WriteString(".SH SYNOPSIS\n.B mcp-code-executor\n[\\-\\-SETTING VALUE]...\n.br\n.B mcp-code-executor\nCOMMAND\n")
	b.WriteString(".SH DESCRIPTION\nWithout a command it is an MCP server on stdin and stdout, which an MCP client starts.\n")
	b.WriteString(".SH COMMANDS\n")
	for _, c := range root.Commands() {
		if c.Hidden {
			continue
		}
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(c.Use), paragraphs(c.Long))
		flags := ownFlags(c)
		flags.VisitAll(func(f *pflag.Flag) {
			value, usage := pflag.UnquoteUsage(f)
			fmt.Fprintf(&b, ".RS\n.TP\n.B \\-\\-%s %s\n%s\n.RE\n", roff(f.Name), roff(value), roff(usage))
		})
	}
	b.WriteString(".SH ENVIRONMENT\nEach setting is a variable, and a flag of the same name, which wins: \\-\\-history off is HISTORY=off.\n")
	for _, s := range settings.Table() {
		fmt.Fprintf(&b, ".TP\n.BR %s \", \" \\-\\-%s\n%s Values: %s. Default: %s.\n", roff(s.Name), roff(s.Flag()),
			roff(sentence(s.Does)), roff(s.Values), roff(strings.ReplaceAll(s.Default, "`", "")))
	}
	b.WriteString(".SH EXIT STATUS\n0 if all is well, 1 if something does not work, 2 if the command line is wrong.\n")
	b.WriteString(".SH SEE ALSO\nhttps://github.com/mcp\\-code\\-executor/mcp\\-code\\-executor\n")
	return b.String()
}

// ownFlags are the flags of a command without the settings, which all have.
func ownFlags(c *cobra.Command) *pflag.FlagSet {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			flags.AddFlag(f)
		}
	})
	return flags
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

// paragraphs is a text whose indented lines stay lines.
func paragraphs(text string) string {
	var b strings.Builder
	verbatim := false
	for _, line := range strings.Split(text, "\n") {
		if indented := strings.HasPrefix(line, "  "); indented != verbatim && line != "" {
			b.WriteString(map[bool]string{true: ".nf\n", false: ".fi\n"}[indented])
			verbatim = indented
		}
		if line == "" {
			line = "\x00"
		}
		b.WriteString(strings.Replace(roff(line), "\x00", ".sp", 1) + "\n")
	}
	if verbatim {
		b.WriteString(".fi\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

var leadingDot = regexp.MustCompile(`(?m)^([.'])`)

// roff is text without a meaning for man(7).
func roff(text string) string {
	return leadingDot.ReplaceAllString(strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text), `\&$1`)
}
