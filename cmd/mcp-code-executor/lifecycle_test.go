//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/processtest"
)

// mark is a variable that a server's processes inherit, so that each of them
// can be found, whatever session or parent it has given itself.
const mark = "MCE_TEST_MARK="

// marked returns the processes of a server with this mark, by pid.
func marked(t *testing.T, value string) map[int]string {
	t.Helper()
	return processtest.Marked(t, mark+value)
}

// nothingLeft waits until none of them is left, but those given.
func nothingLeft(t *testing.T, value string, but ...int) time.Duration {
	t.Helper()
	return processtest.NothingLeft(t, mark+value, but...)
}

// repeats is how often a fault is repeated: few in every run, as many as
// MCE_TEST_REPEATS says in a long one.
func repeats(t *testing.T, few int) int {
	if s := os.Getenv("MCE_TEST_REPEATS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return few
}

// family is code that starts a child, a grandchild in a session of its own and a
// daemon that forked twice, and says so.
const family = `
import os, subprocess, sys
subprocess.Popen(['sleep', '1000'])
subprocess.Popen(['sh', '-c', 'sleep 1001 & wait'], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp('sleep', ['sleep', '1002'])
    os._exit(0)
print('family', flush=True)
`

var endless = map[string]string{
	"python loop": "while True: pass",
	"C loop":      "import itertools; sum(itertools.repeat(0))", // holds the GIL, sees no signal
}

// busy starts a server that runs endless code with a family.
func busy(t *testing.T, value, loop string) *program {
	t.Helper()
	p := launchRaced(t, append(inVenv(t), mark+value)...)
	p.run(family)
	r := p.call("execute_code", args{"code": loop, "wait_seconds": 0.2})
	if !strings.HasPrefix(r.text(), "[running | ") {
		t.Fatalf("%s", r.text())
	}
	return p
}

// TestServerKilled: nothing outlives a server that was killed.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	for name, loop := range endless {
		t.Run(name, func(t *testing.T) {
			var worst time.Duration
			n := repeats(t, 1)
			for i := range n {
				value := fmt.Sprintf("%d-%s-%d", os.Getpid(), t.Name(), i)
				p := busy(t, value, loop)
				p.cmd.Process.Kill()
				worst = max(worst, nothingLeft(t, value))
				p.wait(time.Second)
			}
			t.Logf("%d times, the slowest took %s", n, worst)
		})
	}
}

// guards returns the guards of a server: its children, or those that bubblewrap, its
// child, has started.
func guards(t *testing.T, p *program) (pids []int) {
	t.Helper()
	for _, pid := range childrenOf(t, p.cmd.Process.Pid) {
		if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); string(name) == "bwrap\n" {
			pids = append(pids, childrenOf(t, pid)...)
		} else {
			pids = append(pids, pid)
		}
	}
	return pids
}

// childrenOf are the children of a process. The system's lists by thread leave some out
// while other threads or children come and go (proc(5) on "children").
func childrenOf(t *testing.T, parent int) (pids []int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		pid, err := strconv.Atoi(filepath.Base(one))
		if err != nil {
			t.Fatal(err)
		}
		if stat := statOf(pid); stat != nil && stat[1] == strconv.Itoa(parent) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// statOf are the fields of /proc/PID/stat after the name: the state, the parent, and so on.
// It is nil where there is no such process.
func statOf(pid int) []string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}

// TestGuardKilled: a killed guard takes its kernel's whole family with it, the
// run is told to have died, and the session goes on with a new kernel.
func TestGuardKilled(t *testing.T) {
	t.Parallel()
	for name, loop := range endless {
		t.Run(name, func(t *testing.T) {
			var worst time.Duration
			n := repeats(t, 1)
			for i := range n {
				value := fmt.Sprintf("%d-%s-%d", os.Getpid(), t.Name(), i)
				p := busy(t, value, loop)
				for _, pid := range guards(t, p) {
					syscall.Kill(pid, syscall.SIGKILL)
				}
				worst = max(worst, nothingLeft(t, value, p.cmd.Process.Pid))
				if r := p.call("get_execution", nil); !r.IsError || !strings.HasPrefix(r.text(), "[died | ") {
					t.Fatalf("the run: %s", r.text())
				}
				if r := p.run("1+1"); r.field("generation") != "2" {
					t.Fatalf("the next run: %s", r.text())
				}
				p.stdin.Close()
				p.wait(5 * time.Second)
				nothingLeft(t, value)
			}
			t.Logf("%d times, the slowest took %s", n, worst)
		})
	}
}

