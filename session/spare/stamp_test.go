package spare

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
)

func TestStamps(t *testing.T) {
	dir := t.TempDir()
	file, missing, inside := filepath.Join(dir, "a.py"), filepath.Join(dir, "b.pth"), filepath.Join(dir, "site")
	old := time.Now().Add(-time.Hour)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	age := func() {
		t.Helper()
		must(os.Chtimes(file, old, old))
		must(os.Chtimes(inside, old, old))
	}
	fresh := func() stamps {
		t.Helper()
		os.Remove(missing)
		os.RemoveAll(inside)
		must(os.Mkdir(inside, 0o700))
		must(os.WriteFile(file, []byte("x"), 0o600))
		age()
		s := observe([]string{file, missing, inside}, time.Now())
		info, err := identify(dir)
		must(err)
		s.path, s.dir = dir, info
		return s
	}
	for name, test := range map[string]struct {
		change func()
		want   string
	}{
		"nothing":           {func() {}, ""},
		"touched":           {func() { must(os.Chtimes(file, old, old.Add(time.Second))) }, file},
		"longer":            {func() { must(os.WriteFile(file, []byte("xy"), 0o600)); age() }, file},
		"removed":           {func() { must(os.Remove(file)) }, file},
		"appeared":          {func() { must(os.WriteFile(missing, nil, 0o600)) }, missing},
		"in a directory":    {func() { must(os.WriteFile(filepath.Join(inside, "new"), nil, 0o600)) }, inside},
		"beside, unwatched": {func() { must(os.WriteFile(filepath.Join(dir, "data.csv"), nil, 0o600)) }, ""},
	} {
		s := fresh()
		test.change()
		if got := s.changed(); got != test.want {
			t.Errorf("%s: %q changed, want %q", name, got, test.want)
		}
	}
	fresh()
	must(os.WriteFile(file, []byte("z"), 0o600))
	if s := observe([]string{file}, time.Now().Add(-time.Second)); s.changed() != file {
		t.Error("what was written while the start read it is believed")
	}
	must(os.Chtimes(file, old, time.Now().Add(time.Hour)))
	s := observe([]string{file}, time.Now())
	s.path = dir
	s.dir, _ = identify(dir)
	if s.changed() != "" {
		t.Error("a date in the future counts as a change")
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	key := kernel.Spec{Python: "/usr/bin/python3"}
	one, err := tryLock(dir, key)
	if err != nil || one == nil {
		t.Fatal(one, err)
	}
	if two, err := tryLock(dir, key); two != nil || err != nil {
		t.Errorf("twice: %v %v", two, err)
	}
	other, err := tryLock(dir, kernel.Spec{Python: "/usr/bin/python4"})
	if other == nil || err != nil {
		t.Fatal(other, err)
	}
	other.release()
	one.release()
	one.release()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	again, err := tryLock(dir, key)
	if again == nil || err != nil {
		t.Fatal(again, err)
	}
	again.release()
}
