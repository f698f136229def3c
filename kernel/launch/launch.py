"""Starts ipykernel for mcp-code-executor: python launch.py [--mce-sidecar=DIR] [--mce-no-prelude] -f FILE [OPTION...]

This file is the only thing of ours inside the kernel. It works on ipykernel
6.17 to 7.x and Python 3.8 and later. What cannot be changed for one version
is reported and left as ipykernel has it; the kernel starts all the same.

On stderr, one line each:
    mce-launch: step=NAME error=TYPE: MESSAGE   a step failed, the kernel runs
    mce-launch: ipykernel missing: MESSAGE      exit status 3
    mce-launch: ipykernel broken: MESSAGE       exit status 4
    mce-launch: start failed: MESSAGE           exit status 5
"""

import os
import signal
import sys

SIDECAR = "--mce-sidecar="
NO_PRELUDE = "--mce-no-prelude"
PIECE = 170000  # characters; JSON needs at most 6 bytes for one: under 1 MiB
# Keys in an execute_request's metadata.
FILENAME = "mce_filename"
REFRESH = "mce_refresh"
RELOAD = "mce_reload"

# Packages of the kernel that it imports only when it needs them: a file of
# that name in the working directory must not break a traceback or a plot.
LAZY = frozenset(
    "IPython appnope asttokens colorama executing ipykernel jedi jupyter_client"
    " jupyter_core matplotlib_inline nest_asyncio nest_asyncio2 parso pexpect"
    " prompt_toolkit psutil ptyprocess pure_eval pygments stack_data tornado"
    " traitlets wcwidth zmq".split()
)

stderr = 2  # until main() has a copy that ipykernel does not redirect


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


def before(app, method, name, function):
    """Makes app.method run the step first. Called on the instance, so user
    code that looks at ipykernel's classes sees nothing unusual."""
    original = getattr(app, method)

    def wrapper(*args, **kwargs):
        step(name, function, app)
        return original(*args, **kwargs)

    setattr(app, method, wrapper)


# --- where modules come from


def is_cwd(entry):
    if entry in ("", "."):
        return True
    try:
        return os.path.abspath(entry) == os.getcwd()
    except (OSError, TypeError, ValueError):
        return False


def drop_own_directory():
    own = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == own:
        del sys.path[0]


def hide_cwd():
    """Takes the working directory off sys.path; returns what puts it back."""
    taken = [(i, entry) for i, entry in enumerate(sys.path) if is_cwd(entry)]
    sys.path[:] = [entry for entry in sys.path if not is_cwd(entry)]

    def restore(app):
        for i, entry in taken:
            sys.path.insert(i, entry)

    return restore


class InstalledFirst:
    """Finds the packages in LAZY as if the working directory were not on sys.path."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if path is not None or name not in LAZY:
            return None
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(name, [e for e in sys.path if not is_cwd(e)], target)


class SidecarFirst:
    """Finds ipykernel in the sidecar before one of the environment: that one is
    too old, or half removed. All else is the environment's first."""

    def __init__(self, directory):
        self.directory = directory

    def find_spec(self, name, path=None, target=None):
        if path is not None or name not in ("ipykernel", "ipykernel_launcher"):
            return None
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(name, [self.directory])


# --- messages


def set_packer(app):
    """Default packing loses every message that holds a lone surrogate ('\\ud800')."""
    import json

    from jupyter_client import jsonutil
    from jupyter_client import session as module

    default = getattr(jsonutil, "json_default", None) or jsonutil.date_default
    clean = getattr(jsonutil, "json_clean", None)
    if clean is None:  # jupyter_client 6
        from ipykernel.jsonutil import json_clean as clean

    def dumps(obj):
        return json.dumps(obj, default=default, ensure_ascii=False, allow_nan=False)

    def pack(obj):
        try:
            text = dumps(obj)
        except (TypeError, ValueError):
            text = dumps(clean(obj))  # NaN, keys that are no strings
        # Only strings can hold a surrogate here, and backslashreplace writes
        # it as JSON does.
        return text.encode("utf-8", "backslashreplace")

    session = app.session
    if session.packer not in ("json", "orjson"):
        session.unpack = module.json_unpacker  # a packer of the user's configuration
    session.pack = pack
    session.none = pack({})


