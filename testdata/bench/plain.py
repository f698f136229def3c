"""A plain ipykernel, as `python -m ipykernel_launcher` starts it, and what two
programs would do with its output: receive it, or check, decode and store it."""

import json
import os
import subprocess
import time
import uuid

from raw import Raw


class Plain(Raw):
    """A raw client on a kernel of its own. Use it in a with statement: it ends both."""

    def __init__(self, venv, place, **variables):
        place.mkdir(parents=True, exist_ok=True)
        file = place / "kernel.json"
        info = {
            "transport": "ipc",
            "ip": str(place / "k"),
            "key": uuid.uuid4().hex,
            "signature_scheme": "hmac-sha256",
            **{f"{name}_port": number for number, name in enumerate(["shell", "iopub", "stdin", "control", "hb"], 1)},
        }
        file.write_text(json.dumps(info))
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(place), **variables}
        line = [str(venv / "bin/python"), "-m", "ipykernel_launcher", "-f", str(file)]
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(line, env=env, cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.pid = self.process.pid
        super().__init__("ATTACH" + json.dumps(info) + "\n")
        self.listen(True)
        self.settle()
        self.ready = time.perf_counter() - self.begun

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        self.process.kill()
        self.process.wait()
