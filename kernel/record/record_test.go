package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

var testTime = time.Date(2026, 11, 3, 9, 15, 0, 123456789, time.UTC)

func testInfo() Info {
	return Info{Session: "default", Generation: 2, Environment: "venv", Python: "3.13.0", Kernel: "7.4.0",
		ServerVersion: "0.1", Started: testTime, PID: 4711}
}

func newRecord(t testing.TB) *Record {
	t.Helper()
	r, err := Create(t.TempDir(), testInfo(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// reopen closes r and reads it from the disk until the test ends.
func reopen(t *testing.T, r *Record) *Reader {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	done, err := Open(r.Dir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { done.Close() })
	return done
}

func stream(text string) jupyter.Output {
	return jupyter.Output{Type: jupyter.OutputStream, Time: testTime, Name: "stdout", Text: jupyter.TextValue(text)}
}

func mustAppend(t testing.TB, r *Record, exec string, out jupyter.Output) Position {
	t.Helper()
	pos, err := r.Append(exec, out)
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

// all collects what a Read yields; there must be no error.
func all(t testing.TB, r readable, exec string, from, to Position) (entries []Entry) {
	t.Helper()
	for e, err := range r.Read(exec, from, to) {
		if err != nil {
			t.Fatalf("reading at %d: %v", e.Pos, err)
		}
		entries = append(entries, e)
	}
	return entries
}

// readable is what [Record] and [Reader] have in common.
type readable interface {
	Read(exec string, from, to Position) iter.Seq2[Entry, error]
}

func contents(t testing.TB, v jupyter.Value) []byte {
	t.Helper()
	f, err := v.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(b)) != v.Size {
		t.Fatalf("value has %d bytes, Size says %d", len(b), v.Size)
	}
	return b
}

// flat replaces files by what is in them, to compare with what was appended.
func flat(t testing.TB, out jupyter.Output) jupyter.Output {
	t.Helper()
	if out.Text.Size > 0 {
		out.Text = jupyter.InlineValue(contents(t, out.Text))
	}
	data := map[string]jupyter.Value{}
	for mime, v := range out.Data {
		data[mime] = jupyter.InlineValue(contents(t, v))
	}
	if out.Data = nil; len(data) > 0 {
		out.Data = data
	}
	return out
}

func TestOutputsComeBackAsTheyWere(t *testing.T) {
	big := strings.Repeat("0123456789abcde\n", 8<<10)
	png := []byte("\x89PNG\r\n\x1a\nnot really")
	many := map[string]jupyter.Value{}
	for i := range 100 {
		many[fmt.Sprintf("application/x-%d", i)] = jupyter.TextValue(strings.Repeat("\x01", 60<<10))
	}
	tests := map[string]struct {
		out   jupyter.Output
		files int
	}{
		"stream":             {out: stream("hi\n")},
		"empty":              {out: stream("")},
		"html":               {out: stream("<a href=\"x\">&</a>\u2028\u0000\\")},
		"surrogate":          {out: stream("a\xed\xa0\x80b\xff\n")},
		"emoji":              {out: stream("héé 🐍\n")},
		"at the limit":       {out: stream(strings.Repeat("x", inlineMax))},
		"above it":           {out: stream(big), files: 1},
		"control characters": {out: stream(strings.Repeat("\x01", inlineMax))},
		"error":              {out: jupyter.Output{Type: jupyter.OutputError, Ename: "ValueError", Evalue: "no\n", Text: jupyter.TextValue("\x1b[31mTraceback")}},
		"display": {out: jupyter.Output{Type: jupyter.OutputDisplayData, DisplayID: "d1",
			Metadata: json.RawMessage(`{"image/png":{"width":12}}`),
			Data: map[string]jupyter.Value{"image/png": jupyter.InlineValue(png), "text/plain": jupyter.TextValue("<Figure>"),
				"application/vnd.plotly.v1+json": jupyter.TextValue(`{"data":[]}`)}}, files: 1},
		"undecoded": {out: jupyter.Output{Type: jupyter.OutputDisplayData, Undecoded: []string{"image/png"},
			Data: map[string]jupyter.Value{"image/png": jupyter.TextValue("!!!")}}},
		"result": {out: jupyter.Output{Type: jupyter.OutputExecuteResult, ExecutionCount: 7,
			Data: map[string]jupyter.Value{"text/plain": jupyter.TextValue("2")}}},
		"clear":         {out: jupyter.Output{Type: jupyter.OutputClear, Wait: true, CommID: "c9"}},
		"input request": {out: jupyter.Output{Type: jupyter.OutputInputRequest, Prompt: "name? ", Password: true}},
		"line too long": {out: jupyter.Output{Type: jupyter.OutputDisplayData, Data: many}, files: 100},
		"deep metadata": {out: jupyter.Output{Type: jupyter.OutputDisplayData,
			Metadata: json.RawMessage(strings.Repeat("[", 9999) + strings.Repeat("]", 9999))}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRecord(t)
			tt.out.Time = testTime
			from := r.Tail()
			next := mustAppend(t, r, "ab12-3", tt.out)
			entries := all(t, r, "ab12-3", from, -1)
			if len(entries) != 1 {
				t.Fatalf("%d entries, want 1", len(entries))
			}
			e := entries[0]
			if e.Pos != from || e.Next != next || next != r.Tail() || !e.Time.Equal(testTime) {
				t.Errorf("entry at %d..%d, time %v; want %d..%d, tail %d", e.Pos, e.Next, e.Time, from, next, r.Tail())
			}
			sameBytes := cmp.Comparer(func(a, b jupyter.Value) bool { return bytes.Equal(a.Inline, b.Inline) && a.Size == b.Size })
			if diff := cmp.Diff(flat(t, tt.out), flat(t, *e.Output), sameBytes); diff != "" {
				t.Errorf("output changed (-want +got):\n%.2000s", diff)
			}
			files, err := os.ReadDir(filepath.Join(r.Dir(), filesDir))
			if err != nil || len(files) != tt.files {
				t.Errorf("%d files, %v; want %d", len(files), err, tt.files)
			}
		})
	}
}

func TestOutputInTooManyPartsIsNamed(t *testing.T) {
	r := newRecord(t)
	data := map[string]jupyter.Value{}
	for i := range 30_000 {
		data[fmt.Sprintf("application/x-something-long-%020d", i)] = jupyter.TextValue("x")
	}
	mustAppend(t, r, "a-1", jupyter.Output{Type: jupyter.OutputDisplayData, Data: data})
	entries := all(t, r, "a-1", 0, -1)
	if len(entries) != 1 || entries[0].Output.Type != jupyter.OutputNotice {
		t.Fatalf("got %+v, want one notice", entries)
	}
}

func TestAnExecution(t *testing.T) {
	r := newRecord(t)
	code := strings.Repeat("print('é')\n", 20_000)
	begin, err := r.Begin("ab12-1", Begin{Code: code, File: "a.py", Started: testTime})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Sync(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Begin("ab12-10", Begin{Code: "other"}); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, r, "ab12-1", stream("one\n"))
	cursor := mustAppend(t, r, "ab12-10", stream("other\n"))
	mustAppend(t, r, "ab12-1", stream("two\n"))
	end := End{Outcome: "error", Ended: testTime, ExecutionCount: 3, Ename: "E", Evalue: "v", Note: "n"}
	tail, err := r.End("ab12-1", end)
	if err != nil || tail != r.Tail() {
		t.Fatalf("end at %d, %v; tail is %d", tail, err, r.Tail())
	}
	late := mustAppend(t, r, "ab12-1", stream("late\n"))

	kinds := func(entries []Entry) (s string) {
		for _, e := range entries {
			s += string(e.Kind) + " "
		}
		return s
	}
	check := func(t *testing.T, r readable) {
		entries := all(t, r, "ab12-1", 0, tail)
		if got := kinds(entries); got != "begin output output end " {
			t.Fatalf("entries: %s", got)
		}
		if entries[0].Pos != begin {
			t.Errorf("begin at %d, want %d", entries[0].Pos, begin)
		}
		want := Begin{Code: code, File: "a.py", Started: testTime}
		if diff := cmp.Diff(&want, entries[0].Begin); diff != "" {
			t.Errorf("begin changed: %.500s", diff)
		}
		if diff := cmp.Diff(&end, entries[3].End); diff != "" {
			t.Errorf("end changed: %s", diff)
		}
		if got := kinds(all(t, r, "ab12-1", cursor, -1)); got != "output end output " {
			t.Errorf("since the cursor: %s", got)
		}
		if got := kinds(all(t, r, "ab12-1", cursor-3, -1)); got != "output end output " {
			t.Errorf("since inside an entry: %s", got)
		}
		if got := kinds(all(t, r, "", 0, -1)); got != "info begin begin output output output end output " {
			t.Errorf("all: %s", got)
		}
		for _, from := range []Position{late, late + 1000, 1 << 60} {
			if got := kinds(all(t, r, "", from, -1)); got != "" {
				t.Errorf("at the tail %d: %s", from, got)
			}
		}
		if got := kinds(all(t, r, "", -5, 1)); got != "info " {
			t.Errorf("before the beginning: %s", got)
		}
	}
	check(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, r)
	if _, err := r.Append("ab12-1", stream(strings.Repeat("x", 1<<20))); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}

	done, err := Open(r.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer done.Close()
	check(t, done)
	if diff := cmp.Diff(testInfo(), done.Info()); diff != "" {
		t.Errorf("info changed: %s", diff)
	}
	if got := unfinished(done); !cmp.Equal(got, []string{"ab12-10"}) {
		t.Errorf("unfinished: %v", got)
	}
}

func TestExecutionsWithOddNames(t *testing.T) {
	r := newRecord(t)
	names := []string{"a", `a"b`, "a,", "é", "../../x", strings.Repeat("n", 3000), "a\n", "<b>", "con"}
	for _, exec := range names {
		mustAppend(t, r, exec, stream(exec))
		mustAppend(t, r, exec, stream(strings.Repeat(exec, 70<<10/len(exec)+1)))
	}
	for _, exec := range names {
		entries := all(t, r, exec, 0, -1)
		if len(entries) != 2 || string(entries[0].Output.Text.Inline) != exec {
			t.Fatalf("%.20q: %d entries", exec, len(entries))
		}
		if path := entries[1].Output.Text.Path; filepath.Dir(path) != filepath.Join(r.Dir(), filesDir) {
			t.Errorf("%.20q: file %s is outside", exec, path)
		}
	}
}

func TestReadersDuringWriting(t *testing.T) {
	r := newRecord(t)
	const writers, each = 4, 500
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for w := range writers {
		writing.Go(func() {
			exec := fmt.Sprintf("w-%d", w)
			for i := range each {
				text := fmt.Sprintf("%d\n", i)
				if i%50 == 0 {
					text += strings.Repeat("x", 80<<10)
				}
				if _, err := r.Append(exec, stream(text)); err != nil {
					t.Error(err)
				}
				if i%100 == 0 {
					if err := r.Sync(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for w := range writers {
		reading.Go(func() {
			exec, next, cursor := fmt.Sprintf("w-%d", w), 0, Position(0)
			for last := false; !last; {
				select {
				case <-done:
					last = true
				default:
				}
				for e, err := range r.Read(exec, cursor, -1) {
					if err != nil {
						t.Error(err)
						return
					}
					head, err := e.Output.Text.Bytes(8)
					if want := fmt.Sprintf("%d\n", next); err != nil || !bytes.HasPrefix(head, []byte(want)) {
						t.Errorf("%s: got %q, %v; want %q", exec, head, err, want)
						return
					}
					next++
					cursor = e.Next
				}
			}
			if next != each {
				t.Errorf("%s: read %d of %d", exec, next, each)
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
}

func TestReadAfterTheDirectoryWasDeleted(t *testing.T) {
	r := newRecord(t)
	mustAppend(t, r, "a", stream("kept\n"))
	if err := os.RemoveAll(r.Dir()); err != nil {
		return // this system (Windows) removes no open file: it cannot happen
	}
	mustAppend(t, r, "a", stream("more\n"))
	mustAppend(t, r, "a", stream(strings.Repeat("x", 1<<20)))
	if n := len(all(t, r, "a", 0, -1)); n != 3 {
		t.Errorf("%d entries, want 3", n)
	}
	if r.Err() == nil {
		t.Error("a value that could not be written is no failure")
	}
}

func TestEphemeral(t *testing.T) {
	r, err := Create(filepath.Join(t.TempDir(), "a", "b"), testInfo(), Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	r.file = &faulty{journal: r.file, syncErr: io.ErrUnexpectedEOF}
	if err := r.Sync(); err != nil {
		t.Errorf("sync of an ephemeral record: %v", err)
	}
	if err := r.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.Dir()); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
}

func TestCreateErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(file, testInfo(), Options{}); err == nil {
		t.Error("a record in a file")
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("opening nothing: %v", err)
	}
}

// unfinished are the executions that have a begin without an end.
func unfinished(r *Reader) (open []string) {
	for _, run := range r.Outline(0).Runs {
		if !run.Ended {
			open = append(open, run.Exec)
		}
	}
	return open
}
