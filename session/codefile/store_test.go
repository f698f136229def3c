package codefile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "a", "code"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func create(t *testing.T, s *Store, name, content string) File {
	t.Helper()
	f, err := s.Create(name, content, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestCreateNames(t *testing.T) {
	s := open(t)
	steps := []struct {
		ask, want string
		renamed   bool
	}{
		{"plot", "plot.py", false},
		{"plot.py", "plot_2.py", true},
		{"plot", "plot_3.py", true},
		{"", "code_1.py", false},
		{"", "code_2.py", false},
		{"data.csv", "data.csv", false},
		{"data.csv", "data_2.csv", true},
	}
	for _, tt := range steps {
		f := create(t, s, tt.ask, tt.ask)
		want := File{Path: filepath.Join(s.Dir(), tt.want), Name: tt.want, Size: int64(len(tt.ask)), Renamed: tt.renamed}
		if diff := cmp.Diff(want, f); diff != "" {
			t.Errorf("Create(%q) (-want +got):\n%s", tt.ask, diff)
		}
		if b, err := os.ReadFile(f.Path); err != nil || string(b) != tt.ask {
			t.Errorf("%s holds %q, %v", f.Path, b, err)
		}
	}
}

func TestCreateManyClashes(t *testing.T) {
	s := open(t)
	seen := map[string]bool{}
	for range 300 {
		f := create(t, s, "plot", "")
		if seen[f.Name] {
			t.Fatalf("%s given twice", f.Name)
		}
		seen[f.Name] = true
	}
	if names, _ := s.names(); len(names) != 300 {
		t.Errorf("%d files, want 300", len(names))
	}
}

// Names taken by what is not a file of ours must not be replaced either.
func TestCreateReplacesNothing(t *testing.T) {
	s := open(t)
	outside := filepath.Join(t.TempDir(), "outside.py")
	if err := os.Mkdir(filepath.Join(s.Dir(), "a.py"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(s.Dir(), "b.py")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if f := create(t, s, name, "x"); f.Name != name+"_2.py" {
			t.Errorf("Create(%q) = %+v", name, f)
		}
	}
	if _, err := os.Lstat(outside); err == nil {
		t.Error("wrote through a dangling link")
	}
}

// Where renaming without replacing is not to be had, a link does the same.
func TestPlaceByLink(t *testing.T) {
	s := open(t)
	create(t, s, "a", "old")
	temp, err := s.writeTemp("new")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.root.Link(temp, "a.py"); !errors.Is(err, os.ErrExist) {
		t.Errorf("link over a file: %v", err)
	}
	if err := s.place(temp, "a.py"); !errors.Is(err, os.ErrExist) {
		t.Errorf("rename over a file: %v", err)
	}
}

func TestTooLarge(t *testing.T) {
	s := open(t)
	create(t, s, "a", strings.Repeat("x", MaxContent))
	_, err := s.Create("b", strings.Repeat("x", MaxContent+1), nil)
	e, ok := errors.AsType[*TooLargeError](err)
	if !ok || !strings.Contains(e.Error(), "4 MiB") {
		t.Errorf("got %v", err)
	}
	if _, err := s.Append("a.py", strings.Repeat("x", MaxContent+1)); !is[*TooLargeError](err) {
		t.Errorf("got %v", err)
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		"":                          "no storage directory",
		file:                        "a file, not a directory",
		filepath.Join(file, "x"):    "cannot be made",
		filepath.Join(file, "\x00"): "cannot be made",
		os.DevNull:                  "a device",
		"/proc/self/fdinfo/nowhere": "cannot be made",
	} {
		_, err := Open(dir)
		if e, ok := errors.AsType[*StorageError](err); !ok || !strings.Contains(e.Reason, want) || e.Fix == "" {
			t.Errorf("Open(%q) = %v; want %q", dir, err, want)
		}
	}
}

func TestOpenSweeps(t *testing.T) {
	s := open(t)
	old, young := tempPrefix+"0123456789abcdef"+tempSuffix, tempPrefix+"fedcba9876543210"+tempSuffix
	for _, name := range []string{old, young} {
		if err := os.WriteFile(filepath.Join(s.Dir(), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * tempAge)
	if err := os.Chtimes(filepath.Join(s.Dir(), old), long, long); err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	names, _ := again.names()
	if diff := cmp.Diff([]string{young}, names); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// A disk that fills up or fails at any step leaves what was there, and nothing new.
func TestDiskFaults(t *testing.T) {
	for _, step := range []string{"write", "sync", "place"} {
		for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
			s := open(t)
			f := create(t, s, "a", "old\n")
			s.fault = func(at string) error {
				if at == step {
					return errno
				}
				return nil
			}
			_, err := s.Create("b", "new", nil)
			if !is[*StorageError](err) || !errors.Is(err, errno) {
				t.Errorf("%s %v: Create says %v", step, errno, err)
			}
			if step == "write" {
				if _, err := s.Append("a.py", "more"); !is[*StorageError](err) || !errors.Is(err, errno) {
					t.Errorf("%s %v: Append says %v", step, errno, err)
				}
			}
			if names, _ := s.names(); len(names) != 1 {
				t.Errorf("%s: left %q", step, names)
			}
			if b, _ := os.ReadFile(f.Path); string(b) != "old\n" {
				t.Errorf("%s: the old file holds %q", step, b)
			}
		}
	}
}

func TestRead(t *testing.T) {
	s := open(t)
	create(t, s, "a", "one\ntwo\nthree\nfour")
	create(t, s, "crlf", "one\r\ntwo\r\n")
	create(t, s, "bom", "\ufeffx = 1\n")
	create(t, s, "empty", "")
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(s.Dir(), name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("latin.py", "# caf\xe9\n")
	write("cut.py", "x\xe2\x82") // ends within a rune
	tests := []struct {
		name          string
		offset, limit int
		want          Text
	}{
		{"a.py", 0, 0, Text{Content: "one\ntwo\nthree\nfour", First: 1, Last: 4, Lines: 4, Size: 18}},
		{"a", 1, 2, Text{Content: "two\nthree\n", First: 2, Last: 3, Lines: 4, Size: 18}},
		{"a", -1, 0, Text{Content: "four", First: 4, Last: 4, Lines: 4, Size: 18}},
		{"a", -3, 1, Text{Content: "two\n", First: 2, Last: 2, Lines: 4, Size: 18}},
		{"a", -99, 1, Text{Content: "one\n", First: 1, Last: 1, Lines: 4, Size: 18}},
		{"a", 99, 5, Text{Lines: 4, Size: 18}},
		{"a", 3, 1 << 62, Text{Content: "four", First: 4, Last: 4, Lines: 4, Size: 18}},
		{"crlf", 1, 1, Text{Content: "two\r\n", First: 2, Last: 2, Lines: 2, Size: 10}},
		{"bom", 0, 0, Text{Content: "\ufeffx = 1\n", First: 1, Last: 1, Lines: 1, Size: 9, Encoding: "utf-8 with BOM"}},
		{"empty", 0, 0, Text{}},
		{"latin", 0, 0, Text{Content: "# café\n", First: 1, Last: 1, Lines: 1, Size: 7, Encoding: "latin-1"}},
		{"cut", 0, 0, Text{Content: "xâ\u0082", First: 1, Last: 1, Lines: 1, Size: 3, Encoding: "latin-1"}},
	}
	for _, tt := range tests {
		got, err := s.Read(tt.name, tt.offset, tt.limit)
		if err != nil {
			t.Errorf("Read(%q, %d, %d): %v", tt.name, tt.offset, tt.limit, err)
			continue
		}
		if tt.want.Encoding == "" {
			tt.want.Encoding = "utf-8"
		}
		tt.want.Path, tt.want.Name, tt.want.Modified = got.Path, got.Name, got.Modified
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Read(%q, %d, %d) (-want +got):\n%s", tt.name, tt.offset, tt.limit, diff)
		}
	}
	write("bin.py", strings.Repeat("x", 100_000)+"\x00")
	if _, err := s.Read("bin", 0, 1); !is[*BinaryError](err) || !strings.Contains(err.Error(), "100000") {
		t.Errorf("binary: %v", err)
	}
	if err := os.Truncate(filepath.Join(s.Dir(), "bin.py"), MaxReadFile+1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read("bin", 0, 1); !is[*TooLargeError](err) {
		t.Errorf("huge: %v", err)
	}
}

func TestReadIsCapped(t *testing.T) {
	s := open(t)
	line := strings.Repeat("é", 999) + "\n" // runes across the edges of pieces
	create(t, s, "a", strings.Repeat(line, 2000))
	got, err := s.Read("a", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if n := MaxRead / len(line); !got.Cut || got.Content != strings.Repeat(line, n) || got.Last != n || got.Lines != 2000 {
		t.Errorf("cut %v, %d bytes, last line %d of %d", got.Cut, len(got.Content), got.Last, got.Lines)
	}
	if got.Encoding != "utf-8" {
		t.Errorf("encoding %s", got.Encoding)
	}
	next, err := s.Read("a", got.Last, 1)
	if err != nil || next.Content != line || next.First != got.Last+1 {
		t.Errorf("next page: line %d, %v", next.First, err)
	}
	create(t, s, "endless", "x"+strings.Repeat("é", MaxRead))
	got, err = s.Read("endless", 0, 0)
	if err != nil || !got.Cut || len(got.Content) != MaxRead-1 || got.Last != 1 {
		t.Errorf("endless line: cut %v, %d bytes, last %d, %v", got.Cut, len(got.Content), got.Last, err)
	}
}

func TestPath(t *testing.T) {
	s := open(t)
	a := create(t, s, "a", "")
	if err := os.Mkdir(filepath.Join(s.Dir(), "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	b := filepath.Join(s.Dir(), "sub", "b.py")
	if err := os.WriteFile(b, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"a.py": a.Path, "a": a.Path, "./a.py": a.Path, a.Path: a.Path,
		"sub/b.py": b, b: b, "sub/../a.py": a.Path, filepath.Join(s.Dir(), "sub", "..", "a.py"): a.Path,
	} {
		if got, err := s.Path(path); err != nil || got != want {
			t.Errorf("Path(%q) = %q, %v", path, got, err)
		}
	}
}

// A storage directory reached through a link has two full paths.
func TestPathThroughLinkedStorage(t *testing.T) {
	real := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	s, err := Open(link)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := create(t, s, "a", "")
	for _, path := range []string{filepath.Join(real, "a.py"), filepath.Join(link, "a.py")} {
		if got, err := s.Path(path); err != nil || got != f.Path {
			t.Errorf("Path(%q) = %q, %v", path, got, err)
		}
	}
}

func TestNear(t *testing.T) {
	s := open(t)
	for _, name := range []string{"analysis", "plot", "plot", "other"} {
		create(t, s, name, "")
	}
	if err := os.Mkdir(filepath.Join(s.Dir(), "__pycache__"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.Dir(), "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir(), "sub", "run_it.py"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		"anlysis.py": {"analysis.py"},
		"Plot":       {"plot.py", "plot_2.py"},
		"zzzzzzz.py": nil,
		"sub/runit":  {filepath.Join("sub", "run_it.py")},
		"sub/plot":   nil,
		"no/plot":    nil,
	} {
		_, err := s.Path(path)
		e, ok := errors.AsType[*NotFoundError](err)
		if !ok {
			t.Errorf("Path(%q): %v", path, err)
		} else if diff := cmp.Diff(want, e.Near); diff != "" {
			t.Errorf("near %q (-want +got):\n%s", path, diff)
		} else if diff := cmp.Diff([]string{"analysis.py", "other.py", "plot.py", "plot_2.py", "sub"}, e.Names); diff != "" {
			t.Errorf("names (-want +got):\n%s", diff)
		}
	}
}

func TestRunLine(t *testing.T) {
	for path, want := range map[string]string{
		"/home/u/x.py":    "%run /home/u/x.py",
		"/home/u/my x.py": `%run "/home/u/my x.py"`,
		"/tmp/{x}.py":     `import runpy; globals().update(runpy.run_path('/tmp/{x}.py', run_name='__main__'))`,
		"/tmp/it's.py":    `import runpy; globals().update(runpy.run_path('/tmp/it\'s.py', run_name='__main__'))`,
		"/tmp/été.py":     "%run /tmp/été.py",
	} {
		if got := runLine(path); got != want {
			t.Errorf("runLine(%q) = %s", path, got)
		}
	}
}

// TestAppendEncoding: what is added is UTF-8, and refused where it would be read as
// something else; the file stays as it was.
func TestAppendEncoding(t *testing.T) {
	s := open(t)
	for name, tt := range map[string]struct{ has, adds, refusal string }{
		"plain.py":   {"x = 1\n", "y = 'ü'\n", ""},
		"utf.py":     {"# -*- coding: UTF-8 -*-\n", "y = 'ü'\n", ""},
		"ascii.py":   {"#!/usr/bin/python\n# coding=latin-1\n", "y = 'u'\n", ""},
		"latin.py":   {"#!/usr/bin/python\n# coding=latin-1\n", "y = 'ü'\n", `"latin.py" says that it is written in latin-1`},
		"third.py":   {"\n\n# coding: latin-1\n", "y = 'ü'\n", ""},
		"latin.txt":  {"# coding: latin-1\n", "ü", ""},
		"utf16.txt":  {"\xff\xfea\x00", "b", "is not a text file: it holds a NUL byte at 3"},
		"nothing.py": {"", "ü", ""},
	} {
		path := filepath.Join(s.Dir(), name)
		if err := os.WriteFile(path, []byte(tt.has), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := s.Append(name, tt.adds)
		got, _ := os.ReadFile(path)
		if tt.refusal == "" && (err != nil || string(got) != tt.has+tt.adds) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if tt.refusal != "" && (err == nil || !strings.Contains(err.Error(), tt.refusal) || string(got) != tt.has) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestSaveNowhere: a file for a directory that is not there names that directory.
func TestSaveNowhere(t *testing.T) {
	s := open(t)
	_, err := s.Save("nodir/x.ipynb", false, func(io.Writer) error { return nil })
	if e, ok := errors.AsType[*StorageError](err); !ok || e.Path != filepath.Join(s.Dir(), "nodir") || e.Reason != "is not there" {
		t.Errorf("%v", err)
	}
}
