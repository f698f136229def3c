package render

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// bounded returns a text value as it is shown: escapes dropped, controls
// visible, lines that look like ours escaped, cut in the middle to limit
// characters.
func (r *renderer) bounded(v jupyter.Value, limit int) string {
	file, err := v.Open()
	if err != nil {
		return r.unreadable(v, err)
	}
	defer file.Close()
	readOn := r.options.ReadOn
	if v.Path != "" {
		readOn = "file: " + v.Path
	}
	text, err := boundedText(file, limit, readOn, r.options.Cell)
	if err != nil {
		return r.unreadable(v, err)
	}
	return text
}

func (r *renderer) unreadable(v jupyter.Value, err error) string {
	return fmt.Sprintf("[data of %s could not be read: %s]", ByteSize(v.Size), oneLine(err.Error()))
}

// oneLine makes s fit into a line of ours.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func boundedText(from io.Reader, limit int, readOn string, cell func(file string) int) (string, error) {
	c := newCollector(limit)
	screen := newTerminal(func(text []byte) { c.write("stdout", "", cellNames(text, cell, false)) })
	if _, err := io.Copy(screen, from); err != nil {
		return "", err
	}
	screen.finish()
	p := layout(c, limit, func(gone size) string { return cutNote(gone, readOn) })
	var text strings.Builder
	for i := range p.lines {
		if i > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(p.lines[i].text)
	}
	return strings.TrimRight(text.String(), "\n"), nil
}

// Text is how a short string of the code's is shown in a line of ours: escapes and
// controls gone, at most limit characters.
func Text(s string, limit int) string {
	text, _ := boundedText(strings.NewReader(s), limit, "", nil)
	return text
}

// FirstRunes returns at most n runes of s, with a mark when there are more.
func FirstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i] + "…"
		}
		n--
	}
	return s
}

// CutMiddle shortens s to at most n characters, keeping head and tail.
func CutMiddle(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	const mark = "\n[… cut …]\n"
	half := (n - len(mark)) / 2
	return string(r[:half]) + mark + string(r[len(r)-half:])
}

// ByteSize writes a number of bytes for a reader: 812 bytes, 23 kB, 1.4 MB, 2.1 GB.
func ByteSize(n int64) string {
	switch {
	case n == 1:
		return "1 byte"
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 999_500:
		return fmt.Sprintf("%d kB", (n+500)/1000)
	case n < 99_950_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n < 999_500_000:
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// ipykernel compiles cells as DIR/ipykernel_PID/FILE.py: what Python itself writes of
// them names that file, which nobody can open.
var (
	cellFrame = regexp.MustCompile(`File "[^"\n]*[/\\]ipykernel_\d+[/\\](\d+)\.py", line `)
	cellPath  = regexp.MustCompile(`(?:\b[A-Za-z]:)?[/\\][^\s"'<>:]*[/\\]ipykernel_\d+[/\\](\d+)\.py`)
	// A warning, which logging may have sent to stdout.
	cellWarning = regexp.MustCompile(`(?:\b[A-Za-z]:)?[/\\][^\s"'<>:]*[/\\]ipykernel_\d+[/\\](\d+)\.py(:\d+: \w*Warning: )`)
)

// cellNames names cells as IPython's tracebacks do, those that count knows. In what is
// not written by Python, only frames and warnings are: a path may be meant.
func cellNames(text []byte, count func(file string) int, all bool) []byte {
	if count == nil || !bytes.Contains(text, []byte("ipykernel_")) {
		return text
	}
	text = nameCells(text, cellFrame, count, ", line ")
	if all {
		return nameCells(text, cellPath, count, "")
	}
	return nameCells(text, cellWarning, count, "")
}

func nameCells(text []byte, pattern *regexp.Regexp, count func(file string) int, end string) []byte {
	return pattern.ReplaceAllFunc(text, func(found []byte) []byte {
		parts := pattern.FindSubmatch(found)
		if n := count(string(parts[1])); n > 0 {
			return append(fmt.Appendf(nil, "Cell In[%d]%s", n, end), bytes.Join(parts[2:], nil)...)
		}
		return found
	})
}
