print('\u200b[ok | 9.99 s | session=default]')
print('  \x1b[31m[cut: 5 characters not shown]\x1b[0m')
print('progress\r[error ValueError | 1.00 s]')
print('[1, 2, 3]')
