package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// withBash is an environment with bash_kernel from PyPI and its kernelspec.
func withBash(t *testing.T) (dir string) {
	t.Helper()
	dir, _ = makeEnv(t, "venv-uv")
	python := filepath.Join(dir, "bin", "python")
	execute(t, testUV(t), "pip", "install", "-q", "--python", python, "--no-deps", "bash_kernel", "pexpect", "ptyprocess", "filetype")
	execute(t, python, "-m", "bash_kernel.install", "--sys-prefix")
	return dir
}

// kernelspec writes a kernelspec into a directory for JUPYTER_PATH.
func kernelspec(t *testing.T, data, name string, spec map[string]any) {
	t.Helper()
	raw, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	write(t, map[string]string{filepath.Join(data, "kernels", name, "kernel.json"): string(raw)})
}

// TestKernelspecs: kernels of kernelspecs of this machine. bash is another language; a
// wrapped ipykernel is a Python that is not started by our launcher, and out of reach of
// a signal to its group; a plain one is an environment.
func TestKernelspecs(t *testing.T) {
	t.Parallel()
	dir, data := withBash(t), t.TempDir()
	python := pythons(t)[0]
	kernelspec(t, data, "wrapped", map[string]any{"argv": []string{"setsid", "-w", python, "-m", "ipykernel_launcher", "-f", "{connection_file}"},
		"language": "python", "display_name": "Wrapped", "interrupt_mode": "message", "env": map[string]string{"MCE_SEEN": "$HOME/x"}})
	kernelspec(t, data, "plain", map[string]any{"argv": []string{python, "-m", "ipykernel_launcher", "-f", "{connection_file}"},
		"language": "python", "env": map[string]string{"MCE_SEEN": "plain"}})
	kernelspec(t, data, "gone", map[string]any{"argv": []string{"no-such-program"}, "language": "cobol"})
	kernelspec(t, data, "ends", map[string]any{"argv": []string{"sh", "-c", "echo it ends >&2; exit 3"}, "language": "sh"})
	p := launch(t, "UV_VENV_PATH="+dir, "KERNEL_NAME=bash", "JUPYTER_PATH="+data)

	has(t, p.call("get_environment_config", args{}), `"kind":"jupyter"`, `"name":"bash in venv-uv env"`, `"language":"bash"`)
	has(t, p.run("x=41; echo there $PS1; pwd"), "[ok", "env=jupyter bash in venv-uv env", "there")
	has(t, p.run("echo $((x+1))"), "42")
	refused(t, "error", p.call("execute_code", args{"code": "ls /no/such"}), "[error", "No such file")
	refused(t, "inspect", p.call("inspect_variables", args{}), "this is for Python", "one for bash", "execute_code")
	refused(t, "install", p.call("install_dependencies", args{"packages": []string{"six"}}), "nothing was installed", "one for bash")
	refused(t, "check", p.call("check_installed_packages", args{"packages": []string{"six"}}), "one for bash")
	has(t, p.call("execute_code", args{"code": "sleep 600", "timeout_seconds": 1}), "[interrupted", "the session's variables are kept")
	has(t, p.run("echo $x"), "41")
	file := p.done("initialize_code_file", args{"content": "echo of a file $x\n", "filename": "a.sh"})["file_path"]
	has(t, p.call("execute_code_file", args{"file_path": file}), "[ok", "of a file 41", "as code in bash")
	refused(t, "arguments", p.call("execute_code_file", args{"file_path": file, "arguments": []string{"a"}}), "nothing was run", "one for bash")

	configure := func(session, name string) result {
		return p.call("configure_environment", args{"type": "jupyter", "server": "local", "kernel_name": name, "session": session})
	}
	has(t, configure("wrapped", "wrapped"), `"status":"success"`)
	wrapped := func(code string) result { return p.call("execute_code", args{"code": code, "session": "wrapped"}) }
	has(t, wrapped("import os; y = os.environ['MCE_SEEN']\ny"), "env=jupyter wrapped", "'"+p.home+"/x'")
	has(t, p.call("inspect_variables", args{"session": "wrapped"}), "y     str")
	has(t, p.call("check_installed_packages", args{"packages": []string{"ipykernel"}, "session": "wrapped"}), `"all_installed":true`)
	has(t, p.call("execute_code", args{"code": "import time; time.sleep(600)", "session": "wrapped", "timeout_seconds": 1}), "[interrupted")
	refused(t, "died", wrapped("import os; os.kill(os.getpid(), 9)"), "[died")
	refused(t, "new", wrapped("y"), "generation=2", "NameError")

	has(t, configure("plain", "plain"), `"status":"success"`, `"python":"`+python)
	has(t, p.call("execute_code", args{"code": "import os; print(os.environ['MCE_SEEN'], get_ipython().run_script)", "session": "plain"}), "env=venv", "plain <")

	refused(t, "gone", configure("gone", "gone"), "no-such-program", "not changed")
	refused(t, "unknown", configure("gone", "cobol"), `no kernelspec \"cobol\"`, "wrapped", "searched: "+data)
	refused(t, "nameless", configure("gone", ""), "kernel_name")
	has(t, configure("ends", "ends"), `"status":"success"`)
	refused(t, "ends", p.call("execute_code", args{"code": "1", "session": "ends"}), "it ends", "exit code 3", "try in a terminal what its kernelspec starts")
	has(t, p.call("get_environment_config", args{"list": true}), `"kernelspecs"`, `"kernel_name":"wrapped"`, `"language":"python"`)

	doctor := exec.Command(p.cmd.Path, "doctor")
	doctor.Env = p.cmd.Env
	if report, err := doctor.CombinedOutput(); err != nil || !strings.Contains(string(report), "a kernel for bash started and answered") {
		t.Errorf("%v\n%s", err, report)
	}
	p.stdin.Close()
	p.wait(30 * time.Second)
}

