import sys, warnings
warnings.warn("watch out")
warnings.simplefilter("error")
try:
    warnings.warn("raised")
except UserWarning as error:
    print("caught", error)
