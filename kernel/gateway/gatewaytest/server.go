// Package gatewaytest starts real Jupyter servers, for tests alone.
package gatewaytest

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// Token is the token of each server.
const Token = "a-secret-token"

// Unlimited is a server's argument, without which it drops output that comes fast.
const Unlimited = "--ZMQChannelsWebsocketConnection.limit_rate=False"

// Server is a Jupyter server on the loopback, which ends with the test.
type Server struct {
	Addr string
	t    testing.TB
	dir  string
	// runtime is where its kernels' sockets and connection files are.
	runtime string
	args    []string
	cmd     *exec.Cmd
	done    chan struct{} // closed when it has ended
	log     *os.File
	// gateway is what is started instead of a Jupyter server, "" for none, by this Python.
	gateway Gateway
	python  string
}

// Gateway is a program that starts kernels for others, and is called by their protocol.
type Gateway string

// Both are from PyPI: the package is called jupyter_ and this.
const (
	KernelGateway     Gateway = "kernel_gateway"
	EnterpriseGateway Gateway = "enterprise_gateway"
)

// app is what its settings begin with.
func (g Gateway) app() string {
	if g == EnterpriseGateway {
		return "EnterpriseGatewayApp"
	}
	return "KernelGatewayApp"
}

// Start starts one with these arguments and waits until it answers.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(&Server{t: t, args: args})
}

// StartGateway is Start for a gateway from PyPI, in an environment that it makes.
func StartGateway(t testing.TB, g Gateway, args ...string) *Server {
	t.Helper()
	return start(&Server{t: t, gateway: g, python: installGateway(t, g), args: args})
}

func installGateway(t testing.TB, g Gateway) (python string) {
	t.Helper()
	uv, dir := testneeds.Variable(t, "MCE_TEST_UV", "uv"), filepath.Join(t.TempDir(), "env")
	python = filepath.Join(dir, "bin", "python")
	for _, argv := range [][]string{
		{"venv", "-q", "--python", testneeds.Variable(t, "MCE_TEST_JUPYTER", "a Python with jupyter_server"), dir},
		{"pip", "install", "-q", "--python", python, "jupyter_" + string(g), "ipykernel"},
	} {
		if out, err := exec.Command(uv, argv...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", argv, err, out)
		}
	}
	return python
}

// A server that gives its kernels ports takes five free ones, and lets go of them until the
// kernel listens. When another has one of them by then, that kernel is there and never
// answers. Those of an Enterprise Gateway are on ports that nobody is given; it can do no
// other. Those of the other servers are on sockets of the file system.
const (
	enterprisePorts = `
import itertools
from enterprise_gateway.services.processproxies.processproxy import BaseProcessProxyABC
ports = itertools.count(%d)
BaseProcessProxyABC._get_candidate_port = lambda self: next(ports)
`
	onSockets = "--KernelManager.transport=ipc"
)

func start(s *Server) *Server {
	t := s.t
	t.Helper()
	s.Addr, s.dir = freeAddress(t), t.TempDir()
	var err error
	if s.log, err = os.Create(filepath.Join(s.dir, "log")); err != nil {
		t.Fatal(err)
	}
	if s.runtime, err = os.MkdirTemp("", "jupyter"); err != nil { // short: sockets are in it
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(s.runtime) })
	ports := fmt.Sprintf(enterprisePorts, 10_000+rand.IntN(5_000))
	if err := os.WriteFile(filepath.Join(s.dir, "jupyter_enterprise_gateway_config.py"), []byte(ports), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.showLog)
	s.Again()
	t.Cleanup(s.Stop)
	return s
}

// showLog prints the end of what the server said to a test that failed. A server of many
// tests says so much that nobody would find what failed in it.
func (s *Server) showLog() {
	defer s.log.Close()
	if !s.t.Failed() {
		return
	}
	const most = 8 << 10
	size, _ := s.log.Seek(0, io.SeekEnd)
	end := make([]byte, min(size, most))
	s.log.ReadAt(end, size-int64(len(end)))
	s.t.Logf("the server's last words:\n%s", end)
}

// freeAddress returns one that nobody listens on. Its port lies below those that the
// system gives to whoever asks for any: kernels of other tests would take it before the
// server does, and while it is stopped.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}

// URL is its address.
func (s *Server) URL() string { return "http://" + s.Addr }

// Again starts a server that was stopped, at the same address.
func (s *Server) Again() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.Addr)
	app := "--" + s.gateway.app()
	python, args := s.python, []string{"-m", string(s.gateway), app + ".ip=127.0.0.1", app + ".port=" + port, app + ".port_retries=0", app + ".auth_token=" + Token}
	if s.gateway == "" {
		python = testneeds.Variable(s.t, "MCE_TEST_JUPYTER", "a Python with jupyter_server")
		args = []string{"-m", "jupyter_server", "--allow-root", "--no-browser", "--ServerApp.ip=127.0.0.1",
			"--ServerApp.port=" + port, "--ServerApp.port_retries=0", "--IdentityProvider.token=" + Token, "--ServerApp.root_dir=" + s.dir,
			"--ServerApp.answer_yes=True"}
	}
	if s.gateway != EnterpriseGateway {
		args = append(args, onSockets)
	}
	s.cmd = exec.Command(python, append(args, s.args...)...)
	s.cmd.Env = append(os.Environ(), "JUPYTER_RUNTIME_DIR="+s.runtime, "JUPYTER_CONFIG_DIR="+s.dir,
		"JUPYTER_DATA_DIR="+filepath.Join(s.dir, "data"), "IPYTHONDIR="+filepath.Join(s.dir, "ipython"))
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	s.done = done
	go func() { s.cmd.Wait(); close(done) }()
	for deadline := time.Now().Add(startTime); ; {
		if answer, err := http.Get(s.URL() + "/api"); err == nil {
			answer.Body.Close()
			return
		}
		select {
		case <-done:
			s.t.Fatalf("the Jupyter server has ended: %v", s.cmd.ProcessState)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.t.Fatal("the Jupyter server does not answer")
		}
	}
}

// startTime is for a machine that has much else to do: Python reads many files.
const startTime = 3 * time.Minute

// Kernelspec gives it one more kernelspec, at any time.
func (s *Server) Kernelspec(name string, argv ...string) {
	s.t.Helper()
	spec, err := json.Marshal(map[string]any{"argv": argv, "display_name": name, "language": "python"})
	if err != nil {
		s.t.Fatal(err)
	}
	dir := filepath.Join(s.dir, "data", "kernels", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kernel.json"), spec, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// Stop ends it, and with it its kernels.
func (s *Server) Stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(20 * time.Second):
		s.cmd.Process.Kill()
		<-s.done
	}
}

// Kill ends it at once, without its kernels.
func (s *Server) Kill() {
	s.cmd.Process.Kill()
	<-s.done
}

// Client is a client of the server at that address, its own or a proxy's.
func (s *Server) Client(addr string) *gateway.Server {
	s.t.Helper()
	server, err := gateway.New(gateway.Options{URL: "http://" + addr, Token: Token})
	if err != nil {
		s.t.Fatal(err)
	}
	return server
}

// Until waits until the server runs so many kernels, and returns them.
func (s *Server) Until(kernels int) []gateway.Running {
	s.t.Helper()
	for {
		all, err := s.Client(s.Addr).Kernels(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		if len(all) == kernels {
			return all
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Delete ends a kernel as an administrator or a culler does.
func (s *Server) Delete(id string) {
	s.t.Helper()
	request, err := http.NewRequest(http.MethodDelete, s.URL()+"/api/kernels/"+id, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "token "+Token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	answer.Body.Close()
}
