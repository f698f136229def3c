"""A server's life: its start, its first call, its memory, its end."""

import signal
import statistics
import subprocess
import time
from pathlib import Path

from plain import Plain
from server import PATIENCE, Server, children

STARTS = 20
KERNELS = 5
ENDS = 5
MEMORIES = 5
FLOOD = "print('x' * 200_000_000)"
PINGS = 300
TRICKLE = "for i in range(10**9): print(i, flush=True)"


def start(command, venv, place):
    """Seconds from the start of the process to its initialize reply."""
    took = []
    for _ in range(STARTS):
        with Server(command, venv, place) as server:
            took.append(server.ready)
    return statistics.median(took)


def kernel_start(command, venv, place):
    """Seconds of a first call in a session (environment known, kernel new), and of a first
    call to a plain ipykernel from its start on, in turns."""
    took, plain = [], []
    with Server(command, venv, place, SPARE_KERNEL="off") as server:
        server.run("1")
        for number in range(KERNELS):
            begun = time.perf_counter()
            server.run("1", session=f"s{number}")
            took.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            with Plain(venv, place / f"plain{number}") as raw:
                raw.exchange(raw.prepare_call("1"))
                plain.append(time.perf_counter() - begun)
    return statistics.median(took), statistics.median(plain)


def first_call(command, venv, place):
    """Seconds of the first call of a server: environment not looked at yet, kernel new."""
    took = []
    for _ in range(KERNELS + 1):
        with Server(command, venv, place, SPARE_KERNEL="off") as server:
            begun = time.perf_counter()
            server.run("1")
            took.append(time.perf_counter() - begun)
    return statistics.median(took[1:])  # there was a server on this machine before


def await_spare(server, imports=b""):
    """Returns the pid of a spare kernel that waits: one that has told what its start has
    read, and has imported a library ahead."""
    for _ in range(PATIENCE * 100):
        for guard in children(server.pid):
            for kernel in children(guard):
                line = Path(f"/proc/{kernel}/cmdline").read_bytes().split(b"\0")
                told = [a.partition(b"=")[2] for a in line if a.startswith(b"--mce-sources=")]
                ahead = b"".join(a for a in line if a.startswith(b"--mce-preimport="))
                if told and imports in ahead and Path(told[0].decode()).exists():
                    time.sleep(0.3)  # it is asked whether it answers
                    return kernel
        time.sleep(0.01)
    raise RuntimeError("no spare kernel")


def first_answers(command, venv, place, spare):
    """Seconds to the first answer of a new session, after a restart, of a fresh run and
    after a death, with a spare kernel ready or with none, each the median."""
    took = {"new session": [], "restart": [], "fresh run": [], "death": []}
    with Server(command, venv, place, SPARE_KERNEL="on" if spare else "off") as server:
        server.run("1")
        server.run("1", session="s")
        (place / "code" / "one.py").write_text("1\n")
        fresh = {"name": "execute_code_file", "arguments": {"file_path": "one.py", "fresh": True}}

        def timed(what, method, **params):
            begun = time.perf_counter()
            result = server.request(method, **params)
            took[what].append(time.perf_counter() - begun)
            if not result["content"][0]["text"].startswith("[ok | "):
                raise RuntimeError(f"{what}: {result}")

        def one(session):
            return {"name": "execute_code", "arguments": {"code": "1", "session": session}}

        for number in range(KERNELS):
            for what in took:
                if what == "restart":
                    server.request("tools/call", name="stop_session", arguments={"session": "s", "restart": True})
                elif what == "death":
                    server.run("import os; os._exit(3)", outcome="died", session="s")
                if spare:
                    await_spare(server)
                if what == "fresh run":
                    timed(what, "tools/call", **fresh)
                else:
                    timed(what, "tools/call", **one(f"n{number}" if what == "new session" else "s"))
    return {what: statistics.median(times) for what, times in took.items()}


TABLE = "import pandas; print(pandas.DataFrame({'a': [1]}).describe())"


def first_tables(command, venv, place, spare):
    """Seconds to the first table of pandas in a new session, after a restart and after a
    death, where all sessions use pandas, each the median; and the bytes of a spare."""
    took, sizes = {"new session": [], "restart": [], "death": []}, []
    with Server(command, venv, place, SPARE_KERNEL="on" if spare else "off") as server:
        server.run(TABLE)
        server.run(TABLE, session="s")
        for number in range(KERNELS):
            for what in took:
                session = f"n{number}" if what == "new session" else "s"
                if what == "restart":
                    server.request("tools/call", name="stop_session", arguments={"session": "s", "restart": True})
                elif what == "death":
                    server.run("import os; os._exit(3)", outcome="died", session="s")
                if spare:
                    sizes.append(mapped(await_spare(server, b"pandas"), "Pss"))
                begun = time.perf_counter()
                server.run(TABLE, session=session)
                took[what].append(time.perf_counter() - begun)
    return {what: statistics.median(times) for what, times in took.items()}, statistics.median(sizes or [0])


