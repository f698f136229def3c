package guard

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// newPlan is a sandbox that writes in a directory of the test.
func newPlan(t *testing.T) (*confine.Plan, string) {
	program, err := confine.Find(nil, nil)
	if err == nil {
		err = exec.Command(program, "--unshare-user", "--disable-userns", "--ro-bind", "/", "/", "true").Run()
	}
	if err != nil {
		testneeds.Skip(t, testneeds.Bubblewrap, err.Error())
	}
	dir := t.TempDir()
	return &confine.Plan{Program: program, Write: []string{dir}, Temporary: []string{"/var/tmp"}, Private: t.TempDir()}, dir
}

// TestConfinedExit: how a kernel ends is told as without a sandbox.
func TestConfinedExit(t *testing.T) {
	plan, dir := newPlan(t)
	for script, want := range map[string]string{
		"exit 3":          "exit code 3",
		"kill -SEGV $$":   "signal 11 (SIGSEGV)",
		"sleep 99 & true": "exit code 0",
		"echo own > own; test $(cat own) = own || exit 5; touch /x 2>/dev/null && exit 6; exit 7":                            "exit code 7",
		"test \"$GREETING\" = hello && test -z \"$MCE_GUARD\" && ! readlink /proc/1/fd/0 && ! cat /proc/1/environ || exit 8": "exit code 0",
	} {
		reaper := newTestReaper(t)
		p, err := Start(t.Context(), Spec{Argv: sh(script), Dir: dir, Env: append(os.Environ(), "GREETING=hello"), Plan: plan}, reaper)
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		<-p.Done()
		if e := p.Exit(); e.String() != want {
			t.Errorf("%s: %v, want %s", script, e, want)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestConfinedSignals: an interrupt arrives, the numbers are the system's, and a guard
// that stands still goes with all that it has.
func TestConfinedSignals(t *testing.T) {
	plan, dir := newPlan(t)
	if err := unix.Mkfifo(filepath.Join(dir, "up"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Start(t.Context(), Spec{Argv: sh("trap 'echo INT > int; exit 4' INT; echo > up; while :; do sleep 0.01; done"), Dir: dir, Env: os.Environ(), Plan: plan}, newTestReaper(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(filepath.Join(dir, "up")); err != nil { // waits for the kernel
		t.Fatal(err)
	}
	if line, err := os.ReadFile("/proc/" + strconv.Itoa(p.Pid()) + "/cmdline"); err != nil || !bytes.Contains(line, []byte("trap")) {
		t.Errorf("process %d is not the kernel: %q, %v", p.Pid(), line, err)
	}
	if u, err := p.Usage(); err != nil || u.Processes < 2 {
		t.Errorf("usage %+v, %v", u, err)
	}
	if err := p.Interrupt(); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if e := p.Exit(); e.Code != 4 {
		t.Errorf("%v", e)
	}
	p.Close()

	closeStopped(t, plan, dir)
}

// closeStopped closes a confined kernel whose guard is stopped: nothing is left.
func closeStopped(t *testing.T, plan *confine.Plan, dir string) {
	t.Helper()
	p, err := Start(t.Context(), Spec{Argv: sh("sleep 1000 & sleep 1000"), Dir: dir, Env: os.Environ(), Plan: plan}, newTestReaper(t))
	if err != nil {
		t.Fatal(err)
	}
	unix.Kill(p.GuardPid(), unix.SIGSTOP)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := unix.Kill(p.Pid(), 0); err != unix.ESRCH {
		t.Errorf("the kernel is left: %v", err)
	}
}

// TestConfinedCheck: what a sandbox does not stop keeps it from being used.
func TestConfinedCheck(t *testing.T) {
	plan, dir := newPlan(t)
	socket := filepath.Join(dir, "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	open, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	hidden := filepath.Join(dir, "hidden")
	if err := os.WriteFile(hidden, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		check   confine.Check
		network bool
		hide    []string
		want    string // "" when it holds
	}{
		"a place that can be written to": {confine.Check{Write: []string{dir}}, false, nil, "writing in " + dir},
		"a place that cannot":            {confine.Check{Write: []string{"/", filepath.Dir(dir)}}, false, nil, ""},
		"a file":                         {confine.Check{Read: []string{hidden}}, false, nil, "reading " + hidden},
		"a file that is hidden":          {confine.Check{Read: []string{hidden}}, false, []string{hidden}, ""},
		"a directory":                    {confine.Check{Read: []string{dir}}, false, nil, "listing " + dir},
		"a socket":                       {confine.Check{Unix: []string{socket}}, false, nil, "connecting to " + socket},
		"a socket that is hidden":        {confine.Check{Unix: []string{socket}}, false, []string{socket}, ""},
		"a port":                         {confine.Check{TCP: open.Addr().String()}, true, nil, "connecting to 127"},
		"a port without network":         {confine.Check{TCP: open.Addr().String()}, false, nil, ""},
		"a process outside":              {confine.Check{Process: os.Getpid()}, false, nil, ""},
		"abstract sockets":               {confine.Check{Abstract: true}, true, nil, ""},
	} {
		own := *plan
		own.Check, own.Network, own.Hide = test.check, test.network, test.hide
		p, err := Start(t.Context(), Spec{Argv: sh("exit 0"), Dir: dir, Env: os.Environ(), Plan: &own}, newTestReaper(t))
		if err == nil {
			p.Close()
		}
		refused, _ := errors.AsType[*confine.Refused](err)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (refused == nil || !strings.Contains(refused.Reason, test.want)):
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestConfinedFails: a sandbox that cannot be made says why.
func TestConfinedFails(t *testing.T) {
	plan, dir := newPlan(t)
	plan.Read = []string{"/nowhere"}
	_, err := Start(t.Context(), Spec{Argv: sh("exit 0"), Dir: dir, Env: os.Environ(), Plan: plan}, newTestReaper(t))
	if refused, _ := errors.AsType[*confine.Refused](err); refused == nil || !strings.Contains(refused.Reason, "/nowhere") {
		t.Errorf("%v", err)
	}
}

// TestConfinedHelper: a helper's output and exit code come through, and its sandbox
// holds.
func TestConfinedHelper(t *testing.T) {
	plan, dir := newPlan(t)
	var out bytes.Buffer
	cmd := &exec.Cmd{Path: "/bin/sh", Args: []string{"sh", "-c", "echo out; echo err >&2; touch /x; exit 9"}, Dir: dir, Env: os.Environ(), Stdout: &out, Stderr: &out}
	err := newTestReaper(t).RunConfined(context.Background(), cmd, plan)
	exit, _ := errors.AsType[*exec.ExitError](err)
	if exit == nil || exit.ExitCode() != 9 || !strings.HasPrefix(out.String(), "out\nerr\n") || !strings.Contains(out.String(), "Read-only file system") {
		t.Errorf("%v: %s", err, out.String())
	}
}
