"""A child of os.fork() that comes to the end of its cell, or out of it by an error. It
ends there, with its status, as at the end of a script: IPython and ipykernel would go on
in it as a second kernel, which has no threads, says nothing and never ends."""

import os
import sys


def at_end(pid, status):
    """pid: of the kernel."""
    if os.getpid() == pid:
        return
    flush(sys.stdout)  # one that code has put there may hold text back
    flush(sys.stderr)
    os._exit(status)


def flush(stream):
    try:
        stream.flush()
    except Exception:
        pass  # closed, or none at all


def at_error(pid, error):
    if os.getpid() == pid:
        return
    import traceback

    frames = error.__traceback__
    while frames and frames.tb_frame.f_globals.get("__name__", "").startswith(("IPython.", "ipykernel.")):
        frames = frames.tb_next
    try:
        # One piece: the parent's output must not come between its lines.
        sys.stderr.write("".join(traceback.format_exception(type(error), error, frames)))
    except Exception:
        pass
    at_end(pid, 130 if isinstance(error, KeyboardInterrupt) else 1)
