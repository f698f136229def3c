"""Cases of driver.py about scripts, how runs end, event loops, streams, displays."""

import ast
import os
import re
import sys

from __main__ import Kernel, case, plain, write


class Scripts(Kernel):
    """A kernel with scripts in its working directory."""

    def script(self, text, *arguments, alone=False, **kwargs):
        path = os.path.join(self.cwd, "script.py")
        write(path, text)
        return self.run("get_ipython().run_script(%r, %r, alone=%r)" % (path, list(arguments), alone), **kwargs)


def ending(out):
    """What the server reads: raised, exit status, exception; and what is shown."""
    reply = out["reply"]
    return [reply.get("mce_raised"), reply.get("mce_exit_status"), out["ename"] or "", out["stdout"], out["stderr"]]


EXITS = {
    "none": "import sys; sys.exit()",
    "zero": "import sys; sys.exit(0)",
    "false": "import sys; sys.exit(False)",
    "three": "import sys; sys.exit(3)",
    "large": "import sys; sys.exit(256 + 7)",
    "negative": "import sys; sys.exit(-1)",
    "text": "import sys; sys.exit('no such table')",
    "digits": "import sys; sys.exit('0')",
    "raised": "raise SystemExit(4)",
    "nested": "def f():\n    try: 1/0\n    except Exception: raise SystemExit(5)\nf()",
    "awaits": "import asyncio, sys\nawait asyncio.sleep(0)\nsys.exit(6)",
    "exit": "exit(1); print('on')",
    "quit": "def f(): quit(3)\nf()",
    "exit_zero": "exit(code=0)",
    "exit_none": "exit(None)",
    "exit_text": "exit('no such table')",
    "exit_awaits": "import asyncio\nawait asyncio.sleep(0)\nexit(2)",
    "exit_module": "import os; quit(os.EX_USAGE)",
    "magic": "%time import sys; sys.exit(8)",
}


@case
def exits():
    with Kernel() as k:
        facts = {name: ending(k.run("kept = 1\n" + code)) for name, code in EXITS.items() if not code.startswith("%")}
        facts["kept"] = k.result("kept")
        out = k.run("exit")
        facts["ends"] = [out["status"], out["reply"]["payload"], k.process.wait(10)]
        facts["log"] = k.log()
        return facts


BAD = (
    "class R:\n    def __repr__(self): raise RuntimeError('odd')\n"
    "class H:\n    def _repr_html_(self): raise LookupError('odd')\n"
    "class B(R, H): pass\n"
    "class D:\n    def _ipython_display_(self): display(R()); print('shown')\n"
)
# Errors that are shown: of the run, or of what its code goes on from.
SHOWN = {
    "html": "H()",
    "displayed": "display(R()); print('after')",
    "displays": "D()",
    "awaited": "import asyncio\nawait asyncio.sleep(0)\nH()",
    "no_way": "B()",
    "cell": "r = get_ipython().run_cell('1/0'); print(r.success)",
    "awaited_cell": "r = await get_ipython().run_cell_async('1/0', transformed_cell='1/0'); print(r.success)",
    "exiting_cell": "r = get_ipython().run_cell('raise SystemExit(3)'); print(r.success)",
    "captured": "get_ipython().run_cell_magic('capture', '', '1/0')",
    "after_cell": "r = get_ipython().run_cell('1/0'); {}['missing']",
}


