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
    beside it, where it is private and ends with the server, whatever the user has
    set for his own: the next kernel starts sooner."""
    own = os.path.dirname(os.path.abspath(__file__))
    if not sys.path or os.path.realpath(sys.path[0]) != os.path.realpath(own):
        sys.path.insert(0, own)  # PYTHONSAFEPATH keeps it off
    users = sys.dont_write_bytecode, sys.pycache_prefix
    sys.dont_write_bytecode, sys.pycache_prefix = False, None
    try:
        from mce_launch import start
    finally:
        sys.dont_write_bytecode, sys.pycache_prefix = users
        del sys.path[0]
    return start


if __name__ == "__main__":
    status = load().main()
    # ipykernel has put the user's module into sys.modules["__main__"] by now.
    sys.exit(status)
