package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway/gatewaytest"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// site is where the servers that a test starts have their kernels. Its settings lead to
// such a kernel of that Python, in the program's storage directory.
type site func(t testing.TB, p *program, python string) (settings []string)

// sites holds the site of each test of TestMatrixElsewhere, by name.
var sites sync.Map

// siteOf is where the servers of this test have their kernels, nil for their own.
func siteOf(t testing.TB) site {
	parts := strings.Split(t.Name(), "/")
	if len(parts) < 2 {
		return nil
	}
	there, ok := sites.Load(parts[0] + "/" + parts[1])
	if !ok {
		return nil
	}
	return there.(site)
}

// instead returns settings with the site instead of a virtual environment.
func (there site) instead(t testing.TB, p *program, settings []string) (changed []string) {
	t.Helper()
	var python string
	for _, s := range settings {
		if dir, ok := strings.CutPrefix(s, "VENV_PATH="); ok {
			python = filepath.Join(dir, "bin", "python")
		} else if !strings.HasPrefix(s, "ENV_TYPE=") {
			changed = append(changed, s)
		}
	}
	if python == "" {
		return settings
	}
	if err := os.MkdirAll(p.storage, 0o700); err != nil {
		t.Fatal(err)
	}
	return append(changed, there(t, p, python)...)
}

// onAttached reports whether the test's servers have joined kernels of somebody else's.
func onAttached(t testing.TB) bool { return strings.Contains(t.Name(), "/attached/") }

// withoutSite is an answer without the note that says where its kernel is.
func withoutSite(r result) result {
	for i := range r.Content {
		r.Content[i].Text = siteNote.ReplaceAllString(r.Content[i].Text, "")
	}
	return r
}

var siteNote = regexp.MustCompile(`(?m)^\[note: (?:the kernel runs on |somebody else has started this kernel).*\]\n`)

// TestJupyterServer: sessions whose kernels are those of a Jupyter server. Nothing
// that the program says has the token.
func TestJupyterServer(t *testing.T) {
	t.Parallel()
	s := gatewaytest.Start(t)
	p := prepare(t, "JUPYTER_SERVER_URL="+s.URL()+"/lab?token="+gatewaytest.Token, "JUPYTER_SERVERS=other="+s.URL()+"?token=wrong", "LOG_LEVEL=debug")
	var said strings.Builder
	var logged bytes.Buffer
	p.cmd.Stderr = &logged
	p.start()
	p.shakeHands()
	call := func(tool string, a args, parts ...string) result {
		t.Helper()
		r := p.call(tool, a)
		said.WriteString(r.text())
		has(t, r, parts...)
		return r
	}
	call("get_environment_config", args{}, `"kind":"jupyter"`, `"name":"python3 on `+s.URL()+`"`)
	call("execute_code", args{"code": "x = 41\nprint('there')\nx + 1"}, "env=jupyter python3 on "+s.URL(), "[note: the kernel runs on "+s.URL()+" (kernel_id ", "\nthere\nOut[1]: 42")
	running := s.Until(1)
	call("execute_code", args{"code": "import asyncio\nasyncio.run(asyncio.sleep(0, 'ran'))"}, "'ran'")
	call("execute_code", args{"code": "def f(n):\n    return 1/n\nf(0)"}, "[error ZeroDivisionError", "line 2, in f(n)")
	call("inspect_variables", args{}, "x     int")
	call("check_installed_packages", args{"packages": []string{"ipykernel", "nothing_of_that_name"}}, `"not_installed":["nothing_of_that_name"]`)
	call("install_dependencies", args{"packages": []string{"nothing of that name"}}, "nothing was installed")
	call("install_dependencies", args{"packages": []string{"pip"}}, "the pip of the kernel's own Python", "Requirement already satisfied: pip")
	call("get_environment_config", args{"list": true}, `"server":"jupyter"`, running[0].ID, `"broken":"listing kernelspecs on `, "the token is missing, wrong")
	call("list_sessions", args{}, "env=jupyter python3 on ")
	call("execute_code", args{"code": "import time\nprint('begun', flush=True)\ntime.sleep(600)", "timeout_seconds": 2}, "[interrupted", "the session's variables are kept", "begun")

	file := p.done("initialize_code_file", args{"content": "import sys\nprint(sys.argv[1:], x)\nraise ValueError('no')\n", "filename": "sent"})["file_path"]
	call("execute_code_file", args{"file_path": file, "arguments": []string{"a"}}, "['a'] 41", "ValueError: no", "the kernel is on another machine")

	compound := p.done("initialize_code_file", args{"content": "def f():\n    return x + 1\nprint(f())\n", "filename": "compound"})["file_path"]
	call("execute_code_file", args{"file_path": compound}, "\n42", "one lower than those in tracebacks")

	plain := p.done("initialize_code_file", args{"content": "import argparse\nargparse.ArgumentParser().parse_args()\nprint('parsed')\n", "filename": "parses"})["file_path"]
	call("execute_code_file", args{"file_path": plain}, "parsed")

	// Another session joins the kernel, and leaves it.
	call("configure_environment", args{"type": "jupyter", "kernel_id": running[0].ID, "session": "guest"}, `"status":"success"`)
	call("execute_code", args{"code": "x", "session": "guest"}, "which somebody else has started", "]: 41")
	call("stop_session", args{"session": "guest"})
	call("execute_code", args{"code": "x"}, "]: 41")

	call("execute_code", args{"code": "import os; os.kill(os.getpid(), 9)"}, "[died", "the kernel died on the Jupyter server")
	call("execute_code", args{"code": "x"}, "generation=2", "NameError")
	call("configure_environment", args{"type": "jupyter", "server": "nowhere"}, "the settings name jupyter, other")
	call("configure_environment", args{"type": "jupyter", "server": "other"}, "the token is missing, wrong")
	call("configure_environment", args{"type": "jupyter", "kernel_name": "cobol"}, "it has ", "python3")
	call("configure_environment", args{"type": "jupyter", "kernel_id": "none"}, "it has no such kernel; it runs ")

	doctor := exec.Command(p.cmd.Path, "doctor")
	doctor.Env = p.cmd.Env
	report, err := doctor.CombinedOutput()
	said.Write(report)
	if err != nil || !strings.Contains(string(report), "a kernel there started and ran code") {
		t.Errorf("%v\n%s", err, report)
	}

	p.stdin.Close()
	p.wait(30 * time.Second)
	s.Until(0)
	if strings.Contains(said.String()+logged.String(), gatewaytest.Token) {
		t.Error("something that was said has the token")
	}
}

