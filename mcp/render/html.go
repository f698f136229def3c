package render

import (
	"bytes"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// maxHTML bounds the HTML that is read for its text.
const maxHTML = 4 << 20

// htmlText returns the words of an HTML or SVG document: script, style and
// comments dropped, blocks and table rows on lines of their own, cells
// separated, embedded media named. It goes through the tokens and builds no tree:
// nesting of any depth takes no memory and no stack.
func htmlText(s string) string { return htmlTextWith(s, mediaNames{}) }

// mediaNames are the words for media that were taken out of HTML, "" for none.
type mediaNames struct {
	picture func(n int, css bool) string // the n-th, where an element or a style shows it
	file    func(path string) string     // what has a file of its own
}

// htmlTextWith is htmlText of HTML that media were taken out of.
func htmlTextWith(s string, names mediaNames) string {
	w := &htmlWriter{names: names}
	for s != "" {
		s = w.read(s)
	}
	return w.text()
}

// read reads s and returns what is left when a new tokenizer must go on: behind
// a large token, or behind the first bracket of a tag whose quote never ends, as
// a person would read it (each kind of quote can be the last only once).
func (w *htmlWriter) read(s string) (rest string) {
	z := html.NewTokenizer(strings.NewReader(s))
	at := 0 // bytes of s that are read
	for large := false; ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			_, rest, _ = strings.Cut(s[at:], ">")
			return rest
		}
		at += len(z.Raw())
		large = large || len(z.Raw()) > largeToken
		switch kind {
		case html.TextToken:
			if w.skipped == "" {
				w.words(string(z.Text()))
			} else if w.skipped == "style" {
				w.styled("style", string(z.Text()))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name := w.open(z, kind == html.SelfClosingTagToken)
			if large && !rawText(name) {
				return s[at:]
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			w.close(string(name))
			if large {
				return s[at:]
			}
		}
	}
}

// largeToken is the size of a token after which a new tokenizer goes on: it keeps
// its buffer, and a table of the tag's attributes that every later tag clears.
const largeToken = 16 << 10

// rawText tells elements whose content the tokenizer does not look into for
// tags: it must see their end.
func rawText(name string) bool {
	switch name {
	case "iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "textarea", "title", "xmp":
		return true
	}
	return false
}

type htmlWriter struct {
	lines []string
	line  strings.Builder
	blank bool // white space is due before the next word
	pre   int
	// preStart means that a pre has just begun: a line feed there is not text.
	preStart bool
	cells    int
	names    mediaNames

	skipped string // the element whose content is left out, "" for none
	nested  int    // elements of that name open within it
	unnamed bool   // it is an audio or video that has not been named yet
}

func (w *htmlWriter) words(s string) {
	if s == "" {
		return
	}
	if w.pre > 0 {
		if w.preStart {
			s = strings.TrimPrefix(s, "\n")
		}
		w.preStart = false
		for i, part := range strings.Split(s, "\n") {
			if i > 0 {
				w.newLine(true)
			}
			w.line.WriteString(part)
		}
		return
	}
	if strings.TrimLeft(s, " \t\r\n") != s {
		w.blank = true
	}
	for i, word := range strings.Fields(s) {
		if (i > 0 || w.blank) && w.line.Len() > 0 && !strings.HasSuffix(w.line.String(), " ") {
			w.line.WriteByte(' ')
		}
		w.line.WriteString(word)
		w.blank = false
	}
	if strings.TrimRight(s, " \t\r\n") != s {
		w.blank = true
	}
}

func (w *htmlWriter) newLine(always bool) {
	line := strings.TrimRight(w.line.String(), " ")
	if line != "" || always {
		w.lines = append(w.lines, line)
	}
	w.line.Reset()
	w.blank = false
}

// open handles a start tag and returns its name.
func (w *htmlWriter) open(z *html.Tokenizer, closed bool) (name string) {
	tag, _ := z.TagName()
	name = string(tag)
	holds := bytes.Contains(z.Raw(), []byte(inlineMark)) || w.names.file != nil && bytes.Contains(z.Raw(), []byte(mediaMark))
	w.preStart = false
	if closed {
		z.NextIsNotRawText() // in SVG <title/> has no content
	}
	if w.skipped == "head" && name == "body" { // the end tag of head is optional
		w.skipped, w.nested = "", 0
	}
	switch {
	case w.skipped == "":
		w.element(name, closed)
		switch name {
		case "audio", "video", "img", "iframe", "embed", "object":
			w.media(name, attributes(z))
		case "link", "meta":
		default:
			if holds {
				w.media(name, attributes(z))
			}
		}
	case w.skipped == name && !closed:
		w.nested++
	case w.unnamed && name == "source":
		w.media(w.skipped, attributes(z))
	}
	return name
}

// element makes the lines and marks an element begins with.
func (w *htmlWriter) element(name string, closed bool) {
	switch name {
	case "script", "style", "head", "template", "noscript", "defs", "metadata", "iframe":
		if !closed {
			w.skipped = name
		}
	case "br":
		w.newLine(true)
	case "pre", "textarea":
		w.newLine(false)
		w.pre++
		w.preStart = true
	case "tr":
		w.newLine(false)
		w.cells = 0
	case "td", "th":
		if w.cells > 0 {
			w.line.WriteString(" | ")
		}
		w.cells++
		w.blank = false
	case "li":
		w.newLine(false)
		w.line.WriteString("- ")
	case "audio", "video": // what is in it is for browsers that cannot play it
		if !closed {
			w.skipped, w.unnamed = name, true
		}
	default:
		if block(name) {
			w.newLine(false)
		}
	}
}

// close handles an end tag.
func (w *htmlWriter) close(name string) {
	if w.skipped != "" {
		if w.skipped != name {
			return
		}
		if w.nested--; w.nested < 0 {
			w.skipped, w.nested, w.unnamed = "", 0, false
		}
		return
	}
	switch name {
	case "br":
		w.newLine(true)
	case "pre", "textarea":
		w.newLine(false)
		w.pre = max(0, w.pre-1)
	case "tr":
		w.newLine(false)
		w.cells = 0
	case "li":
		w.newLine(false)
	default:
		if block(name) {
			w.newLine(false)
		}
	}
}

// block tells elements that stand on lines of their own.
func block(name string) bool {
	switch name {
	case "p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "dt", "dd", "table", "thead", "tbody", "caption", "section",
		"article", "header", "footer", "details", "summary", "blockquote", "hr", "title", "text", "figure", "figcaption":
		return true
	}
	return false
}

// mediaAttributes are those of a tag that name what it embeds.
type mediaAttributes struct{ src, data, srcdoc, alt, link, style string }

func attributes(z *html.Tokenizer) (a mediaAttributes) {
	for more := true; more; {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "src":
			a.src = string(value)
		case "data":
			a.data = string(value)
		case "srcdoc":
			a.srcdoc = string(value)
		case "alt":
			a.alt = string(value)
		case "href", "xlink:href", "poster":
			a.link = string(value)
		case "style", "srcset", "background":
			a.style += string(value)
		}
	}
	return a
}

