package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// jupyterClient runs testdata/clients/notebooks.py, with Jupyter's own programs.
func jupyterClient(t *testing.T, arguments ...string) {
	t.Helper()
	python := required(t, "MCE_TEST_CLIENT", "Python with nbformat, nbclient and papermill")
	execute(t, append([]string{python, filepath.Join(repository, "testdata/clients/notebooks.py")}, arguments...)...)
}

// noteCell is a cell of a notebook file.
type noteCell struct {
	Kind     string `json:"cell_type"`
	Source   any
	Metadata struct{ Tags []string }
	Outputs  []map[string]any
	Count    *int `json:"execution_count"`
}

func readCells(t *testing.T, path string) []noteCell {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var n struct{ Cells []noteCell }
	if err := json.Unmarshal(b, &n); err != nil {
		t.Fatal(err)
	}
	return n.Cells
}

// joined is a text that may be in lines.
func joined(v any) string {
	lines, ok := v.([]any)
	if !ok {
		text, _ := v.(string)
		return text
	}
	var b strings.Builder
	for _, line := range lines {
		text, _ := line.(string)
		b.WriteString(text)
	}
	return b.String()
}

// blanks are parts of outputs that are never the same twice.
var blanks = regexp.MustCompile(`0x[0-9a-f]+|\d+(\.\d+)?(e[+-]\d+)? (ns|μs|us|ms|s)\b|\x1b\[[0-9;]*m|/tmp/ipykernel_\S+|[0-9a-f]{32}|In\[\d+\]|cell_\d+`)

// outputsOf are a cell's outputs as far as they are the same each time: one a line,
// streams joined.
func outputsOf(c noteCell) []string {
	var all []string
	streams := map[string]int{}
	for _, o := range c.Outputs {
		kind, _ := o["output_type"].(string)
		word := kind
		switch kind {
		case "stream":
			if strings.Contains(joined(o["text"]), "Matplotlib is building the font cache") {
				continue // after 5 s at it: a machine with many fonts, or much to do
			}
			name, _ := o["name"].(string)
			if at, found := streams[name]; found {
				all[at] += joined(o["text"])
				continue
			}
			streams[name] = len(all)
			word += " " + name + ": " + joined(o["text"])
		case "error":
			word += ": " + joined(o["ename"]) + ": " + joined(o["evalue"])
		default:
			data, _ := o["data"].(map[string]any)
			plain, data := data["text/plain"], maps.Clone(data)
			delete(data, "text/plain")
			rest, _ := json.Marshal(data)
			word += ": " + joined(plain) + " " + string(rest)
		}
		all = append(all, word)
	}
	for i := range all {
		all[i] = blanks.ReplaceAllString(strings.ReplaceAll(all[i], "\r\n", "\n"), "…")
	}
	return all
}

// storyCells is a session with what the format has: streams, values, displays that are
// updated and cleared, errors, pages, pictures, JSON, magics, questions.
var storyCells = []string{
	"x = 1\nprint('out'); import sys; print('err', file=sys.stderr)\nx",
	"import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
	"1/0",
	"for i in range(100):\n    print(f'\\r{i}%', end='')\nprint()",
	"from IPython.display import *\nhandle = display(HTML('<b>first</b>'), display_id='d')\nprint('between')",
	"update_display(HTML('<b>last</b>'), display_id='d')\nprint('gone'); clear_output(); print('kept')",
	"print('gone too'); clear_output(wait=True); print('kept too')",
	"%%bash\necho from bash",
	"len?",
	"display(JSON({'a': [1, {'b': None}]}))",
	"import pandas as pd\npd.DataFrame({'a': [1, 2]})",
	"display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>'))",
	"raise ValueError('ä\\n\\x1b[31mred')",
	"y = x + 1\ny",
}

// TestExport: a session is exported in all forms; the notebook is what nbformat takes,
// and nbclient gets the same results from it. It is also written when the server that
// ran it is gone, by the command line and by the next server of the same place.
func TestExport(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	for _, code := range storyCells {
		p.call("execute_code", args{"code": code})
	}
	p.call("initialize_code_file", args{"filename": "step.py", "content": "z = y * 2\nprint('in the file', z)\n"})
	p.call("execute_code_file", args{"file_path": "step.py"})
	last := p.run("z").field("id")
	prefix, _, _ := strings.Cut(last, "-")

	r := p.call("export_session", args{})
	notebook := filepath.Join(p.storage, "default-"+prefix+".ipynb")
	if want := "[ok | exported " + notebook + " | session=default, 16 runs, " + prefix + "-1.." + last + ", 2 failed | "; !strings.HasPrefix(r.text(), want) {
		t.Errorf("%s\nwant %s", r.text(), want)
	}
	jupyterClient(t, "validate", notebook)
	again := filepath.Join(t.TempDir(), "again.ipynb")
	jupyterClient(t, "run", notebook, again, pythons(t)[0])
	sameCells(t, readCells(t, notebook), readCells(t, again), "len?")

	// Never over a file, unless asked.
	if r := p.call("export_session", args{}); !strings.Contains(r.text(), "default-"+prefix+"_2.ipynb") {
		t.Errorf("%s", r.text())
	}
	if r := p.call("export_session", args{"path": "step.py", "format": "script"}); !r.IsError || !strings.Contains(r.text(), "is there already") {
		t.Errorf("%s", r.text())
	}
	if r := p.call("export_session", args{"path": "mine.py", "format": "script", "id": prefix + "-3.." + last, "failed": "drop"}); !strings.Contains(r.text(), "12 runs") {
		t.Errorf("%s", r.text())
	}
	execute(t, pythons(t)[0], "-m", "py_compile", filepath.Join(p.storage, "mine.py"))
	p.call("export_session", args{"path": "report", "format": "markdown"})
	if _, err := os.Stat(filepath.Join(p.storage, "report_files", "1.png")); err != nil {
		t.Error(err)
	}
	if r := p.call("export_session", args{"path": "../out.ipynb"}); !r.IsError {
		t.Errorf("%s", r.text())
	}
	if r := p.call("export_session", args{"path": "report", "format": "markdown", "overwrite": true}); r.IsError {
		t.Errorf("%s", r.text())
	}

	p.stdin.Close()
	p.wait(30 * time.Second)
	exportAfterwards(t, p, prefix, readCells(t, notebook))
}

