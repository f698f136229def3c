package figures

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// TestSaveMedia: what no answer can show, and lies within a display's text, gets a
// file.
func TestSaveMedia(t *testing.T) {
	svg := `<svg xmlns="http://www.w3.org/2000/svg"><text>a "b" 100%</text></svg>`
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct {
		name, mime, text string
		want             string // of the text; FILE is the path without what it ends with
		end, data        string
	}{
		{"sound", "text/html", `<audio><source src="data:audio/wav;base64,` + b64("RIFF") + `" type="audio/wav"></audio>`, `<audio><source src="FILE.wav" type="audio/wav"></audio>`, ".wav", "RIFF"},
		{"a film", "text/html", `<video src='data:video/mp4;base64,` + b64("ftyp") + `'>`, `<video src='FILE.mp4'>`, ".mp4", "ftyp"},
		{"a drawing", "text/html", `<img src=data:image/svg+xml;base64,` + b64(svg) + `>`, `<img src=FILE.svg>`, ".svg", svg},
		{"a drawing as it is", "text/html", `<img src='data:image/svg+xml;utf8,` + svg + `'>`, `<img src='FILE.svg'>`, ".svg", svg},
		{"a drawing, escaped", "text/html", `<img src="data:image/svg+xml;charset=utf-8,%3Csvg%3E&lt;/svg>">`, `<img src="FILE.svg">`, ".svg", "<svg></svg>"},
		{"a drawing in Markdown", "text/markdown", "![x](data:image/svg+xml;base64," + b64(svg) + ") end", "![x](FILE.svg) end", ".svg", svg},
		{"a table to take away", "text/html", `<a download="t.csv" href="data:text/csv;base64,` + b64("a,b\n") + `">t</a>`, `<a download="t.csv" href="FILE.csv">t</a>`, ".csv", "a,b\n"},
		{"a document", "text/html", `<embed src="data:application/pdf;base64,` + b64("%PDF") + `">`, `<embed src="FILE.pdf">`, ".pdf", "%PDF"},
		{"a picture that is shown", "text/html", `<img src="data:image/png;base64,` + b64("png") + `">`, "", "", ""},
		{"a font", "text/html", `<style>@font-face{src:url(data:font/woff2;base64,` + b64("font") + `)}</style>`, "", "", ""},
		{"no base64", "text/html", `<audio src="data:audio/wav;base64,!!">`, "", "", ""},
		{"an icon of a style sheet", "text/html", "<style>.copy { background-image: url(data:image/svg+xml;base64," + b64(svg) + "); }</style>LinearRegression()", "", "", ""},
		{"a background", "text/html", `<div style="background: url( 'data:image/svg+xml;base64,` + b64(svg) + `')">x</div>`, "", "", ""},
		{"words", "text/markdown", "data:image/svg+xml, and data: x", "", "", ""},
		{"plain text", "text/plain", "data:audio/wav;base64," + b64("RIFF"), "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			o := &jupyter.Output{Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{c.mime: jupyter.TextValue(c.text)}}
			got := Save(dir, "ab12-3", 77, o)
			if c.want == "" {
				if entries, _ := os.ReadDir(dir); got != o || len(entries) > 0 {
					t.Errorf("%+v, made %v", got, entries)
				}
				return
			}
			path := filepath.Join(dir, "ab12-3.media-77-1")
			if text, want := string(got.Data[c.mime].Inline), strings.Replace(c.want, "FILE", path, 1); text != want {
				t.Errorf("the text is %s, want %s", text, want)
			}
			data, err := os.ReadFile(path + c.end)
			if err != nil || string(data) != c.data || got.Media[path+c.end].Size != int64(len(data)) {
				t.Errorf("%q, %v, %+v", data, err, got.Media)
			}
			if string(o.Data[c.mime].Inline) != c.text || o.Media != nil {
				t.Error("the display itself was changed")
			}
			if again := Save(dir, "ab12-3", 77, o); string(again.Data[c.mime].Inline) != string(got.Data[c.mime].Inline) {
				t.Errorf("another time: %+v", again)
			}
		})
	}
}

// FuzzSaveMedia: whatever the text, what is not taken out of it stays.
func FuzzSaveMedia(f *testing.F) {
	f.Add("x <img src='data:image/svg+xml,<svg>'> data:audio/wav;base64,QUJD data:")
	f.Fuzz(func(t *testing.T, text string) {
		rest := []byte(text)
		var whole []byte
		for {
			uri, found := jupyter.NextDataURI(rest)
			if !found {
				break
			}
			uri.Decode()
			whole = append(append(whole, rest[:uri.At]...), uri.Text...)
			rest = rest[uri.At+len(uri.Text):]
		}
		if string(append(whole, rest...)) != text {
			t.Errorf("%q became %q", text, whole)
		}
	})
}
