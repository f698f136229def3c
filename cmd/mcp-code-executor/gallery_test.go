package main

import (
	"encoding/base64"
	"image"
	_ "image/jpeg" // noisy figures
	_ "image/png"  // the others
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// cell is the source of a cell of the gallery.
func cell(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "python", name+".py"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(b), "\n")
}

// TestGalleryLive runs cells of the gallery that need nothing but numpy and
// matplotlib on a real kernel: what was recorded is what kernels send. Those that print
// the most are in TestMatrixGalleryLive.
func TestGalleryLive(t *testing.T) {
	t.Parallel()
	galleryLive(t, false)
}

func TestMatrixGalleryLive(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	galleryLive(t, true)
}

func galleryLive(t *testing.T, large bool) {
	p := launch(t, inVenv(t)...)
	p.run("from IPython.display import *\nimport numpy as np, matplotlib.pyplot as plt")
	for _, c := range []struct {
		name   string
		want   []string // regular expressions
		images int
	}{
		{"stdout_and_result", []string{`\nhello\nOut\[\d+\]: 42$`}, 0},
		{"forged", []string{`\n\\\[ok \| `, `\n \\\[stderr\]`, `\n\\Out\[7\]: 42`}, 0},
		{"forged_hidden", []string{`\n\x{200b}\\\[ok \| `, `\n  \\\[cut: `, `\n\\\[error ValueError`, `\n\[1, 2, 3\]`}, 0},
		{"invalid_utf8", []string{`caf\x{fffd} \x{fffd}\x{fffd} end`}, 0},
		{"lone_surrogates", []string{`low \x{fffd} high \x{fffd} end`, `Out\[\d+\]: '\\ud800'`}, 0},
		{"right_to_left", []string{"שלום עולם\nمرحبا\n"}, 0},
		{"emoji", []string{"🎉 family 👨\u200d👩\u200d👧 flag 🇩🇪", `Out\[\d+\]: '🎉'`}, 0},
		{"lines_50000", []string{`\nline 0\nline 1\n`, `\[cut: [\d,]+ characters \(4\d,\d\d\d lines\) not shown; get_execution id=`, `\nline 49998\nline 49999$`}, 0},
		{"line_100_mb", []string{`\nstartxxx`, `\[cut: 99,9\d\d,\d\d\d characters not shown`, `xxxend$`}, 0},
		{"figures_twelve", []string{`\[image 6: [^\]]*not sent: an answer holds 5`, `\[image 12: `}, 5},
		{"figures_three", []string{`north`, `south`, `west`}, 3},
		{"figures_same", []string{`\[image 3: the same as the image before it`}, 1},
		{"figure_large", []string{`\[image 1: 2\d\d\dx\d+ PNG .*, shown at 1568x\d+; original: /.*\.png\]`}, 1},
		{"bars", []string{`100%\|`}, 0},
		{"clear_output_wait", []string{`frame 2`}, 0},
		{"warnings_repeated", []string{`deprecated thing`, `repeated`}, 0},
		{"array_big", []string{`shape=\(1000, 1000\)`}, 0},
		{"help_pager", []string{`\[pager\]\n(.*\n)*.*len`}, 0},
		{"markdown", []string{`# Title`}, 0},
		{"await", []string{`\[0, 1, 2\]`}, 0},
		{"shell", []string{`from the shell`, `to stderr`}, 0},
	} {
		if large != (c.name == "lines_50000" || c.name == "line_100_mb") {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if c.name == "lone_surrogates" && siteOf(t) != nil {
				return // they break ipykernel's own encoder
			}
			r := p.run(cell(t, c.name))
			text := r.text()
			if n := utf8.RuneCountInString(text); n > 30_000 {
				t.Errorf("%d characters", n)
			}
			for _, want := range c.want {
				if !regexp.MustCompile(want).MatchString(text) {
					t.Errorf("%s is missing in\n%.2000s", want, text)
				}
			}
			images := 0
			for _, block := range r.Content {
				if block.Type != "image" {
					continue
				}
				images++
				img, _, err := image.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(block.Data)))
				if err != nil {
					t.Fatal(err)
				}
				if size := img.Bounds().Size(); max(size.X, size.Y) > 1568 {
					t.Errorf("an image of %v", size)
				}
			}
			if images != c.images {
				t.Errorf("%d images, want %d\n%.2000s", images, c.images, text)
			}
		})
	}
}

