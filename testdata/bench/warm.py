"""Warm calls: execute_code("1+1") over stdio against raw libzmq, on one kernel,
in turns."""

import os
import signal
import statistics
import time

from raw import ATTACH, Raw
from server import Server

ROUNDS = 100  # short ones, so that both have the same luck with the machine
CALLS = 20  # a round; and the rounds take turns in who is first
CODE = "1+1"


def measure(command, venv, place):
    """Returns the medians in seconds, server and raw, and the median of the
    rounds' ratios, which says how much the ratio of medians can be trusted."""
    with Server(command, venv, place) as server:
        raw = Raw(server.run(ATTACH))
        try:
            return turns(server, raw)
        finally:
            raw.close()


def turns(server, raw):
    over_stdio, over_zmq, ratios = [], [], []
    for number in range(-2, ROUNDS):  # two rounds to get warm
        both = [server_round, raw_round]
        if number % 2:
            both.reverse()
        took = {one: one(server, raw) for one in both}
        if number < 0:
            continue
        over_stdio += took[server_round]
        over_zmq += took[raw_round]
        ratios.append(statistics.median(took[server_round]) / statistics.median(took[raw_round]))
    return statistics.median(over_stdio), statistics.median(over_zmq), statistics.median(ratios)


def timed(exchange, prepared):
    took = []
    for message in prepared:
        begun = time.perf_counter()
        exchange(message)
        took.append(time.perf_counter() - begun)
    return took


def server_round(server, raw):
    settle = server.prepare_call(CODE)
    prepared = [server.prepare_call(CODE) for _ in range(CALLS)]
    server.exchange(settle)
    took = timed(server.exchange, prepared)
    answer = server.run(CODE)
    if not answer.endswith(": 2"):
        raise RuntimeError(f"1+1: {answer}")
    return took


def raw_round(server, raw):
    # The server hears what the kernel sends to raw; stopped, it does not take
    # raw's time for it. What it misses fits into the sockets' queues.
    os.kill(server.pid, signal.SIGSTOP)
    try:
        raw.listen(True)
        raw.settle()
        took = timed(raw.exchange, [raw.prepare_call(CODE) for _ in range(CALLS)])
        raw.listen(False)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    server.run("pass")
    return took
