"""Drives real kernels started with launch.py; prints one JSON object a case.

python driver.py LAUNCHER CASE...      each case: {"case": NAME, ...facts}
python driver.py LAUNCHER time ROUNDS  seconds to the first kernel_info_reply

The facts are compared in launch_test.go. The kernel's python is the one that
runs this file; only zmq and jupyter_client's Session are used of it.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import zmq
from jupyter_client.session import Session

LAUNCHER = os.path.abspath(sys.argv[1])
LIMIT = 30  # seconds a cell may take
CASES = {}


def case(function):
    assert function.__name__ not in CASES, "two cases are called " + function.__name__
    CASES[function.__name__] = function
    return function


class Kernel:
    """A kernel over ipc with a client that reads everything."""

    def __init__(self, files=None, env=None, options=(), command=None, ip=None):
        self.dir = tempfile.mkdtemp(prefix="mce")
        self.cwd = os.path.join(self.dir, "cwd")
        os.mkdir(self.cwd)
        for name, text in (files or {}).items():
            write(os.path.join(self.cwd, name), text)
        info = {"transport": "ipc", "ip": ip or os.path.join(self.dir, "k"), "key": "secret"}
        info["signature_scheme"] = "hmac-sha256"
        for i, channel in enumerate(["shell", "iopub", "stdin", "control", "hb"]):
            info[channel + "_port"] = i + 1
        file = os.path.join(self.dir, "c.json")
        write(file, json.dumps(info))
        environ = dict(os.environ, IPYTHONDIR=os.path.join(self.dir, "ipython"))
        environ.update(env(self) if callable(env) else env or {})
        self.stderr = os.path.join(self.dir, "stderr")
        self.started = time.time()
        with open(self.stderr, "wb") as err:
            self.process = subprocess.Popen(
                (command or [sys.executable, LAUNCHER]) + ["-f", file] + list(options),
                cwd=self.cwd, env=environ, stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                start_new_session=True,
            )
        self.session = Session(key=b"secret")
        self.context = zmq.Context()
        self.shell = self.connect(zmq.DEALER, 1)
        self.iopub = self.connect(zmq.SUB, 2)
        self.control = self.connect(zmq.DEALER, 4)
        self.wait_ready()

    def connect(self, kind, port):
        socket = self.context.socket(kind)
        socket.linger = 0
        socket.reconnect_ivl = 5
        if kind == zmq.SUB:
            socket.subscribe(b"")
        socket.connect("ipc://%s/k-%d" % (self.dir, port))
        return socket

    def send(self, kind, content, metadata=None, socket=None):
        message = self.session.msg(kind, content, metadata=metadata)
        self.session.send(socket or self.shell, message)
        return message["header"]["msg_id"]

    def receive(self, socket, seconds):
        if not socket.poll(max(0, seconds) * 1000):
            return None
        frames = socket.recv_multipart()
        _, frames = self.session.feed_identities(frames)
        message = self.session.deserialize(frames)
        message["size"] = len(frames[4])
        return message

    def wait_ready(self):
        self.ready = self.subscribed = None
        while not (self.ready and self.subscribed):
            if self.process.poll() is not None or time.time() - self.started > LIMIT:
                return
            asked = self.send("kernel_info_request", {})
            end = time.time() + 0.25
            while time.time() < end and not (self.ready and self.subscribed):
                if self.receive(self.shell, 0.005):
                    self.ready = self.ready or time.time() - self.started
                message = self.receive(self.iopub, 0.005)
                self.subscribed = self.subscribed or (
                    message and message["parent_header"].get("msg_id") == asked
                )

    def request(self, kind, content):
        """The reply's content, or None."""
        asked = self.send(kind, content)
        end = time.time() + LIMIT
        while time.time() < end:
            message = self.receive(self.shell, 0.2)
            if message and message["parent_header"].get("msg_id") == asked:
                return message["content"]

    def run(self, code, metadata=None, interrupt=0, stall=0, limit=LIMIT, on_busy=None):
        """Runs a cell. interrupt: how many signals may be sent, the first when
        the cell prints "ready", the others 5 s after the one before."""
        out = {"signals": 0, "png": 0, "sizes": []}
        text = {"stdout": [], "stderr": []}
        # As the server: with stop_on_error ipykernel 6 aborts what comes right after an error.
        content = {"code": code, "silent": False, "allow_stdin": False, "user_expressions": {}, "stop_on_error": False}
        asked = self.send("execute_request", content, metadata)
        time.sleep(stall)  # a reader that does not read
        idle = done = False
        due = None
        end = time.time() + limit
        while not (idle and done) and time.time() < end:
            if due and time.time() > due and out["signals"] < interrupt:
                os.killpg(self.process.pid, signal.SIGINT)
                out["signals"] += 1
                due = time.time() + 5
            message = self.receive(self.shell, 0)
            if message and message["parent_header"].get("msg_id") == asked:
                done = True
                out["reply"] = message["content"]
            message = self.receive(self.iopub, 0.02)
            if not message or message["parent_header"].get("msg_id") != asked:
                continue
            content = message["content"]
            kind = message["msg_type"]
            if kind == "stream":
                text[content["name"]].append(content["text"])
                out["sizes"].append(message["size"])
                if "ready" in content["text"] and not due:
                    due = time.time()
            elif kind == "error":
                out["error"] = content
            elif kind in ("execute_result", "display_data"):
                out["data"] = content["data"]
                out["result"] = content["data"].get("text/plain")
                out["png"] += "image/png" in content["data"]
            elif kind == "execute_input":
                out["count"] = content["execution_count"]
            elif kind == "status" and content["execution_state"] == "idle":
                idle = True
            elif kind == "status" and on_busy:
                on_busy()
        out.update({name: "".join(parts) for name, parts in text.items()})
        out["idle"], out["replied"] = idle, done
        out.setdefault("reply", {})
        out["status"] = out["reply"].get("status")
        out["ename"] = out["reply"].get("ename")
        return out

    def result(self, code, limit=LIMIT):
        """The value of the last expression, printed with repr."""
        return self.run(code, limit=limit).get("result")

    def log(self):
        with open(self.stderr, encoding="utf-8", errors="replace") as file:
            return [line for line in file.read().splitlines() if line]

    def close(self):
        """Shuts down; the exit status, or None when it had to be killed."""
        if self.process.poll() is None:
            self.send("shutdown_request", {"restart": False}, socket=self.control)
            try:
                # ipykernel 6.17 can stop its output thread before its control
                # thread's last flush, which then waits for its 10 s.
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                return None
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        self.context.destroy(linger=0)
        shutil.rmtree(self.dir, ignore_errors=True)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def plain(lines):
    return re.sub("\x1b\\[[0-9;]*m", "", "\n".join(lines))


