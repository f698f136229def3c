# The second part of inspect.py: values of known types in a few words. What is asked of
# a value is code of its library's, never of the user's: the types are exact, and what a
# user can put into one (a function's default, a buffer of his own) goes through short().

ARRAYS = ("torch", "tensorflow", "jax", "jaxlib", "cupy", "mlx", "paddle", "dask", "xarray", "scipy", "pyarrow", "keras")


def kind_of(v):
    """What there is to say of a value of a known type, or None."""
    t = type(v)
    if type(_type_module(t)) is not str:
        return None
    tell = KINDS.get((_type_module(t), _type_name(t)))
    if tell is not None and is_real(t):
        return tell(v)
    for base, tell in (
        (BaseException, exception_words),
        (known("numpy", "ndarray"), array_words),
        (known("numpy", "dtype"), str),
        (known("pandas", "Index"), index_words),
        (known("pandas.api.extensions", "ExtensionArray"), lambda v: "len %d %s" % (len(v), v.dtype)),
        (known("pandas.api.typing", "DataFrameGroupBy", "SeriesGroupBy"), group_words),
        (known("pandas.core.groupby", "DataFrameGroupBy", "SeriesGroupBy"), group_words),
        (known("pandas._libs.tslibs.offsets", "BaseOffset"), lambda v: v.freqstr),
        (known("PIL.Image", "Image"), lambda v: "%d×%d %s" % (*attributes(v)["_size"], attributes(v)["_mode"])),
        (known("sklearn.base", "BaseEstimator"), model_words),
    ):
        # A subclass of the user's has code of its own, but for what is not overridden.
        if base and issubclass(t, base) and (is_library(t) or tell in (exception_words, array_words, model_words)):
            return tell(v)
    if _type_module(t).partition(".")[0] in ARRAYS and is_library(t):
        return tensor_words(v)
    return None


def is_real(t):
    """Whether the type is what its name says: a user's class can call itself anything."""
    name, module = _type_name(t), _type_module(t)
    return among(t, known(module, name)) or among(t, BUILTIN)


def is_library(t):
    module = sys.modules.get(_type_module(t))
    top = sys.modules.get(_type_module(t).partition(".")[0])
    file = module.__dict__.get("__file__") if type(module) is types.ModuleType else None
    if type(top) is not types.ModuleType or module.__name__ == "__main__":
        return False
    return not isinstance(file, str) or "site-packages" in file or "dist-packages" in file or file.endswith((".so", ".pyd")) or is_real(t) and top.__name__ in ARRAYS


BUILTIN = (
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    types.MethodWrapperType,
    type({}.keys()),
    type({}.values()),
    type({}.items()),
    type(iter([])),
    type(iter(())),
    type(...),
    type(NotImplemented),
    type(__import__("_thread").allocate_lock()),
)


def callable_name(f):
    t = type(f)
    if issubclass(t, type):
        return _type_name(f)
    if among(t, (types.FunctionType, types.BuiltinFunctionType)):
        return f.__name__
    if t is types.MethodType:
        return callable_name(f.__func__)
    return name_of(t)


def signature(f):
    """A function's parameters with their defaults; annotations could be code."""
    code, names = f.__code__, f.__code__.co_varnames
    n, only = code.co_argcount, code.co_kwonlyargcount
    defaults, keywords = f.__defaults__ or (), f.__kwdefaults__ or {}
    parts = []
    for i, name in enumerate(names[: n + only]):
        text, at = name, i - n + len(defaults)
        if i < n and at >= 0:
            text += "=" + short(defaults[at], 20)
        elif i >= n and name in keywords:
            text += "=" + short(keywords[name], 20)
        parts.append(text)
    rest = list(names[n + only :])
    if code.co_flags & 4:
        parts.insert(n, "*" + rest.pop(0))
    elif only:
        parts.insert(n, "*")
    if code.co_posonlyargcount:
        parts.insert(code.co_posonlyargcount, "/")
    if code.co_flags & 8:
        parts.append("**" + rest.pop(0))
    return "(%s)" % ", ".join(parts)


def function_words(f):
    code = f.__code__
    kind = "async " if code.co_flags & 0x280 else "generator " if code.co_flags & 0x20 else ""
    return "%s%s, line %d of %s" % (kind, trim(signature(f), 120), code.co_firstlineno, source_of(code))


