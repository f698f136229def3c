package record

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// What is kept in memory when the disk fails.
const (
	memoryHead  = 2 << 20
	memoryTail  = 6 << 20
	memoryValue = 1 << 20 // of one value
	entryCost   = 512     // of an entry beside its values, about
)

// memory holds the entries a failing disk did not take: the first and the last.
type memory struct {
	start     Position // where the file ended
	head      []Entry
	tail      []Entry
	headBytes int
	tailBytes int
	dropped   *DroppedError // between head and tail, or nil
}

// InMemory returns a record without a directory, for when Create fails: no disk
// must keep a kernel from starting. It keeps what a record on a failing disk
// keeps, Dir is empty, and Err and Sync return cause.
func InMemory(info Info, cause error) *Record {
	r := &Record{failure: fmt.Errorf("record is kept in memory: %w", cause), memory: new(memory)}
	r.add(Entry{Kind: KindInfo, Time: info.Started, Info: &info})
	return r
}

// Sync makes all entries so far outlive a power cut, and the code of Begin
// with them whatever its size. Outputs in files are left to the system: to wait
// for a gigabyte of them would delay the next run. Callers at the same time
// share one fsync. After an error it only returns that error: pages that could
// not be written are clean afterwards, a second try would succeed and lie.
func (r *Record) Sync() error {
	if r.opts.Ephemeral {
		return r.Err()
	}
	want := r.Tail()
	r.syncMu.Lock()
	defer r.syncMu.Unlock()
	if err := r.Err(); err != nil {
		return err
	}
	if r.synced >= want {
		return nil
	}
	tail := r.Tail()
	err := fsync(r.file)
	if errors.Is(err, os.ErrClosed) {
		return ErrClosed
	}
	if err == nil && !r.dirs {
		err = errors.Join(syncDir(r.dir), syncDir(filepath.Dir(r.dir)))
		r.dirs = true
	}
	if err != nil {
		r.fail(&diskError{"syncing record", err}, false)
		return r.Err()
	}
	r.synced = tail
	return nil
}

func fsync(f interface{ Sync() error }) error {
	err := f.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		return nil // a file system without fsync is not a failing disk
	}
	return err
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return fsync(f)
}

func (r *Record) inMemory() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.memory != nil
}

// fail notes that the disk failed. With toMemory nothing more is written. A
// failed fsync alone does not stop writing: the entries may yet be read.
func (r *Record) fail(err error, toMemory bool) {
	if toMemory {
		r.writeMu.Lock() // no line is on its way: the file's end is known
		defer r.writeMu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure == nil || (toMemory && r.memory == nil) {
		r.failure = err
	}
	if !toMemory {
		r.syncFailure = r.failure
	}
	if toMemory && r.memory == nil {
		r.full, r.tried = isFull(err), time.Now()
		r.failure = fmt.Errorf("record is kept in memory: %w", err)
		r.memory = &memory{start: r.Tail()}
	}
}

func (r *Record) addMemory(e Entry) (pos, next Position, err error) {
	r.writeMu.Lock()
	defer r.writeMu.Unlock()
	if r.closed.Load() {
		return 0, 0, ErrClosed
	}
	e, cost := detached(e)
	if size := r.encodedSize(e); size > 0 && r.dir != "" {
		cost = size // it can be written there yet
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Pos = r.Tail()
	e.Next = e.Pos + Position(cost)
	r.memory.add(e, cost)
	r.tail.Store(int64(e.Next))
	return e.Pos, e.Next, nil
}

func (m *memory) add(e Entry, cost int) {
	if m.dropped == nil && len(m.tail) == 0 && m.headBytes+cost <= memoryHead {
		m.head = append(m.head, e)
		m.headBytes += cost
		return
	}
	m.tail = append(m.tail, e)
	m.tailBytes += cost
	n := 0
	for m.tailBytes > memoryTail && n < len(m.tail)-1 {
		old := m.tail[n]
		size := int(old.Next - old.Pos)
		m.tailBytes -= size
		if m.dropped == nil {
			m.dropped = &DroppedError{From: old.Pos}
		}
		m.dropped.To = old.Next
		m.dropped.Entries++
		m.dropped.Bytes += int64(size)
		m.tail[n] = Entry{} // let go of what it holds
		n++
	}
	m.tail = m.tail[n:]
}

// snapshot returns what a reader needs; the entries themselves never change.
func (m *memory) snapshot() *memory {
	s := &memory{start: m.start, head: m.head[:len(m.head):len(m.head)], tail: slices.Clone(m.tail)}
	if m.dropped != nil {
		s.dropped = new(*m.dropped)
	}
	return s
}

func (m *memory) read(exec string, from, to Position, yield func(Entry, error) bool) {
	each := func(entries []Entry) bool {
		for _, e := range entries {
			if e.Pos < from || e.Pos >= to || (exec != "" && e.Exec != exec) {
				continue
			}
			if !yield(e, nil) {
				return false
			}
		}
		return true
	}
	if !each(m.head) {
		return
	}
	if d := m.dropped; d != nil && d.To > from && d.From < to {
		if !yield(Entry{Pos: d.From, Next: d.To}, d) {
			return
		}
	}
	each(m.tail)
}

// detached copies e, so that it holds no memory of the caller's, with large
// values cut, and says about how many bytes it takes.
func detached(e Entry) (Entry, int) {
	cost := entryCost + len(e.Exec)
	keep := func(v jupyter.Value, text bool) jupyter.Value {
		v.Inline = shortened(v.Inline, text)
		if v.Path == "" && v.Inline != nil {
			v.Size = int64(len(v.Inline))
		}
		cost += len(v.Inline) + len(v.Path)
		return v
	}
	switch e.Kind {
	case KindBegin:
		e.Begin = new(*e.Begin)
		e.Begin.Started = e.Time
		e.Begin.Code = string(shortened([]byte(e.Begin.Code), true))
		cost += len(e.Begin.Code)
	case KindEnd:
		e.End = new(*e.End)
		e.End.Ended = e.Time
		e.End.Evalue, e.End.Note = cut(e.End.Evalue, inlineMax), cut(e.End.Note, inlineMax)
		cost += len(e.End.Evalue) + len(e.End.Note)
	case KindOutput:
		out := *e.Output
		out.Time = e.Time
		out.Text = keep(out.Text, true)
		out.Data = maps.Clone(out.Data)
		for mime, v := range out.Data {
			if cost > memoryValue {
				delete(out.Data, mime)
				continue
			}
			out.Data[mime] = keep(v, !isMedia(mime))
		}
		if out.Metadata = bytes.Clone(out.Metadata); len(out.Metadata) > inlineMax {
			out.Metadata = nil
		}
		out.Evalue, out.Prompt = cut(out.Evalue, inlineMax), cut(out.Prompt, inlineMax)
		cost += len(out.Metadata) + len(out.Evalue) + len(out.Prompt)
		e.Output = &out
	}
	return e, cost
}

// shortened copies b; of long text it keeps both ends, of long media nothing:
// half an image is none.
func shortened(b []byte, text bool) []byte {
	switch {
	case len(b) <= memoryValue:
		return bytes.Clone(b)
	case !text:
		return nil
	}
	const half = memoryValue / 2
	note := fmt.Sprintf("\n[%d bytes not kept: the record could not be written]\n", len(b)-2*half)
	return slices.Concat(b[:half], []byte(note), b[len(b)-half:])
}
