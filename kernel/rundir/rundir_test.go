//go:build unix

package rundir

import (
	"errors"
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
				dir, err := makeDir(place)
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

// TestRunDirCleaned: whatever cleans temporary files takes, the next kernel has a
// directory that is private and locked.
func TestRunDirCleaned(t *testing.T) {
	for name, test := range map[string]struct {
		change func(dir string) error
		kept   bool
	}{
		"in place":          {func(string) error { return nil }, true},
		"without its lock":  {func(dir string) error { return os.Remove(filepath.Join(dir, "lock")) }, true},
		"removed":           {os.RemoveAll, false},
		"a file instead":    {func(dir string) error { os.RemoveAll(dir); return os.WriteFile(dir, nil, 0o600) }, false},
		"open to others":    {func(dir string) error { return os.Chmod(dir, 0o755) }, false},
		"a link instead":    {func(dir string) error { os.RemoveAll(dir); return os.Symlink(t.TempDir(), dir) }, false},
		"with its contents": {func(dir string) error { return os.Mkdir(filepath.Join(dir, "launch"), 0o700) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			place, err := os.MkdirTemp("/tmp", "mce") // a short path
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(place)
			var run Dir
			before, err := run.Get([]string{place})
			if err != nil {
				t.Fatal(err)
			}
			if err := test.change(before); err != nil {
				t.Fatal(err)
			}
			after, err := run.Get([]string{place})
			if err != nil || (after == before) != test.kept {
				t.Errorf("%s, then %s (%v)", before, after, err)
			}
			if lock, err := os.Lstat(filepath.Join(after, "lock")); err != nil || !lock.Mode().IsRegular() || lockFree(after) {
				t.Errorf("it is not locked (%v)", err)
			}
			if err := run.Remove(); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(after); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it is left (%v)", err)
			}
			if _, err := run.Get([]string{place}); !errors.Is(err, ErrRemoved) {
				t.Errorf("made again after the end: %v", err)
			}
		})
	}
}
