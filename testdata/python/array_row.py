np.arange(60) * 1.5
