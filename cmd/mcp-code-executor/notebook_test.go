package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// notebooks is a directory of notebooks, each after a kind that people have.
const notebooks = repository + "/testdata/notebooks"

// store puts a file into a server's code storage.
func store(t *testing.T, p *program, name string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(p.storage, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.storage, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// notebookOf is a notebook with these code cells.
func notebookOf(t *testing.T, sources ...string) []byte {
	t.Helper()
	cells := []map[string]any{}
	for _, source := range sources {
		cells = append(cells, map[string]any{"cell_type": "code", "metadata": map[string]any{}, "source": source, "outputs": []any{}})
	}
	b, err := json.Marshal(map[string]any{"cells": cells, "metadata": map[string]any{}, "nbformat": 4, "nbformat_minor": 4})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestNotebook: a notebook is one run: its cells in order, to the first error, each
// cell's output under its number, the results in a copy, the original as it was.
func TestNotebook(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	for _, name := range []string{"error.ipynb", "parameters.ipynb", "skipped.ipynb", "version3.ipynb"} {
		b, err := os.ReadFile(filepath.Join(notebooks, name))
		if err != nil {
			t.Fatal(err)
		}
		store(t, p, name, b)
	}
	store(t, p, "dies.ipynb", notebookOf(t, "print('lives')", "import os\nos._exit(3)", "print('never')"))
	store(t, p, "empty.ipynb", notebookOf(t))
	store(t, p, "asks.ipynb", notebookOf(t, "a = 1", "b = input('your name? ')", "print('hello', b)"))
	store(t, p, "exits.ipynb", notebookOf(t, "import sys\nsys.exit(0)", "print('never')"))
	store(t, p, "other.ipynb", []byte(`{"cells":[],"metadata":{"kernelspec":{"name":"ir","language":"R","display_name":"R"}},"nbformat":4,"nbformat_minor":5}`))
	store(t, p, "broken.ipynb", []byte(`{"cells":[`))
	store(t, p, "script.py", []byte("1"))
	store(t, p, "raises.ipynb", notebookOf(t, "print(1)", "1/0", "print(alpha)"))
	original, err := os.ReadFile(filepath.Join(p.storage, "error.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		extra args
		want  []string
		never string
	}{
		{"error.ipynb", args{}, []string{"[error ZeroDivisionError | ", " | stopped at cell 2 of 3 | ", "\n[notebook: 1 code cell was not run; allow_errors: true goes on after an error]\n[notebook: with results: ", "/error_executed.ipynb]\n[cell 1 of 3]\nbefore\n[cell 2 of 3]\nTraceback"}, "never"},
		{"error.ipynb", args{"allow_errors": true}, []string{"[ok | ", " | 3 cells run | ", "\n[notebook: cell 2 raised, and the run went on (allow_errors)]\n", "/error_executed_2.ipynb]", "\n[cell 3 of 3]\nnever"}, ""},
		{"parameters.ipynb", args{"parameters": args{"alpha": 5, "name": "x\"é\n", "items": []any{1.5, nil, true}}}, []string{"[ok | ", "\n[cell 3 of 3]\n5 x\"é\n [1.5, None, True]\nOut[", "]: 5"}, ""},
		{"raises.ipynb", args{"parameters": args{"alpha": 5}, "allow_errors": true}, []string{"[ok | ", " | 3 cells run | ", "\n[notebook: cell 2 raised, and the run went on (allow_errors)]\n", "\n[cell 1 of 3]\n1\n[cell 2 of 3]\nTraceback", "\n[cell 3 of 3]\n5"}, "of 4"},
		{"raises.ipynb", args{"parameters": args{"alpha": 5}}, []string{" | stopped at cell 2 of 3 | ", "\n[notebook: 1 code cell was not run; "}, "of 4"},
		{"parameters.ipynb", args{"parameters": `{"alpha": 7}`, "fresh": true}, []string{"[ok | ", "\n7 none []\n"}, ""},
		{"skipped.ipynb", args{}, []string{"[ok | ", " | 2 cells run | ", "\n[cell 6 of 6]\nOut["}, "cell 2"},
		{"version3.ipynb", args{}, []string{"[error ZeroDivisionError | ", "\n[cell 2 of 4]\nversion 3\n"}, ""},
		{"dies.ipynb", args{}, []string{"[died | ", " | stopped at cell 2 of 3 | ", "\n[cell 1 of 3]\nlives"}, "never"},
		{"exits.ipynb", args{}, []string{"[ok | ", " | stopped at cell 1 of 2 | ", "[exit status 0", "[notebook: 1 code cell was not run]"}, "never"},
		{"empty.ipynb", args{}, []string{"[ok | ", " | 0 cells run | "}, "with results"},
		{"other.ipynb", args{}, []string{"nothing was run: ", "is a notebook for R, and the session runs Python: KERNEL_NAME"}, ""},
		{"broken.ipynb", args{}, []string{"nothing was run: ", "its JSON ends in the middle, in line 1"}, ""},
		{"error.ipynb", args{"arguments": []string{"x"}}, []string{"nothing was run: a notebook has no command line"}, ""},
		{"script.py", args{"allow_errors": true}, []string{"nothing was run: parameters and allow_errors are for notebooks"}, ""},
		{"parameters.ipynb", args{"parameters": args{"a b": 1}}, []string{`nothing was run: parameters: "a b" cannot be the name of a variable`}, ""},
		{"parameters.ipynb", args{"parameters": args{"a": 9007199254740993}}, []string{`"parameters" has a number of 2^53 or more in "a"`}, ""},
		{"parameters.ipynb", args{"parameters": "x"}, []string{`"parameters" is the string "x": send an object`}, ""},
	} {
		call := args{"file_path": tt.name}
		for name, value := range tt.extra {
			call[name] = value
		}
		text := p.call("execute_code_file", call).text()
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("%v: %q is missing in\n%s", call, want, text)
			}
		}
		if tt.never != "" && strings.Contains(text, tt.never) {
			t.Errorf("%v: %q is in\n%s", call, tt.never, text)
		}
	}
	if now, err := os.ReadFile(filepath.Join(p.storage, "error.ipynb")); err != nil || string(now) != string(original) {
		t.Errorf("the original has changed: %v", err)
	}
	jupyterClient(t, "validate", filepath.Join(p.storage, "error_executed.ipynb"), filepath.Join(p.storage, "version3_executed.ipynb"), filepath.Join(p.storage, "dies_executed.ipynb"))
	asPapermill(t, p)
	asksAndIsRead(t, p)
	stopsNotebook(t, p)
}

// asPapermill: parameters are where papermill puts them, and written as it writes them.
func asPapermill(t *testing.T, p *program) {
	t.Helper()
	theirs := filepath.Join(t.TempDir(), "papermill.ipynb")
	jupyterClient(t, "parameters", filepath.Join(notebooks, "parameters.ipynb"), theirs, `{"alpha": 5, "items": [1.5, null, true], "name": "x\"é\n"}`)
	want, got := readCells(t, theirs), readCells(t, filepath.Join(p.storage, "parameters_executed.ipynb"))
	if len(got) != len(want) {
		t.Fatalf("%d cells, papermill has %d", len(got), len(want))
	}
	for i := range want {
		if joined(got[i].Source) != joined(want[i].Source) || strings.Join(got[i].Metadata.Tags, ",") != strings.Join(want[i].Metadata.Tags, ",") {
			t.Errorf("cell %d: %q %q, papermill has %q %q", i, joined(got[i].Source), got[i].Metadata.Tags, joined(want[i].Source), want[i].Metadata.Tags)
		}
	}
}

// asksAndIsRead: a later cell's question is told and answered; read_code_file shows
// cells.
func asksAndIsRead(t *testing.T, p *program) {
	t.Helper()
	r := p.call("execute_code_file", args{"file_path": "asks.ipynb", "session": "asks"})
	if !strings.HasPrefix(r.text(), "[waiting for input | ") || !strings.Contains(r.text(), "cell 2 of 3") || !strings.Contains(r.text(), "your name?") {
		t.Errorf("%s", r.text())
	}
	r = p.call("send_input", args{"text": "Ada", "session": "asks"})
	if !strings.HasPrefix(r.text(), "[ok | ") || !strings.Contains(r.text(), "[cell 3 of 3]\nhello Ada") {
		t.Errorf("%s", r.text())
	}
	for _, tt := range []struct {
		call args
		want string
	}{
		{args{"file_path": "version3.ipynb"}, " | cells 1-4 of 4 | notebook 3.0]\n[cell 1 | markdown]\n# An old notebook\n[cell 2 | code | In[1]]\nprint('version 3')\n3\n[output: stdout]\nearlier\n[output: value]\n3\n[cell 3 | markdown]\ntext\n[cell 4 | code | In[2]]\n1/0"},
		{args{"file_path": "version3.ipynb", "offset": 2, "limit": 1}, " | cells 3-3 of 4 | notebook 3.0]\n[cell 3 | markdown]\ntext"},
		{args{"file_path": "version3.ipynb", "offset": -1}, " | cells 4-4 of 4 | notebook 3.0]\n[cell 4 | code | In[2]]\n1/0"},
		{args{"file_path": "parameters.ipynb", "offset": 1, "limit": 1}, " | cells 2-2 of 3 | notebook 4.5 | python]\n[cell 2 | code | tags: parameters]\nalpha = 1\nname = 'none'\nitems = []"},
		{args{"file_path": "broken.ipynb"}, "its JSON ends in the middle, in line 1: the file is cut off"},
	} {
		if text := p.call("read_code_file", tt.call).text(); !strings.HasSuffix(text, tt.want) {
			t.Errorf("%v:\n%s", tt.call, text)
		}
	}
}

// stopsNotebook: an interrupt or a limit ends the notebook after the cell it hits, also
// between two cells; what waits in the queue runs after the last cell, never between.
func stopsNotebook(t *testing.T, p *program) {
	t.Helper()
	cells := []string{"import time\nran = []"}
	for range 300 {
		cells = append(cells, "ran.append(1)\ntime.sleep(0.01)")
	}
	store(t, p, "many.ipynb", notebookOf(t, cells...))
	_, answer := p.begin("execute_code_file", args{"file_path": "many.ipynb", "session": "many", "timeout_seconds": 1, "allow_errors": true})
	_, behind := p.begin("execute_code", args{"code": "len(ran)", "session": "many"})
	r := p.await(answer, "the notebook").Result
	if !strings.HasPrefix(r.text(), "[interrupted | ") || !strings.Contains(r.text(), "its limit timeout_seconds=1 struck") || !strings.Contains(r.text(), "code cells were not run]") {
		t.Errorf("%s", r.text())
	}
	if r := p.await(behind, "the call behind it").Result; !strings.HasPrefix(r.text(), "[ok | ") {
		t.Errorf("%s", r.text())
	}
	id := p.call("execute_code_file", args{"file_path": "many.ipynb", "session": "many", "wait_seconds": 0.5}).field("id")
	r = p.call("interrupt_execution", args{"id": id})
	if !strings.HasPrefix(r.text(), "[interrupted | ") || !strings.Contains(r.text(), "stopped at cell ") {
		t.Errorf("%s", r.text())
	}
	if r := p.call("export_session", args{"id": id, "path": "cells.ipynb"}); !strings.Contains(r.text(), " runs, "+id) && !strings.Contains(r.text(), "session=many") {
		t.Errorf("%s", r.text())
	}
	jupyterClient(t, "validate", filepath.Join(p.storage, "cells.ipynb"))
}

// TestMatrixNotebooks: each notebook gives what nbclient gets from it on the same
// kernel.
func TestMatrixNotebooks(t *testing.T) {
	testneeds.All(t)
	theirs := t.TempDir()
	jupyterClient(t, "run", notebooks, theirs, pythons(t)[0])
	p := launch(t, append(inVenv(t), "PRELUDE=off")...)
	entries, err := os.ReadDir(notebooks)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Run(entry.Name(), func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(notebooks, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			path := store(t, p, entry.Name(), b)
			r := p.call("execute_code_file", args{"file_path": path, "fresh": true, "wait_seconds": 100})
			executed := strings.TrimSuffix(path, ".ipynb") + "_executed.ipynb"
			if !strings.Contains(r.text(), executed) {
				t.Fatalf("%s", r.text())
			}
			jupyterClient(t, "validate", executed)
			sameCells(t, readCells(t, filepath.Join(theirs, entry.Name())), readCells(t, executed))
		})
	}
	p.stdin.Close()
	p.wait(time.Minute)
}
