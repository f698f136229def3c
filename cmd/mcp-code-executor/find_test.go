//go:build linux

package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// deniedKeys are settings with two variables that ENV_DENY keeps from code; lookForKeys
// prints keysKept where they are, in the kernel and in its children.
func deniedKeys() []string {
	return []string{"ENV_DENY=*_SECRET, GITHUB_TOKEN", "MCE_SECRET=hunter2", "GITHUB_TOKEN=hunter3", "MY_KEY=kept"}
}

const (
	lookForKeys = "import os, subprocess, sys\nask = 'import os; print([os.environ.get(n) for n in (\"MCE_SECRET\", \"GITHUB_TOKEN\", \"MY_KEY\")])'\nexec(ask)\nprint(subprocess.check_output([sys.executable, '-c', ask], text=True), end='')\nprint(subprocess.check_output('env', text=True).count('hunter'))"
	keysKept    = "[None, None, 'kept']\n[None, None, 'kept']\n0"
)

// TestDeniedKeys: what ENV_DENY names is seen by nothing that runs: a kernel, its
// subprocesses, activation scripts, and in TestMatrixDeniedKeys pip's build environment.
// What it does not name arrives there.
func TestDeniedKeys(t *testing.T) {
	t.Parallel()
	t.Run("conda", func(t *testing.T) {
		home, root := condaHome(t)
		scripts := filepath.Join(root, "envs", "science", "etc", "conda", "activate.d")
		execute(t, "cp", "-a", scripts, scripts+".own") // the test's own, not the shared one's files
		execute(t, "rm", "-r", scripts)
		execute(t, "mv", scripts+".own", scripts)
		seen := filepath.Join(home, "seen")
		write(t, map[string]string{filepath.Join(scripts, "x.sh"): "env > '" + seen + "'\n"})
		p := launch(t, append(append(deniedKeys(), "HOME="+home), typeSettings("conda", "science")...)...)
		if r := p.run(lookForKeys); strings.TrimSpace(r.rest()) != keysKept {
			t.Errorf("code: %s", r.text())
		}
		if env := readFile(t, seen); strings.Contains(env, "hunter") || !strings.Contains(env, "MY_KEY=kept") {
			t.Errorf("activation script: %s", env)
		}
	})
	t.Run("wrong", func(t *testing.T) {
		p := launch(t, append(inVenv(t), "ENV_DENY=A*, [x-", "MCE_SECRET=hunter2")...)
		refused(t, "a wrong pattern", p.call("execute_code", args{"code": "1"}), "ENV_DENY", "[x-", "AWS_*")
	})
}

