pd.DataFrame({'name': ['ann', None], 'age': [31, 25]}).info()
