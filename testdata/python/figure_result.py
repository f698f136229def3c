fig, ax = plt.subplots(figsize=(2,1), dpi=40)
ax.plot([1,2]);
plt.close(fig); fig
