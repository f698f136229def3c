package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestMatrixExportGallery: a session with every cell of the gallery is exported as a
// notebook that nbformat takes, and nbclient gets the same from it where a cell gives
// the same twice.
func TestMatrixExportGallery(t *testing.T) {
	testneeds.All(t)
	// These ask, or are too large for one cell.
	left := []string{"input_refused", "line_100_mb"}
	// Of these nbclient shows something else: it joins streams that alternate, and leaves
	// out what goes to a pager; without the launcher IPython shows an exception group on
	// stderr alone, and warns of sys.exit.
	other := []string{"bars_and_prints", "help_pager", "exception_group", "exit_inner"}
	entries, err := filepath.Glob(filepath.Join(repository, "testdata", "python", "*.py"))
	if err != nil || len(entries) < 100 {
		t.Fatalf("%d cells, %v", len(entries), err)
	}
	p := launch(t, append(inScripts(t), "PRELUDE=off")...)
	p.run("from IPython.display import *\nimport numpy as np, matplotlib.pyplot as plt")
	var but []string
	ran := 1
	for _, entry := range entries {
		name := strings.TrimSuffix(filepath.Base(entry), ".py")
		if slices.Contains(left, name) {
			continue
		}
		code := cell(t, name)
		if slices.Contains(other, name) {
			but = append(but, code)
		}
		p.call("execute_code", args{"code": code, "wait_seconds": 100})
		ran++
	}
	p.call("export_session", args{"path": "gallery.ipynb"})
	exported := filepath.Join(p.storage, "gallery.ipynb")
	jupyterClient(t, "validate", exported)
	cells := readCells(t, exported)
	if len(cells) != ran+1 {
		t.Errorf("%d cells, want a heading and %d", len(cells), ran)
	}
	again := filepath.Join(t.TempDir(), "again.ipynb")
	jupyterClient(t, "run", exported, again, os.Getenv("MCE_TEST_SCRIPTS"))
	sameCells(t, cells, readCells(t, again), but...)
}
