from tqdm.notebook import tqdm as nb
for i in nb(range(3), desc='files'): pass
