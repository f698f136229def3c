import traceback
def half(x):
    return 10 / x
try:
    half(0)
except ZeroDivisionError:
    traceback.print_exc()
