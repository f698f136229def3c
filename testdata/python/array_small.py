np.linspace(0, 1, 12).reshape(3, 4)
