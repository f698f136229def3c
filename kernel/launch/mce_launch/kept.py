"""What the kernel itself needs to answer is out of the code's reach: after `json.dumps =
None`, `time.monotonic = None`, `sys.modules.clear()` or a guard at `builtins.__import__`
ipykernel could not say that the run has ended."""

import _thread
import functools
import os
import sys

from .report import describe, say, step

# Whose modules get their own copies, and of which modules. What user code has replaced on
# purpose, as libraries that freeze the time do, it still sees everywhere else.
USERS = ("ipykernel", "jupyter_client", "zmq", "tornado", "mce_launch")
MODULES = ("asyncio", "contextvars", "functools", "hmac", "inspect", "itertools", "json", "logging", "os", "signal", "socket", "threading", "time", "uuid", "warnings")


def copy(module):
    """A module with the functions and types that module has now; all else is looked up
    in module when it is wanted."""
    kept = type(sys)(module.__name__, module.__doc__)
    kept.__dict__.update({name: value for name, value in vars(module).items() if callable(value)})
    kept.__getattr__ = lambda name: getattr(module, name)
    return kept


def keep(app):
    """Before any code of the user's runs."""
    copies = {id(sys.modules[name]): copy(sys.modules[name]) for name in MODULES if name in sys.modules}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in USERS and module is not None:
            names = vars(module)
            names.update({n: copies[id(v)] for n, v in names.items() if id(v) in copies})
    from tornado.ioloop import IOLoop

    threads = [getattr(app, name, None) for name in ("iopub_thread", "control_thread", "shell_channel_thread")]
    sys.meta_path.insert(0, Again(threads))
    for loop in [IOLoop.current()] + [getattr(thread, "io_loop", None) for thread in threads]:
        keep_time(getattr(loop, "asyncio_loop", None))
    step("import", keep_import)
    step("log", keep_log, app.log, app.log_level)
    end_promptly(app.kernel)


def keep_import():
    """A socket imports zmq each time that it is asked for its state."""
    from zmq.sugar.attrsettr import AttributeSetter

    AttributeSetter.__getattr__ = with_own_import(AttributeSetter.__getattr__)


def with_own_import(function):
    """The function, whose imports do not go through one that code has put at
    builtins.__import__, as tests and sandboxes do. Its builtins are those of now."""
    import builtins

    globals = dict(function.__globals__, __builtins__=dict(vars(builtins)))
    return functools.update_wrapper(type(function)(function.__code__, globals, function.__name__, function.__defaults__, function.__closure__), function)


class Again:
    """Finds for the kernel what was loaded when it began, where code has taken it from
    sys.modules: sending a message imports zmq, which Python cannot load twice, and between
    two statements IPython imports inspect."""

    def __init__(self, threads):
        self.modules = dict(sys.modules)
        self.threads = [getattr(thread, "thread", thread) for thread in threads if thread is not None]

    def find_spec(self, name, path=None, target=None):
        module = self.modules.get(name)
        if getattr(module, "__spec__", None) is None or not self.kernel_imports():
            return None
        return Loaded(module).spec()

    def kernel_imports(self, get_ident=_thread.get_ident, getframe=sys._getframe):
        if get_ident() in [thread.ident for thread in self.threads]:
            return True
        caller = frame = getframe(2)
        while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
            frame = frame.f_back
        name = frame and frame.f_globals.get("__name__")
        return frame is not caller and isinstance(name, str) and name.partition(".")[0] in USERS + ("IPython",)


class Loaded:
    """The loader of a module that is loaded; for all else, the one that has done it."""

    def __init__(self, module):
        self._module, self._spec = module, module.__spec__

    def __getattr__(self, name):
        return getattr(self._spec.loader, name)

    def spec(self):
        kind = type(self._spec)
        spec = kind.__new__(kind)  # the module copy imports others, which a stash may hide
        vars(spec).update(vars(self._spec))
        spec.loader = self
        return spec

    def create_module(self, spec):
        return self._module

    def exec_module(self, module):
        module.__spec__ = self._spec  # importlib has given it the copy


def keep_time(loop):
    import time

    if loop is not None:
        try:
            loop.time = time.monotonic
        except AttributeError:  # not asyncio's own
            pass


def keep_log(log, level):
    """What is not shown is not made up either, and what cannot be is no error of the kernel's."""
    log.setLevel(max(log.level, level))
    original = log._log

    def quiet(*args, **kwargs):
        try:
            original(*args, **kwargs)
        except Exception:
            pass

    log._log = quiet


def end_promptly(kernel):
    """A kernel that cannot answer ends, and the server tells of it; ipykernel would only log
    it, and the run would have no end."""
    dispatch, end = kernel.dispatch_shell, os._exit

    @functools.wraps(dispatch)
    async def dispatch_shell(*args, **kwargs):
        before = kernel.get_parent("shell")
        try:
            return await dispatch(*args, **kwargs)
        except Exception as error:
            try:
                if kernel.get_parent("shell") is not before:  # else it could not even be read
                    return kernel._publish_status("idle", "shell")
            except Exception:
                pass
            say("the kernel failed: " + describe(error))
            end(5)

    kernel.dispatch_shell = dispatch_shell
