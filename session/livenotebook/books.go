package livenotebook

import (
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

// Books are the notebooks of one server's sessions. It is safe for concurrent use.
//
// Each notebook has one goroutine while a kernel's record is written, and Close ends it.
type Books struct {
	prefix  string
	content func(path string) (text string, changed time.Time, ok bool)
	log     *slog.Logger
	closing chan struct{}
	wg      sync.WaitGroup

	mu     sync.Mutex // protects the fields below
	books  map[string]*book
	closed bool
}

// New returns no notebooks. prefix is the first half of the ids of the server's runs;
// content returns what a code file holds, and when it was changed.
func New(prefix string, content func(path string) (string, time.Time, bool), log *slog.Logger) *Books {
	return &Books{prefix: prefix, content: content, log: log, closing: make(chan struct{}), books: map[string]*book{}}
}

// Follow adds what a kernel records to the notebook of its session, which is made in
// dir when it is the first. path is where it will be; known says that it was there.
func (b *Books) Follow(dir string, rec *record.Record) (path string, known bool) {
	var info record.Info
	for e, err := range rec.Read("", 0, 1) {
		if err == nil && e.Info != nil {
			info = *e.Info
		}
	}
	session, fresh := notebook.FreshOf(info.Session)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return "", true
	}
	k := b.books[session]
	if known = k != nil; !known {
		k = newBook(dir, fileName(session, b.prefix), session, b.prefix, b.log)
		k.grown.Content = b.content
		b.books[session] = k
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pending = append(k.pending, source{rec, info, fresh})
	if !k.running {
		k.running = true
		b.wg.Go(func() { k.keep(b.closing) })
	}
	return k.paths[len(k.paths)-1], known
}

// Path is the notebook that a session's runs go to now, "" for none.
func (b *Books) Path(session string) string {
	if k := b.book(session); k != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.paths[len(k.paths)-1]
	}
	return ""
}

// News are sentences about a session's notebook that nobody has been told; they are
// returned once.
func (b *Books) News(session string) []string {
	session, _ = notebook.FreshOf(session)
	k := b.book(session)
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	news := k.news
	k.news = nil
	return news
}

// Wrote reports whether path, without links, is a notebook that is written here.
func (b *Books) Wrote(path string) bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range b.books {
		k.mu.Lock()
		found := slices.Contains(k.real, path)
		k.mu.Unlock()
		if found {
			return true
		}
	}
	return false
}

func (b *Books) book(session string) *book {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.books[session]
}

// closeTime bounds the last write: a disk that hangs must not keep the server.
const closeTime = 3 * time.Second

// Close writes what is recorded and ends; it returns after closeTime at the latest.
func (b *Books) Close() {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.closed = true
	close(b.closing)
	b.mu.Unlock()
	done := make(chan struct{})
	go func() {
		b.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(closeTime):
		b.log.Warn("a notebook's last write goes on", "after", closeTime)
	}
}

// maxStem bounds a name, in bytes: file systems take 255, and a number may follow.
const maxStem = 150

// fileName is what a session's notebook is called.
func fileName(session, prefix string) string {
	stem := strings.TrimLeft(session, "-. ")
	for len(stem) > maxStem {
		_, size := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-size]
	}
	return stem + "-" + prefix + notebook.FormatNotebook.Extension()
}

// withoutLinks is the path of a file in a directory, without the directory's links.
func withoutLinks(path string) string {
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}
