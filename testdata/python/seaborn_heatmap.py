import seaborn as sns
ax = sns.heatmap([[1, 2], [3, 4]], annot=True)
ax.figure.set_size_inches(2.5, 2); ax.figure.set_dpi(50)
plt.show()
