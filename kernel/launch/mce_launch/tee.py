"""IPython 9 notes what a cell prints, for its history, by replacing the write of
what is in sys.stdout and sys.stderr."""

import sys

KINDS = {"stdout": "out_stream", "stderr": "err_stream"}


def install():
    import contextlib

    from IPython.core import history
    from IPython.core.interactiveshell import InteractiveShell

    tee = getattr(InteractiveShell, "_tee", None)
    if tee is None:
        return
    output = getattr(history, "HistoryOutput", None)

    def careful(self, channel):
        stream = getattr(sys, channel, None)
        own = "write" in getattr(stream, "__dict__", ())
        try:
            stream.write = stream.write
        except Exception:  # None, a number, an object of the user's: a cell would not even begin
            return contextlib.nullcontext()
        if output and hasattr(stream, "_mce_last"):
            return replaced(stream, noting(self, output, KINDS[channel], stream))
        return foreign(tee(self, channel), channel, stream, own)

    @contextlib.contextmanager
    def foreign(noted, channel, stream, own):
        """A stream of the user's is left as it was found: with a write of its own it
        holds itself, and what it has not written yet is written nobody knows when."""
        try:
            with noted:
                yield
        finally:
            try:
                if not own:
                    vars(stream).pop("write", None)
                if getattr(sys, channel, None) is not stream:
                    stream.flush()
            except Exception:
                pass  # it has no flush, or none that works, or is some odd object

    @contextlib.contextmanager
    def replaced(stream, write):
        original, stream.write = stream.write, write
        try:
            yield
        finally:
            stream.write = original

    InteractiveShell._tee = careful


def noting(shell, output, kind, stream):
    """A write that does what IPython's does, which takes longer than the print itself."""
    from time import perf_counter

    original, number = stream.write, shell.execution_count
    publisher, hook, outputs = shell.display_pub, shell.displayhook, shell.history_manager.outputs
    last = texts = None

    def write(data, *args, **kwargs):
        nonlocal last, texts
        result = original(data, *args, **kwargs)
        if data and not (publisher.is_publishing or hook.is_active or shell.showing_traceback):
            of_cell = outputs[number]
            if not of_cell or of_cell[-1] is not last:  # the first, or one after a display
                if not of_cell or of_cell[-1].output_type != kind:
                    of_cell.append(output(output_type=kind, bundle={"stream": []}))
                last = of_cell[-1]
                texts = last.bundle["stream"]
            texts.append(data)
        stream._mce_last = perf_counter()  # this took no child's time
        return result

    return write