@case
def basics():
    with Kernel() as k:
        first = k.run("%whos")
        return {
            "count": first["count"],
            "whos": first["stdout"].strip(),
            "main": k.result(
                "import __main__, sys; (__main__.__dict__ is globals(), __name__,"
                " hasattr(__main__, '__file__'), __main__.__spec__)"
            ),
            "argv": k.result("import os; os.path.basename(sys.argv[0]), len(sys.argv)"),
            "debugpy": k.result("'debugpy' in sys.modules"),
            "garbage": k.result("import gc; gc.isenabled(), any(o is globals() for o in gc.get_objects())"),
            "cwd_place": k.result(
                "i = sys.path.index(''); import os;"
                "(sys.path.count(''), 'site-packages' in sys.path[i+1],"
                " any(os.path.exists(os.path.join(p, 'launch.py')) for p in sys.path))"
            ),
            "history": k.run("%history -l 2")["stdout"].splitlines()[-1:],
            "in": k.result("In[1]"),
            "fd": k.run(
                # A thread of ipykernel brings what is written to the descriptor;
                # what it brings after the cell belongs to no cell here.
                "import os, time; os.system('echo child'); os.write(1, b'raw\\n'); time.sleep(1)"
            )["stdout"],
            "stdin": k.result("sys.stdin.read()"),
            "database": os.path.exists(k.dir + "/ipython/profile_default/history.sqlite"),
            "exit": k.close(),
            "log": [line for line in k.log() if line not in ("child", "raw")],
        }


@case
def surrogates():
    with Kernel() as k:
        raised = k.run("raise ValueError('\\ud800')")
        return {
            "print": k.run("print('before'); print('\\ud800|\\udc80|\\u20ac'); print('after')")["stdout"],
            "result": k.run("class R:\n def __repr__(s): return '\\ud800'\nR()")["result"],
            "error": (raised["error"]["ename"], raised["error"]["evalue"]),
            "reply": (raised["ename"], raised["reply"]["evalue"]),
            "nan": k.run("display({'application/json': {'a': float('nan')}}, raw=True)")["data"],
            "nan_stderr": k.run("display({'application/json': [float('inf')]}, raw=True)")["stderr"],
        }


