"""The end of a script that has its kernel to itself: as a Python process ends.

The kernel's process goes on, for it has output to send; so what Python does at
its end is done here, for what is the script's: threads are waited for, callbacks
of atexit run, the module's variables go.
"""

import sys

from .endings import show_name
from .report import step


def children():
    """What subprocess has started and nobody has waited for: it ends with the kernel."""
    module = sys.modules.get("subprocess")
    found = []
    for popen in list(getattr(module, "_active", None) or ()):
        if popen.poll() is None:
            args = popen.args if isinstance(popen.args, (list, tuple)) else [popen.args]
            found.append("child " + " ".join(str(arg) for arg in args)[:80])
    return found


class Process:
    """Begins before the script, to tell what is the script's."""

    def __init__(self, shell, endings, path):
        import weakref

        self.shell, self.endings = shell, endings
        self.finalizers = set(weakref.finalize._registry)
        weakref.finalize._registered_with_atexit = False  # the script's first one registers again
        self.callbacks = []
        step("atexit", self.take_atexit)
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
        self.endings.running = step("children", children) or []

    def join_threads(self):
        """As threading._shutdown, which takes an interrupt for an error of its own."""
        import threading

        threading._SHUTTING_DOWN = True
        executors = sys.modules.get("concurrent.futures.thread")
        if sys.version_info < (3, 9) and executors:
            executors._python_exit()
        for callback in reversed(getattr(threading, "_threading_atexits", [])):
            callback()
        while True:
            threads = [t for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]
            if not threads:
                return
            threads[0].join()

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
            import traceback

            print("Exception ignored in atexit callback: %r" % (function,), file=sys.stderr)
            traceback.print_exc()

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
        gc.collect()
