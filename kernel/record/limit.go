package record

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// One run's output has a limit, [Options].RunLimit. What comes after it is kept beside
// the record, in a directory of the run's: files of whole lines, of which the oldest go
// while the others have tailBytes. At the run's end they are appended to the record.
// Until then nobody reads them, so positions stay byte offsets; readers of a record
// whose writer has died read them after it.
const (
	tailBytes   = 16 << 20
	tailSegment = 2 << 20
	tailDir     = "tail-" // and a number
	goneDir     = "gone-" // a tail that has been appended
	// flushing is in a tail that is being appended: where in record.jsonl it begins.
	flushing = "flushing"
	// keptRuns is how many runs are counted at a time: the newest. Late output of an
	// older one is counted anew.
	keptRuns = 64
)

// run counts the output of one execution. Record.writeMu protects it.
type run struct {
	exec  string
	bytes int64
	tail  *tail // nil below the limit
}

// tail is what a run over its limit has put out last.
type tail struct {
	dir      string
	segments []*segment
	made     int
	bytes    int64
	dropped  int64 // entries
	lost     int64 // their bytes
}

// segment is a file of a tail.
type segment struct {
	file    *os.File
	entries int64
	bytes   int64    // of lines and values
	values  []string // names of their files
}

// runOf returns the count of an execution. The caller must hold writeMu.
func (r *Record) runOf(exec string) *run {
	for _, run := range slices.Backward(r.runs) {
		if run.exec == exec {
			return run
		}
	}
	if len(r.runs) >= keptRuns {
		i := slices.IndexFunc(r.runs, func(run *run) bool { return run.tail == nil })
		if i >= 0 {
			r.runs = slices.Delete(r.runs, i, i+1)
		}
	}
	r.runs = append(r.runs, &run{exec: exec})
	return r.runs[len(r.runs)-1]
}

// limited takes an output whose encoded line is in r.buf, if its run is over the limit.
// The caller must hold writeMu.
func (r *Record) limited(l *line) (taken bool, err error) {
	if r.opts.RunLimit <= 0 || l.Kind != KindOutput {
		return false, nil
	}
	size, values := int64(r.buf.Len()), l.values()
	for _, v := range values {
		size += v.Size
	}
	run := r.runOf(l.Exec)
	if run.tail == nil && run.bytes+size <= r.opts.RunLimit {
		run.bytes += size
		return false, nil
	}
	if run.tail == nil {
		if run.tail, err = r.newTail(); err != nil {
			return true, err
		}
		begun := fmt.Sprintf("this run has put out more than %s (RECORD_LIMIT): of what follows the last %s are kept, and shown when it has ended", sizeWords(r.opts.RunLimit), sizeWords(tailBytes))
		if err := r.notice(l.Exec, begun); err != nil {
			return true, err
		}
	}
	return true, run.tail.add(r, r.buf.Bytes(), size, values)
}

// values are the values of a line that are files.
func (l *line) values() (files []*value) {
	for _, v := range l.Data {
		files = append(files, v)
	}
	files = append(files, l.Text, l.Metadata)
	return slices.DeleteFunc(files, func(v *value) bool { return v == nil || v.File == "" })
}

// notice appends a sentence of ours to the output of an execution. The caller must hold
// writeMu; r.buf stays.
func (r *Record) notice(exec, text string) error {
	var buf bytes.Buffer
	if err := encode(&buf, &line{Kind: KindOutput, Exec: exec, Time: time.Now().UTC(), Type: jupyter.OutputNotice, Text: &value{Text: text}}); err != nil {
		return err
	}
	return r.append(buf.Bytes())
}

// append writes whole lines. The caller must hold writeMu.
func (r *Record) append(lines []byte) error {
	pos := r.Tail()
	if _, err := r.file.Write(lines); err != nil {
		// Take back what was written of a line. When that fails too it has no line
		// end and nothing follows it: readers drop it as torn.
		r.file.Truncate(int64(pos))
		return &diskError{"writing record", err}
	}
	r.tail.Store(int64(pos) + int64(len(lines)))
	return nil
}

func (r *Record) newTail() (*tail, error) {
	r.tails++
	t := &tail{dir: filepath.Join(r.dir, tailDir+strconv.Itoa(r.tails))}
	if err := os.Mkdir(t.dir, 0o700); err != nil {
		return nil, &diskError{"writing record", err}
	}
	r.endPack() // it has pieces that stay
	return t, nil
}

