package session

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

// Cells is what is told of a notebook's run. Cells are counted from 1, all that its file
// has; one that parameters were put into is [record.ParametersCell], and is not counted.
type Cells struct {
	Number, Total int   // of the cell that runs, or ran last; of all in the notebook
	Ran, Runnable int   // code cells that have ended; those that were to run
	Raised        []int // cells that raised, without ending the run
	// Copy is the notebook with its results, when finished; CopyErr why there is none.
	Copy    string
	CopyErr error
}

// bookRun is a notebook's run. The execution's session.mu protects it.
type bookRun struct {
	Cells
	started time.Time
	first   record.Position // of the first cell
	begins  []cellBegin     // in order
}

// cellBegin is where the entries of a cell begin in the record.
type cellBegin struct {
	number int
	at     record.Position
}

// nextCell returns a channel that is closed when the notebook's next cell begins, nil
// for what is no notebook.
func (e *Execution) nextCell() <-chan struct{} {
	e.session.mu.Lock()
	defer e.session.mu.Unlock()
	if e.request.Notebook == nil {
		return nil
	}
	return e.changedLocked()
}

// nextCellLocked wakes who watches the cell before. The caller must hold session.mu.
func (e *Execution) nextCellLocked() {
	e.wakeLocked()
	for _, w := range e.session.queue.waiting {
		w.wakeLocked() // the next cell may ask something
	}
}

// runNotebook runs the cells of a notebook, one after the other: nothing else runs
// between them. The first cell that raises ends it, unless that is allowed; so does
// whatever stops the execution.
func (s *Session) runNotebook(e *Execution, k *kernel.Kernel, r kernel.Request, made madeFiles) {
	n := e.request.Notebook
	c := &bookRun{started: time.Now()}
	c.Total = n.Total()
	for i := range n.Cells {
		if n.Cells[i].Runs() && n.Number(i) > 0 {
			c.Runnable++
		}
	}
	s.mu.Lock()
	e.book = c
	e.setLocked(StateRunning, "")
	s.mu.Unlock()
	if limit := e.request.Timeout; limit > 0 {
		timer := time.AfterFunc(limit, func() { s.timeOut(e) })
		defer timer.Stop()
	}
	result := kernel.Result{Outcome: kernel.OutcomeOK, Started: c.started}
	for i := range n.Cells {
		if !n.Cells[i].Runs() {
			continue
		}
		if s.stopping(e) {
			result.Outcome, result.Interrupted = kernel.OutcomeInterrupted, true
			break
		}
		r.Cell, r.Code = n.Number(i), n.Cells[i].Source
		running, err := s.beginCell(e, k, r)
		if err != nil && len(c.begins) == 0 {
			s.failed(e, err)
			return
		}
		if err != nil {
			exit := k.Exit()
			result.Outcome, result.Exit = kernel.OutcomeDied, &exit
			break
		}
		r.Refresh, r.Reload = false, nil
		running.Finish()
		result = running.Result()
		if s.endedCell(e, result, n.Cells[i].MayRaise()) {
			break
		}
		result.Outcome = kernel.OutcomeOK
	}
	s.noteFiles(e, made)
	s.keepCopy(e)
	s.conclude(e, k, result)
}

// beginCell hands the next cell to the kernel.
func (s *Session) beginCell(e *Execution, k *kernel.Kernel, r kernel.Request) (*kernel.Execution, error) {
	s.mu.Lock()
	e.book.Number = r.Cell
	s.mu.Unlock()
	running, err := s.begin(e, k, r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := first(running.Range())
	if len(e.book.begins) == 0 {
		e.book.first = at
		e.delivered = Cursor(at)
	}
	e.book.begins = append(e.book.begins, cellBegin{number: r.Cell, at: at})
	return running, nil
}

// stopping reports whether something has stopped the execution between two cells.
func (s *Session) stopping(e *Execution) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(e.stops, func(stop Stop) bool { return stop.By.Interrupts() })
}

// endedCell notes the end of a cell and reports whether it ends the notebook.
func (s *Session) endedCell(e *Execution, r kernel.Result, mayRaise bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := e.book
	if c.Number > 0 {
		c.Ran++
	}
	switch {
	case r.Exit != nil || r.Interrupted || r.ExitStatus != nil:
		return true
	case r.Outcome == kernel.OutcomeOK:
		return false
	case r.Outcome == kernel.OutcomeError && (mayRaise || e.request.GoOn):
		if !mayRaise {
			c.Raised = append(c.Raised, c.Number)
		}
		return false
	}
	return true
}

