import sys
print("before")
def f():
    raise LookupError("no such key")
f()
