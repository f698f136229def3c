package notebook

import (
	"encoding/json"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// ours is the member of metadata that is this program's.
const ours = "mcp_code_executor"

// about is what a cell's metadata says of its run.
type about struct {
	ID         string `json:"id"`
	Outcome    string `json:"outcome"`
	Generation int    `json:"generation,omitempty"`
	Script     string `json:"script,omitempty"`
	File       string `json:"file,omitempty"`
	Fresh      bool   `json:"fresh,omitempty"`
}

// Cells yields the story as cells: a heading, each run, and a mark where a kernel
// ended and another began. limit bounds what a cell's outputs hold, in bytes.
func (s *Story) Cells(limit int64) iter.Seq2[*Cell, error] {
	return func(yield func(*Cell, error) bool) {
		if !yield(s.heading(exportedWords), nil) {
			return
		}
		var before *part
		used := map[string]bool{}
		for _, run := range s.Runs {
			if mark := s.mark(before, run); mark != nil && !yield(mark, nil) {
				return
			}
			if !run.part.fresh {
				before = run.part
			}
			cell, err := s.cell(run, limit)
			if err == nil {
				cell.ID = unused(used, cell.ID)
			}
			if !yield(cell, err) {
				return
			}
		}
	}
}

// unused is an id that no cell has yet.
func unused(used map[string]bool, id string) string {
	free := id
	for n := 2; used[free]; n++ {
		free = fmt.Sprintf("%s-%d", id, n)
	}
	used[free] = true
	return free
}

// exportedWords say how a notebook came to be.
const exportedWords = "Exported by mcp-code-executor from its record."

func (s *Story) heading(words string) *Cell {
	var b strings.Builder
	fmt.Fprintf(&b, "# Session %s\n", plainText(s.Session))
	if len(s.Runs) > 0 {
		first := s.Runs[0]
		info := first.part.info
		fmt.Fprintf(&b, "\n%s, in %s, environment %s.", when(first.Started), codeSpan(info.Dir), plainText(info.Environment))
	}
	fmt.Fprintf(&b, "\n%s\n", words)
	for _, p := range s.Problems {
		fmt.Fprintf(&b, "\n- **Incomplete:** %s", plainText(p))
	}
	return &Cell{Kind: Markdown, ID: "session", Source: strings.TrimRight(b.String(), "\n")}
}

// mark says that variables were lost before the run, nil when they were not.
func (s *Story) mark(before *part, run *Run) *Cell {
	now := run.part
	if before == nil || before == now || now.fresh {
		return nil
	}
	text := fmt.Sprintf("---\n**New kernel, generation %d** (%s, environment %s): the variables and imports of generation %d were gone.",
		now.info.Generation, when(now.info.Started), plainText(now.info.Environment), before.info.Generation)
	if idHalf(run.ID) != idHalf(s.Runs[0].ID) {
		text = fmt.Sprintf("---\n**New server, new kernel** (%s, environment %s): the variables and imports from before were gone.", when(now.info.Started), plainText(now.info.Environment))
	}
	return &Cell{Kind: Markdown, ID: "kernel-before-" + cellID(run), Source: text}
}

func idHalf(id string) string {
	half, _, _ := strings.Cut(id, "-")
	return half
}

func cellID(run *Run) string {
	id := run.ID
	switch n := run.Begin.Cell; {
	case n > 0:
		id += fmt.Sprintf("-%d", n)
	case n == record.ParametersCell:
		id += "-parameters"
	}
	id = strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '_'
	}, id)
	return id[:min(len(id), 48)]
}

// cell is one run.
func (s *Story) cell(run *Run, limit int64) (*Cell, error) {
	outputs, err := run.outputs(limit)
	if err != nil {
		return nil, fmt.Errorf("reading the output of %s: %w", run.ID, err)
	}
	return s.cellOf(run, outputs), nil
}

