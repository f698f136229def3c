import __main__, pickle, sys

class Row:
    def __init__(self, n):
        self.n = n

print(__name__, Row.__module__, sys.modules["__main__"].__dict__ is globals(), __main__.__file__ == __file__ == sys.argv[0])
print(pickle.loads(pickle.dumps(Row(3))).n)
