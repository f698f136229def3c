pd.DataFrame(np.arange(90).reshape(3,30), columns=[f'column_{i}' for i in range(30)])