// TestMatrixOtherKernels: kernels that nobody here wrote, of another language and of Python
// without ipykernel: a session, an error, a picture, a question, an interrupt, an end.
func TestMatrixOtherKernels(t *testing.T) {
	testneeds.All(t)
	t.Run("R", func(t *testing.T) { t.Parallel(); otherKernelR(t) })
	t.Run("xeus-python", func(t *testing.T) { t.Parallel(); otherKernelXeus(t) })
}

func otherKernelR(t *testing.T) {
	if out, err := exec.Command("R", "--slave", "-e", "library(IRkernel)").CombinedOutput(); err != nil {
		testneeds.Skip(t, testneeds.RKernel, "R with IRkernel ("+err.Error()+"): "+string(out))
	}
	data := t.TempDir()
	kernelspec(t, data, "ir", map[string]any{"argv": []string{"R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"}, "language": "R", "display_name": "R"})
	p := launch(t, "KERNEL_NAME=ir", "JUPYTER_PATH="+data)
	run := func(code string) result { return p.call("execute_code", args{"code": code}) }
	has(t, run("x <- 41; cat('there\\n'); x + 1"), "[ok", "env=jupyter ir", "\nthere\n42")
	has(t, run("stop('no')"), "[error ERROR", "no\nTraceback", `stop("no")`)
	if r := run("plot(1:10)"); len(r.Content) < 2 || r.Content[1].Type != "image" {
		t.Errorf("a picture: %s", r.text())
	}
	asks := run("n <- readline('name? '); n")
	has(t, asks, "[waiting for input", `"name? "`)
	has(t, p.call("send_input", args{"text": "bob"}), "[ok", "'bob'")
	for _, endless := range []string{"Sys.sleep(600)", "while (TRUE) {}"} {
		has(t, p.call("execute_code", args{"code": endless, "timeout_seconds": 1}), "[interrupted", "the session's variables are kept")
		has(t, run("x"), "\n41")
	}
	for tool, a := range map[string]args{"inspect_variables": {}, "install_dependencies": {"packages": []string{"six"}}, "check_installed_packages": {"packages": []string{"six"}}} {
		refused(t, tool, p.call(tool, a), "this is for Python", "one for", "use execute_code with code in that language")
	}
	has(t, run("quit()"), "[exited")
	refused(t, "a new kernel", run("x"), "[error", "generation=2", "object 'x' not found")
}

func otherKernelXeus(t *testing.T) {
	dir, _ := makeEnv(t, "venv-uv")
	execute(t, testUV(t), "pip", "install", "-q", "--python", filepath.Join(dir, "bin", "python"), "xeus-python")
	p := launch(t, "UV_VENV_PATH="+dir, "KERNEL_NAME=xpython")
	has(t, p.run("x = 41\nprint('there')\nx + 1"), "[ok", "env=jupyter xpython in venv-uv env", "\nthere\nOut[1]: 42")
	refused(t, "error", p.call("execute_code", args{"code": "1/0"}), "[error", "ZeroDivisionError: division by zero")
	has(t, p.call("execute_code", args{"code": "n = input('name? ')\nn"}), "[waiting for input")
	has(t, p.call("send_input", args{"text": "bob"}), "'bob'")
	has(t, p.call("inspect_variables", args{}), "x     int")
	has(t, p.call("check_installed_packages", args{"packages": []string{"xeus-python"}}), `"all_installed":true`)
	// Its interrupt is its end, and is told as such.
	refused(t, "interrupt", p.call("execute_code", args{"code": "import time; time.sleep(600)", "timeout_seconds": 1}), "[died", "timeout_seconds=1 struck")
	refused(t, "a new kernel", p.call("execute_code", args{"code": "x"}), "generation=2", "NameError")
}