@case
def own_errors():
    """Only the run's own code makes it an error."""
    with Kernel() as k:
        shown = k.run("try: 1/0\nexcept Exception: get_ipython().showtraceback()\n3")
        facts = {
            "handled": [shown["reply"]["mce_raised"], shown["status"], shown["error"]["ename"], shown["result"]],
            "nested": k.run("r = get_ipython().run_line_magic('timeit', '-n1 -r1 pass')")["reply"]["mce_raised"],
            "syntax": ending(k.run("def ("))[:3],
            "unknown": ending(k.run("%nosuch"))[:3],
            "time": ending(k.run("%%time\n1/0"))[:3],
            "repr": ending(k.run("class R:\n    def __repr__(self): raise RuntimeError('odd')\nR()"))[:3],
        }
        bad = "class E(Exception):\n    def __str__(self): raise ValueError('inner')\nclass F(E): pass\n"
        for name, code in (("str", "raise E()"), ("str_of_two", "try: raise E()\nexcept E: raise F()"), ("str_and_more", "try: raise E()\nexcept E: 1/0")):
            out = k.run(bad + code)
            said = [re.sub(r"\x1b\[[\d;]*m", "", line) for part in out["error"]["traceback"] for line in part.split("\n")]
            facts[name] = [out["reply"]["ename"], out["error"]["ename"], out["error"]["evalue"]] + [line for line in said if re.match("[EFVZ].*: |<class", line)]
        for name, code in SHOWN.items():
            out = k.run(BAD + code)
            facts[name] = [out["reply"]["mce_raised"], out["status"], out.get("error", {}).get("ename"), out["stdout"]]
        write(os.path.join(k.cwd, "bad.py"), "{}['missing']\n")
        facts["run"] = ending(k.run("%run bad.py"))[:3]
        k.run("def after(*args): raise LookupError('old extension')\nget_ipython().events.register('post_run_cell', after)")
        called = k.run("2 + 2")
        facts["callback"] = [called["reply"]["mce_raised"], called["status"], called["error"]["ename"], called["result"]]
        facts["callback_and_error"] = ending(k.run("1/0"))[:3]
        facts["callback_and_exit"] = ending(k.run("import sys; sys.exit(9)"))[:3]
        k.run("get_ipython().events.unregister('post_run_cell', after)\nget_ipython().events.register('pre_run_cell', after)")
        facts["before"] = k.run("3")["reply"]["mce_raised"]
        facts["log"] = k.log()
        return facts


COMMANDS = {
    "fails": "!exit 3",
    "kept": "_exit_code",
    "works": "!true",
    "local": "def f(status): get_ipython().system('exit $status')\nf(4)",
    "three": "for n in (2, 0, 1): get_ipython().system('exit %d' % n)",
    "killed": "!kill -9 $$",
    "and_raises": "!exit 5\n1/0",
    "assigned": "x = !exit 6",
    "background": "!sleep 9 &",
    "background_assigned": "x = !sleep 9 &",
    "background_handled": "try: get_ipython().system('sleep 9 &')\nexcept OSError: pass",
    "none": "1",
}


@case
def commands():
    """What is told of shell commands that end with a status other than 0."""
    with Kernel() as k:
        facts = {}
        for name, code in COMMANDS.items():
            facts[name] = k.run(code).get("data", {}).get("text/vnd.mce.note")
        facts["status"] = k.result("_exit_code")
        facts["log"] = k.log()
        return facts


@case
def tracebacks():
    """A reply's traceback is of its own run."""
    raising = "import asyncio\nawait asyncio.sleep(0)\nraise ExceptionGroup('g', [ValueError('inner')])"
    if sys.version_info < (3, 11):  # there are no groups before
        return {"group": ["ExceptionGroup", False, True], "handled": False, "own": True}
    with Kernel() as k:
        k.run("1/0")
        out = k.run(raising)
        facts = {"group": [out["ename"], "ZeroDivisionError" in plain(out["reply"]["traceback"]), "inner" in out["stderr"]]}
        out = k.run("try: 1/0\nexcept Exception: get_ipython().showtraceback()\n" + raising)
        facts["handled"] = "ZeroDivisionError" in plain(out["reply"]["traceback"])
        facts["own"] = "LookupError" in plain(k.run("await asyncio.sleep(0)\nraise LookupError")["reply"]["traceback"])
        return facts


# Frames that have gone on after the line that raised.
GOES_ON = {
    "finally": "try:\n    1/0\nfinally:\n    x = 1\n    x += 1",
    "with": "import contextlib\n@contextlib.contextmanager\ndef m():\n    try: yield\n    finally: pass\nwith m():\n    1/0\n    x = 1",
    "cause": "def f():\n    try: 1/0\n    except Exception as e:\n        x = 1\n        raise ValueError('a') from e\nf()",
    "context": "try:\n    1/0\nexcept Exception:\n    x = 1\n    {}['missing']",
    "kept": "def g():\n    try: 1/0\n    except Exception as e: error = e\n    x = 1\n    return error\nraise g()",
    "again": "try:\n    1/0\nexcept Exception as e:\n    x = 1\n    raise e",
    "twice": "def r(n):\n    if n: r(n - 1)\n    else: 1/0\n    x = 1\nr(2)",
    "awaited": "import asyncio\nasync def w():\n    try:\n        await asyncio.sleep(0)\n        1/0\n    finally:\n        await asyncio.sleep(0)\nawait w()",
}


def arrows(out):
    """The lines that its traceback points to."""
    return [int(n) for n in re.findall(r"^-+> (\d+)", plain(out["error"]["traceback"]), re.M)]


