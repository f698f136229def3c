package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/keep"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// place is the directory in which fronts and servers find each other.
func (k *keeper) place() string { return filepath.Join(k.home, ".local/state/mcp-code-executor/keep") }

// file is the one file of that kind there.
func (k *keeper) file(kind string) string {
	k.t.Helper()
	files, _ := filepath.Glob(filepath.Join(k.place(), "*."+kind))
	if len(files) != 1 {
		k.t.Fatalf("%s: %v", kind, files)
	}
	return files[0]
}

// address reads the one server's address.
func (k *keeper) address() keep.Address {
	k.t.Helper()
	var a keep.Address
	text, err := os.ReadFile(k.file("json"))
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return a
}

func (k *keeper) publish(a keep.Address) {
	k.t.Helper()
	text, _ := json.Marshal(a)
	if err := os.WriteFile(k.file("json"), text, 0o600); err != nil {
		k.t.Fatal(err)
	}
}

// halt stops a process, and returns when all its threads have stopped: one of them takes the
// signal, and on a busy machine the others go on until that one has its turn.
func (k *keeper) halt(pid int) {
	k.t.Helper()
	syscall.Kill(pid, syscall.SIGSTOP)
	k.until("it stands still", func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		return len(threads) > 0 && !slices.ContainsFunc(threads, func(thread string) bool {
			text, _ := os.ReadFile(thread)
			_, state, _ := strings.Cut(string(text), ") ")
			return !strings.HasPrefix(state, "T ")
		})
	})
}

