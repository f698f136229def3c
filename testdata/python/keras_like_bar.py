import sys
for i in range(1, 4):
    sys.stdout.write('\x1b[1m\r' if i > 1 else '')
    sys.stdout.write(f'\x1b[1m{i}/3\x1b[0m \x1b[32m{"━"*i*4}\x1b[0m\x1b[37m{"━"*(3-i)*4}\x1b[0m \x1b[1m0s\x1b[0m 9ms/step - loss: {1/i:.4f}'); sys.stdout.flush()
print()
