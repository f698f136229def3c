# alone
import atexit, sys

@atexit.register
def last():
    print("last words")
atexit.register(print, "first words")
sys.exit(3)
