"""The least that any client of a kernel must do, over libzmq: send a signed
execute_request, and wait for its reply on shell and its idle on iopub."""

import hashlib
import hmac
import json
import uuid

import zmq

# What tells raw how to reach the kernel, whose connection file is removed when
# it has started.
ATTACH = """\
import json as _json
from ipykernel.kernelapp import IPKernelApp as _App
_app = _App.instance()
print("ATTACH" + _json.dumps(dict(transport=_app.transport, ip=_app.ip, key=_app.session.key.decode(),
    signature_scheme=_app.session.signature_scheme, shell_port=_app.shell_port, iopub_port=_app.iopub_port,
    stdin_port=_app.stdin_port, control_port=_app.control_port, hb_port=_app.hb_port)))
"""

PATIENCE = 60_000  # milliseconds for any message


class Raw:
    """A client of its own on a kernel that runs."""

    def __init__(self, told):
        self.info = info = json.loads(told.partition("ATTACH")[2].splitlines()[0])
        self.key = info["key"].encode()
        self.context = zmq.Context()
        self.shell = self.context.socket(zmq.DEALER)
        self.iopub = self.context.socket(zmq.SUB)
        self.session = uuid.uuid4().hex
        self.shell.identity = self.session.encode()
        between = "-" if info["transport"] == "ipc" else ":"
        for name, sock in (("shell", self.shell), ("iopub", self.iopub)):
            sock.linger = 0
            sock.reconnect_ivl = 5  # milliseconds, while a kernel starts
            sock.connect(f"{info['transport']}://{info['ip']}{between}{info[name + '_port']}")
        self.poller = zmq.Poller()
        self.poller.register(self.shell, zmq.POLLIN)
        self.poller.register(self.iopub, zmq.POLLIN)

    def close(self):
        self.context.destroy(linger=0)

    def listen(self, on):
        """Subscribes only while raw has its turn: the kernel then sends as
        much for the other client as if raw were not there."""
        self.iopub.setsockopt(zmq.SUBSCRIBE if on else zmq.UNSUBSCRIBE, b"")

    def prepare(self, kind, content):
        """A message ready to send, and the id that its answers will name."""
        number = uuid.uuid4().hex
        header = {
            "msg_id": number,
            "msg_type": kind,
            "session": self.session,
            "username": "bench",
            "date": "2026-01-01T00:00:00.000000Z",
            "version": "5.4",
        }
        parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
        signature = hmac.new(self.key, b"".join(parts), hashlib.sha256).hexdigest().encode()
        return [b"<IDS|MSG>", signature, *parts], number.encode()

    def prepare_call(self, code):
        return self.prepare(
            "execute_request",
            {
                "code": code,
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": True,
            },
        )

    def exchange(self, prepared):
        """Sends, and returns when the reply and the idle of this message have come."""
        frames, number = prepared
        self.shell.send_multipart(frames, copy=True)
        replied = idle = False
        while not (replied and idle):
            ready = self.poller.poll(PATIENCE)
            if not ready:
                raise RuntimeError("the kernel does not answer raw")
            for sock, _ in ready:
                got = sock.recv_multipart()
                parent, content = got[-3], got[-1]
                if number not in parent:
                    continue
                if sock is self.shell:
                    replied = True
                elif b'"execution_state"' in content and b'"idle"' in content:
                    idle = True

    def settle(self, iopub=None):
        """Waits until iopub, its own or another client's, really is subscribed."""
        iopub = iopub or self.iopub
        poller = zmq.Poller()
        poller.register(self.shell, zmq.POLLIN)
        poller.register(iopub, zmq.POLLIN)
        for _ in range(100):
            frames, number = self.prepare("kernel_info_request", {})
            self.shell.send_multipart(frames)
            while poller.poll(200):
                for sock in (iopub, self.shell):
                    while sock.poll(0):
                        got = sock.recv_multipart()
                        if sock is iopub and number in got[-3] and b'"idle"' in got[-1]:
                            return
        raise RuntimeError("iopub stays silent")
