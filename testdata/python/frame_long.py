pd.DataFrame(np.arange(4000).reshape(1000,4), columns=list('abcd'))
