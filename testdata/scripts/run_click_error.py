# arguments: --number x
import click

@click.command()
@click.option("--number", type=int)
def main(number):
    click.echo(number)

main(prog_name="tool")
