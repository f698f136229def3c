from lets_plot import *
LetsPlot.setup_html()
ggplot({'x': [1, 2], 'y': [3, 4]}, aes('x', 'y')) + geom_line() + ggtitle('Sales')
