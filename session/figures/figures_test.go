package figures

import (
	"os"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

func TestSaveFigure(t *testing.T) {
	bundle := func(parts ...string) *jupyter.Output {
		o := &jupyter.Output{Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{}}
		for i := 0; i < len(parts); i += 2 {
			o.Data[parts[i]] = jupyter.TextValue(parts[i+1])
		}
		return o
	}
	for _, c := range []struct {
		name string
		out  *jupyter.Output
		want []string // parts of the page; nil for no page
	}{
		{"plotly", bundle("application/vnd.plotly.v1+json", `{"data":[{"name":"</script>"}]}`), []string{`"\u003c/script>"`, "Plotly.newPlot(", "cdn.plot.ly"}},
		{"vega", bundle("application/vnd.vegalite.v5+json", `{"mark":"bar"}`, "text/plain", "x"), []string{`vegaEmbed('#figure',{"mark":"bar"});`}},
		{"altair", bundle("text/html", "<script>vegaEmbed(1)</script>"), []string{"<script>vegaEmbed(1)</script>"}},
		{"bokeh", bundle("application/vnd.bokehjs_exec.v0+json", "", "application/javascript", `const docs_json = {"a":{"version":"3.10.2","title":"</script>"}}; const render_items = [{"docid":"a","roots":{"p1008":"d87a28e4-b7"},"root_ids":["p1008"]}]`),
			[]string{"bokeh-3.10.2.min.js", "bokeh-widgets-3.10.2.min.js", `<div id="d87a28e4-b7"></div>`, `"<\/script>"`}},
		{"bokeh of no version", bundle("application/vnd.bokehjs_exec.v0+json", "", "application/javascript", "x"), nil},
		{"altair with its text", bundle("text/html", "<script>vegaEmbed(1)</script>", "text/plain", "alt.Chart(...)"), []string{"<script>vegaEmbed(1)</script>"}},
		{"folium", bundle("text/html", `<iframe srcdoc="&lt;script&gt;L.map("></iframe>`, "text/plain", "<folium.folium.Map at 0x7f>"), []string{"L.map("}},
		{"pyecharts", bundle("text/html", "<script>require(['echarts'], f)</script>", "text/plain", "<pyecharts.render.display.HTML at 0x7f>"), []string{"require.min.js", "require(['echarts']"}},
		{"lets-plot", bundle("text/html", `<script data-lets-plot-script="plot">LetsPlot.x()</script>`, "text/plain", "<lets_plot.plot.core.PlotSpec at 0x7f>"), []string{"lets-plot.min.js", "LetsPlot.x()"}},
		{"lets-plot as SVG", bundle("text/html", "<svg></svg>", "text/plain", "<lets_plot.plot.core.PlotSpec at 0x7f>"), []string{"<svg></svg>"}},
		{"any script", bundle("text/html", "<div></div><script>draw()</script>"), []string{"draw()"}},
		{"plotly as HTML, with a text", bundle("text/html", "<div></div><script>Plotly.newPlot(1)</script>", "text/plain", "Figure with 3 traces"), []string{"Plotly.newPlot(1)"}},
		{"a model that says itself what it is", bundle("text/html", "<style></style><script>x</script>", "text/plain", "LinearRegression()"), nil},
		{"with a picture", bundle("application/vnd.plotly.v1+json", "{}", "image/png", "png"), nil},
		{"table", bundle("text/html", "<table></table>", "text/plain", "x"), nil},
		{"text", bundle("text/plain", "vegaEmbed("), nil},
		{"stream", &jupyter.Output{Type: jupyter.OutputStream, Text: jupyter.TextValue("x")}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			got := Save(dir, "ab12-3", 77, c.out)
			if c.want == nil {
				if got != c.out {
					t.Errorf("%+v", got)
				}
				if entries, _ := os.ReadDir(dir); len(entries) > 0 {
					t.Errorf("made %v", entries)
				}
				return
			}
			if c.out.Data["text/html"].Path != "" {
				t.Error("the display itself was changed")
			}
			page, err := os.ReadFile(got.Data["text/html"].Path)
			if err != nil || got.Data["text/html"].Size != int64(len(page)) {
				t.Fatalf("%+v, %v", got.Data["text/html"], err)
			}
			for _, part := range append(c.want, "<!doctype html>") {
				if !strings.Contains(string(page), part) {
					t.Errorf("%q is missing in\n%s", part, page)
				}
			}
			again := Save(dir, "ab12-3", 77, c.out)
			if again.Data["text/html"].Path != got.Data["text/html"].Path {
				t.Errorf("a second page: %+v", again.Data)
			}
			if Save("", "x", 1, c.out) != c.out || Save(dir+"/absent", "x", 1, c.out) != c.out {
				t.Error("without a directory the display is changed")
			}
		})
	}
}
