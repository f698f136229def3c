package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
	"github.com/mcp-code-executor/mcp-code-executor/mcp"
)

const (
	// defaultKeep is for how long sessions are kept where KEEP is not set: a client over
	// HTTP comes and goes.
	defaultKeep = 8 * time.Hour
	// look is how often tokens are looked at, and what is due.
	look = time.Second
	// endPatience is how long kernels may take to exit when the server ends.
	endPatience = 2 * time.Second
	// headerPatience bounds the head of a request, in time, maxHeader in bytes.
	headerPatience = 5 * time.Second
	maxHeader      = 32 << 10
	// idlePatience is how long a connection may wait for its next request.
	idlePatience = 2 * time.Minute
)

// Options are what the server needs.
type Options struct {
	Listening
	Tokens  []string // names of tokens to make, unless they are there
	Getenv  func(string) string
	Version string
	Stdout  io.Writer // gets new tokens, once, and what is served
	Log     *slog.Logger
	// Ready is called when the server listens.
	Ready func(parts *server.Parts)
}

// Run serves until ctx ends.
func Run(ctx context.Context, o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	places := server.FindPlaces(o.Getenv)
	tokens := OpenTokens(places.State)
	if err := o.make(tokens); err != nil {
		return err
	}
	listener, names, err := o.open()
	if err != nil {
		return err
	}
	defer listener.Close()
	parts, err := server.AssembleShared(o.Getenv, o.Version, o.Log)
	if err != nil {
		return err
	}
	set := settings.Read(o.Getenv)
	keep := defaultKeep
	if strings.TrimSpace(o.Getenv("KEEP")) != "" {
		keep = set.Keep
	}
	all := newOwners(parts, keep, set, places.Notebook)
	o.greet(listener.Addr(), tokens, places, keep)
	o.Ready(parts)
	return o.serve(ctx, listener, &door{names: names, tokens: tokens, owner: all.of, log: o.Log}, all)
}

// make makes the tokens that are named and not there, and prints each once.
func (o *Options) make(tokens *Tokens) error {
	there, err := tokens.List()
	if err != nil {
		return err
	}
	for _, name := range o.Tokens {
		if indexOf(there, name) >= 0 {
			continue
		}
		secret, err := tokens.Add(name)
		if err != nil {
			return err
		}
		PrintSecret(o.Stdout, name, secret)
		there = append(there, Token{Name: name})
	}
	if len(there) == 0 {
		return errors.New("nothing is served without a token: --token NAME makes one, and prints it once")
	}
	return nil
}

// PrintSecret prints a new token, which is kept nowhere.
func PrintSecret(w io.Writer, name, secret string) {
	fmt.Fprintf(w, "token %s, shown only now: %s\n", name, secret)
}

// greet says what is served, to whom, and how long sessions are kept.
func (o *Options) greet(address net.Addr, tokens *Tokens, places server.Places, keep time.Duration) {
	scheme := "http"
	if o.Certificate != "" {
		scheme = "https"
	}
	var names []string
	there, _ := tokens.List() // it was read a moment ago
	for _, t := range there {
		names = append(names, t.Name)
	}
	kept := fmt.Sprintf("each session ends %s after its last use (KEEP), when its client has gone", mcp.ShortTime(keep))
	if keep == 0 {
		kept = "a session ends when its client has gone (KEEP=off)"
	}
	fmt.Fprintf(o.Stdout, "serving MCP at %s://%s%s, for the tokens: %s\ncode runs in %s; %s\n",
		scheme, address, endpointPath, strings.Join(names, ", "), places.WorkDir.Path, kept)
}

// serve serves until ctx ends, and ends everything.
func (o *Options) serve(ctx context.Context, listener net.Listener, d *door, all *owners) error {
	var protocols http.Protocols
	protocols.SetHTTP1(true) // one connection is one request at a time: limits are what they say
	web := &http.Server{
		Handler:           d,
		ReadHeaderTimeout: headerPatience,
		IdleTimeout:       idlePatience,
		MaxHeaderBytes:    maxHeader,
		Protocols:         &protocols,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	timer := time.NewTimer(look)
	defer timer.Stop()
	var err error
	for err == nil && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case err = <-failed:
		case now := <-timer.C:
			o.look(now, d.tokens, all)
			timer.Reset(look)
		}
	}
	listener.Close()
	polite, cancel := context.WithTimeout(context.Background(), endPatience)
	defer cancel()
	all.close(polite) // ends the streams, and with them the requests
	web.Close()
	return err
}

// look ends what is due.
func (o *Options) look(now time.Time, tokens *Tokens, all *owners) {
	valid, err := tokens.List()
	if err != nil {
		o.Log.Error("tokens", "err", err) // nobody is let in, and nothing is ended
		return
	}
	all.sweep(now, valid)
}
