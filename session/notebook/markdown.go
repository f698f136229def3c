package notebook

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// maxMarkdownText bounds the text of one output in Markdown, which people read.
const maxMarkdownText = 1 << 20

// Picture keeps a picture beside a Markdown file and returns how the file names it.
type Picture func(name string, content jupyter.Value) (reference string, err error)

// WriteMarkdown writes the story as Markdown: code in fences, text below it, pictures
// beside the file.
func (s *Story) WriteMarkdown(w io.Writer, picture Picture) error {
	out := &writer{w: w}
	pictures := 0
	named := func(ext string, v jupyter.Value) (string, error) {
		pictures++
		return picture(fmt.Sprintf("%d%s", pictures, ext), v)
	}
	i := 0
	for cell, err := range s.Cells(exportCell) {
		if err != nil {
			return err
		}
		if cell.Kind != Code {
			out.text(cell.Source + "\n\n")
			continue
		}
		run := s.Runs[i]
		i++
		heading := plainText(title(run))
		if cell.Count > 0 {
			heading = fmt.Sprintf("In[%d]: ", cell.Count) + heading
		}
		out.text("## " + heading + "\n\n" + fenced("python", cell.Source))
		for k := range cell.Shown {
			text, err := markdownOutput(&cell.Shown[k], named)
			if err != nil {
				return err
			}
			out.text(text)
		}
		if out.err != nil {
			return out.err
		}
	}
	return out.err
}

// markdownOutput is one output of a cell.
func markdownOutput(o *jupyter.Output, picture func(ext string, v jupyter.Value) (string, error)) (string, error) {
	switch o.Type {
	case jupyter.OutputStream:
		return fenced("text", cutText(plainTerminal(string(o.Text.Inline)))), nil
	case jupyter.OutputError:
		text, err := o.Text.Bytes(maxMarkdownText)
		if err != nil {
			return "", err
		}
		trace := plainTerminal(valid(text))
		if strings.TrimSpace(trace) == "" {
			trace = errorOf(o)
		}
		return fenced("text", cutText(trace)), nil
	}
	for _, mime := range []string{"image/png", "image/svg+xml", "image/jpeg", "image/gif", "image/webp"} {
		if v, found := o.Data[mime]; found {
			mime = v.PictureType(mime)
			reference, err := picture(record.Extension(mime), v)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("![%s](<%s>)\n\n", mime, reference), nil
		}
	}
	for _, mime := range []string{"text/markdown", "text/latex", "text/plain"} {
		v, found := o.Data[mime]
		if !found {
			continue
		}
		b, err := v.Bytes(maxMarkdownText)
		if err != nil {
			return "", err
		}
		if mime == "text/plain" {
			return fenced("text", cutText(plainTerminal(valid(b)))), nil
		}
		return strings.TrimRight(valid(b), "\n") + "\n\n", nil
	}
	return "", nil
}

func cutText(text string) string {
	if len(text) <= maxMarkdownText {
		return text
	}
	return strings.ToValidUTF8(text[:maxMarkdownText], "") + fmt.Sprintf("\n[cut: %s more]", byteSize(int64(len(text)-maxMarkdownText)))
}

// fenced is text within a fence that is longer than any in it.
func fenced(language, text string) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + language + "\n" + strings.TrimRight(text, "\n") + "\n" + fence + "\n\n"
}

// control matches the escape sequences of terminals.
var control = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[@-Z\\\\-_])")
})

// plainTerminal is text without colours.
func plainTerminal(text string) string { return control().ReplaceAllString(text, "") }
