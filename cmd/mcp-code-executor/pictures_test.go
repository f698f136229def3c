package main

import (
	"encoding/base64"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestPyplotLive: figures are seen on whatever backend, and a note says when pyplot
// draws on another figure than the code means.
func TestPyplotLive(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	const empty, blank, interactive, unseen = "[note: this figure is new and empty:", "[note: the saved figure is blank:", "[note: interactive figures cannot be shown here:", "[note: a figure was drawn and is not shown:"
	for _, c := range []struct {
		session, code, want string
		images              int
	}{
		{"inline", "import matplotlib.pyplot as plt\nplt.title('first'); plt.xlim(0, 3)", "", 1},
		{"inline", "plt.plot([1, 2])", "", 1},
		{"inline", "plt.title('T'); plt.xlabel('x')", empty, 1},
		{"inline", "plt.grid()", empty, 1},
		{"inline", "plt.plot([1, 2]); plt.show(); plt.savefig('a.png')", blank, 1},
		{"inline", "plt.savefig('a.png')", blank, 0},
		{"inline", "plt.plot([1, 2]); plt.savefig('a.png'); plt.show()", "", 1},
		{"inline", "plt.text(.2, .2, 'words'); plt.axis('off')", "", 1},
		{"inline", "fig, ax = plt.subplots()", "", 1},
		{"inline", "ax.plot([1, 2])", "", 0},
		{"inline", "ax", "", 1},
		{"inline", "fig", "", 1},
		{"inline", "%matplotlib notebook\nplt.plot([1, 2])", interactive, 1},
		{"inline", "%matplotlib widget\nplt.plot([1, 2])", interactive, 1},
		{"inline", "import matplotlib; matplotlib.use('nbagg'); plt.figure(); plt.plot([1, 2]); plt.show()", "", 1},
		{"inline", "%matplotlib nosuch", "[note: no window can be opened here: %matplotlib inline", 0},
		{"inline", "%matplotlib inline\nplt.close('all')\n%config InlineBackend.figure_formats = ['svg']", "", 0},
		{"inline", "fig, ax = plt.subplots(); ax.plot([1, 2]); plt.show()", "", 1},
		{"agg", "import matplotlib; matplotlib.use('Agg')\nimport matplotlib.pyplot as plt\nfig, ax = plt.subplots(); ax.plot([1, 2]); fig", "", 1},
		{"agg", "plt.show()", "", 0},
		{"agg", "ax", "", 1},
		{"agg", "ax.plot([2, 1])", "", 1},
		{"agg", "f, axes = plt.subplots(2, 2); axes", "", 1},
		{"agg", "plt.savefig('a.png')", "", 0},
		{"agg", "matplotlib.figure.Figure()", "", 0},
		{"agg", "[1, 'a'], {'a': axes}", "", 0},
		{"agg", "plt.close('all'); plt.plot([1, 2]);", unseen, 0},
		{"agg", "plt.title('told once');", "", 0},
		{"agg", "plt.show()", "", 1},
		{"agg", "plt.close('all'); plt.plot([1, 2]); plt.savefig('b.png')", "", 0},
		{"agg", "plt.close('all'); plt.plot([1, 2]); plt.close()", "", 0},
		{"svg", "import matplotlib; matplotlib.use('svg')\nimport matplotlib.pyplot as plt\ndef draw():\n    plt.plot([1, 2])\ndraw()", unseen, 0},
	} {
		r := p.call("execute_code", args{"session": c.session, "code": c.code})
		images := 0
		for _, block := range r.Content {
			if block.Type == "image" {
				images++
			}
		}
		note := strings.Contains(r.text(), "[note: this figure") || strings.Contains(r.text(), "[note: the saved") || strings.Contains(r.text(), "[note: interactive") || strings.Contains(r.text(), "[note: no window") || strings.Contains(r.text(), "[note: a figure")
		if images != c.images || note != (c.want != "") || !strings.Contains(r.text(), c.want) {
			t.Errorf("%s:\n%s\n%d images, want %d and %q", c.code, r.text(), images, c.images, c.want)
		}
	}
}

// TestMediaLive: a sound, a film or a drawing within HTML has a file of its own, and a
// picture is seen wherever it lies.
func TestMediaLive(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	p.run("from IPython.display import *\nimport base64, io\nfrom PIL import Image as PILImage\nf = io.BytesIO(); PILImage.new('RGB', (100, 80), 'red').save(f, 'PNG')\nPNG = f.getvalue(); URI = 'data:image/png;base64,' + base64.b64encode(PNG).decode()")
	file := regexp.MustCompile(`file: (/[^\];>]+)`)
	for name, c := range map[string]struct{ code, want, data string }{
		"sound":       {"Audio(b'RIFF' + bytes(3000))", "<audio: 3 kB; file: ", "RIFF"},
		"film":        {"Video(b'film' + bytes(3000), embed=True, mimetype='video/mp4')", "<video: 3 kB; file: ", "film"},
		"drawing":     {"HTML('<img src=\"data:image/svg+xml;utf8,<svg><text>Revenue</text></svg>\">')", `its text: "Revenue"`, "<svg><text>"},
		"in Markdown": {"Markdown('![a](data:image/svg+xml;base64,' + base64.b64encode(b'<svg>').decode() + ')')", "![a](/", ""},
	} {
		text := p.run(c.code).text()
		if !strings.Contains(text, c.want) {
			t.Errorf("%s: %s", name, text)
			continue
		}
		if c.data == "" {
			continue
		}
		m := file.FindStringSubmatch(text)
		if m == nil {
			t.Errorf("%s: %s", name, text)
		} else if data, err := os.ReadFile(m[1]); err != nil || !strings.HasPrefix(string(data), c.data) {
			t.Errorf("%s: %v %.40q", name, err, data)
		}
	}
	for name, code := range map[string]string{
		"a background": `HTML(f'<div style="background:url({URI})"></div>')`,
		"a widget": `from comm import create_comm
c = create_comm(target_name='jupyter.widget', data={'state': {'_model_name': 'ImageModel', 'format': 'png'}, 'buffer_paths': [['value']]}, buffers=[PNG])
display({'application/vnd.jupyter.widget-view+json': {'model_id': c.comm_id}, 'text/plain': 'Image(value=b...)'}, raw=True)`,
	} {
		r := p.run(code)
		if n := len(r.Content); n < 2 || r.Content[1].Type != "image" || strings.Contains(r.text(), "value=b") {
			t.Errorf("%s: %s", name, r.text())
		} else if _, err := base64.StdEncoding.DecodeString(r.Content[1].Data); err != nil {
			t.Error(err)
		}
	}
}

// TestErrorsShownLive: an error is shown once and without advice that leads nowhere,
// and what Python itself writes names the cell.
func TestErrorsShownLive(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	p.run("from IPython.display import *\nimport logging, sys, threading, traceback, warnings\ndef g(x): return 1 / x")
	for _, c := range []struct{ code, want, not string }{
		{"Image('nosuch.png')", "]\nFileNotFoundError: No such file or directory: 'nosuch.png'\nOut[", "direct cause"},
		{"get_ipython().run_cell('import sys; sys.exit(3)').success", "]\nSystemExit: 3\nOut[", "%tb"},
		{"try: g(0)\nexcept Exception: traceback.print_exc()", "  Cell In[4], line 1, in <module>\n    try: g(0)", "ipykernel_"},
		{"try: g(0)\nexcept Exception: print(traceback.format_exc())", "  Cell In[1], line 3, in g\n", "ipykernel_"},
		{"t = threading.Thread(target=g, args=(0,)); t.start(); t.join()", "  Cell In[1], line 3, in g\n", "ipykernel_"},
		{"warnings.warn('careful')", "Cell In[7]:1: UserWarning: careful\n", "ipykernel_"},
		{"for i in range(3): warnings.simplefilter('always'); warnings.warn('old\\nsee there')", "UserWarning: old\nsee there\n  for i in range(3): ", "see there\n  for i in range(3): warnings.simplefilter('always'); warnings.warn('old\\nsee there')\nsee"},
		{"get_ipython().run_cell('raise ValueError(1)').success\nimport os; os.path.dirname(g.__code__.co_filename).endswith(str(os.getpid()))", ": True", "%tb"},
	} {
		if text := p.call("execute_code", args{"code": c.code}).text(); !strings.Contains(text, c.want) || strings.Contains(text, c.not) {
			t.Errorf("%s:\n%s", c.code, text)
		}
	}
}

// TestPictureNames: the file of a picture is named by what it contains, not by what code says.
func TestPictureNames(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	p.run("from IPython.display import display, Image\nimport base64\nwebp = 'UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=='\ngif = 'R0lGODdhAQABAIAAAP///////ywAAAAAAQABAAACAkQBADs='")
	for code, want := range map[string]string{
		"display({'image/png': webp}, raw=True)":                                                            ".webp",
		"display({'image/jpeg': gif}, raw=True)":                                                            ".gif",
		"display(Image(data=base64.b64decode(webp), format='png'))":                                         ".webp",
		"display({'image/png': base64.b64encode(b'BM' + bytes(60)).decode()}, raw=True)":                    ".bmp",
		"open('a.png', 'wb').write(base64.b64decode(webp)); display(Image(filename='a.png', format='png'))": ".webp",
	} {
		r := p.call("execute_code", args{"code": code})
		_, path, found := strings.Cut(r.text(), "original: ")
		path, _, _ = strings.Cut(path, "]")
		if _, err := os.Stat(path); !found || !strings.HasSuffix(path, want) || err != nil {
			t.Errorf("%s: %v\n%s", code, err, r.text())
		}
	}
}
