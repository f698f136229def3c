package record

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// small is a finished record of a few entries and its journal's bytes.
func small(t testing.TB) (dir string, journal []byte, want []Entry) {
	t.Helper()
	r := newRecord(t)
	if _, err := r.Begin("a-1", Begin{Code: "1+1"}); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, r, "a-1", stream("one\n"))
	mustAppend(t, r, "a-1", jupyter.Output{Type: jupyter.OutputExecuteResult, ExecutionCount: 1,
		Data: map[string]jupyter.Value{"text/plain": jupyter.TextValue("2"), "image/png": jupyter.TextValue("\x89PNG")}})
	if _, err := r.End("a-1", End{Outcome: "ok"}); err != nil {
		t.Fatal(err)
	}
	want = all(t, r, "", 0, -1)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	journal, err := os.ReadFile(filepath.Join(r.Dir(), journalName))
	if err != nil {
		t.Fatal(err)
	}
	return r.Dir(), journal, want
}

// scan reads a journal that is only bytes.
func scan(t testing.TB, dir string, b []byte, exec string) (entries []Entry, bad int) {
	t.Helper()
	s := &scanner{dir: dir, src: bytes.NewReader(b), size: Position(len(b)), exec: exec}
	last := Position(0)
	s.read(0, s.size, func(e Entry, err error) bool {
		if e.Pos < last || e.Next <= e.Pos || e.Next > s.size {
			t.Fatalf("entry at %d..%d after one up to %d", e.Pos, e.Next, last)
		}
		last = e.Next
		var line *BadLineError
		switch {
		case errors.As(err, &line), errors.As(err, new(*DroppedError)):
			bad++
		case err != nil:
			t.Fatal(err)
		default:
			entries = append(entries, e)
		}
		return true
	})
	return entries, bad
}

