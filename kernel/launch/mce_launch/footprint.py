"""What imports change in a process besides sys.modules."""

import os
import signal
import sys


class Unfit(Exception):
    """Something cannot be undone: the process is not as one in which nothing was imported."""


class Footprint:
    """What there was before. Some of what imports add can be taken back and put there
    later; whatever else has changed makes the process unfit."""

    def __init__(self, app):
        self.app = app
        self.modules = dict(sys.modules)
        self.others = others(app)
        self.before = self.marked = (lists(app), dict(os.environ))

    def mark(self):
        """Returns a function that makes again what was added since the last mark."""
        before, self.marked = self.marked, (lists(self.app), dict(os.environ))
        parts = {name: added(before[0].get(name, []), now) for name, now in self.marked[0].items()}
        variables = {name: value for name, value in self.marked[1].items() if name not in before[1]}
        return lambda: (put(self.app, parts), [os.environ.setdefault(*each) for each in variables.items()])

    def undo(self):
        """Takes back what was added. Unfit says what cannot be."""
        for name, module in self.modules.items():
            if sys.modules.get(name) is not module:
                raise Unfit("the module %s has been replaced" % name)
        before, variables = self.before
        for name, now in live(self.app).items():
            was = before.get(name, [])
            if [each for each in now if any(each is one for one in was)] != was:
                raise Unfit("%s: something is gone" % name)
            now[:] = was
        if {name: os.environ.get(name) for name in variables} != variables:
            raise Unfit("a variable has changed")
        self.variables = set(os.environ) - set(variables)  # that libraries have set
        for name in self.variables:
            del os.environ[name]
        filters_changed()
        for name, value in others(self.app).items():
            if value != self.others[name]:
                raise Unfit("%s: %.100r, was %.100r" % (name, value, self.others[name]))


def live(app):
    """The lists that imports may add to."""
    import warnings

    found = {"filters": warnings.filters, "meta_path": sys.meta_path, "path_hooks": sys.path_hooks, "configurables": app.shell.configurables}
    for name, functions in app.shell.events.callbacks.items():
        found["event " + name] = functions
    return found


def lists(app):
    return {name: list(now) for name, now in live(app).items()}


def added(before, now):
    """What is new, at the front and at the end."""
    new = [not any(each is one for one in before) for each in now]
    front = new.index(False) if False in new else 0
    return now[:front], [each for each, is_new in zip(now[front:], new[front:]) if is_new]


def put(app, parts):
    for name, now in live(app).items():
        front, end = parts.get(name, ((), ()))
        now[:0] = [each for each in front if each not in now]
        now.extend(each for each in end if each not in now)
    filters_changed()


def filters_changed():
    """Has warnings forget what it has decided by the filters of before."""
    import warnings

    with warnings.catch_warnings():
        pass


def others(app):
    """What no import of ours may change."""
    import asyncio
    import builtins
    import gc
    import locale
    import logging
    import random
    import socket
    import threading
    import time
    import warnings

    return {
        "output": [getattr(stream, "_mce_last", 0) for stream in (sys.stdout, sys.stderr)],
        "working directory": os.getcwd(),
        "sys.path": list(sys.path),
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "streams": [sys.stdin, sys.stdout, sys.stderr],
        "hooks": [sys.excepthook, sys.displayhook, sys.unraisablehook, threading.excepthook, sys.gettrace(), sys.getprofile(),
                  warnings.showwarning, warnings.formatwarning],
        "builtins": {name: id(value) for name, value in vars(builtins).items()},
        "names": {name: id(value) for name, value in app.shell.user_ns.items()},
        "gc": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), list(gc.callbacks)],
        "interpreter": [sys.getrecursionlimit(), sys.getswitchinterval(), time.tzname],
        "locale": locale.setlocale(locale.LC_ALL),
        "random": random.getstate(),
        "logging": [logging.root.level, list(logging.root.handlers), logging.root.manager.disable, logging.getLoggerClass(), logging.raiseExceptions],
        "sockets": socket.getdefaulttimeout(),
        "event loops": id(getattr(asyncio.events, "_event_loop_policy", None)),
        "processors": os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None,
    }
