raise ValueError('start ' + 'x'*20_000 + ' end')
