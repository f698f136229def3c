package mcp

import (
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// TestBlocksJoined: a client may join the blocks with nothing between them; each
// line is still a line.
func TestBlocksJoined(t *testing.T) {
	img := render.Block{Image: []byte("x"), MIME: "image/png"}
	text := func(s string) render.Block { return render.Block{Text: s} }
	for name, c := range map[string]struct {
		blocks []render.Block
		want   string
	}{
		"text, image, text": {[]render.Block{text("[image 1]"), img, text("after")}, "[ok]\n[image 1]\nafter"},
		"image first":       {[]render.Block{img, text("after\n")}, "[ok]\nafter\n"},
		"image last":        {[]render.Block{text("a"), img}, "[ok]\na\n"},
		"two texts":         {[]render.Block{text("a"), text("b"), img, img, text("c")}, "[ok]\na\nb\nc"},
		"text alone":        {[]render.Block{text("a")}, "[ok]\na"},
		"nothing":           {nil, "[ok]\n[no output]"},
	} {
		var joined strings.Builder
		r := session.Report{State: session.StateFinished}
		for _, b := range content("[ok]\n", render.Result{Blocks: c.blocks}, r) {
			if block, isText := b.(mcp.TextContent); isText {
				joined.WriteString(block.Text)
			}
		}
		if joined.String() != c.want {
			t.Errorf("%s: %q, want %q", name, joined.String(), c.want)
		}
	}
}
