"""What accompanies each run: the same in a kernel of ours and in one that somebody
else's server has started."""

from . import broken, codenames, commands, endings, imports, interrupts, kept, loops, raised, replaced, scripts, steady, unprintable, variables
from .report import step


def follow(app, after, streams=True):
    """app's shell is up and no request has been read. after: a libraries.AfterImport.
    streams: whether sys.stdout and sys.stderr are ours."""
    step("steady", steady.install, app)
    step("loop", interrupts.keep_loop)
    step("refresh", imports.refresh_imports, app)
    step("interrupt", interrupts.show_once, app)  # endings' must be the outer one
    step("raised", raised.point_there, app)
    step("unprintable", unprintable.show, app)  # and within endings' as well
    python = broken.Python()
    ends, user_loops = endings.Endings(python.restore), loops.Loops()
    step("endings", ends.install, app)
    step("loops", user_loops.install, app, after)
    step("file", codenames.define_file, app)
    step("scripts", scripts.offer, app, ends, user_loops)
    if streams:
        step("replaced", replaced.tell, app)
    step("commands", commands.watch, app)
    step("variables", variables.tell, app)
    step("broken", broken.tell, app, python)
    step("kept", kept.keep, app)
