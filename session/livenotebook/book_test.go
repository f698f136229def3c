package livenotebook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

// begun is when everything began.
var begun = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// bench is a book without its goroutine, and the kernels that it follows.
type bench struct {
	testing.TB
	*book
	records []*record.Record
}

func newBench(t testing.TB) *bench {
	return &bench{TB: t, book: newBook(t.TempDir(), fileName("s", "abcd"), "s", "abcd", slog.New(slog.DiscardHandler))}
}

// kernel begins another one.
func (b *bench) kernel(session string) *record.Record {
	b.Helper()
	info := record.Info{Session: session, Generation: len(b.records) + 1, Environment: "venv", Started: begun.Add(time.Duration(len(b.records)) * time.Hour)}
	r, err := record.Create(b.TempDir(), info, record.Options{Ephemeral: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.Close() })
	b.records = append(b.records, r)
	name, fresh := notebook.FreshOf(session)
	info.Session = name
	b.pending = append(b.pending, source{r, info, fresh})
	return r
}

// runs records the begin of a run, its outputs, and its end unless outcome is "".
func (b *bench) runs(r *record.Record, id, code, outcome string, outputs ...jupyter.Output) {
	b.Helper()
	at := begun.Add(time.Duration(len(id)) * time.Second)
	_, err := r.Begin(id, record.Begin{Code: code, Started: at})
	for _, o := range outputs {
		if err == nil {
			_, err = r.Append(id, o)
		}
	}
	if err == nil && outcome != "" {
		_, err = r.End(id, record.End{Outcome: outcome, ExecutionCount: 1, Ended: at.Add(time.Second)})
	}
	if err != nil {
		b.Fatal(err)
	}
}

func text(s string) jupyter.Output {
	return jupyter.Output{Type: jupyter.OutputStream, Name: "stdout", Text: jupyter.TextValue(s)}
}

func display(kind jupyter.OutputType, id, text string) jupyter.Output {
	return jupyter.Output{Type: kind, DisplayID: id, Data: map[string]jupyter.Value{"text/plain": jupyter.TextValue(text)}}
}

// cells are those of a notebook, but for its heading.
func (b *bench) cells(path string) []any {
	b.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	var n struct{ Cells []any }
	if err := json.Unmarshal(content, &n); err != nil {
		b.Fatalf("%v\n%s", err, content)
	}
	return n.Cells[1:]
}

// exported are the cells that an export of the same records has.
func (b *bench) exported() []any {
	b.Helper()
	var readers []*record.Reader
	for _, r := range b.records {
		reader, err := record.Open(r.Dir())
		if err != nil {
			b.Fatal(err)
		}
		defer reader.Close()
		readers = append(readers, reader)
	}
	story, err := notebook.Tell(readers, notebook.Range{Session: "s"})
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "exported.ipynb")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := story.WriteNotebook(f); err != nil {
		b.Fatal(err)
	}
	return b.cells(path)
}

// asExported: the notebook is at each moment what an export writes.
func (b *bench) asExported(moment string) {
	b.Helper()
	b.turn()
	if got, want := b.cells(b.file.path), b.exported(); !reflect.DeepEqual(got, want) {
		b.Errorf("%s:\n%v\nwant\n%v", moment, got, want)
	}
	if b.behind || len(b.news) > 0 {
		b.Errorf("%s: behind %v, %q", moment, b.behind, b.news)
	}
}

// TestAsExported: whatever happens, the notebook is what an export would write: runs
// that go on, late output, displays that are updated from other cells, a kernel of one
// run, another kernel.
func TestAsExported(t *testing.T) {
	b := newBench(t)
	first := b.kernel("s")
	b.asExported("nothing has run")
	b.runs(first, "abcd-1", "x = 1", "ok", text("one\n"), display(jupyter.OutputDisplayData, "d", "first"))
	b.runs(first, "abcd-2", "slow()", "", text("\r10 %"))
	b.asExported("a run goes on")
	add := func(id string, o jupyter.Output) {
		if _, err := first.Append(id, o); err != nil {
			t.Fatal(err)
		}
	}
	add("abcd-2", text("\r90 %"))
	add("abcd-2", display(jupyter.OutputUpdateDisplay, "d", "updated"))
	b.asExported("it prints, and updates what the cell before shows")
	if _, err := first.End("abcd-2", record.End{Outcome: "error", ExecutionCount: 2, Ename: "E"}); err != nil {
		t.Fatal(err)
	}
	b.asExported("it has ended")
	add("abcd-1", text("late\n"))
	add("abcd-2", jupyter.Output{Type: jupyter.OutputClear})
	b.asExported("late output")
	b.runs(first, "abcd-30", "import os; os._exit(1)", "")
	fresh := b.kernel("s" + notebook.FreshSuffix)
	b.runs(fresh, "abcd-400", "alone", "ok", text("alone\n"))
	for _, r := range b.records {
		r.Close()
	}
	b.asExported("the kernel is gone")
	second := b.kernel("s")
	b.runs(second, "abcd-5000", "x", "error", text("new\n"))
	b.asExported("another kernel")
	if info, err := os.Stat(b.file.path); err != nil || b.file.path != filepath.Join(b.dir, "s-abcd.ipynb") || runtime.GOOS != "windows" && info.Mode().Perm()&0o222 != 0 {
		t.Errorf("it is %s, %v, %v", b.file.path, info, err)
	}
}