def source_of(code):
    """Its file, or the cell as tracebacks name it."""
    try:
        from IPython import get_ipython

        return "In[%d]" % get_ipython().compile._filename_map[code.co_filename]
    except Exception:
        return code.co_filename.rpartition("/")[2]


def method_words(m):
    return "%s of %s" % (callable_name(m.__func__), name_of(type(m.__self__)))


def builtin_words(f):
    owner = f.__self__
    return f.__name__ if owner is None or type(owner) is types.ModuleType else "%s of %s" % (f.__name__, name_of(type(owner)))


def class_words(c):
    own = type.__dict__["__dict__"].__get__(c)
    bases = [name_of(b) for b in type.__dict__["__bases__"].__get__(c) if b is not object]
    text = name_of(c) + ("(%s)" % ", ".join(bases) if bases else "")
    members, fields = own.get("_member_names_"), own.get("__dataclass_fields__")
    if type(members) is list and members:
        return trim(text + ": " + ", ".join(n for n in members if type(n) is str), 160)
    if type(fields) is dict:
        return trim(text + ": " + ", ".join(n for n in fields if type(n) is str), 160)
    init = own.get("__init__")
    if type(init) is types.FunctionType:
        made = signature(init).replace("(self, ", "(").replace("(self)", "")
        text += ", made by " + trim(made, 100) if made else ""
    return trim(text, 160)


def suspended(v, kind):
    """A generator or coroutine: its name, and how far it is."""
    code, frame, running = (getattr(v, kind + name) for name in ("_code", "_frame", "_running"))
    if frame is None:
        return code.co_name + ", finished"
    begun = getattr(v, kind + "_suspended", frame.f_lasti >= 0)  # Python 3.11, and before
    return "%s, %s" % (code.co_name, "running" if running else "at line %d" % frame.f_lineno if begun else "not started")


def partial_words(p):
    args = [short(a, 20) for a in p.args] + ["%s=%s" % (k, short(a, 20)) for k, a in p.keywords.items() if type(k) is str]
    return "%s(%s)" % (callable_name(p.func), trim(", ".join(args), 100))


def exception_words(e):
    args = BaseException.__dict__["args"].__get__(e)
    return trim(", ".join(short(a, 100) for a in args), 160)


def counter_words(c):
    items = list(dict.items(c))[:100000]
    if all(among(type(n), (int, float)) for _, n in items):
        items.sort(key=lambda item: -item[1])
    return "len %d: %s" % (dict.__len__(c), ", ".join("%s: %s" % (short(k, 20), short(n, 20)) for k, n in items[:5]))


def pattern_words(p):
    flags = p.flags & ~32
    return short(p.pattern) + (", flags %s" % trim(str(sys.modules["re"].RegexFlag(flags)), 60) if flags else "")


def match_words(m):
    return "%d … %d: %s" % (m.start(), m.end(), short(m.group())) if among(type(m.string), (str, bytes)) else ""


def file_words(f):
    io = sys.modules["io"]
    text = type(f) is io.TextIOWrapper
    raw = f.buffer if text else f
    while among(type(raw), (io.BufferedReader, io.BufferedWriter, io.BufferedRandom)):
        raw = raw.raw
    if type(raw) is not io.FileIO:
        return ""
    name = object.__getattribute__(raw, "__dict__").get("name", "?")
    mode = object.__getattribute__(f, "__dict__").get("mode") if text else raw.mode
    return "%s, mode %s%s" % (short(name), short(mode), ", %s" % f.encoding if text else "") + (", closed" if raw.closed else "")


def bytes_words(f):
    if f.closed:
        return "closed"
    with f.getbuffer() as b:
        return "%s, at %d" % (size(b.nbytes), f.tell())


def sqlite_words(c):
    try:
        return "open, %d changes%s" % (c.total_changes, ", in a transaction" if c.in_transaction else "")
    except Exception:
        return "closed"


def engine_words(e):
    url = attributes(e)["url"]  # without its password
    return "%s, %s at %s" % tuple(short(tuple.__getitem__(url, i)) for i in (0, 5, 3))


def socket_words(s):
    if s.fileno() < 0:
        return "closed"
    return "fd %d, %s" % (s.fileno(), short(s.getsockname()))


