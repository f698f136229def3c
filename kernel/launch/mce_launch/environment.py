"""What ipykernel and IPython set and make for themselves, and others would be left with."""

import os

# With these a program colours what goes into a pipe: JSON with escapes in it.
COLORS = ("CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR")


def keep_colors():
    """As the user set them, or not at all."""
    from ipykernel.zmqshell import ZMQInteractiveShell

    original = ZMQInteractiveShell.init_environment

    def init_environment(self):
        before = {name: os.environ.get(name) for name in COLORS}
        original(self)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    ZMQInteractiveShell.init_environment = init_environment


def private_ipython_dir(argv):
    """Where the user has no directory that IPython may write to, it makes a temporary
    one whenever it asks, two a start, and removes none. What is beside the connection
    file ends with the kernel."""
    from IPython.core import application, interactiveshell

    place = os.path.join(os.path.dirname(argv[argv.index("-f") + 1]), "ipython")
    original = application.get_ipython_dir

    def get_ipython_dir():
        import tempfile

        def made(*_, **__):
            os.makedirs(place, 0o700, exist_ok=True)
            return place

        before, tempfile.mkdtemp = tempfile.mkdtemp, made
        try:
            return original()
        finally:
            tempfile.mkdtemp = before

    application.get_ipython_dir = interactiveshell.get_ipython_dir = get_ipython_dir


class Backend:
    """matplotlib's backend is the kernel's by a variable, which a child, even one
    of another environment, would obey too."""

    def __init__(self):
        self.users = os.environ.get("MPLBACKEND")

    def set(self, app, after):
        backend = os.environ.get("MPLBACKEND")
        if self.users or not backend or not backend.startswith("module://"):
            return
        del os.environ["MPLBACKEND"]

        def choose(matplotlib):
            matplotlib.rcParams["backend"] = backend

        after.add("matplotlib", choose)
