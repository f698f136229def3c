"""Speed and memory of the server, as a table. A target that is missed is marked;
only a run that failed ends with a status other than 0.

Usage: python bench.py SERVER VENV [NAME...]     of start warm gateway bulk record notebook
                                                 front kernel sandbox spare plot ping memory end peers

Without a name it measures all, peers only where PEERS=1, and on Linux writes docs/performance.md.
"""

import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import bulk
import confined
import front
import gateway
import life
import many
import notebook
import peers
import plot
import record
import report
import warm

NAMES = {
    "start": "Start",
    "warm": "Warm calls",
    "gateway": "Warm calls through a Jupyter server",
    "bulk": "Much output",
    "record": "The record",
    "notebook": "A live notebook",
    "front": "A kept server",
    "kernel": "A new kernel",
    "sandbox": "In a sandbox",
    "spare": "First answers",
    "plot": "First plot",
    "ping": "Ping",
    "memory": "Memory",
    "end": "End",
}
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


def apart(run):
    """The run in a place of its own: what a spare kernel imports depends on the last
    kernels of the same state directory."""
    server, venv, place = run
    return server, venv, Path(tempfile.mkdtemp(dir=place))


def measure(name, run, row):
    """Gives the rows of one name; run is what every measurement takes."""
    if name == "start":
        row("start to the initialize reply, median of 20", life.start(*run) * 1e3, "ms", 50)
        row("start of a guard to its report, median of 20", life.guard_start(*run) * 1e3, "ms", 50)
    elif name == "warm":
        clients(warm.measure(*run), row)
    elif name == "gateway":
        stdio, raw, rounds = gateway.measure(*run)
        row(f"the same through a Jupyter server, median of {warm.ROUNDS * warm.CALLS}", stdio * 1e3, "ms")
        row("such a kernel by a raw websocket", raw * 1e3, "ms")
        row("ratio of the medians", stdio / raw, "", 1.25)
        row(f"median of the {warm.ROUNDS} rounds' ratios", rounds, "")
    elif name == "bulk":
        for what, took in bulk.measure(*run):
            row(f"{what}, median", took["server"] * 1e3, "ms")
            row("  to a raw client that checks, decodes, stores", took["server"] / took["working"], "", bulk.TARGETS[what])
            row("  to a raw client that only receives", took["server"] / took["receiving"], "")
    elif name == "record":
        on, off = record.cost(*run)
        row(f'execute_code("1+1"), HISTORY=off, median of {warm.ROUNDS * warm.CALLS}', off * 1e3, "ms")
        row("what the kept record adds to it, in turns", (on - off) * 1e3, "ms", 0.3)
    elif name == "front":
        alone, added, least, most = front.overhead(*run)
        row(f'execute_code("1+1") to a kept session, median of {front.PAIRS}', alone * 1e3, "ms")
        row("what a front adds to it, median of the pairs", added * 1e3, "ms", 0.15)
        row("  95 % confidence interval, from", least * 1e3, "ms")
        row("  to", most * 1e3, "ms")
        if sys.platform.startswith("linux"):
            row(f"a front, idle, Pss_Anon, median of {front.FRONTS}", front.memory(*run) / 1e6, "MB", 4.5)
        there, anew = front.starts(*run)
        row(f"a front's start, its server there, median of {front.STARTS}", there * 1e3, "ms", 30)
        row(f"a front's start and its server's, median of {front.STARTS}", anew * 1e3, "ms", 80)
    elif name == "kernel":
        took, plain = life.kernel_start(*run)
        row(f"first call of a session (a new kernel), median of {life.KERNELS}", took * 1e3, "ms")
        row(f"first call of a server, median of {life.KERNELS}", life.first_call(*run) * 1e3, "ms")
        row("first call of python -m ipykernel_launcher, by a raw client", plain * 1e3, "ms")
        row("ratio of the medians", took / plain, "", 0.52)
    elif name == "sandbox" and sys.platform.startswith("linux"):
        for means, program in confined.means(*run):
            free, bound, ratio = confined.warm(program, *run[1:])
            row(f'execute_code("1+1") in a sandbox by {means}, median of {warm.ROUNDS * warm.CALLS}', bound * 1e3, "ms")
            row("  to the same without, median of the rounds' ratios", ratio, "", 1.03)
            row("  ratio of the medians", bound / free, "")
            free, bound = confined.cold(program, *run[1:])
            row(f"first call of a session in a sandbox by {means}, median of {confined.STARTS}", bound * 1e3, "ms")
            row("  more than without", (bound - free) * 1e3, "ms", 60)
    elif name == "spare" and sys.platform.startswith("linux"):
        cold, ready = life.first_answers(*run, False), life.first_answers(*run, True)
        for what in cold:
            row(f"first answer, {what}, cold, median of {life.KERNELS}", cold[what] * 1e3, "ms")
            row("the same with a spare kernel ready", ready[what] * 1e3, "ms", 40)
        run = apart(run)
        (cold, _), (ready, size) = life.first_tables(*run, False), life.first_tables(*run, True)
        for what in cold:
            row(f"import pandas, describe(), {what}, cold, median of {life.KERNELS}", cold[what] * 1e3, "ms")
            row("the same with a spare kernel ready", ready[what] * 1e3, "ms", 60)
        row("a spare kernel with pandas imported, Pss, median", size / 1e6, "MB")
    elif name == "plot" and sys.platform.startswith("linux"):
        took = plot.first_plots(*run)
        for which in ("", " again"):
            row(f"a plot of 1000x700 with a spare kernel{which}, median of {plot.PLOTS}", took["server" + which] * 1e3, "ms")
            row("  to raw, the same modules imported", took["server" + which] / took["raw" + which], "", None if which else 1.2)
    elif name == "ping":
        idle, printing = life.ping(*run)
        row(f"ping, idle, 99 % of {life.PINGS}", idle * 1e3, "ms")
        row(f"ping while lines are printed, 99 % of {life.PINGS}", printing * 1e3, "ms", 50)
    elif not sys.platform.startswith("linux"):
        print(f"{name}: measured on Linux only")
    elif name == "notebook":
        for size, taken, share, written, age, versions in notebook.measure(*run):
            row(f"live notebook, {notebook.CELLS} cells, {notebook.FIGURES} figures, {size}: its file", taken / 1e6, "MB")
            row(f"  versions of it in {notebook.SECONDS} s", versions, "versions")
            row("  what it takes of a core, with it and without", share * 100, "%", 5)
            row("  written in a second", written / 1e6, "MB", 10)
            row("  the longest time that it lacked a run", age, "s", 3 if size == "5 MB" else None)
    elif name == "memory":
        at_rest(run, row)
        row("server's rise while 200 MB are printed", life.rise(*run) / (1 << 20), "MiB", 64)
    elif name == "end":
        for what, (busy, how, target) in life.ENDINGS.items():
            row(f"{what}, longest of {life.ENDS}", life.end(*run, busy, how), "s", target)
        for sessions, target in life.PANDAS.items():
            row(f"end on EOF, {sessions} idle with pandas, median of {life.ENDS}", life.end_pandas(*run, sessions), "s", target)


