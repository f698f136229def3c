package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway/gatewaytest"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// faultSeconds is what a call waits for the truth when the other side fails. One that has
// nothing to tell then answers that it waits.
const faultSeconds = 10

// fault is something that happens to a session's kernel, or on the way to it.
type fault struct {
	idle  bool // while nothing runs
	make  func(f faulty)
	first string   // what the answer begins with
	want  []string // what else it has
	next  string   // what the next call has, which asks for a variable that was 41
	late  bool     // it gives no sign, and a busy server is as silent
	own   []string // the arguments of a server for this case alone, nil for one with others
}

// faulty is what can fail.
type faulty struct {
	server *gatewaytest.Server
	way    *gatewaytest.Proxy
	id     string // the kernel's
	pid    int
}

// TestMatrixElsewhereFaults: whatever fails on the other side or on the way there, a call that
// waits is told the truth about the run and the next step within ten seconds, and nothing runs
// a second time.
func TestMatrixElsewhereFaults(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	shared := gatewaytest.Start(t)
	cut := func(f faulty) { f.way.Cut() }
	kill := func(f faulty) { syscall.Kill(f.pid, syscall.SIGKILL) }
	deleted := func(f faulty) { f.server.Delete(f.id) }
	culled := func(f faulty) { f.server.Until(0) }
	// A server that starts anew has none of its kernels. Here one that has started already
	// takes its place: how long a start takes on a busy machine is not what is tested.
	anew := func(f faulty) { f.way.To(shared.Addr) }
	restarted := func(f faulty) { anew(f); f.server.Stop() }
	const (
		ok, running, died, notRun = "[ok | ", "[running | ", "[died | ", "[not run | "
		missing                   = "The connection to the Jupyter server was lost from "
		ended                     = "the Jupyter server has ended the kernel"
		gone                      = "Its variables and imports are gone; the next execute_code starts a new kernel"
		unseen                    = "goes back to the kernel, with its variables"
		another                   = "new kernel, generation 2"
	)
	culls := []string{"--MappingKernelManager.cull_idle_timeout=8", "--MappingKernelManager.cull_interval=1", "--MappingKernelManager.cull_connected=True"}
	cases := map[string]fault{
		"connection cut":              {make: cut, first: running, want: []string{missing}, next: ": 41"},
		"connection cut, idle":        {make: func(f faulty) { f.way.Cut(); f.way.Until(2) }, first: ok, idle: true, next: ": 41"},
		"connection forgotten, idle":  {make: func(f faulty) { f.way.Forget() }, first: "[error | ", idle: true, want: []string{missing, "it is not known whether it ran", "inspect_variables"}, next: ": 41"},
		"silent connections closed":   {make: func(f faulty) { f.way.CloseSilent(time.Second) }, first: running, want: []string{missing}, next: ": 41"},
		"connection forgotten":        {make: func(f faulty) { f.way.Forget() }, late: true, first: running, want: []string{missing}, next: ": 41"},
		"no way any more":             {make: func(f faulty) { f.way.Close() }, first: died, want: []string{"the connection to the Jupyter server is lost", "may still run there", unseen}, next: "it broke off"},
		"kernel killed":               {make: kill, first: died, want: []string{"the kernel died on the Jupyter server", gone}, next: another},
		"kernel killed, idle":         {make: kill, idle: true, want: []string{"the kernel died on the Jupyter server", gone}, next: another},
		"kernel deleted":              {make: deleted, first: died, want: []string{ended, gone}, next: another},
		"kernel deleted, idle":        {make: deleted, idle: true, first: notRun, want: []string{ended, "this code was NOT run", gone}, next: another},
		"kernel culled":               {make: culled, own: append(culls, "--MappingKernelManager.cull_busy=True"), first: died, want: []string{ended, "cull_idle_timeout", gone}, next: another},
		"kernel culled, idle":         {make: culled, own: culls, idle: true, first: notRun, want: []string{ended, "cull_idle_timeout", "this code was NOT run", gone}, next: another},
		"server restarted":            {make: restarted, own: []string{}, first: died, want: []string{"Jupyter server", gone}, next: another},
		"server restarted, idle":      {make: restarted, own: []string{}, idle: true, first: notRun, want: []string{"Jupyter server", "this code was NOT run", gone}, next: another},
		"server killed":               {make: func(f faulty) { f.server.Kill() }, own: []string{}, first: died, want: []string{"the connection to the Jupyter server is lost", "may still run there", unseen}, next: "it broke off"},
		"server killed, started anew": {make: func(f faulty) { f.server.Kill(); anew(f) }, own: []string{}, first: died, want: []string{"the Jupyter server has no such kernel any more", gone}, next: another},
	}
	t.Run("a", func(t *testing.T) { // done when the parallel ones are
		for name, one := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := shared
				if one.own != nil {
					s = gatewaytest.Start(t, one.own...)
				}
				happens(t, s, one)
			})
		}
	})
}

