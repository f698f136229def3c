"""Where modules come from: what lies in the working directory must not break a start."""

import os
import sys
from importlib.machinery import PathFinder

# Packages of the kernel that it imports only when it needs them: a file of
# that name in the working directory must not break a traceback or a plot.
LAZY = frozenset(
    "IPython appnope asttokens colorama executing ipykernel jedi jupyter_client"
    " jupyter_core matplotlib_inline nest_asyncio nest_asyncio2 parso pexpect"
    " prompt_toolkit psutil ptyprocess pure_eval pygments stack_data tornado"
    " traitlets wcwidth zmq".split()
)


def is_cwd(entry):
    if entry in ("", "."):
        return True
    try:
        return os.path.abspath(entry) == os.getcwd()
    except (OSError, TypeError, ValueError):
        return False


def hide_cwd():
    """Takes the working directory off sys.path; returns what puts it back."""
    taken = [(i, entry) for i, entry in enumerate(sys.path) if is_cwd(entry)]
    sys.path[:] = [entry for entry in sys.path if not is_cwd(entry)]

    def restore(app):
        for i, entry in taken:
            sys.path.insert(i, entry)

    return restore


CODE = []  # directories of code files that are not the working directory


def add_code(directories):
    """Puts them behind the working directory, which is before all that is installed."""
    CODE.extend(directories)
    first = [i for i, entry in enumerate(sys.path) if is_cwd(entry)]
    installed = [i for i, entry in enumerate(sys.path) if entry.endswith(("site-packages", "dist-packages"))]
    at = first[0] + 1 if first else min(installed, default=len(sys.path))
    sys.path[at:at] = [directory for directory in directories if directory not in sys.path]


class InstalledFirst:
    """Finds the packages in LAZY as if the user's own directories were not on sys.path."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if path is not None or name not in LAZY:
            return None
        return PathFinder.find_spec(name, [e for e in sys.path if e not in CODE and not is_cwd(e)], target)


class SidecarFirst:
    """Finds ipykernel in the sidecar before one of the environment: that one is
    too old, or half removed. All else is the environment's first."""

    def __init__(self, directory):
        self.directory = directory

    def find_spec(self, name, path=None, target=None):
        if path is not None or name not in ("ipykernel", "ipykernel_launcher"):
            return None
        return PathFinder.find_spec(name, [self.directory])
