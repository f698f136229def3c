for i in range(12):
    plt.figure(figsize=(1, 1), dpi=30); plt.plot([i, 1]); plt.show()
