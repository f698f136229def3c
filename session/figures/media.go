package figures

import (
	"fmt"
	"html"
	"maps"
	"os"
	"path/filepath"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// Bounds on the media that are taken out of one display.
const (
	maxMediaText = 64 << 20
	maxMedia     = 20
)

// saveMedia writes the media that lie within the texts of a display to files in dir,
// whose paths then stand in the texts: a person can play a sound, a program can read
// it. It returns o when there are none.
func saveMedia(dir, exec string, at record.Position, o *jupyter.Output) *jupyter.Output {
	with := *o
	n := 0
	for _, mime := range []string{"text/html", "text/markdown"} {
		v, found := o.Data[mime]
		if !found || v.Size > maxMediaText {
			continue
		}
		text, err := v.Bytes(maxMediaText)
		if err != nil || mime == "text/html" && drawn(o, text) || !jupyter.HoldsMedia(text) {
			continue
		}
		var rest []byte
		for {
			uri, found := jupyter.NextDataURI(text)
			if !found {
				break
			}
			rest = append(rest, text[:uri.At]...)
			if path := saveOne(dir, fmt.Sprintf("%s.media-%d-%d", exec, at, n+1), uri, &with, n); path != "" {
				if mime == "text/html" {
					path = html.EscapeString(path)
				}
				rest = append(rest, path...)
				n++
			} else {
				rest = append(rest, uri.Text...)
			}
			text = text[uri.At+len(uri.Text):]
		}
		if n > 0 {
			data := maps.Clone(with.Data)
			data[mime] = jupyter.InlineValue(append(rest, text...))
			with.Data = data
		}
	}
	if n == 0 {
		return o
	}
	return &with
}

// drawn tells HTML that gets a page, or needs none: the media in it belong to that.
func drawn(o *jupyter.Output, page []byte) bool {
	return jupyter.IsLoader(page) || scripted(page) && bareText(o.Data["text/plain"])
}

// saveOne writes the data of one URI, and notes it in with; "" when it cannot be.
func saveOne(dir, name string, uri jupyter.DataURI, with *jupyter.Output, n int) string {
	if n >= maxMedia || !uri.IsMedia() {
		return ""
	}
	data, ok := uri.Decode()
	if !ok {
		return ""
	}
	path := filepath.Join(dir, name+record.Extension(jupyter.PictureType(uri.Type, data)))
	if _, err := os.Stat(path); err != nil { // an earlier answer may have made it
		if os.WriteFile(path, data, 0o600) != nil {
			os.Remove(path)
			return ""
		}
	}
	if n == 0 {
		with.Media = map[string]jupyter.Value{}
	}
	with.Media[path] = jupyter.Value{Path: path, Size: int64(len(data))}
	return path
}
