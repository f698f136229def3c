pd.Series([1.5,2.5,None], name='s')
