"""Our own options on the command line, and what ipykernel gets."""

import os

SIDECAR = "--mce-sidecar="
NO_PRELUDE = "--mce-no-prelude"


def arguments(argv):
    """Takes our own options out; returns them, what stays, and what ipykernel gets."""
    ours = [a for a in argv if a.startswith((SIDECAR, NO_PRELUDE))]
    theirs = [a for a in argv if not a.startswith((SIDECAR, NO_PRELUDE))]
    # The user's history database is neither filled nor locked.
    extra = ["--HistoryManager.hist_file=:memory:"]
    if os.name == "posix" and not os.environ.get("JPY_PARENT_PID"):
        # The kernel ends when its parent does; also keeps a note for people at
        # a terminal off stdout.
        extra.append("--IPKernelApp.parent_handle=%d" % os.getppid())
    return ours, theirs, theirs + extra
