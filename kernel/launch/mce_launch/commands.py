"""Shell commands that fail: `!make` shows what the command printed, not how it ended, and
`!server &` is refused without a word of what to do."""

import os

from .notes import note
from .report import step


REFUSED = "Background processes not supported."  # IPython's words of an OSError


class Failed:
    """Those of the run under way, by IPython's system. Only numbers are kept."""

    def begin(self):
        self.count = self.last = 0

    def ended(self, status):
        """status: negative for a signal, as IPython tells it. SIGINT is an interrupt, of
        which the run's own answer tells."""
        if isinstance(status, int) and status not in (0, -2):
            self.count, self.last = self.count + 1, status if status > 0 else 128 - status

    def tell(self, reply):
        if reply.get("ename") == "OSError" and reply.get("evalue") == REFUSED:
            note("no-background")
        elif self.count:
            note("failed-commands %d %d" % (self.count, self.last))


def watch(app):
    """In the function that ipykernel calls: a frame more around shell.system would
    change which variables `!echo $name` sees."""
    import functools
    import threading

    from ipykernel import zmqshell

    failed, pid = Failed(), os.getpid()
    failed.begin()
    system, do_execute = zmqshell.system, app.kernel.do_execute

    @functools.wraps(system)
    def watched(cmd):
        status = system(cmd)
        failed.ended(status)
        return status

    @functools.wraps(do_execute)
    async def execute(code, silent, *args, **kwargs):
        if silent or threading.current_thread() is not threading.main_thread():
            return await do_execute(code, silent, *args, **kwargs)
        failed.begin()
        reply = await do_execute(code, silent, *args, **kwargs)
        if os.getpid() == pid:
            step("commands", failed.tell, reply)
        return reply

    zmqshell.system, app.kernel.do_execute = watched, execute
