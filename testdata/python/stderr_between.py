import sys
print('one'); sys.stdout.flush()
print('oops', file=sys.stderr); sys.stderr.flush()
print('two')
