"""Figures that plt.show() is to show on a backend that has no window."""

import sys


def show_figures(bases):
    """For matplotlib.backend_bases: with Agg and its like a figure's manager shows
    nothing, and says nothing where there is no screen. Here it is displayed, as
    it is with the kernel's own backend."""
    import weakref

    manager = bases.FigureManagerBase
    original = manager.show
    shown = weakref.WeakSet()

    def show(self):
        figure = self.canvas.figure
        # A subclass has a window of its own, and the kernel's backend its own show.
        if type(self) is not manager or "inline" in sys.modules["matplotlib"].get_backend():
            return original(self)
        # Figures stay open: only what is new since the last show is shown.
        if figure in shown and not figure.stale:
            return None
        display(figure)
        shown.add(figure)
        figure.stale = False

    manager.show = show


def display(figure):
    import io

    from IPython.display import display

    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=figure.dpi, bbox_inches="tight")
    text = "<Figure size %dx%d with %d Axes>" % (*figure.bbox.size, len(figure.axes))
    display({"image/png": data.getvalue(), "text/plain": text}, raw=True)