// TestKeepFaults: whatever fronts find in the place of a server, they have the right
// one in the end, or serve by themselves and say why.
func TestKeepFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		// change is made while a server runs that a front has left a session in.
		change func(k *keeper, server int)
		// says is part of the first answer; "" means that the server is used.
		says string
		// anew means that another server is used than the one there was.
		anew bool
	}{
		{"nothing", func(*keeper, int) {}, "", false},
		{"the server was killed", func(k *keeper, server int) {
			syscall.Kill(server, syscall.SIGKILL)
			k.until("its end", func() bool { return len(k.backgrounds()) == 0 })
		}, "", true},
		{"the server was killed, and its socket is a link", func(k *keeper, server int) {
			syscall.Kill(server, syscall.SIGKILL)
			k.until("its end", func() bool { return len(k.backgrounds()) == 0 })
			a := k.address()
			os.Remove(a.Socket)
			os.Symlink("/dev/null", a.Socket)
		}, "", true},
		{"the socket was removed", func(k *keeper, _ int) { os.Remove(k.address().Socket) }, "", false},
		{"the socket's directory was removed", func(k *keeper, _ int) { os.RemoveAll(filepath.Dir(k.address().Socket)) }, "", false},
		{"the directory is open to others", func(k *keeper, _ int) { os.Chmod(filepath.Dir(k.address().Socket), 0o755) }, "", false},
		{"another socket in its place", func(k *keeper, _ int) {
			a := k.address()
			os.Remove(a.Socket)
			listener, err := net.Listen("unix", a.Socket)
			if err != nil {
				k.t.Fatal(err)
			}
			listener.(*net.UnixListener).SetUnlinkOnClose(false)
			listener.Close() // a stale one
		}, "", false},
		{"the address was removed", func(k *keeper, _ int) { os.Remove(k.file("json")) }, "", false},
		{"the address is damaged", func(k *keeper, _ int) { os.WriteFile(k.file("json"), []byte("{\x00"), 0o600) }, "", false},
		{"the server is stopped", func(k *keeper, server int) {
			syscall.Kill(server, syscall.SIGSTOP)
			if status, out := k.command("stop", "--all", "--yes"); status != 1 || !strings.Contains(out, "does not answer; it may be stopped (kill -CONT ") {
				k.t.Errorf("stop: status %d: %s", status, out)
			}
		}, "does not answer; it may be stopped (kill -CONT ", true},
		{"the server was stopped before it said where it is", func(k *keeper, server int) {
			syscall.Kill(server, syscall.SIGSTOP)
			os.Remove(k.file("json"))
		}, "does not answer; it may be stopped (kill -CONT ", true},
		{"the server was killed, and its number is another process's", func(k *keeper, server int) {
			syscall.Kill(server, syscall.SIGKILL)
			k.until("its end", func() bool { return len(k.backgrounds()) == 0 })
			a := k.address()
			a.PID = innocent(k.t).Pid
			k.publish(a)
		}, "", true},
		{"the server was killed, and a stopped process holds the lock", func(k *keeper, server int) {
			syscall.Kill(server, syscall.SIGKILL)
			k.until("its end", func() bool { return len(k.backgrounds()) == 0 })
			file, err := os.OpenFile(filepath.Join(k.place(), "lock"), os.O_RDWR, 0)
			if err != nil || flock.Try(file.Fd(), true) != nil {
				k.t.Fatalf("locking: %v", err)
			}
			holder := innocent(k.t)
			holder.Signal(syscall.SIGSTOP)
			fmt.Fprintf(file, "%-12d\n", holder.Pid)
			k.t.Cleanup(func() { file.Close() })
		}, "/lock: process ", true},
		{"another version's protocol", func(k *keeper, server int) {
			k.halt(server) // it must not publish its own address again
			a := k.address()
			a.Socket = oldServer(k.t)
			k.publish(a)
		}, "is of version 0.0.1, which this one cannot talk to; \"mcp-code-executor stop\" ends it", true},
		{"the place was removed", func(k *keeper, _ int) {
			os.RemoveAll(k.place())
			k.until("the address is there again", func() bool { files, _ := filepath.Glob(filepath.Join(k.place(), "*.json")); return len(files) == 1 })
			k.until("its log is, too", func() bool { _, err := os.Stat(k.address().Log); return err == nil })
		}, "", false},
		{"the place was removed, and another server came before it was made again", func(k *keeper, server int) {
			k.halt(server)
			os.RemoveAll(k.place())
			k.client()
			syscall.Kill(server, syscall.SIGCONT)
			syscall.Kill(server, syscall.SIGTERM) // its end must leave the other one's files
			k.until("its end", func() bool { return len(k.backgrounds()) == 1 })
		}, "", true},
		{"the place is a link", func(k *keeper, _ int) {
			away := k.place() + "-away"
			os.Symlink(away, away)
			exchange := func() { // at once: the server makes a place that is gone
				if err := unix.Renameat2(unix.AT_FDCWD, k.place(), unix.AT_FDCWD, away, unix.RENAME_EXCHANGE); err != nil {
					k.t.Error(err)
				}
			}
			exchange()
			k.t.Cleanup(exchange)
		}, "is a symbolic link: only a directory of this user's", true},
		{"the place is another user's", func(k *keeper, _ int) {
			giveAway(k.t, k.place())
			k.t.Cleanup(func() { os.Chown(k.place(), os.Getuid(), -1) })
		}, "belongs to another user: only a directory of this user's", true},
		{"the socket's directory is another user's", func(k *keeper, _ int) {
			dir := filepath.Dir(k.address().Socket)
			giveAway(k.t, dir)
			k.t.Cleanup(func() { os.RemoveAll(dir) }) // no server takes it for its own
		}, "", false},
		{"the socket is another user's process's", func(k *keeper, server int) {
			k.halt(server) // it must not publish its own address again
			a := k.address()
			a.Socket = foreignServer(k.t)
			k.publish(a)
		}, fmt.Sprintf("the process at the other end of the socket is user %d's", nobody), true},
		{"the place is open to others", func(k *keeper, _ int) {
			os.Chmod(k.place(), 0o777)
			k.t.Cleanup(func() { os.Chmod(k.place(), 0o700) })
		}, "is open to others: only a directory of this user's", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			k := newKeeper(t)
			p := k.client()
			p.call("get_environment_config", args{"session": "left"})
			p.call("configure_environment", args{"type": "venv", "venv_path": filepath.Dir(filepath.Dir(pythons(t)[0])), "session": "left"})
			server := k.backgrounds()
			if len(server) != 1 {
				t.Fatalf("background servers: %v", server)
			}
			p.stdin.Close()
			p.wait(10 * time.Second)
			test.change(k, server[0])
			p = k.client()
			r := p.call("list_sessions", nil)
			if test.says != "" {
				has(t, r, "[note: KEEP has no effect, so sessions end with this server: ", test.says)
			} else if strings.Contains(r.text(), "[note: ") {
				t.Errorf("%s", r.text())
			}
			if pids := k.backgrounds(); test.says == "" && len(pids) != 1 {
				t.Errorf("background servers: %v", pids)
			}
			if anew := !strings.Contains(r.text(), "\nleft | "); anew != test.anew {
				t.Errorf("another server: %t\n%s", anew, r.text())
			}
		})
	}
}

// TestKeepOthers: a client is told once that sessions are kept elsewhere, however many
// servers keep some there.
func TestKeepOthers(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, "KEEP_SPLIT=TOKEN")
	for _, token := range []string{"TOKEN=1", "TOKEN=2"} {
		k.client(token).call("list_sessions", nil)
	}
	r := k.client("TOKEN=3").call("list_sessions", nil)
	if n := strings.Count(r.text(), "other settings, whose code runs in "+k.home); n != 1 {
		t.Errorf("told %d times: %s", n, r.text())
	}
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"stop"}, "none of the 3 background servers serves this directory and these settings: give one's key (see \"mcp-code-executor ps\"), or --all"},
		{[]string{"stop", "nokey"}, "there is no background server with the key nokey: see \"mcp-code-executor ps\""},
		{[]string{"stop", "one", "two"}, "give one key, or --all"},
		{[]string{"keep", "--keep", "0"}, "KEEP is not set: say for how long"},
	} {
		if status, out := k.command(test.args...); status == 0 || !strings.Contains(out, test.says) {
			t.Errorf("%q: status %d: %s", test.args, status, out)
		}
	}
	servers := k.servers()
	if len(servers) != 3 {
		t.Fatalf("%+v", servers)
	}
	if status, out := k.command("stop", servers[1].Key); status != 0 || !strings.HasPrefix(out, "ended "+servers[1].Key+" ") {
		t.Errorf("stop by key: status %d: %s", status, out)
	}
	if left := k.servers(); len(left) != 2 || left[0].Key == servers[1].Key || left[1].Key == servers[1].Key {
		t.Errorf("%+v", left)
	}
}

