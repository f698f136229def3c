package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// attempt is something that a sandbox should stop. Its code raises, or sees nothing,
// where it is stopped.
type attempt struct {
	name, code string
	root       bool // only root can do it without a sandbox
	amd64      bool // its numbers of system calls are this processor's
	maybe      bool // not every system can do it
	// private: it works in the sandbox, on a copy; the file at this path below the home
	// directory tells that it worked outside.
	private string
	// open: it is not stopped, for this reason.
	open string
	// landlock: Landlock, in the place of bubblewrap, does not stop it, for this reason.
	landlock string
	// locked: Landlock stops it by making the working directory one that can only be
	// read, and not where SANDBOX_WRITE names it.
	locked bool
	// limit is the setting that stops it, with a sandbox or without.
	limit string
}

// attemptGroup is a part of the page's table.
type attemptGroup struct {
	title    string
	attempts []attempt
}

// attemptsBegin gives the attempts what they use. The names in capitals are set before.
const attemptsBegin = `
import ctypes, os, pathlib, shutil, socket, subprocess, sys, fcntl
home, work = pathlib.Path(HOME), pathlib.Path(WORK)
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(*args):
    n = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    if n < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return n
def seize(other):
    # By a process that ends, which lets go of it: with a tracer that does not attend to
    # it, a thread stops at its next signal.
    pid = os.fork()
    if pid == 0:
        try: call(101, 0x4206, other, 0, 0); os._exit(0)
        except OSError as e: os._exit(e.errno)
    status = os.waitpid(pid, 0)[1]
    if status: raise OSError(os.WEXITSTATUS(status), os.strerror(os.WEXITSTATUS(status)))
def connect(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as s:
        s.settimeout(2); s.connect(address)
        if kind == socket.SOCK_DGRAM:
            s.send(b"x"); s.recv(1)
def link(to):
    path = work / "link"
    path.unlink(missing_ok=True); path.symlink_to(to)
    return path
def must(condition):
    if not condition: raise PermissionError("nothing was seen")
def secret(path): must(b"SECRET" in pathlib.Path(path).read_bytes())
`

const attemptsRun = `
import json
def attempt_all(attempts):
    results = {}
    for name, code in attempts.items():
        try: exec(code, dict(globals())); results[name] = ""
        except BaseException as e: results[name] = f"{type(e).__name__}: {e}"[:150] or "error"
    print("RESULTS" + json.dumps(results))
`

