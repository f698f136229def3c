"""The start of ipykernel, changed step by step."""

import os
import signal
import sys

from . import (
    children,
    codenames,
    environment,
    finalize,
    interrupts,
    libraries,
    messages,
    options,
    paths,
    prelude,
    report,
    runs,
    shared,
    sources,
    streams,
    textio,
)
from .report import describe, say, step


def before(app, method, name, function):
    """Makes app.method run the step first. Called on the instance, so user
    code that looks at ipykernel's classes sees nothing unusual."""
    original = getattr(app, method)

    def wrapper(*args, **kwargs):
        step(name, function, app)
        return original(*args, **kwargs)

    setattr(app, method, wrapper)


def import_ipykernel():
    """Imports ipykernel without debugpy: a quarter of the start, and only the
    debugger is gone. User code can import debugpy."""
    hidden = "debugpy" not in sys.modules
    if hidden:
        sys.modules["debugpy"] = None
    try:
        from ipykernel import kernelapp

        step("debugpy", __import__, "ipykernel.debugger")
    finally:
        if hidden and sys.modules.get("debugpy", 0) is None:
            del sys.modules["debugpy"]
    return kernelapp


def quiet_debugger(app):
    """Not having a debugger is no news."""
    app.log.addFilter(lambda record: "debugpy_stream undefined" not in str(record.msg))


def collect_later():
    """No garbage collection while modules are loaded, which make hardly any. Returns the
    step that ends this."""
    import gc

    if not gc.isenabled():
        return lambda app: None  # by code of the user's environment

    def collect(app):
        # What there is by now counts as old, as if it had been looked at: else the first
        # cell's garbage collection takes the time that was saved.
        try:
            gc.freeze()
            gc.unfreeze()
        finally:  # PyPy has neither
            gc.enable()

    gc.disable()
    return collect


def do_not_sleep(app):
    """Before each reply ipykernel waits 0.5 ms for what was printed to be sent: some
    clients stop reading at the reply. Ours reads on until the kernel is idle, which is
    sent after all output on the same socket."""
    app.kernel._execute_sleep = 0


def as_launcher(kernelapp):
    """Some libraries know a kernel by sys.argv[0]."""
    site = os.path.dirname(os.path.dirname(os.path.abspath(kernelapp.__file__)))
    sys.argv[0] = os.path.join(site, "ipykernel_launcher.py")


def load_ahead(app, names):
    if not names:
        return (), ()
    from . import ahead  # other kernels do without

    return ahead.load(app, names)


def main():
    end = finalize.Finalize()
    ours, sys.argv[1:], argv = options.arguments(sys.argv[1:])
    pipes = step("pipes", options.pipes, ours)
    step("stderr", report.keep_stderr, pipes and pipes[-1])
    step("signal", signal.signal, signal.SIGINT, signal.SIG_IGN)  # ipykernel's, earlier
    restore_cwd = step("cwd", paths.hide_cwd) or (lambda app: None)
    sidecar = options.value(ours, options.SIDECAR)
    if sidecar:
        sys.path.append(sidecar)
        sys.meta_path.insert(0, paths.SidecarFirst(sidecar))
    code = options.value(ours, options.CODE)
    told = options.value(ours, options.SOURCES)
    collect = step("gc", collect_later) or (lambda app: None)

    try:
        kernelapp = import_ipykernel()
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "ipykernel"
        say("ipykernel %s: %s" % ("missing" if missing else "broken", describe(error)))
        return 3 if missing else 4

    step("argv", as_launcher, kernelapp)
    step("lazy", sys.meta_path.insert, 0, paths.InstalledFirst)
    step("textio", textio.complete_streams)
    step("open", textio.open_descriptors)
    step("colors", environment.keep_colors)
    step("ipython-dir", environment.private_ipython_dir, argv)
    backend = environment.Backend()
    step("filename", codenames.name_code)
    step("interrupt", interrupts.Interrupts().install)

    try:
        app = kernelapp.IPKernelApp.instance()
        # The first message can go out when the sockets exist; the user's own
        # start-up files run after init_path.
        step("streams", streams.use, app, pipes, options.value(ours, options.UNSENT))
        before(app, "init_sockets", "packer", messages.set_packer)
        before(app, "init_sockets", "pieces", messages.split_streams)
        before(app, "init_heartbeat", "nodrop", messages.set_nodrop)
        if options.SHARED in ours:
            before(app, "init_sockets", "shared", shared.watch_subscribers)
        before(app, "init_path", "restore-cwd", restore_cwd)
        before(app, "init_path", "gc", collect)
        before(app, "init_shell", "code", lambda app: paths.add_code([code] if code else []))
        if told:
            before(app, "init_code", "own-code", sources.refuse_own_code)
        app.initialize(argv)
        # Here the shell is up and no request has been read.
        step("finalize", end.install, options.value(ours, options.UNSENT))
        step("argv", sys.argv.__delitem__, slice(1, None))  # code may read it
        step("textio", textio.finish_bytes, app)
        after = libraries.AfterImport()
        step("backend", backend.set, app, after)
        if options.NO_PRELUDE not in ours:
            step("prelude", prelude.prelude, app, after)
        step("debugger", quiet_debugger, app)
        runs.follow(app, after)
        if options.SHARED in ours:
            step("shared", shared.tell_taken, app)
        else:
            step("sleep", do_not_sleep, app)
        step("children", children.forget_ended, app)
        ahead = load_ahead(app, options.value(ours, options.PREIMPORT))
        if told:
            step("sources", sources.tell, app, told, code, *ahead)
    except Exception as error:
        say("start failed: " + describe(error))
        return 5
    try:
        app.start()
    except Exception as error:  # code has broken what ipykernel needs
        say("the kernel failed: " + describe(error))
        return 5
    end.returned = True
    return 0
