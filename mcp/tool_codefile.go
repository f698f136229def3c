package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/arguments"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/clients"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
)

// pathWords describes file_path, and runPathWords that of a file to run.
const (
	pathWords    = "The file: its full path or just its name. It must lie in the code storage directory."
	runPathWords = "The file: its full path or just its name. It must lie in the code storage directory or, failing that, in the working directory."
)

// maxArgument bounds one argument of a script, in bytes, as Linux does.
const maxArgument = 128 << 10

// maxReadHead is room for the lines above the text in read_code_file's answer.
const maxReadHead = 500

func (t *tools) initializeCodeFile() tool {
	return tool{
		name:  "initialize_code_file",
		title: "Create a code file",
		description: "Create a file in the code storage directory, for code that is too long for one call: continue it with append_to_code_file, run it with execute_code_file, or import it as a module in execute_code. " +
			"The name asked for is used when it is free, otherwise a numbered one: use the file_path of the answer. A name that would hide a module of Python or an installed package is refused.",
		arguments: []argument{
			{name: "content", kind: "string", required: true, description: "The first content of the file; may be empty. At most 4 MiB."},
			{name: "filename", kind: "string", description: "Name of the file, without directories; .py is added when it has no extension. Default: a numbered name."},
		},
		hints:  hints{},
		handle: t.handleInitializeCodeFile,
	}
}

func (t *tools) handleInitializeCodeFile(ctx context.Context, a *call) *mcp.CallToolResult {
	content := a.String("content", arguments.Required, arguments.MaxBytes(maxCode))
	filename := a.String("filename")
	if err := a.Err(); err != nil {
		return jsonError(err)
	}
	storage, err := t.sessions.Storage()
	if err != nil {
		return jsonError(err)
	}
	f, err := storage.Create(filename, content, t.sessions.Shadows(ctx, conversation(ctx)))
	if err != nil {
		return jsonError(err)
	}
	t.sessions.FileChanged(f.Path)
	message := "File initialized successfully"
	if f.Renamed {
		message += fmt.Sprintf(". The name %s was taken, so it is called %s", filename, f.Name)
	}
	return jsonResult(withNotes(object{"status": "success", "message": message, "file_path": f.Path, "filename": f.Name}, a))
}

// withNotes adds what was ignored.
func withNotes(o object, a *call) object {
	if notes := a.Notes(); len(notes) > 0 {
		o["notes"] = notes
	}
	return o
}

func (t *tools) appendToCodeFile() tool {
	return tool{
		name:        "append_to_code_file",
		title:       "Append to a code file",
		description: "Append text to a file in the code storage directory. No newline is added. A module that was imported from the file is loaded again before the session's next run.",
		arguments: []argument{
			{name: "file_path", kind: "string", required: true, description: pathWords},
			{name: "content", kind: "string", required: true, description: "What to append. At most 4 MiB a call."},
		},
		hints:  hints{},
		handle: t.handleAppendToCodeFile,
	}
}

func (t *tools) handleAppendToCodeFile(_ context.Context, a *call) *mcp.CallToolResult {
	path := a.String("file_path", arguments.Required, arguments.NonEmpty)
	content := a.String("content", arguments.Required, arguments.MaxBytes(maxCode))
	if err := a.Err(); err != nil {
		return jsonError(err)
	}
	storage, err := t.sessions.Storage()
	if err != nil {
		return jsonError(err)
	}
	f, err := storage.Append(path, content)
	if err != nil {
		return jsonError(t.inWorkDir(err))
	}
	t.sessions.FileChanged(f.Path)
	return jsonResult(withNotes(object{"status": "success", "message": "Content appended successfully", "file_path": f.Path, "size": f.Size}, a))
}

func (t *tools) readCodeFile() tool {
	return tool{
		name:        "read_code_file",
		title:       "Read a code file",
		description: "Read a file in the code storage directory. The answer is a status line, then the unchanged text; of a notebook, also in the working directory, its cells, with outputs short, and offset and limit count cells.",
		arguments: []argument{
			{name: "file_path", kind: "string", required: true, description: pathWords},
			{name: "offset", kind: "number", description: "Lines to skip at the beginning; a negative number counts from the end: -20 shows the last 20. Default 0."},
			{name: "limit", kind: "number", description: "Maximum number of lines. Default: as many as fit into 30,000 characters."},
		},
		hints:  hints{readOnly: true, idempotent: true},
		handle: t.handleReadCodeFile,
	}
}

