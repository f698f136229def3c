package jupyter

import (
	"bytes"
	"encoding/base64"
	"html"
	"net/url"
	"strings"
)

// DataURI is a piece of data that lies within a text, as HTML and Markdown have it
// (RFC 2397).
type DataURI struct {
	At   int    // where in the text it begins
	Text []byte // the whole URI
	Type string // MIME type, "" when it is none that can be read
	Data []byte // as it stands in the text, empty unless it can be read
	// Base64 says that Data is base64, perhaps with "+", "/" and "=" escaped.
	Base64 bool
	css    bool // a style sheet names it: an icon, a background
}

const dataScheme = "data:"

// NextDataURI returns the first data URI of text. Where it is none that can be read, it
// is only its first five bytes: reading goes on behind them.
func NextDataURI(text []byte) (uri DataURI, found bool) {
	at := bytes.Index(text, []byte(dataScheme))
	if at < 0 {
		return uri, false
	}
	uri.At, uri.Text = at, text[at:at+len(dataScheme)]
	uri.css = bytes.HasSuffix(bytes.TrimRight(text[:at], "\"' "), []byte("url("))
	rest := text[at:]
	comma := bytes.IndexByte(rest[:min(len(rest), 200)], ',')
	if comma < 0 {
		return uri, true
	}
	kind, parameters, _ := strings.Cut(string(rest[len(dataScheme):comma]), ";")
	if !plainType(kind) {
		return uri, true
	}
	end := 0
	if strings.HasSuffix(parameters, "base64") {
		uri.Base64 = true
		end = base64End(rest, comma+1)
	} else if end = quotedEnd(text, at, comma+1); end == 0 {
		return uri, true
	}
	uri.Type, uri.Text, uri.Data = strings.ToLower(kind), rest[:end], rest[comma+1:end]
	return uri, true
}

// base64End returns where the base64 that begins at ends.
func base64End(text []byte, at int) int {
	for line := at; at < len(text); at++ {
		if text[at] == '\n' && at-line == 76 { // of Python's encodebytes
			line = at + 1
		} else if !base64Byte(text[at]) {
			break
		}
	}
	return at
}

// quotedEnd returns where a URI that is no base64 ends, from its beginning: at the
// quote or the bracket it stands in. It is 0 when it stands in none.
func quotedEnd(text []byte, at, data int) int {
	if at == 0 {
		return 0
	}
	mark, found := map[byte]byte{'"': '"', '\'': '\'', '(': ')'}[text[at-1]]
	if !found {
		return 0
	}
	if n := bytes.IndexByte(text[at+data:], mark); n >= 0 {
		return data + n
	}
	return 0
}

// Decode returns the data itself.
func (u DataURI) Decode() ([]byte, bool) {
	sent := string(u.Data)
	if !u.Base64 {
		sent = html.UnescapeString(sent)
	}
	if strings.Contains(sent, "%") {
		plain, err := url.PathUnescape(sent)
		if err != nil && u.Base64 {
			return nil, false
		} else if err == nil {
			sent = plain
		}
	}
	if !u.Base64 {
		return []byte(sent), true
	}
	return DecodeBase64([]byte(strings.NewReplacer("-", "+", "_", "/").Replace(sent)))
}

// Size is about the number of bytes of the data.
func (u DataURI) Size() int {
	if u.Base64 {
		return base64.StdEncoding.DecodedLen(len(u.Data))
	}
	return len(u.Data)
}

// IsMedia tells data that a person opens with a program, or looks at, and that no
// answer shows: drawings, sound, films, documents; not what pages are made of, nor
// the icons of style sheets (scikit-learn's models have some).
func (u DataURI) IsMedia() bool {
	if u.css {
		return false
	}
	major, minor, _ := strings.Cut(u.Type, "/")
	switch major {
	case "audio", "video":
		return len(u.Data) > 0
	case "image":
		switch minor {
		case "png", "jpeg", "jpg", "gif", "webp": // are shown
			return false
		}
		return len(u.Data) > 0
	case "application":
		switch minor {
		case "pdf", "json", "zip", "gzip", "x-gzip", "msword", "x-parquet":
			return len(u.Data) > 0
		}
		return strings.HasPrefix(minor, "vnd.") && !strings.Contains(minor, "font") && len(u.Data) > 0
	}
	return u.Type == "text/csv" && len(u.Data) > 0
}

// HoldsMedia reports whether media lie within text.
func HoldsMedia(text []byte) bool {
	for {
		uri, found := NextDataURI(text)
		if !found {
			return false
		}
		if uri.IsMedia() {
			return true
		}
		text = text[uri.At+len(uri.Text):]
	}
}

func plainType(kind string) bool {
	for _, c := range kind {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("/+-.", c)) {
			return false
		}
	}
	return strings.Contains(kind, "/")
}

// base64Byte tells what base64 in a URI is made of.
func base64Byte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("+/=_-%", c) >= 0
}
