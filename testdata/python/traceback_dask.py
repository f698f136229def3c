import dask
@dask.delayed
def load(n):
    table = {
        'a': 1,
    }
    return table[n]
dask.compute(load('b'), scheduler='threads')
