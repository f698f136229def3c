package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/doctor"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/history"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

// app is what commands work with.
type app struct {
	notice         string              // that a server's first answer tells, or ""
	getenv         func(string) string // variables; settings adds the flags
	stdin          io.Reader
	stdout, stderr io.Writer
}

// settings are the variables with the settings that c was given as flags.
func (a *app) settings(c *cobra.Command) func(string) string {
	return settings.Over(c.Flags(), a.getenv)
}

// commands is the table of commands; help lists them in this order.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{a.setup(), a.config(), a.doctor(), a.environment(), a.export(), a.history(), a.keep(), a.ps(), a.stop(), a.attach(), a.serveHTTP(), a.tokens(), a.completion(), a.version()}
}

// root is the server itself, which is what a client starts, and its commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "mcp-code-executor",
		SilenceErrors: true,
		SilenceUsage:  true,
		// The library's own command has a form of its own for each shell.
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	version := root.Flags().BoolP("version", "v", false, "print version, commit and Go version")
	asJSON := root.Flags().Bool("json", false, "with --version: print it as JSON")
	root.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return fmt.Errorf("unknown command %q%s", args[0], didYouMean(args[0], commandNames(c)))
	}
	root.RunE = func(c *cobra.Command, _ []string) error {
		switch {
		case *version:
			a.printVersion(*asJSON)
			return nil
		case *asJSON:
			return errors.New("--json is for --version, and for commands that have it")
		}
		return asError(a.serve(c.Context(), a.settings(c)))
	}
	settings.AddFlags(root.PersistentFlags())
	completeSettings(root)
	root.AddCommand(a.commands()...)
	root.SetHelpCommand(a.help())
	root.SetHelpFunc(a.printHelp)
	root.SetFlagErrorFunc(flagError)
	return root
}

// commandNames are the names of a command's commands.
func commandNames(c *cobra.Command) []string {
	var names []string
	for _, c := range c.Commands() {
		names = append(names, c.Name())
	}
	return names
}

// flagError words an error about a flag, with what may have been meant.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return err
	}
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
	word := "--" + unknown.GetSpecifiedName()
	return fmt.Errorf("unknown flag %s%s", word, didYouMean(word, known))
}

// noArguments refuses arguments of a command that has none.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unknown argument %q", args[0])
}

func (a *app) config() *cobra.Command {
	known := strings.Join(config.Names(), ", ")
	cmd := &cobra.Command{
		Use:   "config CLIENT [--ssh HOST]",
		Short: "print the entry for a client's configuration",
		Long: `Prints the entry for a client's configuration, with this machine's paths and the
settings that are in force here, and says which file to put it into. With --ssh,
the client starts the server on another machine. Clients:
` + inLines(config.Names()) + `.`,
		ValidArgs: config.Names(),
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) != 1:
				return fmt.Errorf("give one client; known: %s", known)
			case !slices.Contains(config.Names(), args[0]):
				return fmt.Errorf("unknown client %q; known: %s%s", args[0], known, didYouMean(args[0], config.Names()))
			}
			return nil
		},
	}
	host := cmd.Flags().String("ssh", "", "start the server on `HOST`, by ssh; settings are those there, given as flags")
	cmd.RunE = func(c *cobra.Command, args []string) error {
		client := config.Clients()[slices.Index(config.Names(), args[0])]
		if c.Flags().Changed("ssh") {
			return asError(client.PrintSSH(c.Context(), *host, a.settings(c), a.stdout, a.stderr))
		}
		return asError(client.Print(a.settings(c), a.stdout, a.stderr))
	}
	return cmd
}

func (a *app) doctor() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor [--fix] [--json] [--env TYPE=VALUE]",
		Short: "test everything, and say how to fix what does not work",
		Long: `Tests everything the server does, with the same settings, and says what does not
work, why, and which command fixes it. The exit status is 0 if everything works.`,
		Args: noArguments,
	}
	fix := c.Flags().Bool("fix", false, "install ipykernel where it is missing and allowed")
	asJSON := c.Flags().Bool("json", false, "print the report as JSON")
	other := c.Flags().String("env", "", "try another environment, `TYPE=VALUE`: conda=NAME, venv=PATH or venv-uv=PATH")
	c.RunE = func(c *cobra.Command, _ []string) error {
		getenv := a.settings(c)
		if *other != "" {
			var err error
			if getenv, err = doctor.WithEnvironment(getenv, *other); err != nil {
				return err
			}
		}
		o := doctor.Options{Getenv: getenv, Fix: *fix, JSON: *asJSON, Version: version, VersionLine: versionLine()}
		return asError(doctor.Run(c.Context(), o, a.stdout, a.stderr))
	}
	return c
}

