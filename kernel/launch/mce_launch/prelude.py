"""Settings for a reader that is a model, not a person at a screen."""

from . import blank, displays, pictures, pretty
from .report import step

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


def prelude(app, after):
    """The user's configuration and start-up files have run, and win: only what
    still has its default is changed."""
    after.add("pandas", set_pandas)
    after.add("numpy", set_numpy)
    after.add("matplotlib", set_matplotlib)
    after.add("matplotlib.pyplot", blank.notice)
    step("prelude pictures", pictures.install, app, after)
    step("prelude displays", displays.install, app, after)
    step("prelude pretty", pretty.compact, app)
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