var kernelNamed = regexp.MustCompile(`\(kernel_id ([-0-9a-f]+)\)`)

// happens lets a fault happen to a session that has its kernel on that server.
func happens(t *testing.T, s *gatewaytest.Server, one fault) {
	t.Helper()
	way := gatewaytest.StartProxy(t, s.Addr)
	p := launch(t, "JUPYTER_SERVER_URL=http://"+way.Addr+"/?token="+gatewaytest.Token)
	ran, gate := filepath.Join(p.storage, "ran"), filepath.Join(p.storage, "gate")
	pass := func() { write(t, map[string]string{gate: ""}) }
	t.Cleanup(pass)
	begun := p.run("import os, time\nx = 41\nprint(os.getpid())")
	named := kernelNamed.FindStringSubmatch(begun.text())
	lines := strings.Split(strings.TrimSpace(begun.text()), "\n")
	pid, err := strconv.Atoi(lines[len(lines)-1])
	if named == nil || err != nil {
		t.Fatal(begun.text())
	}
	code := fmt.Sprintf("print('ran', file=open(%q, 'a'))\nprint('begun')\nwhile not os.path.exists(%q): time.sleep(0.01)", ran, gate)
	f, runs := faulty{server: s, way: way, id: named[1], pid: pid}, ""
	var r result
	if one.idle {
		one.make(f)
		pass()
		r = p.call("execute_code", args{"code": code, "wait_seconds": faultSeconds})
		if strings.HasPrefix(one.first, "[ok") {
			runs = "ran\n"
		}
	} else {
		id := p.call("execute_code", args{"code": code, "wait_seconds": 0}).field("id")
		p.until(id, "begun")
		wait := faultSeconds
		if one.late {
			wait *= 2
		}
		_, answer := p.begin("get_execution", args{"id": id, "wait_seconds": wait})
		one.make(f)
		r, runs = p.await(answer, "get_execution").Result, "ran\n"
	}
	if !strings.HasPrefix(r.text(), one.first) {
		t.Errorf("%s", r.text())
	}
	has(t, r, one.want...)
	pass()
	has(t, p.call("execute_code", args{"code": "x"}), one.next)
	if got, _ := os.ReadFile(ran); string(got) != runs {
		t.Errorf("what ran: %q, want %q", got, runs)
	}
}

