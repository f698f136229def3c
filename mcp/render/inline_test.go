package render

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// TestInlineImages: pictures within Markdown and HTML are sent as pictures, and
// what base64 is left is never shown as words.
func TestInlineImages(t *testing.T) {
	t.Parallel()
	b64 := base64.StdEncoding.EncodeToString(encodedAs(t, "PNG", noise(60, 40)))
	photo := base64.StdEncoding.EncodeToString(encodedAs(t, "JPEG", noise(70, 50)))
	dot := base64.StdEncoding.EncodeToString(encodedAs(t, "PNG", image.NewGray(image.Rect(0, 0, 8, 8))))
	wide := "data:image/png;base64," + base64.StdEncoding.EncodeToString(encodedAs(t, "PNG", noise(100, 80)))
	png, long := "data:image/png;base64,"+b64, strings.Repeat("QUJD", 5000)
	const bare, img = "<IPython.core.display.HTML object>", "<<image block: image/png>>"
	for _, c := range []struct {
		name string
		out  jupyter.Output
		want string // the sizes of pictures and files left out
	}{
		{"Markdown", shows("text/markdown", "# T\n![a]("+png+")\nend"), "# T\n![a](image 1)\nend\n[image 1: 60x40 PNG]\n" + img},
		{"Markdown with two and a reference", shows("text/markdown", "![a]("+png+") ![b][r]\n\n[r]: data:image/jpeg;base64,"+photo+"\nend"),
			"![a](image 1) ![b][r]\n\n[r]: image 2\nend\n[image 1: 60x40 PNG]\n" + img + "\n[image 2: 70x50 JPEG]\n<<image block: image/jpeg>>"},
		{"HTML in Markdown", shows("text/markdown", "<img src='"+png+"'> x"), "<img src='image 1'> x\n[image 1: 60x40 PNG]\n" + img},
		{"a file in Markdown", shows("text/markdown", "[get](data:text/csv;base64,"+long+")"), "[get](data:text/csv, 15 kB)"},
		{"an SVG in Markdown", shows("text/markdown", "![x](data:image/svg+xml;base64,"+long+")"), "![x](data:image/svg+xml, 15 kB)"},
		{"a broken picture in Markdown", shows("text/markdown", "![x](data:image/png;base64,"+long+")"), "![x](data:image/png, 15 kB)"},
		{"words that look so", shows("text/markdown", "write data:image/png;base64, and data: and image 7"), "write data:image/png;base64, and data: and image 7"},
		{"HTML", shows("text/plain", bare, "text/html", "<p>ramp</p><img alt='by year' src=\""+png+"\">"), "ramp\n<img: by year image 1>\n[image 1: 60x40 PNG]\n" + img},
		{"HTML, picture alone", shows("text/plain", bare, "text/html", "<div><img src="+png+"></div>"), "[image 1: 60x40 PNG]\n" + img},
		{"a result, picture alone", result(3, shows("text/plain", bare, "text/html", "<img src="+png+">")), "Out[3]: [image 1: 60x40 PNG]\n" + img},
		{"beside a plain text", result(3, shows("text/plain", ":Curve [x]", "text/html", "<img src='"+png+"'>")), "Out[3]: :Curve [x]\n[image 1: 60x40 PNG]\n" + img},
		{"escaped and wrapped base64", shows("text/html", "<img src='data:image/png;base64,"+url.QueryEscape(b64)+"'><img src='data:image/jpeg;base64,"+wrapped(photo)+"'>"),
			"[image 1: 60x40 PNG]\n" + img + "\n[image 2: 70x50 JPEG]\n<<image block: image/jpeg>>"},
		{"decoration, a film, CSS", shows("text/html", "<style>b{background:url("+png+")}</style><img src='data:image/png;base64,"+dot+"'>text<video src='data:video/mp4;base64,"+long+"'></video>"),
			"<img: image/png, " + ByteSize(int64(len(dot)*3/4)) + " inline> text <video: video/mp4, 15 kB inline>"},
		{"a background", shows("text/plain", bare, "text/html", "<div style=\"width:9px;background-image:url("+wide+")\"></div>"), "[image 1: 100x80 PNG]\n" + img},
		{"a background by a style sheet", shows("text/plain", bare, "text/html", "<style>.a{background:url('"+wide+"')} .b{background:url("+png+")}</style><div class=a>Hi</div>"),
			"<style: image 1>\nHi\n[image 1: 100x80 PNG]\n" + img},
		{"a picture within a drawing", shows("text/plain", bare, "text/html", "<svg><image width=9 xlink:href=\""+wide+"\"/><text>axis</text></svg>"), "<image: image 1>\naxis\n[image 1: 100x80 PNG]\n" + img},
		{"a film's still", shows("text/html", "<video poster='"+wide+"' src='a.mp4'></video>"), "<video: image 1> <video: a.mp4>\n[image 1: 100x80 PNG]\n" + img},
		{"an icon of the page", shows("text/html", "<link rel=icon href='"+wide+"'>x"), "x"},
		{"a forged mark", shows("text/html", "<p>x</p><img src='data:image;taken,0'><img src='data:image;taken,-1'>"), "x"},
		{"with a picture of its own", shows("image/png", string(encodedAs(t, "PNG", noise(50, 30))), "text/html", "<img src='"+png+"'>"), "[image 1: 50x30 PNG]\n" + img},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Outputs(sequence(c.out), testBudget(characters, false), Options{})
			if diff := cmp.Diff(c.want, withoutSizes(r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func wrapped(s string) string {
	var b strings.Builder
	for ; len(s) > 76; s = s[76:] {
		b.WriteString(s[:76] + "\n")
	}
	return b.String() + s
}

func withoutSizes(r Result) string {
	var lines []string
	for _, block := range r.Blocks {
		if block.Image != nil {
			lines = append(lines, "<<image block: "+block.MIME+">>")
			continue
		}
		for line := range strings.SplitSeq(block.Text, "\n") {
			if i := strings.Index(line, "[image "); i >= 0 {
				fields := strings.Fields(line[i:])
				line = line[:i] + strings.Join(fields[:4], " ") + "]"
			}
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// TestImageFiles: one line names the directory of the pictures' files.
func TestImageFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var outputs []jupyter.Output
	for i := range 7 {
		b := encodedAs(t, "PNG", noise(40+i, 30))
		outputs = append(outputs, jupyter.Output{Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{"image/png": valueFile(t, dir, fmt.Sprintf("ab12-3.%d.png", i), b)}})
	}
	text := written(Outputs(sequence(outputs...), testBudget(characters, false), Options{}))
	if n := strings.Count(text, dir); n != 1 || !strings.Contains(text, "; original: "+filepath.Join(dir, "ab12-3.0.png")+"]") {
		t.Errorf("the directory is named %d times in\n%s", n, text)
	}
	for i := 1; i < 7; i++ {
		if !strings.Contains(text, fmt.Sprintf("; original: …/ab12-3.%d.png]", i)) {
			t.Errorf("file %d is not named in\n%s", i, text)
		}
	}
	budget := testBudget(characters, false)
	budget.ImageCount = 0
	text = written(Outputs(sequence(outputs[0]), budget, Options{}))
	if !strings.Contains(text, filepath.Join(dir, "ab12-3.0.png")) {
		t.Errorf("where no image is sent:\n%s", text)
	}
}

func valueFile(t *testing.T, dir, name string, b []byte) jupyter.Value {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return jupyter.Value{Path: path, Size: int64(len(b))}
}

func FuzzTakeImages(f *testing.F) {
	f.Add([]byte("![a](data:image/png;base64,iVBORw0KGgo=) data:x/y;base64,QUJD"))
	f.Add([]byte("data:data:image/png;base64"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rest, images := takeImages(bytes.Clone(b), func(int) string { return "" }, func(string, int) string { return "" })
		if len(rest) > len(b) || len(images) > maxInlineImages {
			t.Errorf("%d bytes of %d, %d images", len(rest), len(b), len(images))
		}
	})
}
