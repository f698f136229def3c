//go:build unix

package kernel

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestRunDirsAtOnce: servers that start together do not take the directories of
// each other for those of dead ones.
func TestRunDirsAtOnce(t *testing.T) {
	place, err := os.MkdirTemp("/tmp", "mce") // a short path
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(place)
	var mu sync.Mutex
	var made []string
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				dir, err := makeRuntimeDir(place)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				made = append(made, dir)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, dir := range made {
		if _, err := os.Stat(filepath.Join(dir, "lock")); err != nil || filepath.Dir(dir) != place {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
