Audio(np.sin(np.linspace(0, 600, 2000)), rate=8000)
