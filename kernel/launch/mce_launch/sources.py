"""What the start of a spare kernel has read. The server looks whether any of it has
changed before it gives the kernel to a session: a new start would have read that."""

import os
import sys

from .report import say
from .paths import is_cwd

EXIT_OWN_CODE = 6
CONFIGS = ("ipython_config.py", "ipython_config.json", "ipython_kernel_config.py", "ipython_kernel_config.json")


def refuse_own_code(app):
    """Start-up code of the user's is run when he starts a kernel, not before: it may
    write files, open connections, take the time."""
    found = own_code(app)
    if found:
        say("own code: " + ", ".join(map(str, found)))
        sys.exit(EXIT_OWN_CODE)  # not an Exception: no step stops it


def own_code(app):
    found = [os.environ["PYTHONSTARTUP"]] if os.environ.get("PYTHONSTARTUP") else []
    for name in ("exec_lines", "exec_files", "code_to_run", "file_to_run", "module_to_run", "extensions"):
        found += [name] if getattr(app, name, None) else []
    try:
        names = sorted(os.listdir(app.profile_dir.startup_dir))
    except OSError:
        names = []
    return found + [name for name in names if name.endswith((".py", ".ipy"))]


def tell(app, path, code, others=(), modules=()):
    """Writes the paths, one a line, that are there or could be there: others too, and
    those of modules that sys.modules does not have."""
    import site

    here = os.path.dirname(os.path.abspath(__file__))
    own = {os.path.abspath(p) for p in (os.path.dirname(here), code, os.getcwd()) if p}
    directories = {os.path.abspath(p) for p in sys.path if not is_cwd(p)}
    directories.add(os.path.dirname(os.path.abspath(os.__file__)))
    installed = tuple(d + os.sep for d in directories if d.endswith("-packages") or d.startswith(sys.base_prefix + os.sep))
    if getattr(site, "ENABLE_USER_SITE", False):
        directories.add(os.path.abspath(site.getusersitepackages()))
    found = directories | set(others)
    for module in [*sys.modules.values(), *modules]:
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str):
            file = os.path.abspath(file)
            # Where packages are installed none is changed but by an installer, which
            # makes new files: one look for all of a directory.
            found.add(os.path.dirname(file) if file.startswith(installed) else file)
    for directory in directories:
        try:
            found.update(os.path.join(directory, name) for name in os.listdir(directory) if name.endswith(".pth"))
        except OSError:
            pass
    for directory in [*app.config_file_paths, app.profile_dir.location]:
        found.update(os.path.join(os.path.abspath(directory), name) for name in CONFIGS)
    found.add(os.path.abspath(app.profile_dir.startup_dir))
    for prefix in {sys.prefix, sys.base_prefix}:
        found.add(os.path.join(prefix, "pyvenv.cfg"))
        found.add(os.path.join(prefix, "conda-meta", "history"))
    found.update((os.path.realpath(sys.executable), "/etc/localtime"))
    lines = sorted(p for p in found - own if os.path.dirname(p) != here and "\n" not in p)
    with open(path + ".new", "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("".join(line + "\n" for line in lines))
    os.rename(path + ".new", path)
