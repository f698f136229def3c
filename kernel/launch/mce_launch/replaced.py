"""Streams that the code has replaced and not put back: what later runs print is
not seen, and their answers say why."""

import os
import sys
import threading

from .report import step

REPLACED = "mce_replaced"  # in an execute_reply, see Streams.replaced

NAMES = ("stdout", "stderr")
MISSING = object()
DEPTH = 6  # from an object of the user's to a stream that it writes to
MOST = 500  # objects that are looked at on that way


class Streams:
    """The kernel's own streams and descriptors, to compare with. Used by the main
    thread alone."""

    def __init__(self, shell):
        self.shell, self.publisher = shell, shell.display_pub
        self.own = [getattr(sys, name) for name in NAMES]
        self.own[0]._mce_last  # AttributeError where they are not ours
        self.files = [identity(number) for number in (1, 2)]
        self.passing = {}  # name: the id of an object that is known to pass on

    def replaced(self, begun):
        """"NAME WHAT-IS-THERE" of what is not the kernel's; "NAME?" where that may
        pass on what it gets. begun: when the run did, by perf_counter."""
        found = []
        for name, own in zip(NAMES, self.own):
            now = getattr(sys, name, MISSING)
            if now is own:
                continue
            if own._mce_last > begun and not is_sink(now) or self.leads_here(now):
                self.passing[name] = id(now)
            elif self.passing.get(name) != id(now) and (is_sink(now) or not self.any_since(begun)):
                found.append("%s%s %s" % (name, "" if is_sink(now) else "?", describe(now)))
        for number, file in enumerate(self.files, 1):
            if identity(number) not in (file, *self.files):  # stdout that leads to stderr is shown there
                found.append("fd%d %s" % (number, describe_file(number)))
        if self.shell.display_pub is not self.publisher:
            found.append("displays " + describe(self.shell.display_pub))
        return found

    def any_since(self, begun):
        """Whether something arrived on either stream: by way of logging, it may be."""
        return any(own._mce_last > begun for own in self.own)

    def leads_here(self, thing):
        """Whether a stream or descriptor of the kernel's can be reached from it."""
        level, seen = [thing], set()
        for _ in range(DEPTH):
            below = []
            for one in level:
                if any(one is own for own in self.own) or self.is_file(one):
                    return True
                if id(one) not in seen:
                    seen.add(id(one))
                    below.extend(parts(one))
                if len(seen) > MOST:
                    return True  # it is not known: nothing is said
            level = below
        return False

    def is_file(self, one):
        import io

        if not isinstance(one, (io.FileIO, io.BufferedWriter, io.TextIOWrapper)):
            return False
        try:
            return identity(one.fileno()) in self.files
        except Exception:  # it is closed
            return False


def parts(one):
    """What an object holds that it may write to: not its class, nor the globals of a
    function, from which everything can be reached."""
    import collections
    import gc
    import types

    if isinstance(one, types.FunctionType):
        return closure(one)
    if isinstance(one, (type, types.ModuleType, types.FrameType, types.CodeType)):
        return []
    if isinstance(one, (list, tuple, dict, set, frozenset, collections.deque)) and len(one) > MOST:
        return []  # what was written to it
    found = [part for part in gc.get_referents(one) if part is not type(one)]
    for kind in type(one).__mro__:
        for value in list(vars(kind).values()):
            value = getattr(value, "__func__", value)  # of a static or class method
            if isinstance(value, types.FunctionType):
                found.extend(closure(value))
    return found


def closure(function):
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            pass  # it has none so far
    return found


def is_sink(thing):
    """Whether it certainly passes nothing on that it gets."""
    return thing is None or thing is MISSING or type(thing).__module__ in ("_io", "io")


def identity(number):
    try:
        stat = os.fstat(number)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def describe(thing):
    if thing is None or thing is MISSING:
        return "None" if thing is None else "deleted"
    kind = type(thing)
    name = getattr(thing, "name", None) if is_sink(thing) else None
    if isinstance(name, str):
        return "the %sfile %r" % ("closed " if thing.closed else "", name[-150:])
    module = {"_io": "io.", "__main__": "", "builtins": ""}.get(kind.__module__, "%s." % kind.__module__)
    return (module + kind.__qualname__)[-150:]


def describe_file(number):
    if identity(number) is None:
        return "nothing"
    try:
        link = os.readlink("/proc/self/fd/%d" % number)
    except OSError:
        return "another file"
    if link.startswith("anon_inode:"):
        return "nothing"  # it was closed, and something of Python's has got the number
    kind = link.partition(":")[0]
    return "a " + kind if kind in ("pipe", "socket") else repr(link[-150:])


def tell(app):
    """Puts what is found after a run into its reply."""
    import functools
    from time import perf_counter

    streams, original = Streams(app.shell), app.kernel.do_execute

    def look(reply, begun):
        found = streams.replaced(begun)
        if found:
            reply[REPLACED] = found

    @functools.wraps(original)
    async def do_execute(code, silent, *args, **kwargs):
        begun, pid = perf_counter(), os.getpid()
        reply = await original(code, silent, *args, **kwargs)
        if not silent and os.getpid() == pid and threading.current_thread() is threading.main_thread():
            step("replaced", look, reply, begun)
        return reply

    app.kernel.do_execute = do_execute