func (t *tools) handleReadCodeFile(ctx context.Context, a *call) *mcp.CallToolResult {
	path := a.String("file_path", arguments.Required, arguments.NonEmpty)
	offset := a.Integer("offset", 0, arguments.Between(-1e9, 1e9))
	limit := a.Integer("limit", 0, arguments.Between(0, 1e9))
	if err := a.Err(); err != nil {
		return errorResult(explain(err))
	}
	storage, err := t.sessions.Storage()
	if err != nil {
		return errorResult(explain(err))
	}
	if file, in := t.notebookPath(storage, path); in != nil {
		defer in.Close()
		return t.showNotebook(in, file, int(offset), int(limit), a.Notes(), clients.Of(ctx).Most(0))
	}
	text, err := storage.Read(path, int(offset), int(limit))
	if err != nil {
		return errorResult(explain(t.inWorkDir(err)))
	}
	return textResult(showText(text, a.Notes(), clients.Of(ctx).Most(0)))
}

// notebookPath finds a notebook in the code storage or, failing that, in the working
// directory; in is nil when neither has one of that name.
func (t *tools) notebookPath(storage *codefile.Store, path string) (file string, in *codefile.Folder) {
	if !isNotebook(path) {
		return "", nil
	}
	file, err := storage.Path(path)
	if err == nil {
		in, _ = codefile.Look(storage.Dir()) // the caller closes it, and not the storage
		return file, in
	}
	work := t.sessions.WorkFolder()
	if work == nil || !isElsewhere(err) {
		return "", nil
	}
	if file, err = work.Path(path); err != nil {
		work.Close()
		return "", nil
	}
	return file, work
}

// showText is a status line and the text, in whole lines within the limit.
func showText(text codefile.Text, notes []string, limit int) string {
	content, last := fitLines(text.Content, text.First, text.Last, limit-maxReadHead)
	lines := "no lines"
	if text.First > 0 {
		lines = fmt.Sprintf("lines %d-%d of %d", text.First, last, text.Lines)
	}
	fields := []string{"ok", text.Path, lines, fmt.Sprintf("%d bytes", text.Size)}
	if text.Encoding != "utf-8" {
		fields = append(fields, text.Encoding)
	}
	if last < text.Last || text.Cut {
		fields = append(fields, fmt.Sprintf("go on with offset=%d", last))
	}
	head := append([]string{"[" + strings.Join(fields, " | ") + "]"}, noteLines(notes)...)
	return strings.Join(append(head, content), "\n")
}

// fitLines keeps the first lines of content that fit into limit characters, at
// least one, and returns the number of the last one kept.
func fitLines(content string, first, last, limit int) (string, int) {
	if len(content) <= limit {
		return content, last
	}
	kept, n, size := 0, 0, 0
	for line := range strings.Lines(content) {
		runes := len([]rune(line))
		if n > 0 && size+runes > limit {
			break
		}
		kept, size, n = kept+len(line), size+runes, n+1
	}
	if n == 1 && size > limit {
		return render.CutMiddle(content[:kept], limit) + "\n", first
	}
	return content[:kept], first + n - 1
}

func (t *tools) executeCodeFile() tool {
	return tool{
		name:  "execute_code_file",
		title: "Run a code file",
		description: "Run a file as a script (__name__ is \"__main__\", __file__ and sys.argv are set) in the session's Python: it sees the session's variables and its own stay afterwards. With fresh it runs and ends as \"python FILE\" does. " +
			"Tracebacks show the file's lines. A notebook (.ipynb) runs cell by cell, as one run, up to the first error; a copy beside it gets the results. Answers like execute_code: after wait_seconds at the latest, and the run goes on.",
		arguments: append([]argument{
			{name: "file_path", kind: "string", required: true, description: runPathWords},
			{name: "arguments", kind: "array", description: "Command line arguments, sys.argv[1:], one string each."},
			{name: "session", kind: "string", description: sessionWords},
			{name: "fresh", kind: "boolean", description: "true: in a kernel of its own, without the session's variables. Default false."},
			{name: "parameters", kind: "object", description: "Values for a notebook, set after its cell tagged \"parameters\"."},
			{name: "allow_errors", kind: "boolean", description: "true: a notebook goes on after errors."},
		}, runArguments()...),
		hints:  hints{destructive: true, openWorld: true},
		large:  true,
		queues: true,
		handle: t.handleExecuteCodeFile,
	}
}

