"""How a run ended: whether its own code raised, and the status it exited with.

An error on iopub does not tell: callbacks of extensions, and code that shows an
exception it has handled, put one there too. And sys.exit() is an end that Python
knows, with a status.
"""

import os
import sys
import threading

from . import forked, unprintable
from .report import step

# In an execute_reply.
RAISED = "mce_raised"
STATUS = "mce_exit_status"
RUNNING = "mce_running"  # what a script has left running, see running.py
DIRECTORY = "mce_directory"  # where the code has gone: a path, or GONE
GONE = "gone"  # a directory that is not there any more

# Modules that show errors of the user's code for it.
OWN = ("IPython.", "ipykernel.", "matplotlib_inline.")
# Callbacks that are registered with IPython.
CALLBACKS = "IPython.core.events"
# A representation of a value: the code goes on without it.
FORMATTERS = "IPython.core.formatters"


def exit_status(code):
    """What Python makes of SystemExit's code: the status, and what it prints."""
    if code is None:
        return 0, ""
    if isinstance(code, int):
        return (int(code) & 0xFF if os.name == "posix" else int(code)), ""
    return 1, str(code)


def directory():
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return GONE


class Endings:
    """The end of the run under way. Used by the main thread alone."""

    def __init__(self, before_showing):
        self.before_showing = before_showing
        self.begin()

    def begin(self):
        self.raised = False
        self.status = None
        self.error = None
        self.unformatted = None
        self.running = None

    def exited(self, code):
        """The run ends here with SystemExit, whose code this is."""
        self.status, text = exit_status(code)
        self.error = ("SystemExit", str(code))
        self.raised = self.raised or self.status != 0
        if text:
            print(text, file=sys.stderr)

    def failed(self, error, status=None):
        """The run's code raised, and the error is shown."""
        self.raised, self.status = True, status
        text = unprintable.text(error)
        self.error = (type(error).__name__, unprintable.FAILED if text is None else text)

    def reply(self, reply):
        """The execute_reply with what is known here."""
        itself = reply.get("status") == "error" and reply.get("ename") != "NoneType"
        if itself and self.status is None:
            self.raised = True  # whoever has shown it
        elif self.raised:
            reply["status"] = "error"
            reply["ename"], reply["evalue"] = self.error
            reply.setdefault("traceback", [])
        else:
            reply["status"] = "ok"
            for key in ("ename", "evalue", "traceback", "engine_info"):
                reply.pop(key, None)
        if self.status is not None:
            reply[STATUS] = self.status
        if self.running:
            reply[RUNNING] = self.running
        reply[RAISED] = self.raised
        return reply

    def install(self, app):
        import functools

        shell, kernel = app.shell, app.kernel
        showtraceback, do_execute, pid = shell.showtraceback, kernel.do_execute, os.getpid()

        @functools.wraps(showtraceback)
        def show(exc_tuple=None, *args, **kwargs):
            self.before_showing()
            if exc_tuple is None and kwargs.get("exception_only"):
                error = sys.exc_info()[1]
                if isinstance(error, SystemExit):  # of a cell, or of %run
                    if in_inner_cell(sys._getframe(1)):
                        return show_name(shell, error)
                    self.exited(error.code)
                    return forked.at_end(pid, self.status)
            error, caller = (exc_tuple or sys.exc_info())[1], sys._getframe(1)
            if module(caller) == FORMATTERS:
                self.unformatted = error, (caller.f_locals.get("args") or [None])[0]
            elif error is not None and is_own(caller):
                self.failed(error, self.status)
                forked.at_error(pid, error)
                shell._last_traceback = None  # IPython prints groups, and keeps none of them
            return showtraceback(exc_tuple, *args, **kwargs)

        @functools.wraps(do_execute)
        async def execute(*args, **kwargs):
            # ipykernel does so for cells that do not await.
            shell._last_traceback, shell._last_traceback_during_displayhook = None, False
            if threading.current_thread() is not threading.main_thread():  # a subshell
                return await do_execute(*args, **kwargs)
            self.begin()
            before = directory()
            reply = await do_execute(*args, **kwargs)
            forked.at_end(pid, 0)
            reply, now = self.reply(reply), directory()
            if now != before or now == GONE:
                reply[DIRECTORY] = now
            return reply

        shell.showtraceback = show
        kernel.do_execute = execute
        step("advice", quiet_exit)
        step("exiter", exit_with, type(shell.exiter))
        step("unformatted", self.watch_values, shell.displayhook)

    def watch_values(self, displayhook):
        """The run's value that cannot be shown in any way is an error of the run."""
        compute_format_data = displayhook.compute_format_data

        def compute(value):
            self.unformatted = None
            data, metadata = compute_format_data(value)
            if not data and self.unformatted and self.unformatted[1] is value:
                self.failed(self.unformatted[0])
            self.unformatted = None
            return data, metadata

        displayhook.compute_format_data = compute


def module(frame):
    return frame.f_globals.get("__name__") or ""


def is_own(caller):
    """Whether who shows an error does it for the run's own code."""
    name = module(caller)
    return name.startswith(OWN) and name != CALLBACKS and not in_inner_cell(caller)


def in_inner_cell(frame):
    """Whether this is in a cell that the run's code runs by get_ipython().run_cell,
    which tells the code of an error and lets it go on. Magics run cells as well
    (%%capture): those are the run's."""
    cells = []  # inner to outer: whether something else than IPython has called it
    while frame:
        name, caller = frame.f_code.co_name, frame.f_back
        if name in ("run_cell", "run_cell_async") and module(frame).startswith(OWN):
            cells.append(caller is not None and not module(caller).startswith(OWN))
        elif name == "run_cell_magic" and module(frame).startswith(OWN):
            cells.clear()
        frame = caller
    return any(cells[:-1])  # the outermost is the run, called by asyncio if it awaits


def show_name(shell, error):
    """Shows an error that no line of the user's code has raised. IPython's
    exception_only advises to use %tb, which would show the kernel's lines."""
    kind = type(error)
    shell._showtraceback(kind, error, shell.InteractiveTB.get_exception_only(kind, error))


def exit_with(kind):
    """exit(N) and quit(N) are sys.exit(N); IPython takes N for whether to keep the
    kernel. Without an argument they end the kernel."""
    original = kind.__call__

    def __call__(self, code=original):  # that is: none
        if code is not original:
            sys.exit(code)
        original(self)

    kind.__call__ = __call__


def quiet_exit():
    """IPython's advice after sys.exit() would end the session."""
    from IPython.core import interactiveshell

    warn = interactiveshell.warn

    def quiet(message, *args, **kwargs):
        if not str(message).startswith("To exit: use"):
            kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
            warn(message, *args, **kwargs)

    interactiveshell.warn = quiet
