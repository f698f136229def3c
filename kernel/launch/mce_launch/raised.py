"""The line of a frame that a traceback points to. IPython reads cells and long files
without stack_data, and then takes the line that the frame is at by now: after a
`finally`, or in an error that another one came from, that is not the line that raised."""

from .report import step

WITHOUT_STACK_DATA = "Raw frame"


def point_there(app):
    import functools

    formatter = app.shell.InteractiveTB
    original = formatter.get_records

    @functools.wraps(original)
    def get_records(traceback, *args, **kwargs):
        records = original(traceback, *args, **kwargs)
        step("raised", correct, records, traceback)
        return records

    formatter.get_records = get_records


def correct(records, traceback):
    """Both are in one order; traceback may have more."""
    for record in records:
        if getattr(record, "description", None) != WITHOUT_STACK_DATA:
            continue
        at = traceback
        while at is not None and at.tb_frame is not record.frame:
            at = at.tb_next
        if at is not None:
            record.lineno = at.tb_lineno or record.lineno
            traceback = at.tb_next
