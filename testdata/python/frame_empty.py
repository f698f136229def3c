pd.DataFrame()
