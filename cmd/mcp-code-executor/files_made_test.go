package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// filesLine is the line of an answer that names files.
func filesLine(r result) string {
	for line := range strings.Lines(r.text()) {
		if strings.HasPrefix(line, "[files changed meanwhile: ") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// TestFilesMade: an answer names the files its run made or changed.
func TestFilesMade(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	for _, step := range []struct{ code, want string }{
		{"1", ""},
		{"open('out.csv', 'w').write('a,b\\n')", "[files changed meanwhile: out.csv (new, 4 bytes)]"},
		{"import os; os.makedirs('plots/a'); open('plots/a/x.bin', 'wb').write(bytes(34_000)); open('out.csv', 'a').write('1,2\\n')",
			"[files changed meanwhile: out.csv (8 bytes), " + filepath.Join("plots", "a", "x.bin") + " (new, 34 kB)]"},
		{"len(open('out.csv').read())", ""},
		{"open('odd, name]\\n', 'w').close()", `[files changed meanwhile: "odd, name]\n" (new, 0 bytes)]`},
		{"for i in range(30): open(f'many{i:02}', 'w').close()", ", many29 (new, 0 bytes), and 10 more]"},
		{"os.mkdir('below'); os.chdir('below')", ""},
		{"open('here.txt', 'w').close()", "[files changed meanwhile: here.txt (new, 0 bytes)]"},
	} {
		got := filesLine(p.run(step.code))
		if got != step.want && (step.want == "" || !strings.HasSuffix(got, step.want)) {
			t.Errorf("%s: %q, want %q", step.code, got, step.want)
		}
	}
	// Code stored by the call itself is not a file of the run's.
	r := p.call("execute_code", args{"code": "os.chdir('..'); open('mine.txt', 'w').close()", "filename": "stored"})
	if got := filesLine(r); strings.Contains(got, "stored") {
		t.Errorf("%q", got)
	}
	if r := p.call("execute_code", args{"code": "open('last.txt', 'w').close(); 1/0"}); filesLine(r) != "[files changed meanwhile: last.txt (new, 0 bytes)]" {
		t.Errorf("after an exception:\n%s", r.text())
	}
}

// TestKernelsGone: an answer names the directory that its run has gone to, and says when it
// is not there any more.
func TestKernelsGone(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		if p.run("import os, shutil\nhome = os.getcwd()\nos.mkdir('below')").field("dir") == "" {
			t.Error("the first run names no directory")
		}
		for _, step := range []struct{ code, dir string }{
			{"1", ""}, {"os.chdir('below')", "below"}, {"2", ""}, {"%cd ..", "."}, {"os.chdir('below'); os.chdir(home)", ""}, {"!cd below", ""},
		} {
			want := ""
			if step.dir != "" {
				want = filepath.Join(p.storage, step.dir)
			}
			if r := p.run(step.code); r.field("dir") != want {
				t.Errorf("%s: want %q\n%s", step.code, want, r.text())
			}
		}
		const gone = "[note: the working directory is not there any more: relative paths fail until os.chdir(…) goes to another one]"
		p.run("os.chdir('below')")
		for _, code := range []string{"shutil.rmtree(home + '/below')", "1", "open('x')"} {
			has(t, p.call("execute_code", args{"code": code}), gone)
		}
		if r := p.run("os.chdir(home)"); r.field("dir") != p.storage || strings.Contains(r.text(), gone) {
			t.Errorf("%s", r.text())
		}
	})
}

// TestFigureFiles: an interactive figure is named with a page a person can open.
func TestFigureFiles(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	r := p.run(`display({'application/vnd.plotly.v1+json': {'data': [{'type': 'bar', 'y': [1, 2], 'name': '</script>'}], 'layout': {'title': {'text': 'Sales'}}}}, raw=True)
display({'application/vnd.vegalite.v5+json': {'mark': 'line', 'encoding': {'x': {'field': 'year'}}}}, raw=True)
display({'text/html': '<div></div><script>Plotly.newPlot(1)</script>'}, raw=True)`)
	pages := 0
	for line := range strings.Lines(r.text()) {
		_, path, found := strings.Cut(strings.TrimSuffix(strings.TrimSpace(line), "]"), "; file: ")
		if !found {
			continue
		}
		pages++
		page, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(page), "<!doctype html>") || strings.Contains(string(page), "'</script>'") || filepath.Ext(path) != ".html" {
			t.Errorf("%s: %.200q, %v", line, page, err)
		}
	}
	if pages != 3 || !strings.Contains(r.text(), `[plotly figure: 1 trace "bar"`) || !strings.Contains(r.text(), `[vega chart: mark "line"`) {
		t.Errorf("%d pages:\n%s", pages, r.text())
	}
}
