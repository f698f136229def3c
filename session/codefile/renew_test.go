package codefile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestRenew: a file is replaced whole, or stays as it was when something fails or
// somebody objects; nothing else is left, and the error is the one that was given.
func TestRenew(t *testing.T) {
	s := open(t)
	objection := errors.New("not now")
	content := func(text string, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, failed := io.WriteString(w, text)
			return errors.Join(failed, err)
		}
	}
	agrees := func() error { return nil }
	for i, tt := range []struct {
		write func(io.Writer) error
		ready func() error
		fault string
		want  string
	}{
		{content("one", nil), agrees, "", "one"},
		{content("half", objection), agrees, "", "one"},
		{content("two", nil), func() error { return objection }, "", "one"},
		{content("two", nil), agrees, "place", "one"},
		{content("two", nil), agrees, "sync", "two"}, // which is not waited for
	} {
		s.fault = func(step string) error {
			if step == tt.fault {
				return objection
			}
			return nil
		}
		file, err := s.Renew("live.ipynb", tt.write, tt.ready)
		if got, _ := os.ReadFile(filepath.Join(s.Dir(), "live.ipynb")); string(got) != tt.want {
			t.Errorf("%d: %q, want %q", i, got, tt.want)
		}
		if changed := i == 0 || i == 4; changed != (err == nil) || !changed && !errors.Is(err, objection) || changed && file.Size != int64(len(tt.want)) {
			t.Errorf("%d: %+v, %v", i, file, err)
		}
		if names, _ := s.names(); len(names) != 1 {
			t.Errorf("%d: %q", i, names)
		}
	}
}
