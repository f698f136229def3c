package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// person is a program in a pseudo terminal.
type person struct {
	t     *testing.T
	tty   *os.File
	mu    sync.Mutex // protects shown
	shown bytes.Buffer
}

// atTerminal starts a program in a pseudo terminal of its own; it is killed at the end.
func atTerminal(t *testing.T, cmd *exec.Cmd) *person {
	t.Helper()
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(tty.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 200})
	}
	var end *os.File
	if err == nil {
		end, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = end, end, end
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end.Close()
	p := &person{t: t, tty: tty}
	go p.read()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		tty.Close()
	})
	return p
}

func (p *person) read() {
	b := make([]byte, 4096)
	for {
		n, err := p.tty.Read(b)
		p.mu.Lock()
		p.shown.Write(b[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
		if bytes.Contains(b[:n], []byte("\x1b[6n")) { // where the cursor is
			p.tty.WriteString("\x1b[1;1R")
		}
	}
}

// text is what the terminal was sent, without what moves the cursor and colours.
func (p *person) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`).ReplaceAllString(p.shown.String(), "")
}

// types sends a line, and waits until the terminal shows something new that is wanted.
func (p *person) types(line, want string) {
	p.t.Helper()
	p.mu.Lock()
	p.shown.Reset()
	p.mu.Unlock()
	if line != "" {
		p.tty.WriteString(line + "\r")
	}
	p.shows(want)
}

func (p *person) shows(want string) {
	p.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !strings.Contains(p.text(), want); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("the terminal does not show %q: %q", want, p.text())
		}
	}
}

// startKernel starts an ipykernel as Jupyter does, in that directory, and returns its
// connection file.
func startKernel(t testing.TB, python, dir string) (file string, kernel *exec.Cmd) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "kernel-1.json")
	kernel = exec.Command(python, "-m", "ipykernel_launcher", "-f", file)
	kernel.Dir = dir
	if err := kernel.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		kernel.Process.Kill()
		kernel.Wait()
	})
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if raw, err := os.ReadFile(file); err == nil && json.Valid(raw) {
			return file, kernel
		}
		if time.Now().After(deadline) {
			t.Fatal("the kernel writes no connection file")
		}
	}
}

// TestAttach: a session and jupyter console take turns in a kernel that a person has
// started. Each has its own output, both see the variables, and it outlives the session.
func TestAttach(t *testing.T) {
	t.Parallel()
	dir, _ := makeEnv(t, "venv-uv")
	python := filepath.Join(dir, "bin", "python")
	execute(t, testUV(t), "pip", "install", "-q", "--python", python, "--no-deps", "jupyter_console")
	file, kernel := startKernel(t, python, t.TempDir())
	// A busy machine's kernel may take more than the second after which the console judges by
	// itself whether code is complete, and waits for another line.
	patient := "--ZMQTerminalInteractiveShell.kernel_is_complete_timeout=60"
	console := exec.Command(python, "-m", "jupyter_console", "--existing", file, patient)
	console.Env = append(os.Environ(), "TERM=xterm", "HOME="+t.TempDir(), "NO_COLOR=1")
	person := atTerminal(t, console)
	person.shows("In [1]:")
	person.types("theirs = 7", "In [2]:")

	other := strings.TrimSuffix(file, "1.json")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var info map[string]any
	if err := json.Unmarshal(raw, &info); err != nil {
		t.Fatal(err)
	}
	again := func(key string, value any) string {
		changed := map[string]any{}
		for k, v := range info {
			changed[k] = v
		}
		changed[key] = value
		raw, _ := json.Marshal(changed)
		return string(raw)
	}
	write(t, map[string]string{other + "key.json": again("key", "00"), other + "dead.json": again("shell_port", 1), other + "curve.json": again("curve_publickey", "x")})
	files := strings.Join([]string{file, other + "key.json", other + "dead.json", other + "curve.json"}, ":")
	p := launch(t, "CONNECTION_FILE="+files)
	has(t, p.run("ours = theirs + 34\nprint('printed', 'here')\nours"), "env=jupyter kernel-1", "somebody else has started this kernel", "printed here", "]: 41")
	if strings.Contains(person.text(), "printed here") {
		t.Errorf("the console shows ours: %q", person.text())
	}
	person.types("print(ours * 2)", "82")

	// What the console prints may come only when its code has ended: it takes an idle of
	// its question whether the code is complete for the code's own.
	runs, gate := filepath.Join(t.TempDir(), "runs"), filepath.Join(t.TempDir(), "gate")
	person.types(fmt.Sprintf("import os, time; open(%q, 'w').close(); print('in the', 'console'); [time.sleep(0.01) for _ in iter(lambda: os.path.exists(%q), True)]", runs, gate), "")
	until(t, "the console's code runs", func() bool { _, err := os.Stat(runs); return err == nil })
	waits := p.call("execute_code", args{"code": "print('my', 'turn')", "wait_seconds": 1})
	has(t, waits, "[queued", "another client's In[", "do not send it again")
	write(t, map[string]string{gate: ""})
	r := p.call("get_execution", args{"id": waits.field("id"), "wait_seconds": 30})
	has(t, r, "[ok", "somebody else ran In[", "my turn")
	person.shows("in the console")
	if strings.Contains(r.text(), "in the console") {
		t.Errorf("somebody's output is ours: %s", r.text())
	}
	has(t, p.call("execute_code", args{"code": "import time; time.sleep(600)", "timeout_seconds": 1}), "[interrupted")
	has(t, p.call("inspect_variables", args{}), "ours", "theirs")
	has(t, p.call("get_environment_config", args{"list": true}), `"running_kernels"`, file, `"kernel_id":"kernel-1"`)

	configure := func(id string) result {
		return p.call("configure_environment", args{"type": "jupyter", "server": "local", "kernel_id": id, "session": "other"})
	}
	refused(t, "not named", configure("kernel-2"), "may be joined", "CONNECTION_FILE names kernel-1")
	refused(t, "dead", configure("kernel-dead"), "has ended", "not changed")
	refused(t, "curve", configure("kernel-curve"), "encrypted (CURVE)", "not changed")
	has(t, configure("kernel-key"), `"status":"success"`)
	refused(t, "wrong key", p.call("execute_code", args{"code": "1", "session": "other"}), "[failed", "the key in the file is not the kernel's")

	has(t, p.call("stop_session", args{"restart": true}), "it goes on", "its variables are kept")
	has(t, p.run("ours"), "joined again", "]: 41")
	p.stdin.Close()
	p.wait(30 * time.Second)
	person.types("ours + 1", "42")

	p = launch(t, "CONNECTION_FILE="+file)
	has(t, p.run("ours"), "]: 41")
	kernel.Process.Kill()
	kernel.Wait()
	refused(t, "died", p.call("execute_code", args{"code": "ours"}), "another client has restarted it")
	refused(t, "ended", p.call("execute_code", args{"code": "ours"}), "has ended")
}

// TestAttachQueued: code that another client's overtook waits in the kernel's own queue. What
// is said of it there is so: nothing takes it out, an interrupt meets it when it begins, its
// time counts from then, and a session that leaves the kernel leaves it there.
func TestAttachQueued(t *testing.T) {
	t.Parallel()
	python, dir := pythons(t)[0], t.TempDir()
	file, kernel := startKernel(t, python, dir)
	p := launch(t, "CONNECTION_FILE="+file)
	has(t, p.run("import os, time; x = 0"), "[ok")
	other := otherClient(t, python, file)
	gate := func() string { return filepath.Join(dir, fmt.Sprint("gate", time.Now().UnixNano())) }
	opens := func(gate string) string {
		return fmt.Sprintf("import os, time\nwhile not os.path.exists(%q): time.sleep(0.01)", gate)
	}
	// behind sends code that has to wait until the gate is there, in the kernel's queue. A stopped
	// kernel has both codes when it goes on, and may take ours first: then it is tried again.
	behind := func(a args) (id, open string) {
		for range 20 {
			open := gate()
			p.run("0") // what the other client has sent before is over then, and known to be
			kernel.Process.Signal(syscall.SIGSTOP)
			until(t, "it stands still", func() bool {
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", kernel.Process.Pid))
				return err == nil && strings.Contains(string(stat), ") T ")
			})
			other(opens(open))
			_, answer := p.begin("execute_code", a)
			until(t, "it is sent", func() bool { return strings.Contains(p.call("list_sessions", nil).text(), "running") })
			kernel.Process.Signal(syscall.SIGCONT)
			r := p.await(answer, "the code behind another client's").Result
			if strings.Contains(r.text(), "own queue") {
				has(t, r, "[queued | ", "another client's In[", "do not send it again", "interrupts it when it begins")
				return r.field("id"), open
			}
			p.call("interrupt_execution", args{})
			write(t, map[string]string{open: ""})
		}
		t.Fatal("the kernel always takes ours first")
		return "", ""
	}
	const long = "while True: time.sleep(0.01)"
	ended := func(id, open string) result {
		write(t, map[string]string{open: ""})
		return p.call("get_execution", args{"id": id, "wait_seconds": 60})
	}

	id, open := behind(args{"code": long, "wait_seconds": 1})
	has(t, p.call("interrupt_execution", args{"id": id, "force": true}), "[queued | ", "the code is interrupted when it begins", "NOT interrupted so far", "Force was not used")
	has(t, ended(id, open), "[interrupted | ", "before the code had begun, so it was interrupted when it began", "variables are kept", "somebody else ran In[")

	id, open = behind(args{"code": "x = 'short'", "wait_seconds": 1})
	p.call("interrupt_execution", args{"id": id})
	r := ended(id, open)
	has(t, r, "before the code had begun, ")
	if shown := p.run("x"); strings.HasPrefix(r.text(), "[ok | ") != strings.Contains(r.text(), "NOT interrupted") || !strings.Contains(shown.text(), "'short'") && strings.Contains(r.text(), "[ok | ") {
		t.Errorf("short code: %s\n%s", r.text(), shown.text())
	}

	id, open = behind(args{"code": "x = 'in time'", "timeout_seconds": 0.5, "wait_seconds": 2})
	has(t, p.call("get_execution", args{"id": id, "wait_seconds": 0}), "[queued | ", "interrupts it when it begins")
	if r := ended(id, open); !strings.HasPrefix(r.text(), "[ok | ") || strings.Contains(r.text(), "struck") {
		t.Errorf("the time that it waited was taken for its own: %s", r.text())
	}
	id, open = behind(args{"code": long, "timeout_seconds": 0.5, "wait_seconds": 1})
	has(t, ended(id, open), "[interrupted | ", "its limit timeout_seconds=0.5 struck")

	id, open = behind(args{"code": "x = 'after all'", "wait_seconds": 1})
	has(t, p.call("stop_session", args{"restart": true}), "joins a kernel again", "it goes on", "its variables are kept")
	has(t, p.call("get_execution", args{"id": id}), "[died | ", "goes on with its variables", "nothing takes it out of there", "stop_session left its kernel")
	write(t, map[string]string{open: ""})
	has(t, p.run("x"), "joined again", "'after all'")

	id = p.call("execute_code", args{"code": long, "wait_seconds": 0.5}).field("id")
	p.call("stop_session", args{"restart": true})
	has(t, p.call("get_execution", args{"id": id}), "[died | ", "goes on with its variables", "was sent an interrupt")
	has(t, p.run("x = 1"), "joined again", "[ok")

	// What has not been sent is taken back.
	open = gate()
	other(fmt.Sprintf("open(%q, 'w').close()\n", open+".runs") + opens(open))
	until(t, "the other client's code runs", func() bool { _, err := os.Stat(open + ".runs"); return err == nil })
	until(t, "it is known", func() bool {
		r = p.call("execute_code", args{"code": "x = 'never'", "wait_seconds": 0.1})
		return strings.HasPrefix(r.text(), "[queued | ")
	})
	p.call("stop_session", args{"restart": true})
	if r := p.call("get_execution", args{"id": r.field("id")}); !strings.Contains(r.text(), "stop_session left its kernel") {
		t.Errorf("taken back: %s", r.text())
	}
	write(t, map[string]string{open: ""})
}

// otherClient joins a kernel; what it returns sends cells to it, all at once.
func otherClient(t *testing.T, python, file string) func(cells ...string) {
	t.Helper()
	cmd := exec.Command(python, "-c", `import json, sys
from jupyter_client import BlockingKernelClient
client = BlockingKernelClient(connection_file=sys.argv[1])
client.load_connection_file()
client.start_channels()
client.wait_for_ready(timeout=60)
print("joined", flush=True)
for line in sys.stdin:
    for cell in json.loads(line): client.execute(cell)
    print("sent", flush=True)`, file)
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	lines.Scan()
	return func(cells ...string) {
		t.Helper()
		if err := json.NewEncoder(in).Encode(cells); err != nil || !lines.Scan() {
			t.Fatalf("the other client has ended: %v", err)
		}
	}
}
