from rich.traceback import install
install(width=80, show_locals=False)
def half(x):
    return 10 / x
half(0)
