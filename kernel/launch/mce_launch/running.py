"""What a script has left in the session: threads and processes, which the end of a
Python process would wait for, or end, and callbacks, which it would call."""

import sys

# Seconds in which a thread that is about to end may do so.
GRACE = 0.05
MOST_NAMED = 20


class Before:
    """What runs before a script, whose globals are namespace."""

    def __init__(self, namespace):
        import threading

        self.threads, self.processes = set(threading.enumerate()), set(processes())
        self.callbacks = Callbacks(namespace)

    def left(self):
        """"KIND NAME" of what the script has started and is at work, and what it has
        registered with atexit, but for libraries' own."""
        return self.working() + ["atexit " + name for name in self.callbacks.end()[:MOST_NAMED]]

    def working(self):
        import time

        until = time.monotonic() + GRACE
        while True:
            found = self.look()
            if not found or time.monotonic() > until:
                return found[:MOST_NAMED]
            time.sleep(0.002)

    def look(self):
        import threading

        threads = [t for t in threading.enumerate() if t not in self.threads]
        idle = set()
        for thread in threads:
            if is_manager(thread) and not is_work(thread):
                idle.update(getattr(thread, "processes", None) or ())
        found = ["%s %s" % ("daemon" if t.daemon else "thread", t.name[:80]) for t in threads if is_work(t)]
        own = [p for p in processes() if p not in self.processes and not p.daemon and p.pid not in idle]
        return found + ["process " + p.name[:80] for p in own]


class Callbacks:
    """Notes what the script itself registers with atexit, which tells nobody."""

    def __init__(self, namespace):
        import atexit
        import functools

        self.found = []
        self.originals = atexit.register, atexit.unregister

        @functools.wraps(atexit.register)
        def register(func, *args, **kwargs):
            result = self.originals[0](func, *args, **kwargs)
            if sys._getframe(1).f_globals is namespace:
                self.found.append(func)
            return result

        @functools.wraps(atexit.unregister)
        def unregister(func):
            self.originals[1](func)
            self.found = [f for f in self.found if f != func]

        atexit.register, atexit.unregister = self.own = register, unregister

    def end(self):
        """Their names."""
        import atexit

        if (atexit.register, atexit.unregister) == self.own:
            atexit.register, atexit.unregister = self.originals
        return [str(getattr(f, "__qualname__", type(f).__name__))[:80] for f in self.found]


def is_work(thread):
    """Whether a thread is the script's, and has something to do."""
    if is_manager(thread):
        return bool(getattr(thread, "pending_work_items", None))
    if is_idle_worker(thread):
        return False
    if not thread.daemon:
        return True
    target = getattr(thread, "_target", None)
    return "__main__" in (type(thread).__module__, getattr(target, "__module__", None))


def is_manager(thread):
    """Whether it is of a ProcessPoolExecutor."""
    return type(thread).__module__ == "concurrent.futures.process"


def is_idle_worker(thread):
    """Whether it is of a ThreadPoolExecutor with nothing to do."""
    pool = sys.modules.get("concurrent.futures.thread")
    if pool is None or thread not in pool._threads_queues:
        return False
    try:
        executor = thread._args[0]()
        return executor is None or executor._work_queue.empty() and executor._idle_semaphore._value >= len(executor._threads)
    except Exception:  # another Python's
        return False


def processes():
    module = sys.modules.get("multiprocessing.process")
    return [p for p in list(module._children) if p.is_alive()] if module else []
