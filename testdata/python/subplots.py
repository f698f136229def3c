fig, axes = plt.subplots(1, 2, figsize=(3, 1.2), dpi=60)
axes[0].plot([1, 2]); axes[1].bar(['a', 'b'], [1, 2]);