// TestMatrixDeniedKeys: what pip runs when it builds a package does not see them either.
func TestMatrixDeniedKeys(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	_, settings := makeEnv(t, "venv")
	dir, seen := t.TempDir(), filepath.Join(t.TempDir(), "seen")
	makeSource(t, dir)
	p := launch(t, slices.Concat(deniedKeys(), settings, []string{"PIP_NO_INDEX=1", "PIP_FIND_LINKS=" + dir, "UV=/nowhere", "MCE_SEEN=" + seen})...)
	if r := p.run(lookForKeys); strings.TrimSpace(r.rest()) != keysKept {
		t.Errorf("code: %s", r.text())
	}
	if o := p.done("install_dependencies", args{"packages": []string{"mcebuilt"}, "wait_seconds": 100}); changes(o) != "mcebuilt <nil> 1.0" {
		t.Fatalf("%v", o)
	}
	if env := readFile(t, seen); strings.Contains(env, "hunter") || !strings.Contains(env, "MY_KEY=kept") {
		t.Errorf("build: %s", env)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// makeSource writes a source distribution that notes, when it is built, what it
// sees of the environment.
func makeSource(t *testing.T, dir string) {
	t.Helper()
	files := map[string]string{
		"PKG-INFO":       "Metadata-Version: 2.1\nName: mcebuilt\nVersion: 1.0\n",
		"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n[project]\nname = \"mcebuilt\"\nversion = \"1.0\"\n",
		"backend.py": `import os, zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    with open(os.environ["MCE_SEEN"], "w") as f:
        f.writelines("%s=%s\n" % item for item in os.environ.items())
    name, info = "mcebuilt-1.0-py3-none-any.whl", "mcebuilt-1.0.dist-info/"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as z:
        z.writestr("mcebuilt.py", "")
        z.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: mcebuilt\nVersion: 1.0\n")
        z.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(info + "RECORD", "mcebuilt.py,,\n")
    return name
`,
	}
	out, err := os.Create(filepath.Join(dir, "mcebuilt-1.0.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(out)
	w := tar.NewWriter(z)
	for name, text := range files {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: "mcebuilt-1.0/" + name, Mode: 0o644, Size: int64(len(text))}))
		_, writeErr := w.Write([]byte(text))
		err = errors.Join(err, writeErr)
	}
	if err = errors.Join(err, w.Close(), z.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
}

// listedRow is one environment of get_environment_config's list.
type listedRow struct {
	Kind, Name, Path, Python string
	Ipykernel                *string
	Near, Current            bool
	Broken, Fix              string
	Configure                args
}

// listed asks for what is on the machine.
func listed(t *testing.T, p *program) (rows []listedRow, r result) {
	t.Helper()
	r = p.call("get_environment_config", args{"list": true})
	var answer struct{ Environments []listedRow }
	if err := json.Unmarshal([]byte(r.text()), &answer); err != nil || r.IsError {
		t.Fatalf("%v in %s", err, r.text())
	}
	return answer.Environments, r
}

// TestListAndChoose: what is on the machine is told, with what chooses each, by
// arguments and by name; nothing in the server's environment but HOME and PATH.
func TestListAndChoose(t *testing.T) {
	t.Parallel()
	home, root := condaHome(t)
	storage := filepath.Join(home, "work", "code")
	kernel7 := filepath.Dir(filepath.Dir(pythons(t)[0]))
	execute(t, testUV(t), "venv", "-q", "--no-project", "--no-python-downloads", "--python", base(t), filepath.Join(home, "work", ".venv"))
	gone := filepath.Join(home, ".virtualenvs", "gone")
	write(t, map[string]string{filepath.Join(gone, "pyvenv.cfg"): "home = /gone/bin\nversion = 3.11.0\n", filepath.Join(home, ".virtualenvs", "x"): ""})
	for link, target := range map[string]string{filepath.Join(gone, "bin", "python"): "/gone/bin/python", filepath.Join(home, ".virtualenvs", "work7"): kernel7} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(target, link)); err != nil {
			t.Fatal(err)
		}
	}
	p := launch(t, append(typeSettings("conda", "science"), "HOME="+home, "CODE_STORAGE_DIR="+storage)...)
	rows, r := listed(t, p)
	find := func(path string) listedRow {
		t.Helper()
		for _, row := range rows {
			if row.Path == path {
				return row
			}
		}
		t.Fatalf("%s is not in %s", path, r.text())
		return listedRow{}
	}
	near := find(filepath.Join(home, "work", ".venv"))
	if !near.Near || near.Kind != "venv-uv" || near.Ipykernel != nil || near.Name != "work/.venv" || rows[0].Near != true {
		t.Errorf("near: %+v", near)
	}
	science := find(filepath.Join(root, "envs", "science"))
	if science.Kind != "conda" || science.Ipykernel == nil || !science.Current || science.Near {
		t.Errorf("science: %+v", science)
	}
	if bare := find(filepath.Join(root, "envs", "bare")); bare.Ipykernel != nil || bare.Current || bare.Python == "" {
		t.Errorf("bare: %+v", bare)
	}
	broken := find(gone)
	if !strings.Contains(broken.Broken, "/gone/bin") || !strings.Contains(broken.Fix, "venv --clear") || broken.Configure != nil {
		t.Errorf("broken: %+v", broken)
	}
	work7 := find(filepath.Join(home, ".virtualenvs", "work7"))
	for _, ask := range []args{work7.Configure, {"type": "venv", "venv_path": "work7"}, {"type": "venv-uv", "uv_venv_path": "work7"}} {
		o := p.done("configure_environment", ask)
		if message, _ := o["message"].(string); !strings.HasSuffix(message, ", Python "+work7.Python) {
			t.Errorf("%v: %v, the list said %s", ask, o, work7.Python)
		}
	}
	if r := p.run("import sys; print(sys.prefix)"); !strings.Contains(r.text(), work7.Path) && !strings.Contains(r.text(), kernel7) {
		t.Errorf("%s", r.text())
	}
	if rows, r = listed(t, p); !find(work7.Path).Current {
		t.Errorf("%s", r.text())
	}
	refused(t, "unknown", p.call("configure_environment", args{"type": "venv", "venv_path": "work77"}), `did you mean \"work7\"`, "not changed")
	if config := p.done("get_environment_config", nil)["environment"].(map[string]any); config["works"] != true {
		t.Errorf("%v", config)
	}
}