// cellOf is one run with what it has shown.
func (s *Story) cellOf(run *Run, outputs []jupyter.Output) *Cell {
	c := &Cell{Kind: Code, ID: cellID(run), Source: s.source(run), Shown: outputs}
	if run.End != nil {
		c.Count = max(run.End.ExecutionCount, 0)
	}
	times := map[string]string{"iopub.execute_input": stamp(run.Started)}
	if !run.Ended.IsZero() {
		times["shell.execute_reply"] = stamp(run.Ended)
	}
	c.set("execution", times)
	c.set(ours, about{ID: run.ID, Outcome: run.Outcome(), Generation: run.part.info.Generation, Script: run.Begin.Script, File: run.Begin.File, Fresh: run.part.fresh})
	switch run.Outcome() {
	case "error":
		c.tag(tagRaises)
	case "interrupted", "died", "exited", "unknown":
		c.tag(tagSkip) // it would end the kernel again, or is not known to end at all
	}
	if run.part.fresh {
		c.tag(tagSkip)
	}
	return c
}

// source is the code of a run; of a code file that was run, what the file holds.
func (s *Story) source(run *Run) string {
	if run.Begin.Script == "" || run.Begin.Cell != 0 {
		return run.Begin.Code
	}
	head := "# the code file " + run.Begin.Script
	call := strings.TrimPrefix(run.Begin.Code, "get_ipython().run_script(")
	if _, arguments, found := strings.Cut(call, ", ["); found {
		arguments, _, _ = strings.Cut(arguments, "]")
		head += ", with the arguments " + strings.ReplaceAll(arguments, "\n", " ")
	}
	if run.part.fresh {
		head += ", in a kernel of its own"
	}
	if s.Content == nil {
		return head + "\n" + run.Begin.Code
	}
	text, changed, ok := s.Content(run.Begin.Script)
	switch {
	case !ok:
		return head + "; it is not there any more\n" + run.Begin.Code
	case changed.After(run.Started):
		head += "; it was changed after this run"
	}
	return head + "\n" + strings.TrimRight(text, "\n")
}

// Metadata is the notebook's own.
func (s *Story) Metadata() map[string]json.RawMessage {
	var e environments
	for _, run := range s.Runs {
		e.add(run.part.info)
	}
	return e.metadata(map[string]any{"session": s.Session, "exported": stamp(s.Exported), "runs": len(s.Runs), "problems": s.Problems})
}

// environments are those that a story's kernels ran in, in order.
type environments struct {
	names  []string
	python string
}

func (e *environments) add(info record.Info) {
	if n := len(e.names); n == 0 || e.names[n-1] != info.Environment {
		e.names = append(e.names, info.Environment)
	}
	e.python = info.Python
}

// metadata is a notebook's; own is what this program says of it.
func (e *environments) metadata(own map[string]any) map[string]json.RawMessage {
	display := "Python 3"
	if n := len(e.names); n > 0 && e.names[n-1] != "" {
		display += " (" + e.names[n-1] + ")"
	}
	own["environments"], own["python"] = append([]string{}, e.names...), e.python
	return map[string]json.RawMessage{
		"kernelspec": compact(map[string]string{"name": "python3", "display_name": display, "language": "python"}),
		"language_info": compact(map[string]any{"name": "python", "file_extension": ".py", "mimetype": "text/x-python",
			"codemirror_mode": map[string]any{"name": "ipython", "version": 3}, "pygments_lexer": "ipython3", "nbconvert_exporter": "python"}),
		ours: compact(own),
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func when(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// plainText is text for Markdown that means nothing there.
func plainText(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "<", "&lt;", "[", `\[`, "|", `\|`).Replace(s)
}

// codeSpan is text as code in a line of Markdown.
func codeSpan(s string) string {
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + strings.ReplaceAll(s, "\n", " ") + fence
}

// fileLabel is a file's name for a heading.
func fileLabel(path string) string { return filepath.Base(path) }

// errorOf is the exception of a run in a line, or "".
func errorOf(o *jupyter.Output) string { return strings.TrimSpace(o.Ename + ": " + o.Evalue) }
