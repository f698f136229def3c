"""Figures on a backend that has no window, and as the value of a cell."""

import sys

from .notes import note
from .report import step


def install(app, after):
    figures = Figures()
    after.add("matplotlib.backend_bases", figures.show_all)
    after.add("matplotlib.backends.backend_nbagg", figures.show_nbagg)
    after.add("IPython.core.pylabtools", also_png)
    figures.show_values(app.shell.displayhook)
    app.shell.events.register("post_run_cell", lambda *args: step("unseen", figures.tell_unseen))
    shows_pictures(app.shell)


class Figures:
    """Those that we have displayed."""

    def __init__(self):
        import weakref

        self.shown, self.told = weakref.WeakSet(), weakref.WeakSet()

    def show_all(self, bases):
        """For matplotlib.backend_bases: with Agg and its like a figure's manager shows
        nothing, and says nothing where there is no screen. Here it is displayed, as
        it is with the kernel's own backend."""
        manager = bases.FigureManagerBase
        original = manager.show

        def show(manager_self):
            figure = manager_self.canvas.figure
            # A subclass has a window of its own, and the kernel's backend its own show.
            if type(manager_self) is not manager or is_inline():
                return original(manager_self)
            # Figures stay open: only what is new since the last show is shown.
            if figure not in self.shown or figure.stale:
                display(figure)
                self.seen(figure)

        manager.show = show

    def show_nbagg(self, nbagg):
        """For %matplotlib notebook, whose figures only a notebook's page can draw."""

        def show(manager_self):
            figure = manager_self.canvas.figure
            if figure.axes and (figure not in self.shown or figure.stale):
                display(figure)
                self.seen(figure)

        nbagg.FigureManagerNbAgg.show = show

    def seen(self, figure):
        self.shown.add(figure)
        figure.stale = False

    def tell_unseen(self):
        """The kernel's own backend shows what was drawn at the end of the cell; others wait
        for plt.show(), or savefig, which draw it: it is stale until then."""
        pyplot = sys.modules.get("matplotlib._pylab_helpers")
        if pyplot is None or "matplotlib.pyplot" not in sys.modules or is_inline():
            return
        unseen = [m.canvas.figure for m in pyplot.Gcf.figs.values()]
        unseen = [f for f in unseen if f.axes and f.stale and f not in self.told]
        if unseen:
            self.told.update(unseen)
            note("unseen-figure")

    def show_values(self, displayhook):
        """A value that is a figure, or a part of one as df.plot() returns it. The
        kernel's own backend shows its figures at the end of the cell."""
        compute_format_data = displayhook.compute_format_data

        def compute(value):
            data, metadata = compute_format_data(value)
            try:
                figure = "matplotlib.figure" in sys.modules and "image/png" not in data and figure_of(value)
                if figure and not will_be_shown(figure) and not (is_inline() and is_detail(value)):
                    data["image/png"] = png(figure)
                    self.seen(figure)
            except Exception:
                pass  # the text says what it is
            return data, metadata

        displayhook.compute_format_data = compute


def is_inline():
    # rcParams["backend"] would choose one.
    return "inline" in str(dict.get(sys.modules["matplotlib"].rcParams, "backend"))


def will_be_shown(figure):
    """At the end of the cell, by the kernel's own backend."""
    inline = sys.modules.get("matplotlib_inline.backend_inline")
    return inline is not None and figure in getattr(inline.show, "_to_draw", ())


def is_detail(value):
    """ax.set_title() of a figure that is closed; ax itself is asked for."""
    Artist = sys.modules["matplotlib.artist"].Artist
    return isinstance(value, (list, tuple)) or isinstance(value, Artist) and not hasattr(value, "get_xlim")


def figure_of(value):
    """The figure that a value is, or belongs to, if there is something in it."""
    Figure = sys.modules["matplotlib.figure"].Figure
    Artist = sys.modules["matplotlib.artist"].Artist
    for _ in range(4):  # arrays of arrays of axes
        if isinstance(value, Figure):
            return value if value.axes else None
        if isinstance(value, (list, tuple)) or type(value).__name__ == "ndarray" and value.dtype == object:
            value = value[0] if len(value) else None
        elif isinstance(value, Artist) or type(value).__module__.startswith("seaborn."):
            value = getattr(value, "figure", None)
        else:
            return None
    return None


def png(figure):
    import io

    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=figure.dpi, bbox_inches="tight")
    return data.getvalue()


def display(figure):
    from IPython.display import display

    text = "<Figure size %dx%d with %d Axes>" % (*figure.bbox.size, len(figure.axes))
    display({"image/png": png(figure), "text/plain": text}, raw=True)


PICTURES = {"png", "png2x", "retina", "jpg", "jpeg"}


def also_png(pylabtools):
    """For figures that are asked for as SVG or PDF: who reads the answer sees a
    picture all the same."""
    import functools

    original = pylabtools.select_figure_formats

    @functools.wraps(original)
    def select_figure_formats(shell, formats, **kwargs):
        original(shell, formats, **kwargs)
        if PICTURES.isdisjoint({formats} if isinstance(formats, str) else formats):
            from matplotlib.figure import Figure

            printer = functools.partial(pylabtools.print_figure, fmt="png", **kwargs)
            shell.display_formatter.formatters["image/png"].for_type(Figure, printer)

    pylabtools.select_figure_formats = select_figure_formats


def shows_pictures(shell):
    """%matplotlib with what only a notebook's page or a screen can show."""
    import functools

    original = shell.enable_matplotlib

    @functools.wraps(original)
    def enable_matplotlib(gui=None, *args, **kwargs):
        if gui in ("notebook", "nbagg") or gui in ("widget", "ipympl") and not has_ipympl():
            note("interactive-figures")
            gui = "inline"
        inline = "matplotlib" not in sys.modules or is_inline()
        try:
            return original(gui, *args, **kwargs)
        except Exception:
            if gui not in (None, "inline", "agg"):
                note("no-window")
            if inline and gui != "inline":
                step("inline", original, "inline")  # else it is half of both
            raise

    shell.enable_matplotlib = enable_matplotlib


def has_ipympl():
    from importlib.util import find_spec

    return find_spec("ipympl") is not None
