"""Errors whose own __str__ fails. IPython writes that failure in their place, IPython's
history and ipykernel fail at it and tell it as the run's error; Python's traceback module
keeps to the error."""

FAILED = "<exception str() failed>"  # as traceback has it
INSTEAD = "<class 'str'>"  # IPython's type of such an error


def show(app):
    import functools
    import re

    shell, kernel = app.shell, app.kernel
    original, do_execute = shell._showtraceback, kernel.do_execute
    color = r"(?:\x1b\[[\d;]*m)*"
    line = re.compile("^%s%s%s: .*$" % (color, INSTEAD, color), re.M)

    @functools.wraps(original)
    def showtraceback(kind, error, lines):
        if any(INSTEAD in part for part in lines):
            for one in chain(error):
                if text(one) is None:
                    lines = replace_first(lines, line, "%s: %s" % (type(one).__name__, FAILED))
        kernel._mce_unprintable = None
        if text(error) is None:
            error = Exception(FAILED)  # kind has the name
            kernel._mce_unprintable = kind.__name__
        return original(kind, error, lines)

    @functools.wraps(do_execute)
    def execute(*args, **kwargs):
        kernel._mce_unprintable = None
        return do_execute(*args, **kwargs)

    shell._showtraceback, kernel.do_execute = showtraceback, execute
    store = getattr(shell, "_format_exception_for_storage", None)  # since IPython 9
    if store:
        shell._format_exception_for_storage = functools.partial(stored, store)


def shown(kernel):
    """The name of such an error, if the run has shown one last: then ipykernel fails where
    it makes the reply, after all else."""
    return getattr(kernel, "_mce_unprintable", None)


def stored(store, error, *args, **kwargs):
    """What %history -t and the like get of an error."""
    try:
        return store(error, *args, **kwargs)
    except Exception:
        if text(error) is not None:
            raise
        return {"ename": type(error).__name__, "evalue": FAILED, "traceback": []}


def text(error):
    """Its message, None where that fails."""
    try:
        return str(error)
    except Exception:
        return None


def chain(error):
    """The errors that a traceback shows, in its order."""
    found = []
    while error is not None and not any(error is one for one in found):
        found.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found[::-1]


def replace_first(lines, pattern, put):
    for i, part in enumerate(lines):
        changed, count = pattern.subn(lambda _: put, part, count=1)
        if count:
            return [*lines[:i], changed, *lines[i + 1 :]]
    return lines