func attempts() []attemptGroup {
	return []attemptGroup{
		{"Writing outside of the working directory", []attempt{
			{name: "make a file in the home directory", code: `(home / "new").write_text("x")`},
			{name: "overwrite a file", code: `(home / "notes").write_text("x")`},
			{name: "append to `~/.bashrc`", code: `open(home / ".bashrc", "a").write("x")`},
			{name: "truncate a file", code: `os.truncate(home / "notes", 0)`},
			{name: "rename a file", code: `os.rename(home / "notes", home / "moved"); os.rename(home / "moved", home / "notes")`},
			{name: "move a file of the project out", code: `(work / "a").write_text("x"); os.rename(work / "a", home / "a")`},
			{name: "remove a file", code: `(home / "gone").unlink()`},
			{name: "make a directory", code: `(home / "dir").mkdir()`},
			{name: "change a file's mode", code: `os.chmod(home / "notes", 0o600)`, landlock: "Landlock knows no modes and times"},
			{name: "change a file's times", code: `os.utime(home / "notes")`, landlock: "Landlock knows no modes and times"},
			{name: "hard-link a file into the project, to write there", code: `os.link(home / "notes", work / "hard"); (work / "hard").write_text("x")`},
			{name: "write through a symbolic link in the project", code: `link(home / "notes").write_text("x")`},
			{name: "write through a link to a directory", code: `(link(home) / "new2").write_text("x")`},
			{name: "write by `/proc/self/root`", code: `open(f"/proc/self/root{home}/new3", "w").write("x")`},
			{name: "write by `/proc/self/cwd/..`", code: `os.chdir(work); open(f"/proc/self/cwd/../new4", "w").write("x")`},
			{name: "write by an open directory", code: `d = os.open(home, os.O_RDONLY); os.open("new5", os.O_CREAT | os.O_WRONLY, dir_fd=d)`},
			{name: "write by the guard's open files", code: `[os.open(f"/proc/{os.getppid()}/fd/{n}", os.O_RDONLY) for n in os.listdir(f"/proc/{os.getppid()}/fd")[:1]]`},
			{name: "write as a child process", code: `subprocess.run(["/bin/sh", "-c", f"echo x > {home}/new6"], check=True)`},
			{name: "write to the system's files", code: `open("/etc/mce-attempt", "w"); os.remove("/etc/mce-attempt")`, root: true},
			{name: "an open file that a program outside passes by a socket", code: `s = socket.socket(socket.AF_UNIX); s.connect(str(home / "app/passer")); os.write(socket.recv_fds(s, 1, 1)[1][0], b"x")`, landlock: "only Landlock 9 cuts off sockets with a path"},
			{name: "change a setting of the system", code: `p = "/proc/sys/kernel/hostname"; open(p, "r+").write(open(p).read())`, root: true},
			{name: "a file in `/dev/shm` that others see", code: `open(SHM, "w").write("x")`, private: "shm"},
			{name: "a file in `/tmp` that others see", code: `open(TMP, "w").write("x")`, private: "tmp"},
		}},
		{"What programs outside would run or believe", []attempt{
			{name: "a hook in `.git/hooks`", code: `(work / ".git/hooks/pre-commit").write_text("x")`, locked: true},
			{name: "`.git/config`", code: `open(work / ".git/config", "a").write("x")`, locked: true},
			{name: "another `.git` in its place", code: `os.rename(work / ".git", work / "git2"); os.rename(work / "git2", work / ".git")`, locked: true},
			{name: "`.mcp.json`", code: `(work / ".mcp.json").write_text("{}")`, locked: true},
			{name: "another `.mcp.json` in its place", code: `(work / "b").write_text("{}"); os.replace(work / "b", work / ".mcp.json")`, locked: true},
			{name: "`.vscode/tasks.json`", code: `(work / ".vscode/tasks.json").write_text("{}")`, locked: true},
			{name: "`.claude/settings.json`", code: `(work / ".claude/settings.json").write_text("{}")`, locked: true},
			{name: "another client's `opencode.json`", code: `(work / "opencode.json").write_text("{}")`, locked: true},
			{name: "`sitecustomize` in the project's environment", code: `(work / ".venv/sitecustomize.py").write_text("x")`, locked: true},
			{name: "a conda environment in the project", code: `(work / "conda/x.py").write_text("x")`, locked: true},
			{name: "its `activate.d`", code: `(work / "conda/etc/conda/activate.d/x.sh").write_text("x")`, locked: true},
			{name: "an environment deeper in the project, which conda lists", code: `(work / "envs/listed/x.py").write_text("x")`, locked: true},
			{name: "one that a setting names", code: `(work / "envs/named/x.py").write_text("x")`, locked: true},
			{name: "one that neither names", code: `(work / "envs/other/x.py").write_text("x")`, open: "environments are looked for at the top of a directory where code may write, in conda's list and in the settings"},
			{name: "a `.pth` in the kernel's environment", code: `pathlib.Path(SITE, "x.pth").write_text("x")`},
			{name: "the kernel's `python`", code: `p = pathlib.Path(PREFIX, "bin", "python"); t = os.readlink(p); p.unlink(); p.symlink_to(t)`},
			{name: "`activate.d` in the kernel's environment", code: `pathlib.Path(PREFIX, "etc/conda/activate.d").mkdir(parents=True)`},
			{name: "the launcher of other kernels", code: `open(sys.modules["mce_launch"].__file__, "a").close()`},
			{name: "`.idea` where the project has none", code: `(work / ".idea").mkdir(); (work / ".idea").rmdir()`, open: "a name can be protected only where it is there"},
			{name: "a `Makefile`, or any other file of the project", code: `(work / "Makefile").write_text("x")`, open: "the project's files are what code works on"},
		}},
		{"Secrets", []attempt{
			{name: "`~/.ssh/id_rsa`", code: `secret(home / ".ssh/id_rsa")`},
			{name: "the names in `~/.ssh`", code: `must(os.listdir(home / ".ssh"))`},
			{name: "`~/.aws/credentials`", code: `secret(home / ".aws/credentials")`},
			{name: "`~/.gnupg`", code: `secret(home / ".gnupg/key")`},
			{name: "`~/.config/gcloud`", code: `secret(home / ".config/gcloud/key")`},
			{name: "`~/.kube/config`", code: `secret(home / ".kube/config")`},
			{name: "`~/.netrc`", code: `secret(home / ".netrc")`},
			{name: "a browser's profile", code: `secret(home / ".mozilla/key")`},
			{name: "`~/.claude.json`", code: `secret(home / ".claude.json")`},
			{name: "`~/.codex/auth.json`", code: `secret(home / ".codex/auth.json")`},
			{name: "the shell's history", code: `secret(home / ".bash_history")`},
			{name: "records of other sessions", code: `must(os.listdir(home / ".local/state/mcp-code-executor"))`},
			{name: "the tokens of `mcp-code-executor serve`", code: `secret(home / ".local/state/mcp-code-executor/serve/tokens.json")`},
			{name: "a key in a directory that a variable names (`GNUPGHOME`)", code: `secret(home / "keys/key")`},
			{name: "the connection file of a kernel that a setting names", code: `secret(home / "kernel.json")`},
			{name: "what `SANDBOX_DENY` names", code: `secret(home / "denied")`},
			{name: "a key through a link in the project", code: `secret(link(home / ".ssh/id_rsa"))`},
			{name: "a key by `/proc/self/root`", code: `secret(f"/proc/self/root{home}/.ssh/id_rsa")`},
			{name: "a key by a child process", code: `must(b"SECRET" in subprocess.run(["cat", home / ".ssh/id_rsa"], check=True, capture_output=True).stdout)`},
			{name: "a variable named like a credential", code: `must(os.environ["SERVICE_TOKEN"])`},
			{name: "the server's variables", code: `must(b"SERVICE_TOKEN" in open(f"/proc/{SERVER}/environ", "rb").read())`},
			{name: "the guard's variables", code: `must(open(f"/proc/{os.getppid()}/environ", "rb").read())`},
			{name: "a file that is no secret", code: `(home / "notes").read_text()`, open: "code reads what you can read"},
		}},
		{"Network and sockets", []attempt{
			{name: "TCP to a service of this machine", code: `connect(socket.AF_INET, ("127.0.0.1", PORT))`},
			{name: "UDP", code: `connect(socket.AF_INET, ("127.0.0.1", UDP), socket.SOCK_DGRAM)`},
			{name: "a name server (DNS)", code: `connect(socket.AF_INET, (DNS, 53), socket.SOCK_DGRAM)`, root: true},
			{name: "see other programs' sockets by netlink", code: `import struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
s.settimeout(2)
s.send(struct.pack("=IHHIIBBBxI48x", 72, 20, 0x301, 1, 0, 2, 6, 0, 1 << 10))
data = s.recv(1 << 20)
while data[-20:][4:6] != b"\x03\x00" and struct.pack("!H", PORT) not in data: data += s.recv(1 << 20)
must(struct.pack("!H", PORT) in data)`, maybe: true},
			{name: "see the network interfaces", code: `must(len(socket.if_nameindex()) > 1)`},
			{name: "a raw socket", code: `socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)`, root: true},
			{name: "a packet socket", code: `socket.socket(socket.AF_PACKET, socket.SOCK_RAW)`, root: true},
			{name: "a socket to the host of a virtual machine", code: `socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)`, maybe: true},
			{name: "the session's D-Bus", code: `connect(socket.AF_UNIX, RUNTIME + "/bus")`, landlock: "only Landlock 9 cuts off sockets with a path"},
			{name: "docker in the home directory", code: `connect(socket.AF_UNIX, str(home / ".docker/run/docker.sock"))`, landlock: "only Landlock 9 cuts off sockets with a path"},
			{name: "a socket anywhere in the home directory", code: `connect(socket.AF_UNIX, str(home / "app/socket"))`, landlock: "only Landlock 9 cuts off sockets with a path"},
			{name: "a socket in `/tmp`", code: `connect(socket.AF_UNIX, TMPSOCKET)`, landlock: "only Landlock 9 cuts off sockets with a path"},
			{name: "the server of a kept session (`KEEP`)", code: `connect(socket.AF_UNIX, KEPT)`, landlock: "only Landlock 9 cuts off sockets with a path"},
			{name: "another session's kernel", code: `connect(socket.AF_UNIX, OTHER)`, landlock: "only Landlock 9 cuts off sockets with a path"},
			{name: "the names in its directory", code: `must(os.listdir(os.path.dirname(OTHER)))`},
			{name: "an abstract socket", code: `connect(socket.AF_UNIX, "\0" + ABSTRACT)`},
		}},
		{"Other processes and the system", []attempt{
			{name: "signals to the server", code: `os.kill(SERVER, 0)`},
			{name: "see the server", code: `os.stat(f"/proc/{SERVER}")`, landlock: "there is one list of processes; what is in them is closed"},
			{name: "the server's memory by `/proc/PID/mem`", code: `open(f"/proc/{SERVER}/mem", "rb").close()`},
			{name: "the guard's memory by `/proc/PID/mem`", code: `open(f"/proc/{os.getppid()}/mem", "rb").close()`},
			{name: "ptrace of the server", code: `seize(SERVER)`, amd64: true},
			{name: "ptrace of the guard", code: `seize(os.getppid())`, amd64: true},
			{name: "process_vm_readv", code: `b = ctypes.create_string_buffer(8); v = (ctypes.c_size_t * 2)(ctypes.addressof(b), 8); r = (ctypes.c_size_t * 2)(id(b), 8); call(310, os.getpid(), v, 1, r, 1, 0)`, amd64: true},
			{name: "files of another process (pidfd_getfd)", code: `f = call(434, os.getpid(), 0); call(438, f, 1, 0)`, amd64: true},
			{name: "io_uring", code: `call(425, 4, ctypes.create_string_buffer(256))`, amd64: true},
			{name: "keyrings (keyctl)", code: `call(250, 0, -3, 1)`, amd64: true},
			{name: "add_key", code: `call(248, b"user", b"mce-attempt", b"x", 1, -2)`, amd64: true},
			{name: "bpf", code: `call(321, 0, (ctypes.c_uint32 * 32)(2, 4, 4, 1), 128)`, root: true, amd64: true},
			{name: "perf_event_open", code: `a = (ctypes.c_uint32 * 32)(1, 128); call(298, a, 0, -1, -1, 0)`, root: true, amd64: true},
			{name: "userfaultfd", code: `call(323, 0)`, root: true, amd64: true},
			{name: "mount", code: `(work / "mnt").mkdir(exist_ok=True); call(165, b"none", str(work / "mnt").encode(), b"tmpfs", 0, None); call(166, str(work / "mnt").encode(), 0)`, root: true, amd64: true},
			{name: "the new calls for mounts (fsopen)", code: `call(430, b"tmpfs", 0)`, root: true, amd64: true},
			{name: "a user namespace of its own", code: `subprocess.run(["unshare", "-Ur", "true"], check=True)`},
			{name: "chroot", code: `pid = os.fork()
if pid == 0:
    try: os.chroot(str(work)); os._exit(0)
    except OSError: os._exit(1)
must(os.waitpid(pid, 0)[1] == 0)`, root: true},
			{name: "files by handle, past all mounts", code: `h = (ctypes.c_uint32 * 64)(128); m = ctypes.c_int(); call(303, -100, b"/etc/hostname", h, ctypes.byref(m), 0)`, amd64: true},
			{name: "privileges of a setuid program", code: `must(libc.prctl(39, 0, 0, 0, 0) == 0)`},
			{name: "capabilities", code: `must(int(next(l for l in open("/proc/self/status") if l.startswith("CapEff")).split()[1], 16))`, root: true},
			{name: "leave its control group", code: `import contextlib
moved = 0
for line in open("/proc/self/cgroup"):
    _, controllers, path = line.strip().split(":", 2)
    for root in [f"/sys/fs/cgroup/{controllers}{path}", f"/sys/fs/cgroup/unified{path}"]:
        with contextlib.suppress(OSError):
            with open(f"{root}/cgroup.procs", "w") as f: moved += f.write(str(os.getpid()))
must(moved)`, root: true, maybe: true},
			{name: "another host name", code: `socket.sethostname(socket.gethostname())`, root: true},
			{name: "device files of disks", code: `must([n for n in os.listdir("/dev") if n.startswith(("vd", "sd", "nvme", "loop", "ram", "mem", "kmsg"))])`},
		}},
		{"Taking the whole machine", []attempt{
			{name: "one file that fills the disk", code: `
with open(work / "large", "wb") as f:
    for _ in range(20): f.write(bytes(1 << 20))`, limit: "FILE_SIZE_LIMIT"},
			{name: "many files that fill it", code: `
for i in range(20): (work / f"part{i}").write_bytes(bytes(1 << 20))
for i in range(20): (work / f"part{i}").unlink()`, open: "no limit is on all files together"},
			{name: "all memory", code: `bytearray(600 << 20)`, limit: "MEMORY_LIMIT"},
			{name: "a fork bomb", code: `import time
ps = []
try:
    for _ in range(60): ps.append(subprocess.Popen(["sleep", "60"]))
    end = time.monotonic() + 8
    while time.monotonic() < end: time.sleep(0.1) # the interrupt must not strike the next attempt
    must(all(p.poll() is None for p in ps))
finally:
    for p in ps: p.kill(); p.wait()`, limit: "PROCESS_LIMIT"},
			{name: "more processors than are allowed", code: `
os.sched_setaffinity(0, range(os.cpu_count()))
must(len(os.sched_getaffinity(0)) >= min(2, os.cpu_count()))`, limit: "CPU_LIMIT"},
		}},
	}
}