// TestKeepFullDisk: where the disk with the state directory is full, the front serves
// by itself, and says why.
func TestKeepFullDisk(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	state := filepath.Dir(k.place())
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	p := prepare(t, k.settings...)
	inMounts(t, p.cmd, fmt.Sprintf("mount -t tmpfs -o size=16k none %s\nhead -c 1M /dev/zero >%[1]s/big 2>/dev/null || true", state))
	p.start()
	p.shakeHands()
	has(t, p.call("list_sessions", nil), "[note: KEEP has no effect, so sessions end with this server: ", "no space left on device")
}

// TestKeepNoUnixSockets: where a sandbox forbids unix sockets the front serves by
// itself, and says so once.
func TestKeepNoUnixSockets(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	p := prepare(t, k.settings...)
	p.under = nounix(t)
	p.start()
	p.shakeHands()
	has(t, p.call("list_sessions", nil), "[note: KEEP has no effect, so sessions end with this server: ", "operation not permitted")
	if r := p.call("list_sessions", nil); strings.Contains(r.text(), "[note: ") {
		t.Errorf("told again: %s", r.text())
	}
	k.until("the background server has given up", func() bool { return len(k.backgrounds()) == 0 })
}

// TestKeepCleaned: while code runs, something removes every directory there is, the
// kernels' own too. The run goes on, and the next client finds the same server, in
// which a new session starts.
func TestKeepCleaned(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, inVenv(t)...)
	p := k.client()
	r := p.run("from ipykernel.kernelapp import IPKernelApp\nprint(IPKernelApp.instance().connection_file)")
	_, file, _ := strings.Cut(r.rest(), "mce-")
	file, _, _ = strings.Cut("/tmp/mce-"+file, ".json")
	gate := filepath.Join(k.home, "gate")
	r = p.call("execute_code", args{"code": fmt.Sprintf("import os, time\nwhile not os.path.exists(%q): time.sleep(0.01)\nprint('to its end')", gate), "wait_seconds": 0.2})
	id, server := r.field("id"), k.backgrounds()
	for _, dir := range []string{filepath.Dir(filepath.Dir(file)), filepath.Dir(k.address().Socket), k.place()} {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			t.Fatalf("%s: %v", dir, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	p.cmd.Process.Kill()
	k.until("the address is there again", func() bool { files, _ := filepath.Glob(filepath.Join(k.place(), "*.json")); return len(files) == 1 })
	p = k.client()
	has(t, p.call("list_sessions", nil), `session "default" was kept: generation 1; `+id+" is running since ")
	if r := p.call("execute_code", args{"code": "6 * 7", "session": "new"}); !strings.HasPrefix(r.text(), "[ok | ") || !strings.HasSuffix(r.text(), ": 42") {
		t.Errorf("a new session: %s", r.text())
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	has(t, p.call("get_execution", args{"id": id}), "[ok | ", "to its end")
	if now := k.backgrounds(); len(server) != 1 || !slices.Equal(now, server) {
		t.Errorf("background servers %v, before %v", now, server)
	}
}

// nobody is a user who is not the tests'.
const nobody = 65534

// giveAway makes a directory another user's, where the tests may.
func giveAway(t *testing.T, path string) {
	t.Helper()
	if os.Getuid() != 0 {
		testneeds.Skip(t, testneeds.OtherUser, "a directory of another user's")
	}
	if err := os.Chown(path, nobody, -1); err != nil {
		t.Fatal(err)
	}
}

// innocent is a process that nobody may signal but the test.
func innocent(t *testing.T) *os.Process {
	t.Helper()
	cmd := exec.Command("/bin/sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var status syscall.WaitStatus
		if pid, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WNOHANG, nil); pid != 0 || err != nil {
			t.Errorf("somebody has ended a process that is none of theirs: %v (%v)", status, err)
		}
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd.Process
}

// foreignServer is a socket of another user's process, in a directory of ours.
func foreignServer(t *testing.T) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "mcetest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.Getuid() != 0 {
		testneeds.Skip(t, testneeds.OtherUser, "a socket of another user's process")
	}
	// The system notes who listens, not who has made the socket.
	cmd := exec.Command(pythons(t)[0], "-c", `import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); os.setuid(int(sys.argv[2])); s.listen(); print(flush=True); s.accept(); sys.stdin.read()`,
		filepath.Join(dir, "s"), strconv.Itoa(nobody))
	stdin, inErr := cmd.StdinPipe()
	stdout, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Process.Kill(); cmd.Wait() })
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "s")
}

// oldServer is a socket at which a server of another protocol answers.
func oldServer(t *testing.T) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "mcetest") // 0700, and short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(conn, `{"protocol":0,"version":"0.0.1"}`)
		}
	}()
	return filepath.Join(dir, "s")
}
