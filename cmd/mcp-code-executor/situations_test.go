//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// situation is a row of docs/environments.md, made real: the server's settings, and
// what is asked of it ("" is execute_code of code).
type situation struct {
	settings []string
	code     string // "" prints sys.prefix
	tool     string
	ask      args
	prefix   string // where the code has to have run, "" if it is not to run
	at       place  // for a server that runs as another user: its server and user
}

// quoted is what the table's last column promises word for word.
var quoted = regexp.MustCompile("`([^`]+)`")

// situationsLeft are the rows that `make test` leaves to TestMatrixSituations: it has
// each of them in a test of its own, or as a case of session/pyenv's tests that differs
// from another row here only in what is found.
var situationsLeft = []string{
	"venv", "venv-python", "uv-venv", "virtualenv", "type-left-out", "venv-moved", "pdm-project", "pyenv-shim", "mode-unknown",
	"startup-file", "pythonpath", "shadowing", "nothing-leaks", "deny", "venv-hangs",
	"conda-near-name", "conda-environments-txt", "activation-fails",
	"conda-name", "conda-base", "conda-path", "conda-tilde", "conda-which", "conda-envs-dirs", "conda-both-variables", "conda-condarc",
	"micromamba", "pixi", "activation", "activation-state", "activation-hangs", "conda-frozen", "system-python", "read-only",
	"kernel-installed", "kernel-old", "kernel-old-beside", "kernel-half", "kernel-beside",
}

// TestSituations: each row of the table in docs/environments.md has a case here,
// and each case a row; the real server says what the row promises.
func TestSituations(t *testing.T) {
	t.Parallel()
	rows, all := situationRows(t), situations(t)
	if len(rows) < 30 {
		t.Errorf("the table has %d rows", len(rows))
	}
	for id := range all {
		if rows[id] == "" {
			t.Errorf("docs/environments.md has no row %s", id)
		}
	}
	for id := range rows {
		if all[id] == nil {
			t.Errorf("the row %s has no case", id)
		}
	}
	split(t, all, situationsLeft, false, func(t *testing.T, id string, make func(t *testing.T) situation) { make(t).look(t, rows[id]) })
}

func TestMatrixSituations(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	rows := situationRows(t)
	split(t, situations(t), situationsLeft, true, func(t *testing.T, id string, make func(t *testing.T) situation) { make(t).look(t, rows[id]) })
}

// situationRows are the table's: what each promises, by its name.
func situationRows(t *testing.T) map[string]string {
	t.Helper()
	rows := map[string]string{}
	for line := range strings.Lines(document(t, "docs/environments.md")) {
		cells := strings.Split(line, "|")
		if id := ""; len(cells) == 5 && strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			id = strings.Trim(cells[1], " `")
			if rows[id] != "" {
				t.Errorf("two rows are called %s", id)
			}
			rows[id] = cells[3]
		}
	}
	return rows
}

// look asks the server and holds its answer against what the row promises.
func (s situation) look(t *testing.T, promise string) {
	t.Helper()
	if s.code == "" {
		s.code = "import sys; print('prefix', sys.prefix)"
	}
	if s.tool == "" {
		s.tool, s.ask = "execute_code", args{"code": s.code, "wait_seconds": 110}
	}
	var r result
	if s.at.server != "" {
		r = askAs(t, s.at.user, s.at.server, s.settings, s.tool, s.ask)
	} else {
		r = launch(t, s.settings...).call(s.tool, s.ask)
	}
	if s.prefix != "" && (r.IsError || !strings.Contains(r.text(), "prefix "+s.prefix+"\n") && !strings.HasSuffix(r.text(), "prefix "+s.prefix)) {
		t.Errorf("it did not run in %s:\n%s", s.prefix, r.text())
	}
	if s.prefix == "" && s.tool == "execute_code" && !r.IsError {
		t.Errorf("no error:\n%s", r.text())
	}
	parts := quoted.FindAllStringSubmatch(promise, -1)
	t.Logf("%s", r.text())
	if len(parts) == 0 {
		t.Errorf("the row promises nothing word for word")
	}
	for _, part := range parts {
		if !strings.Contains(r.text(), part[1]) {
			t.Errorf("%q is missing in:\n%s", part[1], r.text())
		}
	}
}

