"""The server under test, driven over stdio by the smallest client there can be:
a prepared line out, a line in."""

import json
import os
import select
import subprocess
import threading
import time
from pathlib import Path

PATIENCE = 120  # seconds for any answer


class Client:
    """A connection to a server: the descriptors out and into, and a number for each request."""

    def greet(self, out, into):
        self.out, self.into, self.next = out, into, 0
        client = {"name": "bench", "version": "1"}
        self.request("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=client)
        self.ready = time.perf_counter()
        self.send(self.line({"jsonrpc": "2.0", "method": "notifications/initialized"}))

    def line(self, message):
        """A message as the bytes to send."""
        return json.dumps(message).encode() + b"\n"

    def prepare(self, method, **params):
        """A request as the bytes to send; they are sent in the order they were prepared."""
        self.next += 1
        return self.line({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params})

    def prepare_call(self, code, **arguments):
        return self.prepare("tools/call", name="execute_code", arguments={"code": code, **arguments})

    def send(self, line):
        while line:
            line = line[os.write(self.out, line) :]

    def exchange(self, line):
        """Sends a line and returns the next one that comes: nothing but replies
        comes as long as no request asks for progress."""
        self.send(line)
        got = os.read(self.into, 1 << 20)
        while not got.endswith(b"\n"):
            if not got or not select.select([self.into], [], [], PATIENCE)[0]:
                raise RuntimeError("the server ended or does not answer")
            got += os.read(self.into, 1 << 20)
        return got

    def request(self, method, **params):
        reply = json.loads(self.exchange(self.prepare(method, **params)))
        if "error" in reply or reply["id"] != self.next:
            raise RuntimeError(f"{method}: {reply}")
        return reply["result"]

    def run(self, code, outcome="ok", **arguments):
        """Runs code and returns the answer's text."""
        result = self.request("tools/call", name="execute_code", arguments={"code": code, **arguments})
        text = "".join(block.get("text", "") for block in result["content"])
        if not text.startswith(f"[{outcome} | "):
            raise RuntimeError(f"{code}: {text[:1000]}")
        return text


def variables(venv, place, **more):
    """The environment of a server."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(place),
        "XDG_STATE_HOME": str(place / "state"),
        "CODE_STORAGE_DIR": str(place / "code"),
        "ENV_TYPE": "venv",
        "VENV_PATH": str(venv),
        **more,
    }


class Server(Client):
    """A running server. Use it in a with statement: it ends the process."""

    def __init__(self, command, venv, place, **more):
        place.mkdir(parents=True, exist_ok=True)
        begun = time.perf_counter()
        self.process = subprocess.Popen([command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables(venv, place, **more), bufsize=0)
        self.pid = self.process.pid
        self.greet(self.process.stdin.fileno(), self.process.stdout.fileno())
        self.ready -= begun

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self, signal=None):
        """Ends the server by EOF or by a signal and returns how long that took."""
        begun = time.perf_counter()
        if signal is None:
            self.process.stdin.close()
        else:
            self.process.send_signal(signal)
        patience = threading.Timer(PATIENCE, self.process.kill)
        patience.start()
        try:
            self.process.wait()  # with a timeout it would look again and again, ever more seldom
        finally:
            patience.cancel()
            self.process.kill()
            self.process.stdin.close()
            self.process.stdout.close()
        return time.perf_counter() - begun


def children(pid):
    """The processes whose parent is pid (Linux)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue  # gone meanwhile
        if int(text.rpartition(")")[2].split()[1]) == pid:
            found.append(int(stat.parent.name))
    return found
