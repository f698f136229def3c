"""Interrupts lead to an answer."""

import functools
import signal
import sys
import threading

from . import unprintable
from .endings import show_name
from .report import step


def in_main_thread():
    return threading.current_thread() is threading.main_thread()


class Interrupts:
    """What SIGINT does.

    idle                    nothing, as in ipykernel
    around a cell           remembered before it, ignored after it: plain
                            ipykernel loses the reply
    in a cell               KeyboardInterrupt, by Python's own handler
    in a cell that awaits   the cell is cancelled (CancelledError, as in plain
                            ipykernel, which needs another message to notice);
                            a call that blocks gets KeyboardInterrupt: at once
                            in the cell itself, on the second signal in a task
                            it waits for
    while one is shown      once nothing, see show_once
    """

    def __init__(self):
        self.pending = False

    def note(self, signum, frame):
        self.pending = True

    def arm(self):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.pending:
            self.pending = False
            raise KeyboardInterrupt

    def disarm(self):
        while True:
            try:
                signal.signal(signal.SIGINT, self.note)
                return
            except KeyboardInterrupt:
                pass

    def install(self):
        import asyncio
        import contextlib

        from ipykernel.ipkernel import IPythonKernel

        interrupts = self
        runs_code = {"complete_request", "inspect_request", "comm_open", "comm_msg"}

        def pre_handler_hook(kernel):
            if not in_main_thread():  # a subshell
                return
            kind = kernel.get_parent("shell").get("header", {}).get("msg_type")
            interrupts.pending = False
            handler = signal.default_int_handler if kind in runs_code else interrupts.note
            kernel.saved_sigint_handler = signal.signal(signal.SIGINT, handler)

        original = IPythonKernel.do_execute

        @functools.wraps(original)
        async def do_execute(kernel, *args, **kwargs):
            main = in_main_thread()
            count = kernel.shell.execution_count
            reply = None
            try:
                try:
                    if main:
                        interrupts.arm()
                    reply = await original(kernel, *args, **kwargs)
                finally:
                    if main:
                        interrupts.disarm()
            except (Exception, KeyboardInterrupt, asyncio.CancelledError) as error:
                if main:
                    interrupts.disarm()  # the signal may have come right before the other
                    step("unbegun", cancel_unbegun)
                if reply is None:
                    reply = failed(kernel, error, count)
            return reply

        @contextlib.contextmanager
        def cancel_on_sigint(kernel, task):
            loop = task.get_loop()
            cell = getattr(task.get_coro(), "cr_frame", None)
            signals = 0

            def in_cell(frame):
                # The loop's own code runs in the name of the task too, when it
                # queues the next step: raising there loses the step for ever.
                while frame and frame is not cell:
                    frame = frame.f_back
                return frame is cell

            def handle(signum, frame):
                nonlocal signals
                if task.done():
                    return
                if asyncio.current_task(loop) is task and in_cell(frame):
                    raise KeyboardInterrupt
                signals += 1
                # tornado's add_callback does not wake the loop from a handler.
                loop.call_soon_threadsafe(task.cancel)
                if signals > 1:
                    raise KeyboardInterrupt

            saved = signal.signal(signal.SIGINT, handle)
            try:
                yield
            finally:
                signal.signal(signal.SIGINT, saved)

        IPythonKernel._cancel_on_sigint  # AttributeError where there is none
        IPythonKernel.pre_handler_hook = pre_handler_hook
        IPythonKernel.do_execute = do_execute
        IPythonKernel._cancel_on_sigint = cancel_on_sigint


class Aside:
    """What is put aside for the time of a call: put_aside and put_back are done whole,
    wherever an interrupt comes. A `with` would not put back what an interrupt at the end of
    __enter__ or at the beginning of __exit__ leaves aside."""

    put = False

    def call(self, function, args=(), kwargs={}):
        __tracebackhide__ = True
        try:
            try:
                self.begin()
                return function(*args, **kwargs)
            finally:
                self.end()
        finally:
            self.end()  # for the interrupt that was raised before the first's first step

    def begin(self):
        __tracebackhide__ = True
        self.noted = []
        self.sigint = sigint = signal.getsignal(signal.SIGINT)
        if getattr(sigint, "__module__", None) == __name__:
            sigint = signal.default_int_handler  # a cell that awaits: its task waits for us
        signal.signal(signal.SIGINT, self.note)
        self.put = True
        self.put_aside()
        signal.signal(signal.SIGINT, sigint)
        if self.noted:
            raise KeyboardInterrupt

    def end(self):
        __tracebackhide__ = True
        if not self.put:
            return
        signal.signal(signal.SIGINT, self.note)
        self.put_back()
        self.put = False
        signal.signal(signal.SIGINT, self.sigint)
        if self.noted:
            raise KeyboardInterrupt

    def note(self, signum, frame):
        self.noted.append(signum)


