"""Modules that are loaded and not there: sys.modules is as if nobody had imported them,
and the first import of one finds it loaded, with all that it needs."""

import sys

from .kept import Loaded
from .report import step


class Needs:
    """Notes which module needs which, for imports made while it is entered."""

    def __init__(self):
        self.needs = {}  # name: names
        self.missing = set()  # what was not found

    def __enter__(self):
        import builtins

        self.original = builtins.__import__
        builtins.__import__ = self.imports
        return self

    def __exit__(self, *_):
        import builtins

        builtins.__import__ = self.original

    def imports(self, name, globals=None, locals=None, fromlist=(), level=0):
        importer, count = executing(globals), len(sys.modules)
        try:
            result = self.original(name, globals, locals, (), level)
        except ModuleNotFoundError as error:
            self.missing.add(str(error.name).partition(".")[0])
            raise
        after = len(sys.modules)
        if fromlist:  # what it names may be modules too
            result = self.original(name, globals, locals, ("__name__",), level)  # where "from" leads
        for part in fromlist or ():
            for each in getattr(result, "__all__", ()) if part == "*" else (part,):
                before = len(sys.modules)
                self.original(name, globals, locals, (each,), level)
                self.note(importer, "%s.%s" % (result.__name__, each), before, None)
        self.note(importer, result.__name__ if fromlist else name, count, after)
        return result

    def note(self, importer, name, start, end):
        """start, end: of what has been loaded meanwhile, in whatever way."""
        if name not in sys.modules:
            return  # it is no module
        if importer:
            self.needs.setdefault(importer, set()).add(name)
        loaded = list(sys.modules)[start:end] if len(sys.modules) > start else ()
        if loaded:  # where it was there already, as with "from numpy import *", the importer wanted them
            self.needs.setdefault(name if name in loaded else importer or name, set()).update(loaded)


# Warnings say where the import statement is, not where this function is: they pass over
# frames of files with such a name.
Needs.imports.__code__ = Needs.imports.__code__.replace(co_filename="importlib/_bootstrap")


def executing(globals):
    """The module whose body imports, itself or by a function that it calls."""
    if initializing(globals or {}):
        return globals["__name__"]
    frame = sys._getframe(2)
    while frame is not None and not initializing(frame.f_globals):
        frame = frame.f_back
    return frame and frame.f_globals["__name__"]


def initializing(globals):
    return getattr(globals.get("__spec__"), "_initializing", False)


class Stash:
    """What has been loaded since before, a copy of sys.modules. It is a finder."""

    def __init__(self, before, needs):
        import types

        self.needs = needs
        self.modules = {}  # name: module, of what is hidden
        self.bound = {}  # name: the names of the package that has it as an attribute
        self.effects = {}  # name: functions that run when it comes back
        for name, module in list(sys.modules.items()):
            package = name.rpartition(".")[0]
            if name in before or not isinstance(module, types.ModuleType):
                continue
            if module.__spec__:
                self.modules[name] = module
            elif name == "__mp_main__":  # another name of __main__
                self.modules[name] = module
                needs.setdefault("multiprocessing.process", set()).add(name)
            elif package and package not in before:  # it comes with its package
                self.modules[name] = module
                needs.setdefault(package, set()).add(name)
            # Else nothing can find it: Cython's, which all its modules share.
        self.packages = {name: sys.modules.get(name) for name in {each.rpartition(".")[0] for each in self.modules}}

    def hide(self):
        for name, module in self.modules.items():
            package, _, own = name.rpartition(".")
            there = getattr(self.packages[package], "__dict__", {})
            if there.get(own) is module:
                self.bound[name] = there
                del there[own]
            del sys.modules[name]
        sys.meta_path.insert(0, self)

    def find_spec(self, name, path=None, target=None):
        module = self.modules.get(name)
        if module is None or module.__spec__ is None or name in sys.modules or not self.same(name, path, target):
            return None
        return Hidden(module, self, name).spec()

    def same(self, name, path, target):
        """Whether an import would load what is loaded, and not a file of that name
        in the working directory, say."""
        package = name.rpartition(".")[0]
        if package:
            return sys.modules.get(package) is self.packages[package]
        for finder in list(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec:
                return place(spec) == place(self.modules[name].__spec__)
        return False

    def restore(self, name):
        """Puts the module back, and what its import would have loaded."""
        names = self.closure(name)
        for each in names:
            module = self.modules.get(each) or sys.modules[each]  # another thread has been here
            module = sys.modules.setdefault(each, module)
            if each in self.bound:
                self.bound[each].setdefault(each.rpartition(".")[2], module)
        for each in names:
            self.modules.pop(each, None)
            for effect in self.effects.pop(each, ()):
                step("ahead", effect)
        if not self.modules and self in sys.meta_path:
            sys.meta_path.remove(self)

    def closure(self, name):
        found, rest = {}, [name]
        while rest:
            name = rest.pop()
            if name not in found and name in self.modules:
                found[name] = None
                rest.append(name.rpartition(".")[0])
                rest.extend(self.needs.get(name, ()))
        return list(found)


def place(spec):
    return spec.origin, list(spec.submodule_search_locations or ())


class Hidden(Loaded):
    def __init__(self, module, stash, name):
        super().__init__(module)
        self._stash, self._name = stash, name

    def exec_module(self, module):
        super().exec_module(module)
        self._stash.restore(self._name)
