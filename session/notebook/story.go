package notebook

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// Range says which runs are wanted. The zero value wants all.
type Range struct {
	// Prefix is the first half of the ids; "" is any.
	Prefix string
	// First and Last are numbers of ids, both included; 0 sets no bound.
	First, Last int
	// Session names the session; "" is that of the first run.
	Session string
	// DropFailed leaves out runs that did not end well.
	DropFailed bool
}

// ParseRange reads an id, a range "xn8u-3..xn8u-9", "xn8u-3.." or "..xn8u-9", or the
// first half of ids alone.
func ParseRange(text string) (Range, error) {
	wrong := fmt.Errorf("%q is no id and no range of ids: send one such as xn8u-3 or xn8u-3..xn8u-9", text)
	from, to, isRange := strings.Cut(strings.ReplaceAll(text, " ", ""), "..")
	if !isRange {
		to = from
	}
	var r Range
	for i, end := range []string{from, to} {
		if end == "" {
			continue
		}
		prefix, number, ok := SplitID(end)
		if !ok || r.Prefix != "" && prefix != "" && prefix != r.Prefix {
			return Range{}, wrong
		}
		r.Prefix = cmp.Or(prefix, r.Prefix)
		if i == 0 {
			r.First = number
		} else {
			r.Last = number
		}
	}
	if r.Prefix == "" || r.Last > 0 && r.First > r.Last {
		return Range{}, wrong
	}
	return r, nil
}

// SplitID takes an id apart: the half that its server has claimed, and the number.
// A number alone has no first half, a half alone the number 0.
func SplitID(id string) (prefix string, number int, ok bool) {
	prefix, digits, both := strings.Cut(id, "-")
	if n, err := strconv.Atoi(prefix); err == nil && !both {
		return "", n, n > 0
	}
	if prefix == "" || len(prefix) > 16 {
		return "", 0, false
	}
	if !both {
		return prefix, 0, true
	}
	n, err := strconv.Atoi(digits)
	return prefix, n, err == nil && n > 0
}

func (r Range) has(id string) bool {
	prefix, n, ok := SplitID(id)
	if !ok || r.Prefix != "" && prefix != r.Prefix {
		return false
	}
	return n >= r.First && (r.Last == 0 || n <= r.Last)
}

// Run is one run of code, or one cell of a notebook that was run.
type Run struct {
	ID             string
	Begin          record.Begin
	Started, Ended time.Time
	// End is nil while the run goes on, or when nobody knows how it ended.
	End *record.End
	// Living says that its kernel's record is still written.
	Living bool

	part     *part
	from, to record.Position // of its entries
}

// Outcome is how the run ended, in a word: "unknown" when its server died, "running".
func (r *Run) Outcome() string {
	switch {
	case r.End != nil:
		return r.End.Outcome
	case r.Living:
		return "running"
	}
	return "unknown"
}

// Failed reports whether the run did not end well.
func (r *Run) Failed() bool { return r.Outcome() != "ok" && r.Outcome() != "running" }

// Source is what a story is read from: a [record.Reader], or a [record.Record] that is
// still written.
type Source interface {
	Dir() string
	Tail() record.Position
	Read(exec string, from, to record.Position) iter.Seq2[record.Entry, error]
}

// part is what one kernel process ran.
type part struct {
	info     record.Info
	session  string
	reader   Source
	fresh    bool // a kernel of one run
	displays Displays
	living   bool
}

// Story is what a session ran, in the kernels of one or more records.
type Story struct {
	Session string
	Runs    []*Run
	// Problems say what of the records could not be read.
	Problems []string
	// Exported is when the story was read.
	Exported time.Time
	// Content returns what a code file holds now, and when it was changed last; it may
	// be nil. Records do not have it.
	Content func(path string) (text string, changed time.Time, ok bool)
}

