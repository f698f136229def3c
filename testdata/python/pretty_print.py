import pprint
pprint.pprint({'b': list(range(20)), 'a': {'c': 'x' * 40, 'd': 'y' * 40}})
