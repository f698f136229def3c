import ipywidgets as w
w.IntSlider(value=7, min=0, max=10)