// Tell reads the runs in records, which must stay open as long as the story is used.
func Tell(records []*record.Reader, wanted Range) (*Story, error) {
	s := &Story{Exported: time.Now()}
	for _, r := range records {
		info := r.Info()
		name, fresh := FreshOf(info.Session)
		if wanted.Session != "" && name != wanted.Session {
			continue
		}
		p := &part{session: name, info: info, reader: r, fresh: fresh, displays: Displays{}, living: r.Writing()}
		if err := s.read(p, wanted); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(s.Runs, func(a, b *Run) int { return a.Started.Compare(b.Started) })
	if s.Session = wanted.Session; s.Session == "" && len(s.Runs) > 0 {
		s.Session = s.Runs[0].part.session
		s.Runs = slices.DeleteFunc(s.Runs, func(r *Run) bool { return r.part.session != s.Session })
	}
	return s, nil
}

// FreshOf tells the session for which a kernel of one run was started, by the name
// in its record.
func FreshOf(session string) (name string, fresh bool) {
	return strings.CutSuffix(session, FreshSuffix)
}

// FreshSuffix ends the name of a session that is a kernel of one run.
const FreshSuffix = " (fresh kernel)"

// maxProblems bounds what is said of one record.
const maxProblems = 8

// read adds the wanted runs of one record.
func (s *Story) read(p *part, wanted Range) error {
	open, problems := map[string]*Run{}, 0
	end := record.Position(0)
	for e, err := range p.reader.Read("", 0, -1) {
		end = e.Next
		if err != nil {
			var line *record.BadLineError
			if !errors.As(err, &line) && e.Next == 0 {
				return err
			}
			if problems++; problems <= maxProblems {
				s.Problems = append(s.Problems, fmt.Sprintf("%s: %v; what follows it is here", p.reader.Dir(), err))
			}
			continue
		}
		if e.Output != nil {
			p.displays.Note(e.Output)
		}
		if e.Exec != "" && wanted.has(e.Exec) {
			s.take(p, open, e)
		}
	}
	if torn := p.reader.Tail() - end; torn > 0 && !p.living {
		s.Problems = append(s.Problems, fmt.Sprintf("%s: the last %d bytes are an entry that was not written whole; it is left out", p.reader.Dir(), torn))
	}
	if wanted.DropFailed {
		s.Runs = slices.DeleteFunc(s.Runs, (*Run).Failed)
	}
	return nil
}

// take adds an entry of a run.
func (s *Story) take(p *part, open map[string]*Run, e record.Entry) {
	run := open[e.Exec]
	switch {
	case e.Begin != nil:
		run = &Run{ID: e.Exec, Begin: *e.Begin, Started: e.Time, part: p, from: e.Pos, Living: p.living}
		open[e.Exec] = run
		s.Runs = append(s.Runs, run)
	case run == nil:
		return // its beginning is damaged, or it is of something that did not run
	case e.End != nil:
		run.End, run.Ended = e.End, e.Time
	}
	run.to = e.Next
}

// where says where the run's output can be read.
func (r *Run) where() string {
	words := fmt.Sprintf("get_execution id=%s with lines or pattern reads it", r.ID)
	if dir := r.part.reader.Dir(); dir != "" { // else the disk failed
		words += "; it is in " + dir
	}
	return words
}

// outputs are what the run has shown in the end.
func (r *Run) outputs(limit int64) ([]jupyter.Output, error) {
	area := NewArea(limit, r.where())
	for e, err := range r.part.reader.Read(r.ID, r.from, r.to) {
		if err != nil {
			var line *record.BadLineError
			if errors.As(err, &line) {
				continue // told by Problems
			}
			return nil, err
		}
		if e.Output == nil {
			continue
		}
		if err := area.add(e.Output); err != nil {
			return nil, err
		}
	}
	return area.Outputs(r.part.displays), nil
}

// add is Add; of an output that cannot be read a notice says so.
func (a *Area) add(o *jupyter.Output) error {
	err := a.Add(o)
	if err == nil {
		return nil
	}
	missing := jupyter.Output{Type: jupyter.OutputNotice, Text: jupyter.TextValue("an output is missing: " + err.Error())}
	return a.Add(&missing)
}
