"""A stateful analysis through a real MCP client, as an agent would do it.

Prints every call and every answer, and ends with status 1 naming what was wrong
when an answer was not what it should be.

Usage: python demo.py SERVER VENV     files go to .cache/demo
"""

import base64
import contextlib
import csv
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".cache" / "demo"
BIRDS = ROOT / "testdata" / "data" / "birds.csv"

PATIENCE = 30  # seconds beyond wait_seconds in which an answer must have come


class Wrong(Exception):
    """An answer after which going on makes no sense."""


# --- what a person sees

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def paint(style, text):
    return f"\x1b[{style}m{text}\x1b[0m" if COLOUR and text else text


def bold(text):
    return paint("1", text)


def dim(text):
    return paint("2", text)


def indented(text, by):
    return "\n".join(by + line for line in text.splitlines())


@contextlib.asynccontextmanager
async def moving_line():
    """Says how long it has been, once a call takes more than a second: on a
    terminal in one line that moves, elsewhere in a line each time. Yields the
    callback for the server's progress."""
    begun = time.monotonic()
    said = ""

    async def heard(progress, total, message):
        nonlocal said
        # "running, 2.00 s": the time is ours to tell.
        said = f", {message.rpartition(', ')[0] or message}" if message else ""

    async def tick():
        for second in range(1, 10**6):
            await anyio.sleep(max(0.0, begun + second - time.monotonic()))
            if sys.stdout.isatty():
                print(f"\r\x1b[K    {dim(f'… {second} s{said}')}", end="", flush=True)
            elif second <= 5 or second % 5 == 0:
                print(f"    … {second} s{said}", flush=True)

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        try:
            yield heard
        finally:
            group.cancel_scope.cancel()
            if sys.stdout.isatty():
                print("\r\x1b[K", end="", flush=True)


# --- what an answer holds


class Answer:
    """A tool's answer, its status line taken apart."""

    def __init__(self, result, seconds):
        self.seconds = seconds
        self.is_error = bool(result.is_error)
        texts = [block.text for block in result.content if block.type == "text"]
        self.images = [block for block in result.content if block.type == "image"]
        self.text = "\n".join(texts)
        self.status, _, self.body = self.text.partition("\n")
        fields = self.status.strip("[]").split(" | ")
        self.outcome = fields[0]
        self.fields = dict(field.split("=", 1) for field in fields if "=" in field)

    def numbers(self):
        return [float(n) for n in re.findall(r"-?\d+\.\d+|-?\d+", self.body)]


