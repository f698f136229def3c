"""Other MCP servers that run Python, from PyPI, against this one: each in an environment of its
own, over stdio with its defaults, by its own tool that runs code."""

import contextlib
import json
import os
import select
import statistics
import subprocess
import time
from importlib import metadata
from pathlib import Path

from gateway import TOKEN, jupyter_server
from server import Client, Server
from warm import ratio

CODE = "print(1+1)"  # the answer of one has only what is printed
PAIRS = 100
SECONDS = 60  # then fewer pairs have to do
PATIENCE = 120  # seconds for any answer
ROOT = Path(__file__).parents[2]

# Name on PyPI: the arguments after its program's name, its tool, the name of the code's argument.
PEERS = {
    "ipybox": (["--workspace", "{place}"], "execute_ipython_cell", "code"),
    "jupyter-mcp-server": ([], "execute_code", "code"),
    "posit-mcp-repl": (["--interpreter", "python"], "repl", "input"),
    "mcp-console": (["serve", "-c", "python={venv}"], "send", "python"),
    "mcp-python-interpreter": (["--dir", "{place}"], "run_python_code", "code"),
}


def measure(command, venv, place, rows):
    """Gives the rows of each peer; one that cannot be had or fails is a row with the reason."""
    for name, (arguments, tool, argument) in PEERS.items():
        own = ROOT / ".cache" / "peers" / name
        here = place / name
        here.mkdir()
        try:
            install(name)
            line = [str(own / "bin" / name), *(a.format(place=here, venv=venv) for a in arguments)]
            with Server(command, venv, place / f"beside-{name}") as server, needs(name, here) as variables:
                with Peer(line, here, variables) as peer:
                    started(name, version(own, name), peer, rows)
                    pairs(server, peer, (tool, argument), rows)
        except (RuntimeError, OSError) as e:
            rows.told(name, f"not measured: {e}{last_words(here)}")


def last_words(place):
    """The last line of what a peer wrote on its stderr."""
    log = place / "stderr"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    said = [line.strip(" |") for line in lines if any(c.isalpha() for c in line)]
    return f"; it says: {said[-1][:200].replace(str(ROOT), '').replace(str(place), '')}" if said else ""


def install(name):
    made = subprocess.run([ROOT / "testdata/environments.sh", f"peers/{name}"], capture_output=True, text=True)
    if made.returncode:
        raise RuntimeError(f"not installed: {made.stderr.strip().splitlines()[-2:]}")


def version(own, name):
    """What is installed there."""
    found = next(metadata.distributions(name=name, path=[str(p) for p in own.glob("lib/python*/site-packages")]), None)
    return found.version if found else "?"


@contextlib.contextmanager
def needs(name, place):
    """The variables that a peer cannot do without, and what they name."""
    if name != "jupyter-mcp-server":
        yield {}
        return
    with jupyter_server(ROOT / ".cache/jupyter/bin/python", place / "jupyter") as port:
        yield {"JUPYTER_URL": f"http://127.0.0.1:{port}", "JUPYTER_TOKEN": TOKEN}


class Peer(Client):
    """A peer that runs, in a with statement. A peer may send notifications: they are passed over."""

    def __init__(self, line, place, variables):
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(place), "LANG": "C.UTF-8", **variables}
        self.got = b""
        self.begun = time.perf_counter()
        with open(place / "stderr", "wb") as log:
            self.process = subprocess.Popen(
                line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=env, cwd=place, bufsize=0, process_group=0
            )
        self.pid = self.process.pid
        try:
            self.greet(self.process.stdin.fileno(), self.process.stdout.fileno())
        except BaseException:
            self.__exit__()
            raise
        self.ready -= self.begun

    def exchange(self, line):
        self.send(line)
        while True:
            while b"\n" not in self.got:
                if not select.select([self.into], [], [], PATIENCE)[0]:
                    raise RuntimeError("it does not answer")
                more = os.read(self.into, 1 << 20)
                if not more:
                    raise RuntimeError("it has ended")
                self.got += more
            one, _, self.got = self.got.partition(b"\n")
            if "id" in (message := json.loads(one)) and "method" not in message:
                return one

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """It ends on EOF; what does not, with its children, is killed."""
        self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, 9)
        self.process.wait()
        self.process.stdout.close()


def started(name, number, peer, rows):
    rows.row(f"{name} {number}, start to the initialize reply", peer.ready * 1e3, "ms")


def pairs(server, peer, way, rows):
    """The rows of a first call, and of warm ones in turns with the server."""
    tool, argument = way

    def call(client):
        """Seconds of a call, and whether its answer has what was printed."""
        mine = {"name": "execute_code", "arguments": {"code": CODE}} if client is server else {"name": tool, "arguments": {argument: CODE}}
        prepared = client.prepare("tools/call", **mine)
        begun = time.perf_counter()
        got = client.exchange(prepared)
        took = time.perf_counter() - begun
        answer = json.loads(got)
        if "error" in answer or answer["result"].get("isError"):
            raise RuntimeError(f"its tool says {got[:200]!r}")
        return took, "2" in "".join(block.get("text", "") for block in answer["result"]["content"]).splitlines()[-1:]

    first, _ = call(peer)
    rows.row("  first call", first * 1e3, "ms")
    for client in (server, peer) * 3:
        call(client)
    took, lacking, until = {server: [], peer: []}, 0, time.monotonic() + SECONDS
    while len(took[peer]) < PAIRS and time.monotonic() < until:
        for client in (server, peer) if len(took[peer]) % 2 else (peer, server):
            seconds, whole = call(client)
            took[client].append(seconds)
            lacking += client is peer and not whole
    middle, least, most = ratio(took[peer], took[server])
    rows.row(f"  warm call, median of {len(took[peer])}", statistics.median(took[peer]) * 1e3, "ms")
    rows.row("  to this server's, median of the pairs", middle, "")
    rows.told("  95 % confidence interval", f"{least:.2f} to {most:.2f}")
    if lacking:
        rows.told("  answers without what was printed", f"{lacking} of {len(took[peer])}")
