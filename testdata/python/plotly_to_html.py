import plotly.graph_objects as go
HTML(go.Figure(go.Bar(y=[1, 2])).to_html(include_plotlyjs='cdn'))