@case
def raised():
    """A traceback points to the line that raised, not to the one its frame is at."""
    with Kernel() as k:
        facts = {name: arrows(k.run(code)) for name, code in GOES_ON.items()}
        write(os.path.join(k.cwd, "long.py"), "def f():\n    try: 1/0\n    finally: x = 1\n" + "\n" * 10_001)
        facts["long_file"] = arrows(k.run("import long\nlong.f()"))
        facts["log"] = k.log()
        return facts


@case
def script_names():
    """What a script sees, and what the session has afterwards."""
    show = (
        "'''The docstring.'''\nimport sys\n"
        "print(sys.argv[1:], __file__ == sys.argv[0], __name__, __doc__, __spec__, seen)\nseen = sys.path[0]\n"
    )
    with Scripts() as k:
        k.run("import sys; seen, argv, path = 'before', list(sys.argv), list(sys.path)")
        return {
            "sees": k.script(show, "a b", "-n", "3")["stdout"],
            "stays": k.result("seen == __import__('os').getcwd()"),
            "restored": k.result("sys.argv == argv, sys.path == path, '__file__' in globals(), __name__, __doc__ is not None"),
            "no_doc": k.script("print(__doc__)")["stdout"],
            "warns_again": [k.script("import warnings; warnings.warn('twice')")["stderr"].count("UserWarning") for _ in range(2)],
            "excepthook": ending(k.script("import sys\nsys.excepthook = lambda *e: print('hook', e[0].__name__)\n1/0")),
            "hook_gone": ending(k.run("{}[1]"))[:3],
            "streams": k.script("import io, sys\nsys.stdout = io.StringIO()\nprint('nowhere')")["stdout"],
            "streams_back": k.run("print('here')")["stdout"],
            "start_method": [ending(k.script("import multiprocessing as m\nm.set_start_method('spawn')"))[:3] for _ in range(2)],
            "exit": ending(k.script("exit(5)")),
            "quit": ending(k.script("print('a')\nquit()\nprint('b')")),
            "alive": k.result("sys.stdin.read()"),
            "syntax": ending(k.script("x = = 1"))[:3],
            "encoding": ending(k.script("# coding: latin-1\nprint('ok')"))[3],
            "prompts": k.script("import sys\nprint(hasattr(sys, 'ps1'))")["stdout"] + k.result("hasattr(sys, 'ps1')"),
            "argv_of_cells": k.result("len(sys.argv)"),
            "named": k.run("print(__file__)", metadata={"mce_filename": "/tmp/named.py"})["stdout"],
            "named_gone": k.result("'__file__' in globals()"),
            "log": k.log(),
        }


ALONE = """
import atexit, concurrent.futures, logging.handlers, sys, tempfile, threading, time, weakref
def late():
    time.sleep(0.3); print("thread")
threading.Thread(target=late).start()
pool = concurrent.futures.ThreadPoolExecutor(2)
pool.submit(lambda: (time.sleep(0.1), print("pool")))
atexit.register(print, "second")
@atexit.register
def first():
    print("first")
class Kept:
    def __del__(self): print("deleted")
kept, other = Kept(), Kept()
weakref.finalize(other, print, "finalized")
handler = logging.handlers.MemoryHandler(100, target=logging.StreamHandler(sys.stdout))
logging.getLogger().addHandler(handler)
logging.warning("logged")
file = open("file.txt", "w")
file.write("written")
print("main", sorted(n for n in globals() if not n.startswith("__") and n in ("In", "Out", "exit", "get_ipython")))
"""


@case
def script_alone():
    """As `python FILE` ends."""
    facts = {}
    with Scripts() as k:
        facts["ends"] = ending(k.script(ALONE + "sys.exit(7)", alone=True))
        with open(os.path.join(k.cwd, "file.txt")) as file:
            facts["file"] = file.read()
        facts["closes"], facts["log"] = k.close(), k.log()
    with Scripts() as k:
        text = "import atexit, threading\natexit.register(print, 'still')\nover = threading.Event()\n"
        text += "threading.Thread(target=lambda: over.wait() and print('ready', flush=True) or threading.Event().wait(60)).start()\n"
        text += "over.set()\n"
        out = k.script(text, alone=True, interrupt=1)
        facts["interrupted"] = ending(out) + [plain(out["error"]["traceback"])]
        k.process.kill()
    with Scripts() as k:
        facts["raises"] = ending(k.script("import atexit\natexit.register(lambda: 1/0)\natexit.register(print, 'before')\nraise KeyError('k')", alone=True))[:4]
    with Scripts() as k:
        facts["forks"] = ending(k.script("import os, sys\nif os.fork() == 0: print('child', flush=True)\nelse: print(os.waitstatus_to_exitcode(os.wait()[1]) if hasattr(os, 'waitstatus_to_exitcode') else 0)", alone=True))
    return facts