def png_size(raw):
    """The size of a PNG whose every chunk and pixel row is there; raises
    ValueError for anything else."""
    if raw[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("no PNG signature")
    at, size, depth, colour, pixels, ended = 8, None, 0, 0, b"", False
    while at < len(raw) and not ended:
        (length,) = struct.unpack_from(">I", raw, at)
        kind, data = raw[at + 4 : at + 8], raw[at + 8 : at + 8 + length]
        if raw[at + 8 + length : at + 12 + length] != struct.pack(">I", zlib.crc32(kind + data)):
            raise ValueError(f"a bad checksum in chunk {kind!r}")
        if kind == b"IHDR":
            *size, depth, colour = struct.unpack(">IIBB", data[:10])
        elif kind == b"IDAT":
            pixels += data
        ended = kind == b"IEND"
        at += 12 + length
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour)
    if not ended or size is None or channels is None:
        raise ValueError("cut short")
    width, height = size
    if len(zlib.decompress(pixels)) != height * (1 + (width * channels * depth + 7) // 8):
        raise ValueError("missing pixels")
    return width, height


# --- the client


class Demo:
    """Calls tools, shows what goes and what comes, and collects what is wrong."""

    def __init__(self, client):
        self.client = client
        self.calls = 0
        self.problems = []
        self.transcript = []  # (tool, arguments, Answer)

    async def call(self, tool, **arguments):
        self.calls += 1
        code = arguments.get("code", "")
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items() if name != "code")
        print(f"\n  {bold(tool)}{'  ' + given if given else ''}")
        if code:
            print(indented(code, "      "))
        limit = float(arguments.get("wait_seconds", 45)) + PATIENCE
        begun = time.monotonic()
        try:
            with anyio.fail_after(limit):
                async with moving_line() as heard:
                    result = await self.client.call_tool(tool, arguments, progress_callback=heard)
        except TimeoutError:
            raise Wrong(f"call {self.calls}, {tool}: no answer within {limit:.0f} s") from None
        answer = Answer(result, time.monotonic() - begun)
        self.transcript.append((tool, arguments, answer))
        print(indented(dim(answer.status), "    "))
        if answer.body.strip():
            print(indented(answer.body.strip("\n"), "    "))
        for image in answer.images:
            print(f"    <{image.mime_type}, {len(image.data)} characters of base64>")
        self.expect(answer.text.strip(), "the answer has no text")
        return answer

    async def run(self, code, outcome="ok", **arguments):
        """execute_code, and the outcome its status must tell."""
        answer = await self.call("execute_code", code=code, **arguments)
        self.outcome(answer, outcome)
        self.expect(answer.fields.get("id"), "the status does not tell the id")
        if outcome == "running":
            self.expect(answer.fields.get("cursor"), "the status does not tell the cursor")
        return answer

    async def json(self, tool, **arguments):
        """A tool that answers with a JSON object."""
        answer = await self.call(tool, **arguments)
        self.expect(not answer.is_error, "the call should not fail")
        try:
            return json.loads(answer.text)
        except ValueError:
            self.expect(False, "the answer should be JSON")
            return {}

    def outcome(self, answer, outcome):
        self.expect(answer.outcome == outcome, f'the status should be "{outcome}" and is "{answer.outcome}"')
        failed = outcome.split()[0] in ("error", "died")
        self.expect(answer.is_error == failed, f"isError should be {failed} and is {answer.is_error}")

    def expect(self, condition, sentence):
        """Notes that the newest answer is wrong, unless condition holds."""
        if not condition:
            self.problems.append(f"call {self.calls}: {sentence}")
            print("    " + paint("31;1", "WRONG: " + sentence))


# --- the analysis, step by step


def mean_weights():
    """The truth, from the file itself: the mean weight of each species."""
    weights = {}
    for row in csv.DictReader(BIRDS.open(encoding="utf-8")):
        if row["weight_g"]:
            weights.setdefault(row["species"], []).append(float(row["weight_g"]))
    return {species: sum(w) / len(w) for species, w in weights.items()}


async def tools(demo):
    """What the server offers"""
    listed = (await demo.client.list_tools()).tools
    print()
    for tool in listed:
        print(f"  {bold(tool.name):24}  {tool.title or ''}")
    names = {tool.name for tool in listed}
    for name in ("execute_code", "get_execution", "interrupt_execution"):
        demo.expect(name in names, f"there is no tool {name}")


async def load(demo):
    """Loading a table; the first call starts Python"""
    answer = await demo.run(f"import pandas as pd\nbirds = pd.read_csv({str(BIRDS)!r})\nbirds.shape")
    demo.expect("(60, 6)" in answer.body, "the table should have 60 rows and 6 columns")
    demo.expect(answer.fields.get("env"), "the first status should tell the environment")
    answer = await demo.run("birds.head(3)")
    demo.expect("R4001" in answer.body and "storm petrel" in answer.body, "the first rows should be shown")


async def group(demo):
    """Going on with what is there: a mean of each species"""
    answer = await demo.run('means = birds.groupby("species").weight_g.mean().round(2)\nmeans')
    for species, mean in mean_weights().items():
        line = next((line for line in answer.body.splitlines() if species in line), "")
        demo.expect(re.search(rf"\b{round(mean, 2):g}0?\b", line), f"the mean of {species} should be {mean:.2f}")


async def plot(demo):
    """A plot"""
    answer = await demo.run(
        "import matplotlib.pyplot as plt\n"
        "fig, ax = plt.subplots(figsize=(6, 4))\n"
        'for species, rows in birds.groupby("species"):\n'
        "    ax.scatter(rows.wing_mm, rows.weight_g, label=species)\n"
        'ax.set(xlabel="wing, mm", ylabel="weight, g")\n'
        "ax.legend()\n"
        "plt.show()"
    )
    demo.expect(len(answer.images) == 1, f"one image should come, and {len(answer.images)} came")
    for image in answer.images[:1]:
        raw = base64.b64decode(image.data)
        path = PLACE / "plot.png"
        path.write_bytes(raw)
        try:
            width, height = png_size(raw)
            print(f"    {width} × {height} pixels, saved as {bold(str(path))}")
            demo.expect(image.mime_type == "image/png", f"a PNG is called {image.mime_type}")
            demo.expect(width > 200 and height > 150, "the plot is tiny")
        except (ValueError, zlib.error, struct.error) as error:
            demo.expect(False, f"the image is no valid PNG: {error}")


