import plotly.graph_objects as go
go.Figure([go.Bar(x=['a','b'], y=[1,2], name='sales'), go.Scatter(x=['a','b'], y=[2,1])], layout={'title': 'Sales', 'template': 'none'})