LOOPS = {
    "run": "asyncio.run(work(1))",
    "twice": "asyncio.run(work(1)) + asyncio.run(work(2))",
    "after_await": "await work(1) + asyncio.run(work(2)) + await work(3)",
    "own_loop": "loop = asyncio.new_event_loop(); r = loop.run_until_complete(work(4)); loop.close(); r",
    "kernels_loop": "loop = asyncio.get_event_loop(); r = loop.run_until_complete(work(5)); loop.close(); r",
    "kernels_loop_again": "asyncio.get_event_loop().run_until_complete(work(6))",
    "kept": "class Queue_:\n    async def put(self): self.q = asyncio.Queue(); await self.q.put(7)\n    async def get(self): return await self.q.get()\n"
    "q = Queue_(); loop = asyncio.get_event_loop(); loop.run_until_complete(q.put()); loop.run_until_complete(q.get())",
    "task": "await asyncio.create_task(work(8))",
    "context": "import contextvars; v = contextvars.ContextVar('v'); v.set(9)\nasync def get(): return v.get()\nasyncio.run(get())",
    "thread": "import threading\nasync def where(): return threading.current_thread() is threading.main_thread()\nasyncio.run(where())",
    "children": "async def child():\n    p = await asyncio.create_subprocess_exec('echo', 'hi', stdout=-1)\n    return (await p.communicate())[0]\nasyncio.run(child())",
    "in_thread": "import concurrent.futures\nconcurrent.futures.ThreadPoolExecutor().submit(lambda: asyncio.run(work(10))).result()",
    "running": "asyncio.get_running_loop() is asyncio.get_event_loop() is loop",
    "background": "t = asyncio.ensure_future(work(11)); asyncio.run(work(12)); await t",
    "raises": "async def bad(): raise LookupError('in the loop')\nasyncio.run(bad())",
    "in_a_loop": "async def outer():\n    c = work(1)\n    try: asyncio.run(c)\n    finally: c.close()\nasyncio.run(outer())",
    "future": "loop.run_until_complete(asyncio.ensure_future(work(13)))",
    "gather": "loop.run_until_complete(asyncio.gather(work(14), work(15)))",
    "forever": "loop.run_forever()",
    "after": "await work(16)",
}


def loop_results(k, cells):
    facts = {}
    for name, code in cells.items():
        out = k.run(code)
        facts[name] = out.get("result") or out["ename"]
        if "await" in (out["reply"].get("evalue") or ""):
            facts[name] += " await"
    return facts


@case
def loops():
    with Scripts() as k:
        k.run("import asyncio\nasync def work(n):\n    await asyncio.sleep(0.01)\n    return n")
        # "ready" in the loop: an interrupt as asyncio.run() takes SIGINT for itself raises CancelledError in any Python.
        k.run("async def until():\n    print('ready', flush=True)\n    await asyncio.sleep(60)")
        facts = loop_results(k, LOOPS)
        if sys.version_info >= (3, 11):  # there is no Runner before
            facts["runner"] = k.result("with asyncio.Runner() as runner: r = runner.run(work(1)) + runner.run(work(2))\nr")
        else:
            facts["runner"] = "3"
        for name, code in {
            "interrupt": "asyncio.run(until())",
            "interrupt_awaiting": "await work(1); asyncio.run(until())",
        }.items():
            out = k.run(code, interrupt=1)
            facts[name] = [out["ename"], out["signals"], k.result("asyncio.run(work(1)) + await work(1)")]
        text = "import asyncio\nasync def work(n):\n    await asyncio.sleep(0.01)\n    return n\n"
        facts["script"] = k.script(text + "print(asyncio.run(work(1)))\ntry: asyncio.get_running_loop()\nexcept RuntimeError as e: print(e)")["stdout"]
        facts["script_policy"] = k.script(text + "loop = asyncio.new_event_loop(); asyncio.set_event_loop(loop)\nprint(asyncio.get_event_loop().run_until_complete(asyncio.gather(work(1), work(2)))); loop.close()")["stdout"]
        facts["after_script"] = k.result("asyncio.run(work(1)) + await work(1)")
        facts["log"] = k.log()
        return facts


