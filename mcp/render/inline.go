package render

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

const (
	// maxInline bounds the text that is read for the pictures within it.
	maxInline = 32 << 20
	// maxInlineImages bounds the pictures taken out of one text.
	maxInlineImages = 64
	// iconSide is the longest side of pictures that are taken for decoration.
	iconSide = 24
	// iconSideCSS is that of pictures that a style sheet names.
	iconSideCSS = 64
	// keptURI is the length up to which other data is left where it stands.
	keptURI = 200
)

// What stands in HTML for the n-th picture that was taken out, and for other data
// of n bytes: a person's own text that looks so has no picture.
const (
	inlineMark = "data:image;taken,"
	inlineEnd  = ";"
	sizeMark   = ";bytes,"
)

// takeImages takes the pictures out of text that holds them as data URIs (RFC
// 2397): so the megabytes of one are looked at once, and never as words. name
// returns what stands for the n-th, other what stands for other long data.
func takeImages(text []byte, name func(n int) string, other func(kind string, size int) string) (rest []byte, images []jupyter.Value) {
	for {
		uri, found := jupyter.NextDataURI(text)
		if !found {
			return append(rest, text...), images
		}
		rest = append(rest, text[:uri.At]...)
		text = text[uri.At+len(uri.Text):]
		if len(images) < maxInlineImages && uri.Base64 && strings.HasPrefix(uri.Type, "image/") {
			if v, ok := decodeInline(uri); ok {
				rest = append(rest, name(len(images))...)
				images = append(images, v)
				continue
			}
		}
		if len(uri.Data) > keptURI {
			uri.Text = []byte(other(uri.Type, uri.Size()))
		}
		rest = append(rest, uri.Text...)
	}
}

// decodeInline decodes a picture, unless it is of a kind that is not sent, or
// decoration.
func decodeInline(uri jupyter.DataURI) (jupyter.Value, bool) {
	b, ok := uri.Decode()
	if !ok || inlineSide(b) <= iconSide {
		return jupyter.Value{}, false
	}
	return jupyter.InlineValue(b), true
}

// inlineSide is the longest side of a picture, 0 when it is none that is sent.
func inlineSide(b []byte) int {
	c, err := decodeConfig(sniff(b), b)
	if err != nil {
		return 0
	}
	return max(c.Width, c.Height)
}

// picture numbers a picture that was taken out of a text.
func (r *renderer) picture(v jupyter.Value) *picture {
	r.imagesSeen++
	return &picture{value: v, number: r.imagesSeen}
}

// markdown returns the text of Markdown, escaped, and the pictures within it.
func (r *renderer) markdown(v jupyter.Value) (string, []*picture) {
	b, err := v.Bytes(maxInline)
	if err != nil {
		return r.unreadable(v, err), nil
	}
	if v.Size > maxInline || !bytes.Contains(b, []byte(";base64,")) {
		return r.bounded(v, r.budget.Characters), nil
	}
	first := r.imagesSeen + 1
	rest, images := takeImages(b, func(n int) string { return fmt.Sprintf("image %d", first+n) },
		func(kind string, size int) string { return "data:" + kind + ", " + ByteSize(int64(size)) })
	var pictures []*picture
	for _, v := range images {
		pictures = append(pictures, r.picture(v))
	}
	readOn := r.options.ReadOn
	if v.Path != "" {
		readOn = "file: " + v.Path
	}
	text, err := boundedText(bytes.NewReader(rest), r.budget.Characters, readOn, r.options.Cell)
	if err != nil {
		return r.unreadable(v, err), nil
	}
	return text, pictures
}

// htmlView is what there is to show of a display's HTML.
type htmlView struct {
	found    bool
	text     string // escaped; "" when it has no words
	line     string // of ours: what it is and where, "" when the text says all
	empty    bool   // there is nothing in it
	pictures []*picture
}

// longRepr is the length of a plain text above which HTML may say the same in
// less.
const longRepr = 1000

