package mcp

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/arguments"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/history"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

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

func (t *tools) handleExportSession(_ context.Context, a *call) *mcp.CallToolResult {
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
	return words + " here: nothing was run in it yet, or its record has been removed. list_sessions shows open sessions"
}
