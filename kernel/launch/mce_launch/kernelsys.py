"""What ipykernel's own modules see as sys: its streams are the kernel's, whatever
the user's code has put into sys.stdout."""

import sys


class Own:
    """One of the kernel's streams, as ipykernel uses it."""

    def __init__(self, stream, name, flush_native):
        self._stream = stream
        self._name = name
        self._flush_native = flush_native

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def flush(self):
        """Sends what was printed, what the user's replacement holds back first."""
        current = getattr(sys, self._name, None)
        if current is not self._stream:
            try:
                current.flush()
            except Exception:
                pass  # it has no flush, or a bad one: the run is over all the same
        if self._flush_native:
            self._flush_native()
        self._stream.flush()
        self._stream._mce_restore()

    def set_parent(self, parent):
        content = parent.get("content") or {}
        if parent["header"].get("msg_type") != "execute_request":
            return  # what threads and children write stays with the run
        if content.get("silent"):
            self._stream._mce_set_other(parent)
        else:
            self._stream.set_parent(parent)


class KernelSys:
    """The module sys with other streams."""

    def __init__(self, stdout, stderr):
        self.__dict__.update(stdout=stdout, stderr=stderr)

    def __getattr__(self, name):
        return getattr(sys, name)

    def __setattr__(self, name, value):
        setattr(sys, name, value)


def install(flush_native):
    from ipykernel import displayhook, kernelbase, zmqshell

    own = KernelSys(Own(sys.stdout, "stdout", flush_native), Own(sys.stderr, "stderr", None))
    for module in (displayhook, kernelbase, zmqshell):
        module.sys  # AttributeError where there is none
        module.sys = own

