"""Event loops of the user's beside the kernel's, which runs while a cell does.

asyncio forbids a second loop in a thread that runs one. A cell blocks the
kernel's loop anyway, so for as long as another loop runs, the kernel's is
hidden: same thread, same context, the kernel's loop is never entered twice.
"""

from . import interrupts

# Functions of libraries that look for a running loop themselves.
HIDING = {
    "anyio._core._eventloop": ("run",),
    "asgiref.sync": ("AsyncToSync.__call__",),
    "uvicorn.server": ("Server.run",),
    "uvloop": ("run", "Loop.run_until_complete", "Loop.run_forever"),
}

RUNNING = (
    "this event loop runs the kernel's cells and cannot run inside one. In a cell, `await` the %s;"
    " or give asyncio.run() or run_until_complete() the coroutine itself"
)


class Policy:
    """What asyncio.get_event_loop() answers where no loop runs."""

    def __init__(self):
        import warnings
        from asyncio import events

        with warnings.catch_warnings():  # deprecated in 3.14
            warnings.simplefilter("ignore")
            get = getattr(events, "_get_event_loop_policy", None) or events.get_event_loop_policy
            self.policy = get()
        self.local = getattr(self.policy, "_local", None)
        self.loop = getattr(self.local, "_loop", None)
        self.called = getattr(self.local, "_set_called", False)

    def clear(self):
        """As at the start of a Python: the first question makes a loop."""
        if self.local is not None:
            self.local._loop, self.local._set_called = None, False

    def restore(self):
        import warnings
        from asyncio import events

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            set = getattr(events, "_set_event_loop_policy", None) or events.set_event_loop_policy
            set(self.policy)
        if self.local is not None:
            self.local._loop, self.local._set_called = self.loop, self.called


class Hidden(interrupts.Aside):
    """Hides the kernel's loop from a call, in the thread that runs it."""

    def __init__(self, loop, script=False):
        from asyncio import tasks

        self.loop, self.script = loop, script
        self.task, self.policy = tasks.current_task(loop), None

    def put_aside(self):
        from asyncio import events, tasks

        policy = Policy()
        if self.task is not None:
            tasks._leave_task(self.loop, self.task)
        events._set_running_loop(None)
        self.policy = policy
        if self.script:
            policy.clear()

    def put_back(self):
        from asyncio import events, tasks

        events._set_running_loop(self.loop)
        if self.task is not None and tasks.current_task(self.loop) is None:
            tasks._enter_task(self.loop, self.task)
        if self.policy is not None:
            self.policy.restore()


class Loops:
    """The kernel's loop, the one for coroutines that are given to it, and what
    hides it. Used by the main thread alone."""

    def __init__(self):
        self.kernel = self.own = None

    def install(self, app, after):
        import asyncio
        from asyncio import base_events, runners

        from tornado.ioloop import IOLoop

        self.kernel = loop = IOLoop.current().asyncio_loop
        for method in ("run_forever", "run_until_complete"):
            setattr(base_events.BaseEventLoop, method, self.method(getattr(base_events.BaseEventLoop, method)))
        runners.run = asyncio.run = self.hiding(asyncio.run)
        if hasattr(runners, "Runner"):
            for method in ("run", "close", "_lazy_init"):
                setattr(runners.Runner, method, self.hiding(getattr(runners.Runner, method)))
        self.keep_open(loop)
        for name, functions in HIDING.items():
            after.add(name, self.hider(functions))

    def hidden(self, script=False):
        return Hidden(self.kernel, script)

    def runs(self):
        """Whether the running loop is the kernel's, and not one of the user's."""
        from asyncio import events

        return self.kernel is not None and events._get_running_loop() is self.kernel

    def hiding(self, function):
        import functools

        @functools.wraps(function)
        def call(*args, **kwargs):
            __tracebackhide__ = True
            if not self.runs():
                return function(*args, **kwargs)
            return self.hidden().call(function, args, kwargs)

        return call

    def hider(self, names):
        def hide(module):
            for name in names:
                owner, _, attribute = name.rpartition(".")
                target = getattr(module, owner) if owner else module
                setattr(target, attribute, self.hiding(getattr(target, attribute)))

        return hide

    def method(self, function):
        """A method of loops: another loop runs with the kernel's hidden, and what
        is given to the kernel's own runs on a loop beside it."""
        import functools

        @functools.wraps(function)
        def call(loop, *args, **kwargs):
            __tracebackhide__ = True
            if not self.runs():
                return function(loop, *args, **kwargs)
            if loop is self.kernel:
                if not args:
                    raise RuntimeError(RUNNING % "coroutine")
                loop = self.beside(args[0])
            return self.hidden().call(function, (loop, *args), kwargs)

        return call

    def beside(self, awaitable):
        """The loop that runs what was given to the kernel's."""
        import asyncio

        if asyncio.isfuture(awaitable):
            if awaitable.get_loop() is self.kernel:
                raise RuntimeError(RUNNING % ("task" if isinstance(awaitable, asyncio.Task) else "future"))
            return awaitable.get_loop()
        if self.own is None or self.own.is_closed():
            self.own = asyncio.new_event_loop()
        return self.own

    def keep_open(self, loop):
        """Code that ends with loop.close() means the loop it has used: here that is
        the one beside."""
        close = loop.close

        def close_own():
            if not loop.is_running():
                return close()
            if self.own is not None and not self.own.is_running():
                self.own.close()

        loop.close = close_own


