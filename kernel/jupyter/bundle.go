package jupyter

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"strings"
	"sync"
)

// maxTypes bounds the MIME types kept of one display.
const maxTypes = 256

// bundle reads a MIME bundle: text as text, JSON as JSON, base64 decoded. It
// names the types whose base64 could not be decoded. whole is the length of the
// content raw belongs to.
func bundle(raw []byte, whole int) (data map[string]Value, undecoded []string) {
	_ = eachMember(raw, func(key, value []byte) bool {
		if isNull(value) {
			return true
		}
		mime := string(unquote(key))
		v, ok := mimeValue(mime, value, whole)
		if !ok {
			undecoded = append(undecoded, mime)
		}
		if data == nil {
			data = make(map[string]Value)
		}
		data[mime] = InlineValue(v)
		return len(data) < maxTypes
	})
	return data, undecoded
}

// mimeValue returns the value's bytes, and false if they should have been
// base64 but are not.
func mimeValue(mime string, raw []byte, whole int) ([]byte, bool) {
	mime, _, _ = strings.Cut(strings.ToLower(mime), ";")
	mime = strings.TrimSpace(mime)
	switch {
	case isJSON(mime):
		return own(cleanJSON(raw), whole), true
	case isBinary(mime):
		sent := text(raw, "")
		if b, ok := DecodeBase64(sent); ok {
			return b, true
		}
		return own(sent, whole), false
	}
	return own(text(raw, ""), whole), true
}

// own copies b unless it is most of the content it was cut from: a short text
// must not keep the 70 MB of a picture beside it in memory.
func own(b []byte, whole int) []byte {
	if len(b) > whole/2 {
		return b
	}
	return bytes.Clone(b)
}

func isJSON(mime string) bool {
	return mime == "application/json" || strings.HasSuffix(mime, "+json")
}

// isBinary says whether kernels send values of this type as base64.
func isBinary(mime string) bool {
	if strings.HasSuffix(mime, "+xml") {
		return false // image/svg+xml
	}
	switch kind, _, _ := strings.Cut(mime, "/"); kind {
	case "image", "audio", "video", "font":
		return true
	}
	switch mime {
	case "application/pdf", "application/octet-stream", "application/zip", "application/gzip", "application/x-gzip":
		return true
	}
	return false
}

// DecodeBase64 takes what kernels send: a final newline (ipykernel 6), wrapped
// lines, spaces, padding left out.
func DecodeBase64(sent []byte) ([]byte, bool) {
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(sent))) // enough with and without padding
	if n, err := base64.StdEncoding.Decode(out, sent); err == nil {
		return out[:n], true
	}
	bare := bytes.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n\v\f=", r) {
			return -1
		}
		return r
	}, sent)
	n, err := base64.RawStdEncoding.Decode(out, bare)
	return out[:n], err == nil
}

// NeedsBrowser reports whether HTML has what only a browser can show: a script, a
// page within it, a drawing.
func NeedsBrowser(html []byte) bool {
	for _, mark := range []string{"<script", "srcdoc=", "<svg"} {
		if bytes.Contains(html, []byte(mark)) {
			return true
		}
	}
	return false
}

// maxLoader bounds the HTML that is looked through for what it consists of.
const maxLoader = 256 << 10

// loaderParts are what HTML may have that shows nothing.
var loaderParts = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?is)<script\b[^>]*\bsrc=[^>]*>\s*</script>|<script\b[^>]*\btype="(?:esms-options|importmap)"[^>]*>.*?</script>|` +
		`<style\b.*?</style>|<(?:link|meta)\b[^>]*>|<!--.*?-->`)
})

// IsLoader reports whether HTML only prepares a notebook's page for figures to come,
// with a library's name or logo at most: there is nothing to see or to open.
func IsLoader(html []byte) bool {
	switch {
	case bytes.Contains(html, []byte(`class="logo-block"`)), bytes.Contains(html, []byte(`class="bk-notebook-logo`)),
		bytes.Contains(html, []byte(`data-lets-plot-script="library"`)):
		return true
	case bytes.Contains(html, []byte("window.PlotlyConfig")) && !bytes.Contains(html, []byte("Plotly.newPlot(")):
		return true
	case bytes.Contains(html, []byte("panel.models.browser.BrowserInfo")) && !bytes.Contains(html, []byte(`"name":"Figure"`)):
		return true // panel's, which asks the browser what it is
	}
	return len(html) <= maxLoader && bytes.Contains(html, []byte("<script")) && len(bytes.TrimSpace(loaderParts().ReplaceAll(html, nil))) == 0
}
