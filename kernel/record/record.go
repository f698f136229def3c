package record

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

const (
	journalName = "record.jsonl"
	lockName    = "lock"

	lineMax  = 1 << 20 // of a line in record.jsonl; a longer one is damaged
	fieldMax = 4 << 10 // of each other string in a line that grew too long
)

// Options of a record.
type Options struct {
	// Ephemeral is for a record nobody keeps (history off): Sync syncs nothing.
	// The caller chooses a directory that is not kept and calls Remove.
	Ephemeral bool
	// RunLimit is how much of one run's output is kept, in bytes; of more only the
	// last 16 MiB are. 0 is no limit.
	RunLimit int64
}

// Record is the record of a running kernel process. All methods may be used
// from several goroutines at once. It starts no goroutine.
type Record struct {
	dir   string
	opts  Options
	lock  *os.File
	files atomic.Int64 // number of the last value file
	tail  atomic.Int64 // position after the last entry

	// writeMu makes entries whole and ordered. It is held during write(2), so
	// readers never take it.
	writeMu sync.Mutex
	file    journal
	closed  atomic.Bool
	buf     bytes.Buffer
	pack    *pack  // takes large pieces of streams, or nil
	runs    []*run // the newest, oldest first
	tails   int    // that were made

	syncMu sync.Mutex // held during fsync
	synced Position   // entries before it are on the disk
	dirs   bool       // the directories were synced

	mu      sync.Mutex // protects the fields below; no I/O under it
	failure error
	memory  *memory // entries the disk did not take; nil while it does
	full    bool    // it did not for want of space
	tried   time.Time
	// syncFailure is an fsync that failed: it is told for ever.
	syncFailure error
}

// journal is what a record needs of record.jsonl; a test's may fail.
type journal interface {
	Write([]byte) (int, error)
	ReadAt([]byte, int64) (int, error)
	Truncate(int64) error
	Sync() error
	Close() error
}

// diskError marks an error of the disk, which degrades the record, as opposed
// to one of the caller.
type diskError struct {
	op  string
	err error
}

func (e *diskError) Error() string { return e.op + ": " + e.err.Error() }
func (e *diskError) Unwrap() error { return e.err }

// Create makes a new record in a directory of its own under dir, which is made
// when missing, and writes info as its first entry. [Sweep] leaves the record
// alone until Close.
func Create(dir string, info Info, opts Options) (*Record, error) {
	r, err := create(dir, info, opts)
	if err != nil {
		return nil, fmt.Errorf("creating record: %w", err)
	}
	if _, _, err := r.add(Entry{Kind: KindInfo, Time: info.Started, Info: &info}); err != nil {
		r.Remove()
		return nil, fmt.Errorf("creating record: %w", err)
	}
	return r, nil
}

