"""Says what a Python is, as JSON after a mark. Runs in any Python since 2.7."""
import os
import sys

if sys.path and sys.path[0] == "":
    del sys.path[0]  # the helper's directory (absent with PYTHONSAFEPATH)

# Distributions whose versions decide how a kernel is driven; of the others the
# directory's name is enough.
NAMES = ("ipykernel", "ipython", "jupyter_client", "pyzmq", "tornado", "traitlets", "comm", "packaging")

# What the answer was made of: it is asked again when one of these changes.
depends = []


def found(module):
    """Whether module can be imported; half-removed directories are no modules."""
    for finder in sys.meta_path:  # importing importlib.util takes a tenth of the time
        try:
            spec = finder.find_spec(module, None)
        except Exception:
            continue
        if spec is not None:
            if spec.origin is not None:
                depends.append(spec.origin)
            return spec.origin is not None
    return False


def versions():
    """Reads directory names: importing importlib.metadata takes half of the time."""
    result = {}
    for entry in sys.path:
        try:
            names = sorted(os.listdir(entry), reverse=True)
        except OSError:
            continue
        if "ipykernel" in names:
            depends.append(os.path.join(entry, "ipykernel"))
        for name in names:
            if name.endswith(".pth") and "-packages" in entry:
                depends.append(os.path.join(entry, name))
            stem, suffix = os.path.splitext(name)
            if suffix not in (".dist-info", ".egg-info"):
                continue
            parts = stem.split("-")
            key = parts[0].lower().replace(".", "_")
            if len(parts) < 2 or key in result:
                continue
            if key not in NAMES:
                result[key] = parts[1]
                continue
            path = os.path.join(entry, name)
            depends.append(path)
            if os.path.isdir(path) and not any(
                    os.path.exists(os.path.join(path, f)) for f in ("METADATA", "PKG-INFO")):
                continue  # what a broken uninstall leaves
            result[key] = parts[1]
    if "ipykernel" in result and not found("ipykernel"):
        del result["ipykernel"]
    return result


def places():
    """Where packages are looked for, also where there are none yet."""
    result = [entry for entry in sys.path if os.path.isabs(entry)]
    site = sys.modules.get("site")
    if site is not None and getattr(site, "ENABLE_USER_SITE", None):
        result.append(site.getusersitepackages())
    import sysconfig
    result += [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    return result + [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(p)]


def writable(path):
    while path and not os.path.exists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return bool(path) and os.access(path, os.W_OK | os.X_OK)


def externally_managed(stdlib, base_prefix):
    if sys.prefix == base_prefix and stdlib:
        path = os.path.join(stdlib, "EXTERNALLY-MANAGED")
        depends.append(path)
        if os.path.exists(path):
            return path
    path = os.path.join(sys.prefix, "conda-meta", "frozen")
    return path if os.path.exists(path) else ""


def abi():
    """What compiled modules must be made for: "cpython-311-x86_64-linux-gnu"."""
    import _imp
    return (_imp.extension_suffixes() or [".none"])[0].split(".")[1]


PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./+!: "


def as_json(value):
    """Importing json takes a third of the time."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ",".join(map(as_json, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(as_json(key) + ":" + as_json(value[key]) for key in value) + "}"
    if not value.strip(PLAIN):
        return '"' + value + '"'
    units = []
    for n in map(ord, value):
        units += [n] if n < 0x10000 else [0xD7C0 + (n >> 10), 0xDC00 + (n & 0x3FF)]
    return '"' + "".join("\\u%04x" % unit for unit in units) + '"'


def main():
    info = {"version": "%d.%d.%d" % sys.version_info[:3], "executable": sys.executable or "", "prefix": sys.prefix}
    if sys.version_info >= (3, 8):
        import sysconfig
        purelib = sysconfig.get_path("purelib")
        info.update(
            implementation=sys.implementation.name,
            base_prefix=sys.base_prefix,
            machine=os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", ""),
            platform=sys.platform,
            purelib=purelib,
            writable=writable(purelib),
            externally_managed=externally_managed(sysconfig.get_path("stdlib"), sys.base_prefix),
            has_pip=found("pip"),
            has_ensurepip=found("ensurepip"),
            abi=abi(),
            dists=versions(),
        )
        info["depends"] = sorted(set(depends + places()))
    # A mark, since .pth files and sitecustomize may print.
    sys.stdout.write("\nmce-probe:" + as_json(info) + "\n")
    sys.stdout.flush()
    os._exit(0)  # nothing of the environment's own runs at exit


main()
