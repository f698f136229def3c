import holoviews as hv
hv.extension('matplotlib')
hv.Curve([1, 3, 2])
