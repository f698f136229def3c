total = 41
assert total == 42, f'total is {total}'