// TestBackToManaged: a session can go back to the environment of those who choose none.
func TestBackToManaged(t *testing.T) {
	t.Parallel()
	made := emptyEnv(t, "venv-uv")
	for _, path := range sitePackages(t, filepath.Dir(filepath.Dir(pythons(t)[0]))) { // its own, else it would be fixed
		if filepath.Base(path) != "_virtualenv.pth" && filepath.Base(path) != "_virtualenv.py" {
			linkTree(t, path, filepath.Join(made, "lib", filepath.Base(filepath.Dir(filepath.Dir(path))), "site-packages", filepath.Base(path)))
		}
	}
	data := t.TempDir()
	managed := filepath.Join(data, "mcp-code-executor", "envs", "default-py311")
	if err := errors.Join(os.MkdirAll(filepath.Dir(managed), 0o755), os.Rename(made, managed)); err != nil {
		t.Fatal(err)
	}
	write(t, map[string]string{filepath.Join(managed, ".mce-ready.json"): "{}"})
	p := launch(t, append(inVenv(t), "XDG_DATA_HOME="+data)...)
	p.run("x = 1")
	rows, r := listed(t, p)
	i := slices.IndexFunc(rows, func(row listedRow) bool { return row.Kind == "managed" })
	if i < 0 {
		t.Fatalf("not listed: %s", r.text())
	}
	if o := p.done("configure_environment", rows[i].Configure); o["lost"] != true {
		t.Errorf("%v", o)
	}
	if r := p.run("import sys; print(sys.prefix)"); strings.TrimSpace(r.rest()) != managed && !strings.Contains(r.text(), managed) {
		t.Errorf("%s", r.text())
	}
	if rows, r = listed(t, p); !rows[slices.IndexFunc(rows, func(row listedRow) bool { return row.Kind == "managed" })].Current {
		t.Errorf("%s", r.text())
	}
}

// TestPythonPathIsShown: PYTHONPATH stays as it is, and is told.
func TestPythonPathIsShown(t *testing.T) {
	t.Parallel()
	p := launch(t, append(inVenv(t), "PYTHONPATH=/my/lib")...)
	config := p.done("get_environment_config", nil)["environment"].(map[string]any)
	if config["PYTHONPATH"] != "/my/lib" {
		t.Errorf("%v", config)
	}
	if r := p.run("import os, sys; print(os.environ['PYTHONPATH'], '/my/lib' in sys.path)"); strings.TrimSpace(r.rest()) != "/my/lib True" {
		t.Errorf("%s", r.text())
	}
}

// TestListFits: three hundred environments stay within each client's budget:
// near ones whole, the others by directory and name.
func TestListFits(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	files := map[string]string{}
	for i := range 300 {
		dir := filepath.Join(home, ".virtualenvs", fmt.Sprintf("environment-%03d", i))
		files[filepath.Join(dir, "pyvenv.cfg")] = "home = /usr/bin\nversion = 3.11.2\n"
		files[filepath.Join(dir, "bin", "python")] = "#!/bin/sh\nexit 1\n"
	}
	near := filepath.Join(home, "work", ".venv")
	files[filepath.Join(near, "pyvenv.cfg")] = "home = /usr/bin\nversion = 3.11.2\n"
	files[filepath.Join(near, "bin", "python")] = "#!/bin/sh\nexit 1\n"
	write(t, files)
	execute(t, "chmod", "-R", "a+x", home)
	for client, limit := range map[string]int{"test": 30_000, "codex-mcp-client": 11_000} {
		p := start(t, "HOME="+home, "CODE_STORAGE_DIR="+filepath.Join(home, "work", "code"))
		p.request("initialize", map[string]any{"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": client, "version": "1"}})
		p.notify("notifications/initialized", nil)
		rows, r := listed(t, p)
		if n := utf8.RuneCountInString(r.text()); n > limit || n < limit/2 {
			t.Errorf("%s: %d characters", client, n)
		}
		if rows[0].Path != near || !rows[0].Near {
			t.Errorf("%s: the first is %+v", client, rows[0])
		}
		var answer struct {
			Found        int
			Environments []any
			More         []struct {
				Directory string
				Names     []string
				Further   int
			}
		}
		if err := json.Unmarshal([]byte(r.text()), &answer); err != nil {
			t.Fatal(err)
		}
		told := len(answer.Environments)
		for _, more := range answer.More {
			told += len(more.Names) + more.Further
		}
		if told != answer.Found || answer.Found < 301 || len(answer.More) == 0 || answer.More[0].Directory != filepath.Join(home, ".virtualenvs") {
			t.Errorf("%s: %d found, %d told: %s", client, answer.Found, told, r.text())
		}
	}
}
