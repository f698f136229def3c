print('start' + 'x' * 100_000_000 + 'end')
