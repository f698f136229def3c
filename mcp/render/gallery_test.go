package render

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

const galleryFile = "../../docs/gallery.md"

// everyday are the cells of docs/gallery.md, with what they show and what is
// lost where only text/plain is passed on.
var everyday = []struct{ cell, what, lost string }{
	{"stdout_and_result", "a print and a value", "that the value is one"},
	{"stderr_between", "stdout and stderr", "which line went to stderr"},
	{"frame", "a DataFrame", ""},
	{"frame_wide", "a DataFrame of 30 columns", ""},
	{"frame_long", "a DataFrame of 1000 rows", ""},
	{"frame_multi_index", "a MultiIndex", ""},
	{"frame_info", "`df.info()`", ""},
	{"describe", "`df.describe()`", ""},
	{"group_by", "a `groupby`", ""},
	{"series", "a Series", ""},
	{"styled", "a styled table", "the table: `<pandas.io.formats.style.Styler …>`"},
	{"polars_frame", "a polars frame", ""},
	{"array_big", "an array of a million", ""},
	{"figure", "a plot between prints", "the plot"},
	{"figures_three", "three plots, each after its name", "the plots"},
	{"figures_twelve", "twelve plots", "the plots"},
	{"figure_large", "a plot of 3000 px", "the plot"},
	{"seaborn_heatmap", "a heatmap", "the plot"},
	{"plotly_express", "a plotly figure", "everything: it has no text/plain"},
	{"altair_chart", "an altair chart", "all but `alt.Chart(...)`"},
	{"altair_html", "an altair chart as HTML", "all but `alt.Chart(...)`"},
	{"folium_map", "a map", "all but `<folium.folium.Map at …>`"},
	{"pyecharts_bar", "a pyecharts chart", "all but `<pyecharts.render.display.HTML at …>`"},
	{"lets_plot_js", "a lets-plot figure", "all but `<lets_plot.plot.core.PlotSpec at …>`"},
	{"jshtml", "an animation (`to_jshtml`)", "all but `<IPython.core.display.HTML object>`"},
	{"great_tables", "a great_tables table", "nothing, but it is 17,000 characters of a dataclass"},
	{"mediapy_image", "a picture within HTML", "the picture"},
	{"css_background", "a picture as a background", "the picture and the text"},
	{"svg_figure", "a plot asked for as SVG", "the plot"},
	{"agg_axes", "a plot on Agg", "the plot"},
	{"pyplot_blank", "pyplot after its figure was shown", "the plots, and that the second is empty"},
	{"markdown_image", "a picture within Markdown", "the picture and the text"},
	{"bokeh_figure", "a bokeh figure", "everything: it has no text/plain"},
	{"pil_image", "a picture", "the picture"},
	{"markdown", "Markdown", "the text: `<IPython.core.display.Markdown object>`"},
	{"latex", "a formula", "the formula: `<IPython.core.display.Math object>`"},
	{"html_only", "HTML", "the text: `<IPython.core.display.HTML object>`"},
	{"tqdm_nested", "nested progress bars", "nothing, but every state of each bar is shown"},
	{"rich_progress", "a rich progress bar", "nothing, but every state of the bar and its control codes are shown"},
	{"warnings_repeated", "a warning 50 times", "nothing, but it is shown 50 times"},
	{"warnings_lines", "a warning of three lines, 20 times", "nothing, but it is shown 20 times"},
	{"image_missing", "a picture that is not there", "nothing, but it is shown twice, each with its cause"},
	{"rich_traceback", "an error with rich's tracebacks", "nothing"},
	{"traceback_printed", "a traceback printed by the code", "which cell it was: files of ipykernel are named"},
	{"traceback_grid_search", "an error inside GridSearchCV", "nothing, but colour codes are half of it"},
	{"eval_syntax", "`eval` of a syntax error", "nothing, but a frame of IPython is shown"},
	{"traceback_library", "an error inside pandas", "nothing, but colour codes are half of it"},
	{"traceback_chained", "a chained exception", "nothing, but colour codes stand in it"},
	{"recursion", "a RecursionError", "nothing, but every frame is shown"},
	{"help_pager", "`len?`", "everything: it comes as a pager's payload"},
	{"clear_output_wait", "`clear_output(wait=True)`", "nothing, but old frames are shown"},
	{"lines_50000", "50,000 lines", "nothing, but all 50,000 are shown"},
}

// plainly is what a program shows that passes on streams, text/plain and
// tracebacks as they come.
func plainly(outputs []jupyter.Output) string {
	var b strings.Builder
	for _, o := range outputs {
		switch o.Type {
		case jupyter.OutputStream, jupyter.OutputError:
			b.Write(o.Text.Inline)
		case jupyter.OutputDisplayData, jupyter.OutputExecuteResult, jupyter.OutputUpdateDisplay:
			b.Write(o.Data["text/plain"].Inline)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func readCell(t *testing.T, name string) (outputs []jupyter.Output) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(renderDir, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var cell recorded
	if err := json.Unmarshal(b, &cell); err != nil {
		t.Fatal(err)
	}
	for _, raw := range cell.Outputs {
		outputs = append(outputs, outputOf(t, raw))
	}
	return outputs
}

// TestGallery keeps docs/gallery.md what the code does; -update writes it.
func TestGallery(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	page.WriteString(`# What a model gets

This page compares what a model gets for everyday code: from this server ("here"), and from a program that passes on streams, ` + "`text/plain`" + ` and
tracebacks unchanged ("plain"). Each name links to the code and the whole answer (with a limit of 3,000 characters; in this table it is 30,000).
` + "`go test ./mcp/render -run Gallery -update`" + ` writes this page.

| cell | shows | characters here | images here | lost here | characters plain | lost plain |
|---|---|--:|--:|---|--:|---|
`)
	for _, c := range everyday {
		outputs := readCell(t, c.cell)
		r := Outputs(sequence(outputs...), testBudget(characters, false), Options{ReadOn: "get_execution"})
		var lost []string
		if r.Cut {
			lost = append(lost, fmt.Sprintf("the middle: %s characters, counted, to be read with `get_execution`", grouped(int64(saysCut(t, r).chars))))
		}
		if named := strings.Count(written(r), "[image ") - r.Images; named > 0 {
			lost = append(lost, plural(named, "image")+", named")
		}
		if strings.Contains(written(r), "[plotly figure") || strings.Contains(written(r), "[vega chart") || strings.Contains(written(r), "[bokeh figure") ||
			strings.Contains(written(r), "[html map") || strings.Contains(written(r), "[html chart") {
			lost = append(lost, "the drawing: described, its page is named")
		}
		if len(lost) == 0 {
			lost = []string{"–"}
		}
		plain := c.lost
		if plain == "" {
			plain = "–"
		}
		fmt.Fprintf(&page, "| [%s](../testdata/render/%s.txt) | %s | %s | %d | %s | %s | %s |\n", c.cell, c.cell, c.what,
			grouped(int64(r.Characters)), r.Images, strings.Join(lost, "; "), grouped(int64(utf8.RuneCountInString(plainly(outputs)))), plain)

		// What fits the budget is never left out.
		if !r.Cut && r.Characters > characters || r.Cut && r.Characters < characters*8/10 {
			t.Errorf("%s: %d characters, cut=%t", c.cell, r.Characters, r.Cut)
		}
	}
	if *update {
		if err := os.WriteFile(galleryFile, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(galleryFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), page.String()); diff != "" {
		t.Errorf("differs from %s; run with -update (-want +got):\n%s", galleryFile, diff)
	}
}