func create(dir string, info Info, opts Options) (*Record, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	r := &Record{opts: opts}
	for try := 0; ; try++ {
		r.dir = filepath.Join(dir, newName(info))
		err := os.Mkdir(r.dir, 0o700)
		if err == nil {
			break
		}
		if try == 9 || !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	// The lock comes first: Sweep looks only at directories with a journal.
	if err := r.open(); err != nil {
		r.Remove()
		return nil, err
	}
	return r, nil
}

func (r *Record) open() (err error) {
	const flags = os.O_RDWR | os.O_CREATE | os.O_EXCL
	if r.lock, err = os.OpenFile(filepath.Join(r.dir, lockName), flags, 0o600); err != nil {
		return err
	}
	if err := flock.Try(r.lock.Fd(), true); err != nil {
		return fmt.Errorf("locking %s: %w", r.lock.Name(), err)
	}
	if err := os.Mkdir(filepath.Join(r.dir, filesDir), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(r.dir, journalName), flags|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	r.file = f
	return nil
}

// newName is <start>-<session>-<random>: it sorts by time and tells a person
// what it is.
func newName(info Info) string {
	started := info.Started
	if started.IsZero() {
		started = time.Now()
	}
	session := strings.ToLower(safe(info.Session, 32))
	if session == "" {
		session = "session"
	}
	var random [4]byte
	rand.Read(random[:]) // never fails
	return started.UTC().Format(nameTime) + "-" + session + "-" + hex.EncodeToString(random[:])
}

// Dir returns the record's directory, an absolute path; empty for [InMemory].
func (r *Record) Dir() string { return r.dir }

// FilesDir is where the record's larger values lie, "" when it has no
// directory. What others put there is removed with the record.
func (r *Record) FilesDir() string {
	if r.dir == "" {
		return ""
	}
	return filepath.Join(r.dir, filesDir)
}

// Tail returns the position after the last entry: a cursor that has seen all.
func (r *Record) Tail() Position { return Position(r.tail.Load()) }

// Begin records code that is about to be sent and returns the position of the
// entry. It is written when Begin returns; Sync makes it outlive a power cut.
func (r *Record) Begin(exec string, b Begin) (Position, error) {
	// A record that nobody keeps is as good in a file that nobody can open.
	if !r.opts.Ephemeral && !r.closed.Load() && !r.inMemory() && r.removed() {
		r.fail(&diskError{"writing record", ErrRemoved}, true) // a file that is removed takes all, for nobody
	}
	pos, _, err := r.add(Entry{Kind: KindBegin, Exec: exec, Time: b.Started, Begin: &b})
	return pos, err
}

// ErrRemoved says that somebody has removed the record's directory, or the file in it.
var ErrRemoved = errors.New("its directory has been removed")

func (r *Record) removed() bool {
	_, err := os.Lstat(filepath.Join(r.dir, journalName))
	return errors.Is(err, fs.ErrNotExist)
}

// Append records an output and returns the cursor that has seen it. Values
// above 64 KiB and media go into files. It does not keep out's memory. A
// failing disk is no error here, see [Record.Err].
func (r *Record) Append(exec string, out jupyter.Output) (Position, error) {
	_, next, err := r.add(Entry{Kind: KindOutput, Exec: exec, Time: out.Time, Output: &out})
	return next, err
}

// End records how an execution ended and returns the cursor that has seen it.
// Outputs of the same execution may still follow.
func (r *Record) End(exec string, e End) (Position, error) {
	_, next, err := r.add(Entry{Kind: KindEnd, Exec: exec, Time: e.Ended, End: &e})
	return next, err
}

// NoteVariables records the names of the kernel's variables, of now.
func (r *Record) NoteVariables(v Variables) error {
	_, _, err := r.add(Entry{Kind: KindVariables, Variables: &v})
	return err
}

// Err is non-nil once the disk has failed. Entries that could not be written
// are then kept in memory, the first and the last of them, and are lost with
// the process, unless the disk was only full: when it has space again they are written
// and Err is nil. Otherwise it stays so: a new kernel process gets a new record.
func (r *Record) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failure
}

// Close ends the record; it may then be swept. Reading still works. Closing
// twice is harmless.
func (r *Record) Close() error {
	r.resumed(true)
	r.writeMu.Lock()
	defer r.writeMu.Unlock()
	if r.closed.Swap(true) {
		return nil
	}
	var errs []error
	if !r.inMemory() {
		errs = append(errs, r.endRuns())
	}
	r.closeTails()
	r.endPack()
	r.runs, r.buf = nil, bytes.Buffer{} // readers may hold the record for long
	if r.file != nil {
		errs = append(errs, r.file.Close())
	}
	if r.lock != nil {
		errs = append(errs, r.lock.Close()) // and with it the lock
	}
	return errors.Join(errs...)
}

// Closed reports whether nothing more is written.
func (r *Record) Closed() bool { return r.closed.Load() }

// Remove closes the record and removes its directory.
func (r *Record) Remove() error {
	err := r.Close()
	if r.dir == "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(r.dir))
}

// add appends e to the file, or to memory when the disk fails.
func (r *Record) add(e Entry) (pos, next Position, err error) {
	if r.closed.Load() {
		return 0, 0, ErrClosed // before a value makes a file
	}
	// The line has to be readable whatever the clock or the caller says.
	if y := e.Time.Year(); e.Time.IsZero() || y < 1 || y > 9999 {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC()
	if r.inMemory() && !r.resumed(false) {
		return r.addMemory(e)
	}
	l, err := r.line(e, inlineMax)
	if err == nil {
		pos, next, err = r.write(l)
	}
	if errors.Is(err, errLineTooLong) {
		if l, err = r.spilled(e); err == nil {
			pos, next, err = r.write(l)
		}
	}
	if errors.Is(err, errLineTooLong) {
		l := &line{Kind: e.Kind, Exec: cut(e.Exec, fieldMax), Time: e.Time, Type: jupyter.OutputNotice,
			Text: &value{Text: "an output in too many parts was not kept"}}
		pos, next, err = r.write(l)
	}
	if disk := (*diskError)(nil); errors.As(err, &disk) {
		if r.removed() {
			disk = &diskError{"writing record", ErrRemoved}
		}
		r.fail(disk, true)
		return r.addMemory(e)
	}
	return pos, next, err
}

var errLineTooLong = errors.New("line too long")

// write appends one line with one write(2).
func (r *Record) write(l *line) (pos, next Position, err error) {
	r.writeMu.Lock()
	defer r.writeMu.Unlock()
	if r.closed.Load() {
		return 0, 0, ErrClosed
	}
	if r.inMemory() { // the disk failed since the caller looked
		return 0, 0, &diskError{"writing record", errors.New("failed before")}
	}
	if l.piece != nil {
		if l.Text, err = r.putPiece(l.Exec, l.piece); err != nil {
			return 0, 0, err
		}
	}
	if err := encode(&r.buf, l); err != nil {
		return 0, 0, fmt.Errorf("encoding entry: %w", err)
	}
	if r.buf.Len() > lineMax {
		r.buf = bytes.Buffer{}
		return 0, 0, errLineTooLong
	}
	if l.Kind == KindEnd {
		if err := r.endRun(l.Exec); err != nil {
			return 0, 0, err
		}
	}
	taken, err := r.limited(l)
	pos = r.Tail()
	if err == nil && !taken {
		err = r.append(r.buf.Bytes())
	}
	if err != nil {
		return 0, 0, err
	}
	return pos, r.Tail(), nil
}
