package render

import (
	"html"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestHTMLText(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"words", "a <b>b</b>c &lt;d&gt; &amp; e", "a bc <d> & e"},
		{"blocks", "<div>a</div><div>b</div>c<br>d", "a\nb\nc\nd"},
		{"blanks collapse", "<p>  a \n\n b  </p>\n\n<p>c", "a b\nc"},
		{"table", "<table><tr><th>a<th>b</tr>\n<tr><td>1</td>\n<td>2</td></tr></table>", "a | b\n1 | 2"},
		{"list", "<ul><li>a</li><li>b</li></ul>", "- a\n- b"},
		{"preformatted", "<pre>\n a\n  b</pre>c", " a\n  b\nc"},
		{"script, style, comment", "a<script>if (1 < 2) x('</p>')</script><STYLE>b{}</STYLE><!-- <p> -->b", "ab"},
		{"not a tag", "1 < 2 and 3 <4 > 2", "1 < 2 and 3 <4 > 2"},
		{"quotes hold brackets", `<a title="x > y">link</a>`, "link"},
		{"a quote that does not end", `<a title="x>link</a>`, "link"},
		{"a tag that does not end", "a<b", "a"},
		{"a script that does not end", "a<script>b", "a"},
		{"media", `<img src="data:image/png;base64,AAAA" alt="a plot"> <iframe width=3 src='https://x/'></iframe>`,
			"<img: a plot image/png, 3 bytes inline> <iframe: https://x/>"},
		{"sound", `<audio controls><source src="s.wav"/>Your browser cannot.</audio>`, "<audio: s.wav>"},
		{"sound that is closed at once", `<video src="v.mp4"/>after`, "<video: v.mp4> after"},
		{"sound without a source", `<video><p>old browser</p></video>after`, "after"},
		{"a page in an attribute", `<iframe width="9" srcdoc="&lt;script src=&quot;https://x/a.js&quot;&gt;&lt;/script&gt;">for old browsers</iframe>`,
			"<iframe: a page, 38 bytes inline>"},
		{"an attribute named in another's value", `<img title="not src=a" data-src=b src=c alt='d alt="e"'>`, `<img: d alt="e" c>`},
		{"an element with no end tag for its head", "<html><head><title>t</title><body>a", "a"},
		{"an end tag that only begins alike", "<head>a</header>b</head>c", "c"},
		{"elements of one name in each other", "<template>a<template>b</template>c</template>d", "d"},
		{"SVG's empty elements", "<svg><title/><defs/><style/><text>a</text></svg>", "a"},
		{"entities without their semicolon", `a &lt b &amp c <img src="?a=1&lt=2">`, "a < b & c <img: ?a=1&lt=2>"},
		{"two quotes that do not end", `<a x="1>a<b y='2>b`, "ab"},
		{"nothing", "<div></div>", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := htmlText(c.in); got != c.want {
				t.Errorf("%q\nis %q, want\n   %q", c.in, got, c.want)
			}
		})
	}
}

// TestHTMLDeep: elements within elements, as many as fit into what is read.
func TestHTMLDeep(t *testing.T) {
	for _, tag := range []string{"<div>", "<pre>", "<table><tr><td>", "<template>", "<svg><defs>", "<video>", "<b a>"} {
		n := maxHTML / len(tag)
		shown := strings.ReplaceAll(htmlText(strings.Repeat(tag, n)+"x"), " | ", "")
		if skips := strings.Contains("<template> <svg><defs> <video>", tag); strings.TrimSpace(shown) != "x" && !skips || skips && shown != "" {
			t.Errorf("%d times %s: %.40q", n, tag, shown)
		}
	}
}

func FuzzHTML(f *testing.F) {
	for _, seed := range []string{
		`<table><tr><th>a<td>b</table><!-- c --><script>"</p>"</script>`, `<a title="x>link</a>`, "<b x='1>\n<i y=\"2>z",
		`<iframe srcdoc="<img src='x'>" src=y></iframe><audio><source src=z>`, "<pre>\n\n a</pre><textarea>\r\nb&lt;",
		"<!---->a<!-->b<![CDATA[c]]><?d?></e f='>'>", "<svg><title/><style>x</style><text>y", "a&nGt;&#0;&#xd800;\x00\xff", "<plaintext><p>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		in = in[:min(len(in), 64<<10)]
		text := htmlText(in)
		// An entity is never shorter than half of what it stands for; a tag names
		// no more than it holds.
		if len(text) > 4*len(in)+16 {
			t.Errorf("%d bytes of %d", len(text), len(in))
		}
		if strings.Contains(text, "\n\n\n") || strings.Trim(text, "\n") != text {
			t.Errorf("blank lines: %q", text)
		}
		if utf8.ValidString(in) && !utf8.ValidString(text) {
			t.Errorf("not UTF-8: %q", text)
		}
		// What is escaped is text, word for word, in an element and in an attribute.
		plain := strings.NewReplacer("\x00", "", "\r", "").Replace(in)
		escaped := html.EscapeString(plain)
		if got, want := htmlText("<p>"+escaped+"</p>"), strings.Join(strings.Fields(plain), " "); got != want {
			t.Errorf("escaped, it reads %q, want %q", got, want)
		}
		if got := htmlText(`<iframe srcdoc="` + escaped + `">` + "</iframe><script>" + escaped + "</script>after"); plain != "" && (!strings.HasPrefix(got, "<iframe: a page, ") || !slices.Contains(strings.Fields(got), "after")) {
			t.Errorf("in an attribute: %q", got)
		}
	})
}