def split_streams(app):
    """A print of 200 MB is sent as pieces, each a message of its own."""
    session = app.session
    original = session.send

    def send(stream, msg_or_type, content=None, parent=None, ident=None, *args, **kwargs):
        body, above = content, parent
        kind = msg_or_type
        if isinstance(msg_or_type, dict):  # ipykernel 7: a whole message
            kind = msg_or_type.get("msg_type")
            body = msg_or_type.get("content")
            above = msg_or_type.get("parent_header")
        if kind == "stream" and isinstance(body, dict) and not any(args) and not any(kwargs.values()):
            text = body.get("text")
            if isinstance(text, str) and len(text) > PIECE:
                for i in range(0, len(text), PIECE):
                    part = dict(body, text=text[i : i + PIECE])
                    message = original(stream, "stream", part, above, ident)
                return message
        return original(stream, msg_or_type, content, parent, ident, *args, **kwargs)

    session.send = send


def set_nodrop(app):
    """PUB drops messages above its high-water mark; this makes it wait instead."""
    import zmq

    def apply():  # in the thread that owns the socket
        step("nodrop", app.iopub_thread.socket.setsockopt, zmq.XPUB_NODROP, 1)

    app.iopub_thread.schedule(apply)


def watch_bytes():
    """What children write may be no UTF-8, or cut inside a character: ipykernel
    6.17 stops reading then, and every later child hangs. And it belongs to the
    cell in which it was written: what the thread has not read when a cell ends,
    flush reads, which ends every cell."""
    import codecs
    import threading
    from select import select  # itself: gevent and others replace it in its module

    from ipykernel.iostream import OutStream

    start, flush = OutStream._setup_stream_redirects, OutStream.flush

    def setup(self, name):
        self._mce_decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._mce_reading = threading.RLock()
        self._mce_pid = os.getpid()
        start(self, name)

    def read(self):
        """Reads what is there; False at the end. The caller has the lock."""
        if not select([self._fid], [], [], 0)[0]:
            return True  # the other one has read it
        data = os.read(self._fid, 1 << 16)
        if not data or not self._should_watch:
            return False
        self.write(self._mce_decoder.decode(data))
        os.write(self._original_stdstream_copy, data)
        return True

    def watch(self):
        if getattr(self, "_fid", None) is None:
            return
        try:
            more = True
            while more:
                select([self._fid], [], [])
                with self._mce_reading:
                    more = read(self)
        except Exception:
            self._exc = sys.exc_info()

    def flush_all(self):
        # A forked child may have the lock of a thread that it has not. "with" and
        # nothing else: an interrupt right after acquire() would leave it locked.
        if getattr(self, "_mce_pid", 0) == os.getpid() and self._should_watch:
            try:
                with self._mce_reading:
                    read(self)
            except (OSError, ValueError):
                pass  # the pipe is closed: the thread has told it
        flush(self)

    OutStream._watch_pipe_fd  # AttributeError where there is none
    OutStream._setup_stream_redirects = setup
    OutStream._watch_pipe_fd = watch
    OutStream.flush = flush_all


# --- tracebacks that name a file


def name_code():
    """Code of a request whose metadata has FILENAME is compiled under that name."""
    import functools
    import linecache

    from ipykernel.compiler import XCachingCompiler
    from ipykernel.ipkernel import IPythonKernel

    def filename(raw_code):
        try:
            parent = IPythonKernel.instance().get_parent("shell")
            # Only the request's own code: a cell may run other cells.
            if parent["content"]["code"] == raw_code:
                return parent["metadata"].get(FILENAME)
        except Exception:
            return None

    cache = XCachingCompiler.cache
    get_code_name = XCachingCompiler.get_code_name

    @functools.wraps(get_code_name)
    def new_get_code_name(self, raw_code, *args, **kwargs):
        name = filename(raw_code)
        if isinstance(name, str) and name:
            return name
        return get_code_name(self, raw_code, *args, **kwargs)

    @functools.wraps(cache)
    def new_cache(self, transformed_code, number=0, raw_code=None):
        name = cache(self, transformed_code, number, raw_code)
        if name == filename(raw_code):
            # Else the frame would read "Cell In[3], line 2".
            getattr(self, "_filename_map", {}).pop(name, None)
            lines = [line + "\n" for line in raw_code.splitlines()]
            try:
                # With size and time linecache drops it when the file changes.
                stat = os.stat(name)
                linecache.cache[name] = (stat.st_size, stat.st_mtime, lines, name)
            except OSError:
                linecache.cache[name] = (len(raw_code), None, lines, name)
        return name

    XCachingCompiler.get_code_name = new_get_code_name
    XCachingCompiler.cache = new_cache


