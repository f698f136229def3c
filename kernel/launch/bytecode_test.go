package launch

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestKeepBytecode: what the first server's kernel has compiled, that of the next one reads;
// damaged bytecode keeps no kernel from starting, and that of old versions goes.
func TestKeepBytecode(t *testing.T) {
	python, kept := pythons(t)[0], filepath.Join(t.TempDir(), "bytecode")
	old, recent := filepath.Join(kept, "old"), filepath.Join(kept, "recent")
	for _, dir := range []string{old, recent} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-oldBytecode - time.Hour)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	load := func() map[string][]byte {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "launch")
		if _, err := Write(dir); err != nil {
			t.Fatal(err)
		}
		for range 2 { // each kernel's start asks for it
			if err := KeepBytecode(dir, kept); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(python, "-B", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import launch; launch.load().main", dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		files := map[string][]byte{}
		names, err := filepath.Glob(filepath.Join(kept, version(), "*.pyc"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if files[name], err = os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
		return files
	}
	first := load()
	if len(first) < 5 {
		t.Fatalf("kept: %d files", len(first))
	}
	for name := range first { // whoever compiles it replaces it
		if err := os.Chmod(name, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	load()
	for name := range first {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o400 {
			t.Errorf("%s was compiled again (%v)", name, err)
		}
	}
	for name := range first {
		if err := os.Chmod(name, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(name, 16); err != nil { // Python's header
			t.Fatal(err)
		}
		if err := os.Truncate(name, 100); err != nil { // zeros
			t.Fatal(err)
		}
	}
	for name, code := range load() {
		if len(code) == 100 {
			t.Errorf("%s is still damaged", name)
		}
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("an old version's is still there")
	}
	if _, err := os.Stat(recent); err != nil {
		t.Error(err)
	}
}
