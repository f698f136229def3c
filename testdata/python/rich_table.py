from rich.console import Console; from rich.table import Table
t = Table(title='Results'); t.add_column('name'); t.add_column('score')
t.add_row('a', '[green]0.9'); Console(width=60, force_jupyter=False, force_terminal=True).print(t)