def guard_start(command, venv, place):
    """Seconds from a guard's start to its report that what it guards runs."""
    took = []
    for _ in range(STARTS):
        begun = time.perf_counter()
        line = [command, "guard", "--", "/bin/sleep", "0"]
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as guard:
            report = guard.stdout.readline()
            took.append(time.perf_counter() - begun)
            if not report.startswith(b"started "):
                raise RuntimeError(f"the guard says {report}")
    return statistics.median(took)


def mapped(pid, field):
    """The memory of a process by a field of smaps_rollup, in bytes: Pss_Anon is what
    it alone has filled; Pss adds its share of the files' pages, which is less the
    more servers run."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) << 10
    raise RuntimeError(f"no {field}")


def resident(pid, field):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) << 10
    raise RuntimeError(f"no {field}")


def memory(command, venv, place):
    """Bytes of server and guard idle beside one kernel, a second after 100 calls:
    Pss_Anon, the guard's part of it, and Pss, each the median of servers."""
    measured = []
    for _ in range(MEMORIES):
        with Server(command, venv, place) as server:
            for _ in range(100):
                server.run("1+1")
            time.sleep(1)  # idle
            guards = children(server.pid)
            both = [server.pid, *guards]
            measured.append([
                sum(mapped(pid, "Pss_Anon") for pid in both),
                sum(mapped(pid, "Pss_Anon") for pid in guards),
                sum(mapped(pid, "Pss") for pid in both),
            ])
    return [statistics.median(values) for values in zip(*measured)]


def rise(command, venv, place):
    """Bytes by which the server rises above idle while 200 MB are printed."""
    with Server(command, venv, place) as server:
        server.run("1")
        time.sleep(1)  # idle
        before = resident(server.pid, "VmRSS")
        Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # the peak starts anew
        server.run(FLOOD, wait_seconds=110)
        return resident(server.pid, "VmHWM") - before


def ping(command, venv, place):
    """Seconds within which 99 % of pings are answered: idle, and while lines are printed."""
    with Server(command, venv, place) as server:
        server.run("1")
        idle = pings(server)
        server.run(TRICKLE, outcome="running", wait_seconds=0.2)
        return idle, pings(server)


def pings(server):
    took = []
    for _ in range(PINGS):
        begun = time.perf_counter()
        server.request("ping")
        took.append(time.perf_counter() - begun)
        time.sleep(0.01)
    return statistics.quantiles(took, n=100)[-1]


def end(command, venv, place, busy, how):
    """Seconds to the process's end: idle or with an endless loop, by EOF or by a
    signal. Nothing may be left."""
    took = []
    for _ in range(ENDS):
        server = Server(command, venv, place)
        server.run("1")
        if busy:
            server.run("while True: pass", outcome="running", wait_seconds=0.2)
        family = [below for child in children(server.pid) for below in (child, *children(child))]
        took.append(server.end(how))
        time.sleep(0.2)
        left = [pid for pid in family if Path(f"/proc/{pid}").exists()]
        if not family or left:
            raise RuntimeError(f"processes left: {left} of {family}")
    return max(took)


def end_pandas(command, venv, place, sessions):
    """Seconds to the process's end on EOF beside idle kernels that have pandas imported."""
    took = []
    for _ in range(ENDS):
        server = Server(command, venv, place, SPARE_KERNEL="off")  # while one is made, nothing is idle
        for number in range(sessions):
            server.run("import pandas; pandas.DataFrame({'a': [1]}).describe()", session=f"s{number}")
        time.sleep(1)  # idle
        took.append(server.end())
    return statistics.median(took)


PANDAS = {1: 0.1, 8: 0.1, 16: None}  # sessions, the aim in seconds

ENDINGS = {
    "end on EOF, idle": (False, None, 1.5),
    "end on EOF, busy": (True, None, 1.5),
    "end on SIGINT, idle": (False, signal.SIGINT, 0.3),
    "end on SIGINT, busy": (True, signal.SIGINT, 0.3),
}