// TestMatrixElsewhereWrong: whatever stands at an address that is wrong, or lets nobody in, a
// first call and a change of the environment say so within ten seconds, and what to look at.
func TestMatrixElsewhereWrong(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	s, ca := gatewaytest.Start(t), newAuthority(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	serve := func(handler http.HandlerFunc) string {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}
	page := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>welcome") }
	for name, one := range map[string]struct{ url, want string }{
		"a wrong token":            {s.URL() + "/?token=wrong", "the token is missing, wrong"},
		"no token":                 {s.URL(), "the token is missing, wrong"},
		"nothing listens":          {"http://127.0.0.1:1", "nothing listens there. Start it, or correct the address"},
		"nobody answers":           {"http://" + silent.Addr().String(), "no answer in time"},
		"a web page":               {serve(page), "it answers with a web page: no Jupyter server there, or a login before it; look at the URL and the token"},
		"another path":             {s.URL() + "/hub?token=" + gatewaytest.Token, "404 Not Found: no Jupyter server there; look at the path of the URL"},
		"no such page":             {serve(http.NotFound), "404 Not Found: no Jupyter server there; look at the path of the URL"},
		"no such host":             {"http://no-such-host.invalid:8888", "no such host: no-such-host.invalid"},
		"an expired certificate":   {ca.serve(http.HandlerFunc(page), time.Now().Add(-time.Hour), "127.0.0.1").URL, "its certificate has expired"},
		"another's certificate":    {ca.serve(http.HandlerFunc(page), time.Now().Add(time.Hour), "hub.test").URL, "its certificate is for another name"},
		"TLS where there is none":  {"https://" + s.Addr, "no answer to TLS in time: its address may begin with http:, not https:"},
		"no TLS in an answer":      {strings.Replace(serve(page), "http", "https", 1), "it does not speak TLS: its address begins with http:, not https:"},
		"no TLS where there is":    {strings.Replace(ca.serve(http.HandlerFunc(page), time.Now().Add(time.Hour), "127.0.0.1").URL, "https", "http", 1), "400 Bad Request"},
		"it closes the connection": {serve(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), "it broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := launch(t, "JUPYTER_SERVER_URL="+one.url, "JUPYTER_CA="+ca.file)
			r := p.call("execute_code", args{"code": "1", "wait_seconds": faultSeconds})
			if has(t, r, one.want); !r.IsError || strings.HasPrefix(r.text(), "[preparing") {
				t.Errorf("%s", r.text())
			}
			begun := time.Now()
			r = p.call("configure_environment", args{"type": "jupyter", "server": "jupyter", "session": "other"})
			if has(t, r, one.want, "the environment was not changed"); time.Since(begun) > faultSeconds*time.Second {
				t.Errorf("after %s: %s", time.Since(begun), r.text())
			}
		})
	}
}

// TestMatrixElsewhereAsked: a server is killed while it waits for a kernel that it has asked a
// Jupyter server for. The next one says what is there, and how it is joined; also of a Jupyter
// server that does not let others choose the id.
func TestMatrixElsewhereAsked(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	for name, want := range map[string]string{"by that id": "has started there, and nothing has run in it", "by another id": "it may be kernel "} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := gatewaytest.Start(t)
			held := holdStarts(t, s, name == "by another id")
			settings := []string{"JUPYTER_SERVERS=lab=" + held.URL + "?token=" + gatewaytest.Token, "ENV_TYPE=jupyter"}
			first := launch(t, settings...)
			first.begin("execute_code", args{"code": "x = 41"})
			id := s.Until(1)[0].ID
			if err := first.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-first.ended
			same := append(settings, "HOME="+first.home, "CODE_STORAGE_DIR="+first.storage)
			second := launch(t, same...)
			has(t, second.call("list_sessions", nil), "an earlier server asked "+held.URL+" for a kernel for session default", want, id,
				"configure_environment type=jupyter server=lab kernel_id="+id, "the person ends it on that Jupyter server")
			has(t, second.call("configure_environment", args{"type": "jupyter", "server": "lab", "kernel_id": id}), `"status":"success"`)
			has(t, second.run("'x' in globals()"), ": False")
			s.Delete(id)
			s.Until(0)
			if r := launch(t, same...).call("list_sessions", nil); name == "by that id" && strings.Contains(r.text(), "earlier server") {
				t.Errorf("ended there: %s", r.text())
			}
		})
	}
}

// holdStarts is a way to a Jupyter server on which no answer comes to who asks for a kernel.
// Where it is plain, the server is not told the id that the kernel shall have.
func holdStarts(t *testing.T, s *gatewaytest.Server, plain bool) *httptest.Server {
	t.Helper()
	to, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	starts := func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Path == "/api/kernels" }
	way, ended := httputil.NewSingleHostReverseProxy(to), make(chan struct{})
	way.ModifyResponse = func(answer *http.Response) error {
		if starts(answer.Request) {
			<-ended
		}
		return nil
	}
	held := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if plain && starts(r) {
			io.Copy(io.Discard, r.Body)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
		}
		way.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { close(ended); held.Close() })
	return held
}