// mediaMark is in the names of files with media (session/figures).
const mediaMark = ".media-"

// media names embedded media in the text.
func (w *htmlWriter) media(name string, a mediaAttributes) {
	w.styled(name, a.style)
	source := a.src
	if source == "" {
		source = a.data
	}
	words := w.taken(a.link)
	if words != "" && source != "" {
		w.words(" <" + name + ": " + words + "> ") // a film's still
		words = ""
	}
	if words == "" {
		words = w.taken(source)
	}
	if words != "" {
		source = words
	} else if strings.HasPrefix(source, inlineMark) {
		source = ""
	} else if kind, data, inline := strings.Cut(source, ","); inline && strings.HasPrefix(kind, "data:") {
		size := len(data) * 3 / 4
		if strings.HasSuffix(kind+",", sizeMark) {
			size, _ = strconv.Atoi(data)
		}
		kind, _, _ = strings.Cut(strings.TrimPrefix(kind, "data:"), ";")
		source = FirstRunes(kind, 40) + ", " + ByteSize(int64(size)) + " inline"
	} else {
		source = FirstRunes(source, 300)
	}
	if a.srcdoc != "" { // goes before src
		source = "a page, " + ByteSize(int64(len(a.srcdoc))) + " inline"
	}
	if a.alt != "" {
		source = strings.TrimSpace(FirstRunes(a.alt, 200) + " " + source)
	}
	if source == "" {
		return
	}
	w.unnamed = false
	w.words(" <" + name + ": " + source + "> ")
}

// taken returns the words for media that were taken out and whose source this is.
func (w *htmlWriter) taken(source string) string {
	if n, mark := strings.CutPrefix(source, inlineMark); mark && w.names.picture != nil {
		n, _, _ = strings.Cut(n, inlineEnd)
		if i, err := strconv.Atoi(n); err == nil && i >= 0 {
			return w.names.picture(i, false)
		}
		return ""
	}
	if w.names.file == nil || source == "" {
		return ""
	}
	return w.names.file(source)
}

// styled names the pictures of a style: backgrounds.
func (w *htmlWriter) styled(name, style string) {
	for w.names.picture != nil {
		_, rest, found := strings.Cut(style, inlineMark)
		if !found {
			return
		}
		n, rest, _ := strings.Cut(rest, inlineEnd)
		style = rest
		if i, err := strconv.Atoi(n); err == nil && i >= 0 {
			if words := w.names.picture(i, true); words != "" {
				w.words(" <" + name + ": " + words + "> ")
			}
		}
	}
}

func (w *htmlWriter) text() string {
	w.newLine(false)
	text := strings.Join(w.lines, "\n")
	for strings.Contains(text, "\n\n\n") {
		text = strings.ReplaceAll(text, "\n\n\n", "\n\n")
	}
	return strings.Trim(text, "\n")
}
