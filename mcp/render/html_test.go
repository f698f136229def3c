package render

import "testing"

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
		{"nothing", "<div></div>", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := htmlText(c.in); got != c.want {
				t.Errorf("%q\nis %q, want\n   %q", c.in, got, c.want)
			}
		})
	}
}
