import warnings
warnings.simplefilter('always')
for row in range(20):
    warnings.warn('a value is trying to be set on a copy\n\nSee the caveats: https://pandas.pydata.org')
