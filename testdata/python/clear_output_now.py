print('before')
clear_output()
print('after')
