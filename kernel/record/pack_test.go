package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// piece is a stream's piece number i, of size bytes and no two alike.
func piece(i, size int) jupyter.Output {
	line := fmt.Sprintf("piece %d\n", i)
	return stream(strings.Repeat(line, size/len(line)+1)[:size])
}

// valueFiles are the files of a record's values, and how large they are.
func valueFiles(t *testing.T, r *Record) (names []string, bytes int64) {
	t.Helper()
	entries, err := os.ReadDir(r.FilesDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, sizeOf(t, r.FilesDir())
}

// TestPieces: large pieces of a stream share files, one execution a file, and come back as
// they were, from any cursor, while they are written and afterwards.
func TestPieces(t *testing.T) {
	t.Parallel()
	r := newRecord(t)
	want := map[string][]jupyter.Output{}
	cursors := map[string][]Position{}
	put := func(exec string, out jupyter.Output) {
		want[exec] = append(want[exec], out)
		cursors[exec] = append(cursors[exec], mustAppend(t, r, exec, out))
	}
	for i := range 20 {
		put("a-1", piece(i, 510_000))
		put("a-1", stream("small\n"))
	}
	put("a-1", stream(strings.Repeat("\x00\xff", 50_000)))
	for i := range 10 {
		put("b-1", piece(i, inlineMax+i))
	}
	put("a-1", piece(20, 100_000))
	names, _ := valueFiles(t, r)
	if got := []string{"a-1.1.txt", "a-1.3.txt", "b-1.2.txt"}; !slices.Equal(names, got) {
		t.Errorf("files %q, want %q", names, got)
	}
	check := func(r readable) {
		t.Helper()
		for exec, outs := range want {
			for from, cursor := range cursors[exec] {
				entries := all(t, r, exec, cursor, -1)
				if len(entries) != len(outs)-from-1 {
					t.Fatalf("%s after output %d: %d entries", exec, from, len(entries))
				}
			}
			for i, e := range all(t, r, exec, 0, -1) {
				if got := contents(t, e.Output.Text); string(got) != string(outs[i].Text.Inline) {
					t.Fatalf("%s: output %d is %.40q, %d bytes", exec, i, got, len(got))
				}
			}
		}
	}
	check(r)
	done := reopen(t, r)
	check(done)
}

// TestPacksEnd: a file of pieces does not grow for ever.
func TestPacksEnd(t *testing.T) {
	t.Parallel()
	r := newRecord(t)
	const size, pieces = 4 << 20, packMax/(4<<20) + 2
	for i := range pieces {
		mustAppend(t, r, "a-1", piece(i, size))
	}
	if names, bytes := valueFiles(t, r); len(names) != 2 || bytes != pieces*size {
		t.Errorf("files %q with %d bytes", names, bytes)
	}
	for i, e := range all(t, r, "a-1", 0, -1) {
		if got, err := e.Output.Text.Bytes(100); err != nil || !strings.HasPrefix(string(got), fmt.Sprintf("piece %d\n", i)) {
			t.Errorf("piece %d is %.20q: %v", i, got, err)
		}
	}
}

// TestPieceOnAFullDisk: what was written of a piece when the disk was full is claimed by
// no line and stands before no other piece.
func TestPieceOnAFullDisk(t *testing.T) {
	t.Parallel()
	for room, truncateErr := range map[int]error{0: nil, 1: nil, 100_000: nil, 250_000: nil, 250_001: syscall.EIO} {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			r := newRecord(t)
			const size = 100_000
			mustAppend(t, r, "a-1", piece(0, size))
			f := &faulty{journal: r.pack.file, room: room, writeErr: syscall.ENOSPC, truncateErr: truncateErr}
			r.pack.file = f
			n := 1
			for ; r.Err() == nil; n++ {
				mustAppend(t, r, "a-1", piece(n, size))
			}
			if !errors.Is(r.Err(), syscall.ENOSPC) || n != 2+room/size {
				t.Errorf("%d pieces, Err() = %v", n, r.Err())
			}
			if _, bytes := valueFiles(t, r); truncateErr == nil && bytes != int64(size*(n-1)) {
				t.Errorf("%d bytes for %d pieces", bytes, n-1)
			}
			r.tried = time.Time{} // it has space again
			for ; n < 6; n++ {
				mustAppend(t, r, "a-1", piece(n, size))
			}
			if err := errors.Join(r.Err(), r.Close()); err != nil {
				t.Error(err)
			}
			done, err := Open(r.Dir())
			if err != nil {
				t.Fatal(err)
			}
			defer done.Close()
			entries := all(t, done, "a-1", 0, -1)
			if len(entries) != n {
				t.Errorf("%d entries, want %d", len(entries), n)
			}
			for i, e := range entries {
				if got := contents(t, e.Output.Text); string(got) != string(piece(i, size).Text.Inline) {
					t.Errorf("piece %d is %.40q, %d bytes", i, got, len(got))
				}
			}
		})
	}
}

