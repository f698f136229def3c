pd.DataFrame({'comment': ['a sentence that goes on and on ' * 3, 'short'], 'n': [1, 2]})
