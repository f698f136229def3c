"""What is sent: any text, in small messages, none dropped."""

from .report import step

PIECE = 170000  # characters; JSON needs at most 6 bytes for one: under 1 MiB


def piece_of(text):
    """How many characters of text are sent at a time. JSON needs one byte for most of
    ASCII: three times as many are smaller still, and as many fewer messages."""
    return 3 * PIECE if text.isascii() else PIECE


def set_packer(app):
    """Default packing loses every message that holds a lone surrogate ('\\ud800')."""
    import json

    from jupyter_client import jsonutil
    from jupyter_client import session as module

    default = getattr(jsonutil, "json_default", None) or jsonutil.date_default
    clean = getattr(jsonutil, "json_clean", None)
    if clean is None:  # jupyter_client 6
        from ipykernel.jsonutil import json_clean as clean

    dumps = json.JSONEncoder(default=default, ensure_ascii=False, allow_nan=False).encode

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
            size = piece_of(text) if isinstance(text, str) else 0
            if size and len(text) > size:
                for i in range(0, len(text), size):
                    part = dict(body, text=text[i : i + size])
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
