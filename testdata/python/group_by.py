df = pd.DataFrame({'city': ['A', 'B', 'A'], 'sales': [3, 5, 4]})
df.groupby('city').agg(total=('sales', 'sum'), mean=('sales', 'mean'))
