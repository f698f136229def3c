package history

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

// Past is a session of one server, open or not: the records of its kernels.
type Past struct {
	Prefix  string // the first half of its runs' ids; "" when nothing ran in it, and no server names it
	Session string
	Records []Record // oldest first; kernels of one run are among them
}

// Record is the record of one kernel process.
type Record struct {
	Dir      string
	Info     record.Info
	Bytes    int64
	LastUsed time.Time
	InUse    bool
}

// LastUsed is when the session ran something last.
func (p Past) LastUsed() (last time.Time) {
	for _, r := range p.Records {
		if r.LastUsed.After(last) {
			last = r.LastUsed
		}
	}
	return last
}

// Bytes is what the session's records take.
func (p Past) Bytes() (n int64) {
	for _, r := range p.Records {
		n += r.Bytes
	}
	return n
}

// InUse reports whether a kernel of the session lives.
func (p Past) InUse() bool {
	return slices.ContainsFunc(p.Records, func(r Record) bool { return r.InUse })
}

// Open opens the session's records. close must be called when they are read.
func (p Past) Open() (readers []*record.Reader, close func(), err error) {
	dirs := make([]string, len(p.Records))
	for i, r := range p.Records {
		dirs[i] = r.Dir
	}
	return Open(dirs)
}

// Open opens records. One that has gone meanwhile is left out; it is an error when
// none is there. close must be called when they are read.
func Open(dirs []string) (readers []*record.Reader, close func(), err error) {
	close = func() {
		for _, r := range readers {
			r.Close()
		}
	}
	for _, dir := range dirs {
		r, e := record.Open(dir)
		switch {
		case e == nil:
			readers = append(readers, r)
		case errors.Is(e, fs.ErrNotExist):
			err = cmp.Or(err, e)
		default:
			close()
			return nil, nil, e
		}
	}
	if len(readers) == 0 && err != nil {
		return nil, nil, err
	}
	return readers, close, nil
}

// Sessions lists all sessions that there are records of, those used last first.
func Sessions(recordDir string) ([]Past, error) {
	found, err := record.Found(recordDir)
	if err != nil {
		return nil, err
	}
	var all []Past
	claimed := claimedBy(filepath.Dir(recordDir))
	for _, f := range found {
		prefix, r, ok := look(f)
		if !ok {
			continue
		}
		if prefix == "" { // nothing ran: its server knows it all the same
			prefix = claimed()[filepath.Base(r.Dir)]
		}
		name, _ := notebook.FreshOf(r.Info.Session)
		i := slices.IndexFunc(all, func(p Past) bool { return p.Prefix == prefix && p.Session == name })
		if i < 0 {
			all, i = append(all, Past{Prefix: prefix, Session: name}), len(all)
		}
		all[i].Records = append(all[i].Records, r)
	}
	for _, p := range all {
		slices.SortFunc(p.Records, func(a, b Record) int {
			return cmp.Or(a.Info.Started.Compare(b.Info.Started), strings.Compare(a.Dir, b.Dir))
		})
	}
	slices.SortStableFunc(all, func(a, b Past) int { return b.LastUsed().Compare(a.LastUsed()) })
	return all, nil
}

// claimedBy returns which server has which record, by the record's name, read once when
// it is needed.
func claimedBy(stateDir string) func() map[string]string {
	return sync.OnceValue(func() map[string]string {
		s := &Starts{dir: filepath.Join(stateDir, "starts")}
		prefixes := map[string]string{}
		for _, prefix := range s.Servers() {
			for _, k := range s.Kernels(prefix) {
				prefixes[k.Record] = prefix
			}
		}
		return prefixes
	})
}

// look reads the beginning of a record.
func look(f record.Removed) (prefix string, r Record, ok bool) {
	reader, err := record.Open(f.Dir)
	if err != nil {
		return "", r, false // it has gone
	}
	defer reader.Close()
	r = Record{Dir: f.Dir, Info: reader.Info(), Bytes: f.Bytes, LastUsed: f.LastUsed, InUse: reader.Writing()}
	for e, err := range reader.Read("", 0, -1) {
		if err == nil && e.Exec != "" {
			prefix, _, _ = strings.Cut(e.Exec, "-")
			break
		}
	}
	return prefix, r, true
}

// Delete removes the records of a session that no kernel uses, and what names them. It
// returns how many bytes were freed, and how many records are in use and stay.
func Delete(stateDir string, p Past) (freed int64, inUse int, err error) {
	gone := map[string]bool{}
	var errs []error
	for _, r := range p.Records {
		removed, err := record.Delete(r.Dir)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("removing %s: %w", r.Dir, err))
		case removed:
			freed += r.Bytes
			gone[filepath.Base(r.Dir)] = true
		default:
			inUse++
		}
	}
	if len(gone) > 0 {
		errs = append(errs, forget(stateDir, gone))
	}
	return freed, inUse, errors.Join(errs...)
}