func (a *app) environment() *cobra.Command {
	return &cobra.Command{
		Use:   "environment [remove]",
		Short: "show or remove what this program has made",
		Long: `Shows what this program has made in its data directory: the managed environment,
kernels beside environments that have none, and uv. "environment remove" removes
everything that no running server uses. It is made again when it is needed.`,
		ValidArgs: []string{"remove"},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) == 1 && args[0] == "remove" {
				return nil
			}
			return fmt.Errorf("unknown argument %q; known: remove", args[len(args)-1])
		},
		RunE: func(c *cobra.Command, args []string) error {
			return asError(showOwned(c.Context(), len(args) == 1, a.settings(c), a.stdout))
		},
	}
}

func (a *app) export() *cobra.Command {
	c := &cobra.Command{
		Use:   "export [SESSION] [--format FORMAT] [--output PATH]",
		Short: "write what a session ran as a notebook",
		Long: `Writes what a session ran, with its output, as a notebook, a Python script or
Markdown, from its record: also when its server has ended. SESSION is its name,
an id, a range of ids (xn8u-3..xn8u-9) or their first half; without it, the
session that was used last.`,
		Args: atMostOne,
	}
	format := c.Flags().String("format", string(notebook.FormatNotebook), "`FORMAT`: notebook, script or markdown")
	failed := c.Flags().String("failed", "keep", "what to do with runs that failed: `keep` or drop")
	output := c.Flags().StringP("output", "o", "", "the file, or its directory; default: the current directory")
	overwrite := c.Flags().Bool("overwrite", false, "replace a file that is there")
	c.RunE = func(c *cobra.Command, args []string) error {
		formats := []string{string(notebook.FormatNotebook), string(notebook.FormatScript), string(notebook.FormatMarkdown)}
		if !slices.Contains(formats, *format) {
			return fmt.Errorf("unknown format %q; known: %s%s", *format, strings.Join(formats, ", "), didYouMean(*format, formats))
		}
		if *failed != "keep" && *failed != "drop" {
			return fmt.Errorf("--failed is keep or drop, not %q", *failed)
		}
		o := history.Options{What: strings.Join(args, ""), Format: notebook.Format(*format), Drop: *failed == "drop", Path: *output, Overwrite: *overwrite}
		return asError(o.Export(a.settings(c), a.stdout, a.stderr))
	}
	return c
}

func (a *app) history() *cobra.Command {
	c := &cobra.Command{
		Use:   "history [SESSION] [--delete [--all] [--before TIME]]",
		Short: "list or delete what sessions ran",
		Long: `Lists the sessions there are records of, or the runs of one: its name, or the
first half of its ids. With --delete it deletes the records of SESSION, of all
sessions, or of those not used since a time. Records of running kernels stay.`,
		Args: atMostOne,
	}
	remove := c.Flags().Bool("delete", false, "delete records: of SESSION, --all, or --before a time")
	all := c.Flags().Bool("all", false, "with --delete: of all sessions")
	before := c.Flags().String("before", "", "with --delete: of sessions last used before `TIME`, such as 2026-11-01, 7d or 36h")
	c.RunE = func(c *cobra.Command, args []string) error {
		what := strings.Join(args, "")
		switch {
		case !*remove && (*all || *before != ""):
			return errors.New("--all and --before go with --delete")
		case !*remove:
			return asError(history.Show(a.settings(c), what, a.stdout, a.stderr))
		case what == "" && !*all && *before == "" || *all && (what != "" || *before != "") || what != "" && *before != "":
			return errors.New("give one of SESSION, --all and --before TIME with --delete")
		}
		d := history.Deletion{What: what, All: *all}
		if *before != "" {
			var err error
			if d.Before, err = history.ParseBefore(*before, time.Now()); err != nil {
				return fmt.Errorf("--before: %w", err)
			}
		}
		return asError(d.Delete(a.settings(c), a.stdout, a.stderr))
	}
	return c
}

// atMostOne refuses a second argument.
func atMostOne(_ *cobra.Command, args []string) error {
	if len(args) <= 1 {
		return nil
	}
	return fmt.Errorf("unknown argument %q", args[1])
}

func (a *app) version() *cobra.Command {
	c := &cobra.Command{
		Use:   "version [--json]",
		Short: "print version, commit and Go version; also -v, --version",
		Long:  "Prints the version, the commit it was built from and the version of Go.",
		Args:  noArguments,
	}
	asJSON := c.Flags().Bool("json", false, "print it as JSON")
	c.Run = func(*cobra.Command, []string) { a.printVersion(*asJSON) }
	return c
}
