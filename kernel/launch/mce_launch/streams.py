"""sys.stdout and sys.stderr: everything written to them or to the descriptors 1
and 2, in one order, each with its run, however the process ends."""

import os
import sys

from . import kernelsys, native, tee, unsent
from .messages import piece_of
from .replaced import NAMES
from .report import step

# A print that follows the last one sooner than this can have no child's or C
# code's text in between: there is no time for a write. Seconds.
GAP = 1e-6
# How long the reader of a descriptor waits when something comes after a silence. What
# faulthandler's timer writes comes without the GIL, while it looks at the frames of all
# threads: those of one that runs are no longer there, and the process dies. Seconds.
SETTLE = 0.002
# Above this many changes of stream or run within one flush, text goes to the
# newest message of its kind: order costs a message each.
MOST_GROUPS = 64
# More than the largest pipe holds, in reads of unsent.READ.
MOST_READS = 32


class Outgoing:
    """What was printed and is not sent yet, of both streams, in order."""

    def __init__(self):
        import threading

        self.renew = threading.RLock
        self.lock = self.renew()
        self.groups = []  # [stream, parent, texts, position of the first character or None]
        self.newest = (None, None, None)  # stream and parent of the last, append of its texts
        self.sending = False

    def add(self, stream, text, parent):
        """The caller has the lock."""
        groups = self.groups
        if groups:
            group = groups[-1]
            if group[0] is not stream and (len(groups) >= MOST_GROUPS or text[0] == "\r" or text == "\n"):
                # A bar drawn anew between prints belongs where it was drawn first.
                group = self.newest_of(stream) or group
            if group[0] is stream and group[1] is parent:
                group[2].append(text)
                return
            if len(groups) >= MOST_GROUPS and self.add_older(stream, text, parent):
                return
        texts = [text]
        groups.append([stream, parent, texts, stream._mce_unsent.total if stream._mce_unsent else None])
        self.newest = (stream, parent, texts.append)

    def newest_of(self, stream):
        for group in reversed(self.groups):
            if group[0] is stream:
                return group

    def add_older(self, stream, text, parent):
        for group in reversed(self.groups):
            if group[0] is stream and group[1] is parent:
                group[2].append(text)
                group[3] = None  # no longer one piece of the stream
                return True
        return False

    def send(self):
        with self.lock:
            groups, self.groups = self.groups, []
            self.newest = (None, None, None)
            self.sending = True
            last = {group[0]: (group, group[0]._mce_unsent.total) for group in groups if group[0]._mce_unsent}
        try:
            for group in groups:
                stream, parent, texts, start = group
                newest, total = last.get(stream, (None, None))
                stream._mce_send("".join(texts), parent, start, total if newest is group else None)
        finally:
            self.sending = False


class Watched:
    """The descriptors that are read, and their streams."""

    def __init__(self):
        import select

        self.streams = {}  # descriptor: stream
        self.select = select.select  # itself: gevent and others replace it in its module
        # Asked at nearly every print: a third of select's cost.
        self.poller = select.poll() if hasattr(select, "poll") else None

    def add(self, number, stream):
        self.streams[number] = stream
        if self.poller:
            self.poller.register(number, 1)  # POLLIN everywhere

    def remove(self, number):
        if self.streams.pop(number, None) is not None and self.poller:
            self.poller.unregister(number)

    def ready(self):
        """Those with something to read, or at their end."""
        try:
            if self.poller:
                return [number for number, _ in self.poller.poll(0)]
        except RuntimeError:
            pass  # another thread asks at this moment
        try:
            return self.select(list(self.streams), [], [], 0)[0]
        except (OSError, ValueError):
            return []


