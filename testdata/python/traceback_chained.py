def load(p):
    try:
        return open(p)
    except OSError as e:
        raise ValueError('no such table') from e
load('/missing.csv')