def clients(took, row):
    """The rows of warm calls: the server against other clients."""
    row(f'execute_code("1+1") over stdio, median of {warm.PAIRS}', statistics.median(took["server"]) * 1e3, "ms")
    for way, (what, target) in CLIENTS.items():
        middle, least, most = warm.ratio(took["server"], took[way])
        row(f"{what}, median of {warm.PAIRS}", statistics.median(took[way]) * 1e3, "ms")
        row("  ratio, median of the pairs", middle, "", target)
        row("  95 % confidence interval, from", least, "")
        row("  to", most, "")


CLIENTS = {
    "plain": ("a plain ipykernel by raw libzmq", 1),
    "raw": ("the same kernel by raw libzmq", 1.04),
    "jupyter_client": ("the same kernel by jupyter_client", 1),
    "nbclient": ("the same kernel by nbclient", 1),
}


def at_rest(run, row):
    """The rows of memory that is taken while nothing runs."""
    anonymous, guards, pss = (size / 1e6 for size in life.memory(*run))
    row(f"server and guard, idle, Pss_Anon, median of {life.MEMORIES}", anonymous, "MB", 10)
    row("  the guard's part of it", guards, "MB", 4.5)
    row(f"server and guard, idle, Pss, median of {life.MEMORIES}", pss, "MB")
    sizes = {what: size / 1e6 for what, size in many.measure(*run).items()}
    row("a spare kernel, nothing imported ahead, Pss", sizes["spare"], "MB")
    row(f"{many.SESSIONS} sessions with pandas, Pss of each kernel", sizes["kernel"], "MB")
    row("  that of raw kernels with pandas, as many", sizes["raw"], "MB")
    row("  ratio", sizes["kernel"] / sizes["raw"], "")
    row("  Pss of each guard", sizes["guard"], "MB")
    row("  Pss of the server", sizes["server"], "MB")


def main(server, venv, *names):
    unknown = set(names) - {*NAMES, "peers"}
    if unknown:
        sys.exit(f"unknown: {' '.join(sorted(unknown))}\n{__doc__}")
    server, venv = str(Path(server).absolute()), Path(venv).absolute()
    whole = not names and sys.platform.startswith("linux")
    machine = report.machine(server, venv) if whole else ""
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before the start", flush=True)
    names = names or (*NAMES, *(["peers"] if os.environ.get("PEERS") == "1" else []))
    rows = report.Report()
    place = Path(tempfile.mkdtemp(prefix="mce-bench-"))
    try:
        for name in names:
            rows.section(NAMES.get(name, report.PEERS))
            if name == "peers":
                peers.measure(server, venv, place, rows)
            else:
                measure(name, apart((server, venv, place)), rows.row)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if whole:
        rows.write(PAGE, machine, "peers" in names)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
