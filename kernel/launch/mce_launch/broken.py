"""Code that takes from Python what every program needs, as `builtins.open = None` does: later
code would fail far from the cause, and ipykernel may never end the run. It is put back before
an error is shown and when the code has ended, and the reply names it."""

import builtins
import os
import sys

RESTORED = "mce_restored"  # in an execute_reply

# A variable of the user's that hides one of them is not meant: Python's error tells of it.
NAMES = (
    "__import__", "__build_class__", "print", "open", "len", "isinstance", "issubclass", "getattr", "setattr", "hasattr", "delattr", "callable",
    "repr", "iter", "next", "range", "enumerate", "zip", "map", "filter", "sorted", "min", "max", "sum", "any", "all", "abs", "id", "hash",
    "compile", "exec", "eval", "globals", "locals", "vars", "dir", "super", "object", "type", "property", "classmethod", "staticmethod",
    "bool", "int", "float", "str", "bytes", "bytearray", "list", "tuple", "dict", "set", "frozenset",
    "BaseException", "Exception", "KeyboardInterrupt", "SystemExit", "StopIteration", "TypeError", "ValueError", "KeyError", "IndexError",
    "AttributeError", "NameError", "ImportError", "RuntimeError", "OSError",
)  # fmt: skip
MODULES = ("builtins", "sys", "os", "IPython", "ipykernel")


class Python:
    """What Python had when the kernel began. It uses nothing that may be missing. For the
    main thread alone."""

    def __init__(self, known=vars(builtins), loaded=sys.modules, usable=callable, kind=type, copy=dict, count=len):
        self.known, self.loaded = known, loaded
        self.usable, self.kind, self.copy, self.count = usable, kind, copy, count
        self.own, self.modules = copy(known), copy(loaded)
        self.restored = []

    def restore(self):
        """Puts back what is missing, and returns all that was, in the run."""
        for name in NAMES:
            now = self.known.get(name)
            if not self.usable(now):
                self.restored.append("builtins.%s is %s" % (name, self.kind(now).__name__ if name in self.known else "gone"))
                self.known[name] = self.own[name]
        for name in MODULES:
            if self.loaded.get(name) is None:
                self.restored.append("sys.modules has no %s" % name)
                for other in self.modules:
                    self.loaded.setdefault(other, self.modules[other])
                self.loaded[name] = self.modules[name]
        if self.count(self.loaded) != self.count(self.modules):
            self.modules = self.copy(self.loaded)
        return self.restored


def tell(app, python):
    import functools

    shell, kernel, pid = app.shell, app.kernel, os.getpid()
    run_ast_nodes, do_execute = shell.run_ast_nodes, kernel.do_execute

    @functools.wraps(run_ast_nodes)
    async def run(*args, **kwargs):
        try:
            return await run_ast_nodes(*args, **kwargs)
        except BaseException as error:  # IPython's own code has failed between two statements
            if not python.restore() or not isinstance(error, Exception):
                raise
            if kwargs.get("result") is not None:
                kwargs["result"].error_in_exec = error
            shell.showtraceback()
            return True
        finally:
            python.restore()

    @functools.wraps(do_execute)
    async def execute(code, silent, *args, **kwargs):
        python.restored = []
        reply = await do_execute(code, silent, *args, **kwargs)
        if python.restored and not silent and os.getpid() == pid:
            reply[RESTORED] = python.restored
        return reply

    shell.run_ast_nodes, kernel.do_execute = run, execute
