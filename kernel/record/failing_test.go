package record

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// faulty is a journal on a bad disk.
type faulty struct {
	journal
	room        int // bytes that still fit when writeErr is set
	writeErr    error
	truncateErr error
	syncErr     error
	syncs       atomic.Int64
	syncing     chan struct{} // each Sync takes one from it, if set
}

func (f *faulty) Write(b []byte) (int, error) {
	if f.writeErr == nil {
		return f.journal.Write(b)
	}
	if len(b) <= f.room {
		f.room -= len(b)
		return f.journal.Write(b)
	}
	n, _ := f.journal.Write(b[:f.room])
	f.room = 0
	return n, f.writeErr
}

func (f *faulty) Truncate(n int64) error {
	if f.truncateErr != nil {
		return f.truncateErr
	}
	return f.journal.Truncate(n)
}

func (f *faulty) Sync() error {
	f.syncs.Add(1)
	if f.syncing != nil {
		<-f.syncing
	}
	if f.syncErr != nil {
		return f.syncErr
	}
	return f.journal.Sync()
}

// TestRemoved: a record whose directory is removed says so with the next run, whether that
// needs a file or not, and its runs can be read as long as it is open.
func TestRemoved(t *testing.T) {
	for _, out := range []jupyter.Output{stream("text"), {Type: jupyter.OutputDisplayData, Time: testTime, Data: map[string]jupyter.Value{"image/png": jupyter.InlineValue([]byte("png"))}}} {
		r := newRecord(t)
		begin(t, r, "a-1")
		os.RemoveAll(r.Dir())
		before := mustAppend(t, r, "a-1", out)
		begin(t, r, "a-2")
		mustAppend(t, r, "a-2", out)
		if err := r.Err(); !errors.Is(err, ErrRemoved) {
			t.Errorf("%s: Err() = %v", out.Type, err)
		}
		if got := all(t, r, "", 0, -1); len(got) != 5 { // info, two runs with an output each
			t.Errorf("%s: %d entries are left, the first output ended at %d", out.Type, len(got), before)
		}
	}
}

func begin(t *testing.T, r *Record, exec string) {
	t.Helper()
	if _, err := r.Begin(exec, Begin{Code: "x"}); err != nil {
		t.Fatal(err)
	}
}

