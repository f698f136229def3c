from bokeh.io import output_notebook
from bokeh.plotting import figure, show
output_notebook(hide_banner=True)
p = figure(title='Sales', width=300, height=200)
p.line([1, 2, 3], [3, 1, 2], legend_label='north')
show(p)
