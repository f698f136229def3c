"""The table that is printed, and the page that is written from it."""

import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path

LIBRARIES = ["pyzmq", "jupyter_client", "nbclient"]


class Report:
    """The rows of each section, printed as they come."""

    def __init__(self):
        self.sections = {}

    def section(self, title):
        self.rows = self.sections[title] = []

    def row(self, what, value, unit, target=None):
        number = f"{value:.3f}" if unit == "" else f"{value:.2f} {unit}"
        aim = mark = ""
        if target is not None:
            aim = f"≤ {target:g} {unit}".rstrip()
            mark = "" if value <= target else "  MISSED"
        print(f"{what:60}{number:>12}   {aim:12}{mark}".rstrip(), flush=True)
        self.rows.append((what, number, aim + (", missed" if mark else "")))

    def told(self, what, reason):
        """A row without a number."""
        print(f"{what:60}{reason}", flush=True)
        self.rows.append((what, reason, ""))

    def write(self, path, machine, peers):
        """Writes the page. What it says of peers stays unless this run has measured them."""
        sections = dict(self.sections)
        of_peers = table(PEERS, sections.pop(PEERS)) if peers else kept(path)
        if peers:
            of_peers = of_peers.replace("\n\n", "\n\n" + PEERS_TEXT.format(machine=machine) + "\n\n", 1)
        text = HEAD.format(machine=machine) + "".join(table(*one) for one in sections.items()) + of_peers
        path.write_text(text.rstrip() + "\n", encoding="utf-8")


PEERS = "Other MCP servers"
HEAD = """\
# Performance

`make bench` measures this and writes this page. {machine}

Times differ between machines, and between hours on one machine. Ratios are of times that were measured in turns within one run. Each aim
is what a change is held against; one that is missed says so. *Raw* is a client of the kernel's sockets that only does what every client must do. *Cold* means
that no [spare kernel](behaviour.md#the-spare-kernel) was ready.

"""
PEERS_TEXT = """\
`PEERS=1 make bench` measures this. {machine} Each server is installed from PyPI in an environment of its own, started over stdio with its
defaults, and called with `print(1+1)` by its own tool. Ratios are of calls in turns with this server. They differ in what they do for a call, see
[comparison.md](comparison.md)."""


def table(title, rows):
    lines = [f"## {title}\n", "| what | measured | aim |", "|---|---|---|"]
    lines += [f"| {' | '.join(cell.strip().replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n\n"


def kept(path):
    """The section about peers as the page has it."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    _, found, rest = text.partition(f"## {PEERS}\n")
    return found + rest


def machine(server, venv):
    """A sentence about the machine, the versions and the date: no name of a host, no path (Linux)."""
    cpu = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    kernel = platform.release().partition("-")[0]
    version = subprocess.run([server, "--version"], check=True, capture_output=True, text=True).stdout.strip().splitlines()[0]
    libraries = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    return (
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())}: {os.cpu_count()} processors ({cpu}), {memory:.0f} GiB of memory, Linux {kernel}, "
        f"load {os.getloadavg()[0]:.1f} before the start. Versions: {version}, {interpreter(venv)}; clients: Python {platform.python_version()}, {libraries}."
    )


def interpreter(venv):
    """The kernel's Python and ipykernel."""
    code = "import platform, importlib.metadata as m; print('kernel: Python', platform.python_version() + ', ipykernel', m.version('ipykernel'))"
    return subprocess.run([venv / "bin/python", "-c", code], check=True, capture_output=True, text=True).stdout.strip()
