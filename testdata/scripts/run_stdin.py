# alone
import sys
print(repr(sys.stdin.read()), sys.stdin.isatty(), list(sys.stdin), repr(sys.stdin.readline()))
print(repr(sys.stdin.buffer.read()))
