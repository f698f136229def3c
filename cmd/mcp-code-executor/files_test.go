package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// object is the JSON an answer holds.
func (r result) object(t testing.TB) map[string]any {
	t.Helper()
	var o map[string]any
	if len(r.Content) != 1 || json.Unmarshal([]byte(r.text()), &o) != nil {
		t.Fatalf("not one block of JSON: %s", r.text())
	}
	return o
}

// done calls a tool that answers with JSON; it must succeed.
func (p *program) done(tool string, a args) map[string]any {
	p.t.Helper()
	r := p.call(tool, a)
	o := r.object(p.t)
	if o["status"] != "success" || r.IsError {
		p.t.Fatalf("%s %v: %s", tool, a, r.text())
	}
	return o
}

// write makes files by their paths.
func write(t testing.TB, files map[string]string) {
	t.Helper()
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCodeFiles: a script in pieces, the names files get, and reading.
func TestCodeFiles(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	file := filepath.Join(p.storage, "plot.py")
	o := p.done("initialize_code_file", args{"content": "a = 1\n", "filename": "plot"})
	if o["file_path"] != file || o["filename"] != "plot.py" {
		t.Errorf("a free name: %v", o)
	}
	o = p.done("initialize_code_file", args{"content": "other", "filename": "plot.py"})
	if o["filename"] != "plot_2.py" || !strings.Contains(o["message"].(string), "taken") {
		t.Errorf("a taken name: %v", o)
	}
	if o = p.done("initialize_code_file", args{"content": ""}); o["filename"] != "code_1.py" {
		t.Errorf("no name: %v", o)
	}
	for i, name := range []string{file, "plot.py", "plot"} {
		o := p.done("append_to_code_file", args{"file_path": name, "content": fmt.Sprintf("b = %d # <&>\n", i)})
		if o["file_path"] != file {
			t.Errorf("appended to %v", o)
		}
	}
	whole := "a = 1\nb = 0 # <&>\nb = 1 # <&>\nb = 2 # <&>\n"
	for _, test := range []struct {
		ask    args
		status string
		text   string
	}{
		{args{"file_path": file}, "lines 1-4 of 4", whole},
		{args{"file_path": "plot", "offset": 1, "limit": 2}, "lines 2-3 of 4", "b = 0 # <&>\nb = 1 # <&>\n"},
		{args{"file_path": "plot.py", "offset": -1}, "lines 4-4 of 4", "b = 2 # <&>\n"},
		{args{"file_path": "plot.py", "offset": 4}, "no lines", ""},
		{args{"file_path": "plot.py", "offset": "1", "limit": "1"}, "lines 2-2 of 4", "b = 0 # <&>\n"},
		{args{"file_path": "code_1"}, "no lines", ""},
	} {
		r := p.call("read_code_file", test.ask)
		if r.IsError || !strings.Contains(r.status(), test.status) || r.rest() != test.text {
			t.Errorf("%v: %q", test.ask, r.text())
		}
	}
	refused(t, "a misspelt name", p.call("read_code_file", args{"file_path": "plto.py"}), "plto.py", "plot.py")
	refused(t, "a number", p.call("append_to_code_file", args{"file_path": 5, "content": "x"}), "file_path", "string")
	refused(t, "too much", p.call("initialize_code_file", args{"content": strings.Repeat("x", 4<<20+1)}), "4194304")

	// A long file comes in pieces that fit together.
	var long strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&long, "x%d = 'äöü'\n", i)
	}
	p.done("initialize_code_file", args{"content": long.String(), "filename": "long"})
	var read strings.Builder
	for offset, calls := 0, 0; ; calls++ {
		r := p.call("read_code_file", args{"file_path": "long", "offset": offset})
		read.WriteString(r.rest())
		_, next, more := strings.Cut(r.status(), "offset=")
		if !more {
			break
		}
		if _, err := fmt.Sscanf(next, "%d]", &offset); err != nil || calls > 100 {
			t.Fatalf("%s, %v", r.status(), err)
		}
	}
	if read.String() != long.String() {
		t.Errorf("read %d bytes in pieces, want %d", read.Len(), long.Len())
	}
}