func TestDiskFull(t *testing.T) {
	for _, truncateErr := range []error{nil, syscall.EIO} {
		t.Run(fmt.Sprint("truncate ", truncateErr), func(t *testing.T) {
			r := newRecord(t)
			r.file = &faulty{journal: r.file, room: 1000, writeErr: syscall.ENOSPC, truncateErr: truncateErr}
			if _, err := r.Begin("a-1", Begin{Code: "x"}); err != nil {
				t.Fatal(err)
			}
			var cursors []Position
			for i := range 100 {
				pos := mustAppend(t, r, "a-1", stream(fmt.Sprintf("%d\n", i)))
				if i > 0 && pos <= cursors[i-1] {
					t.Fatalf("position %d after %d", pos, cursors[i-1])
				}
				cursors = append(cursors, pos)
			}
			if _, err := r.End("a-1", End{Outcome: "ok"}); err != nil {
				t.Fatal(err)
			}
			if err := r.Err(); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("Err() = %v", err)
			}
			if err := r.Sync(); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("Sync() = %v", err)
			}
			for from := -1; from < len(cursors); from++ {
				var cursor Position
				if from >= 0 {
					cursor = cursors[from]
				}
				next := from + 1
				for _, e := range all(t, r, "a-1", cursor, -1) {
					if e.Kind != KindOutput {
						continue
					}
					if want := fmt.Sprintf("%d\n", next); string(e.Output.Text.Inline) != want {
						t.Fatalf("from %d: got %q, want %q", from, e.Output.Text.Inline, want)
					}
					next++
				}
				if next != len(cursors) {
					t.Fatalf("from %d: read up to %d", from, next)
				}
			}
			// Another process sees the file part, whole lines of it.
			done := reopen(t, r)
			entries := all(t, done, "a-1", 0, -1)
			if len(entries) < 3 || len(entries) > 20 {
				t.Errorf("%d entries on the disk", len(entries))
			}
			if got := unfinished(done); len(got) != 1 {
				t.Errorf("unfinished: %v", got)
			}
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	r := newRecord(t)
	r.file = &faulty{journal: r.file, writeErr: syscall.EIO}
	piece := strings.Repeat("x", 100<<10)
	const n = 300
	for i := range n {
		mustAppend(t, r, "a-1", stream(fmt.Sprintf("%d ", i)+piece))
	}
	huge := bytes.Repeat([]byte("y"), 20<<20)
	mustAppend(t, r, "a-1", jupyter.Output{Type: jupyter.OutputStream, Name: "stdout", Text: jupyter.InlineValue(huge)})
	mustAppend(t, r, "a-1", jupyter.Output{Type: jupyter.OutputDisplayData,
		Data: map[string]jupyter.Value{"image/png": jupyter.InlineValue(huge), "text/plain": jupyter.TextValue("fig")}})
	if _, err := r.End("a-1", End{Outcome: "ok"}); err != nil {
		t.Fatal(err)
	}
	var kept, size int
	var dropped *DroppedError
	var last Entry
	seen := map[string]bool{}
	for e, err := range r.Read("a-1", 0, -1) {
		if err != nil {
			if !errors.As(err, &dropped) {
				t.Fatal(err)
			}
			continue
		}
		kept++
		if e.Output != nil {
			size += len(e.Output.Text.Inline)
			word, _, _ := strings.Cut(string(e.Output.Text.Inline), " ")
			seen[word] = true
		}
		if e.Pos < last.Next {
			t.Fatalf("entry at %d after one up to %d", e.Pos, last.Next)
		}
		last = e
	}
	if dropped == nil || int(dropped.Entries)+kept != n+3 {
		t.Fatalf("kept %d, dropped %+v, want %d in all", kept, dropped, n+3)
	}
	if size > memoryHead+memoryTail || size < memoryTail {
		t.Errorf("%d bytes kept", size)
	}
	if !seen["0"] || !seen["1"] || !seen["299"] || seen["150"] {
		t.Errorf("not the head and the tail: %d entries", kept)
	}
	if last.End == nil || last.End.Outcome != "ok" {
		t.Errorf("the end is not there: %+v", last)
	}
}

func TestInMemory(t *testing.T) {
	t.Chdir(t.TempDir())
	r := InMemory(testInfo(), syscall.EROFS)
	if _, err := r.Begin("a-1", Begin{Code: "1"}); err != nil {
		t.Fatal(err)
	}
	cursor := mustAppend(t, r, "a-1", stream("x"))
	mustAppend(t, r, "a-1", stream("y"))
	if n := len(all(t, r, "", 0, -1)); n != 4 {
		t.Errorf("%d entries, want 4", n)
	}
	if n := len(all(t, r, "a-1", cursor, -1)); n != 1 {
		t.Errorf("%d entries since the cursor, want 1", n)
	}
	if !errors.Is(r.Err(), syscall.EROFS) || !errors.Is(r.Sync(), syscall.EROFS) {
		t.Errorf("Err() = %v, Sync() = %v", r.Err(), r.Sync())
	}
	if err := r.Remove(); err != nil || r.Dir() != "" {
		t.Errorf("remove: %v", err)
	}
	if _, err := r.Append("a-1", stream("z")); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
}

func TestFsyncFails(t *testing.T) {
	r := newRecord(t)
	f := &faulty{journal: r.file, syncErr: syscall.EIO}
	r.file = f
	mustAppend(t, r, "a", stream("1"))
	if err := r.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Sync() = %v", err)
	}
	f.syncErr = nil // a second fsync would succeed, and lie
	if err := r.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("second Sync() = %v", err)
	}
	if n := f.syncs.Load(); n != 1 {
		t.Errorf("%d fsyncs", n)
	}
	mustAppend(t, r, "a", stream("2"))
	if n := len(all(t, r, "a", 0, -1)); n != 2 {
		t.Errorf("%d entries", n)
	}
	f.writeErr = syscall.ENOSPC
	mustAppend(t, r, "a", stream("3"))
	if n := len(all(t, r, "a", 0, -1)); n != 3 {
		t.Errorf("%d entries", n)
	}
	if !errors.Is(r.Err(), syscall.ENOSPC) {
		t.Errorf("Err() = %v", r.Err())
	}
}

func TestSyncOnAFileSystemWithout(t *testing.T) {
	for _, err := range []error{syscall.EINVAL, errors.ErrUnsupported} {
		r := newRecord(t)
		r.file = &faulty{journal: r.file, syncErr: err}
		if err := r.Sync(); err != nil {
			t.Errorf("Sync() = %v", err)
		}
	}
}

