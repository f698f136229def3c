package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// inScripts are the settings for the environment with what scripts import.
func inScripts(t testing.TB) []string {
	return []string{"ENV_TYPE=venv", "VENV_PATH=" + filepath.Dir(filepath.Dir(required(t, "MCE_TEST_SCRIPTS", "Python with what scripts import")))}
}

// scriptEnd is what a script leaves: what it wrote, its files, its exit status.
type scriptEnd struct {
	Stdout, Stderr string
	Files          map[string]string
	Status         int
}

// TestScripts: a script is run by `python FILE`, by execute_code_file with fresh and,
// unless it is about a process's end or stdin, in a session. All end alike. Here every
// eighth script runs, in turn fresh and in a session; TestMatrixScripts runs all both ways.
func TestScripts(t *testing.T) {
	t.Parallel()
	sameAsPython(t, func(n int, alone bool) (fresh, inSession bool) {
		return n%16 == 0 || alone && n%16 == 8, n%16 == 8
	})
}

func TestMatrixScripts(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	sameAsPython(t, func(int, bool) (fresh, inSession bool) { return true, true })
}

// sameAsPython runs the scripts; wanted says in which ways the nth is to run, which can
// run in a kernel of its own alone or in a session as well.
func sameAsPython(t *testing.T, wanted func(n int, alone bool) (fresh, inSession bool)) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "scripts", "*.py"))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d scripts (%v)", len(files), err)
	}
	p := launch(t, inScripts(t)...)
	p.run("'a session'") // the storage is there
	for n, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(source), "\n")
		words, _ := strings.CutPrefix(first, "# arguments: ")
		var argv []string
		if words != first {
			argv = strings.Fields(words)
		}
		alone := first == "# alone"
		fresh, inSession := wanted(n, alone)
		inSession = inSession && !alone
		if !fresh && !inSession {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".py"), func(t *testing.T) {
			path := filepath.Join(p.storage, filepath.Base(file))
			want := p.plainPython(t, path, source, argv)
			for fresh, wanted := range map[bool]bool{true: fresh, false: inSession} {
				if !wanted {
					continue
				}
				got := p.asScript(t, path, source, argv, fresh)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("fresh=%t (-python FILE +ours)\n%s", fresh, diff)
				}
			}
		})
	}
}

// plainPython is the oracle.
func (p *program) plainPython(t *testing.T, path string, source []byte, argv []string) scriptEnd {
	t.Helper()
	files := storedScript(t, path, source)
	cmd := exec.Command(os.Getenv("MCE_TEST_SCRIPTS"), append([]string{path}, argv...)...)
	cmd.Dir = p.storage
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + p.home, "PYTHONDONTWRITEBYTECODE=1"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return scriptEnd{stdout.String(), lastWords(stderr.String()), files(), cmd.ProcessState.ExitCode()}
}

// asScript runs it through the tool; the status and the streams are what the answer
// says of them.
func (p *program) asScript(t *testing.T, path string, source []byte, argv []string, fresh bool) scriptEnd {
	t.Helper()
	files := storedScript(t, path, source)
	session := "session of " + filepath.Base(path)
	r := p.call("execute_code_file", args{"file_path": path, "arguments": argv, "fresh": fresh, "session": session, "wait_seconds": 100})
	defer p.call("stop_session", args{"session": session})
	got := readEnd(r)
	if fresh == (got.Status < 0) && strings.Contains(r.status(), "ok") {
		t.Errorf("the exit status is missing: %s", r.text())
	}
	if got.Status < 0 { // none told
		got.Status = 0
		if strings.HasPrefix(r.text(), "[error ") {
			got.Status = 1
		}
	}
	got.Files = files()
	return got
}