# --- what has become importable, or has changed, since the last request


class Sites:
    """Directories of packages and their .pth files, which Python reads at its
    start alone: editable installs are such files."""

    def __init__(self):
        self.seen = {path: stamp for path, stamp in self.files()}

    @staticmethod
    def directories():
        import site

        found = list(site.getsitepackages()) if hasattr(site, "getsitepackages") else []
        if getattr(site, "ENABLE_USER_SITE", False):
            found.append(site.getusersitepackages())
        return found

    def files(self):
        for directory in self.directories():
            try:
                names = sorted(os.listdir(directory))
            except OSError:
                continue
            for name in names:
                path = os.path.join(directory, name)
                if name.endswith(".pth"):
                    stat = os.stat(path)
                    yield path, (stat.st_mtime_ns, stat.st_size)

    def update(self):
        import site

        for directory in self.directories():
            if os.path.isdir(directory) and directory not in sys.path:
                sys.path.append(directory)
        for path, stamp in self.files():
            if self.seen.get(path) == stamp:
                continue
            new = path not in self.seen
            self.seen[path] = stamp
            if new:
                site.addpackage(*os.path.split(path), set(sys.path))
            else:
                self.add_paths(path)  # its code has run once

    @staticmethod
    def add_paths(path):
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                entry = os.path.join(os.path.dirname(path), line.strip())
                if line.strip() and not line.startswith(("#", "import ", "import\t")):
                    if entry not in sys.path and os.path.exists(entry):
                        sys.path.append(entry)


def refresh_imports(app):
    """Before a request whose metadata says so: packages that were installed can
    be imported, and modules whose files have changed are loaded again."""
    import importlib
    import types

    done = [None]
    sites = step("sites", Sites)

    def refresh(*_):
        parent = app.kernel.get_parent("shell")
        request = parent["header"]["msg_id"]
        metadata = parent.get("metadata") or {}
        if not metadata.get(REFRESH) or done[0] == request:
            return  # a cell that runs cells asks again for the same request
        done[0] = request
        importlib.invalidate_caches()
        if sites:
            step("sites", sites.update)
        changed = set(map(os.path.realpath, metadata.get(RELOAD) or ()))
        for module in list(sys.modules.values()):
            if type(module) is not types.ModuleType:
                continue
            file = module.__dict__.get("__file__")
            if isinstance(file, str) and os.path.realpath(file) in changed:
                reload(module)

    def reload(module):
        try:
            importlib.reload(module)
        except Exception as error:
            print("reloading %s failed: %s" % (module.__name__, describe(error)), file=sys.stderr)

    app.shell.events.register("pre_run_cell", refresh)


# --- interrupts


