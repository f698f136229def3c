"""The first plot of a session that a spare kernel serves, against the same in a kernel
that has imported the same modules, by the raw client."""

import os
import signal
import statistics
import time

from life import await_spare
from raw import ATTACH, Raw
from server import Server

PLOTS = 7
MODULES = "import matplotlib.pyplot"
PLOT = """\
import math
import matplotlib.pyplot as plt
fig, ax = plt.subplots(figsize=(10, 7), dpi=100)
for k in range(4):
    ax.plot([math.sin(x / 40 + k) for x in range(300)])
plt.show()
"""


def first_plots(command, venv, place):
    """Seconds to the first plot, server and raw in turns, and to the second ones."""
    took = {"server": [], "raw": [], "server again": [], "raw again": []}
    with Server(command, venv, place, SPARE_KERNEL="on") as server:
        server.run(MODULES)
        server.run(MODULES, session="another")
        for number in range(PLOTS):
            await_spare(server, b"matplotlib")
            for what in ("server", "server again"):
                line = server.prepare_call(PLOT, session=f"s{number}")
                begun = time.perf_counter()
                got = server.exchange(line)
                took[what].append(time.perf_counter() - begun)
                if b'"image/png"' not in got:
                    raise RuntimeError(f"no picture: {got[:1000]}")
            for what, seconds in zip(("raw", "raw again"), by_raw(server, f"r{number}")):
                took[what].append(seconds)
    return {what: statistics.median(times) for what, times in took.items()}


def by_raw(server, session):
    raw = Raw(server.run(MODULES + "\n" + ATTACH, session=session))
    os.kill(server.pid, signal.SIGSTOP)  # it takes none of raw's time
    try:
        raw.listen(True)
        raw.settle()
        for _ in range(2):
            prepared = raw.prepare_call(PLOT)
            begun = time.perf_counter()
            raw.exchange(prepared)
            yield time.perf_counter() - begun
    finally:
        os.kill(server.pid, signal.SIGCONT)
        raw.close()