def cancel_unbegun():
    """Cancels a cell that awaits and was interrupted between the making of its
    task and the first step: it would run after its reply."""
    import asyncio
    import inspect

    for task in asyncio.all_tasks():
        cell = task.get_coro()
        if getattr(cell, "__name__", "") == "run_cell_async" and inspect.getcoroutinestate(cell) == inspect.CORO_CREATED:
            task.cancel()


def failed(kernel, error, count):
    """The reply for an error outside the user's code: plain ipykernel sends
    none (an interrupt around the cell, a NUL in the source)."""
    shell = kernel.shell
    name, value = unprintable.shown(kernel), unprintable.FAILED
    if name is None:
        name, value = type(error).__name__, str(error)
        shell._last_traceback = None
        step("reply", show_name, shell, error)
    return {
        "status": "error",
        "ename": name,
        "evalue": value,
        "traceback": shell._last_traceback or [],
        "execution_count": count,
        "user_expressions": {},
        "payload": [],
    }


def show_once(app):
    """The second of two signals is not a second error of the same run: SIGINT does
    once nothing while a KeyboardInterrupt is shown."""
    showtraceback, raises = app.shell.showtraceback, signal.default_int_handler

    def ignore_once(signum, frame):
        signal.signal(signal.SIGINT, raises)

    @functools.wraps(showtraceback)
    def show(exc_tuple=None, *args, **kwargs):
        error = (exc_tuple or sys.exc_info())[1]
        armed = in_main_thread() and signal.getsignal(signal.SIGINT) is raises
        if not armed or not isinstance(error, KeyboardInterrupt):
            return showtraceback(exc_tuple, *args, **kwargs)
        try:
            signal.signal(signal.SIGINT, ignore_once)
            return showtraceback(exc_tuple, *args, **kwargs)
        finally:
            signal.signal(signal.SIGINT, raises)

    app.shell.showtraceback = show


class Handlers:
    """Errors that signal handlers raise while no code runs, as that of an alarm that code
    has left set. They leave the loop as well, and are shown."""

    KERNEL = ("asyncio", "ipykernel", "mce_launch", "selectors", "tornado", "zmq")
    MOST = 100  # in a row, of code that has replaced a part of the loop

    def __init__(self):
        import time

        self.clock, self.last, self.row = time.monotonic, 0, 0

    def show(self, error):
        """Raises what no handler has raised."""
        import traceback

        part, now = error.__traceback__, self.clock()
        while part is not None and str(part.tb_frame.f_globals.get("__name__")).partition(".")[0] in self.KERNEL:
            part = part.tb_next
        self.row = self.row + 1 if now - self.last < 0.001 else 0
        self.last = now
        if part is None or self.row > self.MOST:
            raise error
        traceback.print_exception(type(error), error, part)


def keep_loop():
    """A KeyboardInterrupt raised in a task leaves the loop, and ipykernel ends then."""
    from tornado.ioloop import IOLoop

    loop, handlers = IOLoop.current(), Handlers()
    if loop.asyncio_loop.is_running():
        return go_on(loop.asyncio_loop, handlers)
    original = loop.start

    def start():
        while True:
            try:
                return original()
            except KeyboardInterrupt:
                pass
            except Exception as error:
                handlers.show(error)

    loop.start = start


def go_on(loop, handlers):
    """The same for a loop that runs already: it looks up its next round in itself."""
    kind = type(loop)
    kind._run_once  # AttributeError where it is not asyncio's own

    depth = 0

    def run_once():
        nonlocal depth
        try:
            depth += 1
            kind._run_once(loop)  # nest_asyncio replaces it there
        except KeyboardInterrupt:
            if depth > 1:  # and runs the loop in a cell, whose it is then
                raise
        except Exception as error:
            if depth > 1:
                raise
            handlers.show(error)
        finally:
            depth -= 1

    loop._run_once = run_once