// TestNoPieceOnAFullDisk: the first piece of a file that does not fit leaves no file.
func TestNoPieceOnAFullDisk(t *testing.T) {
	t.Parallel()
	r := newRecord(t)
	p, err := r.packOf("a-1")
	if err != nil {
		t.Fatal(err)
	}
	p.file = &faulty{journal: p.file, room: 5000, writeErr: syscall.ENOSPC}
	mustAppend(t, r, "a-1", piece(0, 100_000))
	if names, _ := valueFiles(t, r); len(names) > 0 || !errors.Is(r.Err(), syscall.ENOSPC) {
		t.Errorf("files %q, Err() = %v", names, r.Err())
	}
	if got := contents(t, all(t, r, "a-1", 0, -1)[0].Output.Text); len(got) != 100_000 {
		t.Errorf("%d bytes are kept", len(got))
	}
}

// TestPackCloseFails: a disk that tells when a file is closed that it did not take it is
// told of, whatever else it takes.
func TestPackCloseFails(t *testing.T) {
	t.Parallel()
	r := newRecord(t)
	mustAppend(t, r, "a-1", piece(0, 100_000))
	r.pack.file.Close() // the next one fails
	mustAppend(t, r, "b-1", piece(0, 100_000))
	mustAppend(t, r, "b-1", stream("text\n"))
	if err := r.Err(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Err() = %v", err)
	}
	if n := len(all(t, r, "b-1", 0, -1)); n != 2 {
		t.Errorf("%d entries", n)
	}
}

// TestPieceIsCutOff: of a file that is too short, or gone, nothing is read that was not
// written, and what is missing is an error.
func TestPieceIsCutOff(t *testing.T) {
	t.Parallel()
	const size = 100_000
	for _, left := range []int64{-1, 0, 1, size - 1, size, size + 1, 2*size - 1} {
		r := newRecord(t)
		mustAppend(t, r, "a-1", piece(0, size))
		mustAppend(t, r, "a-1", piece(1, size))
		mustAppend(t, r, "a-1", stream("the last line\n"))
		path := filepath.Join(r.FilesDir(), "a-1.1.txt")
		if err := os.Truncate(path, max(left, 0)); err != nil {
			t.Fatal(err)
		}
		if left < 0 {
			if err := errors.Join(r.Close(), os.Remove(path)); err != nil {
				t.Fatal(err)
			}
		}
		missing := 0
		for i, e := range all(t, r, "a-1", 0, -1) {
			got, err := e.Output.Text.Bytes(1 << 20)
			want := "the last line\n"
			if i < 2 {
				want = string(piece(i, size).Text.Inline)
			}
			switch {
			case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrNotExist):
				missing++
			case err != nil || string(got) != want:
				t.Errorf("%d bytes left: output %d is %.40q, %d bytes: %v", left, i, got, len(got), err)
			}
			if !strings.HasPrefix(want, string(got)) {
				t.Errorf("%d bytes left: of output %d there is %.40q, %d bytes", left, i, got, len(got))
			}
		}
		if want := 2 - int(max(left, 0)/size); missing != want {
			t.Errorf("%d bytes left: %d pieces are missing, want %d", left, missing, want)
		}
		lines, err := SelectLines(t.Context(), r.Read("a-1", 0, -1), LineQuery{Last: 1})
		if err != nil || len(lines.Problems) != missing || len(lines.Lines) != 1 || !strings.HasSuffix(lines.Lines[0].Text, "the last line") {
			t.Errorf("%d bytes left: %+v, %v", left, lines, err)
		}
	}
}

