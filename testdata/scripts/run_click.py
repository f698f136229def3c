# arguments: --shout world
import click

@click.command()
@click.option("--shout", is_flag=True)
@click.argument("name")
def main(name, shout):
    click.echo(f"hello {name.upper() if shout else name}")
    click.echo(click.style("coloured", fg="red"), err=True)

if __name__ == "__main__":
    main()
