"""Variables that ipykernel sets for itself and that children would inherit."""

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
