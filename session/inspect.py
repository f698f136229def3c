# Evaluated in the kernel for inspect_variables, in a namespace of its own: it
# leaves no name behind. It looks only into values whose exact type it knows, so
# that no __repr__, __len__, __sizeof__ or property of the user's ever runs.
import sys
import types

HIDDEN = {"In", "Out", "exit", "quit", "get_ipython", "open"}
CELLS = 5_000_000  # statistics only below: they must not stop the kernel
ROWS = 300
PLAIN = (type(None), bool, int, float, complex)
_type_name = type.__dict__["__name__"].__get__
_type_module = type.__dict__["__module__"].__get__


def name_of(t):
    module = _type_module(t)
    if type(module) is not str or module in ("builtins", "__main__"):
        return _type_name(t)
    return module.partition(".")[0] + "." + _type_name(t)


def known(module, *names):
    m = sys.modules.get(module)
    found = (m.__dict__.get(n) for n in names) if type(m) is types.ModuleType else ()
    return tuple(c for c in found if isinstance(c, type))


def among(t, kinds):
    """Whether t is one of them. `in` would ask a metaclass's __eq__."""
    return any(t is k for k in kinds)


def size(n):
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return "%d %s" % (n, unit) if unit == "B" or n >= 10 else "%.1f %s" % (n, unit)
        n /= 1000
    return "%.1f GB" % n


def short(v, limit=60):
    """A value of a plain type, shortened; the type's name for any other."""
    t = type(v)
    if among(t, PLAIN):
        if t is int and v.bit_length() > 2000:
            return "int of %d bits" % v.bit_length()
        return repr(v)
    if among(t, (str, bytes)):
        return repr(v) if len(v) <= limit else repr(v[:limit]) + "… (%d)" % len(v)
    if t is tuple and len(v) <= 6 and all(among(type(x), PLAIN + (str,)) for x in v):
        return "(%s)" % ", ".join(short(x, 20) for x in v)
    if among(t, (list, tuple, dict, set, frozenset)):
        return "%s of %d" % (t.__name__, len(v))
    if among(t, known("numpy", "ndarray")):
        if limit >= 60 and v.size <= 8 and v.dtype.kind in "iufb":
            return str(v.tolist())
        return "<%s %s %s>" % (name_of(t), shape(v.shape), v.dtype)
    if scalar(t):
        return trim(str(v), limit)
    return "<%s>" % name_of(t)


def trim(text, limit):
    return text if len(text) <= limit else text[:limit] + "… (%d)" % len(text)


# Types of the standard library and of pandas whose str() is theirs, not the user's.
SCALARS = {
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "uuid": ("UUID",),
    "pathlib": ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"),
    "pandas": ("Timestamp", "Timedelta", "Period", "Interval"),
    "pandas._libs.tslibs.nattype": ("NaTType",),
    "pandas._libs.missing": ("NAType",),
}


def scalar(t):
    if type(t) is type and _type_module(t) == "numpy":
        generic = known("numpy", "generic")
        if generic and issubclass(t, generic):
            return True
    return any(among(t, known(module, *names)) for module, names in SCALARS.items())


def attributes(v):
    """The attributes an object holds itself, or None. No code of its class runs."""
    for k in type.__dict__["__mro__"].__get__(type(v)):
        own = type.__dict__["__dict__"].__get__(k).get("__dict__")
        if own is not None and type(own) is not types.GetSetDescriptorType:
            return None
    try:
        found = object.__getattribute__(v, "__dict__")
    except Exception:
        return None
    return found if type(found) is dict else None


def members(v, limit=60):
    """Name and value of what an object consists of: the items of a named tuple, the
    attributes of a dataclass, a fitted model or another object."""
    t = type(v)
    if issubclass(t, tuple):
        fields = type.__dict__["__dict__"].__get__(t).get("_fields")
        if type(fields) is tuple and len(fields) == tuple.__len__(v):
            return [(n, short(x, limit)) for n, x in zip(fields, tuple.__iter__(v)) if type(n) is str]
    found = list((attributes(v) or {}).items())[:200] or slots(v)
    return [(n, short(x, limit)) for n, x in found if type(n) is str and not n.startswith("_")]


