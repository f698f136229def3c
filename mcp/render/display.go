package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// maxJSON bounds the JSON of a display that is read to describe it.
const maxJSON = 8 << 20

// display shows a display or the last expression: one representation, the
// richest a model can read.
func (r *renderer) display(o *jupyter.Output) {
	p := r.displayPiece(o)
	if old := r.displays[o.DisplayID]; o.DisplayID != "" && old != nil && !old.dropped {
		r.replace(old, p)
		return
	}
	r.show(o.DisplayID, p)
}

// update shows a display's new value where the old one stood, or, when that
// is not in this answer, here.
func (r *renderer) update(o *jupyter.Output) {
	p := r.displayPiece(o)
	if old := r.displays[o.DisplayID]; old != nil && !old.dropped {
		r.replace(old, p)
		return
	}
	p.text = append([]byte("[display updated]\n"), p.text...)
	p.labeled = true
	r.show(o.DisplayID, p)
}

func (r *renderer) show(id string, p *piece) {
	r.admit(p)
	r.add(p)
	if id == "" {
		return
	}
	if len(r.displays) >= r.forgetAt {
		maps.DeleteFunc(r.displays, func(_ string, p *piece) bool { return p.dropped })
		r.forgetAt = 2*len(r.displays) + maxDisplays
	}
	r.displays[id] = p
}

// replace puts p where old stands.
func (r *renderer) replace(old, p *piece) {
	r.shown = slices.DeleteFunc(r.shown, func(q *piece) bool { return q == old })
	if old.picture != nil {
		if old.picture == r.last {
			r.last = nil
		}
		if p.picture != nil {
			p.picture.number = old.picture.number
		}
	}
	before := old.chars
	old.text, old.labeled, old.picture = p.text, p.labeled, p.picture
	r.admit(old)
	r.text.resized(old, before)
}

