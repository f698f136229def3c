"""C's own stdout, which printf and puts of native code write to."""

import os
import sys


def line_buffered():
    """Makes it pass on each line, as at a terminal: a pipe would get 4 KiB at a
    time, after the run or, in a crash, never. Returns a function that passes on
    the rest."""
    import ctypes

    if sys.platform == "win32":
        return None
    libc = ctypes.CDLL(None)
    name = "__stdoutp" if sys.platform == "darwin" else "stdout"
    stdout = ctypes.c_void_p.in_dll(libc, name)
    line = 1  # _IOLBF of glibc, musl and macOS
    libc.setvbuf(stdout, None, line, ctypes.c_size_t(0))
    fflush = libc.fflush
    # Only this one: fflush(NULL) waits for files that other threads read.
    return lambda: fflush(stdout)
