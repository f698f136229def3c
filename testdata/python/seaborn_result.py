import seaborn as sns
plt.figure(figsize=(2, 1.5), dpi=50)
sns.barplot(x=['a', 'b'], y=[1, 2])
