import sys
print("a")
print("b", file=sys.stderr)
sys.exit(42)
