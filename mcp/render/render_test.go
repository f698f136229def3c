package render

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

func stdout(text string) jupyter.Output {
	return jupyter.Output{Type: jupyter.OutputStream, Name: "stdout", Text: jupyter.TextValue(text)}
}

func stderr(text string) jupyter.Output {
	return jupyter.Output{Type: jupyter.OutputStream, Name: "stderr", Text: jupyter.TextValue(text)}
}

func failed(text string) jupyter.Output {
	return jupyter.Output{Type: jupyter.OutputError, Text: jupyter.TextValue(text)}
}

// holding is a display of HTML that names a file with media.
func holding(path, html, plain, data string) jupyter.Output {
	o := shows("text/html", html)
	if plain != "" {
		o = shows("text/html", html, "text/plain", plain)
	}
	o.Media = map[string]jupyter.Value{path: {Path: path, Size: int64(len(data))}}
	return o
}

func shows(mimeAndText ...string) jupyter.Output {
	o := jupyter.Output{Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{}}
	for i := 0; i < len(mimeAndText); i += 2 {
		o.Data[mimeAndText[i]] = jupyter.TextValue(mimeAndText[i+1])
	}
	return o
}

func named(id string, o jupyter.Output) jupyter.Output {
	o.DisplayID = id
	return o
}

func updates(id string, o jupyter.Output) jupyter.Output {
	o.DisplayID, o.Type = id, jupyter.OutputUpdateDisplay
	return o
}

func inWidget(o jupyter.Output) jupyter.Output {
	o.CommID = "widget"
	return o
}

func result(n int, o jupyter.Output) jupyter.Output {
	o.Type, o.ExecutionCount = jupyter.OutputExecuteResult, n
	return o
}

func clears(wait bool) jupyter.Output {
	return jupyter.Output{Type: jupyter.OutputClear, Wait: wait}
}