// TestCodeFileNames: names that would hide a module, or that no file system
// should see, are refused with another one where there is one.
func TestCodeFileNames(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	for name, parts := range map[string][]string{
		"types":                       {"types", "my_types.py"},
		"random.py":                   {"random", "my_random.py"},
		"numpy":                       {"the package numpy", "my_numpy.py"},
		"zmq":                         {"the package pyzmq", "my_zmq.py"},
		"ipykernel.py":                {"the package ipykernel"},
		"../escape.py":                {"'/'", "escape.py"},
		"a/b.py":                      {"'/'"},
		"/etc/x.py":                   {"'/'"},
		`c:\x.py`:                     {"holds the character"},
		"-rf.py":                      {"begins with '-'"},
		".bashrc":                     {"begins with '.'"},
		"nul.py":                      {"Windows"},
		"x\x00.py":                    {"NUL"},
		"x\ny.py":                     {"holds the character"},
		strings.Repeat("x", 300):      {"300 bytes"},
		strings.Repeat("ü", 100) + "": {"bytes"},
	} {
		for _, tool := range []string{"initialize_code_file", "execute_code"} {
			r := p.call(tool, args{"content": "1", "code": "open('ran', 'w')", "filename": name})
			refused(t, fmt.Sprintf("%s %.20q", tool, name), r, parts...)
		}
	}
	entries, _ := os.ReadDir(p.storage)
	if len(entries) > 0 {
		t.Errorf("refused, and made: %v", entries)
	}
}

// TestRunFile: a file runs as a script in the session's namespace, or in a
// kernel of its own.
func TestRunFile(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	p.run("x = 41")
	p.done("initialize_code_file", args{"filename": "script", "content": "if __name__ == '__main__':\n    y = x + 1\n    print('from', __file__)\n"})
	script := filepath.Join(p.storage, "script.py")
	for _, name := range []string{"script", "script.py", script} {
		if r := p.call("execute_code_file", args{"file_path": name}); r.IsError || strings.TrimSpace(r.rest()) != "from "+script {
			t.Errorf("%s: %s", name, r.text())
		}
	}
	if r := p.run("print(y, '__file__' in globals())"); strings.TrimSpace(r.rest()) != "42 False" {
		t.Errorf("afterwards: %s", r.text())
	}

	p.done("initialize_code_file", args{"filename": "division", "content": "def f():\n    return 1/0\n\nf()\n"})
	r := p.call("execute_code_file", args{"file_path": "division"})
	if !r.IsError || !strings.HasPrefix(r.text(), "[error ZeroDivisionError | ") {
		t.Errorf("an exception: isError=%t\n%s", r.IsError, r.text())
	}
	if strings.Contains(r.text(), "skipping hidden") {
		t.Errorf("the launcher's own frame is told:\n%s", r.text())
	}
	for _, part := range []string{filepath.Join(p.storage, "division.py") + ":2, in f()", "return 1/0", "f()"} {
		if !strings.Contains(r.text(), part) {
			t.Errorf("%q is missing in:\n%s", part, r.text())
		}
	}
	p.done("initialize_code_file", args{"filename": "broken", "content": "x = = 1\n"})
	if r := p.call("execute_code_file", args{"file_path": "broken"}); !r.IsError || !strings.HasPrefix(r.text(), "[error SyntaxError | ") || !strings.Contains(r.text(), "broken.py") {
		t.Errorf("a syntax error: isError=%t\n%s", r.IsError, r.text())
	}
	p.done("initialize_code_file", args{"filename": "leaving", "content": "import sys\nprint('bye')\nsys.exit(0)\n"})
	if r := p.call("execute_code_file", args{"file_path": "leaving"}); r.IsError || !strings.Contains(r.text(), "bye") {
		t.Errorf("sys.exit(0): %s", r.text())
	}
	// A name that a magic would expand.
	p.done("initialize_code_file", args{"filename": "a {x} $x 'b' %s", "content": "print('odd name')\n"})
	if r := p.call("execute_code_file", args{"file_path": "a {x} $x 'b' %s"}); r.IsError || !strings.Contains(r.text(), "odd name") {
		t.Errorf("an odd name: %s", r.text())
	}

	// In a kernel of its own: nothing seen, nothing left.
	p.done("initialize_code_file", args{"filename": "alone", "content": "print('x' in globals(), __name__)\nz = 1\n"})
	if r := p.call("execute_code_file", args{"file_path": "alone", "fresh": true}); r.IsError || strings.TrimSpace(r.rest()) != "[exit status 0]\nFalse __main__" {
		t.Errorf("fresh: %s", r.text())
	}
	if r := p.run("print(x, 'z' in globals())"); strings.TrimSpace(r.rest()) != "41 False" || r.field("generation") != "" {
		t.Errorf("after fresh: %s", r.text())
	}

	// A long one goes on.
	p.done("initialize_code_file", args{"filename": "long", "content": "import time\nprint('begun', flush=True)\ntime.sleep(2)\nprint('ended')\n"})
	for _, fresh := range []bool{false, true} {
		r := p.call("execute_code_file", args{"file_path": "long", "fresh": fresh, "wait_seconds": 0.1})
		if r.IsError || strings.HasPrefix(r.text(), "[ok") || r.field("id") == "" {
			t.Errorf("fresh=%t: after 0.1 s: %s", fresh, r.text())
		}
		r = p.call("get_execution", args{"id": r.field("id"), "since": 0})
		if !strings.HasPrefix(r.text(), "[ok | ") || !strings.HasSuffix(strings.TrimSpace(r.rest()), "begun\nended") {
			t.Errorf("fresh=%t: at the end: %s", fresh, r.text())
		}
	}
}