// add keeps a line.
func (t *tail) add(r *Record, line []byte, size int64, values []*value) error {
	if n := len(t.segments); n == 0 || t.segments[n-1].bytes >= tailSegment {
		t.made++
		f, err := os.OpenFile(filepath.Join(t.dir, fmt.Sprintf("%08d", t.made)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return &diskError{"writing record", err}
		}
		t.segments = append(t.segments, &segment{file: f})
	}
	s := t.segments[len(t.segments)-1]
	if _, err := s.file.Write(line); err != nil {
		return &diskError{"writing record", err}
	}
	s.entries++
	s.bytes += size
	t.bytes += size
	for _, v := range values {
		if name, offset, err := place(v.File); err == nil && offset == 0 {
			s.values = append(s.values, name)
		}
	}
	if s.bytes >= tailSegment {
		r.endPack() // its pieces go with this segment
	}
	for len(t.segments) > 1 && t.bytes-t.segments[0].bytes >= tailBytes {
		t.drop(r)
	}
	return nil
}

// drop lets go of the oldest segment, with its values.
func (t *tail) drop(r *Record) {
	s := t.segments[0]
	t.segments = slices.Delete(t.segments, 0, 1)
	t.bytes -= s.bytes
	t.dropped += s.entries
	t.lost += s.bytes
	s.file.Close()
	os.Remove(s.file.Name())
	for _, name := range s.values {
		os.Remove(filepath.Join(r.dir, filesDir, name))
	}
}

// endRun appends the tail of an execution that has ended, if it has one. What cannot be
// written stays beside the record. The caller must hold writeMu.
func (r *Record) endRun(exec string) error {
	i := slices.IndexFunc(r.runs, func(run *run) bool { return run.exec == exec })
	if i < 0 {
		return nil
	}
	t := r.runs[i].tail
	if t != nil {
		if err := r.flush(exec, t); err != nil {
			return err
		}
	}
	r.runs = slices.Delete(r.runs, i, i+1)
	return nil
}

// flush appends a tail. A crash in the middle of it loses nothing and doubles nothing:
// readers take the tail while it has its name, and the record up to where it began.
func (r *Record) flush(exec string, t *tail) error {
	begun := r.Tail()
	mark := filepath.Join(t.dir, flushing)
	if err := os.WriteFile(mark, []byte(strconv.FormatInt(int64(begun), 10)), 0o600); err != nil {
		return &diskError{"writing record", err}
	}
	if err := r.appendTail(exec, t); err != nil {
		if r.file.Truncate(int64(begun)) == nil {
			r.tail.Store(int64(begun))
		}
		os.Remove(mark)
		return err
	}
	gone := filepath.Join(r.dir, goneDir+filepath.Base(t.dir))
	err := os.Rename(t.dir, gone)
	for _, s := range t.segments {
		s.file.Close()
	}
	if err != nil { // Windows renames no directory with open files
		err = os.Rename(t.dir, gone)
	}
	if err == nil {
		os.RemoveAll(gone)
	}
	return nil // whatever became of the directory: the entries are in the record
}

func (r *Record) appendTail(exec string, t *tail) error {
	if t.dropped > 0 {
		if err := r.notice(exec, fmt.Sprintf("%d outputs (%s) are not kept: this run has put out more than %s (RECORD_LIMIT); its last %s follow",
			t.dropped, sizeWords(t.lost), sizeWords(r.opts.RunLimit), sizeWords(t.bytes))); err != nil {
			return err
		}
	}
	for _, s := range t.segments {
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return &diskError{"writing record", err}
		}
		lines, err := io.ReadAll(s.file) // little more than tailSegment
		if err != nil {
			return &diskError{"writing record", err}
		}
		if err := r.append(lines); err != nil {
			return err
		}
	}
	return nil
}

// endRuns appends all tails: the record ends.
func (r *Record) endRuns() (err error) {
	for len(r.runs) > 0 && err == nil {
		err = r.endRun(r.runs[0].exec)
	}
	return err
}

// closeTails leaves what could not be appended beside the record.
func (r *Record) closeTails() {
	for _, run := range r.runs {
		if run.tail != nil {
			for _, s := range run.tail.segments {
				s.file.Close()
			}
		}
	}
}

func sizeWords(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

// part is a piece of a record that is read: record.jsonl, or a file of a tail.
type part struct {
	file *os.File
	base Position
	size Position
}

// moved gives the entries of the part their places in the record.
func (p part) moved(yield func(Entry, error) bool) func(Entry, error) bool {
	return func(e Entry, err error) bool {
		e.Pos, e.Next = e.Pos+p.base, e.Next+p.base
		if bad := (*BadLineError)(nil); errors.As(err, &bad) {
			bad.Pos, bad.Next = bad.Pos+p.base, bad.Next+p.base
		}
		if dropped := (*DroppedError)(nil); errors.As(err, &dropped) {
			dropped.From, dropped.To = dropped.From+p.base, dropped.To+p.base
		}
		return yield(e, err)
	}
}

// leftTails opens what a writer that died has left beside the record at dir. begun is
// where in record.jsonl a tail begins that was being appended, or -1.
func leftTails(dir string) (files []*os.File, begun Position) {
	begun = -1
	entries, _ := os.ReadDir(dir)
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return !e.IsDir() || !strings.HasPrefix(e.Name(), tailDir) })
	slices.SortFunc(entries, func(a, b os.DirEntry) int {
		return cmp.Or(len(a.Name())-len(b.Name()), strings.Compare(a.Name(), b.Name())) // tail-2 before tail-10
	})
	for _, e := range entries {
		d := filepath.Join(dir, e.Name())
		if b, err := os.ReadFile(filepath.Join(d, flushing)); err == nil {
			if n, err := strconv.ParseInt(string(b), 10, 64); err == nil && n >= 0 {
				begun = Position(n)
			}
		}
		segments, _ := os.ReadDir(d) // sorted
		for _, s := range segments {
			if s.Name() == flushing || !s.Type().IsRegular() {
				continue
			}
			if f, err := os.Open(filepath.Join(d, s.Name())); err == nil {
				files = append(files, f)
			}
		}
	}
	return files, begun
}
