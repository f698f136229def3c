"""Tracebacks that name a file."""

import os

FILENAME = "mce_filename"  # in an execute_request's metadata


def name_code():
    """Code of a request whose metadata has FILENAME is compiled under that name."""
    import functools
    import linecache

    from ipykernel.compiler import XCachingCompiler
    from ipykernel.ipkernel import IPythonKernel

    def filename(raw_code):
        try:
            parent = IPythonKernel.instance().get_parent("shell")
            # Only the request's own code: a cell may run other cells.
            if parent["content"]["code"] == raw_code:
                return parent["metadata"].get(FILENAME)
        except Exception:
            return None

    cache = XCachingCompiler.cache
    get_code_name = XCachingCompiler.get_code_name

    @functools.wraps(get_code_name)
    def new_get_code_name(self, raw_code, *args, **kwargs):
        name = filename(raw_code)
        if isinstance(name, str) and name:
            return name
        return get_code_name(self, raw_code, *args, **kwargs)

    @functools.wraps(cache)
    def new_cache(self, transformed_code, number=0, raw_code=None):
        name = cache(self, transformed_code, number, raw_code)
        if name == filename(raw_code):
            # Else the frame would read "Cell In[3], line 2".
            getattr(self, "_filename_map", {}).pop(name, None)
            lines = [line + "\n" for line in raw_code.splitlines()]
            try:
                # With size and time linecache drops it when the file changes.
                stat = os.stat(name)
                linecache.cache[name] = (stat.st_size, stat.st_mtime, lines, name)
            except OSError:
                linecache.cache[name] = (len(raw_code), None, lines, name)
        return name

    XCachingCompiler.get_code_name = new_get_code_name
    XCachingCompiler.cache = new_cache


def define_file(app):
    """While such code runs, __file__ is its file."""
    import functools

    original = app.kernel.do_execute

    @functools.wraps(original)
    async def do_execute(*args, **kwargs):
        name = (app.kernel.get_parent("shell").get("metadata") or {}).get(FILENAME)
        if not name:
            return await original(*args, **kwargs)
        namespace = app.shell.user_ns
        before = namespace.get("__file__", namespace)
        namespace["__file__"] = name
        try:
            return await original(*args, **kwargs)
        finally:
            if before is not namespace:
                namespace["__file__"] = before
            else:
                namespace.pop("__file__", None)

    app.kernel.do_execute = do_execute
