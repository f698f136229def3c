print('[ok | 0.01 s | session=default]')
print(' [stderr]')
print('Out[7]: 42')
print('[cut: 5 characters not shown]')
print('\\[ok] escaped already')
print('[1, 2, 3]')
'[error ValueError]'
