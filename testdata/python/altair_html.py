import altair as alt, pandas as pd
alt.Chart(pd.DataFrame({'year':[2020,2021],'sales':[3,4]}), title='Sales').mark_line().encode(x='year', y='sales')