func TestSyncIsShared(t *testing.T) {
	r := newRecord(t)
	f := &faulty{journal: r.file, syncing: make(chan struct{})}
	r.file = f
	const callers = 50
	var ready, done sync.WaitGroup
	for range callers {
		ready.Add(1)
		done.Go(func() {
			mustAppend(t, r, "a", stream("x"))
			ready.Done()
			if err := r.Sync(); err != nil {
				t.Error(err)
			}
		})
	}
	ready.Wait()
	close(f.syncing)
	done.Wait()
	// One that began before the last entry, and one for all the others.
	if n := f.syncs.Load(); n > 2 {
		t.Errorf("%d fsyncs for %d callers", n, callers)
	}
	if err := r.Sync(); err != nil || f.syncs.Load() > 2 {
		t.Errorf("a sync of nothing new: %v, %d fsyncs", err, f.syncs.Load())
	}
}

// TestSpaceReturns: when a full disk has space again, what was kept in memory is written
// in its place, the record goes on, and nothing warns any more. Cursors stay true.
func TestSpaceReturns(t *testing.T) {
	t.Parallel()
	for _, big := range []bool{false, true} {
		t.Run(fmt.Sprint("more than memory takes ", big), func(t *testing.T) {
			r := newRecord(t)
			f := &faulty{journal: r.file, room: 1000, writeErr: syscall.ENOSPC}
			r.file = f
			if _, err := r.Begin("a-1", Begin{Code: "x = '\u20ac\x00'\n"}); err != nil {
				t.Fatal(err)
			}
			size, n := 300, 100
			if big {
				size, n = 200<<10, 80
			}
			var cursors []Position
			for i := range n {
				cursors = append(cursors, mustAppend(t, r, "a-1", stream(fmt.Sprintf("%d %s\n", i, strings.Repeat("\x00x", size/2)))))
			}
			mustAppend(t, r, "a-1", jupyter.Output{Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{"image/png": jupyter.InlineValue([]byte("\x89PNG"))}})
			f.room = 500 // it is full again at once
			r.tried = time.Time{}
			mustAppend(t, r, "a-1", stream("still in memory"))
			if !errors.Is(r.Err(), syscall.ENOSPC) {
				t.Fatalf("Err() = %v", r.Err())
			}
			before := outline(t, r, 0)
			f.writeErr = nil
			r.tried = time.Time{}
			mustAppend(t, r, "a-1", stream("written"))
			if _, err := r.End("a-1", End{Outcome: "ok"}); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(r.Err(), r.Sync()); err != nil {
				t.Errorf("with space: %v", err)
			}
			after := outline(t, r, 0)
			if len(after) != len(before)+2 || !slices.Equal(after[:len(before)], before) {
				t.Errorf("before %.300q, then %.300q", before, after)
			}
			if dropped := slices.ContainsFunc(after, func(s string) bool { return strings.Contains(s, "were not kept") }); dropped != big {
				t.Errorf("%q", after)
			}
			for _, i := range []int{0, n / 2, n - 1} {
				rest := outline(t, r, cursors[i])
				if !slices.Equal(rest, after[len(after)-len(rest):]) || strings.HasPrefix(rest[0], fmt.Sprint(i, " ")) {
					t.Errorf("after output %d: %.100q", i, rest)
				}
			}
			done := reopen(t, r)
			if again := outline(t, done, 0); !slices.Equal(again, after) {
				t.Errorf("from the disk: %.300q, want %.300q", again, after)
			}
		})
	}
}

// outline is what there is of a-1, a word each; what was dropped without the count.
func outline(t *testing.T, r readable, from Position) (all []string) {
	t.Helper()
	for e, err := range r.Read("a-1", from, -1) {
		switch dropped := (*DroppedError)(nil); {
		case errors.As(err, &dropped):
			all = append(all, fmt.Sprintf("%d to %d were not kept", dropped.From, dropped.To))
		case err != nil:
			t.Fatal(err)
		case e.Begin != nil:
			all = append(all, e.Begin.Code)
		case e.End != nil:
			all = append(all, e.End.Outcome)
		case e.Output.Type == jupyter.OutputDisplayData:
			all = append(all, string(e.Output.Data["image/png"].Inline))
		default:
			b, err := e.Output.Text.Bytes(1 << 20)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%.20s %d", b, len(b)))
		}
	}
	return all
}