// TestRunOutside: a file outside the storage is refused, and the line the error
// gives does run it.
func TestRunOutside(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	for _, name := range []string{"tool.py", "my tool.py", "it's $HOME {x}.py"} {
		outside := filepath.Join(t.TempDir(), name)
		write(t, map[string]string{outside: "print('ran', __name__)\nleft = 1\n"})
		r := p.call("execute_code_file", args{"file_path": outside})
		refused(t, name, r, "outside the code storage", p.storage)
		_, line, ok := strings.Cut(r.text(), "this code runs it: ")
		if !ok {
			t.Fatalf("%s: no line to run in %s", name, r.text())
		}
		if r := p.run(line); !strings.Contains(r.text(), "ran __main__") {
			t.Errorf("%s: %s", line, r.text())
		}
		p.run("left; del left")
	}
}

// TestLinks: links that cannot be followed are told as what they are, by each tool.
func TestLinks(t *testing.T) {
	t.Parallel()
	p := launch(t, append(inVenv(t), "WORK_DIR="+t.TempDir())...)
	outside := filepath.Join(t.TempDir(), "tool.py")
	write(t, map[string]string{outside: "", filepath.Join(p.storage, "there.py"): ""})
	for name, target := range map[string]string{"out.py": outside, "gone.py": "nowhere.py"} {
		if err := os.Symlink(target, filepath.Join(p.storage, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tool := range []string{"execute_code_file", "read_code_file", "append_to_code_file"} {
		has(t, p.call(tool, args{"file_path": "out.py", "content": "1"}), "a symbolic link that leads outside the code storage "+p.storage)
		has(t, p.call(tool, args{"file_path": "gone.py", "content": "1"}), "gone.py", "a symbolic link whose target is not there")
	}
}

// TestModules: a module written with the tools imports in the next call and is
// loaded again when it has grown, in every session that imported it; and so does
// a file of the user's own.
func TestModules(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	p.run("import os") // the kernel is up before the file exists
	p.done("initialize_code_file", args{"filename": "helper", "content": "def f():\n    return 'one'\n"})
	both := []string{"default", "other"}
	ask := func(session, code, want string) {
		t.Helper()
		r := p.call("execute_code", args{"code": code, "session": session})
		if r.IsError || !strings.Contains(r.rest(), want) {
			t.Errorf("%s, %s: want %s:\n%s", session, code, want, r.text())
		}
	}
	for _, s := range both {
		ask(s, "import helper; helper.f()", "'one'")
	}
	p.done("append_to_code_file", args{"file_path": "helper", "content": "\ndef g():\n    return f() + 'two'\n"})
	for _, s := range both {
		ask(s, "helper.g()", "'onetwo'")
	}
	// One that no longer compiles disturbs nothing, and is loaded when it does.
	p.done("append_to_code_file", args{"file_path": "helper", "content": "\ndef h():\n"})
	ask("default", "helper.g(), 1+1", "('onetwo', 2)")
	p.done("append_to_code_file", args{"file_path": "helper", "content": "    return 'three'\n"})
	ask("default", "helper.h()", "'three'")

	write(t, map[string]string{filepath.Join(p.storage, "mine.py"): "answer = 42\n", filepath.Join(p.storage, "pack", "__init__.py"): "", filepath.Join(p.storage, "pack", "part.py"): "p = 'part'\n"})
	ask("default", "import mine, pack.part; (mine.answer, pack.part.p)", "(42, 'part')")

	// Names that the tool lets through, because nothing installed has them, but
	// that a kernel would look for. Debian's Python has a sitecustomize of its own.
	for _, name := range []string{"sitecustomize", "usercustomize", "appnope", "orjson", "ipywidgets", "prctl"} {
		if execute(t, pythons(t)[0], "-c", "import importlib.util; print(importlib.util.find_spec('"+name+"') is None)") == "False" {
			continue
		}
		p.done("initialize_code_file", args{"filename": name, "content": "raise SystemExit('the wrong one')\n"})
	}
	ask("new", "import helper; helper.h()", "'three'")
	p.call("execute_code", args{"code": "import os; os._exit(1)"})
	ask("default", "import mine; mine.answer", "42")
}