// stage is where attempts are made: a home with secrets, a project, sockets.
type stage struct {
	home, work, runtime string
	names               map[string]any
	settings            []string
}

func newStage(t *testing.T) *stage {
	s := &stage{home: t.TempDir(), runtime: filepath.Join(t.TempDir(), "r")}
	s.work = filepath.Join(s.home, "project")
	files := map[string]string{"notes": "n", "gone": "g", ".bashrc": "", "denied": "SECRET", "project/.git/hooks/sample": "", "project/.git/config": "", "project/.mcp.json": "{}",
		"project/.vscode/tasks.json": "{}", "project/.claude/settings.json": "{}", "project/.venv/pyvenv.cfg": "", "app/x": "", "passed": "",
		"project/conda/conda-meta/history": "", "project/conda/etc/conda/activate.d/a.sh": "", "project/envs/listed/conda-meta/history": "", "project/envs/named/conda-meta/history": "", "project/envs/other/conda-meta/history": "", "project/opencode.json": "{}",
		".conda/environments.txt": filepath.Join(s.work, "envs/listed") + "\n", ".local/state/mcp-code-executor/serve/tokens.json": "SECRET"}
	for _, name := range []string{".ssh/id_rsa", ".aws/credentials", ".gnupg/key", ".config/gcloud/key", ".kube/config", ".netrc", ".mozilla/key", ".claude.json", ".codex/auth.json", ".bash_history", "keys/key", "kernel.json"} {
		files[name] = "SECRET"
	}
	absolute := map[string]string{filepath.Join(s.runtime, "x"): "", filepath.Join(s.home, ".docker/run/x"): ""}
	for name, text := range files {
		absolute[filepath.Join(s.home, name)] = text
	}
	write(t, absolute)
	env, settings := makeEnv(t, "venv-uv")
	site, err := filepath.Glob(filepath.Join(env, "lib", "python*", "site-packages"))
	if err != nil || len(site) != 1 {
		t.Fatal(site, err)
	}
	port := listenAt(t, "tcp", "127.0.0.1:0").(*net.TCPAddr).Port
	shm, err := os.MkdirTemp("/dev/shm", "mce-attempt-")
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(shm)
	t.Cleanup(func() { os.Remove(shm) })
	tmp := filepath.Join(os.TempDir(), filepath.Base(shm))
	t.Cleanup(func() { os.Remove(tmp); os.Remove(tmp + "-s") })
	listenAt(t, "unix", filepath.Join(s.runtime, "bus"))
	listenAt(t, "unix", filepath.Join(s.home, ".docker/run/docker.sock"))
	listenAt(t, "unix", filepath.Join(s.home, "app/socket"))
	listenAt(t, "unix", tmp+"-s")
	listenAt(t, "unix", "@"+filepath.Base(shm))
	passFile(t, filepath.Join(s.home, "app/passer"), filepath.Join(s.home, "passed"))
	names := fmt.Sprintf("127.53.%d.%d", port>>8, port&255) // nobody else's
	if os.Geteuid() == 0 {
		echo(t, names+":53")
	}
	s.names = map[string]any{"DNS": names, "HOME": s.home, "WORK": s.work, "PREFIX": env, "SITE": site[0], "PORT": port, "UDP": echo(t, "127.0.0.1:0"), "RUNTIME": s.runtime, "KEPT": keptSocket(t),
		"SHM": shm, "TMP": tmp, "TMPSOCKET": tmp + "-s", "ABSTRACT": filepath.Base(shm)}
	s.settings = append(settings, readsKernel(t), "HOME="+s.home, "WORK_DIR="+s.work, "XDG_RUNTIME_DIR="+s.runtime, "SERVICE_TOKEN=t0ken", "CONDA_ENV_NAME="+filepath.Join(s.work, "envs/named"), "GNUPGHOME="+filepath.Join(s.home, "keys"), "CONNECTION_FILE="+filepath.Join(s.home, "kernel.json"), "SANDBOX_DENY="+filepath.Join(s.home, "denied"))
	return s
}

