for i in range(3):
    plt.figure(figsize=(1, 1), dpi=30); plt.plot([1, 2]); plt.show()