// TestPiecesOfARemovedFile: pieces that would go into a file, or a record, that somebody has
// removed can be read.
func TestPiecesOfARemovedFile(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		r := newRecord(t)
		mustAppend(t, r, "a-1", piece(0, 100_000))
		path := filepath.Join(r.FilesDir(), "a-1.1.txt")
		if whole {
			path = r.Dir()
		}
		if err := os.RemoveAll(path); err != nil {
			return // this system (Windows) removes no open file: it cannot happen
		}
		mustAppend(t, r, "a-1", piece(1, 100_000))
		if err := r.Err(); errors.Is(err, ErrRemoved) != whole {
			t.Errorf("Err() = %v", err)
		}
		if got := contents(t, all(t, r, "a-1", 0, -1)[1].Output.Text); string(got) != string(piece(1, 100_000).Text.Inline) {
			t.Errorf("it is %.40q, %d bytes", got, len(got))
		}
	}
}

// TestRunLimitOfPieces: pieces of a run over its limit that are not kept take no space,
// those that are kept, and those from before the limit, stay.
func TestRunLimitOfPieces(t *testing.T) {
	t.Parallel()
	r := limited(t)
	const size, pieces = 510_000, 120
	for i := range pieces {
		mustAppend(t, r, "a-1", piece(i, size))
		mustAppend(t, r, "a-1", stream("between\n"))
		if i%25 == 24 {
			mustAppend(t, r, "b-1", piece(i, size)) // another run goes on beside it
		}
	}
	numbers := func(r readable, exec string) (numbers []int) {
		t.Helper()
		for _, e := range all(t, r, exec, 0, -1) {
			var i int
			if e.Output == nil || e.Output.Text.Size != size {
				continue
			}
			got := contents(t, e.Output.Text)
			if n, err := fmt.Sscanf(string(got), "piece %d", &i); n != 1 || string(got) != string(piece(i, size).Text.Inline) {
				t.Fatalf("%.40q, %d bytes: %v", got, len(got), err)
			}
			numbers = append(numbers, i)
		}
		return numbers
	}
	if size := sizeOf(t, r.Dir()); size > testLimit+tailBytes+2*tailSegment+5*size+1<<20 {
		t.Errorf("while it runs the record has %d bytes", size)
	}
	head := numbers(r, "a-1")
	if _, err := r.End("a-1", End{Outcome: "ok"}); err != nil {
		t.Fatal(err)
	}
	kept := numbers(r, "a-1")
	inOrder(t, kept, pieces-1)
	if tail := len(kept) - len(head); len(head) != testLimit/size || tail < tailBytes/size || tail > (tailBytes+2*tailSegment)/size {
		t.Errorf("kept %v", kept)
	}
	mustAppend(t, r, "a-1", piece(pieces, size)) // late
	if got := numbers(r, "b-1"); !slices.Equal(got, []int{24, 49, 74, 99}) {
		t.Errorf("the other run: %v", got)
	}
	if names, _ := valueFiles(t, r); len(names) > 30 {
		t.Errorf("%d files: %q", len(names), names)
	}
	done := reopen(t, r)
	if again := numbers(done, "a-1"); !slices.Equal(again, append(kept, pieces)) {
		t.Errorf("after the end %v, before %v", again, kept)
	}
}

// TestPieceInAFileOfItsOwn: records of before have each large piece in a file of its own.
func TestPieceInAFileOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	text := piece(0, 100_000).Text.Inline
	if err := errors.Join(os.Mkdir(filepath.Join(dir, filesDir), 0o700), os.WriteFile(filepath.Join(dir, filesDir, "a-1.1.txt"), text, 0o600)); err != nil {
		t.Fatal(err)
	}
	entries, bad := scan(t, dir, checksummed(`{"kind":"output","exec":"a-1","time":"2026-11-03T09:15:00Z","type":"stream","name":"stdout","text":{"file":"a-1.1.txt","size":100000}}`), "")
	if len(entries) != 1 || bad > 0 {
		t.Fatalf("%d entries, %d bad lines", len(entries), bad)
	}
	if got := contents(t, entries[0].Output.Text); string(got) != string(text) {
		t.Errorf("it is %.40q, %d bytes", got, len(got))
	}
}