def stream_class(base, pipes, memory):
    """A subclass of ipykernel's OutStream. pipes: the guard's descriptors (the
    reading ends of 1 and 2, one for what is not for the user), or None."""
    import codecs
    import threading
    from os import getpid
    from time import perf_counter, sleep

    out = Outgoing()
    watched = Watched()

    class OutStream(base):
        _mce_unsent = None
        _mce_watched = False
        _mce_taking = False
        _mce_last = 0.0
        _mce_latest = {}  # header of the run that has the word
        _mce_other = False  # a request that is no run has it for a moment

        def __init__(self, session, pub_thread, name, *args, **kwargs):
            self._mce_pid = os.getpid()
            self._mce_reading = threading.RLock()
            self._mce_decoder = codecs.getincrementaldecoder("utf-8")("replace")
            if memory is not None:
                self._mce_unsent = unsent.Unsent(memory, NAMES.index(name))
            super().__init__(session, pub_thread, name, *args, **kwargs)
            if pipes and not self._mce_watched:  # whatever ipykernel's settings: nobody else does
                self._should_watch = True
                self._setup_stream_redirects(name)

        # --- the descriptor

        def fileno(self):
            """As in any Python: what is written there is shown like a print."""
            if not self._mce_watched:
                return base.fileno(self)
            return NAMES.index(self.name) + 1

        def _setup_stream_redirects(self, name):
            number = self._original_stdstream_fd = NAMES.index(name) + 1
            if pipes:
                self._fid, self._original_stdstream_copy = pipes[number - 1], pipes[2]
            else:
                self._fid, writing = os.pipe()
                self._original_stdstream_copy = os.dup(number)
                os.dup2(writing, number)
                os.close(writing)
            os.set_inheritable(self._fid, False)
            os.set_blocking(self._fid, False)  # two threads, and the guard, read it
            self._exc = None
            self._mce_watched = True
            watched.add(self._fid, self)
            self.watch_fd_thread = threading.Thread(target=self._watch_pipe_fd, daemon=True)
            self.watch_fd_thread.start()

        def _watch_pipe_fd(self):
            try:
                more = True
                while more:
                    if not watched.select([self._fid], [], [], 0)[0]:
                        watched.select([self._fid], [], [])
                        sleep(SETTLE)
                    with self._mce_reading:
                        more = self._mce_take() is not False
            except Exception:
                self._exc = sys.exc_info()
            watched.remove(self._fid)

        def _mce_take(self):
            """Reads once. True: some text, None: there is none, False: the end.
            The caller has the lock."""
            if self._mce_taking:
                return None  # a signal's handler prints in the middle of it
            self._mce_taking = True
            try:
                data = self._mce_unsent.read(self._fid) if self._mce_unsent else os.read(self._fid, unsent.READ)
                if not data:
                    return False
                # Bytes that are no UTF-8, or cut inside a character, stop no reader.
                text = self._mce_decoder.decode(data)
                if text:
                    self._mce_put(text, self._mce_latest, True)
                return True
            except (BlockingIOError, InterruptedError):
                return None
            finally:
                self._mce_taking = False

        def _mce_take_all(self):
            # "with" and nothing else: an interrupt right after acquire() would
            # leave it locked.
            try:
                with self._mce_reading:
                    for _ in range(MOST_READS):
                        if not self._mce_take():
                            break
            except (OSError, ValueError):
                pass  # the descriptor is closed: the thread has told it

        def _mce_catch_up(self):
            """What was written to the descriptors before this print comes before it."""
            for number in watched.ready():
                stream = watched.streams.get(number)
                if stream is not None:
                    stream._mce_take_all()
            for stream in list(watched.streams.values()):
                if stream._mce_taking:  # its thread has read and not yet handed on
                    with stream._mce_reading:
                        pass

        # --- prints

        def write(self, string):
            late = perf_counter() - self._mce_last > GAP
            if not isinstance(string, str):
                raise TypeError("write() argument must be str, not %s" % type(string).__name__)
            if getpid() != self._mce_pid:
                return self._mce_write_child(string)
            if late and watched.streams:
                self._mce_catch_up()
            # Outside of requests (at exit, say) ipykernel 7 knows none.
            self._mce_put(string, self.parent_header or self._mce_latest)
            self._mce_last = perf_counter()
            return len(string)

        def _mce_write_child(self, string):
            """In a forked child: as other children write. Sent through the kernel, as
            ipykernel does, it may come after what the kernel prints when the child has ended."""
            if not self._mce_watched:
                return base.write(self, string)
            data = string.encode("utf-8", "replace")
            while data:
                data = data[os.write(NAMES.index(self.name) + 1, data) :]
            return len(string)

        def _mce_put(self, text, parent, read=False):
            if not text:
                return
            with out.lock:
                stream, above, append = out.newest
                if stream is self and above is parent:
                    append(text)
                else:
                    out.add(self, text, parent)
                if self._mce_unsent:
                    self._mce_unsent.add(text, read)
            if not self._flush_pending:
                self._schedule_flush()

        def flush(self):
            if os.getpid() != self._mce_pid:
                return base.flush(self)
            if self._mce_watched:
                self._mce_take_all()
            # What follows goes the same way: with nothing to send there is
            # nothing to wait for.
            if out.groups or out.sending:
                base.flush(self)

        def _flush(self):
            if os.getpid() != self._mce_pid:
                return base._flush(self)
            self._flush_pending = False
            self._subprocess_flush_pending = False
            out.send()

        def _mce_send(self, text, parent, start, total):
            """start: the text's position, total: that of its stream, each if known."""
            number = NAMES.index(self.name)
            size = piece_of(text)
            for i in range(0, len(text), size):
                piece = text[i : i + size]
                metadata = None
                if start is not None:
                    metadata = {TEXT: [number, start + i, start + i + len(piece)]}
                elif total is not None and i + size >= len(text):
                    metadata = {TEXT: [number, total, total]}
                message = self.session.msg("stream", {"name": self.name, "text": piece}, parent, metadata=metadata)
                for hook in getattr(self, "_hooks", ()):
                    message = hook(message)
                    if message is None:
                        break
                else:
                    self.session.send(self.pub_thread, message, ident=self.topic)

        def close(self):
            """Closes nothing: `with sys.stdout as f` is over before the session is."""
            self.flush()

        # --- runs

        def set_parent(self, parent):
            super().set_parent(parent)
            self._mce_latest = self.parent_header

        def _mce_set_other(self, parent):
            """A request that is no run: its own prints are its own, what threads
            and children write stays with the run."""
            for_thread = getattr(super(), "set_thread_parent", None)  # ipykernel 7.3
            if for_thread:
                for_thread(parent)
            else:
                super().set_parent(parent)
                self._mce_other = True

        def _mce_restore(self):
            if self._mce_other:
                self._mce_other = False
                super().set_parent({"header": self._mce_latest})

    if hasattr(os, "register_at_fork"):
        # A forked child has the locks as they were, and not the threads that hold them.
        os.register_at_fork(after_in_child=lambda: step("fork", after_fork, out, watched))
    OutStream.__qualname__ = base.__qualname__
    OutStream.__module__ = base.__module__
    return OutStream


