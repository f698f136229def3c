"""The children of the kernel when it ends."""


def forget_ended(app):
    """ipykernel ends only when it has no children, for up to 29 s. One that has ended
    stays in the process table until its parent asks for it, and code that has started
    one by subprocess.Popen may never ask."""
    kernel = app.kernel
    children = kernel._process_children

    def living():
        return [child for child in children() if not ended(child)]

    kernel._process_children = living


def ended(child):
    import psutil

    try:
        return child.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