def slots(v):
    """Name and value of the slots of an object, which are no code."""
    found = []
    for k in type.__dict__["__mro__"].__get__(type(v)):
        for name, slot in type.__dict__["__dict__"].__get__(k).items():
            if type(slot) is types.MemberDescriptorType and not is_extension(k):
                try:
                    found.append((name, slot.__get__(v, type(v))))
                except AttributeError:
                    pass  # not set
    return found[:200]


def is_extension(k):
    """Whether a class is written in C: its members are its own business."""
    return type(type.__dict__["__dict__"].__get__(k).get("__slots__")) not in (tuple, list, str, dict)


def summary(v):
    """An object of a class of its own in a few words."""
    t = type(v)
    name = (attributes(v) or {}).get("_name_") if issubclass(t, known("enum", "Enum") or ()) else None
    if type(name) is str:
        return "." + name + " = " + short(attributes(v).get("_value_"), 40)
    for base in (dict, list, tuple, set, frozenset, str, int, float):
        if issubclass(t, base) and not (base is tuple and members(v)):
            return trim(base.__repr__(v), 60) if base in (str, int, float) else "len %d" % base.__len__(v)
    found = members(v, 20)
    own = attributes(v) or {}
    if type(own.get("shape")) is tuple and all(type(n) is int for n in own["shape"]):
        found = [m for m in found if m[0] not in ("shape", "dtype")]
        found.insert(0, ("shape", shape(own["shape"])))
        if "dtype" in own:
            found.insert(1, ("dtype", short(own["dtype"], 20)))
    text = ", ".join("%s=%s" % m for m in found[:6])
    return trim(text, 120) + (", …" if len(found) > 6 else "")


def describe(v):
    """Type, shape and size of a value in a few words."""
    try:
        return words(v)
    except Exception:  # closed, half made, of a version that is not known
        return name_of(type(v)), "", ""


def words(v):
    t = type(v)
    if among(t, PLAIN + (str, bytes)):
        return name_of(t), short(v), size(sys.getsizeof(v))
    if among(t, (list, tuple, dict, set, frozenset, bytearray, range)):
        return name_of(t), "len %d" % len(v), size(sys.getsizeof(v))
    if among(t, known("numpy", "ndarray")):
        return name_of(t), "%s %s" % (shape(v.shape), v.dtype), size(v.nbytes)
    if among(t, known("pandas", "DataFrame")):
        return name_of(t), "%s rows × %s columns" % v.shape, size(frame_size(v))
    if among(t, known("pandas", "Series", "RangeIndex")):
        return name_of(t), "len %d %s" % (len(v), v.dtype), size(frame_size(v))
    if among(t, known("polars", "DataFrame")):
        return name_of(t), "%s rows × %s columns" % v.shape, size(v.estimated_size())
    if among(t, known("polars", "Series")):
        return name_of(t), "len %d %s" % (len(v), v.dtype), size(v.estimated_size())
    if among(t, known("torch", "Tensor")) and hasattr(v, "element_size"):
        return name_of(t), tensor_words(v), size(v.element_size() * v.nelement())
    if issubclass(t, type):
        return "class", class_words(v), ""
    if scalar(t):
        return name_of(t), short(v), ""
    if among(t, known("collections", "deque")):
        return name_of(t), "len %d" % len(v), size(sys.getsizeof(v))
    told = kind_of(v)
    return name_of(t), summary(v) if told is None else told, ""


def shape(s):
    return "×".join(str(n) for n in s) or "scalar"


def frame_size(v):
    n = v.memory_usage(deep=False) if hasattr(type(v), "memory_usage") else 0
    return int(n if type(n) is int else n.sum() if hasattr(n, "sum") else n)


def table(rows):
    widths = [min(48, max(len(r[i]) for r in rows)) for i in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip() for r in rows)