// readEnd reads an answer as a model does: lines of ours begin with a bracket.
func readEnd(r result) scriptEnd {
	end := scriptEnd{Status: -1}
	stream := &end.Stdout
	for line := range strings.Lines(r.rest()) {
		if status, ok := strings.CutPrefix(line, "[exit status "); ok {
			end.Status, _ = strconv.Atoi(strings.TrimRight(strings.Split(status, ":")[0], "]\n"))
			continue
		}
		switch {
		case line == "[stderr]\n":
			stream = &end.Stderr
		case line == "[stdout]\n":
			stream = &end.Stdout
		case strings.HasPrefix(line, "[files"), strings.HasPrefix(line, "[note"), strings.HasPrefix(line, "[no output"):
		case strings.HasPrefix(line, "Traceback (most recent call last)"), strings.HasPrefix(line, "  File \""): // ours is on iopub
			stream = &end.Stderr
			*stream += line
		default:
			*stream += strings.TrimPrefix(line, `\`)
		}
	}
	end.Stderr = lastWords(end.Stderr)
	if end.Stdout != "" && !strings.HasSuffix(end.Stdout, "\n") {
		end.Stdout += "\n"
	}
	return end
}

// lastWords leaves the message of a traceback: its frames are IPython's there.
func lastWords(stderr string) string {
	text := strings.TrimRight(stderr, "\n")
	if strings.Contains(text, "Traceback (most recent call last)") || strings.Contains(text, "SyntaxError") {
		lines := strings.Split(text, "\n")
		text = lines[len(lines)-1]
	}
	return text
}

// storedScript writes a script beside nothing else, and returns what tells the files
// it has made.
func storedScript(t *testing.T, path string, source []byte) func() map[string]string {
	t.Helper()
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, source, 0o600); err != nil {
		t.Fatal(err)
	}
	return func() map[string]string {
		files := map[string]string{}
		err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || file == path || strings.HasSuffix(file, ".pyc") {
				return err
			}
			text, err := os.ReadFile(file)
			files[strings.TrimPrefix(file, dir)] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
}

// TestExit: how execute_code tells an end by sys.exit().
func TestExit(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	for _, c := range []struct{ code, want string }{
		{"x = 1\nimport sys\nsys.exit(0)", "[exit status 0: the code ended with SystemExit, a normal end; the session's variables are kept]\n[no output]"},
		{"print('a')\nsys.exit()\nprint('b')", "[exit status 0: the code ended with SystemExit, a normal end; the session's variables are kept]\na"},
		{"x", "Out[3]: 1"},
	} {
		if r := p.run(c.code); strings.TrimSpace(r.rest()) != c.want {
			t.Errorf("%s:\n%s", c.code, r.text())
		}
	}
	for _, c := range []struct{ code, want string }{
		{"sys.exit(3)", "[exit status 3: the code ended with SystemExit; the session's variables are kept]\n[no output]"},
		{"exit(3)\nprint('on')", "[exit status 3: the code ended with SystemExit; the session's variables are kept]\n[no output]"},
		{"sys.exit('no such table')", "[exit status 1: the code ended with SystemExit; the session's variables are kept]\n[stderr]\nno such table"},
		{"import asyncio\nawait asyncio.sleep(0)\nraise SystemExit(4)", "[exit status 4: the code ended with SystemExit; the session's variables are kept]\n[no output]"},
	} {
		r := p.call("execute_code", args{"code": c.code})
		if !r.IsError || !strings.HasPrefix(r.text(), "[error SystemExit | ") || strings.TrimSpace(r.rest()) != c.want {
			t.Errorf("%s: isError=%t\n%s", c.code, r.IsError, r.text())
		}
	}
	r := p.call("execute_code", args{"code": "print(__file__)\nimport inspect", "filename": "named.py"})
	if !strings.HasSuffix(strings.TrimSpace(r.text()), filepath.Join(p.storage, "named.py")) {
		t.Errorf("__file__: %s", r.text())
	}
	if r := p.run("x, '__file__' in globals()"); r.rest() != "Out[9]: (1, False)" {
		t.Errorf("afterwards: %s", r.text())
	}
}

// TestOwnErrors: an error that the code has handled, or that is a callback's, is
// shown and does not make the run an error.
func TestOwnErrors(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	p.run("def after(*args): raise LookupError('old extension')\nget_ipython().events.register('post_run_cell', after)")
	r := p.run("2 + 2")
	for _, part := range []string{"Out[2]: 4", "Error in callback", "LookupError: old extension"} {
		if !strings.Contains(r.text(), part) {
			t.Errorf("%q is missing in\n%s", part, r.text())
		}
	}
	if r := p.call("execute_code", args{"code": "{}['missing']"}); !strings.HasPrefix(r.text(), "[error KeyError | ") {
		t.Errorf("an error of the code's besides: %s", r.text())
	}
	p.run("get_ipython().events.unregister('post_run_cell', after)\ntry: 1/0\nexcept Exception: get_ipython().showtraceback()")
	const note = "[note: an error was shown, but the code went on to its end]\n"
	if r := p.run("class R:\n    def __repr__(self): raise LookupError('odd')\ndisplay(R()); print('after')"); !strings.Contains(r.text(), note) || !strings.HasSuffix(strings.TrimSpace(r.text()), "after") {
		t.Errorf("a display that failed: %s", r.text())
	}
	if r := p.run("1"); strings.Contains(r.text(), "note:") {
		t.Errorf("no error, and a note: %s", r.text())
	}
}