// listenAt accepts connections until the test ends.
func listenAt(t *testing.T, network, address string) net.Addr {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return l.Addr()
}

// passFile hands the open file at path to who connects to a socket.
func passFile(t *testing.T, socket, path string) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); file.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.(*net.UnixConn).WriteMsgUnix([]byte("x"), unix.UnixRights(int(file.Fd())), nil)
			c.Close()
		}
	}()
}

// keptSocket is the socket of a server that outlives its client.
func keptSocket(t *testing.T) string {
	t.Helper()
	k := newKeeper(t)
	k.client()
	servers := k.servers()
	if len(servers) != 1 {
		t.Fatalf("%+v", servers)
	}
	return servers[0].Socket
}

// echo answers what comes to a UDP port, which it returns.
func echo(t *testing.T, address string) int {
	t.Helper()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		buf := make([]byte, 8)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			c.WriteTo(buf[:n], from)
		}
	}()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// try makes all attempts in a server with these settings, and returns what came of each:
// "" where it worked.
func (s *stage) try(t *testing.T, settings ...string) map[string]string {
	t.Helper()
	return s.tryIn(t, launch(t, append(s.settings, settings...)...))
}

// stageLimits are the limits beside the sandbox.
func stageLimits() []string {
	return []string{"FILE_SIZE_LIMIT=16MiB", "MEMORY_LIMIT=512MiB", "PROCESS_LIMIT=40", "CPU_LIMIT=1"}
}

