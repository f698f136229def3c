// Package history shows, exports and deletes what ran in sessions, open or not, for a
// person at a terminal. It needs no server, and disturbs none that runs.
package history

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/session/history"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

// Show lists the sessions there are records of, or the runs of one: what is a session's
// name, the first half of its ids, an id or a range of ids. It returns the exit status.
func Show(getenv func(string) string, what string, stdout, stderr io.Writer) int {
	places := server.FindPlaces(getenv)
	all, err := history.Sessions(places.Records())
	if err != nil {
		fmt.Fprintln(stderr, "mcp-code-executor:", err)
		return 1
	}
	if len(all) == 0 {
		fmt.Fprintf(stdout, "nothing is recorded in %s\n", places.Records())
		return 0
	}
	if what == "" {
		for _, p := range all {
			fmt.Fprintln(stdout, sessionLine(p))
		}
		return 0
	}
	story, done, err := open(all, what, false)
	if err != nil {
		fmt.Fprintln(stderr, "mcp-code-executor:", err)
		return 1
	}
	defer done()
	for _, run := range story.Runs {
		fmt.Fprintln(stdout, runLine(run))
	}
	warn(story, stderr)
	return 0
}

// sessionLine tells of one session.
func sessionLine(p history.Past) string {
	prefix := p.Prefix
	if prefix == "" {
		prefix = "-"
	}
	last := p.Records[len(p.Records)-1].Info
	fields := []string{fmt.Sprintf("%-4s", prefix), quoted(p.Session), p.LastUsed().Local().Format("2006-01-02 15:04"), size(p.Bytes()), quoted(last.Environment), quoted(last.Dir)}
	if n := len(p.Records); n > 1 {
		fields = append(fields, fmt.Sprintf("%d kernels", n))
	}
	if p.InUse() {
		fields = append(fields, "in use")
	}
	return strings.Join(slices.DeleteFunc(fields, func(s string) bool { return s == "" }), "  ")
}

// maxLine bounds a line of code that is shown, in characters.
const maxLine = 70

// runLine tells of one run.
func runLine(run *notebook.Run) string {
	code := []rune(strings.TrimSpace(run.Begin.Code))
	if run.Begin.Script != "" && run.Begin.Cell == 0 {
		code = []rune("file " + run.Begin.Script)
	}
	if i := slices.Index(code, '\n'); i >= 0 {
		code = append(slices.Clone(code[:i]), '…')
	}
	if len(code) > maxLine {
		code = append(slices.Clone(code[:maxLine]), '…')
	}
	id := run.ID
	if name := notebook.CellName(run.Begin.Cell, 0); name != "" {
		id += " " + name
	}
	return fmt.Sprintf("%-8s  %s  %-7s  %s", id, run.Started.Local().Format("2006-01-02 15:04:05"), run.Outcome(), quoted(string(code)))
}