async def mistake(demo):
    """A mistake, read and fixed"""
    code = 'def heaviest(of):\n    return birds.loc[birds[of].idxmax()].ring\n\nheaviest("wieght_g")'
    answer = await demo.run(code, outcome="error KeyError", filename="heaviest.py")
    stored = PLACE / "code" / "heaviest.py"
    demo.expect(str(stored) in answer.body, "the traceback should name the stored file")
    demo.expect("wieght_g" in answer.body, "the traceback should show what was wrong")
    demo.expect("\x1b" not in answer.text, "the traceback holds terminal escapes")
    demo.expect(stored.is_file() and stored.read_text(encoding="utf-8") == code, "the code should be stored")
    rows = [row for row in csv.DictReader(BIRDS.open(encoding="utf-8")) if row["weight_g"]]
    ring = max(rows, key=lambda row: float(row["weight_g"]))["ring"]
    answer = await demo.run('heaviest("weight_g")')
    demo.expect(ring in answer.body, f"the heaviest is {ring}")


async def long_run(demo):
    """Longer than a call should take: polled, never sent twice"""
    begun = time.monotonic()
    answer = await demo.run(
        "import time\n"
        "for part in range(1, 6):\n"
        "    time.sleep(1)\n"
        "    sample = birds.weight_g.sample(60, replace=True, random_state=part)\n"
        '    print(f"part {part} of 5: {sample.mean():.2f} g", flush=True)\n'
        '"sampled"',
        outcome="running",
        wait_seconds=1,
    )
    demo.expect(answer.seconds > 0.9, f"wait_seconds=1 took {answer.seconds:.1f} s")
    shown, run = answer.body, answer.fields.get("id")
    for _ in range(30):
        if answer.outcome != "running":
            break
        answer = await demo.call("get_execution", id=run, wait_seconds=2)
        shown += "\n" + answer.body
    demo.outcome(answer, "ok")
    demo.expect(time.monotonic() - begun > 4.9, "five seconds of work cannot be over so soon")
    parts = re.findall(r"^part (\d) of 5", shown, re.MULTILINE)
    demo.expect(parts == list("12345"), f"the answers should show part 1 to 5, each once: {' '.join(parts)}")
    demo.expect(shown.count("'sampled'") == 1, "the answers should show the value, once")


async def endless(demo):
    """An endless loop, interrupted; the variables are still there"""
    answer = await demo.run("rounds = 0\nwhile True:\n    rounds += 1", outcome="running", wait_seconds=1)
    answer = await demo.call("interrupt_execution", id=answer.fields.get("id", ""))
    demo.outcome(answer, "interrupted")
    answer = await demo.run("print(rounds > 0, len(birds), float(means.max()))")
    heaviest = round(max(mean_weights().values()), 2)
    demo.expect(f"True 60 {heaviest}" in answer.body, f"rounds, birds and means should be kept: True 60 {heaviest}")


async def script(demo):
    """A longer script, written in parts, read, imported and run"""
    answer = await demo.json("initialize_code_file", filename="report", content="def line(name, mean):\n    return f'{name:15}{mean:9.2f} g'\n\n")
    path = answer.get("file_path", "")
    demo.expect(path == str(PLACE / "code" / "report.py"), f"the file should be report.py, not {path}")
    answer = await demo.json(
        "append_to_code_file",
        file_path=path,
        content="def report(means):\n    for name, mean in means.items():\n        print(line(name, mean))\n\n"
        "if __name__ == '__main__':\n    report(means)\n",
    )
    demo.expect(answer.get("status") == "success", "the text should be appended")
    answer = await demo.call("read_code_file", file_path="report.py", limit=3)
    demo.expect("lines 1-3 of 9" in answer.status and "def line" in answer.body, "the first three of nine lines should come")
    answer = await demo.call("execute_code_file", file_path="report.py")
    demo.outcome(answer, "ok")
    for species, mean in mean_weights().items():
        demo.expect(re.search(rf"{species} +{mean:.2f} g", answer.body), f"the script should report {species}, {mean:.2f} g")
    answer = await demo.run("import report\nreport.line('all', birds.weight_g.mean()).split()[0]")
    demo.expect("'all'" in answer.body, "the module should be imported")


