"""An interrupt is raised wherever the main thread is, also in the middle of Python's own
threading: there it leaves a lock held for ever, or ends a thread in name that runs. What
ipykernel and IPython do so while a cell runs, the next run would wait for without end."""

import sys
import threading
from _thread import allocate_lock

from . import kept


class Once:
    """A threading.Event that is set once and has one who waits: ipykernel's, for a flush."""

    def __init__(self):
        self.lock = allocate_lock()
        self.lock.acquire()

    def set(self):
        self.lock.release()

    def wait(self, timeout=None):
        return self.lock.acquire(timeout=-1 if timeout is None else timeout)


class Event(threading.Event):
    def __init__(self):
        super().__init__()
        steady(self)


def steady(event):
    """Its lock is taken and given back without a line of Python, between which and the
    next an interrupt could come."""
    lock = event._cond._lock
    methods = {"__enter__": lock.__enter__, "__exit__": lock.__exit__}
    event._cond.__class__ = type("Condition", (threading.Condition,), methods)


def install(app):
    keep_alive(app.iopub_thread.thread)
    use("ipykernel.iostream", Once)
    flag = getattr(app.shell.history_manager, "save_flag", None)
    if flag is not None:  # a thread writes the history
        use("IPython.core.history", Event)
        steady(flag)


def use(module, event):
    names = vars(sys.modules[module])
    names["threading"] = kept.copy(names["threading"])
    names["threading"].Event = event


def keep_alive(thread):
    """Before Python 3.13 an interrupt in is_alive() makes the thread one that has ended. Then
    the main thread would use its socket beside it."""
    if getattr(thread, "_tstate_lock", None) is None:
        return

    def is_alive():
        lock = thread._tstate_lock  # held while it runs
        return lock is not None and lock.locked()

    thread.is_alive = is_alive
