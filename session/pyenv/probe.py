"""Says what a Python is, as JSON after a mark. Runs in any Python since 2.7."""
import json
import os
import sys

if sys.path and sys.path[0] == "":
    del sys.path[0]  # the helper's directory (absent with PYTHONSAFEPATH)

# Distributions whose versions decide how a kernel is driven.
NAMES = ("ipykernel", "ipython", "jupyter_client", "pyzmq", "tornado", "traitlets", "comm", "packaging")


def found(module):
    """Whether module can be imported; half-removed directories are no modules."""
    try:
        from importlib.util import find_spec
        spec = find_spec(module)
        return spec is not None and spec.origin is not None
    except Exception:
        return False


def versions():
    """Reads directory names: importing importlib.metadata takes half of the time."""
    result = {}
    for entry in sys.path:
        try:
            names = sorted(os.listdir(entry), reverse=True)
        except OSError:
            continue
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix not in (".dist-info", ".egg-info"):
                continue
            parts = stem.split("-")
            key = parts[0].lower().replace(".", "_")
            if len(parts) < 2 or key not in NAMES or key in result:
                continue
            path = os.path.join(entry, name)
            if os.path.isdir(path) and not any(
                    os.path.exists(os.path.join(path, f)) for f in ("METADATA", "PKG-INFO")):
                continue  # what a broken uninstall leaves
            result[key] = parts[1]
    if "ipykernel" in result and not found("ipykernel"):
        del result["ipykernel"]
    return result


def writable(path):
    while path and not os.path.exists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return bool(path) and os.access(path, os.W_OK | os.X_OK)


def externally_managed(stdlib, base_prefix):
    if sys.prefix == base_prefix and stdlib:
        path = os.path.join(stdlib, "EXTERNALLY-MANAGED")
        if os.path.exists(path):
            return path
    path = os.path.join(sys.prefix, "conda-meta", "frozen")
    return path if os.path.exists(path) else ""


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
            dists=versions(),
        )
    # A mark, since .pth files and sitecustomize may print.
    sys.stdout.write("\nmce-probe:" + json.dumps(info) + "\n")
    sys.stdout.flush()
    os._exit(0)  # nothing of the environment's own runs at exit


main()
