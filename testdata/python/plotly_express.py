import plotly.express as px
px.scatter(pd.DataFrame({'x': [1, 2, 3], 'y': [3, 1, 2], 'kind': ['a', 'b', 'a']}), x='x', y='y', color='kind', title='By kind', template='none')
