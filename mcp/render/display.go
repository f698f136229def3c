package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// display shows a display or the last expression: one representation, the
// richest a model can read. A display whose id was used before shows its value
// at those places as well (Jupyter's messaging, "display_data").
func (r *renderer) display(o *jupyter.Output) {
	p := r.displayPiece(o)
	r.replaceAll(o.DisplayID, p)
	r.show(o.DisplayID, p)
}

// update shows a display's new value where the old ones stand, or, when none of
// them is in this answer, here.
func (r *renderer) update(o *jupyter.Output) {
	p := r.displayPiece(o)
	if r.replaceAll(o.DisplayID, p) || p.empty() {
		return
	}
	p.text = append([]byte("[display updated]\n"), p.text...)
	p.labeled = true
	r.show(o.DisplayID, p)
}

// maxPlaces bounds the places where one display is kept up to date.
const maxPlaces = 16

func (r *renderer) show(id string, p *piece) {
	r.admit(p)
	r.add(p)
	if id == "" {
		return
	}
	if len(r.displays) >= r.forgetAt {
		maps.DeleteFunc(r.displays, func(_ string, places []*piece) bool {
			return !slices.ContainsFunc(places, func(p *piece) bool { return !p.dropped })
		})
		r.forgetAt = 2*len(r.displays) + maxDisplays
	}
	places := slices.DeleteFunc(r.displays[id], func(p *piece) bool { return p.dropped })
	if len(places) >= maxPlaces {
		places = slices.Delete(places, 0, 1)
	}
	r.displays[id] = append(places, p)
}

// replaceAll puts p at each place of the display, and reports whether there is one.
func (r *renderer) replaceAll(id string, p *piece) (replaced bool) {
	if id == "" {
		return false
	}
	for _, old := range r.displays[id] {
		if !old.dropped {
			r.replace(old, p.copy())
			replaced = true
		}
	}
	return replaced
}

// replace puts p where old stands.
func (r *renderer) replace(old, p *piece) {
	r.shown = slices.DeleteFunc(r.shown, func(q *picture) bool { return q.owner == old })
	if slices.Contains(old.pictures, r.last) {
		r.last = nil
	}
	if len(old.pictures) == 1 && len(p.pictures) == 1 {
		p.pictures[0].number = old.pictures[0].number
	}
	before := old.chars
	old.dropped = p.empty() // a progress bar that was to leave nothing
	old.text, old.labeled, old.pictures = p.text, p.labeled, p.pictures
	r.admit(old)
	r.text.resized(old, before)
}

// displayPiece chooses what to show of a MIME bundle.
func (r *renderer) displayPiece(o *jupyter.Output) *piece {
	p := &piece{comm: o.CommID}
	if v, found := o.Data[jupyter.NoteType]; found {
		if p.text = []byte(noteLine(v)); len(p.text) > 0 {
			p.labeled = true
		}
		return p
	}
	if preparesPage(o) {
		p.silent = true
		return p
	}
	label := ""
	if o.Type == jupyter.OutputExecuteResult {
		label = fmt.Sprintf("Out[%d]: ", o.ExecutionCount)
		p.labeled = true
	}
	for _, mime := range []string{"image/png", "image/jpeg", "image/webp", "image/gif"} {
		if v, found := o.Data[mime]; found && !slices.Contains(o.Undecoded, mime) {
			p.pictures = []*picture{{value: v, declared: mime, label: label}}
			p.labeled = true
			return p
		}
	}
	text, ours, pictures := r.bundleText(o)
	if text == "" && len(pictures) > 0 {
		pictures[0].label = label
		p.labeled, p.pictures = true, pictures
		return p
	}
	if label != "" && strings.Contains(text, "\n") {
		label = strings.TrimSuffix(label, " ") + "\n"
	} else if label != "" && !ours {
		// Behind the label it is not the beginning of a line any more.
		text = unescapeFirst(text)
	}
	p.text = []byte(label + text)
	_, p.silent = o.Data["text/html"]
	p.labeled = p.labeled || ours
	p.pictures = pictures
	return p
}

// unescapeFirst takes back the escape of a line that got a label before it.
func unescapeFirst(text string) string {
	if i := strings.IndexByte(text, '\\'); i >= 0 {
		if plain := text[:i] + text[i+1:]; EscapeLine(plain) == text {
			return plain
		}
	}
	return text
}

