"""Code that takes from Python what every program needs, as `builtins.open = None` or
`threading.Lock = None` do: later code would fail far from the cause, and ipykernel may never
end the run. It is put back before an error is shown and when the code has ended, and the reply
names it. What ipykernel needs in between is in kept.py."""

import builtins
import operator
import os
import sys

from . import kept
from .report import step

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
MODULES = ("builtins", "sys", "os", "IPython", "ipykernel", "asyncio", "json", "logging", "re", "threading", "time", "tornado", "traitlets", "zmq")

# Modules and types of which all functions and types are put back, and what is put back of
# others. Not what a system may lack: code that tries how it does without takes it away.
WHOLE = (
    "contextlib", "contextvars", "copy", "functools", "io", "json", "json.decoder", "json.encoder", "linecache", "logging", "logging.Logger",
    "posixpath", "ntpath", "re", "threading.Thread", "tokenize", "traceback", "warnings",
)  # fmt: skip
PARTS = {
    "ast": "AST Expr Expression Interactive Module NodeTransformer NodeVisitor fix_missing_locations literal_eval parse walk",
    "asyncio": "CancelledError Event Future Queue Task all_tasks create_task current_task ensure_future gather get_event_loop"
    " get_running_loop iscoroutine iscoroutinefunction new_event_loop run set_event_loop sleep wait wait_for",
    "collections": "ChainMap Counter OrderedDict defaultdict deque namedtuple",
    "inspect": "currentframe getfile getmodule getsource getsourcefile getsourcelines isawaitable iscoroutine iscoroutinefunction"
    " isclass isfunction ismethod signature stack",
    "itertools": "chain count islice",
    "os": "close environ fspath getcwd getpid kill listdir open path read stat urandom write",
    "signal": "SIGINT default_int_handler getsignal signal",
    "sys": "_getframe displayhook exc_info excepthook exit getsizeof intern meta_path modules path path_hooks",
    "threading": "Condition Event Lock RLock Thread current_thread get_ident local main_thread",
    "time": "monotonic perf_counter sleep time",
    "types": "CodeType FrameType FunctionType MethodType ModuleType SimpleNamespace TracebackType",
    "weakref": "WeakKeyDictionary WeakSet WeakValueDictionary finalize proxy ref",
}


class Holder:
    """What a module or a type had when the kernel began. Whether it has it still is seen in a
    few microseconds: it is looked at after each run."""

    def __init__(self, name, wanted=""):
        self.name = name
        module, _, inner = name.partition(".") if name not in sys.modules else (name, "", "")
        self.holder = getattr(sys.modules[module], inner) if inner else sys.modules[name]
        self.known = vars(self.holder)
        names = wanted.split() or [n for n, v in self.known.items() if not n.startswith("_") and callable(v)]
        self.own = {n: self.known[n] for n in names if n in self.known}
        self.values = operator.itemgetter(*self.own)
        self.seen = self.values(self.known)

    def restore(self, usable=callable, kind=type, put=setattr, failed=BaseException):
        """Puts back what is missing, and returns its names."""
        try:
            if self.values(self.known) == self.seen:
                return ()
        except failed:  # one is gone, or what is there refuses to be compared
            pass
        missing = []
        for name, own in self.own.items():
            value = self.known.get(name)
            if value is None or usable(own) and not usable(value):
                missing.append("%s.%s is %s" % (self.name, name, kind(value).__name__ if name in self.known else "gone"))
                put(self.holder, name, own)
        self.seen = self.values(self.known)  # what code has replaced stays
        return missing


def holders():
    loaded = [n for n in (*WHOLE, *PARTS) if n in sys.modules or n.partition(".")[0] in sys.modules]
    return [Holder(n, PARTS.get(n, "")) for n in loaded]


class Python:
    """What Python had when the kernel began. It uses nothing that may be missing. For the
    main thread alone."""

    def __init__(self, known=vars(builtins), loaded=sys.modules, usable=callable, kind=type, copy=dict, count=len):
        self.known, self.loaded = known, loaded
        self.usable, self.kind, self.copy, self.count = usable, kind, copy, count
        self.own, self.modules = copy(known), copy(loaded)
        self.holders = holders()
        self.restored = []
        self.imports = None  # the code's own builtins.__import__
        self.given = False

    def give_back(self):
        """What code has put at builtins.__import__ is for code alone: tests and sandboxes
        forbid imports, and the kernel would fail at its own."""
        self.given = True
        if self.imports is not None:
            self.known["__import__"] = self.imports

    def take_back(self):
        if not self.given:
            return
        self.given = False
        own, now = self.own["__import__"], self.known.get("__import__")
        self.imports = now if now is not own and self.usable(now) else None
        if self.imports is not None:
            self.known["__import__"] = own

    def restore(self):
        """Puts back what is missing, and returns all that was, in the run."""
        self.take_back()
        for name in NAMES:
            now = self.known.get(name)
            if not self.usable(now):
                self.restored.append("builtins.%s is %s" % (name, self.kind(now).__name__ if name in self.known else "gone"))
                self.known[name] = self.own[name]
        for holder in self.holders:
            self.restored.extend(holder.restore())
        for name in MODULES:
            if self.loaded.get(name) is None:
                self.restored.append("sys.modules has no %s" % name)
                if name in self.loaded:
                    self.loaded[name] = self.modules[name]
                else:  # all: one imported anew does not know its submodules
                    self.loaded.update(self.modules)
        if self.count(self.loaded) != self.count(self.modules):
            self.modules = self.copy(self.loaded)
        return self.restored


def keep_imports(shell):
    """Around each statement IPython imports bdb, inspect and its own history."""
    for kind, name in (type(shell), "run_ast_nodes"), (type(shell), "run_code"), (type(shell.displayhook), "log_output"):
        setattr(kind, name, kept.with_own_import(getattr(kind, name)))


def tell(app, python):
    import functools

    shell, kernel, pid = app.shell, app.kernel, os.getpid()
    step("import", keep_imports, shell)
    run_ast_nodes, do_execute = shell.run_ast_nodes, kernel.do_execute
    depth = 0

    @functools.wraps(run_ast_nodes)
    async def run(*args, **kwargs):
        nonlocal depth
        depth += 1
        python.give_back()
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
            depth -= 1
            python.restore()
            if depth:  # code runs a cell
                python.give_back()

    @functools.wraps(do_execute)
    async def execute(code, silent, *args, **kwargs):
        python.restored = []
        reply = await do_execute(code, silent, *args, **kwargs)
        if python.restored and not silent and os.getpid() == pid:
            reply[RESTORED] = python.restored
        return reply

    shell.run_ast_nodes, kernel.do_execute = run, execute
