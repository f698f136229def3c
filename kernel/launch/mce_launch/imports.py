"""What has become importable, or has changed, since the last request."""

import os
import sys

from .report import describe, step

# In an execute_request's metadata.
REFRESH = "mce_refresh"
RELOAD = "mce_reload"


class Sites:
    """Directories of packages and their .pth files, which Python reads at its
    start alone: editable installs are such files."""

    def __init__(self):
        self.seen = {path: stamp for path, stamp in self.files()}

    @staticmethod
    def directories():
        import site

        found = list(site.getsitepackages()) if hasattr(site, "getsitepackages") else []
        if getattr(site, "ENABLE_USER_SITE", False):
            found.append(site.getusersitepackages())
        return found

    def files(self):
        for directory in self.directories():
            try:
                names = sorted(os.listdir(directory))
            except OSError:
                continue
            for name in names:
                path = os.path.join(directory, name)
                if name.endswith(".pth"):
                    stat = os.stat(path)
                    yield path, (stat.st_mtime_ns, stat.st_size)

    def update(self):
        import site

        for directory in self.directories():
            if os.path.isdir(directory) and directory not in sys.path:
                sys.path.append(directory)
        for path, stamp in self.files():
            if self.seen.get(path) == stamp:
                continue
            new = path not in self.seen
            self.seen[path] = stamp
            if new:
                site.addpackage(*os.path.split(path), set(sys.path))
            else:
                self.add_paths(path)  # its code has run once

    @staticmethod
    def add_paths(path):
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                entry = os.path.join(os.path.dirname(path), line.strip())
                if line.strip() and not line.startswith(("#", "import ", "import\t")):
                    if entry not in sys.path and os.path.exists(entry):
                        sys.path.append(entry)


def refresh_imports(app):
    """Before a request whose metadata says so: packages that were installed can
    be imported, and modules whose files have changed are loaded again."""
    import importlib
    import types

    done = [None]
    sites = step("sites", Sites)

    def refresh(*_):
        parent = app.kernel.get_parent("shell")
        request = parent["header"]["msg_id"]
        metadata = parent.get("metadata") or {}
        if not metadata.get(REFRESH) or done[0] == request:
            return  # a cell that runs cells asks again for the same request
        done[0] = request
        importlib.invalidate_caches()
        if sites:
            step("sites", sites.update)
        changed = set(map(os.path.realpath, metadata.get(RELOAD) or ()))
        if not changed:
            return  # each module's real path takes a while
        for module in list(sys.modules.values()):
            if type(module) is not types.ModuleType or module.__name__ == "__main__":
                continue
            file = module.__dict__.get("__file__")
            if isinstance(file, str) and os.path.realpath(file) in changed:
                reload(module)

    def reload(module):
        try:
            importlib.reload(module)
        except Exception as error:
            print("reloading %s failed: %s" % (module.__name__, describe(error)), file=sys.stderr)

    app.shell.events.register("pre_run_cell", refresh)
