"""Cases of driver.py about scripts, how runs end, event loops, streams, displays."""

import os
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
    "magic": "%time import sys; sys.exit(8)",
}


@case
def exits():
    with Kernel() as k:
        facts = {name: ending(k.run("kept = 1\n" + code)) for name, code in EXITS.items() if not code.startswith("%")}
        facts["kept"] = k.result("kept")
        facts["log"] = k.log()
        return facts


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


COLORS = "import os; [os.environ.get(n) for n in ('CLICOLOR', 'CLICOLOR_FORCE', 'FORCE_COLOR', 'MPLBACKEND')]"


@case
def variables():
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