class Interrupts:
    """What SIGINT does.

    idle                    nothing, as in ipykernel
    around a cell           remembered before it, ignored after it: plain
                            ipykernel loses the reply
    in a cell               KeyboardInterrupt, by Python's own handler
    in a cell that awaits   the cell is cancelled (CancelledError, as in plain
                            ipykernel, which needs another message to notice);
                            a call that blocks gets KeyboardInterrupt: at once
                            in the cell itself, on the second signal in a task
                            it waits for
    """

    def __init__(self):
        self.pending = False

    def note(self, signum, frame):
        self.pending = True

    def arm(self):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.pending:
            self.pending = False
            raise KeyboardInterrupt

    def disarm(self):
        while True:
            try:
                signal.signal(signal.SIGINT, self.note)
                return
            except KeyboardInterrupt:
                pass

    def install(self):
        import asyncio
        import contextlib
        import functools
        import threading

        from ipykernel.ipkernel import IPythonKernel

        interrupts = self
        runs_code = {"complete_request", "inspect_request", "comm_open", "comm_msg"}

        def in_main_thread():
            return threading.current_thread() is threading.main_thread()

        def pre_handler_hook(kernel):
            if not in_main_thread():  # a subshell
                return
            kind = kernel.get_parent("shell").get("header", {}).get("msg_type")
            interrupts.pending = False
            handler = signal.default_int_handler if kind in runs_code else interrupts.note
            kernel.saved_sigint_handler = signal.signal(signal.SIGINT, handler)

        original = IPythonKernel.do_execute

        @functools.wraps(original)
        async def do_execute(kernel, *args, **kwargs):
            main = in_main_thread()
            count = kernel.shell.execution_count
            reply = None
            try:
                if main:
                    interrupts.arm()
                reply = await original(kernel, *args, **kwargs)
            except (Exception, KeyboardInterrupt, asyncio.CancelledError) as error:
                if main:
                    interrupts.disarm()
                if reply is None:
                    reply = failed(kernel, error, count)
            finally:
                if main:
                    interrupts.disarm()
            return reply

        @contextlib.contextmanager
        def cancel_on_sigint(kernel, task):
            loop = task.get_loop()
            cell = getattr(task.get_coro(), "cr_frame", None)
            signals = 0

            def in_cell(frame):
                # The loop's own code runs in the name of the task too, when it
                # queues the next step: raising there loses the step for ever.
                while frame and frame is not cell:
                    frame = frame.f_back
                return frame is cell

            def handle(signum, frame):
                nonlocal signals
                if task.done():
                    return
                if asyncio.current_task(loop) is task and in_cell(frame):
                    raise KeyboardInterrupt
                signals += 1
                # tornado's add_callback does not wake the loop from a handler.
                loop.call_soon_threadsafe(task.cancel)
                if signals > 1:
                    raise KeyboardInterrupt

            saved = signal.signal(signal.SIGINT, handle)
            try:
                yield
            finally:
                signal.signal(signal.SIGINT, saved)

        IPythonKernel._cancel_on_sigint  # AttributeError where there is none
        IPythonKernel.pre_handler_hook = pre_handler_hook
        IPythonKernel.do_execute = do_execute
        IPythonKernel._cancel_on_sigint = cancel_on_sigint


def failed(kernel, error, count):
    """The reply for an error outside the user's code: plain ipykernel sends
    none (an interrupt around the cell, a NUL in the source)."""
    shell = kernel.shell
    kernel_error = (type(error), error, error.__traceback__)
    shell._last_traceback = None
    step("reply", lambda: shell.showtraceback(kernel_error, exception_only=True))
    return {
        "status": "error",
        "ename": type(error).__name__,
        "evalue": str(error),
        "traceback": shell._last_traceback or [],
        "execution_count": count,
        "user_expressions": {},
        "payload": [],
    }


def keep_loop():
    """A KeyboardInterrupt raised in a task leaves the loop, and ipykernel ends then."""
    from tornado.ioloop import IOLoop

    loop = IOLoop.current()
    original = loop.start

    def start():
        while True:
            try:
                return original()
            except KeyboardInterrupt:
                pass

    loop.start = start


# --- the prelude: settings for a reader that is a model, not a person at a screen

KEPT_RESULTS = 200  # each holds its object; IPython keeps 1000

# Option, its default in pandas, what a model reads better: a wide frame in
# fewer pieces, more of a long one, long strings whole.
PANDAS = (
    ("display.width", 80, 160),
    ("display.max_columns", 20, 50),
    ("display.min_rows", 10, 20),
    ("display.max_colwidth", 50, 120),
)


def set_pandas(pandas):
    for name, default, value in PANDAS:
        if pandas.get_option(name) == default:
            pandas.set_option(name, value)


def set_numpy(numpy):
    if numpy.get_printoptions().get("linewidth") == 75:
        numpy.set_printoptions(linewidth=120)


def set_matplotlib(matplotlib):
    """A figure of the default size is to be 640 x 480 pixels, which is what
    most versions do. A matplotlibrc wins, and savefig is left alone."""
    default = matplotlib.rcParamsDefault["figure.dpi"]
    if matplotlib.rcParams["figure.dpi"] == default != 100:
        matplotlib.rcParams["figure.dpi"] = 100


