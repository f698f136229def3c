display(pd.DataFrame({'a': [1]}))
display(pd.DataFrame({'b': [2]}))
