package mcp

import (
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

// TestNotebookLanguage: a notebook runs in a kernel of its language, whichever that is.
func TestNotebookLanguage(t *testing.T) {
	for _, c := range []struct {
		notebook, kernel string
		runs             bool
	}{
		{"python", "", true}, {"Python3", "", true}, {"ipython", "", true}, {"", "", true}, {"R", "", false},
		{"R", "R", true}, {"r", "R", true}, {"", "R", true}, {"python", "R", false}, {"julia", "R", false},
	} {
		n, err := notebook.Parse([]byte(`{"nbformat":4,"cells":[],"metadata":{"kernelspec":{"name":"x","language":"` + c.notebook + `"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := wrongLanguage(session.Request{File: "x.ipynb", Notebook: n}, c.kernel); (err == nil) != c.runs {
			t.Errorf("a notebook for %q in a kernel for %q: %v", c.notebook, c.kernel, err)
		}
	}
	if err := wrongLanguage(session.Request{Code: "1"}, "R"); err != nil {
		t.Error(err)
	}
}
