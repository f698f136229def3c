//go:build !windows

package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fileLimit is what a "limit" child may write to one file: less than the sum of
// its lines, more than one value.
const fileLimit = 200_003

func prepareChild(what string) error {
	if what != "limit" {
		return nil
	}
	signal.Ignore(syscall.SIGXFSZ) // write(2) then fails with EFBIG
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: fileLimit, Max: fileLimit})
}

// checkLimited checks, in the child, that nothing is lost that fits memory.
func checkLimited(r *Record, want int) error {
	if !errors.Is(r.Err(), syscall.EFBIG) {
		return fmt.Errorf("Err() = %v", r.Err())
	}
	n, err := checkEntries(r)
	if err != nil || n != want {
		return fmt.Errorf("read %d of %d: %w", n, want, err)
	}
	return nil
}

// TestFullDisk has the system refuse to write on, in the middle of a line.
func TestFullDisk(t *testing.T) {
	cmd := childCommand("limit", t.TempDir())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	dir, _, _ := strings.Cut(string(out), "\n")
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n, err := checkEntries(r)
	if err != nil || n < 50 || n > 399 {
		t.Errorf("%d entries on the disk: %v", n, err)
	}
}

func TestPermissions(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "state", "records")
	r, err := Create(dir, testInfo(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Begin("a", Begin{Code: strings.Repeat("x\n", 100<<10)}); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, r, "a", stream(strings.Repeat("x", 1<<20)))
	files := 0
	err = filepath.WalkDir(filepath.Dir(dir), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := e.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o700)
		if !e.IsDir() {
			want = 0o600
			files++
		}
		if st.Mode().Perm() != want {
			t.Errorf("%s is %v", path, st.Mode())
		}
		return nil
	})
	if err != nil || files != 4 {
		t.Errorf("%d files, %v", files, err)
	}
}