@case
def pieces():
    with Kernel() as k:
        cell = k.run(
            "print('a' * 3000000 + '\\x01' * 700000 + '\\u20ac' * 700000 + '\\U0001f600' * 700000, end='')"
        )
        error = k.run("import sys; print('e' * 2000000, file=sys.stderr, end='')")
        text = "a" * 3000000 + "\x01" * 700000 + "\u20ac" * 700000 + "\U0001f600" * 700000
        return {
            "equal": cell["stdout"] == text,
            "stderr": error["stderr"] == "e" * 2000000,
            "largest_ok": max(cell["sizes"] + error["sizes"]) <= 1 << 20,
            "many": len(cell["sizes"]) > 5,
            "small": len(k.run("print('x', end='')")["sizes"]),  # one write
        }


@case
def nodrop():
    lines = 6000
    with Kernel() as k:
        cell = k.run("for i in range(%d): print(i, flush=True)" % lines, stall=3)
        return {
            "complete": cell["stdout"] == "".join("%d\n" % i for i in range(lines)),
            "idle": cell["idle"],
        }


LATER = "import threading; threading.Timer(0.2, lambda: print('ready', flush=True)).start()\n"
# The last two leave nest_asyncio's patches behind.
INTERRUPTS = {
    "loop": LATER + "while True: pass",
    "sleep": LATER + "import time; time.sleep(100)",
    "await": LATER + "import asyncio; await asyncio.sleep(100)",
    "await_blocking": LATER + "import asyncio, time\nawait asyncio.sleep(0)\ntime.sleep(100)",
    "await_gather": LATER + "import asyncio\nawait asyncio.gather(asyncio.sleep(100), asyncio.sleep(100))",
    "await_other_task": LATER
    + "import asyncio, time\nasync def f():\n await asyncio.sleep(0)\n time.sleep(100)\nawait asyncio.gather(f())",
    "await_callback": LATER
    + "import asyncio, time\nasyncio.get_running_loop().call_soon(time.sleep, 100)\nawait asyncio.sleep(101)",
    "await_loop": LATER + "import asyncio\nwhile True: await asyncio.sleep(0.01)",
    "await_async_for": LATER
    + "import asyncio\nasync def g():\n  while True:\n    yield 1\n    await asyncio.sleep(0)\nasync for x in g(): pass",
    "subprocess": LATER + "import subprocess; subprocess.run(['sleep', '100'])",
    "handled": LATER + "import time\ntry: time.sleep(100)\nexcept KeyboardInterrupt: print('caught')",
    "handled_async": LATER
    + "import asyncio\ntry: await asyncio.sleep(100)\nexcept asyncio.CancelledError: print('caught')",
    "handled_blocking": LATER
    + "import asyncio, time\nawait asyncio.sleep(0)\ntry: time.sleep(100)\nexcept KeyboardInterrupt: print('caught')\n"
    "await asyncio.sleep(0.1)",
    "repr": LATER + "import time\nclass R:\n def __repr__(s): time.sleep(100)\nR()",
    "nested": LATER
    + "import asyncio\ntry:\n  import nest_asyncio\nexcept ImportError:\n  import nest_asyncio2 as nest_asyncio\n"
    "nest_asyncio.apply()\nasync def f(): await asyncio.sleep(100)\nasyncio.run(f())",
    "nested_await": LATER
    + "import asyncio\nawait asyncio.sleep(0)\nasync def f(): await asyncio.sleep(100)\nasyncio.run(f())",
}
# These compute as much as they wait: the signal finds them in one or the other.
EITHER = ("await_loop", "await_async_for")


def interrupted(k, names):
    facts = {}
    k.run("state = 42")
    k.run("1 / 0")  # the first traceback is slow
    for name in names:
        cell = k.run(INTERRUPTS[name], interrupt=4, limit=15)
        shown = cell.get("error", {}).get("ename")
        if name in EITHER and cell["ename"] in ("KeyboardInterrupt", "CancelledError"):
            cell["ename"] = "either"
        after = k.run("state", limit=5)
        facts[name] = [
            cell["signals"], cell["status"], cell["ename"] or shown,
            "caught" in cell["stdout"], after.get("result"),
        ]
        if after.get("result") != "42":
            facts[name].append(k.log()[-5:])
            break
    return facts


def elsewhere_kernel():
    """A plain ipykernel, changed when it runs."""
    k = Kernel(command=[sys.executable, "-m", "ipykernel_launcher"])
    with open(os.path.join(os.path.dirname(LAUNCHER), "late")) as file:
        k.run(file.read())
    return k


@case
def elsewhere():
    with elsewhere_kernel() as k:
        facts = interrupted(k, ["await_other_task", "await_callback", "nested"])
        facts["bytes"] = k.run("import os; os.system(\"printf '\\\\377 bad\\\\n'\");")["stdout"]
        facts["big"] = len(k.run("os.system('yes | head -c 300000');", limit=10)["stdout"])
        facts["log"] = [line for line in k.log() if "mce-launch" in line]
        return facts


