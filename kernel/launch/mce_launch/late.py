"""What can still be changed in a kernel that somebody else's server has started for
us: all that start.py does before ipykernel starts is left out."""

from . import codenames, descriptors, interrupts, libraries, prelude, runs, shared
from .report import step


def install(with_prelude):
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    step("filename", codenames.name_code)
    step("interrupt", interrupts.Interrupts().install)
    step("descriptors", descriptors.follow)
    step("shared", shared.wait_for_subscribers, app)
    after = libraries.AfterImport()
    if with_prelude:
        step("prelude", prelude.prelude, app, after)
    runs.follow(app, after, streams=False)
