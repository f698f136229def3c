"""Files run as scripts: as `python FILE` would, in the session's namespace."""

import os
import sys

from . import forked, fresh
from .forked import flush
from .interrupts import Aside
from .report import step
from .running import Before

MISSING = object()

# Names that IPython gives to cells, and builtins that a script expects instead.
SHADOWED = ("exit", "quit", "open")
QUITS = ("exit", "quit")  # Python's builtins, which IPython takes away
PROMPTS = ("ps1", "ps2", "ps3")  # of sys; by ps1 libraries know an interactive Python


class Script(Aside):
    """One run of a file; the session's settings are put aside for it."""

    def __init__(self, scripts, path, arguments):
        self.scripts, self.path = scripts, path
        self.argv = [path] + list(arguments)
        self.hidden = scripts.loops.hidden(script=True) if scripts.loops.runs() else None

    def put_aside(self):
        self.saved = {name: getattr(sys, name) for name in ("argv", "stdin", "stdout", "stderr", "excepthook")}
        self.prompts = {name: vars(sys).pop(name) for name in PROMPTS if name in vars(sys)}
        self.orig_argv = getattr(sys, "orig_argv", None)
        self.directory = os.path.dirname(self.path)
        self.names = {}
        self.method = start_method(None)
        sys.argv = list(self.argv)
        if self.orig_argv is not None:
            sys.orig_argv = [sys.executable] + self.argv
        sys.path.insert(0, self.directory)
        sys.excepthook = sys.__excepthook__
        self.set_names()
        self.builtins = sys.modules["builtins"].__dict__
        self.quits = {name: quitter(name) for name in QUITS if name not in self.builtins}
        self.builtins.update(self.quits)
        if self.hidden:
            self.hidden.put_aside()

    def set_names(self):
        from importlib.machinery import SourceFileLoader

        shell = self.scripts.shell
        namespace = shell.user_ns
        values = {
            "__file__": self.path,
            "__name__": "__main__",
            "__doc__": None,
            "__package__": None,
            "__cached__": None,
            "__spec__": None,
            "__loader__": SourceFileLoader("__main__", self.path),
            "__warningregistry__": MISSING,  # of the run before
        }
        for name in SHADOWED:
            if name in namespace and namespace[name] is shell.user_ns_hidden.get(name, MISSING):
                values[name] = MISSING
        for name, value in values.items():
            self.names[name] = namespace.pop(name, MISSING)
            if value is not MISSING:
                namespace[name] = value

    def put_back(self):
        try:
            self.restore()
        finally:
            if self.hidden:
                self.hidden.put_back()
        self.noted.clear()  # the script has ended

    def restore(self):
        for stream in (sys.stdout, sys.stderr):
            flush(stream)
        for name, value in (*self.saved.items(), *self.prompts.items()):
            setattr(sys, name, value)
        if getattr(sys.stdin, "closed", False):  # exit() of a script closes it
            sys.stdin = open(os.devnull, encoding="utf-8")
        if self.orig_argv is not None:
            sys.orig_argv = self.orig_argv
        if self.directory in sys.path:
            sys.path.remove(self.directory)
        self.restore_names()
        for name, value in self.quits.items():
            if self.builtins.get(name) is value:
                del self.builtins[name]
        start_method(self.method)

    def restore_names(self):
        namespace = self.scripts.shell.user_ns
        for name, value in self.names.items():
            if name in SHADOWED and name in namespace:
                continue  # the script's own
            namespace.pop(name, None)
            if value is not MISSING:
                namespace[name] = value


def start_method(method):
    """Sets how multiprocessing starts processes, which a script may choose once;
    returns what it was."""
    context = getattr(sys.modules.get("multiprocessing.context"), "_default_context", None)
    if context is None:
        return None
    before, context._actual_context = context._actual_context, method
    return before


def quitter(name):
    from _sitebuiltins import Quitter

    return Quitter(name, "Ctrl-D (i.e. EOF)")


class Scripts:
    """Runs files; its method run is what the server calls in a cell."""

    def __init__(self, shell, endings, loops):
        self.shell, self.endings, self.loops = shell, endings, loops

    def run(self, path, arguments=(), alone=False):
        """Runs the file with sys.argv [path, *arguments]. alone: nothing runs in
        this kernel before or after it, and it ends as a process ends."""
        pid = os.getpid()
        end = fresh.Process(self.shell, self.endings, path) if alone else None
        before = None if alone else step("running", Before, self.shell.user_ns)
        Script(self, path, arguments).call(self.whole, (path, pid, end))
        if before:
            self.endings.running = step("running", before.left)

    def whole(self, path, pid, end):
        self.execute(path, pid)
        if end:
            end.finish()
            self.endings.status = self.endings.status or 0
        forked.at_end(pid, self.endings.status or 0)

    def execute(self, path, pid):
        __tracebackhide__ = True
        try:
            with open(path, "rb") as file:
                code = compile(file.read(), path, "exec", dont_inherit=True)
            exec(code, self.shell.user_ns)
        except SystemExit as error:
            self.endings.exited(error.code)
        except BaseException as error:
            self.endings.failed(error, 130 if isinstance(error, KeyboardInterrupt) else 1)
            self.show(error, pid)

    def show(self, error, pid):
        """Shows what the script raised, by its own excepthook if it has one."""
        if sys.excepthook is not sys.__excepthook__:
            try:
                sys.excepthook(type(error), error, error.__traceback__.tb_next)
                return
            except SystemExit as exit:
                self.endings.exited(exit.code)
                return
            except Exception:
                pass  # Python shows both; the script's error is the one that matters
        if os.getpid() == pid:
            self.shell.showtraceback(running_compiled_code=True)
        else:  # a forked child has no iopub of its own
            import traceback

            traceback.print_exception(type(error), error, error.__traceback__.tb_next)


def offer(app, endings, loops):
    import warnings

    # The threads are the kernel's: the warning says nothing about the code.
    warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
    app.shell.run_script = Scripts(app.shell, endings, loops).run
