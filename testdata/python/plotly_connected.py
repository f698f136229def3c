import plotly.graph_objects as go
go.Figure(go.Bar(y=[1, 2])).show(renderer='notebook_connected')
