"""The end of a script that has its kernel to itself: as a Python process ends.

The kernel's process goes on, for it has output to send; so what Python does at
its end is done here, for what is the script's: threads are waited for, callbacks
of atexit run, the module's variables go.
"""

import os
import sys

from .endings import show_name
from .report import step


def children(before):
    """What the script has started and nobody has waited for: it ends with the kernel.
    before: pids that were there before."""
    module = sys.modules.get("subprocess")
    found, known = [], set(before) | set(helpers())
    for popen in list(getattr(module, "_active", None) or ()):
        known.add(popen.pid)
        if popen.poll() is None:
            args = popen.args if isinstance(popen.args, (list, tuple)) else [popen.args]
            found.append("child " + " ".join(str(arg) for arg in args)[:80])
    for pid in processes():
        state = read("/proc/%d/stat" % pid).rpartition(")")[2].split()[:1]
        if pid not in known and state not in ([], ["Z"]):
            words = command(pid)
            found.append("child " + ("forked process %d" % pid if words in ("", command("self")) else words[:80]))
    return found


def processes():
    """Pids of this process's children, where the system has a list of them (Linux)."""
    found = []
    for thread in os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else ():
        found.extend(map(int, read("/proc/self/task/%s/children" % thread).split()))
    return found


def command(pid):
    return read("/proc/%s/cmdline" % pid).replace("\0", " ").strip()


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def helpers():
    """Processes of multiprocessing's own."""
    for module, owner, pid in (("resource_tracker", "_resource_tracker", "_pid"), ("forkserver", "_forkserver", "_forkserver_pid")):
        yield getattr(getattr(sys.modules.get("multiprocessing." + module), owner, None), pid, None)


def grown_old():
    """How often objects have become old, None where that cannot be told."""
    import gc

    if sys.implementation.name != "cpython" or sys.version_info >= (3, 14):  # collects in increments
        return None
    return [generation["collections"] for generation in gc.get_stats()[1:]]


def ignored(words):
    import traceback

    print(words, file=sys.stderr)
    traceback.print_exc()


class Process:
    """Begins before the script, to tell what is the script's."""

    def __init__(self, shell, endings, path):
        import weakref

        self.shell, self.endings = shell, endings
        self.finalizers = set(weakref.finalize._registry)
        weakref.finalize._registered_with_atexit = False  # the script's first one registers again
        self.callbacks = []
        self.processes = step("children", processes) or ()
        step("atexit", self.take_atexit)
        self.grown_old = step("gc", grown_old)
        for name in list(shell.user_ns_hidden):
            if not (name.startswith("__") and name.strip("_")) or name == "__builtin__":
                shell.user_ns.pop(name, None)  # IPython's

    def take_atexit(self):
        """Functions registered from now on are the script's, not the kernel's."""
        import atexit

        import weakref

        callbacks = self.callbacks

        def register(function, *args, **kwargs):
            if function == weakref.finalize._exitfunc:
                function = self.run_finalizers
            if not callable(function):
                raise TypeError("the first argument must be callable")
            callbacks.append((function, args, kwargs))
            return function

        def unregister(function):
            callbacks[:] = [c for c in callbacks if c[0] != function]

        atexit.register, atexit.unregister = register, unregister
        atexit._run_exitfuncs, atexit._clear = self.run_callbacks, callbacks.clear
        atexit._ncallbacks = lambda: len(callbacks)

    def finish(self):
        for part in (self.join_threads, self.run_callbacks, self.run_others, self.clear):
            try:
                part()
            except KeyboardInterrupt as error:  # as Python: what is left still ends
                self.endings.failed(error, 130)
                show_name(self.shell, error)
        self.endings.running = step("children", children, self.processes) or []

    def join_threads(self):
        """As threading._shutdown, which takes an interrupt for an error of its own."""
        import threading

        threading._SHUTTING_DOWN = True
        executors = sys.modules.get("concurrent.futures.thread")
        if sys.version_info < (3, 9) and executors:
            executors._python_exit()
        for callback in reversed(getattr(threading, "_threading_atexits", [])):
            callback()
        try:
            while True:
                threads = [t for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]
                if not threads:
                    return
                threads[0].join()
        except Exception:  # of a signal handler: Python no longer waits for them
            ignored("Exception ignored in: %r" % (threading,))

    def run_callbacks(self):
        while self.callbacks:
            function, args, kwargs = self.callbacks.pop()
            self.call(function, *args, **kwargs)

    def call(self, function, *args, **kwargs):
        try:
            function(*args, **kwargs)
        except SystemExit as error:
            if sys.version_info < (3, 10):
                self.endings.exited(error.code)
        except Exception:
            ignored("Exception ignored in atexit callback: %r" % (function,))

    def run_finalizers(self):
        """The script's, the newest first."""
        import weakref

        registry = weakref.finalize._registry
        own = [(info.index, f) for f, info in registry.items() if info.atexit and f not in self.finalizers]
        for _, finalizer in sorted(own, key=lambda pair: pair[0], reverse=True):
            self.call(finalizer)

    def run_others(self):
        """Callbacks of modules that the kernel had imported before the script."""
        for module, function in (("multiprocessing.util", "_exit_function"), ("logging", "shutdown")):
            if module in sys.modules:
                self.call(getattr(sys.modules[module], function))

    def clear(self):
        """Deletes the script's variables in Python's order: files are closed,
        finalizers run."""
        import gc

        namespace = self.shell.user_ns
        names = list(namespace)
        for name in names:
            if name.startswith("_") and not name.startswith("__"):
                namespace[name] = None
        for name in names:
            if name not in ("__builtins__", "__name__") and namespace.get(name) is not None:
                namespace[name] = None
        # As long as nothing has grown old the script's objects are all young, and what the
        # kernel has, which takes as long as a short script, is not looked at.
        young = self.grown_old is not None and self.grown_old == grown_old()
        gc.collect(1 if young else 2)
