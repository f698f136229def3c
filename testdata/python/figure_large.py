plt.figure(figsize=(30, 4), dpi=100); plt.axhline(1); plt.show()
