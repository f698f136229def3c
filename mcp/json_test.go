package mcp

import (
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
)

// TestJSONResult: on one line, what matters first, nothing that is empty.
func TestJSONResult(t *testing.T) {
	r := jsonResult(object{
		"zeta": 1, "changes": []string{"a"}, "status": "success", "alpha": "x", "message": "done", "environment": object{"b": 1, "a": 2},
		"output": "", "failed": []string{}, "none": nil, "notes": object{},
	})
	const want = `{"status":"success","message":"done","changes":["a"],"environment":{"a":2,"b":1},"alpha":"x","zeta":1}`
	if got := r.Content[0].(mcp.TextContent).Text; len(r.Content) != 1 || got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
