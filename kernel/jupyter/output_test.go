package jupyter

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// TestValueInAFile: a value ends where it ends, whatever comes after it in its file; one
// that is not all there is an error.
func TestValueInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		offset, size int64
		want         string
		short        bool
	}{
		{0, 10, "0123456789", false}, {0, 3, "012", false}, {4, 3, "456", false}, {7, 3, "789", false}, {5, 0, "", false}, {10, 0, "", false},
		{7, 4, "789", true}, {10, 1, "", true}, {1 << 62, 1 << 61, "", true},
	} {
		v := Value{Path: path, Offset: tt.offset, Size: tt.size}
		got, err := v.Bytes(1 << 40)
		if string(got) != tt.want || errors.Is(err, io.ErrUnexpectedEOF) != tt.short || err != nil && !tt.short {
			t.Errorf("%d at %d: %q, %v", tt.size, tt.offset, got, err)
		}
		if got, err := v.Bytes(2); string(got) != tt.want[:min(2, len(tt.want))] || err != nil && len(got) == 2 {
			t.Errorf("two of %d at %d: %q, %v", tt.size, tt.offset, got, err)
		}
		r, err := v.Open()
		if err != nil {
			t.Fatal(err)
		}
		if !tt.short {
			if err := iotest.TestReader(r, []byte(tt.want)); err != nil {
				t.Errorf("%d at %d: %v", tt.size, tt.offset, err)
			}
		}
		r.Close()
	}
	if _, err := (Value{Path: path + strings.Repeat("x", 10), Size: 1}).Open(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
