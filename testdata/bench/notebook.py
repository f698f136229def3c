"""The live notebook (NOTEBOOK): what it takes of a core, how much it writes and how old it
gets, while a session that has 500 cells and 200 figures goes on."""

import os
import re
import threading
import time
from pathlib import Path

from server import Server

CELLS = 500
FIGURES = 200
SIZES = {"5 MB": 13_000, "50 MB": 180_000}  # bytes of a figure, before base64
SECONDS = 60  # of the session that goes on
PAUSE = 0.1  # between its runs
MARK = re.compile(rb"mark (\d+) of")
TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100

DRAW = """
import base64, os, struct, zlib
def figure(size):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    width = 64
    height = size // (3 * width) + 1
    rows = b"".join(b"\\0" + os.urandom(3 * width) for _ in range(height))
    png = b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    png += chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")
    display({"image/png": base64.b64encode(png).decode(), "text/plain": "<Figure>"}, raw=True)
"""
LINES = "print('a line of output that is as long as lines are\\n' * 40)"


def measure(command, venv, place):
    """Yields of each size: its name, the file's bytes, the share of a core, bytes written
    in a second, the longest age in seconds, the versions."""
    for name, size in SIZES.items():
        off = work(command, venv, place / f"{size}-off", size, "")[0]
        on, seen = work(command, venv, place / f"{size}-on", size, "on")
        yield name, seen.size, on - off, seen.written / SECONDS, seen.oldest, seen.versions


def work(command, venv, place, size, notebook):
    """Makes the cells and goes on for a while: the share of a core that the server took
    meanwhile, and what was seen of its notebook."""
    variables = {"NOTEBOOK": notebook} if notebook else {}
    with Server(command, venv, place, WORK_DIR=str(place), **variables) as server:
        server.run(DRAW)
        for number in range(CELLS - 1):
            server.run(f"figure({size})" if number % 5 < 2 else LINES)
        seen = Watched(place) if notebook else None
        if seen:
            seen.await_written(server)
        begun, used = time.monotonic(), processor(server.pid)
        marks = 0
        while time.monotonic() - begun < SECONDS:
            server.run(f"print('mark {marks} of')")
            if seen:
                seen.ran.append(time.monotonic())
            marks += 1
            time.sleep(PAUSE)
        share = (processor(server.pid) - used) / (time.monotonic() - begun)
        if seen:
            seen.end()
        return share, seen


def processor(pid):
    """The seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Watched:
    """Looks at a notebook again and again. ran are the times of the ends of the runs."""

    def __init__(self, place):
        self.place = place
        self.ran = []
        self.size = self.written = self.versions = 0
        self.oldest = 0.0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def path(self):
        return next(self.place.glob("default-*.ipynb"))

    def version(self):
        """What tells one version of the file from another, and its bytes."""
        stat = self.path().stat()
        return (stat.st_mtime_ns, stat.st_ino), stat.st_size

    def await_written(self, server):
        """Waits until all cells are there, and begins to look."""
        server.run("print('all cells')")
        while b"print('all cells')" not in self.path().read_bytes():
            time.sleep(0.1)
        self.thread.start()

    def watch(self):
        (last, _), newest = self.version(), -1  # what is there was written before
        while not self.stop.wait(0.02):
            version, self.size = self.version()
            self.age(time.monotonic(), newest)
            if version == last:
                continue
            last = version
            content = self.path().read_bytes()
            self.written += len(content)
            self.versions += 1
            newest = max(map(int, MARK.findall(content[-200_000:])), default=newest)

    def age(self, now, newest):
        """The notebook lacks the runs after newest: the first of them says how old it is."""
        if newest + 1 < len(self.ran):
            self.oldest = max(self.oldest, now - self.ran[newest + 1])

    def end(self):
        self.stop.set()
        self.thread.join()