// withoutBubblewrap is a command for [launchMounted].
const withoutBubblewrap = "for f in /usr/bin/bwrap /bin/bwrap /usr/local/bin/bwrap; do if [ -f $f ]; then mount --bind /dev/null $f; fi; done"

// tryLandlock is try where there is no bubblewrap.
func (s *stage) tryLandlock(t *testing.T, settings ...string) map[string]string {
	t.Helper()
	return s.tryIn(t, launchMounted(t, withoutBubblewrap, slices.Concat(s.settings, stageLimits(), []string{"SANDBOX=workspace", "SANDBOX_ALLOW_PARTIAL=on"}, settings)...))
}

func (s *stage) tryIn(t *testing.T, p *program) map[string]string {
	t.Helper()
	s.names["SERVER"] = p.cmd.Process.Pid
	other := p.call("execute_code", args{"session": "other", "code": "from ipykernel.kernelapp import IPKernelApp as App\nprint(f'{App.instance().ip}-{App.instance().shell_port}')"}).rest()
	s.names["OTHER"] = strings.TrimSpace(other[strings.LastIndex(strings.TrimSpace(other), "\n")+1:])
	code := map[string]string{}
	paths := map[string]string{"shm": s.names["SHM"].(string), "tmp": s.names["TMP"].(string)}
	for _, g := range attempts() {
		for _, a := range g.attempts {
			if (!a.root || os.Geteuid() == 0) && (!a.amd64 || runtime.GOARCH == "amd64") {
				code[a.name] = a.code
			}
		}
	}
	var set strings.Builder
	for name, value := range s.names {
		fmt.Fprintf(&set, "%s = %s\n", name, jsonOf(t, value))
	}
	// The attempts go in a file: a call's code would be in the way of the answers.
	write(t, map[string]string{filepath.Join(s.work, "attempts.json"): jsonOf(t, code)})
	p.run(set.String() + attemptsBegin + attemptsRun)
	r := p.run(fmt.Sprintf("attempt_all(json.load(open(%s)))", jsonOf(t, filepath.Join(s.work, "attempts.json"))))
	_, text, _ := strings.Cut(r.text(), "RESULTS")
	results := map[string]string{}
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&results); err != nil {
		t.Fatalf("%v:\n%s", err, r.text())
	}
	for _, g := range attempts() {
		for _, a := range g.attempts {
			if path := paths[a.private]; path != "" && results[a.name] == "" {
				if _, err := os.Stat(path); err != nil {
					results[a.name] = "private: nobody else sees it"
				}
			}
		}
	}
	return results
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// needsBubblewrap leaves the test out where no sandbox can be made.
func needsBubblewrap(t *testing.T) {
	t.Helper()
	program, err := confine.Find(nil, nil)
	if err == nil {
		err = exec.Command(program, "--unshare-user", "--disable-userns", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true").Run()
	}
	if err != nil {
		testneeds.Skip(t, testneeds.Bubblewrap, err.Error())
	}
}

const sandboxPage = "../../docs/sandbox.md"

// needsLandlock leaves the test out where the system has none, or an old one.
func needsLandlock(t *testing.T) {
	t.Helper()
	if abi := confine.LandlockABI(); abi < 6 || abi >= confine.WholeABI {
		testneeds.Skip(t, testneeds.Landlock, fmt.Sprintf("its version here is %d", abi))
	}
}

// TestSandboxAttempts: each attempt of the table in docs/sandbox.md works without a
// sandbox, and is stopped in one unless the table says otherwise. -update writes it.
func TestSandboxAttempts(t *testing.T) {
	t.Parallel()
	needsBubblewrap(t)
	open := newStage(t).try(t)
	confined := newStage(t).try(t, append(stageLimits(), "SANDBOX=workspace")...)
	eachAttempt(func(a attempt) {
		without, tried := open[a.name]
		if !tried {
			return
		}
		if without != "" && !a.maybe {
			t.Errorf("%s: does not work without a sandbox either: %s", a.name, without)
		}
		if stopped := confined[a.name] != ""; stopped != (a.open == "") {
			t.Errorf("%s: stopped %v, with %q", a.name, stopped, confined[a.name])
		}
	})
	page, err := os.ReadFile(sandboxPage)
	if err != nil {
		t.Fatal(err)
	}
	want := withTable(page, attemptsTable())
	if *update {
		if err := os.WriteFile(sandboxPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(page, want) {
		t.Errorf("%s is not current: go test -run %s -update ./cmd/mcp-code-executor writes it", sandboxPage, t.Name())
	}
}

// TestLandlockAttempts: each attempt of the table where Landlock takes bubblewrap's place.
// In a project that can be written to, all are as the table says; in one that holds
// protected names, what would change these is stopped.
func TestLandlockAttempts(t *testing.T) {
	t.Parallel()
	needsLandlock(t)
	writable := newStage(t)
	results := writable.tryLandlock(t, "SANDBOX_WRITE="+writable.work)
	locked := newStage(t).tryLandlock(t)
	eachAttempt(func(a attempt) {
		result, tried := results[a.name]
		if !tried {
			return
		}
		if stopped := result != ""; stopped != (a.open == "" && a.landlock == "" && !a.locked) && !a.maybe {
			t.Errorf("%s: stopped %v, with %q", a.name, stopped, result)
		}
		if a.locked && locked[a.name] == "" {
			t.Errorf("%s: not stopped in a directory that can only be read", a.name)
		}
	})
}

func eachAttempt(visit func(attempt)) {
	for _, g := range attempts() {
		for _, a := range g.attempts {
			visit(a)
		}
	}
}

// attemptsTable is the table of the page.
func attemptsTable() string {
	var b strings.Builder
	for _, g := range attempts() {
		fmt.Fprintf(&b, "\n| %s | bubblewrap | Landlock |\n|---|---|---|\n", g.title)
		for _, a := range g.attempts {
			result, landlock := "stopped", "stopped"
			switch {
			case a.open != "":
				result = "**not stopped**: " + a.open
				landlock = result
			case a.private != "":
				result = "stopped: it is a directory of the sandbox's own"
			case a.limit != "":
				result = "stopped with `" + a.limit + "`"
				landlock = result
			}
			switch {
			case a.landlock != "":
				landlock = "**not stopped**: " + a.landlock
			case a.locked:
				landlock = "stopped: the directory can only be read. **Not stopped** where `SANDBOX_WRITE` names it"
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", a.name, result, landlock)
		}
	}
	b.WriteString("\n| What the server does for code | bubblewrap | Landlock |\n|---|---|---|\n")
	for _, d := range deeds() {
		landlock := "stopped"
		if d.landlock != "" {
			landlock = "**not stopped**: " + d.landlock
		}
		fmt.Fprintf(&b, "| %s | stopped | %s |\n", d.name, landlock)
	}
	return b.String()
}

// withTable is the page with its table replaced.
func withTable(page []byte, table string) []byte {
	const begin, end = "<!-- attempts -->\n", "\n<!-- end of attempts -->"
	before, rest, _ := bytes.Cut(page, []byte(begin))
	_, after, _ := bytes.Cut(rest, []byte(end))
	return []byte(string(before) + begin + table + end + string(after))
}
