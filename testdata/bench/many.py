"""What sixteen sessions take: the memory of each kernel that has pandas imported, against as
many plain kernels that have imported the same (Linux)."""

import contextlib
import statistics
import time

from life import TABLE, await_spare, mapped
from plain import Plain
from server import Server, children

SESSIONS = 16


def measure(command, venv, place):
    """Bytes of Pss: of a spare kernel, and with SESSIONS sessions of the server, of each guard and of
    each kernel; and of each raw kernel. Not at one time: they would share pages."""
    with Server(command, venv, place / "spare", SPARE_KERNEL="on") as server:
        server.run("1")
        server.run("1", session="s")
        spare = mapped(await_spare(server), "Pss")
    with Server(command, venv, place / "sessions", SPARE_KERNEL="off") as server:
        for number in range(SESSIONS):
            server.run(TABLE, session=f"s{number}")
        time.sleep(1)  # idle
        guards = children(server.pid)
        kernels = [kernel for guard in guards for kernel in children(guard)]
        if len(kernels) != SESSIONS:
            raise RuntimeError(f"{len(kernels)} kernels")
        sizes = {"server": mapped(server.pid, "Pss"), "guard": each(guards), "kernel": each(kernels)}
    return {"spare": spare, **sizes, "raw": raw_kernels(venv, place)}


def raw_kernels(venv, place):
    with contextlib.ExitStack() as stack:
        plains = [stack.enter_context(Plain(venv, place / f"raw{number}")) for number in range(SESSIONS)]
        for plain in plains:
            plain.exchange(plain.prepare_call(TABLE))
        time.sleep(1)  # idle
        return each([plain.pid for plain in plains])


def each(pids):
    return statistics.mean(mapped(pid, "Pss") for pid in pids)
