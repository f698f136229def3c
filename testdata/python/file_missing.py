pd.read_csv('nosuch.csv')