// TestInMemory: what a failing disk left in memory is there.
func TestInMemory(t *testing.T) {
	b := newBench(t)
	info := record.Info{Session: "s", Generation: 1, Started: begun}
	r := record.InMemory(info, errors.New("no disk"))
	b.pending = append(b.pending, source{r, info, false})
	b.runs(r, "abcd-1", "x = 1", "ok", text("one\n"))
	b.runs(r, "abcd-2", "long", "ok", text(strings.Repeat("x", 900_000)), text(strings.Repeat("x", 900_000)))
	b.turn()
	got := b.cells(b.file.path)
	if cut := fmt.Sprint(got[len(got)-1]); len(got) != 2 || !strings.Contains(fmt.Sprint(got[0]), "one") || !strings.Contains(cut, "bytes more; get_execution id=abcd-2 with lines or pattern reads it]") && !strings.Contains(cut, "kB more; get_execution id=abcd-2 with lines or pattern reads it]") {
		t.Errorf("%d cells … %s", len(got), cut[max(0, len(cut)-300):])
	}
}

// TestEncodedOnce: of a cell that has not changed the record is not read again.
func TestEncodedOnce(t *testing.T) {
	b := newBench(t)
	r := b.kernel("s")
	b.runs(r, "abcd-1", "x", "ok", jupyter.Output{Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{"image/png": jupyter.TextValue(strings.Repeat("p", 100_000))}})
	b.turn()
	want := b.cells(b.file.path)
	if err := os.RemoveAll(r.FilesDir()); err != nil {
		t.Fatal(err)
	}
	b.runs(r, "abcd-2", "y", "ok")
	b.turn()
	if got := b.cells(b.file.path); len(got) != 2 || !reflect.DeepEqual(got[:1], want) {
		t.Errorf("%.300v", got)
	}
}

// TestSomebodyElse: a notebook that somebody else has changed is left as it is, and the
// next part goes to another, which is told once. One that was only touched is ours.
func TestSomebodyElse(t *testing.T) {
	rewrite := func(path string, change func([]byte) []byte) error {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, change(bytes.Clone(content)), 0o600)
	}
	flip := func(content []byte) []byte {
		content[bytes.Index(content, []byte("output of 1"))] = 'O'
		return content
	}
	for name, tt := range map[string]struct {
		change func(path string) error
		ours   bool
	}{
		"a cell is added": {change: func(path string) error {
			return rewrite(path, func(c []byte) []byte { return append(c, ' ') })
		}},
		"a letter is another": {change: func(path string) error { return rewrite(path, flip) }},
		"and the time is as it was": {change: func(path string) error {
			info, err := os.Stat(path)
			if err == nil {
				err = rewrite(path, flip)
			}
			if err == nil {
				err = os.Chtimes(path, info.ModTime(), info.ModTime())
			}
			return err
		}},
		"it is removed": {change: os.Remove},
		"it is a directory": {change: func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Mkdir(path, 0o700)
		}},
		"it is touched": {ours: true, change: func(path string) error { return os.Chtimes(path, begun, begun) }},
		"it is copied over itself": {ours: true, change: func(path string) error {
			if err := rewrite(path+".new", nil); err == nil {
				return fmt.Errorf("%s.new was there", path)
			}
			content, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path+".new", content, 0o600)
			}
			if err == nil {
				err = os.Rename(path+".new", path)
			}
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			r := b.kernel("s")
			b.runs(r, "abcd-1", "1", "ok", text("output of 1\n"))
			b.runs(r, "abcd-2", "2", "", text("output of 2\n"))
			b.turn()
			path := b.file.path
			if err := errors.Join(os.Chmod(path, 0o600), tt.change(path)); err != nil {
				t.Fatal(err)
			}
			changed, _ := os.ReadFile(path)
			if _, err := r.Append("abcd-2", text("more\n")); err != nil {
				t.Fatal(err)
			}
			b.runs(r, "abcd-3", "3", "ok")
			b.turn()
			if tt.ours {
				if len(b.news) > 0 || b.file.path != path || len(b.cells(path)) != 3 {
					t.Errorf("%q, %s", b.news, b.file.path)
				}
				return
			}
			if name != "it is removed" {
				if now, _ := os.ReadFile(path); !bytes.Equal(now, changed) || b.file.path == path {
					t.Errorf("%s was written:\n%s", path, now)
				}
			}
			if got := b.cells(b.file.path); len(got) != 2 || !strings.Contains(fmt.Sprint(got[0]), "more") {
				t.Errorf("the next part: %v", got)
			}
			if len(b.news) != 1 || !strings.Contains(b.news[0], "somebody has changed or removed "+path) || !strings.Contains(b.news[0], "goes on in "+b.file.path) {
				t.Errorf("%q", b.news)
			}
			b.runs(r, "abcd-4", "4", "ok")
			b.turn()
			if len(b.news) != 1 || len(b.cells(b.file.path)) != 3 {
				t.Errorf("%q, %d cells", b.news, len(b.cells(b.file.path)))
			}
		})
	}
}

