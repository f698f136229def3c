"""A line front and the background server behind it (KEEP): what it adds to a call, its
memory, its start."""

import json
import socket
import statistics
import struct
import subprocess
import time

from life import mapped
from server import Client, Server, variables
from warm import CODE, interval

STARTS = 20
FRONTS = 5
PAIRS = 2000
KEEP = {"KEEP": "10m"}


class Keeping(Server):
    """A server whose sessions are kept; the process is the front."""

    def __init__(self, command, venv, place):
        super().__init__(command, venv, place, **KEEP)


class Straight(Client):
    """A client of the background server without a front: it says to the server's socket
    what a front says, in frames made beforehand."""

    def __init__(self, command, venv, place):
        own = variables(venv, place, **KEEP)
        (server,) = json.loads(subprocess.run([command, "ps", "--json"], env=own, check=True, stdout=subprocess.PIPE).stdout)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(server["socket"])
        hello = {"protocol": server["protocol"], "kind": "front", "version": server["version"], "environ": [f"{k}={v}" for k, v in own.items()]}
        self.socket.sendall(json.dumps(hello).encode() + b"\n")
        greeting = b""
        while not greeting.endswith(b"\n"):
            greeting += self.socket.recv(1)
        if "refused" in json.loads(greeting):
            raise RuntimeError(greeting.decode())
        self.has = self.told = 0
        self.greet(self.socket.fileno(), self.socket.fileno())

    def line(self, message):
        line = super().line(message)
        return b"d" + struct.pack(">I", len(line)) + line

    def exchange(self, line):
        got = super().exchange(line)
        self.has += len(got)
        return got

    def tell(self):
        """Tells the server what has come, as a front does a moment after an answer."""
        if self.has > self.told:
            self.send(b"h" + struct.pack(">IQ", 8, self.has))
            self.told = self.has


def stop(command, place):
    """Ends the background server; its key is by the place alone."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(place), "XDG_STATE_HOME": str(place / "state")}
    subprocess.run([command, "stop", "--all", "--yes"], env=env, check=True, stdout=subprocess.DEVNULL)


def overhead(command, venv, place):
    """Medians in seconds of a warm call without a front, and of what a front adds to
    it, with the bounds of that one's 95 % confidence interval. Both go to one session
    of one background server, in pairs that take turns in who is first: two kernels
    differ by more than a front takes."""
    alone, added = [], []
    try:
        with Keeping(command, venv, place) as kept:
            straight = Straight(command, venv, place)
            for number in range(-100, PAIRS):
                took = {}
                for client in (straight, kept) if number % 2 else (kept, straight):
                    prepared = client.prepare_call(CODE, session="shared")
                    begun = time.perf_counter()
                    answer = client.exchange(prepared)
                    took[client] = time.perf_counter() - begun
                    straight.tell()
                    if b": 2" not in answer:
                        raise RuntimeError(f"1+1: {answer}")
                if number >= 0:
                    alone.append(took[straight])
                    added.append(took[kept] - took[straight])
            straight.socket.close()
    finally:
        stop(command, place)
    return statistics.median(alone), statistics.median(added), *interval(added)


def memory(command, venv, place):
    """Bytes of Pss_Anon of a front, a second after 100 calls, the median of fronts."""
    measured = []
    try:
        for _ in range(FRONTS):
            with Keeping(command, venv, place) as front:
                for _ in range(100):
                    front.run(CODE)
                time.sleep(1)  # idle
                measured.append(mapped(front.pid, "Pss_Anon"))
    finally:
        stop(command, place)
    return statistics.median(measured)


def starts(command, venv, place):
    """Seconds to the initialize reply with the background server there, and without,
    medians."""
    there, anew = [], []
    try:
        with Keeping(command, venv, place):
            for _ in range(STARTS):
                with Keeping(command, venv, place) as front:
                    there.append(front.ready)
        for _ in range(STARTS):
            stop(command, place)
            with Keeping(command, venv, place) as front:
                anew.append(front.ready)
    finally:
        stop(command, place)
    return statistics.median(there), statistics.median(anew)
