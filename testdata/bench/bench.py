"""Speed and memory of the server, as a table. A target that is missed is marked;
only a run that failed ends with a status other than 0.

Usage: python bench.py SERVER VENV [NAME...]     of start warm gateway bulk record notebook
                                                 front kernel spare plot ping memory end
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import bulk
import front
import gateway
import life
import notebook
import plot
import record
import warm

NAMES = ["start", "warm", "gateway", "bulk", "record", "notebook", "front", "kernel", "spare", "plot", "ping", "memory", "end"]


def row(what, value, unit, target=None):
    number = f"{value:.3f}" if unit == "" else f"{value:.2f} {unit}"
    aim = mark = ""
    if target is not None:
        aim = f"≤ {target:g} {unit}".rstrip()
        mark = "" if value <= target else "  MISSED"
    print(f"{what:52}{number:>12}   {aim:12}{mark}".rstrip(), flush=True)


def measure(name, run):
    """Prints the rows of one name; run is what every measurement takes."""
    if name == "start":
        row("start to the initialize reply, median of 20", life.start(*run) * 1e3, "ms", 50)
        row("start of a guard to its report, median of 20", life.guard_start(*run) * 1e3, "ms", 50)
    elif name == "warm":
        stdio, raw, rounds = warm.measure(*run)
        calls = warm.ROUNDS * warm.CALLS
        row(f'execute_code("1+1") over stdio, median of {calls}', stdio * 1e3, "ms")
        row(f"the same kernel by raw libzmq, median of {calls}", raw * 1e3, "ms")
        row("ratio of the medians", stdio / raw, "", 1.15)
        row(f"median of the {warm.ROUNDS} rounds' ratios", rounds, "")
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
        row("first call of a session (a new kernel), median of 5", life.kernel_start(*run) * 1e3, "ms")
    elif name == "spare" and sys.platform.startswith("linux"):
        cold, ready = life.first_answers(*run, False), life.first_answers(*run, True)
        for what in cold:
            row(f"first answer, {what}, cold, median of {life.KERNELS}", cold[what] * 1e3, "ms")
            row("the same with a spare kernel ready", ready[what] * 1e3, "ms", 40)
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
            row("  written in a second", written / 1e6, "MB", 10.5)
            row("  the longest time that it lacked a run", age, "s", 3 if size == "5 MB" else None)
    elif name == "memory":
        anonymous, guards, pss = life.memory(*run)
        row(f"server and guard, idle, Pss_Anon, median of {life.MEMORIES}", anonymous / 1e6, "MB", 10)
        row("the guard's part of it", guards / 1e6, "MB", 4.5)
        row(f"server and guard, idle, Pss, median of {life.MEMORIES}", pss / 1e6, "MB")
        row("server's rise while 200 MB are printed", life.rise(*run) / (1 << 20), "MiB", 64)
    elif name == "end":
        for what, (busy, how, target) in life.ENDINGS.items():
            row(f"{what}, longest of {life.ENDS}", life.end(*run, busy, how), "s", target)
        for sessions in life.PANDAS:
            row(f"end on EOF, {sessions} idle with pandas, median of {life.ENDS}", life.end_pandas(*run, sessions), "s", 0.1)


def main(server, venv, *names):
    unknown = set(names) - set(NAMES)
    if unknown:
        sys.exit(f"unknown: {' '.join(sorted(unknown))}\n{__doc__}")
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} processors, load {load:.1f} before the start", flush=True)
    place = Path(tempfile.mkdtemp(prefix="mce-bench-"))
    try:
        for name in names or NAMES:
            measure(name, (str(Path(server).absolute()), Path(venv).absolute(), place))
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