// TestMatrixLeftElsewhere: the kernel of a server that was killed is named by the first answer
// of the next ones, of the same code storage, for as long as it runs. Nothing is joined or
// ended by itself, and nothing that is said has the token.
func TestMatrixLeftElsewhere(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	s := gatewaytest.Start(t)
	var said strings.Builder
	settings := []string{"JUPYTER_SERVERS=lab=" + s.URL() + "?token=" + gatewaytest.Token, "ENV_TYPE=jupyter"}
	first := launch(t, settings...)
	has(t, first.run("x = 41"), "[ok")
	id := s.Until(1)[0].ID
	awaitRecorded(t, first.home, "x int", 1)
	same := append(settings, "HOME="+first.home, "CODE_STORAGE_DIR="+first.storage)
	tells := func(moment string, p *program, want ...string) {
		t.Helper()
		r := p.call("list_sessions", nil)
		said.WriteString(r.text())
		if has(t, r, want...); strings.Contains(r.text(), id) != (want != nil) {
			t.Errorf("%s: %s", moment, r.text())
		}
	}
	tells("its server lives", launch(t, same...))
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	tells("its server refuses to tell", launch(t, append(same, "JUPYTER_SERVERS=lab="+s.URL()+"?token=wrong")...),
		"kernel "+id+", which an earlier server started on "+s.URL()+" for session default, may still run there: that server could not be asked", "its kernel may still run (its Jupyter server could not be asked), with x (int);")
	second := launch(t, same...)
	tells("killed", second, "kernel "+id+", which an earlier server started on "+s.URL()+" for session default, still runs there",
		"configure_environment type=jupyter server=lab kernel_id="+id, "its kernel still runs, with x (int); get_execution id=")
	tells("told", second)
	tells("another code storage", launch(t, append(settings, "HOME="+first.home)...))
	has(t, second.call("configure_environment", args{"type": "jupyter", "server": "lab", "kernel_id": id}), `"status":"success"`)
	has(t, second.run("x + 1"), "]: 42")
	second.stdin.Close()
	second.wait(30 * time.Second)
	tells("left alone", launch(t, append(same, "HISTORY=off")...), "kernel "+id+", which")
	s.Delete(id)
	s.Until(0)
	tells("ended there", launch(t, same...))
	if left, err := os.ReadDir(filepath.Join(first.home, ".local", "state", "mcp-code-executor", "elsewhere")); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	if strings.Contains(said.String(), gatewaytest.Token) {
		t.Error("something that was said has the token")
	}
}
