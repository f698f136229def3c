"""What is done to a library when somebody has imported it."""

import sys

from .report import step


class AfterImport:
    """Runs functions when a module has been imported by somebody; never imports
    one itself. Nothing of it stays on the module or its loader."""

    def __init__(self):
        self.functions = {}

    def add(self, name, function):
        """function(module) runs now if the module is there, or when it has come."""
        if name in sys.modules:
            step("import " + name, function, sys.modules[name])
            return
        self.functions.setdefault(name, []).append(function)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def find_spec(self, name, path=None, target=None):
        if name not in self.functions:
            return None
        for finder in list(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                step("import", self.watch, spec.loader, name)
                return spec
        return None  # it may be installed later

    def watch(self, loader, name):
        original = loader.exec_module

        def exec_module(module):
            del loader.exec_module
            original(module)
            functions = self.functions.pop(name, ())  # not before: many only ask where it is
            if not self.functions and self in sys.meta_path:
                sys.meta_path.remove(self)
            for function in functions:
                step("import " + name, function, module)

        loader.exec_module = exec_module