@case
def interrupts():
    with Kernel() as k:
        facts = interrupted(k, INTERRUPTS)
        os.killpg(k.process.pid, signal.SIGINT)
        facts["idle"] = k.result("state")
        facts["getsignal"] = k.result("import signal; signal.getsignal(signal.SIGINT) is signal.default_int_handler")
        facts["log"] = [line for line in k.log() if "mce-launch" in line]
        facts["exit"] = k.close()
        return facts


@case
def swallowed():
    """A task that refuses the first cancellation ends with the next one."""
    with Kernel() as k:
        code = LATER + (
            "import asyncio\nfor i in range(2):\n  try: await asyncio.sleep(100)\n"
            "  except asyncio.CancelledError: print('caught')"
        )
        cell = k.run(code, interrupt=3)
        return {"signals": cell["signals"], "status": cell["status"], "after": k.result("1")}


@case
def random_signals():
    """Signals just around cells: each cell has its reply and its idle."""
    source = random.Random(1)
    missing = []
    interrupted = 0
    with Kernel() as k:
        for i in range(150):
            code = "x = %d" % i if i % 2 else "import asyncio; await asyncio.sleep(0); x = %d" % i
            if i % 30 == 0:  # long enough for a signal that is late
                code = "import time; time.sleep(2)"
            delay = source.random() * 0.012

            def fire():
                time.sleep(delay)
                os.kill(k.process.pid, signal.SIGINT)

            cell = k.run(code, on_busy=fire, limit=20)
            interrupted += cell["status"] == "error"
            if not (cell["idle"] and cell["replied"]):
                missing.append(i)
        return {"missing": missing, "some": interrupted > 0, "after": k.result("6 * 7")}


QUEUEING = """
import asyncio, os, signal
loop = asyncio.get_running_loop()
queue = loop.call_soon
def call_soon(*args, **kwargs):
    loop.call_soon = queue
    os.kill(os.getpid(), signal.SIGINT)
    return queue(*args, **kwargs)
loop.call_soon = call_soon
await asyncio.sleep(0)
"""


@case
def signal_while_queueing():
    """A signal in the loop's own code, as it queues the cell's next step."""
    with Kernel() as k:
        cell = k.run(QUEUEING, limit=10)
        return {"cell": [cell["replied"], cell["idle"], cell["ename"]], "after": k.result("6 * 7")}


SIGNAL_AT = """
import os, signal, sys
def trace(frame, event, arg):
    if frame.f_code.co_name == NAME:
        sys.settrace(None)
        os.kill(os.getpid(), signal.SIGINT)
sys.settrace(trace)
"""


@case
def signal_around_a_cell():
    """A signal as a cell's handler is taken away, and as the task of one that awaits is made."""
    with Kernel() as k:
        end = k.run("NAME = 'disarm'" + SIGNAL_AT, limit=10)
        k.run("NAME = 'cancel_on_sigint'" + SIGNAL_AT, limit=10)
        begin = k.run("import asyncio; await asyncio.sleep(0); x = 1", limit=10)
        return {
            "end": [end["replied"], end["idle"], end["status"]],
            "begin": [begin["replied"], begin["idle"], begin["ename"]],
            "ran": k.result("'x' in globals()"), "after": k.result("6 * 7"),
        }


IN_THREADING = """
def install(nth):
    import os, signal, sys, threading
    count = requests = 0
    def profile(frame, event, arg):
        global met
        nonlocal count, requests
        code = frame.f_code
        if event == 'call' and code.co_name == 'pre_handler_hook':
            requests += 1
            if requests == 2:
                sys.setprofile(None)
        raises = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        # Where Python itself looks for signals.
        if requests == 1 and raises and event in ('call', 'c_return') and code.co_filename == threading.__file__:
            count += 1
            if count == nth:
                met = code.co_name
                os.kill(os.getpid(), signal.SIGINT)
    sys.setprofile(profile)
install(%d)
"""


def signals_in_threading(k):
    """A signal at each place of a run in Python's threading that the main thread comes to,
    one a run: how many there were, and where the next run had no answer."""
    for nth in range(1, 200):
        k.run(IN_THREADING % nth, limit=10)
        k.run("print('x', flush=True)\n42", limit=10)
        after = k.result("globals().pop('met', None), get_ipython().kernel.iopub_thread.thread.is_alive()", limit=10)
        if after == "(None, True)":
            return [nth > 1, "answers"]
        if not (after or "").endswith(", True)"):
            return [nth, after or "no answer"]