def process_words(p):
    a = attributes(p)
    return "pid %s, %s" % (short(a["pid"]), "not waited for" if a["returncode"] is None else "ended with %s" % short(a["returncode"]))


def task_words(t):
    if not t.done():
        return "pending"
    return "cancelled" if t.cancelled() else "done"


def array_words(a):
    get = known("numpy", "ndarray")[0].__dict__  # a subclass may have its own
    return "%s %s" % (shape(get["shape"].__get__(a)), get["dtype"].__get__(a))


def label(v):
    """An item of pandas' as a person writes it."""
    if among(type(v), known("pandas", "Timestamp")) and not (v.hour or v.minute or v.second or v.microsecond or v.nanosecond):
        return str(v)[:10]
    if type(v) is tuple:
        return "(%s)" % ", ".join(label(x) for x in v[:10])
    return short(v, 30)


def index_words(i):
    if among(type(i), known("pandas", "MultiIndex")):
        text = "len %d, levels: %s" % (len(i), ", ".join("%s of %d" % ("?" if n is None else label(n), len(x)) for n, x in zip(i.names, i.levels)))
    else:
        text = "len %d %s" % (len(i), i.dtype)
    if len(i):
        text += ", %s … %s" % (label(i[0]), label(i[-1]))
    freq = getattr(i, "freqstr", None) if among(type(i), known("pandas", "DatetimeIndex", "TimedeltaIndex", "PeriodIndex")) else None
    return text + (", freq %s" % freq if freq else "")


def is_plain_column(c):
    """Whether finding its groups runs no code of the user's, and ends soon."""
    if len(c) > CELLS:
        return False
    return str(c.dtype) != "object" or sys.modules["pandas"].api.types.infer_dtype(c, skipna=True) == "string"


def group_words(g):
    a = attributes(g)
    keys, frame = a.get("keys"), a.get("obj")
    grouper = a.get("_grouper") or a.get("grouper")
    names = keys if type(keys) is list else [keys] if type(keys) is str else list(grouper.names)
    by = "by %s" % ", ".join(short(k, 30) for k in names[:6])
    source = sys.modules["pandas"]
    if not all(type(k) is str for k in names):
        return by
    if type(frame) is source.DataFrame and all(k in frame.columns and type(frame[k]) is source.Series and is_plain_column(frame[k]) for k in names):
        by += ": %d groups" % g.ngroups
    elif type(frame) is source.Series and len(frame) <= CELLS and all(is_plain_column(source.Series(p.grouping_vector)) for p in grouper.groupings):
        by += ": %d groups" % g.ngroups
    return by + " of %d rows" % len(frame)


def categorical_words(c):
    return "len %d, %d categories: %s" % (len(c), len(c.categories), ", ".join(label(x) for x in c.categories[:6].tolist()))


def model_words(m):
    """A model of scikit-learn's kind: what it has learned ends in "_"."""
    a = attributes(m) or {}
    if type(a.get("steps")) is list:
        steps = [s[1] for s in a["steps"] if type(s) is tuple and len(s) == 2]
        fitted = any(learned(attributes(s)) for s in steps)
        return ", ".join(name_of(type(s)).rpartition(".")[2] for s in steps) + (": fitted" if fitted else ": not fitted")
    told = sorted(learned(a), key=lambda m: not m[0].startswith(("best_", "coef", "classes")))
    if told:
        text = "fitted: " + ", ".join("%s=%s" % (n, short(v, 20)) for n, v in told[:4])
    else:
        text = ", ".join("%s=%s" % m for m in members(m, 20)[:5])
        says = [k for k in type.__dict__["__mro__"].__get__(type(m)) if "__sklearn_is_fitted__" in type.__dict__["__dict__"].__get__(k)]
        if a.get("_Booster") is not None:  # of XGBoost and LightGBM
            text = "fitted: " + text
        elif not says:
            text = "not fitted: " + text
    return trim(text, 160)


def learned(a):
    return [(n, v) for n, v in (a or {}).items() if type(n) is str and n.endswith("_") and not n.startswith("_")]


