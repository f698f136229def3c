np.zeros((1000,1000))