# The key in a stream message's metadata: number of the stream, position of its
# first character and of the one after its last.
TEXT = "mce_text"


def after_fork(out, watched):
    out.lock = out.renew()
    for stream in list(watched.streams.values()):
        stream._buffer_lock = out.renew()


def use(app, pipes, path):
    """Makes init_io use our streams. pipes and path may be None."""
    original = app.init_io

    def init_io():
        from ipykernel import iostream

        base = iostream.OutStream
        memory = step("unsent", unsent.open_file, path) if path else None
        made = step("streams", stream_class, base, pipes, memory)
        real = sys.stdout, sys.stderr
        if made:
            iostream.OutStream = made
        elif pipes:  # nobody will read them
            os.dup2(pipes[2], 1)
            os.dup2(pipes[2], 2)
        try:
            original()
        finally:
            iostream.OutStream = base
        if made and isinstance(sys.stdout, made) and isinstance(sys.stderr, made):
            step("kernelsys", kernelsys.install, step("native", native.line_buffered))
            step("tee", tee.install)
            step("restored", keep, app, real)

    app.init_io = init_io


def keep(app, real):
    """As in plain Python sys.__stdout__ is what sys.stdout was at the start:
    code that restores it has the prints with their run again."""
    reset_io = app.reset_io

    def reset():  # ipykernel ends: from now on only the descriptors work
        sys.__stdout__, sys.__stderr__ = real
        reset_io()

    app.reset_io = reset
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
