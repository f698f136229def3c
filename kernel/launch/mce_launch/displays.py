"""Libraries whose tables are cut to a screen's width, or whose figures need a browser
page that other scripts have prepared: here each is shown by itself."""

import os


def set_polars(polars):
    """As PANDAS in prelude: more of a wide frame, and of a long one. Without a width
    a column is never squeezed to a letter a line."""
    state = polars.Config.state(if_set=True)
    for variable, setter, value in (
        ("POLARS_FMT_MAX_COLS", "set_tbl_cols", 50),
        ("POLARS_FMT_MAX_ROWS", "set_tbl_rows", 20),
        ("POLARS_FMT_STR_LEN", "set_fmt_str_lengths", 120),
        ("POLARS_TABLE_WIDTH", "set_tbl_width_chars", 5000),
    ):
        if state.get(variable) is None:
            getattr(polars.Config, setter)(value)


def set_plotly(renderers):
    """fig.show() asks whether nbformat is there, which nothing here needs."""
    import types

    if renderers.nbformat is None:
        renderers.nbformat = types.SimpleNamespace(__version__="5.0")


def set_pyecharts(globals):
    """The default page counts on the require.js of Jupyter's own notebook."""
    kinds = globals.NotebookType
    if globals.CurrentConfig.NOTEBOOK_TYPE == kinds.JUPYTER_NOTEBOOK:
        globals.CurrentConfig.NOTEBOOK_TYPE = kinds.NTERACT


def set_lets_plot(lets_plot):
    """Each plot brings its script along."""
    if "LETS_PLOT_HTML_ISOLATED_FRAME" not in os.environ:
        lets_plot.LetsPlot.set({"html_isolated_frame": True})


def lets_plot_picture(plot):
    import io

    data = io.BytesIO()
    plot.to_png(data)
    return data.getvalue()


def install(app, after):
    after.add("polars", set_polars)
    after.add("plotly.io._renderers", set_plotly)
    after.add("pyecharts.globals", set_pyecharts)
    after.add("lets_plot", set_lets_plot)
    formatters = app.shell.display_formatter.formatters
    formatters["text/html"].for_type_by_name("pyecharts.charts.base", "Base", lambda chart: chart.render_embed())
    formatters["image/png"].for_type_by_name("lets_plot.plot.core", "PlotSpec", lets_plot_picture)
    formatters["image/png"].for_type_by_name("lets_plot.plot.subplots", "SupPlotsSpec", lets_plot_picture)
