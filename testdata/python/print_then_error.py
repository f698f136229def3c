print('loading rows')
plt.figure(figsize=(1,1), dpi=30); plt.plot([1]); plt.show()
raise RuntimeError('after the plot')
