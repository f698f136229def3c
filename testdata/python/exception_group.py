def check(i):
    raise ValueError(f'bad {i}')
errors = []
for i in range(2):
    try: check(i)
    except ValueError as e: errors.append(e)
raise ExceptionGroup('two checks failed', errors)
