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

// figureLine names a figure that only a browser can draw, or returns "". An
// animation comes with its first frame.
func (r *renderer) figureLine(o *jupyter.Output) (line string, pictures []*picture) {
	if line := dataFigure(o); line != "" {
		return line, nil
	}
	v, found := o.Data["text/html"]
	if !found {
		return "", nil
	}
	b, err := v.Bytes(maxInline)
	if err != nil {
		return "", nil
	}
	if bytes.Contains(b, []byte("new Animation(frames")) {
		return r.animation(v, b)
	}
	if line := htmlFigure(v, b); line != "" {
		return line, nil
	}
	if plain, found := o.Data["text/plain"]; found && !bareRepr(plain) {
		return "", nil // says more
	}
	return htmlDrawing(v, b), nil
}

// preparesPage tells a display that shows nothing: it loads a library into a
// notebook's page, or makes the empty element that a script draws into later.
func preparesPage(o *jupyter.Output) bool {
	if plain, found := o.Data["text/plain"]; found && !bareRepr(plain) || o.Type == jupyter.OutputExecuteResult {
		return false
	}
	size := int64(0)
	for mime, v := range o.Data {
		size += v.Size
		if strings.HasPrefix(mime, "image/") {
			return false
		}
		if strings.HasPrefix(mime, "application/vnd.bokehjs_load") || strings.HasPrefix(mime, "application/vnd.holoviews_load") {
			return true
		}
	}
	v, found := o.Data["text/html"]
	if !found {
		return size == 0
	}
	b, err := v.Bytes(maxInline)
	return err == nil && (jupyter.IsLoader(b) || bytes.Contains(b, []byte("data-root-id=")) && len(b) < 1000 && !bytes.Contains(b, []byte("<script")))
}

// dataFigure names a figure that comes as data for a script.
func dataFigure(o *jupyter.Output) string {
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
			} else if !usesBokeh(html) {
				continue // holoviews with matplotlib
			}
			return "[bokeh figure" + bokehDetail(script) + ", " + ByteSize(max(v.Size, html.Size)) + saved + "]"
		}
	}
	return ""
}

func usesBokeh(html jupyter.Value) bool {
	b, err := html.Bytes(maxHTML)
	return err == nil && (bytes.Contains(b, []byte("Bokeh")) || bytes.Contains(b, []byte("data-root-id=")))
}

// animation shows what matplotlib's to_jshtml makes: a player, whose frames are in
// a script.
func (r *renderer) animation(v jupyter.Value, b []byte) (line string, pictures []*picture) {
	frames := bytes.Count(b, []byte("\n  frames["))
	line = "[html animation, " + plural(frames, "frame") + ", " + ByteSize(v.Size) + where(v)
	_, first, _ := bytes.Cut(b, []byte(`frames[0] = "`))
	first, _, _ = bytes.Cut(first, []byte(`"`))
	// A frame is written with a backslash at the end of each line.
	first = bytes.ReplaceAll(first, []byte("\\\n"), nil)
	nothing := func(int) string { return "" }
	if _, images := takeImages(first, nothing, func(string, int) string { return "" }); len(images) > 0 {
		pictures = append(pictures, r.picture(images[0]))
		line += fmt.Sprintf("; its first frame is image %d", pictures[0].number)
	}
	return line + "]", pictures
}

// drawings tells what a page with a script draws, by a call that stands in it.
var drawings = []struct{ call, what string }{
	{"L.map(", "html map"},
	{"echarts.init(", "html chart by echarts"},
	{"LetsPlot.", "html chart by lets-plot"},
	{"Highcharts.", "html chart by Highcharts"},
	{"new vis.Network(", "html graph by vis.js"},
	{"d3.select(", "html figure by d3"},
	{"srcdoc=", "html page"},
}

// htmlFigure names a figure that comes as a page with a script.
func htmlFigure(v jupyter.Value, b []byte) string {
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
	case bytes.Contains(b, []byte("Bokeh.")) && bytes.Contains(b, []byte("embed_items")):
		return "[bokeh figure, " + size
	case bytes.Contains(b, []byte("Plotly.newPlot(")):
		return "[plotly figure, " + size
	}
	return ""
}

// htmlDrawing names other HTML that only a browser can draw.
func htmlDrawing(v jupyter.Value, b []byte) string {
	if !bytes.Contains(b, []byte("<script")) && !bytes.Contains(b, []byte("srcdoc=")) {
		return ""
	}
	for _, d := range drawings {
		if bytes.Contains(b, []byte(d.call)) {
			return "[" + d.what + ", " + ByteSize(v.Size) + where(v) + "]"
		}
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
