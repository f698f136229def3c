"""A new figure where the code means the one before.

The kernel's matplotlib backend closes figures when it has shown them, at the end of
a cell at the latest: pyplot.title(...) in the next cell is that of a new, empty one."""

import sys

from .notes import note

BACKEND = "matplotlib_inline.backend_inline"


def notice(pyplot):
    """For matplotlib.pyplot."""
    import functools
    import weakref

    begun = weakref.WeakSet()  # by pyplot itself, for want of one
    noted = weakref.WeakSet()
    closed = []  # whether a figure with something in it has been shown and closed
    gcf, close, savefig = pyplot.gcf, pyplot.close, pyplot.savefig

    @functools.wraps(gcf)
    def new_gcf():
        had = bool(pyplot.get_fignums())
        figure = gcf()
        if not had:
            begun.add(figure)
        return figure

    def check(figure, key):
        if closed and figure in begun and figure not in noted and is_blank(figure):
            noted.add(figure)
            note(key)

    @functools.wraps(close)
    def new_close(fig=None):
        try:
            if sys._getframe(1).f_globals.get("__name__") == BACKEND:
                figures = [manager.canvas.figure for manager in pyplot._pylab_helpers.Gcf.get_all_fig_managers()]
                for figure in figures:
                    check(figure, "empty-figure")
                if not all(map(is_blank, figures)):
                    closed[:] = [True]
        except Exception:
            pass
        return close(fig)

    @functools.wraps(savefig)
    def new_savefig(*args, **kwargs):
        result = savefig(*args, **kwargs)
        try:
            check(gcf(), "blank-file")
        except Exception:
            pass
        return result

    pyplot.gcf, pyplot.close, pyplot.savefig = new_gcf, new_close, new_savefig


def is_blank(figure):
    """Whether nothing is drawn in it: titles and labels are not looked at."""
    if figure.lines or figure.patches or figure.images or figure.legends or len(figure.texts) > 1:
        return False
    return not any(axes.has_data() or axes.texts or axes.tables for axes in figure.axes)
