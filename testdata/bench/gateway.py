"""Warm calls through a Jupyter server on the loopback: execute_code("1+1") over stdio
against a raw websocket client, each on a kernel of its own, in turns."""

import contextlib
import http.client
import json
import os
import socket
import statistics
import subprocess
import time
import uuid

from server import Server
from warm import CALLS, CODE, ROUNDS, timed

TOKEN = "a-token-of-the-bench"
PATIENCE = 60  # seconds for any answer
PYTHON = "jupyter/bin/python"  # beside the environment that is measured: it has jupyter_server


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def jupyter_server(python, place):
    """A Jupyter server's port, while it runs."""
    place.mkdir(parents=True)
    port = free_port()
    env = {**os.environ, "JUPYTER_RUNTIME_DIR": str(place / "runtime"), "JUPYTER_CONFIG_DIR": str(place), "JUPYTER_DATA_DIR": str(place / "data"),
           "IPYTHONDIR": str(place / "ipython")}
    arguments = ["--allow-root", "--no-browser", f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}",
                 f"--ServerApp.root_dir={place}", "--ServerApp.answer_yes=True"]
    process = subprocess.Popen([python, "-m", "jupyter_server", *arguments], env=env, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                rest(port, "GET", "/api")
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the Jupyter server does not start") from None
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def rest(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body and json.dumps(body), {"Authorization": f"token {TOKEN}"})
        return json.loads(connection.getresponse().read() or b"null")
    finally:
        connection.close()


class Websocket:
    """The least that a client of a Jupyter server must do: it sends an execute_request,
    and waits for its reply and its idle. It checks nothing and keeps nothing."""

    def __init__(self, port):
        kernel = rest(port, "POST", "/api/kernels", {"name": "python3"})["id"]
        self.session = uuid.uuid4().hex
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""
        self.socket.sendall(
            f"GET /api/kernels/{kernel}/channels?session_id={self.session} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: token {TOKEN}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
            "Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self.got:
            self.more()
        head, _, self.got = self.got.partition(b"\r\n\r\n")
        if b" 101 " not in head.splitlines()[0]:
            raise RuntimeError(head)

    def more(self):
        data = self.socket.recv(1 << 20)
        if hasattr(socket, "TCP_QUICKACK"):  # else each call takes 40 ms more: Nagle's algorithm at the server waits for it
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if not data:
            raise RuntimeError("the Jupyter server has closed the connection")
        self.got += data

    def prepare_call(self, code):
        """A frame ready to send, and the id that its answers will name."""
        number = uuid.uuid4().hex
        header = {"msg_id": number, "msg_type": "execute_request", "session": self.session, "username": "bench",
                  "date": "2026-01-01T00:00:00.000000Z", "version": "5.4"}
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False, "stop_on_error": True}
        parts = [b"shell", *(json.dumps(part).encode() for part in (header, {}, {}, content))]
        at = 8 * (len(parts) + 2)
        offsets = [at]
        for part in parts:
            offsets.append(at := at + len(part))
        payload = b"".join(n.to_bytes(8, "little") for n in (len(offsets), *offsets)) + b"".join(parts)
        # One final binary frame; a mask of zeros leaves it as it is.
        return b"\x82\xfe" + len(payload).to_bytes(2, "big") + bytes(4) + payload, number.encode()

    def receive(self):
        """The payload of the next message; a server's frames are not masked. Pings are answered."""
        while True:
            if len(self.got) >= 2:
                size, start = self.got[1], 2
                if size >= 126:
                    start = 4 if size == 126 else 10
                    size = int.from_bytes(self.got[2:start], "big") if len(self.got) >= start else 1 << 40
                if len(self.got) >= start + size:
                    kind, payload, self.got = self.got[0] & 15, self.got[start : start + size], self.got[start + size :]
                    if kind == 2:
                        return payload
                    if kind == 9:
                        self.socket.sendall(bytes((0x8A, 0x80 | size)) + bytes(4) + payload)
                    continue
            self.more()

    def exchange(self, prepared):
        """Sends, and returns when the reply and the idle of this message have come."""
        frame, number = prepared
        self.socket.sendall(frame)
        replied = idle = False
        while not (replied and idle):
            got = self.receive()
            count = int.from_bytes(got[:8], "little")
            offsets = [int.from_bytes(got[8 * i : 8 * i + 8], "little") for i in range(1, count + 1)]
            if number not in got[offsets[2] : offsets[3]]:
                continue
            if got[offsets[0] : offsets[1]] == b"shell":
                replied = True
            elif b'"idle"' in got[offsets[4] : offsets[5]]:
                idle = True

    def close(self):
        self.socket.close()


def measure(command, venv, place):
    """Medians in seconds of a warm call by the server and by the raw client, and the
    median of the rounds' ratios."""
    ours, raw, ratios = [], [], []
    with jupyter_server(venv.parent / PYTHON, place / "jupyter") as port:
        there = {"ENV_TYPE": "jupyter", "JUPYTER_SERVER_URL": f"http://127.0.0.1:{port}", "JUPYTER_TOKEN": TOKEN}
        client = Websocket(port)
        with Server(command, venv, place / "ours", **there) as server:
            server.run(CODE)
            for number in range(-2, ROUNDS):  # two rounds to get warm
                took = {}
                for one in (server, client) if number % 2 else (client, server):
                    prepared = [one.prepare_call(CODE) for _ in range(CALLS + 1)]
                    one.exchange(prepared[0])
                    took[one] = timed(one.exchange, prepared[1:])
                if number < 0:
                    continue
                ours += took[server]
                raw += took[client]
                ratios.append(statistics.median(took[server]) / statistics.median(took[client]))
            if not server.run(CODE).endswith(": 2"):
                raise RuntimeError("1+1")
        client.close()
    return statistics.median(ours), statistics.median(raw), statistics.median(ratios)
