"""Warm calls: execute_code("1+1") over stdio against raw libzmq on a plain ipykernel, and
against three clients on the same kernel: raw libzmq, jupyter_client and nbclient, in turns."""

import contextlib
import json
import math
import os
import signal
import statistics
import time

import nbformat
import zmq
from jupyter_client import AsyncKernelManager, BlockingKernelClient
from nbclient import NotebookClient

from plain import Plain
from raw import ATTACH, Raw
from server import Server

ROUNDS = 100  # short ones, so that all have the same luck with the machine
CALLS = 20  # a round; and the rounds take turns in who is first
PAIRS = 1000
TURNS = 250
CODE = "1+1"


def measure(command, venv, place):
    """Returns the seconds of PAIRS calls by the server, plain, raw, jupyter_client and
    nbclient. The calls with one index followed each other closely."""
    with Server(command, venv, place) as server, Plain(venv, place / "plain") as plain:
        told = server.run(ATTACH)
        raw = Raw(told)
        ways = [Alone("server", server), Alone("plain", plain), ByRaw(raw), ByClient(raw), ByNotebook(raw)]
        took = {way.name: [] for way in ways}
        try:
            for number in range(-5, TURNS):  # some to get warm
                first = number % len(ways)
                for way in ways[first:] + ways[:first]:
                    with way.turn(server):
                        way.exchange(way.prepare())
                        times = timed(way.exchange, [way.prepare() for _ in range(PAIRS // TURNS)])
                    if number >= 0:
                        took[way.name] += times
                if not server.run(CODE).endswith(": 2"):
                    raise RuntimeError("1+1")
        finally:
            for way in ways:
                way.close()
        return took


def timed(exchange, prepared):
    took = []
    for message in prepared:
        begun = time.perf_counter()
        exchange(message)
        took.append(time.perf_counter() - begun)
    return took


def server_round(server):
    settle = server.prepare_call(CODE)
    prepared = [server.prepare_call(CODE) for _ in range(CALLS)]
    server.exchange(settle)
    took = timed(server.exchange, prepared)
    answer = server.run(CODE)
    if not answer.endswith(": 2"):
        raise RuntimeError(f"1+1: {answer}")
    return took


def ratio(ours, theirs):
    """The median of the pairs' ratios and the bounds of its 95 % confidence interval."""
    ratios = [one / other for one, other in zip(ours, theirs)]
    return statistics.median(ratios), *interval(ratios)


def interval(values):
    """The bounds of the 95 % confidence interval of the median, by the ranks of values."""
    ordered, half = sorted(values), 0.98 * math.sqrt(len(values))
    return ordered[int(len(values) / 2 - half)], ordered[math.ceil(len(values) / 2 + half)]


class Alone:
    """What has its kernel for itself: the server, or a raw client of a plain ipykernel."""

    def __init__(self, name, way):
        self.name, self.way = name, way

    @contextlib.contextmanager
    def turn(self, server):
        yield

    def prepare(self):
        return self.way.prepare_call(CODE)

    def exchange(self, prepared):
        self.way.exchange(prepared)

    def close(self):
        pass


class Other:
    """A client beside the server, subscribed only while it has its turn: the kernel then
    sends as much for the others as if it were not there."""

    def __init__(self, raw, iopub):
        self.raw, self.iopub = raw, iopub

    @contextlib.contextmanager
    def turn(self, server):
        # The server hears what the kernel sends to others; stopped, it does not take their
        # time for it. What it misses fits into the sockets' queues.
        os.kill(server.pid, signal.SIGSTOP)
        try:
            self.iopub.setsockopt(zmq.SUBSCRIBE, b"")
            self.raw.settle(self.iopub)
            yield
            self.iopub.setsockopt(zmq.UNSUBSCRIBE, b"")
        finally:
            os.kill(server.pid, signal.SIGCONT)
        server.run("pass")


class ByRaw(Other):
    name = "raw"

    def __init__(self, raw):
        super().__init__(raw, raw.iopub)

    def prepare(self):
        return self.raw.prepare_call(CODE)

    def exchange(self, prepared):
        self.raw.exchange(prepared)

    def close(self):
        self.raw.close()


class ByClient(Other):
    """jupyter_client, as its documentation runs code: execute_interactive."""

    name = "jupyter_client"

    def __init__(self, raw):
        self.client = BlockingKernelClient()
        self.client.load_connection_info(raw.info)
        self.client.start_channels(hb=False)
        super().__init__(raw, self.client.iopub_channel.socket)
        self.iopub.setsockopt(zmq.UNSUBSCRIBE, b"")

    def prepare(self):
        return []

    def exchange(self, outputs):
        reply = self.client.execute_interactive(CODE, allow_stdin=False, output_hook=outputs.append, timeout=60)
        if reply["content"]["status"] != "ok" or not any(m["msg_type"] == "execute_result" for m in outputs):
            raise RuntimeError(f"jupyter_client: {reply['content']}")

    def close(self):
        self.client.stop_channels()


class ByNotebook(Other):
    """nbclient: a cell of a notebook in a kernel that is kept."""

    name = "nbclient"

    def __init__(self, raw):
        manager = AsyncKernelManager(owns_kernel=False)
        manager.load_connection_info(raw.info)
        self.notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)])
        self.client = NotebookClient(self.notebook, km=manager)
        self.client.start_new_kernel_client()
        super().__init__(raw, zmq.Socket.shadow(self.client.kc.iopub_channel.socket.underlying))
        self.iopub.setsockopt(zmq.UNSUBSCRIBE, b"")

    def prepare(self):
        return None

    def exchange(self, _):
        cell = self.client.execute_cell(self.notebook.cells[0], 0)
        if cell.outputs[0].data["text/plain"] != "2":
            raise RuntimeError(f"nbclient: {cell.outputs}")

    def close(self):
        self.client.kc.stop_channels()
