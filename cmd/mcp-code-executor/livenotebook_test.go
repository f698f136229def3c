package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// watched is what another process sees of a notebook that it reads again and again.
type watched struct {
	Reads, Versions, Invalid, Missing int
	Problem                           string
}

// watchNotebook reads a notebook in a process of its own, until it has read it so often;
// stop ends it before.
func watchNotebook(t *testing.T, path string, reads int) (result func() watched) {
	t.Helper()
	const code = `
import json, sys, time
path, reads = sys.argv[1], int(sys.argv[2])
seen = {"reads": 0, "versions": 0, "invalid": 0, "missing": 0, "problem": ""}
last = None
begun = time.monotonic()
while seen["reads"] < reads and time.monotonic() - begun < 120:
    try:
        with open(path, encoding="utf-8") as f:
            text = f.read()
    except FileNotFoundError:
        seen["missing"] += last is not None
        time.sleep(0.01)
        continue
    seen["reads"] += 1
    try:
        assert json.loads(text)["nbformat"] == 4
    except Exception as e:
        seen["invalid"] += 1
        seen["problem"] = repr(e)
    seen["versions"] += text != last
    last = text
    time.sleep(0.005)
print(json.dumps(seen))
`
	type output struct {
		text []byte
		err  error
	}
	done := make(chan output, 1)
	reader := exec.Command(pythons(t)[0], "-c", code, path, fmt.Sprint(reads))
	go func() {
		text, err := reader.Output()
		done <- output{text, err}
	}()
	return func() (w watched) {
		t.Helper()
		select {
		case out := <-done:
			if err := errors.Join(out.err, json.Unmarshal(out.text, &w)); err != nil {
				t.Fatalf("%v: %s", err, out.text)
			}
		case <-time.After(3 * time.Minute):
			t.Fatal("the reader hangs")
		}
		return w
	}
}

// TestLiveNotebook: a session is kept as a notebook while it runs, also over the end of
// its kernel, without a record that stays, and after somebody has changed it.
func TestLiveNotebook(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	p := launch(t, append(inVenv(t), "NOTEBOOK=on", "HISTORY=off", "WORK_DIR="+work)...)
	first := p.run("print('the first')")
	prefix, _, _ := strings.Cut(first.field("id"), "-")
	path := filepath.Join(work, "default-"+prefix+".ipynb")
	if want := "[note: this session is kept as a notebook while it runs, for a person to watch: " + path + "]"; !strings.Contains(first.text(), want) {
		t.Errorf("%s\nwant %s", first.text(), want)
	}
	result := watchNotebook(t, path, 100)
	// Nothing of it is told as a file that changed.
	for _, code := range []string{"import time; time.sleep(1.5)", "open('made.txt', 'w').close(); time.sleep(1.2)", "import os; os._exit(1)", "1", "print('after')", "input('name? ')"} {
		r := p.call("execute_code", args{"code": code})
		if strings.Contains(r.text(), ".ipynb") || strings.Contains(r.text(), ".tmp") || strings.Contains(code, "made") != strings.Contains(r.text(), "made.txt") {
			t.Errorf("%s:\n%s", code, r.text())
		}
	}
	p.call("send_input", args{"text": "Ada"})
	if w := result(); w.Reads != 100 || w.Invalid+w.Missing > 0 {
		t.Errorf("%+v", w)
	}
	awaitCells(t, path, "the first", "os._exit(1)", "New kernel, generation 2", "after", "'Ada'")
	if r := p.call("get_environment_config", args{}); !strings.Contains(r.text(), fmt.Sprintf(`"notebook":%q`, path)) {
		t.Errorf("%s", r.text())
	}

	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, []byte("{}"), 0o600)); err != nil {
		t.Fatal(err)
	}
	p.run("print('next')")
	next := filepath.Join(work, "default-"+prefix+"_2.ipynb")
	awaitCells(t, next, "next", "goes on where `default-"+prefix+".ipynb` ended")
	until(t, "the note of it", func() bool {
		return strings.Contains(p.run("1").text(), "[note: somebody has changed or removed "+path+": the notebook of this session goes on in "+next)
	})
	p.run("print('the last')")
	p.stdin.Close()
	p.wait(30 * time.Second)
	awaitCells(t, next, "the last")
	jupyterClient(t, "validate", next)
	if b, _ := os.ReadFile(path); string(b) != "{}" {
		t.Errorf("%s", b)
	}
}

// awaitCells waits until a notebook has all words.
func awaitCells(t *testing.T, path string, words ...string) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) { // polling a file, not ordering
		b, err := os.ReadFile(path)
		lacking := slices.DeleteFunc(slices.Clone(words), func(word string) bool { return strings.Contains(string(b), word) })
		if err == nil && len(lacking) == 0 {
			return
		}
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("%s lacks %q: %v\n%s", path, lacking, err, b)
		}
	}
}

// TestMatrixLiveNotebook: another process reads the notebook 1,000 times while a session
// prints, draws, updates displays and loses its kernel: each time it is whole, and in the
// end it is what an export writes.
func TestMatrixLiveNotebook(t *testing.T) {
	testneeds.All(t)
	work := t.TempDir()
	p := launch(t, append(inVenv(t), "NOTEBOOK=./live", "WORK_DIR="+work)...)
	prefix, _, _ := strings.Cut(p.run("import matplotlib.pyplot as plt, time, os\nfrom IPython.display import *").field("id"), "-")
	path := filepath.Join(work, "live", "default-"+prefix+".ipynb")
	result := watchNotebook(t, path, 1000)
	for round := range 3 {
		for _, code := range storyCells {
			p.call("execute_code", args{"code": code})
		}
		p.run("h = display('0', display_id=True)\nfor i in range(200):\n    h.update(str(i)); print(f'\\r{i}', end=''); time.sleep(0.01)")
		p.run("for i in range(200_000): print('line', i)")
		if round == 1 {
			p.call("execute_code", args{"code": "os._exit(1)"})
			p.run("import time, os")
		}
	}
	if w := result(); w.Reads != 1000 || w.Invalid+w.Missing > 0 || w.Versions < 3 {
		t.Errorf("%+v", w)
	}
	p.run("print('the last')")
	p.call("export_session", args{"path": "whole.ipynb"})
	p.stdin.Close()
	p.wait(time.Minute)
	jupyterClient(t, "validate", path)
	sameCells(t, readCells(t, filepath.Join(p.storage, "whole.ipynb"))[1:], readCells(t, path)[1:], "for i in range(200_000): print('line', i)")
}
