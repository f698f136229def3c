package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/keep"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/terminal"
)

// keeping reports whether a command line is that of a server whose sessions are to
// outlive the client, and returns its settings. It takes no time where KEEP is unset.
func keeping(args []string, getenv func(string) string) (over func(string) string, yes bool) {
	flag := func(arg string) bool { return strings.HasPrefix(strings.TrimLeft(arg, "-"), "keep") }
	if getenv("KEEP") == "" && !slices.ContainsFunc(args, flag) {
		return nil, false
	}
	over, ok := settings.Only(args, getenv)
	return over, ok && settings.Read(over).Keep > 0
}

// ofProcess are the options of this process with these settings.
func ofProcess(args []string, getenv func(string) string) keep.Options {
	return keep.Options{Args: args, Getenv: getenv, Environ: os.Environ(), Version: version, Stdout: os.Stdout, Stderr: os.Stderr}
}

// front copies lines between the client and the background server.
func front(getenv func(string) string, stdin *os.File) (status int, err error) {
	greet(stdin, os.Stderr)
	// Nothing is to be done at the end: what was not handed on will be told again.
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, os.Interrupt, syscall.SIGTERM)
	// Before the environment is handed on: the background server has no launcher.
	launcher, _ := whileLauncherLives(context.Background(), os.Getenv)
	go func() {
		select {
		case <-ends:
		case <-launcher.Done():
		}
		os.Exit(0)
	}()
	defer signal.Reset(os.Interrupt, syscall.SIGTERM)
	// Everything here waits for one thing after the other: more processors cost
	// memory, and a change of threads for each line.
	processors := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(processors)
	o := ofProcess(os.Args[1:], getenv)
	o.Stdin = stdin
	return keep.Front(o)
}

// background runs the server that fronts have started, to its end.
func background(args []string) int {
	getenv, ok := settings.Only(args, os.Getenv)
	if !ok {
		return exitUsage
	}
	signal.Ignore(syscall.SIGHUP)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return keep.Background(ctx, ofProcess(args, getenv))
}

// keep is the command for the first process of a container, and for services.
func (a *app) keep() *cobra.Command {
	return &cobra.Command{
		Use:   "keep",
		Short: "keep sessions, for a container or a service",
		Long: `Runs the background server of these settings in the foreground until it gets a
signal, for the first process of a container and for services. Clients reach it
by starting mcp-code-executor with the same settings; KEEP must be set.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			getenv := a.settings(c)
			if settings.Read(getenv).Keep <= 0 {
				return fmt.Errorf("KEEP is not set: say for how long sessions are kept after their last use, for example KEEP=8h")
			}
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			o := keep.Options{Getenv: getenv, Environ: os.Environ(), Version: version}
			err := keep.Stay(ctx, o, func(parts *server.Parts, dir string) {
				collectOrphans(ctx, parts.Reaper)
				fmt.Fprintf(a.stderr, "keeping sessions; code runs in %s\n", dir)
			})
			if err != nil {
				fmt.Fprintln(a.stderr, "mcp-code-executor:", err)
				return asError(1)
			}
			return nil
		},
	}
}

func (a *app) ps() *cobra.Command {
	c := &cobra.Command{
		Use:   "ps [--json]",
		Short: "list background servers and the sessions they keep",
		Long: `Lists the background servers of this user (see KEEP): their sessions, what runs,
how much memory it takes, and how long it is kept.`,
		Args: noArguments,
	}
	asJSON := c.Flags().Bool("json", false, "print the list as JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		servers, err := keep.List(a.settings(c))
		if err != nil {
			fmt.Fprintln(a.stderr, "mcp-code-executor ps:", err)
			return asError(1)
		}
		if *asJSON {
			encoder := json.NewEncoder(a.stdout)
			encoder.SetIndent("", "  ")
			encoder.SetEscapeHTML(false)
			return encoder.Encode(append([]keep.Status{}, servers...))
		}
		if len(servers) == 0 {
			fmt.Fprintln(a.stdout, "no background server runs")
		}
		for _, s := range servers {
			fmt.Fprint(a.stdout, s.Text(time.Now()))
		}
		return nil
	}
	return c
}

func (a *app) stop() *cobra.Command {
	c := &cobra.Command{
		Use:   "stop [--all] [--yes] [KEY]",
		Short: "end a background server, with its sessions",
		Long: `Ends the background server that serves this directory and these settings, or the
one with this key (see ps), with all its sessions. Asks first when code runs.`,
	}
	all := c.Flags().Bool("all", false, "end all background servers of this user")
	yes := c.Flags().Bool("yes", false, "do not ask, even when code runs")
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 1 || len(args) == 1 && *all {
			return fmt.Errorf("give one key, or --all")
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		getenv := a.settings(c)
		servers, err := a.toStop(getenv, args, *all)
		if err != nil {
			fmt.Fprintln(a.stderr, "mcp-code-executor stop:", err)
			return asError(1)
		}
		status := 0
		for _, s := range servers {
			if err := a.stopOne(getenv, s, *yes); err != nil {
				fmt.Fprintf(a.stderr, "mcp-code-executor stop: %s was not ended: %v\n", s.Key, err)
				status = 1
			}
		}
		return asError(status)
	}
	return c
}

// toStop chooses among the background servers.
func (a *app) toStop(getenv func(string) string, args []string, all bool) ([]keep.Status, error) {
	servers, err := keep.List(getenv)
	if err != nil {
		return nil, err
	}
	if len(servers) == 0 {
		fmt.Fprintln(a.stdout, "no background server runs")
	}
	if all || len(servers) == 0 {
		return servers, nil
	}
	key := ""
	if len(args) == 1 {
		key = args[0]
	} else if key, err = keep.Own(getenv); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(servers, func(s keep.Status) bool { return s.Key == key })
	switch {
	case i >= 0:
		return servers[i : i+1], nil
	case len(args) == 1:
		return nil, fmt.Errorf("there is no background server with the key %s: see \"mcp-code-executor ps\"", key)
	case len(servers) == 1:
		return servers, nil
	}
	return nil, fmt.Errorf("none of the %d background servers serves this directory and these settings: give one's key (see \"mcp-code-executor ps\"), or --all", len(servers))
}

// stopOne ends one server, after a question when something runs in it.
func (a *app) stopOne(getenv func(string) string, s keep.Status, yes bool) error {
	if s.Problem != "" {
		return fmt.Errorf("%s", s.Problem)
	}
	if s.Busy() && !yes {
		stdin, ok := a.stdin.(*os.File)
		if !ok || !terminal.Is(stdin) {
			return fmt.Errorf("code runs in it: stop --yes ends it all the same")
		}
		fmt.Fprintf(a.stderr, "%sCode runs in it. End it, with all variables? [y/N] ", s.Text(time.Now()))
		answer, _ := bufio.NewReader(stdin).ReadString('\n')
		if word := strings.ToLower(strings.TrimSpace(answer)); word != "y" && word != "yes" {
			return fmt.Errorf("nothing was done")
		}
	}
	if err := keep.Stop(getenv, s); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "ended %s (process %d, %s)\n", s.Key, s.PID, keep.Count(len(s.Sessions), "session"))
	return nil
}
