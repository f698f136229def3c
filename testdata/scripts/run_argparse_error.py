# arguments: --count many name
import argparse
p = argparse.ArgumentParser(prog="tool")
p.add_argument("name")
p.add_argument("--count", type=int, default=1)
p.parse_args()
print("not reached")
