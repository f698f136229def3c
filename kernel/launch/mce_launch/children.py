"""The children of the kernel when it ends."""

import os


def forget_ended(app):
    """ipykernel ends only when it has no children, for up to 29 s. One that has ended
    stays in the process table until its parent asks for it, and code that has started
    one by subprocess.Popen may never ask."""
    kernel = app.kernel
    children = kernel._process_children

    def living():
        if not any_children():  # ipykernel imports psutil to see that: a quarter of the end
            return []
        return [child for child in children() if not ended(child)]

    kernel._process_children = living


def any_children():
    """Whether this process may have children, ended ones too."""
    if not hasattr(os, "waitid"):
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    except OSError:
        pass
    return True


def ended(child):
    import psutil

    try:
        return child.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
