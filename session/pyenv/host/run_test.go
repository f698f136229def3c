package host

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTailBuffer(t *testing.T) {
	b := &tailBuffer{max: 5}
	for _, part := range []string{"ab", "cdef", "", "0123456789", "x"} {
		if n, err := b.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	}
	if b.String() != "6789x" {
		t.Errorf("got %q", b)
	}
}

// Where the data directory cannot be made, programs run in temporary directories; the
// end leaves none of them behind, not even one that a program has written into.
func TestNothingTemporaryIsLeft(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h := &Host{DataDir: filepath.Join(file, "data")}
	for range 2 {
		if _, _, err := h.Output(t.Context(), nil, "/bin/sh", "-c", "[ -z \"$(ls -A)\" ] && echo >left"); err != nil {
			t.Error(err)
		}
	}
	if made, err := os.ReadDir(temporary); err != nil || len(made) != 2 {
		t.Errorf("it ran in %v, %v", made, err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