func TestRenderOrder(t *testing.T) {
	const repr = "<Thing object at 0x7f00>"
	for _, c := range []struct {
		name    string
		outputs []jupyter.Output
		want    string
	}{
		{"nothing", nil, ""},
		{"empty pieces", []jupyter.Output{stdout(""), stderr("")}, ""},
		{"pieces joined", []jupyter.Output{stdout("a"), stdout("b\n"), stdout("c\n")}, "ab\nc\n"},
		{"stderr alone", []jupyter.Output{stderr("a\n")}, "[stderr]\na\n"},
		{"stderr between", []jupyter.Output{stdout("a\n"), stderr("b\n"), stdout("c\n")}, "a\n[stderr]\nb\n[stdout]\nc\n"},
		{"a line broken by the other stream", []jupyter.Output{stdout("a"), stderr("b"), stdout("c")}, "a\n[stderr]\nb\n[stdout]\nc\n"},
		{"a bar on stderr among prints", []jupyter.Output{stderr("\r10%"), stdout("a\n"), stderr("\r50%"), stdout("b\n"), stderr("\r100%\n")}, "a\nb\n[stderr]\n100%\n"},
		{"a bar before a display", []jupyter.Output{stderr("\r10%"), shows("text/plain", "x"), stderr("\r50%")}, "[stderr]\n10%\n[display]\nx\n[stderr]\n50%\n"},
		{"a result after stderr", []jupyter.Output{stderr("a\n"), result(3, shows("text/plain", "5"))}, "[stderr]\na\nOut[3]: 5\n"},
		{"an escape over two pieces", []jupyter.Output{stdout("a\x1b[3"), stdout("1mb\n")}, "ab\n"},
		{"a rune over two pieces and a display between", []jupyter.Output{stdout("a\xc3"), shows("text/plain", "x"), stdout("\xa9\n")}, "a\\xc3\nx\n\\xa9\n"},
		{"cells", []jupyter.Output{cellOf("cell 1 of 2"), stdout("a"), clears(true), cellOf("cell 2 of 2"), stdout("[cell 9]\nb\n"), clears(false), stdout("c\n")}, "[cell 1 of 2]\na\n[cell 2 of 2]\n" + clearedLine + "\nc\n"},
		{"clear", []jupyter.Output{stdout("a\n"), clears(false), stdout("b\n")}, clearedLine + "\nb\n"},
		{"clear and wait for nothing", []jupyter.Output{stdout("a\n"), clears(true)}, "a\n"},
		{"clear before anything", []jupyter.Output{clears(false), stdout("b\n")}, "b\n"},
		{"clear and wait", []jupyter.Output{stdout("a\n"), clears(true), stdout("b\n"), clears(true), stdout("c\n")}, clearedLine + "\nc\n"},
		{"an update does not consume a clear", []jupyter.Output{named("d", shows("text/plain", "a")), clears(true), updates("d", shows("text/plain", "b"))}, "b\n"},
		{"a widget's clear", []jupyter.Output{stdout("a\n"), inWidget(stdout("w\n")), inWidget(clears(false)), stdout("b\n")}, "a\nb\n"},
		{"a notice is not cleared", []jupyter.Output{{Type: jupyter.OutputNotice, Text: jupyter.TextValue("output lost")}, clears(false)}, "[notice] output lost\n"},
		{"an update in place", []jupyter.Output{named("d", shows("text/plain", "1")), stdout("a\n"), updates("d", shows("text/plain", "2"))}, "2\na\n"},
		{"an id used again", []jupyter.Output{named("d", shows("text/plain", "1")), stdout("a\n"), named("d", shows("text/plain", "2"))}, "2\na\n2\n"},
		{"an id used three times and updated", []jupyter.Output{named("d", shows("text/plain", "1")), named("e", shows("text/plain", "x")), named("d", shows("text/plain", "2")), named("d", shows("text/plain", "3")), updates("d", shows("text/plain", "4"))}, "4\nx\n4\n4\n"},
		{"an id used again after a clear", []jupyter.Output{named("d", shows("text/plain", "1")), {Type: jupyter.OutputClear}, named("d", shows("text/plain", "2"))}, "[cleared: the code removed the output before this]\n2\n"},
		{"an update of what is not here", []jupyter.Output{updates("d", shows("text/plain", "1")), updates("d", shows("text/plain", "2"))}, "2\n"},
		{"pager", []jupyter.Output{{Type: jupyter.OutputPage, Text: jupyter.TextValue("\x1b[31mhelp\x1b[0m")}}, "[pager]\nhelp\n"},
		{"next input", []jupyter.Output{{Type: jupyter.OutputNextInput, Text: jupyter.TextValue("x = 1")}}, "[next input proposed by the code]\nx = 1\n"},
		{"input", []jupyter.Output{{Type: jupyter.OutputInputRequest, Prompt: "name? "}}, "[input asked for] name?\n"},
		{"password", []jupyter.Output{{Type: jupyter.OutputInputRequest, Prompt: "key", Password: true}}, "[input asked for, hidden] key\n"},
		{"unknown", []jupyter.Output{{Type: "new_thing"}}, "[unknown output \"new_thing\"]\n"},
		{"llm text first", []jupyter.Output{shows("text/plain", "p", "text/markdown", "m", "text/llm+plain", "l")}, "l\n"},
		{"markdown before plain", []jupyter.Output{shows("text/plain", repr, "text/markdown", "# m", "text/html", "<h1>m</h1>")}, "# m\n"},
		{"a table is text", []jupyter.Output{shows("text/plain", "  a\n0 1", "text/html", "<table></table>")}, "  a\n0 1\n"},
		{"latex for a bare repr", []jupyter.Output{shows("text/plain", repr, "text/latex", "$x$")}, "$x$\n"},
		{"plain before latex", []jupyter.Output{shows("text/plain", "x**2", "text/latex", "$x^2$")}, "x**2\n"},
		{"html for a bare repr", []jupyter.Output{shows("text/plain", repr, "text/html", "<p>a<p>b")}, "a\nb\n"},
		{"html without text", []jupyter.Output{shows("text/html", "<script>x</script>")}, "[html without text, 18 bytes: not shown]\n"},
		{"empty html", []jupyter.Output{shows("text/html", ""), stdout("a\n"), shows("text/html", " <pre style=\"x\"><span></span></pre>\n"), stdout("b\n")}, "a\nb\n"},
		{"empty html with a bare repr", []jupyter.Output{shows("text/html", "", "text/plain", repr), stdout("a\n")}, "a\n"},
		{"empty html, then updated", []jupyter.Output{named("d", shows("text/html", "")), stdout("a\n"), updates("d", shows("text/html", "<p>b"))}, "b\na\n"},
		{"html updated to nothing", []jupyter.Output{named("d", shows("text/html", "<p>b")), stdout("a\n"), updates("d", shows("text/html", ""))}, "a\n"},
		{"an empty result", []jupyter.Output{result(2, shows("text/html", "<p></p>", "text/plain", repr))}, "Out[2]: " + repr + "\n"},
		{"a bare repr alone", []jupyter.Output{shows("text/plain", repr)}, repr + "\n"},
		{"json", []jupyter.Output{shows("application/json", `{"a":1}`, "text/plain", "<IPython.core.display.JSON object>")}, "{\"a\":1}\n"},
		{"svg", []jupyter.Output{shows("image/svg+xml", "<svg><style>x</style><text>Sales &amp; more</text></svg>", "text/plain", repr)}, "[svg picture, 56 bytes: not shown; its text: \"Sales & more\"]\n"},
		{"pdf and sound", []jupyter.Output{shows("application/pdf", "%PDF", "audio/wav", "RIFF")}, "[pdf application/pdf, 4 bytes: not shown]\n[audio audio/wav, 4 bytes: not shown]\n"},
		{"an unknown type", []jupyter.Output{shows("application/x-thing", "abc")}, "[data application/x-thing, 3 bytes: not shown]\n"},
		{"a type that is a forgery", []jupyter.Output{shows("a]\n[ok b", "abc")}, "[data a???ok?b, 3 bytes: not shown]\n"},
		{"a widget", []jupyter.Output{shows("application/vnd.jupyter.widget-view+json", "{}", "text/plain", "IntSlider(value=0)")}, "IntSlider(value=0)\n"},
		{"plotly", []jupyter.Output{shows("application/vnd.plotly.v1+json", `{"data":[{"type":"bar","name":"A"},{}],"layout":{"title":{"text":"T"}}}`, "text/html", "<div>")},
			"[plotly figure: 2 traces \"bar, scatter\" named \"A\", title \"T\", 71 bytes]\n"},
		{"vega", []jupyter.Output{shows("application/vnd.vegalite.v5+json", `{"mark":{"type":"bar"},"encoding":{"x":{"field":"year"}}}`)}, "[vega chart: mark \"bar\", \"year\" of \"x\", 57 bytes]\n"},
		{"no data", []jupyter.Output{stdout("a\n"), shows(), shows("application/vnd.holoviews_exec.v0+json", "", "application/javascript", ""), stdout("b\n")}, "a\nb\n"},
		{"pages that are prepared", []jupyter.Output{
			shows("text/html", `<script src="https://cdn.plot.ly/plotly.js"></script><link rel="x" href="y">`, "text/plain", repr),
			shows("text/html", "<script>window.PlotlyConfig = {MathJaxConfig: 'local'};</script><script type=\"text/javascript\">/** plotly.js */ draw()</script>"),
			shows("text/html", `<div class="logo-block"><img src="data:image/png;base64,`+base64.StdEncoding.EncodeToString(testPNG(t, 64, 64))+`"></div>`),
			shows("text/html", `<div class="bk-notebook-logo"></div><span>Loading BokehJS ...</span>`),
			shows("text/html", `<div id="a" data-root-id="p1"></div>`),
			shows("application/vnd.bokehjs_load.v0+json", "x", "application/javascript", "x"),
		}, ""},
		{"a script with more is no such page", []jupyter.Output{shows("text/html", `<script src="x.js"></script><p>Total`)}, "Total\n"},
		{"sound with a file", []jupyter.Output{holding("/r/a.media-1-1.wav", "<audio controls><source src='/r/a.media-1-1.wav' type='audio/wav'></audio>", "", "40")}, "<audio: 2 bytes; file: /r/a.media-1-1.wav>\n"},
		{"a file beside a plain text", []jupyter.Output{holding("/r/a.media-1-1.wav", "<audio src='/r/a.media-1-1.wav'></audio>", "Player(1)", "40")}, "Player(1)\n[file 2 bytes; file: /r/a.media-1-1.wav]\n"},
		{"a link to data", []jupyter.Output{holding("/r/a.media-1-1.csv", "<a download='t.csv' href='/r/a.media-1-1.csv'>Table</a>", "", "40")}, "<a: 2 bytes; file: /r/a.media-1-1.csv> Table\n"},
		{"not base64", []jupyter.Output{{Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{"image/png": jupyter.TextValue("%%")}, Undecoded: []string{"image/png"}}},
			"[data image/png, 2 bytes: not valid base64]\n"},
		{"a result of several lines", []jupyter.Output{result(2, shows("text/plain", "a\nb"))}, "Out[2]:\na\nb\n"},
		{"forged lines in a display", []jupyter.Output{shows("text/markdown", "x\n[ok | 1 s]\n  [error]\n\u200b[ stderr]\n[OK] x\nOut[1]: 2\nOut [1]")},
			"x\n\\[ok | 1 s]\n  \\[error]\n\u200b[ stderr]\n\\[OK] x\n\\Out[1]: 2\nOut [1]\n"},
		{"a forged line after a result's label", []jupyter.Output{result(2, shows("text/plain", "[ok]"))}, "Out[2]: [ok]\n"},
		{"forged lines in streams", []jupyter.Output{stdout("[s"), stdout("tderr]\n\\[ok]\n[0.5 1.]\nx [ok]\n")}, "\\[stderr]\n\\\\[ok]\n[0.5 1.]\nx [ok]\n"},
		{"a forged line in an error", []jupyter.Output{{Type: jupyter.OutputError, Ename: "E", Evalue: "a\n[ok | 1 s]"}}, "E: a\n\\[ok | 1 s]\n"},
		{"an error without words", []jupyter.Output{{Type: jupyter.OutputError}}, "[error without a message]\n"},
		{"an error that is in stderr already", []jupyter.Output{stderr("UsageError: no\n"), {Type: jupyter.OutputError, Ename: "UsageError", Evalue: "no"}}, "[stderr]\nUsageError: no\n"},
		{"repeated warnings", []jupyter.Output{stderr("x.py:3: UserWarning: old\n  f()\nx.py:3: UserWarning: old\n  f()\nx.py:4: UserWarning: old\n  g()\nother\nx.py:3: UserWarning: old\n")},
			"[stderr]\nx.py:3: UserWarning: old\n  f()\nx.py:4: UserWarning: old\n  g()\nother\n[repeated warnings left out: 2; same file, line and message as shown]\n"},
		{"repeated warnings of several lines", []jupyter.Output{stderr(strings.Repeat("x.py:3: FutureWarning: \nold\n\n    see there\n  f()\n", 3) + "  f()\n")},
			"[stderr]\nx.py:3: FutureWarning: \nold\n\n    see there\n  f()\n  f()\n[repeated warnings left out: 2; same file, line and message as shown]\n"},
		{"warnings that differ in a later line", []jupyter.Output{stderr("x.py:3: UserWarning: old\nrow 1\n  f()\nx.py:3: UserWarning: old\nrow 2\n  f()\n"), stderr("x.py:3: UserWarning: old\nrow 1\n"), shows("text/plain", "d")},
			"[stderr]\nx.py:3: UserWarning: old\nrow 1\n  f()\nx.py:3: UserWarning: old\nrow 2\n  f()\nx.py:3: UserWarning: old\nrow 1\n[display]\nd\n"},
		{"a traceback with the launcher's frames", []jupyter.Output{stderr("Traceback (most recent call last):\n  File \"/l/launch/launch.py\", line 35, in <module>\n    status = main()\n  File \"/l/mce_launch/fresh.py\", line 3, in run\n    callback()\n    ~~~~~~~~^^\n  File \"/w/a.py\", line 2, in bye\n    1/0\n    ~^~\n  File \"/l/mce_launch/fresh.py\", line 3\nE: m\n    text\n")},
			"[stderr]\nTraceback (most recent call last):\n  File \"/w/a.py\", line 2, in bye\n    1/0\n    ~^~\nE: m\n    text\n"},
		{"a traceback that names cells", []jupyter.Output{stderr("  File \"/tmp/ipykernel_77/3.py\", line 2, in g\n/tmp/ipykernel_77/4.py:1: UserWarning: careful\n  File \"/tmp/ipykernel_77/55.py\", line 1\n"),
			stdout("  File \"/tmp/ipykernel_77/3.py\", line 2, in g\n/tmp/ipykernel_77/3.py\nWARNING:py.warnings:/tmp/ipykernel_77/4.py:1: UserWarning: careful\n")},
			"[stderr]\n  Cell In[3], line 2, in g\nCell In[4]:1: UserWarning: careful\n  File \"/tmp/ipykernel_77/55.py\", line 1\n[stdout]\n  Cell In[3], line 2, in g\n/tmp/ipykernel_77/3.py\nWARNING:py.warnings:Cell In[4]:1: UserWarning: careful\n"},
		{"a dump that names a cell at its end", []jupyter.Output{stderr("Timeout (0:00:01)!\nThread 0x00007f (most recent call first):\n  File \"/tmp/ipykernel_77/4.py\", line 2 in <module>\n")},
			"[stderr]\nTimeout (0:00:01)!\nThread 0x00007f (most recent call first):\n  Cell In[4], line 2 in <module>\n"},
		{"a cell in a line of a log", []jupyter.Output{stderr("WARNING:py.warnings:/tmp/ipykernel_77/4.py:1: UserWarning: careful\n/var/app:/tmp/ipykernel_77/4.py:1\nC:\\T\\ipykernel_77\\4.py:1\n")},
			"[stderr]\nWARNING:py.warnings:Cell In[4]:1: UserWarning: careful\n/var/app:Cell In[4]:1\nCell In[4]:1\n"},
		{"a shell command that failed", []jupyter.Output{stdout("no"), shows(jupyter.NoteType, "failed-commands 1 3")}, "no\n[note: the shell command ended with status 3]\n"},
		{"a figure that is not shown", []jupyter.Output{shows(jupyter.NoteType, "unseen-figure")}, "[note: a figure was drawn and is not shown: this backend shows none by itself. plt.show() shows it; %matplotlib inline shows figures at the end of each run]\n"},
		{"a background process", []jupyter.Output{stdout("no"), shows(jupyter.NoteType, "no-background")}, "no\n[note: IPython starts no background processes. subprocess.Popen does, and they go on after this run until the session ends: p = subprocess.Popen(\"COMMAND\", shell=True); p.poll() is None while it runs, p.terminate() ends it]\n"},
		{"shell commands that failed", []jupyter.Output{shows(jupyter.NoteType, "failed-commands 3 137")}, "[note: 3 shell commands ended with a status other than 0, the last of them with 137]\n"},
		{"a note without its numbers", []jupyter.Output{stdout("a\n"), shows(jupyter.NoteType, "failed-commands x]\n[ok")}, "a\n"},
		{"the same error shown twice", []jupyter.Output{failed("E: m"), failed("E: m"), stdout("a\n"), failed("E: m")}, "E: m\na\nE: m\n"},
		{"an error that a display has shown already", []jupyter.Output{shows("text/plain", "│ f:3 │\nValueError: x"), {Type: jupyter.OutputError, Ename: "ValueError", Evalue: "x"}}, "│ f:3 │\nValueError: x\n"},
		{"a dump of the fault handler", []jupyter.Output{stderr(faultDump)}, "[stderr]\n" + faultDumpShown},
		{"a dump in pieces", []jupyter.Output{stderr(faultDump[:300]), stderr(faultDump[300:900]), stderr(faultDump[900:])}, "[stderr]\n" + faultDumpShown},
		{"a dump before a display", []jupyter.Output{stderr("Stack (most recent call first):\n  File \"/w/a.py\", line 2 in f\n"), shows("text/plain", "d")}, "[stderr]\nStack (most recent call first):\n  File \"/w/a.py\", line 2 in f\n[display]\nd\n"},
		{"warnings without a source line", []jupyter.Output{stderr("<string>:1: UserWarning: bad\n  a row\n<string>:1: UserWarning: bad\n  a row\n<string>:1: UserWarning: bad\n  a row\n")},
			"[stderr]\n<string>:1: UserWarning: bad\n  a row\n  a row\n  a row\n[repeated warnings left out: 2; same file, line and message as shown]\n"},
		{"warnings of a file that is gone", []jupyter.Output{stderr("gone.py:1: UserWarning: bad\n  row 0 was bad\ngone.py:1: UserWarning: bad\n  row 1 was bad\ngone.py:1: UserWarning: bad\n    row 2\n")},
			"[stderr]\ngone.py:1: UserWarning: bad\n  row 0 was bad\n  row 1 was bad\n    row 2\n[repeated warnings left out: 2; same file, line and message as shown]\n"},
		{"a warning right after a repeated one", []jupyter.Output{stderr("a.py:1: W1Warning: x\na.py:2: W2Warning: y\n  src\na.py:1: W1Warning: x\n  text\na.py:2: W2Warning: y\n"), stderr("  src\n  src\n")},
			"[stderr]\na.py:1: W1Warning: x\na.py:2: W2Warning: y\n  src\n  text\n  src\n[repeated warnings left out: 2; same file, line and message as shown]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := written(Outputs(sequence(c.outputs...), testBudget(characters, false), Options{Cell: testCell}))
			if diff := cmp.Diff(strings.TrimRight(c.want, "\n"), strings.TrimRight(got, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What is shown and what is said to be cut make up the whole, exactly.
func TestRenderCut(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	cutLine := regexp.MustCompile(`(?m)^\[cut: [^\n]*\]\n?`)
	for i := range 300 {
		var text strings.Builder
		words := []string{"a", "é", "😀 ", "[ok]", "[1]", "word ", "\n", "\n\n", strings.Repeat("x", 700), strings.Repeat("long line ", 40)}
		for range random.IntN(400) {
			text.WriteString(words[random.IntN(len(words))])
		}
		whole := text.String()
		var pieces []jupyter.Output
		for rest := whole; rest != ""; {
			n := min(1+random.IntN(3000), len(rest))
			pieces = append(pieces, stdout(rest[:n]))
			rest = rest[n:]
		}
		chars := 400 + random.IntN(4000)
		r := Outputs(sequence(pieces...), Budget{Characters: chars, LineBytes: lineBytes}, Options{ReadOn: "read on"})
		if r.Characters > chars {
			t.Fatalf("%d: %d characters, budget %d", i, r.Characters, chars)
		}
		if !r.Cut {
			continue
		}
		shown := r.Blocks[0].Text + "\n"
		at := cutLine.FindStringIndex(shown)
		if at == nil || len(r.Blocks) != 1 {
			t.Fatalf("%d: no line states the cut:\n%s", i, shown)
		}
		head, tail := unescaped(shown[:at[0]]), unescaped(shown[at[1]:])
		if cut, found := strings.CutSuffix(head, "…\n"); found {
			head = cut
		}
		tail = strings.TrimPrefix(tail, "…")
		if !strings.HasSuffix(whole, "\n") {
			tail = strings.TrimSuffix(tail, "\n")
		}
		if !strings.HasPrefix(whole, head) || !strings.HasSuffix(strings.TrimRight(whole, "\n"), strings.TrimRight(tail, "\n")) {
			t.Fatalf("%d: head or tail are not those of the output:\n%q\n%q", i, head, shown)
		}
		blank := len(whole) - len(strings.TrimRight(whole, "\n")) - (len(tail) - len(strings.TrimRight(tail, "\n")))
		gone := whole[len(head) : len(whole)-len(tail)-blank]
		if got := utf8.RuneCountInString(gone); got != saysCut(t, r).chars || strings.Count(gone, "\n") != saysCut(t, r).lines {
			t.Fatalf("%d: said %+v; really %d characters, %d lines", i, saysCut(t, r), got, strings.Count(gone, "\n"))
		}
		if 3*r.Characters < chars {
			t.Fatalf("%d: only %d characters of a budget of %d used", i, r.Characters, chars)
		}
	}
}

var escapedLine = regexp.MustCompile(`(?m)^(\s*)\\(\\*\[ok)`)

func unescaped(s string) string { return escapedLine.ReplaceAllString(s, "$1$2") }

func TestRenderErrorBudget(t *testing.T) {
	text := stdout(strings.Repeat("a line of text\n", 5000))
	if r := Outputs(sequence(text), testBudget(characters, true), Options{}); r.Characters > 10_000 || r.Characters < 9000 {
		t.Errorf("an error result has %d characters", r.Characters)
	}
	if r := Outputs(sequence(text, shows("image/png", string(testPNG(t, 8, 8)))), testBudget(characters, true), Options{}); r.Characters < 25_000 || r.Images != 1 {
		t.Errorf("an error with an image has %d characters, %d images", r.Characters, r.Images)
	}
	if r := Outputs(sequence(text), testBudget(11_000, false), Options{Reserve: 300}); r.Characters > 10_700 {
		t.Errorf("Codex gets %d characters", r.Characters)
	}
	quotes := stdout(strings.Repeat("<&>\"\\", 1_000_000))
	r := Outputs(sequence(quotes), testBudget(200_000, false), Options{})
	if b, err := json.Marshal(r.Blocks[0].Text); err != nil || len(b) > lineBytes || len(b) < lineBytes/2 {
		t.Errorf("%d bytes in JSON, %v", len(b), err)
	}
}

func TestRenderUnreadable(t *testing.T) {
	gone := jupyter.Value{Path: filepath.Join(t.TempDir(), "gone"), Size: 70_000}
	outputs := func(yield func(jupyter.Output, error) bool) {
		_ = yield(stdout("a\n"), nil) && yield(jupyter.Output{}, errors.New("entry 7: bad checksum")) &&
			yield(jupyter.Output{Type: jupyter.OutputStream, Name: "stdout", Text: gone}, nil) &&
			yield(jupyter.Output{Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{"text/plain": gone}}, nil) &&
			yield(jupyter.Output{Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{"image/png": gone}}, nil) &&
			yield(stdout("b\n"), nil)
	}
	r := Outputs(outputs, testBudget(characters, false), Options{})
	got := written(r)
	for _, want := range []string{"a\n[notice] some output could not be read: entry 7: bad checksum\n", "[data of 70 kB could not be read: ", "[image 1: not shown, ", "\nb\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestRenderFromFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	text := strings.Repeat("row of a table\n", 100_000)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	v := jupyter.Value{Path: path, Size: int64(len(text))}
	r := Outputs(sequence(
		jupyter.Output{Type: jupyter.OutputStream, Name: "stdout", Text: v},
		result(1, jupyter.Output{Data: map[string]jupyter.Value{"text/plain": v}}),
	), testBudget(2000, false), Options{ReadOn: "read on"})
	got := written(r)
	if !strings.HasPrefix(got, "row of a table\n") || !strings.HasSuffix(got, "row of a table\n") || r.Characters > 2000 {
		t.Errorf("%d characters: %s", r.Characters, got)
	}
}

// Memory does not grow with what is printed.
func TestRenderMemory(t *testing.T) {
	piece := bytes.Repeat([]byte("some text that a loop prints, 50 bytes of it.....\n"), 1<<20/50)
	var most, before runtime.MemStats
	runtime.ReadMemStats(&before)
	outputs := func(yield func(jupyter.Output, error) bool) {
		for i := range 200 {
			name := "stdout"
			if i%20 == 7 {
				name = "stderr"
			}
			if !yield(jupyter.Output{Type: jupyter.OutputStream, Name: name, Text: jupyter.InlineValue(piece)}, nil) {
				return
			}
			if i%50 == 49 {
				runtime.GC()
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				most.HeapAlloc = max(most.HeapAlloc, now.HeapAlloc)
			}
		}
	}
	r := Outputs(outputs, testBudget(characters, false), Options{})
	if most.HeapAlloc > before.HeapAlloc+8<<20 {
		t.Errorf("%d bytes live while 200 MB are rendered", most.HeapAlloc-before.HeapAlloc)
	}
	if total, cut := 200*len(piece), saysCut(t, r).chars; cut < total-30_000 || cut > total-20_000 {
		t.Errorf("%d of %d characters cut", cut, total)
	}
}

// saysCut is what an answer says of how much it lacks.
func saysCut(t *testing.T, r Result) (cut struct{ chars, lines int }) {
	t.Helper()
	found := regexp.MustCompile(`\[cut: ([\d,]+) characters(?: \(([\d,]+) lines?\))? not shown`).FindStringSubmatch(written(r))
	if found == nil {
		t.Fatalf("nothing says what is cut in\n%.2000s", written(r))
	}
	for n, into := range []*int{&cut.chars, &cut.lines} {
		*into, _ = strconv.Atoi(strings.ReplaceAll(found[n+1], ",", "")) // no lines are 0
	}
	return cut
}

// forgedStatus is a line that passes for a status; "[okay" does not.
var forgedStatus = regexp.MustCompile(`^\s*\[ok(\PL|$)`)

// Nothing the code puts out may break an answer: it is valid, within its
// budget, and no line of the code's passes for one of ours.
func FuzzRender(f *testing.F) {
	f.Add([]byte("\x00hello\n\x01oops\n\x02# m\n[ok]\x03"), uint16(500))
	f.Add([]byte("\x04\x05a\n[stderr]\x06<b>x</b>\x07{\"data\":[{}]}\x02x\x08y\x09\x1b[31mFile x:1, in f\n----> 1 x\n\nE: m"), uint16(400))
	f.Fuzz(func(t *testing.T, in []byte, chars uint16) {
		b := testBudget(400+int(chars), len(in)%2 == 0)
		r := Outputs(fuzzedOutputs(in), b, Options{ReadOn: "read on"})
		n := 0
		for _, block := range r.Blocks {
			if !utf8.ValidString(block.Text) {
				t.Fatalf("invalid text %q", block.Text)
			}
			n += utf8.RuneCountInString(block.Text)
			if strings.Contains(block.Text, "[forged") || strings.Contains(block.Text, "\x1b") || strings.Contains(block.Text, "\x00") {
				t.Fatalf("an escape or a NUL is in %q", block.Text)
			}
			for line := range strings.Lines(block.Text) {
				if forgedStatus.MatchString(line) {
					t.Fatalf("a forged status line: %q", line)
				}
			}
		}
		if n != r.Characters || n > b.Characters+2000 {
			t.Fatalf("%d characters, said %d, budget %d", n, r.Characters, b.Characters)
		}
	})
}

// fuzzedOutputs cuts in at control bytes, each of which says what follows.
func fuzzedOutputs(in []byte) iter.Seq2[jupyter.Output, error] {
	return func(yield func(jupyter.Output, error) bool) {
		for len(in) > 0 {
			kind := in[0]
			end := bytes.IndexFunc(in[1:], func(r rune) bool { return r < 10 }) + 1
			if end == 0 {
				end = len(in)
			}
			text := string(in[1:end])
			in = in[end:]
			var o jupyter.Output
			switch kind % 10 {
			case 0:
				o = stdout(text)
			case 1:
				o = stderr(text)
			case 2:
				o = shows("text/markdown", text)
			case 3:
				o = clears(len(text)%2 == 0)
			case 4:
				o = named("d", shows("image/png", text))
			case 5:
				o = updates("d", shows("text/plain", text))
			case 6:
				o = shows("text/html", text)
			case 7:
				o = shows("application/vnd.plotly.v1+json", text)
			case 8:
				o = result(1, shows("text/plain", text))
			case 9:
				o = jupyter.Output{Type: jupyter.OutputError, Ename: "E", Text: jupyter.TextValue(text)}
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

func BenchmarkRender30k(b *testing.B) {
	var outputs []jupyter.Output
	for i := range 300 {
		outputs = append(outputs, stdout(fmt.Sprintf("step %d: %s\n", i, strings.Repeat("value ", 12))))
		if i%10 == 0 {
			outputs = append(outputs, stderr("a remark of the logger, number "+strconv.Itoa(i)+"\n"), shows("text/plain", "a table\nof two lines"))
		}
	}
	budget := testBudget(characters, false)
	for b.Loop() {
		if r := Outputs(sequence(outputs...), budget, Options{}); r.Characters < 25_000 {
			b.Fatalf("%d characters", r.Characters)
		}
	}
}

// BenchmarkRenderPrints renders ten thousand short lines, most of which are cut.
func BenchmarkRenderPrints(b *testing.B) {
	var text strings.Builder
	for i := range 10_000 {
		fmt.Fprintln(&text, "line", i)
	}
	outputs := []jupyter.Output{stdout(text.String())}
	budget := testBudget(characters, false)
	b.ReportAllocs()
	for b.Loop() {
		if r := Outputs(sequence(outputs...), budget, Options{}); !r.Cut {
			b.Fatal("nothing is cut")
		}
	}
}

// faultDump is what faulthandler writes in a kernel, shortened.
const faultDump = `Fatal Python error: Segmentation fault

Thread 0x00007fab537fe6c0 (most recent call first):
  File "/tmp/ipykernel_80/13.py", line 2 in wait
  File "/usr/lib/python3.11/threading.py", line 982 in run
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap

Thread 0x00007fab6cff96c0 (most recent call first):
  File "/usr/lib/python3.11/selectors.py", line 468 in select
  File "/e/lib/python3.11/site-packages/tornado/platform/asyncio.py", line 203 in start
  File "/e/lib/python3.11/site-packages/ipykernel/thread.py", line 48 in run
  File "/usr/lib/python3.11/threading.py", line 1045 in _bootstrap_inner

Thread 0x00007fab6dffb6c0 (most recent call first):
  File "/run/k/mce_launch/streams.py", line 113 in _watch_pipe_fd
  File "/usr/lib/python3.11/threading.py", line 982 in run

Current thread 0x00007fab78640b80 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/tmp/ipykernel_80/13.py", line 4 in f
  File "/tmp/ipykernel_80/13.py", line 5 in <module>
  File "/e/lib/python3.11/site-packages/IPython/core/interactiveshell.py", line 3823 in run_code
  File "/usr/lib/python3.11/asyncio/events.py", line 80 in _run
  File "/run/k/launch.py", line 29 in <module>

Extension modules: zmq.backend.cython._zmq, tornado.speedups (total: 2)
`

const faultDumpShown = `Fatal Python error: Segmentation fault

Thread 0x00007fab537fe6c0 (most recent call first):
  File "/tmp/ipykernel_80/13.py", line 2 in wait
  File "/usr/lib/python3.11/threading.py", line 982 in run
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap

Current thread 0x00007fab78640b80 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/tmp/ipykernel_80/13.py", line 4 in f
  File "/tmp/ipykernel_80/13.py", line 5 in <module>

Extension modules: zmq.backend.cython._zmq, tornado.speedups (total: 2)
`

// testCell knows the cells 1 to 9, by files of that name.
func testCell(file string) int {
	if len(file) == 1 {
		return int(file[0] - '0')
	}
	return 0
}

func cellOf(name string) jupyter.Output {
	return jupyter.Output{Type: jupyter.OutputCell, Text: jupyter.TextValue(name)}
}
