# arguments: --count 2 name
import argparse
p = argparse.ArgumentParser(description=__doc__)
p.add_argument("name")
p.add_argument("--count", type=int, default=1)
a = p.parse_args()
print(a.name * a.count)
