"""Draws a conversation as an SVG: some steps of the demo, as they were called and
answered. Times and ids are those of the run; paths are shown as a user's.

Usage: python picture.py SERVER VENV FILE     files go to .cache/picture
"""

import base64
import contextlib
import html
import io
import re
import struct
import sys
import textwrap
from pathlib import Path

import anyio

import demo

WIDTH, MARGIN, LINE, CHARACTERS = 880, 24, 18, 104
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
COLOURS = {"page": "#0f172a", "edge": "#334155", "tool": "#7dd3fc", "code": "#e2e8f0", "status": "#86efac", "output": "#94a3b8", "title": "#64748b"}


def as_user(text):
    """Paths of this machine as those of a user."""
    text = re.sub(r"original: \S+/(\S+\])", r"original: /home/you/…/\1", text)
    text = text.replace(str(demo.BIRDS), "birds.csv")
    return text.replace(str(demo.PLACE / "code"), "/home/you/birds")


def lines_of(transcript):
    """(colour, indent, text) of each line, and images as (None, 0, bytes)."""
    for tool, arguments, answer in transcript:
        given = "  ".join(f"{name}={value}" for name, value in arguments.items() if name != "code")
        yield "tool", 0, f"{tool}  {given}".rstrip()
        for line in as_user(arguments.get("code", "")).splitlines():
            yield "code", 2, line
        yield "status", 2, as_user(answer.status)
        output, traceback, _ = as_user(answer.body).strip("\n").partition("Traceback (most recent call last):")
        for line in output.splitlines() + [f"{traceback} …"] * bool(traceback):
            for part in textwrap.wrap(line, CHARACTERS, subsequent_indent="  ", drop_whitespace=False) or [""]:
                yield "output", 2, part
        for image in answer.images:
            yield None, 0, base64.b64decode(image.data)
        yield "output", 0, ""


def draw(transcript):
    """The SVG. A plot stands at the right, beside the call that made it."""
    y, parts, call = 58, [], 58
    for colour, indent, text in lines_of(transcript):
        if colour is None:
            width, height = (side * 0.56 for side in struct.unpack(">II", text[16:24]))
            data = base64.b64encode(text).decode()
            parts.append(f'<image x="{WIDTH - MARGIN - width:.0f}" y="{call - 12}" width="{width:.0f}" height="{height:.0f}" href="data:image/png;base64,{data}"/>')
            y = max(y, call + height + 12)
            continue
        if colour == "tool":
            call = y
        if text:
            weight = ' font-weight="bold"' if colour == "tool" else ""
            parts.append(f'<text x="{MARGIN + 8 * indent}" y="{y:.0f}" fill="{COLOURS[colour]}"{weight}>{html.escape(text, quote=False)}</text>')
        y += LINE if text else LINE // 2
    height = f"{y + 2:.0f}"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="{FONT}" font-size="12.5" xml:space="preserve">',
        "<title>Calls of a model, and the answers of mcp-code-executor</title>",
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{y + 1:.0f}" rx="10" fill="{COLOURS["page"]}" stroke="{COLOURS["edge"]}"/>',
        f'<text x="{MARGIN}" y="28" fill="{COLOURS["title"]}">What the model calls, and what it gets</text>',
        *parts,
        "</svg>",
        "",
    ])


def main(server, venv, path):
    demo.PLACE = demo.ROOT / ".cache" / "picture"
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            transcript = anyio.run(demo.main, server, venv, [demo.load, demo.group, demo.plot, demo.endless])
    except Exception as error:
        sys.exit(f"{said.getvalue()}\nFAILED\n{demo.told(error)}")
    Path(path).write_text(draw(transcript), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
