package mcp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/arguments"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/history"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

// isNotebook reports whether a file is taken for a notebook.
func isNotebook(path string) bool { return strings.EqualFold(filepath.Ext(path), ".ipynb") }

// notebookArguments are what a call asks for that only a notebook has.
type notebookArguments struct {
	goOn       bool
	parameters map[string]any
}

func decodeNotebook(a *call) notebookArguments {
	n := notebookArguments{goOn: a.Bool("allow_errors", false), parameters: a.Object("parameters")}
	if name := inexact(n.parameters); name != "" {
		a.Problem("parameters", fmt.Sprintf("has a number of 2^53 or more in %q, which JSON does not pass on exactly: send it as a string.", name))
	}
	return n
}

// inexact is the name of a value that JSON has changed, "" for none.
func inexact(values map[string]any) string {
	var wrong func(v any) bool
	wrong = func(v any) bool {
		switch v := v.(type) {
		case float64:
			return v == math.Trunc(v) && math.Abs(v) >= 1<<53 && math.Abs(v) < 1e22
		case []any:
			for _, item := range v {
				if wrong(item) {
					return true
				}
			}
		case map[string]any:
			return inexact(v) != ""
		}
		return false
	}
	for name, v := range values {
		if wrong(v) {
			return name
		}
	}
	return ""
}

// readNotebook reads a notebook of a directory.
func readNotebook(in *codefile.Folder, path string) (*notebook.Notebook, error) {
	b, err := in.Bytes(path, notebook.MaxFile+1)
	if err != nil {
		return nil, err
	}
	if len(b) > notebook.MaxFile {
		return nil, &codefile.TooLargeError{What: path, Size: int64(len(b)), Limit: notebook.MaxFile}
	}
	n, err := notebook.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}

// notebookRequest is how a notebook is run.
func (t *tools) notebookRequest(file string, argv []string, n notebookArguments) (session.Request, error) {
	if len(argv) > 0 {
		return session.Request{}, errors.New("a notebook has no command line, so arguments cannot be given: send parameters")
	}
	storage, err := t.sessions.Storage()
	if err != nil {
		return session.Request{}, err
	}
	nb, err := readNotebook(&storage.Folder, file)
	if work := t.sessions.WorkFolder(); work != nil && isElsewhere(err) {
		nb, err = readNotebook(work, file)
		work.Close()
	}
	if err != nil {
		return session.Request{}, err
	}
	if n.parameters != nil {
		if err := nb.SetParameters(n.parameters); err != nil {
			return session.Request{}, fmt.Errorf("parameters: %w", err)
		}
	}
	return session.Request{File: file, Notebook: nb, GoOn: n.goOn}, nil
}

// wrongLanguage is the error when a request's notebook is for another language than its
// kernel, which is one for Python where language is "".
func wrongLanguage(r session.Request, language string) error {
	if r.Notebook == nil || r.Notebook.Language() == "" {
		return nil
	}
	has := r.Notebook.Language()
	python := strings.HasPrefix(strings.ToLower(has), "python") || strings.EqualFold(has, "ipython")
	switch {
	case language == "" && !python:
		return fmt.Errorf("%s is a notebook for %s, and the session runs Python: KERNEL_NAME, or configure_environment with type jupyter, chooses another kernel", r.File, render.Text(has, 40))
	case language != "" && !strings.EqualFold(has, language):
		return fmt.Errorf("%s is a notebook for %s, and the session's kernel is one for %s", r.File, render.Text(has, 40), language)
	}
	return nil
}

// cellsWords is the status line's field about a notebook.
func cellsWords(r session.Report) string {
	c := r.Cells
	if r.State == session.StateFinished && c.Ran == c.Runnable {
		return counted(c.Ran, "cell") + " run"
	}
	name := notebook.CellName(c.Number, c.Total)
	switch {
	case name == "":
		return fmt.Sprintf("%d cells", c.Total)
	case r.State == session.StateFinished:
		return "stopped at " + name
	}
	return name
}

