"""The descriptors 1 and 2 of an ipykernel that runs already: what children and C code
write there is in the answer of its run. ipykernel's own reader may still hold it when
the run ends, and one byte that is not UTF-8 ends it (before 6.30)."""

import codecs
import os
import sys
import threading
from time import monotonic, sleep

from .replaced import NAMES

READ = 1 << 16
# How long a flush waits for a reader that does not come to read. Seconds.
PATIENCE = 10.0


class Reader(threading.Thread):
    """In the place of a stream's own reader. Overrides run: ipykernel 6 changes Thread.run,
    so that what a thread prints stands below the request that has started it."""

    def __init__(self, stream):
        from select import poll  # Windows has none, and no such reader

        super().__init__(name="mce-" + stream.name, daemon=True)
        self.stream = stream
        self.flush_stream = stream.flush
        self.lock = threading.Lock()
        self.total = 0  # bytes read
        self.reads = True  # an interrupt in is_alive() would make it one that has ended
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.readable = poll()
        self.readable.register(stream._fid, 1)  # POLLIN everywhere

    def install(self):
        stream, number = self.stream, NAMES.index(self.stream.name) + 1
        stream._should_watch = False
        os.write(number, b"\0")  # as ipykernel's close does
        stream.watch_fd_thread.join(PATIENCE)
        stream._should_watch = True
        if stream.watch_fd_thread.is_alive():
            raise RuntimeError("the reader of %s does not end" % stream.name)
        stream.watch_fd_thread = self
        self.start()
        stream.flush = self.flush

    def run(self):
        try:
            while self.take():
                pass
        except Exception:
            self.stream._exc = sys.exc_info()  # its close tells
        self.reads = False

    def take(self):
        stream = self.stream
        self.readable.poll()
        with self.lock:
            read = os.read(stream._fid, READ)
            if not read or not stream._should_watch:
                return False
            stream.write(self.decoder.decode(read))
            self.total += len(read)
        os.write(stream._original_stdstream_copy, read)
        return True

    def flush(self):
        """Sends what has been written until now, to the descriptor too."""
        if self.stream._is_master_process():  # a forked child has no reader, and maybe its lock
            with self.lock:
                until = self.total + self.waiting()
            end = monotonic() + PATIENCE
            while self.total < until and self.reads and monotonic() < end:
                sleep(0.0001)
        self.flush_stream()

    def waiting(self):
        """How many bytes the pipe holds."""
        from fcntl import ioctl
        from termios import FIONREAD

        return int.from_bytes(ioctl(self.stream._fid, FIONREAD, bytes(4)), sys.byteorder)


def follow():
    """Where ipykernel reads the descriptors, this does so in its place."""
    for stream in (sys.stdout, sys.stderr):
        reader = getattr(stream, "watch_fd_thread", None)
        if reader is not None and reader.is_alive():
            Reader(stream).install()
