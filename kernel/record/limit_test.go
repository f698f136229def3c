package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

const testLimit = 4 << 20

// limited is a record whose runs may put out 4 MiB.
func limited(t *testing.T) *Record {
	t.Helper()
	r, err := Create(t.TempDir(), testInfo(), Options{RunLimit: testLimit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// numbered is output number i: some of it is in files.
func numbered(i int) jupyter.Output {
	size := 4 << 10
	if i%10 == 0 {
		size = 100 << 10
	}
	return stream(fmt.Sprintf("%d %s\n", i, strings.Repeat("x", size)))
}

// numbersOf reads the outputs of an execution: numbers of those there, and the notices.
func numbersOf(t *testing.T, r readable, exec string, from Position) (numbers []int, notices []string) {
	t.Helper()
	last := Position(-1)
	for e, err := range r.Read(exec, from, -1) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Pos <= last || e.Next <= e.Pos {
			t.Fatalf("an entry at %d to %d after one at %d", e.Pos, e.Next, last)
		}
		last = e.Pos
		if e.Output == nil {
			continue
		}
		b, err := e.Output.Text.Bytes(1 << 20)
		if err != nil || int64(len(b)) != e.Output.Text.Size {
			t.Fatalf("%d bytes of %d: %v", len(b), e.Output.Text.Size, err)
		}
		if e.Output.Type == jupyter.OutputNotice {
			notices = append(notices, string(b))
			continue
		}
		var i int
		if _, err := fmt.Sscanf(string(b), "%d", &i); err != nil {
			t.Fatal(err)
		}
		if out := numbered(i); string(b) != string(out.Text.Inline) {
			t.Fatalf("output %d is %.40q", i, b)
		}
		numbers = append(numbers, i)
	}
	return numbers, notices
}

// inOrder checks that the numbers are two stretches, of which the second ends with n.
func inOrder(t *testing.T, numbers []int, n int) (head, tail int) {
	t.Helper()
	for i, number := range numbers {
		switch {
		case number == i:
			head++
		case i > head && number != numbers[i-1]+1 || number > n:
			t.Fatalf("%d after %d", number, numbers[i-1])
		}
	}
	if len(numbers) == 0 || numbers[len(numbers)-1] != n {
		t.Fatalf("%d numbers, the last is not %d", len(numbers), n)
	}
	return head, len(numbers) - head
}

// TestRunLimit: of a run over its limit the beginning and the last 16 MiB are kept; the
// gap is told, cursors stay true, and what is not kept takes no space.
func TestRunLimit(t *testing.T) {
	t.Parallel()
	r := limited(t)
	const outputs = 2500 // 35 MB
	var cursors []Position
	for i := range outputs {
		cursors = append(cursors, mustAppend(t, r, "a-1", numbered(i)))
		if i%500 == 0 {
			mustAppend(t, r, "b-1", numbered(i/500)) // another run goes on beside it
		}
	}
	stands := r.Tail()
	before, notices := numbersOf(t, r, "a-1", 0)
	if len(notices) != 1 || !strings.Contains(notices[0], "more than 4 MiB (RECORD_LIMIT)") {
		t.Errorf("while it runs: %q", notices)
	}
	if size := sizeOf(t, r.Dir()); size > testLimit+tailBytes+2*tailSegment+(1<<20) {
		t.Errorf("while it runs the record has %d bytes", size)
	}
	if _, err := r.End("a-1", End{Outcome: "ok"}); err != nil {
		t.Fatal(err)
	}
	numbers, notices := numbersOf(t, r, "a-1", 0)
	head, tail := inOrder(t, numbers, outputs-1)
	if head != len(before) || tail < 1000 || tail > 2000 || len(notices) != 2 || !strings.Contains(notices[1], "are not kept") {
		t.Errorf("%d and %d outputs, %q", head, tail, notices)
	}
	if want := fmt.Sprintf("%d outputs", outputs-head-tail); !strings.HasPrefix(notices[1], want) {
		t.Errorf("%q, want %s", notices[1], want)
	}
	for _, i := range []int{0, head / 2, head - 1} { // a cursor has seen what it had seen
		if rest, _ := numbersOf(t, r, "a-1", cursors[i]); rest[0] != i+1 && i < head-1 || len(rest) != len(numbers)-i-1 {
			t.Errorf("after output %d: %d outputs from %d", i, len(rest), rest[0])
		}
	}
	if rest, _ := numbersOf(t, r, "a-1", stands); len(rest) != tail {
		t.Errorf("after the last cursor of the run: %d outputs, want %d", len(rest), tail)
	}
	if other, notices := numbersOf(t, r, "b-1", 0); len(other) != 5 || len(notices) > 0 {
		t.Errorf("the other run: %v, %q", other, notices)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(r.Dir(), "*-*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	done, err := Open(r.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer done.Close()
	again, _ := numbersOf(t, done, "a-1", 0)
	if fmt.Sprint(again) != fmt.Sprint(numbers) {
		t.Error("it is another after the end")
	}
}

// TestRunLimitCrash: what a writer that died had beside the record is read after it,
// once, also when it died while it appended that.
func TestRunLimitCrash(t *testing.T) {
	t.Parallel()
	r := limited(t)
	const outputs = 2000
	for i := range outputs {
		mustAppend(t, r, "a-1", numbered(i))
	}
	dead := func() *Reader { // as the record was at this moment
		t.Helper()
		dir := filepath.Join(t.TempDir(), filepath.Base(r.Dir()))
		if err := os.CopyFS(dir, os.DirFS(r.Dir())); err != nil {
			t.Fatal(err)
		}
		reader, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { reader.Close() })
		return reader
	}
	numbers, notices := numbersOf(t, dead(), "a-1", 0)
	head, tail := inOrder(t, numbers, outputs-1)
	if head == 0 || tail < 500 || len(notices) != 1 {
		t.Errorf("%d and %d outputs, %q", head, tail, notices)
	}
	for _, room := range []int{300, 1_000_000, 3_000_000} { // the disk is full on the way: as a crash, and it goes on
		f := &faulty{journal: r.file, room: room, writeErr: errors.New("crash"), truncateErr: errors.New("crash")}
		r.writeMu.Lock()
		r.file = f
		err := r.flushKeepingMark("a-1")
		r.file = f.journal
		r.writeMu.Unlock()
		if err == nil {
			t.Fatal("no error")
		}
		again, _ := numbersOf(t, dead(), "a-1", 0)
		if fmt.Sprint(again) != fmt.Sprint(numbers) {
			t.Errorf("a crash after %d bytes: %d outputs, want %d", room, len(again), len(numbers))
		}
		if err := r.file.Truncate(int64(r.Tail())); err != nil {
			t.Fatal(err)
		}
	}
}

// flushKeepingMark is flush as far as a crash lets it come: its mark stays, and the
// record does not know of what was written.
func (r *Record) flushKeepingMark(exec string) error {
	t, begun := r.runOf(exec).tail, r.Tail()
	mark := filepath.Join(t.dir, flushing)
	if err := os.WriteFile(mark, fmt.Append(nil, int64(begun)), 0o600); err != nil {
		return err
	}
	err := r.appendTail(exec, t)
	r.tail.Store(int64(begun))
	return err
}

func sizeOf(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := e.Info(); err == nil && !e.IsDir() {
			n += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
