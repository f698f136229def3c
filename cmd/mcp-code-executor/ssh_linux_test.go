package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestMatrixSSH: over a real ssh, a run goes on when the connection is cut at either
// end in the middle of it, and the next connection reads the whole of it.
func TestMatrixSSH(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	bin := t.TempDir()
	k := newKeeper(t, "PATH="+bin+":/usr/bin:/bin")
	sshd := serveSSH(t, k, bin)
	p := prepare(t, k.settings...)
	cmd := exec.Command(p.cmd.Path, append([]string{"config", "claude-desktop", "--ssh", "bigbox", "--keep", "1h", "--work-dir", k.home}, flags(inVenv(t))...)...)
	cmd.Env = p.cmd.Env
	printed, err := cmd.Output()
	if err != nil {
		t.Fatalf("config: %v", err)
	}
	entry := readEntry(t, "claude-desktop", printed)
	connect := func() *program {
		p := prepare(t)
		p.cmd.Path, p.cmd.Args = entry.Command, append([]string{entry.Command}, entry.Args...)
		p.start()
		p.shakeHands()
		return p
	}
	p = connect()
	p.run("count = 0")
	for i, cut := range []struct {
		name string
		kill func(p *program)
	}{
		{"ssh is killed", func(p *program) { p.cmd.Process.Kill() }},
		{"sshd's child is killed", func(*program) { sshd.kill() }},
	} {
		gate := filepath.Join(k.home, fmt.Sprint("gate-", i))
		r := p.call("execute_code", args{"code": fmt.Sprintf(`
import os, time
count += 1
for i in range(100): print(%d, i, flush=True)
while not os.path.exists(%q): time.sleep(0.01)
for i in range(100, 200): print(%d, i, flush=True)
count`, i, gate, i), "wait_seconds": 0.2})
		id := r.field("id")
		p.begin("get_execution", args{"id": id}) // a call is in flight
		cut.kill(p)
		p.wait(20 * time.Second)
		k.until("the front's end", func() bool { s := k.servers(); return len(s) == 1 && len(s[0].Clients) == 0 })
		if !k.servers()[0].Busy() {
			t.Errorf("%s: nothing runs any more", cut.name)
		}
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		p = connect()
		has(t, p.call("get_execution", args{"id": id}), `session "default" was kept: generation 1`, "[ok | ")
		var want strings.Builder
		for line := range 200 {
			fmt.Fprintf(&want, "%d: %d %d\n", line+1, i, line)
		}
		fmt.Fprintf(&want, "201: %d", i+1)
		r = p.call("get_execution", args{"id": id, "lines": "1-"})
		if _, lines, _ := strings.Cut(r.rest(), "\n"); lines != want.String() {
			t.Errorf("%s: the whole run:\n%s\nwant:\n%s", cut.name, r.text(), want.String())
		}
	}
}

// flags are settings as a command line has them.
func flags(settings []string) (args []string) {
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		args = append(args, "--"+strings.ReplaceAll(strings.ToLower(name), "_", "-"), value)
	}
	return args
}

// sshServer is sshd on the loopback, one process a connection, as inetd and systemd
// start it.
type sshServer struct {
	t       *testing.T
	command func() *exec.Cmd

	mu    sync.Mutex // protects the fields below
	conns map[*exec.Cmd]bool
}