// bundleText returns the text for a bundle without an image, escaped, whether
// it begins with a line of ours, and the pictures that lie within the text.
func (r *renderer) bundleText(o *jupyter.Output) (text string, ours bool, pictures []*picture) {
	if v, found := o.Data["text/llm+plain"]; found {
		return r.bounded(v, r.budget.Characters), false, nil
	}
	if line, pictures := r.figureLine(o); line != "" {
		return line, true, pictures
	}
	if v, found := o.Data["text/markdown"]; found {
		text, pictures := r.markdown(v)
		return text, false, pictures
	}
	html := r.readHTML(o)
	named := r.namedTypes(o)
	plain, hasPlain := o.Data["text/plain"]
	if hasPlain && !bareRepr(plain) && !html.reads(plain) {
		text := r.bounded(plain, r.budget.Characters) + "\n" + named
		return strings.TrimSuffix(strings.TrimSuffix(text, "\n")+"\n"+mediaLines(o), "\n"), false, html.pictures
	}
	if v, found := o.Data["text/latex"]; found {
		return r.bounded(v, r.budget.Characters), false, html.pictures
	}
	if mime := jsonType(o); mime != "" {
		return r.bounded(o.Data[mime], 8000), false, html.pictures
	}
	if html.found && !(html.empty && hasPlain && o.Type == jupyter.OutputExecuteResult) {
		return html.shown()
	}
	if named != "" {
		return named, true, nil
	}
	if hasPlain {
		return r.bounded(plain, r.budget.Characters), false, nil
	}
	return "", false, nil
}

// mediaLines names the media within the HTML of a display that is shown by its plain
// text.
func mediaLines(o *jupyter.Output) string {
	var lines []string
	for _, path := range slices.Sorted(maps.Keys(o.Media)) {
		lines = append(lines, "[file "+mediaFile(o.Media[path])+"]")
	}
	return strings.Join(lines, "\n")
}

// bareRepr tells a text that says only what object it stands for.
func bareRepr(v jupyter.Value) bool {
	if v.Size > 400 {
		return false
	}
	b, err := v.Bytes(400)
	s := strings.TrimSpace(string(b))
	if err != nil || !strings.HasPrefix(s, "<") || !strings.HasSuffix(s, ">") || strings.Contains(s, "\n") {
		return false
	}
	return strings.Contains(s, " at 0x") || strings.HasSuffix(s, " object>") || strings.HasPrefix(s, "<Figure size")
}

func jsonType(o *jupyter.Output) string {
	for _, mime := range slices.Sorted(maps.Keys(o.Data)) {
		if mime == "application/json" || mime == "application/geo+json" {
			return mime
		}
	}
	return ""
}

// namedTypes names what a model is not shown: a line for each type that no
// other representation stands for.
func (r *renderer) namedTypes(o *jupyter.Output) string {
	var lines []string
	for _, mime := range slices.Sorted(maps.Keys(o.Data)) {
		v := o.Data[mime]
		kind := "data"
		switch {
		case slices.Contains(o.Undecoded, mime):
			lines = append(lines, fmt.Sprintf("[data %s, %s: not valid base64%s]", mimeName(mime), ByteSize(v.Size), where(v)))
			continue
		case mime == "image/svg+xml":
			lines = append(lines, r.svgLine(v))
			continue
		case strings.HasPrefix(mime, "text/"), mime == "application/javascript", strings.HasSuffix(mime, "json"):
			if mime != "text/javascript" && !unknownText(mime) {
				continue
			}
		case mime == "application/pdf":
			kind = "pdf"
		case strings.HasPrefix(mime, "audio/"):
			kind = "audio"
		case strings.HasPrefix(mime, "video/"):
			kind = "video"
		case strings.HasPrefix(mime, "image/"):
			kind = "image"
		}
		lines = append(lines, fmt.Sprintf("[%s %s, %s: not shown%s]", kind, mimeName(mime), ByteSize(v.Size), where(v)))
	}
	return strings.Join(lines, "\n")
}

// unknownText tells a text or JSON type that nothing here reads.
func unknownText(mime string) bool {
	switch mime {
	case "text/plain", "text/html", "text/latex", "text/markdown", "text/llm+plain", "application/json", "application/geo+json",
		"application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json", "application/vnd.dataresource+json":
		return false
	}
	return true
}

// mimeName is a type's name as a line of ours may hold it.
func mimeName(mime string) string {
	clean := strings.Map(func(c rune) rune {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune("[]\\", c) {
			return '?'
		}
		return c
	}, mime)
	return clean[:min(len(clean), 100)]
}

// where names the file of the record that holds v.
func where(v jupyter.Value) string {
	if v.Path == "" {
		return ""
	}
	return "; file: " + v.Path
}

// svgLine names an SVG picture and the words that stand in it.
func (r *renderer) svgLine(v jupyter.Value) string {
	line := fmt.Sprintf("[svg picture, %s: not shown%s", ByteSize(v.Size), where(v))
	if words := svgWords(v); words != "" {
		line += fmt.Sprintf("; its text: %q", words)
	}
	return line + "]"
}

func svgWords(v jupyter.Value) string {
	b, err := v.Bytes(1 << 20)
	if err != nil {
		return ""
	}
	return FirstRunes(strings.Join(strings.Fields(htmlText(string(b))), " "), 600)
}
