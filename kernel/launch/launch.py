"""Starts ipykernel for mcp-code-executor: python launch.py [--mce-OPTION...] -f FILE [OPTION...]

On stderr, one line each:
    mce-launch: step=NAME error=TYPE: MESSAGE   a step failed, the kernel runs
    mce-launch: ipykernel missing: MESSAGE      exit status 3
    mce-launch: ipykernel broken: MESSAGE       exit status 4
    mce-launch: start failed: MESSAGE           exit status 5
    mce-launch: own code: MESSAGE               exit status 6, of a spare kernel
    mce-launch: preimport: MESSAGE              exit status 7, of a spare kernel

The work is done by the package mce_launch beside this file.
"""

import os
import signal  # noqa: F401, load() is to import nothing but ours
import sys


def load():
    """Our package, whose directory does not stay on sys.path. Its bytecode goes
    beside it, or where a link there leads, whatever the user has set for his own:
    the next kernel starts sooner."""
    own = os.path.dirname(os.path.abspath(__file__))
    if not sys.path or os.path.realpath(sys.path[0]) != os.path.realpath(own):
        sys.path.insert(0, own)  # PYTHONSAFEPATH keeps it off
    users = sys.dont_write_bytecode, sys.pycache_prefix
    sys.dont_write_bytecode, sys.pycache_prefix = False, None
    try:
        try:
            from mce_launch import start
        except Exception:  # bytecode that the machine's crash has damaged, maybe
            forget(os.path.join(own, "mce_launch", "__pycache__"))
            from mce_launch import start
    finally:
        sys.dont_write_bytecode, sys.pycache_prefix = users
        del sys.path[0]
    return start


def forget(bytecode):
    """Removes the bytecode, and what has been loaded from it."""
    for name in os.listdir(bytecode) if os.path.isdir(bytecode) else ():
        os.remove(os.path.join(bytecode, name))
    for name in [name for name in sys.modules if name.partition(".")[0] == "mce_launch"]:
        del sys.modules[name]


if __name__ == "__main__":
    status = load().main()
    # ipykernel has put the user's module into sys.modules["__main__"] by now.
    sys.exit(status)