class AfterImport:
    """Runs a function when a library has been imported by somebody; never
    imports one itself. Nothing of it stays on the library."""

    def __init__(self, functions):
        self.functions = functions

    def find_spec(self, name, path=None, target=None):
        if path is not None or name not in self.functions:
            return None
        function = self.functions.pop(name)
        if not self.functions and self in sys.meta_path:
            sys.meta_path.remove(self)
        for finder in list(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                step("prelude", self.watch, spec.loader, name, function)
                return spec
        return None

    def watch(self, loader, name, function):
        original = loader.exec_module

        def exec_module(module):
            del loader.exec_module
            original(module)
            step("prelude " + name, function, module)

        loader.exec_module = exec_module


def prelude(app):
    """The user's configuration and start-up files have run, and win: only what
    still has its default is changed."""
    hook = AfterImport({"pandas": set_pandas, "numpy": set_numpy, "matplotlib": set_matplotlib})
    for name in list(hook.functions):
        if name in sys.modules:
            step("prelude " + name, hook.functions.pop(name), sys.modules[name])
    if hook.functions:
        sys.meta_path.insert(0, hook)
    step("prelude Out", bound_results, app)


def bound_results(app):
    hook = app.shell.displayhook
    classes = [c.__name__ for c in type(app.shell).__mro__]
    if hook.cache_size != 1000 or any("cache_size" in app.config.get(c, {}) for c in classes):
        return
    cull = hook.cull_cache

    def quiet():  # IPython warns in the middle of the user's output
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cull()

    hook.cache_size = KEPT_RESULTS
    hook.cull_cache = quiet


# --- start


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


def arguments(argv):
    """Takes our own options out; returns them, what stays, and what ipykernel gets."""
    ours = [a for a in argv if a.startswith((SIDECAR, NO_PRELUDE))]
    theirs = [a for a in argv if not a.startswith((SIDECAR, NO_PRELUDE))]
    # The user's history database is neither filled nor locked.
    extra = ["--HistoryManager.hist_file=:memory:"]
    if os.name == "posix" and not os.environ.get("JPY_PARENT_PID"):
        # The kernel ends when its parent does; also keeps a note for people at
        # a terminal off stdout.
        extra.append("--IPKernelApp.parent_handle=%d" % os.getppid())
    return ours, theirs, theirs + extra


def quiet_debugger(app):
    """Not having a debugger is no news."""
    app.log.addFilter(lambda record: "debugpy_stream undefined" not in str(record.msg))


def as_launcher(kernelapp):
    """Some libraries know a kernel by sys.argv[0]."""
    site = os.path.dirname(os.path.dirname(os.path.abspath(kernelapp.__file__)))
    sys.argv[0] = os.path.join(site, "ipykernel_launcher.py")


def main():
    global stderr
    stderr = step("stderr", os.dup, 2) or 2
    step("signal", signal.signal, signal.SIGINT, signal.SIG_IGN)  # ipykernel's, earlier
    step("path", drop_own_directory)
    restore_cwd = step("cwd", hide_cwd) or (lambda app: None)
    ours, sys.argv[1:], argv = arguments(sys.argv[1:])
    for option in ours:
        if option.startswith(SIDECAR):
            directory = option[len(SIDECAR) :]
            sys.path.append(directory)
            sys.meta_path.insert(0, SidecarFirst(directory))

    try:
        kernelapp = import_ipykernel()
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "ipykernel"
        say("ipykernel %s: %s" % ("missing" if missing else "broken", describe(error)))
        return 3 if missing else 4

    step("argv", as_launcher, kernelapp)
    step("lazy", sys.meta_path.insert, 0, InstalledFirst)
    step("watch", watch_bytes)
    step("filename", name_code)
    step("interrupt", Interrupts().install)

    try:
        app = kernelapp.IPKernelApp.instance()
        # The first message can go out when the sockets exist; the user's own
        # start-up files run after init_path.
        before(app, "init_sockets", "packer", set_packer)
        before(app, "init_sockets", "pieces", split_streams)
        before(app, "init_heartbeat", "nodrop", set_nodrop)
        before(app, "init_path", "restore-cwd", restore_cwd)
        app.initialize(argv)
        # Here the shell is up and no request has been read.
        if NO_PRELUDE not in ours:
            step("prelude", prelude, app)
        step("debugger", quiet_debugger, app)
        step("loop", keep_loop)
        step("refresh", refresh_imports, app)
        app.start()
    except Exception as error:
        say("start failed: " + describe(error))
        return 5
    return 0


if __name__ == "__main__":
    status = main()
    # ipykernel has put the user's module into sys.modules["__main__"] by now.
    sys.exit(status)