// quoted shows what could move a terminal's cursor in a printable form.
func quoted(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

func size(n int64) string {
	if n < 1_000_000 {
		return fmt.Sprintf("%d kB", (n+999)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

func warn(story *notebook.Story, stderr io.Writer) {
	for _, p := range story.Problems {
		fmt.Fprintln(stderr, "the record is damaged:", p)
	}
}

// open reads the story of what a person names, the newest session for "".
func open(all []history.Past, what string, drop bool) (*notebook.Story, func(), error) {
	var records []history.Record
	var wanted notebook.Range
	switch {
	case what == "":
		records, wanted.Session = all[0].Records, all[0].Session
	case len(named(all, what)) > 0:
		newest := named(all, what)[0]
		records, wanted.Session = newest.Records, newest.Session
	default:
		var err error
		if wanted, err = notebook.ParseRange(what); err == nil {
			for _, p := range all {
				if p.Prefix == wanted.Prefix {
					records = append(records, p.Records...)
				}
			}
		}
	}
	if len(records) == 0 {
		return nil, nil, fmt.Errorf("there is no record of %q; \"mcp-code-executor history\" lists the sessions", what)
	}
	wanted.DropFailed = drop
	readers, done, err := history.Past{Records: records}.Open()
	if err != nil {
		return nil, nil, err
	}
	story, err := notebook.Tell(readers, wanted)
	if err == nil && len(story.Runs) == 0 {
		err = fmt.Errorf("nothing of %q was recorded", what)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return story, done, nil
}

func named(all []history.Past, name string) []history.Past {
	return slices.DeleteFunc(slices.Clone(all), func(p history.Past) bool { return p.Session != name })
}

// Deletion says what is to be deleted: all, or what was used last before a time, or a
// session by its name or the first half of its ids.
type Deletion struct {
	What   string
	All    bool
	Before time.Time
}

// ParseBefore reads a day, or how long ago something was: 2026-11-01, 36h, 7d.
func ParseBefore(text string, now time.Time) (time.Time, error) {
	if day, err := time.ParseInLocation("2006-01-02", text, time.Local); err == nil {
		return day, nil
	}
	if digits, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(digits); err == nil && n >= 0 && n < 100_000 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q is neither a day such as 2026-11-01 nor a time such as 7d or 36h", text)
}

// Delete deletes records that no kernel uses, and says which. It returns the exit
// status: 1 when something was not deleted.
func (d Deletion) Delete(getenv func(string) string, stdout, stderr io.Writer) int {
	places := server.FindPlaces(getenv)
	all, err := history.Sessions(places.Records())
	if err == nil && d.All {
		err = os.RemoveAll(places.Imports()) // no session's by itself
	}
	if err != nil {
		fmt.Fprintln(stderr, "mcp-code-executor:", err)
		return 1
	}
	chosen := slices.DeleteFunc(all, func(p history.Past) bool { return !d.has(p) })
	switch {
	case len(chosen) > 0:
	case d.What != "":
		fmt.Fprintf(stderr, "mcp-code-executor: nothing was deleted: there is no record of %q in %s; \"mcp-code-executor history\" lists the sessions\n", d.What, places.Records())
		return 1
	case d.All:
		fmt.Fprintf(stdout, "nothing to delete: nothing is recorded in %s\n", places.Records())
		return 0
	default:
		fmt.Fprintf(stdout, "nothing to delete: no session was last used before %s\n", d.Before.Local().Format("2006-01-02 15:04"))
		return 0
	}
	status := 0
	var freed int64
	for _, p := range chosen {
		bytes, inUse, err := history.Delete(places.State, p)
		freed += bytes
		switch {
		case err != nil:
			fmt.Fprintf(stderr, "mcp-code-executor: %v\n", err)
			status = 1
		case inUse > 0:
			fmt.Fprintf(stdout, "kept, in use: %s\n", sessionLine(p))
			status = 1
		default:
			fmt.Fprintf(stdout, "deleted: %s\n", sessionLine(p))
		}
	}
	fmt.Fprintf(stdout, "freed %s\n", size(freed))
	return status
}

func (d Deletion) has(p history.Past) bool {
	if d.What != "" && d.What != p.Session && d.What != p.Prefix {
		return false
	}
	return d.All || d.What != "" || p.LastUsed().Before(d.Before)
}

// Options say what an export writes, and where.
type Options struct {
	What      string // as for Show; "" is the session used last
	Format    notebook.Format
	Drop      bool // runs that failed
	Path      string
	Overwrite bool
}

// Export writes a session to a file, in the current directory unless a path is given.
// It returns the exit status.
func (o Options) Export(getenv func(string) string, stdout, stderr io.Writer) int {
	fail := func(err error) int {
		fmt.Fprintln(stderr, "mcp-code-executor:", err)
		return 1
	}
	places := server.FindPlaces(getenv)
	all, err := history.Sessions(places.Records())
	if err != nil {
		return fail(err)
	}
	if len(all) == 0 {
		return fail(fmt.Errorf("nothing is recorded in %s", places.Records()))
	}
	story, done, err := open(all, o.What, o.Drop)
	if err != nil {
		return fail(err)
	}
	defer done()
	story.Content = content
	store, name, err := server.OpenDirectory(o.Path)
	if err != nil {
		return fail(err)
	}
	defer store.Close()
	written, err := history.Export{Format: o.Format, Path: name, Overwrite: o.Overwrite}.Write(story, store)
	if err != nil {
		return fail(err)
	}
	warn(story, stderr)
	fmt.Fprintf(stdout, "%s (session %s, %s, %s)\n", written.File.Path, quoted(story.Session), counted(len(story.Runs), "run"), size(written.File.Size))
	if written.Pictures > 0 {
		fmt.Fprintf(stdout, "%s (%s)\n", filepath.Join(filepath.Dir(written.File.Path), written.Folder), counted(written.Pictures, "picture"))
	}
	return 0
}

// counted is "1 run", "2 runs".
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// content is what a code file holds now.
func content(path string) (text string, changed time.Time, ok bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 4<<20 {
		return "", changed, false
	}
	b, err := os.ReadFile(path)
	return string(b), info.ModTime(), err == nil
}
