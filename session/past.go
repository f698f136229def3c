package session

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/session/elsewhere"
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

// follow has the session's notebook follow a kernel in dir, when one is to be kept, and
// returns what is told of that: a sentence, the first time.
func (m *Manager) follow(by *Conversation, k *kernel.Kernel, dir string) []string {
	where := m.config.Notebook
	if by != nil {
		where = by.client.Notebook
	}
	if where == "" {
		return nil
	}
	if !filepath.IsAbs(where) {
		where = filepath.Join(dir, where)
	}
	path, known := m.books.Follow(where, k.Record())
	if known {
		return nil
	}
	return []string{notebookNotice + path}
}

const notebookNotice = "this session is kept as a notebook while it runs, for a person to watch: "

func isNotebookNotice(notice string) bool { return strings.HasPrefix(notice, notebookNotice) }

// Notebook is the path of the notebook that is kept of a session, "" for none.
func (m *Manager) Notebook(session string) string { return m.books.Path(session) }

// NothingRanError says that there is nothing to tell of a session, or of ids.
type NothingRanError struct {
	Session string // "" when only ids were given
	IDs     string
	// Removed says that there were records, and somebody has removed them.
	Removed bool
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
		nothing.Removed = errors.Is(err, fs.ErrNotExist)
		return nil, nil, nothing
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

// Lost tells what servers of this code storage and working directory that were killed
// have left, by the first halves of their ids. It reads their records.
func (m *Manager) Lost(prefixes []string) (lost []history.Lost) {
	if m.RecordDir() == "" {
		return nil
	}
	for _, prefix := range prefixes {
		if dirs, err := m.recordsOf(notebook.Range{Prefix: prefix}); err == nil {
			lost = append(lost, m.keptElsewhere(prefix, history.LostOf(dirs))...)
		}
	}
	return lost
}

// keptElsewhere notes which sessions of a server's have their kernels still, on a Jupyter
// server.
func (m *Manager) keptElsewhere(prefix string, lost []history.Lost) []history.Lost {
	for i := range lost {
		at := slices.IndexFunc(m.LeftElsewhere(), func(k elsewhere.Left) bool {
			return !k.Asked && k.Prefix == prefix && k.Session == lost[i].Session
		})
		lost[i].Kept = at >= 0
		lost[i].Unknown = at >= 0 && m.LeftElsewhere()[at].Unknown
	}
	return lost
}

// elsewhere reports whether an id is of another server of the same owner.
func (m *Manager) elsewhere(id string) bool {
	if !m.starts.Elsewhere(id) || m.config.Owner == "" {
		return m.starts.Elsewhere(id)
	}
	prefix, _, _ := strings.Cut(id, "-")
	return slices.ContainsFunc(m.starts.Kernels(prefix), func(k history.Kernel) bool { return k.Owner == m.config.Owner })
}

// here are the kernels that worked where this server works, for the same owner.
func (m *Manager) here(kernels []history.Kernel) ([]history.Kernel, error) {
	if len(kernels) == 0 {
		return nil, nil
	}
	place, err := m.place()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(kernels, func(k history.Kernel) bool {
		return k.Storage != place.code || k.WorkDir != place.work.Path || k.Owner != m.config.Owner
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

// Past is a run of an earlier server, or of one beside this, as its record has it.
type Past struct {
	// Report is what is known; Outcome is OutcomeUnknown when its server died during it.
	Report Report
	reader *record.Reader
}

// Close ends reading the record.
func (p *Past) Close() { p.reader.Close() }

// Lines goes through the log of the run: see [Execution.Lines].
func (p *Past) Lines(ctx context.Context, q LineQuery) (LineResult, error) {
	return record.SelectLines(ctx, p.reader.Read(p.Report.ID, record.Position(p.Report.Start), record.Position(p.Report.To)), q)
}

// Past finds a run by its id in the records of the servers with this code storage and
// working directory, with its output after since; a negative since shows all. The
// error is an [*UnknownExecutionError] when there is none. Close must be called.
func (m *Manager) Past(id string, since Cursor) (*Past, error) {
	unknown := &UnknownExecutionError{ID: id, Elsewhere: m.elsewhere(id)}
	prefix, number, ok := notebook.SplitID(id)
	if !ok || number == 0 || prefix == "" {
		return nil, unknown
	}
	dirs, err := m.recordsOf(notebook.Range{Prefix: prefix})
	if err != nil {
		return nil, err
	}
	open := record.Open
	if m.marks.Left(prefix) {
		open = history.OpenLeft
	}
	for _, dir := range slices.Backward(dirs) {
		r, err := open(dir)
		if err != nil {
			continue // swept, or deleted
		}
		if p := pastRun(r, id, since); p != nil {
			m.notePastRead(prefix, p.Report.Outcome)
			return p, nil
		}
		r.Close()
	}
	return nil, unknown
}

// notePastRead ends the telling of a killed server when the run that it died during has
// been read, or any where there is no such run.
func (m *Manager) notePastRead(prefix string, outcome Outcome) {
	if !m.marks.Left(prefix) {
		return
	}
	during := func(l history.Lost) bool { return l.Running != "" }
	if outcome == OutcomeUnknown || !slices.ContainsFunc(m.Lost([]string{prefix}), during) {
		m.marks.Forget(prefix)
	}
}

// pastRun reads what a record has of a run, nil for nothing.
func pastRun(reader *record.Reader, id string, since Cursor) *Past {
	info := reader.Info()
	p := &Past{reader: reader}
	r := &p.Report
	*r = Report{ID: id, State: StateFinished, Outcome: OutcomeUnknown, Environment: info.Environment, Generation: info.Generation, RecordDir: reader.Dir(), Told: true, Start: -1}
	r.Session, r.Fresh = notebook.FreshOf(info.Session)
	var began, last time.Time
	for e, err := range reader.Read(id, 0, -1) {
		if err != nil {
			continue // the rest is worth telling
		}
		if r.Start < 0 {
			r.Start, began = Cursor(e.Pos), e.Time
		}
		r.To, last = Cursor(e.Next), e.Time
		switch {
		case e.Begin != nil:
			r.Outcome, r.File = OutcomeUnknown, cmp.Or(e.Begin.File, e.Begin.Script)
		case e.End != nil:
			r.Outcome, r.Count, r.ErrorName = Outcome(e.End.Outcome), e.End.ExecutionCount, e.End.Ename
		}
	}
	if r.Start < 0 {
		return nil
	}
	r.Elapsed = last.Sub(began)
	if r.Outcome == OutcomeUnknown && reader.Writing() {
		r.State, r.Elapsed = StateRunning, time.Since(began)
	}
	r.From = max(since, r.Start)
	r.Outputs = pastOutputs(reader, id, record.Position(r.From), record.Position(r.To))
	return p
}

// pastOutputs yields outputs, those of a notebook's cell after a line that names it.
func pastOutputs(reader *record.Reader, id string, from, to record.Position) iter.Seq2[jupyter.Output, error] {
	return func(yield func(jupyter.Output, error) bool) {
		cell := 0
		for e, err := range reader.Read(id, from, to) {
			switch {
			case err != nil:
				if !yield(jupyter.Output{}, err) {
					return
				}
			case e.Begin != nil:
				cell = e.Begin.Cell
			case e.Output != nil:
				if cell != 0 && !yield(jupyter.Output{Type: jupyter.OutputCell, Text: jupyter.TextValue(notebook.CellName(cell, 0))}, nil) {
					return
				}
				cell = 0
				if !yield(*e.Output, nil) {
					return
				}
			}
		}
	}
}
