"""What children and C code write to the descriptors 1 and 2."""

import os
import sys


def watch_bytes():
    """What children write may be no UTF-8, or cut inside a character: ipykernel
    6.17 stops reading then, and every later child hangs. And it belongs to the
    cell in which it was written: what the thread has not read when a cell ends,
    flush reads, which ends every cell."""
    import codecs
    import threading
    from select import select  # itself: gevent and others replace it in its module

    from ipykernel.iostream import OutStream

    start, flush = OutStream._setup_stream_redirects, OutStream.flush

    def setup(self, name):
        self._mce_decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._mce_reading = threading.RLock()
        self._mce_pid = os.getpid()
        start(self, name)

    def read(self):
        """Reads what is there; False at the end. The caller has the lock."""
        if not select([self._fid], [], [], 0)[0]:
            return True  # the other one has read it
        data = os.read(self._fid, 1 << 16)
        if not data or not self._should_watch:
            return False
        self.write(self._mce_decoder.decode(data))
        os.write(self._original_stdstream_copy, data)
        return True

    def watch(self):
        if getattr(self, "_fid", None) is None:
            return
        try:
            more = True
            while more:
                select([self._fid], [], [])
                with self._mce_reading:
                    more = read(self)
        except Exception:
            self._exc = sys.exc_info()

    def flush_all(self):
        # A forked child may have the lock of a thread that it has not. "with" and
        # nothing else: an interrupt right after acquire() would leave it locked.
        if getattr(self, "_mce_pid", 0) == os.getpid() and self._should_watch:
            try:
                with self._mce_reading:
                    read(self)
            except (OSError, ValueError):
                pass  # the pipe is closed: the thread has told it
        flush(self)

    OutStream._watch_pipe_fd  # AttributeError where there is none
    OutStream._setup_stream_redirects = setup
    OutStream._watch_pipe_fd = watch
    OutStream.flush = flush_all
