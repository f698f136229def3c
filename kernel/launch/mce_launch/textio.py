"""What programs expect of sys.stdout beside write: buffer, reconfigure, detach."""

import sys


def complete_streams():
    """Gives ipykernel's OutStream what a TextIOWrapper has."""
    import codecs
    import io

    from ipykernel.iostream import OutStream

    class Buffer(io.BufferedIOBase):
        """The bytes below a stream, which has none: what is written here is text
        of the stream's, in the order of the writes. Closing it closes nothing: a
        TextIOWrapper around it does so when it is forgotten."""

        mode = "wb"

        def __init__(self, stream):
            self.stream = stream
            self.name = {"stdout": 1, "stderr": 2}.get(stream.name, stream.name)
            self.raw = self
            self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

        def write(self, data):
            if isinstance(data, str):
                raise TypeError("a bytes-like object is required, not 'str'")
            data = bytes(data)
            self.put(self.decoder.decode(data))
            return len(data)

        def put(self, text):
            if text:
                type(self.stream).write(self.stream, text)  # whatever reconfigure says

        def flush(self):
            if not self.stream.closed:
                self.stream.flush()

        def finish(self):
            """A character that was begun and never ended is shown as it is."""
            self.put(self.decoder.decode(b"", True))

        def close(self):
            pass

        def writable(self):
            return True

        def isatty(self):
            return self.stream.isatty()

        def fileno(self):
            return self.stream.fileno()

    def buffer(self):
        if "_mce_buffer" not in self.__dict__:
            self._mce_buffer = Buffer(self)
        return self._mce_buffer

    # As Python made them for this environment: surrogateescape in the C locale.
    real = {name: getattr(getattr(sys, name), "errors", None) for name in ("stdout", "stderr")}

    def errors(self):
        return self.__dict__.get("_mce_errors") or real.get(self.name) or "strict"

    def set_errors(self, value):
        self._mce_errors = value

    def is_plain(self):
        """Whether any text can be shown: surrogates are seen to elsewhere."""
        return self.encoding == "utf-8" and self.errors in ("strict", "surrogateescape", "backslashreplace")

    def reconfigure(self, *, encoding=None, errors=None, newline=None, line_buffering=None, write_through=None):
        """As TextIOWrapper's. Text goes to the client as text: an encoding decides
        which characters it may have, and errors what becomes of the others.
        Output is sent within 0.2 s, whatever line_buffering says."""
        if encoding is not None or errors is not None:
            name = self.encoding if encoding is None else codecs.lookup("utf-8" if encoding == "locale" else encoding).name
            handler = errors or ("strict" if encoding is not None else self.errors)
            codecs.lookup_error(handler)
            self.encoding, self.errors = name, handler
        if newline is not None:
            if newline not in ("", "\n", "\r", "\r\n"):
                raise ValueError("illegal newline value: %r" % (newline,))
            self._mce_newline = newline
        if line_buffering is not None:
            self.line_buffering = bool(line_buffering)
        if write_through is not None:
            self.write_through = bool(write_through)
        self.flush()
        if is_plain(self) and self.__dict__.get("_mce_newline", "\n") in ("", "\n"):
            self.__dict__.pop("write", None)
        else:
            self.write = lambda text: write(self, text)

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text).__name__)
        newline = self.__dict__.get("_mce_newline") or "\n"
        shown = text if newline == "\n" else text.replace("\n", newline)
        if not is_plain(self):
            shown = shown.encode(self.encoding, self.errors).decode(self.encoding, "replace")
        type(self).write(self, shown)
        return len(text)

    OutStream.encoding = "utf-8"
    OutStream.errors = property(errors, set_errors)
    OutStream.line_buffering = OutStream.write_through = False
    OutStream.newlines = None
    OutStream.mode = "w"
    OutStream.buffer = property(buffer)
    OutStream.reconfigure = reconfigure
    OutStream.detach = buffer


def open_descriptors():
    """IPython's open refuses 0, 1 and 2, which a terminal needs; here they are pipes.
    %reset sets it again, so it is replaced where it comes from."""
    import builtins

    from IPython.core import interactiveshell

    interactiveshell._modified_open = builtins.open


def finish_bytes(app):
    """At the end of a cell."""

    def finish():
        for stream in (sys.stdout, sys.stderr):
            buffer = getattr(stream, "__dict__", {}).get("_mce_buffer")
            if buffer is not None:
                buffer.finish()

    app.shell.events.register("post_execute", finish)