// keepCopy writes the notebook with its results beside it.
func (s *Session) keepCopy(e *Execution) {
	s.mu.Lock()
	running, path, n, first := e.running, e.request.File, e.request.Notebook, e.book.first
	s.mu.Unlock()
	if running == nil {
		return // no cell has run: it has no results
	}
	_, tail := running.Range()
	err := results(n, running.Record(), e.id, first, tail)
	var file codefile.File
	if err == nil {
		file, err = s.manager.saveBeside(strings.TrimSuffix(path, filepath.Ext(path))+"_executed.ipynb", n.Write)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.book.Copy, e.book.CopyErr = file.Path, err
}

// saveBeside writes a file beside one that was run, in the code storage or the working
// directory. Where nothing can be written there, it goes to the code storage.
func (m *Manager) saveBeside(path string, write func(io.Writer) error) (codefile.File, error) {
	storage, err := m.Storage()
	if err != nil {
		return codefile.File{}, err
	}
	file, err := storage.SaveBeside(path, write)
	if !errors.As(err, new(*codefile.OutsideError)) {
		return file, err
	}
	if dir, err := m.workDir(storage.Dir()); err == nil {
		if work, err := codefile.Open(dir.Path); err == nil {
			defer work.Close()
			if file, err := work.SaveBeside(path, write); err == nil {
				return file, nil
			}
		}
	}
	return storage.SaveBeside(filepath.Base(path), write)
}

// copyCell bounds the outputs of one cell of an executed notebook, in bytes.
const copyCell = 32 << 20

// results puts the results of a run into its notebook, in place of those it had.
func results(n *notebook.Notebook, rec *record.Record, id string, from, to record.Position) error {
	n.ClearOutputs()
	areas, displays := map[*notebook.Cell]*notebook.Area{}, notebook.Displays{}
	var cell *notebook.Cell
	for entry, err := range rec.Read(id, from, to) {
		switch {
		case err != nil:
			continue // what is missing of a damaged record
		case entry.Begin != nil:
			if cell = n.Cell(entry.Begin.Cell); cell != nil {
				areas[cell] = notebook.NewArea(copyCell, fmt.Sprintf("get_execution id=%s with lines or pattern reads it", id))
			}
		case cell == nil:
		case entry.End != nil:
			cell.Count = max(entry.End.ExecutionCount, 0)
		case entry.Output != nil:
			displays.Note(entry.Output)
			if err := areas[cell].Add(entry.Output); err != nil {
				return fmt.Errorf("reading the outputs: %w", err)
			}
		}
	}
	for cell, area := range areas {
		cell.Shown = area.Outputs(displays)
	}
	return nil
}

// reportCellsLocked adds what is known of a notebook. The caller must hold session.mu.
func (e *Execution) reportCellsLocked(r *Report, since Cursor) {
	told := e.book.Cells
	told.Raised = slices.Clone(told.Raised)
	r.Cells = &told
	if e.running == nil {
		return
	}
	r.Elapsed = time.Since(e.book.started)
	if e.state == StateFinished {
		r.Elapsed = e.ended.Sub(e.book.started)
	}
	if since < 0 {
		since = e.delivered
	}
	r.Start = Cursor(e.book.first)
	r.From = max(since, r.Start)
	r.Outputs = e.book.outputs(e.running.Record(), e.id, record.Position(r.From), record.Position(r.To))
}

// outputs yields the outputs of a notebook's run, those of each cell after a line that
// names it. A cell without output is not named.
func (c *bookRun) outputs(rec *record.Record, id string, from, to record.Position) iter.Seq2[jupyter.Output, error] {
	begins, total := slices.Clone(c.begins), c.Total
	return func(yield func(jupyter.Output, error) bool) {
		named := 0
		for entry, err := range outputEntries(rec, id, from, to) {
			at, _ := slices.BinarySearchFunc(begins, entry.Pos, func(b cellBegin, pos record.Position) int { return cmp.Compare(b.at, pos+1) })
			if at > 0 && begins[at-1].number != named {
				named = begins[at-1].number
				mark := jupyter.Output{Type: jupyter.OutputCell, Text: jupyter.TextValue(notebook.CellName(named, total))}
				if !yield(mark, nil) {
					return
				}
			}
			out := jupyter.Output{}
			if entry.Output != nil {
				out = *entry.Output
			}
			if !yield(out, err) {
				return
			}
		}
	}
}
