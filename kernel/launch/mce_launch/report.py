"""What goes to the kernel's stderr or the guard's log, for the server and not for the user."""

import os

stderr = 2


def keep_stderr(descriptor):
    """From here on the given one or a copy: what goes to 2 is the user's to see."""
    global stderr
    stderr = descriptor or os.dup(2)


def say(text):
    line = "mce-launch: " + " ".join(text.split())[:2000] + "\n"
    try:
        os.write(stderr, line.encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def describe(error):
    try:
        return "%s: %s" % (type(error).__name__, error)
    except Exception:
        return type(error).__name__


def step(name, function, *args):
    """Calls function; a failure is reported and otherwise ignored."""
    try:
        return function(*args)
    except Exception as error:
        say("step=%s error=%s" % (name, describe(error)))
