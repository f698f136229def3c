package mcp

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
)

// seconds writes a duration as answers do.
func seconds(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// counted is "1 session" or "2 sessions".
func counted(n int, noun string) string { return plural(n, noun, noun+"s") }

// plural is a number with the noun that it needs.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// noteLines are notes as lines of an answer.
func noteLines(notes []string) []string {
	lines := make([]string, len(notes))
	for i, n := range notes {
		lines[i] = "[note: " + n + "]"
	}
	return lines
}

// firstLines returns the first n lines that are not blank, cleaned for showing.
func firstLines(s string, n int) string {
	lines := shownLines(s)
	return strings.Join(lines[:min(n, len(lines))], "\n")
}

// lastLines returns the last n lines that are not blank, cleaned for showing.
func lastLines(s string, n int) string {
	lines := shownLines(s)
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func shownLines(s string) []string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.TrimRight(render.Text(line, 500), " \t\r\n"); line != "" {
			lines = append(lines, render.EscapeLine(line))
		}
	}
	return lines
}

// escapeLines is a text of the code's as it is shown.
func escapeLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = render.EscapeLine(line)
	}
	return strings.Join(lines, "\n")
}

func nonEmptyOf(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

func orNothing(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}
