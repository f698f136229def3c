from rich.progress import Progress
from rich.console import Console
with Progress(console=Console(width=60, force_jupyter=False, force_terminal=True)) as p:
    a = p.add_task('load', total=5); b = p.add_task('fit', total=5)
    for i in range(5): p.advance(a); p.advance(b); time.sleep(.12)
