package notebook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// recorded makes a record; write fills it.
func recorded(t testing.TB, dir string, info record.Info, write func(r *record.Record)) string {
	t.Helper()
	r, err := record.Create(dir, info, record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	write(r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return r.Dir()
}

// ran records a run with one line of output.
func ran(t testing.TB, r *record.Record, id, code, outcome string, at time.Time) {
	t.Helper()
	if _, err := r.Begin(id, record.Begin{Code: code, Started: at}); err != nil {
		t.Fatal(err)
	}
	o := stream("stdout", "output of "+id+"\n")
	if _, err := r.Append(id, o); err != nil {
		t.Fatal(err)
	}
	if outcome == "" {
		return
	}
	if _, err := r.End(id, record.End{Outcome: outcome, ExecutionCount: 1, Ended: at.Add(time.Second)}); err != nil {
		t.Fatal(err)
	}
}

func tell(t testing.TB, wanted Range, dirs ...string) *Story {
	t.Helper()
	var readers []*record.Reader
	for _, dir := range dirs {
		r, err := record.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		readers = append(readers, r)
	}
	s, err := Tell(readers, wanted)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// summary is the story's cells, one a word.
func summary(t testing.TB, s *Story) string {
	t.Helper()
	var words []string
	for c, err := range s.Cells(1 << 20) {
		if err != nil {
			t.Fatal(err)
		}
		word := c.ID
		if c.Kind == Code {
			word += fmt.Sprintf("(%s)%v", c.Source, c.Tags())
			for _, o := range c.Shown {
				word += "<" + strings.TrimSpace(string(o.Text.Inline)) + ">"
			}
		}
		words = append(words, word)
	}
	return strings.Join(words, "\n")
}

// TestStory: two generations, a kernel of one run beside them, and runs that ended in
// each way are one story with a mark between.
func TestStory(t *testing.T) {
	dir, begun := t.TempDir(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(minutes int) time.Time { return begun.Add(time.Duration(minutes) * time.Minute) }
	first := recorded(t, dir, record.Info{Session: "s", Generation: 1, Started: at(0), Environment: "venv a"}, func(r *record.Record) {
		ran(t, r, "abcd-1", "x = 1", "ok", at(1))
		ran(t, r, "abcd-2", "1/0", "error", at(2))
		late := stream("stdout", "late\n")
		if _, err := r.Append("abcd-1", late); err != nil {
			t.Fatal(err)
		}
		ran(t, r, "abcd-4", "os._exit(1)", "died", at(5))
	})
	fresh := recorded(t, dir, record.Info{Session: "s" + FreshSuffix, Generation: 1, Started: at(3)}, func(r *record.Record) {
		if _, err := r.Begin("abcd-3", record.Begin{Code: `get_ipython().run_script("/c/f.py", ["a b"], alone=True)`, Script: "/c/f.py", Started: at(3)}); err != nil {
			t.Fatal(err)
		}
	})
	second := recorded(t, dir, record.Info{Session: "s", Generation: 2, Started: at(6), Environment: "venv b"}, func(r *record.Record) {
		ran(t, r, "abcd-5", "x = 2", "", at(7))
	})
	other := recorded(t, dir, record.Info{Session: "other", Generation: 1, Started: at(0)}, func(r *record.Record) {
		ran(t, r, "abcd-6", "y = 1", "ok", at(8))
	})
	s := tell(t, Range{Session: "s"}, first, fresh, second, other)
	s.Content = func(path string) (string, time.Time, bool) { return "print(" + path + ")\n", at(4), true }
	const want = `session
abcd-1(x = 1)[]<output of abcd-1
late>
abcd-2(1/0)[raises-exception]<output of abcd-2>
abcd-3(# the code file /c/f.py, with the arguments "a b", in a kernel of its own; it was changed after this run
print(/c/f.py))[skip-execution]
abcd-4(os._exit(1))[skip-execution]<output of abcd-4>
kernel-before-abcd-5
abcd-5(x = 2)[skip-execution]<output of abcd-5>`
	if got := summary(t, s); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	for wanted, ids := range map[Range]string{
		{Prefix: "abcd", First: 2, Last: 3}:                "abcd-2 abcd-3",
		{Prefix: "abcd", First: 6, Last: 6}:                "abcd-6",
		{Prefix: "wxyz"}:                                   "",
		{Session: "s", DropFailed: true}:                   "abcd-1",
		{Session: "other"}:                                 "abcd-6",
		{Session: "s", Prefix: "abcd", Last: 1}:            "abcd-1",
		{Session: "s", Prefix: "abcd", First: 5, Last: 99}: "abcd-5",
	} {
		var got []string
		for _, r := range tell(t, wanted, first, fresh, second, other).Runs {
			got = append(got, r.ID)
		}
		if strings.Join(got, " ") != ids {
			t.Errorf("%+v: %q, want %q", wanted, got, ids)
		}
	}
}

// TestStoryOfLivingRecord: a record that is still written has runs that go on.
func TestStoryOfLivingRecord(t *testing.T) {
	r, err := record.Create(t.TempDir(), record.Info{Session: "s"}, record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ran(t, r, "abcd-1", "x", "", time.Now())
	s := tell(t, Range{Session: "s"}, r.Dir())
	if got := s.Runs[0].Outcome(); got != "running" || s.Runs[0].Failed() {
		t.Errorf("outcome %q", got)
	}
}

// TestDamagedRecord: a record cut anywhere in its last entry, or with a byte changed
// anywhere in the entry before, is told without that entry, says so, and has nothing
// that was not written.
func TestDamagedRecord(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	dir := recorded(t, t.TempDir(), record.Info{Session: "s", Started: begun}, func(r *record.Record) {
		ran(t, r, "abcd-1", "x = 1", "ok", begun)
		ran(t, r, "abcd-2", "y = 2", "ok", begun.Add(time.Minute))
	})
	file := filepath.Join(dir, "record.jsonl")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	lines = lines[:len(lines)-1]
	last := len(whole) - len(lines[len(lines)-1]) // the end of abcd-2
	before := last - len(lines[len(lines)-2])     // its output
	complete := summary(t, tell(t, Range{Session: "s"}, dir))
	look := func(b []byte) (got, problems string) {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s := tell(t, Range{Session: "s"}, dir)
		for i := range s.Problems {
			s.Problems[i] = strings.TrimPrefix(s.Problems[i], dir)
		}
		problems = strings.Join(s.Problems, "; ")
		if len(s.Runs) != 2 {
			t.Fatalf("%d bytes: %d runs", len(b), len(s.Runs))
		}
		return summary(t, s), problems
	}
	for n := last; n < len(whole); n++ {
		got, problems := look(whole[:n])
		if want := strings.Replace(complete, "(y = 2)[]", "(y = 2)[skip-execution]", 1); got != want {
			t.Errorf("cut at %d:\n%s", n, got)
		}
		if said := strings.Contains(problems, "was not written whole"); said != (n > last) {
			t.Errorf("cut at %d: %q", n, problems)
		}
	}
	for i := before; i < last; i++ {
		for _, bit := range []byte{1, 0x80} {
			damaged := bytes.Clone(whole)
			damaged[i] ^= bit
			got, problems := look(damaged)
			want := strings.Replace(complete, "<output of abcd-2>", "", 1)
			if i == last-1 { // the line's end: the next entry is a part of it then
				want = strings.Replace(want, "(y = 2)[]", "(y = 2)[skip-execution]", 1)
			}
			if got != want || problems == "" {
				t.Errorf("byte %d changed:\n%s\n%s", i, got, problems)
			}
		}
	}
}

func TestParseRange(t *testing.T) {
	for text, want := range map[string]Range{
		"xn8u-3":         {Prefix: "xn8u", First: 3, Last: 3},
		"xn8u-3..xn8u-9": {Prefix: "xn8u", First: 3, Last: 9},
		"xn8u-3 .. 9":    {Prefix: "xn8u", First: 3, Last: 9},
		"xn8u-3..":       {Prefix: "xn8u", First: 3},
		"..xn8u-9":       {Prefix: "xn8u", Last: 9},
		"xn8u":           {Prefix: "xn8u"},
	} {
		if got, err := ParseRange(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "..", "3..9", "xn8u-9..xn8u-3", "xn8u-3..abcd-9", "xn8u-x", "xn8u-0", "xn8u--1", "-", "-3", strings.Repeat("x", 100)} {
		if got, err := ParseRange(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// TestWriteNotebook: what is written is JSON in Jupyter's own form, and is read back.
func TestWriteNotebook(t *testing.T) {
	dir := recorded(t, t.TempDir(), record.Info{Session: "a <b> *c*", Environment: "venv x", Python: "/p/python"}, func(r *record.Record) {
		ran(t, r, "abcd-1", "x = '</script>'\nx", "ok", time.Now())
		picture := jupyter.Output{Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{"image/png": jupyter.TextValue("\x89PNG")}}
		if _, err := r.Append("abcd-1", picture); err != nil {
			t.Fatal(err)
		}
	})
	s := tell(t, Range{Session: "a <b> *c*"}, dir)
	var b bytes.Buffer
	if err := s.WriteNotebook(&b); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(b.Bytes()) || !strings.HasPrefix(b.String(), "{\n \"cells\": [\n  {\n   \"cell_type\": \"markdown\",") || !strings.HasSuffix(b.String(), "\n \"nbformat\": 4,\n \"nbformat_minor\": 5\n}\n") {
		t.Errorf("%s", b.Bytes())
	}
	var text bytes.Buffer
	var names []string
	err := s.WriteMarkdown(&text, func(name string, v jupyter.Value) (string, error) {
		content, err := v.Bytes(100)
		names = append(names, name+"="+string(content))
		return "pictures/" + name, err
	})
	if err != nil || fmt.Sprint(names) != "[1.png=\x89PNG]" || !strings.Contains(text.String(), "![image/png](<pictures/1.png>)") || !strings.Contains(text.String(), `# Session a &lt;b> \*c\*`) {
		t.Errorf("%v, %q\n%s", err, names, text.Bytes())
	}
}
