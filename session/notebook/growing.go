package notebook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// Growing is a session's story while it goes on: what its kernels record is taken in
// piece by piece, and only cells that have changed are encoded again. It holds where
// things are in the records, not what they are. It is for one goroutine.
type Growing struct {
	// Content is as in [Story].
	Content func(path string) (text string, changed time.Time, ok bool)

	session string
	limit   int64
	story   Story // with the first run alone
	parts   []*growingPart
	before  *part // of the last run that was no kernel's of its own
	cells   []*growingCell
	used    map[string]bool
	runs    int
	environments
}

// growingPart is a kernel whose record may still be written.
type growingPart struct {
	part
	ended    func() bool
	at       record.Position         // what was read
	brief    bool                    // outputs were left out just now
	open     map[string]*growingCell // by execution: what its next entry belongs to
	displays map[string]*growingDisplay
}

// growingDisplay is what was displayed with an id.
type growingDisplay struct {
	last    record.Position // of its last form
	updated bool            // that is not its first
	cells   []*growingCell  // that show it
}

// growingCell is one that is there: a mark, or a run.
type growingCell struct {
	mark    *Cell
	id      string
	run     *Run // without its code
	of      *growingPart
	own     int64 // bytes of its entries, about
	text    int64 // bytes of text beside them, in files
	shows   []string
	changed bool
}

// Grow returns a story without cells. limit bounds what a cell's outputs hold, in bytes.
func Grow(session string, limit int64) *Growing {
	return &Growing{session: session, limit: limit, story: Story{Session: session}, used: map[string]bool{}}
}

// Follow adds the cells that a kernel will record. fresh says that it is one of a
// single run; ended reports whether nothing more is written to the record.
func (g *Growing) Follow(source Source, info record.Info, fresh bool, ended func() bool) {
	g.parts = append(g.parts, &growingPart{
		part:     part{session: g.session, info: info, reader: source, fresh: fresh, living: true},
		ended:    ended,
		open:     map[string]*growingCell{},
		displays: map[string]*growingDisplay{},
	})
}

// Followed reports whether a kernel's record may still be written.
func (g *Growing) Followed() bool { return len(g.parts) > 0 }

// Unfinished is the first of the cells before written, but not before first, from which
// on all have changed since they were written, or have runs that go on.
func (g *Growing) Unfinished(first, written int) int {
	for written > first {
		if c := g.cells[written-1]; !c.changed && (c.run == nil || c.run.End != nil || !c.run.Living) {
			break
		}
		written--
	}
	return written
}

// Read takes in what has been recorded since, and reports whether a cell changed.
func (g *Growing) Read() bool {
	known, changed := len(g.cells), false
	g.parts = slices.DeleteFunc(g.parts, func(p *growingPart) bool {
		over := p.ended() // first: what is written before is read below
		changed = g.readPart(p) || changed
		if over {
			changed = p.close() || changed
		}
		return over
	})
	slices.SortStableFunc(g.cells[known:], func(a, b *growingCell) int { return a.run.Started.Compare(b.run.Started) })
	g.place(known)
	return changed
}

// What is read of a record at once: of more than floodBytes that were written since
// the last time only what begins and ends runs, and the last floodEnd bytes.
const (
	floodBytes = 16 << 20
	floodEnd   = 2 << 20
)

func (g *Growing) readPart(p *growingPart) (changed bool) {
	tail := p.reader.Tail()
	if brief, ok := p.reader.(briefSource); ok && tail-p.at > floodBytes {
		p.brief = true
		g.take(p, brief.ReadBrief(p.at, tail-floodEnd))
		p.at, changed = tail-floodEnd, true
	}
	if p.at >= tail {
		return changed
	}
	g.take(p, p.reader.Read("", p.at, tail))
	p.at, p.brief = tail, false
	return true
}

// briefSource can tell what begins and ends runs without reading the outputs.
type briefSource interface {
	ReadBrief(from, to record.Position) record.Entries
}

