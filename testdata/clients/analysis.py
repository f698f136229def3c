"""Measures what answers cost: a fixed analysis of 40 calls through a real MCP
client, and the characters of the server's own text and of the code's output, for
each tool and in all. Ends with status 1 when an answer lacks what it must hold.

Usage: python analysis.py SERVER VENV [TRANSCRIPT]     files go to .cache/analysis

What is the server's: the status line, lines that begin with "[" and a lower-case
word, JSON answers, lists of sessions, and errors without a status line.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import defaultdict
from pathlib import Path

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".cache" / "analysis"
CODE = PLACE / "code"
BIRDS = ROOT / "testdata" / "data" / "birds.csv"
CALLS = 40

# Tools all of whose answer is the server's text.
ALL_OURS = {
    "list_sessions",
    "stop_session",
    "get_environment_config",
    "configure_environment",
    "install_dependencies",
    "check_installed_packages",
    "initialize_code_file",
    "append_to_code_file",
}


def is_ours(line):
    """Whether a line of an answer is the server's: the cells of this analysis
    print no line that begins so."""
    return line.startswith("[") and line[1:2].islower()


def split(tool, text):
    """The characters of the server's text and of the code's output."""
    lines = text.splitlines(keepends=True)
    if tool in ALL_OURS or not lines or not is_ours(lines[0]):
        return len(text), 0
    if tool in ("read_code_file", "inspect_variables"):
        return len(lines[0]), len(text) - len(lines[0])
    ours = sum(len(line) for line in lines if is_ours(line))
    return ours, len(text) - ours


class Analysis:
    def __init__(self, client, transcript):
        self.client = client
        self.transcript = transcript
        self.counts = defaultdict(lambda: [0, 0, 0])  # by tool: calls, ours, the code's
        self.wrong = []
        self.calls = 0

    async def call(self, tool, *holds, **arguments):
        """Calls a tool; the answer must hold the texts. Returns its id."""
        self.calls += 1
        with anyio.fail_after(150):
            result = await self.client.call_tool(tool, arguments)
        text = "\n".join(block.text for block in result.content if block.type == "text")
        ours, output = split(tool, text)
        for i, n in enumerate((1, ours, output)):
            self.counts[tool][i] += n
        images = sum(block.type == "image" for block in result.content)
        print(f"=== {self.calls} {tool} {json.dumps(arguments)}\n--- {ours} + {output} characters, {images} images\n{text}", file=self.transcript)
        for held in holds:
            if held not in text:
                self.wrong.append(f"call {self.calls}, {tool}: no {held!r} in\n{text[:1000]}")
        found = re.search(r"\bid=([\w-]+)", text)
        return found[1] if found else ""

    async def run(self, code, *holds, **arguments):
        return await self.call("execute_code", *holds, code=code, **arguments)


async def look(a):
    await a.call("get_environment_config", "ipykernel")
    await a.run(f"import numpy as np\nimport pandas as pd\nbirds = pd.read_csv({str(BIRDS)!r})\nbirds.shape", "(60, 6)")
    await a.run("birds.head()", "R4001", "storm petrel")
    await a.run("birds.describe()", "weight_g", "75%")
    await a.run("clean = birds.dropna()")
    await a.run("threshold = 3")
    await a.run('for column in birds.columns:\n    print(column, birds[column].isna().sum())', "wing_mm 0")
    await a.run('clean.groupby("species")[["weight_g", "wing_mm"]].agg(["mean", "std"]).round(1)', "storm petrel")


async def draw(a):
    await a.run(
        "import matplotlib.pyplot as plt\n"
        'plt.scatter(clean.wing_mm, clean.weight_g)\nplt.xlabel("wing")\nplt.show()'
    )
    await a.run(
        'for name, rows in clean.groupby("species"):\n    print(name)\n    rows.weight_g.hist()\n    plt.title(name)\n    plt.show()',
        "storm petrel",
    )
    await a.run('clean.to_csv("clean.csv")\nplt.plot([1, 2])\nplt.savefig("line.png")\nplt.close()', "clean.csv", "line.png")


async def fail(a):
    await a.run('def heaviest(of):\n    return birds.loc[birds[of].idxmax()].ring\n\nheaviest("wieght_g")', "KeyError", "wieght_g", "heaviest(of)")
    await a.run('pd.to_datetime(["2026-01-01", "yesterday-ish"])', "yesterday-ish")
    await a.run('import sys, warnings\nprint("a", file=sys.stderr)\nfor i in range(5):\n    warnings.warn("odd row")\nprint("b")', "odd row", "a\n", "b")
    await a.call("get_execution", "zzzz-1", id="zzzz-1")
    await a.run("birds.shape", "(60, 6)", timeout=5)


async def wait(a):
    go = CODE / "go"
    run = await a.run(
        f"import os, time\nfor part in range(3):\n    print('part', part)\nwhile not os.path.exists({str(go)!r}):\n    time.sleep(0.05)\n'sampled'",
        "running", "part 2", wait_seconds=1,
    )
    await a.call("get_execution", "running", id=run, wait_seconds=0.2)
    queued = await a.run("threshold * 2", "queued", wait_seconds=0)
    go.touch()
    await a.call("get_execution", "'sampled'", id=run)
    await a.call("get_execution", ": 6", id=queued)
    run = await a.run("rounds = 0\nwhile True:\n    rounds += 1", "running", wait_seconds=0.5)
    await a.call("interrupt_execution", "interrupted", id=run)
    await a.run("import time\ntime.sleep(60)", "interrupted", "timeout_seconds", timeout_seconds=1)
    run = await a.run('name = input("Which species? ")\nprint("chose", name)', "Which species?")
    await a.call("send_input", "chose puffin", text="puffin", id=run)


async def inspect(a):
    await a.call("inspect_variables", "birds", "threshold")
    await a.call("inspect_variables", "weight_g", name="birds")


async def script(a):
    await a.call("initialize_code_file", "report.py", filename="report", content="def line(name, mean):\n    return f'{name:15}{mean:9.2f} g'\n\n")
    await a.call("append_to_code_file", "report.py", file_path="report.py", content="if __name__ == '__main__':\n    print(line('all', 12.5))\n")
    await a.call("read_code_file", "def line", "print(line", file_path="report.py")
    await a.call("execute_code_file", "12.50 g", file_path="report.py")
    await a.call("execute_code_file", "reprot.py", file_path="reprot.py")


async def much(a):
    run = await a.run("for i in range(5000):\n    print('line', i, 'of many')", "line 0 of many", "line 4999 of many")
    await a.call("get_execution", "line 2500 of many", id=run, pattern="line 2500 ")


async def sessions(a):
    env = PLACE / "env"
    await a.call("configure_environment", '"success"', str(env), type="venv", venv_path=str(env), session="trial")
    if a.wrong:
        return  # nothing is installed into another environment
    await a.call("install_dependencies", "tiny", "1.0", packages=["./tiny-1.0-py3-none-any.whl"], session="trial")
    await a.call("check_installed_packages", "tiny", "1.0", "yaml", packages=["tiny", "yaml"], session="trial")
    await a.call("list_sessions", "default", "trial")
    await a.call("stop_session", "trial", session="trial")


STEPS = [look, draw, fail, wait, inspect, script, much, sessions]


def place(venv):
    """A storage with a wheel in it, an environment to install into, and homes."""
    shutil.rmtree(CODE, ignore_errors=True)
    shutil.rmtree(PLACE / "env", ignore_errors=True)
    for name in ("code", "home", "state", "data"):
        (PLACE / name).mkdir(parents=True, exist_ok=True)
    # Only the environment made here is installed into; it borrows its ipykernel.
    python = Path(venv) / "bin" / "python"
    subprocess.run([python, "-m", "venv", "--without-pip", str(PLACE / "env")], check=True)
    (borrowed,) = Path(venv).absolute().glob("lib/python*/site-packages")
    (own,) = (PLACE / "env").glob("lib/python*/site-packages")
    (own / "borrowed.pth").write_text(f"{borrowed}\n", encoding="utf-8")
    info = "tiny-1.0.dist-info/"
    with zipfile.ZipFile(CODE / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: none\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(info + "RECORD", f"tiny.py,,\n{info}METADATA,,\n{info}WHEEL,,\n{info}RECORD,,\n")
    return {
        "CODE_STORAGE_DIR": str(CODE),
        "HOME": str(PLACE / "home"),
        "XDG_STATE_HOME": str(PLACE / "state"),
        "XDG_DATA_HOME": str(PLACE / "data"),
        "UV": str(ROOT / ".cache" / "tools" / "bin" / "uv"),
        "UV_OFFLINE": "1",
    }


def table(analysis):
    print(f"{'tool':28}{'calls':>6}{'ours':>8}{'output':>8}")
    total = [0, 0, 0]
    for tool, row in sorted(analysis.counts.items()):
        print(f"{tool:28}{row[0]:6}{row[1]:8}{row[2]:8}")
        total = [t + n for t, n in zip(total, row)]
    print(f"{'all':28}{total[0]:6}{total[1]:8}{total[2]:8}")


async def main(server, venv, transcript):
    settings = place(venv) | {"ENV_TYPE": "venv", "VENV_PATH": str(Path(venv).absolute())}
    command = StdioServerParameters(command=str(Path(server).absolute()), env=settings)
    async with Client(stdio_client(command)) as client:
        analysis = Analysis(client, transcript)
        for step in STEPS:
            await step(analysis)
    table(analysis)
    if analysis.calls != CALLS:
        analysis.wrong.append(f"{analysis.calls} calls, not {CALLS}")
    return analysis.wrong


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    with open(sys.argv[3] if len(sys.argv) == 4 else os.devnull, "w", encoding="utf-8") as transcript:
        problems = anyio.run(main, sys.argv[1], sys.argv[2], transcript)
    if problems:
        sys.exit("\nWRONG\n" + "\n".join(problems))
