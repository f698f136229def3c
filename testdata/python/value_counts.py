pd.Series(['x', 'y', 'x', 'x']).value_counts()