// cellsLines tell what became of a notebook.
func cellsLines(r session.Report) []string {
	c := r.Cells
	if c == nil || r.State != session.StateFinished {
		return nil
	}
	var lines []string
	if left := c.Runnable - c.Ran; left > 0 && r.Outcome.Ran() {
		words := fmt.Sprintf("%s were not run", counted(left, "code cell"))
		if left == 1 {
			words = "1 code cell was not run"
		}
		if r.Outcome == session.OutcomeError {
			words += "; allow_errors: true goes on after an error"
		}
		lines = append(lines, "[notebook: "+words+"]")
	}
	if len(c.Raised) > 0 {
		numbers := make([]string, 0, len(c.Raised))
		for _, n := range c.Raised[:min(len(c.Raised), 50)] {
			numbers = append(numbers, fmt.Sprint(n))
		}
		what := "cell " + numbers[0]
		if len(c.Raised) > 1 {
			what = "cells " + strings.Join(numbers, ", ")
		}
		lines = append(lines, "[notebook: "+what+" raised, and the run went on (allow_errors)]")
	}
	switch {
	case c.CopyErr != nil:
		lines = append(lines, "[warning: the executed notebook could not be written: "+explain(c.CopyErr)+"]")
	case c.Copy != "" && !r.Told:
		lines = append(lines, "[notebook: with results: "+fileName(c.Copy)+"]")
	}
	return lines
}

// showNotebook is read_code_file's answer about a notebook: its cells as text, within
// the limit of characters.
func (t *tools) showNotebook(in *codefile.Folder, path string, offset, limit int, notes []string, characters int) *mcp.CallToolResult {
	n, err := readNotebook(in, path)
	if err != nil {
		return errorResult(explain(err))
	}
	total := len(n.Cells)
	first := offset
	if offset < 0 {
		first = max(0, total+offset)
	}
	first = min(first, total)
	last := total
	if limit > 0 && limit < total-first {
		last = first + limit
	}
	var b strings.Builder
	room := characters - maxReadHead
	shown := first
	for ; shown < last; shown++ {
		text := n.Text(shown)
		size := utf8.RuneCountInString(text)
		if size > room && shown > first {
			break
		}
		if size > room {
			text = render.CutMiddle(text, room) + "\n"
		}
		room -= size
		b.WriteString(text)
	}
	cells := "no cells"
	if shown > first {
		cells = fmt.Sprintf("cells %d-%d of %d", first+1, shown, total)
	}
	fields := []string{"ok", path, cells, "notebook " + n.Version}
	if language := n.Language(); language != "" {
		fields = append(fields, render.Text(language, 40))
	}
	if shown < last {
		fields = append(fields, fmt.Sprintf("go on with offset=%d", shown))
	}
	head := append([]string{"[" + strings.Join(fields, " | ") + "]"}, noteLines(notes)...)
	return textResult(strings.TrimRight(strings.Join(append(head, b.String()), "\n"), "\n"))
}

func (t *tools) exportSession() tool {
	return tool{
		name:        "export_session",
		title:       "Export a session",
		description: "Write all that a session ran, with its output, to a file in the code storage: a notebook, a script or Markdown. Works for dead kernels and earlier servers too.",
		arguments: []argument{
			{name: "session", kind: "string", description: "Default \"default\"."},
			{name: "id", kind: "string", description: "Only these runs: an id, or xn8u-3..xn8u-9."},
			{name: "format", kind: "string", enum: []string{string(notebook.FormatNotebook), string(notebook.FormatScript), string(notebook.FormatMarkdown)}, description: "Default notebook."},
			{name: "failed", kind: "string", description: "drop: leave out runs that failed."},
			{name: "path", kind: "string", description: "File name. Default: after the session."},
			{name: "overwrite", kind: "boolean", description: "true: replace that file."},
		},
		hints:  hints{destructive: true, idempotent: true},
		handle: t.handleExportSession,
	}
}

