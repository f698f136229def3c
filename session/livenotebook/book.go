package livenotebook

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

// maxCell bounds the text, and the other values, of one cell, in bytes.
const maxCell = 1 << 20

// book is one session's notebook.
type book struct {
	dir, name string // asked for
	session   string
	prefix    string
	log       *slog.Logger
	now       func() time.Time
	work      func() time.Duration // of this process so far: more than the notebook's

	// of the goroutine that keeps it
	grown    *notebook.Growing
	store    *codefile.Store
	file     file
	behind   bool // what has changed is not written
	failures int  // to write, in a row

	mu      sync.Mutex // protects the fields below
	pending []source
	news    []string
	paths   []string // of its files, oldest first
	real    []string // the same without links
	running bool
}

// source is a kernel that is to be followed.
type source struct {
	record *record.Record
	info   record.Info
	fresh  bool
}

func newBook(dir, name, session, prefix string, log *slog.Logger) *book {
	path := filepath.Join(dir, name)
	return &book{dir: dir, name: name, session: session, prefix: prefix, log: log, now: time.Now, work: processorTime, grown: notebook.Grow(session, maxCell),
		paths: []string{path}, real: []string{withoutLinks(path)}}
}

// Times between two looks at the records.
const (
	pollTime  = 500 * time.Millisecond // when nothing has changed
	paceTime  = time.Second            // after a write, at least
	paceShare = 20                     // times what the processor worked for it: 5 % of a core
	paceWall  = 2                      // times as long as it took: a disk has others to serve
	paceBytes = 10_000_000             // written in a second, at most
	retryTime = 10 * time.Second       // after a failure
)

// pace is how long after the begin of a write of so many bytes the next one begins. It
// took so long, of which the processor worked; on a loaded machine that is a part of it.
func pace(took, worked time.Duration, size int64) time.Duration {
	bytes := time.Duration(float64(size) / paceBytes * float64(time.Second))
	return max(paceTime, paceShare*min(worked, took), paceWall*took, bytes)
}

// maxTries bounds the tries to write what no kernel adds to any more.
const maxTries = 3

// keep keeps the notebook up to date until its kernels have ended, or the server ends.
func (b *book) keep(closing <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for over := false; ; {
		select {
		case <-closing:
			over = true
		case <-timer.C:
		}
		wait := b.turn()
		if b.done(over) {
			return
		}
		timer.Reset(wait)
	}
}

// release leaves the notebook to others, if it is still as it was written.
func (b *book) release() {
	if now, err := os.Lstat(b.file.path); b.file.path != "" && err == nil && same(now, b.file.info) {
		b.file.permit(fs.ModePerm)
	}
}

// done reports whether nothing is left to do, and notes it.
func (b *book) done(over bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending) > 0 && !over {
		return false
	}
	if !over && (b.grown.Followed() || b.behind && b.failures < maxTries) {
		return false
	}
	b.release() // before another goroutine may begin
	b.running = false
	return true
}

// turn takes in what was recorded, writes it, and returns how long to wait.
func (b *book) turn() time.Duration {
	begun, before := b.now(), b.work()
	b.mu.Lock()
	pending := b.pending
	b.pending = nil
	b.mu.Unlock()
	for _, s := range pending {
		b.grown.Follow(s.record, s.info, s.fresh, s.record.Closed)
	}
	if b.behind = b.grown.Read() || b.behind; !b.behind {
		return max(pollTime, paceShare*(b.work()-before))
	}
	err := b.write()
	took := b.now().Sub(begun)
	wait := pace(took, b.work()-before, b.file.size) - took
	if err == nil {
		b.behind, b.failures = false, 0
		b.log.Debug("wrote a notebook", "session", b.session, "bytes", b.file.size, "took", took)
		return wait
	}
	b.log.Warn("writing a notebook", "session", b.session, "err", err)
	if b.failures++; b.failures == maxTries || b.failures == 1 && errors.As(err, new(*codefile.StorageError)) && b.store == nil {
		b.tell(fmt.Sprintf("the notebook of this session (NOTEBOOK) cannot be written: %v", err))
	}
	return max(wait, retryTime)
}

func (b *book) tell(sentence string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.news = append(b.news, sentence)
}

// write writes the notebook. One that somebody else has changed is left as it is, and
// what is new goes to another.
func (b *book) write() error {
	if b.store == nil {
		store, err := codefile.Open(b.dir)
		if wrong, ok := errors.AsType[*codefile.StorageError](err); ok {
			wrong.Fix = "set NOTEBOOK to a directory you can write to"
		}
		if err != nil {
			return err
		}
		b.store = store
	}
	if b.file.path != "" {
		err := b.renew()
		if !errors.Is(err, errChanged) {
			return err
		}
		b.file = file{before: b.file.path, first: b.grown.Unfinished(b.file.first, b.file.first+len(b.file.spans))}
	}
	return b.begin()
}

// begin writes a notebook's first version.
func (b *book) begin() error {
	next := b.file
	made, err := b.store.SaveBeside(b.name, next.writer(b, nil))
	if err != nil {
		return err
	}
	next.placed(made)
	b.file = next
	b.grown.Written()
	b.mu.Lock()
	expected := b.paths[0]
	if next.before == "" {
		b.paths, b.real = nil, nil // it was only expected there
	}
	b.paths, b.real = append(b.paths, made.Path), append(b.real, withoutLinks(made.Path))
	b.mu.Unlock()
	switch {
	case next.before != "":
		b.tell(fmt.Sprintf("somebody has changed or removed %s: the notebook of this session goes on in %s, without what came before", next.before, made.Path))
	case made.Path != expected:
		b.tell(fmt.Sprintf("the notebook of this session is %s: %s was there already", made.Path, expected))
	}
	return nil
}

// renew writes the notebook's next version.
func (b *book) renew() error {
	old, err := b.file.open()
	if err != nil {
		return err
	}
	defer old.Close()
	next := b.file
	made, err := b.store.Renew(next.name, next.writer(b, old), old.unchanged)
	if err != nil {
		return err
	}
	next.placed(made)
	b.file = next
	b.grown.Written()
	return nil
}
