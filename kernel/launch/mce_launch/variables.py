"""The names and types of the session's variables, told after a run: when the kernel
or the server has died, the next answer says what is lost."""

import os
import sys
import threading

from .report import step

MESSAGE = "mce_variables"  # on iopub
PAUSE = 2.0  # seconds between two messages
SHORT_PAUSE = 0.5  # after a look that has found no change
MOST = 200  # names in a message
MOST_LOOKED = 2000  # names that are looked at, the newest
LONGEST = 80  # characters of a name
# Libraries that take longer to import than a kernel takes to start: who uses them will
# miss them after a restart. A spare may import them ahead (ahead.EXAMINED).
LARGE = "numpy pandas matplotlib.pyplot polars scipy sklearn seaborn PIL requests".split()

# Not type(x).__name__, which a metaclass may define.
name_of = type.__dict__["__name__"].__get__


class Variables:
    """What was told last. Used by the main thread alone."""

    def __init__(self, app):
        self.shell, self.kernel = app.shell, app.kernel
        self.hidden = self.shell.user_ns_hidden
        self.told = [], []
        self.due = 0.0  # by the loop's clock
        self.waiting = False

    def schedule(self):
        """The loop tells them when the reply is on its way and nothing runs."""
        import asyncio

        if not self.waiting:
            loop = asyncio.get_running_loop()
            self.waiting = True
            loop.call_at(max(self.due, loop.time()), self.tell, loop, os.getpid())

    def tell(self, loop, pid):
        self.waiting = False
        if os.getpid() == pid:  # not in a child that was forked meanwhile
            sent = step("variables", self.send)
            self.due = loop.time() + (PAUSE if sent else SHORT_PAUSE)

    def send(self):
        """Reports whether they have changed."""
        try:
            names = self.names()
        except RuntimeError:  # a thread of the user's has changed the dictionary
            return False
        large = [name for name in LARGE if name in sys.modules]
        if (names, large) == self.told:
            return False
        self.told = names, large
        content = {"count": len(names), "names": names[-MOST:], "large": large}
        self.kernel.session.send(self.kernel.iopub_socket, MESSAGE, content, ident=MESSAGE.encode())
        return True

    def names(self):
        """"NAME TYPE" of each. No attribute of a value is asked for."""
        import types
        from itertools import islice

        found, nothing = [], object()
        for name, value in islice(reversed(dict.items(self.shell.user_ns)), MOST_LOOKED):
            if type(name) is not str or name[:1] == "_" or len(name) > LONGEST or not name.isidentifier():
                continue
            kind = type(value)
            if issubclass(kind, types.ModuleType) or self.hidden.get(name, nothing) is value:
                continue
            found.append("".join((name, " ", name_of(kind)[:LONGEST])))
        found.reverse()
        return found


def tell(app):
    """After each run that is not silent."""
    import functools

    variables, original = Variables(app), app.kernel.do_execute

    @functools.wraps(original)
    async def do_execute(code, silent, *args, **kwargs):
        reply = await original(code, silent, *args, **kwargs)
        if not silent and threading.current_thread() is threading.main_thread():
            step("variables", variables.schedule)
        return reply

    app.kernel.do_execute = do_execute
