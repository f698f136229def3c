package mcp

import (
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// TestShownOutputs: only the question that waits is left out, wherever output that
// was on its way has come.
func TestShownOutputs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state       session.State
		given, want string
	}{
		{session.StateWaiting, "a ?1", "a"},
		{session.StateWaiting, "?1 a", "a"},
		{session.StateWaiting, "a ?1 b ?2 c", "a ?1 b c"},
		{session.StateWaiting, "a", "a"},
		{session.StateWaiting, "", ""},
		{session.StateFinished, "a ?1", "a ?1"},
		{session.StateWaiting, "?1" + strings.Repeat(" a", maxAfterQuestion+5), "?1" + strings.Repeat(" a", maxAfterQuestion+5)},
	} {
		outputs := func(yield func(jupyter.Output, error) bool) {
			for _, text := range strings.Fields(c.given) {
				o := jupyter.Output{Type: jupyter.OutputStream, Prompt: text}
				if text[0] == '?' {
					o.Type = jupyter.OutputInputRequest
				}
				if !yield(o, nil) {
					return
				}
			}
		}
		var got []string
		for o, err := range shownOutputs(session.Report{State: c.state, Outputs: outputs}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, o.Prompt)
		}
		if shown := strings.Join(got, " "); shown != c.want {
			t.Errorf("%s, %.40s: %.60s, want %.60s", c.state, c.given, shown, c.want)
		}
	}
}

// TestEndLines: where a client joins the blocks with nothing between, each of them
// still begins a line; the last one's end is the code's own.
func TestEndLines(t *testing.T) {
	t.Parallel()
	image := mcp.NewImageContent("iVBO", "image/png")
	for _, c := range []struct {
		blocks []mcp.Content
		want   string
	}{
		{nil, ""},
		{[]mcp.Content{mcp.NewTextContent("a")}, "a"},
		{[]mcp.Content{mcp.NewTextContent("[image 1: a.png]"), image, mcp.NewTextContent("after")}, "[image 1: a.png]\n<image>after"},
		{[]mcp.Content{mcp.NewTextContent("[image 1: a.png]"), image}, "[image 1: a.png]\n<image>"},
		{[]mcp.Content{mcp.NewTextContent("a\n"), image, image, mcp.NewTextContent("b"), mcp.NewTextContent("\\[ok | c")}, "a\n<image><image>b\n\\[ok | c"},
	} {
		var joined strings.Builder
		for _, b := range endLines(c.blocks) {
			if text, isText := b.(mcp.TextContent); isText {
				joined.WriteString(text.Text)
			} else {
				joined.WriteString("<image>")
			}
		}
		if joined.String() != c.want {
			t.Errorf("%q, want %q", joined.String(), c.want)
		}
	}
}

// TestFitNothing: a handler that gave no result, as for a call that was given up.
func TestFitNothing(t *testing.T) {
	fit(t.Context(), nil)
}

// TestOneAnswer: what a form holds is one line for input(), and nothing that is no
// text is taken for an empty one.
func TestOneAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		content any
		line    string
		isLine  bool
	}{
		{map[string]any{"answer": "Ada"}, "Ada", true},
		{map[string]any{"answer": "two\r\nlines\n"}, "two lines ", true},
		{map[string]any{"answer": 100_000_000.0}, "100000000", true},
		{map[string]any{"answer": 0.5}, "0.5", true},
		{map[string]any{"answer": true}, "true", true},
		{map[string]any{"answer": nil}, "", true},
		{map[string]any{}, "", true},
		{nil, "", true},
		{map[string]any{"answer": []any{"a"}}, "", false},
		{map[string]any{"answer": map[string]any{"a": "b"}}, "", false},
		{"yes", "", false},
		{[]any{"yes"}, "", false},
	} {
		if line, isLine := oneAnswer(c.content); line != c.line || isLine != c.isLine {
			t.Errorf("%v: %q, %v, want %q, %v", c.content, line, isLine, c.line, c.isLine)
		}
	}
}