@case
def signal_in_threading():
    with Kernel() as k:
        ours = signals_in_threading(k)
    with elsewhere_kernel() as k:
        return {"ours": ours, "elsewhere": signals_in_threading(k)}


@case
def always_a_reply():
    with Kernel() as k:
        nul = k.run("x = '\0'", limit=5)
        return {
            "nul": [nul["replied"], nul["status"], nul["idle"], nul["stderr"]],
            "count": k.run("1")["count"] - nul["count"] in (0, 1),
        }


@case
def filenames():
    with Kernel() as k:
        path = os.path.join(k.cwd, "job.py")

        def run(code, stored=None):
            write(path, stored or code)
            return k.run(code, metadata={"mce_filename": path})

        raised = run("def f():\n    return 1 / 0  # here\n\nf()\n")
        text = plain(raised["error"]["traceback"])
        called = plain(k.run("f()")["error"]["traceback"])
        syntax = plain(run("x = 1\ny = = 2\n")["error"]["traceback"])
        magic = plain(run("%time 1\n1 / 0\n")["error"]["traceback"])
        awaited = plain(run("import asyncio\nawait asyncio.sleep(0)\n1 / 0\n")["error"]["traceback"])
        run("print(__import__('os').path.basename((lambda: 0).__code__.co_filename))")
        nested = plain(run("get_ipython().run_cell('1 / 0')")["error"]["traceback"])
        run("def g():\n    return 1 / 0\n")
        write(path, "def g():\n    return 2 / 0\n")
        return {
            "file": "File %s:4" % path in text and "File %s:2, in f()" % path in text,
            "lines": "return 1 / 0  # here" in text,
            "later": "File %s:2, in f()" % path in called and "Cell In" in called,
            "syntax": "File %s:2" % path in syntax,
            "magic": "File %s:2" % path in magic and "----> 2 1 / 0" in magic,
            "await": "File %s:3" % path in awaited and "1 / 0" in awaited,
            "nested_not_named": path not in nested,
            "changed": "return 2 / 0" in plain(k.run("g()")["error"]["traceback"]),
            "plain": "Cell In" in plain(k.run("1 / 0")["error"]["traceback"]),
            "bad": k.run("1 + 1", metadata={"mce_filename": 5})["result"],
            "absent": "File /no/such.py:1" in plain(
                k.run("1 / 0", metadata={"mce_filename": "/no/such.py"})["error"]["traceback"]
            ),
            "source": k.run("import inspect; print(inspect.getsource(f))")["status"],
        }


HOSTILE = """types pandas zmq random tornado IPython ipykernel jedi parso psutil stack_data executing
asttokens pygments matplotlib_inline traitlets decorator jupyter_client signal json asyncio codecs
typing logging prompt_toolkit dateutil comm""".split()


@case
def hostile_cwd():
    files = {name + ".py": "raise SystemExit('hijacked by %s')\n" % name for name in HOSTILE}
    files["mine.py"] = "value = 7\n"
    with Kernel(files=files) as k:
        if k.process.poll() is not None:
            return {"log": k.log()}
        failed = k.run("def f(): return 1 / 0\nf()")
        return {
            "mine": k.result("import mine; mine.value"),
            "stdlib": k.result("import random, types, codecs; 1"),
            "traceback": "ZeroDivisionError" in plain(failed["error"]["traceback"])
            and "def f()" in plain(failed["error"]["traceback"]),
            "stderr": failed["stderr"],
            "complete": k.request("complete_request", {"code": "import o", "cursor_pos": 8})["status"],
            "inspect": k.request("inspect_request", {"code": "len", "cursor_pos": 2, "detail_level": 1})["found"],
            "matplotlib_inline": k.result("import matplotlib_inline; 1"),
            "user_wins": "hijacked" in str(k.run("import pandas")["reply"].get("evalue")),
            "log": k.log(),
        }


@case
def python_path():
    """The user's PYTHONPATH stays as it is, also when it names the working directory."""
    files = {"mine.py": "value = 7\n", "zmq.py": "1/0\n", "tornado.py": "1/0\n"}
    with Kernel(files=files, env=lambda k: {"PYTHONPATH": k.cwd + os.pathsep + k.dir}) as k:
        return {
            "first": k.result("import sys, os; sys.path[0] == os.getcwd()"),
            "second": k.result("sys.path[1] == os.path.dirname(os.getcwd())"),
            "mine": k.result("import mine; mine.value"),
            "log": k.log(),
        }


