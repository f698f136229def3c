package render

import (
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// Result is the part of an answer that shows what a run put out.
type Result struct {
	// Blocks holds text and images in order of arrival: one text block when
	// there is no image, none at all when there is nothing to show.
	Blocks []Block
	// Characters is the number of runes of text in Blocks.
	Characters int
	// Cut says that text was left out; a line of the text says how much.
	Cut bool
	// Images are in Blocks; others are only named in the text.
	Images int
}

// Block is text, or an image with its MIME type.
type Block struct {
	Text  string
	Image []byte
	MIME  string
}

// Options are what rendering needs to know of the run.
type Options struct {
	// ReadOn says how to read what is cut; it is put into the line that
	// states the cut.
	ReadOn string
	// Reserve is the number of characters the caller adds to the answer.
	Reserve int
	// Images bounds how many big pictures are decoded at the same time; nil
	// does not.
	Images *Gate
	// Cell returns the execution count of the cell that ipykernel has compiled as
	// FILE.py, 0 for others; nil knows none.
	Cell func(file string) int
}

// Render shows outputs within b. It reads outputs once and keeps only the
// beginning and the end of them, so its memory does not grow with their size.
// An error that outputs yields is shown as a notice.
func Outputs(outputs iter.Seq2[jupyter.Output, error], b Budget, opts Options) Result {
	r := &renderer{
		budget:   b,
		options:  opts,
		text:     newCollector(b.Characters),
		displays: map[string][]*piece{},
	}
	for o, err := range outputs {
		if err != nil {
			r.notice(fmt.Sprintf("some output could not be read: %v", err))
			continue
		}
		r.output(&o)
	}
	return r.finish()
}

// renderer is the state of one Render.
type renderer struct {
	budget  Budget
	options Options

	text     *collector
	streams  []*stream           // the one written last is the last
	displays map[string][]*piece // display id → where it is shown
	forgetAt int                 // number of displays at which dropped ones are forgotten
	clearing map[string]bool     // comm → the next output clears

	shown      []*picture // those that may be sent, in order of arrival
	imagesSeen int
	keptSeen   int      // of images: those of earlier cells
	newest     *piece   // that was added last, nil when a stream has been written to since
	failed     *piece   // it, when it is an error
	last       *picture // the image before, while it is in the answer
	lastHash   [32]byte

	buffer []byte // for what is read from files
}

// stream is one of the two streams, of the cell or of a widget.
type stream struct {
	name, comm string
	screen     *terminal
	warnings   warningFilter
	faults     faultFilter
	put        func(text []byte)
}

// finish lets out what the stream holds back.
func (s *stream) finish() {
	s.screen.finish()
	for _, rest := range [][]byte{s.warnings.rest(), s.faults.rest()} {
		if len(rest) > 0 {
			s.put(rest)
		}
	}
}

func (r *renderer) output(o *jupyter.Output) {
	switch o.Type {
	case jupyter.OutputClear:
		if !o.Wait {
			r.clear(o.CommID)
			return
		}
		if len(r.clearing) >= maxStreams || r.clearing == nil {
			r.clearing = map[string]bool{}
		}
		r.clearing[o.CommID] = true
		return
	case jupyter.OutputNotice:
		r.notice(r.bounded(o.Text, 2000))
		return
	case jupyter.OutputCell:
		r.cell(r.bounded(o.Text, 200))
		return
	case jupyter.OutputUpdateDisplay: // does not consume a clear_output(wait=True)
		r.update(o)
		return
	}
	if r.clearing[o.CommID] {
		delete(r.clearing, o.CommID)
		r.clear(o.CommID)
	}
	switch o.Type {
	case jupyter.OutputStream:
		r.write(o)
	case jupyter.OutputDisplayData, jupyter.OutputExecuteResult:
		r.display(o)
	case jupyter.OutputError:
		r.finishStreams()
		r.fail(o)
	case jupyter.OutputPage:
		r.labeled(o, "[pager]\n"+r.bounded(o.Text, r.budget.Characters))
	case jupyter.OutputNextInput:
		r.labeled(o, "[next input proposed by the code]\n"+r.bounded(o.Text, r.budget.Characters))
	case jupyter.OutputInputRequest:
		r.labeled(o, inputLine(o))
	default:
		r.labeled(o, fmt.Sprintf("[unknown output %.40q]", o.Type))
	}
}

// fail shows an error. IPython asks an object for several representations, and shows
// the error of each.
func (r *renderer) fail(o *jupyter.Output) {
	text := r.traceback(o)
	if text == "" || r.failed != nil && string(r.failed.text) == text {
		return
	}
	r.labeled(o, text)
	r.failed = r.newest
}

func inputLine(o *jupyter.Output) string {
	kind := "[input asked for]"
	if o.Password {
		kind = "[input asked for, hidden]"
	}
	return strings.TrimSpace(kind + " " + Text(o.Prompt, 1000))
}

func (r *renderer) labeled(o *jupyter.Output, text string) {
	r.add(&piece{comm: o.CommID, text: []byte(text), labeled: true})
}

// Bounds on what is remembered beside the text itself.
const (
	maxStreams  = 32
	maxDisplays = 1000
)

// notice adds a sentence of ours. The code cannot clear it.
func (r *renderer) notice(text string) {
	text = strings.ReplaceAll(strings.TrimSpace(text), "\n", " ")
	r.add(&piece{text: []byte("[notice] " + text), labeled: true, sticky: true})
}

// cell begins the output of another cell of a notebook, which cannot clear what is
// above it.
func (r *renderer) cell(name string) {
	r.finishStreams()
	r.text.keep()
	r.clearing, r.last = nil, nil
	r.keptSeen = r.imagesSeen
	r.text.add(&piece{text: []byte("[" + name + "]"), labeled: true, sticky: true})
}

// add appends a display's piece after what the streams have shown so far.
func (r *renderer) add(p *piece) {
	r.finishStreams()
	r.text.add(p)
	r.newest, r.failed = p, nil
}

func (r *renderer) finishStreams() {
	for _, s := range r.streams {
		s.finish()
	}
}

// write feeds a piece of a stream to its terminal.
func (r *renderer) write(o *jupyter.Output) {
	s := r.stream(o.Name, o.CommID)
	r.newest, r.failed = nil, nil
	if o.Text.Path == "" {
		_, _ = s.screen.Write(o.Text.Inline)
		return
	}
	file, err := o.Text.Open()
	if err == nil {
		defer file.Close()
		if r.buffer == nil {
			r.buffer = make([]byte, 64<<10)
		}
		// Without its WriteTo, which would take new memory for each file.
		_, err = io.CopyBuffer(s.screen, struct{ io.Reader }{file}, r.buffer)
	}
	if err != nil {
		r.notice(fmt.Sprintf("some output could not be read: %v", err))
	}
}

// stream returns the stream's state and settles the one written before it.
func (r *renderer) stream(name, comm string) *stream {
	if name != "stderr" {
		name = "stdout"
	}
	n := len(r.streams)
	if n > 0 && r.streams[n-1].name == name && r.streams[n-1].comm == comm {
		return r.streams[n-1]
	}
	if n > 0 {
		r.streams[n-1].screen.settle()
	}
	for i, s := range r.streams {
		if s.name == name && s.comm == comm {
			r.streams = append(slices.Delete(r.streams, i, i+1), s)
			return s
		}
	}
	if n >= maxStreams { // a flood of widgets
		r.streams[0].finish()
		r.streams = slices.Delete(r.streams, 0, 1)
	}
	s := &stream{name: name, comm: comm}
	s.put = func(text []byte) { r.text.write(name, comm, cellNames(text, r.options.Cell, name == "stderr")) }
	s.screen = newTerminal(func(text []byte) {
		if name == "stderr" {
			text = s.warnings.filter(s.faults.filter(text))
		}
		s.put(text)
	})
	r.streams = append(r.streams, s)
	return s
}

// clear carries out a clear_output. A widget's clears what the widget
// captured, never the cell's own output.
func (r *renderer) clear(comm string) {
	for _, s := range r.streams {
		if comm == "" || s.comm == comm {
			s.finish()
			s.warnings = warningFilter{}
		}
	}
	cleared := r.text.clear(comm)
	r.shown = slices.DeleteFunc(r.shown, func(pic *picture) bool { return pic.owner.dropped })
	r.last = nil
	if comm == "" {
		r.imagesSeen = r.keptSeen
	}
	if comm == "" && cleared && !slices.ContainsFunc(r.text.head, func(p *piece) bool { return p.sticky && string(p.text) == clearedLine }) {
		r.text.add(&piece{text: []byte(clearedLine), labeled: true, sticky: true})
	}
}

const clearedLine = "[cleared: the code removed the output before this]"

// finish lays the answer out.
func (r *renderer) finish() Result {
	for _, s := range r.streams {
		s.finish()
		if line := s.warnings.summary(); line != "" {
			r.text.add(&piece{text: []byte(line), labeled: true})
		}
	}
	imageBytes := r.fitPictures()
	chars := r.budget.chars(r.countImages()) - r.options.Reserve
	note := func(gone size) string { return cutNote(gone, r.options.ReadOn) }
	var p page
	for range 8 {
		p = layout(r.text, max(chars, 200), note)
		have, room, long := r.budget.tooLong(p.lines, imageBytes)
		if !long {
			break
		}
		chars = min(chars, total(p.lines)) * room / (have + 1) * 19 / 20
	}
	return r.blocks(p)
}

// blocks puts lines together: text up to an image, the image, and so on.
func (r *renderer) blocks(p page) Result {
	out := Result{Cut: p.cut.chars > 0}
	var text strings.Builder
	flush := func() {
		if s := strings.TrimRight(text.String(), "\n"); s != "" {
			out.Blocks = append(out.Blocks, Block{Text: s})
			out.Characters += utf8.RuneCountInString(s)
		}
		text.Reset()
	}
	for _, l := range p.lines {
		text.WriteString(l.text)
		text.WriteByte('\n')
		if l.picture == nil {
			continue
		}
		if l.picture.data == nil {
			continue
		}
		flush()
		out.Blocks = append(out.Blocks, Block{Image: l.picture.data, MIME: l.picture.mime})
		out.Images++
	}
	flush()
	return out
}

// lineOverhead is room in an encoded line for the JSON around the blocks and
// the caller's own lines.
const lineOverhead = 8 << 10

// encodedSize returns the length of the lines in JSON, as encoding/json
// escapes them when it escapes HTML too (the longest form).
func encodedSize(lines []shownLine) int {
	n := 0
	for i := range lines {
		n += 2
		for _, c := range lines[i].text {
			switch {
			case c == '"' || c == '\\' || c == '\t' || c == '\n':
				n += 2
			case c < ' ' || c == '<' || c == '>' || c == '&' || c == 0x2028 || c == 0x2029:
				n += 6
			default:
				n += utf8.RuneLen(c)
			}
		}
	}
	return n
}