async def environment(demo):
    """Another environment for another session; the first keeps its variables"""
    env = PLACE / "env"
    if not (env / "pyvenv.cfg").is_file():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(env)], check=True)
    answer = await demo.json("configure_environment", type="venv", venv_path=str(env), session="trial")
    demo.expect(answer.get("current", {}).get("venv_path") == str(env), "the session should be in the new environment")
    answer = await demo.run("import sys\nsys.prefix", session="trial")
    demo.expect(str(env) in answer.body, f"Python should be the one of {env}")
    answer = await demo.run("len(birds)")
    demo.expect("60" in answer.body, "the first session should have kept its table")


async def packages(demo):
    """A package installed and checked"""
    answer = await demo.json("install_dependencies", packages=["six==1.16.0"], session="trial", wait_seconds=100)
    demo.expect(answer.get("status") == "success", f"six should be installed: {answer.get('error')}")
    answer = await demo.json("check_installed_packages", packages=["six>=1.16", "yaml"], session="trial")
    demo.expect(answer.get("not_installed") == ["yaml"], f"only yaml should be missing, not {answer.get('not_installed')}")
    answer = await demo.run("import six\nsix.__version__", session="trial")
    demo.expect("'1.16.0'" in answer.body, "six should be there without a restart")


# Each step goes on with the variables of those before it.
STEPS = [tools, load, group, plot, mistake, long_run, endless, script, environment, packages]


# --- the whole


def place():
    """An empty storage, and homes that are ours: nothing of the user's is touched.
    The home stays, for the fonts that matplotlib collects there once."""
    shutil.rmtree(PLACE / "code", ignore_errors=True)
    for name in ("code", "home", "state", "data"):
        (PLACE / name).mkdir(parents=True, exist_ok=True)
    return {
        "CODE_STORAGE_DIR": str(PLACE / "code"),
        "HOME": str(PLACE / "home"),
        "XDG_STATE_HOME": str(PLACE / "state"),
        "XDG_DATA_HOME": str(PLACE / "data"),
        "UV": str(ROOT / ".cache" / "tools" / "bin" / "uv"),
    }


async def main(server, venv, steps=STEPS):
    """Takes the steps and returns the transcript."""
    begun = time.monotonic()
    log_path = PLACE / "server.log"
    settings = place() | {"ENV_TYPE": "venv", "VENV_PATH": str(Path(venv).absolute())}
    command = StdioServerParameters(command=str(Path(server).absolute()), env=settings)
    with log_path.open("w", encoding="utf-8") as log:
        async with Client(stdio_client(command, errlog=log)) as client:
            info = client.server_info
            print(f"{bold(info.name)} {info.version}, MCP {client.protocol_version}")
            demo = Demo(client)
            for number, step in enumerate(steps, 1):
                print(f"\n{bold(f'{number}. {step.__doc__}')}")
                await step(demo)
                if demo.problems:  # the next steps build on this one
                    raise Wrong("\n".join(demo.problems))
    print()
    print(f"{demo.calls} calls, {time.monotonic() - begun:.1f} s, every answer as it should be")
    return demo.transcript


def told(error):
    """What went wrong, from inside the groups that tasks wrap errors in."""
    inner = getattr(error, "exceptions", None)
    if inner:
        return "\n".join(dict.fromkeys(map(told, inner)))
    return str(error) if isinstance(error, Wrong) else f"talking to the server: {type(error).__name__}: {error}"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.stdout.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)
    try:
        anyio.run(main, *sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        log = PLACE / "server.log"
        if log.is_file() and log.stat().st_size:
            print(f"--- the server's log, {log}\n{log.read_text(errors='replace')[-4000:]}", file=sys.stderr)
        sys.exit(f"\nFAILED\n{told(error)}")
