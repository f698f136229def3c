package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// refused checks that an answer is an error that says all of the parts.
func refused(t *testing.T, name string, r result, parts ...string) {
	t.Helper()
	if !r.IsError {
		t.Errorf("%s: no error:\n%s", name, r.text())
	}
	for _, part := range parts {
		if !strings.Contains(r.text(), part) {
			t.Errorf("%s: %q is missing in:\n%s", name, part, r.text())
		}
	}
}

// TestBadEnvironment: a server with a wrong setting starts and lists its tools;
// the first call names the thing, the reason and the next step.
func TestBadEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(path("plain"), 0o755))
	must(os.MkdirAll(path("hollow/bin"), 0o755))
	must(os.WriteFile(path("hollow/pyvenv.cfg"), []byte("home = /usr/bin\n"), 0o644))
	must(os.MkdirAll(path("dangling/bin"), 0o755))
	must(os.WriteFile(path("dangling/pyvenv.cfg"), []byte("home = /opt/gone/bin\n"), 0o644))
	must(os.Symlink("/opt/gone/bin/python3", path("dangling/bin/python")))
	must(os.WriteFile(path("file"), nil, 0o644))
	for _, test := range []struct {
		name     string
		settings []string
		parts    []string
	}{
		{"unknown type", []string{"ENV_TYPE=poetry"}, []string{"ENV_TYPE", "poetry", "conda, venv, venv-uv or jupyter"}},
		{"type without its path", []string{"ENV_TYPE=venv"}, []string{"VENV_PATH", "not set"}},
		{"uv without its path", []string{"ENV_TYPE=venv-uv"}, []string{"UV_VENV_PATH", "not set"}},
		{"missing", []string{"ENV_TYPE=venv", "VENV_PATH=" + path("nowhere")}, []string{path("nowhere")}},
		{"not a venv", []string{"ENV_TYPE=venv", "VENV_PATH=" + path("plain")}, []string{path("plain"), "pyvenv.cfg"}},
		{"no Python in it", []string{"ENV_TYPE=venv", "VENV_PATH=" + path("hollow")}, []string{path("hollow"), "python"}},
		{"base Python gone", []string{"ENV_TYPE=venv-uv", "UV_VENV_PATH=" + path("dangling")}, []string{path("dangling"), "gone"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := launch(t, test.settings...)
			if tools := p.request("tools/list", map[string]any{}).Result.Tools; len(tools) == 0 {
				t.Error("no tools")
			}
			r := p.call("execute_code", args{"code": "print('ran')"})
			refused(t, test.name, r, test.parts...)
			if strings.Contains(r.rest(), "ran\n") {
				t.Error("the code ran")
			}
		})
	}
}

// TestBadStorage: a storage directory that cannot be one. Root may write
// anywhere, so what is about permissions runs the server as nobody.
func TestBadStorage(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := launch(t, append(inVenv(t), "CODE_STORAGE_DIR="+file)...)
	refused(t, "a file", p.call("execute_code", args{"code": "1"}), file, "CODE_STORAGE_DIR")
	if b, err := os.ReadFile(file); string(b) != "kept" {
		t.Errorf("the file now holds %q, %v", b, err)
	}
}

// TestBadArguments: each error names the argument, what is wrong and what to do,
// and changes nothing.
func TestBadArguments(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	p.run("x = 1")
	for _, test := range []struct {
		name, tool string
		args       args
		parts      []string
	}{
		{"no code", "execute_code", args{}, []string{`"code"`, "missing"}},
		{"misspelt", "execute_code", args{"cod": "1"}, []string{`"code"`, `"cod"`}},
		{"empty code", "execute_code", args{"code": " \n"}, []string{`"code"`, "empty"}},
		{"a number as code", "execute_code", args{"code": 5}, []string{`"code"`, "number", "string"}},
		{"a list as code", "execute_code", args{"code": []string{"1"}}, []string{`"code"`, "string"}},
		{"NUL in code", "execute_code", args{"code": "print('\x00')"}, []string{`"code"`, "NUL"}},
		{"code too long", "execute_code", args{"code": strings.Repeat("#", 4<<20+1)}, []string{`"code"`, "4194304"}},
		{"wait of words", "execute_code", args{"code": "x=2", "wait_seconds": "soon"}, []string{`"wait_seconds"`, "soon", "0 to 3600"}},
		{"negative wait", "execute_code", args{"code": "x=2", "wait_seconds": -1}, []string{`"wait_seconds"`, "0 to 3600"}},
		{"session name", "execute_code", args{"code": "x=2", "session": "../../x"}, []string{"session name", "../../x"}},
		{"filename up", "execute_code", args{"code": "x=2", "filename": "../x"}, []string{"../x"}},
		{"filename absolute", "execute_code", args{"code": "x=2", "filename": "/tmp/x.py"}, []string{"/tmp/x.py"}},
		{"filename with NUL", "execute_code", args{"code": "x=2", "filename": "a\x00b"}, []string{`"filename"`, "NUL"}},
		{"filename too long", "execute_code", args{"code": "x=2", "filename": strings.Repeat("n", 300)}, []string{"more than 200"}},
		{"unknown id", "get_execution", args{"id": "zzzz-1"}, []string{"zzzz-1", "newest is"}},
		{"unknown session", "interrupt_execution", args{"session": "nobody"}, []string{"nobody", "default"}},
		{"absurd cursor", "get_execution", args{"since": 1e300}, []string{`"since"`}},
		{"interrupt of an unknown id", "interrupt_execution", args{"id": "zzzz-1"}, []string{"zzzz-1"}},
	} {
		refused(t, test.name, p.call(test.tool, test.args), test.parts...)
	}
	if r := p.call("interrupt_execution", nil); r.IsError || !strings.Contains(r.text(), "nothing to interrupt") {
		t.Errorf("interrupt of nothing: %s", r.text())
	}
	if r := p.run("\ufeff# from an editor\nx"); r.rest() != "Out[2]: 1" {
		t.Errorf("after the errors: %s", r.text())
	}
	if files, err := os.ReadDir(p.storage); err != nil || len(files) > 0 {
		t.Errorf("in the storage: %v, %v", files, err)
	}
}

// TestClearStrings: what is clear is taken, and unknown arguments are told.
func TestClearStrings(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	r := p.call("execute_code", args{"code": "1", "wait_seconds": "20", "timeout": 3})
	if r.IsError || !strings.Contains(r.text(), `unknown argument "timeout"`) {
		t.Errorf("%s", r.text())
	}
}

// TestMissingKernel: an environment without ipykernel that nothing may be
// installed into names the command.
func TestMissingKernel(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "venv")
	if out, err := exec.Command(pythons(t)[0], "-m", "venv", "--without-pip", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// A wheel index that is not there stands for a machine without network.
	p := launch(t, "ENV_TYPE=venv", "VENV_PATH="+dir, "KERNEL_INSTALL=never")
	refused(t, "no ipykernel", p.call("execute_code", args{"code": "1"}), "ipykernel", dir, "install")
}
