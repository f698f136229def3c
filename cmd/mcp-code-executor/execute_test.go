package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestConversation is the main job: state over several calls, what a model sees
// of each, and what happens when things go wrong.
func TestConversation(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	if r := p.run("x = 41"); !strings.HasSuffix(r.text(), "[no output]") {
		t.Errorf("silent code: %q", r.text())
	}
	if r := p.run("x + 1"); r.rest() != "Out[2]: 42" {
		t.Errorf("x + 1: %q", r.text())
	}
	if got, want := p.run("import os; os.getcwd()").rest(), p.storage; !strings.Contains(got, want) {
		t.Errorf("working directory: %s, want %s", got, want)
	}
	r := p.run("import sys\nprint('a')\nprint('b', file=sys.stderr)\nprint('c')\nx")
	for _, part := range []string{"a\n", "[stderr]", "b\n", "c\n", "Out[4]: 41"} {
		if !strings.Contains(r.text(), part) {
			t.Errorf("%q is missing in:\n%s", part, r.text())
		}
	}
	r = p.call("execute_code", args{"code": "def f():\n    return 1/0\nf()", "filename": "division"})
	if !r.IsError || !strings.HasPrefix(r.text(), "[error ZeroDivisionError | ") {
		t.Errorf("an exception: isError=%t\n%s", r.IsError, r.text())
	}
	file := filepath.Join(p.storage, "division.py")
	for _, part := range []string{"File " + file + ":2, in f()", "----> 2     return 1/0", "ZeroDivisionError: division by zero"} {
		if !strings.Contains(r.text(), part) {
			t.Errorf("%q is missing in:\n%s", part, r.text())
		}
	}
	if strings.Contains(r.text(), "\x1b") {
		t.Error("escapes in a traceback")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "def f():\n    return 1/0\nf()" {
		t.Errorf("the stored code: %q, %v", b, err)
	}
	if r := p.run("f.__name__, x"); r.rest() != "Out[6]: ('f', 41)" {
		t.Errorf("state after an exception: %q", r.text())
	}
}

// TestPlot: figures arrive as images, in place, and an exception beside an image
// is no error result, for hosts drop the images of those.
func TestPlot(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	r := p.call("execute_code", args{"code": "import matplotlib.pyplot as plt\nprint('before')\nplt.plot([1, 3, 2])\nplt.show()\nprint('after')"})
	kinds := ""
	for _, c := range r.Content {
		kinds += c.Type + " "
	}
	if kinds != "text image text " {
		t.Fatalf("blocks: %s\n%s", kinds, r.text())
	}
	if !strings.Contains(r.Content[0].Text, "before") || !strings.Contains(r.Content[2].Text, "after") {
		t.Errorf("order: %q, image, %q", r.Content[0].Text, r.Content[2].Text)
	}
	raw, err := base64.StdEncoding.DecodeString(r.Content[1].Data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(raw)); err != nil || r.Content[1].MIME != "image/png" {
		t.Errorf("image %s: %v", r.Content[1].MIME, err)
	}
	r = p.call("execute_code", args{"code": "plt.plot([1, 2])\nplt.show()\n1/0"})
	if r.IsError || !strings.HasPrefix(r.text(), "[error ZeroDivisionError") || !strings.Contains(r.text(), "division by zero") {
		t.Errorf("an exception after a plot: isError=%t\n%s", r.IsError, r.text())
	}
}

// TestMatrixManyCalls: over two sessions interleaved, every answer belongs to its
// own call, and the sessions stay apart.
func TestMatrixManyCalls(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	p := launch(t, inVenv(t)...)
	sessions := []string{"left", "right"}
	for i, s := range sessions {
		p.call("execute_code", args{"code": fmt.Sprintf("base = %d", (i+1)*1_000_000), "session": s})
	}
	const calls, batch = 400, 20
	for from := 0; from < calls; from += batch {
		answers := map[int]chan reply{}
		for i := from; i < from+batch; i++ {
			_, answers[i] = p.begin("execute_code", args{"code": fmt.Sprintf("print('call', %d); base + %d", i, i), "session": sessions[i%2]})
		}
		for i := from; i < from+batch; i++ {
			r := p.await(answers[i], fmt.Sprint("call ", i)).Result
			if got := r.field("session"); got != sessions[i%2] {
				t.Fatalf("call %d was answered by session %q", i, got)
			}
			want := fmt.Sprintf("call %d\n", i)
			sum := fmt.Sprintf(": %d", (i%2+1)*1_000_000+i)
			if !strings.Contains(r.text(), want) || !strings.HasSuffix(r.text(), sum) {
				t.Fatalf("call %d: %s", i, r.text())
			}
		}
	}
}

// TestPrints: flushed prints arrive complete and in order, up to the answer's budget.
func TestPrints(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&want, "\n%d", i)
	}
	p := launch(t, inVenv(t)...)
	r := p.call("execute_code", args{"code": "for i in range(2000): print(i, flush=True)", "wait_seconds": 110})
	if !strings.HasPrefix(r.text(), "[ok | ") || !strings.HasSuffix(strings.TrimSpace(r.text()), want.String()) {
		t.Fatalf("%.300s … %s", r.text(), r.text()[max(0, len(r.text())-300):])
	}
}

// TestShadowedModules: files of the user's that have the names of modules break
// no start, and the working directory can be imported from.
func TestShadowedModules(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	if err := os.MkdirAll(p.storage, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"types", "pandas", "zmq", "random", "tornado", "IPython", "ipykernel", "traitlets"} {
		if err := os.WriteFile(filepath.Join(p.storage, name+".py"), []byte("raise SystemExit('the wrong "+name+"')\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(p.storage, "mine.py"), []byte("answer = 42\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := p.run("import mine; mine.answer"); r.rest() != "Out[1]: 42" {
		t.Errorf("%s", r.text())
	}
}