func TestTruncatedAnywhere(t *testing.T) {
	dir, journal, want := small(t)
	for n := range len(journal) + 1 {
		entries, bad := scan(t, dir, journal[:n], "")
		whole := 0
		for whole < len(want) && int(want[whole].Next) <= n {
			whole++
		}
		if len(entries) != whole || bad != 0 {
			t.Fatalf("cut at %d: %d entries and %d bad lines, want %d", n, len(entries), bad, whole)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, journalName), journal[:len(journal)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := unfinished(r); len(got) != 1 || got[0] != "a-1" {
		t.Errorf("unfinished: %v", got)
	}
}

func TestFlippedBits(t *testing.T) {
	dir, journal, want := small(t)
	whole := map[Position]Position{}
	for _, e := range want {
		whole[e.Pos] = e.Next
	}
	for i := range journal {
		for bit := range 8 {
			journal[i] ^= 1 << bit
			entries, bad := scan(t, dir, journal, "")
			journal[i] ^= 1 << bit
			// One line is bad, two when a line end went, none is read wrongly.
			if len(entries) < len(want)-2 || bad > 2 {
				t.Fatalf("byte %d bit %d: %d entries, %d bad lines", i, bit, len(entries), bad)
			}
			// A flip of case in the checksum's digits changes nothing.
			same := bit == 5 && strings.ContainsRune("abcdef", rune(journal[i]))
			if len(entries) == len(want) && bad == 0 && !same {
				t.Fatalf("byte %d bit %d: not noticed", i, bit)
			}
			for _, e := range entries {
				if whole[e.Pos] != e.Next || int(e.Pos) <= i && i < int(e.Next) && !same {
					t.Fatalf("byte %d bit %d: an entry at %d..%d", i, bit, e.Pos, e.Next)
				}
			}
		}
	}
}

func TestBadLines(t *testing.T) {
	dir, journal, want := small(t)
	line := checksummed
	begin := want[0].Next
	tests := map[string]struct {
		insert []byte
		bad    int
	}{
		"empty line":              {[]byte("\n"), 1},
		"no checksum":             {[]byte("{}\n"), 1},
		"wrong checksum":          {[]byte("00000000 {}\n"), 1},
		"not JSON":                {line("{"), 1},
		"no kind":                 {line("{}"), 1},
		"wrong type":              {line(`{"kind":5}`), 1},
		"12,000 levels":           {line(`{"kind":"output","exec":"a-1","metadata":` + strings.Repeat("[", 12000) + strings.Repeat("]", 12000) + "}"), 1},
		"file outside":            {line(`{"kind":"output","exec":"a-1","text":{"file":"../../../etc/passwd","size":5}}`), 1},
		"file is a parent":        {line(`{"kind":"output","exec":"a-1","text":{"file":"..","size":5}}`), 1},
		"negative size":           {line(`{"kind":"output","exec":"a-1","text":{"file":"a.1.txt","size":-5}}`), 1},
		"no offset":               {line(`{"kind":"output","exec":"a-1","text":{"file":"a.1.txt@","size":5}}`), 1},
		"negative offset":         {line(`{"kind":"output","exec":"a-1","text":{"file":"a.1.txt@-1","size":5}}`), 1},
		"offset is no number":     {line(`{"kind":"output","exec":"a-1","text":{"file":"a.1.txt@0x10","size":5}}`), 1},
		"two offsets":             {line(`{"kind":"output","exec":"a-1","text":{"file":"a.1.txt@1@2","size":5}}`), 1},
		"offset is too large":     {line(`{"kind":"output","exec":"a-1","text":{"file":"a.1.txt@9223372036854775808","size":5}}`), 1},
		"end is too large":        {line(`{"kind":"output","exec":"a-1","text":{"file":"a.1.txt@9223372036854775807","size":1}}`), 1},
		"offset of no file":       {line(`{"kind":"output","exec":"a-1","text":{"file":"@5","size":5}}`), 1},
		"offset outside":          {line(`{"kind":"output","exec":"a-1","text":{"file":"../record.jsonl@5","size":5}}`), 1},
		"code is missing":         {line(`{"kind":"begin","exec":"a-1","code":{"file":"a.9.py","size":70000}}`), 1},
		"longer than a cap":       {append(bytes.Repeat([]byte("x"), 3*lineMax), '\n'), 1},
		"zeros":                   {append(make([]byte, 200<<10), '\n'), 1},
		"kind of a later version": {line(`{"kind":"later","exec":"a-1","time":"2026-11-03T09:15:00Z"}`), 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := bytes.Join([][]byte{journal[:begin], tt.insert, journal[begin:]}, nil)
			for _, exec := range []string{"", "a-1"} {
				entries, bad := scan(t, dir, b, exec)
				n := len(want) + 1 - tt.bad
				if exec != "" {
					n-- // without info
				}
				if bad != tt.bad || len(entries) != n {
					t.Errorf("exec %q: %d bad lines, %d entries, want %d and %d", exec, bad, len(entries), tt.bad, n)
				}
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	_, journal, _ := small(f)
	f.Add(journal, "a-1")
	f.Add(journal[:len(journal)/2], "")
	f.Add(bytes.Replace(journal, []byte("1"), []byte("\n"), 3), "a-1")
	f.Add(checksummed(`{"kind":"output","exec":"a-1","data":{"a/b":null,"c/d":{"base64":"AA=="}}}`), "")
	f.Add(checksummed(`{"kind":"begin"}`), "")
	f.Add(checksummed(`{"kind":"output","exec":"a-1","text":{"file":"a-1.1.txt@510000","size":510000}}`), "a-1")
	f.Add(checksummed(`{"kind":"output","exec":"a-1","text":{"file":"a-1.1.txt@9223372036854775807","size":1}}`), "")
	f.Fuzz(func(t *testing.T, b []byte, exec string) {
		entries, _ := scan(t, "nowhere", b, "")
		mine, _ := scan(t, "nowhere", b, exec)
		n := 0
		for _, e := range entries {
			if exec == "" || e.Exec == exec {
				n++
			}
		}
		if len(mine) != n {
			t.Errorf("%d entries of %q, %d without the filter", len(mine), exec, n)
		}
		// The same JSON with right checksums, so that decoding is reached.
		var again []byte
		for l := range bytes.SplitSeq(b, []byte("\n")) {
			if len(l) > 9 {
				l = l[9:]
			}
			again = append(again, checksummed(string(l))...)
		}
		entries, _ = scan(t, "nowhere", again, exec)
		for _, e := range entries {
			if e.Output == nil || e.Output.Text.Path == "" {
				continue
			}
			if v := e.Output.Text; filepath.Dir(v.Path) != filepath.Join("nowhere", filesDir) || v.Offset < 0 || v.Size < 0 || v.Offset+v.Size < 0 {
				t.Errorf("a value in %q from %d on with %d bytes", v.Path, v.Offset, v.Size)
			}
		}
	})
}
