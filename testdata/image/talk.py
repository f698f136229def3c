"""Holds conversations over stdin with containers of the images: talk.py IMAGE SLIM."""
import json
import os
import subprocess
import sys
import time

# Of the engine: they change nothing where there is systemd, and work without.
ENGINE = ["podman", "--runtime", "runc", "--cgroup-manager=cgroupfs"]
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]
HARDENED = ["--read-only", "--tmpfs", "/tmp", "--cap-drop=all", "--security-opt", "no-new-privileges",
            "--memory", "512m", "--pids-limit", "100", "--network", "none"]
OFFLINE = ["--network", "none"]
failures = []


def check(name, good, found=None, shown=""):
    """Reports; found is what was judged, shown what to tell when it was good."""
    print("%-4s %s %s" % ("ok" if good else "FAIL", name, shown if good else "found %r" % (found,)), flush=True)
    if not good:
        failures.append(name)


class Server:
    """One container, driven as a client drives the server."""
    count = 0

    def __init__(self, image, *flags):
        Server.count += 1
        self.name = "mce-test-%d-%d" % (os.getpid(), Server.count)
        self.talk("run", "-i", "--rm", "--name", self.name, *LIMITS, *flags, image)

    def talk(self, *argv):
        """Starts the engine with these arguments, as a client does, and shakes hands."""
        self.begun, self.last = time.monotonic(), 0
        self.process = subprocess.Popen(ENGINE + list(argv),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.request("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "image", "version": "1"})
        self.send(method="notifications/initialized")

    def since(self):
        return time.monotonic() - self.begun

    def send(self, **message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def request(self, method, **params):
        self.last += 1
        self.send(id=self.last, method=method, params=params)
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("id") == self.last:
                return message["result"]
        sys.exit("the container ended: " + self.process.stderr.read())

    def call(self, tool, **arguments):
        return self.request("tools/call", name=tool, arguments=arguments)

    def run(self, code, **arguments):
        return text(self.call("execute_code", code=code, **arguments))

    def inside(self, *argv):
        return subprocess.run(ENGINE + ["exec", self.name, *argv], capture_output=True, text=True).stdout

    def end(self):
        """Closes stdin and returns how long the container then lived."""
        begun = time.monotonic()
        self.process.stdin.close()
        self.process.wait(60)
        took = time.monotonic() - begun
        left = subprocess.run(ENGINE + ["ps", "-aq", "--filter", "name=" + self.name], capture_output=True, text=True).stdout
        return took, left


class Exec(Server):
    """A server in a container that is there already."""
    def __init__(self, name):
        self.name = name
        self.talk("exec", "-i", name, "mcp-code-executor")


def text(result):
    return "".join(c.get("text", "") for c in result["content"])


def conversation(image, name, *flags):
    """State over three calls, a plot, packages, and the end with the client."""
    s = Server(image, *flags)
    answered = s.since()
    answer = s.run("x = 41\nx")
    ready = s.since()
    check(name + ": first call", "Out[1]: 41" in answer, answer, "handshake %.2f s, answer %.2f s after the start" % (answered, ready))
    s.run("import pandas as pd; frame = pd.DataFrame({'a': [x, x + 1]})")
    answer = s.run("print(frame.a.sum())")
    check(name + ": state at the third call", "83" in answer, answer)
    plot = s.call("execute_code", code="import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]); plt.show()")
    check(name + ": plot", any(c.get("mimeType") == "image/png" for c in plot["content"]), text(plot))
    answer = text(s.call("check_installed_packages", packages=["numpy", "pandas", "matplotlib", "ipykernel", "six-absent"]))
    check(name + ": packages", json.loads(answer)["not_installed"] == ["six-absent"], answer)
    s.call("initialize_code_file", filename="kept.py", content="print('from a file')\n")
    answer = text(s.call("execute_code_file", file_path="kept.py"))
    check(name + ": a code file", "from a file" in answer, answer)
    answer = s.run("import os; print(os.getuid() == 0, os.getcwd())")
    check(name + ": is not root", "False /data/code" in answer, answer)
    took, left = s.end()
    check(name + ": ends with stdin", took < 2 and not left, (took, left), "%.2f s" % took)
    return ready


def slim(image):
    """The image without data libraries: state, another user, and a package on top."""
    for name, flags in ("slim", HARDENED), ("slim, another user", HARDENED + ["--user", "4321:4321"]):
        s = Server(image, *flags)
        s.run("x = 41")
        answer = s.run("print(x + 1)")
        check(name + ": state", "42" in answer, answer, "%.2f s after the start" % s.since())
        answer = text(s.call("check_installed_packages", packages=["ipykernel", "numpy", "pandas", "matplotlib"]))
        check(name + ": packages", json.loads(answer)["not_installed"] == ["numpy", "pandas", "matplotlib"], answer)
        took, left = s.end()
        check(name + ": ends with stdin", took < 2 and not left, (took, left), "%.2f s" % took)
    installs(image)


def installs(image):
    s = Server(image, "--network", "host")
    answer = s.call("install_dependencies", packages=["six"], wait_seconds=60)
    check("installs", not answer.get("isError") and "six" in s.run("import six; print(six.__name__)"), text(answer))
    s.end()


def processes(s):
    """Names and states of the container's processes."""
    found = []
    for line in s.inside("sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null").splitlines():
        name, rest = line.split("(", 1)[1].rsplit(")", 1)
        found.append(name + " " + rest.split()[0])
    return [p for p in found if not p.startswith(("cat ", "sh "))]


def signals(image):
    for signal in "TERM", "INT":
        s = Server(image, *HARDENED)
        s.run("while True: pass", wait_seconds=0.5)
        begun = time.monotonic()
        subprocess.run(ENGINE + ["kill", "-s", signal, s.name], capture_output=True)
        s.process.wait(60)
        took = time.monotonic() - begun
        check("ends at SIG" + signal, took < 2, took, "%.2f s with the engine's own time" % took)


def memory(image):
    s = Server(image, *HARDENED)
    s.run("x = 1")
    died = s.run("b = [bytearray(b'x' * (64 << 20)) for _ in range(40)]")
    check("out of memory", "out of memory" in died.lower() or "memory limit" in died.lower(), died, died.splitlines()[0])
    answer = s.run("print(1 + 1)")
    check("alive afterwards", "\n2" in answer, answer)
    s.end()


def first_process(image):
    """The server is process 1: what is orphaned becomes its child."""
    s = Server(image, *HARDENED)
    s.run("import os, subprocess\nfor _ in range(20): subprocess.Popen('setsid sleep 1000 & setsid sleep 0.1 &', shell=True)")
    s.call("stop_session")
    left = processes(s)
    check("nothing left of a session", left == ["mcp-code-execut S"], left)
    s.run("import os, subprocess\nsubprocess.Popen(['sleep', '1000'], start_new_session=True)\nos.kill(os.getppid(), 9)", wait_seconds=5)
    answer = s.run("print('next')")
    left = [p for p in processes(s) if p.startswith("sleep") or p.endswith("Z")]
    check("adopts what a lost guard leaves", not left and "next" in answer, (left, answer))
    s.inside("sh", "-c", "setsid sleep 0.2 & exit 0")
    time.sleep(0.5)
    s.run("1")
    left = [p for p in processes(s) if p.startswith("sleep") or p.endswith("Z")]
    check("reaps what an exec leaves", not left, left)
    took, _ = s.end()
    check("ends after all that", took < 2, took, "%.2f s" % took)


def kept(image):
    """A container that stays, and clients that come into it: two execs, one state."""
    name = "mce-test-%d-kept" % os.getpid()
    subprocess.run(ENGINE + ["run", "-d", "--rm", "--name", name] + LIMITS + HARDENED + ["-e", "KEEP=1h", image, "keep"], check=True, capture_output=True)
    first = Exec(name)
    first.run("x = 41")
    first.process.kill()
    first.process.wait(60)
    second = Exec(name)
    answer = second.run("x + 1")
    check("kept: two execs, one state", "]: 42" in answer and 'session "default" was kept: generation 1' in answer, answer)
    shown = second.inside("mcp-code-executor", "ps")
    check("kept: ps", "session       default | " in shown, shown)
    begun = time.monotonic()
    subprocess.run(ENGINE + ["stop", name], capture_output=True)
    took = time.monotonic() - begun
    check("kept: ends with the container", took < 5 and second.process.wait(60) != 0, took, "%.2f s" % took)
    s = Server(image, *HARDENED, "-e", "KEEP=1h")
    answer = text(s.call("list_sessions"))
    check("kept: not by the first process", "docker run -d -e KEEP=8h" in answer and "docker exec -i" in answer, answer)
    s.end()


def main(image, slim_image):
    times = [conversation(image, "plain", *OFFLINE), conversation(image, "hardened", *HARDENED),
             conversation(image, "another user", *HARDENED, "--user", "4321:4321")]
    while min(times) > 2 and len(times) < 10:  # what else the machine does only adds
        s = Server(image, *HARDENED)
        s.run("1")
        times.append(s.since())
        s.end()
    check("ready within 2 s", min(times) < 2, times, ", ".join("%.2f" % t for t in times))
    doctor = subprocess.run(ENGINE + ["run", "-i", "--rm"] + LIMITS + HARDENED + [image, "doctor", "--json"], capture_output=True, text=True)
    check("doctor", doctor.returncode == 0, doctor.stdout + doctor.stderr, "%s s" % json.loads(doctor.stdout or "{}").get("seconds"))
    signals(image)
    memory(image)
    first_process(image)
    kept(image)
    installs(image)
    slim(slim_image)
    if failures:
        sys.exit("failed: " + ", ".join(failures))


main(*sys.argv[1:])
