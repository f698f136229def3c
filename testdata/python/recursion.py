def deep(n):
    return deep(n+1)
import sys; sys.setrecursionlimit(200)
deep(0)
