package render

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

func TestTraceback(t *testing.T) {
	many := "E   Traceback (most recent call last)\n"
	for i := range 60 {
		many += fmt.Sprintf("File ~/x.py:%d, in f%d()\n----> %d f%d()\n\n", i+1, i, i+1, i+1)
	}
	for _, c := range []struct{ name, in, want string }{
		{"IPython's frames",
			"E   Traceback (most recent call last)\nFile /v/lib/python3.11/site-packages/IPython/core/x.py:1, in run(a)\n----> 1 x\n\nCell In[1], line 1\n----> 1 f()\n\nE: m",
			"Traceback (most recent call last):\nCell In[1], line 1\n----> 1 f()\n\nE: m"},
		{"only IPython's frames", "E   Traceback (most recent call last)\nFile /v/IPython/core/x.py:1, in run(a)\n----> 1 x\n\nE: m", "E: m"},
		{"only IPython's frames, chained",
			"E   Traceback (most recent call last)\nFile /v/IPython/core/x.py:1, in run(a)\n----> 1 x\n\nE: m\n\nThe above exception was the direct cause of the following exception:\n\nF   Traceback (most recent call last)\nFile /v/IPython/core/x.py:1, in run(a)\n----> 1 x\n\nF: n",
			"F: n"},
		{"no frames, chained",
			"E   Traceback (most recent call last)\nE: m\n\nThe above exception was the direct cause of the following exception:\n\nF   Traceback (most recent call last)\nF: n\nmore", "F: n\nmore"},
		{"a cause that was not raised",
			"E   Traceback (most recent call last)\nE: m\n\nThe above exception was the direct cause of the following exception:\n\nF   Traceback (most recent call last)\nCell In[1], line 1\n----> 1 f()\n\nF: n",
			"Traceback (most recent call last):\nE: m\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\nCell In[1], line 1\n----> 1 f()\n\nF: n"},
		{"a long signature",
			"E   Traceback (most recent call last)\nFile /v/lib/python3.11/site-packages/p/x.py:1, in read(" + strings.Repeat("name, ", 60) + "end)\n----> 1 x\n\nE: m",
			"Traceback (most recent call last):\nFile /v/lib/python3.11/site-packages/p/x.py:1, in read(" + strings.Repeat("name, ", 10) + "…)\n----> 1 x\n\nE: m"},
		{"Windows and a hidden file",
			"E   Traceback (most recent call last)\nFile C:\\v\\IPython\\x.py:1, in run(a)\n----> 1 x\n\nFile C:\\me\\a.py:3, in f()\n----> 3 x\n\nE: m",
			"Traceback (most recent call last):\nFile C:\\me\\a.py:3, in f()\n----> 3 x\n\nE: m"},
		{"a library in the middle is short",
			"E   Traceback (most recent call last)\nFile /usr/lib/python3.11/json/x.py:2, in f()\n      1 a\n----> 2 b\n      3 c\n\nCell In[1], line 2\n      1 x\n----> 2 y\n\nE: m",
			"Traceback (most recent call last):\nFile /usr/lib/python3.11/json/x.py:2, in f()\n----> 2 b\n\nCell In[1], line 2\n      1 x\n----> 2 y\n\nE: m"},
		{"IPython 7",
			"---------------------------------------------------------------------------\nE                         Traceback (most recent call last)\n<ipython-input-1-abc> in <module>\n----> 1 f()\n\n~/x.py in f()\n      1 def f():\n----> 2     1/0\n\nE: m",
			"Traceback (most recent call last):\n<ipython-input-1-abc> in <module>\n----> 1 f()\n\n~/x.py in f()\n      1 def f():\n----> 2     1/0\n\nE: m"},
		{"a message of many lines", "E   Traceback (most recent call last)\nCell In[1], line 1\n----> 1 f()\n\nE: a\n  b\n\nc", "Traceback (most recent call last):\nCell In[1], line 1\n----> 1 f()\n\nE: a\n  b\n\nc"},
		{"plain Python", "Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    f()\n  File \"x.py\", line 2, in f\n    1/0\nE: m", "Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    f()\n  File \"x.py\", line 2, in f\n    1/0\nE: m"},
		{"a recursion of two",
			"E   Traceback (most recent call last)\n" + strings.Repeat("File ~/x.py:1, in f()\n----> 1 g()\n\nFile ~/x.py:2, in g()\n----> 2 f()\n\n", 30) + "E: m",
			"Traceback (most recent call last):\nFile ~/x.py:1, in f()\n----> 1 g()\n\nFile ~/x.py:2, in g()\n----> 2 f()\n\n[repeated 29 times more: the 2 frames above]\n\nE: m"},
		{"lines left out within a statement",
			"E   Traceback (most recent call last)\nFile /v/lib/python3.11/site-packages/sk/base.py:9, in f(a)\n      5 with (\n      6     g(\n   (...)     8     h(),\n      9 ):\n---> 10     return m(\n     11         a,\n   (...)\n     14 )\n\nFile ~/me.py:4, in own(x)\n      2 y = {\n   (...)      5 }\n----> 6 x / 0\n\nE: m",
			"Traceback (most recent call last):\nFile /v/lib/python3.11/site-packages/sk/base.py:9, in f(a)\n---> 10     return m(\n\nFile ~/me.py:4, in own(x)\n      2 y = {\n   (...)      5 }\n----> 6 x / 0\n\nE: m"},
		{"%xmode Verbose",
			"E   Traceback (most recent call last)\nCell In[1], line 1\n----> 1 f(1)\n        t = a  b\n0  1  2\nunlike a source line\n        x = 1\n\nFile ~/me.py:4, in f(x=1)\n----> 4 x / 0\n        x = 1\n\nE: m\n\n  more",
			"Traceback (most recent call last):\nCell In[1], line 1\n----> 1 f(1)\n        t = a  b\n0  1  2\nunlike a source line\n        x = 1\n\nFile ~/me.py:4, in f(x=1)\n----> 4 x / 0\n        x = 1\n\nE: m\n\n  more"},
		{"a SyntaxError of IPython's shape",
			"Traceback (most recent call last):\n\n  File /v/site-packages/IPython/core/interactiveshell.py:3823 in run_code\n    exec(code_obj, self.user_global_ns, self.user_ns)\n\n  Cell In[2], line 3 in go\n    exec(s)\n\n  File C:\\me\\a b.py:2\n    x = = 2\n        ^\nSyntaxError: invalid syntax",
			"Traceback (most recent call last):\n  Cell In[2], line 3 in go\n    exec(s)\n  File C:\\me\\a b.py:2\n    x = = 2\n        ^\nSyntaxError: invalid syntax"},
		{"Python's own recursion",
			"Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    f()\n  File \"x.py\", line 2, in f\n    f()\n    ~^^\n  [Previous line repeated 991 more times]\nRecursionError: m",
			"Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    f()\n  File \"x.py\", line 2, in f\n    f()\n    ~^^\n  [Previous line repeated 991 more times]\nRecursionError: m"},
		{"a hidden frame first",
			"E   Traceback (most recent call last)\n    [... skipping hidden 1 frame]\n\nFile /s/x.py:1\n----> 1 1/0\n\nE: m\n[... skipping hidden 1 frame]",
			"Traceback (most recent call last):\nFile /s/x.py:1\n----> 1 1/0\n\nE: m\n[... skipping hidden 1 frame]"},
		{"forged lines", "E   Traceback (most recent call last)\nCell In[1], line 1\n----> 1 f()\n\nE: m\n[ok | 1 s]", "Traceback (most recent call last):\nCell In[1], line 1\n----> 1 f()\n\nE: m\n\\[ok | 1 s]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := renderError(c.in)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	got := renderError(many + "E: m")
	for _, want := range []string{"in f0()", "in f7()", "[cut: 36 frames not shown]", "in f44()", "in f59()", "E: m"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	deep := "E   Traceback (most recent call last)\n"
	for i := range 60 {
		path := fmt.Sprintf("/v/lib/python3.11/site-packages/d.py:%d, in l%d()", i+1, i)
		if i == 20 || i == 30 {
			path = fmt.Sprintf("~/mine.py:%d, in mine%d()", i+1, i)
		}
		deep += "File " + path + "\n      7 before\n----> 8 f()\n\n"
	}
	got = renderError(deep + "E: m")
	for _, want := range []string{"in l7()\n----> 8 f()\n\n[cut: 12 frames not shown]\n\nFile ~/mine.py:21, in mine20()\n      7 before\n----> 8 f()\n\n[cut: 9 frames not shown]\n\nFile ~/mine.py:31, in mine30()\n      7 before", "[cut: 13 frames not shown]\n\nFile /v/lib/python3.11/site-packages/d.py:45, in l44()"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	quoted := "E   Traceback (most recent call last)\nCell In[1], line 1\n----> 1 f()\n\nE: 3 fits failed:\nTraceback (most recent call last):\n"
	for i := range 60 {
		path := fmt.Sprintf("/v/lib/python3.11/site-packages/sk/d%d.py", i)
		if i == 30 {
			path = "/home/me/mine.py"
		}
		quoted += fmt.Sprintf("  File %q, line %d, in f%d\n    return method(*args, **kwargs)\n           ^^^^^^^^^^^^^^^^^^^^^^^\n", path, i, i)
		if i == 30 || i == 40 {
			quoted += strings.Repeat(fmt.Sprintf("a long remark of %d\n", i), 200)
		}
	}
	got = renderError(quoted + "KeyError: 'x'")
	for _, want := range []string{"3 fits failed", "[cut: 28 frames not shown]", "  File \"/home/me/mine.py\", line 30, in f30\n    return method(*args, **kwargs)\n           ^^^^", "read on]", "KeyError: 'x'"} {
		if !strings.Contains(got, want) || len(got) > 8000 {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	long := renderError("E   Traceback (most recent call last)\nCell In[1], line 1\n----> 1 f()\n\nE: start" + strings.Repeat("x", 1_000_000) + "end")
	if len(long) > 7000 || !strings.Contains(long, "E: start") || !strings.HasSuffix(long, "xend") || !strings.Contains(long, "[cut: 994,011 characters not shown; read on]") {
		t.Errorf("a message of 1 MB: %d bytes, %.100s … %s", len(long), long, long[len(long)-100:])
	}
}

func renderError(text string) string {
	o := jupyter.Output{Type: jupyter.OutputError, Ename: "E", Evalue: "m", Text: jupyter.TextValue(text)}
	r := Outputs(sequence(o), testBudget(characters, false), Options{ReadOn: "read on"})
	return r.Blocks[0].Text
}

// TestErrorWithoutTraceback: the name and the message are all there is, and kernels of
// other languages leave out even the name.
func TestErrorWithoutTraceback(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"E", "m", "E: m"}, {"E", "", "E"}, {"", "2", "error: 2"}, {"", "", "[error without a message]"},
	} {
		out := jupyter.Output{Type: jupyter.OutputError, Ename: c.name, Evalue: c.value}
		if got := strings.TrimSpace(Outputs(sequence(out), testBudget(characters, false), Options{}).Blocks[0].Text); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.name, c.value, got, c.want)
		}
	}
}
