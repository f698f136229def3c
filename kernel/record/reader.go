package record

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
)

// Reader reads a record that is finished, or whose writer died. Its methods may
// be used from several goroutines at once.
type Reader struct {
	dir  string
	lock *os.File
	file *os.File
	info Info
	// locked says that another holds the lock: the writer, as a rule.
	locked bool
	// left are the tails of runs over their limit that a dead writer left, see limit.go;
	// end is where record.jsonl ends for us, -1 where the file does.
	left []*os.File
	end  Position
}

// Open opens the record in the directory path. While it is open [Sweep] leaves
// the record alone. A record that is still being written can be opened too;
// what it holds in memory because its disk fails is not seen.
func Open(path string) (*Reader, error) {
	dir, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening record: %w", err)
	}
	r := &Reader{dir: dir, end: -1}
	// Shared with other readers. When it cannot be had the writer lives and
	// holds it, or the directory is not ours to write: either way nobody of us
	// sweeps it now.
	if lock, err := os.Open(filepath.Join(dir, lockName)); err == nil {
		if flock.Try(lock.Fd(), false) == nil {
			r.lock = lock
		} else {
			lock.Close()
			r.locked = true
		}
	}
	if r.file, err = os.Open(filepath.Join(dir, journalName)); err != nil {
		r.Close()
		return nil, fmt.Errorf("opening record: %w", err)
	}
	if !r.Writing() {
		r.left, r.end = leftTails(dir)
	}
	for e, err := range r.Read("", 0, 1) {
		if err == nil && e.Info != nil {
			r.info = *e.Info
		}
	}
	return r, nil
}

// Dir returns the record's directory, an absolute path.
func (r *Reader) Dir() string { return r.dir }

// Writing reports whether the record was still being written when it was opened, by
// this process or another.
func (r *Reader) Writing() bool { return r.lock == nil && r.locked }

// Info returns the record's first entry; it is zero when that is damaged.
func (r *Reader) Info() Info { return r.info }

// Tail returns a position no entry begins at or after.
func (r *Reader) Tail() Position {
	parts := r.parts()
	last := parts[len(parts)-1]
	return last.base + last.size
}

// parts are the files of the record, in order.
func (r *Reader) parts() (parts []part) {
	var base Position
	for i, f := range append([]*os.File{r.file}, r.left...) {
		p := part{file: f, base: base}
		if st, err := f.Stat(); err == nil {
			p.size = Position(st.Size())
		}
		if i == 0 && r.end >= 0 {
			p.size = min(p.size, r.end)
		}
		base += p.size
		parts = append(parts, p)
	}
	return parts
}

// Read yields the entries as [Record.Read] does.
func (r *Reader) Read(exec string, from, to Position) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		to := bound(to, r.Tail())
		for _, p := range r.parts() {
			s := &scanner{dir: r.dir, src: p.file, size: p.size, exec: exec}
			if !s.read(from-p.base, min(to-p.base, p.size), p.moved(yield)) {
				return
			}
		}
	}
}

// Outline is what a record tells without outputs.
type Outline struct {
	Runs []Run // in order
	// Variables are the last that the kernel told.
	Variables Variables
}

// Run is an execution. Of one that has not ended nobody knows how it went.
type Run struct {
	Exec  string
	Ended bool
}

// Outline reads the executions that begin at or after from.
func (r *Reader) Outline(from Position) (o Outline) {
	places := map[string]int{}
	s := &scanner{dir: r.dir, src: r.file, size: r.parts()[0].size, noOutput: true}
	s.read(from, s.size, func(e Entry, _ error) bool { // an entry without its code counts
		place, known := places[e.Exec]
		switch {
		case e.Kind == KindBegin && known: // another cell of a notebook
			o.Runs[place].Ended = false
		case e.Kind == KindBegin:
			places[e.Exec] = len(o.Runs)
			o.Runs = append(o.Runs, Run{Exec: e.Exec})
		case e.Kind == KindEnd && known:
			o.Runs[place].Ended = true
		case e.Kind == KindVariables:
			o.Variables = *e.Variables
		}
		return true
	})
	return o
}

// Close ends reading.
func (r *Reader) Close() error {
	var errs []error
	for _, f := range append([]*os.File{r.file, r.lock}, r.left...) {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// Read yields the entries of one execution, or all when exec is empty, that
// begin in [from, to), up to the tail of the moment when to is negative or
// beyond it. A from inside an entry means the next one. It never blocks the
// writer, and works after Close while the record is there.
//
// [BadLineError] and [DroppedError] are yielded with Pos and Next set and
// reading goes on; any other error ends it. Values above 64 KiB and media come
// as files; a file may be missing or short after a power cut.
func (r *Record) Read(exec string, from, to Position) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		r.mu.Lock()
		tail := r.Tail()
		size := tail
		var mem *memory
		if r.memory != nil {
			mem = r.memory.snapshot()
			size = mem.start
		}
		r.mu.Unlock()

		to := bound(to, tail)
		s := &scanner{dir: r.dir, src: r.file, size: size, exec: exec}
		if from < size { // nothing of a file is wanted otherwise, or there is none
			// A handle of our own outlives Close. The writer's is for a record
			// whose directory somebody deleted under us.
			if f, err := os.Open(filepath.Join(r.dir, journalName)); err == nil {
				defer f.Close()
				s.src = f
			}
		}
		if s.read(from, min(to, size), yield) && mem != nil {
			mem.read(exec, from, to, yield)
		}
	}
}

// Entries are what reading yields.
type Entries = iter.Seq2[Entry, error]

