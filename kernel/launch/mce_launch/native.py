"""C's own stdout, which printf and puts of native code write to, and its read."""

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


def reader(size):
    """os.read without letting another thread run meanwhile: between the read and
    what keeps the text safe (unsent.py) a process that ends would take it along."""
    import ctypes

    if sys.platform == "win32":
        return None
    function = ctypes.PyDLL(None, use_errno=True).read
    function.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    function.restype = ctypes.c_ssize_t
    buffers = {}  # descriptor: its buffer; whoever reads has the descriptor's lock

    def read(number):
        buffer = buffers.get(number)
        if buffer is None:
            buffer = buffers[number] = ctypes.create_string_buffer(size)
        count = function(number, buffer, size)
        if count < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        return ctypes.string_at(buffer, count)

    return read
