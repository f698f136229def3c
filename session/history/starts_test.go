package history

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestIDs: ids never repeat, over server starts in one directory, side by side.
func TestIDs(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			ids, err := Claim(dir)
			if err != nil {
				t.Error(err)
			}
			for range 20 {
				id := ids.Next()
				mu.Lock()
				if seen[id] || len(id) < len("abcd-1") || id[4] != '-' {
					t.Errorf("id %q", id)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if claimed, err := os.ReadDir(filepath.Join(dir, "starts")); err != nil || len(claimed) != 50 {
		t.Errorf("%d starts claimed, %v", len(claimed), err)
	}
}

// TestIDsWithoutDirectory: a state directory that cannot be made gives ids all
// the same, and the reason.
func TestIDsWithoutDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ids, err := Claim(file)
	if err == nil {
		t.Error("no error")
	}
	if a, b := ids.Next(), ids.Next(); a == b {
		t.Errorf("the id %s came twice", a)
	}
}

// TestElsewhere: ids of other servers are known as such.
func TestElsewhere(t *testing.T) {
	dir := t.TempDir()
	earlier, err := Claim(dir)
	if err != nil {
		t.Fatal(err)
	}
	now, err := Claim(dir)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{
		earlier.Next():         true,
		now.Next():             false,
		"":                     false,
		"nonsense":             false,
		"../x-1":               false,
		"....-1":               false,
		"default":              false,
		earlier.Prefix():       false,
		earlier.Prefix() + "-": true,
	} {
		if got := now.Elsewhere(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}
