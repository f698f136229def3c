package elsewhere

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSharedFiles: each session is found by its own name, whatever that is made of, and
// what is not a file of ours, or of another machine, is left alone.
func TestSharedFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(path string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]string{}
	for _, session := range []string{"default", "default-2", "a-1", "a", "mit Größe", "tok.default"} {
		paths := SharedFiles(dir, session, true)
		if len(paths) != 2 || filepath.Base(paths[0]) != filepath.Base(paths[1]) || len(SharedFiles(dir, session, false)) != 1 {
			t.Errorf("%s: %q", session, paths)
		}
		for _, path := range paths {
			write(path)
		}
		files[session] = paths[0]
	}
	others := []string{"kernel-1.json", "mcp-code-executor-.json", "mcp-code-executor-a-elsewhere-0a0a0a0a.json", "mcp-code-executor-x.txt"}
	for _, name := range others {
		write(filepath.Join(dir, name))
	}
	for session, file := range files {
		if got := FindShared(dir, session); !slices.Equal(got, []string{file}) {
			t.Errorf("%s: %q, want %s", session, got, file)
		}
	}
	if all := FindShared(dir, ""); len(all) != len(files) {
		t.Errorf("all: %q", all)
	}
	SweepShared(dir, func(file string) bool { return strings.Contains(file, "default-2") })
	for name, left := range map[string]int{"default-2": 1, "a": 0, "default": 0} {
		if got := FindShared(dir, name); len(got) != left || len(FindShared(filepath.Join(dir, external), name)) != left {
			t.Errorf("%s after the sweep: %q", name, got)
		}
	}
	for _, name := range others {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
