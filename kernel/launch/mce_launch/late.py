"""What can still be changed in a kernel that somebody else's server has started for
us: all that start.py does before ipykernel starts is left out."""

from . import codenames, endings, imports, interrupts, libraries, loops, prelude, replaced, scripts, variables
from .report import step


def install(with_prelude):
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    step("filename", codenames.name_code)
    step("interrupt", interrupts.Interrupts().install)
    after = libraries.AfterImport()
    if with_prelude:
        step("prelude", prelude.prelude, app, after)
    step("loop", interrupts.keep_loop)
    step("refresh", imports.refresh_imports, app)
    step("interrupt", interrupts.show_once, app)  # endings' must be the outer one
    ends, user_loops = endings.Endings(), loops.Loops()
    step("endings", ends.install, app)
    step("loops", user_loops.install, app, after)
    step("file", codenames.define_file, app)
    step("scripts", scripts.offer, app, ends, user_loops)
    step("replaced", replaced.tell, app)
    step("variables", variables.tell, app)