// take takes in entries.
func (g *Growing) take(p *growingPart, entries record.Entries) {
	for e, err := range entries {
		if err != nil || e.Exec == "" {
			continue // a cell that lacks it says so
		}
		c := p.open[e.Exec]
		if e.Begin != nil {
			begin := *e.Begin
			begin.Code = ""
			c = &growingCell{of: p, run: &Run{ID: e.Exec, Begin: begin, Started: e.Time, part: &p.part, from: e.Pos, Living: true}}
			p.open[e.Exec] = c
			g.cells = append(g.cells, c)
		}
		if c == nil {
			continue
		}
		if e.End != nil {
			c.run.End, c.run.Ended = e.End, e.Time
		}
		if e.Output != nil && e.Output.DisplayID != "" {
			p.note(c, e.Output, e.Pos)
		}
		c.grow(e, p.brief)
	}
}

// grow notes how much an entry adds; brief says that some may have been left out before.
func (c *growingCell) grow(e record.Entry, brief bool) {
	from := e.Pos
	if brief && c.run.to > 0 {
		from = c.run.to
	}
	c.own += int64(e.Next - from)
	if e.Output != nil && e.Output.Text.Path != "" {
		c.text += e.Output.Text.Size
	}
	c.run.to, c.changed = e.Next, true
}

// note takes a display with an id into account: it changes wherever that is shown.
func (p *growingPart) note(c *growingCell, o *jupyter.Output, at record.Position) {
	d := p.displays[o.DisplayID]
	if d == nil {
		d = &growingDisplay{}
		p.displays[o.DisplayID] = d
	} else {
		d.updated = true
	}
	d.last = at
	for _, other := range d.cells {
		other.changed = true
	}
	if o.Type != jupyter.OutputUpdateDisplay && !slices.Contains(d.cells, c) {
		d.cells = append(d.cells, c)
		c.shows = append(c.shows, o.DisplayID)
	}
}

// close notes that nothing more comes: what has not ended never will.
func (p *growingPart) close() (changed bool) {
	for _, c := range p.open {
		if c.run.Living = false; c.run.End == nil {
			c.changed, changed = true, true
		}
	}
	p.living, p.open = false, nil
	return changed
}

// place gives the cells from i on their ids, and puts marks before them where
// variables were lost.
func (g *Growing) place(i int) {
	added := slices.Clone(g.cells[i:])
	g.cells = g.cells[:i]
	for _, c := range added {
		if g.runs++; g.runs == 1 {
			g.story.Runs = []*Run{c.run}
		}
		if mark := g.story.mark(g.before, c.run); mark != nil {
			mark.ID = unused(g.used, mark.ID)
			g.cells = append(g.cells, &growingCell{mark: mark, changed: true})
		}
		if !c.run.part.fresh {
			g.before = c.run.part
		}
		if g.before == c.run.part || g.python == "" {
			g.add(c.run.part.info)
		}
		c.id = unused(g.used, cellID(c.run))
		g.cells = append(g.cells, c)
	}
}

// Span is where a cell's text lies in a notebook.
type Span struct{ From, To int64 }

