df = pd.DataFrame({'age': [31, 25, 47], 'height': [1.7, 1.85, 1.62]})
df.describe()
