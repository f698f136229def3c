"""Our own options on the command line, and what ipykernel gets."""

import os

SIDECAR = "--mce-sidecar="
NO_PRELUDE = "--mce-no-prelude"
PIPES = "--mce-pipes="
UNSENT = "--mce-unsent="
CODE = "--mce-code="
SOURCES = "--mce-sources="
PREIMPORT = "--mce-preimport="
SHARED = "--mce-shared"
OURS = (SIDECAR, NO_PRELUDE, PIPES, UNSENT, CODE, SOURCES, PREIMPORT, SHARED)


def arguments(argv):
    """Takes our own options out; returns them, what stays, and what ipykernel gets."""
    ours = [a for a in argv if a.startswith(OURS)]
    theirs = [a for a in argv if not a.startswith(OURS)]
    # The user's history database is neither filled nor locked.
    extra = ["--HistoryManager.hist_file=:memory:"]
    if os.name == "posix" and not os.environ.get("JPY_PARENT_PID"):
        # The kernel ends when its parent does; also keeps a note for people at
        # a terminal off stdout.
        extra.append("--IPKernelApp.parent_handle=%d" % os.getppid())
    return ours, theirs, theirs + extra


def value(ours, option):
    """What follows the option's "=", or None."""
    for argument in ours:
        if argument.startswith(option):
            return argument[len(option) :]


def pipes(ours):
    """The guard's descriptors, for streams.stream_class, or None. Children of the
    kernel do not inherit them."""
    text = value(ours, PIPES)
    if not text:
        return None
    numbers = [int(number) for number in text.split(",")]
    for number in numbers:
        os.set_inheritable(number, False)
    return numbers