func (t *tools) handleExecuteCodeFile(ctx context.Context, a *call) *mcp.CallToolResult {
	begun := time.Now()
	path := a.String("file_path", arguments.Required, arguments.NonEmpty)
	argv := a.Strings("arguments", arguments.MaxBytes(maxArgument))
	name := a.String("session")
	fresh := a.Bool("fresh", false)
	deadline := begun.Add(waitSeconds(a))
	limit, expected := timeout(a), generation(a)
	ofNotebook := decodeNotebook(a)
	maxOutput(a)
	if err := a.Err(); err != nil {
		return errorResult(err.Error())
	}
	if e := t.resumed(a); e != nil { // a retry with an answer: the file runs already
		rpc.Queued(ctx)
		return t.finish(ctx, a, e, deadline, nil)
	}
	file, notes, err := t.scriptPath(path)
	if err != nil {
		return errorResult("nothing was run: " + explain(err))
	}
	request := session.Request{By: conversation(ctx), Code: scriptCode(file, argv, fresh), File: file, Script: true, Arguments: argv}
	if isNotebook(file) {
		request, err = t.notebookRequest(file, argv, ofNotebook)
		request.By = conversation(ctx)
	} else if ofNotebook.goOn || ofNotebook.parameters != nil {
		err = errors.New("parameters and allow_errors are for notebooks (.ipynb), and this file is none; a script takes arguments")
	}
	if err != nil {
		return errorResult("nothing was run: " + explain(err))
	}
	s, err := t.sessions.OpenFor(conversation(ctx), name)
	if err != nil {
		return errorResult(explain(err))
	}
	request, sent, err := throughKernel(ctx, s, request, ofNotebook)
	if err != nil {
		return errorResult("nothing was run: " + explain(err))
	}
	notes = append(notes, sent...)
	request.Timeout, request.Generation, request.Policy = limit, expected, a.policy()
	execute := s.Execute
	if fresh {
		execute = s.ExecuteFresh
	}
	e, err := execute(request)
	rpc.Queued(ctx)
	if err != nil {
		return errorResult(explain(err))
	}
	return t.finish(ctx, a, e, deadline, notes)
}

// throughKernel sends a file's code where its name is of no use: to a kernel on another
// machine, or to one without our launcher, which runs files.
func throughKernel(ctx context.Context, s *session.Session, r session.Request, n notebookArguments) (_ session.Request, notes []string, err error) {
	through, err := s.ThroughKernel(ctx, r.By)
	other, foreign := errors.AsType[*session.LanguageError](err)
	language := ""
	if foreign {
		language = other.Language
	}
	if wrong := wrongLanguage(r, language); wrong != nil {
		return r, nil, wrong
	}
	switch {
	case foreign && r.Script && len(r.Arguments) == 0:
		source, err := os.ReadFile(r.File)
		r.Code, r.Script = string(source), false
		return r, []string{"the file's code was sent to the kernel as code in " + other.Language}, err
	case foreign && r.Script:
		return r, nil, fmt.Errorf("arguments are for files in Python, and the kernel of session %q is one for %s: set what the file needs with execute_code, and leave arguments out", s.Name(), other.Language)
	case foreign && n.parameters != nil:
		return r, nil, fmt.Errorf("parameters are set in Python, and the kernel of session %q is one for %s: leave them out", s.Name(), other.Language)
	case foreign:
		return r, nil, nil
	case err != nil || !through || !r.Script:
		return r, nil, err
	}
	r, notes, err = elsewhereRequest(r)
	note := "the kernel is on another machine: the file's code was sent there, and what it imports from beside it is not"
	if s.Config().Server == "" {
		note = "this kernel does not run files: the file's code was sent to it"
	}
	return r, append([]string{note}, notes...), err
}

