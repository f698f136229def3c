package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestBytecodeKept: the first kernel of a server uses what an earlier server's has compiled
// of the launcher, unless others could have written it.
func TestBytecodeKept(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	settings := append(inVenv(t), "XDG_STATE_HOME="+state)
	kept := filepath.Join(state, "mcp-code-executor", "bytecode")
	files := func() map[string]os.FileInfo {
		found := map[string]os.FileInfo{}
		names, err := filepath.Glob(filepath.Join(kept, "*", "*.pyc"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if found[name], err = os.Stat(name); err != nil {
				t.Fatal(err)
			}
		}
		return found
	}
	launch(t, settings...).run("1")
	first := files()
	if len(first) < 5 {
		t.Fatalf("kept: %d files", len(first))
	}
	launch(t, settings...).run("1")
	for name, after := range files() {
		if before := first[name]; before != nil && !os.SameFile(before, after) {
			t.Errorf("%s was compiled again", name)
		}
	}
	if err := os.RemoveAll(kept); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(kept, 0o755); err != nil {
		t.Fatal(err)
	}
	launch(t, settings...).run("1")
	if got := files(); len(got) > 0 {
		t.Errorf("kept where others can read: %d files", len(got))
	}
}