// sameCells compares the outputs of two notebooks' code cells, but for some cells.
func sameCells(t *testing.T, want, got []noteCell, but ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d cells, want %d", len(got), len(want))
	}
cells:
	for i := range want {
		for _, source := range but {
			if joined(want[i].Source) == source {
				continue cells
			}
		}
		a, b := strings.Join(outputsOf(want[i]), "\n"), strings.Join(outputsOf(got[i]), "\n")
		if want[i].Kind == "code" && a != b {
			t.Errorf("cell %d (%.200s):\n%.2000s\nthe other:\n%.2000s", i, joined(want[i].Source), a, b)
		}
	}
}

// exportAfterwards: what the record of a server that has ended gives.
func exportAfterwards(t *testing.T, p *program, prefix string, want []noteCell) {
	t.Helper()
	getenv := func(name string) string {
		return map[string]string{"HOME": p.home, "CODE_STORAGE_DIR": p.storage}[name]
	}
	output := t.TempDir()
	status, out, errs := commandLineIn(t, getenv, "export", "default", "--output", output)
	file := filepath.Join(output, "default-"+prefix+".ipynb")
	if status != 0 || !strings.Contains(out, file) {
		t.Fatalf("export: %d\n%s%s", status, out, errs)
	}
	sameCells(t, want, readCells(t, file))
	if status, out, _ := commandLineIn(t, getenv, "export", prefix+"-1", "-o", filepath.Join(output, "one.md"), "--format", "markdown"); status != 0 {
		t.Errorf("export of one run: %d, %s", status, out)
	}
	status, out, _ = commandLineIn(t, getenv, "history")
	if status != 0 || !strings.Contains(out, prefix+"  default") || strings.Count(out, "\n") != 1 {
		t.Errorf("history: %d\n%s", status, out)
	}
	status, out, _ = commandLineIn(t, getenv, "history", "default")
	if status != 0 || strings.Count(out, "\n") != 16 || !strings.Contains(out, "error") || !strings.Contains(out, "file "+p.storage) {
		t.Errorf("history default: %d\n%s", status, out)
	}
	for _, wrong := range [][]string{{"history", "--delete"}, {"history", "--all"}, {"history", "--delete", "x", "--all"}, {"export", "--format", "pdf"}, {"history", "a", "b"}, {"history", "--delete", "--before", "soon"}} {
		if status, out, errs := commandLineIn(t, getenv, wrong...); status != exitUsage || out != "" || errs == "" {
			t.Errorf("%q: %d, %q, %q", wrong, status, out, errs)
		}
	}
	if status, _, errs := commandLineIn(t, getenv, "export", "nothing"); status != 1 || !strings.Contains(errs, `no record of "nothing"`) {
		t.Errorf("export of nothing: %d, %s", status, errs)
	}

	// The next server of the same place finds it, one of another place does not.
	next := append(inVenv(t), "HOME="+p.home, "CODE_STORAGE_DIR="+p.storage)
	second := launch(t, next...)
	if r := second.call("export_session", args{"path": "later.ipynb"}); !strings.Contains(r.text(), "16 runs") {
		t.Errorf("%s", r.text())
	}
	sameCells(t, want, readCells(t, filepath.Join(p.storage, "later.ipynb")))
	other := launch(t, append(inVenv(t), "HOME="+p.home, "CODE_STORAGE_DIR="+filepath.Join(t.TempDir(), "code"))...)
	for _, a := range []args{{}, {"id": prefix}, {"id": prefix + "-1"}} {
		if r := other.call("export_session", a); !r.IsError || !strings.Contains(r.text(), "nothing was written: there is no record of") {
			t.Errorf("%v: %s", a, r.text())
		}
	}

	if status, out, _ := commandLineIn(t, getenv, "history", "--delete", "--before", "1d"); status != 0 || !strings.HasPrefix(out, "nothing to delete: no session was last used before ") {
		t.Errorf("history --delete --before: %d\n%s", status, out)
	}
	if status, out, errs := commandLineIn(t, getenv, "history", "--delete", "nothing"); status != 1 || out != "" || !strings.Contains(errs, `nothing was deleted: there is no record of "nothing" in `) || !strings.Contains(errs, "lists the sessions") {
		t.Errorf("history --delete nothing: %d\n%s%s", status, out, errs)
	}
	status, out, errs = commandLineIn(t, getenv, "history", "--delete", "default")
	if status != 0 || !strings.Contains(out, "deleted: "+prefix) || len(recordNames(t, p.home)) != 0 {
		t.Errorf("history --delete: %d\n%s%s", status, out, errs)
	}
	if status, out, _ := commandLineIn(t, getenv, "history", "--delete", "--all"); status != 0 || !strings.HasPrefix(out, "nothing to delete: nothing is recorded in ") {
		t.Errorf("history --delete --all: %d\n%s", status, out)
	}
	state := filepath.Join(p.home, ".local", "state")
	if err := os.RemoveAll(filepath.Join(state, "mcp-code-executor", "bytecode")); err != nil { // the program's own words
		t.Fatal(err)
	}
	if found := findText(t, state, "default"); len(found) > 0 {
		t.Errorf("still named in %q", found)
	}
}
