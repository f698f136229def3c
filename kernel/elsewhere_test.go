package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway/gatewaytest"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

func connect(t *testing.T, e kernel.Elsewhere) *testKernel {
	t.Helper()
	k, err := kernel.Connect(t.Context(), newHost(t), kernel.Spec{Session: "test", Generation: 1}, e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return &testKernel{Kernel: k, t: t}
}

// differs says why a case has another result on a Jupyter server, or in the older form
// of its protocol alone.
var differs = map[int]struct {
	why   string
	older bool
}{
	13: {"sys.stdout is ipykernel's own there, without buffer", false},
	29: {"so are its warnings", false},
	31: {"the server reads each message, and gives up at such depth", true},
	35: {"the server's Python has no matplotlib", false},
	39: {"lone surrogates break ipykernel's own encoder", false},
	41: {"lone surrogates break ipykernel's own encoder", false},
	62: {"ipykernel has loaded its debugger, which is asked first", false},
}

// TestMatrixElsewhereCases: code has the same results in a kernel of a Jupyter server
// as in our own, in both forms of its protocol.
func TestMatrixElsewhereCases(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	for form, argument := range map[string]string{"v1": "v1.kernel.websocket.jupyter.org", "older": ""} {
		t.Run(form, func(t *testing.T) {
			s := gatewaytest.Start(t, gatewaytest.Unlimited, "--ZMQChannelsWebsocketConnection.kernel_ws_protocol="+argument)
			k := connect(t, kernel.Elsewhere{Server: s.Client(s.Addr)})
			elsewhereBehind(t, s, k)
			for _, c := range codeCases {
				if d := differs[c.number]; c.newest || d.why != "" && (!d.older || form == "older") {
					continue
				}
				c.on(false).run(t, k)
			}
			// Without the server's limit nothing of much is lost. In the older form a server
			// stands still while it packs it, and a busy one for so long that it is given up.
			n := 50
			if form == "older" {
				n = 25
			}
			result, output := k.run(fmt.Sprintf("for i in range(%d): print('z' * 3_999_999)", n))
			if whole := strings.Repeat(strings.Repeat("z", 3_999_999)+"\n", n); result.Outcome != kernel.OutcomeOK || result.OutputLost || output != whole {
				t.Errorf("%d MB: %+v, %d bytes", 4*n, result, len(output))
			}
		})
	}
}

// elsewhereBehind: nothing is lost of thousands of displays that the server is too busy to
// read. The kernel waits for it: it is let go when the kernel's code stands still.
func elsewhereBehind(t *testing.T, s *gatewaytest.Server, k *testKernel) {
	dir := t.TempDir()
	gate, shown := filepath.Join(dir, "gate"), filepath.Join(dir, "shown")
	e := k.send(fmt.Sprintf("import os, time\nprint('runs')\nwhile not os.path.exists(%q): time.sleep(0.01)\nwith open(%q, 'wb', 0) as f:\n    for i in range(5000): display('x' * 4000); n = f.write(b'.')", gate, shown))
	k.shows(e, "runs\n")
	s.Behind(func() {
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var size int64
		for changed := time.Now(); size < 5000 && time.Since(changed) < 3*time.Second; time.Sleep(10 * time.Millisecond) {
			if info, err := os.Stat(shown); err == nil && info.Size() != size {
				size, changed = info.Size(), time.Now()
			}
		}
	})
	<-e.Done()
	if got, want := len(k.output(e)), len("runs\n")+5000*(4000+len("<display_data ''>")); got != want || e.Result().Outcome != kernel.OutcomeOK {
		t.Errorf("%d bytes of displays, want %d: %+v", got, want, e.Result())
	}
}

// TestMatrixElsewhereGateway: the same in kernels of a Kernel Gateway from PyPI, which
// lists none, and gives them the variables KERNEL_*.
func TestMatrixElsewhereGateway(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	s := gatewaytest.StartGateway(t, gatewaytest.KernelGateway, gatewaytest.Unlimited)
	k := connect(t, kernel.Elsewhere{Server: s.Client(s.Addr), Env: map[string]string{"KERNEL_MCE": "seen"}})
	if _, output := k.run("import os; print(os.environ['KERNEL_MCE'])"); output != "seen\n" {
		t.Errorf("%q", output)
	}
	for _, c := range codeCases {
		if d := differs[c.number]; c.newest || d.why != "" && !d.older {
			continue
		}
		c.on(false).run(t, k)
	}
	if result, _ := k.run("import os; os.kill(os.getpid(), 9)"); result.Outcome != kernel.OutcomeDied {
		t.Errorf("%+v", result)
	}
	k.Close()
	k = connect(t, kernel.Elsewhere{Server: s.Client(s.Addr)})
	if _, output := k.run("1"); output != "<execute_result 1>" {
		t.Errorf("without variables: %q", output)
	}
}

// limited is what makes a Jupyter server drop what comes fast.
const limited = "--ZMQChannelsWebsocketConnection.iopub_data_rate_limit=100000"

// TestMatrixElsewhere: kernels on a Jupyter server, one after the other.
func TestMatrixElsewhere(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	s := gatewaytest.Start(t, limited)
	t.Run("life", func(t *testing.T) { elsewhereLife(t, s) })
	t.Run("cut", func(t *testing.T) { elsewhereCut(t, s) })
}

// TestMatrixElsewhereEnds: what a server drops, and its end.
func TestMatrixElsewhereEnds(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	s := gatewaytest.Start(t, limited)
	t.Run("limit", func(t *testing.T) { elsewhereLimit(t, s) })
	t.Run("no start", func(t *testing.T) { elsewhereNoStart(t, s) })
	t.Run("ends", func(t *testing.T) { elsewhereEnds(t, s) })
}

// elsewhereLife: the life of a kernel on a Jupyter server.
func elsewhereLife(t *testing.T, s *gatewaytest.Server) {
	there := s.Client(s.Addr)

	k := connect(t, kernel.Elsewhere{Server: there})
	if result, output := k.run("x = 41\nprint('here')\nx + 1"); result.Outcome != kernel.OutcomeOK || output != "here\n<execute_result 42>" {
		t.Errorf("%+v %q", result, output)
	}
	info := k.Info()
	if !info.Ours || info.ID == "" || info.Kernelspec != "python3" || info.PID != 0 || info.LanguageVersion == "" {
		t.Errorf("%+v", info)
	}

	// What goes past sys.stdout, however much right before the end, and wherever
	// ipykernel's own reader would cut a character.
	for range 50 {
		if result, output := k.run("import os; n = os.write(1, (('x' + 'é' * 14_999) * 2 + '\\n').encode())"); output != strings.Repeat("x"+strings.Repeat("é", 14_999), 2)+"\n" {
			t.Fatalf("%+v, %d bytes: %.50q", result, len(output), output)
		}
	}

	// Somebody else joins it, and leaves it as it is.
	joined := connect(t, kernel.Elsewhere{Server: there, ID: info.ID})
	if _, output := joined.run("x"); output != "<execute_result 41>" {
		t.Errorf("joined: %q", output)
	}
	joined.Close()
	if _, output := k.run("x"); output != "<execute_result 41>" {
		t.Errorf("after the other has left: %q", output)
	}

	e := k.send("import time\nprint('waits')\ntime.sleep(600)")
	k.shows(e, "waits")
	if stopped, err := k.Interrupt(context.Background()); !stopped || err != nil {
		t.Errorf("stopped %t, %v", stopped, err)
	}
	if <-e.Done(); e.Result().Outcome != kernel.OutcomeInterrupted {
		t.Errorf("%+v", e.Result())
	}

	// The server starts it again by itself, under the same id: that is another one.
	result, _ := k.run("import os; os.kill(os.getpid(), 9)")
	if result.Outcome != kernel.OutcomeDied || !strings.Contains(result.Exit.String(), "died on the Jupyter server") {
		t.Errorf("%+v %v", result, result.Exit)
	}
	if _, err := k.Execute(kernel.Request{ID: "t-late", Code: "1"}); !errors.Is(err, kernel.ErrDead) {
		t.Errorf("code for the dead kernel: %v", err)
	}
	k.Close()
	s.Until(0)

	if _, err := kernel.Connect(t.Context(), newHost(t), kernel.Spec{Session: "test"}, kernel.Elsewhere{Server: there, Kernelspec: "no-such"}); err == nil || strings.Contains(err.Error(), gatewaytest.Token) {
		t.Errorf("an unknown kernelspec: %v", err)
	}
}

// elsewhereLimit: what a server drops because it comes too fast is told.
func elsewhereLimit(t *testing.T, s *gatewaytest.Server) {
	k := connect(t, kernel.Elsewhere{Server: s.Client(s.Addr)})
	_, output := k.run("for i in range(100): print('x' * 100_000)")
	if !strings.Contains(output, "<notice Output is lost here: the Jupyter server drops") || !strings.Contains(output, "iopub_data_rate_limit") {
		t.Errorf("%.500s", output)
	}
}

// elsewhereNoStart: a kernel whose process ends at once is started some times more by the
// server, and then ended. Who waits for it is told.
func elsewhereNoStart(t *testing.T, s *gatewaytest.Server) {
	s.Kernelspec("broken", "false")
	e := kernel.Elsewhere{Server: s.Client(s.Addr), Kernelspec: "broken"}
	_, err := kernel.Connect(t.Context(), newHost(t), kernel.Spec{Session: "test"}, e)
	if err == nil || !strings.Contains(err.Error(), "its process cannot start: the server's log says why") {
		t.Errorf("%v", err)
	}

	// One whose process is there, as when another has got one of its ports.
	s.Kernelspec("silent", "sleep", "600")
	spec := kernel.Spec{Session: "test", StartTimeout: time.Second}
	_, err = kernel.Connect(t.Context(), newHost(t), spec, kernel.Elsewhere{Server: s.Client(s.Addr), Kernelspec: "silent"})
	if err == nil || !strings.Contains(err.Error(), "no answer within 1s. The next code gets another kernel") {
		t.Errorf("%v", err)
	}
	s.Until(0)
}

// elsewhereEnds: how the far side can go away.
func elsewhereEnds(t *testing.T, s *gatewaytest.Server) {
	there := s.Client(s.Addr)
	k := connect(t, kernel.Elsewhere{Server: there})
	e := k.send("import time\nprint('waits')\ntime.sleep(600)")
	k.shows(e, "waits")
	s.Delete(k.Info().ID)
	if <-e.Done(); e.Result().Outcome != kernel.OutcomeDied || !strings.Contains(e.Result().Exit.String(), "Jupyter server") {
		t.Errorf("culled: %+v %v", e.Result(), e.Result().Exit)
	}

	k = connect(t, kernel.Elsewhere{Server: there})
	e = k.send("import time\nprint('waits')\ntime.sleep(600)")
	k.shows(e, "waits")
	s.Stop()
	s.Again()
	if <-e.Done(); e.Result().Outcome != kernel.OutcomeDied || !strings.Contains(e.Result().Exit.String(), "Jupyter server") {
		t.Errorf("server started anew: %+v %v", e.Result(), e.Result().Exit)
	}
}

// shows waits until an execution has put out a text.
func (k *testKernel) shows(e *kernel.Execution, text string) {
	k.t.Helper()
	for {
		changed := e.Changed()
		if strings.Contains(k.output(e), text) {
			return
		}
		select {
		case <-changed:
		case <-e.Done():
			k.t.Fatalf("ended without %q: %q", text, k.output(e))
		}
	}
}

// elsewhereCut: a connection that breaks in a run is made again; the run goes on,
// nothing runs twice, and what may be missing is told.
func elsewhereCut(t *testing.T, s *gatewaytest.Server) {
	p := gatewaytest.StartProxy(t, s.Addr)
	k := connect(t, kernel.Elsewhere{Server: s.Client(p.Addr)})
	gate := filepath.Join(t.TempDir(), "gate")
	k.run("runs = 0")
	e := k.send(fmt.Sprintf("import os, time\nruns += 1\nprint('before')\nwhile not os.path.exists(%q): time.sleep(0.01)\nprint('after')\nruns", gate))
	k.shows(e, "before")
	p.Cut()
	k.shows(e, "was lost from")
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-e.Done()
	if output := k.output(e); e.Result().Outcome != kernel.OutcomeOK || !strings.HasPrefix(output, "before\n<notice The connection to the Jupyter server was lost from ") || !strings.HasSuffix(output, "after\n<execute_result 1>") {
		t.Errorf("%+v %q", e.Result(), output)
	}

	// While nothing runs it is no news.
	p.Cut()
	p.Until(2)
	if result, output := k.run("runs"); result.Outcome != kernel.OutcomeOK || output != "<execute_result 1>" {
		t.Errorf("%+v %q", result, output)
	}
}

// TestMatrixElsewhereUnseen: what happens while nobody is connected.
func TestMatrixElsewhereUnseen(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	s := gatewaytest.Start(t)
	t.Run("idle", func(t *testing.T) { elsewhereIdle(t, s) })
	t.Run("killed", func(t *testing.T) { elsewhereKilledUnseen(t, s) })
	t.Run("out of reach", func(t *testing.T) { elsewhereOutOfReach(t, s) })
}

// elsewhereOutOfReach: a kernel that cannot be reached any more is not said to be gone, and
// is there with what it has for who comes back.
func elsewhereOutOfReach(t *testing.T, s *gatewaytest.Server) {
	p := gatewaytest.StartProxy(t, s.Addr)
	k := connect(t, kernel.Elsewhere{Server: s.Client(p.Addr)})
	gate := filepath.Join(t.TempDir(), "gate")
	e := k.send(fmt.Sprintf("import os, time\nx = 41\nprint('waits')\nwhile not os.path.exists(%q): time.sleep(0.01)", gate))
	k.shows(e, "waits")
	p.Close()
	<-e.Done()
	if exit := e.Result().Exit; e.Result().Outcome != kernel.OutcomeDied || exit.MayRun != k.Info().ID || !strings.Contains(exit.String(), "may still run there") {
		t.Errorf("%+v %v", e.Result(), exit)
	}
	k.Close() // which cannot end it
	p.Open()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	back := connect(t, kernel.Elsewhere{Server: s.Client(p.Addr), ID: k.Info().ID})
	if _, output := back.run("x"); output != "<execute_result 41>" {
		t.Errorf("%q", output)
	}
}

// elsewhereIdle: a proxy that closes silent connections breaks no run that is silent for
// longer, however often it does.
func elsewhereIdle(t *testing.T, s *gatewaytest.Server) {
	p := gatewaytest.StartProxy(t, s.Addr)
	k := connect(t, kernel.Elsewhere{Server: s.Client(p.Addr)})
	p.CloseSilent(time.Second)
	k.run("1") // something comes each way, and then nothing
	gate := filepath.Join(t.TempDir(), "gate")
	e := k.send(fmt.Sprintf("import os, time\nwhile not os.path.exists(%q): time.sleep(0.01)\n'ended'", gate))
	for changed := e.Changed(); strings.Count(k.output(e), "was lost from") < 2; changed = e.Changed() {
		select {
		case <-changed:
		case <-e.Done():
			t.Fatalf("%+v %q", e.Result(), k.output(e))
		}
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-e.Done()
	if e.Result().Outcome != kernel.OutcomeOK {
		t.Errorf("%+v %q", e.Result(), k.output(e))
	}
	if result, output := k.run("'next'"); result.Outcome != kernel.OutcomeOK || output != "<execute_result 'next'>" {
		t.Errorf("%+v %q", result, output)
	}
}

// elsewhereKilledUnseen: a kernel that is killed while nobody is connected to it has died,
// whatever the server, which has started another one, says of it.
func elsewhereKilledUnseen(t *testing.T, s *gatewaytest.Server) {
	p := gatewaytest.StartProxy(t, s.Addr)
	k := connect(t, kernel.Elsewhere{Server: s.Client(p.Addr)})
	_, output := k.run("import os; print(os.getpid())")
	pid, err := strconv.Atoi(strings.TrimSpace(output))
	if err != nil {
		t.Fatal(err)
	}
	e := k.send("import time\nprint('waits')\ntime.sleep(600)")
	k.shows(e, "waits")
	p.Close()
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
	for process.Signal(syscall.Signal(0)) == nil { // polls the process table, until the server has seen it (3 s)
		time.Sleep(10 * time.Millisecond)
	}
	p.Open()
	if <-e.Done(); e.Result().Outcome != kernel.OutcomeDied || !strings.Contains(e.Result().Exit.String(), "Jupyter server") {
		t.Errorf("%+v %v", e.Result(), e.Result().Exit)
	}
}
