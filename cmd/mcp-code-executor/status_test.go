package main

import (
	"regexp"
	"strings"
	"testing"
)

// TestStatusLine: the first line of an answer has what is new or needed: the
// outcome and the id always, the session unless it is the default, the environment
// in the first answer of a kernel and after a change, the cursor where more is to
// be read.
func TestStatusLine(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	const id, python = `id=\w+-\d+`, `env=venv[-uv]* \S+ \(Python 3[\d.]+\)`
	steps := []struct{ name, code, want string }{
		{"first of a session", "x = 1", `\[ok \| [\d.]+ s \| In\[1\] \| ` + id + ` \| ` + python + ` \| dir=\S+\]`},
		{"the next", "x", `\[ok \| [\d.]+ s \| In\[2\] \| ` + id + `\]`},
		{"an error", "1/0", `\[error ZeroDivisionError \| [\d.]+ s \| In\[3\] \| ` + id + `\]`},
		{"cut", "print('x' * 100_000)", `\[ok \| [\d.]+ s \| In\[4\] \| ` + id + ` \| cursor=\d+\]`},
		{"its kernel ends", "exit()", `\[exited \| [\d.]+ s \| In\[5\] \| ` + id + `\]`},
		{"a new kernel", "2", `\[ok \| [\d.]+ s \| In\[1\] \| ` + id + ` \| ` + python + ` \| generation=2\]`},
		{"the one after it", "3", `\[ok \| [\d.]+ s \| In\[2\] \| ` + id + ` \| generation=2\]`},
	}
	for _, step := range steps {
		if r := p.call("execute_code", args{"code": step.code}); !regexp.MustCompile("^" + step.want + "$").MatchString(r.status()) {
			t.Errorf("%s: %s, want %s", step.name, r.status(), step.want)
		}
	}
	r := p.call("execute_code", args{"code": "1", "session": "other"})
	if want := `^\[ok \| [\d.]+ s \| In\[1\] \| ` + id + ` \| session=other \| ` + python + ` \| dir=\S+\]$`; !regexp.MustCompile(want).MatchString(r.status()) {
		t.Errorf("another session: %s, want %s", r.status(), want)
	}
	r = p.call("execute_code", args{"code": "print('a', flush=True)\ninput('well? ')"})
	if r.field("cursor") == "" || strings.Count(r.text(), "well?") != 1 || !strings.Contains(r.text(), "send_input id="+r.field("id")) || strings.Contains(r.text(), "no output") {
		t.Errorf("a question: %s", r.text())
	}
	if r := p.call("get_execution", args{"since": 0, "wait_seconds": 0}); strings.Count(r.text(), "well?") != 1 || !strings.HasSuffix(r.text(), "\na") {
		t.Errorf("the question again: %s", r.text())
	}
	if r := p.call("send_input", args{"text": "yes"}); r.field("cursor") != "" || strings.Contains(r.text(), "well?") {
		t.Errorf("its answer: %s", r.text())
	}
	if r := p.call("get_execution", args{"since": 0}); !strings.Contains(r.text(), "[input asked for] well?") {
		t.Errorf("all of it: %s", r.text())
	}
}

// TestSmallWords: numbers agree with their nouns, nothing is said twice, and errors
// name what is there and what to do.
func TestSmallWords(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	has := func(r result, words ...string) {
		t.Helper()
		for _, w := range words {
			text, unwanted := strings.CutPrefix(w, "not ")
			if strings.Contains(r.text(), text) == unwanted {
				t.Errorf("%q in:\n%s", w, r.text())
			}
		}
	}
	has(p.call("execute_code_file", args{"file_path": "plan.py"}), "nothing was run", "has no files")
	p.call("initialize_code_file", args{"filename": "alpha", "content": "1"})
	p.call("initialize_code_file", args{"filename": "beta", "content": "1"})
	has(p.call("execute_code_file", args{"file_path": "zzz.py"}), "nothing was run", "alpha.py, beta.py", p.storage)
	has(p.call("read_code_file", args{"file_path": "alpa.py"}), "did you mean alpha.py?")
	has(p.call("append_to_code_file", args{"file_path": "/etc/passwd", "content": "x"}), "outside the code storage", "not %run")
	has(p.call("read_code_file", args{"file_path": "/etc/passwd"}), "outside the code storage", "not %run")
	has(p.call("execute_code_file", args{"file_path": "/srv/x.py"}), "outside the code storage", "%run /srv/x.py", "nothing was run")
	has(p.call("execute_code", args{"code": "1", "filename": "a/b"}), "the code was not run")
	has(p.call("execute_code", args{"code": "1", "filename": "types"}), "the code was not run")
	p.run("one = 1\nprint('one line')")
	has(p.call("list_sessions", nil), "[ok | 1 session]\n", "default | idle for", "not | idle |")
	has(p.call("inspect_variables", nil), "1 variable]", "not session=default")
	id := p.run("for i in range(3): print(i)").field("id")
	has(p.call("get_execution", args{"id": id, "pattern": "2"}), "[output: 1 line matches, of 3 in the log]")
	has(p.call("get_execution", args{"id": id, "lines": "1-2"}), "[output: 2 lines, of 3 in the log]")
	if r := p.call("execute_code", args{"code": "1", "session": "s", "wait_seconds": 0}); strings.HasPrefix(r.text(), "[preparing") {
		has(r, "not no output", "not : .")
	}
	for _, name := range []string{"s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15"} {
		p.call("check_installed_packages", args{"packages": []string{"pip"}, "session": name}) // opens it, without a kernel
	}
	has(p.call("execute_code", args{"code": "1", "session": "too-many"}), "16 sessions are open", "stop_session")
}
