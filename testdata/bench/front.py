"""A line front and the background server behind it (KEEP): what it adds to a call, its
memory, its start."""

import statistics
import subprocess
import time

from life import mapped
from server import Server
from warm import CALLS, CODE, ROUNDS, timed

STARTS = 20
FRONTS = 5


class Keeping(Server):
    """A server whose sessions are kept; the process is the front."""

    def __init__(self, command, venv, place):
        super().__init__(command, venv, place, KEEP="10m")


def stop(command, place):
    """Ends the background server; its key is by the place alone."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(place), "XDG_STATE_HOME": str(place / "state")}
    subprocess.run([command, "stop", "--all", "--yes"], env=env, check=True, stdout=subprocess.DEVNULL)


def overhead(command, venv, place):
    """Medians in seconds of a warm call without and with a front, in turns."""
    took = {False: [], True: []}
    try:
        with Server(command, venv, place / "alone") as alone, Keeping(command, venv, place / "kept") as kept:
            for number in range(-2, ROUNDS):
                for front in (False, True) if number % 2 else (True, False):
                    server = kept if front else alone
                    settle = server.prepare_call(CODE)
                    prepared = [server.prepare_call(CODE) for _ in range(CALLS)]
                    server.exchange(settle)
                    seconds = timed(server.exchange, prepared)
                    if number >= 0:
                        took[front] += seconds
                    if not server.run(CODE).endswith(": 2"):
                        raise RuntimeError("1+1")
    finally:
        stop(command, place / "kept")
    return statistics.median(took[False]), statistics.median(took[True])


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
