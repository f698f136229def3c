package session

import (
	"cmp"
	"path/filepath"
	"slices"

	"github.com/mcp-code-executor/mcp-code-executor/session/history"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

// noteKernel remembers a kernel and its record, and lets later servers find it.
func (m *Manager) noteKernel(k history.Kernel) {
	if k.Record == "" {
		return // kept in memory: its disk failed
	}
	m.mu.Lock()
	m.kernels = append(m.kernels, k)
	m.mu.Unlock()
	if m.RecordDir() == "" {
		return // nothing is kept
	}
	k.Record = filepath.Base(k.Record)
	if err := m.starts.Started(k); err != nil {
		m.config.Log.Warn("later servers will not find the runs of this kernel", "err", err)
	}
}

// NothingRanError says that there is nothing to tell of a session, or of ids.
type NothingRanError struct {
	Session string // "" when only ids were given
	IDs     string
	// Unkept says that the server keeps no records (HISTORY=off).
	Unkept bool
}

func (e *NothingRanError) Error() string {
	if e.IDs != "" {
		return "there is no record of " + e.IDs
	}
	return "there is no record of session " + e.Session
}

// Story reads what a session ran: this server's, or that of the last earlier server
// that had it, of the same code storage and working directory. A range with the ids of
// an earlier server is that server's. close must be called when the story is written.
func (m *Manager) Story(wanted notebook.Range) (story *notebook.Story, close func(), err error) {
	if wanted.Session == "" && wanted.Prefix == "" {
		wanted.Session = DefaultName
	}
	nothing := &NothingRanError{Session: wanted.Session, IDs: wanted.Prefix, Unkept: m.RecordDir() == ""}
	dirs, err := m.recordsOf(wanted)
	if err != nil {
		return nil, nil, err
	}
	if len(dirs) == 0 {
		return nil, nil, nothing
	}
	readers, close, err := history.Open(dirs)
	if err != nil {
		return nil, nil, cmp.Or[error](nothing, err)
	}
	story, err = notebook.Tell(readers, wanted)
	if err == nil && len(story.Runs) == 0 {
		err = nothing
	}
	if err != nil {
		close()
		return nil, nil, err
	}
	return story, close, nil
}

// recordsOf are the paths of the records to look into, oldest first.
func (m *Manager) recordsOf(wanted notebook.Range) ([]string, error) {
	m.mu.Lock()
	own := slices.Clone(m.kernels)
	m.mu.Unlock()
	if wanted.Prefix == "" || wanted.Prefix == m.starts.Prefix() {
		if dirs := ofSession(own, wanted.Session, ""); len(dirs) > 0 || wanted.Prefix != "" {
			return dirs, nil
		}
	}
	if m.RecordDir() == "" {
		return nil, nil
	}
	if wanted.Prefix != "" {
		kernels, err := m.here(m.starts.Kernels(wanted.Prefix))
		return ofSession(kernels, wanted.Session, m.RecordDir()), err
	}
	var newest []string
	for _, prefix := range m.starts.Servers() {
		kernels, err := m.here(m.starts.Kernels(prefix))
		if err != nil {
			return nil, err
		}
		// A record's name begins with the time.
		dirs := ofSession(kernels, wanted.Session, m.RecordDir())
		if len(dirs) > 0 && (newest == nil || dirs[len(dirs)-1] > newest[len(newest)-1]) {
			newest = dirs
		}
	}
	return newest, nil
}

// here are the kernels that worked where this server works.
func (m *Manager) here(kernels []history.Kernel) ([]history.Kernel, error) {
	if len(kernels) == 0 {
		return nil, nil
	}
	storage, err := m.config.Storage()
	if err != nil {
		return nil, err
	}
	work, err := m.workDir(storage)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(kernels, func(k history.Kernel) bool {
		return k.Storage != storage.Dir() || k.WorkDir != work.Path
	}), nil
}

// ofSession are the records of a session's kernels, below dir; name "" is all sessions.
func ofSession(kernels []history.Kernel, name, dir string) (dirs []string) {
	for _, k := range kernels {
		if of, _ := notebook.FreshOf(k.Session); name == "" || of == name {
			dirs = append(dirs, filepath.Join(dir, k.Record))
		}
	}
	return dirs
}
