def f(x):
    return 1/x

def g(x):
    return f(x)

g(0)
