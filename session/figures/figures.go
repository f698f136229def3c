package figures

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// maxFigure bounds the data of a figure that a page is made of.
const maxFigure = 64 << 20

// Libraries the pages load when a person opens them.
const (
	plotlyScript = `<script src="https://cdn.plot.ly/plotly-3.0.0.min.js"></script>`
	vegaScripts  = `<script src="https://cdn.jsdelivr.net/npm/vega@6"></script><script src="https://cdn.jsdelivr.net/npm/vega-lite@6"></script><script src="https://cdn.jsdelivr.net/npm/vega-embed@7"></script>`
	bokehScripts = `<script src="https://cdn.bokeh.org/bokeh/release/bokeh%[1]s-%[2]s.min.js"></script>`
)

// Save gives an interactive figure a page in dir, named after the execution and its
// position, as the display's text/html: a model sees no more of it than a description,
// a person wants to look at it. Media that lie within the display's text get files of
// their own. It returns o when there is neither, or when nothing can be written. It may be called by several goroutines.
func Save(dir, exec string, at record.Position, o *jupyter.Output) *jupyter.Output {
	if dir == "" {
		return o
	}
	o = saveMedia(dir, exec, at, o)
	page := figurePage(o)
	if page == nil {
		return o
	}
	path := filepath.Join(dir, fmt.Sprintf("%s.figure-%d.html", exec, at))
	if _, err := os.Stat(path); err != nil { // an earlier answer may have made it
		data := page()
		if data == nil {
			return o
		}
		if os.WriteFile(path, data, 0o600) != nil {
			os.Remove(path)
			return o
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return o
	}
	with := *o
	with.Data = maps.Clone(o.Data)
	with.Data["text/html"] = jupyter.Value{Path: path, Size: info.Size()}
	return &with
}

// figurePage returns what makes the page of a display, or nil.
func figurePage(o *jupyter.Output) func() []byte {
	if len(o.Data) == 0 {
		return nil
	}
	if _, found := o.Data["image/png"]; found {
		return nil
	}
	for _, mime := range slices.Sorted(maps.Keys(o.Data)) {
		v := o.Data[mime]
		switch {
		case strings.HasPrefix(mime, "application/vnd.plotly.v"):
			return func() []byte {
				return scriptPage(v, plotlyScript, "const f=", ";Plotly.newPlot('figure',f.data,f.layout,f.config);")
			}
		case strings.HasPrefix(mime, "application/vnd.vega"):
			return func() []byte { return scriptPage(v, vegaScripts, "vegaEmbed('#figure',", ");") }
		case strings.HasPrefix(mime, "application/vnd.bokehjs_exec"):
			script, found := o.Data["application/javascript"]
			if !found {
				return nil
			}
			return func() []byte { return bokehPage(script) }
		}
	}
	html, found := o.Data["text/html"]
	if !found || html.Path != "" || html.Size > maxFigure {
		return nil
	}
	figure := slices.ContainsFunc([]string{"vegaEmbed(", "Plotly.newPlot(", "embed_items"}, func(mark string) bool {
		return bytes.Contains(html.Inline, []byte(mark))
	})
	if jupyter.IsLoader(html.Inline) {
		return nil
	}
	if figure || jupyter.NeedsBrowser(html.Inline) && bareText(o.Data["text/plain"]) {
		return func() []byte { return htmlPage(html.Inline) }
	}
	return nil
}

// scripted tells HTML that draws by a script.
func scripted(html []byte) bool {
	return bytes.Contains(html, []byte("<script")) || bytes.Contains(html, []byte("srcdoc="))
}

// maxBareText is the length up to which a text of one line only names its object.
const maxBareText = 400

// bareText tells a plain text that does not say what the HTML beside it says:
// <folium.folium.Map at 0x…>, alt.Chart(...).
func bareText(v jupyter.Value) bool {
	s := strings.TrimSpace(string(v.Inline))
	bare := strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") || strings.HasSuffix(s, "(...)")
	return v.Path == "" && (s == "" || bare && len(s) <= maxBareText && !strings.Contains(s, "\n"))
}

// What the HTML of some libraries expects of the page it is put into.
const (
	requireScript  = `<script src="https://cdn.jsdelivr.net/npm/requirejs@2.3.7/require.min.js"></script>` + "\n"
	letsPlotScript = `<script src="https://cdn.jsdelivr.net/gh/JetBrains/lets-plot@latest/js-package/distr/lets-plot.min.js"></script>` +
		"<script>window.letsPlotCall = function(f) { f(); };</script>\n"
)

// htmlPage makes a page of the HTML of a display.
func htmlPage(html []byte) []byte {
	head := `<!doctype html><meta charset="utf-8">` + "\n"
	if bytes.Contains(html, []byte("require.config(")) || bytes.Contains(html, []byte("require([")) {
		head += requireScript
	}
	if bytes.Contains(html, []byte(`data-lets-plot-script="plot"`)) {
		head += letsPlotScript
	}
	return slices.Concat([]byte(head), html)
}

// scriptPage is a page with the JSON in v between before and after.
func scriptPage(v jupyter.Value, libraries, before, after string) []byte {
	data, err := v.Bytes(maxFigure + 1)
	if err != nil || len(data) > maxFigure {
		return nil
	}
	// "<" is only in strings there; "</script>" in one would end the script.
	data = bytes.ReplaceAll(data, []byte("<"), []byte(`\u003c`))
	head := `<!doctype html><meta charset="utf-8">` + libraries + `<div id="figure"></div><script>` + before
	return slices.Concat([]byte(head), data, []byte(after+"</script>\n"))
}

var (
	bokehVersion = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`"version":"([0-9A-Za-z.]{1,20})"`) })
	bokehRoots   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`"roots":\{("[^{}]+)\}`) })
	bokehRoot    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`"[\w-]+":"([\w-]+)"`) })
)

// bokehPage is a page for the script bokeh sends to notebooks: it draws into
// elements that another display made.
func bokehPage(v jupyter.Value) []byte {
	script, err := v.Bytes(maxFigure + 1)
	if err != nil || len(script) > maxFigure {
		return nil
	}
	version := bokehVersion().FindSubmatch(script)
	if version == nil {
		return nil
	}
	var page bytes.Buffer
	page.WriteString(`<!doctype html><meta charset="utf-8">`)
	for _, part := range []string{"", "-widgets", "-tables"} {
		fmt.Fprintf(&page, bokehScripts, part, version[1])
	}
	for _, roots := range bokehRoots().FindAllSubmatch(script, -1) {
		for _, root := range bokehRoot().FindAllSubmatch(roots[1], -1) {
			fmt.Fprintf(&page, "<div id=%q></div>", root[1])
		}
	}
	page.WriteString("<script>")
	page.Write(bytes.ReplaceAll(script, []byte("</script"), []byte(`<\/script`)))
	page.WriteString("</script>\n")
	return page.Bytes()
}