func (t *tools) handleExportSession(ctx context.Context, a *call) *mcp.CallToolResult {
	name, ids := a.String("session"), a.String("id", arguments.MaxBytes(200))
	format := a.String("format", arguments.OneOf(string(notebook.FormatNotebook), string(notebook.FormatScript), string(notebook.FormatMarkdown)))
	drop := a.String("failed", arguments.OneOf("drop", "keep"))
	path := a.String("path", arguments.MaxBytes(4096))
	overwrite := a.Bool("overwrite", false)
	var wanted notebook.Range
	if ids != "" {
		var err error
		if wanted, err = notebook.ParseRange(ids); err != nil {
			a.Problem("id", fmt.Sprintf("is %s: send an id such as \"xn8u-3\", or a range such as \"xn8u-3..xn8u-9\".", arguments.Quote(ids)))
		}
	}
	if err := a.Err(); err != nil {
		return errorResult(err.Error())
	}
	if name != "" || ids == "" {
		name = conversation(ctx).Name(name)
	}
	wanted.Session, wanted.DropFailed = name, drop == "drop"
	storage, err := t.sessions.Storage()
	if err != nil {
		return errorResult("nothing was written: " + explain(err))
	}
	story, done, err := t.sessions.Story(wanted)
	if err != nil {
		return errorResult("nothing was written: " + explain(err))
	}
	defer done()
	story.Content = storage.Content
	if format == "" {
		format = string(notebook.FormatNotebook)
	}
	written, err := history.Export{Format: notebook.Format(format), Path: path, Overwrite: overwrite}.Write(story, storage)
	if err != nil {
		return errorResult("nothing was written: " + explainExport(err))
	}
	return textResult(exportWords(story, written, a.Notes()))
}

// explainExport words the errors of an export's own.
func explainExport(err error) string {
	if exists, ok := errors.AsType[*codefile.ExistsError](err); ok {
		return exists.Error() + ": send another path, or overwrite: true to replace it"
	}
	return explain(err)
}

// exportWords tells what was written.
func exportWords(story *notebook.Story, w history.Written, notes []string) string {
	fields := []string{"ok", "exported " + w.File.Path, runsWords(story), render.ByteSize(w.File.Size)}
	if w.Pictures > 0 {
		fields = append(fields, fmt.Sprintf("%s in %s", counted(w.Pictures, "picture"), w.Folder))
	}
	lines := append([]string{"[" + strings.Join(fields, " | ") + "]"}, noteLines(notes)...)
	for _, p := range story.Problems {
		lines = append(lines, "[warning: the record is damaged: "+p+"]")
	}
	return strings.Join(lines, "\n")
}

// runsWords says which runs a story has.
func runsWords(story *notebook.Story) string {
	first, last := story.Runs[0].ID, story.Runs[len(story.Runs)-1].ID
	failed := 0
	for _, r := range story.Runs {
		if r.Failed() {
			failed++
		}
	}
	words := fmt.Sprintf("session=%s, %s, %s", story.Session, counted(len(story.Runs), "run"), first)
	if last != first {
		words += ".." + last
	}
	if failed > 0 {
		words += fmt.Sprintf(", %d failed", failed)
	}
	return words
}

// explainNothingRan words the error of an export, or a look, that finds nothing.
func explainNothingRan(e *session.NothingRanError) string {
	words := e.Error()
	if e.Unkept {
		return words + ": HISTORY=off keeps records only while a kernel lives"
	}
	if e.IDs != "" {
		return words + " for this code storage and working directory: records are kept for 30 days after the last run"
	}
	if e.Removed {
		return words + ": it has been removed from the disk. What runs in a new kernel is recorded again: stop_session with restart: true, which loses the variables"
	}
	return words + " here: nothing was run in it yet, its record has been removed, or none could be written. list_sessions shows open sessions"
}
