package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFileInWorkDir: a file that lies where code runs can be run and installed from,
// and the tools that only take files of the code storage say where it is and what to
// do instead.
func TestFileInWorkDir(t *testing.T) {
	t.Parallel()
	dir := project(t)
	if err := os.Mkdir(filepath.Join(dir, "jobs"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "plan.py", "import sys; print(6 * 7, open('data.csv').read(3), sys.argv[1:])")
	put(t, dir, "jobs/night.py", "import sys; print(sys.path[0] == __file__.rsplit('/', 1)[0])")
	put(t, dir, "both.py", "print('project')")
	put(t, dir, "requirements.txt", "-r jobs/base.txt\nmceother>=1\n")
	put(t, dir, "jobs/base.txt", "mceleaf # any\n")
	put(t, dir, "wrong.txt", "ipykernel\n--index-url x\n")
	put(t, dir, "pyproject.toml", "[project]\nname = 'x'\ndependencies = ['mceleaf']\n[project.optional-dependencies]\nrun = ['mceother']\n")
	outside := filepath.Join(project(t), "elsewhere.py")
	if err := errors.Join(os.WriteFile(outside, []byte("print('elsewhere')"), 0o600), os.Symlink(outside, filepath.Join(dir, "link.py"))); err != nil {
		t.Fatal(err)
	}
	_, settings := makeEnv(t, "venv-uv") // an environment of its own: it is installed into
	p := launch(t, append(append(settings, wheels(t)...), "UV="+testUV(t), "WORK_DIR="+dir)...)
	p.done("initialize_code_file", args{"content": "print('storage')", "filename": "both.py"})
	plan := filepath.Join(dir, "plan.py")

	for _, c := range []struct {
		path string
		more args
		want string
	}{
		{"plan.py", nil, "\n42 a,b []"},
		{"plan", args{"arguments": []string{"x"}}, "\n42 a,b ['x']"},
		{plan, args{"fresh": true}, "\n42 a,b []"},
		{"./jobs/night.py", nil, "\nTrue"},
		{"both.py", nil, "[note: this is the file of the code storage; to run the one of the working directory, give its full path: " + dir + "/both.py]\nstorage"},
		{filepath.Join(dir, "both.py"), nil, "\nproject"},
	} {
		a := args{"file_path": c.path}
		maps.Copy(a, c.more)
		if r := p.call("execute_code_file", a); r.IsError || !strings.HasSuffix(r.text(), c.want) || strings.Contains(r.text(), "[note: ") != strings.Contains(c.want, "[note: ") {
			t.Errorf("%s: want %q in\n%s", c.path, c.want, r.text())
		}
	}
	for _, c := range []struct {
		tool  string
		args  args
		words []string
	}{
		{"execute_code_file", args{"file_path": "link.py"}, []string{"nothing was run", "link.py"}},
		{"execute_code_file", args{"file_path": outside}, []string{"nothing was run", "outside the code storage " + p.storage + " and the working directory " + dir + ", and this tool uses only files in these", "%run " + outside}},
		{"execute_code_file", args{"file_path": filepath.Join(dir, "pln.py")}, []string{"nothing was run: there is no code file", "did you mean plan.py?"}},
		{"execute_code_file", args{"file_path": filepath.Join(dir, "otherwise.py")}, []string{"; the working directory " + dir + " has: "}},
		{"read_code_file", args{"file_path": "plan.py"}, []string{"in the working directory", plan, "execute_code can read any file"}},
		{"read_code_file", args{"file_path": plan}, []string{"outside the code storage", "execute_code can read any file"}},
		{"append_to_code_file", args{"file_path": "plan", "content": "harm"}, []string{"in the working directory", plan, "execute_code can write to any file"}},
		{"install_dependencies", args{"file": "wrong.txt"}, []string{"nothing was installed", "wrong.txt, line 2", "--index-url"}},
		{"install_dependencies", args{"file": "none.txt"}, []string{"nothing was installed", "none.txt", "the code storage", "; " + dir + " has no such file either"}},
		{"install_dependencies", args{"file": outside}, []string{"outside the code storage " + p.storage + " and the working directory " + dir}},
		{"install_dependencies", args{"packages": []string{"./jobs"}}, []string{"nothing was installed", "pyproject.toml"}},
	} {
		refused(t, c.tool, p.call(c.tool, c.args), c.words...)
	}
	if text, _ := os.ReadFile(plan); strings.Contains(string(text), "harm") {
		t.Error("a file outside the storage was written to")
	}
	if r := p.call("execute_code_file", args{"file_path": "other.py"}); strings.Contains(r.text(), "working directory") || !strings.HasSuffix(r.text(), "; "+dir+" has no such file either") {
		t.Errorf("%s", r.text())
	}
	notebookInWorkDir(t, p, dir)
	if o := p.done("install_dependencies", args{"file": filepath.Join(dir, "requirements.txt")}); changes(o) != "mceleaf <nil> 0.5, mceother <nil> 1.0" {
		t.Errorf("requirements.txt: %v", o)
	}
	if o := p.done("install_dependencies", args{"file": "pyproject.toml[run]"}); o["changes"] != nil || len(o["already_installed"].([]any)) != 2 {
		t.Errorf("pyproject.toml: %v", o)
	}
}

// notebookInWorkDir: a notebook that lies where code runs is run and shown as one of the
// code storage is, and its results lie beside it; no link leads out.
func notebookInWorkDir(t *testing.T, p *program, dir string) {
	t.Helper()
	original := notebookOf(t, "total = 6 * 7", "print('the total is', total)")
	put(t, dir, "jobs/analysis.ipynb", string(original))
	outside := filepath.Join(project(t), "elsewhere.ipynb")
	if err := errors.Join(os.WriteFile(outside, original, 0o600), os.Symlink(outside, filepath.Join(dir, "link.ipynb"))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "jobs", "analysis.ipynb")
	executed := filepath.Join(dir, "jobs", "analysis_executed.ipynb")
	for _, c := range []struct {
		tool string
		path string
		want []string
	}{
		{"execute_code_file", "jobs/analysis.ipynb", []string{" | 2 cells run | ", "[notebook: with results: " + executed + "]", "\nthe total is 42"}},
		{"execute_code_file", path, []string{"[notebook: with results: " + strings.Replace(executed, "executed", "executed_2", 1) + "]"}},
		{"read_code_file", "jobs/analysis.ipynb", []string{"[ok | " + path + " | cells 1-2 of 2 | ", "\ntotal = 6 * 7"}},
		{"read_code_file", executed, []string{"[output: stdout]\nthe total is 42"}},
	} {
		r := p.call(c.tool, args{"file_path": c.path})
		for _, want := range c.want {
			if r.IsError || !strings.Contains(r.text(), want) {
				t.Errorf("%s of %s: want %q in\n%s", c.tool, c.path, want, r.text())
			}
		}
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(original) {
		t.Errorf("the original has changed: %v", err)
	}
	for _, leads := range []string{"link.ipynb", outside, "../" + filepath.Base(filepath.Dir(outside)) + "/elsewhere.ipynb"} {
		refused(t, leads, p.call("execute_code_file", args{"file_path": leads}), "nothing was run")
		if r := p.call("read_code_file", args{"file_path": leads}); !r.IsError {
			t.Errorf("%s was read: %s", leads, r.text())
		}
	}
}