// TestEnds: the server ends in time, and everything with it, on each way a host
// says good-bye, whatever runs. The bounds are the hosts': a second and a half
// before the first signal, 0.35 s from SIGTERM to SIGKILL. The times are logged;
// the assertion is that the host's next step is not needed on a busy machine.
func TestEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, loop string
		end        func(p *program)
		patience   time.Duration
	}{
		{"EOF", "python loop", func(p *program) { p.stdin.Close() }, 1500 * time.Millisecond},
		{"EOF", "C loop", func(p *program) { p.stdin.Close() }, 1500 * time.Millisecond},
		{"SIGINT", "python loop", func(p *program) { p.cmd.Process.Signal(os.Interrupt) }, 300 * time.Millisecond},
		{"SIGTERM", "C loop", func(p *program) { p.cmd.Process.Signal(syscall.SIGTERM) }, 300 * time.Millisecond},
	} {
		t.Run(test.name+", "+test.loop, func(t *testing.T) {
			value := fmt.Sprintf("%d-%s", os.Getpid(), t.Name())
			p := busy(t, value, endless[test.loop])
			test.end(p)
			took := p.wait(10 * time.Second)
			nothingLeft(t, value)
			t.Logf("ended in %s, wanted %s", took.Round(time.Millisecond), test.patience)
			if code := p.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("exit status %d", code)
			}
			if left, _ := filepath.Glob("/tmp/mce-*/lock"); len(left) > 0 {
				t.Logf("private directories there are: %v", left)
			}
		})
	}
}

// TestIdleUntilCalled: a server that is only listed starts no process and makes
// no directory for sockets.
func TestIdleUntilCalled(t *testing.T) {
	t.Parallel()
	value := fmt.Sprintf("%d-%s", os.Getpid(), t.Name())
	p := launchRaced(t, append(inVenv(t), mark+value)...)
	if tools := p.request("tools/list", map[string]any{}).Result.Tools; len(tools) == 0 {
		t.Error("no tools")
	}
	if found := marked(t, value); len(found) != 1 {
		t.Errorf("processes before the first call: %v", found)
	}
	if _, err := os.Stat(p.storage); err == nil {
		t.Error("the storage directory was made before it was needed")
	}
}

// TestSideBySide: two servers with the same settings do not disturb each other.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	shared := "CODE_STORAGE_DIR=" + t.TempDir()
	home := "HOME=" + t.TempDir()
	a := launchRaced(t, append(inVenv(t), shared, home)...)
	b := launchRaced(t, append(inVenv(t), shared, home)...)
	ra, rb := a.run("x = 'a'"), b.run("x = 'b'")
	if ra.field("id") == rb.field("id") {
		t.Errorf("both servers made the id %s", ra.field("id"))
	}
	a.stdin.Close()
	a.wait(10 * time.Second)
	if r := b.run("x"); r.rest() != "Out[2]: 'b'" {
		t.Errorf("after the other ended: %s", r.text())
	}
}

// TestTwoConnections: sessions belong to the process, not to a connection.
func TestTwoConnections(t *testing.T) {
	settings := map[string]string{"HOME": t.TempDir(), "CODE_STORAGE_DIR": t.TempDir()}
	for _, s := range inVenv(t) {
		name, value, _ := strings.Cut(s, "=")
		settings[name] = value
	}
	parts, err := server.Assemble(func(name string) string { return settings[name] }, version, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	defer parts.Close(t.Context())
	connect := func() (write func(string), read func() result) {
		inR, inW := io.Pipe()
		outR, outW := io.Pipe()
		go func() {
			parts.Server.Serve(t.Context(), inR, outW)
			outW.Close()
		}()
		t.Cleanup(func() { inW.Close(); outR.Close() })
		d := json.NewDecoder(outR)
		return func(code string) {
				line, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": map[string]any{"name": "execute_code", "arguments": args{"code": code}}})
				inW.Write(append(line, '\n'))
			}, func() result {
				var r reply
				if err := d.Decode(&r); err != nil {
					t.Fatal(err)
				}
				return r.Result
			}
	}
	write1, read1 := connect()
	write2, read2 := connect()
	write1("x = 'from the first'")
	if r := read1(); !strings.HasPrefix(r.text(), "[ok | ") {
		t.Fatal(r.text())
	}
	write2("x")
	if r := read2(); r.rest() != "Out[2]: 'from the first'" {
		t.Errorf("the second connection: %s", r.text())
	}
}

// TestCapabilities: only what a server has is offered; forms are the client's to show.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	if p := launch(t, inVenv(t)...); len(p.offered) != 1 || p.offered["tools"] == nil {
		t.Errorf("%v", p.offered)
	}
}