// displayPiece chooses what to show of a MIME bundle.
func (r *renderer) displayPiece(o *jupyter.Output) *piece {
	p := &piece{comm: o.CommID}
	label := ""
	if o.Type == jupyter.OutputExecuteResult {
		label = fmt.Sprintf("Out[%d]: ", o.ExecutionCount)
		p.labeled = true
	}
	for _, mime := range []string{"image/png", "image/jpeg", "image/webp", "image/gif"} {
		if v, found := o.Data[mime]; found && !slices.Contains(o.Undecoded, mime) {
			p.picture = &picture{value: v, declared: mime, label: label}
			p.labeled = true
			return p
		}
	}
	text, ours := r.bundleText(o)
	if label != "" && strings.Contains(text, "\n") {
		label = strings.TrimSuffix(label, " ") + "\n"
	} else if label != "" && !ours {
		// Behind the label it is not the beginning of a line any more.
		text = unescapeFirst(text)
	}
	p.text = []byte(label + text)
	p.labeled = p.labeled || ours
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

// bundleText returns the text for a bundle without an image, escaped, and
// whether it begins with a line of ours.
func (r *renderer) bundleText(o *jupyter.Output) (text string, ours bool) {
	get := func(mime string) (jupyter.Value, bool) {
		v, found := o.Data[mime]
		return v, found
	}
	if v, found := get("text/llm+plain"); found {
		return r.bounded(v, r.budget.Characters), false
	}
	if line := figureLine(o); line != "" {
		return line, true
	}
	if v, found := get("text/markdown"); found {
		return r.bounded(v, r.budget.Characters), false
	}
	named := r.namedTypes(o)
	plain, hasPlain := get("text/plain")
	if hasPlain && !bareRepr(plain) {
		return strings.TrimSuffix(r.bounded(plain, r.budget.Characters)+"\n"+named, "\n"), false
	}
	if v, found := get("text/latex"); found {
		return r.bounded(v, r.budget.Characters), false
	}
	if mime := jsonType(o); mime != "" {
		return r.bounded(o.Data[mime], 8000), false
	}
	if v, found := get("text/html"); found {
		if text := r.htmlValue(v); text != "" {
			return text, strings.HasPrefix(text, "[html")
		}
	}
	if named != "" {
		return named, true
	}
	if hasPlain {
		return r.bounded(plain, r.budget.Characters), false
	}
	return "[display without data]", true
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
	if b, err := v.Bytes(1 << 20); err == nil {
		if words := strings.Join(strings.Fields(htmlText(string(b))), " "); words != "" {
			line += fmt.Sprintf("; its text: %q", FirstRunes(words, 600))
		}
	}
	return line + "]"
}

// figureLine names a figure that only a browser can draw, or returns "".
func figureLine(o *jupyter.Output) string {
	for _, mime := range slices.Sorted(maps.Keys(o.Data)) {
		v := o.Data[mime]
		saved := where(v)
		if html := o.Data["text/html"]; html.Path != "" {
			saved = where(html)
		}
		size := ByteSize(v.Size) + saved + "]"
		switch {
		case strings.HasPrefix(mime, "application/vnd.plotly.v"):
			return "[plotly figure" + plotlyDetail(v) + ", " + size
		case strings.HasPrefix(mime, "application/vnd.vega"):
			return "[vega chart" + vegaDetail(v) + ", " + size
		case strings.HasPrefix(mime, "application/vnd.bokehjs_exec"), strings.HasPrefix(mime, "application/vnd.holoviews_exec"):
			html, script := o.Data["text/html"], o.Data["application/javascript"]
			if script.Size > 0 {
				html = script // the html only names the file, or an empty element
			}
			return "[bokeh figure" + bokehDetail(script) + ", " + ByteSize(max(v.Size, html.Size)) + saved + "]"
		case strings.HasPrefix(mime, "application/vnd.bokehjs_load"), strings.HasPrefix(mime, "application/vnd.holoviews_load"):
			return "[bokeh loaded]"
		}
	}
	if html, found := o.Data["text/html"]; found {
		return htmlFigureLine(html)
	}
	return ""
}

// htmlFigureLine names a figure that comes as a page with a script.
func htmlFigureLine(v jupyter.Value) string {
	b, err := v.Bytes(maxHTML)
	if err != nil {
		return ""
	}
	size := ByteSize(v.Size) + where(v) + "]"
	switch {
	case bytes.Contains(b, []byte("vegaEmbed(")):
		detail := ""
		if i := bytes.Index(b, []byte(`{"config"`)); i >= 0 {
			var spec json.RawMessage
			if json.NewDecoder(bytes.NewReader(b[i:])).Decode(&spec) == nil {
				detail = vegaDetail(jupyter.InlineValue(spec))
			}
		}
		return "[vega chart" + detail + ", " + size
	case bytes.Contains(b, []byte("Plotly.newPlot(")):
		return "[plotly figure, " + size
	case bytes.Contains(b, []byte("data-root-id=")) && len(b) < 1000:
		return "[bokeh element: the figure follows]" // an empty one, drawn into by a script
	case bytes.Contains(b, []byte("Bokeh.")) && bytes.Contains(b, []byte("embed_items")):
		return "[bokeh figure, " + size
	}
	return ""
}

func readJSON(v jupyter.Value, into any) bool {
	if v.Size > maxJSON {
		return false
	}
	b, err := v.Bytes(maxJSON)
	return err == nil && json.Unmarshal(b, into) == nil
}

func plotlyDetail(v jupyter.Value) string {
	var figure struct {
		Data []struct {
			Type string `json:"type"`
			Name string `json:"name"`
		} `json:"data"`
		Layout struct {
			Title struct {
				Text string `json:"text"`
			} `json:"title"`
		} `json:"layout"`
	}
	if !readJSON(v, &figure) {
		return ""
	}
	var kinds, names []string
	for _, t := range figure.Data {
		if t.Type == "" {
			t.Type = "scatter" // plotly's default
		}
		if !slices.Contains(kinds, t.Type) {
			kinds = append(kinds, t.Type)
		}
		if t.Name != "" && len(names) < 12 {
			names = append(names, t.Name)
		}
	}
	detail := ": " + plural(len(figure.Data), "trace")
	if len(kinds) > 0 {
		detail += fmt.Sprintf(" %.100q", strings.Join(kinds, ", "))
	}
	if len(names) > 0 {
		detail += fmt.Sprintf(" named %.200q", strings.Join(names, ", "))
	}
	if figure.Layout.Title.Text != "" {
		detail += fmt.Sprintf(", title %.200q", figure.Layout.Title.Text)
	}
	return detail
}

// bokehDetail reads the titles and legends out of the script of a bokeh figure.
func bokehDetail(v jupyter.Value) string {
	b, err := v.Bytes(maxJSON)
	if err != nil {
		return ""
	}
	var words []string
	for range 12 {
		m := bokehText.FindSubmatchIndex(b)
		if m == nil {
			break
		}
		var word string
		if quoted := b[m[2]:m[3]]; len(quoted) < 1000 && json.Unmarshal(quoted, &word) == nil && word != "" && !slices.Contains(words, word) {
			words = append(words, word)
		}
		b = b[m[1]:]
	}
	if len(words) == 0 {
		return ""
	}
	return fmt.Sprintf(": its text %.300q", strings.Join(words, ", "))
}

// bokehText finds titles, axis labels and legend entries. It bounds no length: a
// counted repetition takes 200 KB from the start of the program on.
var bokehText = regexp.MustCompile(`(?:"(?:text|axis_label)":|"label":\{"type":"value","value":)("(?:[^"\\]|\\.)+")`)

func vegaDetail(v jupyter.Value) string {
	var chart struct {
		Mark     json.RawMessage `json:"mark"`
		Encoding map[string]struct {
			Field string `json:"field"`
		} `json:"encoding"`
		Title any `json:"title"`
	}
	if !readJSON(v, &chart) {
		return ""
	}
	detail := ""
	var mark struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(chart.Mark, &mark.Type) == nil || json.Unmarshal(chart.Mark, &mark) == nil {
		detail = fmt.Sprintf(": mark %.40q", mark.Type)
	}
	for _, axis := range slices.Sorted(maps.Keys(chart.Encoding)) {
		if field := chart.Encoding[axis].Field; field != "" && len(detail) < 400 {
			detail += fmt.Sprintf(", %.20q of %.60q", field, axis)
		}
	}
	if title, isText := chart.Title.(string); isText && title != "" {
		detail += fmt.Sprintf(", title %.200q", title)
	}
	return detail
}
