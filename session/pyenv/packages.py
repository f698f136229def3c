"""Says which distributions a Python has, as JSON after a mark, and imports none
of them. The argument is {"find": [{"name": name, "extras": [...]}, ...], "all": bool}.
Runs in any Python since 3.8. importlib.metadata would take half of the time."""
import json
import os
import re
import sys

if sys.path and sys.path[0] == "":
    del sys.path[0]  # the helper's directory (absent with PYTHONSAFEPATH)


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def read(*parts):
    try:
        with open(os.path.join(*parts), encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


class Dist:
    """A .dist-info or .egg-info: directory, or file of old distutils."""

    def __init__(self, site, path, name, version):
        self.site, self.path, self.name, self.version = site, path, name, version
        self.full = False

    def load(self):
        """Reads the metadata; False for what a broken uninstall leaves."""
        if not self.full:
            text = read(self.path, "METADATA") or read(self.path, "PKG-INFO") or (
                read(self.path) if os.path.isfile(self.path) else "")
            if not text:
                return False
            header = text.split("\n\n", 1)[0]
            found = re.search(r"(?mi)^Name:[ \t]*(.+?)\s*$", header)
            # Some have no name in them; the file's name has one.
            self.name = found.group(1) if found else self.name
            found = re.search(r"(?mi)^Version:[ \t]*(.+?)\s*$", header)
            self.version = found.group(1) if found else self.version
            self.requires = re.findall(r"(?mi)^Requires-Dist:[ \t]*(.+?)\s*$", header)
            self.full = True
        return True

    def files(self):
        """Paths of its files relative to the site directory, with /."""
        text = read(self.path, "RECORD")
        if text:
            # A path with a comma is quoted.
            return [(line[1:].split('"')[0] if line[:1] == '"' else line.split(",")[0]).replace("\\", "/")
                    for line in text.splitlines() if line]
        text = read(self.path, "installed-files.txt")
        base = os.path.basename(self.path)
        return [os.path.normpath(os.path.join(base, line)).replace("\\", "/") for line in text.splitlines() if line]

    def modules(self):
        """Top-level names it gives to import."""
        names = {line.strip() for line in read(self.path, "top_level.txt").splitlines() if line.strip()}
        if not names:
            for path in self.files():
                first, _, rest = path.partition("/")
                if rest and "." not in first and first != "__pycache__":
                    names.add(first)
                elif not rest and first.endswith((".py", ".so", ".pyd")):
                    names.add(first.split(".")[0])
        if not names and spec_of(self.name.replace("-", "_")):
            names.add(self.name.replace("-", "_"))  # conda packages need not list files
        return sorted(n for n in names if n.isidentifier())

    def editable(self):
        try:
            info = json.loads(read(self.path, "direct_url.json") or "{}")
        except ValueError:
            return ""
        if info.get("dir_info", {}).get("editable"):
            from urllib.parse import unquote  # 5 ms

            return unquote(re.sub("^file://", "", info.get("url", ""))) or "?"
        return ""

    def damage(self):
        """The first of its modules that is gone, "" if all are there."""
        for path in self.files():
            if path.endswith(".py") and not path.startswith("..") and not os.path.exists(os.path.join(self.site, path)):
                return path
        # An installer writes these last. Distributors leave out one of them.
        last = [os.path.join(self.path, name) for name in ("RECORD", "INSTALLER")]
        if os.path.exists(os.path.join(self.path, "WHEEL")) and not any(map(os.path.exists, last)):
            return os.path.relpath(last[0], self.site)
        return ""


def scan():
    """All distributions by normal name; the first one on sys.path counts, as in import."""
    found, remains = {}, {}
    for site in sys.path:
        if site.endswith(".egg") and os.path.isdir(os.path.join(site, "EGG-INFO")):
            d = Dist(site, os.path.join(site, "EGG-INFO"), "", "")
            if d.load():
                found.setdefault(normal(d.name), d)
            continue
        try:
            entries = os.listdir(site)
        except OSError:
            continue
        # Newest last name first, so that of two versions side by side one wins always.
        for entry in sorted(entries, reverse=True):
            stem, suffix = os.path.splitext(entry)
            if suffix not in (".dist-info", ".egg-info") or entry.startswith("~"):
                continue
            if suffix == ".egg-info":
                stem = re.sub(r"-py\d[\d.]*(-.*)?$", "", stem)
            name, _, version = stem.rpartition("-")
            d = Dist(site, os.path.join(site, entry), name or stem, version if name else "")
            key = normal(d.name)
            if key in found:
                continue
            file = "METADATA" if suffix == ".dist-info" else "PKG-INFO"
            whole = os.path.exists(os.path.join(d.path, file)) or os.path.isfile(d.path)
            if not whole or (not name and not d.load()):
                remains.setdefault(key, d.path)
                continue
            found[key] = d
    return found, remains


def conda():
    """Packages of the conda environment by name; not all have Python metadata."""
    found = {}
    try:
        entries = os.listdir(os.path.join(sys.prefix, "conda-meta"))
    except OSError:
        return found
    for entry in entries:
        parts = entry[:-len(".json")].rsplit("-", 2)
        if entry.endswith(".json") and len(parts) == 3:
            found[parts[0]] = parts[1]
    return found


def spec_of(module):
    """Where import would find a top-level name; imports nothing."""
    try:
        from importlib.util import find_spec
        return find_spec(module)
    except Exception:  # half-removed or strange packages
        return None


def place(spec):
    if spec is None:
        return ""
    if spec.origin and spec.origin not in ("built-in", "frozen", "namespace"):
        return spec.origin
    return next(iter(spec.submodule_search_locations or ()), "")


def is_stdlib(module, spec):
    if module in sys.builtin_module_names:
        return True
    if hasattr(sys, "stdlib_module_names"):
        return module in sys.stdlib_module_names
    home = os.path.dirname(os.__file__) + os.sep
    where = place(spec)
    return where.startswith(home) and not re.search(r"[\\/](site|dist)-packages[\\/]", where)


def listing(d):
    """What says which files are its own, read once."""
    if not hasattr(d, "listed"):
        d.listed = "\n" + (read(d.path, "RECORD") or "\n".join(d.files()))
    return d.listed


def owners(module, dists, where):
    """Distributions whose files are the module, closest first."""
    top = module.split(".")[0]
    path = "\n" + module.replace(".", "/")
    exact, loose = [], []
    for key in sorted(dists):
        d = dists[key]
        # Its files lie beside its metadata, but for editable ones.
        near = where.startswith(os.path.join(d.site, ""))
        if near and any(path + end in listing(d) for end in ("/", ".py,", ".so,", ".pyd,", ".cpython-", ".abi3.", ".cp3")):
            exact.append(d)
        elif top in read(d.path, "top_level.txt").split() or near and "\n" + top + "/" in listing(d):
            loose.append(d)
    return [d for d in exact + loose if d.load()]


def has_submodule(spec, parts):
    """Whether a package has the module a.b.c; looks at files alone."""
    where = list(spec.submodule_search_locations or ())
    for part in parts:
        below = []
        for folder in where:
            path = os.path.join(folder, part)
            if os.path.isdir(path):
                below.append(path)
                continue
            try:
                names = os.listdir(folder)
            except OSError:
                continue
            if any(n.startswith(part + ".") and n.endswith((".py", ".so", ".pyd")) for n in names):
                below.append(path)
        if not below:
            return False
        where = below
    return True


def lacking(d, extras, dists):
    """Names an extra asks for that are absent. Lines with further conditions are passed over."""
    names = []
    for extra in extras:
        for line in d.requires:
            need, _, marker = line.partition(";")
            found = re.match(r"""^\(?\s*extra\s*==\s*['"]([^'"]+)['"]\s*\)?$""", marker.strip())
            name = re.match(r"[A-Za-z0-9._-]+", need.strip())
            if found and name and normal(found.group(1)) == normal(extra) and normal(name.group(0)) not in dists:
                names.append(name.group(0))
    return names


def describe(d, via, extras, dists):
    answer = {"name": d.name, "version": d.version, "via": via, "location": d.site, "modules": d.modules(),
              "editable": d.editable(), "missing": lacking(d, extras, dists)}
    answer["damage"] = "" if answer["editable"] else d.damage()
    return answer


def find(name, extras, dists, remains):
    d = dists.get(normal(name))
    if d is not None and d.load():
        return describe(d, "distribution", extras, dists)
    top, *rest = name.split(".")
    if top.isidentifier():
        spec = spec_of(top)
        if spec is not None and is_stdlib(top, spec):
            folders = spec.submodule_search_locations or ()
            if rest and all(map(os.path.isdir, folders)) and name not in sys.modules and not has_submodule(spec, rest):
                return {"error": "%s is part of Python, but has no module %s" % (top, name), "location": place(spec)}
            return {"name": top, "version": "%d.%d.%d" % sys.version_info[:3], "via": "stdlib", "location": place(spec)}
        found = owners(name, dists, place(spec)) if spec is not None else []
        if spec is not None and rest and not has_submodule(spec, rest):
            return {"error": "the package %s is there, but has no module %s" % (top, name), "location": place(spec)}
        if found:
            answer = describe(found[0], "import", extras, dists)
            answer["location"] = place(spec)
            return answer
        # A directory without __init__.py is what a half-done uninstall leaves, too.
        if spec is not None and spec.origin is not None:
            return {"name": top, "via": "path", "location": place(spec)}
    packages = conda()
    if name.lower() in packages:
        return {"name": name.lower(), "version": packages[name.lower()], "via": "conda", "location": sys.prefix}
    if normal(name) in remains:
        return {"error": "only the remains of an uninstalled version are there: " + remains[normal(name)]}
    return {}


def main():
    request = json.loads(sys.argv[1])
    dists, remains = scan()
    answer = {"found": [find(r["name"], r["extras"] or (), dists, remains) for r in request["find"]]}
    if request["all"]:
        answer["dists"] = {key: d.version for key, d in dists.items()}
        answer["conda"] = conda()
    # A mark, since .pth files and sitecustomize may print.
    sys.stdout.write("\nmce-packages:" + json.dumps(answer) + "\n")
    sys.stdout.flush()
    os._exit(0)  # nothing of the environment's own runs at exit


main()