SIGNAL_IN = """
def install(nth, modules):
    import os, signal, sys
    count = 0
    def trace(frame, event, arg):
        global met
        nonlocal count
        if frame.f_globals.get('__name__') not in modules:
            return
        count += 1
        if count == nth and not met:
            met = '%s:%d%s' % (os.path.basename(frame.f_code.co_filename), frame.f_lineno, ', ended' * ended)
            sys.settrace(None)
            os.kill(os.getpid(), signal.SIGINT)
        return trace
    sys.settrace(trace)
"""
ASIDE = {
    "cell": ("loops interrupts", "await work(1); {}; asyncio.run(asyncio.sleep(0.1)); sys.settrace(None)"),
    "script": ("interrupts scripts", "{}; get_ipython().run_script({!r}); sys.settrace(None)"),
}
SESSION = "sys.settrace(None), met, asyncio.run(work(1)) + await work(1), sys.argv == argv, sys.path == path, '__file__' in globals(), __name__"


@case
def signal_aside():
    """A signal at each place where something of the session is put aside for a loop of the
    user's or for a script, and put back: which has another outcome, and what it leaves."""
    with Scripts() as k:
        path = os.path.join(k.cwd, "script.py")
        write(path, "import time\ntime.sleep(0.1)\nended = True\n")
        k.run("import asyncio, sys\nasync def work(n):\n    await asyncio.sleep(0.001)\n    return n\nargv, path = list(sys.argv), list(sys.path)" + SIGNAL_IN)
        facts = {}
        for name, (modules, code) in ASIDE.items():
            wrong, nth = [], 0
            while not wrong:
                nth += 1
                install = "met, ended = None, False; install(%d, %r)" % (nth, ["mce_launch." + module for module in modules.split()])
                out = k.run(code.format(install, path), limit=10)
                _, met, *session = ast.literal_eval(k.result(SESSION) or "(None, '')")
                if met is None:
                    break
                if out["ename"] != "KeyboardInterrupt" and "ended" not in met or session != [2, True, True, False, "__main__"]:
                    wrong.append([nth, met, out["ename"], session])
            facts[name] = [nth > 100, wrong]
        return facts


@case
def bytes_and_encodings():
    with Kernel() as k:
        k.run("import io, sys")
        return {
            "buffer": k.run("print('a'); n = sys.stdout.buffer.write('\u00e9\u20ac\\n'.encode()); print(n)")["stdout"],
            "pieces": k.run("for b in '\u20ac'.encode(): sys.stdout.buffer.write(bytes([b]))")["stdout"],
            "half": k.run("x = sys.stdout.buffer.write(b'\\xe2\\x82')")["stdout"],
            "stderr": k.run("x = sys.stderr.buffer.write(memoryview(b'err\\n')); sys.stderr.buffer.flush()")["stderr"],
            "text": ending(k.run("sys.stdout.buffer.write('text')"))[:3],
            "wrapper": k.run("old = sys.stdout; sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8'); print('wrapped \u00e9'); sys.stdout.flush(); sys.stdout = old")["stdout"],
            "detach": k.run("import codecs; sys.stdout = codecs.getwriter('utf-8')(sys.stdout.detach()); print('writer'); sys.stdout = old")["stdout"],
            "replace": k.run("sys.stdout.reconfigure(encoding='ascii', errors='backslashreplace'); print('\u00e9'); sys.stdout.reconfigure(encoding='utf-8'); print('\u00e9')")["stdout"],
            "strict": ending(k.run("sys.stdout.reconfigure(encoding='ascii'); print('\u00e9')"))[:3],
            "back": k.run("sys.stdout.reconfigure(encoding='utf-8', errors='strict', line_buffering=True); print('\u00e9', sys.stdout.encoding)")["stdout"],
            "newline": k.run("sys.stdout.reconfigure(newline='\\r\\n'); print('x'); sys.stdout.reconfigure(newline='\\n'); print('y')")["stdout"],
            "wrong": ending(k.run("sys.stdout.reconfigure(encoding='no-such')"))[:3],
            "descriptor": k.run("with open(sys.stdout.fileno(), 'w', closefd=False) as f: f.write('by number\\n')\nimport time; time.sleep(1)")["stdout"],
            "stdin": k.result("open(sys.stdin.fileno(), closefd=False).read()"),
            "children": k.run("import subprocess; x = subprocess.run(['echo', 'child'], stdout=sys.stdout.buffer.fileno() and 1)")["stdout"],
            "reset": k.result("%reset -f\nopen is __import__('builtins').open"),
            "log": [line for line in k.log() if line != "child"],
        }