func situations(t *testing.T) map[string]func(t *testing.T) situation {
	home, root := sharedConda(t)
	inConda := func(name, prefix string) func(t *testing.T) situation {
		return func(t *testing.T) situation {
			return situation{settings: append(typeSettings("conda", name), "HOME="+home), prefix: prefix}
		}
	}
	broken := func(make func(dir string) map[string]string) func(t *testing.T) situation {
		return func(t *testing.T) situation {
			dir := filepath.Join(t.TempDir(), "env")
			write(t, make(dir))
			return situation{settings: typeSettings("venv", dir)}
		}
	}
	withPython := func(make func(t *testing.T, python string)) func(t *testing.T) situation {
		return func(t *testing.T) situation {
			dir := filepath.Join(t.TempDir(), "env")
			write(t, map[string]string{filepath.Join(dir, "pyvenv.cfg"): "home = /usr/bin\n"})
			make(t, filepath.Join(dir, "bin", "python"))
			return situation{settings: typeSettings("venv", dir)}
		}
	}
	set := func(settings ...string) func(t *testing.T) situation {
		return func(t *testing.T) situation { return situation{settings: settings} }
	}
	science := filepath.Join(root, "envs", "science")
	data := besideOnce(t)
	const whose = "import sys, ipykernel; print('prefix', sys.prefix); print('ipykernel in', ipykernel.__file__)"
	return map[string]func(t *testing.T) situation{
		"venv": func(t *testing.T) situation {
			dir, settings := makeEnv(t, "venv-uv")
			return situation{settings: append(settings, "ENV_TYPE=venv", "VENV_PATH="+dir), prefix: dir}
		},
		"venv-python": func(t *testing.T) situation {
			dir, _ := makeEnv(t, "venv-uv")
			return situation{settings: typeSettings("venv", filepath.Join(dir, "bin", "python")), prefix: dir}
		},
		"venv-project": func(t *testing.T) situation {
			dir, _ := makeEnv(t, "venv-uv")
			project := t.TempDir()
			execute(t, "mv", dir, filepath.Join(project, ".venv"))
			return situation{settings: typeSettings("venv", project), prefix: filepath.Join(project, ".venv")}
		},
		"uv-venv": func(t *testing.T) situation {
			dir, settings := makeEnv(t, "venv-uv")
			return situation{settings: settings, prefix: dir}
		},
		"virtualenv": func(t *testing.T) situation {
			dir := filepath.Join(t.TempDir(), "env")
			execute(t, testVirtualenv(t), "-m", "virtualenv", "-q", "--no-download", "--python", base(t), dir)
			shareKernel(t, dir)
			return situation{settings: typeSettings("venv", dir), prefix: dir}
		},
		"type-left-out": func(t *testing.T) situation {
			dir, _ := makeEnv(t, "venv-uv")
			return situation{settings: []string{"VENV_PATH=" + dir}, prefix: dir}
		},
		"venv-moved": func(t *testing.T) situation {
			dir, _ := makeEnv(t, "venv")
			moved := filepath.Join(t.TempDir(), "moved")
			execute(t, "mv", dir, moved)
			return situation{settings: typeSettings("venv", moved), prefix: moved}
		},
		"venv-base-gone": func(t *testing.T) situation {
			dir := filepath.Join(t.TempDir(), "env")
			write(t, map[string]string{filepath.Join(dir, "pyvenv.cfg"): "home = /opt/gone/bin\n", filepath.Join(dir, "bin", "activate"): ""})
			if err := os.Symlink("/opt/gone/bin/python3", filepath.Join(dir, "bin", "python")); err != nil {
				t.Fatal(err)
			}
			return situation{settings: typeSettings("venv", dir)}
		},
		"venv-no-python":  broken(func(dir string) map[string]string { return map[string]string{dir + "/pyvenv.cfg": "home = /usr/bin\n"} }),
		"venv-no-venv":    broken(func(dir string) map[string]string { return map[string]string{dir + "/main.py": ""} }),
		"venv-a-file":     broken(func(dir string) map[string]string { return map[string]string{dir: "text"} }),
		"venv-not-python": withPython(func(t *testing.T, python string) { writeProgram(t, python, "echo no such luck >&2\nexit 3") }),
		"venv-foreign":    withPython(foreignPython),
		"venv-hangs":      withPython(func(t *testing.T, python string) { writeProgram(t, python, "exec sleep 1000") }),
		"pdm-project": func(t *testing.T) situation {
			dir, _ := makeEnv(t, "venv-uv")
			project := t.TempDir()
			write(t, map[string]string{filepath.Join(project, "pyproject.toml"): "[project]\nname = 'x'\n", filepath.Join(project, ".pdm-python"): filepath.Join(dir, "bin", "python") + "\n"})
			return situation{settings: typeSettings("venv", project), prefix: dir}
		},
		"pyenv-shim": func(t *testing.T) situation {
			dir, _ := makeEnv(t, "venv-uv")
			shim := filepath.Join(t.TempDir(), ".pyenv", "shims", "python3")
			writeProgram(t, shim, "exec "+filepath.Join(dir, "bin", "python")+` "$@"`)
			return situation{settings: typeSettings("venv", shim), prefix: dir}
		},
		"pyenv-absent": func(t *testing.T) situation {
			shim := filepath.Join(t.TempDir(), ".pyenv", "shims", "python3")
			writeProgram(t, shim, "echo \"pyenv: version '3.99' is not installed\" >&2\nexit 1")
			return situation{settings: typeSettings("venv", shim)}
		},
		"venv-absent":   set("ENV_TYPE=venv", "VENV_PATH=/nowhere/env"),
		"venv-relative": set("ENV_TYPE=venv", "VENV_PATH=env"),
		"type-unknown":  set("ENV_TYPE=poetry"),
		"path-left-out": set("ENV_TYPE=venv-uv"),
		"name-left-out": set("ENV_TYPE=conda"),
		"mode-unknown": func(t *testing.T) situation {
			return situation{settings: append(inVenv(t), "KERNEL_INSTALL=perhaps"), prefix: filepath.Dir(filepath.Dir(pythons(t)[0]))}
		},
		"deny-malformed":  set(append(inVenv(t), "ENV_DENY=[x-")...),
		"conda-name":      inConda("science", science),
		"conda-base":      inConda("base", root),
		"conda-path":      inConda(science, science),
		"conda-near-name": inConda("scinece", ""),
		"conda-tilde": func(t *testing.T) situation {
			return situation{settings: append(typeSettings("conda", "~/miniforge3/envs/science"), "HOME="+home), prefix: science}
		},
		"conda-no-python": func(t *testing.T) situation {
			dir := filepath.Join(t.TempDir(), "rlang")
			write(t, map[string]string{filepath.Join(dir, "conda-meta", "history"): ""})
			return situation{settings: typeSettings("conda", dir)}
		},
		"conda-venv": func(t *testing.T) situation {
			dir, _ := makeEnv(t, "venv-uv")
			return situation{settings: typeSettings("conda", dir)}
		},
		"conda-ambiguous": func(t *testing.T) situation {
			home := t.TempDir()
			for _, at := range []string{"miniforge3", "miniconda3"} {
				write(t, map[string]string{filepath.Join(home, at, "conda-meta", "history"): "", filepath.Join(home, at, "condabin", "conda"): "",
					filepath.Join(home, at, "envs", "science", "conda-meta", "history"): "", filepath.Join(home, at, "envs", "science", "bin", "python"): ""})
			}
			return situation{settings: append(typeSettings("conda", "science"), "HOME="+home)}
		},
		"conda-which": func(t *testing.T) situation {
			home := t.TempDir()
			other := filepath.Join(home, "miniconda3")
			write(t, map[string]string{filepath.Join(other, "conda-meta", "history"): "", filepath.Join(other, "condabin", "conda"): "",
				filepath.Join(other, "envs", "science", "conda-meta", "history"): ""})
			return situation{settings: append(typeSettings("conda", "science"), "HOME="+home, "CONDA_EXE="+filepath.Join(root, "bin", "conda")), prefix: science}
		},
		"conda-envs-dirs": func(t *testing.T) situation {
			return situation{settings: append(typeSettings("conda", "science"), "CONDA_ENVS_DIRS="+filepath.Join(root, "envs")), prefix: science}
		},
		"conda-both-variables": func(t *testing.T) situation {
			return situation{settings: append(typeSettings("conda", "science"), "CONDA_ENVS_DIRS=/nowhere", "CONDA_ENVS_PATH="+filepath.Join(root, "envs")), prefix: science}
		},
		"conda-condarc": func(t *testing.T) situation {
			home, elsewhere := t.TempDir(), t.TempDir()
			dir := copyConda(t, "away", filepath.Join(elsewhere, "away"))
			write(t, map[string]string{filepath.Join(home, ".condarc"): "envs_dirs:\n  - " + elsewhere + "\n"})
			return situation{settings: append(typeSettings("conda", "away"), "HOME="+home), prefix: dir}
		},
		"conda-environments-txt": func(t *testing.T) situation {
			home := t.TempDir()
			dir := copyConda(t, "away", filepath.Join(t.TempDir(), "away"))
			write(t, map[string]string{filepath.Join(home, ".conda", "environments.txt"): dir + "\n"})
			return situation{settings: append(typeSettings("conda", "away"), "HOME="+home), prefix: dir}
		},
		"micromamba": func(t *testing.T) situation {
			home := t.TempDir()
			root := copyConda(t, "micromamba", filepath.Join(home, "micromamba"))
			return situation{settings: append(typeSettings("conda", "lab"), "HOME="+home), prefix: filepath.Join(root, "envs", "lab")}
		},
		"pixi": func(t *testing.T) situation {
			dir := copyConda(t, "pixi", filepath.Join(t.TempDir(), "pixi"))
			return situation{settings: typeSettings("conda", dir), prefix: filepath.Join(dir, ".pixi", "envs", "default")}
		},
		"activation": func(t *testing.T) situation {
			s := inConda("science", science)(t)
			s.code = "import os, sys; print('prefix', sys.prefix)\nfor n in ('CONDA_DEFAULT_ENV', 'MCE_FROM_JSON', 'MCE_FROM_SCRIPT'): print(n, os.environ[n])"
			return s
		},
		"activation-fails": func(t *testing.T) situation {
			dir := copyConda(t, "away", filepath.Join(t.TempDir(), "away"))
			write(t, map[string]string{filepath.Join(dir, "etc", "conda", "activate.d", "zz_mce.sh"): "echo broken here >&2\nreturn 3\n"})
			return situation{settings: typeSettings("conda", dir), prefix: dir}
		},
		"activation-hangs": func(t *testing.T) situation {
			dir := copyConda(t, "away", filepath.Join(t.TempDir(), "away"))
			write(t, map[string]string{filepath.Join(dir, "etc", "conda", "activate.d", "zz_mce.sh"): "sleep 1000\n"})
			return situation{settings: typeSettings("conda", dir), prefix: dir}
		},
		"activation-state": func(t *testing.T) situation {
			dir := copyConda(t, "away", filepath.Join(t.TempDir(), "away"))
			write(t, map[string]string{filepath.Join(dir, "conda-meta", "state"): `{"env_vars": {"MCE_GONE": "***unset***", "PATH": "/evil", "MCE_MINE": "mine"}}`})
			return situation{settings: typeSettings("conda", dir), prefix: dir,
				code: "import os, sys; print('prefix', sys.prefix); print([os.environ.get(n) for n in ('MCE_GONE', 'MCE_MINE')], '/evil' in os.environ['PATH'])"}
		},
		"user-site": func(t *testing.T) situation {
			home := t.TempDir()
			for minor := range 6 {
				write(t, map[string]string{filepath.Join(home, ".local", "lib", fmt.Sprintf("python3.%d", 9+minor), "site-packages", "mineonly.py"): ""})
			}
			return situation{settings: append(typeSettings("conda", science), "HOME="+home), prefix: science,
				code: "import importlib.util, sys; print('prefix', sys.prefix); print('seen:', importlib.util.find_spec('mineonly'))"}
		},
		"startup-file": func(t *testing.T) situation {
			dir, settings := makeEnv(t, "venv-uv")
			file := filepath.Join(t.TempDir(), "startup.py")
			write(t, map[string]string{file: "started = True\n"})
			return situation{settings: append(settings, "PYTHONSTARTUP="+file), prefix: dir, code: "import sys; print('prefix', sys.prefix); print('started:', 'started' in globals())"}
		},
		"nothing-leaks": func(t *testing.T) situation {
			dir, settings := makeEnv(t, "venv-uv")
			return situation{settings: append(settings, "VIRTUAL_ENV=/other/venv", "CONDA_PREFIX=/other/conda", "CONDA_DEFAULT_ENV=other", "PYTHONHOME=/other/home", "PATH=/other/venv/bin:/usr/bin:/bin"), prefix: dir,
				code: "import os, sys; print('prefix', sys.prefix)\nprint(os.environ['VIRTUAL_ENV'] == sys.prefix, [os.environ.get(n) for n in ('CONDA_PREFIX', 'CONDA_DEFAULT_ENV', 'PYTHONHOME')])"}
		},
		"pythonpath": func(t *testing.T) situation {
			dir, settings := makeEnv(t, "venv-uv")
			lib := t.TempDir()
			write(t, map[string]string{filepath.Join(lib, "mine.py"): "x = 'my own module'\n"})
			return situation{settings: append(settings, "PYTHONPATH="+lib), prefix: dir, code: "import mine, sys; print('prefix', sys.prefix); print(mine.x)"}
		},
		"deny": func(t *testing.T) situation {
			dir, settings := makeEnv(t, "venv-uv")
			return situation{settings: append(settings, "ENV_DENY=*_SECRET", "A_SECRET=x", "A_KEY=handed on"), prefix: dir,
				code: "import os, sys; print('prefix', sys.prefix); print(os.environ.get('A_SECRET'), os.environ['A_KEY'])"}
		},
		"shadowing": func(t *testing.T) situation {
			storage := t.TempDir()
			write(t, map[string]string{filepath.Join(storage, "types.py"): "1/0", filepath.Join(storage, "zmq.py"): "1/0", filepath.Join(storage, "pandas.py"): "1/0"})
			dir, settings := makeEnv(t, "venv-uv")
			return situation{settings: append(settings, "CODE_STORAGE_DIR="+storage), prefix: dir}
		},
		"kernel-never": func(t *testing.T) situation {
			return situation{settings: append(typeSettings("venv-uv", emptyEnv(t, "venv-uv")), "KERNEL_INSTALL=never")}
		},
		"kernel-installed": func(t *testing.T) situation {
			dir := emptyEnv(t, "venv-uv")
			return situation{settings: append(indexed(t), typeSettings("venv-uv", dir)...), prefix: dir}
		},
		"kernel-old": func(t *testing.T) situation {
			dir := envWith(t, "ipykernel==5.5.6", "jupyter_client<8")
			return situation{settings: append(indexed(t), typeSettings("venv-uv", dir)...), prefix: dir, code: whose}
		},
		"kernel-old-beside": func(t *testing.T) situation {
			dir := envWith(t, "ipykernel==5.5.6", "jupyter_client<8")
			return situation{settings: append(append(indexed(t), typeSettings("venv-uv", dir)...), "KERNEL_INSTALL=sidecar", data), prefix: dir, code: whose}
		},
		"kernel-half": func(t *testing.T) situation {
			dir := envWith(t, "ipykernel==7.4.0")
			for _, path := range sitePackages(t, dir) {
				if filepath.Base(path) == "ipykernel" {
					execute(t, "rm", "-r", path)
				}
			}
			return situation{settings: append(indexed(t), typeSettings("venv-uv", dir)...), prefix: dir, code: whose}
		},
		"kernel-beside": func(t *testing.T) situation {
			dir := emptyEnv(t, "venv-uv")
			return situation{settings: append(append(indexed(t), typeSettings("venv-uv", dir)...), "KERNEL_INSTALL=sidecar", data), prefix: dir, code: whose}
		},
		"conda-frozen": func(t *testing.T) situation {
			home, root := condaHome(t)
			bare := filepath.Join(root, "envs", "bare")
			write(t, map[string]string{filepath.Join(bare, "conda-meta", "frozen"): "{}"})
			return situation{settings: append(append(indexed(t), typeSettings("conda", "bare")...), "HOME="+home, data), prefix: bare, code: whose}
		},
		"system-python": func(t *testing.T) situation { // Debian's
			python := "/usr/bin/python3"
			if _, err := os.Stat(externallyManaged(python)); err != nil {
				testneeds.Skip(t, testneeds.ManagedPython, python+" is none that its distribution manages")
			}
			return situation{settings: append(append(indexed(t), typeSettings("venv", python)...), data), prefix: "/usr", code: whose}
		},
		"read-only": func(t *testing.T) situation {
			p := readOnlyVenv(t)
			return situation{settings: p.settings, prefix: p.prefix, at: p, code: whose}
		},
		"kernel-offline": func(t *testing.T) situation {
			return situation{settings: append(typeSettings("venv-uv", emptyEnv(t, "venv-uv")), "UV="+testUV(t), "PIP_NO_INDEX=1")}
		},
		"kernel-broken": func(t *testing.T) situation {
			dir, settings := makeEnv(t, "venv-uv")
			site := execute(t, filepath.Join(dir, "bin", "python"), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
			write(t, map[string]string{filepath.Join(site, "zmq", "__init__.py"): "raise ImportError('no libzmq here')\n"})
			return situation{settings: append(settings, "KERNEL_INSTALL=never")}
		},
		"python-old": func(t *testing.T) situation {
			dir := filepath.Join(matrix(t), "3.7")
			if _, err := os.Stat(dir); err != nil {
				testneeds.Skip(t, "python3.7", dir)
			}
			return situation{settings: typeSettings("venv", dir)}
		},
		"managed-offline": func(t *testing.T) situation {
			return situation{settings: []string{"UV=" + testUV(t), "PATH=" + basePath(t), "UV_HTTP_RETRIES=0", "UV_NO_CACHE=1", "UV_DEFAULT_INDEX=http://127.0.0.1:9/simple", "PIP_INDEX_URL=http://127.0.0.1:9/simple"}}
		},
		"list": func(t *testing.T) situation {
			return situation{settings: []string{"HOME=" + home}, tool: "get_environment_config", ask: args{"list": true}}
		},
	}
}

// envWith makes an environment of uv with packages from the index.
func envWith(t testing.TB, packages ...string) (dir string) {
	t.Helper()
	dir = emptyEnv(t, "venv-uv")
	execute(t, append([]string{testUV(t), "pip", "install", "-q", "--python", filepath.Join(dir, "bin", "python"), "--"}, packages...)...)
	return dir
}

// writeProgram writes a shell script that can be started.
func writeProgram(t testing.TB, path, script string) {
	t.Helper()
	write(t, map[string]string{path: "#!/bin/sh\n" + script + "\n"})
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
}
