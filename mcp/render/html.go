package render

import (
	"fmt"
	"html"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// maxHTML bounds the HTML that is read for its text.
const maxHTML = 4 << 20

// htmlValue returns the text of an HTML value, escaped, or a line that names
// the HTML when there is no text in it.
func (r *renderer) htmlValue(v jupyter.Value) string {
	b, err := v.Bytes(maxHTML)
	if err != nil {
		return r.unreadable(v, err)
	}
	text := htmlText(string(b))
	if text == "" {
		return fmt.Sprintf("[html without text, %s: not shown%s]", ByteSize(v.Size), where(v))
	}
	return Text(text, r.budget.Characters)
}

// htmlText returns the words of an HTML or SVG document: script, style and
// comments dropped, blocks and table rows on lines of their own, cells
// separated, embedded media named. It is a reader's view, not a parser.
func htmlText(s string) string {
	w := &htmlWriter{}
	for s != "" {
		open := strings.IndexByte(s, '<')
		if open < 0 {
			w.words(s)
			break
		}
		w.words(s[:open])
		s = s[open:]
		if strings.HasPrefix(s, "<!--") {
			_, s, _ = strings.Cut(s, "-->")
			continue
		}
		if len(s) < 2 || !strings.ContainsRune("/!?", rune(s[1])) && !letter(s[1]) {
			w.words("<")
			s = s[1:]
			continue
		}
		tag, rest := splitTag(s)
		s = w.tag(tag, rest)
	}
	return w.text()
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// splitTag returns the inside of the tag s begins with, minding quotes.
func splitTag(s string) (tag, rest string) {
	var quote byte
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return s[1:i], s[i+1:]
		}
	}
	// A quote that never ends: up to the next bracket, as a reader would.
	tag, rest, _ = strings.Cut(s[1:], ">")
	return tag, rest
}

type htmlWriter struct {
	lines []string
	line  strings.Builder
	blank bool // white space is due before the next word
	pre   int
	cells int
}

func (w *htmlWriter) words(s string) {
	if s == "" {
		return
	}
	s = html.UnescapeString(s)
	if w.pre > 0 {
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

// tag handles a tag and returns where reading goes on.
func (w *htmlWriter) tag(tag, rest string) string {
	name := strings.ToLower(tag)
	closing := strings.HasPrefix(name, "/")
	name = strings.TrimPrefix(name, "/")
	if i := strings.IndexAny(name, " \t\r\n/"); i >= 0 {
		name = name[:i]
	}
	switch name {
	case "script", "style", "head", "template", "noscript", "defs":
		if !closing && !strings.HasSuffix(tag, "/") {
			return afterElement(rest, name)
		}
	case "br":
		w.newLine(true)
	case "pre", "textarea":
		w.newLine(false)
		if closing {
			w.pre = max(0, w.pre-1)
		} else {
			w.pre++
			rest = strings.TrimPrefix(rest, "\n")
		}
	case "tr":
		w.newLine(false)
		w.cells = 0
	case "td", "th":
		if !closing {
			if w.cells > 0 {
				w.line.WriteString(" | ")
			}
			w.cells++
			w.blank = false
		}
	case "li":
		w.newLine(false)
		if !closing {
			w.line.WriteString("- ")
		}
	case "p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "dt", "dd", "table", "thead", "tbody", "caption", "section",
		"article", "header", "footer", "details", "summary", "blockquote", "hr", "title", "text", "figure", "figcaption":
		w.newLine(false)
	case "audio", "video":
		if closing || strings.HasSuffix(tag, "/") {
			break
		}
		after := afterElement(rest, name)
		inner := rest[:len(rest)-len(after)]
		if attribute(tag, "src") == "" { // in <source>; the rest is for browsers that cannot play it
			tag = inner
		}
		w.media(name, tag)
		return after
	case "img", "iframe", "embed", "object":
		if !closing {
			w.media(name, tag)
		}
	}
	return rest
}

// media names embedded media in the text.
func (w *htmlWriter) media(name, tag string) {
	source := attribute(tag, "src")
	if source == "" {
		source = attribute(tag, "data")
	}
	if kind, data, inline := strings.Cut(source, ","); inline && strings.HasPrefix(kind, "data:") {
		kind, _, _ = strings.Cut(strings.TrimPrefix(kind, "data:"), ";")
		source = FirstRunes(kind, 40) + ", " + ByteSize(int64(len(data)*3/4)) + " inline"
	}
	if alt := attribute(tag, "alt"); alt != "" {
		source = strings.TrimSpace(FirstRunes(alt, 200) + " " + source)
	}
	if source == "" {
		return
	}
	w.words(" <" + name + ": " + FirstRunes(source, 300) + "> ")
}

// attribute returns the value of an attribute of a tag, or "".
func attribute(tag, name string) string {
	lower := strings.ToLower(tag)
	for at := 0; ; {
		i := strings.Index(lower[at:], name+"=")
		if i < 0 || len(lower) != len(tag) {
			return ""
		}
		at += i
		value := tag[at+len(name)+1:]
		if at > 0 && !strings.ContainsRune(" \t\r\n\"'", rune(tag[at-1])) {
			at++
			continue
		}
		if value != "" && (value[0] == '"' || value[0] == '\'') {
			value, _, _ = strings.Cut(value[1:], value[:1])
			return html.UnescapeString(value)
		}
		if end := strings.IndexAny(value, " \t\r\n>"); end >= 0 {
			value = value[:end]
		}
		return html.UnescapeString(value)
	}
}

// afterElement skips to behind the end tag of name.
func afterElement(s, name string) string {
	for at := 0; ; {
		i := strings.Index(s[at:], "</")
		if i < 0 {
			return ""
		}
		at += i + 2
		if len(s) >= at+len(name) && strings.EqualFold(s[at:at+len(name)], name) {
			_, rest := splitTag("<" + s[at:])
			return rest
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