// ReadBrief yields what Read does, of all executions, but for outputs: it is as quick
// as the disk, whatever was printed. Of a record that is kept in memory it yields all.
func (r *Record) ReadBrief(from, to Position) Entries {
	if r.inMemory() {
		return r.Read("", from, to)
	}
	return func(yield func(Entry, error) bool) {
		f, err := os.Open(filepath.Join(r.dir, journalName))
		if err != nil {
			return
		}
		defer f.Close()
		to := bound(to, r.Tail())
		s := &scanner{dir: r.dir, src: f, size: to, noOutput: true}
		s.read(from, to, yield)
	}
}

func bound(to, tail Position) Position {
	if to < 0 || to > tail {
		return tail
	}
	return to
}

// scanner reads the lines of record.jsonl.
type scanner struct {
	dir      string
	src      io.ReaderAt
	size     Position // whole lines only, or a torn one at the end
	exec     string   // entries of others are skipped; empty: none are
	noOutput bool     // outputs are skipped

	in   *bufio.Reader
	pos  Position
	long []byte // a line longer than in's buffer
	hole bool   // the last line begins with a zero byte
}

var (
	errTorn    = errors.New("torn")
	errTooLong = errors.New("line too long")
)

// read yields what begins in [from, to) and reports whether to go on.
func (s *scanner) read(from, to Position, yield func(Entry, error) bool) bool {
	if from < 0 {
		from = 0
	}
	if from >= to {
		return true
	}
	s.pos = from
	if from > 0 {
		s.pos-- // the line end before from, if from is where a line begins
	}
	buffer := min(max(int(to-from)+1, 4<<10), 64<<10)
	s.in = bufio.NewReaderSize(io.NewSectionReader(s.src, int64(s.pos), int64(s.size-s.pos)), buffer)
	if from > 0 {
		if _, err := s.next(); err == errTorn {
			return true
		}
	}
	skip := s.skipper()
	for s.pos < to {
		pos := s.pos
		b, err := s.next()
		switch err {
		case nil, errTooLong:
		case errTorn:
			return true
		default:
			yield(Entry{Pos: pos, Next: s.pos}, fmt.Errorf("reading record: %w", err))
			return false
		}
		var e Entry
		if err == nil {
			if b, err = checked(b); err == nil {
				if skip(b) {
					continue
				}
				e, err = s.decode(b)
			}
		}
		e.Pos, e.Next = pos, s.pos
		if s.hole {
			err = &DroppedError{From: pos, To: s.pos, Bytes: int64(s.pos - pos)}
		} else if err != nil {
			err = &BadLineError{Pos: pos, Next: s.pos, Reason: err.Error()}
		} else if s.exec != "" && e.Exec != s.exec {
			continue
		}
		if !yield(e, err) {
			return false
		}
	}
	return true
}

// next returns the next line without its end. Memory is bounded: of a line that
// is too long nothing is kept.
func (s *scanner) next() ([]byte, error) {
	s.long = s.long[:0]
	tooLong := false
	for first := true; ; first = false {
		b, err := s.in.ReadSlice('\n')
		if first {
			s.hole = len(b) > 0 && b[0] == 0
		}
		s.pos += Position(len(b))
		if err == bufio.ErrBufferFull {
			if tooLong = tooLong || len(s.long)+len(b) > lineMax; !tooLong {
				s.long = append(s.long, b...)
			}
			continue
		}
		if err == io.EOF {
			return nil, errTorn // or the very end
		}
		if err != nil {
			return nil, err
		}
		if tooLong || len(s.long)+len(b) > lineMax {
			return nil, errTooLong
		}
		if len(s.long) > 0 {
			s.long = append(s.long, b...)
			b = s.long
		}
		return b[:len(b)-1], nil
	}
}

// checked returns the JSON of a line whose checksum is right.
func checked(b []byte) ([]byte, error) {
	if len(b) < 10 || b[8] != ' ' {
		return nil, errors.New("no checksum")
	}
	var sum [4]byte
	if _, err := hex.Decode(sum[:], b[:8]); err != nil {
		return nil, errors.New("no checksum")
	}
	want := uint32(sum[0])<<24 | uint32(sum[1])<<16 | uint32(sum[2])<<8 | uint32(sum[3])
	if crc32.ChecksumIEEE(b[9:]) != want {
		return nil, errors.New("wrong checksum")
	}
	return b[9:], nil
}

func (s *scanner) decode(b []byte) (Entry, error) {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return Entry{}, err
	}
	if l.Kind == "" {
		return Entry{}, errors.New("no kind")
	}
	return l.entry(s.dir)
}

// skipper returns a quick test, before JSON is parsed, for lines that are not
// asked for. Lines begin as encode writes them: {"kind":"…","exec":"…",
func (s *scanner) skipper() func([]byte) bool {
	kind := []byte(`{"kind":"`)
	next := []byte(`","exec":"`)
	output := []byte(`{"kind":"output",`)
	var exec []byte
	if s.exec != "" {
		var buf bytes.Buffer
		if encode(&buf, &line{Exec: s.exec}) == nil {
			// 9 bytes of checksum, then {"kind":"", and up to the next field.
			b := buf.Bytes()[9+len(kind):]
			exec = b[:bytes.LastIndex(b, []byte(`,"time":`))+1]
		}
	}
	return func(b []byte) bool {
		if s.noOutput && bytes.HasPrefix(b, output) {
			return true
		}
		if exec == nil || !bytes.HasPrefix(b, kind) {
			return false
		}
		b = b[len(kind):]
		end := max(bytes.IndexByte(b, '"'), 0)
		return bytes.HasPrefix(b[end:], next) && !bytes.HasPrefix(b[end:], exec)
	}
}
