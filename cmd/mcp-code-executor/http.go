package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/serve"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// serveHTTP is the server for clients that do not start it.
func (a *app) serveHTTP() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve --http ADDRESS [--token NAME]...",
		Short: "serve clients over HTTP",
		Long: `Serves MCP over HTTP until it gets a signal, at http://ADDRESS/mcp. Each client
sends a token: --token NAME makes one, unless it is there, and prints it once.
What a token has run, another one does not see. docs/http.md has the rest.`,
		Args: noArguments,
	}
	var o serve.Options
	c.Flags().StringVar(&o.Address, "http", "", "`ADDRESS` to listen on, HOST:PORT, such as 127.0.0.1:8765")
	c.Flags().StringArrayVar(&o.Tokens, "token", nil, "make a token of this `NAME`, unless it is there; may be repeated")
	c.Flags().StringArrayVar(&o.Hosts, "host", nil, "a `NAME` by which clients call this server, beside localhost; may be repeated")
	c.Flags().BoolVar(&o.Remote, "allow-remote", false, "listen for other machines too; needs the TLS files")
	c.Flags().StringVar(&o.Certificate, "tls-cert", "", "`FILE` with the certificate chain, PEM")
	c.Flags().StringVar(&o.Key, "tls-key", "", "`FILE` with its key, PEM")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if o.Address == "" {
			return errors.New("say where to listen: --http 127.0.0.1:8765")
		}
		return asError(a.runHTTP(c.Context(), o, a.settings(c)))
	}
	return c
}

func (a *app) runHTTP(ctx context.Context, o serve.Options, getenv func(string) string) int {
	s := settings.Read(getenv)
	o.Log = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: s.LogLevel}))
	for _, problem := range s.Sentences() {
		o.Log.Warn(problem)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	o.Getenv, o.Version, o.Stdout = getenv, version, a.stdout
	o.Ready = func(parts *server.Parts) { collectOrphans(ctx, parts.Reaper) }
	if err := serve.Run(ctx, o); err != nil {
		fmt.Fprintln(a.stderr, "mcp-code-executor serve:", err)
		return 1
	}
	return 0
}

// tokens shows who may use the server over HTTP, and changes it.
func (a *app) tokens() *cobra.Command {
	verbs := []string{"add", "renew", "revoke"}
	return &cobra.Command{
		Use:   "tokens [VERB NAME]",
		Short: "list, make or revoke tokens of the HTTP server",
		Long: `Lists the tokens with which clients use "serve". "tokens add NAME" makes one,
"tokens renew NAME" gives it a new secret, "tokens revoke NAME" ends it and its
sessions. A secret is printed once and kept nowhere. A token that is renewed
keeps its records and sessions; one that is revoked and made again does not.`,
		ValidArgs: verbs,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 || len(args) == 2 && slices.Contains(verbs, args[0]):
				return nil
			case len(args) == 1 && slices.Contains(verbs, args[0]):
				return fmt.Errorf("%s needs the name of a token", args[0])
			case len(args) > 2 && slices.Contains(verbs, args[0]):
				return fmt.Errorf("unknown argument %q", args[2])
			}
			return fmt.Errorf("unknown argument %q; known: %s%s", args[0], strings.Join(verbs, ", "), didYouMean(args[0], verbs))
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.changeTokens(serve.OpenTokens(server.FindPlaces(a.settings(c)).State), args); err != nil {
				fmt.Fprintln(a.stderr, "mcp-code-executor tokens:", err)
				return asError(1)
			}
			return nil
		},
	}
}

func (a *app) changeTokens(tokens *serve.Tokens, args []string) error {
	if len(args) == 0 {
		return a.listTokens(tokens)
	}
	name := args[1]
	if args[0] == "revoke" {
		err := tokens.Revoke(name)
		if err == nil {
			fmt.Fprintf(a.stdout, "revoked %s; its sessions end now\n", name)
		}
		return err
	}
	change := tokens.Add
	if args[0] == "renew" {
		change = tokens.Renew
	}
	secret, err := change(name)
	if err == nil {
		serve.PrintSecret(a.stdout, name, secret)
	}
	return err
}

func (a *app) listTokens(tokens *serve.Tokens) error {
	all, err := tokens.List()
	if err != nil {
		return err
	}
	for _, t := range all {
		fmt.Fprintf(a.stdout, "%-20s made %s\n", t.Name, t.Created.Local().Format("2006-01-02 15:04"))
	}
	if len(all) == 0 {
		fmt.Fprintln(a.stdout, "there are no tokens; \"mcp-code-executor tokens add NAME\" makes one")
	}
	return nil
}
