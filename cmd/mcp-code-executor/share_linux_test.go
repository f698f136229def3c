package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway/gatewaytest"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
	"github.com/mcp-code-executor/mcp-code-executor/session/elsewhere"
)

// sharedFiles are the connection files in a runtime directory: for consoles, and for
// JupyterLab. Only their owner may read them.
func sharedFiles(t *testing.T, runtime, session string) (console, lab []string) {
	t.Helper()
	console, _ = filepath.Glob(filepath.Join(runtime, "mcp-code-executor-"+session+"-*.json"))
	lab, _ = filepath.Glob(filepath.Join(runtime, "external_kernels", "mcp-code-executor-"+session+"-*.json"))
	for _, file := range append(console, lab...) {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", file, info, err)
		}
	}
	return console, lab
}

// theOne is the only file of a list.
func theOne(t *testing.T, files []string) string {
	t.Helper()
	if len(files) != 1 {
		t.Fatalf("%d connection files: %q", len(files), files)
	}
	return files[0]
}

// consoleEnv is an environment that has jupyter console.
func consoleEnv(t *testing.T) (dir string) {
	t.Helper()
	dir, _ = makeEnv(t, "venv-uv")
	execute(t, testUV(t), "pip", "install", "-q", "--python", filepath.Join(dir, "bin", "python"), "--no-deps", "jupyter_console")
	return dir
}

// joins runs code in a kernel as another client, and returns what it printed.
func joins(t *testing.T, file, code string) string {
	t.Helper()
	return strings.TrimSpace(execute(t, pythons(t)[0], "-c", `import sys
from jupyter_client import BlockingKernelClient
client = BlockingKernelClient(connection_file=sys.argv[1])
client.load_connection_file()
client.start_channels()
client.wait_for_ready(timeout=60)
client.execute_interactive(sys.argv[2], timeout=60)
client.stop_channels()`, file, code))
}

// TestShare: a person joins the model's kernel by "mcp-code-executor attach", with
// jupyter console, and JupyterLab lists it. The files go with the kernel.
func TestShare(t *testing.T) {
	t.Parallel()
	dir, runtime := consoleEnv(t), t.TempDir()
	stale := elsewhere.SharedFiles(runtime, "old", false)[0]
	if err := jupyter.WriteConnectionFile(stale, jupyter.NewIPCInfo(filepath.Join(runtime, "gone"))); err != nil {
		t.Fatal(err)
	}
	p := launch(t, "UV_VENV_PATH="+dir, "SHARE=on", "JUPYTER_RUNTIME_DIR="+runtime)
	run := func(args ...string) (string, error) {
		cmd := exec.Command(p.cmd.Path, args...)
		cmd.Env = append(p.cmd.Env, "PATH=/usr/bin:/bin")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("attach"); err == nil || !strings.Contains(out, "no kernel is shared") || !strings.Contains(out, "Set SHARE=on") {
		t.Errorf("before there is one: %v: %s", err, out)
	}
	has(t, p.run("ours = 41"), "[ok")
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("the file of a kernel that is gone: %v", err)
	}
	console, lab := sharedFiles(t, runtime, "default")
	file := theOne(t, console)
	theOne(t, lab)
	if out, err := run("attach", "default"); err != nil || !strings.Contains(out, "jupyter console --existing "+file) || !strings.Contains(out, "pip install jupyter-console") ||
		!strings.Contains(out, "--ServerApp.allow_external_kernels=True") || !strings.Contains(out, "VS Code") {
		t.Errorf("without a console: %v: %s", err, out)
	}
	if out, err := run("attach", "other"); err == nil || !strings.Contains(out, `session "other" is not shared`) {
		t.Errorf("another session: %v: %s", err, out)
	}

	attach := exec.Command(p.cmd.Path, "attach", "default")
	attach.Env = append(p.cmd.Env, "TERM=xterm", "NO_COLOR=1", "PATH="+filepath.Join(dir, "bin")+":/usr/bin:/bin")
	person := atTerminal(t, attach)
	person.shows("In [1]:")
	person.types("theirs = ours + 1; print('in the', 'console')", "in the console")
	r := p.run("print('printed', 'here')\ntheirs")
	has(t, r, "somebody else ran In[2]", "printed here", "]: 42")
	if strings.Contains(r.text(), "in the console") || strings.Contains(person.text(), "printed here") {
		t.Errorf("one has the other's output: %s\n%s", r.text(), person.text())
	}
	if kernels := listedByLab(t, runtime); len(kernels) != 1 || kernels[0] != "python3" {
		t.Errorf("JupyterLab lists %q", kernels)
	}
	p.stdin.Close()
	p.wait(30 * time.Second)
	if console, lab := sharedFiles(t, runtime, "*"); len(console)+len(lab) > 0 {
		t.Errorf("left: %q %q", console, lab)
	}
}