// TestPagesLive: the first answer names the page of a figure, or the file of an
// SVG, however small its data is.
func TestPagesLive(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	file := regexp.MustCompile(`; file: (/[^\];]+)`)
	for name, c := range map[string]struct{ code, line, page string }{
		"altair":    {`display({'text/html': '<script>vegaEmbed(1)</script>', 'text/plain': 'alt.Chart(...)'}, raw=True)`, "[vega chart, ", "vegaEmbed(1)"},
		"folium":    {`display({'text/html': '<span>Make this Notebook Trusted</span><iframe srcdoc="&lt;script&gt;L.map(1)"></iframe>', 'text/plain': '<folium.Map at 0x7f>'}, raw=True)`, "[html map, ", "L.map(1)"},
		"pyecharts": {`from IPython.display import HTML; HTML('<div></div><script>require(["echarts"], e => echarts.init(e))</script>')`, "[html chart by echarts, ", "echarts.init("},
		"a script":  {`from IPython.display import HTML; HTML('<b>Total 42</b><script>draw()</script>')`, "Total 42\n[html page, ", "draw()"},
		"svg":       {`from IPython.display import SVG; SVG('<svg xmlns="http://www.w3.org/2000/svg"><text>Revenue</text></svg>')`, `its text: "Revenue"`, "<text>Revenue</text>"},
	} {
		text := p.run(c.code).text()
		m := file.FindStringSubmatch(text)
		if m == nil || !strings.Contains(text, c.line) || strings.Contains(text, "Trusted") {
			t.Errorf("%s: %s", name, text)
			continue
		}
		if page, err := os.ReadFile(m[1]); err != nil || !strings.Contains(string(page), c.page) {
			t.Errorf("%s: %v\n%s", name, err, page)
		}
	}
}

// TestWidgetsLive: a widget is shown as it is at the end of the run, or gone when it
// was closed; a later run tells what has become of it since.
func TestWidgetsLive(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	p.run(`from comm import create_comm
def bar(name, leave=True):
    c = create_comm(target_name='jupyter.widget', data={'state': {'_model_name': 'IntProgressModel', 'value': 0, 'min': 0, 'max': 4, 'description': name}})
    display({'application/vnd.jupyter.widget-view+json': {'model_id': c.comm_id}, 'text/plain': f'{name}:   0%'}, raw=True)
    return c
def step(c, n):
    c.send({'method': 'update', 'state': {'value': n}})`)
	for _, c := range []struct{ code, want string }{
		{"a = bar('files')\nprint('begin')\nfor i in range(5): step(a, i)\nprint('end')", "files |██████████| 4/4\nbegin\nend"},
		{"a = bar('outer')\nfor i in range(2):\n    b = bar('inner'); step(b, 4); b.close(); step(a, 2 * i)\nprint('end')", "outer |█████·····| 2/4\nend"},
		{"step(a, 4)", "[display updated]\nouter |██████████| 4/4"},
		{"c = bar('never moved')", "never moved:   0%"},
		{"d = bar('rows')\nstep(d, 1)\nraise SystemError('stop')", "rows |██········| 1/4\nTraceback"},
	} {
		if r := p.call("execute_code", args{"code": c.code}); !strings.Contains(r.text(), "]\n"+c.want) {
			t.Errorf("%s:\n%s", c.code, r.text())
		}
	}
}

// TestMatrixDisplayAboveCap: a display of more than a message may have is named with
// its size, and the session lives on.
func TestMatrixDisplayAboveCap(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	p := launch(t, inVenv(t)...)
	p.run("kept = 7")
	r := p.call("execute_code", args{"code": "print('before')\ndisplay({'text/plain': 'x' * 300_000_000}, raw=True)\nprint('after')", "wait_seconds": 100})
	for _, want := range []string{"[ok | ", "\nbefore\n", "[notice] an output (display_data) is lost: ", " of 3000", "after"} {
		if !strings.Contains(r.text(), want) {
			t.Errorf("%q is missing in\n%.2000s", want, r.text())
		}
	}
	if r := p.run("kept"); r.rest() != "Out[3]: 7" {
		t.Errorf("the session afterwards: %s", r.text())
	}
}

// TestMaxOutputChars: one call can ask for more than the client's budget, or less.
func TestMaxOutputChars(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	for _, c := range []struct {
		asked    any
		from, to int
	}{{nil, 29_000, 30_000}, {1000, 700, 1000}, {"200000", 199_000, 200_000}} {
		a := args{"code": "print('\\n'.join(f'line {i}' for i in range(60_000)))"}
		if c.asked != nil {
			a["max_output_chars"] = c.asked
		}
		if n := utf8.RuneCountInString(p.call("execute_code", a).text()); n < c.from || n > c.to {
			t.Errorf("max_output_chars %v: %d characters", c.asked, n)
		}
	}
	if r := p.call("execute_code", args{"code": "1", "max_output_chars": 200_001}); !r.IsError || !strings.Contains(r.text(), "max_output_chars") {
		t.Errorf("%s", r.text())
	}
}

// TestPrelude: display settings are a model's, or with PRELUDE=off the library's.
func TestPrelude(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{"on": "(120, 200)", "off": "(75, 1000)"} {
		p := launch(t, append(inVenv(t), "PRELUDE="+setting)...)
		r := p.run("import numpy; numpy.get_printoptions()['linewidth'], get_ipython().displayhook.cache_size")
		if r.rest() != "Out[1]: "+want {
			t.Errorf("PRELUDE=%s: %s, want %s", setting, r.rest(), want)
		}
	}
}
