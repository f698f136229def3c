"""Lists, tuples, sets and dicts as text: as many items a line as fit.

IPython's printer writes one item a line as soon as all do not fit into one. The
text is the same here, but for where its lines end.
"""

import io

DEEP = 30  # levels; further down IPython's own printer needs less of the stack

BRACKETS = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    dict: ("{", "}"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}


def compact(app):
    """For types whose printer is IPython's own."""
    from IPython.lib import pretty

    formatter = app.shell.display_formatter.formatters["text/plain"]
    scalars = {kind: formatter.type_printers.get(kind) for kind in (int, float, str, bool, complex)}
    for kind in BRACKETS:
        default = pretty._type_pprinters[kind]
        if formatter.type_printers.get(kind) is default:
            formatter.for_type(kind, printer(kind, default, formatter, scalars, pretty._sorted_for_pprint))


def printer(kind, default, formatter, scalars, in_order):
    def is_plain(value):
        """Whether its text is its repr: that of most values is, and a printer for
        each would take long."""
        own = scalars.get(type(value))
        if own is None or formatter.type_printers.get(type(value)) is not own:
            return False
        return type(value) is not float or formatter.float_format == "%r"  # %precision

    def show(value, p, cycle):
        # A subclass with a __repr__ of its own does not come here.
        named = kind in (set, frozenset) and type(value) is not kind
        if named or cycle or not value or len(p.stack) > DEEP:
            return default(value, p, cycle)
        Layout(kind, p, is_plain).write(items(kind, value, p, in_order))

    return show


def items(kind, value, p, in_order):
    """The text before each item, and the item; a text alone for what is left out."""
    if kind in (set, frozenset) and not (p.max_seq_length and len(value) >= p.max_seq_length):
        value = in_order(value)
    for i, item in enumerate(value):
        if p.max_seq_length and i >= p.max_seq_length:
            yield "...", None
            return
        if kind is dict:
            yield None, (item, value[item])
        else:
            yield None, (item,)


class Layout:
    """Fills lines with the texts of items."""

    def __init__(self, kind, p, is_plain):
        self.p, self.is_plain = p, is_plain
        self.tuple = kind is tuple
        self.open, self.close = BRACKETS[kind]
        self.width = p.max_width - p.indentation
        # Where the line stands that we begin in the middle of.
        self.column = p.output_width + p.buffer_width - p.indentation

    def write(self, items):
        texts = [text or self.text(*item) for text, item in items]
        end = "," + self.close if self.tuple and len(texts) == 1 else self.close
        step = len(self.open)
        self.p.begin_group(step, self.open)
        column = self.column + step
        for i, text in enumerate(texts):
            lines = (text + (end if i == len(texts) - 1 else ",")).split("\n")
            if i > 0:
                if len(lines) > 1 or broken or column + 1 + len(lines[0]) > self.width:
                    self.p.break_()
                    column = step
                else:
                    self.p.text(" ")
                    column += 1
            broken = len(lines) > 1
            for n, line in enumerate(lines):
                if n:
                    self.p.break_()
                    column = step
                self.p.text(line)
                column += len(line)
        self.p.end_group(step)

    def text(self, *parts):
        """An item as the printer of its type writes it; of a dict key and value."""
        if all(self.is_plain(part) for part in parts):
            return ": ".join(map(repr, parts))
        out = io.StringIO()
        p = self.p
        inner = type(p)(
            out,
            p.verbose,
            p.max_width - p.indentation - len(self.open) - 1,
            p.newline,
            singleton_pprinters=p.singleton_pprinters,
            type_pprinters=p.type_pprinters,
            deferred_pprinters=p.deferred_pprinters,
            max_seq_length=p.max_seq_length,
        )
        inner.stack = p.stack  # what contains itself is seen
        for i, part in enumerate(parts):
            if i:
                inner.text(": ")
            inner.pretty(part)
        inner.flush()
        return out.getvalue()
