"""The interpreter's end: what Python does there for nobody."""

import os
import sys

from .report import step


class Finalize:
    """Made before anything else has a callback in atexit, so that its own is the last."""

    def __init__(self):
        import atexit

        self.register, self.pid = atexit.register, os.getpid()
        self.frozen = self.returned = False
        self.register(self.leave)

    def install(self, unsent):
        """unsent: the path of the launcher's file of last words, or None."""
        self.register(step, "finalize", self.freeze, unsent)

    def freeze(self, unsent):
        """After the callbacks of atexit that code has registered, before IPython's, which
        empties the user's namespace. From there on IPython and Python look through all objects
        for cycles, again and again: with pandas imported that is ten times what the rest of
        the end takes. Objects outside of cycles go as ever; those in cycles go with the
        process, unless one of them may have something to do."""
        import gc

        if not (hasattr(gc, "freeze") and os.path.isdir("/dev/fd")) or has_del() or writes(unsent):
            return
        gc.freeze()
        self.frozen = True

    def leave(self):
        """All callbacks of atexit have run, the user's namespace is empty, no thread is waited
        for. What Python would do from here on is to take the modules apart, which the
        process's end does at once: with pandas imported that is half of what was left."""
        if self.frozen and self.returned and os.getpid() == self.pid and "mpi4py" not in sys.modules:  # that ends itself still later, by Py_AtExit
            for stream in (sys.__stdout__, sys.__stderr__):
                step("finalize", stream.flush)
            os._exit(0)


def has_del():
    """Whether the user's own code has a class whose objects do something when they go."""
    # Neither isinstance, which asks for __class__, nor getattr: what is lazy would be imported.
    return any(issubclass(type(value), type) and "__del__" in vars(value) for namespace in own_namespaces() for value in list(namespace.values()))


def own_namespaces():
    yield vars(sys.modules["__main__"])
    installed = sys.prefix, sys.base_prefix, os.path.dirname(__file__)
    for module in list(sys.modules.values()):
        try:
            namespace = object.__getattribute__(module, "__dict__")
        except AttributeError:
            continue
        file = namespace.get("__file__")
        if isinstance(file, str) and not file.startswith(installed) and "-packages" + os.sep not in file:
            yield namespace


def writes(unsent):
    """Whether a file is open that may have text or a directory yet to be written,
    whatever library has opened it. The launcher's own is not such a file."""
    import fcntl
    from stat import S_ISREG

    try:
        own = os.stat(unsent)
    except (OSError, TypeError):
        own = None
    for name in os.listdir("/dev/fd"):
        try:
            number = int(name)
            reads_only = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
            file = os.fstat(number)
            if not reads_only and S_ISREG(file.st_mode) and not (own and os.path.samestat(file, own)):
                return True
        except (OSError, ValueError):
            pass  # the listing's own
    return False
