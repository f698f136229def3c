"""Remarks on what the code did, among its output. The server has the words."""

MIME = "text/vnd.mce.note"


def note(key):
    from IPython.display import publish_display_data

    publish_display_data({MIME: key})
