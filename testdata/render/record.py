"""Records what a real kernel sends for the cells of testdata/python.

    python record.py NAME...     writes NAME.json for testdata/python/NAME.py

The python needs ipykernel, jupyter_client and what the cells import; nothing
else uses it, so a throw-away environment will do:

    uv venv v && uv pip install -p v/bin/python ipykernel jupyter_client numpy pandas \\
        matplotlib seaborn plotly altair bokeh polars sympy pillow tqdm rich ipywidgets nbformat

The kernel is started by our launcher, each cell in a new one. lines_50000 and
line_100_mb are written by hand ("repeat"): their text would be the file.
Afterwards: go test ./mcp -run Recorded -update, and read what changed.
"""

import json
import os
import sys
import tempfile

from jupyter_client.manager import KernelManager
from jupyter_client.kernelspec import KernelSpec

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LAUNCHER = os.path.join(ROOT, "kernel", "launch", "launch.py")
# What a session has done before the cell.
BEFORE = """
from IPython.display import *
import numpy as np, pandas as pd, matplotlib.pyplot as plt
"""
KEPT = "msg_type name text data display_id execution_count ename evalue traceback wait comm_id".split()


def record(name):
    with open(os.path.join(ROOT, "testdata", "python", name + ".py"), encoding="utf-8") as file:
        code = file.read().removesuffix("\n")
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(argv=[sys.executable, LAUNCHER, "-f", "{connection_file}"], language="python")
    manager.start_kernel(cwd=tempfile.mkdtemp(), env=dict(os.environ, IPYTHONDIR=tempfile.mkdtemp()))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(60)
    outputs = []

    def keep(message):
        kind, content = message["msg_type"], message["content"]
        if kind in ("status", "execute_input") or kind.startswith("comm_"):
            return
        content = dict(content, msg_type=kind)
        content["display_id"] = content.pop("transient", {}).get("display_id", "")
        outputs.append({key: content[key] for key in KEPT if content.get(key)})

    try:
        client.execute_interactive(BEFORE, silent=True, timeout=60)
        reply = client.execute_interactive(code, output_hook=keep, allow_stdin=False, timeout=60)["content"]
        for payload in reply.get("payload", []):
            if payload["source"] == "page":
                outputs.append({"msg_type": "page", "text": payload["data"]["text/plain"]})
    finally:
        manager.shutdown_kernel(now=True)
    with open(os.path.join(HERE, name + ".json"), "w", encoding="utf-8", errors="backslashreplace") as file:
        text = json.dumps({"code": code, "outputs": outputs}, indent=1, ensure_ascii=False)
        file.write(text.replace(sys.prefix, "/env").replace(sys.base_prefix, "/python"))
        file.write("\n")
    print(name, len(outputs))


for name in sys.argv[1:]:
    record(name)
