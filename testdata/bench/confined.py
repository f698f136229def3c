"""What a sandbox costs, made by bubblewrap and by Landlock: warm calls and the start of a
kernel, with it and without, in turns."""

import os
import shutil
import statistics
import time

from server import Server
from warm import CALLS, CODE, ROUNDS, timed

SANDBOX = {"SANDBOX": "workspace", "SANDBOX_ALLOW_PARTIAL": "on"}
STARTS = 20


def means(command, venv, place):
    """Yields the name of each means this machine has, and the command of a server that
    uses it: Landlock where bubblewrap is hidden from it."""
    bubblewrap = shutil.which("bwrap")
    if bubblewrap:
        yield "bubblewrap", command
        place.mkdir(parents=True, exist_ok=True)
        hides = f"mount --bind /dev/null {bubblewrap} && exec {os.path.abspath(command)}"
        rights = "" if os.geteuid() == 0 else "--map-root-user"
        command = place / "without-bubblewrap"
        command.write_text(f"#!/bin/sh\nexec unshare --mount {rights} sh -c '{hides}'\n")
        command.chmod(0o755)
    try:
        with Server(command, venv, place, **SANDBOX) as server:
            told = server.run(CODE)
    except (RuntimeError, OSError) as error:
        told = str(error)
    if "(Landlock)" in told:
        yield "Landlock", command
    else:
        print(f"sandbox by Landlock: not here: {told[:300]}")


def warm(command, venv, place):
    """Returns the medians in seconds, unconfined and confined, and the median of the
    rounds' ratios."""
    with Server(command, venv, place) as free, Server(command, venv, place, **SANDBOX) as bound:
        both, took, ratios = [free, bound], {free: [], bound: []}, []
        for server in both:
            server.run(CODE)
        for number in range(-2, ROUNDS):  # two rounds to get warm
            once = {server: timed(server.exchange, [server.prepare_call(CODE) for _ in range(CALLS)]) for server in both}
            both.reverse()
            if number < 0:
                continue
            for server in both:
                took[server] += once[server]
            ratios.append(statistics.median(once[bound]) / statistics.median(once[free]))
        for server in both:
            if not server.run(CODE).endswith(": 2"):
                raise RuntimeError("1+1")
        return statistics.median(took[free]), statistics.median(took[bound]), statistics.median(ratios)


def cold(command, venv, place):
    """Returns the medians in seconds of the first call of a session, unconfined and
    confined: environment known, kernel new, none in reserve."""
    off = {"SPARE_KERNEL": "off"}
    with Server(command, venv, place, **off) as free, Server(command, venv, place, **off, **SANDBOX) as bound:
        both, took = [free, bound], {free: [], bound: []}
        for server in both:
            server.run("1")
        for number in range(STARTS):
            for server in both:
                begun = time.perf_counter()
                server.run("1", session=f"s{number}")
                took[server].append(time.perf_counter() - begun)
                server.request("tools/call", name="stop_session", arguments={"session": f"s{number}"})
            both.reverse()
        return statistics.median(took[free]), statistics.median(took[bound])
