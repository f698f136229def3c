package notebook

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Format is a form in which a story is written.
type Format string

// Formats of a story.
const (
	FormatNotebook Format = "notebook"
	FormatScript   Format = "script"
	FormatMarkdown Format = "markdown"
)

// Extension is how the name of such a file ends.
func (f Format) Extension() string {
	switch f {
	case FormatScript:
		return ".py"
	case FormatMarkdown:
		return ".md"
	}
	return ".ipynb"
}

// WriteNotebook writes the story as a notebook. Memory holds one cell at a time.
func (s *Story) WriteNotebook(w io.Writer) error {
	out := &writer{w: w}
	out.begin()
	for cell, err := range s.Cells(exportCell) {
		if err != nil {
			return err
		}
		out.cell(cell)
		if out.err != nil {
			return out.err
		}
	}
	return out.end(s.Metadata(), nil)
}

// WriteScript writes the story as Python, a cell after each "# %%".
func (s *Story) WriteScript(w io.Writer) error {
	out := &writer{w: w}
	var before *part
	heading := s.heading(exportedWords)
	out.text(commented("# %% [markdown]\n", heading.Source))
	for _, run := range s.Runs {
		if mark := s.mark(before, run); mark != nil {
			out.text(commented("\n# %% [markdown]\n", mark.Source))
		}
		if !run.part.fresh {
			before = run.part
		}
		out.text(fmt.Sprintf("\n# %%%% %s\n%s\n", title(run), strings.TrimRight(PlainPython(s.source(run)), "\n")))
	}
	return out.err
}

// title is what a cell's line says of a run.
func title(run *Run) string {
	words := []string{run.ID}
	if name := CellName(run.Begin.Cell, 0); name != "" {
		words = append(words, name+" of "+fileLabel(run.Begin.Script))
	}
	words = append(words, when(run.Started))
	if outcome := run.Outcome(); outcome != "ok" {
		if run.End != nil && run.End.Ename != "" {
			outcome += " " + run.End.Ename
		}
		words = append(words, outcome)
	}
	return strings.Join(words, ", ")
}

func commented(head, text string) string {
	var b strings.Builder
	b.WriteString(head)
	for _, line := range strings.Split(text, "\n") {
		b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
	return b.String()
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }
