"""What the kernel itself needs to answer is out of the code's reach: after `json.dumps =
None` or `time.monotonic = None` ipykernel could not say that the run has ended."""

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
    for loop in [IOLoop.current()] + [getattr(thread, "io_loop", None) for thread in threads]:
        keep_time(getattr(loop, "asyncio_loop", None))
    step("log", keep_log, app.log, app.log_level)
    end_promptly(app.kernel)


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
