"""A kernel that several clients use."""

from .report import step

# In an execute_reply: how many characters stdout and stderr have taken.
TAKEN = "mce_taken"


def watch_subscribers(app):
    """A second subscriber that reads nothing (a console that was stopped, a laptop
    asleep) must not stop the kernel: while there is one, PUB drops as it does by
    default, and the server tells what is missing. The monitor is there before the
    socket is bound: no subscriber is missed."""
    import zmq

    original = app._bind_socket

    def bind(socket, port):
        if socket.type in (zmq.PUB, zmq.XPUB):
            watch(app, socket, 0)
        return original(socket, port)

    app._bind_socket = bind


def wait_for_subscribers(app):
    """In a kernel that runs already, those of the Jupyter server are there: it reads
    whatever comes, and is waited for while it is too busy to. Not so when there is one
    more, which may be anybody's."""
    import zmq

    def begin():  # in the thread that owns the socket
        socket = app.iopub_thread.socket
        step("shared", socket.setsockopt, zmq.XPUB_NODROP, 1)
        step("shared", watch, app, socket, 1)

    app.iopub_thread.schedule(begin)


def watch(app, socket, count):
    """Counts the subscribers of the socket, from count on."""
    import threading

    import zmq

    # Each is followed by a disconnection, though nobody was connected.
    failed = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | failed | zmq.EVENT_DISCONNECTED)
    threading.Thread(target=follow, args=(app, monitor, count), name="mce-subscribers", daemon=True).start()


def follow(app, monitor, count):
    import zmq
    from zmq.utils.monitor import recv_monitor_message

    def nodrop(value):  # in the thread that owns the socket
        return lambda: step("shared", app.iopub_thread.socket.setsockopt, zmq.XPUB_NODROP, value)

    while True:
        try:
            event = recv_monitor_message(monitor)["event"]
        except Exception:
            return  # the socket is closed
        if event == zmq.EVENT_MONITOR_STOPPED:
            return
        before, count = count, count + (-1 if event == zmq.EVENT_DISCONNECTED else 1)
        if (before > 1) != (count > 1):
            app.iopub_thread.schedule(nodrop(int(count <= 1)))


def tell_taken(app):
    """Says in each reply how much there was to send: the last messages of a run may be
    those that were dropped."""
    import functools
    import sys

    kernel = app.kernel
    do_execute, streams = kernel.do_execute, (sys.stdout, sys.stderr)

    @functools.wraps(do_execute)
    async def execute(*args, **kwargs):
        reply = await do_execute(*args, **kwargs)
        for stream in streams:
            step("shared", stream.flush)  # what is in its pipe
        reply[TAKEN] = [stream._mce_unsent.total for stream in streams]
        return reply

    if all(getattr(stream, "_mce_unsent", None) for stream in streams):
        kernel.do_execute = execute