// Write writes the cells from first on as a notebook, under a heading that ends with
// words; about is what the notebook's metadata says besides. A cell that has not
// changed since it was written is asked of kept, which writes what it finds there or
// returns false. Written must follow when the notebook is in its place.
func (g *Growing) Write(w io.Writer, first int, words string, about map[string]any, kept func(i int, w io.Writer) (bool, error)) ([]Span, error) {
	out := &writer{w: &counter{w: w}}
	out.begin()
	g.story.Content = g.Content
	out.cell(g.story.heading(words))
	var spans []Span
	for i := first; i < len(g.cells) && out.err == nil; i++ {
		out.text(",\n  ")
		from := out.w.(*counter).n
		found := false
		if !g.cells[i].changed {
			found, out.err = kept(i, out.w)
		}
		if !found {
			g.encode(out, g.cells[i])
		}
		spans = append(spans, Span{from, out.w.(*counter).n})
	}
	about["session"], about["runs"] = g.session, g.runs
	return spans, out.end(g.metadata(about), nil)
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// Written notes that all cells are written as they are.
func (g *Growing) Written() {
	for _, c := range g.cells {
		c.changed = false
	}
}

// encode writes one cell. What cannot be read of it a line in it says.
func (g *Growing) encode(out *writer, c *growingCell) {
	raw, err := g.encoded(c, g.limit)
	if err != nil {
		cell := g.story.cellOf(c.run, []jupyter.Output{{Type: jupyter.OutputStream, Name: "stderr",
			Text: jupyter.TextValue("[the outputs are missing: " + err.Error() + "]\n")}})
		cell.ID = c.id
		raw, err = cell.encode()
	}
	if err != nil && out.err == nil {
		out.err = err
	}
	if out.err == nil {
		out.indented(raw, "  ")
	}
}

func (g *Growing) encoded(c *growingCell, limit int64) (json.RawMessage, error) {
	if c.mark != nil {
		return c.mark.encode()
	}
	run, area := *c.run, NewArea(limit, c.run.where())
	for _, r := range c.ranges() {
		area.Skip(r.skipped)
		if err := c.read(r, &run, area); err != nil {
			return nil, err
		}
	}
	cell := g.story.cellOf(&run, area.Outputs(c.displays()))
	cell.ID = c.id
	return cell.encode()
}

// read adds a range of the run's entries. Of much text in files only the beginning and
// the end are read.
func (c *growingCell) read(r entryRange, run *Run, area *Area) error {
	var seen int64 // bytes of text in files
	for e, err := range run.part.reader.Read(run.ID, r.from, r.to) {
		switch {
		case errors.As(err, new(*record.BadLineError)) || errors.As(err, new(*record.DroppedError)):
			continue
		case err != nil:
			return err
		case e.Begin != nil && e.Pos == run.from:
			run.Begin.Code = e.Begin.Code
		}
		if e.Output == nil {
			continue
		}
		if e.Output.Text.Path != "" {
			seen += e.Output.Text.Size
			if seen > most-end && c.text-seen > end {
				area.Skip(e.Output.Text.Size)
				continue
			}
		}
		if err := area.add(e.Output); err != nil {
			return err
		}
	}
	return nil
}

// most bounds the entries that are read of one run, in bytes, and end what of it is
// from its end: a run that writes on and on is read again and again.
const (
	most = 6 << 20
	end  = 4 << 20
)

// entryRange is a piece of a run's entries, with what was left out before it.
type entryRange struct {
	from, to record.Position
	skipped  int64
}

func (c *growingCell) ranges() []entryRange {
	from, to := c.run.from, c.run.to
	if c.own <= most || to-from <= most {
		return []entryRange{{from: from, to: to}}
	}
	return []entryRange{{from: from, to: from + most - end}, {from: to - end, to: to, skipped: int64(to-from) - most}}
}

// displays are the last forms of what the cell shows and somebody has updated.
func (c *growingCell) displays() Displays {
	all := Displays{}
	for _, id := range c.shows {
		d := c.of.displays[id]
		if d == nil || !d.updated {
			continue
		}
		for e := range c.of.reader.Read("", d.last, d.last+1) {
			if e.Output != nil {
				all.Note(e.Output)
			}
		}
	}
	return all
}

// ContinuedWords are the heading's words of a notebook that goes on where another
// ended; "" is one that begins.
func ContinuedWords(other string) string {
	words := "Kept up to date by mcp-code-executor while the session runs. If you change this file, the session goes on in another one."
	if other != "" {
		words += fmt.Sprintf("\n\nThis goes on where %s ended, which somebody has changed.", codeSpan(other))
	}
	return words
}