// TestTaken: a file of that name that was there is left alone, and it is told where the
// notebook is.
func TestTaken(t *testing.T) {
	b := newBench(t)
	taken := filepath.Join(b.dir, "s-abcd.ipynb")
	if err := os.WriteFile(taken, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.kernel("s")
	b.turn()
	b.turn()
	if content, _ := os.ReadFile(taken); string(content) != "mine" || b.file.name != "s-abcd_2.ipynb" || len(b.news) != 1 || !strings.Contains(b.news[0], b.file.path) {
		t.Errorf("%s, %q", b.file.name, b.news)
	}
}

// TestCannotBeWritten: it is told once, and tried again.
func TestCannotBeWritten(t *testing.T) {
	b := newBench(t)
	b.dir = filepath.Join(b.dir, "file")
	if err := os.WriteFile(b.dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := b.kernel("s")
	b.runs(r, "abcd-1", "1", "ok")
	for range 4 {
		if wait := b.turn(); wait < retryTime {
			t.Errorf("tried again after %s", wait)
		}
	}
	if len(b.news) != 2 && runtime.GOOS == "linux" || !strings.Contains(b.news[0], "cannot be written: ") || !strings.Contains(b.news[0], "set NOTEBOOK to a directory you can write to") {
		t.Errorf("%q", b.news)
	}
	if err := os.Remove(b.dir); err != nil {
		t.Fatal(err)
	}
	b.turn()
	if got := b.cells(b.file.path); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// TestCut: what does not fit into a cell is named, with where it is; of a run that
// prints more than can be read again and again the beginning and the end are there.
func TestCut(t *testing.T) {
	b := newBench(t)
	r := b.kernel("s")
	picture := jupyter.Output{Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{
		"text/plain": jupyter.TextValue("<Figure>"), "image/png": jupyter.TextValue(strings.Repeat("p", 2<<20))}}
	b.runs(r, "abcd-1", "long", "ok", text("begin\n"), text(strings.Repeat("x", 3<<20)), picture)
	b.runs(r, "abcd-2", "flood", "", text("begin\n"))
	for range 640 {
		if _, err := r.Append("abcd-2", text(strings.Repeat("y", 60_000)+"\n")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Append("abcd-2", jupyter.Output{Type: jupyter.OutputClear}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Append("abcd-2", text("cleared\n")); err != nil {
		t.Fatal(err)
	}
	b.runs(r, "abcd-3", "after", "ok")
	b.turn()
	got := b.cells(b.file.path)
	long, flood := fmt.Sprint(got[0]), fmt.Sprint(got[1])
	for _, want := range []string{"begin\n", "[cut: 2097 kB more; get_execution id=abcd-1", r.Dir(), "[cut: image/png (2097 kB); get_execution id=abcd-1"} {
		if !strings.Contains(long, want) {
			t.Errorf("%q is missing in\n%.100s … %s", want, long, long[max(0, len(long)-800):])
		}
	}
	if !strings.Contains(flood, "cleared") || !strings.Contains(flood, "[cut: ") || strings.Contains(flood, "yyy") {
		t.Errorf("%.300s … %s", flood, flood[max(0, len(flood)-800):])
	}
	if len(got) != 3 || b.file.size > 3<<20 {
		t.Errorf("%d cells, %d bytes", len(got), b.file.size)
	}
}

// TestPace: at most a twentieth of a processor, half the time, and ten megabytes a second.
func TestPace(t *testing.T) {
	for _, tt := range []struct {
		took, worked time.Duration
		size         int64
		want         time.Duration
	}{
		{0, 0, 0, time.Second},
		{20 * time.Millisecond, 20 * time.Millisecond, 1 << 20, time.Second},
		{100 * time.Millisecond, 100 * time.Millisecond, 5 << 20, 2 * time.Second},
		{time.Second, 100 * time.Millisecond, 5 << 20, 2 * time.Second}, // others had the processor
		{100 * time.Millisecond, time.Second, 5 << 20, 2 * time.Second}, // the rest was not the notebook's
		{time.Second, time.Second, 5 << 20, 20 * time.Second},
		{3 * time.Second, 0, 0, 6 * time.Second},
		{100 * time.Millisecond, 100 * time.Millisecond, 100_000_000, 10 * time.Second},
	} {
		if got := pace(tt.took, tt.worked, tt.size); got != tt.want {
			t.Errorf("%s, %s, %d bytes: %s, want %s", tt.took, tt.worked, tt.size, got, tt.want)
		}
	}
	// By a clock on which each write takes 300 ms.
	b := newBench(t)
	r := b.kernel("s")
	clock, looks := begun, 0
	b.now = func() time.Time {
		if looks++; looks%2 == 0 {
			clock = clock.Add(300 * time.Millisecond)
		}
		return clock
	}
	b.work = func() time.Duration { return clock.Sub(begun) }
	writes := 0
	for clock.Before(begun.Add(10 * time.Minute)) {
		b.runs(r, fmt.Sprintf("abcd-%d", writes), "x", "ok")
		clock = clock.Add(b.turn())
		writes++
	}
	if writes != 100 {
		t.Errorf("%d writes of 300 ms in ten minutes, want 100", writes)
	}
}

// TestKeep: the goroutine ends with the kernels, begins again with the next, and Close
// waits for what is not written yet.
func TestKeep(t *testing.T) {
	b := newBench(t) // for its records
	books := New("abcd", nil, slog.New(slog.DiscardHandler))
	defer books.Close()
	first := b.kernel("s")
	path, known := books.Follow(b.dir, first)
	if known || path != filepath.Join(b.dir, "s-abcd.ipynb") || books.Path("s") != path || !books.Wrote(withoutLinks(path)) || books.Wrote(b.dir) {
		t.Errorf("%s, %v", path, known)
	}
	b.runs(first, "abcd-1", "1", "ok")
	first.Close()
	books.wg.Wait()
	if got := b.cells(path); len(got) != 1 {
		t.Errorf("%v", got)
	}
	// Read-only it is only while it is written again.
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o200 == 0 {
		t.Errorf("%v, %v", info, err)
	}
	second := b.kernel("s" + notebook.FreshSuffix)
	if again, known := books.Follow(b.dir, second); !known || again != path {
		t.Errorf("%s, %v", again, known)
	}
	b.runs(second, "abcd-2", "2", "ok")
	books.Close()
	if got := b.cells(path); len(got) != 2 {
		t.Errorf("%v", got)
	}
	if _, known := books.Follow(b.dir, second); !known {
		t.Error("it begins after the end")
	}
	if news := books.News("s"); len(news) > 0 {
		t.Errorf("%q", news)
	}
}

func TestFileName(t *testing.T) {
	for session, want := range map[string]string{
		"default":                "default-abcd.ipynb",
		"my work":                "my work-abcd.ipynb",
		strings.Repeat("語", 64):  strings.Repeat("語", 50) + "-abcd.ipynb",
		strings.Repeat("x", 200): strings.Repeat("x", 150) + "-abcd.ipynb",
	} {
		if got := fileName(session, "abcd"); got != want {
			t.Errorf("%s: %s", session, got)
		}
	}
}

// BenchmarkWrite: one more run after 500 with 200 figures of 25 kB, 7 MB in all.
func BenchmarkWrite(t *testing.B) {
	b := newBench(t)
	r := b.kernel("s")
	for i := range 500 {
		outputs := []jupyter.Output{text(strings.Repeat("a line of output\n", 20))}
		if i%5 < 2 {
			outputs = append(outputs, jupyter.Output{Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{"image/png": jupyter.TextValue(strings.Repeat("p", 25_000))}})
		}
		b.runs(r, fmt.Sprintf("abcd-%d", i+1), "x = 1\ny = 2", "ok", outputs...)
	}
	b.turn()
	t.SetBytes(b.file.size)
	n := 500
	for t.Loop() {
		n++
		b.runs(r, fmt.Sprintf("abcd-%d", n), "x", "ok")
		b.turn()
	}
	t.ReportMetric(float64(b.file.size)/1e6, "MB")
}
