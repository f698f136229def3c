import warnings
warnings.simplefilter('always')
def w(): warnings.warn('deprecated thing')
for i in range(50): w()
print('done')