// serveSSH starts a server in whose logins this program is, with the keeper's home. A
// program "ssh" in the directory bin knows it as bigbox.
func serveSSH(t *testing.T, k *keeper, bin string) *sshServer {
	t.Helper()
	sshd, ssh, keygen, libraries := sshPrograms(t)
	dir := t.TempDir()
	for _, key := range []string{"host", "user"} {
		execute(t, keygen, "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	own, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(k.home, ".local", "bin")
	if err := os.MkdirAll(place, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(prepare(t).cmd.Path, filepath.Join(place, "mcp-code-executor")); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(dir, "sshd_config"): fmt.Sprintf(`HostKey %[1]s/host
AuthorizedKeysFile %[1]s/user.pub
StrictModes no
UsePAM no
PermitRootLogin yes
SetEnv HOME=%[2]s PATH=/usr/bin:/bin MCE_TEST_SERVER=1 GORACE=atexit_sleep_ms=0 %[3]s
`, dir, k.home, mark+k.mark),
		filepath.Join(dir, "ssh_config"): fmt.Sprintf(`Host bigbox
HostName 127.0.0.1
Port %d
User %s
IdentityFile %s/user
IdentitiesOnly yes
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
LogLevel ERROR
`, listener.Addr().(*net.TCPAddr).Port, own.Username, dir),
		filepath.Join(bin, "ssh"): fmt.Sprintf("#!/bin/sh\nexec %s -F %s/ssh_config \"$@\"\n", ssh, dir),
		// As root, sshd wants a user and a directory of its own.
		filepath.Join(dir, "shadow"): own.Username + ":*:20000:0:99999:7:::\n",
		filepath.Join(dir, "passwd"): own.Username + ":*:0:0::" + k.home + ":/bin/sh\nsshd:*:65533:65534::/run/sshd:/bin/false\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := &sshServer{t: t, conns: map[*exec.Cmd]bool{}, command: func() *exec.Cmd {
		cmd := exec.Command(sshd, "-i", "-e", "-f", filepath.Join(dir, "sshd_config"))
		cmd.Env = []string{"PATH=/usr/bin:/bin", "LD_LIBRARY_PATH=" + libraries}
		if os.Getuid() == 0 {
			inMounts(t, cmd, fmt.Sprintf("for f in passwd shadow; do mount --bind %s/$f /etc/$f; done; mount -t tmpfs none /run; mkdir -m 755 /run/sshd", dir))
		}
		return cmd
	}}
	s.command() // which may leave the test out
	go s.accept(listener)
	t.Cleanup(func() { listener.Close(); s.kill() })
	return s
}

// accept starts an sshd for each connection, until the listener is closed.
func (s *sshServer) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		file, err := conn.(*net.TCPConn).File()
		conn.Close()
		if err != nil {
			s.t.Error(err)
			return
		}
		cmd := s.command()
		cmd.Stdin, cmd.Stdout, cmd.Stderr = file, file, &logWriter{t: s.t}
		err = cmd.Start()
		file.Close()
		if err != nil {
			s.t.Error(err)
			return
		}
		s.mu.Lock()
		s.conns[cmd] = true
		s.mu.Unlock()
		go func() {
			cmd.Wait()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.conns, cmd)
		}()
	}
}

// kill kills the processes of all connections.
func (s *sshServer) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for cmd := range s.conns {
		cmd.Process.Signal(syscall.SIGKILL)
	}
}

// sshPrograms are OpenSSH's: the system's, or from Debian's packages, with where the
// libraries are that they need besides the system's.
func sshPrograms(t *testing.T) (sshd, ssh, keygen, libraries string) {
	t.Helper()
	packages := ""
	find := func(name string) string {
		for _, dir := range []string{"/usr/sbin", "/usr/bin"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return filepath.Join(dir, name)
			}
		}
		if packages == "" {
			packages = sshPackages(t)
		}
		found, _ := filepath.Glob(filepath.Join(packages, "usr/*bin", name))
		if len(found) == 0 {
			testneeds.Skip(t, testneeds.SSHServer, "Debian's packages have no "+name)
		}
		return found[0]
	}
	sshd, ssh, keygen = find("sshd"), find("ssh"), find("ssh-keygen")
	if packages != "" {
		found, _ := filepath.Glob(filepath.Join(packages, "usr/lib/*-linux-gnu*"))
		libraries = strings.Join(found, ":")
	}
	try := exec.Command(sshd, "-T", "-h", "/dev/null")
	try.Env = []string{"LD_LIBRARY_PATH=" + libraries}
	if out, _ := try.CombinedOutput(); strings.Contains(string(out), "shared libraries") {
		testneeds.Skip(t, testneeds.SSHServer, string(out))
	}
	return sshd, ssh, keygen, libraries
}

// sshPackages is a directory with Debian's packages of OpenSSH, not installed.
func sshPackages(t *testing.T) (root string) {
	t.Helper()
	return sharedDir("openssh", func(dir string) {
		script := `mkdir "$0"; cd "$0"
apt-get -qq -o APT::Sandbox::User=root download openssh-server openssh-client libwrap0
for package in *.deb; do dpkg-deb -x "$package" .; done`
		if out, err := exec.Command("/bin/sh", "-ec", script, dir).CombinedOutput(); err != nil {
			os.RemoveAll(dir)
			testneeds.Skip(t, testneeds.SSHServer, fmt.Sprintf("%v: %s", err, out))
		}
	})
}