@case
def safe_path():
    with Kernel(env={"PYTHONSAFEPATH": "1"}) as k:
        return {"works": k.result("1 + 1"), "env": k.result("import os; os.environ['PYTHONSAFEPATH']")}


OURS = "import os, sys; [m for m in sorted(sys.modules) if m.startswith('mce') and '.' not in m]"
PLACES = "[p for p in sys.path if os.path.exists(os.path.join(p, 'launch.py'))]"


@case
def bytecode():
    """Ours is shared by the kernels, whatever the user says of his own."""
    own = os.path.dirname(LAUNCHER)
    facts = {}
    with Kernel(env=lambda k: {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": k.dir + "/prefix"}) as k:
        facts["users"] = k.result("import sys; sys.dont_write_bytecode, sys.pycache_prefix.endswith('/prefix')")
        facts["elsewhere"] = os.path.exists(k.dir + "/prefix")

    def compiled():
        found = os.path.join(own, "mce_launch", "__pycache__")
        return {name: os.stat(os.path.join(found, name)).st_mtime_ns for name in os.listdir(found)}

    # late.py and descriptors.py are for kernels elsewhere, the others for spares that import ahead; here nothing imports them.
    others = ("late.py", "descriptors.py", "ahead.py", "footprint.py", "stash.py")
    sources = [name for name in os.listdir(own + "/mce_launch") if name.endswith(".py") and name not in others]
    first = compiled()
    facts["all"] = len(first) == len(sources)
    with tempfile.TemporaryDirectory(prefix="mce") as place:
        link = place + "/link"
        os.symlink(own, link)  # as macOS's /tmp is one
        with Kernel(command=[sys.executable, link + "/launch.py"]) as k:
            facts["visible"] = [k.result(OURS), k.result(PLACES)]
            facts["log"] = k.log()
    facts["shared"] = first == compiled()
    return facts


@case
def sidecar():
    side = tempfile.mkdtemp(prefix="mce side")
    try:
        write(os.path.join(side, "sidemod.py"), "value = 3\n")
        write(os.path.join(side, "zmq.py"), "1/0\n")
        with Kernel(options=["--mce-sidecar=" + side]) as k:
            return {
                "value": k.result("import sidemod; sidemod.value"),
                "last": k.result("import sys; sys.path[-1] == %r" % side),
                "argv": k.result("[a for a in sys.argv if 'mce-' in a]"),
            }
    finally:
        shutil.rmtree(side)


@case
def users_startup():
    def env(k):
        profile = k.dir + "/ipython/profile_default/"
        write(profile + "startup/10.py", "import gc; started = gc.isenabled() + 0\nprint('\\ud800 hello')\nimport mine\n")
        write(profile + "ipython_config.py", "c.InteractiveShellApp.exec_lines = ['line = 2']\n"
              "c.InteractiveShellApp.extensions = ['ext']\nc.Session.packer = 'pickle'\n")
        return {}

    files = {"mine.py": "value = 7\n", "ext.py": "def load_ipython_extension(ip): ip.user_ns['ext_loaded'] = 3\n"}
    with Kernel(files=files, env=env) as k:
        cell = k.run("started, line, ext_loaded, mine.value")
        return {"names": cell.get("result"), "count": cell.get("count"), "log": k.log()}


@case
def no_ipython_dir():
    """Where it cannot be made, nothing is left among the temporary files."""
    def env(k):
        os.mkdir(k.dir + "/tmp")
        write(k.dir + "/file", "")
        return {"IPYTHONDIR": k.dir + "/file/ipython", "TMPDIR": k.dir + "/tmp"}

    with Kernel(env=env) as k:
        return {
            "temporary": k.result("import os; os.listdir(os.environ['TMPDIR'])"),
            "shell": k.result("os.path.relpath(get_ipython().ipython_dir, %r)" % k.dir),
            "profile": k.result("os.path.relpath(get_ipython().profile_dir.location, %r)" % k.dir),
            "still": k.result("__import__('tempfile').mkdtemp.__module__"),
        }


@case
def plots():
    with Kernel() as k:
        return {
            "show": k.run("import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show(); x = 1")["png"],
            "end": k.run("fig, ax = plt.subplots(); ax.plot([1, 2]);")["png"],
            "closed": k.run("x = 2")["png"],
            "backend": k.result("import matplotlib; 'inline' in matplotlib.get_backend()"),
        }


@case
def prelude():
    shown = (
        "import numpy, pandas; (pandas.get_option('display.width'), pandas.get_option('display.max_colwidth'),"
        " numpy.get_printoptions()['linewidth'], get_ipython().displayhook.cache_size)"
    )
    facts = {}
    # Not every test environment has pandas.
    stand_in = {
        "pandas.py": "options = {'display.width': 80, 'display.max_columns': 20, 'display.min_rows': 10, 'display.max_colwidth': 50}\n"
        "get_option, set_option = options.get, options.__setitem__\n"
    }
    with Kernel(files=stand_in) as k:
        facts["imported"] = k.result("[n for n in ('numpy', 'pandas', 'matplotlib') if n in __import__('sys').modules]")
        facts["whos"] = k.run("%whos")["stdout"].strip().splitlines()[-1]
        facts["set"] = k.result(shown)
        facts["loader"] = k.result("'exec_module' in vars(pandas.__loader__), type(pandas.__loader__).__name__")
        facts["hook"] = k.result("[type(f).__name__ for f in __import__('sys').meta_path if type(f).__name__ == 'AfterImport']")
        facts["figure"] = k.result(
            "import matplotlib.pyplot as plt; f = plt.figure(); s = tuple(int(n) for n in f.get_size_inches() * f.dpi); plt.close(f); s"
        )
        facts["hook_after"] = k.result("[n for f in __import__('sys').meta_path if type(f).__name__ == 'AfterImport' for n in f.functions if n in __import__('sys').modules]")
        out = k.run("print(len(plt.get_fignums()))")
        facts["open"] = out["stdout"]
        for i in range(205):
            out = k.run("%d" % i)
            facts["quiet"] = facts.get("quiet", True) and not out["stderr"]
        facts["kept"] = k.result("len(Out) <= 200")
        facts["changed"] = k.result("pandas.set_option('display.width', 70); import importlib; pandas.get_option('display.width')")
        facts["missing"] = k.run("import pandas.nosuch")["error"]["ename"]
        facts["log"] = k.log()
    with Kernel(files=stand_in, options=["--mce-no-prelude"]) as k:
        facts["off"] = k.result(shown)
    config = "c.InteractiveShell.cache_size = 77\nc.InteractiveShellApp.exec_lines = ['import pandas; pandas.set_option(\"display.width\", 99)']\n"

    def configure(k):
        write(os.path.join(k.dir, "ipython", "profile_default", "ipython_kernel_config.py"), config)
        return {}

    with Kernel(files=stand_in, env=configure) as k:
        facts["users"] = k.result(shown)
    broken = "def get_option(name):\n    raise SystemError('odd')\nvalue = 4\n"
    with Kernel(files={"pandas.py": broken}) as k:
        facts["broken"] = k.result("import pandas; pandas.value")
        facts["broken_log"] = [line.split(" error=")[0] for line in k.log()]
    return facts


@case
def processes():
    with Kernel() as k:
        k.run("import multiprocessing, math")
        facts = {
            "spawn": k.result(
                "with multiprocessing.get_context('spawn').Pool(1) as p: r = p.map(math.sqrt, [4])\nr"
            ),
            "spawn_main": k.result(
                "with multiprocessing.get_context('spawn').Pool(1) as p:"
                " r = p.apply(eval, (\"getattr(__import__('sys').modules['__main__'], 'LAZY', None)\",))\nr is None"
            ),
            "fork": k.result(
                "with multiprocessing.get_context('fork').Pool(1) as p: r = p.map(math.sqrt, [9])\nr"
            ),
            "pickle": k.result(
                "class C: pass\nimport pickle; type(pickle.loads(pickle.dumps(C()))) is C, C.__module__"
            ),
            "kernels": int(subprocess.check_output(
                "ps -eo sid,args | awk '$1 == %d' | grep -c '[l]aunch.py'" % k.process.pid, shell=True)),
            "log": k.log(),
        }
        k.process.kill()  # a shutdown waits for multiprocessing's resource tracker
        k.process.wait()
        return facts


@case
def ended_children():
    """A shutdown does not wait for children that have ended and that nobody has asked for."""
    with Kernel() as k:
        k.run("import os, subprocess; children = [subprocess.Popen(['sleep', '1000']), subprocess.Popen(['true'])]")
        k.run("if os.fork() == 0: os._exit(0)")
        return {"exit": k.close()}


@case
def bytes_of_children():
    """Bytes that are no UTF-8, and characters cut at a read's end, do not stop the capture."""
    with Kernel() as k:
        k.run("import os; os.system(\"printf '\\\\377\\\\376 bad\\\\n'\");")
        wide = k.run("os.system('for i in 1 2 3 4 5 6 7 8 9 0; do printf %s; done')" % ("\u20ac" * 501))
        big = k.run("os.system('yes | head -c 300000');")
        return {"wide": wide["stdout"] == "\u20ac" * 5010, "big": len(big["stdout"]) == 300000, "status": big["status"]}


@case
def children_in_time():
    """What was written before a cell's end comes before it, though the thread that reads it is slow."""
    slow = "import os, threading, time\ndef read(fd, n, read=os.read):\n    data = read(fd, n)\n"
    slow += "    if threading.current_thread() is not threading.main_thread(): time.sleep(0.2)\n    return data\nos.read = read"
    with Kernel() as k:
        k.run(slow)
        missing = 0
        for _ in range(3):
            out = k.run("os.write(1, b'out\\n'); os.write(2, b'err\\n');")
            missing += (out["stdout"], out["stderr"]) != ("out\n", "err\n")
        forked = k.run("pid = os.fork()\nif pid == 0: print('child', flush=True); os._exit(0)\nos.waitpid(pid, 0);")["stdout"]
        return {"missing": missing, "forked": forked}


@case
def variables():
    """Names with types come after a run, by themselves, and nothing of the values is touched."""
    hostile = """
touched = []
class Meta(type):
    __name__ = property(lambda cls: touched.append('name'))
class Hostile(metaclass=Meta):
    def __getattribute__(self, name): touched.append(name)
    __class__ = property(lambda self: touched.append('class'))
    def __eq__(self, other): touched.append('eq')
    def __repr__(self): touched.append('repr')
value, Meta.__call__ = Hostile(), None
import os, sys as system
_private = 1
globals()[5] = 1
globals()['not an identifier'] = 1
"""

    def told(k, seconds):
        end = time.time() + seconds
        while time.time() < end:
            message = k.receive(k.iopub, 0.1)
            if message and message["msg_type"] == "mce_variables":
                return message["content"]["names"], message["content"]["count"], message["parent_header"]

    with Kernel() as k:
        k.send("execute_request", {"code": hostile, "silent": False})
        first = told(k, 10)
        facts = {"first": first, "touched": k.result("touched")}
        facts["same"] = told(k, 3)
        k.send("execute_request", {"code": "del value; df = 1.0", "silent": False})
        facts["changed"] = told(k, 10)
        k.send("execute_request", {"code": "for i in range(5000): globals()['v%d' % i] = i", "silent": False})
        many = told(k, 10)
        facts["many"] = [len(many[0]), many[0][-1], many[1]]
        facts["namespace"] = k.result("[n for n in [*globals(), *vars(get_ipython())] if 'mce' in str(n)]")
        facts["log"] = k.log()
        return facts


@case
def failures():
    """Failing steps are reported; a start that cannot be says why."""
    facts = {}
    site = "import ipykernel.ipkernel as m\ndel m.IPythonKernel._cancel_on_sigint\n"
    with Kernel(env=lambda k: write(k.dir + "/p/sitecustomize.py", site) or {"PYTHONPATH": k.dir + "/p"}) as k:
        facts["step"] = [k.result("1 + 1")] + [line.split(":")[1] for line in k.log() if "mce-launch" in line]
    with Kernel(command=[sys.executable, "-S", LAUNCHER]) as k:
        facts["missing"] = [k.process.wait(), k.log()]
    for name, text in {
        "broken": "raise ImportError('no libzmq\\nhere')",
        "dependency": "import nosuch_zmq",
        "not_python": "x = = 1",
    }.items():
        with Kernel(env=lambda k: write(k.dir + "/p/ipykernel/__init__.py", text) or {"PYTHONPATH": k.dir + "/p"}) as k:
            facts[name] = [k.process.wait(), [re.sub("/.*/", "", line) for line in k.log()]]
    with Kernel(ip="/no/such/dir/k") as k:
        facts["start"] = [k.process.wait(10), any("mce-launch: start failed: ZMQError" in line for line in k.log())]
    return facts


def start_times(rounds):
    """Interleaved: ours and plain ipykernel, milliseconds."""
    ours, theirs = [], []
    for _ in range(rounds):
        for command, list_ in ((None, ours), ([sys.executable, "-m", "ipykernel_launcher"], theirs)):
            with Kernel(command=command) as k:
                list_.append(round(k.ready * 1000))
    return {"launch": sorted(ours), "plain": sorted(theirs)}


if __name__ == "__main__":
    import script_cases  # beside this file; it adds its cases

    assert script_cases
    if sys.argv[2] == "time":
        print(json.dumps(start_times(int(sys.argv[3]))))
    for name in sys.argv[2:] if sys.argv[2] != "time" else []:
        print(json.dumps(dict(CASES[name](), case=name)), flush=True)
