package codefile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
)

// TestTornAppend: what a kill has left of an append is taken back when the storage is
// opened, and by the next append; a whole one stays, and so does what others wrote.
func TestTornAppend(t *testing.T) {
	const before, content = "one\n", "two\nthree\n"
	note := `{"name":"a.py","size":4}` + "\n" + content
	for _, test := range []struct{ name, note, holds, want string }{
		{"not begun", note, before, before},
		{"torn", note, before + content[:5], before},
		{"whole", note, before + content, before + content},
		{"torn, and somebody else has written", note, before + content[:5] + "x", before + content[:5] + "x"},
		{"written anew", note, before + "2\n", before + "2\n"},
		{"shortened", note, "o", "o"},
		{"a torn note", note[:30], before, before},
		{"a torn head", note[:10], before + content[:5], before + content[:5]},
		{"an empty note", "", before, before},
		{"a note that leads out", strings.Replace(note, "a.py", "../../../etc/passwd", 1), before, before},
	} {
		for _, how := range []string{"Open", "Append"} {
			s := open(t)
			f := create(t, s, "a", test.holds)
			crash := func() {
				t.Helper()
				if err := os.WriteFile(filepath.Join(s.Dir(), intentName("a.py")), []byte(test.note), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			crash()
			want := test.want
			if how == "Append" {
				want += "four\n"
				if _, err := s.Append("a", "four\n"); err != nil {
					t.Errorf("%s: %v", test.name, err)
				}
			} else {
				again, err := Open(s.Dir())
				if err != nil {
					t.Fatal(err)
				}
				again.Close()
			}
			if b, _ := os.ReadFile(f.Path); string(b) != want {
				t.Errorf("%s, %s: %q, want %q", test.name, how, b, want)
			}
			names, _ := s.names()
			if left := len(names) - 1; left > 1 || left == 1 && how == "Append" {
				t.Errorf("%s, %s: %q", test.name, how, names)
			}
		}
	}
}

// TestTornAppendOfTheLiving: what is being appended now is left alone.
func TestTornAppendOfTheLiving(t *testing.T) {
	s := open(t)
	f := create(t, s, "a", "one\ntw")
	if err := os.WriteFile(filepath.Join(s.Dir(), intentName("a.py")), []byte(`{"name":"a.py","size":4}`+"\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if err := flock.Try(writer.Fd(), true); err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if b, _ := os.ReadFile(f.Path); string(b) != "one\ntw" {
		t.Errorf("%q", b)
	}
	flock.Unlock(writer.Fd())
	again.untearAll()
	if b, _ := os.ReadFile(f.Path); string(b) != "one\n" {
		t.Errorf("when it has died: %q", b)
	}
}
