from pyecharts.charts import Bar
Bar().add_xaxis(['a', 'b']).add_yaxis('sales', [3, 4]).render_notebook()
