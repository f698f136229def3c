"""What the kept record costs: execute_code with HISTORY=on against HISTORY=off, in
turns. Without history the record is written as well, but never synced."""

import statistics

import warm
from server import Server


def cost(command, venv, place):
    """The medians in seconds, with and without history."""
    with Server(command, venv, place / "on") as on, Server(command, venv, place / "off", HISTORY="off") as off:
        took = {on: [], off: []}
        for number in range(-2, warm.ROUNDS):  # two rounds to get warm
            for server in (on, off) if number % 2 else (off, on):
                times = warm.server_round(server)
                if number >= 0:
                    took[server] += times
        return statistics.median(took[on]), statistics.median(took[off])
