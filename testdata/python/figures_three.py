for name in ['north', 'south', 'west']:
    print(name)
    plt.figure(figsize=(1, 1), dpi=30); plt.plot([len(name), 1]); plt.title(name); plt.show()