// readHTML reads the HTML of a display, if it is needed beside the plain text: for
// want of one, because that is long, or for its pictures.
func (r *renderer) readHTML(o *jupyter.Output) (h htmlView) {
	v, found := o.Data["text/html"]
	if !found {
		return h
	}
	h.found = true
	plain, hasPlain := o.Data["text/plain"]
	wanted := !hasPlain || bareRepr(plain) || plain.Size > longRepr || len(o.Media) > 0
	b, err := v.Bytes(maxInline)
	if err != nil {
		h.line = r.unreadable(v, err)
		return h
	}
	if !wanted && !bytes.Contains(b, []byte(";base64,")) {
		return h
	}
	text, pictures := r.htmlWords(b, o.Media)
	h.text, h.pictures = Text(text, r.budget.Characters), pictures
	switch {
	case v.Path != "" && pictures == nil:
		h.line = "[html page, " + ByteSize(v.Size) + where(v) + "]"
	case h.text == "" && pictures == nil && emptyHTML(b):
		h.empty = true
	case h.text == "" && pictures == nil:
		h.line = "[html without text, " + ByteSize(v.Size) + ": not shown]"
	}
	return h
}

// plainTags are those that show nothing by themselves.
var plainTags = regexp.MustCompile(`(?i)</?(pre|code|div|span|p|br|b)(\s[^<>]*)?/?>|&nbsp;`)

// emptyHTML tells HTML that shows nothing: a progress bar that has been taken away.
func emptyHTML(b []byte) bool {
	return len(b) <= 4000 && !bytes.Contains(b, []byte("url(")) && len(bytes.TrimSpace(plainTags.ReplaceAll(b, nil))) == 0
}

// htmlWords returns the words of HTML, and the pictures that its elements show. media
// are files that it names.
func (r *renderer) htmlWords(b []byte, media map[string]jupyter.Value) (string, []*picture) {
	rest, images := takeImages(b, func(n int) string { return inlineMark + strconv.Itoa(n) + inlineEnd },
		func(kind string, size int) string { return "data:" + kind + sizeMark + strconv.Itoa(size) })
	var pictures []*picture
	names := mediaNames{
		picture: func(n int, css bool) string {
			if n >= len(images) || css && inlineSide(images[n].Inline) <= iconSideCSS {
				return ""
			}
			p := r.picture(images[n])
			pictures = append(pictures, p)
			return fmt.Sprintf("image %d", p.number)
		},
		file: func(path string) string {
			if v, found := media[path]; found {
				return mediaFile(v)
			}
			return ""
		},
	}
	text := htmlTextWith(string(rest[:min(len(rest), maxHTML)]), names)
	bare := text
	for _, p := range pictures {
		bare = regexp.MustCompile(fmt.Sprintf(`<[a-z]+: image %d>`, p.number)).ReplaceAllString(bare, "")
	}
	if strings.TrimSpace(bare) == "" {
		text = "" // the pictures say it
	}
	return text, pictures
}

// mediaFile names a file of media; of an SVG picture its words too.
func mediaFile(v jupyter.Value) string {
	if filepath.Ext(v.Path) != ".svg" {
		return ByteSize(v.Size) + where(v)
	}
	line := "svg picture, " + ByteSize(v.Size) + where(v)
	if words := svgWords(v); words != "" {
		line += fmt.Sprintf("; its text: %q", words)
	}
	return line
}

// reads tells whether the HTML is better to read than a long plain text: one that
// writes an object out, as Python's dataclasses do, or much longer than the words
// of the HTML.
func (h htmlView) reads(plain jupyter.Value) bool {
	if plain.Size <= longRepr || h.text == "" {
		return false
	}
	b, err := plain.Bytes(2000)
	if err != nil || len(b) == 0 || b[0] == ' ' || b[0] == '\n' {
		return false // a frame's first line begins with blanks
	}
	return constructorLike(b) && int64(len(h.text)) < plain.Size || int64(len(h.text))*4 < plain.Size
}

// constructorLike tells a text like "Table(rows=[…".
func constructorLike(b []byte) bool {
	i := bytes.IndexByte(b, '(')
	if i < 1 {
		return false
	}
	for _, c := range b[:i] {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}

// shown returns the view as a display's text.
func (h htmlView) shown() (text string, ours bool, pictures []*picture) {
	if h.text == "" {
		return h.line, h.line != "", h.pictures
	}
	return strings.TrimSuffix(h.text+"\n"+h.line, "\n"), false, h.pictures
}