def columns(df):
    """A pandas DataFrame's columns: dtype, nulls, range, and the first values."""
    small = df.shape[0] * df.shape[1] <= CELLS
    rows = [("column", "dtype", "nulls", "range", "first values")]
    for i in range(min(df.shape[1], ROWS)):
        c = df.iloc[:, i]
        kind = getattr(c.dtype, "kind", "O")
        nulls = span = "?"
        if small:
            nulls = str(int(c.isna().sum()))
            span = ""
            if kind in "iufM" and len(c) and int(c.notna().sum()):
                span = "%s … %s" % (c.min(), c.max())
        label = df.columns[i]
        rows.append((short(label) if type(label) is not str else label, str(c.dtype), nulls, span, first(c.iloc[:3].tolist())))
    text = table(rows)
    if not among(type(df.index), known("pandas", "RangeIndex")):
        text = "index: " + index_words(df.index) + "\n" + text
    if df.shape[1] > ROWS:
        text += "\n… %d more columns" % (df.shape[1] - ROWS)
    return text


def first(values):
    stamp = known("pandas", "Timestamp", "Timedelta")
    return ", ".join(str(v) if among(type(v), stamp) else short(v, 30) for v in values)


def depth(v):
    """More of one value."""
    try:
        return more(v)
    except Exception:
        return ""


def more(v):
    t = type(v)
    if among(t, known("pandas", "DataFrame")):
        return columns(v)
    if among(t, known("pandas", "Series")):
        text = "first values: " + first(v.iloc[:10].tolist())
        if len(v) <= CELLS:
            text = "nulls: %d\n" % int(v.isna().sum()) + text
        return text
    if among(t, known("numpy", "ndarray")):
        if v.dtype.kind in "iufb" and 0 < v.size <= CELLS:
            return "min %s, max %s, mean %s" % (v.min(), v.max(), v.mean())
        return ""
    if among(t, known("polars", "DataFrame")):
        return table([("column", "dtype")] + [(n, str(d)) for n, d in list(v.schema.items())[:ROWS]])
    if issubclass(t, known("pandas", "Index") or ()) and is_library(t):
        return "first values: " + ", ".join(label(x) for x in v[:20].tolist())
    if t is types.FunctionType:
        return v.__doc__.strip()[:1000] if type(v.__doc__) is str else ""
    if among(t, known("collections", "Counter", "defaultdict", "OrderedDict")):
        return "\n".join("%s: %s" % (short(k), short(x)) for k, x in list(dict.items(v))[:50])
    if t is dict:
        return "\n".join("%s: %s" % (short(k), short(x)) for k, x in list(v.items())[:50])
    if among(t, (list, tuple)):
        return "\n".join(short(x, 200) for x in v[:50])
    if among(t, (set, frozenset)):
        return "\n".join(short(x, 200) for x in list(v)[:50])
    if among(t, (str, bytes)):
        return repr(v[:4000])
    if scalar(t) or among(t, PLAIN) or t is types.ModuleType or issubclass(t, type):
        return ""
    return "\n".join("%s = %s" % m for m in members(v, 200)[:50])


def user_names(ns):
    for _ in range(10):
        try:
            items = list(ns.items())
            break
        except RuntimeError:  # the running cell has just added a name
            continue
    else:
        items = []
    return [(n, v) for n, v in items if type(n) is str and not n.startswith("_") and n not in HIDDEN]


def shown(name):
    """globals() takes any string as a name."""
    return name if name.isprintable() else repr(name)


def overview(ns):
    rows, modules = [("name", "type", "value or shape", "size")], []
    names = user_names(ns)
    for n, v in names:
        if type(v) is types.ModuleType:
            modules.append(shown(n))
        elif len(rows) <= ROWS:
            rows.append((shown(n),) + tuple(describe(v)))
    lines = [table(rows)] if len(rows) > 1 else []
    if modules:
        lines.append("modules: " + ", ".join(modules))
    left = len(names) - len(modules) - len(rows) + 1
    if left > 0:
        lines.append("… %d more" % left)
    return {"count": len(names) - len(modules), "text": "\n".join(lines)}


def one(ns, name):
    # Asked for by its name, also what begins with "_" and the overview leaves out.
    if name in ns:
        v = ns[name]
        words = "  ".join(p for p in (shown(name),) + tuple(describe(v)) if p)
        return {"count": 1, "text": (words + "\n" + depth(v)).rstrip()}
    return {"count": 0, "text": "", "names": sorted(shown(n) for n, _ in user_names(ns))[:100]}


class Shown:
    def __init__(self, value):
        self.value = value

    def _repr_json_(self):
        return self.value

    def __repr__(self):
        return "variables"


def inspect(ns, name):
    return Shown(one(ns, name) if name else overview(ns))