// elsewhereRequest sends a script's code instead of its name.
func elsewhereRequest(r session.Request) (_ session.Request, notes []string, err error) {
	source, err := os.ReadFile(r.File)
	if err != nil {
		return r, nil, err
	}
	argv, err := json.Marshal(append([]string{r.File}, r.Arguments...))
	if err != nil {
		return r, nil, err
	}
	r.Code, r.Script = string(source), false
	future := strings.Contains(r.Code, "from __future__") // must stand first
	switch {
	case future && len(r.Arguments) > 0:
		return r, nil, errors.New("a file with \"from __future__\" cannot be given arguments on a Jupyter server: set sys.argv with execute_code first, and leave arguments out")
	case !future:
		var below bool
		r.Code, below = withArgv(r.Code, string(argv))
		if below {
			notes = append(notes, "the line numbers of the file are one lower than those in tracebacks: a line that sets sys.argv stands before it")
		}
	}
	return r, notes, nil
}

// compound are the words that begin statements which nothing can stand before on their line.
var compound = regexp.MustCompile(`^(?:(?:if|for|while|try|with|def|class|async|match)\b|[@%!])`)

// withArgv is a file's code with a statement that sets sys.argv, on the first line where
// that is possible: the file's lines keep their numbers then. below reports that it was not.
func withArgv(code, argv string) (changed string, below bool) {
	set := "import sys; sys.argv = " + argv
	first, rest, more := strings.Cut(code, "\n")
	switch first = strings.TrimSpace(first); {
	case compound.MatchString(first):
		return set + "\n" + code, true
	case (first == "" || first[0] == '#') && more:
		return set + "\n" + rest, false
	}
	return set + "; " + code, false
}

// scriptPath finds the file to run: one of the code storage, or else one of the
// working directory, which code could run as well. Where both have one, a note says
// which it is.
func (t *tools) scriptPath(path string) (file string, notes []string, err error) {
	storage, err := t.sessions.Storage()
	if err != nil {
		return "", nil, err
	}
	file, err = storage.Path(path)
	work := t.sessions.WorkFolder()
	if work == nil {
		return file, nil, err
	}
	defer work.Close()
	there, failed := work.Path(path)
	switch {
	case err == nil && failed == nil:
		notes = append(notes, fmt.Sprintf("this is the file of the code storage; to run the one of the working directory, give its full path: %s", there))
	case err == nil:
	case failed == nil:
		return there, nil, nil
	case !isElsewhere(failed):
		return "", nil, failed // it is there, and cannot be run
	default:
		err = nowhere(err, failed, work.Dir())
	}
	return file, notes, err
}

// nowhere is the error for a file that neither the storage nor the working
// directory has, from the errors of both.
func nowhere(storage, work error, workDir string) error {
	if e, missing := errors.AsType[*codefile.NotFoundError](storage); missing {
		e.WorkDir = workDir
	}
	e, outside := errors.AsType[*codefile.OutsideError](storage)
	if missing, inWork := errors.AsType[*codefile.NotFoundError](work); outside && inWork && !e.Link {
		missing.Work = true
		return missing
	}
	if outside {
		e.WorkDir = workDir
	}
	return storage
}

// isElsewhere reports whether err says that a directory does not have a file.
func isElsewhere(err error) bool {
	return errors.As(err, new(*codefile.NotFoundError)) || errors.As(err, new(*codefile.OutsideError))
}

// inWorkDir adds to the error for a file that is not in the storage that it lies in
// the directory where code runs.
func (t *tools) inWorkDir(err error) error {
	e, missing := errors.AsType[*codefile.NotFoundError](err)
	if !missing {
		return err
	}
	if work := t.sessions.WorkFolder(); work != nil {
		defer work.Close()
		if file, failed := work.Path(e.Path); failed == nil {
			e.WorkFile = file
		} else if isElsewhere(failed) {
			e.WorkDir = work.Dir()
		}
	}
	return err
}

// scriptCode runs a file in the session's namespace, by the launcher.
func scriptCode(path string, argv []string, fresh bool) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = pythonLiteral(word)
	}
	code := "get_ipython().run_script(" + pythonLiteral(path)
	if len(words) > 0 {
		code += ", [" + strings.Join(words, ", ") + "]"
	}
	if fresh {
		code += ", alone=True"
	}
	return code + ")"
}

// pythonLiteral writes s as a Python string literal; bytes that are no UTF-8 as
// the surrogates os.fsdecode makes of them.
func pythonLiteral(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r == utf8.RuneError && s[i] >= utf8.RuneSelf && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\udc%02x`, s[i])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
