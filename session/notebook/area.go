package notebook

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

const (
	// maxValue bounds one value that is written, in bytes.
	maxValue = 256 << 20
	// exportCell bounds the text, and the other values, of one exported cell.
	exportCell = 64 << 20
	// maxItems bounds the outputs of one cell.
	maxItems = 20_000
)

// Area is what is below one cell: the outputs of its run, as a frontend shows them
// when the run is over. It is for one goroutine.
type Area struct {
	limit    int64  // of text, and of all other values, in bytes
	where    string // the rest can be read
	items    []*item
	clearing map[string]bool // by the widget that captures: clear when the next output comes
	size     int64           // of values that are no stream's
	dropped  int64           // bytes of outputs that found no place at all

}

type item struct {
	out    jupyter.Output
	screen *screen
}

// NewArea returns an empty area. limit bounds its text, and its other values, in
// bytes; where says where the rest can be read.
func NewArea(limit int64, where string) *Area {
	return &Area{limit: limit, where: where, clearing: map[string]bool{}}
}

// Add adds an output of the run. The error is one of reading a value.
func (a *Area) Add(o *jupyter.Output) error {
	switch o.Type {
	case jupyter.OutputUpdateDisplay, jupyter.OutputNextInput:
		return nil // displays get their last form when the area is read
	case jupyter.OutputClear:
		if o.Wait {
			a.clearing[o.CommID] = true
			return nil
		}
		a.clear(o.CommID)
		return nil
	}
	if a.clearing[o.CommID] {
		a.clear(o.CommID)
	}
	switch o.Type {
	case jupyter.OutputStream:
		return a.stream(o.Name, o)
	case jupyter.OutputNotice:
		return a.note(o, "[notice: ", "]\n")
	case jupyter.OutputInputRequest:
		prompt := *o
		prompt.Text = jupyter.TextValue(o.Prompt + "\n")
		return a.stream("stdout", &prompt)
	case jupyter.OutputPage:
		page := jupyter.Output{Type: jupyter.OutputDisplayData, CommID: o.CommID, Data: map[string]jupyter.Value{"text/plain": o.Text}}
		a.display(&page)
	case jupyter.OutputDisplayData, jupyter.OutputExecuteResult:
		if _, ours := o.Data[jupyter.NoteType]; !ours {
			a.display(o)
		}
	case jupyter.OutputError:
		a.items = append(a.items, &item{out: *o})
	}
	return nil
}

// note is a sentence of the server's own among the outputs.
func (a *Area) note(o *jupyter.Output, before, after string) error {
	text, err := o.Text.Bytes(64 << 10)
	if err != nil {
		return err
	}
	said := jupyter.Output{CommID: o.CommID, Text: jupyter.TextValue(before + string(text) + after)}
	return a.stream("stderr", &said)
}

func (a *Area) clear(comm string) {
	delete(a.clearing, comm)
	kept := a.items[:0]
	for _, i := range a.items {
		if i.out.CommID != comm {
			kept = append(kept, i)
			continue
		}
		if i.screen == nil {
			a.size -= sizeOf(&i.out)
		}
	}
	clear(a.items[len(kept):])
	a.items = kept
}

// stream adds text to a stream's last output, or begins one.
func (a *Area) stream(name string, o *jupyter.Output) error {
	name = cmp.Or(name, "stdout")
	var last *item
	if n := len(a.items); n > 0 {
		last = a.items[n-1]
	}
	if last == nil || last.screen == nil || last.out.Name != name || last.out.CommID != o.CommID {
		room := a.room()
		if room == 0 || len(a.items) >= maxItems {
			a.dropped += o.Text.Size
			return nil
		}
		last = &item{out: jupyter.Output{Type: jupyter.OutputStream, Name: name, CommID: o.CommID}, screen: &screen{limit: int(room)}}
		a.items = append(a.items, last)
	}
	if o.Text.Path == "" {
		last.screen.write(o.Text.Inline)
		return nil
	}
	r, err := o.Text.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	return last.screen.copyFrom(r)
}

// room is how much more text the area takes.
func (a *Area) room() int64 {
	left := a.limit
	for _, i := range a.items {
		if i.screen != nil {
			left -= int64(len(i.screen.text))
		}
	}
	return max(left, 0)
}

func sizeOf(o *jupyter.Output) int64 {
	var n int64
	for _, v := range o.Data {
		n += v.Size
	}
	return n
}

// display adds a display.
func (a *Area) display(o *jupyter.Output) {
	if len(a.items) >= maxItems {
		a.dropped += sizeOf(o)
		return
	}
	out, fits := a.fitted(o, a.size)
	if fits {
		a.size += sizeOf(o)
	}
	a.items = append(a.items, &item{out: out})
}

// Skip says that some bytes of the run's output were not read.
func (a *Area) Skip(n int64) { a.dropped += n }

// fitted is a display beside others of some bytes: one that does not fit keeps its
// plain text.
func (a *Area) fitted(o *jupyter.Output, used int64) (out jupyter.Output, fits bool) {
	out = *o
	if used+sizeOf(o) <= a.limit {
		return out, true
	}
	var left []string
	out.Data = maps.Clone(o.Data)
	for mime, v := range o.Data {
		if mime != "text/plain" || v.Size > 64<<10 {
			delete(out.Data, mime)
			left = append(left, fmt.Sprintf("%s (%s)", mime, byteSize(v.Size)))
		}
	}
	text, _ := out.Data["text/plain"].Bytes(64 << 10)
	out.Data["text/plain"] = jupyter.TextValue(strings.TrimSpace(string(text) + fmt.Sprintf("\n[cut: %s; %s]", strings.Join(sorted(left), ", "), a.where)))
	return out, false
}

// Outputs are what the area shows in the end. displays has the last form of what was
// displayed with an id: it is shown wherever that id is, as in every frontend.
func (a *Area) Outputs(displays Displays) []jupyter.Output {
	var all []jupyter.Output
	for _, i := range a.items {
		out := i.out
		switch {
		case i.screen != nil:
			text := string(i.screen.text) + i.screen.cutWords(a.where)
			if text == "" {
				continue
			}
			out.Text = jupyter.TextValue(text)
		case out.DisplayID != "":
			last, ok := displays[out.DisplayID]
			if ok && last.Type == jupyter.OutputUpdateDisplay && sizeOf(&last) == 0 {
				continue // a widget that was closed, which a frontend takes away
			}
			if ok {
				fit, _ := a.fitted(&last, a.size-sizeOf(&out))
				out.Data, out.Metadata, out.Undecoded = fit.Data, fit.Metadata, fit.Undecoded
			}
		}
		all = append(all, out)
	}
	if a.dropped > 0 {
		text := fmt.Sprintf("[cut: %s more; %s]\n", byteSize(a.dropped), a.where)
		all = append(all, jupyter.Output{Type: jupyter.OutputStream, Name: "stderr", Text: jupyter.TextValue(text)})
	}
	return all
}

// Displays are the last forms of what one kernel displayed, by display id.
type Displays map[string]jupyter.Output

// Note takes an output into account.
func (d Displays) Note(o *jupyter.Output) {
	switch o.Type {
	case jupyter.OutputDisplayData, jupyter.OutputUpdateDisplay, jupyter.OutputExecuteResult:
		if o.DisplayID != "" {
			d[o.DisplayID] = *o
		}
	}
}
