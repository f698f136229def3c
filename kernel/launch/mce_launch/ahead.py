"""Libraries that a spare kernel imports while it waits. Until the session imports them
they are loaded and not there (stash), and what their import has changed is as it was."""

import os
import sys

from . import paths
from .footprint import Footprint, Unfit
from .notes import note
from .report import describe, say
from .stash import Needs, Stash

EXIT = 7

# What may be imported before anybody wants it, dependencies first. Each was examined on
# Linux; what its import changes besides sys.modules is said, "nothing" of threads, open
# files, variables, signal handlers, hooks, random state, locale, root logger, warnings'
# filters, handlers for the exit. Footprint looks again each time.
EXAMINED = (
    "numpy",  # 2.4: threads of OpenBLAS's, which wait; four filters
    "PIL",  # 13.0: nothing
    "requests",  # 2.34: four filters; a handler for the exit
    "pandas",  # 3.1: nothing more than numpy, and pyarrow's thread, which waits
    "scipy",  # 1.17: nothing more than numpy
    "polars",  # 2.1: threads, which wait; a variable for its allocator; a handler for the exit
    "matplotlib.pyplot",  # 3.11: reads matplotlibrc (configurations); handlers for the exit. The backend is chosen later
    "sklearn",  # 1.9: two variables for OpenMP; filters; a handler for the exit
    "seaborn",  # 0.13: nothing more than the others
)
# Variables that libraries read when they are loaded: how many threads they may use, above all.
ENDS = ("_NUM_THREADS", "_MAX_THREADS")
STARTS = ("OMP_", "KMP_", "GOMP_", "OPENBLAS_", "MKL_", "BLIS_", "NUMEXPR_", "ARROW_", "NPY_", "NUMPY_", "PANDAS_",
          "POLARS_", "SCIPY_", "SKLEARN_", "JOBLIB_")


def load(app, names):
    """Imports those that are to be; returns paths as sources.tell needs them, and the
    modules. A kernel that cannot do so unseen ends, and another one is started."""
    try:
        return run(app, [name for name in EXAMINED if name in names.split(",")])
    except BaseException as error:
        say("preimport: " + (str(error) if isinstance(error, Unfit) else describe(error)))
        os._exit(EXIT)  # no library's thread holds it back


def run(app, names):
    before, found = Footprint(app), list(sys.path)
    sys.path[:] = [entry for entry in found if is_installed(entry)]
    before.others["sys.path"] = list(sys.path)
    effects = {}
    with app.shell.builtin_trap, Needs() as needs:  # pandas asks get_ipython, as it is in a cell
        for name in names:
            try:  # as a cell does it: some warnings are shown for __main__ alone
                exec("import " + name, {"__name__": "__main__"})
            except ModuleNotFoundError as error:
                if error.name != name.partition(".")[0]:
                    raise
                continue  # it is not installed any more
            effects[name] = [before.mark()]
    before.undo()
    sys.path[:] = found
    stash = Stash(before.modules, needs.needs)
    stash.effects = effects
    others = list(shadows(stash, [entry for entry in found if not is_installed(entry)]))
    for path in others:
        if os.path.exists(path):
            raise Unfit("%s is before the library of that name" % path)
    watch(stash, Read(stash, needs.missing, before.variables))
    stash.hide()
    hide_ourselves()
    return others + configurations(stash), list(stash.modules.values())


def is_installed(entry):
    """Whether nothing but an installer writes there: what a user has there must not run
    before he wants it."""
    if paths.is_cwd(entry) or entry in paths.CODE or entry in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        return False
    standard = os.path.dirname(os.path.abspath(os.__file__))
    sidecars = [finder.directory for finder in sys.meta_path if isinstance(finder, paths.SidecarFirst)]
    return entry.endswith("-packages") or (entry + os.sep).startswith(standard + os.sep) or entry in sidecars


def shadows(stash, directories):
    """Where a file of the user's would be imported instead of a module of the stash."""
    for directory in {os.path.abspath(entry) for entry in directories}:
        if not os.path.isfile(directory):
            for name in sorted({name.partition(".")[0] for name in stash.modules}):
                yield os.path.join(directory, name)
                yield os.path.join(directory, name + ".py")


def configurations(stash):
    """What matplotlib reads when it is imported, or would read if it were there."""
    matplotlib = stash.modules.get("matplotlib")
    if matplotlib is None:
        return []
    users = os.environ.get("MATPLOTLIBRC", "")
    directory = matplotlib.get_configdir()
    names = ["matplotlibrc", users, os.path.join(users, "matplotlibrc")]
    names += [os.path.join(directory, name) for name in ("matplotlibrc", "stylelib")]
    return [os.path.abspath(name) for name in names if name] + [matplotlib.matplotlib_fname()]


class Read:
    """What libraries read once, when they are loaded: variables, their files, which
    others are there."""

    def __init__(self, stash, missing, set_by_them):
        self.set_by_them = set_by_them  # names of variables
        specs = [module.__spec__ for name, module in stash.modules.items() if "." not in name]
        self.files = [spec.origin for spec in specs if spec]
        self.missing = [name for name in missing if name.isidentifier() and name not in sys.modules]
        self.before = self.now()
        if self.before[2]:  # by what sys.path had not while they were loaded
            raise Unfit("%s: only the user's directories have it" % self.before[2][0])

    def now(self):
        from importlib.util import find_spec

        read = {name: value for name, value in os.environ.items() if name.endswith(ENDS) or name.startswith(STARTS)}
        for name in self.set_by_them:
            read.pop(name, None)
        return read, list(map(stamp, self.files)), [name for name in self.missing if name in sys.modules or find_spec(name)]

    def compare(self):
        if self.now() != self.before:
            note("loaded-ahead")


def stamp(path):
    try:
        stat = os.stat(path)
    except (OSError, TypeError):  # it is no file: "built-in", None
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def watch(stash, read):
    """When the session imports them: what has changed since they were loaded."""
    for effects in stash.effects.values():
        effects.append(read.compare)
    matplotlib = stash.modules.get("matplotlib")
    if matplotlib is not None:
        file = matplotlib.matplotlib_fname()

        def read_again():  # there is one in a directory that is the working directory now
            if matplotlib.matplotlib_fname() != file:
                matplotlib.rc_file(matplotlib.matplotlib_fname())

        stash.effects.setdefault("matplotlib", []).append(read_again)


def hide_ourselves():
    """A kernel that has imported nothing ahead has no such modules."""
    package = sys.modules[__package__]
    for name in ("ahead", "footprint", "stash"):
        del sys.modules["%s.%s" % (__package__, name)]
        delattr(package, name)