// listedByLab are the names of the kernels that a JupyterLab with external kernels lists.
func listedByLab(t *testing.T, runtime string) (names []string) {
	t.Helper()
	lab := gatewaytest.Start(t, "--ServerApp.allow_external_kernels=True", "--ServerApp.external_connection_dir="+filepath.Join(runtime, "external_kernels"))
	request, err := http.NewRequest(http.MethodGet, lab.URL()+"/api/kernels", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "token "+gatewaytest.Token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var kernels []struct{ Name string }
	if err := json.NewDecoder(answer.Body).Decode(&kernels); err != nil {
		t.Fatal(err)
	}
	for _, kernel := range kernels {
		names = append(names, kernel.Name)
	}
	return names
}

// TestMatrixShareStopped: a console that stands still does not stop the kernel, a loss
// is told, and the end of the output is there. When it is gone nothing is lost any more.
func TestMatrixShareStopped(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	dir, runtime := consoleEnv(t), t.TempDir()
	p := launch(t, "UV_VENV_PATH="+dir, "SHARE=on", "JUPYTER_RUNTIME_DIR="+runtime)
	has(t, p.run("ours = 41"), "[ok")
	files, _ := sharedFiles(t, runtime, "default")
	console := exec.Command(filepath.Join(dir, "bin", "jupyter-console"), "--existing", theOne(t, files))
	console.Env = append(p.cmd.Env, "TERM=xterm", "NO_COLOR=1")
	person := atTerminal(t, console)
	person.shows("In [1]:")
	if err := console.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	flood := args{"code": "for i in range(40_000): print('z' * 5000)\nprint('the', 'end')", "wait_seconds": 300}
	took := map[bool]time.Duration{}
	for _, stopped := range []bool{true, false} {
		if !stopped {
			console.Process.Kill()
			console.Wait()
		}
		begun := time.Now()
		r := p.call("execute_code", flood)
		took[stopped] = time.Since(begun)
		has(t, r, "[ok", "the end")
		// Of 40,000 lines a few are shown.
		complete := regexp.MustCompile(`\((40,000|39,9\d\d) lines\) not shown`).MatchString(r.text())
		if told := strings.Contains(r.text(), "are lost"); complete == told || told && !stopped {
			t.Errorf("stopped %t, complete %t, and told to be lost %t: %s", stopped, complete, told, regexp.MustCompile("z+").ReplaceAllString(r.text(), "z"))
		}
		has(t, p.run("ours"), "]: 41")
	}
	t.Logf("200 MB took %.1f s beside a console that stands still, %.1f s without: %.2f times", took[true].Seconds(), took[false].Seconds(), took[true].Seconds()/took[false].Seconds())
}

// TestMatrixShareSpare: a spare kernel can be found by nobody; the session that gets it
// shares it.
func TestMatrixShareSpare(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	runtime := t.TempDir()
	s := launchSpares(t, "share", "SHARE=on", "JUPYTER_RUNTIME_DIR="+runtime)
	s.check("the first", s.run(look), 0)
	s.check("the second", s.call("execute_code", args{"session": "second", "code": look}), 0)
	pid := s.ready()
	if all, lab := sharedFiles(t, runtime, "*"); len(all) != 2 || len(lab) != 2 {
		t.Errorf("of two sessions and a spare: %q %q", all, lab)
	}
	s.check("the third", s.call("execute_code", args{"session": "third", "code": look}), pid)
	files, _ := sharedFiles(t, runtime, "third")
	if got := joins(t, theOne(t, files), "import os; print(os.getpid(), x)"); !strings.HasSuffix(got, " 1") {
		t.Errorf("the other client: %q", got)
	}
	has(t, s.call("execute_code", args{"session": "third", "code": "x"}), "somebody else ran In[2]")
	// Another server joins it by unix sockets.
	other := launch(t, "CONNECTION_FILE="+files[0])
	has(t, other.run("x + 41"), "env=jupyter mcp-code-executor-third-", "somebody else has started this kernel", "]: 42")
	other.stdin.Close()
	other.wait(30 * time.Second)
	has(t, s.call("execute_code", args{"session": "third", "code": "x"}), "somebody else ran In[4]", "]: 1")
	has(t, s.call("stop_session", args{"session": "third"}), "third")
	if files, lab := sharedFiles(t, runtime, "third"); len(files)+len(lab) > 0 {
		t.Errorf("left: %q %q", files, lab)
	}
	s.stdin.Close()
	s.wait(30 * time.Second)
	nothingLeft(t, "share")
}

// TestMatrixShareKept: with KEEP a kernel is shared for as long as it lives, whether its
// client is there or not; who uses it keeps it.
func TestMatrixShareKept(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	runtime := t.TempDir()
	k := newKeeper(t, append(inVenv(t), "SHARE=on", "JUPYTER_RUNTIME_DIR="+runtime)...)
	p := k.client()
	has(t, p.run("ours = 41"), "[ok")
	files, _ := sharedFiles(t, runtime, "default")
	file := theOne(t, files)
	p.stdin.Close()
	p.wait(30 * time.Second)
	if got := joins(t, file, "print(ours); theirs = ours + 1"); got != "41" {
		t.Errorf("without a client: %q", got)
	}
	p = k.client()
	has(t, p.run("theirs"), "somebody else ran In[", "]: 42")
	has(t, p.call("stop_session", args{"restart": true}), "restart")
	if files, _ := sharedFiles(t, runtime, "default"); len(files) > 0 {
		t.Errorf("of a kernel that has ended: %q", files)
	}
	has(t, p.run("1"), "[ok")
	files, _ = sharedFiles(t, runtime, "default")
	if again := theOne(t, files); again == file {
		t.Errorf("the new kernel has the old one's file")
	}
	p.stdin.Close()
	p.wait(30 * time.Second)
	if status, out := k.command("stop", "--all", "--yes"); status != 0 {
		t.Errorf("stop: %s", out)
	}
	if files, lab := sharedFiles(t, runtime, "*"); len(files)+len(lab) > 0 {
		t.Errorf("left: %q %q", files, lab)
	}
}

// TestMatrixShareConfined: a kernel in a sandbox is joined from outside by its unix
// sockets; it is not on offer to JupyterLab, and does not see the connection file. Where
// it has TCP ports only, nothing runs.
func TestMatrixShareConfined(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	needsBubblewrap(t)
	runtime, work := t.TempDir(), t.TempDir()
	settings := append(inVenv(t), "SHARE=on", "SANDBOX=workspace", "WORK_DIR="+work, "JUPYTER_RUNTIME_DIR="+runtime)
	p := launch(t, settings...)
	has(t, p.run("ours = 41"), "[ok", "sandbox workspace")
	files, lab := sharedFiles(t, runtime, "default")
	file := theOne(t, files)
	if len(lab) > 0 {
		t.Errorf("on offer to JupyterLab: %q", lab)
	}
	if got := joins(t, file, "print(ours); theirs = ours + 1"); got != "41" {
		t.Errorf("the other client: %q", got)
	}
	has(t, p.run("theirs"), "somebody else ran In[", "]: 42")
	secret, err := filepath.EvalSymlinks(file)
	if err != nil {
		t.Fatal(err)
	}
	has(t, p.run("import os; print(os.path.exists("+strconv.Quote(secret)+"))"), "False")

	jupyterPath := t.TempDir()
	write(t, map[string]string{filepath.Join(jupyterPath, "kernels", "other", "kernel.json"): `{"argv": ["/bin/true", "{connection_file}"], "display_name": "Other", "language": "other"}`})
	p = launch(t, append(settings, "SANDBOX_NETWORK=on", "SANDBOX_ALLOW_PARTIAL=on", "JUPYTER_PATH="+jupyterPath, "KERNEL_NAME=other")...)
	refused(t, "TCP", p.call("execute_code", args{"code": "1"}), "joined by unix sockets only", "SHARE=off")
}
