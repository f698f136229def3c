"""Output in bulk: the server against two raw clients on a plain ipykernel, in turns. One
does what a program must with output (check the signature, decode, write to a file), the
other only receives it."""

import hashlib
import hmac
import json
import statistics
import time

from plain import Plain
from server import Server

LOADS = {  # code, rounds
    "100 MB in one print": ("print(('x' * 99 + '\\n') * 1_000_000)", 5),
    "10,000 prints": ("for i in range(10_000): print('line', i)", 15),
    "print of 10 kB": ("print('x' * 10_000)", 100),
}
TARGETS = {"100 MB in one print": 1.15, "10,000 prints": 1.08, "print of 10 kB": 1.04}
WAYS = ("server", "working", "receiving")


def measure(command, venv, place):
    """Yields the name of each load and its median seconds by each of WAYS."""
    with Server(command, venv, place / "server") as server, Plain(venv, place / "plain") as plain:
        run = {
            "server": lambda code: server.run(code, wait_seconds=110),
            "working": lambda code: work(plain, code, place / "output"),
            "receiving": lambda code: plain.exchange(plain.prepare_call(code)),
        }
        for name, (code, rounds) in LOADS.items():
            took = {way: [] for way in WAYS}
            for number in range(-1, rounds):  # one to get warm
                for way in WAYS if number % 2 else WAYS[::-1]:
                    begun = time.perf_counter()
                    run[way](code)
                    if number >= 0:
                        took[way].append(time.perf_counter() - begun)
            yield name, {way: statistics.median(times) for way, times in took.items()}


def work(raw, code, path):
    """Runs code and writes what it prints to a file."""
    frames, number = raw.prepare_call(code)
    raw.shell.send_multipart(frames)
    replied = idle = False
    with open(path, "wb") as output:
        while not (replied and idle):
            ready = raw.poller.poll(60_000)
            if not ready:
                raise RuntimeError("the kernel does not answer raw")
            for sock, _ in ready:
                header, parent, content = decoded(raw.key, sock.recv_multipart())
                if parent.get("msg_id") != number.decode():
                    continue
                if header["msg_type"] == "stream":
                    output.write(content["text"].encode())
                replied = replied or sock is raw.shell
                idle = idle or content.get("execution_state") == "idle"


def decoded(key, frames):
    at = frames.index(b"<IDS|MSG>")
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in frames[at + 2 : at + 6]:
        mac.update(part)
    if not hmac.compare_digest(mac.hexdigest().encode(), frames[at + 1]):
        raise RuntimeError("a wrong signature")
    header, parent, _, content = map(json.loads, frames[at + 2 : at + 6])
    return header, parent, content
