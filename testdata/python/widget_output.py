import ipywidgets as w
out = w.Output()
print('before')
with out:
    print('captured')
out.clear_output()
print('after')
out