def tensor_words(v):
    s = v.shape
    s = tuple(s) if not callable(s) else ()
    text = shape([n if type(n) is int else "?" for n in s])
    for name in ("dtype", "device"):
        try:
            found = getattr(v, name)
        except Exception:
            continue
        if not callable(found):
            text += " " + trim(str(found), 40)
    return text


def figure_words(f):
    w, h = f.bbox.size
    return "%d×%d px, %d axes" % (w, h, len(f.axes))


def axes_words(a):
    title = a.get_title()
    return "%d lines, %d patches, %d collections" % (len(a.lines), len(a.patches), len(a.collections)) + (", title %s" % short(title) if title else "")


KINDS = {
    ("builtins", "slice"): lambda v: ":".join("" if x is None else short(x, 20) for x in (v.start, v.stop, v.step)),
    ("builtins", "ellipsis"): lambda v: "...",
    ("builtins", "function"): function_words,
    ("builtins", "method"): method_words,
    ("builtins", "builtin_function_or_method"): builtin_words,
    ("builtins", "generator"): lambda v: suspended(v, "gi"),
    ("builtins", "coroutine"): lambda v: suspended(v, "cr"),
    ("builtins", "async_generator"): lambda v: suspended(v, "ag"),
    ("builtins", "memoryview"): lambda v: size(v.nbytes),
    ("builtins", "dict_keys"): lambda v: "len %d" % len(v),
    ("builtins", "dict_values"): lambda v: "len %d" % len(v),
    ("builtins", "dict_items"): lambda v: "len %d" % len(v),
    ("builtins", "list_iterator"): lambda v: "%d left" % v.__length_hint__(),
    ("builtins", "tuple_iterator"): lambda v: "%d left" % v.__length_hint__(),
    ("re", "Pattern"): pattern_words,
    ("re", "Match"): match_words,
    ("functools", "partial"): partial_words,
    ("collections", "Counter"): counter_words,
    ("array", "array"): lambda v: "len %d %s" % (len(v), v.typecode),
    ("types", "SimpleNamespace"): lambda v: ", ".join("%s=%s" % m for m in members(v, 20)[:6]),
    ("_io", "TextIOWrapper"): file_words,
    ("_io", "BufferedReader"): file_words,
    ("_io", "BufferedWriter"): file_words,
    ("_io", "BufferedRandom"): file_words,
    ("_io", "FileIO"): file_words,
    ("_io", "BytesIO"): bytes_words,
    ("_io", "StringIO"): lambda v: "closed" if v.closed else "at %d" % v.tell(),
    ("sqlite3", "Connection"): sqlite_words,
    ("sqlalchemy.engine.base", "Engine"): engine_words,
    ("socket", "socket"): socket_words,
    ("subprocess", "Popen"): process_words,
    ("threading", "Thread"): lambda v: "%s, %s" % (short(attributes(v)["_name"]), "alive" if v.is_alive() else "not alive"),
    ("threading", "Event"): lambda v: "set" if v.is_set() else "not set",
    ("_thread", "lock"): lambda v: "locked" if v.locked() else "not locked",
    ("queue", "Queue"): lambda v: "%d items" % v.qsize(),
    ("concurrent.futures._base", "Future"): lambda v: attributes(v)["_state"].lower(),
    ("concurrent.futures.thread", "ThreadPoolExecutor"): lambda v: "%d workers" % attributes(v)["_max_workers"],
    ("concurrent.futures.process", "ProcessPoolExecutor"): lambda v: "%d workers" % attributes(v)["_max_workers"],
    ("_asyncio", "Task"): task_words,
    ("_asyncio", "Future"): task_words,
    ("logging", "Logger"): lambda v: short(attributes(v)["name"]) + ", level %s" % short(attributes(v)["level"]),
    ("ipaddress", "IPv4Address"): str,
    ("ipaddress", "IPv6Address"): str,
    ("ipaddress", "IPv4Network"): str,
    ("zoneinfo", "ZoneInfo"): lambda v: short(v.key),
    ("pandas", "Categorical"): categorical_words,
    ("pandas.core.arrays.categorical", "Categorical"): categorical_words,
    ("numpy", "ufunc"): lambda v: v.__name__,
    ("matplotlib.figure", "Figure"): figure_words,
    ("matplotlib.axes._axes", "Axes"): axes_words,
    ("polars.expr.expr", "Expr"): lambda v: trim(str(v), 100),
}