COLORS = "import os; [os.environ.get(n) for n in ('CLICOLOR', 'CLICOLOR_FORCE', 'FORCE_COLOR', 'MPLBACKEND')]"


@case
def script_variables():
    facts = {}
    names = ("CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "MPLBACKEND")
    for name in names:
        os.environ.pop(name, None)
    with Kernel() as k:
        facts["none"] = k.result(COLORS)
        facts["child"] = k.run("import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'import os; print([n for n in os.environ if \"COLOR\" in n or \"MPL\" in n])'], capture_output=True).stdout)")["stdout"]
        facts["backend"] = k.result("import matplotlib; 'inline' in matplotlib.get_backend()")
    with Kernel(env={"FORCE_COLOR": "3", "CLICOLOR": "0", "MPLBACKEND": "svg"}) as k:
        facts["users"] = k.result(COLORS)
    return facts


@case
def windowless():
    """plt.show() with a backend that has no window."""
    plot = "import matplotlib.pyplot as plt; plt.plot([1, 2]); "
    facts = {}
    with Kernel(env={"MPLBACKEND": "Agg"}) as k:
        facts["variable"] = k.run(plot + "plt.show()")["png"]
        facts["again"] = k.run("plt.show()")["png"]
        facts["changed"] = k.run("plt.plot([2, 1]); plt.show()")["png"]
        facts["open"] = k.result("len(plt.get_fignums())")
        facts["figure"] = k.run("f, ax = plt.subplots(); ax.plot([1]); f.show()")["png"]
        facts["not_shown"] = k.run("f, ax = plt.subplots(); ax.plot([1]); f.savefig('f.png')")["png"]
    with Kernel() as k:
        facts["use"] = k.run("import matplotlib; matplotlib.use('Agg'); " + plot + "plt.show()")["png"]
        facts["svg"] = k.run("matplotlib.use('svg'); " + plot + "plt.show()")["png"]
    with Kernel() as k:
        facts["inline"] = k.run(plot + "plt.gcf().show(); plt.show()")["png"]
    with Kernel(options=["--mce-no-prelude"], env={"MPLBACKEND": "Agg"}) as k:
        facts["off"] = k.run(plot + "plt.show()")["png"]
    return facts


PRETTY = {
    "list": "list(range(300))",
    "strings": "['name%d' % i for i in range(100)]",
    "tuples": "[(i, i * i) for i in range(100)]",
    "dict": "{i: i * i for i in range(100)}",
    "of_lists": "{'a': list(range(100)), 'b': [0.5] * 100}",
    "set": "set(range(100))",
    "deque": "__import__('collections').deque(range(100))",
    "short": "[1, [2, (3,)], {'a': {4}}]",
    "empty": "[], (), {}, set()",
    "floats": "[0.1 + 0.2] * 3",
    "mixed": "[None, True, 1j, b'x', 'a\\nb'] * 20",
    "subclass": "type('L', (list,), {})(range(100))",
}


@case
def compact():
    facts, lines, same = {}, {}, {}
    with Kernel() as k:
        for name, code in PRETTY.items():
            text = k.result(code)
            lines[name] = len(text.splitlines())
            facts["width"] = max(facts.get("width", 0), *map(len, text.splitlines()))
            same[name] = "".join(text.split()) == "".join(k.run("print(repr((%s)))" % code)["stdout"].split())
        facts["lines"], facts["same"] = lines, same
        facts["long"] = k.result("list(range(2000))")[-15:]
        facts["cycle"] = k.result("a = [1]; a.append(a); a")
        facts["deep"] = k.run("d = []\nfor i in range(200): d = [d]\nd")["status"]
        facts["arrays"] = k.result("import numpy as np; [np.eye(2), np.arange(3)]")
        facts["precision"] = k.run("%precision 2\n[0.123456, 1.5]")["result"]
    with Kernel() as k:
        k.run("get_ipython().display_formatter.formatters['text/plain'].for_type(list, lambda o, p, c: p.text('MINE'))")
        facts["users"] = k.result("[1]")
    with Kernel(options=["--mce-no-prelude"]) as k:
        facts["off"] = len(k.result("list(range(300))").splitlines())
    return facts
