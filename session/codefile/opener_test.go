package codefile

import (
	"os"
	"path/filepath"
	"testing"
)

// TestOpener: a storage is opened once, and again after its directory was removed, was
// replaced by another one, or could not be opened.
func TestOpener(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "code")
	open := Opener(dir)
	first, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := open(); again != first || err != nil {
		t.Errorf("opened twice: %v", err)
	}
	if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Dir(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(); err == nil {
		t.Error("a file was opened as a storage")
	}
	if err := os.Remove(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	second, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Create("x.py", "1", nil); err != nil {
		t.Errorf("in the storage that was made again: %v", err)
	}
	if err := os.Rename(dir, dir+"-old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	third, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := third.Create("y.py", "1", nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "y.py")); err != nil {
		t.Errorf("in the directory that stands there now: %v", err)
	}
}
