// Package setup writes this program's entry into the configuration of the clients on
// this machine: it shows the change first, keeps the rest of the file, and leaves a
// backup beside it.
package setup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config/edit"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/terminal"
)

// Options are what setup is asked.
type Options struct {
	Getenv  func(string) string // settings that are given here go into the entry
	Clients []string            // names; none means those that are on this machine
	DryRun  bool                // show the changes, write nothing
	Yes     bool                // write without asking
	Remove  bool                // take the entry out
	// NoDoctor leaves the doctor out.
	NoDoctor bool
}

// setup is one run.
type setup struct {
	Options
	machine     config.Machine
	answers     *bufio.Reader // nil where nobody can be asked
	out, errOut io.Writer
}

// Run shows and writes. It returns the exit status: 1 when a client could not be set
// up, or a change was not written because nobody could be asked.
func Run(ctx context.Context, o Options, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &setup{Options: o, machine: config.Here(o.Getenv), out: stdout, errOut: stderr}
	if f, ok := stdin.(*os.File); ok && terminal.Is(f) && !o.Yes && !o.DryRun {
		s.answers = bufio.NewReader(stdin)
	}
	chosen := s.chosen()
	if len(chosen) == 0 {
		fmt.Fprintf(stderr, "No client was found on this machine. Name one: mcp-code-executor setup CLIENT\nClients: %s\n", strings.Join(config.Names(), ", "))
		return 1
	}
	if !o.Remove {
		s.choose(chosen)
		s.warnOfMissing()
	}
	status, done := 0, []config.Client{}
	for _, c := range chosen {
		switch err := s.client(c); {
		case err == nil:
			done = append(done, c)
		case errors.Is(err, errDeclined):
		default:
			fmt.Fprintf(stderr, "%s: %v\n", c.Title, err)
			status = 1
		}
	}
	if o.Remove || o.DryRun || o.NoDoctor || len(done) == 0 {
		return status
	}
	return max(status, s.doctor(ctx, done[0]))
}

// chosen are the clients that were named, or else those that are here.
func (s *setup) chosen() (chosen []config.Client) {
	named := map[string]bool{}
	for _, name := range s.Clients {
		named[name] = true
	}
	for _, c := range config.Clients() {
		if named[c.Name] || len(named) == 0 && s.isHere(c) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// errDeclined says that the person does not want this change.
var errDeclined = errors.New("declined")

// client sets one client up.
func (s *setup) client(c config.Client) error {
	f, err := readFile(s.file(c))
	if err != nil {
		return err
	}
	after, err := s.change(c, f.content)
	if err != nil {
		return s.explain(c, f, err)
	}
	if string(after) == string(f.content) {
		fmt.Fprintf(s.out, "%s: %s is as it should be\n", c.Title, f.path)
		return nil
	}
	fmt.Fprintf(s.out, "%s:\n%s", c.Title, diff.Diff(f.path, f.content, f.path+" (new)", after))
	if err := s.ask(c); err != nil {
		return err
	}
	if s.DryRun {
		return nil
	}
	backup, err := f.write(after)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "wrote %s", f.path)
	if backup != "" {
		fmt.Fprintf(s.out, "; the old one is %s", filepath.Base(backup))
	}
	fmt.Fprintf(s.out, "\n%s\n", restart(c))
	return nil
}

// restart says when the client sees the change.
func restart(c config.Client) string { return "Restart " + c.Title + " if it is running." }

// explain words why a file stays as it is, with the next step.
func (s *setup) explain(c config.Client, f *configFile, err error) error {
	how := "fix the file, or add the entry that this prints: mcp-code-executor config " + c.Name
	if errors.Is(err, edit.ErrForm) {
		how = "add or change the entry by hand: mcp-code-executor config " + c.Name + " prints it"
	}
	return fmt.Errorf("%s was not changed: %w; %s", f.path, err, how)
}

// change returns the file with our entry in it, or without it.
func (s *setup) change(c config.Client, content []byte) ([]byte, error) {
	servers, err := edit.Table(c.Format, content, c.Table)
	if err != nil {
		return nil, err
	}
	name := ownName(servers)
	if s.Remove {
		if name == "" {
			return content, nil
		}
		return edit.Remove(c.Format, content, edit.Entry{Table: c.Table, Name: name})
	}
	e, err := c.EntryFor(s.Getenv)
	if err != nil {
		return nil, err
	}
	old, _ := servers[name].(map[string]any)
	at := edit.Entry{Table: c.Table, Name: name}
	if name == "" {
		at.Name = freeName(servers)
	}
	if old == nil {
		return edit.Set(c.Format, content, at, c.Members(e))
	}
	return s.update(c, content, at, old, e)
}

// update changes an entry that is there. Settings in it stay, unless they are given
// anew; of environments there is one.
func (s *setup) update(c config.Client, content []byte, at edit.Entry, old map[string]any, e config.Entry) ([]byte, error) {
	if _, has := old["args"]; has && e.Args == nil {
		e.Args = []string{}
	}
	variables := variablesOf(old)
	if s.Getenv("WORK_DIR") == "" {
		delete(e.Env, "WORK_DIR") // the client's word for the project; it was decided before
	}
	for _, place := range environmentSettings() {
		if _, had := variables[place]; had && s.environmentGiven() {
			if _, has := e.Env[place]; !has {
				e.Drop = append(e.Drop, place)
			}
		}
	}
	return edit.Set(c.Format, content, at, c.Members(e))
}

// file is the client's file: of several that it reads the one that is there.
func (s *setup) file(c config.Client) string {
	path := c.Files(s.machine)[0]
	if _, err := os.Stat(path); err != nil && filepath.Ext(path) == ".json" && c.Name == "opencode" {
		if _, err := os.Stat(path + "c"); err == nil {
			return path + "c"
		}
	}
	return path
}
