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
	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// newLandlock is a plan without bubblewrap that writes in a directory of the test.
func newLandlock(t *testing.T) (*confine.Plan, string) {
	if abi := confine.LandlockABI(); abi < 6 {
		testneeds.Skip(t, testneeds.Landlock, "its version here is "+strconv.Itoa(abi))
	}
	dir := t.TempDir()
	return &confine.Plan{ABI: 6, Write: []string{dir}, Temporary: []string{"/tmp", "/var/tmp"}, Private: t.TempDir(), Moved: []string{"TMPDIR"}}, dir
}

// runLandlocked is how a shell script ends in a plan, or why it did not start.
func runLandlocked(t *testing.T, plan *confine.Plan, spec Spec) (string, error) {
	t.Helper()
	spec.Plan, spec.Dir = plan, plan.Write[0]
	if spec.Env == nil {
		spec.Env = append(os.Environ(), "TMPDIR=/tmp/below", "GREETING=hello")
	}
	p, err := Start(t.Context(), spec, newTestReaper(t))
	if err != nil {
		return "", err
	}
	<-p.Done()
	defer p.Close()
	return p.Exit().String(), nil
}

// TestLandlockExit: how a kernel ends is told as without a sandbox, and what it tries is
// stopped: each script exits with 0 where it is.
func TestLandlockExit(t *testing.T) {
	plan, dir := newLandlock(t)
	other := t.TempDir()
	for script, want := range map[string]string{
		"exit 3":          "exit code 3",
		"kill -SEGV $$":   "signal 11 (SIGSEGV)",
		"sleep 99 & true": "exit code 0",
		"echo own > own; test $(cat own) = own || exit 5; mkdir a b; echo x > a/x; mv a/x b/x || exit 6; mkfifo f || exit 7": "exit code 0",
		"echo x > " + other + "/x": "exit code 2",
		"ls " + filepath.Dir(dir) + " && exit 1; ls / && exit 2; ls /usr > /dev/null || exit 3":                                                                        "exit code 0",
		"test $TMPDIR = " + plan.Private + "/below && test $GREETING = hello && test -z \"$MCE_GUARD\"":                                                                "exit code 0",
		"cat /proc/$PPID/environ && exit 1; readlink /proc/$PPID/fd/0 && exit 2; kill -0 $PPID && exit 3; kill -0 " + strconv.Itoa(os.Getpid()) + " && exit 4; exit 0": "exit code 0",
		"grep -q 'CapEff:.0*$' /proc/self/status && grep -q 'NoNewPrivs:.1' /proc/self/status && grep -q 'Seccomp:.2' /proc/self/status":                               "exit code 0",
	} {
		got, err := runLandlocked(t, plan, Spec{Argv: sh(script)})
		if err != nil || got != want {
			t.Errorf("%s: %v, want %s (%v)", script, got, want, err)
		}
	}
}

// TestLandlockSignals: an interrupt arrives, limits hold, and a guard that stands still goes
// with all that it has.
func TestLandlockSignals(t *testing.T) {
	plan, dir := newLandlock(t)
	if err := unix.Mkfifo(filepath.Join(dir, "up"), 0o600); err != nil {
		t.Fatal(err)
	}
	held := limits.Held{Limits: limits.Limits{FileSize: 1 << 20, CPU: 1}}
	p, err := Start(t.Context(), Spec{Argv: sh("trap 'test $(nproc) = 1 && exit $(($(ulimit -f) / 512))' INT; echo > up; while :; do sleep 0.01; done"), Dir: dir, Env: os.Environ(), Plan: plan, Limits: held}, newTestReaper(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(filepath.Join(dir, "up")); err != nil { // waits for the kernel
		t.Fatal(err)
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

// TestLandlockCheck: what Landlock does not stop although it is to, or cannot be asked to,
// keeps the plan from being used.
func TestLandlockCheck(t *testing.T) {
	plan, dir := newLandlock(t)
	socket := filepath.Join(dir, "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/etc", link); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*confine.Plan)
		want   string // "" when it holds
	}{
		"a place that can be written to":   {func(p *confine.Plan) { p.Check.Write = []string{dir} }, "writing in " + dir},
		"places that cannot":               {func(p *confine.Plan) { p.Check.Write = []string{"/", "/etc", "/tmp", "/dev/shm"} }, ""},
		"a file that can be read":          {func(p *confine.Plan) { p.Check.Read = []string{"/etc/passwd"} }, "reading /etc/passwd"},
		"a file that is hidden":            {func(p *confine.Plan) { p.Check.Read, p.Hide = []string{"/etc/passwd"}, []string{"/etc/passwd"} }, ""},
		"a socket":                         {func(p *confine.Plan) { p.Check.Unix = []string{socket} }, "connecting to " + socket},
		"a port with the network":          {func(p *confine.Plan) { p.Check.TCP, p.Network = port.Addr().String(), true }, "connecting to 127"},
		"a port without":                   {func(p *confine.Plan) { p.Check.TCP = port.Addr().String() }, ""},
		"a process outside":                {func(p *confine.Plan) { p.Check.Process = os.Getpid() }, ""},
		"a process outside, in an older":   {func(p *confine.Plan) { p.Check.Process, p.ABI = os.Getpid(), 4 }, "signals to process"},
		"a version too old":                {func(p *confine.Plan) { p.ABI = 3 }, "is needed"},
		"a version not there":              {func(p *confine.Plan) { p.ABI = 99 }, "99 is needed"},
		"nothing there to read":            {func(p *confine.Plan) { p.Read = []string{"/nowhere"} }, "/nowhere"},
		"a new link on the way":            {func(p *confine.Plan) { p.Write = []string{dir, link} }, "allowing " + link},
		"hidden in what can be written to": {func(p *confine.Plan) { p.Hide = []string{socket} }, "cannot be hidden"},
	} {
		own := *plan
		test.change(&own)
		_, err := runLandlocked(t, &own, Spec{Argv: sh("exit 0")})
		refused, _ := errors.AsType[*confine.Refused](err)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (refused == nil || !strings.Contains(refused.Reason, test.want)):
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestLandlockHelper: a helper's output and exit code come through, and its sandbox holds.
func TestLandlockHelper(t *testing.T) {
	plan, dir := newLandlock(t)
	var out bytes.Buffer
	cmd := &exec.Cmd{Path: "/bin/sh", Args: []string{"sh", "-c", "echo out; echo err >&2; touch /etc/x; exit 9"}, Dir: dir, Env: os.Environ(), Stdout: &out, Stderr: &out}
	err := newTestReaper(t).RunConfined(context.Background(), cmd, plan)
	exit, _ := errors.AsType[*exec.ExitError](err)
	if exit == nil || exit.ExitCode() != 9 || !strings.HasPrefix(out.String(), "out\nerr\n") || !strings.Contains(out.String(), "Permission denied") {
		t.Errorf("%v: %s", err, out.String())
	}
}
